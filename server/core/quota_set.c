/* SPDX-License-Identifier: Apache-2.0 */
/* quota_set.c -- a shard is given limits, and counts what it has already.
 *
 * Pure. Inside the shard. Records from before somebody counted, and those of
 * others that have a name of their own by now, are counted in a walk, some at
 * a time: until it is over the counts may lack them. */
#include "server/core/claims.h"
#include "server/core/receipt.h"

#include <assert.h>

/* For each place that the shard has memory for: the next one behind number. */
static ids_quota_place *next_place(const ids_quota *quota, uint32_t *number) {
    while (++*number < IDS_NS_NUMBERS) {
        if (quota->segments[*number / IDS_NS_SEGMENT] != NULL)
            return ids_quota_at(quota, *number);
        *number |= IDS_NS_SEGMENT - 1;
    }
    return NULL;
}

static ids_quota *new_quota(ids_shard *shard, ids_ledger *ledger) {
    ids_quota *quota = ids_budget_alloc(&shard->budget, sizeof *quota);
    if (quota == NULL)
        return NULL;
    memset(quota, 0, sizeof *quota);
    quota->ledger = ledger;
    quota->leads = !shard->following;
    shard->quota = quota;
    if (ids_quota_reach(shard, IDS_NS_OTHER) != NULL) {
        ids_quota_at(quota, IDS_NS_OTHER)->named = true;
        return quota;
    }
    shard->quota = NULL;
    ids_budget_free(&shard->budget, quota, sizeof *quota);
    return NULL;
}

static void free_quota(ids_shard *shard) {
    ids_quota *quota = shard->quota;
    assert(quota != NULL);
    for (uint32_t i = 0; i < IDS_NS_SEGMENTS; i++)
        ids_budget_free(&shard->budget, quota->segments[i],
                        IDS_QUOTA_SEGMENT_BYTES);
    ids_budget_free(&shard->budget, quota, sizeof *quota);
    shard->quota = NULL;
}

void ids_quota_fini(ids_shard *shard) {
    ids_quota *quota = shard->quota;
    ids_quota_place *place;
    if (quota == NULL)
        return;
    ids_quota_lead(shard, false);
    for (uint32_t number = 0; (place = next_place(quota, &number)) != NULL;) {
        assert(place->records_leased == 0 && place->bytes_leased == 0);
        if (number != IDS_NS_OTHER && ids_quota_is_held(place))
            ids_ledger_unpin(quota->ledger, number, shard->now_ms);
    }
    free_quota(shard);
}

void ids_quota_lead(ids_shard *shard, bool leads) {
    ids_quota *quota = shard->quota;
    ids_quota_place *place;
    if (quota == NULL)
        return;
    assert(quota->limits != NULL);
    quota->leads = leads;
    for (uint32_t number = 0; (place = next_place(quota, &number)) != NULL;) {
        if (place->limits == NULL)
            continue;
        if (!leads)
            ids_quota_give_claims_back(quota, number);
        ids_quota_settle(quota, number);
    }
}

/* Limits ------------------------------------------------------------------- */

static idp_slice limits_name_of(const ids_ns_limits_table *limits,
                                uint32_t at) {
    return (idp_slice){limits->named[at].ns, limits->named[at].ns_len};
}

/* The named ones have places here, and are pinned once more than they were.
 * One that has no number any more, since the ledger goes by newer limits
 * already, is counted among the others until those come. False: no memory. */
static bool pin_quota_named(ids_shard *shard,
                            const ids_ns_limits_table *limits) {
    ids_quota *quota = shard->quota;
    for (uint32_t i = 0; i < limits->count; i++) {
        uint32_t number = ids_ledger_pin(
            quota->ledger, limits_name_of(limits, i), shard->now_ms);
        ids_quota_place *place;
        if (number == IDS_NS_OTHER)
            continue;
        place = ids_quota_reach(shard, number);
        if (place == NULL) {
            ids_ledger_unpin(quota->ledger, number, shard->now_ms);
            return false;
        }
        assert(!place->will_be_named);
        place->will_be_named = true;
    }
    return true;
}

/* Of those pins too many are taken back, or become the places' own. */
static void keep_pins(ids_shard *shard, bool keep) {
    const ids_quota *quota = shard->quota;
    ids_quota_place *place;
    for (uint32_t number = 0; (place = next_place(quota, &number)) != NULL;) {
        if (!place->will_be_named)
            continue;
        assert(number > IDS_NS_OTHER);
        if (!keep || ids_quota_is_held(place))
            ids_ledger_unpin(quota->ledger, number, shard->now_ms);
        place->will_be_named = keep;
    }
}

/* Whether one has a name of its own now and had none. */
static bool take_shard_limits(ids_shard *shard,
                              const ids_ns_limits_table *limits) {
    ids_quota *quota = shard->quota;
    ids_quota_place *place;
    bool fresh = false;
    quota->limits = limits;
    for (uint32_t number = 0; (place = next_place(quota, &number)) != NULL;) {
        if (!ids_quota_is_held(place) && !place->will_be_named)
            continue;
        if (place->limits != NULL)
            ids_quota_give_claims_back(quota, number);
        if (number == IDS_NS_OTHER) {
            place->limits = &limits->others;
        } else {
            place->limits = ids_quota_limits_of(
                limits, ids_ledger_ns(quota->ledger, number));
            fresh |= place->will_be_named && !place->named;
            place->named = place->will_be_named;
        }
        place->will_be_named = false;
        ids_quota_rest(shard, number);
    }
    return fresh;
}

static bool set_ns_limits(ids_shard *shard, const ids_ns_limits_table *limits,
                          ids_ledger *ledger) {
    bool first = shard->quota == NULL, good, fresh;
    if (first && new_quota(shard, ledger) == NULL)
        return false;
    assert(shard->quota->ledger == ledger);
    good = pin_quota_named(shard, limits);
    keep_pins(shard, good);
    if (!good && first)
        free_quota(shard);
    if (!good)
        return false;
    fresh = take_shard_limits(shard, limits);
    if (first ? shard->table.records > 0
              : fresh &&
                    ids_quota_at(shard->quota, IDS_NS_OTHER)->counts.records >
                        0) {
        shard->quota->walks = true;
        shard->quota->bucket = 0;
    }
    return true;
}

bool ids_shard_set_limits(ids_shard *shard, const ids_ns_limits_table *limits,
                          ids_ledger *ledger, uint64_t now_ms) {
    bool good;
    assert(limits != NULL && ledger != NULL);
    assert(now_ms >= shard->now_ms);
    shard->now_ms = now_ms;
    shard->budget.imports = true;
    good = set_ns_limits(shard, limits, ledger);
    shard->budget.imports = false;
    return good;
}

/* The walk ----------------------------------------------------------------- */

static void count_anew(ids_shard *shard, ids_record *record) {
    if (record->ns_number != IDS_NS_NONE && record->ns_number != IDS_NS_OTHER)
        return;
    ids_quota_uncount(shard, record);
    record->ns_number = IDS_NS_NONE;
    ids_quota_count(shard, record);
    assert(record->ns_number != IDS_NS_NONE ||
           ids_receipt_is(ids_record_ns(record)));
}

void ids_quota_walk(ids_shard *shard, uint32_t buckets_max) {
    ids_quota *quota = shard->quota;
    const ids_table *table = &shard->table;
    ids_ref refs[IDS_WALK_REFS];
    assert(quota->walks && buckets_max > 0);
    /* Buckets were merged: what was to come may lie in one before. */
    if (table->buckets < quota->buckets_seen)
        quota->bucket = 0;
    quota->buckets_seen = table->buckets;
    while (buckets_max-- > 0 && quota->bucket < table->buckets) {
        uint32_t left = UINT32_MAX, count;
        do {
            count = ids_table_walk(table, quota->bucket, &left, refs);
            for (uint32_t i = 0; i < count; i++)
                count_anew(shard, ids_slab_at(&shard->slab, refs[i]));
        } while (left > 0);
        quota->bucket++;
    }
    assert(quota->bucket <= table->buckets);
    quota->walks = quota->bucket < table->buckets;
}

bool ids_shard_is_counting(const ids_shard *shard) {
    return shard->quota != NULL && shard->quota->walks;
}

void ids_shard_namespaces(const ids_shard *shard,
                          void (*seen)(void *ctx, uint32_t number, idp_slice ns,
                                       const ids_ns_counts *counts),
                          void *ctx) {
    const ids_quota *quota = shard->quota;
    const ids_quota_place *place;
    if (quota == NULL)
        return;
    for (uint32_t number = 0; (place = next_place(quota, &number)) != NULL;)
        if (ids_quota_is_held(place))
            seen(ctx, number, ids_ledger_ns(quota->ledger, number),
                 &place->counts);
}
