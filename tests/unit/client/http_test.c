/* SPDX-License-Identifier: Apache-2.0 */
/* http_test.c -- the helpers beside the calls: the Idempotency-Key header,
 * answers as HTTP, fingerprints, and the words for codes. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "client/include/idemclient_http.h"

static const struct {
    const char *value, *key; /* key NULL: malformed */
} headers[] = {
    {"abc", "abc"},
    {"  abc\t", "abc"},
    {"\"abc\"", "abc"},
    {"\"a\\\"b\\\\c\"", "a\"b\\c"},
    {"8e03978e-40d5-43dd-bc93-6894a57f9324",
     "8e03978e-40d5-43dd-bc93-6894a57f9324"},
    {"a\\b", "a\\b"},
    {"a,b;c=d", "a,b;c=d"},
    {"", NULL},
    {"   ", NULL},
    {"\"\"", NULL},
    {"\"", NULL},
    {"\"abc", NULL},
    {"abc\"", NULL},
    {"\"abc\"d", NULL},
    {"\"abc\";p=1", NULL},
    {"\"a\\bc\"", NULL},
    {"\"abc\\", NULL},
    {"\"abc\\\"", NULL},
    {"a b", NULL},
    {"\"a b\"", NULL},
    {"a\x7f", NULL},
    {"\xc3\xa4", NULL},
};

Test(header, bare_and_quoted_keys_are_read_and_the_rest_is_malformed) {
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        char key[IDEM_HTTP_KEY_BYTES_MAX];
        size_t len = 99;
        const char *value = headers[i].value;
        int32_t code =
            idem_http_key(value, strlen(value), key, sizeof key, &len);
        if (headers[i].key == NULL) {
            cr_assert_eq(code, IDEM_E_KEY_MALFORMED, "%s", value);
            cr_assert_eq(len, 0);
            continue;
        }
        cr_assert_eq(code, 0, "%s", value);
        cr_assert_eq(len, strlen(headers[i].key), "%s", value);
        cr_assert_eq(memcmp(key, headers[i].key, len), 0, "%s", value);
    }
}

Test(header, none_at_all_is_missing) {
    char key[1];
    size_t len;
    cr_assert_eq(idem_http_key(NULL, 0, key, 1, &len), IDEM_E_KEY_MISSING);
}

Test(header, its_length_is_bounded_and_so_is_the_callers_buffer) {
    char value[258];
    char key[IDEM_HTTP_KEY_BYTES_MAX];
    size_t len = 0;
    memset(value, 'k', sizeof value);
    cr_assert_eq(idem_http_key(value, 255, key, sizeof key, &len), 0);
    cr_assert_eq(len, 255);
    cr_assert_eq(idem_http_key(value, 256, key, sizeof key, &len),
                 IDEM_E_KEY_MALFORMED);
    cr_assert_eq(idem_http_key(value, 5, key, 4, &len), IDEM_E_SPACE);
    cr_assert_eq(idem_http_key(value, 5, key, 5, &len), 0);
    value[0] = value[256] = '"';
    cr_assert_eq(idem_http_key(value, 257, key, sizeof key, &len), 0);
    cr_assert_eq(len, 255);
}

static const struct {
    int32_t outcome;
    uint64_t lease_left_ms;
    int32_t status;
    uint32_t retry_after_s;
    int32_t replayed;
} statuses[] = {
    {IDEM_ACQUIRED, 0, IDEM_HTTP_PROCEED, 0, 0},
    {IDEM_REPLAY, 0, 200, 0, 1},
    {IDEM_COMPLETED, 0, 200, 0, 0},
    {IDEM_IN_PROGRESS, 0, 409, 1, 0},
    {IDEM_IN_PROGRESS, 1, 409, 1, 0},
    {IDEM_IN_PROGRESS, 1000, 409, 1, 0},
    {IDEM_IN_PROGRESS, 1001, 409, 2, 0},
    {IDEM_IN_PROGRESS, 86400000, 409, 86400, 0},
    {IDEM_MISMATCH, 0, 422, 0, 0},
    {IDEM_ORPHANED, 0, 409, 0, 0},
    {IDEM_RELEASED, 0, 503, 1, 0},
    {IDEM_LEFT, 0, 503, 1, 0},
    {IDEM_STALE, 0, 500, 0, 0},
    {IDEM_NO_RECORD, 0, 500, 0, 0},
};

Test(http, each_outcome_has_its_status) {
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        char body[IDEM_HTTP_BODY_BYTES];
        char status[32];
        idem_http http = {.size = sizeof http};
        idem_answer answer = {.size = sizeof answer,
                              .outcome = statuses[i].outcome,
                              .lease_left_ms = statuses[i].lease_left_ms};
        cr_assert_eq(idem_http_from_answer(&answer, body, sizeof body, &http),
                     0);
        cr_assert_eq(http.status, statuses[i].status, "row %zu", i);
        cr_assert_eq(http.retry_after_s, statuses[i].retry_after_s);
        cr_assert_eq(http.replayed, statuses[i].replayed);
        if (http.status < 400) {
            cr_assert_null(http.content_type);
            continue;
        }
        snprintf(status, sizeof status, "\"status\":%d,", http.status);
        cr_assert_str_eq(http.content_type, "application/problem+json");
        cr_assert_eq(http.body_len, strlen(body));
        cr_assert(strstr(body, status) != NULL, "%s", body);
        cr_assert(strstr(body, "\"detail\":\"") != NULL);
    }
}

Test(http, a_problem_reads_as_rfc_9457_has_it) {
    char body[IDEM_HTTP_BODY_BYTES];
    idem_http http = {.size = sizeof http};
    idem_answer answer = {.size = sizeof answer, .outcome = IDEM_IN_PROGRESS};
    idem_http_from_answer(&answer, body, sizeof body, &http);
    cr_assert_str_eq(body, "{\"type\":\"about:blank\",\"title\":\"Conflict\","
                           "\"status\":409,\"detail\":\"A request with this "
                           "Idempotency-Key is being processed.\",\"outcome\":"
                           "\"in_progress\"}");
}

Test(http, each_error_has_a_status_and_a_body_that_fits) {
    static const int32_t codes[] = {
#define X(name, code, assume, text) code,
        IDEM_ERRORS(X)
#undef X
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        char body[IDEM_HTTP_BODY_BYTES];
        idem_http http = {.size = sizeof http};
        int32_t code = codes[i];
        cr_assert_eq(idem_http_from_error(code, body, sizeof body, &http), 0);
        bool key = code == IDEM_E_KEY_MISSING || code == IDEM_E_KEY_MALFORMED;
        cr_assert_eq(http.status == 400, key, "%s", idem_error_name(code));
        cr_assert_eq(http.status == 503, http.retry_after_s == 1);
        cr_assert(http.body_len > 0);
    }
}

/* Whoever looks at the status alone does nothing twice. */
Test(http, what_fails_is_no_leave_to_go_on) {
    static const int32_t outcomes[] = {0, 1, -1, IDEM_PONG, IDEM_RENEWED};
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++) {
        idem_http http = {.size = sizeof http, .status = IDEM_HTTP_PROCEED};
        idem_answer answer = {.size = sizeof answer, .outcome = outcomes[i]};
        cr_assert_eq(idem_http_from_answer(&answer, NULL, 0, &http),
                     IDEM_E_ARGUMENT);
        cr_assert_eq(http.status, 500);
    }
    idem_http http = {.size = sizeof http};
    cr_assert_eq(idem_http_from_answer(NULL, NULL, 0, &http), IDEM_E_ARGUMENT);
    cr_assert_eq(http.status, 500);
    cr_assert_eq(idem_http_from_error(0, NULL, 0, &http), 0);
    cr_assert_eq(http.status, 500);
    http = (idem_http){.size = 1};
    cr_assert_eq(idem_http_from_error(0, NULL, 0, &http), IDEM_E_ARGUMENT);
    cr_assert_neq(http.status, IDEM_HTTP_PROCEED);
}

Test(http, a_buffer_that_is_too_small_is_told_and_none_is_allowed) {
    char body[8];
    idem_http http = {.size = sizeof http};
    idem_answer answer = {.size = sizeof answer, .outcome = IDEM_MISMATCH};
    cr_assert_eq(idem_http_from_answer(&answer, body, sizeof body, &http),
                 IDEM_E_SPACE);
    cr_assert_eq(http.status, 422);
    cr_assert_eq(idem_http_from_answer(&answer, NULL, 0, &http), 0);
    cr_assert_eq(http.body_len, 0);
    answer.outcome = IDEM_PONG;
    cr_assert_eq(idem_http_from_answer(&answer, NULL, 0, &http),
                 IDEM_E_ARGUMENT);
}

static void hex(const uint8_t *bytes, char *to) {
    for (int i = 0; i < IDEM_FINGERPRINT_BYTES; i++)
        snprintf(to + 2 * i, 3, "%02x", bytes[i]);
}

/* The expected digests come from sha256sum over the bytes written out. */
Test(fingerprint, vectors) {
    uint8_t digest[IDEM_FINGERPRINT_BYTES];
    char text[2 * IDEM_FINGERPRINT_BYTES + 1];
    idem_fingerprint(NULL, 0, digest);
    hex(digest, text);
    cr_assert_str_eq(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca"
                           "495991b7852b855");
    idem_slice empty = {NULL, 0};
    idem_fingerprint(&empty, 1, digest);
    hex(digest, text);
    cr_assert_str_eq(
        text,
        "af5570f5a1810b7af78caf4bc70a660f0df51e42baf91d4de5b2328de0e83dfc");
    idem_slice parts[] = {{"ab", 2}, {"c", 1}};
    idem_fingerprint(parts, 2, digest);
    hex(digest, text);
    cr_assert_str_eq(
        text,
        "601d5476e2ccfe2c87a2bba7a322659734a05749d5b5aa781f513e4912db0d5f");
}

Test(fingerprint, where_one_part_ends_matters) {
    uint8_t one[IDEM_FINGERPRINT_BYTES];
    uint8_t other[IDEM_FINGERPRINT_BYTES];
    idem_slice left[] = {{"ab", 2}, {"c", 1}};
    idem_slice right[] = {{"a", 1}, {"bc", 2}};
    idem_fingerprint(left, 2, one);
    idem_fingerprint(right, 2, other);
    cr_assert(memcmp(one, other, sizeof one) != 0);
}

Test(errors, each_code_has_a_name_a_text_and_an_assumption) {
    cr_assert_str_eq(idem_error_name(IDEM_E_TIMEOUT), "TIMEOUT");
    cr_assert_eq(idem_error_assume(IDEM_E_TIMEOUT), IDEM_ASSUME_UNKNOWN);
    cr_assert_eq(idem_error_assume(IDEM_E_CONNECT), IDEM_ASSUME_UNCHANGED);
    cr_assert_eq(idem_error_assume(IDEM_E_DENIED), IDEM_ASSUME_REFUSED);
    cr_assert_eq(idem_error_assume(IDEM_E_UNREPLICATED), IDEM_ASSUME_UNKNOWN);
    cr_assert_eq(idem_error_assume(0), 0);
    cr_assert_str_eq(idem_error_name(0), "OK");
    cr_assert_str_eq(idem_error_name(-7777), "UNKNOWN");
    cr_assert_eq(idem_error_assume(-7777), IDEM_ASSUME_UNKNOWN);
}

Test(errors, words_for_codes_that_are_none_of_ours) {
    cr_assert_str_eq(idem_outcome_name(IDEM_ACQUIRED), "acquired");
    cr_assert_str_eq(idem_outcome_name(IDEM_NO_RECORD), "unknown");
    cr_assert_str_eq(idem_outcome_name(IDEM_LEFT), "left");
    cr_assert_str_eq(idem_outcome_name(-1), "");
    cr_assert_str_eq(idem_outcome_name(0), "");
    cr_assert_str_eq(idem_outcome_name(IDEM_ACQUIRE), "");
    cr_assert_str_eq(idem_outcome_name(999), "");
    cr_assert_str_eq(idem_state_name(IDEM_STATE_ORPHANED), "orphaned");
    cr_assert_str_eq(idem_state_name(0), "");
    cr_assert_str_eq(idem_previous_name(0), "");
    cr_assert_str_eq(idem_class_name(IDEM_CLASS_ERROR), "error");
    cr_assert_str_eq(idem_class_name(0), "");
}
