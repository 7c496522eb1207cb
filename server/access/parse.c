/* SPDX-License-Identifier: Apache-2.0 */
/* parse.c -- the file of credentials: one line a name, its verifiers and its
 * grants.
 *
 *     # NAME     VERIFIER[,VERIFIER...]     GRANTS
 *     shop       sha256:9f86…,sha256:…      claim=shop,shop-* read=shop
 *     payments   cert:URI:spiffe://prod/pay claim=payments
 *
 * What is not understood refuses the whole file: half of the grants that
 * somebody wrote are none that he wrote. */
#include "server/access/parse.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A piece of a line. */
typedef struct piece {
    const char *at;
    size_t len;
} piece;

typedef struct parse {
    ids_credentials *to;
    uint32_t line;
    char *why;
    size_t why_cap;
} parse;

__attribute__((format(printf, 2, 3))) static bool
refuse_line(const parse *p, const char *format, ...) {
    va_list args;
    int at = snprintf(p->why, p->why_cap, "line %u: ", (unsigned)p->line);
    va_start(args, format);
    if (at >= 0 && (size_t)at < p->why_cap)
        vsnprintf(p->why + at, p->why_cap - (size_t)at, format, args);
    va_end(args);
    return false;
}

/* How a piece is shown in a refusal. */
#define SHOWN(one) (int)((one).len < 48 ? (one).len : 48), (one).at

static bool piece_is(piece one, const char *text) {
    return one.len == strlen(text) && memcmp(one.at, text, one.len) == 0;
}

static bool piece_begins(piece one, const char *text) {
    size_t len = strlen(text);
    return one.len >= len && memcmp(one.at, text, len) == 0;
}

/* Cuts off what stands before the first of these; is_more: there was one. */
static piece cut(piece *rest, char mark, bool *is_more) {
    const char *end = rest->len ? memchr(rest->at, mark, rest->len) : NULL;
    piece first = {rest->at, end ? (size_t)(end - rest->at) : rest->len};
    size_t taken = first.len + (end != NULL);
    *rest = (piece){rest->at + taken, rest->len - taken};
    *is_more = end != NULL;
    return first;
}

/* The next word of a line, len 0: there is none. */
static piece cut_word(piece *rest) {
    while (rest->len && (*rest->at == ' ' || *rest->at == '\t'))
        *rest = (piece){rest->at + 1, rest->len - 1};
    size_t len = 0;
    while (len < rest->len && rest->at[len] != ' ' && rest->at[len] != '\t')
        len++;
    piece word = {rest->at, len};
    *rest = (piece){rest->at + len, rest->len - len};
    return word;
}

/* Names ------------------------------------------------------------------- */

static bool take_user_name(const parse *p, ids_user *user, piece word) {
    bool good = word.len >= 1 && word.len <= IDS_USER_NAME_CHARS_MAX;
    for (size_t i = 0; good && i < word.len; i++)
        good = ids_is_user_char(word.at[i]);
    if (!good)
        return refuse_line(p, "the name %.*s must be 1 to %d of a-z, 0-9 and -",
                           SHOWN(word), IDS_USER_NAME_CHARS_MAX);
    memcpy(user->name, word.at, word.len);
    for (uint32_t i = 0; i < p->to->users_count; i++)
        if (strcmp(p->to->users[i].name, user->name) == 0)
            return refuse_line(p,
                               "%s stands in line %u already: one line a "
                               "name, with all its verifiers and grants",
                               user->name, (unsigned)p->to->users[i].line);
    return true;
}

/* Verifiers --------------------------------------------------------------- */

static const struct {
    const char *begins;
    ids_verifier_kind kind;
} kinds[] = {{"sha256:", IDS_VERIFIER_SHA256},
             {"cert:DNS:", IDS_VERIFIER_DNS},
             {"cert:URI:", IDS_VERIFIER_URI},
             {"cert:CN:", IDS_VERIFIER_CN}};
#define KINDS (sizeof kinds / sizeof kinds[0])

static int hex_digit_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool take_hash(const parse *p, ids_verifier *verifier, piece hash) {
    bool good = hash.len == (size_t)2 * IDS_VERIFIER_BYTES;
    for (size_t i = 0; good && i < hash.len; i++) {
        int digit = hex_digit_value(hash.at[i]);
        good = digit >= 0;
        uint8_t *byte = &verifier->id[i / 2];
        *byte = (uint8_t)(*byte << 4 | (digit & 15));
    }
    return good || refuse_line(p, "sha256: needs 64 digits 0-9 and a-f behind "
                                  "it, as sha256sum prints them");
}

/* Its id is of the whole word, so that a DNS name is no CN. */
static bool take_cert(const parse *p, ids_verifier *verifier, piece word,
                      piece name) {
    ids_credentials *to = p->to;
    if (name.len < 1 || name.len > IDS_CERT_NAME_BYTES_MAX)
        return refuse_line(p, "a certificate's name must have 1 to %d bytes",
                           IDS_CERT_NAME_BYTES_MAX);
    verifier->cert_name = (const char *)to->bytes + to->bytes_len;
    memcpy(to->bytes + to->bytes_len, name.at, name.len);
    to->bytes[to->bytes_len + name.len] = '\0';
    to->bytes_len += name.len + 1;
    crypto_hash_sha256(verifier->id, (const uint8_t *)word.at, word.len);
    return true;
}

static bool is_new(const parse *p, const ids_verifier *verifier) {
    const ids_credentials *to = p->to;
    for (uint32_t i = 0; i < to->verifiers_count; i++) {
        const ids_verifier *other = &to->verifiers[i];
        if (memcmp(other->id, verifier->id, sizeof verifier->id) != 0)
            continue;
        return refuse_line(p,
                           "this verifier stands in line %u already, of "
                           "\"%s\": a secret is one name's",
                           (unsigned)other->user->line, other->user->name);
    }
    return true;
}

static bool take_verifier(const parse *p, const ids_user *user, piece word) {
    ids_verifier *verifier = &p->to->verifiers[p->to->verifiers_count];
    size_t at = 0;
    while (at < KINDS && !piece_begins(word, kinds[at].begins))
        at++;
    if (at == KINDS)
        return refuse_line(p,
                           "%.*s is no verifier: there are sha256:, "
                           "cert:DNS:, cert:URI: and cert:CN:",
                           SHOWN(word));
    size_t head = strlen(kinds[at].begins);
    piece rest = {word.at + head, word.len - head};
    verifier->kind = kinds[at].kind;
    verifier->user = user;
    bool good = verifier->kind == IDS_VERIFIER_SHA256
                    ? take_hash(p, verifier, rest)
                    : take_cert(p, verifier, word, rest);
    if (!good || !is_new(p, verifier))
        return false;
    p->to->verifiers_count++;
    return true;
}

static bool take_verifiers(const parse *p, ids_user *user, piece words) {
    user->verifiers = &p->to->verifiers[p->to->verifiers_count];
    if (!words.len)
        return refuse_line(p, "\"%s\" has no verifier behind its name",
                           user->name);
    for (bool is_more = true; is_more;) {
        piece word = cut(&words, ',', &is_more);
        if (user->verifiers_count == IDS_VERIFIERS_A_LINE_MAX)
            return refuse_line(p, "\"%s\" has more than %d verifiers",
                               user->name, IDS_VERIFIERS_A_LINE_MAX);
        if (!take_verifier(p, user, word))
            return false;
        user->verifiers_count++;
    }
    return true;
}

/* Grants ------------------------------------------------------------------ */

static int any_hex_of(char c) {
    return hex_digit_value(c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c);
}

/* One byte of a namespace, plain or as %XX; how many characters, 0: none. */
static size_t take_byte(piece word, size_t at, uint8_t *byte) {
    *byte = (uint8_t)word.at[at];
    if (ids_ns_byte_is_plain(*byte))
        return 1;
    if (*byte != '%' || word.len - at < 3)
        return 0;
    int high = any_hex_of(word.at[at + 1]), low = any_hex_of(word.at[at + 2]);
    if (high < 0 || low < 0)
        return 0;
    *byte = (uint8_t)(high << 4 | low);
    return 3;
}

static bool take_ns(const parse *p, ids_pattern *pattern, piece word) {
    ids_credentials *to = p->to;
    uint8_t *bytes = to->bytes + to->bytes_len;
    size_t len = 0;
    pattern->bytes = bytes;
    for (size_t at = 0; at < word.len;) {
        size_t taken = take_byte(word, at, &bytes[len]);
        if (!taken)
            return refuse_line(p,
                               "the namespace %.*s: write what is not "
                               "A-Z a-z 0-9 . _ : / - as %%XX, and a * at its "
                               "end only",
                               SHOWN(word));
        at += taken;
        if (++len > IDP_NS_BYTES_MAX)
            return refuse_line(p, "a namespace has at most %d bytes",
                               IDP_NS_BYTES_MAX);
    }
    pattern->len = (uint8_t)len;
    to->bytes_len += len;
    return true;
}

/* Exact, PREFIX*, *, or "" for the empty namespace. */
static bool take_pattern(const parse *p, piece word) {
    ids_pattern *pattern = &p->to->patterns[p->to->patterns_count];
    bool is_prefix = word.len && word.at[word.len - 1] == '*';
    if (!word.len)
        return refuse_line(p, "a namespace is missing beside a comma; the "
                              "empty one is \"\"");
    if (is_prefix || piece_is(word, "\"\""))
        word.len -= is_prefix ? 1 : 2;
    pattern->is_prefix = is_prefix;
    if (!take_ns(p, pattern, word))
        return false;
    p->to->patterns_count++;
    return true;
}

static bool take_patterns(const parse *p, ids_patterns *of, piece list) {
    of->all = &p->to->patterns[p->to->patterns_count];
    for (bool is_more = list.len > 0; is_more; of->count++)
        if (!take_pattern(p, cut(&list, ',', &is_more)))
            return false;
    return true;
}

static bool take_grant(const parse *p, ids_user *user, piece word) {
    bool has_list;
    piece list = word, name = cut(&list, '=', &has_list);
    int grant = 0;
    while (grant < IDS_GRANTS &&
           !piece_is(name, ids_grant_name((ids_grant)grant)))
        grant++;
    if (grant == IDS_GRANTS)
        return refuse_line(p,
                           "%.*s is no grant: there are claim=, read=, "
                           "resolve=, admin and stats",
                           SHOWN(word));
    if (user->words & IDS_GRANT_BIT(grant))
        return refuse_line(p, "%.*s stands twice", SHOWN(name));
    user->words |= IDS_GRANT_BIT(grant);
    bool wants_list = grant < IDS_GRANTS_OF_NAMESPACES;
    if (wants_list && !has_list)
        return refuse_line(p,
                           "%.*s needs = and namespaces behind it; %.*s=* "
                           "is all of them",
                           SHOWN(name), SHOWN(name));
    if (!wants_list && has_list)
        return refuse_line(p, "%.*s takes no namespaces", SHOWN(name));
    return !wants_list || take_patterns(p, &user->of[grant], list);
}

/* Lines ------------------------------------------------------------------- */

static bool check_bytes(const parse *p, piece line) {
    for (size_t i = 0; i < line.len; i++) {
        uint8_t c = (uint8_t)line.at[i];
        if (c == '\r')
            return refuse_line(p, "it ends with a carriage return; lines end "
                                  "with a newline alone");
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return refuse_line(p, "it has a byte 0x%02x, which is no text", c);
    }
    return true;
}

static bool take_credential_line(const parse *p, piece line) {
    piece rest = line, word;
    if (!check_bytes(p, line))
        return false;
    word = cut_word(&rest);
    if (!word.len || *word.at == '#')
        return true;
    ids_user *user = &p->to->users[p->to->users_count];
    user->line = p->line;
    if (!take_user_name(p, user, word) ||
        !take_verifiers(p, user, cut_word(&rest)))
        return false;
    while ((word = cut_word(&rest)).len)
        if (!take_grant(p, user, word))
            return false;
    p->to->users_count++;
    return true;
}

bool ids_credentials_fill(ids_credentials *to, const char *text, size_t len,
                          char *why, size_t why_cap) {
    parse p = {.to = to, .why = why, .why_cap = why_cap};
    piece rest = {text, len};
    while (rest.len) {
        bool is_whole;
        piece line = cut(&rest, '\n', &is_whole);
        if (++p.line > IDS_CREDENTIALS_LINES_MAX)
            return refuse_line(&p, "there are at most %d lines",
                               IDS_CREDENTIALS_LINES_MAX);
        if (!is_whole)
            return refuse_line(&p, "the last line ends without a newline: is "
                                   "the file just being written?");
        if (!take_credential_line(&p, line))
            return false;
    }
    if (to->users_count)
        return true;
    snprintf(why, why_cap, "there is no credential in it: nobody could get in");
    return false;
}
