/* SPDX-License-Identifier: Apache-2.0 */
/* mutant.c -- see mutant.h. */
#include "tests/sim/mutant.h"

const char *const mutant_names[MUTANT_COUNT] = {
#define X(name, text) [MUTANT_##name] = text,
    MUTANTS(X)
#undef X
};

/* Faults that lie in not reading a parameter. */
static void spoil_request(mutant m, idp_request *q) {
    switch (m) {
    case MUTANT_IGNORES_FINGERPRINT:
        q->fingerprint.len = 0;
        break;
    case MUTANT_IGNORES_NONCE:
        q->nonce.len = 0;
        break;
    case MUTANT_IGNORES_ON_ORPHAN:
        q->on_orphan = IDP_TAKEOVER;
        break;
    case MUTANT_IGNORES_CLASS:
        q->class = IDP_CLASS_SUCCESS;
        break;
    case MUTANT_IGNORES_UNBIND:
        q->unbind = false;
        break;
    case MUTANT_IGNORES_WAIT:
        q->wait_ms = 0;
        break;
    case MUTANT_IGNORES_COMPLETE_TTL:
        q->ttl_ms = q->method == IDP_COMPLETE ? 0 : q->ttl_ms;
        break;
    case MUTANT_LEASE_TOO_LONG:
        q->lease_ms = q->lease_ms < q->ttl_ms ? q->lease_ms + 1 : q->lease_ms;
        break;
    case MUTANT_TTL_TOO_LONG:
        q->ttl_ms += q->ttl_ms > 0 && q->ttl_ms < IDP_TTL_MS_MAX;
        break;
    case MUTANT_RESULT_CUT:
        q->result.len -= q->result.len > 4;
        break;
    default:
        break;
    }
}

/* Faults that lie in the answer. */
static void spoil_answer(mutant m, const idp_request *q, idp_answer *a) {
    bool acquired = a->outcome == IDP_OUTCOME_ACQUIRED;
    if (m == MUTANT_GRANTS_TWICE && a->outcome == IDP_OUTCOME_IN_PROGRESS) {
        *a = (idp_answer){.outcome = IDP_OUTCOME_ACQUIRED,
                          .token = {1, 1},
                          .attempt = a->attempt + 1,
                          .lease_ms = q->lease_ms};
    } else if (m == MUTANT_ACCEPTS_STALE && q->method == IDP_RENEW &&
               a->outcome == IDP_OUTCOME_STALE) {
        *a = (idp_answer){.outcome = IDP_OUTCOME_RENEWED,
                          .lease_ms = q->lease_ms};
    } else if (m == MUTANT_ATTEMPT_STUCK && acquired) {
        a->attempt = 1;
    } else if (m == MUTANT_TOKEN_SHRINKS && acquired) {
        a->token.sequence = UINT32_MAX - a->token.sequence;
    }
}

/* Faults of resolve. */
void mutant_decision(mutant m, ids_shard *shard, const ids_call *call,
                     idp_request *q) {
    if (m == MUTANT_RESOLVES_ANEW) {
        q->nonce.len = 0;
    } else if (m == MUTANT_NEEDS_NO_FORCE) {
        q->force = true;
    } else if (m == MUTANT_NO_TAKEOVER && q->force &&
               q->verb != IDP_VERB_DELETE) {
        q->method = q->verb == IDP_VERB_COMPLETE ? IDP_COMPLETE : IDP_RELEASE;
    } else if (m == MUTANT_COMPLETES_OVER && q->verb == IDP_VERB_COMPLETE) {
        idp_request delete = *q;
        ids_call first = *call;
        idp_answer answer;
        idp_error error;
        delete.verb = IDP_VERB_DELETE;
        delete.force = true;
        delete.nonce.len = 0;
        first.request = &delete;
        ids_shard_call(shard, &first, &answer, &error);
    }
}

ids_verdict mutant_call(mutant m, ids_shard *shard, const ids_call *call,
                        idp_answer *answer, idp_error *error) {
    idp_request q = *call->request;
    ids_call spoiled = *call;
    spoiled.request = &q;
    spoil_request(m, &q);
    if (q.method == IDP_RESOLVE) {
        mutant_decision(m, shard, &spoiled, &q);
    }
    bool left_out = m == MUTANT_FORGETS_A_COMPLETE &&
                    q.method == IDP_COMPLETE && (q.msgid & 7) == 0;
    if (left_out) {
        q.method = IDP_PEEK;
    }
    ids_verdict verdict = ids_shard_call(shard, &spoiled, answer, error);
    if (left_out && answer->state == IDP_STATE_IN_PROGRESS) {
        *answer = (idp_answer){.outcome = IDP_OUTCOME_COMPLETED,
                               .kept = q.result.ptr != NULL};
    }
    if (verdict == IDS_ANSWERED) {
        spoil_answer(m, call->request, answer);
    }
    return verdict;
}

void mutant_forget(mutant m, ids_shard *shard, ids_asker asker) {
    if (m != MUTANT_FORGETS_TO_FORGET) {
        ids_shard_forget(shard, asker);
    }
}

uint64_t mutant_next_ms(mutant m, const ids_shard *shard) {
    uint64_t next = ids_shard_next_ms(shard);
    bool over = m == MUTANT_SLEEPS_TOO_LONG && next < UINT64_MAX - 8;
    return over ? next + 8 : next;
}
