/* SPDX-License-Identifier: Apache-2.0 */
/* buffers.c -- what one worker's connections keep; see buffers.h. */
#include "server/worker/buffers.h"

#include <assert.h>

#define BUFFER_BYTES      (16u << 10)
#define BUFFER_BYTES_KEPT (256u << 10)
/* Where many have output at once, each has little: a page for each of them
 * would cost more than their replies. */
#define CROWD_BYTES       512u

void ids_buffers_take(ids_buffers *all, idp_bytes *buffer) {
    assert(!buffer->cap);
    if (ids_buffers_are_away(all))
        idp_bytes_reserve(buffer, CROWD_BYTES);
    else if (all->spares)
        *buffer = all->spare[--all->spares];
    else if (idp_bytes_reserve(buffer, BUFFER_BYTES))
        all->made++;
}

void ids_buffers_give_back(ids_buffers *all, idp_bytes *buffer) {
    if (buffer->cap < BUFFER_BYTES || buffer->cap > BUFFER_BYTES_KEPT ||
        all->spares == IDS_SPARE_BUFFERS) {
        all->made -= buffer->cap > BUFFER_BYTES_KEPT && all->made;
        idp_bytes_free(buffer);
        return;
    }
    buffer->len = 0;
    all->spare[all->spares++] = *buffer;
    *buffer = (idp_bytes){0};
}

void ids_buffers_fini(ids_buffers *all) {
    while (all->spares)
        idp_bytes_free(&all->spare[--all->spares]);
}
