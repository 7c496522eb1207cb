/* SPDX-License-Identifier: Apache-2.0 */
/* table.c -- linear hashing over one-line buckets. See table.h. Pure. */
#include "server/core/table.h"

#include <assert.h>

#define SEGMENT_BITS    10
#define SEGMENT_BUCKETS (1u << SEGMENT_BITS)
#define SEGMENT_BYTES   (SEGMENT_BUCKETS * sizeof(ids_bucket))
#define BUCKETS_MIN     16u
#define SPLIT_LOAD      5 /* records per bucket above which one is split */
#define MERGE_LOAD      3 /* and below which one is merged */

static uint32_t tag_of(uint64_t hash) {
    return (uint32_t)(hash >> 32);
}

static ids_bucket *bucket_at(const ids_table *table, uint32_t number) {
    return &table->segments[number >> SEGMENT_BITS]
                           [number & (SEGMENT_BUCKETS - 1)];
}

static ids_bucket *bucket_of(const ids_table *table, uint32_t tag) {
    uint32_t number = tag & table->mask;
    if (number >= table->buckets)
        number &= table->mask >> 1;
    return bucket_at(table, number);
}

static ids_bucket *overflow_of(const ids_table *table,
                               const ids_bucket *bucket) {
    if (bucket->overflow == 0)
        return NULL;
    return ids_slab_at(table->slab, bucket->overflow);
}

/* Makes the bucket's segment be there, the bucket empty. */
static bool bucket_open(ids_table *table, uint32_t number) {
    uint32_t segment = number >> SEGMENT_BITS;
    if (segment == table->segments_used) {
        if (segment == table->segments_max)
            return false;
        table->segments[segment] =
            ids_budget_alloc(table->budget, SEGMENT_BYTES);
        if (table->segments[segment] == NULL)
            return false;
        table->segments_used++;
    }
    memset(bucket_at(table, number), 0, sizeof(ids_bucket));
    return true;
}

/* The last bucket is gone; so is its segment if it was the first of one. */
static void bucket_close(ids_table *table, uint32_t number) {
    if ((number & (SEGMENT_BUCKETS - 1)) != 0)
        return;
    table->segments_used--;
    ids_budget_free(table->budget, table->segments[table->segments_used],
                    SEGMENT_BYTES);
}

bool ids_table_init(ids_table *table, ids_budget *budget, ids_slab *slab) {
    uint32_t number;
    memset(table, 0, sizeof *table);
    table->budget = budget;
    table->slab = slab;
    /* A bucket of the table costs its line and a few records' heads. */
    table->segments_max = (uint32_t)(budget->bytes_max / SEGMENT_BYTES / 2 + 1);
    table->segments =
        ids_budget_alloc(budget, table->segments_max * sizeof *table->segments);
    if (table->segments == NULL)
        return false;
    for (number = 0; number < BUCKETS_MIN; number++)
        if (!bucket_open(table, number)) {
            ids_table_fini(table);
            return false;
        }
    table->buckets = BUCKETS_MIN;
    table->mask = BUCKETS_MIN * 2 - 1;
    return true;
}

void ids_table_fini(ids_table *table) {
    while (table->segments_used > 0) {
        table->segments_used--;
        ids_budget_free(table->budget, table->segments[table->segments_used],
                        SEGMENT_BYTES);
    }
    ids_budget_free(table->budget, table->segments,
                    table->segments_max * sizeof *table->segments);
    table->segments = NULL;
}

ids_record *ids_table_find(const ids_table *table, uint64_t hash, idp_slice ns,
                           idp_slice key, ids_place *place) {
    uint32_t tag = tag_of(hash);
    ids_bucket *bucket = bucket_of(table, tag);
    for (; bucket != NULL; bucket = overflow_of(table, bucket)) {
        uint32_t i;
        for (i = 0; i < bucket->count; i++) {
            ids_record *record;
            if (bucket->tags[i] != tag)
                continue;
            record = ids_slab_at(table->slab, bucket->refs[i]);
            if (!ids_record_is(record, ns, key))
                continue;
            *place = (ids_place){bucket, i};
            return record;
        }
    }
    return NULL;
}

/* An empty overflow bucket: a spare one, else a fresh one; 0: no memory. */
static ids_ref overflow_new(ids_table *table, ids_ref *spares) {
    ids_ref ref = *spares;
    ids_bucket *bucket;
    if (ref == 0)
        ref = ids_slab_alloc(table->slab, sizeof(ids_bucket));
    if (ref == 0)
        return 0;
    bucket = ids_slab_at(table->slab, ref);
    if (ref == *spares)
        *spares = bucket->overflow;
    memset(bucket, 0, sizeof *bucket);
    return ref;
}

static void spares_push(ids_table *table, ids_ref *spares, ids_ref ref) {
    ids_bucket *bucket = ids_slab_at(table->slab, ref);
    bucket->overflow = *spares;
    *spares = ref;
}

static void spares_free(ids_table *table, ids_ref spares) {
    while (spares != 0) {
        ids_bucket *bucket = ids_slab_at(table->slab, spares);
        ids_ref next = bucket->overflow;
        ids_slab_free(table->slab, spares);
        spares = next;
    }
}

/* Adds a pair to the chain that *bucket is in, which becomes its last one.
 * false: no memory. */
static bool chain_add(ids_table *table, ids_bucket **bucket, uint32_t tag,
                      ids_ref ref, ids_ref *spares) {
    ids_bucket *at = *bucket;
    while (at->count == IDS_BUCKET_SLOTS) {
        if (at->overflow == 0)
            at->overflow = overflow_new(table, spares);
        if (at->overflow == 0)
            return false;
        at = overflow_of(table, at);
    }
    at->tags[at->count] = tag;
    at->refs[at->count] = ref;
    at->count++;
    *bucket = at;
    return true;
}

/* Hands every pair of the chain that starts with (a copy of) bucket to one of
 * two chains: to ends[1] where its tag has this bit; in order, and each at its
 * end. The chain's overflow buckets are spent as spares, and they suffice: two
 * chains need no more of them than one. */
static void chain_deal(ids_table *table, ids_bucket from, ids_bucket *ends[2],
                       uint32_t bit, ids_ref *spares) {
    for (;;) {
        ids_ref next = from.overflow;
        uint32_t i;
        for (i = 0; i < from.count; i++) {
            bool added = chain_add(table, &ends[(from.tags[i] & bit) != 0],
                                   from.tags[i], from.refs[i], spares);
            assert(added);
        }
        if (next == 0)
            return;
        memcpy(&from, ids_slab_at(table->slab, next), sizeof from);
        spares_push(table, spares, next);
    }
}

/* Divides the next bucket in line between itself and a new last one. Where
 * memory fails the table merely stays as it is. */
static void split(ids_table *table) {
    uint32_t half = (table->mask + 1) / 2;
    ids_bucket *bucket, *ends[2], from;
    ids_ref spares = 0;
    if (table->buckets == UINT32_MAX / 2 || !bucket_open(table, table->buckets))
        return;
    bucket = bucket_at(table, table->buckets - half);
    from = *bucket;
    memset(bucket, 0, sizeof *bucket);
    ends[0] = bucket;
    ends[1] = bucket_at(table, table->buckets);
    table->buckets++;
    chain_deal(table, from, ends, half, &spares);
    spares_free(table, spares);
    if (table->buckets == table->mask + 1)
        table->mask = table->mask * 2 + 1;
}

static uint32_t chain_pairs(const ids_table *table, const ids_bucket *bucket,
                            uint32_t *overflows) {
    uint32_t pairs = bucket->count;
    while ((bucket = overflow_of(table, bucket)) != NULL) {
        pairs += bucket->count;
        ++*overflows;
    }
    return pairs;
}

/* The last bucket's pairs go back to the bucket it was split from. One chain
 * may need one overflow bucket more than two: no memory, no merge. */
static void merge(ids_table *table) {
    uint32_t last = table->buckets - 1;
    uint32_t half =
        last > table->mask / 2 ? (table->mask + 1) / 2 : (table->mask + 1) / 4;
    ids_bucket *to = bucket_at(table, last - half);
    ids_bucket from = *bucket_at(table, last), *ends[2] = {NULL, NULL};
    uint32_t overflows = 0, pairs;
    ids_ref spares = 0;
    pairs = chain_pairs(table, to, &overflows);
    pairs += chain_pairs(table, &from, &overflows);
    if (pairs > (overflows + 1) * IDS_BUCKET_SLOTS) {
        ids_ref extra = ids_slab_alloc(table->slab, sizeof from);
        if (extra == 0)
            return;
        spares_push(table, &spares, extra);
    }
    table->buckets--;
    if (table->buckets < (table->mask + 1) / 2)
        table->mask /= 2;
    ends[0] = to;
    chain_deal(table, from, ends, 0, &spares);
    spares_free(table, spares);
    bucket_close(table, last);
}

/* Where records are, buckets have to be split one by one. */
void ids_table_reserve(ids_table *table, uint64_t records) {
    if (table->records > 0)
        return;
    while ((uint64_t)table->buckets * SPLIT_LOAD < records &&
           table->buckets < UINT32_MAX / 2 &&
           bucket_open(table, table->buckets)) {
        table->buckets++;
        if (table->buckets == table->mask + 1)
            table->mask = table->mask * 2 + 1;
    }
}

bool ids_table_insert(ids_table *table, uint64_t hash, ids_ref ref) {
    uint32_t tag = tag_of(hash);
    ids_bucket *bucket = bucket_of(table, tag);
    ids_ref spares = 0;
    assert(ref != 0);
    if (!chain_add(table, &bucket, tag, ref, &spares))
        return false;
    table->records++;
    if (table->records > (uint64_t)table->buckets * SPLIT_LOAD)
        split(table);
    return true;
}

/* Empties one slot: the chain's last pair moves in, so that only the last
 * bucket of a chain has free slots. head is the chain's first bucket. */
static void chain_take(ids_table *table, ids_bucket *head, ids_bucket *bucket,
                       uint32_t slot) {
    ids_bucket *before = NULL;
    ids_bucket *last = head;
    while (last->overflow != 0) {
        before = last;
        last = overflow_of(table, last);
    }
    last->count--;
    bucket->tags[slot] = last->tags[last->count];
    bucket->refs[slot] = last->refs[last->count];
    last->refs[last->count] = 0;
    if (last->count == 0 && before != NULL) {
        ids_slab_free(table->slab, before->overflow);
        before->overflow = 0;
    }
}

void ids_table_remove(ids_table *table, uint64_t hash, ids_ref ref) {
    ids_bucket *head = bucket_of(table, tag_of(hash));
    ids_bucket *bucket;
    for (bucket = head; bucket != NULL; bucket = overflow_of(table, bucket)) {
        uint32_t i;
        for (i = 0; i < bucket->count; i++) {
            if (bucket->refs[i] != ref)
                continue;
            chain_take(table, head, bucket, i);
            table->records--;
            if (table->walks == 0 && table->buckets > BUCKETS_MIN &&
                table->records < (uint64_t)table->buckets * MERGE_LOAD)
                merge(table);
            return;
        }
    }
    assert(!"a record that is removed is in the table");
}

static uint32_t chain_count(const ids_table *table, const ids_bucket *bucket) {
    uint32_t overflows = 0;
    return chain_pairs(table, bucket, &overflows);
}

uint32_t ids_table_walk(const ids_table *table, uint32_t bucket, uint32_t *left,
                        ids_ref refs[IDS_WALK_REFS]) {
    const ids_bucket *chain = bucket_at(table, bucket);
    uint32_t end = chain_count(table, chain), count, at, first;
    if (*left < end)
        end = *left;
    count = end < IDS_WALK_REFS ? end : IDS_WALK_REFS;
    first = *left = end - count;
    for (; first >= IDS_BUCKET_SLOTS; first -= IDS_BUCKET_SLOTS)
        chain = overflow_of(table, chain);
    for (at = count; at-- > 0; first++) {
        if (first == IDS_BUCKET_SLOTS) {
            chain = overflow_of(table, chain);
            first = 0;
        }
        refs[at] = chain->refs[first];
    }
    return count;
}

/* Buckets far ahead, so that the records of those nearer by can be found. */
void ids_table_prefetch_walk(const ids_table *table, uint32_t bucket) {
    if (bucket + 8 < table->buckets)
        __builtin_prefetch(bucket_at(table, bucket + 8));
    if (bucket + 2 >= table->buckets)
        return;
    const ids_bucket *next = bucket_at(table, bucket + 2);
    for (uint32_t i = 0; i < next->count; i++) {
        const char *record = ids_slab_at(table->slab, next->refs[i]);
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
    uint32_t i;
    for (i = 0; i < bucket->count; i++) {
        if (bucket->tags[i] == tag) {
            const char *record = ids_slab_at(table->slab, bucket->refs[i]);
            __builtin_prefetch(record);
            __builtin_prefetch(record + 64);
        }
    }
}
