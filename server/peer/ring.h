/* SPDX-License-Identifier: Apache-2.0 */
/* ring.h -- the last changes of one loop, as bytes, up to a fixed size.
 *
 * Pure. The oldest give way. Whoever reads holds a position; one that the
 * ring has let go is gone, and its reader needs a full copy. */
#ifndef IDS_PEER_RING_H
#define IDS_PEER_RING_H

#include "proto/terms.h"

#include <stdbool.h>

#define IDS_RING_BYTES_MIN  4096u
#define IDS_RING_MARKS      2048u
#define IDS_RING_MARK_EVERY 1024u

typedef struct ids_ring {
    uint8_t *bytes;
    size_t cap;
    uint64_t head, tail; /* offsets that only grow; modulo cap a place */
    uint64_t first;      /* the number of the change at tail */
    uint64_t last;       /* of the last change taken, kept or not */
    /* Where every 1024th change is, so that seeking is no long walk. */
    uint64_t marks[IDS_RING_MARKS];
} ids_ring;

/* What the rest of the node knows of a loop's ring, in numbers: the monitor's,
 * as the loop has said there last. */
typedef struct ids_ring_reported {
    uint64_t first, last, head, tail;
} ids_ring_reported;

static inline ids_ring_reported ids_ring_report(const ids_ring *ring) {
    return (ids_ring_reported){ring->first, ring->last, ring->head, ring->tail};
}

/* A reader: the next change's number and place. */
typedef struct ids_ring_at {
    uint64_t number;
    uint64_t offset;
} ids_ring_at;

/* False: no memory. The ring begins behind the change of this number. */
bool ids_ring_init(ids_ring *ring, size_t bytes, uint64_t last);
void ids_ring_fini(ids_ring *ring);

/* The next change, as server/journal/change writes it; its number is one above
 * last. One that does not fit a quarter of the ring is not kept: then nothing
 * before it is, either. */
void ids_ring_put(ids_ring *ring, uint64_t number, idp_slice change);

/* Where the changes behind this number begin; false: not in the ring. */
bool ids_ring_seek(const ids_ring *ring, uint64_t behind, ids_ring_at *at);

/* The bytes of the change at this place, and the place moves on. False at
 * the end, or when it was let go (ids_ring_has tells). They borrow until the
 * next put. */
bool ids_ring_next(const ids_ring *ring, ids_ring_at *at, idp_slice *bytes);

static inline bool ids_ring_has(const ids_ring *ring, const ids_ring_at *at) {
    return at->number >= ring->first;
}

/* Bytes between a reader and the end. */
static inline uint64_t ids_ring_lag_bytes(const ids_ring *ring,
                                          const ids_ring_at *at) {
    return ring->head > at->offset ? ring->head - at->offset : 0;
}

#endif
