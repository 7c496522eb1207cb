/* SPDX-License-Identifier: Apache-2.0 */
/* table.c -- linear hashing over one-line buckets. See table.h. Pure. */
#include "server/core/bucket.h"

#include <assert.h>

#define SEGMENTS_MIN 16u
#define BUCKETS_MIN  256u
#define SPLIT_LOAD   6 /* records per bucket above which one is split */
#define MERGE_LOAD   3 /* and below which one is merged */

_Static_assert(BUCKETS_MIN >= 1u << TAG_BITS_IMPLIED,
               "a bucket's number says what its entries don't");

/* Room for so many segments' addresses. */
static bool segments_resize(ids_table *table, uint32_t count) {
    ids_bucket **segments;
    assert(count >= table->segments_used);
    if (count > UINT32_MAX / SEGMENT_BUCKETS)
        return false;
    segments = ids_budget_alloc(table->budget, count * sizeof *segments);
    if (segments == NULL)
        return false;
    memcpy(segments, table->segments, table->segments_used * sizeof *segments);
    ids_budget_free(table->budget, table->segments,
                    table->segments_max * sizeof *segments);
    table->segments = segments;
    table->segments_max = count;
    return true;
}

/* Makes the bucket's segment be there, the bucket empty. */
static bool bucket_open(ids_table *table, uint32_t number) {
    uint32_t segment = number >> SEGMENT_BITS;
    assert(segment <= table->segments_used);
    if (segment == table->segments_used) {
        if (segment == table->segments_max &&
            !segments_resize(table, segment * 2))
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
    assert(number == table->buckets);
    assert(table->segments_used > 0);
    if ((number & (SEGMENT_BUCKETS - 1)) != 0)
        return;
    table->segments_used--;
    assert(table->segments_used == number >> SEGMENT_BITS);
    ids_budget_free(table->budget, table->segments[table->segments_used],
                    SEGMENT_BYTES);
    if (table->segments_max > SEGMENTS_MIN &&
        table->segments_used <= table->segments_max / 4)
        segments_resize(table, table->segments_max / 2);
}

bool ids_table_init(ids_table *table, ids_budget *budget, ids_slab *slab) {
    uint32_t number;
    memset(table, 0, sizeof *table);
    table->budget = budget;
    table->slab = slab;
    table->segments_max = SEGMENTS_MIN;
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
    ids_entry part = tag_part(tag);
    ids_bucket *bucket = bucket_of(table, tag);
    for (; bucket != NULL; bucket = overflow_of(table, bucket)) {
        uint32_t left = matches_of(bucket, part);
        for (; left != 0; left &= left - 1) {
            uint32_t i = (uint32_t)__builtin_ctz(left);
            ids_ref ref = bucket->entries[i] & IDS_REF_MASK;
            ids_record *record;
            if (ref == 0)
                continue;
            record = ids_slab_at(table->slab, ref);
            if (!ids_record_is(record, ns, key))
                continue;
            *place = (ids_place){bucket, i};
            return record;
        }
    }
    return NULL;
}

/* Spare overflow buckets hang together by their links; 0 ends them. */
static ids_ref spares_pop(ids_table *table, ids_ref *spares) {
    ids_ref ref = *spares;
    if (ref != 0)
        *spares = link_of(ids_slab_at(table->slab, ref));
    return ref;
}

static void spares_push(ids_table *table, ids_ref *spares, ids_ref ref) {
    assert(ref != 0 && ref != *spares);
    link_to(ids_slab_at(table->slab, ref), *spares);
    *spares = ref;
}

static void spares_free(ids_table *table, ids_ref spares) {
    ids_ref ref;
    while ((ref = spares_pop(table, &spares)) != 0)
        ids_slab_free(table->slab, ref);
}

/* An empty overflow bucket: a spare one, else a fresh one; 0: no memory. */
static ids_ref overflow_new(ids_table *table, ids_ref *spares) {
    ids_ref ref = spares_pop(table, spares);
    if (ref == 0)
        ref = ids_slab_alloc_bucket(table->slab, sizeof(ids_bucket));
    if (ref != 0)
        memset(ids_slab_at(table->slab, ref), 0, sizeof(ids_bucket));
    return ref;
}

/* The full bucket's last entry goes to a new one behind it. */
static bool overflow(ids_table *table, ids_bucket *bucket, ids_ref *spares) {
    ids_ref ref = overflow_new(table, spares);
    ids_bucket *next;
    assert(bucket->entries[LINK_SLOT] != 0 && !has_link(bucket));
    if (ref == 0)
        return false;
    next = ids_slab_at(table->slab, ref);
    next->entries[0] = bucket->entries[LINK_SLOT];
    link_to(bucket, ref);
    return true;
}

/* Adds an entry to the chain that *bucket is in, which becomes its last one.
 * false: no memory. */
static bool chain_add(ids_table *table, ids_bucket **bucket, ids_entry entry,
                      ids_ref *spares) {
    ids_bucket *at = *bucket, *next;
    uint32_t count;
    while ((next = overflow_of(table, at)) != NULL)
        at = next;
    count = count_of(at);
    if (count == IDS_BUCKET_SLOTS) {
        if (!overflow(table, at, spares))
            return false;
        at = overflow_of(table, at);
        count = 1;
    }
    assert(at->entries[count] == 0);
    at->entries[count] = entry;
    *bucket = at;
    return true;
}

/* Hands every entry of the chain that starts with (a copy of) bucket to one
 * of two chains: to ends[1] where its tag has this bit; in order, and each at
 * its end. The chain's overflow buckets are spent as spares; two chains need no
 * more of them than one, and not earlier. */
static void chain_deal(ids_table *table, ids_bucket from, ids_bucket *ends[2],
                       uint32_t bit, ids_ref *spares) {
    for (;;) {
        ids_ref next = link_of(&from);
        uint32_t count = count_of(&from), i;
        for (i = 0; i < count; i++) {
            ids_entry entry = from.entries[i];
            bool added =
                chain_add(table, &ends[tag_has(entry, bit)], entry, spares);
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
    assert(table->buckets >= half && table->buckets <= table->mask);
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

/* So many spare buckets, or none at all. */
static bool spares_take(ids_table *table, uint32_t count, ids_ref *spares) {
    while (count-- > 0) {
        ids_ref ref = ids_slab_alloc_bucket(table->slab, sizeof(ids_bucket));
        if (ref == 0) {
            spares_free(table, *spares);
            return false;
        }
        spares_push(table, spares, ref);
    }
    return true;
}

/* How many overflow buckets two chains lack to become one, and one more, since
 * one of theirs becomes a spare only when its entries are copied. */
static uint32_t lacks_as_one(const ids_table *table, const ids_bucket *a,
                             const ids_bucket *b) {
    uint32_t of_a = 0, of_b = 0, needs = 0, count;
    count = chain_count(table, a, &of_a) + chain_count(table, b, &of_b);
    if (count > IDS_BUCKET_SLOTS)
        needs = (count - IDS_BUCKET_SLOTS + LINK_SLOT - 1) / LINK_SLOT;
    if (needs <= of_a)
        return 0;
    return needs > of_a + of_b ? needs - of_a - of_b + 1 : 1;
}

/* The last bucket's entries go back to the bucket it was split from. One chain
 * may need more overflow buckets than two: no memory, no merge. */
static void merge(ids_table *table) {
    uint32_t last = table->buckets - 1;
    uint32_t half =
        last > table->mask / 2 ? (table->mask + 1) / 2 : (table->mask + 1) / 4;
    ids_bucket *to = bucket_at(table, last - half);
    ids_bucket from = *bucket_at(table, last), *ends[2] = {NULL, NULL};
    ids_ref spares = 0;
    assert(table->walks == 0);
    assert(table->buckets > BUCKETS_MIN && table->buckets <= table->mask);
    assert(last >= half);
    if (!spares_take(table, lacks_as_one(table, to, &from), &spares))
        return;
    table->buckets--;
    if (table->buckets < (table->mask + 1) / 2)
        table->mask /= 2;
    ends[0] = to;
    chain_deal(table, from, ends, 0, &spares);
    spares_free(table, spares);
    bucket_close(table, last);
    assert(table->buckets > table->mask / 2);
}

/* Where records are, buckets have to be split one by one. */
void ids_table_reserve(ids_table *table, uint64_t records) {
    if (table->records > 0)
        return;
    assert(table->walks == 0);
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
    if (!chain_add(table, &bucket, tag_part(tag) | ref, &spares))
        return false;
    table->records++;
    if (table->records > (uint64_t)table->buckets * SPLIT_LOAD)
        split(table);
    return true;
}

/* Empties one slot: the chain's last entry moves in, so that only the last
 * bucket of a chain has free ones; and where one entry is left in that, it
 * takes the place of the link to it. */
static void chain_take(ids_table *table, ids_place place, ids_bucket *head) {
    ids_bucket *before = NULL, *last = head, *next;
    uint32_t count;
    ids_entry moves;
    while ((next = overflow_of(table, last)) != NULL) {
        before = last;
        last = next;
    }
    assert(count_of(last) > 0);
    count = count_of(last) - 1;
    assert(place.bucket != last || place.slot <= count);
    moves = last->entries[count];
    assert(moves != 0 && (moves & IDS_ENTRY_LINK) == 0);
    last->entries[count] = 0;
    if (place.bucket != last || place.slot != count)
        place.bucket->entries[place.slot] = moves;
    if (before != NULL && count == 1) {
        ids_ref ref = link_of(before);
        before->entries[LINK_SLOT] = last->entries[0];
        ids_slab_free(table->slab, ref);
    }
}

ids_place ids_table_place(const ids_table *table, uint64_t hash, ids_ref ref) {
    ids_bucket *bucket = bucket_of(table, tag_of(hash));
    assert(ref != 0);
    for (; bucket != NULL; bucket = overflow_of(table, bucket)) {
        uint32_t count = count_of(bucket), i;
        for (i = 0; i < count; i++)
            if ((bucket->entries[i] & IDS_REF_MASK) == ref)
                return (ids_place){bucket, i};
    }
    assert(!"a record that is looked for by its ref is in the table");
    return (ids_place){NULL, 0};
}

void ids_table_remove(ids_table *table, uint64_t hash, ids_ref ref) {
    assert(table->records > 0);
    chain_take(table, ids_table_place(table, hash, ref),
               bucket_of(table, tag_of(hash)));
    table->records--;
    if (table->walks == 0 && table->buckets > BUCKETS_MIN &&
        table->records < (uint64_t)table->buckets * MERGE_LOAD)
        merge(table);
}
