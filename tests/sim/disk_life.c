/* SPDX-License-Identifier: Apache-2.0 */
/* disk_life.c -- one life of the node: calls, batches, snapshots, time, until
 * the disk says that it is over, or it stops in order. */
#include "tests/sim/disk_world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Calls -------------------------------------------------------------------- */

typedef struct caller {
    uint8_t fingerprint[8], nonce[8], result[DISK_RESULT_MAX];
    char key[8];
} caller;

/* Bytes that are never zero: a sector of zeros is a sector that was lost. */
static idp_slice bytes(idt_rng *rng, uint8_t *to, size_t len) {
    for (size_t i = 0; i < len; i++) {
        to[i] = (uint8_t)idt_rng_between(rng, 1, 255);
    }
    return (idp_slice){to, len};
}

static idp_request make_call(disk_world *w, uint32_t key, caller *c) {
    static const idp_method methods[] = {IDP_ACQUIRE,  IDP_ACQUIRE,
                                         IDP_COMPLETE, IDP_COMPLETE,
                                         IDP_RENEW,    IDP_RELEASE};
    idt_rng *rng = &w->rng;
    disk_name_key(key, c->key);
    idp_request q = {.method = methods[idt_rng_below(rng, 6)],
                     .ns = {(const uint8_t *)"ns", key & 1 ? 2 : 0},
                     .key = {(const uint8_t *)c->key, 6},
                     .token = w->last[key]};
    q.lease_ms = idt_rng_between(rng, 1, 5000);
    if (q.method == IDP_ACQUIRE) {
        q.ttl_ms = q.lease_ms + idt_rng_below(rng, 60000);
        q.fingerprint = (idp_slice){(const uint8_t *)"same body", key % 3 * 4};
        if (idt_rng_chance(rng, 50)) {
            q.nonce = bytes(rng, c->nonce, sizeof c->nonce);
        }
    }
    if (q.method == IDP_COMPLETE && idt_rng_chance(rng, 80)) {
        q.class = (idp_class)idt_rng_below(rng, 2);
        q.result = bytes(rng, c->result, idt_rng_below(rng, DISK_RESULT_MAX));
    }
    q.unbind = idt_rng_chance(rng, 30);
    return q;
}

/* I4: whatever was handed out before, in whichever life, is smaller. */
static bool check_token(disk_world *w, uint32_t key, idp_token token) {
    idp_token before = w->highest[key];
    bool again = token.epoch == w->last[key].epoch &&
                 token.sequence == w->last[key].sequence;
    bool grows =
        token.epoch > before.epoch ||
        (token.epoch == before.epoch && token.sequence > before.sequence);
    if (!again && !grows) {
        return disk_fail(w, "I4: key %u: a token that doesn't grow", key);
    }
    w->last[key] = w->highest[key] = token;
    return true;
}

static bool call(disk_world *w) {
    uint32_t key = idt_rng_below(&w->rng, DISK_KEYS);
    uint64_t hash = disk_hash(w, key);
    disk_loop *l = &w->loop[hash % w->loops];
    caller c;
    idp_request request = make_call(w, key, &c);
    const ids_call asked = {
        .request = &request, .hash = hash, .now_ms = w->now_ms};
    idp_answer answer = {0};
    idp_error error;
    if (ids_journal_is_full(l->journal) || ids_journal_has_failed(l->journal) ||
        w->history->count + 8 > DISK_ENTRIES_MAX) {
        return true;
    }
    if (request.method == IDP_ACQUIRE &&
        ids_journal_refuses_claims(l->journal)) {
        w->tally->claims_refused++;
        return true;
    }
    if (request.method == IDP_ACQUIRE &&
        l->free_bytes < IDS_DISK_RESERVE_BYTES) {
        return disk_fail(w, "a claim is taken on a disk that is full");
    }
    ids_verdict verdict = ids_shard_call(l->shard, &asked, &answer, &error);
    if (verdict == IDS_ANSWERED && answer.outcome == IDP_OUTCOME_ACQUIRED) {
        return check_token(w, key, answer.token);
    }
    return true;
}

/* The journal -------------------------------------------------------------- */

static void let_replies_leave(disk_world *w, disk_loop *l) {
    uint64_t mark = ids_journal_watermark(l->journal, w->now_ms);
    if (mark > l->acked) {
        w->tally->acked += mark - l->acked;
        l->acked = mark;
    }
}

static void hand_over(disk_world *w, disk_loop *l) {
    const ids_batch *batch = ids_journal_hand_over(l->journal, w->now_ms);
    if (batch) {
        assert(l->under_way == NULL);
        l->under_way = batch;
    }
}

/* A job comes back, as late as it likes; the writer may ask for it. */
static void end_job(void *ctx) {
    disk_loop *l = ctx;
    if (!l->job_is_out) {
        return;
    }
    ids_sync_carry_out(&l->job);
    ids_writer_sync_done(&l->writer, &l->job);
    l->job_is_out = false;
}

static void on_jobs(disk_loop *l) {
    if (l->job_is_out) {
        end_job(l);
        l->world->stopped =
            l->world->stopped || l->writer.fault.kind != IDS_FAULT_NONE;
        ids_journal_synced(l->journal, l->writer.synced.number);
    } else if (l->wants_sync || ids_writer_wants_sync(&l->writer)) {
        l->job_is_out = ids_writer_sync_begin(&l->writer, &l->job);
        l->wants_sync = false;
    }
}

static void prepare(disk_loop *l) {
    ids_next_job next;
    ids_writer_prepare(&l->writer);
    if (ids_writer_next_begin(&l->writer, &next)) {
        ids_next_carry_out(&next);
        ids_writer_next_done(&l->writer, &next);
    }
}

static void carry_out(disk_world *w, disk_loop *l) {
    if (l->under_way == NULL) {
        return;
    }
    l->writer.config.await_disk = end_job;
    l->writer.config.await_disk_ctx = l;
    ids_batch_done done = ids_writer_carry_out(&l->writer, l->under_way);
    l->wants_sync = l->wants_sync || l->under_way->sync_behind;
    if (idt_rng_chance(&w->rng,
                       90)) { /* else it is needed before it is there */
        prepare(l);
    }
    ids_journal_done(l->journal, &done);
    l->free_bytes = done.free_bytes;
    l->under_way = NULL;
    if (!done.failed) {
        l->written = done.written;
        if (l->writer.end.segment > w->tally->segments) {
            w->tally->segments = l->writer.end.segment;
        }
    }
}

/* Snapshots ---------------------------------------------------------------- */

static void start_walk(disk_world *w, disk_loop *l, uint64_t generation) {
    const ids_file_head head = {.node = w->dir.manifest.node,
                                .epoch = w->epoch,
                                .number = generation,
                                .loop = l->index};
    if (ids_mutant_now != IDS_MUTANT_CUTS_TOO_LATE) {
        ids_journal_cut(l->journal);
    }
    ids_snapshot_walk_init(&l->walk, 600);
    l->snap = SNAP_WALKS;
    ids_snapshot_create(&l->file, &w->io, &head);
}

void disk_start_snapshot(disk_world *w) {
    for (uint32_t i = 0; i < w->loops; i++) {
        start_walk(w, &w->loop[i], ids_data_dir_next_generation(&w->dir));
    }
    w->snapshotting = true;
}

static void end_walk(disk_loop *l) {
    if (ids_mutant_now == IDS_MUTANT_CUTS_TOO_LATE) {
        ids_journal_cut(l->journal);
    }
    ids_snapshot_walk_fini(&l->walk, l->shard);
    ids_snapshot_finish(&l->file);
    l->snap_end = ids_journal_taken(l->journal);
    l->snap = SNAP_WRITTEN;
    ids_journal_sync(l->journal);
}

static void step_walk(disk_world *w, disk_loop *l) {
    if (l->snap != SNAP_WALKS ||
        !ids_snapshot_walk_step(&l->walk, l->shard, w->now_ms,
                                idt_rng_between(&w->rng, 1, 100))) {
        return;
    }
    if (l->walk.count > 0) {
        ids_snapshot_write(&l->file, l->walk.block.ptr, l->walk.block.len);
        ids_snapshot_walk_clear(&l->walk);
    }
    if (l->walk.over) {
        end_walk(l);
    }
}

/* When every loop's part is there, and its log up to it. */
static void try_install(disk_world *w) {
    ids_snapshot_sum sums[DISK_LOOPS_MAX];
    ids_log_end first[DISK_LOOPS_MAX];
    ids_fault fault;
    bool no_room = false;
    for (uint32_t i = 0; i < w->loops; i++) {
        disk_loop *l = &w->loop[i];
        if (l->snap != SNAP_WRITTEN || l->file.fault.kind != IDS_FAULT_NONE ||
            ids_journal_cut_at(l->journal) == NULL ||
            ids_journal_durable(l->journal) < l->snap_end) {
            return;
        }
        no_room = no_room || l->file.no_room;
        sums[i] = l->file.sum;
        first[i] = *ids_journal_cut_at(l->journal);
    }
    w->snapshotting = false;
    for (uint32_t i = 0; i < w->loops; i++) {
        w->loop[i].snap = SNAP_OFF;
        if (no_room) {
            ids_snapshot_abandon(&w->loop[i].file);
        }
    }
    if (!no_room &&
        ids_data_dir_install(&w->dir, sums, first, w->now_ms, false, &fault)) {
        w->tally->snapshots++;
    }
}

/* The end ------------------------------------------------------------------ */

static bool sync_all(disk_loop *l) {
    if (!ids_writer_sync(&l->writer)) {
        return false;
    }
    ids_journal_synced(l->journal, l->writer.synced.number);
    return true;
}

bool disk_flush(disk_world *w) {
    for (uint32_t i = 0; i < w->loops; i++) {
        disk_loop *l = &w->loop[i];
        carry_out(w, l);
        if (ids_journal_has_failed(l->journal) || !sync_all(l)) {
            return false;
        }
        ids_journal_sync(l->journal);
        hand_over(w, l);
        carry_out(w, l);
        if (ids_journal_has_failed(l->journal) || !sync_all(l)) {
            return false;
        }
        let_replies_leave(w, l);
    }
    return true;
}

/* A snapshot that is under way is not waited for. */
void disk_give_up_snapshot(disk_world *w) {
    for (uint32_t i = 0; i < w->loops && w->snapshotting; i++) {
        disk_loop *l = &w->loop[i];
        if (l->snap == SNAP_WALKS) {
            ids_snapshot_walk_fini(&l->walk, l->shard);
        }
        ids_snapshot_abandon(&l->file);
        l->snap = SNAP_OFF;
    }
    w->snapshotting = false;
}

/* An orderly stop: nothing is served any more, a snapshot takes all, and the
 * logs are not needed. */
static void stop_clean(disk_world *w) {
    ids_snapshot_sum sums[DISK_LOOPS_MAX];
    ids_log_end none[DISK_LOOPS_MAX] = {{0}};
    ids_fault fault;
    if (!disk_flush(w)) {
        return;
    }
    disk_give_up_snapshot(w);
    disk_start_snapshot(w);
    for (uint32_t i = 0; i < w->loops; i++) {
        disk_loop *l = &w->loop[i];
        while (l->snap == SNAP_WALKS) {
            step_walk(w, l);
        }
        if (l->file.fault.kind != IDS_FAULT_NONE || l->file.no_room) {
            return;
        }
        sums[i] = l->file.sum;
    }
    w->clean_generation = ids_data_dir_next_generation(&w->dir);
    if (ids_data_dir_install(&w->dir, sums, none, w->now_ms, true, &fault)) {
        w->tally->clean_stops++;
    }
}

/* The life ----------------------------------------------------------------- */

static void pass_time(disk_world *w) {
    uint32_t dice = idt_rng_below(&w->rng, 100);
    uint32_t ms = dice < 80   ? idt_rng_below(&w->rng, 20)
                  : dice < 98 ? idt_rng_below(&w->rng, 1500)
                              : idt_rng_below(&w->rng, 20000);
    for (uint32_t i = 0; i < w->loops; i++) {
        hand_over(w, &w->loop[i]); /* a turn ends before time passes */
    }
    w->now_ms += ms;
    for (uint32_t i = 0; i < w->loops; i++) {
        ids_shard_tick(w->loop[i].shard, w->now_ms, 4);
    }
}

static bool step(disk_world *w) {
    disk_loop *l = &w->loop[idt_rng_below(&w->rng, w->loops)];
    uint32_t dice = idt_rng_below(&w->rng, 100);
    if (dice < 50) {
        if (!call(w)) {
            return false;
        }
    } else if (dice < 65) {
        hand_over(w, l);
    } else if (dice < 80) {
        carry_out(w, l);
    } else if (dice < 82) {
        on_jobs(l);
    } else if (dice < 90) {
        pass_time(w);
    } else if (w->snapshotting) {
        step_walk(w, l);
        try_install(w);
        if (dice == 98 && idt_rng_chance(&w->rng, 10)) {
            disk_replace(w);
        }
    } else if (dice == 99) {
        disk_start_snapshot(w);
    } else if (dice == 98 && idt_rng_chance(&w->rng, 6)) {
        disk_replace(w);
    }
    let_replies_leave(w, l);
    return true;
}

static bool is_over(const disk_world *w) {
    for (uint32_t i = 0; i < w->loops; i++) {
        const disk_loop *l = &w->loop[i];
        if (ids_journal_has_failed(l->journal) ||
            (l->snap == SNAP_WRITTEN && l->file.fault.kind != IDS_FAULT_NONE)) {
            return true;
        }
    }
    return w->disk->crashed || w->stopped ||
           w->history->count + 16 > DISK_ENTRIES_MAX;
}

bool disk_live(disk_world *w) {
    uint32_t steps = idt_rng_between(&w->rng, 20, 700);
    for (uint32_t i = 0; i < steps && !is_over(w); i++) {
        if (!step(w)) {
            return false;
        }
    }
    if (!is_over(w) && idt_rng_chance(&w->rng, 30)) {
        stop_clean(w);
    }
    return true;
}
