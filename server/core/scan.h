/* SPDX-License-Identifier: Apache-2.0 */
/* scan.h -- looking through a shard's records, some at a time, while it is
 * used.
 *
 * A scan goes through the tags in the order of their bits turned round: then a
 * bucket is a stretch of that order, a split cuts a stretch in two, and a merge
 * joins two that touch. No record's place in the order ever changes, so a
 * position stays what it is while the table grows and shrinks, and a scan holds
 * nothing: each record that is there from a scan's first step to its last is
 * seen, and seen once. Pure. */
#ifndef IDS_SCAN_H
#define IDS_SCAN_H

#include "server/core/shard.h"

/* Behind the last record. The first position is 0. */
#define IDS_SCAN_END (1ull << 32)

/* A record as of now, for who only looks. Slices borrow from it until the
 * callback, or the next call of the shard. */
typedef struct ids_sight {
    idp_slice ns, key;
    idp_state state;
    uint32_t attempt;
    uint32_t by; /* who claimed it; see ids_call */
    uint64_t age_ms;
    uint64_t lease_left_ms; /* 0 unless in_progress */
    uint64_t ttl_left_ms;
    /* When it began to be orphaned, or in_progress: earlier ones are more. */
    uint64_t since_ms;
} ids_sight;

typedef struct ids_scan {
    uint64_t position;    /* 0..IDS_SCAN_END */
    uint32_t buckets_max; /* counted down as it goes on; > 0 */
    /* So many of those that are wanted may be seen; UINT32_MAX: there is no
     * bound, and none is needed. Over it are only records of one and the same
     * tag, where not even these have room. */
    uint32_t room;
    bool (*wants)(void *ctx, const ids_sight *sight); /* NULL: each one */
    void (*seen)(void *ctx, const ids_sight *sight);
    void *ctx;
} ids_scan;

/* One step: until the position is the end, the buckets are used up, or there is
 * no room. False: it is at the end. */
bool ids_shard_scan(ids_shard *shard, uint64_t now_ms, ids_scan *scan);

/* The record of this hash as of now; the first of two of one hash. False: there
 * is none. */
bool ids_shard_look(ids_shard *shard, uint64_t hash, uint64_t now_ms,
                    ids_sight *sight);

/* The whole record of this name as of now, as a change with the number 0.
 * False: the key is absent. It borrows until the next call. */
bool ids_shard_inspect(ids_shard *shard, const ids_call *call,
                       ids_change *change);

#endif
