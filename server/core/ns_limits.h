/* SPDX-License-Identifier: Apache-2.0 */
/* ns_limits.h -- what a namespace may have: settings, made once and only read.
 *
 * A shard borrows them until it is given others (ids_shard_set_limits). Who
 * makes them checks them: server/worker/loop_limits.h. Pure. */
#ifndef IDS_NS_LIMITS_H
#define IDS_NS_LIMITS_H

#include "proto/terms.h"

#include <assert.h>
#include <string.h>

#define IDS_UNLIMITED        UINT64_MAX
#define IDS_RATE_MAX         10000000u  /* claims a second */
#define IDS_BURST_S_MAX      86400u     /* of a rate: a burst at most */
#define IDS_RATE_UNITS_MS    8000000ull /* eighths of a nanosecond */
#define IDS_NAMED_LIMITS_MAX 1024u
#define IDS_NS_OTHERS_MAX    4096u /* more are counted by name, at most */

/* The shares that the shards of one node hold unused come to 1/64 of a limit
 * at most: so exact is it. */
#define IDS_SHARE_PARTS 64u

typedef struct ids_ns_limits {
    uint64_t records_max; /* IDS_UNLIMITED: no such limit */
    uint64_t bytes_max;
    uint64_t ttl_ms_max;
    uint64_t result_bytes_max;
    uint32_t rate; /* claims a second; 0: no such limit */
    uint32_t burst;
    /* Of these and the number of shards: ids_ns_limits_share. */
    uint64_t records_share; /* a shard holds so many unused at most */
    uint64_t bytes_share;
    uint64_t rate_cost; /* of a claim, in IDS_RATE_UNITS_MS; 0: no limit */
    uint32_t rate_share;
} ids_ns_limits;

typedef struct ids_named_limits {
    uint8_t ns[IDP_NS_BYTES_MAX];
    size_t ns_len;
    ids_ns_limits limits;
} ids_named_limits;

typedef struct ids_ns_limits_table {
    ids_ns_limits others; /* of each namespace that is not named */
    uint32_t count;       /* <= IDS_NAMED_LIMITS_MAX, each name once */
    ids_named_limits named[];
} ids_ns_limits_table;

static inline ids_ns_limits ids_ns_limits_none(void) {
    return (ids_ns_limits){.records_max = IDS_UNLIMITED,
                           .bytes_max = IDS_UNLIMITED,
                           .ttl_ms_max = IDS_UNLIMITED,
                           .result_bytes_max = IDS_UNLIMITED};
}

static inline int ids_named_limits_compare(const ids_named_limits *named,
                                           idp_slice ns) {
    size_t len = named->ns_len < ns.len ? named->ns_len : ns.len;
    int order = len > 0 ? memcmp(named->ns, ns.ptr, len) : 0;
    if (order != 0)
        return order;
    return named->ns_len < ns.len ? -1 : named->ns_len > ns.len;
}

/* The place of the first name that is not before this one. */
static inline uint32_t ids_ns_limits_place(const ids_ns_limits_table *limits,
                                           idp_slice ns, bool *found) {
    uint32_t low = 0, high = limits->count;
    assert(high <= IDS_NAMED_LIMITS_MAX);
    *found = false;
    while (low < high && !*found) {
        uint32_t middle = low + (high - low) / 2;
        int order = ids_named_limits_compare(&limits->named[middle], ns);
        *found = order == 0;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return *found ? high : low;
}

/* Works out what each of so many shards may hold. */
static inline void ids_ns_limits_share(ids_ns_limits *limits, uint32_t shards) {
    uint64_t parts = (uint64_t)IDS_SHARE_PARTS * shards;
    uint64_t tenth = limits->rate / 10;
    limits->records_share = limits->records_max / parts;
    limits->bytes_share = limits->bytes_max / parts;
    limits->rate_cost =
        limits->rate > 0 ? 1000 * IDS_RATE_UNITS_MS / limits->rate : 0;
    if (limits->burst < tenth)
        tenth = limits->burst;
    limits->rate_share = (uint32_t)(tenth / parts);
    if (limits->rate_share == 0)
        limits->rate_share = 1;
}

#endif
