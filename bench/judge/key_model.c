/* SPDX-License-Identifier: Apache-2.0 */
/* key_model.c -- see key_model.h. Row by row, the table of the state machine.
 *
 * Pure. */
#include "bench/judge/key_model.h"

static uint64_t later(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

static uint64_t plus_ms(uint64_t ns, uint64_t ms) {
    return ns + ms * NEM_MS;
}

/* The effect happens at the earliest now; the clock that it goes by may be
 * behind. */
static uint64_t clock_at(const nem_op *op, uint64_t now_ns) {
    uint64_t clock = now_ns;
    if (op->clock_ns != 0 && op->clock_ns < clock)
        clock = op->clock_ns;
    return clock > NEM_SLACK_NS ? clock - NEM_SLACK_NS : 0;
}

static void take_place(const nem_op *op, nem_record *r) {
    r->now_ns = later(r->now_ns, op->invoke_ns);
}

static void restart(const nem_op *op, nem_record *r) {
    uint64_t clock = clock_at(op, r->now_ns);
    r->lease_end_ns = plus_ms(clock, r->lease_ms);
    r->ttl_end_ns = plus_ms(clock, r->ttl_ms);
}

bool nem_expire(nem_record *r, uint64_t until_ns) {
    if (r->kind == NEM_ABSENT || r->ttl_end_ns > until_ns)
        return false;
    *r = (nem_record){.kind = NEM_ABSENT,
                      .newest = r->newest,
                      .now_ns = later(r->now_ns, r->ttl_end_ns),
                      .unheard = r->unheard};
    return true;
}

/* Its end may have come by then. */
static bool is_orphaned(const nem_record *r, uint64_t until_ns) {
    return r->kind == NEM_HELD && r->lease_end_ns <= until_ns;
}

/* There is none, or it is over. Where a clock stood still another node may have
 * it for so much longer, so that it may be seen again. */
static bool is_gone(const nem_record *r, const nem_op *op) {
    return r->kind == NEM_ABSENT ||
           (op->stood_ns > 0 && r->ttl_end_ns <= op->return_ns &&
            op->return_ns <= r->ttl_end_ns + op->stood_ns);
}

/* May the server call it that? */
static bool shows(const nem_record *r, int32_t state, const nem_op *op) {
    switch (state) {
    case IDEM_STATE_ABSENT:
        return is_gone(r, op);
    case IDEM_STATE_IN_PROGRESS:
        return r->kind == NEM_HELD;
    case IDEM_STATE_ORPHANED:
        return is_orphaned(r, op->return_ns);
    case IDEM_STATE_COMPLETED:
        return r->kind == NEM_COMPLETED;
    default:
        return r->kind == NEM_RELEASED;
    }
}

static bool mismatched(const nem_ask *a, const nem_record *r) {
    return r->kind != NEM_ABSENT && a->fp != 0 && r->fp != 0 && a->fp != r->fp;
}

/* I13, as told: what is left is at least what must be. */
static bool enough_left(uint64_t end_ns, uint64_t left_ms, const nem_op *op) {
    return op->return_ns == NEM_NEVER ||
           plus_ms(op->return_ns, left_ms) + NEM_MS >= end_ns;
}

/* --- acquire */

static void grant(const nem_ask *a, nem_record *r, int32_t previous,
                  nem_token token) {
    take_place(a->op, r);
    if (r->kind == NEM_ABSENT || r->fp == 0)
        r->fp = a->fp;
    r->attempt = r->kind == NEM_ABSENT ? 1 : r->attempt + 1;
    r->kind = NEM_HELD;
    r->previous = previous;
    r->nonce = a->nonce;
    r->token = token;
    if (nem_token_given(token))
        r->newest = token;
    r->result = (nem_result){0};
    r->lease_ms = a->op->lease_ms;
    r->ttl_ms = a->op->ttl_ms;
    restart(a->op, r);
}

/* The holder's own nonce: the same claim once more. */
static bool hears_again(const nem_ask *a, nem_record *r) {
    const nem_op *op = a->op;
    bool known = nem_token_given(r->token);
    if ((known && !nem_token_same(op->token, r->token)) ||
        (!known && nem_token_compare(op->token, r->newest) <= 0) ||
        op->attempt != r->attempt || op->previous != r->previous)
        return false;
    take_place(op, r);
    r->token = op->token;
    r->newest = op->token;
    r->lease_ms = op->lease_ms;
    r->ttl_ms = op->ttl_ms;
    restart(op, r);
    return true;
}

static bool acquired(const nem_ask *a, nem_record *r) {
    const nem_op *op = a->op;
    int32_t previous = IDEM_PREVIOUS_NONE;
    if (mismatched(a, r))
        return false;
    if (r->kind == NEM_HELD && a->nonce != 0 && a->nonce == r->nonce)
        return hears_again(a, r);
    if (r->kind == NEM_COMPLETED ||
        nem_token_compare(op->token, r->newest) <= 0)
        return false;
    if (r->kind == NEM_HELD) {
        if (!is_orphaned(r, op->return_ns) || op->report)
            return false;
        r->now_ns = later(r->now_ns, r->lease_end_ns);
        previous = IDEM_PREVIOUS_ORPHANED;
    } else if (r->kind == NEM_RELEASED) {
        previous = IDEM_PREVIOUS_RELEASED;
    }
    grant(a, r, previous, op->token);
    return op->attempt == r->attempt && op->previous == previous;
}

static bool replayed(const nem_ask *a, const nem_record *r) {
    const nem_op *op = a->op;
    return r->kind == NEM_COMPLETED && !mismatched(a, r) &&
           op->replayed.given == r->result.given &&
           op->replayed.len == r->result.len &&
           op->replayed.digest == r->result.digest &&
           op->replayed_class == r->class &&
           enough_left(r->ttl_end_ns, op->ttl_left_ms, op);
}

static bool apply_acquire(const nem_ask *a, nem_record *r, bool *changed) {
    const nem_op *op = a->op;
    switch (op->outcome) {
    case IDEM_ACQUIRED:
        *changed = true;
        return acquired(a, r);
    case IDEM_REPLAY:
        return replayed(a, r);
    case IDEM_IN_PROGRESS:
        return r->kind == NEM_HELD && !mismatched(a, r) &&
               op->attempt == r->attempt &&
               enough_left(r->lease_end_ns, op->lease_left_ms, op);
    case IDEM_ORPHANED:
        return is_orphaned(r, op->return_ns) && !mismatched(a, r) &&
               op->report && op->attempt == r->attempt;
    case IDEM_MISMATCH:
        return mismatched(a, r) && shows(r, op->state, op);
    default:
        return false;
    }
}

/* --- complete, release, renew, peek */

static bool holds(const nem_op *op, const nem_record *r) {
    return r->kind != NEM_ABSENT && nem_token_same(op->asked, r->token);
}

static bool key_model_is_refused(const nem_op *op, const nem_record *r,
                                 nem_kind done) {
    if (op->outcome == IDEM_NO_RECORD)
        return is_gone(r, op);
    bool lives = holds(op, r) && (r->kind == NEM_HELD || r->kind == done);
    return op->outcome == IDEM_STALE && r->kind != NEM_ABSENT && !lives &&
           shows(r, op->state, op);
}

static void complete(const nem_op *op, nem_record *r) {
    take_place(op, r);
    r->kind = NEM_COMPLETED;
    r->result = op->result;
    r->class = op->class;
    if (op->ttl_ms != 0)
        r->ttl_ms = op->ttl_ms;
    restart(op, r);
}

static bool apply_complete(const nem_op *op, nem_record *r, bool *changed) {
    if (op->outcome != IDEM_COMPLETED)
        return key_model_is_refused(op, r, NEM_COMPLETED);
    if (!holds(op, r) || r->kind == NEM_RELEASED)
        return false;
    *changed = r->kind == NEM_HELD;
    if (*changed)
        complete(op, r);
    return (op->kept != 0) == r->result.given;
}

static void release(const nem_op *op, nem_record *r) {
    take_place(op, r);
    if (op->unbind) {
        *r = (nem_record){.kind = NEM_ABSENT,
                          .newest = r->newest,
                          .now_ns = r->now_ns,
                          .unheard = r->unheard};
        return;
    }
    r->kind = NEM_RELEASED;
    restart(op, r);
}

static bool apply_release(const nem_op *op, nem_record *r, bool *changed) {
    if (op->outcome != IDEM_RELEASED)
        return key_model_is_refused(op, r, NEM_RELEASED);
    if (!holds(op, r) || r->kind == NEM_COMPLETED)
        return false;
    *changed = r->kind == NEM_HELD;
    if (*changed)
        release(op, r);
    return true;
}

static bool apply_renew(const nem_op *op, nem_record *r, bool *changed) {
    if (op->outcome != IDEM_RENEWED)
        return key_model_is_refused(op, r, NEM_HELD);
    if (!holds(op, r) || r->kind != NEM_HELD)
        return false;
    *changed = true;
    take_place(op, r);
    r->lease_ms = op->lease_ms < r->ttl_ms ? op->lease_ms : r->ttl_ms;
    restart(op, r);
    return true;
}

static bool apply_peek(const nem_op *op, const nem_record *r) {
    if (op->outcome != IDEM_RECORD || !shows(r, op->state, op))
        return false;
    if (op->state == IDEM_STATE_ABSENT)
        return true;
    if (op->attempt != r->attempt ||
        !enough_left(r->ttl_end_ns, op->ttl_left_ms, op))
        return false;
    return r->kind != NEM_COMPLETED ||
           (op->replayed.len == (r->result.given ? r->result.len : 0) &&
            op->replayed_class == r->class);
}

bool nem_apply(const nem_ask *a, nem_record *r, bool *changed) {
    *changed = false;
    switch (a->op->method) {
    case IDEM_ACQUIRE:
        return apply_acquire(a, r, changed);
    case IDEM_COMPLETE:
        return apply_complete(a->op, r, changed);
    case IDEM_RELEASE:
        return apply_release(a->op, r, changed);
    case IDEM_RENEW:
        return apply_renew(a->op, r, changed);
    default:
        return apply_peek(a->op, r);
    }
}

/* --- what nobody heard of */

static bool grant_unheard(const nem_ask *a, nem_record *r, uint64_t until_ns) {
    int32_t previous = IDEM_PREVIOUS_NONE;
    if (r->kind == NEM_COMPLETED || mismatched(a, r))
        return false;
    if (r->kind == NEM_HELD) {
        if (!is_orphaned(r, until_ns) || a->op->report ||
            (a->nonce != 0 && a->nonce == r->nonce))
            return false;
        r->now_ns = later(r->now_ns, r->lease_end_ns);
        previous = IDEM_PREVIOUS_ORPHANED;
    } else if (r->kind == NEM_RELEASED) {
        previous = IDEM_PREVIOUS_RELEASED;
    }
    grant(a, r, previous, (nem_token){0});
    return true;
}

bool nem_apply_unheard(const nem_ask *a, nem_record *r, uint64_t until_ns) {
    const nem_op *op = a->op;
    r->unheard++;
    if (op->method == IDEM_ACQUIRE)
        return grant_unheard(a, r, until_ns) && r->now_ns <= until_ns;
    if (r->kind != NEM_HELD || !holds(op, r))
        return false;
    if (op->method == IDEM_COMPLETE)
        complete(op, r);
    else if (op->method == IDEM_RELEASE)
        release(op, r);
    else
        return false;
    return r->now_ns <= until_ns;
}
