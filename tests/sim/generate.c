/* SPDX-License-Identifier: Apache-2.0 */
/* generate.c -- see generate.h. */
#include "tests/sim/generate.h"

#include <string.h>

/* Bytes that every slice of a world points into: no two stretches alike. */
static uint8_t pool[WORLD_RESULT_MAX + 1024];

static void fill_pool(void) {
    static const char names[] = "k0k1k2k3k4k5k6k7k8k9kakbkckdkekf";
    for (size_t i = 0; i < sizeof pool; i++) {
        pool[i] = i < sizeof names - 1 ? (uint8_t)names[i]
                                       : (uint8_t)(i * 31 + i / 256);
    }
}

static idp_slice slice(size_t at, size_t len) {
    return (idp_slice){pool + at, len};
}

static bool chance(generator *g, uint32_t percent) {
    return idt_rng_chance(&g->rng, percent);
}

static uint32_t below(generator *g, uint32_t bound) {
    return idt_rng_below(&g->rng, bound);
}

static uint32_t between(generator *g, uint32_t low, uint32_t high) {
    return idt_rng_between(&g->rng, low, high);
}

/* Sixteen names: in two namespaces, one of them as long as can be; now and
 * then all with one hash, so that they share a bucket and its tag. */
static void choose_keys(generator *g) {
    bool clash = chance(g, 20);
    uint64_t hash = idt_rng_next(&g->rng);
    for (uint32_t i = 0; i < WORLD_KEYS_MAX; i++) {
        world_key *k = &g->keys[i];
        k->ns = slice(0, i & 1 ? 1 : 0);
        k->key = slice((i / 2) * 4, 2);
        k->hash = clash ? hash : idt_rng_next(&g->rng);
    }
    g->keys[3].ns = slice(0, IDP_NS_BYTES_MAX);
    g->keys[3].key = slice(0, IDP_KEY_BYTES_MAX);
    g->key_count = chance(g, 50) ? between(g, 1, 4) : WORLD_KEYS_MAX;
}

static ids_ns_limits choose_limits(generator *g) {
    static const uint32_t rates[] = {1, 5, 10, 20, 100, 500};
    ids_ns_limits limits = ids_ns_limits_none();
    if (chance(g, 40)) {
        limits.records_max = below(g, 6);
    }
    if (chance(g, 40)) {
        limits.bytes_max = between(g, 0, 600);
    }
    if (chance(g, 30)) {
        limits.ttl_ms_max = between(g, 20, 300);
    }
    if (chance(g, 30)) {
        limits.result_bytes_max = below(g, 200);
    }
    if (chance(g, 30)) {
        limits.rate = rates[below(g, 6)];
        limits.burst = between(g, 1, 5);
    }
    return limits;
}

static world_limits choose_all_limits(generator *g) {
    world_limits all;
    for (int i = 0; i < WORLD_NAMESPACES; i++) {
        all.of[i] = chance(g, 25) ? ids_ns_limits_none() : choose_limits(g);
    }
    return all;
}

void generator_init(generator *g, uint64_t seed, mutant m) {
    memset(g, 0, sizeof *g);
    fill_pool();
    idt_rng_seed(&g->rng, seed);
    choose_keys(g);
    bool tiny = chance(g, 25);
    g->asker_count = between(g, 2, 6);
    g->long_percent = chance(g, 50) ? 0 : 10;
    g->sleepy = chance(g, 30);
    g->config = (world_config){
        .epoch = 1 + below(g, 1000),
        .memory_bytes_max = tiny ? 100000 + below(g, 100000) : 4u << 20,
        .memory_short = tiny,
        .result_bytes_max = below(g, chance(g, 20) ? WORLD_RESULT_MAX : 256),
        .waiters_per_key_max = chance(g, 30) ? between(g, 0, 3) : 16,
        .waiters_max = chance(g, 30) ? between(g, 0, 6) : 40,
        .limited = chance(g, 25),
        .mutant = m};
    g->config.limits = choose_all_limits(g);
    g->reloads = g->config.limited || chance(g, 20);
}

/* --- parameters --------------------------------------------------------- */

/* A retention, and a lease within it. */
static void choose_times(generator *g, idp_request *q) {
    if (chance(g, g->long_percent)) {
        q->ttl_ms = chance(g, 50) ? IDP_TTL_MS_MAX : between(g, 1, 100000000);
        q->lease_ms = q->ttl_ms < IDP_LEASE_MS_MAX ? (uint32_t)q->ttl_ms
                                                   : IDP_LEASE_MS_MAX;
        return;
    }
    q->ttl_ms = between(g, 1, chance(g, 50) ? 10 : 400);
    q->lease_ms = chance(g, 20) ? (uint32_t)q->ttl_ms
                                : between(g, 1, (uint32_t)q->ttl_ms);
}

static idp_slice choose_fingerprint(generator *g) {
    uint32_t which = below(g, 10);
    if (which < 4) {
        return (idp_slice){NULL, 0};
    }
    if (which == 9) {
        return slice(2, IDP_FINGERPRINT_BYTES_MAX);
    }
    return slice(which & 1 ? 0 : 2, which == 8 ? 3 : 2);
}

static idp_slice choose_nonce(generator *g) {
    uint32_t which = below(g, 8);
    if (which < 3) {
        return (idp_slice){NULL, 0};
    }
    return slice(which, which == 7 ? IDP_NONCE_BYTES_MAX : 1);
}

/* The record's own token most of the time, else an older one of the shard's,
 * else one that nobody ever granted. */
static idp_token choose_token(generator *g, const world *w, uint32_t key) {
    idp_state state;
    const idt_model_record *r = idt_model_find(
        w->model, w->keys[key].ns, w->keys[key].key, w->now_ms, &state);
    uint32_t which = below(g, 20);
    if (r && which < 13) {
        return r->token;
    }
    if (w->grants > 0 && which < 18) {
        uint32_t back = below(g, w->grants < 32 ? (uint32_t)w->grants : 32);
        return (idp_token){w->config.epoch, w->grants - back};
    }
    uint64_t epoch = w->config.epoch + (which == 18 ? 1 : UINT64_MAX);
    return (idp_token){epoch, r ? r->token.sequence : 1};
}

static void choose_result(generator *g, idp_request *q) {
    uint32_t which = below(g, 10);
    uint32_t max = (uint32_t)g->config.result_bytes_max;
    if (which < 2) {
        q->result_too_large = which == 1 && chance(g, 30);
        return;
    }
    size_t len = which == 2   ? 0
                 : which == 3 ? max
                 : which == 4 ? max + 1
                              : below(g, max + 1);
    q->result = slice(below(g, 64), len);
}

static uint32_t choose_wait(generator *g) {
    if (chance(g, 50)) {
        return 0;
    }
    return chance(g, 5) ? IDP_WAIT_MS_MAX : between(g, 1, 60);
}

static void choose_decision(generator *g, idp_request *q) {
    q->verb = (idp_verb)below(g, IDP_VERB_COUNT);
    q->force = chance(g, 50);
    q->nonce = choose_nonce(g);
    q->reason = slice(0, 4);
    if (q->verb == IDP_VERB_COMPLETE) {
        q->ttl_ms = chance(g, 50) ? 0 : between(g, 1, 300);
        q->class = chance(g, 30) ? IDP_CLASS_ERROR : IDP_CLASS_SUCCESS;
        choose_result(g, q);
    }
}

static void choose_request(generator *g, const world *w, uint32_t key,
                           idp_request *q) {
    uint32_t which = below(g, 100);
    *q = (idp_request){0};
    q->method = which < 50   ? IDP_ACQUIRE
                : which < 64 ? IDP_COMPLETE
                : which < 74 ? IDP_RELEASE
                : which < 84 ? IDP_RENEW
                : which < 94 ? IDP_RESOLVE
                             : IDP_PEEK;
    if (q->method == IDP_ACQUIRE) {
        choose_times(g, q);
        q->fingerprint = choose_fingerprint(g);
        q->nonce = choose_nonce(g);
        q->wait_ms = choose_wait(g);
        q->on_orphan = chance(g, 30) ? IDP_REPORT : IDP_TAKEOVER;
        return;
    }
    q->token = choose_token(g, w, key);
    if (q->method == IDP_RESOLVE) {
        choose_decision(g, q);
        return;
    }
    q->lease_ms = chance(g, 5) ? IDP_LEASE_MS_MAX : between(g, 1, 60);
    if (q->method == IDP_COMPLETE) {
        q->lease_ms = 0;
        q->ttl_ms = chance(g, 50) ? 0 : between(g, 1, 300);
        q->class = chance(g, 30) ? IDP_CLASS_ERROR : IDP_CLASS_SUCCESS;
        choose_result(g, q);
    }
    q->unbind = q->method == IDP_RELEASE && chance(g, 30);
}

/* --- time --------------------------------------------------------------- */

/* Often to a deadline, or to the last instant before it. */
static uint64_t choose_time(generator *g, const world *w) {
    uint32_t which = below(g, 100);
    uint64_t now = w->now_ms;
    if (which < 30) {
        return now + between(g, 1, 12);
    }
    if (which < 60) {
        idp_state state;
        const world_key *k = &w->keys[below(g, g->key_count)];
        const idt_model_record *r =
            idt_model_find(w->model, k->ns, k->key, now, &state);
        uint64_t end = r ? (which & 1 ? r->lease_end : r->ttl_end) : now;
        end -= which < 40 && end > 0;
        return end > now && end - now < 1000000 ? end : now;
    }
    if (which < 80) {
        uint64_t next = idt_model_next_ms(w->model);
        return next > now && next != UINT64_MAX ? next - (which < 65) : now;
    }
    if (which < 98 || now > 1ull << 39) {
        return now + between(g, 1, 500);
    }
    return now + (which == 98 ? between(g, 1, 10000000) : IDP_TTL_MS_MAX);
}

static bool pass_time(generator *g, world *w) {
    uint64_t to = choose_time(g, w);
    if (g->sleepy && chance(g, 40) && to < w->now_ms + 1000) {
        world_oversleep(w, to);
        return true;
    }
    return world_advance(w, to, between(g, 1, 4));
}

bool generator_step(generator *g, world *w) {
    idp_request q;
    uint32_t which = below(g, 1000);
    if (which < 350) {
        return pass_time(g, w);
    }
    if (which < 370) {
        return world_forget(w, below(g, g->asker_count));
    }
    if (which < 371) {
        return world_drain(w);
    }
    if (which < 376 && which >= 373 && g->reloads) {
        world_limits limits = choose_all_limits(g);
        return world_limit(w, &limits);
    }
    if (which < 373) {
        return world_move(w, between(g, 1, 9));
    }
    uint32_t key = below(g, g->key_count);
    choose_request(g, w, key, &q);
    return world_call(w, key, &q, below(g, g->asker_count));
}
