/* SPDX-License-Identifier: Apache-2.0 */
/* describe.c -- a record as it is told to others: whole, and its times as what
 * is left of them.
 *
 * Pure. It only looks. */
#include "server/core/claims.h"

#include <assert.h>

void ids_claims_change(const ids_shard *shard, const ids_record *r,
                       uint64_t now_ms, ids_change *change) {
    assert(r->state != IDP_STATE_ABSENT);
    *change = (ids_change){.ns = ids_record_ns(r),
                           .key = ids_record_key(r),
                           .fingerprint = ids_record_fingerprint(r),
                           .nonce = ids_record_nonce(r),
                           .result = ids_record_result(r),
                           .has_result = r->has_result,
                           .token = ids_record_token(&shard->prefixes, r),
                           .state = ids_record_state(r, now_ms),
                           .class = (idp_class)r->class,
                           .previous = (idp_previous)r->previous,
                           .attempt = ids_record_attempt(r),
                           .lease_ms = ids_record_lease_ms(r),
                           .lease_left_ms = ids_record_lease_left_ms(r, now_ms),
                           .ttl_ms = r->ttl_ms,
                           .ttl_left_ms = ids_record_ttl_left_ms(r, now_ms),
                           .age_ms = ids_record_age_ms(r, now_ms)};
    change->by = ids_record_by(r);
    if (change->by != 0 && shard->config.by_name != NULL)
        change->by_name =
            shard->config.by_name(shard->config.by_ctx, change->by);
    assert(change->lease_left_ms <= change->lease_ms);
    assert(change->ttl_left_ms <= change->ttl_ms);
    assert(change->attempt > 0);
}

void ids_claims_tell(ids_shard *shard, const ids_record *record,
                     idp_event_kind kind) {
    ids_change change;
    assert(kind < IDP_EVENT_MISMATCH); /* that is no change */
    shard->counted.changes++;
    if (shard->config.on_change == NULL)
        return;
    if (ids_claims_drops(kind))
        change = (ids_change){.ns = ids_record_ns(record),
                              .key = ids_record_key(record)};
    else
        ids_claims_change(shard, record, shard->now_ms, &change);
    change.number = shard->counted.changes;
    change.kind = kind;
    shard->config.on_change(shard->config.change_ctx, &change);
}

void ids_claims_replay(const ids_record *record, uint64_t now_ms,
                       idp_answer *answer) {
    assert(record->state == IDP_STATE_COMPLETED);
    answer->outcome = IDP_OUTCOME_REPLAY;
    answer->result = ids_record_result(record);
    answer->has_result = record->has_result;
    answer->class = (idp_class)record->class;
    answer->age_ms = ids_record_age_ms(record, now_ms);
    answer->ttl_left_ms = ids_record_ttl_left_ms(record, now_ms);
}

void ids_claims_in_progress(const ids_record *record, uint64_t as_of_ms,
                            idp_answer *answer) {
    answer->outcome = IDP_OUTCOME_IN_PROGRESS;
    answer->lease_left_ms = ids_record_lease_left_ms(record, as_of_ms);
    answer->attempt = ids_record_attempt(record);
    answer->age_ms = as_of_ms - record->since_ms;
}

ids_limited ids_shard_limited(const ids_shard *shard) {
    return shard->limited;
}

void ids_shard_set_hook(ids_shard *shard,
                        void (*on_change)(void *ctx,
                                          const ids_change *change)) {
    shard->config.on_change = on_change;
}

ids_pool *ids_shard_pool(const ids_shard *shard) {
    return shard->config.pool;
}

void ids_shard_stats_get(const ids_shard *shard, ids_shard_stats *stats) {
    *stats = shard->counted;
    stats->records = shard->table.records;
    stats->waiters = shard->waiters.count;
    stats->memory_bytes = shard->budget.used_bytes;
    stats->memory_bytes_max = ids_budget_bytes_max(&shard->budget);
    stats->memory_shared_bytes = ids_budget_shared_bytes(&shard->budget);
}
