/* SPDX-License-Identifier: Apache-2.0 */
/* model.c -- see model.h. Reads beside the table of the state machine, row
 * by row. No cleverness. */
#include "tests/lib/model_inner.h"

#include <assert.h>
#include <stdlib.h>

/* --- records ----------------------------------------------------------- */

static void put_bytes(uint8_t *to, size_t *to_len, idp_slice from) {
    *to_len = from.len;
    if (from.len > 0) {
        memcpy(to, from.ptr, from.len);
    }
}

void idt_drop(idt_model *m, idt_model_record *r) {
    uint32_t at = 0;
    while (m->records[at] != r) {
        at++;
    }
    m->record_count--;
    m->records[at] = m->records[m->record_count];
    free(r->result);
    free(r);
}

/* The live record; one whose retention is over is dropped on the way. */
static idt_model_record *find(idt_model *m, const idp_request *q,
                              uint64_t now) {
    for (uint32_t i = 0; i < m->record_count; i++) {
        idt_model_record *r = m->records[i];
        if (idt_is_of(r, q)) {
            if (idt_state_at(r, now) != IDP_STATE_ABSENT) {
                return r;
            }
            idt_drop(m, r);
            return NULL;
        }
    }
    return NULL;
}

/* Those that are gone make room first; not one that somebody waits for: its
 * end is an event of its own. */
static void make_room(idt_model *m, uint64_t now) {
    for (uint32_t i = m->record_count; i-- > 0;) {
        idt_model_record *r = m->records[i];
        idp_request q = {.ns = {r->ns, r->ns_len}, .key = {r->key, r->key_len}};
        if (idt_state_at(r, now) == IDP_STATE_ABSENT &&
            idt_waiters_of(m, &q) == 0) {
            idt_drop(m, r);
        }
    }
}

static idt_model_record *add(idt_model *m, const idp_request *q, uint64_t now) {
    make_room(m, now);
    assert(m->record_count < IDT_MODEL_RECORDS_MAX);
    idt_model_record *r = calloc(1, sizeof *r);
    assert(r);
    put_bytes(r->ns, &r->ns_len, q->ns);
    put_bytes(r->key, &r->key_len, q->key);
    m->records[m->record_count++] = r;
    return r;
}

static idp_error refuses(const idt_model *m, const idp_request *q) {
    return m->config.refuses ? m->config.refuses(m->config.ctx, q) : IDP_OK;
}

static ids_ns_limits limits_of(const idt_model *m, const idp_request *q) {
    const ids_ns_limits *limits =
        m->config.limits ? m->config.limits(m->config.ctx, q->ns) : NULL;
    return limits ? *limits : ids_ns_limits_none();
}

/* --- answers ----------------------------------------------------------- */

idp_answer idt_acquired(const idt_model_record *r) {
    return (idp_answer){.outcome = IDP_OUTCOME_ACQUIRED,
                        .token = r->token,
                        .attempt = r->attempt,
                        .previous = r->previous,
                        .lease_ms = r->lease_ms};
}

idp_answer idt_replay(const idt_model_record *r, uint64_t now) {
    return (idp_answer){.outcome = IDP_OUTCOME_REPLAY,
                        .has_result = r->result != NULL,
                        .result = {r->result, r->result_len},
                        .class = r->class,
                        .age_ms = idt_age_at(r, now),
                        .ttl_left_ms = r->ttl_end - now};
}

static idp_answer stale(const idt_model_record *r, uint64_t now) {
    return (idp_answer){.outcome = IDP_OUTCOME_STALE,
                        .state = idt_state_at(r, now)};
}

static idp_answer plain(idp_outcome outcome) {
    return (idp_answer){.outcome = outcome};
}

static ids_verdict answer_with(idp_answer a, idp_answer *answer) {
    *answer = a;
    return IDS_ANSWERED;
}

static ids_verdict refuse(idp_error why, idp_error *error) {
    *error = why;
    return IDS_REFUSED;
}

/* --- claims ------------------------------------------------------------ */

static void start_lease(idt_model_record *r, uint64_t lease_ms, uint64_t ttl_ms,
                        uint64_t now) {
    r->lease_ms = lease_ms;
    r->lease_end = now + lease_ms;
    r->ttl_ms = ttl_ms;
    r->ttl_end = now + ttl_ms;
}

/* The fingerprint that is bound stays; where there is none, the asker's is
 * bound. */
idt_model_record *idt_grant(idt_model *m, idt_model_record *r,
                            const idp_request *q, idp_previous previous,
                            uint64_t now) {
    m->refused = refuses(m, q);
    if (m->refused != IDP_OK) {
        return NULL;
    }
    if (!r) {
        r = add(m, q, now);
    }
    r->token = (idp_token){m->config.epoch, ++m->sequence};
    r->attempt++;
    r->previous = previous;
    r->state = IDP_STATE_IN_PROGRESS;
    r->since_ms = now;
    put_bytes(r->nonce, &r->nonce_len, q->nonce);
    if (r->fingerprint_len == 0) {
        put_bytes(r->fingerprint, &r->fingerprint_len, q->fingerprint);
    }
    start_lease(r, q->lease_ms, q->ttl_ms, now);
    return r;
}

idp_answer idt_reacquire(idt_model_record *r, const idp_request *q,
                         uint64_t now) {
    if (idt_state_at(r, now) == IDP_STATE_ORPHANED) {
        r->since_ms = now;
    }
    start_lease(r, q->lease_ms, q->ttl_ms, now);
    return idt_acquired(r);
}

/* --- acquire ----------------------------------------------------------- */

typedef struct asking {
    const ids_call *call;
    idp_answer *answer;
    idp_error *error;
} asking;

static ids_verdict grant_now(idt_model *m, idt_model_record *r, const asking *k,
                             idp_previous previous) {
    r = idt_grant(m, r, k->call->request, previous, k->call->now_ms);
    if (!r) {
        return refuse(m->refused, k->error);
    }
    return answer_with(idt_acquired(r), k->answer);
}

static ids_verdict wait_or_say(idt_model *m, const idt_model_record *r,
                               const asking *k) {
    const idp_request *q = k->call->request;
    if (q->wait_ms == 0) {
        return answer_with(idt_in_progress(r, k->call->now_ms), k->answer);
    }
    if (idt_waiters_of(m, q) >= m->config.waiters_per_key_max ||
        m->waiter_count >= m->config.waiters_max) {
        return refuse(IDP_E_LIMIT, k->error);
    }
    if (refuses(m, q) == IDP_E_NO_MEMORY) {
        return refuse(IDP_E_NO_MEMORY, k->error);
    }
    idt_park(m, k->call);
    return IDS_PARKED;
}

static ids_verdict acquire(idt_model *m, const asking *k) {
    const idp_request *q = k->call->request;
    uint64_t now = k->call->now_ms;
    if (q->ttl_ms > limits_of(m, q).ttl_ms_max) {
        return refuse(IDP_E_BAD_REQUEST, k->error);
    }
    idt_model_record *r = find(m, q, now);
    if (!r) {
        return grant_now(m, NULL, k, IDP_PREVIOUS_NONE);
    }
    if (idt_conflicts(r, q)) {
        return answer_with(idt_mismatch(r, now), k->answer);
    }
    idp_state state = idt_state_at(r, now);
    if (state == IDP_STATE_COMPLETED) {
        return answer_with(idt_replay(r, now), k->answer);
    }
    if (state == IDP_STATE_RELEASED) {
        return grant_now(m, r, k, IDP_PREVIOUS_RELEASED);
    }
    if (idt_has_nonce_of(r, q)) {
        return answer_with(idt_reacquire(r, q, now), k->answer);
    }
    if (state == IDP_STATE_IN_PROGRESS) {
        return wait_or_say(m, r, k);
    }
    if (q->on_orphan == IDP_REPORT) {
        return answer_with(idt_orphaned(r, now), k->answer);
    }
    return grant_now(m, r, k, IDP_PREVIOUS_ORPHANED);
}

/* --- complete, release, renew, peek ------------------------------------ */

static bool holds(const idt_model_record *r, const idp_request *q) {
    return q->token.epoch == r->token.epoch &&
           q->token.sequence == r->token.sequence;
}

static bool is_claimed(const idt_model_record *r, uint64_t now) {
    idp_state state = idt_state_at(r, now);
    return state == IDP_STATE_IN_PROGRESS || state == IDP_STATE_ORPHANED;
}

static void keep_result(const idt_model *m, idt_model_record *r,
                        const idp_request *q) {
    if (!q->result.ptr || q->result_too_large ||
        q->result.len > m->config.result_bytes_max ||
        q->result.len > limits_of(m, q).result_bytes_max ||
        refuses(m, q) != IDP_OK) {
        return;
    }
    r->result = malloc(q->result.len + 1); /* zero bytes are a result too */
    assert(r->result);
    if (q->result.len > 0) {
        memcpy(r->result, q->result.ptr, q->result.len);
    }
    r->result_len = q->result.len;
}

/* A retention that is less than was asked for is told; where nothing was asked
 * for, one that is as long as may be. */
static uint64_t said_ttl_ms(const idt_model *m, const idt_model_record *r,
                            const idp_request *q) {
    if (!m->config.limits || !m->config.limits(m->config.ctx, q->ns)) {
        return 0;
    }
    bool less = q->ttl_ms ? r->ttl_ms < q->ttl_ms
                          : r->ttl_ms >= limits_of(m, q).ttl_ms_max;
    return less ? r->ttl_ms : 0;
}

idp_answer idt_complete(idt_model *m, idt_model_record *r, const idp_request *q,
                        uint64_t now) {
    idp_answer done = {.outcome = IDP_OUTCOME_COMPLETED};
    if (holds(r, q) && r->state == IDP_STATE_COMPLETED) {
        done.kept = r->result != NULL;
        done.ttl_ms = said_ttl_ms(m, r, q);
        return done;
    }
    if (!holds(r, q) || !is_claimed(r, now)) {
        return stale(r, now);
    }
    r->state = IDP_STATE_COMPLETED;
    r->since_ms = now;
    r->class = q->class;
    r->ttl_ms = q->ttl_ms ? q->ttl_ms : r->ttl_ms;
    if (r->ttl_ms > limits_of(m, q).ttl_ms_max) {
        r->ttl_ms = limits_of(m, q).ttl_ms_max;
    }
    r->ttl_end = now + r->ttl_ms;
    keep_result(m, r, q);
    done.kept = r->result != NULL;
    done.ttl_ms = said_ttl_ms(m, r, q);
    idt_wake_completed(m, r, q, now);
    return done;
}

idp_answer idt_release(idt_model *m, idt_model_record *r, const idp_request *q,
                       uint64_t now) {
    if (holds(r, q) && r->state == IDP_STATE_RELEASED) {
        return plain(IDP_OUTCOME_RELEASED);
    }
    if (!holds(r, q) || !is_claimed(r, now)) {
        return stale(r, now);
    }
    if (q->unbind) {
        idt_drop(m, r);
        idt_hand_on(m, NULL, q, IDP_PREVIOUS_NONE, now);
        return plain(IDP_OUTCOME_RELEASED);
    }
    r->state = IDP_STATE_RELEASED;
    r->since_ms = now;
    r->ttl_end = now + r->ttl_ms;
    idt_hand_on(m, r, q, IDP_PREVIOUS_RELEASED, now);
    return plain(IDP_OUTCOME_RELEASED);
}

static idp_answer renew(idt_model_record *r, const idp_request *q,
                        uint64_t now) {
    if (!holds(r, q) || !is_claimed(r, now)) {
        return stale(r, now);
    }
    if (idt_state_at(r, now) == IDP_STATE_ORPHANED) {
        r->since_ms = now;
    }
    uint64_t lease_ms = q->lease_ms < r->ttl_ms ? q->lease_ms : r->ttl_ms;
    start_lease(r, lease_ms, r->ttl_ms, now);
    return (idp_answer){.outcome = IDP_OUTCOME_RENEWED, .lease_ms = lease_ms};
}

static idp_answer peek(const idt_model_record *r, uint64_t now) {
    idp_answer a = {.outcome = IDP_OUTCOME_RECORD, .state = IDP_STATE_ABSENT};
    if (!r) {
        return a;
    }
    a.state = idt_state_at(r, now);
    a.age_ms = idt_age_at(r, now);
    a.attempt = r->attempt;
    a.ttl_left_ms = r->ttl_end - now;
    if (a.state == IDP_STATE_IN_PROGRESS) {
        a.lease_left_ms = r->lease_end - now;
    }
    if (a.state == IDP_STATE_COMPLETED) {
        a.class = r->class;
        a.has_result = r->result != NULL;
        a.result_bytes = r->result_len;
    }
    return a;
}

ids_verdict idt_model_call(idt_model *m, const ids_call *call,
                           idp_answer *answer, idp_error *error) {
    const idp_request *q = call->request;
    uint64_t now = call->now_ms;
    idt_model_advance(m, now);
    if (q->method == IDP_ACQUIRE) {
        asking k = {call, answer, error};
        return acquire(m, &k);
    }
    idt_model_record *r = find(m, q, now);
    if (q->method == IDP_PEEK) {
        return answer_with(peek(r, now), answer);
    }
    if (q->method == IDP_RESOLVE) {
        return idt_resolve(m, r, q, now, answer)
                   ? IDS_ANSWERED
                   : refuse(IDP_E_NO_MEMORY, error);
    }
    if (!r) {
        return answer_with(plain(IDP_OUTCOME_UNKNOWN), answer);
    }
    if (q->method == IDP_COMPLETE) {
        return answer_with(idt_complete(m, r, q, now), answer);
    }
    if (q->method == IDP_RELEASE) {
        return answer_with(idt_release(m, r, q, now), answer);
    }
    assert(q->method == IDP_RENEW);
    return answer_with(renew(r, q, now), answer);
}

/* --- the rest ---------------------------------------------------------- */

const idt_model_record *idt_model_find(const idt_model *m, idp_slice ns,
                                       idp_slice key, uint64_t now_ms,
                                       idp_state *state) {
    idp_request q = {.ns = ns, .key = key};
    *state = IDP_STATE_ABSENT;
    for (uint32_t i = 0; i < m->record_count; i++) {
        if (idt_is_of(m->records[i], &q)) {
            *state = idt_state_at(m->records[i], now_ms);
            return *state == IDP_STATE_ABSENT ? NULL : m->records[i];
        }
    }
    return NULL;
}

uint32_t idt_model_records(const idt_model *m, uint64_t now_ms) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < m->record_count; i++) {
        count += idt_state_at(m->records[i], now_ms) != IDP_STATE_ABSENT;
    }
    return count;
}

void idt_model_count(const idt_model *m, idp_slice ns, uint64_t now_ms,
                     idt_model_counts *counts) {
    *counts = (idt_model_counts){0};
    for (uint32_t i = 0; i < m->record_count; i++) {
        const idt_model_record *r = m->records[i];
        if (!idt_same(r->ns, r->ns_len, ns.ptr, ns.len) ||
            idt_state_at(r, now_ms) == IDP_STATE_ABSENT) {
            continue;
        }
        bool claimed = r->state == IDP_STATE_IN_PROGRESS;
        counts->records++;
        counts->in_progress += claimed;
        counts->bytes += 48 + r->ns_len + r->key_len + r->fingerprint_len +
                         r->result_len + (claimed ? r->nonce_len : 0);
    }
}

idt_model *idt_model_new(const idt_model_config *config) {
    assert(config->waiters_max <= IDT_MODEL_WAITERS_MAX);
    idt_model *m = calloc(1, sizeof *m);
    assert(m);
    m->config = *config;
    return m;
}

void idt_model_free(idt_model *m) {
    if (!m) {
        return;
    }
    for (uint32_t i = 0; i < m->waiter_count; i++) {
        free(m->waiters[i]);
    }
    while (m->record_count > 0) {
        idt_drop(m, m->records[0]);
    }
    free(m);
}
