/* SPDX-License-Identifier: Apache-2.0 */
/* http_vectors_test.c -- what the library makes of each line of proto/vectors:
 * the same as every other language's package. */
#include "client/include/idemclient_http.h"
#include "tests/unit/client/vectors.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static idem_slice slice_of(vector_bytes bytes) {
    return (idem_slice){bytes.ptr, bytes.len};
}

static void expect_same(idem_slice is, vector_bytes so, const cJSON *row) {
    cr_assert_eq(is.ptr == NULL, so.is_null, "%s", vector_what(row));
    cr_assert_eq(is.len, so.len, "%s", vector_what(row));
    cr_assert(is.len == 0 || memcmp(is.ptr, so.ptr, is.len) == 0, "%s",
              vector_what(row));
    free(so.ptr);
}

/* "not_http" for IDEM_E_NOT_HTTP; NULL for success. */
static void expect_code(int32_t code, const cJSON *row) {
    const char *error = vector_error(row);
    cr_assert_eq(code == 0, error == NULL, "%s: %s", vector_what(row),
                 idem_error_name(code));
    cr_assert(error == NULL || strcasecmp(error, idem_error_name(code)) == 0,
              "%s: %s, not %s", vector_what(row), idem_error_name(code), error);
}

/* ---------------------------------------------------------------- headers */

typedef struct header_list {
    size_t count;
    idem_http_header headers[128];
} header_list;

static void read_headers(const cJSON *row, header_list *list) {
    const cJSON *header;
    list->count = 0;
    cJSON_ArrayForEach(header,
                       cJSON_GetObjectItemCaseSensitive(row, "headers")) {
        const cJSON *name = cJSON_GetArrayItem(header, 0);
        list->headers[list->count++] = (idem_http_header){
            slice_of(vector_latin(name)),
            slice_of(vector_latin(cJSON_GetArrayItem(header, 1)))};
    }
}

static void free_headers(header_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        free((void *)list->headers[i].name.ptr);
        free((void *)list->headers[i].value.ptr);
    }
}

static bool is_same(idem_slice one, idem_slice other) {
    return one.len == other.len &&
           (one.len == 0 || memcmp(one.ptr, other.ptr, one.len) == 0);
}

/* ---------------------------------------------------------------- reading */

/* What is read is written in the same bytes, unless the row says otherwise. */
static void expect_again(const idem_http_answer *read, idem_slice result,
                         const cJSON *row) {
    static uint8_t bytes[65536];
    idem_slice names[IDEM_HTTP_HEADERS_MAX];
    idem_http_answer answer = *read;
    size_t len;
    for (size_t i = 0; i < read->headers_count; i++)
        names[i] = read->headers[i].name;
    answer.keep = names;
    answer.keep_count = read->headers_count;
    cr_assert_eq(idem_http_pack(&answer, bytes, sizeof bytes, &len), 0);
    cr_assert_eq(is_same(result, (idem_slice){bytes, len}),
                 !cJSON_HasObjectItem(row, "loose"), "%s", vector_what(row));
}

static void check_answer(const cJSON *row) {
    vector_bytes result = vector_hex(row, "result_hex");
    idem_http_header headers[IDEM_HTTP_HEADERS_MAX];
    idem_http_answer answer = IDEM_HTTP_ANSWER_INIT;
    int32_t code = idem_http_unpack(result.ptr, result.len, headers,
                                    IDEM_HTTP_HEADERS_MAX, &answer);
    expect_code(code, row);
    if (code != 0) {
        cr_assert_eq(answer.status, 500);
        cr_assert(answer.headers_count == 0 && answer.body == NULL);
        free(result.ptr);
        return;
    }
    static header_list so;
    read_headers(row, &so);
    cr_assert_eq(answer.status, vector_number(row, "status"));
    cr_assert_eq(answer.headers_count, so.count, "%s", vector_what(row));
    for (size_t i = 0; i < so.count; i++)
        cr_assert(is_same(answer.headers[i].name, so.headers[i].name) &&
                      is_same(answer.headers[i].value, so.headers[i].value),
                  "%s: header %zu", vector_what(row), i);
    expect_same((idem_slice){answer.body, answer.body_len},
                vector_hex(row, "body_hex"), row);
    expect_again(&answer, slice_of(result), row);
    free_headers(&so);
    free(result.ptr);
}

Test(http_vectors, each_result_is_read_or_refused) {
    cr_assert_gt(vectors_each("http_answers.jsonl", check_answer), 100);
}

/* ---------------------------------------------------------------- writing */

static size_t read_keep(const cJSON *row, idem_slice *keep) {
    const cJSON *name;
    size_t count = 0;
    cJSON_ArrayForEach(name, cJSON_GetObjectItemCaseSensitive(row, "keep")) {
        const char *text = cJSON_GetStringValue(name);
        keep[count++] = (idem_slice){text, strlen(text)};
    }
    return count;
}

static void check_pack(const cJSON *row) {
    static header_list headers;
    static uint8_t bytes[65536];
    idem_slice keep[16];
    vector_bytes body = vector_hex(row, "body_hex");
    read_headers(row, &headers);
    idem_http_answer answer = IDEM_HTTP_ANSWER_INIT;
    answer.status = (int32_t)vector_number(row, "status");
    answer.headers = headers.headers;
    answer.headers_count = headers.count;
    answer.body = body.ptr;
    answer.body_len = body.len;
    answer.keep = keep;
    answer.keep_count = read_keep(row, keep);
    if (cJSON_HasObjectItem(row, "result_bytes_max"))
        answer.result_bytes_max =
            (size_t)vector_number(row, "result_bytes_max");
    size_t len = 1, told = 1;
    int32_t code = idem_http_pack(&answer, bytes, sizeof bytes, &len);
    expect_code(code, row);
    if (code == 0) {
        cr_assert_eq(idem_http_pack(&answer, NULL, 0, &told), 0);
        cr_assert_eq(told, len, "%s", vector_what(row));
        cr_assert_eq(idem_http_pack(&answer, bytes, len - 1, &told),
                     IDEM_E_SPACE);
        cr_assert_eq(told, len);
        expect_same((idem_slice){bytes, len}, vector_hex(row, "result_hex"),
                    row);
    }
    free_headers(&headers);
    free(body.ptr);
}

Test(http_vectors, each_answer_is_written_in_these_bytes) {
    cr_assert_gt(vectors_each("http_packs.jsonl", check_pack), 20);
}

/* ------------------------------------------------------- keys, fingerprints */

static void check_key(const cJSON *row) {
    char key[IDEM_HTTP_KEY_BYTES_MAX];
    size_t len;
    vector_bytes value =
        vector_latin(cJSON_GetObjectItemCaseSensitive(row, "value"));
    int32_t code = idem_http_key((const char *)value.ptr, value.len, key,
                                 sizeof key, &len);
    expect_code(code, row);
    if (code == 0)
        expect_same((idem_slice){key, len}, vector_text(row, "key"), row);
    free(value.ptr);
}

Test(http_vectors, each_header_has_its_key) {
    cr_assert_gt(vectors_each("http_keys.jsonl", check_key), 20);
}

static void check_store_key(const cJSON *row) {
    char to[IDEM_HTTP_STORE_KEY_BYTES_MAX];
    size_t len;
    vector_bytes key = vector_text(row, "key");
    vector_bytes method = vector_text(row, "method");
    vector_bytes target = vector_text(row, "target");
    vector_bytes principal = vector_text(row, "principal");
    idem_http_request request = IDEM_HTTP_REQUEST_INIT;
    request.method = slice_of(method);
    request.target = slice_of(target);
    request.principal = slice_of(principal);
    request.for_anyone = principal.is_null;
    int32_t code = idem_http_store_key(&request, (const char *)key.ptr, key.len,
                                       to, sizeof to, &len);
    expect_code(code, row);
    if (code == 0) {
        cr_assert_eq(idem_http_store_key(&request, (const char *)key.ptr,
                                         key.len, to, len - 1, &len),
                     IDEM_E_SPACE);
        idem_http_store_key(&request, (const char *)key.ptr, key.len, to,
                            sizeof to, &len);
        expect_same((idem_slice){to, len}, vector_text(row, "store_key"), row);
    }
    free(key.ptr);
    free(method.ptr);
    free(target.ptr);
    free(principal.ptr);
}

Test(http_vectors, each_request_has_its_key_in_the_store) {
    cr_assert_gt(vectors_each("http_store_keys.jsonl", check_store_key), 15);
}

static void check_fingerprint(const cJSON *row) {
    uint8_t digest[IDEM_FINGERPRINT_BYTES];
    vector_bytes method = vector_text(row, "method");
    vector_bytes target = vector_text(row, "target");
    vector_bytes type = vector_text(row, "content_type");
    vector_bytes body = vector_hex(row, "body_hex");
    idem_http_request request = IDEM_HTTP_REQUEST_INIT;
    request.method = slice_of(method);
    request.target = slice_of(target);
    request.content_type = slice_of(type);
    request.body = slice_of(body);
    int32_t code = idem_http_fingerprint(&request, digest);
    expect_code(code, row);
    if (code == 0)
        expect_same((idem_slice){digest, sizeof digest},
                    vector_hex(row, "fingerprint_hex"), row);
    free(method.ptr);
    free(target.ptr);
    free(type.ptr);
    free(body.ptr);
}

Test(http_vectors, each_request_has_its_fingerprint) {
    cr_assert_gt(vectors_each("http_fingerprints.jsonl", check_fingerprint),
                 10);
}
