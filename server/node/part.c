/* SPDX-License-Identifier: Apache-2.0 */
/* part.c -- a worker's part of a snapshot: a walk over its records, block by
 * block, then its log up to the walk's end; see part.h.
 *
 * What is done for it elsewhere (a task) is one thing at a time; in between
 * the worker decides here what comes next. */
#include "server/node/part.h"

#include <assert.h>

/* A step of a snapshot's walk takes some 50 us at most. */
#define BUCKETS_A_TURN 256

#define BIT(task) (1u << IDS_WORKER_LOG_##task)

/* What may be done elsewhere in each phase. */
static const uint8_t tasks_of[] = {
    [IDS_WORKER_LOG_NO_SNAPSHOT] = BIT(IDLE) | BIT(INSTALL),
    [IDS_WORKER_LOG_WALKS] =
        BIT(IDLE) | BIT(CREATE) | BIT(WRITE) | BIT(GIVE_UP),
    [IDS_WORKER_LOG_FINISHES] = BIT(IDLE) | BIT(FINISH),
};

/* The one way from a phase and a task to the next. */
static void go(ids_worker_log *k, ids_worker_log_phase phase,
               ids_worker_log_task task) {
    assert(k->under_way == IDS_WORKER_LOG_IDLE);
    assert(tasks_of[phase] & (1u << task));
    k->phase = phase;
    k->under_way = task;
    if (task != IDS_WORKER_LOG_IDLE)
        k->driver.do_task(k->driver.ctx, task);
}

static void begin_snapshot_part(ids_worker_log *k, unsigned round) {
    assert(k->worker->shard != NULL);
    assert(k->phase == IDS_WORKER_LOG_NO_SNAPSHOT);
    k->round = round;
    k->walked = k->worker->shard;
    k->walked_bytes = 0;
    ids_journal_cut(k->journal);
    ids_snapshot_walk_init(&k->walk, IDS_BLOCK_BYTES);
    go(k, IDS_WORKER_LOG_WALKS, IDS_WORKER_LOG_CREATE);
}

/* It is on the medium, or was given up; with the last of all it is installed.
 */
static void end_snapshot_part(ids_worker_log *k, bool good) {
    assert(k->phase != IDS_WORKER_LOG_NO_SNAPSHOT);
    go(k, IDS_WORKER_LOG_NO_SNAPSHOT, IDS_WORKER_LOG_IDLE);
    if (k->driver.part_done(k->driver.ctx, good, ids_journal_cut_at(k->journal),
                            ids_journal_end(k->journal)))
        go(k, IDS_WORKER_LOG_NO_SNAPSHOT, IDS_WORKER_LOG_INSTALL);
}

/* The walk ----------------------------------------------------------------- */

/* While calls come, a snapshot takes its time: a few steps a ms, or as many
 * bytes as the logs grow by. */
static bool may_walk(const ids_worker_log *k) {
    return ids_worker_has_piece(k->worker, &k->steps) ||
           k->walked_bytes < k->driver.grown(k->driver.ctx) ||
           !ids_worker_is_asked(k->worker);
}

/* True: the block is full, or the walk over. */
static bool walk_step(ids_worker_log *k) {
    size_t before = k->walk.block.len;
    ids_worker_take_piece(k->worker, &k->steps);
    bool is_full = ids_snapshot_walk_step(&k->walk, k->walked,
                                          k->worker->now_ms, BUCKETS_A_TURN);
    k->walked_bytes += k->walk.block.len - before;
    return is_full;
}

static void write_block(ids_worker_log *k) {
    assert(k->walk.count > 0 && k->walk.block.len > IDS_FRAME_HEAD_BYTES);
    go(k, IDS_WORKER_LOG_WALKS, IDS_WORKER_LOG_WRITE);
}

/* Every record was seen: the log has to get as far as they were by now. */
static void end_walk(ids_worker_log *k) {
    assert(k->walk.over);
    ids_snapshot_walk_fini(&k->walk, k->walked);
    k->walk_end = ids_journal_taken(k->journal);
    assert(k->walk_end >= ids_journal_durable(k->journal));
    ids_journal_sync(k->journal);
    go(k, IDS_WORKER_LOG_FINISHES, IDS_WORKER_LOG_FINISH);
}

/* True: another turn is needed. */
static bool walk_part_on(ids_worker_log *k) {
    if (!may_walk(k))
        return false;
    assert(k->walked != NULL && !k->walk.failed);
    if (!walk_step(k))
        return true;
    if (k->walk.failed)
        go(k, IDS_WORKER_LOG_WALKS, IDS_WORKER_LOG_GIVE_UP);
    else if (k->walk.count > 0)
        write_block(k);
    else
        end_walk(k);
    return false;
}

/* What the log calls ------------------------------------------------------- */

static bool log_is_there(const ids_worker_log *k) {
    assert(k->phase == IDS_WORKER_LOG_FINISHES);
    return ids_journal_cut_at(k->journal) != NULL &&
           ids_journal_durable(k->journal) >= k->walk_end;
}

bool ids_part_go_on(ids_worker_log *k) {
    unsigned round = k->driver.round(k->driver.ctx);
    if (k->under_way != IDS_WORKER_LOG_IDLE)
        return false;
    switch (k->phase) {
    case IDS_WORKER_LOG_NO_SNAPSHOT:
        if (round != k->round)
            begin_snapshot_part(k, round);
        break;
    case IDS_WORKER_LOG_WALKS:
        return walk_part_on(k);
    case IDS_WORKER_LOG_FINISHES:
        if (log_is_there(k))
            end_snapshot_part(k, true);
        break;
    }
    return false;
}

void ids_part_task_done(ids_worker_log *k, bool good) {
    ids_worker_log_task was = k->under_way;
    assert(was != IDS_WORKER_LOG_IDLE);
    k->under_way = IDS_WORKER_LOG_IDLE;
    if (was == IDS_WORKER_LOG_WRITE)
        ids_snapshot_walk_clear(&k->walk);
    if (good || was == IDS_WORKER_LOG_INSTALL)
        return;
    if (k->phase == IDS_WORKER_LOG_WALKS)
        ids_snapshot_walk_fini(&k->walk, k->walked);
    end_snapshot_part(k, false);
}

uint64_t ids_part_next_ms(const ids_worker_log *k) {
    bool waits =
        k->phase == IDS_WORKER_LOG_WALKS && k->under_way == IDS_WORKER_LOG_IDLE;
    return waits ? k->steps.at_ms + 1 : UINT64_MAX;
}

bool ids_worker_log_give_up(ids_worker_log *k) {
    bool has_file = k->phase != IDS_WORKER_LOG_NO_SNAPSHOT;
    k->round = k->driver.round(k->driver.ctx);
    if (k->phase == IDS_WORKER_LOG_WALKS)
        ids_snapshot_walk_fini(&k->walk, k->walked);
    k->phase = IDS_WORKER_LOG_NO_SNAPSHOT;
    return has_file;
}
