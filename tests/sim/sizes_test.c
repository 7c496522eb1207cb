/* SPDX-License-Identifier: Apache-2.0 */
/* sizes_test.c -- sizes that are chosen to hurt: one that fills the memory, of
 * which few survive here and there; then another, that needs what is left
 * between them.
 *
 *   sim_sizes [OPERATIONS [SEED]]
 *
 * After each operation what the shard counts is what it holds, and not over
 * the limit. Whatever was stored is there until its retention ends. And memory
 * is refused only when it is taken: by records that are there, not by what
 * others have left. */
#include "tests/lib/mem.h"
#include "tests/lib/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(what)                                                     \
    do {                                                                \
        if (!(what)) {                                                  \
            printf("%s:%d: not so: %s (seed %llu, operation %llu)\n",   \
                   __FILE__, __LINE__, #what, (unsigned long long)seed, \
                   (unsigned long long)done);                           \
            exit(1);                                                    \
        }                                                               \
    } while (0)

#define MIB (1024u * 1024)

enum { KEYS = 200000, BUDGET = 24 * MIB, RESULT_MAX = 300000, PHASE = 60000 };
/* At a refusal records take so much of the budget at least: the rest is their
 * buckets, what a size is rounded by, and chunks that are not worth moving. */
enum { TAKEN_PERCENT = 70 };

static uint64_t seed = 1, done;

typedef struct stored {
    uint64_t end_ms; /* 0: not there */
    uint32_t bytes;  /* of its result; UINT32_MAX: it was not kept */
} stored;

typedef struct phase {
    uint32_t least, most;
    uint32_t survivors; /* in 1000 */
} phase;

static struct {
    ids_shard *shard;
    idt_mem mem;
    idt_rng rng;
    uint64_t now_ms;
    stored keys[KEYS];
    uint64_t live_bytes; /* of what is not over, heads and all */
    uint64_t refused, dropped, kept, least_percent;
} w;

static uint8_t pool[RESULT_MAX + 256];

static uint64_t hash_of(void *ctx, idp_slice ns, idp_slice key) {
    uint64_t state = 0;
    (void)ctx, (void)ns;
    memcpy(&state, key.ptr, sizeof(uint32_t));
    return idt_splitmix(&state);
}

static void on_wake(void *ctx, ids_asker asker, uint32_t msgid, idp_error error,
                    const idp_answer *answer) {
    (void)ctx, (void)asker, (void)msgid, (void)error, (void)answer;
    CHECK(!"nobody waits here");
}

static void check_count(void) {
    ids_shard_stats stats;
    ids_shard_stats_get(w.shard, &stats);
    CHECK(stats.memory_bytes == w.mem.bytes);
    CHECK(stats.memory_bytes <= BUDGET);
    CHECK(w.mem.wrong == 0);
}

static ids_verdict call(uint32_t number, idp_request *q, idp_answer *answer) {
    idp_error error = IDP_OK;
    q->ns = (idp_slice){(const uint8_t *)"", 0};
    q->key = (idp_slice){(const uint8_t *)&number, sizeof number};
    ids_call c = {q, hash_of(NULL, q->ns, q->key), w.now_ms, 1, 0};
    ids_verdict verdict = ids_shard_call(w.shard, &c, answer, &error);
    CHECK(verdict != IDS_REFUSED || error == IDP_E_NO_MEMORY);
    done++;
    check_count();
    return verdict;
}

static uint64_t weight(const stored *s) {
    return 36 + (s->bytes == UINT32_MAX ? 0 : s->bytes);
}

/* The memory is short for something of so many bytes: it has to be taken. */
static void check_taken(uint32_t bytes) {
    uint64_t percent = (w.live_bytes + bytes) * 100 / BUDGET;
    if (percent < w.least_percent)
        w.least_percent = percent;
    CHECK(percent >= TAKEN_PERCENT || bytes < 40);
}

static void store(uint32_t number, const phase *p) {
    stored *s = &w.keys[number];
    idp_answer answer;
    uint64_t ttl_ms = idt_rng_below(&w.rng, 1000) < p->survivors
                          ? 3600000 + idt_rng_below(&w.rng, 3600000)
                          : 60000 + idt_rng_below(&w.rng, 1000);
    uint32_t bytes = p->least + idt_rng_below(&w.rng, p->most - p->least + 1);
    idp_request q = {
        .method = IDP_ACQUIRE, .lease_ms = 10000, .ttl_ms = ttl_ms};
    if (call(number, &q, &answer) == IDS_REFUSED) {
        w.refused++;
        return;
    }
    CHECK(answer.outcome == IDP_OUTCOME_ACQUIRED);
    q = (idp_request){.method = IDP_COMPLETE,
                      .token = answer.token,
                      .result = {pool + number % 256, bytes}};
    CHECK(call(number, &q, &answer) == IDS_ANSWERED);
    CHECK(answer.outcome == IDP_OUTCOME_COMPLETED);
    *s = (stored){w.now_ms + ttl_ms, answer.kept ? bytes : UINT32_MAX};
    w.live_bytes += weight(s);
    w.kept += answer.kept;
    w.dropped += !answer.kept;
    if (!answer.kept)
        check_taken(bytes);
}

static void look_up(uint32_t number) {
    const stored *s = &w.keys[number];
    idp_answer answer;
    idp_request q = {.method = IDP_ACQUIRE, .lease_ms = 1, .ttl_ms = 1};
    CHECK(call(number, &q, &answer) == IDS_ANSWERED);
    CHECK(answer.outcome == IDP_OUTCOME_REPLAY);
    CHECK(answer.has_result == (s->bytes != UINT32_MAX));
    if (answer.has_result) {
        CHECK(answer.result.len == s->bytes);
        CHECK(memcmp(answer.result.ptr, pool + number % 256, s->bytes) == 0);
    }
}

static bool is_there(const stored *s) {
    return s->end_ms > w.now_ms;
}

/* What is over is forgotten here too. */
static void forget_ended(void) {
    for (uint32_t i = 0; i < KEYS; i++)
        if (w.keys[i].end_ms && !is_there(&w.keys[i])) {
            w.live_bytes -= weight(&w.keys[i]);
            w.keys[i] = (stored){0};
        }
}

static void pass(uint64_t ms) {
    uint64_t end_ms = w.now_ms + ms, next;
    uint32_t turns = 0;
    while ((next = ids_shard_next_ms(w.shard)) <= end_ms) {
        w.now_ms = next > w.now_ms ? next : w.now_ms;
        ids_shard_tick(w.shard, w.now_ms, 128);
        check_count();
        CHECK(turns++ < 4000000);
    }
    w.now_ms = end_ms;
    forget_ended();
}

static void draw_phase(phase *p) {
    static const uint32_t shares[] = {0, 1, 5, 50, 300, 700};
    uint32_t most = RESULT_MAX >> idt_rng_below(&w.rng, 18);
    p->survivors = shares[idt_rng_below(&w.rng, 6)];
    p->most = most;
    p->least = idt_rng_chance(&w.rng, 60) ? most : 0;
}

/* One size fills what there is; then all but the survivors end. */
static void play(const phase *p) {
    uint64_t until = w.refused + w.dropped + 200;
    for (uint32_t i = 0; i < PHASE && w.refused + w.dropped < until; i++) {
        uint32_t number = idt_rng_below(&w.rng, KEYS);
        if (is_there(&w.keys[number]))
            look_up(number);
        else
            store(number, p);
    }
    pass(62500);
    if (idt_rng_chance(&w.rng, 10))
        pass(7300000); /* the survivors too */
}

static void check_all(void) {
    for (uint32_t i = 0; i < KEYS; i++)
        if (is_there(&w.keys[i]))
            look_up(i);
}

int main(int argc, char **argv) {
    uint64_t most = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000000;
    seed = argc > 2 ? strtoull(argv[2], NULL, 10) : seed;
    idt_rng_seed(&w.rng, seed);
    idt_mem_init(&w.mem);
    for (size_t i = 0; i < sizeof pool; i++)
        pool[i] = (uint8_t)(i * 31 + i / 256);
    const ids_shard_config config = {.epoch = 1,
                                     .memory_bytes_max = BUDGET,
                                     .result_bytes_max = RESULT_MAX,
                                     .waiters_per_key_max = 1,
                                     .waiters_max = 1,
                                     .mem = idt_mem_of(&w.mem),
                                     .hash = hash_of,
                                     .on_wake = on_wake};
    w.shard = ids_shard_new(&config);
    w.now_ms = IDS_CLOCK_START_MS;
    w.least_percent = 100;
    uint32_t phases = 0;
    for (; done < most; phases++) {
        phase p;
        draw_phase(&p);
        play(&p);
        if (phases % 16 == 0)
            check_all();
    }
    check_all();
    pass(2 * 7300000);
    CHECK(ids_shard_next_ms(w.shard) == UINT64_MAX);
    ids_shard_free(w.shard);
    CHECK(w.mem.bytes == 0 && w.mem.blocks == 0);
    printf("%llu operations in %u phases: %llu results kept, %llu dropped and "
           "%llu claims refused, at %llu %% of the budget at least\n",
           (unsigned long long)done, phases, (unsigned long long)w.kept,
           (unsigned long long)w.dropped, (unsigned long long)w.refused,
           (unsigned long long)w.least_percent);
    return w.kept && w.dropped && w.refused ? 0 : 1;
}
