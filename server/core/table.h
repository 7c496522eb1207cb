/* SPDX-License-Identifier: Apache-2.0 */
/* table.h -- from hash to record: linear hashing, so that it never pauses.
 *
 * Buckets of one cache line hold eight entries of 8 bytes: a ref, and 24 bits
 * of the hash. Where eight don't suffice, the last entry is a link to an
 * overflow bucket. An insert past the load splits one bucket in two, a
 * removal below it merges the last one back; nothing is ever moved in bulk,
 * and a split reads no record: buckets are chosen by the tag, the upper half
 * of the hash, a secret function of the owner's hash (mix.h). An entry has
 * the tag's upper 24 bits, its bucket's number the lower 8. Every step takes
 * time in proportion to its chain at most. Pure. */
#ifndef IDS_TABLE_H
#define IDS_TABLE_H

#include "server/core/record.h"

#include <assert.h>

#define IDS_BUCKET_SLOTS 8

/* From above: 24 bits of the tag, whether it is a link, the ref. 0: free. */
typedef uint64_t ids_entry;

#define IDS_ENTRY_LINK ((ids_entry)1 << IDS_REF_BITS)

typedef struct ids_bucket {
    ids_entry entries[IDS_BUCKET_SLOTS]; /* the used ones come first */
} ids_bucket;

_Static_assert(sizeof(ids_bucket) == 64, "a bucket is one cache line");

typedef struct ids_table {
    ids_budget *budget;
    ids_slab *slab;
    ids_bucket **segments; /* [segments_max], which grows */
    uint32_t segments_max;
    uint32_t segments_used;
    uint32_t buckets; /* in use; those below it are all reachable */
    uint32_t mask;    /* 2^level * 2 - 1: tags are cut by it, then, when that
                       * bucket isn't there yet, by half of it */
    uint64_t records;
    /* While there are any it may grow, but not shrink. A peer whose session
     * ends gives up its walks from any thread, hence atomic. */
    _Atomic uint32_t walks;
} ids_table;

/* Where a record's ref stands. It holds until the next insert or remove. */
typedef struct ids_place {
    ids_bucket *bucket;
    uint32_t slot;
} ids_place;

bool ids_table_init(ids_table *table, ids_budget *budget, ids_slab *slab);
void ids_table_fini(ids_table *table);

/* The record of this name; NULL when there is none. ref and place are set
 * only when there is. */
ids_record *ids_table_find(const ids_table *table, uint64_t hash, idp_slice ns,
                           idp_slice key, ids_place *place);

/* So many will be inserted: opens the buckets they need at once, so that none
 * is split on the way. As far as memory goes; it is a hint. */
void ids_table_reserve(ids_table *table, uint64_t records);

/* Adds a ref whose name is not in the table. false: no memory for an
 * overflow bucket, nothing changed. */
bool ids_table_insert(ids_table *table, uint64_t hash, ids_ref ref);

/* Takes this ref out; it must be in. */
void ids_table_remove(ids_table *table, uint64_t hash, ids_ref ref);

static inline ids_ref ids_place_ref(ids_place place) {
    return place.bucket->entries[place.slot] & IDS_REF_MASK;
}

static inline void ids_place_set(ids_place place, ids_ref ref) {
    ids_entry *entry = &place.bucket->entries[place.slot];
    assert(ref != 0);
    *entry = (*entry & ~IDS_REF_MASK) | ref;
}

/* Where this ref stands, which must be in. */
ids_place ids_table_place(const ids_table *table, uint64_t hash, ids_ref ref);

/* Moves an overflow bucket to another slot, if memory for one is found. */
bool ids_table_move_bucket(ids_table *table, uint64_t hash, ids_ref ref);

/* The ref of a record in the chain that this overflow bucket is in. */
ids_ref ids_table_some_record(const ids_table *table, ids_ref bucket);

/* A walk through one chain, from its end to its head, IDS_WALK_REFS at a time:
 * the refs before the first *left of them (UINT32_MAX: from the end), the last
 * one first; *left is what is left. Returns how many. Removals and splits in
 * between move only refs that were walked towards the head, so none that stays
 * in the table is missed. */
#define IDS_WALK_REFS 32
uint32_t ids_table_walk(const ids_table *table, uint32_t bucket, uint32_t *left,
                        ids_ref refs[IDS_WALK_REFS]);

/* Has the memory under way that a walk will want some steps behind this
 * bucket. */
void ids_table_prefetch_walk(const ids_table *table, uint32_t bucket);

void ids_table_prefetch_bucket(const ids_table *table, uint64_t hash);
void ids_table_prefetch_record(const ids_table *table, uint64_t hash);

#endif
