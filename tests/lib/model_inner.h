/* SPDX-License-Identifier: Apache-2.0 */
/* model_inner.h -- inside the model: what model.c (calls) and model_wait.c
 * (waiters, time) both need. Nobody else includes this. */
#ifndef IDT_MODEL_INNER_H
#define IDT_MODEL_INNER_H

#include "server/core/receipt.h"
#include "tests/lib/model.h"

#include <string.h>

typedef struct idt_waiter {
    ids_asker asker;
    uint64_t wait_end;
    idp_request request; /* its slices point into bytes */
    uint8_t bytes[IDP_NS_BYTES_MAX + IDP_KEY_BYTES_MAX +
                  IDP_FINGERPRINT_BYTES_MAX + IDP_NONCE_BYTES_MAX];
} idt_waiter;

/* What the last resolves of a key were answered, the newest first. */
typedef struct idt_receipts {
    uint8_t ns[IDP_NS_BYTES_MAX], key[IDP_KEY_BYTES_MAX];
    size_t ns_len, key_len;
    uint8_t nonce[IDS_RECEIPT_ANSWERS][IDP_NONCE_BYTES_MAX];
    size_t nonce_len[IDS_RECEIPT_ANSWERS];
    idp_answer answer[IDS_RECEIPT_ANSWERS];
    uint32_t count;
    uint64_t end_ms;
} idt_receipts;

struct idt_model {
    idt_model_config config;
    uint64_t sequence; /* of the last token */
    idp_error refused; /* why idt_grant did not */
    idt_model_record *records[IDT_MODEL_RECORDS_MAX];
    uint32_t record_count;
    idt_waiter *waiters[IDT_MODEL_WAITERS_MAX]; /* in parking order */
    uint32_t waiter_count;
    idt_receipts receipts[IDT_MODEL_RECORDS_MAX];
    uint32_t receipt_count;
};

static inline bool idt_same(const uint8_t *a, size_t a_len, const uint8_t *b,
                            size_t b_len) {
    return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);
}

static inline bool idt_is_of(const idt_model_record *r, const idp_request *q) {
    return idt_same(r->ns, r->ns_len, q->ns.ptr, q->ns.len) &&
           idt_same(r->key, r->key_len, q->key.ptr, q->key.len);
}

/* Both fingerprints given and different. */
static inline bool idt_conflicts(const idt_model_record *r,
                                 const idp_request *q) {
    return r->fingerprint_len > 0 && q->fingerprint.len > 0 &&
           !idt_same(r->fingerprint, r->fingerprint_len, q->fingerprint.ptr,
                     q->fingerprint.len);
}

static inline bool idt_has_nonce_of(const idt_model_record *r,
                                    const idp_request *q) {
    return q->nonce.len > 0 &&
           idt_same(r->nonce, r->nonce_len, q->nonce.ptr, q->nonce.len);
}

static inline idp_state idt_state_at(const idt_model_record *r, uint64_t now) {
    if (now >= r->ttl_end) {
        return IDP_STATE_ABSENT;
    }
    if (r->state == IDP_STATE_IN_PROGRESS && now >= r->lease_end) {
        return IDP_STATE_ORPHANED;
    }
    return r->state;
}

static inline uint64_t idt_age_at(const idt_model_record *r, uint64_t now) {
    bool orphaned = idt_state_at(r, now) == IDP_STATE_ORPHANED;
    return now - (orphaned ? r->lease_end : r->since_ms);
}

static inline idp_answer idt_in_progress(const idt_model_record *r,
                                         uint64_t as_of) {
    return (idp_answer){.outcome = IDP_OUTCOME_IN_PROGRESS,
                        .lease_left_ms = r->lease_end - as_of,
                        .attempt = r->attempt,
                        .age_ms = as_of - r->since_ms};
}

static inline idp_answer idt_orphaned(const idt_model_record *r, uint64_t now) {
    return (idp_answer){.outcome = IDP_OUTCOME_ORPHANED,
                        .age_ms = idt_age_at(r, now),
                        .attempt = r->attempt};
}

static inline idp_answer idt_mismatch(const idt_model_record *r, uint64_t now) {
    return (idp_answer){.outcome = IDP_OUTCOME_MISMATCH,
                        .state = idt_state_at(r, now)};
}

/* model.c */

/* A new claim for whoever asks with q: on r, or where r is NULL on a record
 * made for it. NULL, and nothing changed: m->refused says why. */
idt_model_record *idt_grant(idt_model *m, idt_model_record *r,
                            const idp_request *q, idp_previous previous,
                            uint64_t now);
idp_answer idt_acquired(const idt_model_record *r);
idp_answer idt_replay(const idt_model_record *r, uint64_t now);

/* The holder asks again: its first reply was lost. */
idp_answer idt_reacquire(idt_model_record *r, const idp_request *q,
                         uint64_t now);
void idt_drop(idt_model *m, idt_model_record *r);

/* model_wait.c */

uint32_t idt_waiters_of(const idt_model *m, const idp_request *q);
void idt_park(idt_model *m, const ids_call *call);

/* q's key is completed: all who wait for it hear so. */
void idt_wake_completed(idt_model *m, const idt_model_record *r,
                        const idp_request *q, uint64_t now);

/* q's key was given up, r (NULL: dropped) is free: the first who waits gets
 * it. */
void idt_hand_on(idt_model *m, idt_model_record *r, const idp_request *q,
                 idp_previous previous, uint64_t now);

/* model.c, for model_resolve.c: as the holder would. */
idp_answer idt_complete(idt_model *m, idt_model_record *r, const idp_request *q,
                        uint64_t now);
idp_answer idt_release(idt_model *m, idt_model_record *r, const idp_request *q,
                       uint64_t now);

/* An operator's; r: NULL, it is absent. False: no memory. */
bool idt_resolve(idt_model *m, idt_model_record *r, const idp_request *q,
                 uint64_t now, idp_answer *answer);

#endif
