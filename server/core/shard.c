/* SPDX-License-Identifier: Apache-2.0 */
/* shard.c -- one shard: calls in, answers out, waiters and time.
 *
 * Pure: no socket, no file, no clock, no thread. Time is an argument. What a
 * call does to its record is in claims.c; here is what follows from it for
 * those who wait, and what time does by itself. */
#include "server/core/claims.h"

#include <assert.h>

/* Ended records reclaimed together, so that their cache misses overlap. */
#define ENDED_BATCH 16

static bool parts_init(ids_shard *shard) {
    const ids_shard_config *config = &shard->config;
    if (!ids_slab_init(&shard->slab, &shard->budget))
        return false;
    if (!ids_table_init(&shard->table, &shard->budget, &shard->slab)) {
        ids_slab_fini(&shard->slab);
        return false;
    }
    if (!ids_waiters_init(&shard->waiters, &shard->budget, config->waiters_max,
                          config->waiters_per_key_max, &config->mix_key)) {
        ids_table_fini(&shard->table);
        ids_slab_fini(&shard->slab);
        return false;
    }
    ids_wheel_init(&shard->wheel, &shard->slab);
    return true;
}

static void parts_fini(ids_shard *shard) {
    ids_quota_fini(shard);
    ids_waiters_fini(&shard->waiters);
    ids_table_fini(&shard->table);
    ids_slab_fini(&shard->slab);
}

static bool limits_init(ids_shard *shard) {
    const ids_shard_config *config = &shard->config;
    if (config->ledger == NULL ||
        ids_shard_set_limits(shard, config->limits, config->ledger, 0))
        return true;
    parts_fini(shard);
    return false;
}

ids_shard *ids_shard_new(const ids_shard_config *config) {
    ids_shard *shard;
    size_t takes;
    assert(config->mem.alloc != NULL && config->mem.free != NULL);
    assert(config->hash != NULL);
    assert(config->result_bytes_max <= IDS_RECORD_RESULT_BYTES_MAX);
    if (config->memory_bytes_max < sizeof *shard)
        return NULL;
    shard = config->mem.alloc(config->mem.ctx, sizeof *shard);
    if (shard == NULL)
        return NULL;
    memset(shard, 0, sizeof *shard);
    shard->config = *config;
    shard->sequence = config->sequence;
    ids_budget_init(&shard->budget, &config->mem, config->pool,
                    config->memory_bytes_max);
    takes = ids_budget_takes(&shard->budget, sizeof *shard);
    if (ids_budget_lease(&shard->budget, takes)) {
        shard->budget.used_bytes = takes;
        if (parts_init(shard) && limits_init(shard))
            return shard;
        ids_budget_close(&shard->budget);
    }
    config->mem.free(config->mem.ctx, shard, sizeof *shard);
    return NULL;
}

void ids_shard_free(ids_shard *shard) {
    ids_mem mem;
    if (shard == NULL)
        return;
    parts_fini(shard);
    ids_budget_close(&shard->budget);
    mem = shard->config.mem;
    mem.free(mem.ctx, shard, sizeof *shard);
}

static ids_call call_of(const ids_waiter *waiter, uint64_t now_ms) {
    return (ids_call){.request = &waiter->request,
                      .hash = waiter->queue->hash,
                      .now_ms = now_ms,
                      .asker = waiter->asking->asker,
                      .by = waiter->by};
}

/* The record that the queue waits for; NULL when it is gone. */
static ids_record *queued_record_of(const ids_shard *shard,
                                    const ids_queue *queue) {
    ids_place place;
    return ids_table_find(&shard->table, queue->hash, queue->ns, queue->key,
                          &place);
}

uint64_t ids_shard_waited_ms(const ids_shard *shard) {
    return shard->waited_ms;
}

static void wake_waiters(ids_shard *shard, const ids_waiter *waiter,
                         idp_error error, const idp_answer *answer) {
    assert((error == IDP_OK) == (answer != NULL));
    assert(answer == NULL || answer->outcome < IDP_OUTCOME_COUNT);
    assert(!waiter->asking->gone);
    if (answer != NULL)
        shard->counted.outcomes[answer->outcome]++;
    uint64_t since_ms = waiter->timer.due_ms - waiter->request.wait_ms;
    shard->waited_ms = shard->now_ms > since_ms ? shard->now_ms - since_ms : 0;
    shard->config.on_wake(shard->config.wake_ctx, waiter->asking->asker,
                          waiter->request.msgid, error, answer);
}

static void count_work(const ids_shard *shard) {
    if (shard->config.work != NULL)
        ++*shard->config.work;
}

/* Asks for a waiter again; false: it would have to wait on. */
static bool ask_again(ids_shard *shard, const ids_waiter *waiter,
                      uint64_t now_ms) {
    ids_call call = call_of(waiter, now_ms);
    idp_answer answer = {.outcome = IDP_OUTCOME_COUNT};
    idp_error error = IDP_OK;
    count_work(shard);
    if (waiter->asking->gone)
        return true;
    ids_verdict verdict = ids_claims_acquire(shard, &call, &answer, &error);
    if (verdict == IDS_PARKED)
        return false;
    wake_waiters(shard, waiter, error,
                 verdict == IDS_ANSWERED ? &answer : NULL);
    return true;
}

/* False: the queue is gone. From its end, so that those whose waits end last go
 * first: nobody's place in the heap of deadlines moves for them. */
static bool take_answered(ids_waiters *waiters, ids_queue *queue) {
    ids_waiter *prev;
    bool queue_gone = false;
    assert(queue->first != NULL && queue->last != NULL);
    for (ids_waiter *waiter = queue->last; waiter != NULL; waiter = prev) {
        prev = waiter->prev;
        if (waiter->answered)
            ids_waiters_remove(waiters, waiter, &queue_gone);
    }
    return !queue_gone;
}

/* Asks again for everyone in the queue, in parking order: whoever would be
 * answered now is; whoever would have to wait goes on waiting. That is all
 * there is to a release, a complete and a lease's end. False: the queue is
 * gone. */
static bool settle(ids_shard *shard, ids_queue *queue, uint64_t now_ms) {
    const ids_record *record;
    assert(queue->count > 0);
    for (ids_waiter *waiter = queue->first; waiter; waiter = waiter->next)
        waiter->answered = ask_again(shard, waiter, now_ms);
    if (!take_answered(&shard->waiters, queue))
        return false;
    record = queued_record_of(shard, queue);
    assert(record != NULL && record->state == IDP_STATE_IN_PROGRESS);
    ids_waiters_lease(&shard->waiters, queue, ids_record_lease_end_ms(record));
    return true;
}

/* A wait is over: in_progress, as of its end. Where a turn came late, that is
 * before the present claim began, which then is what counts. False: with it
 * its queue is gone. */
static bool wait_over(ids_shard *shard, ids_waiter *waiter) {
    const ids_record *record = queued_record_of(shard, waiter->queue);
    uint64_t as_of_ms = waiter->timer.due_ms;
    idp_answer answer = {.outcome = IDP_OUTCOME_COUNT};
    bool queue_gone;
    assert(waiter->timer.kind == IDS_TIMER_WAIT);
    count_work(shard);
    assert(record != NULL && record->state == IDP_STATE_IN_PROGRESS);
    if (as_of_ms < record->restart_ms)
        as_of_ms = record->restart_ms;
    ids_claims_in_progress(record, as_of_ms, &answer);
    if (!waiter->asking->gone)
        wake_waiters(shard, waiter, IDP_OK, &answer);
    ids_waiters_remove(&shard->waiters, waiter, &queue_gone);
    return !queue_gone;
}

/* What is due, in its order, until so many waiters were looked at; a queue is
 * not left in its middle. */
static void fire_timers(ids_shard *shard, uint64_t now_ms, uint32_t max) {
    ids_timer *timer;
    uint32_t looked_at = 0;
    while (looked_at < max &&
           (timer = ids_heap_first(&shard->waiters.heap)) != NULL &&
           timer->due_ms <= now_ms) {
        if (timer->kind == IDS_TIMER_LEASE) {
            looked_at += ((ids_queue *)timer)->count;
            settle(shard, (ids_queue *)timer, now_ms);
        } else {
            looked_at++;
            wait_over(shard, (ids_waiter *)timer);
        }
    }
}

/* The waits in the queue that ended before this. False: the queue is gone. */
static bool waits_over(ids_shard *shard, ids_queue *queue, uint64_t end_ms) {
    ids_waiter *next;
    for (ids_waiter *waiter = queue->first; waiter != NULL; waiter = next) {
        next = waiter->next;
        if (waiter->timer.due_ms < end_ms && !wait_over(shard, waiter))
            return false;
    }
    return true;
}

/* What is due for one key: before its record is looked at, whatever else waits
 * for its turn. */
static void catch_up(ids_shard *shard, ids_queue *queue, uint64_t now_ms) {
    uint64_t lease_end_ms = queue->timer.due_ms;
    if (lease_end_ms <= now_ms && (!waits_over(shard, queue, lease_end_ms) ||
                                   !settle(shard, queue, now_ms)))
        return;
    assert(queue->timer.due_ms > now_ms);
    waits_over(shard, queue, now_ms + 1);
}

static bool timers_are_due(const ids_shard *shard) {
    const ids_timer *timer = ids_heap_first(&shard->waiters.heap);
    return timer != NULL && timer->due_ms <= shard->now_ms;
}

/* After a call that may have ended or moved the lease that others wait for:
 * finds their queue, if there is one. */
static ids_queue *queue_for(ids_shard *shard, const ids_call *call) {
    if (shard->waiters.count == 0)
        return NULL;
    return ids_waiters_queue(&shard->waiters, call->hash, call->request->ns,
                             call->request->key);
}

static ids_verdict park_call(ids_shard *shard, const ids_call *call,
                             idp_error *error) {
    ids_place place;
    const ids_record *record = ids_claims_find(shard, call, &place);
    assert(call->request->wait_ms > 0);
    assert(record != NULL);
    *error = ids_waiters_park(&shard->waiters, call,
                              ids_claims_begin_ms(shard, call->now_ms) +
                                  call->request->wait_ms,
                              ids_record_lease_end_ms(record));
    if (*error == IDP_OK)
        return IDS_PARKED;
    shard->limited = (ids_limited){.limit = IDS_LIMIT_NONE};
    if (*error == IDP_E_LIMIT)
        shard->counted.refused_limit++;
    else
        shard->counted.refused_no_memory++;
    return IDS_REFUSED;
}

/* The lease of a claim that others wait for was counted anew. */
static void follow_lease(ids_shard *shard, const ids_call *call) {
    ids_queue *queue = queue_for(shard, call);
    if (queue == NULL)
        return;
    const ids_record *record = queued_record_of(shard, queue);
    assert(record != NULL && record->state == IDP_STATE_IN_PROGRESS);
    ids_waiters_lease(&shard->waiters, queue, ids_record_lease_end_ms(record));
}

static ids_verdict acquire(ids_shard *shard, const ids_call *call,
                           idp_answer *answer, idp_error *error) {
    ids_verdict verdict;
    if (shard->quota != NULL &&
        !ids_quota_allows_ttl(shard, call->request, error))
        return IDS_REFUSED;
    verdict = ids_claims_acquire(shard, call, answer, error);
    if (verdict == IDS_PARKED)
        return park_call(shard, call, error);
    if (verdict == IDS_ANSWERED && answer->outcome == IDP_OUTCOME_ACQUIRED)
        follow_lease(shard, call);
    return verdict;
}

static void settle_after(ids_shard *shard, const ids_call *call) {
    ids_queue *queue = queue_for(shard, call);
    if (queue != NULL)
        settle(shard, queue, call->now_ms);
}

static ids_verdict resolve_record(ids_shard *shard, const ids_call *call,
                                  idp_answer *answer, idp_error *error) {
    uint64_t changes = shard->counted.changes;
    ids_verdict verdict = ids_claims_resolve(shard, call, answer, error);
    if (shard->counted.changes != changes)
        settle_after(shard, call);
    /* What complete and release count is said by nobody else. */
    if (verdict == IDS_ANSWERED && answer->outcome != IDP_OUTCOME_COMPLETED &&
        answer->outcome != IDP_OUTCOME_RELEASED)
        shard->counted.outcomes[answer->outcome]++;
    return verdict;
}

static void advance(ids_shard *shard, uint64_t now_ms) {
    assert(now_ms >= shard->now_ms && now_ms <= IDS_NOW_MS_MAX);
    shard->now_ms = now_ms;
    if (shard->following)
        shard->floor_ms = ids_claims_begin_ms(shard, now_ms);
    if (shard->waiters.count > 0)
        fire_timers(shard, now_ms, IDS_TIMERS_A_CALL);
}

/* More is due than one call deals with: what concerns its key comes first. */
static void catch_up_for(ids_shard *shard, const ids_call *call) {
    ids_queue *queue = queue_for(shard, call);
    if (queue != NULL)
        catch_up(shard, queue, call->now_ms);
}

ids_verdict ids_shard_call(ids_shard *shard, const ids_call *call,
                           idp_answer *answer, idp_error *error) {
    ids_verdict verdict = IDS_ANSWERED;
    advance(shard, call->now_ms);
    if (shard->waiters.count > 0 && timers_are_due(shard))
        catch_up_for(shard, call);
    *error = IDP_OK;
    switch ((int)call->request->method) {
    case IDP_ACQUIRE:
        verdict = acquire(shard, call, answer, error);
        break;
    case IDP_COMPLETE:
        ids_claims_complete(shard, call, answer);
        if (answer->outcome == IDP_OUTCOME_COMPLETED)
            settle_after(shard, call);
        break;
    case IDP_RELEASE:
        ids_claims_release(shard, call, answer);
        if (answer->outcome == IDP_OUTCOME_RELEASED)
            settle_after(shard, call);
        break;
    case IDP_RENEW:
        ids_claims_renew(shard, call, answer);
        if (answer->outcome == IDP_OUTCOME_RENEWED)
            follow_lease(shard, call);
        break;
    case IDP_PEEK:
        ids_claims_peek(shard, call, answer);
        break;
    case IDP_RESOLVE:
    case IDP_ERASE:
        return resolve_record(shard, call, answer, error);
    default:
        assert(!"a method of the core");
    }
    if (verdict == IDS_ANSWERED) {
        assert(answer->outcome < IDP_OUTCOME_COUNT);
        shard->counted.outcomes[answer->outcome]++;
    }
    return verdict;
}

void ids_shard_prefetch_bucket(const ids_shard *shard, uint64_t hash) {
    ids_table_prefetch_bucket(&shard->table, hash);
}

void ids_shard_prefetch_record(const ids_shard *shard, uint64_t hash) {
    ids_table_prefetch_record(&shard->table, hash);
}

void ids_shard_forget(ids_shard *shard, ids_asker asker) {
    ids_waiters_forget(&shard->waiters, asker);
    ids_waiters_reap(&shard->waiters, IDS_TIMERS_A_CALL);
}

bool ids_shard_drain(ids_shard *shard, idp_error error, uint32_t max) {
    ids_waiter *waiter;
    bool queue_gone;
    assert(error != IDP_OK);
    while ((waiter = ids_waiters_any(&shard->waiters)) != NULL && max-- > 0) {
        if (!waiter->asking->gone)
            wake_waiters(shard, waiter, error, NULL);
        ids_waiters_remove(&shard->waiters, waiter, &queue_gone);
    }
    return waiter == NULL;
}

static bool counts_anew(const ids_shard *shard) {
    return shard->quota != NULL && shard->quota->walks;
}

uint64_t ids_shard_next_ms(const ids_shard *shard) {
    const ids_timer *timer = ids_heap_first(&shard->waiters.heap);
    uint64_t next_ms = ids_wheel_next_ms(&shard->wheel);
    if (shard->waiters.gone != NULL || ids_slab_is_sparse(&shard->slab) ||
        counts_anew(shard))
        return shard->now_ms;
    if (timer != NULL && timer->due_ms < next_ms)
        next_ms = timer->due_ms;
    return next_ms;
}

/* Takes ended records off the wheel, up to a batch, and fetches the buckets
 * that they are in. Returns how many. */
static uint32_t collect_ended(ids_shard *shard, uint32_t *steps, ids_ref *refs,
                              uint64_t *hashes) {
    uint32_t count = 0;
    ids_ref ref;
    while (count < ENDED_BATCH &&
           (ref = ids_wheel_due(&shard->wheel, shard->now_ms, steps)) != 0) {
        ids_record *record = ids_slab_at(&shard->slab, ref);
        if (record->restart_ms < shard->floor_ms &&
            record->state == IDP_STATE_IN_PROGRESS) {
            ids_claims_stretch(shard, record);
            ids_wheel_add(&shard->wheel, ref);
            continue;
        }
        assert(ids_record_ttl_end_ms(record) <= shard->now_ms);
        refs[count] = ref;
        hashes[count] =
            shard->config.hash(shard->config.hash_ctx, ids_record_ns(record),
                               ids_record_key(record));
        ids_table_prefetch_bucket(&shard->table, hashes[count]);
        count++;
    }
    return count;
}

void ids_shard_tick(ids_shard *shard, uint64_t now_ms, uint32_t steps_max) {
    ids_ref refs[ENDED_BATCH];
    uint64_t hashes[ENDED_BATCH];
    uint32_t steps = steps_max, count, i;
    advance(shard, now_ms);
    ids_waiters_reap(&shard->waiters, IDS_TIMERS_A_CALL);
    if (timers_are_due(shard))
        return;
    while ((count = collect_ended(shard, &steps, refs, hashes)) > 0)
        for (i = 0; i < count; i++)
            ids_claims_expire(shard, hashes[i], refs[i]);
    if (counts_anew(shard))
        ids_quota_walk(shard, steps_max / 4 + 1);
    /* Not while more is due: what is moved now might end next. */
    if (steps > 0 && ids_slab_is_sparse(&shard->slab))
        ids_claims_empty(shard, steps_max / 2 + 1, false);
}
