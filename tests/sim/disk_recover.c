/* SPDX-License-Identifier: Apache-2.0 */
/* disk_recover.c -- reading a hostile disk back, and holding it against the
 * history. */
#include "tests/sim/disk_world.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define UNIX_S 1700000000u

typedef struct recovery {
    disk_world *w;
    ids_data_dir dir;
    uint64_t salt;
    uint32_t loops;
    ids_shard *shard[DISK_LOOPS_MAX];
    disk_recovered *found;
    bool twice;
} recovery;

static uint64_t hash(void *ctx, idp_slice ns, idp_slice key) {
    (void)ns;
    return disk_hash(ctx, disk_key_of(key));
}

static void woken(void *ctx, ids_asker asker, uint32_t msgid, idp_error error,
                  const idp_answer *answer) {
    (void)ctx, (void)asker, (void)msgid, (void)error, (void)answer;
    assert(!"nobody waits here");
}

ids_shard *disk_new_shard(disk_world *w, uint32_t index, uint64_t epoch,
                          uint64_t sequence) {
    const ids_shard_config config = {.epoch = epoch,
                                     .sequence = sequence,
                                     .memory_bytes_max = 16u << 20,
                                     .result_bytes_max = DISK_RESULT_MAX,
                                     .waiters_per_key_max = 4,
                                     .waiters_max = 16,
                                     .mem = idt_mem_of(&w->mem),
                                     .hash = hash,
                                     .hash_ctx = w,
                                     .on_wake = woken,
                                     .on_change = disk_note,
                                     .change_ctx = &w->loop[index]};
    return ids_shard_new(&config);
}

static ids_shard *new_shard(recovery *r, uint32_t index) {
    bool resumes =
        ids_mutant_now == IDS_MUTANT_RESUMES_EPOCH && r->w->first_epoch;
    return disk_new_shard(r->w, index,
                          resumes ? r->w->first_epoch
                                  : ids_data_dir_next_epoch(&r->dir, UNIX_S),
                          0);
}

static bool load(void *ctx, const ids_change *changes, size_t count,
                 uint64_t now_ms) {
    recovery *r = ctx;
    for (size_t i = 0; i < count; i++) {
        uint64_t h = disk_hash(r->w, disk_key_of(changes[i].key));
        if (!ids_shard_put(r->shard[h % r->loops], h, &changes[i], now_ms)) {
            return false;
        }
    }
    return true;
}

/* The units of a phase in any order. */
static bool read_phase(recovery *r, uint32_t phase, ids_fault *fault) {
    const ids_loader loader = {.ctx = r, .load = load};
    uint32_t units = ids_data_dir_units(&r->dir, phase);
    uint32_t from = units ? idt_rng_below(&r->w->rng, units) : 0;
    for (uint32_t i = 0; i < units; i++) {
        uint32_t unit = (from + i) % units;
        if (!ids_data_dir_read(&r->dir, phase, unit, &loader, fault)) {
            return false;
        }
        r->w->tally->cut_tails += ids_data_dir_unit(&r->dir, phase, unit)->torn;
    }
    return true;
}

static void seen(void *ctx, const ids_change *c) {
    recovery *r = ctx;
    uint32_t key = disk_key_of(c->key);
    disk_entry *e = &r->found->entry[key];
    r->twice = r->twice || r->found->there[key];
    r->found->there[key] = true;
    e->change = *c; /* borrows from the shard, which stays as it is */
}

static void walk(recovery *r, uint64_t clock_ms) {
    for (uint32_t i = 0; i < r->loops; i++) {
        uint64_t cursor = 0;
        while (ids_shard_walk(r->shard[i], clock_ms, &cursor, 64, seen, r)) {
        }
        ids_shard_walk_end(r->shard[i]);
    }
}

/* How many changes of each loop's last life came back. One in which nothing was
 * changed may not be there at all. */
static void find_numbers(recovery *r) {
    disk_world *w = r->w;
    const ids_manifest *m = &r->dir.manifest;
    for (uint32_t run = 0; run < m->runs; run++) {
        for (uint32_t i = 0; m->run[run].epoch == w->epoch && i < w->loops;
             i++) {
            r->found->number[i] = r->dir.log[run][i].end.number;
        }
        if (m->run[run].epoch == w->epoch) {
            return;
        }
    }
    if (w->clean_generation && m->generation == w->clean_generation) {
        for (uint32_t i = 0; i < w->loops; i++) {
            r->found->number[i] = ids_journal_taken(w->loop[i].journal);
        }
    }
}

/* No snapshot of the records that took the place of all is there: the old
 * ones come back, as they were then. */
static bool has_gone_back(const recovery *r) {
    return r->w->replaced && r->dir.manifest.generation < r->w->new_generation;
}

static bool check_old_numbers(recovery *r) {
    disk_world *w = r->w;
    for (uint32_t i = 0; i < w->loops; i++) {
        if (r->found->number[i] != w->old_number[i]) {
            return disk_fail(w,
                             "R5: loop %u has %llu changes, of two "
                             "histories; %llu were of the old one",
                             i, (unsigned long long)r->found->number[i],
                             (unsigned long long)w->old_number[i]);
        }
    }
    return true;
}

static bool check_numbers(recovery *r) {
    disk_world *w = r->w;
    for (uint32_t i = 0; w->epoch && i < w->loops; i++) {
        const disk_loop *l = &w->loop[i];
        uint64_t n = r->found->number[i];
        uint64_t least = ids_journal_durable(l->journal);
        if (w->fsync == IDS_FSYNC_ALWAYS && l->acked > least) {
            least = l->acked;
        }
        if (w->killed && l->written > least) {
            least = l->written;
        }
        if (n < least || n > ids_journal_taken(l->journal)) {
            return disk_fail(
                w, "I14: loop %u has %llu changes, not %llu to %llu", i,
                (unsigned long long)n, (unsigned long long)least,
                (unsigned long long)ids_journal_taken(l->journal));
        }
    }
    return true;
}

/* everysec: the acknowledged changes that are gone are of one short time. */
static bool check_loss(recovery *r) {
    disk_world *w = r->w;
    uint64_t first[DISK_LOOPS_MAX] = {0};
    for (uint32_t i = 0; w->epoch && i < w->history->count; i++) {
        const disk_entry *e = &w->history->entry[i];
        const disk_loop *l = &w->loop[e->loop];
        if (w->fsync != IDS_FSYNC_EVERYSEC ||
            e->change.number <= r->found->number[e->loop] ||
            e->change.number > l->acked) {
            continue;
        }
        if (!first[e->loop]) {
            first[e->loop] = e->taken_ms;
        }
        if (e->taken_ms > first[e->loop] + IDS_EVERYSEC_MS_MAX) {
            return disk_fail(w, "everysec lost %llu ms of loop %u",
                             (unsigned long long)(e->taken_ms - first[e->loop]),
                             e->loop);
        }
    }
    return true;
}

static bool check_incarnation(recovery *r, uint64_t before, bool was_kept) {
    bool same = r->dir.manifest.incarnation == before;
    return same == was_kept || disk_fail(r->w, "R5: the incarnation %s",
                                         same ? "went on" : "was given up");
}

static bool check_content(recovery *r, uint64_t clock_ms) {
    disk_world *w = r->w;
    disk_history *history = w->history;
    find_numbers(r);
    bool old = has_gone_back(r);
    if (old) {
        w->history = w->old;
    }
    bool good = (old ? check_old_numbers(r) : check_numbers(r)) &&
                check_loss(r) && disk_compare(w, r->found, clock_ms);
    w->tally->gone_back += old;
    w->history = history;
    return good;
}

static void adopt(recovery *r, uint64_t clock_ms) {
    disk_world *w = r->w;
    disk_rebase(w, r->found, clock_ms);
    for (uint32_t i = 0; i < DISK_LOOPS_MAX; i++) {
        disk_loop *l = &w->loop[i];
        ids_journal_free(l->journal);
        l->journal = NULL;
    }
    w->dir = r->dir;
    w->loops = r->loops;
    w->now_ms = clock_ms;
    w->epoch = r->dir.manifest.epoch;
    w->first_epoch = w->first_epoch ? w->first_epoch : w->epoch;
    w->fsync = r->dir.manifest.run[r->dir.manifest.runs - 1].fsync;
    w->clean_generation = 0;
    w->snapshotting = false;
    w->replaced = w->stopped = false;
    for (uint32_t i = 0; i < r->loops; i++) {
        disk_loop *l = &w->loop[i];
        const ids_journal_config config = {.fsync = w->fsync,
                                           .backlog_bytes_max = 4096,
                                           .mark_ms = 2000,
                                           .now_ms = clock_ms,
                                           .free_bytes = l->writer.free_bytes};
        l->free_bytes = config.free_bytes;
        l->journal = ids_journal_new(&config);
        l->shard = r->shard[i];
        l->under_way = NULL;
        l->acked = l->written = 0;
        l->snap = SNAP_OFF;
        assert(l->journal);
    }
}

static disk_outcome begin(recovery *r, bool trial, ids_fault *fault) {
    disk_world *w = r->w;
    ids_writer writers[DISK_LOOPS_MAX];
    uint64_t clock_ms = ids_data_dir_clock_ms(&r->dir);
    const ids_manifest *m = &r->dir.manifest;
    uint64_t incarnation = m->incarnation;
    bool kept = m->clean ||
                (m->runs > 0 && m->run[m->runs - 1].fsync == IDS_FSYNC_ALWAYS &&
                 !m->run[m->runs - 1].replaced);
    const ids_run_config config = {
        .loops = r->loops,
        .fsync = (ids_fsync)idt_rng_below(&w->rng, IDS_FSYNC_COUNT),
        .segment_bytes = w->segment_bytes,
        .start_ms =
            clock_ms > IDS_CLOCK_START_MS ? clock_ms : IDS_CLOCK_START_MS,
        .clock = UNIX_S,
        .random = {idt_rng_next(&w->rng) >> 12, idt_rng_next(&w->rng) >> 12}};
    clock_ms = config.start_ms;
    walk(r, clock_ms);
    if (!check_content(r, clock_ms)) {
        return DISK_WRONG;
    }
    if (r->twice) {
        disk_fail(w, "a key is in two shards");
        return DISK_WRONG;
    }
    if (!ids_data_dir_begin(&r->dir, &config, writers, fault)) {
        return DISK_REFUSED;
    }
    if (trial) {
        for (uint32_t i = 0; i < r->loops; i++) {
            ids_writer_close(&writers[i]);
        }
        const hostile *disk = r->dir.disk->ctx;
        if (disk->is_copy && !check_incarnation(r, incarnation, false)) {
            return DISK_WRONG;
        }
        return DISK_STARTED;
    }
    if (!check_incarnation(r, incarnation, kept)) {
        return DISK_WRONG;
    }
    for (uint32_t i = 0; i < r->loops; i++) {
        w->loop[i].writer = writers[i];
        w->loop[i].job_is_out = w->loop[i].wants_sync = false;
    }
    adopt(r, clock_ms);
    return DISK_STARTED;
}

static disk_outcome read_all(recovery *r, bool trial, ids_fault *fault) {
    for (uint32_t i = 0; i < r->loops; i++) {
        r->shard[i] = new_shard(r, i);
        assert(r->shard[i]);
    }
    for (uint32_t phase = 0; phase < ids_data_dir_phases(&r->dir); phase++) {
        if (!read_phase(r, phase, fault)) {
            return DISK_REFUSED;
        }
    }
    return begin(r, trial, fault);
}

disk_outcome disk_recover(disk_world *w, hostile *disk, bool trial,
                          ids_fault *fault) {
    ids_disk trial_io = hostile_disk(disk);
    recovery r = {.w = w, .loops = 1 + idt_rng_below(&w->rng, DISK_LOOPS_MAX)};
    uint64_t salt = w->salt;
    if (!trial) {
        w->io = trial_io;
    }
    if (!ids_data_dir_open(&r.dir, trial ? &trial_io : &w->io, fault)) {
        return DISK_REFUSED;
    }
    w->salt = idt_rng_next(&w->rng);
    r.found = calloc(1, sizeof *r.found);
    assert(r.found);
    disk_outcome outcome = read_all(&r, trial, fault);
    free(r.found);
    if (outcome == DISK_STARTED && !trial) {
        return outcome;
    }
    w->salt = trial ? salt : w->salt;
    for (uint32_t i = 0; i < r.loops; i++) {
        ids_shard_free(r.shard[i]);
    }
    ids_data_dir_close(&r.dir);
    return outcome;
}

/* The process is gone; what its journals had taken is kept for comparison. */
void disk_stop(disk_world *w) {
    if (w->loop[0].shard == NULL) {
        return;
    }
    for (uint32_t i = 0; i < w->loops; i++) {
        disk_loop *l = &w->loop[i];
        if (l->snap == SNAP_WALKS) {
            ids_snapshot_walk_fini(&l->walk, l->shard);
        }
        ids_writer_close(&l->writer);
        ids_shard_free(l->shard);
        l->shard = NULL;
    }
    ids_data_dir_close(&w->dir);
}
