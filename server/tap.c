/* SPDX-License-Identifier: Apache-2.0 */
/* tap.c -- one turn's changes, on their way to the peer; see tap.h. */
#include "server/tap.h"

#include "server/change.h"

#include <string.h>

idp_slice ids_tap_take(ids_tap *tap, uint64_t number,
                       const ids_change *change) {
    uint32_t size;
    if (ids_tap_is_empty(tap))
        tap->first = number;
    if (tap->lost > 0 ||
        !ids_bytes_reserve(&tap->bytes,
                           sizeof size + ids_change_write_bound(change))) {
        tap->lost++;
        return (idp_slice){NULL, 0};
    }
    uint8_t *to = tap->bytes.ptr + tap->bytes.len;
    size = (uint32_t)ids_change_write(to + sizeof size, change);
    memcpy(to, &size, sizeof size);
    tap->bytes.len += sizeof size + size;
    tap->count++;
    return (idp_slice){to + sizeof size, size};
}

bool ids_tap_next(const ids_tap *tap, ids_tap_at *at, uint64_t *number,
                  idp_slice *change) {
    uint32_t size;
    if (at->index == tap->count + tap->lost)
        return false;
    *number = tap->first + at->index;
    if (at->index++ >= tap->count) {
        *change = (idp_slice){NULL, IDS_TAP_LOST_BYTES};
        return true;
    }
    memcpy(&size, tap->bytes.ptr + at->offset, sizeof size);
    *change =
        (idp_slice){tap->bytes.ptr + at->offset + sizeof size, (size_t)size};
    at->offset += sizeof size + size;
    return true;
}

void ids_tap_clear(ids_tap *tap) {
    if (tap->bytes.cap > IDS_TAP_BYTES_KEPT)
        ids_bytes_free(&tap->bytes);
    tap->bytes.len = 0;
    tap->count = 0;
    tap->lost = 0;
}

void ids_tap_fini(ids_tap *tap) {
    ids_bytes_free(&tap->bytes);
}
