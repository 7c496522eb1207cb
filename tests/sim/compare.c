/* SPDX-License-Identifier: Apache-2.0 */
/* compare.c -- see compare.h. */
#include "tests/sim/compare.h"

#include "server/core/receipt.h"

#include "tests/lib/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool world_fail(world *w, const char *format, ...) {
    if (!w->failed) {
        va_list args;
        va_start(args, format);
        vsnprintf(w->failure, sizeof w->failure, format, args);
        va_end(args);
        w->failed = true;
    }
    return false;
}

void world_trace(world *w, const char *format, ...) {
    if (!w->tracing) {
        return;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(w->trace[w->traced % WORLD_TRACE_LINES], WORLD_TRACE_COLUMNS,
              format, args);
    va_end(args);
    w->traced++;
}

/* --- tokens ------------------------------------------------------------ */

static bool same_token(idp_token a, idp_token b) {
    return a.epoch == b.epoch && a.sequence == b.sequence;
}

idp_token world_token(const world *w, idp_token token) {
    bool ours = token.epoch == w->config.epoch &&
                token.sequence < w->tokens_cap &&
                w->tokens[token.sequence].epoch != 0;
    return ours ? w->tokens[token.sequence] : token;
}

/* The first time that a grant is seen, the shard's token is its token. */
static bool meet_token(world *w, idp_token model, idp_token shard) {
    if (model.sequence >= w->tokens_cap) {
        size_t cap = (size_t)model.sequence * 2 + 64;
        w->tokens = realloc(w->tokens, cap * sizeof *w->tokens);
        memset(w->tokens + w->tokens_cap, 0,
               (cap - w->tokens_cap) * sizeof *w->tokens);
        w->tokens_cap = cap;
    }
    idp_token *met = &w->tokens[model.sequence];
    if (met->epoch == 0) {
        *met = shard;
    }
    w->grants = model.sequence > w->grants ? model.sequence : w->grants;
    return same_token(*met, shard);
}

/* --- answers ----------------------------------------------------------- */

static bool same_bytes(idp_slice a, idp_slice b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static bool same_record(const idp_answer *a, const idp_answer *b) {
    if (a->state != b->state) {
        return false;
    }
    if (a->state == IDP_STATE_ABSENT) {
        return true;
    }
    if (a->state == IDP_STATE_IN_PROGRESS &&
        a->lease_left_ms != b->lease_left_ms) {
        return false;
    }
    if (a->state == IDP_STATE_COMPLETED &&
        (a->has_result != b->has_result || a->class != b->class ||
         (a->has_result && a->result_bytes != b->result_bytes))) {
        return false;
    }
    return a->age_ms == b->age_ms && a->attempt == b->attempt &&
           a->ttl_left_ms == b->ttl_left_ms;
}

static bool same_fields(world *w, const idp_answer *a, const idp_answer *b) {
    switch (a->outcome) {
    case IDP_OUTCOME_ACQUIRED:
        return meet_token(w, a->token, b->token) && a->attempt == b->attempt &&
               a->previous == b->previous && a->lease_ms == b->lease_ms;
    case IDP_OUTCOME_REPLAY:
        return a->has_result == b->has_result && a->class == b->class &&
               a->age_ms == b->age_ms && a->ttl_left_ms == b->ttl_left_ms &&
               (!a->has_result || same_bytes(a->result, b->result));
    case IDP_OUTCOME_IN_PROGRESS:
        return a->lease_left_ms == b->lease_left_ms &&
               a->attempt == b->attempt && a->age_ms == b->age_ms;
    case IDP_OUTCOME_MISMATCH:
    case IDP_OUTCOME_STALE:
    case IDP_OUTCOME_REFUSED:
        return a->state == b->state;
    case IDP_OUTCOME_ORPHANED:
        return a->age_ms == b->age_ms && a->attempt == b->attempt;
    case IDP_OUTCOME_COMPLETED:
        return a->kept == b->kept && a->ttl_ms == b->ttl_ms;
    case IDP_OUTCOME_RENEWED:
        return a->lease_ms == b->lease_ms;
    case IDP_OUTCOME_RECORD:
        return same_record(a, b);
    default:
        return true;
    }
}

bool world_same_answer(world *w, const char *who, const idp_answer *model,
                       const idp_answer *shard) {
    if (model->outcome == shard->outcome && same_fields(w, model, shard)) {
        return true;
    }
    char expected[256], got[256];
    return world_fail(w, "%s: the model says: %s\n  the shard says: %s", who,
                      idt_text_answer(IDP_OK, model, expected, sizeof expected),
                      idt_text_answer(IDP_OK, shard, got, sizeof got));
}

/* --- wakes ------------------------------------------------------------- */

world_parked *world_find_parked(world *w, uint32_t msgid) {
    for (int i = 0; i < IDT_MODEL_WAITERS_MAX; i++) {
        if (w->parked[i].used && w->parked[i].request.msgid == msgid) {
            return &w->parked[i];
        }
    }
    return NULL;
}

/* The first wake by the shard that nobody has claimed yet, of that key, or
 * of that very call. */
static world_wake *counterpart(world *w, uint32_t key, uint32_t msgid,
                               bool any_order) {
    for (uint32_t i = 0; i < w->shard_wakes.count; i++) {
        world_wake *wake = &w->shard_wakes.at[i];
        const world_parked *p = world_find_parked(w, wake->msgid);
        if (!wake->matched && p && p->key == key &&
            (!any_order || wake->msgid == msgid)) {
            return wake;
        }
    }
    return NULL;
}

static bool match_wake(world *w, const world_wake *model, bool any_order) {
    char who[64];
    const world_parked *p = world_find_parked(w, model->msgid);
    world_wake *shard =
        p ? counterpart(w, p->key, model->msgid, any_order) : NULL;
    snprintf(who, sizeof who, "the waiter of call %u", model->msgid);
    if (!shard) {
        return world_fail(w, "%s is not woken", who);
    }
    shard->matched = true;
    if (shard->msgid != model->msgid || shard->asker != model->asker) {
        return world_fail(w, "call %u is woken, in place of %s", shard->msgid,
                          who);
    }
    if (shard->error != model->error) {
        return world_fail(w, "%s: the model says error %d, the shard %d", who,
                          model->error, shard->error);
    }
    return model->error != IDP_OK ||
           world_same_answer(w, who, &model->answer, &shard->answer);
}

bool world_match_wakes(world *w, bool any_order) {
    for (uint32_t i = 0; i < w->model_wakes.count; i++) {
        if (!match_wake(w, &w->model_wakes.at[i], any_order)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < w->shard_wakes.count; i++) {
        if (!w->shard_wakes.at[i].matched) {
            return world_fail(w, "call %u is woken without a reason",
                              w->shard_wakes.at[i].msgid);
        }
    }
    return true;
}

/* --- change records ---------------------------------------------------- */

uint32_t world_key_of(const world *w, idp_slice ns, idp_slice key) {
    uint32_t at = 0;
    while (at < WORLD_KEYS_MAX && !(same_bytes(w->keys[at].ns, ns) &&
                                    same_bytes(w->keys[at].key, key))) {
        at++;
    }
    return at;
}

static size_t keep(uint8_t *to, size_t cap, idp_slice from) {
    size_t len = from.len < cap ? from.len : cap;
    if (from.ptr && len > 0) {
        memcpy(to, from.ptr, len);
    }
    return from.len;
}

void world_keep_shadow(world *w, uint32_t at, const ids_change *c) {
    world_shadow *s = &w->shadows[at];
    *s = (world_shadow){.state = c->state,
                        .token = c->token,
                        .class = c->class,
                        .previous = c->previous,
                        .attempt = c->attempt,
                        .since_ms = w->now_ms - c->age_ms,
                        .lease_end = w->now_ms + c->lease_left_ms,
                        .ttl_ms = c->ttl_ms,
                        .ttl_end = w->now_ms + c->ttl_left_ms,
                        .lease_ms = c->lease_ms,
                        .has_result = c->has_result};
    s->result_len = keep(s->result, sizeof s->result, c->result);
    s->fingerprint_len =
        keep(s->fingerprint, sizeof s->fingerprint, c->fingerprint);
    s->nonce_len = keep(s->nonce, sizeof s->nonce, c->nonce);
}

void world_on_change(void *ctx, const ids_change *c) {
    world *w = ctx;
    uint32_t at = world_key_of(w, c->ns, c->key);
    w->changes++;
    if (ids_receipt_is(c->ns) && c->number == w->changes) {
        return; /* of a key that may be gone */
    }
    if (at == WORLD_KEYS_MAX || c->number != w->changes) {
        world_fail(w, "change %llu: a wrong number or key",
                   (unsigned long long)c->number);
        return;
    }
    if (w->config.mutant == MUTANT_CHANGE_LOST && c->number % 16 == 0) {
        return;
    }
    world_keep_shadow(w, at, c);
}

static bool same_parts(const uint8_t *a, size_t a_len, const uint8_t *b,
                       size_t b_len) {
    return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);
}

static bool same_claim(const idt_model_record *r, const world_shadow *s) {
    return s->lease_ms == r->lease_ms && s->lease_end == r->lease_end &&
           same_parts(s->nonce, s->nonce_len, r->nonce, r->nonce_len);
}

static bool same_result(const idt_model_record *r, const world_shadow *s) {
    return s->class == r->class && s->has_result == (r->result != NULL) &&
           same_parts(s->result, s->result_len, r->result, r->result_len);
}

bool world_same_shadow(world *w, uint32_t key) {
    const world_shadow *s = &w->shadows[key];
    idp_state state;
    const idt_model_record *r = idt_model_find(
        w->model, w->keys[key].ns, w->keys[key].key, w->now_ms, &state);
    if (!r) {
        return s->state == IDP_STATE_ABSENT || s->ttl_end <= w->now_ms ||
               world_fail(w, "the change record of a key that is absent");
    }
    bool same = s->state == r->state && s->attempt == r->attempt &&
                s->previous == r->previous && s->since_ms == r->since_ms &&
                s->ttl_ms == r->ttl_ms && s->ttl_end == r->ttl_end &&
                meet_token(w, r->token, s->token) &&
                same_parts(s->fingerprint, s->fingerprint_len, r->fingerprint,
                           r->fingerprint_len);
    if (s->state == IDP_STATE_IN_PROGRESS) {
        same = same && same_claim(r, s);
    }
    if (s->state == IDP_STATE_COMPLETED) {
        same = same && same_result(r, s);
    }
    return same || world_fail(w,
                              "the last change record of %.*s/%.*s is not "
                              "what the record is now",
                              (int)w->keys[key].ns.len,
                              (const char *)w->keys[key].ns.ptr,
                              (int)w->keys[key].key.len,
                              (const char *)w->keys[key].key.ptr);
}
