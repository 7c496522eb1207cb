/* SPDX-License-Identifier: Apache-2.0 */
/* growth_test.c -- many keys: the table grows and shrinks, records are
 * reclaimed when their time is over, and memory comes back.
 *
 * Too many for the model; here a key's number says what must be known of
 * it. */
#include "tests/lib/mem.h"
#include "tests/lib/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(what)                                                       \
    do {                                                                  \
        if (!(what)) {                                                    \
            printf("%s:%d: not so: %s (seed %llu)\n", __FILE__, __LINE__, \
                   #what, (unsigned long long)seed);                      \
            exit(1);                                                      \
        }                                                                 \
    } while (0)

enum { KEYS = 300000, STEPS = 64 };

static uint64_t seed = 20261123;

typedef struct grown {
    ids_shard *shard;
    idt_mem mem;
    uint64_t now_ms;
    uint64_t empty_bytes; /* held by a shard without records */
    idp_token tokens[KEYS];
    bool has[KEYS]; /* a claim was granted */
} grown;

static uint64_t hash_of(void *ctx, idp_slice ns, idp_slice key) {
    uint32_t number;
    (void)ctx;
    (void)ns;
    memcpy(&number, key.ptr, sizeof number);
    uint64_t state = number;
    return idt_splitmix(&state);
}

static void on_wake(void *ctx, ids_asker asker, uint32_t msgid, idp_error error,
                    const idp_answer *answer) {
    (void)ctx;
    (void)asker;
    (void)msgid;
    (void)error;
    (void)answer;
    CHECK(!"nobody waits here");
}

static void open_shard(grown *g, size_t memory_bytes_max) {
    idt_mem_init(&g->mem);
    memset(g->has, 0, sizeof g->has);
    g->now_ms = 1000;
    ids_shard_config config = {.epoch = 1,
                               .memory_bytes_max = memory_bytes_max,
                               .result_bytes_max = 1u << 20,
                               .waiters_per_key_max = 1,
                               .waiters_max = 1,
                               .mem = idt_mem_of(&g->mem),
                               .hash = hash_of,
                               .on_wake = on_wake};
    g->shard = ids_shard_new(&config);
    CHECK(g->shard);
    g->empty_bytes = g->mem.bytes;
}

static void close_shard(grown *g) {
    ids_shard_free(g->shard);
    CHECK(g->mem.bytes == 0 && g->mem.blocks == 0 && g->mem.wrong == 0);
}

static ids_verdict call(grown *g, uint32_t number, idp_request *q,
                        idp_answer *answer) {
    idp_error error = IDP_OK;
    q->ns = (idp_slice){(const uint8_t *)"", 0};
    q->key = (idp_slice){(const uint8_t *)&number, sizeof number};
    ids_call c = {q, hash_of(NULL, q->ns, q->key), g->now_ms, 1, 0};
    ids_verdict verdict = ids_shard_call(g->shard, &c, answer, &error);
    CHECK(verdict != IDS_REFUSED || error == IDP_E_NO_MEMORY);
    return verdict;
}

/* False: there was no memory for it. */
static bool claim(grown *g, uint32_t number, uint64_t ttl_ms) {
    idp_answer answer;
    idp_request q = {.method = IDP_ACQUIRE,
                     .lease_ms = ttl_ms < 1000 ? (uint32_t)ttl_ms : 1000,
                     .ttl_ms = ttl_ms};
    if (call(g, number, &q, &answer) == IDS_REFUSED) {
        return false;
    }
    CHECK(answer.outcome == IDP_OUTCOME_ACQUIRED && answer.attempt == 1);
    g->tokens[number] = answer.token;
    g->has[number] = true;
    return true;
}

/* The result says the key's number, so that a mix-up shows. */
static bool complete(grown *g, uint32_t number) {
    uint8_t result[200];
    idp_answer answer;
    memset(result, (int)(number & 0xff), sizeof result);
    memcpy(result, &number, sizeof number);
    idp_request q = {.method = IDP_COMPLETE,
                     .token = g->tokens[number],
                     .result = {result, 8 + number % 192}};
    CHECK(call(g, number, &q, &answer) == IDS_ANSWERED);
    CHECK(answer.outcome == IDP_OUTCOME_COMPLETED);
    return answer.kept;
}

static void expect_replay(grown *g, uint32_t number) {
    uint32_t said = 0;
    idp_answer answer;
    idp_request q = {.method = IDP_ACQUIRE, .lease_ms = 1, .ttl_ms = 1};
    CHECK(call(g, number, &q, &answer) == IDS_ANSWERED);
    CHECK(answer.outcome == IDP_OUTCOME_REPLAY && answer.has_result);
    memcpy(&said, answer.result.ptr, sizeof said);
    CHECK(said == number && answer.result.len == 8 + number % 192);
}

static idp_state state_of(grown *g, uint32_t number) {
    idp_answer answer;
    idp_request q = {.method = IDP_PEEK};
    CHECK(call(g, number, &q, &answer) == IDS_ANSWERED);
    return answer.state;
}

static uint64_t records(const grown *g) {
    ids_shard_stats stats;
    ids_shard_stats_get(g->shard, &stats);
    CHECK(stats.memory_bytes == g->mem.bytes);
    CHECK(stats.memory_bytes <= stats.memory_bytes_max);
    return stats.records;
}

/* Lets time pass by the shard's own word on when it has to be called. Every
 * turn must get somewhere. */
static void pass_until(grown *g, uint64_t to_ms) {
    uint64_t still = 0, next, before = UINT64_MAX;
    while ((next = ids_shard_next_ms(g->shard)) <= to_ms) {
        g->now_ms = next > g->now_ms ? next : g->now_ms;
        ids_shard_tick(g->shard, g->now_ms, STEPS);
        uint64_t left = records(g);
        still = left == before && next <= g->now_ms ? still + 1 : 0;
        CHECK(still < KEYS);
        before = left;
    }
    g->now_ms = to_ms;
}

static void expect_empty(grown *g) {
    CHECK(records(g) == 0);
    CHECK(ids_shard_next_ms(g->shard) == UINT64_MAX);
    CHECK(g->mem.bytes <= g->empty_bytes);
}

/* Grows to KEYS, is right about each of them, and shrinks back to nothing;
 * twice, since what was given back must be usable again. */
static void test_grow_and_shrink(grown *g) {
    idt_rng rng;
    idt_rng_seed(&rng, seed);
    open_shard(g, 512u << 20);
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < KEYS; i++) {
            CHECK(claim(g, i, 10000 + idt_rng_below(&rng, 3600000)));
            CHECK(i % 3 != 0 || complete(g, i));
        }
        CHECK(records(g) == KEYS);
        for (uint32_t i = 0; i < KEYS; i++) {
            if (i % 3 == 0) {
                expect_replay(g, i);
            } else {
                CHECK(state_of(g, i) == IDP_STATE_IN_PROGRESS);
            }
        }
        uint64_t full = g->mem.bytes;
        pass_until(g, g->now_ms + 1800000);
        uint64_t half = records(g);
        CHECK(half > KEYS / 3 && half < KEYS * 2 / 3);
        pass_until(g, g->now_ms + 1800000 + 20000);
        expect_empty(g);
        CHECK(full > g->mem.bytes * 2);
    }
    close_shard(g);
}

/* Keys come and go for a long time: memory stays where it is. */
static void test_steady(grown *g) {
    uint64_t peak_early = 0, peak = 0;
    open_shard(g, 512u << 20);
    for (uint32_t i = 0; i < KEYS; i++) {
        CHECK(claim(g, i, 2000));
        complete(g, i);
        if (i % 10 == 0) {
            pass_until(g, g->now_ms + 1); /* 20000 live ones at a time */
        }
        peak = g->mem.bytes > peak ? g->mem.bytes : peak;
        peak_early = i == KEYS / 3 ? peak : peak_early;
    }
    CHECK(records(g) <= 10 * 2200);
    CHECK(peak <= peak_early + peak_early / 10);
    pass_until(g, g->now_ms + 10000);
    expect_empty(g);
    close_shard(g);
}

/* At the limit new claims are refused, and nothing that is there goes. When
 * it has gone by itself there is room again. */
static void test_full(grown *g) {
    uint32_t granted = 0, refused = 0;
    open_shard(g, 8u << 20);
    for (uint32_t i = 0; i < KEYS; i++) {
        if (claim(g, i, 60000)) {
            granted++;
        } else {
            refused++;
        }
    }
    CHECK(refused > 0 && granted > 10000);
    for (uint32_t i = 0; i < KEYS; i++) {
        CHECK(state_of(g, i) ==
              (g->has[i] ? IDP_STATE_IN_PROGRESS : IDP_STATE_ABSENT));
    }
    for (uint32_t i = 0; i < KEYS; i++) {
        if (g->has[i]) {
            complete(g, i); /* with its result or without */
            CHECK(state_of(g, i) == IDP_STATE_COMPLETED);
        }
    }
    pass_until(g, g->now_ms + 70000);
    expect_empty(g);
    for (uint32_t i = 0; i < granted / 5; i++) {
        CHECK(claim(g, i, 60000) && complete(g, i));
        expect_replay(g, i);
    }
    close_shard(g);
}

/* Allocations fail now and then while it grows. */
static void test_failing(grown *g) {
    idt_rng rng;
    idt_rng_seed(&rng, seed + 1);
    open_shard(g, 32u << 20); /* small chunks: many allocations */
    for (uint32_t i = 0; i < KEYS / 3; i++) {
        if (g->mem.asked >= g->mem.fail_until) {
            idt_mem_fail_once(&g->mem, 1 + idt_rng_below(&rng, 3));
        }
        claim(g, i, 60000);
        if (g->has[i] && i % 2 == 0) {
            complete(g, i);
        }
    }
    CHECK(g->mem.refused > 50);
    idt_mem_heal(&g->mem);
    for (uint32_t i = 0; i < KEYS / 3; i++) {
        idp_state is = state_of(g, i);
        CHECK(is == (!g->has[i]   ? IDP_STATE_ABSENT
                     : i % 2 == 0 ? IDP_STATE_COMPLETED
                                  : IDP_STATE_IN_PROGRESS));
    }
    pass_until(g, g->now_ms + 70000);
    expect_empty(g);
    close_shard(g);
}

/* Nobody calls tick for a year: the next turns catch up, a bounded step at a
 * time, and calls are right in between. */
static void test_late(grown *g) {
    open_shard(g, 512u << 20);
    for (uint32_t i = 0; i < 10000; i++) {
        CHECK(claim(g, i, 1 + i * 100000ull));
    }
    g->now_ms += 366ull * 86400000;
    for (uint32_t i = 0; i < 10000; i += 7) {
        CHECK(state_of(g, i) == IDP_STATE_ABSENT);
    }
    CHECK(ids_shard_next_ms(g->shard) <= g->now_ms);
    uint64_t before = records(g);
    ids_shard_tick(g->shard, g->now_ms, 10);
    CHECK(records(g) + 10 >= before);
    pass_until(g, g->now_ms);
    expect_empty(g);
    close_shard(g);
}

int main(void) {
    grown *g = calloc(1, sizeof *g);
    test_grow_and_shrink(g);
    test_steady(g);
    test_full(g);
    test_failing(g);
    test_late(g);
    free(g);
    printf("%d keys: it grows, shrinks, refuses and gives back\n", KEYS);
    return 0;
}
