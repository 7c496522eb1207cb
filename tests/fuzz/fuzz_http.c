/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_http.c -- any bytes as a stored HTTP answer, and as the value of an
 * Idempotency-Key.
 *
 * What was read can be sent: no header holds a line feed, none is in capitals.
 * It is the same after writing and reading it again. */
#include "client/include/idemclient_http.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_text(idem_slice text, size_t len_max) {
    const uint8_t *at = text.ptr;
    assert(text.len <= len_max);
    for (size_t i = 0; i < text.len; i++)
        assert((at[i] >= ' ' && at[i] != 0x7f) || at[i] == '\t');
}

static idem_slice trimmed(idem_slice text) {
    const char *at = text.ptr;
    size_t from = 0, to = text.len;
    while (from < to && (at[from] == ' ' || at[from] == '\t'))
        from++;
    while (to > from && (at[to - 1] == ' ' || at[to - 1] == '\t'))
        to--;
    return (idem_slice){at + from, to - from};
}

static void check_same(idem_slice one, idem_slice other) {
    assert(one.len == other.len);
    assert(one.len == 0 || (one.ptr != NULL && other.ptr != NULL &&
                            memcmp(one.ptr, other.ptr, one.len) == 0));
}

static void check_sendable(const idem_http_answer *answer) {
    assert(answer->status >= 200 && answer->status <= 599);
    assert(answer->headers_count <= IDEM_HTTP_HEADERS_MAX);
    for (size_t i = 0; i < answer->headers_count; i++) {
        const idem_http_header *header = &answer->headers[i];
        const char *name = header->name.ptr;
        assert(header->name.len > 0);
        check_text(header->name, IDEM_HTTP_NAME_BYTES_MAX);
        check_text(header->value, IDEM_HTTP_VALUE_BYTES_MAX);
        for (size_t k = 0; k < header->name.len; k++)
            assert(!(name[k] >= 'A' && name[k] <= 'Z') && name[k] != ':');
    }
}

static void check_again(const idem_http_answer *first) {
    idem_slice names[IDEM_HTTP_HEADERS_MAX];
    idem_http_header headers[IDEM_HTTP_HEADERS_MAX];
    idem_http_answer write = *first, again = IDEM_HTTP_ANSWER_INIT;
    size_t len, told;
    for (size_t i = 0; i < first->headers_count; i++)
        names[i] = first->headers[i].name;
    write.keep = names;
    write.keep_count = first->headers_count;
    write.result_bytes_max = SIZE_MAX;
    assert(idem_http_pack(&write, NULL, 0, &len) == 0);
    uint8_t *bytes = malloc(len);
    assert(bytes != NULL);
    assert(idem_http_pack(&write, bytes, len, &told) == 0 && told == len);
    assert(idem_http_unpack(bytes, len, headers, IDEM_HTTP_HEADERS_MAX,
                            &again) == 0);
    assert(again.status == first->status);
    assert((again.body == NULL) == (first->body == NULL));
    check_same((idem_slice){again.body, again.body_len},
               (idem_slice){first->body, first->body_len});
    assert(again.headers_count == first->headers_count);
    for (size_t i = 0; i < again.headers_count; i++) {
        check_same(again.headers[i].name, first->headers[i].name);
        check_same(again.headers[i].value, trimmed(first->headers[i].value));
    }
    free(bytes);
}

static void check_key(const uint8_t *bytes, size_t len) {
    char key[IDEM_HTTP_KEY_BYTES_MAX], same[IDEM_HTTP_STORE_KEY_BYTES_MAX];
    size_t key_len, same_len;
    if (idem_http_key((const char *)bytes, len, key, sizeof key, &key_len) != 0)
        return;
    idem_http_request request = IDEM_HTTP_REQUEST_INIT;
    request.for_anyone = 1;
    request.method = request.target = (idem_slice){bytes, len};
    /* What was read as a header's key is a key of the store. */
    assert(idem_http_store_key(&request, key, key_len, same, sizeof same,
                               &same_len) == 0);
    assert(same_len == key_len + 1 + IDEM_HTTP_SCOPE_BYTES);
    check_same((idem_slice){key, key_len}, (idem_slice){same, key_len});
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    idem_http_header headers[IDEM_HTTP_HEADERS_MAX];
    idem_http_answer answer = IDEM_HTTP_ANSWER_INIT;
    check_key(bytes, len);
    int32_t code =
        idem_http_unpack(bytes, len, headers, IDEM_HTTP_HEADERS_MAX, &answer);
    if (code != 0) {
        assert(code == IDEM_E_NOT_HTTP && answer.status == 500);
        assert(answer.headers_count == 0 && answer.body == NULL);
        return 0;
    }
    check_sendable(&answer);
    check_again(&answer);
    return 0;
}
