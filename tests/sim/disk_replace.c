/* SPDX-License-Identifier: Apache-2.0 */
/* disk_replace.c -- a replica has loaded another node's records beside its own,
 * and they take the place of all, at one moment. */
#include "tests/sim/disk_world.h"

#include <assert.h>
#include <string.h>

/* Tokens only grow, so the other node's are behind all that were here. */
static uint64_t next_sequence(const disk_world *w) {
    uint64_t last = 0;
    for (uint32_t key = 0; key < DISK_KEYS; key++) {
        if (w->highest[key].epoch == w->epoch &&
            w->highest[key].sequence > last) {
            last = w->highest[key].sequence;
        }
    }
    return last;
}

static void put(disk_world *w, uint32_t key) {
    uint64_t hash = disk_hash(w, key);
    assert(w->loops > 0);
    disk_loop *l = &w->loop[hash % w->loops];
    char name[8];
    disk_name_key(key, name);
    idp_token token = {w->epoch, next_sequence(w) + 1};
    const ids_change c = {.ns = {(const uint8_t *)"ns", key & 1 ? 2 : 0},
                          .key = {(const uint8_t *)name, 6},
                          .token = token,
                          .state = IDP_STATE_COMPLETED,
                          .attempt = 1,
                          .has_result = true,
                          .result = {(const uint8_t *)"from elsewhere", 14},
                          .ttl_ms = 60000,
                          .ttl_left_ms = 60000};
    bool good = ids_shard_put(l->shard, hash, &c, w->now_ms);
    assert(good);
    (void)good;
    disk_note_put(l, &c);
    w->last[key] = w->highest[key] = token;
}

/* The loops go on with other shards. */
static void swap(disk_world *w) {
    uint64_t sequence = next_sequence(w);
    w->history->count = 0;
    for (uint32_t i = 0; i < w->loops; i++) {
        ids_shard_free(w->loop[i].shard);
        w->loop[i].shard = disk_new_shard(w, i, w->epoch, sequence + DISK_KEYS);
        assert(w->loop[i].shard);
    }
    for (uint32_t key = 0; key < DISK_KEYS; key++) {
        if (idt_rng_chance(&w->rng, 50)) {
            put(w, key);
        }
    }
}

/* The old records are those of the first time, as long as no snapshot of any
 * new ones is there. */
static bool keep_old(disk_world *w, ids_log_end ends[DISK_LOOPS_MAX]) {
    bool again = w->replaced && w->dir.manifest.generation < w->new_generation;
    for (uint32_t i = 0; i < w->loops; i++) {
        const ids_log_end *cut = ids_journal_cut_at(w->loop[i].journal);
        if (cut == NULL) {
            return false;
        }
        ends[i] = *cut;
        if (!again) {
            w->old_number[i] = ids_journal_taken(w->loop[i].journal);
        }
    }
    if (!again) {
        disk_copy_history(w->old, w->history);
        w->new_generation = ids_data_dir_next_generation(&w->dir);
    }
    w->replaced = true;
    return true;
}

void disk_replace(disk_world *w) {
    ids_log_end ends[DISK_LOOPS_MAX];
    ids_fault fault;
    disk_give_up_snapshot(w);
    if (!disk_flush(w)) {
        return;
    }
    for (uint32_t i = 0; i < w->loops; i++) {
        ids_journal_cut(w->loop[i].journal);
    }
    w->stopped = !disk_flush(w) || !keep_old(w, ends) ||
                 !ids_data_dir_replaced(&w->dir, ends, w->now_ms, &fault);
    if (w->stopped) {
        return;
    }
    swap(w);
    disk_start_snapshot(w);
    w->tally->replaced++;
    disk_trace(w, "replaced");
}
