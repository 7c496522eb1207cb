/* SPDX-License-Identifier: Apache-2.0 */
/* http_answer_test.c -- what the vectors can't say of answers, store keys and
 * fingerprints: sizes beyond them, room, structs of a caller. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "client/include/idemclient_http.h"

static const uint8_t short_answer[] = "\x94\x01\xcd\x00\xc8\x91\x92\xa4"
                                      "etag\xa1"
                                      "1\xc4\x02ok";
#define SHORT (sizeof short_answer - 1)

static idem_http_answer answer_of(int32_t status, const void *body,
                                  size_t body_len) {
    idem_http_answer answer = IDEM_HTTP_ANSWER_INIT;
    answer.status = status;
    answer.body = body;
    answer.body_len = body_len;
    return answer;
}

/* The three forms of a length, at their ends, and the server's limit. */
Test(http_answer, a_body_of_any_size_comes_back_or_is_left_out) {
    static const size_t lens[] = {
        0, 1, 255, 256, 65535, 65536, 70000, IDEM_HTTP_RESULT_BYTES_MAX - 10};
    uint8_t *body = calloc(1, IDEM_HTTP_RESULT_BYTES_MAX);
    uint8_t *bytes = malloc(IDEM_HTTP_RESULT_BYTES_MAX);
    idem_http_answer answer, read = IDEM_HTTP_ANSWER_INIT;
    size_t len;
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        answer = answer_of(200, body, lens[i]);
        cr_assert_eq(
            idem_http_pack(&answer, bytes, IDEM_HTTP_RESULT_BYTES_MAX, &len),
            0);
        cr_assert_eq(idem_http_unpack(bytes, len, NULL, 0, &read), 0);
        cr_assert_not_null(read.body);
        cr_assert_eq(read.body_len, lens[i]);
    }
    cr_assert_eq(len, IDEM_HTTP_RESULT_BYTES_MAX);
    answer.body_len++; /* one more than the server keeps */
    cr_assert_eq(
        idem_http_pack(&answer, bytes, IDEM_HTTP_RESULT_BYTES_MAX, &len), 0);
    cr_assert_eq(len, 6);
    cr_assert_eq(idem_http_unpack(bytes, len, NULL, 0, &read), 0);
    cr_assert_null(read.body);
    cr_assert_eq(read.status, 200);
    free(body);
    free(bytes);
}

/* No byte is read for it: it is the announced length that is over the limit. */
Test(http_answer, a_body_longer_than_memory_is_left_out) {
    uint8_t bytes[16];
    size_t len;
    idem_http_answer answer = answer_of(200, "", SIZE_MAX);
    answer.result_bytes_max = SIZE_MAX;
    cr_assert_eq(idem_http_pack(&answer, bytes, sizeof bytes, &len), 0);
    cr_assert_eq(len, 6);
    cr_assert_eq(bytes[5], 0xc0);
}

Test(http_answer, a_replay_without_a_result_is_no_answer) {
    idem_http_answer read = IDEM_HTTP_ANSWER_INIT;
    char body[IDEM_HTTP_BODY_BYTES];
    idem_http http = IDEM_HTTP_INIT;
    cr_assert_eq(idem_http_unpack(NULL, 0, NULL, 0, &read), IDEM_E_NOT_HTTP);
    cr_assert_eq(read.status, 500);
    cr_assert_eq(
        idem_http_from_error(IDEM_E_NOT_HTTP, body, sizeof body, &http), 0);
    cr_assert_eq(http.status, 500);
    cr_assert_not_null(strstr(body, "\"not_http\""));
}

Test(http_answer, too_little_room_for_headers_is_told_and_nothing_is_half) {
    idem_http_header headers[2];
    idem_http_answer read = IDEM_HTTP_ANSWER_INIT;
    memset(headers, 7, sizeof headers);
    cr_assert_eq(idem_http_unpack(short_answer, SHORT, NULL, 0, &read),
                 IDEM_E_SPACE);
    cr_assert_eq(read.headers_count, 0);
    cr_assert_eq(read.status, 500);
    cr_assert_eq(idem_http_unpack(short_answer, SHORT, headers, 0, &read),
                 IDEM_E_SPACE);
    cr_assert_eq(idem_http_unpack(short_answer, SHORT, headers, 1, &read), 0);
    cr_assert_eq(read.headers_count, 1);
    cr_assert_eq(headers[0].name.len, 4);
    cr_assert_eq(headers[1].name.len, 0x0707070707070707u);
}

/* Headers of ours that are no pointers, a struct whose size was never set. */
Test(http_answer, a_callers_mistake_is_refused_and_writes_nothing) {
    uint8_t bytes[64] = {7};
    size_t len = 9;
    idem_http_header header = {{NULL, 4}, {NULL, 3}};
    idem_http_answer answer = answer_of(200, NULL, 0);
    answer.headers_count = 1;
    cr_assert_eq(idem_http_pack(&answer, bytes, sizeof bytes, &len),
                 IDEM_E_ARGUMENT);
    cr_assert_eq(len, 0);
    answer.headers = &header;
    cr_assert_eq(idem_http_pack(&answer, bytes, sizeof bytes, &len), 0);
    cr_assert_eq(len, 6); /* it is left out */
    header.name = (idem_slice){"etag", 4};
    cr_assert_eq(idem_http_pack(&answer, bytes, sizeof bytes, &len), 0);
    cr_assert_eq(len, 6);
    answer.keep_count = 1;
    cr_assert_eq(idem_http_pack(&answer, bytes, sizeof bytes, &len),
                 IDEM_E_ARGUMENT);
    answer.size = 3;
    cr_assert_eq(idem_http_pack(&answer, bytes, sizeof bytes, &len),
                 IDEM_E_ARGUMENT);
    cr_assert_eq(idem_http_pack(NULL, bytes, sizeof bytes, &len),
                 IDEM_E_ARGUMENT);
    cr_assert_eq(idem_http_unpack("\xc0", 1, NULL, 0, NULL), IDEM_E_ARGUMENT);
    cr_assert_eq(idem_http_unpack("\xc0", 1, NULL, 0, &answer),
                 IDEM_E_ARGUMENT);
}

static idem_http_request request_of(const char *method, const char *target) {
    idem_http_request request = IDEM_HTTP_REQUEST_INIT;
    request.method = (idem_slice){method, strlen(method)};
    request.target = (idem_slice){target, strlen(target)};
    return request;
}

/* Whoever forgets whose key it is hears so at once. */
Test(http_request, whose_key_it_is_has_to_be_said) {
    char key[IDEM_HTTP_STORE_KEY_BYTES_MAX];
    size_t len;
    idem_http_request request = request_of("POST", "/pay");
    cr_assert_eq(idem_http_store_key(&request, "k", 1, key, sizeof key, &len),
                 IDEM_E_ARGUMENT);
    cr_assert_eq(len, 0);
    request.for_anyone = 1;
    cr_assert_eq(idem_http_store_key(&request, "k", 1, key, sizeof key, &len),
                 0);
    cr_assert_eq(len, 1 + 1 + IDEM_HTTP_SCOPE_BYTES);
    request.principal = (idem_slice){"ann", 3};
    cr_assert_eq(idem_http_store_key(&request, "k", 1, key, sizeof key, &len),
                 IDEM_E_ARGUMENT);
    request.for_anyone = 2;
    request.principal = (idem_slice){NULL, 0};
    cr_assert_eq(idem_http_store_key(&request, "k", 1, key, sizeof key, &len),
                 IDEM_E_ARGUMENT);
}

Test(http_request, a_body_that_is_said_to_be_there_and_is_not_is_refused) {
    uint8_t digest[IDEM_FINGERPRINT_BYTES];
    idem_http_request request = request_of("POST", "/pay");
    cr_assert_eq(idem_http_fingerprint(&request, digest), 0);
    request.body.len = 5;
    cr_assert_eq(idem_http_fingerprint(&request, digest), IDEM_E_ARGUMENT);
    request = request_of("POST", "/pay");
    request.content_type.len = 5;
    cr_assert_eq(idem_http_fingerprint(&request, digest), IDEM_E_ARGUMENT);
    cr_assert_eq(idem_http_fingerprint(NULL, digest), IDEM_E_ARGUMENT);
}
