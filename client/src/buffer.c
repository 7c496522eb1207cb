/* SPDX-License-Identifier: Apache-2.0 */
/* buffer.c -- a growing byte queue. Its owner bounds what it puts in. */
#include "client/src/buffer.h"

#include <assert.h>
#include <string.h>

#include "client/src/mem.h"

#define FIRST_BYTES 16384u
#define KEPT_BYTES  (256u * 1024u) /* an empty buffer keeps no more */

static void move_to_front(idem__buffer *buffer) {
    size_t len = idem__buffer_len(buffer);
    if (buffer->at == 0)
        return;
    assert(buffer->bytes != NULL);
    if (len > 0)
        memmove(buffer->bytes, buffer->bytes + buffer->at, len);
    buffer->at = 0;
    buffer->end = len;
}

uint8_t *idem__buffer_reserve(idem__buffer *buffer, size_t room) {
    if (buffer->cap - buffer->end >= room && buffer->bytes != NULL)
        return buffer->bytes + buffer->end;
    move_to_front(buffer);
    if (buffer->cap - buffer->end >= room && buffer->bytes != NULL)
        return buffer->bytes + buffer->end;
    if (room > SIZE_MAX / 4)
        return NULL;
    size_t cap = buffer->cap < FIRST_BYTES ? FIRST_BYTES : buffer->cap;
    while (cap - buffer->end < room)
        cap *= 2;
    uint8_t *bytes = idem__realloc(buffer->bytes, cap);
    if (bytes == NULL)
        return NULL;
    buffer->bytes = bytes;
    buffer->cap = cap;
    return bytes + buffer->end;
}

void idem__buffer_reset(idem__buffer *buffer) {
    buffer->at = 0;
    buffer->end = 0;
    if (buffer->cap > KEPT_BYTES)
        idem__buffer_fini(buffer);
}

void idem__buffer_fini(idem__buffer *buffer) {
    idem__free(buffer->bytes);
    *buffer = (idem__buffer){0};
}
