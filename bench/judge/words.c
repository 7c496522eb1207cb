/* SPDX-License-Identifier: Apache-2.0 */
/* words.c -- one line of a history, read and written by the same table. */
#include "bench/judge/words.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef enum kind { NUMBER, NAME, TOKEN, RESULT, STATE, PREVIOUS } kind;
typedef enum part { CALL = 1, END = 2 } part;

typedef struct word {
    const char *name;
    kind kind;
    part of;
    size_t offset;
} word;

#define AT(field_words) offsetof(nem_op, field_words)

static const word words[] = {
    {"fp", NAME, CALL, AT(fp)},
    {"nonce", NAME, CALL, AT(nonce)},
    {"token", TOKEN, CALL, AT(asked)},
    {"lease", NUMBER, CALL, AT(lease_ms)},
    {"ttl", NUMBER, CALL, AT(ttl_ms)},
    {"wait", NUMBER, CALL, AT(wait_ms)},
    {"report", NUMBER, CALL, AT(report)},
    {"unbind", NUMBER, CALL, AT(unbind)},
    {"result", RESULT, CALL, AT(result)},
    {"class", NUMBER, CALL, AT(class)},
    {"token", TOKEN, END, AT(token)},
    {"attempt", NUMBER, END, AT(attempt)},
    {"previous", PREVIOUS, END, AT(previous)},
    {"state", STATE, END, AT(state)},
    {"result", RESULT, END, AT(replayed)},
    {"class", NUMBER, END, AT(replayed_class)},
    {"kept", NUMBER, END, AT(kept)},
    {"lease_left", NUMBER, END, AT(lease_left_ms)},
    {"ttl_left", NUMBER, END, AT(ttl_left_ms)},
};
#define WORDS (sizeof words / sizeof words[0])

static const struct {
    int32_t method;
    const char *name;
} methods[] = {{IDEM_ACQUIRE, "acquire"},
               {IDEM_COMPLETE, "complete"},
               {IDEM_RELEASE, "release"},
               {IDEM_RENEW, "renew"},
               {IDEM_PEEK, "peek"}};
#define METHODS (sizeof methods / sizeof methods[0])

static void *field_words(nem_op *op, const word *w) {
    return (char *)op + w->offset;
}

/* --- reading */

static bool read_number(const char *text, uint64_t *number, char **end) {
    *number = strtoull(text, end, 10);
    return text[0] >= '0' && text[0] <= '9';
}

bool nem_read_time(const char *text, uint64_t *ns) {
    char *end;
    if (!read_number(text, ns, &end))
        return false;
    if (strcmp(end, "ms") == 0)
        *ns *= NEM_MS;
    else if (*end != '\0')
        return false;
    return true;
}

static bool read_pair(const char *text, char between, int base, uint64_t *a,
                      uint64_t *b) {
    char *end;
    *a = strtoull(text, &end, 10);
    if (end == text || *end != between)
        return false;
    text = end + 1;
    *b = strtoull(text, &end, base);
    return end != text && *end == '\0';
}

static bool read_named(const char *text, int32_t *value,
                       const char *(*name)(int32_t), int32_t first,
                       int32_t last) {
    for (*value = first; *value <= last; ++*value)
        if (strcmp(text, name(*value)) == 0)
            return true;
    return false;
}

static bool read_value(const word *w, const char *text, nem_op *op) {
    nem_token *token = field_words(op, w);
    nem_result *result = field_words(op, w);
    char *end;
    switch (w->kind) {
    case NUMBER:
        return read_number(text, field_words(op, w), &end) && *end == '\0';
    case NAME:
        snprintf(field_words(op, w), NEM_NAME_MAX, "%s", text);
        return strlen(text) < NEM_NAME_MAX;
    case TOKEN:
        return read_pair(text, '.', 10, &token->epoch, &token->sequence);
    case RESULT:
        result->given = true;
        return read_pair(text, ':', 16, &result->len, &result->digest);
    case STATE:
        return read_named(text, field_words(op, w), idem_state_name,
                          IDEM_STATE_ABSENT, IDEM_STATE_RELEASED);
    case PREVIOUS:
        return read_named(text, field_words(op, w), idem_previous_name,
                          IDEM_PREVIOUS_NONE, IDEM_PREVIOUS_RELEASED);
    }
    return false;
}

static bool read_words(char *save, part of, nem_op *op) {
    char *name, *value;
    while ((name = strtok_r(NULL, " ", &save)) != NULL) {
        size_t i = 0;
        if (name[0] == '#')
            return true;
        if (of == END && strcmp(name, "again") == 0) {
            op->again = true;
            continue;
        }
        while (i < WORDS &&
               (words[i].of != of || strcmp(words[i].name, name) != 0))
            i++;
        value = strtok_r(NULL, " ", &save);
        if (i == WORDS || value == NULL || !read_value(&words[i], value, op))
            return false;
    }
    return true;
}

bool nem_read_who(char *line, nem_op *op, char **rest) {
    char *who;
    *op = (nem_op){.return_ns = NEM_NEVER, .end = NEM_UNKNOWN};
    char *time = strtok_r(line, " ", rest);
    if (time == NULL || !nem_read_time(time, &op->invoke_ns) ||
        (who = strtok_r(NULL, " ", rest)) == NULL ||
        sscanf(who, "c%" SCNu32 ".%" SCNu32, &op->client, &op->call) != 2)
        return false;
    *rest += strspn(*rest, " ");
    return op->client < NEM_CLIENTS_MAX;
}

bool nem_read_call(char *rest, nem_op *op) {
    char *save = NULL;
    char *method = strtok_r(rest, " ", &save);
    char *key = method == NULL ? NULL : strtok_r(NULL, " ", &save);
    if (key == NULL || strlen(key) >= NEM_NAME_MAX)
        return false;
    snprintf(op->key, sizeof op->key, "%s", key);
    for (size_t i = 0; i < METHODS; i++)
        if (strcmp(method, methods[i].name) == 0)
            op->method = methods[i].method;
    return op->method != 0 && read_words(save, CALL, op);
}

bool nem_read_end(char *rest, nem_op *op) {
    char *save = NULL;
    char *mark = strtok_r(rest, " ", &save);
    char *what = mark == NULL ? NULL : strtok_r(NULL, " ", &save);
    if (what == NULL)
        return false;
    if (strcmp(mark, "->") != 0) {
        op->end = mark[0] == '!' ? NEM_REFUSED : NEM_UNKNOWN;
        snprintf(op->error, sizeof op->error, "%s", what);
        return read_words(save, END, op);
    }
    op->end = NEM_ANSWERED;
    if (!read_named(what, &op->outcome, idem_outcome_name, IDEM_ACQUIRED,
                    IDEM_LEFT) ||
        !read_words(save, END, op))
        return false;
    if (op->previous == 0)
        op->previous = IDEM_PREVIOUS_NONE;
    if (op->state == 0)
        op->state = IDEM_STATE_ABSENT;
    return true;
}

/* --- writing */

/* What is zero, absent or none is not said: reading gives it back as that. */
static int write_value(const word *w, const nem_op *op, char *to, size_t cap) {
    const void *at = (const char *)op + w->offset;
    const nem_token *token = at;
    const nem_result *result = at;
    const uint64_t *number = at;
    const int32_t *named = at;
    switch (w->kind) {
    case NUMBER:
        return *number == 0
                   ? 0
                   : snprintf(to, cap, " %s %" PRIu64, w->name, *number);
    case NAME:
        return *(const char *)at == '\0'
                   ? 0
                   : snprintf(to, cap, " %s %s", w->name, (const char *)at);
    case TOKEN:
        return !nem_token_given(*token)
                   ? 0
                   : snprintf(to, cap, " %s %" PRIu64 ".%" PRIu64, w->name,
                              token->epoch, token->sequence);
    case RESULT:
        return !result->given ? 0
                              : snprintf(to, cap, " %s %" PRIu64 ":%" PRIx64,
                                         w->name, result->len, result->digest);
    case STATE:
        return *named <= IDEM_STATE_ABSENT
                   ? 0
                   : snprintf(to, cap, " %s %s", w->name,
                              idem_state_name(*named));
    case PREVIOUS:
        return *named <= IDEM_PREVIOUS_NONE
                   ? 0
                   : snprintf(to, cap, " %s %s", w->name,
                              idem_previous_name(*named));
    }
    return 0;
}

static int write_words(const nem_op *op, part of, char *to, size_t cap) {
    size_t len = 0;
    for (size_t i = 0; i < WORDS && len < cap; i++)
        if (words[i].of == of)
            len += (size_t)write_value(&words[i], op, to + len, cap - len);
    return (int)len;
}

int nem_write_call(const nem_op *op, char *to, size_t cap) {
    const char *method = "?";
    for (size_t i = 0; i < METHODS; i++)
        if (methods[i].method == op->method)
            method = methods[i].name;
    int len = snprintf(to, cap, "%" PRIu64 " c%" PRIu32 ".%" PRIu32 " %s %s",
                       op->invoke_ns, op->client, op->call, method, op->key);
    return len + write_words(op, CALL, to + len, cap - (size_t)len);
}

int nem_write_end(const nem_op *op, char *to, size_t cap) {
    const char *mark = op->end == NEM_ANSWERED  ? "->"
                       : op->end == NEM_REFUSED ? "!"
                                                : "?";
    const char *what = op->end == NEM_ANSWERED ? idem_outcome_name(op->outcome)
                       : op->error[0] != '\0'  ? op->error
                                               : "nothing";
    int len = snprintf(to, cap, "%" PRIu64 " c%" PRIu32 ".%" PRIu32 " %s %s%s",
                       op->return_ns, op->client, op->call, mark, what,
                       op->again ? " again" : "");
    return len + write_words(op, END, to + len, cap - (size_t)len);
}
