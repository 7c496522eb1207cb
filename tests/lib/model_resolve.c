/* SPDX-License-Identifier: Apache-2.0 */
/* model_resolve.c -- see model.h: what an operator decides. Reads beside
 * resolve's table. No cleverness. */
#include "tests/lib/model_inner.h"

#include "server/core/receipt.h"

static idt_receipts *receipts_of(idt_model *m, const idp_request *q) {
    for (uint32_t i = 0; i < m->receipt_count; i++) {
        idt_receipts *r = &m->receipts[i];
        if (idt_same(r->ns, r->ns_len, q->ns.ptr, q->ns.len) &&
            idt_same(r->key, r->key_len, q->key.ptr, q->key.len)) {
            return r;
        }
    }
    return NULL;
}

static const idp_answer *find_answer(idt_model *m, const idp_request *q,
                                     uint64_t now) {
    const idt_receipts *r = receipts_of(m, q);
    if (!r || q->nonce.len == 0 || now >= r->end_ms) {
        return NULL;
    }
    for (uint32_t i = 0; i < r->count; i++) {
        if (idt_same(r->nonce[i], r->nonce_len[i], q->nonce.ptr,
                     q->nonce.len)) {
            return &r->answer[i];
        }
    }
    return NULL;
}

static void keep_answer(idt_model *m, const idp_request *q, uint64_t now,
                        idp_answer answer) {
    idt_receipts *r = receipts_of(m, q);
    if (q->nonce.len == 0) {
        return;
    }
    if (!r) {
        r = &m->receipts[m->receipt_count++];
        memset(r, 0, sizeof *r);
        r->ns_len = q->ns.len;
        r->key_len = q->key.len;
        if (q->ns.len > 0) {
            memcpy(r->ns, q->ns.ptr, q->ns.len);
        }
        memcpy(r->key, q->key.ptr, q->key.len);
    }
    if (now >= r->end_ms) {
        r->count = 0;
    }
    r->count = r->count < IDS_RECEIPT_ANSWERS ? r->count + 1 : r->count;
    for (uint32_t i = r->count - 1; i > 0; i--) {
        memcpy(r->nonce[i], r->nonce[i - 1], sizeof r->nonce[i]);
        r->nonce_len[i] = r->nonce_len[i - 1];
        r->answer[i] = r->answer[i - 1];
    }
    memcpy(r->nonce[0], q->nonce.ptr, q->nonce.len);
    r->nonce_len[0] = q->nonce.len;
    r->answer[0] = answer;
    r->end_ms = now + IDS_RECEIPT_TTL_MS;
}

static idp_answer with_state(idp_outcome outcome, idp_state state) {
    return (idp_answer){.outcome = outcome, .state = state};
}

/* Its holder's token is worth nothing from now on. */
static void take_over(idt_model *m, idt_model_record *r) {
    r->token = (idp_token){m->config.epoch, ++m->sequence};
    r->attempt++;
    r->previous = IDP_PREVIOUS_ORPHANED;
    r->nonce_len = 0;
}

static idp_answer decide(idt_model *m, idt_model_record *r,
                         const idp_request *q, uint64_t now) {
    idp_request own = *q;
    own.nonce = (idp_slice){0};
    if (r->state != IDP_STATE_IN_PROGRESS) {
        idt_drop(m, r);
        return (idp_answer){.outcome = IDP_OUTCOME_DELETED};
    }
    take_over(m, r);
    own.token = r->token;
    if (q->verb == IDP_VERB_COMPLETE) {
        own.method = IDP_COMPLETE;
        return idt_complete(m, r, &own, now);
    }
    own.method = IDP_RELEASE;
    own.unbind = q->verb == IDP_VERB_DELETE;
    idp_answer answer = idt_release(m, r, &own, now);
    if (own.unbind) {
        answer.outcome = IDP_OUTCOME_DELETED;
    }
    return answer;
}

bool idt_resolve(idt_model *m, idt_model_record *r, const idp_request *q,
                 uint64_t now, idp_answer *answer) {
    const idp_answer *before = find_answer(m, q, now);
    if (before) {
        *answer = *before;
        return true;
    }
    if (!r) {
        *answer = (idp_answer){.outcome = IDP_OUTCOME_UNKNOWN};
        return true;
    }
    idp_state state = idt_state_at(r, now);
    bool ended = state == IDP_STATE_COMPLETED || state == IDP_STATE_RELEASED;
    if (r->token.epoch != q->token.epoch ||
        r->token.sequence != q->token.sequence ||
        (ended && q->verb != IDP_VERB_DELETE)) {
        *answer = with_state(IDP_OUTCOME_STALE, state);
        return true;
    }
    if (!q->force &&
        (state == IDP_STATE_IN_PROGRESS || state == IDP_STATE_COMPLETED)) {
        *answer = with_state(IDP_OUTCOME_REFUSED, state);
        return true;
    }
    if (m->config.refuses && m->config.refuses(m->config.ctx, q) != IDP_OK) {
        return false;
    }
    *answer = decide(m, r, q, now);
    keep_answer(m, q, now, *answer);
    return true;
}
