/* SPDX-License-Identifier: Apache-2.0 */
/* change_buffer.c -- one turn's changes, on their way to the peer; see
 * change_buffer.h. */
#include "server/worker/change_buffer.h"

#include "server/journal/change.h"

#include <string.h>

idp_slice ids_change_buffer_take(ids_change_buffer *change_buffer,
                                 uint64_t number, const ids_change *change) {
    uint32_t size;
    if (ids_change_buffer_is_empty(change_buffer))
        change_buffer->first = number;
    if (change_buffer->lost > 0 ||
        !idp_bytes_reserve(&change_buffer->bytes,
                           sizeof size + ids_change_write_bound(change))) {
        change_buffer->lost++;
        return (idp_slice){NULL, 0};
    }
    uint8_t *to = change_buffer->bytes.ptr + change_buffer->bytes.len;
    size = (uint32_t)ids_change_write(to + sizeof size, change);
    memcpy(to, &size, sizeof size);
    change_buffer->bytes.len += sizeof size + size;
    change_buffer->count++;
    return (idp_slice){to + sizeof size, size};
}

bool ids_change_buffer_next(const ids_change_buffer *change_buffer,
                            ids_change_buffer_at *at, uint64_t *number,
                            idp_slice *change) {
    uint32_t size;
    if (at->index == change_buffer->count + change_buffer->lost)
        return false;
    *number = change_buffer->first + at->index;
    if (at->index++ >= change_buffer->count) {
        *change = (idp_slice){NULL, IDS_CHANGE_BUFFER_LOST_BYTES};
        return true;
    }
    memcpy(&size, change_buffer->bytes.ptr + at->offset, sizeof size);
    *change = (idp_slice){change_buffer->bytes.ptr + at->offset + sizeof size,
                          (size_t)size};
    at->offset += sizeof size + size;
    return true;
}

void ids_change_buffer_clear(ids_change_buffer *change_buffer) {
    if (change_buffer->bytes.cap > IDS_CHANGE_BUFFER_BYTES_KEPT)
        idp_bytes_free(&change_buffer->bytes);
    change_buffer->bytes.len = 0;
    change_buffer->count = 0;
    change_buffer->lost = 0;
}

void ids_change_buffer_fini(ids_change_buffer *change_buffer) {
    idp_bytes_free(&change_buffer->bytes);
}
