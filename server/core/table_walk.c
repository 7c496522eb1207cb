/* SPDX-License-Identifier: Apache-2.0 */
/* table_walk.c -- the table as a whole: walks through it, what is fetched
 * ahead, and overflow buckets that move. See table.h. Pure. */
#include "server/core/bucket.h"

#include <assert.h>

bool ids_table_move_bucket(ids_table *table, uint64_t hash, ids_ref ref) {
    ids_bucket *bucket = bucket_of(table, tag_of(hash));
    ids_ref to = ids_slab_alloc_bucket(table->slab, sizeof *bucket);
    assert(ids_slab_chunk(table->slab, ids_ref_chunk(ref))->class ==
           IDS_SLAB_BUCKET_CLASS);
    if (to == 0)
        return false;
    while (link_of(bucket) != ref) {
        bucket = overflow_of(table, bucket);
        assert(bucket != NULL);
    }
    memcpy(ids_slab_at(table->slab, to), ids_slab_at(table->slab, ref),
           sizeof *bucket);
    link_to(bucket, to);
    ids_slab_free(table->slab, ref);
    return true;
}

ids_ref ids_table_some_record(const ids_table *table, ids_ref bucket) {
    const ids_bucket *at = ids_slab_at(table->slab, bucket);
    assert(at->entries[0] != 0);
    return at->entries[0] & IDS_REF_MASK;
}

uint32_t ids_table_walk(const ids_table *table, uint32_t bucket, uint32_t *left,
                        ids_ref refs[IDS_WALK_REFS]) {
    const ids_bucket *chain = bucket_at(table, bucket);
    uint32_t overflows = 0, end = chain_count(table, chain, &overflows);
    uint32_t count, at, first;
    assert(bucket < table->buckets);
    if (*left < end)
        end = *left;
    count = end < IDS_WALK_REFS ? end : IDS_WALK_REFS;
    first = *left = end - count;
    for (; first >= LINK_SLOT && has_link(chain); first -= LINK_SLOT)
        chain = overflow_of(table, chain);
    for (at = count; at-- > 0; first++) {
        if (first == LINK_SLOT && has_link(chain)) {
            chain = overflow_of(table, chain);
            first = 0;
        }
        refs[at] = chain->entries[first] & IDS_REF_MASK;
        assert(refs[at] != 0);
    }
    assert(first <= IDS_BUCKET_SLOTS);
    return count;
}

/* Buckets far ahead, so that the records of those nearer by can be found. */
void ids_table_prefetch_walk(const ids_table *table, uint32_t bucket) {
    if (bucket + 8 < table->buckets)
        __builtin_prefetch(bucket_at(table, bucket + 8));
    if (bucket + 2 >= table->buckets)
        return;
    const ids_bucket *next = bucket_at(table, bucket + 2);
    uint32_t count = count_of(next);
    for (uint32_t i = 0; i < count; i++) {
        const char *record =
            ids_slab_at(table->slab, next->entries[i] & IDS_REF_MASK);
        for (int line = 0; line < 5; line++)
            __builtin_prefetch(record + 64 * line);
    }
}

void ids_table_prefetch_bucket(const ids_table *table, uint64_t hash) {
    __builtin_prefetch(bucket_of(table, tag_of(hash)));
}

void ids_table_prefetch_record(const ids_table *table, uint64_t hash) {
    uint32_t tag = tag_of(hash);
    const ids_bucket *bucket = bucket_of(table, tag);
    uint32_t left = matches_of(bucket, tag_part(tag));
    for (; left != 0; left &= left - 1) {
        ids_ref ref = bucket->entries[__builtin_ctz(left)] & IDS_REF_MASK;
        if (ref != 0) {
            const char *record = ids_slab_at(table->slab, ref);
            __builtin_prefetch(record);
            __builtin_prefetch(record + 64);
        }
    }
}
