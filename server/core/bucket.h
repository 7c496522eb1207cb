/* SPDX-License-Identifier: Apache-2.0 */
/* bucket.h -- inside the table: entries, buckets and chains of them. Pure. */
#ifndef IDS_BUCKET_H
#define IDS_BUCKET_H

#include "server/core/table.h"

#define SEGMENT_BITS     10
#define SEGMENT_BUCKETS  (1u << SEGMENT_BITS)
#define SEGMENT_BYTES    (SEGMENT_BUCKETS * sizeof(ids_bucket))
#define TAG_BITS_IMPLIED 8 /* by a bucket's number */
#define LINK_SLOT        (IDS_BUCKET_SLOTS - 1)

static inline uint32_t tag_of(uint64_t hash) {
    return (uint32_t)(hash >> 32);
}

/* The tag's upper bits, where an entry has them. */
static inline ids_entry tag_part(uint32_t tag) {
    return (ids_entry)(tag >> TAG_BITS_IMPLIED) << (IDS_REF_BITS + 1);
}

static inline bool has_tag(ids_entry entry, ids_entry part) {
    return (entry & ~(IDS_ENTRY_LINK | IDS_REF_MASK)) == part;
}

/* Whether an entry's tag has this bit. */
static inline bool tag_has(ids_entry entry, uint32_t bit) {
    return (entry >> (IDS_REF_BITS + 1) << TAG_BITS_IMPLIED & bit) != 0;
}

static inline bool has_link(const ids_bucket *bucket) {
    return (bucket->entries[LINK_SLOT] & IDS_ENTRY_LINK) != 0;
}

static inline ids_ref link_of(const ids_bucket *bucket) {
    return has_link(bucket) ? bucket->entries[LINK_SLOT] & IDS_REF_MASK : 0;
}

static inline void link_to(ids_bucket *bucket, ids_ref ref) {
    bucket->entries[LINK_SLOT] = IDS_ENTRY_LINK | ref;
}

/* Used entries of this bucket alone, the link not counted. */
static inline uint32_t count_of(const ids_bucket *bucket) {
    uint32_t count = 0;
    while (count < LINK_SLOT && bucket->entries[count] != 0)
        count++;
    if (count == LINK_SLOT && bucket->entries[LINK_SLOT] != 0 &&
        !has_link(bucket))
        count++;
    return count;
}

static inline ids_bucket *bucket_at(const ids_table *table, uint32_t number) {
    return &table->segments[number >> SEGMENT_BITS]
                           [number & (SEGMENT_BUCKETS - 1)];
}

static inline ids_bucket *bucket_of(const ids_table *table, uint32_t tag) {
    uint32_t number = tag & table->mask;
    if (number >= table->buckets)
        number &= table->mask >> 1;
    return bucket_at(table, number);
}

static inline ids_bucket *overflow_of(const ids_table *table,
                                      const ids_bucket *bucket) {
    return has_link(bucket) ? ids_slab_at(table->slab, link_of(bucket)) : NULL;
}

/* Entries of a chain, and its overflow buckets. */
static inline uint32_t chain_count(const ids_table *table,
                                   const ids_bucket *bucket,
                                   uint32_t *overflows) {
    uint32_t count = count_of(bucket);
    while ((bucket = overflow_of(table, bucket)) != NULL) {
        count += count_of(bucket);
        ++*overflows;
    }
    return count;
}

#endif
