/* SPDX-License-Identifier: Apache-2.0 */
/* http_request.c -- the store key and the fingerprint of an HTTP request, the
 * same in every language. Pure. */
#include <assert.h>
#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#include "client/src/http_chars.h"
#include "client/src/sized.h"

#define DIGEST_CHARS sodium_base64_ENCODED_LEN(IDEM_FINGERPRINT_BYTES, VARIANT)
#define VARIANT      sodium_base64_VARIANT_URLSAFE_NO_PADDING

static_assert(IDEM_HTTP_STORE_KEY_BYTES_MAX ==
                      IDEM_HTTP_KEY_BYTES_MAX + 1 + IDEM_HTTP_SCOPE_BYTES &&
                  IDEM_HTTP_STORE_KEY_BYTES_MAX <= IDEM_KEY_BYTES_MAX,
              "a key, an @ and a scope are a key of the store");

static bool is_given(idem_slice part) {
    return part.ptr != NULL || part.len == 0;
}

static int32_t read_request(idem_http_request *own,
                            const idem_http_request *theirs) {
    int32_t code = idem__sized_in(&idem__http_request_layout, own, theirs,
                                  "request", NULL);
    if (code != 0)
        return code;
    bool is_whole = own->method.ptr != NULL && own->method.len > 0 &&
                    own->target.ptr != NULL && own->target.len > 0;
    return is_whole && is_given(own->content_type) && is_given(own->body)
               ? 0
               : IDEM_E_ARGUMENT;
}

static idem_slice path_of(idem_slice target) {
    const char *query = memchr(target.ptr, '?', target.len);
    if (query != NULL)
        target.len = (size_t)(query - (const char *)target.ptr);
    return target;
}

static bool is_key(const char *key, size_t key_len) {
    if (key == NULL || key_len == 0 || key_len > IDEM_HTTP_KEY_BYTES_MAX)
        return false;
    for (size_t i = 0; i < key_len; i++)
        if (key[i] <= ' ' || key[i] > '~')
            return false;
    return true;
}

/* Somebody, or in so many words anybody. */
static bool is_scoped(const idem_http_request *own) {
    bool has_principal = own->principal.ptr != NULL && own->principal.len > 0;
    bool is_empty = own->principal.ptr == NULL && own->principal.len == 0;
    return own->for_anyone == 0 ? has_principal
                                : own->for_anyone == 1 && is_empty;
}

int32_t idem_http_store_key(const idem_http_request *request, const char *key,
                            size_t key_len, char *to, size_t to_cap,
                            size_t *to_len) {
    idem_http_request own;
    uint8_t digest[IDEM_FINGERPRINT_BYTES];
    char text[DIGEST_CHARS];
    *to_len = 0;
    int32_t code = read_request(&own, request);
    if (code != 0)
        return code;
    if (!is_key(key, key_len) || !is_scoped(&own))
        return IDEM_E_ARGUMENT;
    if (to_cap < key_len + 1 + IDEM_HTTP_SCOPE_BYTES)
        return IDEM_E_SPACE;
    const idem_slice parts[] = {own.method, path_of(own.target), own.principal};
    idem_fingerprint(parts, 3, digest);
    sodium_bin2base64(text, sizeof text, digest, sizeof digest, VARIANT);
    memcpy(to, key, key_len);
    to[key_len] = '@';
    memcpy(to + key_len + 1, text, IDEM_HTTP_SCOPE_BYTES);
    *to_len = key_len + 1 + IDEM_HTTP_SCOPE_BYTES;
    return 0;
}

/* Without parameters, and without the blanks around it. */
static idem_slice media_type(idem_slice value) {
    const char *text = value.ptr;
    size_t from = 0, to = 0;
    while (to < value.len && text[to] != ';')
        to++;
    while (from < to && is_http_blank(text[from]))
        from++;
    while (to > from && is_http_blank(text[to - 1]))
        to--;
    return (idem_slice){text == NULL ? NULL : text + from, to - from};
}

static void put_length(crypto_hash_sha256_state *state, size_t len) {
    uint8_t bytes[8];
    uint64_t left = len;
    for (int i = 7; i >= 0; i--, left >>= 8)
        bytes[i] = (uint8_t)left;
    crypto_hash_sha256_update(state, bytes, sizeof bytes);
}

static void hash_part(crypto_hash_sha256_state *state, idem_slice part) {
    put_length(state, part.len);
    if (part.len > 0)
        crypto_hash_sha256_update(state, part.ptr, part.len);
}

/* Of any length, so not through a buffer of the whole of it. */
static void put_lower(crypto_hash_sha256_state *state, idem_slice part) {
    const uint8_t *text = part.ptr;
    put_length(state, part.len);
    for (size_t i = 0; i < part.len; i++) {
        bool is_upper = text[i] >= 'A' && text[i] <= 'Z';
        uint8_t c = (uint8_t)(is_upper ? text[i] + ('a' - 'A') : text[i]);
        crypto_hash_sha256_update(state, &c, 1);
    }
}

int32_t idem_http_fingerprint(const idem_http_request *request,
                              uint8_t *fingerprint) {
    idem_http_request own;
    crypto_hash_sha256_state state;
    int32_t code = read_request(&own, request);
    if (code != 0)
        return code;
    crypto_hash_sha256_init(&state);
    hash_part(&state, own.method);
    hash_part(&state, own.target);
    put_lower(&state, media_type(own.content_type));
    hash_part(&state, own.body);
    crypto_hash_sha256_final(&state, fingerprint);
    return 0;
}
