/* SPDX-License-Identifier: Apache-2.0 */
/* bucket.h -- inside the table: entries, buckets and chains of them. Pure. */
#ifndef IDS_BUCKET_H
#define IDS_BUCKET_H

#include "server/core/table.h"

#ifdef __SSE2__
#include <assert.h>
#include <emmintrin.h>
#endif

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

/* A bit for each entry whose tag has this upper part and that is no link. Where
 * the part is 0 the free ones have one, too: their refs are 0. */
#ifdef __SSE2__
/* The upper halves of four entries. */
static inline __m128i uppers_of(const ids_entry *entries) {
    const __m128i *at = (const __m128i *)entries;
    return _mm_castps_si128(
        _mm_shuffle_ps(_mm_castsi128_ps(_mm_loadu_si128(at)),
                       _mm_castsi128_ps(_mm_loadu_si128(at + 1)), 0xdd));
}

static inline uint32_t matches_of(const ids_bucket *bucket, ids_entry part) {
    const __m128i wanted = _mm_set1_epi32((int)(part >> 32));
    const __m128i bits = _mm_set1_epi32((int)(~IDS_REF_MASK >> 32));
    __m128i low = _mm_and_si128(uppers_of(bucket->entries), bits);
    __m128i high = _mm_and_si128(uppers_of(bucket->entries + 4), bits);
    __m128i equal = _mm_packs_epi32(_mm_cmpeq_epi32(low, wanted),
                                    _mm_cmpeq_epi32(high, wanted));
    return (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(equal, equal)) & 0xff;
}
#else
static inline uint32_t matches_of(const ids_bucket *bucket, ids_entry part) {
    uint32_t matches = 0, i;
    for (i = 0; i < IDS_BUCKET_SLOTS; i++)
        matches |= (uint32_t)((bucket->entries[i] ^ part) <= IDS_REF_MASK) << i;
    return matches;
}
#endif

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
    assert(ref <= IDS_REF_MASK);
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
