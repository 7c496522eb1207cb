/* SPDX-License-Identifier: Apache-2.0 */
/* quota.c -- see quota.h. Pure. */
#include "server/core/claims.h"
#include "server/core/receipt.h"

#include <assert.h>

#define CLAIMS_MS 100u /* a share of the rate that is not used goes back */

ids_quota_place *ids_quota_reach(ids_shard *shard, uint32_t number) {
    ids_quota_place **segment =
        &shard->quota->segments[number / IDS_NS_SEGMENT];
    assert(number != IDS_NS_NONE && number < IDS_NS_NUMBERS);
    if (*segment == NULL) {
        *segment = ids_budget_alloc(&shard->budget, IDS_QUOTA_SEGMENT_BYTES);
        if (*segment == NULL)
            return NULL;
        memset(*segment, 0, IDS_QUOTA_SEGMENT_BYTES);
    }
    return ids_quota_at(shard->quota, number);
}

/* Names -------------------------------------------------------------------- */

const ids_ns_limits *ids_quota_limits_of(const ids_ns_limits_table *limits,
                                         idp_slice ns) {
    bool found;
    uint32_t at = ids_ns_limits_place(limits, ns, &found);
    return found ? &limits->named[at].limits : &limits->others;
}

/* Whether the shard holds this number, and it is this name's. */
static inline bool is_place_of(const ids_quota *quota, uint32_t number,
                               idp_slice ns) {
    return number > IDS_NS_OTHER &&
           ids_quota_is_held(ids_quota_at(quota, number)) &&
           ids_slice_equal(ids_ledger_ns(quota->ledger, number), ns);
}

/* The number that is known for this name, if the shard holds it; else its place
 * in the cache. */
static inline uint32_t cached(ids_quota *quota, idp_slice ns, uint32_t *at) {
    uint32_t number = quota->last;
    if (is_place_of(quota, number, ns))
        return number;
    *at = ids_ns_hash(ns) % IDS_QUOTA_CACHE;
    number = quota->cache[*at];
    if (!is_place_of(quota, number, ns))
        return IDS_NS_NONE;
    quota->last = number;
    return number;
}

/* What a record's namespace may have; one that is counted by name says its
 * number. */
static const ids_ns_limits *limits_of_record(const ids_shard *shard,
                                             const ids_record *record) {
    if (record->ns_number > IDS_NS_OTHER)
        return ids_quota_at(shard->quota, record->ns_number)->limits;
    return ids_quota_limits(shard, ids_record_ns(record));
}

const ids_ns_limits *ids_quota_limits(const ids_shard *shard, idp_slice ns) {
    ids_quota *quota = shard->quota;
    uint32_t at, number = cached(quota, ns, &at);
    if (number != IDS_NS_NONE)
        return ids_quota_at(quota, number)->limits;
    return ids_quota_limits_of(quota->limits, ns);
}

/* The namespace's number. Where the shard does not hold it, it is pinned:
 * ids_quota_rest() follows, or its first record. */
static uint32_t number_of(ids_shard *shard, idp_slice ns) {
    ids_quota *quota = shard->quota;
    uint32_t at, number = cached(quota, ns, &at);
    ids_quota_place *place;
    if (number != IDS_NS_NONE)
        return number;
    number = ids_ledger_pin(quota->ledger, ns, shard->now_ms);
    assert(number != IDS_NS_NONE);
    if (number == IDS_NS_OTHER)
        return number;
    place = ids_quota_reach(shard, number);
    if (place == NULL || ids_quota_is_held(place))
        ids_ledger_unpin(quota->ledger, number, shard->now_ms);
    if (place == NULL)
        return IDS_NS_OTHER;
    if (!ids_quota_is_held(place))
        place->limits = ids_quota_limits_of(quota->limits, ns);
    quota->cache[at] = (uint16_t)number;
    return number;
}

/* Shares of a limit -------------------------------------------------------- */

/* What is held of a limit, and how much more it would have to be. */
typedef struct share {
    int64_t *of_all;
    int64_t *leased;
    uint64_t used;
    uint64_t max;
    uint64_t spare_max;
} share;

static share records_of(const ids_quota *quota, uint32_t number) {
    ids_quota_place *place = ids_quota_at(quota, number);
    return (share){&ids_ledger_at(quota->ledger, number)->records,
                   &place->records_leased, place->counts.records,
                   place->limits->records_max, place->limits->records_share};
}

static share share_bytes_of(const ids_quota *quota, uint32_t number) {
    ids_quota_place *place = ids_quota_at(quota, number);
    return (share){&ids_ledger_at(quota->ledger, number)->bytes,
                   &place->bytes_leased, place->counts.bytes,
                   place->limits->bytes_max, place->limits->bytes_share};
}

static bool take(const share *s, int64_t more) {
    int64_t held = __atomic_load_n(s->of_all, __ATOMIC_RELAXED);
    assert(more > 0 && s->max <= INT64_MAX / 2);
    do {
        if (held + more > (int64_t)s->max)
            return false;
    } while (!__atomic_compare_exchange_n(s->of_all, &held, held + more, true,
                                          __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    *s->leased += more;
    return true;
}

/* So much more is covered; false: the limit is reached. */
static bool lease(share s, uint64_t more) {
    int64_t lacks = (int64_t)(s.used + more) - *s.leased;
    assert(*s.leased >= 0);
    if (s.max == IDS_UNLIMITED || lacks <= 0)
        return true;
    return (s.spare_max > 1 && take(&s, lacks + (int64_t)s.spare_max / 2)) ||
           take(&s, lacks);
}

/* What is used is covered, over the limit if need be, and little else. */
static void settle_share(share s, bool leads) {
    int64_t wants = leads && s.max != IDS_UNLIMITED ? (int64_t)s.used : 0;
    int64_t spare = *s.leased - wants;
    assert(*s.leased >= 0);
    if (wants > 0 && spare > 0 && spare <= (int64_t)s.spare_max)
        return;
    if (wants > 0 && spare > 0)
        spare -= (int64_t)s.spare_max / 2;
    if (spare == 0)
        return;
    *s.leased -= spare;
    __atomic_fetch_sub(s.of_all, spare, __ATOMIC_RELAXED);
}

void ids_quota_settle(const ids_quota *quota, uint32_t number) {
    settle_share(records_of(quota, number), quota->leads);
    settle_share(share_bytes_of(quota, number), quota->leads);
}

/* Rates -------------------------------------------------------------------- */

void ids_quota_give_claims_back(const ids_quota *quota, uint32_t number) {
    ids_quota_place *place = ids_quota_at(quota, number);
    assert(place->limits != NULL);
    if (place->claims > 0)
        __atomic_fetch_sub(&ids_ledger_at(quota->ledger, number)->spent_units,
                           place->claims * place->limits->rate_cost,
                           __ATOMIC_RELAXED);
    place->claims = 0;
}

/* Takes up to a share of what the rate has. 0, or how long it has nothing. */
static uint32_t take_claims(const ids_quota *quota, uint32_t number,
                            uint64_t now_ms) {
    ids_ledger_place *all = ids_ledger_at(quota->ledger, number);
    ids_quota_place *place = ids_quota_at(quota, number);
    const ids_ns_limits *limits = place->limits;
    uint64_t now = now_ms * IDS_RATE_UNITS_MS;
    uint64_t full = now + limits->burst * limits->rate_cost, from, claims;
    uint64_t spent = __atomic_load_n(&all->spent_units, __ATOMIC_RELAXED);
    assert(limits->rate_cost > 0 && limits->burst > 0);
    do {
        from = spent < now ? now : spent < full ? spent : full;
        claims = (full - from) / limits->rate_cost;
        if (claims == 0)
            return (uint32_t)((limits->rate_cost - (full - from) - 1) /
                              IDS_RATE_UNITS_MS) +
                   1;
        if (claims > limits->rate_share)
            claims = limits->rate_share;
    } while (!__atomic_compare_exchange_n(
        &all->spent_units, &spent, from + claims * limits->rate_cost, true,
        __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    place->claims = (uint32_t)claims;
    place->claims_end_ms = now_ms + CLAIMS_MS;
    return 0;
}

/* One claim of the rate; else how long there is none. */
static uint32_t use_rate(ids_shard *shard, uint32_t number) {
    ids_quota_place *place = ids_quota_at(shard->quota, number);
    uint32_t retry_ms;
    assert(place->claims <= place->limits->rate_share);
    if (place->limits->rate_cost == 0)
        return 0;
    if (place->claims > 0 && shard->now_ms >= place->claims_end_ms)
        ids_quota_give_claims_back(shard->quota, number);
    if (place->claims == 0) {
        retry_ms = take_claims(shard->quota, number, shard->now_ms);
        if (retry_ms > 0)
            return retry_ms;
    }
    assert(place->claims > 0);
    place->claims--;
    return 0;
}

/* Counts ------------------------------------------------------------------- */

void ids_quota_rest(ids_shard *shard, uint32_t number) {
    ids_quota *quota = shard->quota;
    ids_quota_place *place = ids_quota_at(quota, number);
    ids_quota_settle(quota, number);
    if (ids_quota_is_held(place))
        return;
    ids_quota_give_claims_back(quota, number);
    assert(place->records_leased == 0 && place->bytes_leased == 0);
    assert(place->counts.bytes == 0);
    *place = (ids_quota_place){0};
    ids_ledger_unpin(quota->ledger, number, shard->now_ms);
}

static uint32_t refuse_limited(ids_shard *shard, uint32_t number,
                               ids_limited limited, idp_error *error) {
    ids_quota_place *place = ids_quota_at(shard->quota, number);
    shard->limited = limited;
    assert((limited.retry_ms > 0) == (limited.limit == IDS_LIMIT_RATE));
    if (limited.limit == IDS_LIMIT_RATE) {
        place->counts.refused_rate++;
        shard->counted.refused_limit++;
        *error = IDP_E_LIMIT;
    } else {
        place->counts.refused_full++;
        shard->counted.refused_no_memory++;
        *error = IDP_E_NO_MEMORY;
    }
    ids_quota_rest(shard, number);
    return IDS_NS_NONE;
}

uint32_t ids_quota_admit(ids_shard *shard, idp_slice ns, size_t bytes,
                         idp_error *error) {
    uint32_t number = number_of(shard, ns), retry_ms;
    assert(shard->quota->leads);
    if (!lease(records_of(shard->quota, number), 1))
        return refuse_limited(shard, number,
                              (ids_limited){IDS_LIMIT_RECORDS, 0, ns}, error);
    if (!lease(share_bytes_of(shard->quota, number), bytes))
        return refuse_limited(shard, number,
                              (ids_limited){IDS_LIMIT_MEMORY, 0, ns}, error);
    retry_ms = use_rate(shard, number);
    if (retry_ms > 0)
        return refuse_limited(
            shard, number, (ids_limited){IDS_LIMIT_RATE, retry_ms, ns}, error);
    return number;
}

uint32_t ids_quota_admit_next(ids_shard *shard, idp_slice ns,
                              idp_error *error) {
    uint32_t number = number_of(shard, ns);
    uint32_t retry_ms = use_rate(shard, number);
    assert(shard->quota->leads);
    if (retry_ms > 0)
        return refuse_limited(
            shard, number, (ids_limited){IDS_LIMIT_RATE, retry_ms, ns}, error);
    return number;
}

void ids_quota_undo(ids_shard *shard, uint32_t number) {
    ids_quota_place *place;
    if (number == IDS_NS_NONE)
        return;
    place = ids_quota_at(shard->quota, number);
    if (place->limits->rate_cost > 0) {
        place->claims++;
        ids_quota_give_claims_back(shard->quota, number);
    }
    ids_quota_rest(shard, number);
}

void ids_quota_enter(ids_shard *shard, uint32_t number, ids_record *record) {
    ids_quota_place *place = ids_quota_at(shard->quota, number);
    assert(record->ns_number == IDS_NS_NONE && number != IDS_NS_NONE);
    record->ns_number = number;
    place->counts.records++;
    place->counts.in_progress += record->state == IDP_STATE_IN_PROGRESS;
    place->counts.bytes += ids_record_counted_bytes(record);
    assert(place->limits != NULL && ids_quota_is_held(place));
    ids_quota_settle(shard->quota, number);
}

void ids_quota_count(ids_shard *shard, ids_record *record) {
    assert(record->ns_number == IDS_NS_NONE);
    if (!ids_receipt_is(ids_record_ns(record)))
        ids_quota_enter(shard, number_of(shard, ids_record_ns(record)), record);
}

void ids_quota_leave(ids_shard *shard, const ids_record *record) {
    uint32_t number = record->ns_number;
    size_t bytes = ids_quota_bytes(record);
    ids_quota_place *place;
    assert(number != IDS_NS_NONE);
    place = ids_quota_at(shard->quota, number);
    assert(place->counts.records > 0 && place->counts.bytes >= bytes);
    place->counts.records--;
    place->counts.in_progress -= record->state == IDP_STATE_IN_PROGRESS;
    place->counts.bytes -= bytes;
    assert(place->counts.in_progress <= place->counts.records);
    ids_quota_rest(shard, number);
}

void ids_quota_moves(ids_shard *shard, const ids_record *record, idp_state to) {
    ids_quota_place *place = ids_quota_at(shard->quota, record->ns_number);
    place->counts.in_progress += to == IDP_STATE_IN_PROGRESS;
    place->counts.in_progress -= record->state == IDP_STATE_IN_PROGRESS;
    assert(place->counts.in_progress <= place->counts.records);
}

void ids_quota_resized(ids_shard *shard, const ids_record *record,
                       size_t bytes_before) {
    uint32_t number = record->ns_number;
    ids_quota_place *place;
    assert(number != IDS_NS_NONE);
    place = ids_quota_at(shard->quota, number);
    assert(place->counts.records > 0 && place->counts.bytes >= bytes_before);
    place->counts.bytes += ids_record_counted_bytes(record) - bytes_before;
    settle_share(share_bytes_of(shard->quota, number), shard->quota->leads);
}

bool ids_quota_keeps(ids_shard *shard, const ids_record *record,
                     size_t result_bytes, size_t bytes_before) {
    size_t bytes = ids_quota_bytes(record) + result_bytes;
    uint32_t number = record->ns_number;
    const ids_ns_limits *limits = limits_of_record(shard, record);
    bool keeps = result_bytes <= limits->result_bytes_max;
    assert(!record->has_result);
    if (number == IDS_NS_NONE) /* it is not counted yet */
        return keeps;
    keeps = keeps && lease(share_bytes_of(shard->quota, number),
                           bytes > bytes_before ? bytes - bytes_before : 0);
    ids_quota_at(shard->quota, number)->counts.results_dropped += !keeps;
    return keeps;
}

/* Retention ---------------------------------------------------------------- */

bool ids_quota_allows_ttl(ids_shard *shard, const idp_request *request,
                          idp_error *error) {
    assert(request->method == IDP_ACQUIRE && shard->quota != NULL);
    if (request->ttl_ms <= ids_quota_limits(shard, request->ns)->ttl_ms_max)
        return true;
    shard->limited = (ids_limited){IDS_LIMIT_TTL, 0, request->ns};
    *error = IDP_E_BAD_REQUEST;
    return false;
}

uint64_t ids_quota_completed(ids_shard *shard, const ids_record *record,
                             uint64_t ttl_ms, size_t bytes_before) {
    uint64_t max_ms = limits_of_record(shard, record)->ttl_ms_max;
    ids_quota_recount(shard, record, bytes_before);
    return ttl_ms < max_ms ? ttl_ms : max_ms;
}

uint64_t ids_quota_said_ttl_ms(const ids_shard *shard, const ids_record *record,
                               const idp_request *request) {
    uint64_t max_ms = limits_of_record(shard, record)->ttl_ms_max;
    assert(record->state == IDP_STATE_COMPLETED);
    if (request->ttl_ms > record->ttl_ms ||
        (request->ttl_ms == 0 && record->ttl_ms >= max_ms))
        return record->ttl_ms;
    return 0;
}
