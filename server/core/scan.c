/* SPDX-License-Identifier: Apache-2.0 */
/* scan.c -- see scan.h. Pure. */
#include "server/core/scan.h"

#include "server/core/bucket.h"
#include "server/core/claims.h"
#include "server/core/receipt.h"

#include <assert.h>

/* So many buckets are fetched before the first of them is looked at. */
#define FETCHED 8

/* The bits of a tag, the lowest one first. */
static uint32_t turn_round(uint32_t tag) {
    tag = (tag >> 1 & 0x55555555u) | (tag & 0x55555555u) << 1;
    tag = (tag >> 2 & 0x33333333u) | (tag & 0x33333333u) << 2;
    tag = (tag >> 4 & 0x0f0f0f0fu) | (tag & 0x0f0f0f0fu) << 4;
    return __builtin_bswap32(tag);
}

/* A bucket's stretch of the order, from where a scan stands in it. */
typedef struct stretch {
    uint64_t from, end;
    uint32_t number;
    bool is_whole; /* none of the bucket lies before it */
} stretch;

static stretch stretch_at(const ids_table *table, uint64_t position) {
    uint32_t tag = turn_round((uint32_t)position);
    uint32_t half = (table->mask + 1) / 2;
    uint32_t low = tag & (half - 1);
    bool is_split = low + half < table->buckets;
    assert(low < half);
    uint32_t bits = 32u - (uint32_t)__builtin_clz(table->mask) - !is_split;
    assert(bits >= TAG_BITS_IMPLIED && bits <= 32);
    uint64_t size = 1ull << (32 - bits);
    assert(position < IDS_SCAN_END);
    assert((table->mask & (table->mask + 1)) == 0);
    assert(table->buckets >= half && table->buckets <= table->mask);
    return (stretch){.from = position,
                     .end = (position & ~(size - 1)) + size,
                     .number = is_split ? tag & table->mask : low,
                     .is_whole = (position & (size - 1)) == 0};
}

static uint64_t position_of(ids_entry entry, uint32_t number) {
    uint32_t tag = (uint32_t)(entry >> (IDS_REF_BITS + 1)) << TAG_BITS_IMPLIED |
                   (number & ((1u << TAG_BITS_IMPLIED) - 1));
    return turn_round(tag);
}

static ids_record *scanned_record_of(const ids_shard *shard, ids_entry entry) {
    return ids_slab_at(&shard->slab, entry & IDS_REF_MASK);
}

/* False: its time is over. What record.h says of state, age and what is left,
 * in one go. */
static bool see(const ids_shard *shard, ids_record *r, uint64_t now_ms,
                ids_sight *sight) {
    assert(r->state != IDP_STATE_ABSENT && r->key_len > 0);
    ids_claims_stretch(shard, r);
    if (ids_receipt_is(ids_record_ns(r)))
        return false;
    uint64_t ttl_end_ms = ids_record_ttl_end_ms(r);
    if (now_ms >= ttl_end_ms)
        return false;
    sight->state = (idp_state)r->state;
    sight->since_ms = r->since_ms;
    sight->lease_left_ms = 0;
    if (r->state == IDP_STATE_IN_PROGRESS) {
        uint64_t end_ms = ids_record_lease_end_ms(r);
        bool is_over = now_ms >= end_ms;
        sight->state = is_over ? IDP_STATE_ORPHANED : IDP_STATE_IN_PROGRESS;
        sight->since_ms = is_over ? end_ms : r->since_ms;
        sight->lease_left_ms = ids_record_lease_left_ms(r, now_ms);
    }
    sight->age_ms = now_ms - sight->since_ms;
    sight->ttl_left_ms = ids_span_left_ms(ttl_end_ms, now_ms, r->ttl_ms);
    sight->ns = ids_record_ns(r);
    sight->key = ids_record_key(r);
    sight->attempt = ids_record_attempt(r);
    sight->by = ids_record_by(r);
    return true;
}

/* Calls for each entry of the stretch's chain. */
#define FOR_EACH_ENTRY(table, s, entry)                                    \
    for (const ids_bucket *b_ = bucket_at(table, (s)->number); b_ != NULL; \
         b_ = overflow_of(table, b_))                                      \
        for (uint32_t i_ = 0, count_ = count_of(b_);                       \
             i_ < count_ && ((entry) = b_->entries[i_], true); i_++)

/* All of a stretch, in whatever order. */
static void see_all(const ids_shard *shard, const stretch *s, uint64_t now_ms,
                    const ids_scan *scan) {
    ids_sight sight;
    ids_entry entry;
    FOR_EACH_ENTRY(&shard->table, s, entry) {
        if (position_of(entry, s->number) >= s->from &&
            see(shard, scanned_record_of(shard, entry), now_ms, &sight) &&
            (scan->wants == NULL || scan->wants(scan->ctx, &sight)))
            scan->seen(scan->ctx, &sight);
    }
}

/* The first position of the stretch from here on that has a record; its end if
 * none has. */
static uint64_t next_position(const ids_shard *shard, const stretch *s,
                              uint64_t from) {
    uint64_t next = s->end;
    assert(from >= s->from && from <= s->end);
    ids_entry entry;
    FOR_EACH_ENTRY(&shard->table, s, entry) {
        uint64_t at = position_of(entry, s->number);
        if (at >= from && at < next)
            next = at;
    }
    return next;
}

/* The wanted records at one position, of which so many are told. Returns how
 * many there are. */
static uint32_t see_at(const ids_shard *shard, const stretch *s, uint64_t at,
                       uint64_t now_ms, const ids_scan *scan, uint32_t told) {
    uint32_t wanted = 0;
    assert(at >= s->from && at < s->end);
    ids_sight sight;
    ids_entry entry;
    FOR_EACH_ENTRY(&shard->table, s, entry) {
        if (position_of(entry, s->number) != at ||
            !see(shard, scanned_record_of(shard, entry), now_ms, &sight) ||
            (scan->wants != NULL && !scan->wants(scan->ctx, &sight)))
            continue;
        if (wanted++ < told)
            scan->seen(scan->ctx, &sight);
    }
    return wanted;
}

/* As much of a stretch as there is room for. False: there is no more room;
 * *position is where to go on. */
static bool see_some(const ids_shard *shard, const stretch *s, uint64_t now_ms,
                     ids_scan *scan, bool is_empty) {
    uint64_t at = next_position(shard, s, s->from);
    for (; at < s->end; at = next_position(shard, s, at + 1)) {
        uint32_t wanted = see_at(shard, s, at, now_ms, scan, 0);
        uint32_t told = wanted < scan->room ? wanted : scan->room;
        scan->position = at;
        if (told < wanted && !is_empty)
            return false;
        assert(told <= scan->room);
        see_at(shard, s, at, now_ms, scan, told);
        scan->room -= told;
        is_empty = is_empty && told == 0;
    }
    scan->position = s->end;
    return true;
}

/* Stretches on their way: their buckets are wanted, then their records, then
 * they are looked at. So much memory comes at a time that none is waited for.
 */
typedef struct group {
    stretch all[FETCHED];
    uint32_t count;
} group;

static void want_records(const ids_shard *shard, const group *g) {
    for (uint32_t i = 0; i < g->count; i++) {
        const ids_bucket *bucket = bucket_at(&shard->table, g->all[i].number);
        uint32_t count = count_of(bucket);
        for (uint32_t k = 0; k < count; k++) {
            const char *record =
                (const char *)scanned_record_of(shard, bucket->entries[k]);
            __builtin_prefetch(record);
            __builtin_prefetch(record + IDS_RECORD_HEAD_BYTES - 1);
        }
    }
}

/* The stretches behind *position, of at most so many buckets. */
static group want_buckets(const ids_shard *shard, uint64_t *position,
                          uint32_t *buckets) {
    group g = {.count = 0};
    while (g.count<FETCHED && * buckets> 0 && *position < IDS_SCAN_END) {
        stretch *one = &g.all[g.count++];
        *one = stretch_at(&shard->table, *position);
        __builtin_prefetch(bucket_at(&shard->table, one->number));
        assert(one->end > *position);
        *position = one->end;
        --*buckets;
    }
    assert(*position <= IDS_SCAN_END);
    return g;
}

/* False: there is no more room. */
static bool see_group(const ids_shard *shard, const group *g, uint64_t now_ms,
                      ids_scan *scan, uint32_t room) {
    for (uint32_t i = 0; i < g->count; i++) {
        scan->buckets_max--;
        if (room != UINT32_MAX) {
            if (!see_some(shard, &g->all[i], now_ms, scan, scan->room == room))
                return false;
        } else {
            see_all(shard, &g->all[i], now_ms, scan);
            scan->position = g->all[i].end;
        }
    }
    return true;
}

bool ids_shard_scan(ids_shard *shard, uint64_t now_ms, ids_scan *scan) {
    uint64_t ahead = scan->position;
    uint32_t buckets = scan->buckets_max, room = scan->room;
    bool goes_on = true;
    assert(now_ms >= shard->now_ms && scan->position <= IDS_SCAN_END);
    assert(scan->seen != NULL);
    if (shard->following)
        shard->floor_ms = ids_claims_begin_ms(shard, now_ms);
    group first = want_buckets(shard, &ahead, &buckets);
    group second = want_buckets(shard, &ahead, &buckets);
    want_records(shard, &first);
    while (goes_on && first.count > 0) {
        group third = want_buckets(shard, &ahead, &buckets);
        want_records(shard, &second);
        goes_on = see_group(shard, &first, now_ms, scan, room);
        first = second;
        second = third;
    }
    return scan->position < IDS_SCAN_END;
}

bool ids_shard_look(ids_shard *shard, uint64_t hash, uint64_t now_ms,
                    ids_sight *sight) {
    uint32_t tag = tag_of(hash);
    const ids_bucket *bucket = bucket_of(&shard->table, tag);
    assert(now_ms >= shard->now_ms);
    for (; bucket != NULL; bucket = overflow_of(&shard->table, bucket)) {
        uint32_t left = matches_of(bucket, tag_part(tag));
        for (; left != 0; left &= left - 1) {
            ids_entry entry = bucket->entries[__builtin_ctz(left)];
            if ((entry & IDS_REF_MASK) == 0)
                continue;
            ids_record *record = scanned_record_of(shard, entry);
            if (shard->config.hash(shard->config.hash_ctx,
                                   ids_record_ns(record),
                                   ids_record_key(record)) == hash &&
                see(shard, record, now_ms, sight))
                return true;
        }
    }
    return false;
}

bool ids_shard_inspect(ids_shard *shard, const ids_call *call,
                       ids_change *change) {
    ids_place place;
    ids_record *record =
        ids_table_find(&shard->table, call->hash, call->request->ns,
                       call->request->key, &place);
    assert(call->now_ms >= shard->now_ms);
    if (record == NULL)
        return false;
    ids_claims_stretch(shard, record);
    if (ids_record_state(record, call->now_ms) == IDP_STATE_ABSENT)
        return false;
    ids_claims_change(shard, record, call->now_ms, change);
    return true;
}
