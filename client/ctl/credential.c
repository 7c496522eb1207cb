/* SPDX-License-Identifier: Apache-2.0 */
/* credential.c -- credential new, credential check, whoami: who gets in.
 *
 * The file is read by the daemon's own parser: what is good here is good
 * there. */
#include "client/ctl/ctl.h"
#include "client/ctl/report.h"
#include "server/access/file.h"

#include <ctype.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_BYTES 32

/* "idm_NAME_" and the random part, with the 0 at its end. */
#define SECRET_CHARS_MAX \
    (4 + IDS_USER_NAME_CHARS_MAX + 1 + IDS_SECRET_RANDOM_CHARS + 1)

/* new --------------------------------------------------------------------- */

static void make_secret(const char *name,
                        char secret[static SECRET_CHARS_MAX]) {
    uint8_t bytes[SECRET_BYTES];
    char random[IDS_SECRET_RANDOM_CHARS + 1];
    randombytes_buf(bytes, sizeof bytes);
    sodium_bin2base64(random, sizeof random, bytes, sizeof bytes,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    snprintf(secret, SECRET_CHARS_MAX, "idm_%.*s_%s", IDS_USER_NAME_CHARS_MAX,
             name, random);
    sodium_memzero(bytes, sizeof bytes);
    sodium_memzero(random, sizeof random);
}

static void put_grant(char *line, size_t cap, const char *word,
                      const char *list) {
    size_t at = strlen(line);
    if (list != NULL && at < cap)
        snprintf(line + at, cap - at, " %s%s", word, list);
}

static void write_credential_line(const ctl_ask *ask, const char *name,
                                  const char *secret, char *line, size_t cap) {
    uint8_t hash[crypto_hash_sha256_BYTES];
    char hex[2 * sizeof hash + 1];
    crypto_hash_sha256(hash, (const uint8_t *)secret, strlen(secret));
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    snprintf(line, cap, "%s sha256:%s", name, hex);
    put_grant(line, cap, "claim=", ask->claim);
    put_grant(line, cap, "read=", ask->read);
    put_grant(line, cap, "resolve=", ask->resolve);
    put_grant(line, cap, "admin", ask->admin ? "" : NULL);
    put_grant(line, cap, "stats", ask->stats ? "" : NULL);
}

/* Whether the daemon would take such a line. */
static bool is_good_line(ctl_ask *ask, const char *name, const char *line) {
    char why[256] = "", text[CTL_LINE_CHARS + 2];
    static const char head[] = "line 1: ";
    int len = snprintf(text, sizeof text, "%s\n", line);
    ids_credentials *read =
        ids_credentials_parse(text, (size_t)len, why, sizeof why);
    bool is_its = read != NULL && strcmp(read->users[0].name, name) == 0;
    ids_credentials_drop(read);
    if (is_its)
        return true;
    if (name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")] != '\0')
        return ctl_why(ask, "the name %.40s must be 1 to %d of a-z, 0-9 and -",
                       name, IDS_USER_NAME_CHARS_MAX);
    const char *from =
        strncmp(why, head, strlen(head)) == 0 ? why + strlen(head) : why;
    return ctl_why(ask, "%s", from);
}

static ctl_exit run_new(ctl_ask *ask, const char *name) {
    char secret[SECRET_CHARS_MAX], line[CTL_LINE_CHARS];
    make_secret(name, secret);
    write_credential_line(ask, name, secret, line, sizeof line);
    if (!is_good_line(ask, name, line))
        return ctl_usage_error(ask);
    report r = report_begin(stdout, ask->json, "credential", name);
    report_text(&r, "secret", secret);
    report_text(&r, "line", line);
    report_end(&r);
    sodium_memzero(secret, sizeof secret);
    return CTL_EXIT_DONE;
}

/* check ------------------------------------------------------------------- */

/* A prefix that ends in the middle of a word, as shop* does. */
static bool matches_more(const ids_pattern *one) {
    return one->is_prefix && one->len > 0 && isalnum(one->bytes[one->len - 1]);
}

static void warn_of(const char *path, const ids_user *user) {
    for (int grant = 0; grant < IDS_GRANTS_OF_NAMESPACES; grant++) {
        const ids_patterns *of = &user->of[grant];
        for (uint32_t i = 0; i < of->count; i++) {
            const ids_pattern *one = &of->all[i];
            if (matches_more(one))
                fprintf(stderr,
                        "idemctl: %s:%u: warning: %s=%.*s* matches %.*s2 as "
                        "well; %.*s-* would not\n",
                        path, (unsigned)user->line,
                        ids_grant_name((ids_grant)grant), (int)one->len,
                        (const char *)one->bytes, (int)one->len,
                        (const char *)one->bytes, (int)one->len,
                        (const char *)one->bytes);
        }
    }
}

static ctl_exit run_check(ctl_ask *ask, const char *path) {
    char why[512] = "";
    ids_credentials *read = ids_credentials_load(path, why, sizeof why);
    if (read == NULL) {
        ctl_why(ask, "%s", why);
        return ctl_usage_error(ask);
    }
    for (uint32_t i = 0; i < read->users_count; i++)
        warn_of(path, &read->users[i]);
    report r = report_begin(stdout, ask->json, "credentials", "good");
    report_number(&r, "names", read->users_count);
    report_number(&r, "verifiers", read->verifiers_count);
    report_end(&r);
    ids_credentials_drop(read);
    return CTL_EXIT_DONE;
}

ctl_exit ctl_run_credential(ctl_session *session, ctl_ask *ask) {
    const char *verb = ask->operands[0];
    (void)session;
    if (sodium_init() < 0) {
        ctl_why(ask, "there is no source of randomness");
        ctl_usage_error(ask);
        return CTL_EXIT_ERROR;
    }
    if (strcmp(verb, "new") == 0)
        return run_new(ask, ask->operands[1]);
    if (strcmp(verb, "check") == 0)
        return run_check(ask, ask->operands[1]);
    ctl_why(ask,
            "credential %.40s: there are credential new NAME and "
            "credential check FILE",
            verb);
    return ctl_usage_error(ask);
}

/* whoami ------------------------------------------------------------------ */

ctl_exit ctl_run_whoami(ctl_session *session, ctl_ask *ask) {
    idem_info info = IDEM_INFO_INIT;
    idem_error err = {.size = sizeof err};
    idem_client *client = NULL;
    int32_t code = idem_client_open(session->uri_at_once, &client, &err);
    if (code == IDEM_OK)
        code = idem_client_info(client, ask->args.timeout_ms, &info, &err);
    idem_client_close(client);
    if (code != IDEM_OK)
        return ctl_say_error(ask, &err);
    const char *user = info.user[0] != '\0' ? info.user : "anybody";
    report r = report_begin(stdout, ask->json, "user", user);
    report_text(&r, "server", info.endpoint);
    if (info.user[0] == '\0')
        report_text(&r, "note", "no secret is demanded here");
    report_end(&r);
    return CTL_EXIT_DONE;
}
