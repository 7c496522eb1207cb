/* SPDX-License-Identifier: Apache-2.0 */
/* wheel.h -- which records' retention ends when: a hierarchical wheel of
 * chunks.
 *
 * Five levels of 64 slots, 128 ms at the finest, 4 years at the widest; a
 * slot is a list of chunks. A chunk hangs by the first end that is known in
 * it; when that comes, its records are looked at one behind the other, and it
 * is hung in by what is left. Records that were stored together, for as long,
 * lie together, so that mostly one look takes all. Where they are mixed, it
 * waits until a sixteenth of them is over: that much of a chunk may be held by
 * ended records at a time. Work may be left off after any record. Pure. */
#ifndef IDS_WHEEL_H
#define IDS_WHEEL_H

#include "server/core/record.h"

#define IDS_WHEEL_LEVELS  5
#define IDS_WHEEL_SLOTS   64
#define IDS_WHEEL_TICK_MS 128
#define IDS_WHEEL_SPANS   44 /* a millisecond, two, four, ... */

/* A look through one chunk. */
typedef struct ids_wheel_look {
    uint32_t chunk; /* 0: none is under way */
    uint32_t slot;  /* the next one */
    uint32_t left;  /* records that are not over */
    uint64_t first_end_ms;
    uint16_t spans[IDS_WHEEL_SPANS]; /* ends by what is left, to a power of 2 */
} ids_wheel_look;

typedef struct ids_wheel {
    ids_slab *slab;
    uint64_t tick;                   /* the next one to be worked off */
    uint64_t now_ms;                 /* the latest that was told */
    uint64_t used[IDS_WHEEL_LEVELS]; /* a bit per slot with chunks */
    uint32_t slots[IDS_WHEEL_LEVELS][IDS_WHEEL_SLOTS];
    ids_wheel_look look;
} ids_wheel;

/* From now on it follows the slab's chunks. */
void ids_wheel_init(ids_wheel *wheel, ids_slab *slab);

/* The record has come to be at ref, or its end came nearer. Not to be called
 * where it was put off. */
void ids_wheel_add(ids_wheel *wheel, ids_ref ref);

/* The next record whose retention is over; it is not given again, so free it,
 * or add it anew. 0: none is due, or *steps ran out. A record that is over
 * takes a step, sixteen others one. */
ids_ref ids_wheel_due(ids_wheel *wheel, uint64_t now_ms, uint32_t *steps);

/* When ids_wheel_due next has something to do; UINT64_MAX: never. */
uint64_t ids_wheel_next_ms(const ids_wheel *wheel);

#endif
