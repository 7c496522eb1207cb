/* SPDX-License-Identifier: Apache-2.0 */
/* change_buffer.h -- one turn's changes, on their way to the peer.
 *
 * Each change is encoded once, as it is made, into a buffer of the worker's
 * own: no lock and no allocation per change. At the end of the turn the driver
 * hands them over and clears the change buffer. */
#ifndef IDS_CHANGE_BUFFER_H
#define IDS_CHANGE_BUFFER_H

#include "proto/bytes.h"
#include "server/core/shard.h"

/* Over this the driver is asked to hand over in the middle of a turn. */
#define IDS_CHANGE_BUFFER_BYTES_HIGH (1u << 20)
/* What the buffer may keep from one turn to the next. */
#define IDS_CHANGE_BUFFER_BYTES_KEPT (4u << 20)

typedef struct ids_change_buffer {
    idp_bytes bytes; /* changes, each behind its size */
    uint64_t first;  /* the first one's number */
    uint32_t count;
    bool is_on;    /* somebody takes them */
    uint64_t lost; /* so many behind those had no memory */
} ids_change_buffer;

/* The change, which has this number. Returns its bytes, which borrow until the
 * next one is taken. Where memory fails it is lost (no bytes), and so is all
 * that follows until the change buffer is cleared. */
idp_slice ids_change_buffer_take(ids_change_buffer *change_buffer,
                                 uint64_t number, const ids_change *change);

/* Walks what was taken, from *at = 0. False: no more. A change that was lost
 * is one of IDS_CHANGE_BUFFER_LOST_BYTES, without bytes: to the peer's ring it
 * is too large to be kept, so nothing before it is, and no stream goes on over
 * the gap. The bytes borrow until the change buffer is cleared. */
#define IDS_CHANGE_BUFFER_LOST_BYTES (SIZE_MAX / 2)
typedef struct ids_change_buffer_at {
    size_t offset;
    uint32_t index;
} ids_change_buffer_at;
bool ids_change_buffer_next(const ids_change_buffer *change_buffer,
                            ids_change_buffer_at *at, uint64_t *number,
                            idp_slice *change);

static inline bool
ids_change_buffer_is_empty(const ids_change_buffer *change_buffer) {
    return change_buffer->count == 0 && change_buffer->lost == 0;
}

static inline bool
ids_change_buffer_is_high(const ids_change_buffer *change_buffer) {
    return change_buffer->bytes.len > IDS_CHANGE_BUFFER_BYTES_HIGH ||
           change_buffer->lost > 0;
}

/* They were handed over. */
void ids_change_buffer_clear(ids_change_buffer *change_buffer);
void ids_change_buffer_fini(ids_change_buffer *change_buffer);

#endif
