/* SPDX-License-Identifier: Apache-2.0 */
/* ledger.h -- namespaces, by number, and what the shards of one node share of
 * their limits.
 *
 * A namespace has a number as long as its limits are set by name, or somebody
 * has pinned it, or its rate is not at rest. At most IDS_NS_OTHERS_MAX have
 * one without being named; the rest is IDS_NS_OTHER. Shards pin what they have
 * records of. What is held against a limit is one counter, and shards take and
 * give back shares of it by atomic operations; names are looked up under a
 * lock that the owner brings, and seldom: see quota.c.
 *
 * Pure: the lock comes with the configuration. */
#ifndef IDS_LEDGER_H
#define IDS_LEDGER_H

#include "server/core/ns_limits.h"
#include "server/core/shard.h"

/* Numbers. NONE: not counted. */
#define IDS_NS_NONE        0u
#define IDS_NS_OTHER       1u
#define IDS_NS_NUMBERS     8192u
#define IDS_NS_SEGMENT     64u
#define IDS_NS_SEGMENTS    (IDS_NS_NUMBERS / IDS_NS_SEGMENT)
#define IDS_LEDGER_BUCKETS 4096u

typedef struct ids_ledger_place {
    /* Changed by atomic operations. */
    _Alignas(64) int64_t records; /* leased by shards; over the limit, too */
    int64_t bytes;
    uint64_t spent_units; /* the rate is at rest from then on */
    /* Under the lock. */
    uint32_t pins;
    uint16_t next;  /* in its bucket, or among the free; 0: the last */
    uint16_t later; /* in the list of the idle */
    bool named;
    bool idle; /* in that list; it may be pinned again */
    uint8_t ns_len;
    uint8_t ns[IDP_NS_BYTES_MAX]; /* stays as long as it is pinned or named */
} ids_ledger_place;

typedef struct ids_ledger_config {
    ids_mem mem;
    uint32_t shards;
    /* Around each look at the names. NULL: there is one thread. */
    void (*lock)(void *ctx);
    void (*unlock)(void *ctx);
    void *lock_ctx;
} ids_ledger_config;

typedef struct ids_ledger {
    ids_ledger_config config;
    uint32_t others; /* numbers that are not named, idle ones among them */
    uint32_t used;   /* numbers ever used */
    uint16_t free;
    uint16_t idle_first, idle_last;
    uint16_t buckets[IDS_LEDGER_BUCKETS];
    ids_ledger_place *segments[IDS_NS_SEGMENTS];
} ids_ledger;

/* NULL: no memory. It outlives the shards that use it. */
ids_ledger *ids_ledger_new(const ids_ledger_config *config);
void ids_ledger_free(ids_ledger *ledger);

/* Gives each namespace that is named a number, and takes that right from
 * those that were and are no longer. False: no memory, or too many had it
 * before and still have records; nothing changed. */
bool ids_ledger_name(ids_ledger *ledger, const ids_ns_limits_table *limits,
                     uint64_t now_ms);

/* The namespace's number, pinned once more. IDS_NS_OTHER, which needs no pin,
 * where it has none and gets none. unpin: any but OTHER. */
uint32_t ids_ledger_pin(ids_ledger *ledger, idp_slice ns, uint64_t now_ms);
void ids_ledger_unpin(ids_ledger *ledger, uint32_t number, uint64_t now_ms);

/* The number of a namespace that is named; NONE: it is not. */
uint32_t ids_ledger_named(ids_ledger *ledger, idp_slice ns);

static inline ids_ledger_place *ids_ledger_at(const ids_ledger *ledger,
                                              uint32_t number) {
    return &ledger->segments[number / IDS_NS_SEGMENT][number % IDS_NS_SEGMENT];
}

/* Of a number that is pinned or named; empty for OTHER. */
static inline idp_slice ids_ledger_ns(const ids_ledger *ledger,
                                      uint32_t number) {
    const ids_ledger_place *place = ids_ledger_at(ledger, number);
    return (idp_slice){place->ns, place->ns_len};
}

static inline uint32_t ids_ns_hash(idp_slice ns) {
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < ns.len; i++)
        hash = (hash ^ ns.ptr[i]) * 16777619u;
    return hash ^ hash >> 15;
}

#endif
