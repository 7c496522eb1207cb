/* SPDX-License-Identifier: Apache-2.0 */
/* resolve.c -- an operator decides what became of a claim.
 *
 * Pure. Each function is a few rows of resolve's table (proto/README.md). The
 * claim is taken over first, so that its holder's late complete is stale; the
 * answer is kept for who asks again with the same nonce: receipt.h. */
#include "server/core/claims.h"

#include "server/core/receipt.h"

#include <assert.h>

/* Receipts ----------------------------------------------------------------- */

static void put_answer(uint8_t *at, const idp_answer *answer, idp_slice nonce) {
    assert(answer->outcome < IDP_OUTCOME_COUNT);
    assert(nonce.len > 0 && nonce.len <= IDP_NONCE_BYTES_MAX);
    at[0] = (uint8_t)answer->outcome;
    at[1] = answer->kept;
    for (int i = 0; i < 8; i++)
        at[2 + i] = (uint8_t)(answer->ttl_ms >> (56 - 8 * i));
    at[10] = (uint8_t)nonce.len;
    memset(at + 11, 0, IDP_NONCE_BYTES_MAX);
    memcpy(at + 11, nonce.ptr, nonce.len);
}

/* False: it is none, or another nonce's. */
static bool get_answer(const uint8_t *at, idp_slice nonce, idp_answer *answer) {
    if (at[0] >= IDP_OUTCOME_COUNT || at[10] != nonce.len ||
        memcmp(at + 11, nonce.ptr, nonce.len) != 0)
        return false;
    answer->outcome = (idp_outcome)at[0];
    answer->kept = at[1] != 0;
    answer->ttl_ms = 0;
    for (int i = 0; i < 8; i++)
        answer->ttl_ms = answer->ttl_ms << 8 | at[2 + i];
    return true;
}

/* The key's receipt, if there is one and it has not ended. */
static ids_record *find_receipt(ids_shard *shard, const ids_call *call,
                                ids_place *place) {
    uint8_t bytes[IDS_RECEIPT_NS_BYTES];
    assert(call->request->ns.len <= IDP_NS_BYTES_MAX);
    idp_slice ns = ids_receipt_ns(call->request->ns, bytes);
    ids_record *record = ids_table_find(&shard->table, call->hash, ns,
                                        call->request->key, place);
    if (record == NULL ||
        ids_record_state(record, call->now_ms) == IDP_STATE_ABSENT ||
        ids_record_result(record).len != IDS_RECEIPT_BYTES)
        return NULL;
    return record;
}

static bool was_answered(ids_shard *shard, const ids_call *call,
                         idp_answer *answer) {
    ids_place place;
    const ids_record *record;
    if (call->request->nonce.len == 0)
        return false;
    record = find_receipt(shard, call, &place);
    if (record == NULL)
        return false;
    const uint8_t *at = ids_record_result(record).ptr;
    for (int i = 0; i < IDS_RECEIPT_ANSWERS; i++)
        if (get_answer(at + i * IDS_RECEIPT_ANSWER_BYTES, call->request->nonce,
                       answer))
            return true;
    return false;
}

/* Room for the answer, before anything is done. False: no memory. */
static bool prepare_receipt(ids_shard *shard, const ids_call *call) {
    uint8_t bytes[IDS_RECEIPT_NS_BYTES], answers[IDS_RECEIPT_BYTES];
    ids_place place;
    if (call->request->nonce.len == 0 ||
        find_receipt(shard, call, &place) != NULL)
        return true;
    memset(answers, IDS_RECEIPT_NONE, sizeof answers);
    const ids_change receipt = {.ns = ids_receipt_ns(call->request->ns, bytes),
                                .key = call->request->key,
                                .result = {answers, sizeof answers},
                                .has_result = true,
                                .token = {shard->config.epoch, shard->sequence},
                                .state = IDP_STATE_COMPLETED,
                                .attempt = 1,
                                .ttl_ms = IDS_RECEIPT_TTL_MS,
                                .ttl_left_ms = IDS_RECEIPT_TTL_MS};
    return ids_claims_put(shard, call->hash, &receipt, shard->now_ms);
}

static void write_receipt(ids_shard *shard, const ids_call *call,
                          const idp_answer *answer) {
    ids_place place;
    ids_record *record;
    if (call->request->nonce.len == 0)
        return;
    record = find_receipt(shard, call, &place);
    assert(record != NULL);
    uint8_t *at = record->bytes + record->ns_len + record->key_len;
    assert(at == ids_record_result(record).ptr);
    memmove(at + IDS_RECEIPT_ANSWER_BYTES, at,
            IDS_RECEIPT_BYTES - IDS_RECEIPT_ANSWER_BYTES);
    put_answer(at, answer, call->request->nonce);
    record->restart_ms = ids_claims_begin_ms(shard, shard->now_ms);
    record->since_ms = shard->now_ms;
    ids_claims_tell(shard, record, IDP_EVENT_ANY);
}

/* The claim ---------------------------------------------------------------- */

/* The record in a slot with so much room. NULL: no memory. Records may have
 * moved. */
static ids_record *roomy(ids_shard *shard, const ids_call *call,
                         ids_place *place, size_t bytes) {
    ids_record *record = ids_slab_at(&shard->slab, ids_place_ref(*place));
    ids_record *moved;
    ids_ref ref;
    if (bytes <= ids_slab_slot_bytes(&shard->slab, ids_place_ref(*place)))
        return record;
    ref = ids_claims_alloc(shard, bytes);
    if (ref == 0)
        return NULL;
    record = ids_table_find(&shard->table, call->hash, call->request->ns,
                            call->request->key, place);
    assert(record != NULL);
    moved = ids_slab_at(&shard->slab, ref);
    memcpy(moved, record, ids_record_bytes(record));
    ids_slab_free(&shard->slab, ids_place_ref(*place));
    ids_place_set(*place, ref);
    ids_wheel_add(&shard->wheel, ref);
    return moved;
}

/* From now on nobody holds it but this call: another token, no nonce. */
static bool take_over(ids_shard *shard, const ids_call *call, ids_place place,
                      idp_token *token) {
    ids_record *record = ids_slab_at(&shard->slab, ids_place_ref(place));
    const ids_naming naming = ids_claims_naming(
        shard, (idp_token){shard->config.epoch, shard->sequence + 1},
        ids_record_attempt(record) + 1);
    size_t counted = ids_quota_bytes(record);
    assert(record->state == IDP_STATE_IN_PROGRESS && !record->has_result);
    record = roomy(shard, call, &place,
                   ids_record_plain_bytes(record) + naming.extra_bytes);
    if (record == NULL)
        return false;
    ids_record_drop_nonce(record);
    assert(record->nonce_len == 0);
    ids_claims_unname(shard, record);
    ids_claims_name(shard, record, &naming);
    ids_quota_recount(shard, record, counted);
    record->previous = IDP_PREVIOUS_ORPHANED;
    shard->sequence++;
    *token = naming.token;
    return true;
}

/* As the holder would, with the token that it was taken over by. */
static void end_claim(ids_shard *shard, const ids_call *call, idp_token token,
                      idp_answer *answer) {
    idp_request request = *call->request;
    ids_call own = *call;
    own.request = &request;
    assert(token.epoch == shard->config.epoch);
    assert(token.sequence == shard->sequence);
    request.token = token;
    request.nonce = (idp_slice){0};
    if (call->request->verb == IDP_VERB_COMPLETE) {
        request.method = IDP_COMPLETE;
        ids_claims_complete(shard, &own, answer);
        assert(answer->outcome == IDP_OUTCOME_COMPLETED);
        return;
    }
    request.method = IDP_RELEASE;
    request.unbind = call->request->verb == IDP_VERB_DELETE;
    ids_claims_release(shard, &own, answer);
    assert(answer->outcome == IDP_OUTCOME_RELEASED);
    if (request.unbind)
        answer->outcome = IDP_OUTCOME_DELETED;
}

static void delete_record(ids_shard *shard, const ids_call *call,
                          ids_place place, idp_answer *answer) {
    const ids_record *record = ids_slab_at(&shard->slab, ids_place_ref(place));
    assert(record->state == IDP_STATE_COMPLETED ||
           record->state == IDP_STATE_RELEASED);
    assert(call->request->verb == IDP_VERB_DELETE);
    ids_claims_tell(shard, record, IDP_EVENT_DELETED);
    ids_claims_drop(shard, call->hash, ids_place_ref(place));
    answer->outcome = IDP_OUTCOME_DELETED;
}

static ids_verdict refuse_resolve(ids_shard *shard, idp_error *error) {
    shard->counted.refused_no_memory++;
    shard->limited = (ids_limited){.limit = IDS_LIMIT_NONE};
    *error = IDP_E_NO_MEMORY;
    return IDS_REFUSED;
}

/* What there is is allowed: it is done, whole. */
static ids_verdict carry_out_verb(ids_shard *shard, const ids_call *call,
                                  idp_answer *answer, idp_error *error) {
    ids_place place;
    const ids_record *record;
    idp_token token = {0};
    bool good, is_held;
    shard->budget.imports = true; /* an operator makes room, too */
    good = prepare_receipt(shard, call);
    record = ids_claims_find(shard, call, &place); /* it may have moved */
    assert(record != NULL);
    is_held = record->state == IDP_STATE_IN_PROGRESS;
    if (good && is_held)
        good = take_over(shard, call, place, &token);
    shard->budget.imports = false;
    if (!good)
        return refuse_resolve(shard, error);
    if (is_held)
        end_claim(shard, call, token, answer);
    else
        delete_record(shard, call, place, answer);
    write_receipt(shard, call, answer);
    return IDS_ANSWERED;
}

/* Which rows are left: NULL, it is carried out; else the answer. */
static bool is_refused(const idp_request *request, idp_state state,
                       idp_answer *answer) {
    bool given_up = state == IDP_STATE_COMPLETED || state == IDP_STATE_RELEASED;
    answer->state = state;
    if (given_up && request->verb != IDP_VERB_DELETE) {
        answer->outcome = IDP_OUTCOME_STALE;
        return true;
    }
    answer->outcome = IDP_OUTCOME_REFUSED;
    return !request->force &&
           (state == IDP_STATE_IN_PROGRESS || state == IDP_STATE_COMPLETED);
}

/* The record, and what is kept of resolves of its key. */
static void erase(ids_shard *shard, const ids_call *call, idp_answer *answer) {
    ids_place place;
    const ids_record *record = ids_claims_find(shard, call, &place);
    if (record != NULL) {
        answer->outcome = IDP_OUTCOME_DELETED;
        answer->state = ids_record_state(record, call->now_ms);
        assert(answer->state != IDP_STATE_ABSENT);
        ids_claims_tell(shard, record, IDP_EVENT_DELETED);
        ids_claims_drop(shard, call->hash, ids_place_ref(place));
    }
    record = find_receipt(shard, call, &place);
    if (record != NULL) {
        ids_claims_tell(shard, record, IDP_EVENT_DELETED);
        ids_claims_drop(shard, call->hash, ids_place_ref(place));
    }
}

ids_verdict ids_claims_resolve(ids_shard *shard, const ids_call *call,
                               idp_answer *answer, idp_error *error) {
    const idp_request *request = call->request;
    ids_place place;
    const ids_record *record;
    idp_token its;
    idp_state state;
    assert(request->verb < IDP_VERB_COUNT);
    *answer = (idp_answer){.outcome = IDP_OUTCOME_UNKNOWN};
    if (request->method == IDP_ERASE) {
        erase(shard, call, answer);
        return IDS_ANSWERED;
    }
    if (was_answered(shard, call, answer))
        return IDS_ANSWERED;
    record = ids_claims_find(shard, call, &place);
    if (record == NULL)
        return IDS_ANSWERED;
    its = ids_record_token(&shard->prefixes, record);
    state = ids_record_state(record, call->now_ms);
    if (its.epoch != request->token.epoch ||
        its.sequence != request->token.sequence) {
        answer->outcome = IDP_OUTCOME_STALE;
        answer->state = state;
        return IDS_ANSWERED;
    }
    if (is_refused(request, state, answer))
        return IDS_ANSWERED;
    return carry_out_verb(shard, call, answer, error);
}
