/* SPDX-License-Identifier: Apache-2.0 */
/* model.h -- the state machine once more, as plainly as it can be said.
 *
 * One array of records, one of waiters, both walked from the front; nothing
 * is kept that could be worked out. It must be right by reading, so it knows
 * nothing of hashing, expiry queues or memory, and shares no code with the
 * core. It can hold a few keys only. */
#ifndef IDT_MODEL_H
#define IDT_MODEL_H

#include "server/core/ns_limits.h"
#include "server/core/shard.h"

enum { IDT_MODEL_RECORDS_MAX = 64, IDT_MODEL_WAITERS_MAX = 64 };

/* Called when a parked acquire is answered: error IDP_OK and an answer, or
 * an error and NULL. request is the one that was parked. */
typedef void idt_model_wake(void *ctx, ids_asker asker,
                            const idp_request *request, idp_error error,
                            const idp_answer *answer);

typedef struct idt_model_config {
    uint64_t epoch;
    size_t result_bytes_max;
    uint32_t waiters_per_key_max;
    uint32_t waiters_max; /* <= IDT_MODEL_WAITERS_MAX */
    idt_model_wake *on_wake;
    /* Did the shard say that it had no room for what this request asks
     * (NO_MEMORY), or that its namespace's rate is used up (LIMIT)? The model
     * takes its word, which others check: what would have to grow is refused,
     * or completed without its result. Where nothing needs room, or is
     * granted, the question is not put, and the comparison shows the
     * difference. */
    idp_error (*refuses)(void *ctx, const idp_request *request);
    /* What a retention and a result may be there. NULL: nobody
     * counts. */
    const ids_ns_limits *(*limits)(void *ctx, idp_slice ns);
    void *ctx; /* of all of them */
} idt_model_config;

/* A record as it is stored. What it is at a given time follows from it. */
typedef struct idt_model_record {
    uint8_t ns[IDP_NS_BYTES_MAX];
    uint8_t key[IDP_KEY_BYTES_MAX];
    uint8_t fingerprint[IDP_FINGERPRINT_BYTES_MAX];
    uint8_t nonce[IDP_NONCE_BYTES_MAX];
    size_t ns_len, key_len, fingerprint_len, nonce_len; /* len 0: none */
    idp_token token;
    uint32_t attempt;
    idp_previous previous;
    idp_state state;    /* in_progress also while orphaned: see the clock */
    uint64_t since_ms;  /* entered .state then */
    uint64_t lease_ms;  /* the full lease */
    uint64_t lease_end; /* in_progress before, orphaned from here on */
    uint64_t ttl_ms;    /* the full retention */
    uint64_t ttl_end;   /* from here on the record is gone */
    idp_class class;
    uint8_t *result; /* NULL: none kept */
    size_t result_len;
} idt_model_record;

typedef struct idt_model idt_model;

idt_model *idt_model_new(const idt_model_config *config);
void idt_model_free(idt_model *model);

/* The answer's result borrows until the next call. */
ids_verdict idt_model_call(idt_model *model, const ids_call *call,
                           idp_answer *answer, idp_error *error);

void idt_model_forget(idt_model *model, ids_asker asker);
void idt_model_drain(idt_model *model, idp_error error);

/* Lets time pass up to now_ms: leases that waiters hang on and waits, in the
 * order of their deadlines; at the same instant leases first, and waits in
 * parking order. Whoever takes over gets a whole lease from now_ms; a wait
 * ends as of its own time, or of the claim's start if that came later. */
void idt_model_advance(idt_model *model, uint64_t now_ms);

/* The next deadline that somebody waits for; UINT64_MAX: none. */
uint64_t idt_model_next_ms(const idt_model *model);

/* The record as it is at now_ms, and the state it is in then; NULL and
 * ABSENT when there is none. Borrowed until the next call. */
const idt_model_record *idt_model_find(const idt_model *model, idp_slice ns,
                                       idp_slice key, uint64_t now_ms,
                                       idp_state *state);

typedef struct idt_model_counts {
    uint64_t records, bytes;
    uint64_t in_progress; /* orphaned ones are among them */
} idt_model_counts;

/* What a namespace has: records, and 48 bytes and its parts for each. */
void idt_model_count(const idt_model *model, idp_slice ns, uint64_t now_ms,
                     idt_model_counts *counts);

uint32_t idt_model_waiters(const idt_model *model);
uint32_t idt_model_records(const idt_model *model, uint64_t now_ms);

#endif
