/* SPDX-License-Identifier: Apache-2.0 */
/* generator.c -- see generator.h. A queue of events on a virtual clock around
 * the model: a call starts, an attempt of it arrives, its answer is there. */
#include "tests/nemesis/generator.h"

#include "tests/lib/model.h"

#include <stdlib.h>
#include <string.h>

enum {
    CLIENTS = 5,
    KEYS = 3,
    EVENTS_MAX = 4096,
    TOKENS_MAX = 64,
    END_MS = 5000,
    EPOCH = 7
};

typedef enum what { START, ARRIVE } what;

typedef struct event {
    uint64_t at_ms;
    what what;
    uint32_t client; /* START */
    size_t op;       /* ARRIVE */
    bool heard;
} event;

typedef struct maker {
    nem_history *h;
    idt_model *model;
    idt_rng rng;
    bool lossy;
    uint64_t now_ms;
    event events[EVENTS_MAX];
    size_t count;
    struct {
        char key[NEM_NAME_MAX];
        nem_token token;
    } tokens[TOKENS_MAX];
    size_t token_count;
    uint32_t calls[CLIENTS];
} maker;

static uint32_t below(maker *m, uint32_t bound) {
    return idt_rng_below(&m->rng, bound);
}

static bool chance(maker *m, uint32_t percent) {
    return idt_rng_chance(&m->rng, percent);
}

static void later(maker *m, uint64_t in_ms, event e) {
    e.at_ms = m->now_ms + in_ms;
    if (m->count < EVENTS_MAX)
        m->events[m->count++] = e;
}

/* The next that is due now; false: none is. */
static bool first(maker *m, event *e) {
    for (size_t i = 0; i < m->count; i++) {
        if (m->events[i].at_ms > m->now_ms)
            continue;
        *e = m->events[i];
        m->events[i] = m->events[--m->count];
        return true;
    }
    return false;
}

/* --- calls */

static void ask_acquire(maker *m, nem_op *op) {
    op->method = IDEM_ACQUIRE;
    if (!chance(m, 15))
        snprintf(op->fp, sizeof op->fp, chance(m, 85) ? "same" : "other");
    if (chance(m, 6))
        snprintf(op->nonce, sizeof op->nonce, "both");
    else
        snprintf(op->nonce, sizeof op->nonce, "n%u.%u", op->client, op->call);
    op->lease_ms = 300;
    op->ttl_ms = 900;
    op->wait_ms = chance(m, 30) ? below(m, 200) : 0;
    op->report = chance(m, 15);
}

static void ask_with_token(maker *m, nem_op *op) {
    static const int32_t methods[] = {IDEM_COMPLETE, IDEM_RELEASE, IDEM_RENEW};
    size_t recent = m->token_count < 6 ? m->token_count : 6;
    size_t at = m->token_count - 1 - below(m, (uint32_t)recent);
    op->method = methods[below(m, 3)];
    op->asked = m->tokens[at % TOKENS_MAX].token;
    memcpy(op->key, m->tokens[at % TOKENS_MAX].key, sizeof op->key);
    if (op->method == IDEM_COMPLETE && !chance(m, 10))
        op->result = (nem_result){true, sizeof(size_t),
                                  nem_digest(&m->h->count, sizeof(size_t))};
    if (op->method == IDEM_COMPLETE)
        op->class = chance(m, 20);
    if (op->method == IDEM_RENEW)
        op->lease_ms = 300;
    if (op->method == IDEM_RELEASE)
        op->unbind = chance(m, 5);
}

static idp_slice text(const char *s) {
    return (idp_slice){(const uint8_t *)s, strlen(s)};
}

static idp_request request_of(const nem_op *op, const size_t *body) {
    return (idp_request){
        .method = (idp_method)(op->method - IDEM_ACQUIRE),
        .key = text(op->key),
        .fingerprint = text(op->fp),
        .nonce = text(op->nonce),
        .token = {op->asked.epoch, op->asked.sequence},
        .lease_ms = (uint32_t)op->lease_ms,
        .ttl_ms = op->ttl_ms,
        .wait_ms = (uint32_t)op->wait_ms,
        .on_orphan = op->report ? IDP_REPORT : IDP_TAKEOVER,
        .class = op->class ? IDP_CLASS_ERROR : IDP_CLASS_SUCCESS,
        .unbind = op->unbind != 0,
        .result = {op->result.given ? (const uint8_t *)body : NULL,
                   op->result.given ? sizeof *body : 0}};
}

/* --- answers */

static void heard(maker *m, size_t at, const idp_answer *a) {
    nem_op *op = &m->h->ops[at];
    op->end = NEM_ANSWERED;
    op->outcome = IDEM_ACQUIRED + (int32_t)a->outcome;
    op->state = IDEM_STATE_ABSENT + (int32_t)a->state;
    op->previous = IDEM_PREVIOUS_NONE + (int32_t)a->previous;
    op->attempt = a->attempt;
    op->kept = a->kept;
    op->lease_left_ms = a->lease_left_ms;
    op->ttl_left_ms = a->ttl_left_ms;
    op->replayed_class = a->class;
    if (a->outcome == IDP_OUTCOME_REPLAY && a->has_result)
        op->replayed = (nem_result){true, a->result.len,
                                    nem_digest(a->result.ptr, a->result.len)};
    if (a->outcome == IDP_OUTCOME_RECORD && a->has_result)
        op->replayed.len = a->result_bytes;
    if (a->outcome == IDP_OUTCOME_ACQUIRED) {
        op->token = (nem_token){a->token.epoch, a->token.sequence};
        size_t slot = m->token_count++ % TOKENS_MAX;
        m->tokens[slot].token = op->token;
        memcpy(m->tokens[slot].key, op->key, sizeof op->key);
    }
    uint64_t late_ms = below(m, 15);
    op->return_ns = (m->now_ms + late_ms) * NEM_MS + below(m, 900000);
    later(m, late_ms + 1 + below(m, 60),
          (event){.what = START, .client = op->client});
}

static void wake(void *ctx, ids_asker asker, const idp_request *request,
                 idp_error error, const idp_answer *answer) {
    (void)request;
    (void)error;
    if (asker & 1)
        heard(ctx, asker >> 1, answer);
}

/* --- events */

static void give_up(maker *m, size_t at) {
    nem_op *op = &m->h->ops[at];
    op->return_ns = (m->now_ms + 50) * NEM_MS;
    snprintf(op->error, sizeof op->error, "TIMEOUT");
    later(m, 51, (event){.what = START, .client = op->client});
}

static void start(maker *m, uint32_t client) {
    nem_op op = {.client = client,
                 .call = ++m->calls[client],
                 .invoke_ns = m->now_ms * NEM_MS,
                 .return_ns = NEM_NEVER};
    uint32_t fate = m->lossy ? below(m, 100) : 99;
    size_t at = m->h->count;
    if (m->now_ms > END_MS)
        return;
    snprintf(op.key, sizeof op.key, "k%u", below(m, KEYS));
    if (m->token_count > 0 && chance(m, 50))
        ask_with_token(m, &op);
    else if (chance(m, 10))
        op.method = IDEM_PEEK;
    else
        ask_acquire(m, &op);
    op.again = fate >= 8 && fate < 18;
    nem_history_add(m->h, &op);
    if (fate < 8)
        give_up(m, at);
    if (fate < 4 || op.again) /* an attempt that nobody hears of */
        later(m, below(m, fate % 2 ? 20 : 400),
              (event){.what = ARRIVE, .op = at});
    if (fate >= 8)
        later(m, below(m, 15) + (op.again ? 20 : 0),
              (event){.what = ARRIVE, .op = at, .heard = true});
}

static void arrive(maker *m, size_t at, bool is_heard) {
    idp_request request = request_of(&m->h->ops[at], &at);
    ids_call call = {
        .request = &request, .now_ms = m->now_ms, .asker = at << 1 | is_heard};
    idp_answer answer;
    idp_error error;
    ids_verdict verdict = idt_model_call(m->model, &call, &answer, &error);
    if (verdict == IDS_REFUSED)
        abort();
    if (is_heard && verdict == IDS_ANSWERED)
        heard(m, at, &answer);
}

void nem_make(nem_history *h, uint64_t seed, bool lossy) {
    maker *m = calloc(1, sizeof *m);
    if (m == NULL)
        abort();
    idt_model_config config = {.epoch = EPOCH,
                               .result_bytes_max = 64,
                               .waiters_per_key_max = IDT_MODEL_WAITERS_MAX,
                               .waiters_max = IDT_MODEL_WAITERS_MAX,
                               .on_wake = wake,
                               .ctx = m};
    m->h = h;
    m->lossy = lossy;
    m->model = idt_model_new(&config);
    idt_rng_seed(&m->rng, seed);
    for (uint32_t i = 0; i < CLIENTS; i++)
        later(m, 1000 + below(m, 50), (event){.what = START, .client = i});
    while (m->count > 0 || idt_model_waiters(m->model) > 0) {
        idt_model_advance(m->model, m->now_ms);
        event e;
        if (!first(m, &e))
            m->now_ms++;
        else if (e.what == START)
            start(m, e.client);
        else
            arrive(m, e.op, e.heard);
    }
    idt_model_free(m->model);
    free(m);
}
