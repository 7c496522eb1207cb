/* SPDX-License-Identifier: Apache-2.0 */
/* export.c -- records out in a walk, and in from a change record.
 *
 * Pure. What journal, snapshot and peer stream have in common with the core:
 * the whole record, its times as what is left of them. */
#include "server/core/claims.h"
#include "server/core/receipt.h"

#include <assert.h>

/* Where a walk stands: in this bucket, of whose chain all but the first
 * ~walked refs are done; 0: it has not begun. */
typedef struct walk_at {
    uint32_t bucket;
    uint32_t walked;
} walk_at;

/* Some of a bucket's chain. Returns how many bytes of records that was. */
static size_t walk_chain(ids_shard *shard, walk_at *at, uint64_t now_ms,
                         void (*seen)(void *ctx, const ids_change *change),
                         void *ctx) {
    ids_ref refs[IDS_WALK_REFS];
    uint32_t left = ~at->walked, i = 0;
    size_t bytes = 0;
    assert(at->bucket < shard->table.buckets);
    ids_table_prefetch_walk(&shard->table, at->bucket);
    uint32_t count = ids_table_walk(&shard->table, at->bucket, &left, refs);
    for (; i < count && bytes < IDS_WALK_BYTES; i++) {
        ids_record *record = ids_slab_at(&shard->slab, refs[i]);
        ids_change change;
        ids_claims_stretch(shard, record);
        if (ids_record_state(record, now_ms) == IDP_STATE_ABSENT)
            continue;
        ids_claims_change(shard, record, now_ms, &change);
        bytes += ids_record_bytes(record);
        assert(change.state != IDP_STATE_ABSENT || change.result.len == 0);
        seen(ctx, &change);
    }
    left += count - i;
    assert(i <= count && count <= IDS_WALK_REFS);
    at->bucket += left == 0;
    at->walked = left == 0 ? 0 : ~left;
    return bytes;
}

bool ids_shard_walk(ids_shard *shard, uint64_t now_ms, uint64_t *cursor,
                    uint32_t buckets_max,
                    void (*seen)(void *ctx, const ids_change *change),
                    void *ctx) {
    const ids_table *table = &shard->table;
    walk_at at = {(uint32_t)*cursor, (uint32_t)(*cursor >> 32)};
    size_t bytes = 0;
    assert(*cursor == 0 || shard->table.walks > 0);
    assert(now_ms >= shard->now_ms);
    assert(buckets_max > 0);
    if (shard->following)
        shard->floor_ms = ids_claims_begin_ms(shard, now_ms);
    if (*cursor == 0)
        shard->table.walks++;
    while (buckets_max-- > 0 && at.bucket < table->buckets &&
           bytes < IDS_WALK_BYTES)
        bytes += walk_chain(shard, &at, now_ms, seen, ctx);
    *cursor = (uint64_t)at.walked << 32 | at.bucket;
    return at.bucket < table->buckets;
}

void ids_shard_walk_end(ids_shard *shard) {
    assert(shard->table.walks > 0);
    shard->table.walks--;
}

void ids_shard_see(ids_shard *shard, uint64_t now_ms, idp_slice ns,
                   idp_slice key,
                   void (*seen)(void *ctx, const ids_change *change),
                   void *ctx) {
    ids_change change = {.ns = ns, .key = key, .state = IDP_STATE_ABSENT};
    uint64_t hash = shard->config.hash(shard->config.hash_ctx, ns, key);
    ids_place place;
    ids_record *record = ids_table_find(&shard->table, hash, ns, key, &place);
    assert(now_ms >= shard->now_ms);
    if (shard->following)
        shard->floor_ms = ids_claims_begin_ms(shard, now_ms);
    if (record != NULL)
        ids_claims_stretch(shard, record);
    if (record != NULL && ids_record_state(record, now_ms) != IDP_STATE_ABSENT)
        ids_claims_change(shard, record, now_ms, &change);
    seen(ctx, &change);
}

bool ids_shard_is_walked(const ids_shard *shard) {
    return shard->table.walks > 0;
}

static bool within(idp_slice slice, size_t min, size_t max) {
    return slice.len >= min && slice.len <= max;
}

static bool claimed(const ids_change *c) {
    return c->state == IDP_STATE_IN_PROGRESS || c->state == IDP_STATE_ORPHANED;
}

/* A lease and what is left of it, of a claim that may still have one. */
static bool lease_is_sound(const ids_change *c) {
    if (!claimed(c))
        return c->lease_left_ms == 0;
    return c->lease_ms >= IDP_LEASE_MS_MIN && c->lease_ms <= c->ttl_ms &&
           c->lease_ms <= IDP_LEASE_MS_MAX && c->lease_left_ms <= c->lease_ms &&
           (c->lease_left_ms > 0) == (c->state == IDP_STATE_IN_PROGRESS);
}

static bool receipt_is_sound(const ids_change *c) {
    return c->ns.len == IDS_RECEIPT_NS_BYTES &&
           c->ns.ptr[0] <= IDP_NS_BYTES_MAX &&
           (c->state == IDP_STATE_ABSENT ||
            (c->state == IDP_STATE_COMPLETED &&
             c->result.len == IDS_RECEIPT_BYTES && c->fingerprint.len == 0 &&
             c->nonce.len == 0));
}

bool ids_change_is_sound(const ids_change *c, size_t result_bytes_max) {
    if (ids_receipt_is(c->ns))
        result_bytes_max = IDS_RECEIPT_BYTES;
    if (!(within(c->ns, 0, IDP_NS_BYTES_MAX) || receipt_is_sound(c)) ||
        !within(c->key, IDP_KEY_BYTES_MIN, IDP_KEY_BYTES_MAX))
        return false;
    if (c->state == IDP_STATE_ABSENT)
        return true;
    return c->state < IDP_STATE_COUNT &&
           within(c->fingerprint, 0, IDP_FINGERPRINT_BYTES_MAX) &&
           within(c->nonce, 0, IDP_NONCE_BYTES_MAX) &&
           within(c->result, 0, result_bytes_max) &&
           (c->result.len == 0 || c->has_result) &&
           (!c->has_result || c->state == IDP_STATE_COMPLETED) &&
           within(c->by_name, 0, claimed(c) ? IDP_USER_BYTES_MAX : 0) &&
           c->class <= IDP_CLASS_ERROR &&
           c->previous <= IDP_PREVIOUS_RELEASED && c->attempt > 0 &&
           c->ttl_ms >= IDP_TTL_MS_MIN && c->ttl_ms <= IDP_TTL_MS_MAX &&
           c->ttl_left_ms <= c->ttl_ms && lease_is_sound(c);
}

/* How long ago the record's lease and retention began to count. Both count
 * from the same moment, so the earlier of the two ends would do; the later
 * one is taken, since a deadline may stretch but not shrink. */
static uint64_t begun_before_ms(const ids_change *c) {
    uint64_t by_ttl = c->ttl_ms - c->ttl_left_ms;
    uint64_t by_lease = c->lease_ms - c->lease_left_ms;
    if (c->state == IDP_STATE_IN_PROGRESS && by_lease < by_ttl)
        return by_lease;
    return by_ttl;
}

/* Times count from the shard's zero; what began before it began at it. */
static uint64_t before_now(uint64_t now_ms, uint64_t ms) {
    return ms < now_ms ? now_ms - ms : 0;
}

/* Counted from begin_ms, which is not before now. */
static void fill_record(ids_record *r, const ids_change *c, uint64_t now_ms,
                        uint64_t begin_ms) {
    uint8_t *at;
    assert(c->state != IDP_STATE_ABSENT && c->key.len > 0);
    assert(c->ttl_left_ms <= c->ttl_ms);
    assert(begin_ms >= now_ms);
    memset(r, 0, IDS_RECORD_HEAD_BYTES);
    r->state =
        c->state == IDP_STATE_ORPHANED ? IDP_STATE_IN_PROGRESS : c->state;
    r->restart_ms = before_now(begin_ms, begun_before_ms(c));
    r->since_ms = before_now(now_ms, c->age_ms);
    r->ttl_ms = c->ttl_ms;
    r->previous = c->previous;
    r->class = c->class;
    r->has_result = c->has_result;
    r->lease_ms = c->has_result ? c->result.len : c->lease_ms;
    r->ns_len = c->ns.len;
    r->key_len = c->key.len;
    r->fingerprint_len = c->fingerprint.len;
    r->nonce_len = c->nonce.len;
    at = ids_append(r->bytes, c->ns);
    at = ids_append(at, c->key);
    at = ids_append(at, c->fingerprint);
    at = ids_append(at, c->nonce);
    ids_append(at, c->result);
}

void ids_shard_reserve(ids_shard *shard, uint64_t records) {
    ids_table_reserve(&shard->table, records);
}

/* A record that is what the change says, not in the table yet. 0: no
 * memory. */
static ids_ref make_record(ids_shard *shard, const ids_change *c,
                           uint64_t now_ms) {
    ids_naming naming = ids_claims_naming(shard, c->token, c->attempt);
    ids_ref ref =
        ids_claims_alloc(shard, IDS_RECORD_HEAD_BYTES + c->ns.len + c->key.len +
                                    c->fingerprint.len + c->nonce.len +
                                    c->result.len + naming.extra_bytes);
    if (ref == 0)
        return 0;
    ids_record *record = ids_slab_at(&shard->slab, ref);
    fill_record(record, c, now_ms, ids_claims_begin_ms(shard, now_ms));
    if (c->by_name.len > 0 && shard->config.by_number != NULL)
        ids_record_set_by(
            record, shard->config.by_number(shard->config.by_ctx, c->by_name));
    ids_claims_name(shard, record, &naming);
    if (shard->quota != NULL)
        ids_quota_count(shard, record);
    return ref;
}

static void unmake(ids_shard *shard, ids_ref ref) {
    ids_claims_unname(shard, ids_slab_at(&shard->slab, ref));
    ids_quota_uncount(shard, ids_slab_at(&shard->slab, ref));
    ids_slab_free(&shard->slab, ref);
}

static bool put_exported(ids_shard *shard, uint64_t hash,
                         const ids_change *change, uint64_t now_ms) {
    ids_place place;
    ids_ref ref = 0;
    bool there;
    if (change->state != IDP_STATE_ABSENT && change->ttl_left_ms > 0) {
        ref = make_record(shard, change, now_ms);
        if (ref == 0)
            return false;
    }
    there = ids_table_find(&shard->table, hash, change->ns, change->key,
                           &place) != NULL;
    if (there && ref == 0) {
        ids_claims_drop(shard, hash, ids_place_ref(place));
    } else if (there) {
        ids_ref old = ids_place_ref(place);
        assert(old != ref);
        ids_place_set(place, ref);
        unmake(shard, old);
    } else if (ref != 0 && !ids_table_insert(&shard->table, hash, ref)) {
        unmake(shard, ref);
        return false;
    }
    if (ref != 0)
        ids_wheel_add(&shard->wheel, ref);
    return true;
}

bool ids_claims_put(ids_shard *shard, uint64_t hash, const ids_change *change,
                    uint64_t now_ms) {
    return put_exported(shard, hash, change, now_ms);
}

bool ids_shard_put(ids_shard *shard, uint64_t hash, const ids_change *change,
                   uint64_t now_ms) {
    bool done;
    assert(!shard->budget.imports);
    assert(now_ms >= shard->now_ms && shard->waiters.count == 0);
    shard->budget.imports = true;
    done = put_exported(shard, hash, change, now_ms);
    shard->budget.imports = false;
    return done;
}

void ids_shard_follow(ids_shard *shard) {
    assert(shard->waiters.count == 0);
    shard->following = true;
    ids_quota_lead(shard, false);
    shard->floor_ms = ids_claims_begin_ms(shard, shard->now_ms);
}

void ids_shard_lead(ids_shard *shard, uint64_t epoch, uint64_t sequence,
                    uint64_t now_ms) {
    assert(now_ms >= shard->now_ms);
    shard->now_ms = now_ms;
    if (shard->following)
        shard->floor_ms = ids_claims_begin_ms(shard, now_ms);
    shard->following = false;
    ids_quota_lead(shard, true);
    shard->config.epoch = epoch;
    shard->sequence = sequence;
}
