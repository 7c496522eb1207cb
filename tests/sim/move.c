/* SPDX-License-Identifier: Apache-2.0 */
/* move.c -- a world's shard, carried over to a new one record by record. */
#include "tests/sim/compare.h"

#include "server/core/receipt.h"

#include <string.h>

typedef struct moving {
    world *w;
    ids_shard *to;
    uint32_t seen; /* a bit per key */
    bool full;     /* the new shard has no memory for one of them */
} moving;

/* A record of the walk: what a change record of it would have said. (Not of
 * an orphaned one: no call makes a record that.) */
static void carry(void *ctx, const ids_change *c) {
    moving *m = ctx;
    world *w = m->w;
    uint32_t key = world_key_of(w, ids_receipt_hashed_ns(c->ns), c->key);
    if (key == WORLD_KEYS_MAX ||
        !ids_change_is_sound(c, w->config.result_bytes_max)) {
        world_fail(w, "the walk shows a record that is none");
        return;
    }
    if (!ids_receipt_is(c->ns)) {
        m->seen |= 1u << key;
    }
    if (!ids_receipt_is(c->ns) && c->state != IDP_STATE_ORPHANED) {
        world_keep_shadow(w, key, c);
    }
    m->full |= !ids_shard_put(m->to, w->keys[key].hash, c, w->now_ms);
}

static void walk(moving *m, uint32_t buckets) {
    uint64_t cursor = 0;
    while (
        ids_shard_walk(m->w->shard, m->w->now_ms, &cursor, buckets, carry, m)) {
    }
    ids_shard_walk_end(m->w->shard);
}

/* Every key that is there was seen, as it is; none that is not. */
static bool saw_all(const moving *m) {
    world *w = m->w;
    for (uint32_t key = 0; key < WORLD_KEYS_MAX; key++) {
        idp_state state;
        idt_model_find(w->model, w->keys[key].ns, w->keys[key].key, w->now_ms,
                       &state);
        if ((state != IDP_STATE_ABSENT) != ((m->seen >> key) & 1)) {
            return world_fail(w, "the walk shows too much or too little");
        }
        if (!world_same_shadow(w, key)) {
            return false;
        }
    }
    return true;
}

/* The new shard's tokens are of a later epoch, so that they grow. */
static ids_shard *open_next(world *w, ids_shard_config *config) {
    idt_mem *mem = &w->mems[(w->moves + 1) % 2];
    idt_mem_init(mem);
    *config = w->shard_config;
    config->epoch += 2000;
    config->mem = idt_mem_of(mem);
    return ids_shard_new(config);
}

void world_stats(const world *w, ids_shard_stats *sum) {
    ids_shard_stats_get(w->shard, sum);
    for (int i = 0; i < IDP_OUTCOME_COUNT; i++) {
        sum->outcomes[i] += w->past.outcomes[i];
    }
    sum->expired += w->past.expired;
    sum->results_dropped += w->past.results_dropped;
    sum->refused_no_memory += w->past.refused_no_memory;
    sum->refused_limit += w->past.refused_limit;
}

bool world_move(world *w, uint32_t buckets) {
    ids_shard_config config;
    if (!world_drain(w)) {
        return false;
    }
    moving m = {.w = w, .to = open_next(w, &config)};
    if (!m.to) {
        return world_fail(w, "no memory for a second shard");
    }
    world_trace(w, "at %llu the records move to another shard",
                (unsigned long long)w->now_ms);
    walk(&m, buckets);
    walk(&m, buckets + 1); /* what is there already is replaced */
    if (m.full && w->config.memory_short) {
        ids_shard_free(m.to);
        return !w->failed && saw_all(&m);
    }
    if (m.full) {
        world_fail(w, "no memory for a record that had room before");
    }
    ids_shard_stats past;
    world_stats(w, &past);
    w->past = past;
    ids_shard_free(w->shard);
    if (world_mem(w)->bytes != 0) {
        world_fail(w, "I15: the old shard kept memory");
    }
    w->shard = m.to;
    w->shard_config = config;
    w->moves++;
    w->changes = 0;
    world_quota_moved(w);
    return !w->failed && saw_all(&m);
}
