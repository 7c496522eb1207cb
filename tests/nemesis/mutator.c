/* SPDX-License-Identifier: Apache-2.0 */
/* mutator.c -- what makes a legal history illegal, whatever was lost in it. */
#include "bench/judge/key_model.h"
#include "tests/nemesis/generator.h"

#include <string.h>

typedef bool fits(const nem_history *h, const nem_op *op);

static bool said(const nem_op *op, int32_t outcome) {
    return op->end == NEM_ANSWERED && op->outcome == outcome;
}

/* One of them, at random; NULL: none fits. */
static nem_op *pick(nem_history *h, idt_rng *rng, fits *does) {
    size_t from = h->count == 0 ? 0 : idt_rng_below(rng, (uint32_t)h->count);
    for (size_t i = 0; i < h->count; i++) {
        nem_op *op = &h->ops[(from + i) % h->count];
        if (does(h, op))
            return op;
    }
    return NULL;
}

/* The highest token of its key that was heard before this was asked for. */
static const nem_op *highest(const nem_history *h, const nem_op *before) {
    const nem_op *best = NULL;
    for (size_t i = 0; i < h->count; i++) {
        const nem_op *op = &h->ops[i];
        if (said(op, IDEM_ACQUIRED) && strcmp(op->key, before->key) == 0 &&
            op->return_ns < before->invoke_ns &&
            (best == NULL || nem_token_compare(op->token, best->token) > 0))
            best = op;
    }
    return best;
}

/* --- answers that can't be */

static bool is_replay(const nem_history *h, const nem_op *op) {
    (void)h;
    return said(op, IDEM_REPLAY);
}

static bool another_result(nem_history *h, idt_rng *rng) {
    nem_op *op = pick(h, rng, is_replay);
    if (op == NULL)
        return false;
    op->replayed = (nem_result){true, 8, 12345};
    return true;
}

static bool is_full_replay(const nem_history *h, const nem_op *op) {
    return is_replay(h, op) && op->replayed.given;
}

static bool nobody_completed(nem_history *h, idt_rng *rng) {
    nem_op *op = pick(h, rng, is_full_replay);
    if (op == NULL)
        return false;
    for (size_t i = 0; i < h->count; i++)
        if (h->ops[i].method == IDEM_COMPLETE &&
            h->ops[i].result.digest == op->replayed.digest)
            h->ops[i].end = NEM_REFUSED;
    return true;
}

static bool is_later_grant(const nem_history *h, const nem_op *op) {
    const nem_op *high = highest(h, op);
    return said(op, IDEM_ACQUIRED) && high != NULL &&
           strcmp(high->nonce, op->nonce) != 0;
}

static bool an_older_token(nem_history *h, idt_rng *rng) {
    nem_op *op = pick(h, rng, is_later_grant);
    if (op == NULL)
        return false;
    op->token.sequence = 0;
    return true;
}

static bool anothers_token(nem_history *h, idt_rng *rng) {
    nem_op *op = pick(h, rng, is_later_grant);
    if (op == NULL)
        return false;
    op->token = highest(h, op)->token;
    return true;
}

static bool is_stale(const nem_history *h, const nem_op *op) {
    const nem_op *high = highest(h, op);
    return op->method == IDEM_COMPLETE && said(op, IDEM_STALE) &&
           high != NULL && nem_token_compare(high->token, op->asked) > 0;
}

static bool stale_completes(nem_history *h, idt_rng *rng) {
    nem_op *op = pick(h, rng, is_stale);
    if (op == NULL)
        return false;
    op->outcome = IDEM_COMPLETED;
    op->kept = op->result.given;
    return true;
}

/* --- grants that can't be */

static void grant_after(nem_history *h, const nem_op *after, uint64_t attempt) {
    nem_op op = {.client = 99,
                 .call = (uint32_t)h->count,
                 .method = IDEM_ACQUIRE,
                 .end = NEM_ANSWERED,
                 .invoke_ns = after->return_ns + 1000,
                 .return_ns = after->return_ns + 2000,
                 .lease_ms = 300,
                 .ttl_ms = 900,
                 .outcome = IDEM_ACQUIRED,
                 .token = {7, 1000000},
                 .attempt = attempt,
                 .previous = attempt == 1 ? IDEM_PREVIOUS_NONE
                                          : IDEM_PREVIOUS_ORPHANED};
    snprintf(op.key, sizeof op.key, "%s", after->key);
    snprintf(op.nonce, sizeof op.nonce, "wrong");
    nem_history_add(h, &op);
}

/* Nothing else was asked with its token long before. */
static bool is_fresh(const nem_history *h, const nem_op *op) {
    for (size_t i = 0; i < h->count; i++) {
        const nem_op *other = &h->ops[i];
        if (other->method == op->method && other != op &&
            nem_token_same(other->asked, op->asked))
            return false;
    }
    return op->return_ns < op->invoke_ns + 100 * NEM_MS;
}

static bool is_complete(const nem_history *h, const nem_op *op) {
    return said(op, IDEM_COMPLETED) && is_fresh(h, op);
}

static bool granted_again(nem_history *h, idt_rng *rng) {
    nem_op *op = pick(h, rng, is_complete);
    if (op == NULL)
        return false;
    grant_after(h, op, idt_rng_between(rng, 1, 2));
    return true;
}

static bool is_undisturbed(const nem_history *h, const nem_op *op) {
    if (!said(op, IDEM_ACQUIRED) ||
        op->return_ns > op->invoke_ns + 100 * NEM_MS || op->again)
        return false;
    for (size_t i = 0; i < h->count; i++) {
        const nem_op *other = &h->ops[i];
        if ((nem_token_same(other->asked, op->token) &&
             other->invoke_ns < op->return_ns + 3000) ||
            (other != op && strcmp(other->nonce, op->nonce) == 0))
            return false;
    }
    return true;
}

static bool two_hold(nem_history *h, idt_rng *rng) {
    nem_op *op = pick(h, rng, is_undisturbed);
    if (op == NULL)
        return false;
    grant_after(h, op, op->attempt + 1);
    return true;
}

/* --- only where nothing was lost */

static bool has_attempt(const nem_history *h, const nem_op *op) {
    (void)h;
    return said(op, IDEM_ACQUIRED) || said(op, IDEM_IN_PROGRESS);
}

static bool another_attempt(nem_history *h, idt_rng *rng) {
    nem_op *op = pick(h, rng, has_attempt);
    if (op == NULL)
        return false;
    op->attempt += 7;
    return true;
}

static bool is_first(const nem_history *h, const nem_op *op) {
    (void)h;
    return said(op, IDEM_ACQUIRED) && op->previous == IDEM_PREVIOUS_NONE &&
           strcmp(op->nonce, "both") != 0;
}

static bool another_previous(nem_history *h, idt_rng *rng) {
    nem_op *op = pick(h, rng, is_first);
    if (op == NULL)
        return false;
    op->previous = IDEM_PREVIOUS_RELEASED;
    return true;
}

static bool nobody_asked(nem_history *h, idt_rng *rng) {
    nem_op *op = pick(h, rng, is_first);
    if (op == NULL)
        return false;
    op->end = NEM_REFUSED;
    /* Somebody has seen it. */
    nem_op seen = {.client = 99,
                   .call = 1,
                   .method = IDEM_PEEK,
                   .end = NEM_ANSWERED,
                   .invoke_ns = op->return_ns + 1000,
                   .return_ns = op->return_ns + 2000,
                   .outcome = IDEM_RENEWED};
    snprintf(seen.key, sizeof seen.key, "%s", op->key);
    seen.method = IDEM_RENEW;
    seen.asked = op->token;
    nem_history_add(h, &seen);
    return true;
}

const nem_mutate nem_wrongs[] = {
    {"a replay of another result", true, another_result},
    {"a replay of what nobody completed", true, nobody_completed},
    {"a token below an older one", true, an_older_token},
    {"another's token", true, anothers_token},
    {"a stale token completes", true, stale_completes},
    {"completed, and granted again", true, granted_again},
    {"two hold it at once", true, two_hold},
    {"a token that nobody was given", true, nobody_asked},
    {"another attempt", false, another_attempt},
    {"another previous", false, another_previous},
    {NULL, false, NULL}};
