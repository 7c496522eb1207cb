/* SPDX-License-Identifier: Apache-2.0 */
/* buffers.c -- what one worker's connections keep; see buffers.h. */
#include "server/worker/buffers.h"

#include <assert.h>

#define BUFFER_BYTES      (16u << 10)
#define BUFFER_BYTES_KEPT (256u << 10)

void ids_buffers_take(ids_buffers *all, ids_bytes *buffer) {
    assert(!buffer->cap);
    if (all->spares)
        *buffer = all->spare[--all->spares];
    else
        ids_bytes_reserve(buffer, BUFFER_BYTES);
}

void ids_buffers_give_back(ids_buffers *all, ids_bytes *buffer) {
    if (buffer->cap < BUFFER_BYTES || buffer->cap > BUFFER_BYTES_KEPT ||
        all->spares == IDS_SPARE_BUFFERS) {
        ids_bytes_free(buffer);
        return;
    }
    buffer->len = 0;
    all->spare[all->spares++] = *buffer;
    *buffer = (ids_bytes){0};
}

void ids_buffers_fini(ids_buffers *all) {
    while (all->spares)
        ids_bytes_free(&all->spare[--all->spares]);
}
