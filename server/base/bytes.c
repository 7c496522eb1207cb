/* SPDX-License-Identifier: Apache-2.0 */
/* bytes.c -- a run of bytes that grows by what is put into it. */
#include "server/base/bytes.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CAP_MIN 256

bool ids_bytes_reserve(ids_bytes *bytes, size_t more) {
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

bool ids_bytes_append(ids_bytes *bytes, const void *from, size_t len) {
    if (!ids_bytes_reserve(bytes, len))
        return false;
    if (len)
        memcpy(bytes->ptr + bytes->len, from, len);
    bytes->len += len;
    return true;
}

void ids_bytes_consume(ids_bytes *bytes, size_t len) {
    assert(len <= bytes->len);
    bytes->len -= len;
    if (bytes->len && len)
        memmove(bytes->ptr, bytes->ptr + len, bytes->len);
}

void ids_bytes_take(ids_bytes *queue, size_t *at, size_t len) {
    *at += len;
    assert(*at <= queue->len);
    if (*at <= queue->len / 2 && *at < queue->len)
        return;
    ids_bytes_consume(queue, *at);
    *at = 0;
}

void ids_bytes_free(ids_bytes *bytes) {
    free(bytes->ptr);
    *bytes = (ids_bytes){0};
}
