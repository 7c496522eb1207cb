/* SPDX-License-Identifier: Apache-2.0 */
/* peer_look.c -- who looks on as a node makes changes and replies: for the
 * checker alone. The linker puts these before the product's own functions
 * (--wrap), which do what they do. */
#include "tests/sim/peer_agents.h"
#include "tests/sim/peer_decide.h"

#include "server/core/receipt.h"
#include "server/worker/reply.h"
#include "tests/sim/mutant.h"

#include <stdio.h>
#include <stdlib.h>

static pw_worker *worker_of(const ids_worker *ids) {
    return ids->driver.ctx;
}

static pw_text text_of(idp_slice slice) {
    pw_text text = {.len = slice.len};
    if (slice.len > 0 && slice.len <= PW_TEXT) {
        memcpy(text.bytes, slice.ptr, slice.len);
    }
    return text;
}

uint32_t pw_key_of(idp_slice key) {
    return key.len == 2 ? (uint32_t)(key.ptr[1] - '0') % PW_KEYS_MAX : 0;
}

/* --- changes -------------------------------------------------------------- */

static uint64_t hidden_ms(const pw_node *n) {
    return n->w->config.clock_step_ms > 1
               ? (IDS_CLOCK_START_MS + n->skew_ms + pw_us(n->w)) - pw_clock(n)
               : 0;
}

/* When it ends in the world's time: what is left counts from what the node's
 * clock shows, but never for more than the whole. */
static uint64_t end_of(const pw_node *n, uint64_t left_ms, uint64_t whole_ms) {
    uint64_t hidden = left_ms < whole_ms ? hidden_ms(n) : 0;
    return n->w->now + left_ms - (hidden < left_ms ? hidden : left_ms);
}

pw_snap pw_snap_of(const pw_node *n, const ids_change *c) {
    return (pw_snap){.state = c->state,
                     .token = c->token,
                     .epoch = n->peer->lead_epoch,
                     .fingerprint = text_of(c->fingerprint),
                     .nonce = text_of(c->nonce),
                     .result = text_of(c->result),
                     .lease_ms = c->lease_ms,
                     .ttl_ms = c->ttl_ms,
                     .lease_end = end_of(n, c->lease_left_ms, c->lease_ms),
                     .ttl_end = end_of(n, c->ttl_left_ms, c->ttl_ms),
                     .has_result = c->has_result};
}

/* I5: as long as a nonce's claim stands, it is not granted another. */
static void note_grant(pw_node *n, pw_op *o, const ids_change *c) {
    const pw_snap *was = &n->truth[o->key];
    bool stands = was->state == IDP_STATE_IN_PROGRESS &&
                  n->w->now < was->ttl_end &&
                  pw_compare(was->token, o->granted) == 0;
    if (stands && !n->w->clashed && pw_compare(c->token, o->granted) != 0) {
        pw_fail(n->w, "I5: k%u, the same nonce, another token", o->key);
    }
    o->granted = c->token;
}

/* One that leads no more, and does not know it, ends older claims. */
static void raise_to(idp_token *highest, idp_token token) {
    if (pw_compare(token, *highest) > 0) {
        *highest = token;
    }
}

/* What ended lasts as long as it was said then. Each copy of it may last longer
 * by what it was on its way, and after a join by key (K8) a replica's is not
 * the primary's. A claim lasts as long as its last grant or renewal said: a
 * takeover gives it more, and a copy that was made between its end and its
 * removal has it not. */
static bool is_promise(const pw_snap *promised, const pw_snap *s) {
    return s->state == promised->state &&
           pw_compare(s->token, promised->token) == 0;
}

static void note_promise(const pw_node *n, uint32_t key, const ids_change *c) {
    pw_world *w = n->w;
    pw_snap s = pw_snap_of(n, c);
    for (int i = 0; i < PW_PROMISES; i++) {
        pw_snap *promised = &w->promised[key][i];
        if (is_promise(promised, &s)) {
            bool renewed =
                s.state == IDP_STATE_IN_PROGRESS && !pw_agents_deposed(n);
            if (renewed || s.ttl_end < promised->ttl_end) {
                promised->ttl_end = s.ttl_end;
            }
            return;
        }
    }
    w->promised[key][w->promises[key]++ % PW_PROMISES] = s;
}

uint64_t pw_promised_end(const pw_world *w, uint32_t key, const pw_snap *s) {
    for (int i = 0; w->agents != NULL && i < PW_PROMISES; i++) {
        const pw_snap *promised = &w->promised[key][i];
        if (is_promise(promised, s) && promised->ttl_end < s->ttl_end) {
            return promised->ttl_end;
        }
    }
    return s->ttl_end;
}

/* For the checker: a claim may be over sooner, if its holder said so; and to
 * a nonce belongs the token that it was granted. */
static void note_end(pw_node *n, uint32_t key, const ids_change *c) {
    pw_world *w = n->w;
    unsigned op = PW_OPS_MAX;
    char nonce[PW_TEXT + 1] = {0};
    note_promise(n, key, c);
    if (n->deletes) {
        raise_to(&w->deleted[key], n->truth[key].token);
    }
    if (n->decides) {
        raise_to(&w->released[key], c->token);
    }
    if (c->state == IDP_STATE_ABSENT) {
        raise_to(&w->dropped[key], n->truth[key].token);
    }
    if (c->state == IDP_STATE_RELEASED ||
        (c->state == IDP_STATE_IN_PROGRESS &&
         w->now + c->lease_left_ms < n->truth[key].lease_end)) {
        raise_to(&w->released[key], c->token);
    }
    if (c->nonce.len > 0) {
        memcpy(nonce, c->nonce.ptr, c->nonce.len);
        if (sscanf(nonce, "n%u", &op) == 1 && op < w->ops) {
            note_grant(n, &w->op[op], c);
        }
    }
}

/* The linker gives these names. */
/* NOLINTBEGIN(cert-dcl37-c,bugprone-reserved-identifier) */
void __real_ids_commit_gate_change(void *ctx, const ids_change *change);
void __wrap_ids_commit_gate_change(void *ctx, const ids_change *change);

void __wrap_ids_commit_gate_change(void *ctx, const ids_change *change) {
    pw_worker *worker = worker_of(ctx);
    pw_node *n = worker->n;
    uint32_t key = pw_key_of(change->key);
    worker->changed = true;
    if (!ids_receipt_is(change->ns)) {
        note_end(n, key, change);
        n->truth[key] = pw_snap_of(n, change);
    }
    __real_ids_commit_gate_change(ctx, change);
    if (!ids_receipt_is(change->ns)) {
        n->changed[key] = (pw_changed){.epoch = n->peer->lead_epoch,
                                       .number = worker->ids->gate.changes,
                                       .loop = worker->ids->index};
    }
}

/* --- replies -------------------------------------------------------------- */

ids_verdict __real_ids_commit_gate_call(ids_worker *ids, const ids_call *call,
                                        idp_answer *answer, idp_error *error,
                                        const char **text);
ids_verdict __wrap_ids_commit_gate_call(ids_worker *ids, const ids_call *call,
                                        idp_answer *answer, idp_error *error,
                                        const char **text);

ids_verdict __wrap_ids_commit_gate_call(ids_worker *ids, const ids_call *call,
                                        idp_answer *answer, idp_error *error,
                                        const char **text) {
    pw_node *n = worker_of(ids)->n;
    idp_request spoiled = *call->request;
    ids_call own = *call;
    worker_of(ids)->changed = false;
    pw_note_decision(n, call->request);
    if (n->w->mutant != MUTANT_NONE && spoiled.method == IDP_RESOLVE &&
        ids->role_state.role == IDS_LEADS) {
        own.request = &spoiled;
        mutant_decision((mutant)n->w->mutant, ids->shard, &own, &spoiled);
    }
    ids_verdict verdict =
        __real_ids_commit_gate_call(ids, &own, answer, error, text);
    n->decides = n->deletes = false;
    return verdict;
}

static void note_made(const ids_worker *ids, uint32_t msgid,
                      const idp_answer *answer) {
    const pw_worker *worker = worker_of(ids);
    const pw_node *n = worker->n;
    pw_world *w = n->w;
    pw_call *call = pw_call_of(w, msgid);
    bool replays = answer->outcome == IDP_OUTCOME_REPLAY && answer->has_result;
    call->is_made = true;
    call->reply = (pw_reply){
        .op = call->op,
        .try = call->try,
        .node = n->index,
        .worker = ids->index,
        .number = ids->gate.changes,
        .made_at = w->now,
        .epoch = n->peer->lead_epoch,
        .changed = worker->changed,
        .answer = *answer,
        .result = text_of(replays ? answer->result : (idp_slice){NULL, 0}),
        .snap = n->truth[w->op[call->op].key]};
    call->reply.snap.made = ++w->made;
}

void __real_ids_reply_answer(ids_worker *ids, ids_conn *conn, uint32_t msgid,
                             const idp_answer *answer);
void __wrap_ids_reply_answer(ids_worker *ids, ids_conn *conn, uint32_t msgid,
                             const idp_answer *answer);

void __wrap_ids_reply_answer(ids_worker *ids, ids_conn *conn, uint32_t msgid,
                             const idp_answer *answer) {
    note_made(ids, msgid, answer);
    __real_ids_reply_answer(ids, conn, msgid, answer);
}

void __real_ids_reply_message(ids_worker *ids, const ids_reply_to *to,
                              idp_error error, const idp_answer *answer);
void __wrap_ids_reply_message(ids_worker *ids, const ids_reply_to *to,
                              idp_error error, const idp_answer *answer);

void __wrap_ids_reply_message(ids_worker *ids, const ids_reply_to *to,
                              idp_error error, const idp_answer *answer) {
    if (answer != NULL) {
        note_made(ids, to->msgid, answer);
    }
    __real_ids_reply_message(ids, to, error, answer);
}

/* --- records -------------------------------------------------------------- */

bool __real_ids_staging_route(ids_worker *ids, const ids_batch_tag *tag,
                              const ids_change *changes, uint32_t count);
bool __wrap_ids_staging_route(ids_worker *ids, const ids_batch_tag *tag,
                              const ids_change *changes, uint32_t count);

bool __wrap_ids_staging_route(ids_worker *ids, const ids_batch_tag *tag,
                              const ids_change *changes, uint32_t count) {
    pw_note_routed(worker_of(ids)->n, tag);
    return __real_ids_staging_route(ids, tag, changes, count);
}
/* NOLINTEND(cert-dcl37-c,bugprone-reserved-identifier) */
