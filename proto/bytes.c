/* SPDX-License-Identifier: Apache-2.0 */
/* bytes.c -- a run of bytes that grows by what is put into it. */
#include "proto/bytes.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CAP_MIN 256

bool idp_bytes_reserve(idp_bytes *bytes, size_t more) {
    if (more <= bytes->cap - bytes->len)
        return true;
    if (more > SIZE_MAX / 4 - bytes->len)
        return false;
    size_t cap = bytes->cap < CAP_MIN ? CAP_MIN : bytes->cap;
    while (cap - bytes->len < more)
        cap *= 2;
    uint8_t *grown = realloc(bytes->ptr, cap);
    if (!grown)
        return false;
    bytes->ptr = grown;
    bytes->cap = cap;
    return true;
}

bool idp_bytes_append(idp_bytes *bytes, const void *from, size_t len) {
    if (!idp_bytes_reserve(bytes, len))
        return false;
    if (len)
        memcpy(bytes->ptr + bytes->len, from, len);
    bytes->len += len;
    return true;
}

void idp_bytes_consume(idp_bytes *bytes, size_t len) {
    assert(len <= bytes->len);
    bytes->len -= len;
    if (bytes->len && len)
        memmove(bytes->ptr, bytes->ptr + len, bytes->len);
}

void idp_bytes_take(idp_bytes *queue, size_t *at, size_t len) {
    *at += len;
    assert(*at <= queue->len);
    if (*at <= queue->len / 2 && *at < queue->len)
        return;
    idp_bytes_consume(queue, *at);
    *at = 0;
}

void idp_bytes_free(idp_bytes *bytes) {
    free(bytes->ptr);
    *bytes = (idp_bytes){0};
}
