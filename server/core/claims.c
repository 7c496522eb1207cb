/* SPDX-License-Identifier: Apache-2.0 */
/* claims.c -- the state machine: what one call does to one record.
 *
 * Pure. Each function is a few rows of the state machine's table: the state as
 * of now, the call, the answer (tests/conformance has a story for each row).
 * Waiters are shard.c's business. */
#include "server/core/claims.h"

#include <assert.h>

#define BIT(state) (1u << IDP_STATE_##state)

/* Where a stored state may go; in_progress to itself is a renewal, a repeated
 * acquire or a takeover. */
static const uint8_t successors[IDP_STATE_COUNT] = {
    [IDP_STATE_ABSENT] = BIT(IN_PROGRESS),
    [IDP_STATE_IN_PROGRESS] = BIT(IN_PROGRESS) | BIT(COMPLETED) | BIT(RELEASED),
    [IDP_STATE_RELEASED] = BIT(IN_PROGRESS),
};

static void move(ids_shard *shard, ids_record *record, idp_state to) {
    assert(successors[record->state] & (1u << to));
    if (record->ns_number != IDS_NS_NONE)
        ids_quota_moves(shard, record, to);
    if (to != IDP_STATE_IN_PROGRESS)
        ids_record_set_by(record, 0);
    record->state = to;
}

static void emit(ids_shard *shard, const ids_record *record,
                 idp_event_kind kind) {
    ids_change change;
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

void ids_claims_drop(ids_shard *shard, uint64_t hash, ids_ref ref) {
    ids_claims_unname(shard, ids_slab_at(&shard->slab, ref));
    ids_quota_uncount(shard, ids_slab_at(&shard->slab, ref));
    ids_table_remove(&shard->table, hash, ref);
    ids_slab_free(&shard->slab, ref);
}

void ids_claims_expire(ids_shard *shard, uint64_t hash, ids_ref ref) {
    const ids_record *record = ids_slab_at(&shard->slab, ref);
    assert(ids_record_ttl_end_ms(record) <= shard->now_ms);
    if (record->state == IDP_STATE_IN_PROGRESS)
        emit(shard, record, IDP_EVENT_EXPIRED);
    ids_claims_drop(shard, hash, ref);
    shard->counted.expired++;
}

static inline ids_record *find_record(ids_shard *shard, const ids_call *call,
                                      ids_place *place) {
    const idp_request *request = call->request;
    ids_record *record = ids_table_find(&shard->table, call->hash, request->ns,
                                        request->key, place);
    if (record == NULL)
        return NULL;
    ids_claims_stretch(shard, record);
    if (ids_record_state(record, call->now_ms) != IDP_STATE_ABSENT)
        return record;
    ids_claims_expire(shard, call->hash, ids_place_ref(*place));
    return NULL;
}

ids_record *ids_claims_find(ids_shard *shard, const ids_call *call,
                            ids_place *place) {
    return find_record(shard, call, place);
}

/* Lets lease and retention count from now. The wheel need not know, unless
 * the end came nearer. */
static void restart(ids_shard *shard, ids_place place, ids_record *record,
                    uint64_t ttl_ms) {
    uint64_t end_ms = ids_record_ttl_end_ms(record);
    uint64_t begin_ms = ids_claims_begin_ms(shard, shard->now_ms);
    record->restart_ms = begin_ms;
    record->ttl_ms = ttl_ms;
    if (begin_ms + ttl_ms < end_ms)
        ids_wheel_add(&shard->wheel, ids_place_ref(place));
}

/* Gives the call's record a slot of at least this size. NULL: no memory, it is
 * as it was; place is where it stands in either case. */
static ids_record *resize(ids_shard *shard, const ids_call *call,
                          ids_place *place, size_t bytes) {
    ids_record *record = ids_slab_at(&shard->slab, ids_place_ref(*place));
    ids_record *moved;
    ids_ref ref;
    if (bytes <= ids_slab_slot_bytes(&shard->slab, ids_place_ref(*place)))
        return record;
    ref = ids_slab_alloc(&shard->slab, bytes);
    if (ref == 0) {
        ref = ids_claims_alloc(shard, bytes);
        record = ids_table_find(&shard->table, call->hash, call->request->ns,
                                call->request->key, place);
        assert(record != NULL);
    }
    if (ref == 0)
        return NULL;
    moved = ids_slab_at(&shard->slab, ref);
    memcpy(moved, record, ids_record_bytes(record));
    ids_slab_free(&shard->slab, ids_place_ref(*place));
    ids_place_set(*place, ref);
    ids_wheel_add(&shard->wheel, ref);
    return moved;
}

/* The name under which the next claim is granted. */
static ids_naming next_naming(ids_shard *shard, uint32_t attempt) {
    idp_token token = {shard->config.epoch, shard->sequence + 1};
    return ids_claims_naming(shard, token, attempt);
}

/* Makes the asker the holder, under a new token. The record's lengths are
 * set. */
static void hold(ids_shard *shard, ids_record *record,
                 const idp_request *request, idp_previous previous,
                 const ids_naming *naming) {
    assert(naming->token.sequence == shard->sequence + 1);
    move(shard, record, IDP_STATE_IN_PROGRESS);
    record->since_ms = shard->now_ms;
    record->lease_ms = request->lease_ms;
    record->previous = previous;
    record->class = IDP_CLASS_SUCCESS;
    record->has_result = false;
    shard->sequence++;
    ids_claims_name(shard, record, naming);
}

static ids_verdict refuse_claim(ids_shard *shard, idp_error *error) {
    shard->counted.refused_no_memory++;
    shard->limited = (ids_limited){.limit = IDS_LIMIT_NONE};
    *error = IDP_E_NO_MEMORY;
    return IDS_REFUSED;
}

static ids_verdict refuse_admitted(ids_shard *shard, uint32_t number,
                                   idp_error *error) {
    ids_quota_undo(shard, number);
    return refuse_claim(shard, error);
}

/* A slot in the table for the call's record. 0: no memory. */
static ids_ref new_slot(ids_shard *shard, const ids_call *call, size_t bytes) {
    ids_ref ref = ids_claims_alloc(shard, bytes);
    if (ref == 0 || ids_table_insert(&shard->table, call->hash, ref))
        return ref;
    ids_slab_free(&shard->slab, ref);
    return 0;
}

static ids_verdict grant_first(ids_shard *shard, const ids_call *call,
                               idp_answer *answer, idp_error *error) {
    const idp_request *request = call->request;
    ids_naming naming = next_naming(shard, 1);
    size_t bytes = IDS_RECORD_HEAD_BYTES + request->ns.len + request->key.len +
                   request->fingerprint.len + request->nonce.len;
    uint32_t number = IDS_NS_NONE;
    ids_record *record;
    ids_ref ref;
    uint8_t *at;
    if (shard->quota != NULL) {
        number = ids_quota_admit(
            shard, request->ns,
            bytes - IDS_RECORD_HEAD_BYTES + IDS_RECORD_COUNTED_BYTES, error);
        if (number == IDS_NS_NONE)
            return IDS_REFUSED;
    }
    ref = new_slot(shard, call, bytes + naming.extra_bytes);
    if (ref == 0)
        return refuse_admitted(shard, number, error);
    record = ids_slab_at(&shard->slab, ref);
    memset(record, 0, IDS_RECORD_HEAD_BYTES);
    record->ns_len = request->ns.len;
    record->key_len = request->key.len;
    record->fingerprint_len = request->fingerprint.len;
    record->nonce_len = request->nonce.len;
    at = ids_append(record->bytes, request->ns);
    at = ids_append(at, request->key);
    at = ids_append(at, request->fingerprint);
    ids_append(at, request->nonce);
    if (number != IDS_NS_NONE)
        ids_quota_enter(shard, number, record);
    hold(shard, record, request, IDP_PREVIOUS_NONE, &naming);
    ids_record_set_by(record, call->by);
    record->restart_ms = ids_claims_begin_ms(shard, shard->now_ms);
    record->ttl_ms = request->ttl_ms;
    ids_wheel_add(&shard->wheel, ref);
    emit(shard, record, IDP_EVENT_ACQUIRED);
    ids_claims_acquired(record, naming.token, naming.attempt, answer);
    return IDS_ANSWERED;
}

/* A claim on a record whose last holder is gone. The fingerprint that is
 * bound stays; where none is, the new claim's is bound. */
static ids_verdict grant_next(ids_shard *shard, ids_place place,
                              const ids_call *call, idp_answer *answer,
                              idp_error *error) {
    const idp_request *request = call->request;
    ids_record *record = ids_slab_at(&shard->slab, ids_place_ref(place));
    idp_previous previous = record->state == IDP_STATE_RELEASED
                                ? IDP_PREVIOUS_RELEASED
                                : IDP_PREVIOUS_ORPHANED;
    ids_naming naming = next_naming(shard, ids_record_attempt(record) + 1);
    bool binds = record->fingerprint_len == 0;
    size_t counted = shard->quota != NULL ? ids_quota_bytes(record) : 0;
    uint32_t number = IDS_NS_NONE;
    size_t bytes = IDS_RECORD_HEAD_BYTES + record->ns_len + record->key_len +
                   request->nonce.len + naming.extra_bytes +
                   (binds ? request->fingerprint.len : record->fingerprint_len);
    uint8_t *at;
    assert(record->state == IDP_STATE_RELEASED ||
           ids_record_state(record, shard->now_ms) == IDP_STATE_ORPHANED);
    if (shard->quota != NULL) {
        number = ids_quota_admit_next(shard, request->ns, error);
        if (number == IDS_NS_NONE)
            return IDS_REFUSED;
    }
    record = resize(shard, call, &place, bytes);
    if (record == NULL)
        return refuse_admitted(shard, number, error);
    ids_claims_unname(shard, record);
    at = record->bytes + record->ns_len + record->key_len;
    if (binds) {
        ids_append(at, request->fingerprint);
        record->fingerprint_len = request->fingerprint.len;
    }
    ids_append(at + record->fingerprint_len, request->nonce);
    record->nonce_len = request->nonce.len;
    hold(shard, record, request, previous, &naming);
    ids_record_set_by(record, call->by);
    ids_quota_recount(shard, record, counted);
    restart(shard, place, record, request->ttl_ms);
    emit(shard, record, IDP_EVENT_ACQUIRED);
    ids_claims_acquired(record, naming.token, naming.attempt, answer);
    return IDS_ANSWERED;
}

/* Lease and retention anew: in_progress again where it was orphaned. */
static void extend(ids_shard *shard, ids_place place, ids_record *record,
                   uint32_t lease_ms, uint64_t ttl_ms) {
    if (ids_record_state(record, shard->now_ms) == IDP_STATE_ORPHANED)
        record->since_ms = shard->now_ms;
    move(shard, record, IDP_STATE_IN_PROGRESS);
    record->lease_ms = lease_ms;
    restart(shard, place, record, ttl_ms);
    emit(shard, record, IDP_EVENT_RENEWED);
}

static ids_verdict acquire_orphaned(ids_shard *shard, ids_place place,
                                    const ids_call *call, idp_answer *answer,
                                    idp_error *error) {
    const ids_record *record = ids_slab_at(&shard->slab, ids_place_ref(place));
    assert(ids_record_state(record, call->now_ms) == IDP_STATE_ORPHANED);
    if (call->request->on_orphan == IDP_TAKEOVER)
        return grant_next(shard, place, call, answer, error);
    answer->outcome = IDP_OUTCOME_ORPHANED;
    answer->age_ms = ids_record_age_ms(record, call->now_ms);
    answer->attempt = ids_record_attempt(record);
    return IDS_ANSWERED;
}

ids_verdict ids_claims_acquire(ids_shard *shard, const ids_call *call,
                               idp_answer *answer, idp_error *error) {
    const idp_request *request = call->request;
    ids_place place;
    ids_record *record = find_record(shard, call, &place);
    idp_state state;
    if (record == NULL)
        return grant_first(shard, call, answer, error);
    state = ids_record_state(record, call->now_ms);
    if (ids_record_mismatches(record, request->fingerprint)) {
        answer->outcome = IDP_OUTCOME_MISMATCH;
        answer->state = state;
        return IDS_ANSWERED;
    }
    if (record->state == IDP_STATE_IN_PROGRESS &&
        ids_record_repeats(record, request->nonce)) {
        ids_record_set_by(record, call->by);
        extend(shard, place, record, request->lease_ms, request->ttl_ms);
        ids_claims_acquired(record, ids_record_token(&shard->prefixes, record),
                            ids_record_attempt(record), answer);
        return IDS_ANSWERED;
    }
    switch (state) {
    case IDP_STATE_IN_PROGRESS:
        if (request->wait_ms > 0)
            return IDS_PARKED;
        ids_claims_in_progress(record, call->now_ms, answer);
        return IDS_ANSWERED;
    case IDP_STATE_ORPHANED:
        return acquire_orphaned(shard, place, call, answer, error);
    case IDP_STATE_RELEASED:
        return grant_next(shard, place, call, answer, error);
    case IDP_STATE_COMPLETED:
        ids_claims_replay(record, call->now_ms, answer);
        return IDS_ANSWERED;
    case IDP_STATE_ABSENT:
    case IDP_STATE_COUNT:
        break;
    }
    assert(!"a record that is there is in a state");
    return IDS_ANSWERED;
}

/* The record, if the call's token is its current one and the claim is still
 * held or was ended by just this kind of call (the first reply was lost);
 * else NULL and the answer: unknown, or stale with the state. */
static inline ids_record *held_by(ids_shard *shard, const ids_call *call,
                                  idp_state done, idp_answer *answer,
                                  ids_place *place) {
    ids_record *record = find_record(shard, call, place);
    const idp_token *token = &call->request->token;
    idp_token its;
    if (record == NULL) {
        answer->outcome = IDP_OUTCOME_UNKNOWN;
        shard->counted.unknown[call->request->method - IDP_COMPLETE]++;
        return NULL;
    }
    its = ids_record_token(&shard->prefixes, record);
    if (its.epoch == token->epoch && its.sequence == token->sequence &&
        (record->state == IDP_STATE_IN_PROGRESS || record->state == done))
        return record;
    answer->outcome = IDP_OUTCOME_STALE;
    shard->counted.stale[call->request->method - IDP_COMPLETE]++;
    answer->state = ids_record_state(record, call->now_ms);
    return NULL;
}

/* Stores the result if it may be and can be. */
static ids_record *keep_result(ids_shard *shard, ids_place *place,
                               ids_record *record, const ids_call *call,
                               size_t counted) {
    const idp_request *request = call->request;
    idp_slice result = request->result;
    ids_record *roomy = NULL;
    assert(!record->has_result);
    if (result.ptr == NULL && !request->result_too_large)
        return record;
    if (!request->result_too_large &&
        result.len <= shard->config.result_bytes_max &&
        (shard->quota == NULL ||
         ids_quota_keeps(shard, record, result.len, counted)))
        roomy =
            resize(shard, call, place, ids_record_bytes(record) + result.len);
    if (roomy == NULL) {
        shard->counted.results_dropped++;
        return ids_slab_at(&shard->slab, ids_place_ref(*place));
    }
    ids_append(roomy->bytes + roomy->ns_len + roomy->key_len +
                   roomy->fingerprint_len,
               result);
    roomy->has_result = true;
    return roomy;
}

/* Ends the claim with what the holder says. */
static ids_record *finish_claim(ids_shard *shard, const ids_call *call,
                                ids_place place, ids_record *record,
                                idp_answer *answer) {
    const idp_request *request = call->request;
    ids_spelled name = {0};
    uint64_t ttl_ms = request->ttl_ms != 0 ? request->ttl_ms : record->ttl_ms;
    size_t counted = shard->quota != NULL ? ids_quota_bytes(record) : 0;
    if (record->spelled)
        name = ids_record_spelled(record);
    ids_record_drop_nonce(record);
    record = keep_result(shard, &place, record, call, counted);
    move(shard, record, IDP_STATE_COMPLETED);
    record->lease_ms = record->has_result ? request->result.len : 0;
    if (record->spelled) /* behind the result */
        ids_record_spell(record, &name);
    record->class = request->class;
    record->since_ms = shard->now_ms;
    if (shard->quota != NULL)
        ttl_ms = ids_quota_completed(shard, record, ttl_ms, counted);
    restart(shard, place, record, ttl_ms);
    emit(shard, record, IDP_EVENT_COMPLETED);
    answer->kept = record->has_result;
    return record;
}

void ids_claims_complete(ids_shard *shard, const ids_call *call,
                         idp_answer *answer) {
    ids_place place;
    ids_record *record =
        held_by(shard, call, IDP_STATE_COMPLETED, answer, &place);
    if (record == NULL)
        return;
    answer->outcome = IDP_OUTCOME_COMPLETED;
    answer->kept = record->has_result;
    answer->ttl_ms = 0;
    if (record->state != IDP_STATE_COMPLETED)
        record = finish_claim(shard, call, place, record, answer);
    if (shard->quota != NULL)
        answer->ttl_ms = ids_quota_said_ttl_ms(shard, record, call->request);
}

void ids_claims_release(ids_shard *shard, const ids_call *call,
                        idp_answer *answer) {
    ids_place place;
    ids_record *record =
        held_by(shard, call, IDP_STATE_RELEASED, answer, &place);
    if (record == NULL)
        return;
    answer->outcome = IDP_OUTCOME_RELEASED;
    if (record->state == IDP_STATE_RELEASED)
        return; /* the first reply was lost */
    if (call->request->unbind) {
        emit(shard, record, IDP_EVENT_DELETED);
        ids_claims_drop(shard, call->hash, ids_place_ref(place));
    } else {
        size_t counted = ids_quota_bytes(record);
        move(shard, record, IDP_STATE_RELEASED);
        ids_record_drop_nonce(record);
        ids_quota_recount(shard, record, counted);
        record->since_ms = shard->now_ms;
        restart(shard, place, record, record->ttl_ms);
        emit(shard, record, IDP_EVENT_RELEASED);
    }
}

void ids_claims_renew(ids_shard *shard, const ids_call *call,
                      idp_answer *answer) {
    uint32_t lease_ms = call->request->lease_ms;
    ids_place place;
    ids_record *record =
        held_by(shard, call, IDP_STATE_IN_PROGRESS, answer, &place);
    if (record == NULL)
        return;
    if (lease_ms > record->ttl_ms)
        lease_ms = (uint32_t)record->ttl_ms;
    assert(lease_ms <= record->ttl_ms);
    extend(shard, place, record, lease_ms, record->ttl_ms);
    answer->outcome = IDP_OUTCOME_RENEWED;
    answer->lease_ms = lease_ms;
}
