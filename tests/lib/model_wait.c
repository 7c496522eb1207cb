/* SPDX-License-Identifier: Apache-2.0 */
/* model_wait.c -- the model's waiters, and what time does to them. */
#include "tests/lib/model_inner.h"

#include <assert.h>
#include <stdlib.h>

static idp_slice keep(uint8_t **at, idp_slice from) {
    idp_slice kept = {from.ptr ? *at : NULL, from.len};
    if (from.ptr && from.len > 0) {
        memcpy(*at, from.ptr, from.len);
    }
    *at += from.len;
    return kept;
}

void idt_park(idt_model *m, const ids_call *call) {
    idt_waiter *w = malloc(sizeof *w);
    assert(w);
    uint8_t *at = w->bytes;
    w->asker = call->asker;
    w->wait_end = call->now_ms + call->request->wait_ms;
    w->request = *call->request;
    w->request.ns = keep(&at, call->request->ns);
    w->request.key = keep(&at, call->request->key);
    w->request.fingerprint = keep(&at, call->request->fingerprint);
    w->request.nonce = keep(&at, call->request->nonce);
    m->waiters[m->waiter_count++] = w;
}

static bool same_key(const idp_request *a, const idp_request *b) {
    return idt_same(a->ns.ptr, a->ns.len, b->ns.ptr, b->ns.len) &&
           idt_same(a->key.ptr, a->key.len, b->key.ptr, b->key.len);
}

uint32_t idt_waiters_of(const idt_model *m, const idp_request *q) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < m->waiter_count; i++) {
        count += same_key(&m->waiters[i]->request, q);
    }
    return count;
}

/* The place of the first who waits for q's key; false: nobody does. */
static bool first_waiter(const idt_model *m, const idp_request *q,
                         uint32_t *at) {
    for (*at = 0; *at < m->waiter_count; (*at)++) {
        if (same_key(&m->waiters[*at]->request, q)) {
            return true;
        }
    }
    return false;
}

/* Takes the waiter at this place out; the ones behind it move up. */
static idt_waiter *unpark(idt_model *m, uint32_t at) {
    idt_waiter *w = m->waiters[at];
    m->waiter_count--;
    for (uint32_t i = at; i < m->waiter_count; i++) {
        m->waiters[i] = m->waiters[i + 1];
    }
    return w;
}

static void wake_with(idt_model *m, uint32_t at, idp_error error,
                      const idp_answer *answer) {
    idt_waiter *w = unpark(m, at);
    m->config.on_wake(m->config.ctx, w->asker, &w->request, error, answer);
    free(w);
}

static void wake(idt_model *m, uint32_t at, idp_answer answer) {
    wake_with(m, at, IDP_OK, &answer);
}

void idt_wake_completed(idt_model *m, const idt_model_record *r,
                        const idp_request *q, uint64_t now) {
    for (uint32_t at; first_waiter(m, q, &at);) {
        wake(m, at, idt_replay(r, now));
    }
}

/* After a grant, in parking order: who conflicts with what is bound now, or
 * is the new holder's own retry, hears so; the rest stay parked. */
static void settle(idt_model *m, idt_model_record *r, uint64_t now) {
    uint32_t at = 0;
    while (at < m->waiter_count) {
        const idp_request *q = &m->waiters[at]->request;
        if (idt_is_of(r, q) && idt_conflicts(r, q)) {
            wake(m, at, idt_mismatch(r, now));
        } else if (idt_is_of(r, q) && idt_has_nonce_of(r, q)) {
            wake(m, at, idt_reacquire(r, q, now));
        } else {
            at++;
        }
    }
}

void idt_hand_on(idt_model *m, idt_model_record *r, const idp_request *q,
                 idp_previous previous, uint64_t now) {
    for (uint32_t at; first_waiter(m, q, &at);) {
        idt_model_record *granted =
            idt_grant(m, r, &m->waiters[at]->request, previous, now);
        if (granted) {
            wake(m, at, idt_acquired(granted));
            settle(m, granted, now);
            return;
        }
        wake_with(m, at, m->refused, NULL);
    }
}

/* --- time -------------------------------------------------------------- */

/* A lease that somebody waits for is over. */
static void lease_over(idt_model *m, idt_model_record *r, uint64_t now) {
    uint8_t bytes[sizeof r->ns + sizeof r->key];
    uint8_t *end = bytes;
    idp_request q = {0};
    q.ns = keep(&end, (idp_slice){r->ns, r->ns_len});
    q.key = keep(&end, (idp_slice){r->key, r->key_len});
    if (idt_state_at(r, now) == IDP_STATE_ABSENT) {
        idt_drop(m, r);
        idt_hand_on(m, NULL, &q, IDP_PREVIOUS_NONE, now);
        return;
    }
    /* Those ahead of the first who would take over only hear of it. */
    for (uint32_t at; first_waiter(m, &q, &at);) {
        if (m->waiters[at]->request.on_orphan == IDP_REPORT) {
            wake(m, at, idt_orphaned(r, now));
        } else if (idt_grant(m, r, &m->waiters[at]->request,
                             IDP_PREVIOUS_ORPHANED, now)) {
            wake(m, at, idt_acquired(r));
            settle(m, r, now);
            return;
        } else {
            wake_with(m, at, m->refused, NULL);
        }
    }
}

/* The record that the waiter at this place waits for. */
static idt_model_record *awaited(const idt_model *m, uint32_t at) {
    for (uint32_t i = 0; i < m->record_count; i++) {
        if (idt_is_of(m->records[i], &m->waiters[at]->request)) {
            return m->records[i];
        }
    }
    assert(!"a waiter without a record");
    return NULL;
}

uint64_t idt_model_next_ms(const idt_model *m) {
    uint64_t next = UINT64_MAX;
    for (uint32_t i = 0; i < m->waiter_count; i++) {
        uint64_t lease_end = awaited(m, i)->lease_end;
        uint64_t wait_end = m->waiters[i]->wait_end;
        next = lease_end < next ? lease_end : next;
        next = wait_end < next ? wait_end : next;
    }
    return next;
}

static void wait_over(idt_model *m, uint32_t at) {
    const idt_model_record *r = awaited(m, at);
    uint64_t as_of = m->waiters[at]->wait_end;
    uint64_t start = r->lease_end - r->lease_ms;
    wake(m, at, idt_in_progress(r, as_of > start ? as_of : start));
}

/* Carries out one of the deadlines that lie at due; the leases come first. */
static void step(idt_model *m, uint64_t due, uint64_t now) {
    for (uint32_t i = 0; i < m->waiter_count; i++) {
        idt_model_record *r = awaited(m, i);
        if (r->lease_end == due) {
            lease_over(m, r, now);
            return;
        }
    }
    for (uint32_t i = 0; i < m->waiter_count; i++) {
        if (m->waiters[i]->wait_end == due) {
            wait_over(m, i);
            return;
        }
    }
    assert(!"a deadline that is nobody's");
}

void idt_model_advance(idt_model *m, uint64_t now_ms) {
    for (uint64_t due; (due = idt_model_next_ms(m)) <= now_ms;) {
        step(m, due, now_ms);
    }
}

/* --- the rest ---------------------------------------------------------- */

void idt_model_forget(idt_model *m, ids_asker asker) {
    for (uint32_t i = m->waiter_count; i-- > 0;) {
        if (m->waiters[i]->asker == asker) {
            free(unpark(m, i));
        }
    }
}

void idt_model_drain(idt_model *m, idp_error error) {
    while (m->waiter_count > 0) {
        wake_with(m, 0, error, NULL);
    }
}

uint32_t idt_model_waiters(const idt_model *m) {
    return m->waiter_count;
}
