/* SPDX-License-Identifier: Apache-2.0 */
/* http.c -- what an answer is in HTTP, and the Idempotency-Key header, after
 * draft-ietf-httpapi-idempotency-key-header, RFC 8941 and RFC 9457. Pure. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "client/src/http_chars.h"
#include "client/src/sized.h"

static bool is_visible(char c) {
    return c > ' ' && c <= '~';
}

/* One character of the key goes to its place, if there is one. */
static void put_key_char(char c, char *key, size_t key_cap, size_t *key_len) {
    if (*key_len < key_cap)
        key[*key_len] = c;
    (*key_len)++;
}

/* An sf-string between its quotes; a parameter behind it (";...") is none of
 * ours and makes it malformed, like anything else. */
static bool read_quoted(const char *value, size_t len, char *key,
                        size_t key_cap, size_t *key_len) {
    size_t i = 1;
    for (; i < len && value[i] != '"'; i++) {
        char c = value[i];
        if (c == '\\') {
            i++;
            if (i == len || (value[i] != '"' && value[i] != '\\'))
                return false;
            c = value[i];
        }
        if (!is_visible(c))
            return false;
        put_key_char(c, key, key_cap, key_len);
    }
    return i + 1 == len;
}

static bool read_bare(const char *value, size_t len, char *key, size_t key_cap,
                      size_t *key_len) {
    for (size_t i = 0; i < len; i++) {
        if (!is_visible(value[i]) || value[i] == '"')
            return false;
        put_key_char(value[i], key, key_cap, key_len);
    }
    return true;
}

int32_t idem_http_key(const char *value, size_t value_len, char *key,
                      size_t key_cap, size_t *key_len) {
    *key_len = 0;
    if (value == NULL)
        return IDEM_E_KEY_MISSING;
    while (value_len > 0 && is_http_blank(value[0])) {
        value++;
        value_len--;
    }
    while (value_len > 0 && is_http_blank(value[value_len - 1]))
        value_len--;
    size_t len = 0;
    bool quoted = value_len > 0 && value[0] == '"';
    bool well = quoted ? read_quoted(value, value_len, key, key_cap, &len)
                       : read_bare(value, value_len, key, key_cap, &len);
    if (!well || len == 0 || len > IDEM_HTTP_KEY_BYTES_MAX)
        return IDEM_E_KEY_MALFORMED;
    if (len > key_cap)
        return IDEM_E_SPACE;
    *key_len = len;
    return 0;
}

/* A status with its phrase, and what to tell the client's programmer. */
typedef struct problem {
    int32_t status;
    const char *title; /* of the status, as "about:blank" asks for it */
    const char *outcome;
    const char *detail;
} problem;

static const char BAD_REQUEST[] = "Bad Request";
static const char CONFLICT[] = "Conflict";
static const char UNPROCESSABLE[] = "Unprocessable Content";
static const char SERVER_ERROR[] = "Internal Server Error";
static const char UNAVAILABLE[] = "Service Unavailable";

static int32_t tell_problem(const problem *what, char *body, size_t body_cap,
                            idem_http *http) {
    http->status = what->status;
    http->content_type = "application/problem+json";
    if (body == NULL && body_cap == 0)
        return 0;
    int len =
        snprintf(body, body_cap,
                 "{\"type\":\"about:blank\",\"title\":\"%s\","
                 "\"status\":%d,\"detail\":\"%s\",\"outcome\":\"%s\"}",
                 what->title, (int)what->status, what->detail, what->outcome);
    if (len < 0 || (size_t)len >= body_cap) {
        http->content_type = NULL;
        return IDEM_E_SPACE;
    }
    http->body_len = (size_t)len;
    return 0;
}

static uint32_t seconds_up(uint64_t ms) {
    uint64_t seconds = ms / 1000 + (ms % 1000 != 0);
    if (seconds > UINT32_MAX)
        return UINT32_MAX;
    return seconds == 0 ? 1 : (uint32_t)seconds;
}

static const problem in_progress = {
    409, CONFLICT, "in_progress",
    "A request with this Idempotency-Key is being processed."};
static const problem orphaned = {
    409, CONFLICT, "orphaned",
    "An earlier request with this Idempotency-Key ended in an unknown state."};
static const problem mismatch = {
    422, UNPROCESSABLE, "mismatch",
    "This Idempotency-Key was used with a different request."};
static const problem released = {
    503, UNAVAILABLE, "released",
    "The request failed without an effect and may be sent again."};
static const problem left = {
    503, UNAVAILABLE, "left",
    "It is not known whether the request had an effect; send it again with "
    "the same Idempotency-Key."};
static const problem lost = {500, SERVER_ERROR, "stale",
                             "Another request took this Idempotency-Key over."};

static const problem gone = {500, SERVER_ERROR, "unknown",
                             "The record of this Idempotency-Key is gone."};

static int32_t from_answer(const idem_answer *answer, char *body,
                           size_t body_cap, idem_http *http) {
    switch (answer->outcome) {
    case IDEM_ACQUIRED:
        http->status = IDEM_HTTP_PROCEED;
        return 0;
    case IDEM_REPLAY:
        http->replayed = 1;
        http->status = 200;
        return 0;
    case IDEM_COMPLETED:
        http->status = 200;
        return 0;
    case IDEM_IN_PROGRESS:
        http->retry_after_s = seconds_up(answer->lease_left_ms);
        return tell_problem(&in_progress, body, body_cap, http);
    case IDEM_ORPHANED:
        return tell_problem(&orphaned, body, body_cap, http);
    case IDEM_MISMATCH:
        return tell_problem(&mismatch, body, body_cap, http);
    case IDEM_RELEASED: /* kept 0: only the end of its lease frees it */
        http->retry_after_s =
            answer->kept ? 1 : seconds_up(answer->lease_left_ms);
        return tell_problem(&released, body, body_cap, http);
    case IDEM_LEFT:
        http->retry_after_s = seconds_up(answer->lease_left_ms);
        return tell_problem(&left, body, body_cap, http);
    case IDEM_STALE:
        return tell_problem(&lost, body, body_cap, http);
    case IDEM_NO_RECORD:
        return tell_problem(&gone, body, body_cap, http);
    default:
        return IDEM_E_ARGUMENT;
    }
}

/* The caller's struct is written on failure, too: nothing of an earlier call
 * is left in it. */
static int32_t hand_out_http(idem_http *theirs, const idem_http *own,
                             int32_t code) {
    if (idem__sized_check(&idem__http_layout, theirs, "http", NULL) != 0)
        return IDEM_E_ARGUMENT;
    idem__sized_out(&idem__http_layout, theirs, own);
    return code;
}

int32_t idem_http_from_answer(const idem_answer *answer, char *body,
                              size_t body_cap, idem_http *http) {
    idem_http own = {.status = 500}; /* what fails is no leave to go on */
    int32_t code = IDEM_E_ARGUMENT;
    if (idem__sized_check(&idem__answer_layout, answer, "answer", NULL) == 0)
        code = from_answer(answer, body, body_cap, &own);
    return hand_out_http(http, &own, code);
}

static const problem missing = {
    400, BAD_REQUEST, "key_missing",
    "This operation needs an Idempotency-Key header."};
static const problem malformed = {
    400, BAD_REQUEST, "key_malformed",
    "The Idempotency-Key must be a string of 1 to 255 visible ASCII "
    "characters."};
static const problem not_recorded = {
    500, SERVER_ERROR, "not_recorded",
    "The request was carried out, but its answer could not be stored."};
static const problem not_http = {
    500, SERVER_ERROR, "not_http",
    "What is stored under this Idempotency-Key can't be sent as an answer; the "
    "request was carried out before."};
static const problem unavailable = {
    503, UNAVAILABLE, "unavailable",
    "Whether this request was seen before can't be told now; send it again "
    "with the same Idempotency-Key."};
static const problem failed = {
    500, SERVER_ERROR, "error",
    "The request could not be checked against its Idempotency-Key."};

static int32_t from_error(int32_t code, char *body, size_t body_cap,
                          idem_http *http) {
    switch (code) {
    case IDEM_E_KEY_MISSING:
        return tell_problem(&missing, body, body_cap, http);
    case IDEM_E_KEY_MALFORMED:
        return tell_problem(&malformed, body, body_cap, http);
    case IDEM_E_NOT_RECORDED:
        return tell_problem(&not_recorded, body, body_cap, http);
    case IDEM_E_NOT_HTTP:
        return tell_problem(&not_http, body, body_cap, http);
    case IDEM_E_LIMIT:
    case IDEM_E_NO_MEMORY:
    case IDEM_E_NOT_PRIMARY:
    case IDEM_E_UNREPLICATED:
    case IDEM_E_CHANGES_WAIT:
    case IDEM_E_SHUTTING_DOWN:
    case IDEM_E_MEMORY:
    case IDEM_E_CONNECT:
    case IDEM_E_TIMEOUT_UNSENT:
    case IDEM_E_CLOSED:
    case IDEM_E_BUSY:
    case IDEM_E_TIMEOUT:
    case IDEM_E_LOST:
        http->retry_after_s = 1;
        return tell_problem(&unavailable, body, body_cap, http);
    default:
        return tell_problem(&failed, body, body_cap, http);
    }
}

int32_t idem_http_from_error(int32_t code, char *body, size_t body_cap,
                             idem_http *http) {
    idem_http own = {.status = 500};
    int32_t told = from_error(code, body, body_cap, &own);
    return hand_out_http(http, &own, told);
}
