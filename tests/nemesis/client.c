/* SPDX-License-Identifier: Apache-2.0 */
/* client.c -- what a client does: claims, gives up, repeats itself, uses
 * what is not its own, on keys that are new every half second and on a few
 * that stay. Everything but the answers follows from its seed. */
#include "tests/nemesis/client.h"

#include "tests/lib/rng.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

enum {
    ROUND_MS = 500,
    KEYS_PER_ROUND = 10,
    LASTING_KEYS = 4,
    HELD_MAX = 12,
    PAUSE_MS_MAX = 18,
    TIMEOUT_MS = 2500
};

/* A claim of ours, or a token that was. */
typedef struct claim {
    char key[NEM_NAME_MAX];
    nem_token token;
    uint64_t lease_ms;
    uint64_t due_ns; /* something is done about it then */
    bool over;
} claim;

typedef struct client {
    const nem_client *told;
    nem_recorder recorder;
    idt_rng rng;
    claim claims[HELD_MAX];
    uint32_t nonces;
} client;

static bool chance(client *c, uint32_t percent) {
    return idt_rng_chance(&c->rng, percent);
}

static void rest_ms(uint32_t ms) {
    nanosleep(&(struct timespec){.tv_sec = ms / 1000,
                                 .tv_nsec = (long)(ms % 1000) * 1000000},
              NULL);
}

/* --- keys: how long its claims and records live follows from the name */

static void pick_key(client *c, char key[static NEM_NAME_MAX]) {
    uint64_t round = (nem_now_ns() - c->told->epoch_ns) / (ROUND_MS * NEM_MS);
    uint32_t keys = c->told->keys != 0 ? c->told->keys : KEYS_PER_ROUND;
    uint32_t number = idt_rng_below(&c->rng, keys);
    if (chance(c, 4)) {
        snprintf(key, NEM_NAME_MAX, "lasting%" PRIu32,
                 idt_rng_below(&c->rng, LASTING_KEYS * keys / KEYS_PER_ROUND));
        return;
    }
    if (chance(c, 12) && round > 0)
        round -= 1;
    else if (chance(c, 10) && round > 0)
        round -= idt_rng_below(&c->rng, round < 24 ? (uint32_t)round : 24);
    else if (chance(c, 6) && round > 0) /* long ago, and kept: see below */
        round = idt_rng_below(&c->rng, (uint32_t)round), number = 2;
    snprintf(key, NEM_NAME_MAX, "r%" PRIu64 "k%" PRIu32, round, number);
}

static uint32_t kind_of(const char *key) {
    return (uint32_t)(key[strlen(key) - 1] - '0');
}

static uint64_t lease_of(const char *key) {
    static const uint64_t leases_ms[] = {300, 600, 1500, 5000};
    return key[0] == 'l' ? 600 : leases_ms[kind_of(key) % 4];
}

static uint64_t ttl_of(const char *key) {
    static const uint64_t ttls_ms[] = {5000, 9000, 3600000};
    return key[0] == 'l' ? 3600000 : ttls_ms[kind_of(key) % 3];
}

/* --- calls */

static claim *free_claim(client *c) {
    claim *at = &c->claims[idt_rng_below(&c->rng, HELD_MAX)];
    for (int i = 0; i < HELD_MAX; i++)
        if (c->claims[i].key[0] == '\0')
            at = &c->claims[i];
    return at;
}

static void keep_claim(client *c, const nem_op *op) {
    claim *at = free_claim(c);
    snprintf(at->key, sizeof at->key, "%s", op->key);
    at->token = op->token;
    at->lease_ms = op->lease_ms;
    at->over = false;
    at->due_ns = op->return_ns +
                 idt_rng_below(&c->rng, chance(c, 20) ? 900 : 150) * NEM_MS;
}

static void new_nonce(client *c, nem_op *op) {
    if (chance(c, 4)) /* two who have one nonce */
        snprintf(op->nonce, sizeof op->nonce, "%s", op->key);
    else
        snprintf(op->nonce, sizeof op->nonce, "n%" PRIu32 ".%" PRIu32,
                 c->told->number, ++c->nonces);
}

/* Some have little patience, and do not know how it ended. */
static uint32_t patience_ms(client *c) {
    return chance(c, 20) ? idt_rng_between(&c->rng, 30, 600) : TIMEOUT_MS;
}

static void acquire(client *c) {
    nem_op op = {.method = IDEM_ACQUIRE};
    uint32_t tries = 0;
    pick_key(c, op.key);
    if (!chance(c, 12))
        snprintf(op.fp, sizeof op.fp, chance(c, 92) ? "same" : "other");
    new_nonce(c, &op);
    op.lease_ms = lease_of(op.key);
    op.ttl_ms = ttl_of(op.key);
    op.wait_ms = chance(c, 25) ? idt_rng_between(&c->rng, 20, 700) : 0;
    op.report = chance(c, 12);
    do {
        nem_op one = op;
        nem_recorder_ask(&c->recorder, &one, patience_ms(c));
        if (one.end == NEM_ANSWERED && one.outcome == IDEM_ACQUIRED)
            keep_claim(c, &one);
        /* It asks again, by the same nonce, where it does not know, and
         * sometimes where it does. */
        if (one.end == NEM_ANSWERED ? !chance(c, 5) : !chance(c, 75))
            return;
    } while (++tries < 3);
}

static void with_token(client *c, int32_t method, const claim *of) {
    nem_op op = {.method = method, .asked = of->token};
    snprintf(op.key, sizeof op.key, "%s", of->key);
    if (method == IDEM_COMPLETE && !chance(c, 10))
        op.result = (nem_result){
            .given = true,
            .len =
                chance(c, 4) ? 0 : idt_rng_between(&c->rng, 60, NEM_BODY_MAX)};
    if (method == IDEM_COMPLETE)
        op.class = chance(c, 15);
    if (method == IDEM_RENEW)
        op.lease_ms = of->lease_ms;
    if (method == IDEM_RELEASE)
        op.unbind = chance(c, 20);
    for (uint32_t tries = 0; tries < 3; tries++) {
        nem_op one = op;
        nem_recorder_ask(&c->recorder, &one, patience_ms(c));
        if (one.end == NEM_ANSWERED || !chance(c, 75))
            return;
    }
}

static void end_claim(client *c, claim *at) {
    uint32_t what = idt_rng_below(&c->rng, 100);
    if (what < 62)
        with_token(c, IDEM_COMPLETE, at);
    else if (what < 78)
        with_token(c, IDEM_RELEASE, at);
    else if (what < 90) {
        with_token(c, IDEM_RENEW, at);
        at->due_ns = nem_now_ns() + idt_rng_below(&c->rng, 300) * NEM_MS;
        return;
    }
    at->over = true; /* what is left of it is a stale token */
}

static void use_old_token(client *c) {
    static const int32_t methods[] = {IDEM_COMPLETE, IDEM_RELEASE, IDEM_RENEW};
    claim *at = &c->claims[idt_rng_below(&c->rng, HELD_MAX)];
    if (at->key[0] == '\0' || !at->over)
        return;
    with_token(c, methods[idt_rng_below(&c->rng, 3)], at);
    if (chance(c, 40))
        at->key[0] = '\0';
}

static void peek(client *c) {
    nem_op op = {.method = IDEM_PEEK};
    pick_key(c, op.key);
    nem_recorder_ask(&c->recorder, &op, patience_ms(c));
}

static void step(client *c) {
    uint64_t now_ns = nem_now_ns();
    for (int i = 0; i < HELD_MAX; i++) {
        claim *at = &c->claims[i];
        if (at->key[0] != '\0' && !at->over && at->due_ns <= now_ns) {
            end_claim(c, at);
            return;
        }
    }
    uint32_t what = idt_rng_below(&c->rng, 100);
    if (what < 78)
        acquire(c);
    else if (what < 90)
        peek(c);
    else
        use_old_token(c);
}

int nem_client_run(const nem_client *told) {
    client c = {.told = told};
    uint32_t pause_ms = told->pause_ms != 0 ? told->pause_ms : PAUSE_MS_MAX;
    idt_rng_seed(&c.rng, told->seed);
    if (!nem_recorder_open(&c.recorder, told))
        return 1;
    while (!*told->over) {
        step(&c);
        rest_ms(idt_rng_below(&c.rng, pause_ms));
    }
    nem_recorder_close(&c.recorder);
    return 0;
}

/* --- the last look */

static bool must_be_kept(const nem_op *op) {
    return op->method == IDEM_COMPLETE && op->end == NEM_ANSWERED &&
           op->outcome == IDEM_COMPLETED && ttl_of(op->key) >= 3600000;
}

/* One acquire for each such key, which has to be answered with its result;
 * the judge sees to that. */
long nem_client_audit(const nem_client *told, const nem_history *seen) {
    char last[NEM_NAME_MAX] = "";
    nem_recorder recorder;
    long asked = 0;
    if (!nem_recorder_open(&recorder, told))
        return -1;
    for (size_t i = 0; i < seen->count; i++) {
        nem_op op = {.method = IDEM_ACQUIRE, .lease_ms = 300};
        if (!must_be_kept(&seen->ops[i]) || strcmp(last, seen->ops[i].key) == 0)
            continue;
        snprintf(last, sizeof last, "%s", seen->ops[i].key);
        snprintf(op.key, sizeof op.key, "%s", last);
        snprintf(op.nonce, sizeof op.nonce, "audit%u", (unsigned)asked);
        op.ttl_ms = ttl_of(op.key);
        op.lease_ms = lease_of(op.key);
        nem_recorder_ask(&recorder, &op, TIMEOUT_MS);
        asked++;
    }
    nem_recorder_close(&recorder);
    return asked;
}
