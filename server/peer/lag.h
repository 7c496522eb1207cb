/* SPDX-License-Identifier: Apache-2.0 */
/* lag.h -- for how long changes have waited to be acknowledged, in a fixed
 * room.
 *
 * Pure. It remembers when some changes were taken, never when each was: what
 * it says may be a little more than it was, and never less. */
#ifndef IDS_PEER_LAG_H
#define IDS_PEER_LAG_H

#include <stdint.h>

#define IDS_LAG_MARKS 32

/* This change was the first that was taken at this time; and where in the ring
 * it begins. */
typedef struct ids_lag_mark {
    uint64_t number, ms, offset;
} ids_lag_mark;

typedef struct ids_lag {
    uint64_t last; /* the last that was taken */
    uint32_t count;
    ids_lag_mark mark[IDS_LAG_MARKS]; /* the first covers the oldest */
} ids_lag;

/* Changes from this one up to last. */
void ids_lag_took(ids_lag *lag, ids_lag_mark first, uint64_t last);

/* Who had more before goes on at this change, which was taken at some time. */
void ids_lag_again(ids_lag *lag, ids_lag_mark from);

/* All up to this number has been acknowledged. */
void ids_lag_reached(ids_lag *lag, uint64_t number);

/* How long ago the oldest one that was not was taken. */
uint64_t ids_lag_ms(const ids_lag *lag, uint64_t now_ms);

/* Where in the ring it begins, or what lies before it; head: where the ring
 * ends. */
uint64_t ids_lag_offset(const ids_lag *lag, uint64_t head);

#endif
