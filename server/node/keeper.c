/* SPDX-License-Identifier: Apache-2.0 */
/* keeper.c -- a loop's side of what is kept: batches out, replies free to
 * leave, its part of a snapshot. See keeper.h. */
#include "server/io/keeper_inner.h"

#include "server/hold.h"
#include "server/io/loop.h"
#include "server/io/store.h"
#include "server/log.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

/* A step of a snapshot's walk takes some 50 us at most. */
#define BUCKETS_A_TURN 256

/* The loop ----------------------------------------------------------------- */

static void post_task(ids_keeper *k, ids_keeper_task what) {
    assert(k->under_way == IDLE);
    k->under_way = what;
    pthread_mutex_lock(&k->lock);
    k->task = what;
    pthread_cond_broadcast(&k->posted);
    pthread_mutex_unlock(&k->lock);
}

static void post_batch(ids_keeper *k, const ids_batch *batch) {
    pthread_mutex_lock(&k->lock);
    k->batch = batch;
    pthread_cond_broadcast(&k->posted);
    pthread_mutex_unlock(&k->lock);
}

static void end_part(ids_keeper *k, bool good) {
    k->phase = NO_SNAPSHOT;
    if (ids_store_part_done(k->store, k->desk->index, good, &k->file.sum,
                            ids_journal_cut_at(k->journal)))
        post_task(k, INSTALL);
}

static void after_task(ids_keeper *k, bool good) {
    ids_keeper_task was = k->under_way;
    k->under_way = IDLE;
    if (was == WRITE)
        ids_snapshot_walk_clear(&k->walk);
    if (good || was == INSTALL)
        return;
    if (k->phase == WALKS)
        ids_snapshot_walk_fini(&k->walk, k->walked);
    end_part(k, false);
}

static void take_news(ids_keeper *k) {
    bool batch_is_done, task_is_done, good;
    uint64_t durable;
    if (!atomic_exchange_explicit(&k->news, false, memory_order_acquire))
        return;
    pthread_mutex_lock(&k->lock);
    batch_is_done = k->batch_is_done;
    task_is_done = k->task_is_done;
    good = k->task_is_good;
    k->batch_is_done = k->task_is_done = false;
    durable = k->durable;
    k->durable = 0;
    pthread_mutex_unlock(&k->lock);
    if (batch_is_done) {
        ids_journal_done(k->journal, &k->done);
        k->desk->counters.of[IDS_WRITTEN_LATE_TOTAL] += k->late;
    }
    if (durable > ids_journal_durable(k->journal))
        ids_journal_synced(k->journal, durable);
    if (task_is_done)
        after_task(k, good);
}

static void begin_part(ids_keeper *k, unsigned round) {
    k->round = round;
    k->phase = WALKS;
    k->walked = k->desk->shard;
    k->walked_bytes = 0;
    ids_journal_cut(k->journal);
    ids_snapshot_walk_init(&k->walk, IDS_BLOCK_BYTES);
    post_task(k, CREATE);
}

/* While calls come, a snapshot takes its time: a block a ms, or as many bytes
 * as the logs grow by. */
static bool may_walk(ids_keeper *k) {
    uint64_t grown = atomic_load(&k->store->log_bytes) / k->store->house->loops;
    return k->block_ms < k->desk->now_ms || k->walked_bytes < grown ||
           !ids_desk_is_asked(k->desk);
}

/* True: the walk needs another turn before there is a block. */
static bool walk_on(ids_keeper *k) {
    if (!may_walk(k))
        return false;
    bool ready = ids_snapshot_walk_step(&k->walk, k->walked, k->desk->now_ms,
                                        BUCKETS_A_TURN);
    if (!ready)
        return true;
    if (k->walk.failed) {
        post_task(k, GIVE_UP);
    } else if (k->walk.count > 0) {
        k->block_ms = k->desk->now_ms;
        k->walked_bytes += k->walk.len;
        post_task(k, WRITE);
    } else {
        ids_snapshot_walk_fini(&k->walk, k->walked);
        k->walk_end = ids_journal_taken(k->journal);
        k->phase = FINISHES;
        ids_journal_sync(k->journal);
        post_task(k, FINISH);
    }
    return false;
}

static bool snapshot_on(ids_keeper *k) {
    unsigned round = atomic_load(&k->store->round);
    if (k->under_way != IDLE)
        return false;
    if (k->phase == NO_SNAPSHOT && round != k->round)
        begin_part(k, round);
    else if (k->phase == WALKS)
        return walk_on(k);
    else if (k->phase == FINISHES && ids_journal_cut_at(k->journal) &&
             ids_journal_durable(k->journal) >= k->walk_end)
        end_part(k, true);
    return false;
}

static void let_replies_leave(ids_keeper *k) {
    uint64_t now_ms = k->desk->now_ms;
    uint64_t watermark = ids_journal_watermark(k->journal, now_ms);
    if (!ids_journal_waits(k->journal, now_ms))
        watermark = UINT64_MAX;
    k->desk->disk_is_full = ids_journal_refuses_claims(k->journal);
    ids_hold_set_full(k->desk, ids_journal_is_full(k->journal));
    if (watermark == k->watermark && !ids_hold_has_more(k->desk))
        return;
    k->watermark = watermark;
    if (!k->is_seated)
        ids_hold_release(k->desk, watermark);
}

bool ids_keeper_turn(ids_keeper *k) {
    take_news(k);
    if (ids_journal_has_failed(k->journal))
        ids_keeper_fail(k);
    bool more = snapshot_on(k);
    if (k->desk->index == 0)
        ids_store_answer(k->store, k->desk);
    const ids_batch *batch = ids_journal_hand_over(k->journal, k->desk->now_ms);
    if (batch)
        post_batch(k, batch);
    let_replies_leave(k);
    return more;
}

uint64_t ids_keeper_watermark(const ids_keeper *k) {
    return k->watermark;
}

uint64_t ids_keeper_next_ms(const ids_keeper *k) {
    uint64_t next_ms = ids_journal_next_ms(k->journal);
    bool waits = k->phase == WALKS && k->under_way == IDLE;
    if (k->desk->index == 0 && ids_store_next_ms(k->store) < next_ms)
        next_ms = ids_store_next_ms(k->store);
    return waits && k->block_ms + 1 < next_ms ? k->block_ms + 1 : next_ms;
}

void ids_keeper_quiet(ids_keeper *k) {
    pthread_mutex_lock(&k->lock);
    k->quiet = true;
    pthread_mutex_unlock(&k->lock);
}

/* Its life ----------------------------------------------------------------- */

ids_keeper *ids_keeper_new(const ids_keeper_config *config) {
    ids_keeper *k = calloc(1, sizeof *k);
    const ids_journal_config journal = {
        .fsync = config->fsync,
        .backlog_bytes_max = IDS_BACKLOG_BYTES_DEFAULT,
        .mark_ms = IDS_MARK_MS_DEFAULT,
        .now_ms = config->now_ms,
        .free_bytes = config->writer.free_bytes};
    if (!k)
        return NULL;
    k->journal = ids_journal_new(&journal);
    if (!k->journal) {
        free(k);
        return NULL;
    }
    k->store = config->store;
    k->desk = config->desk;
    k->writer = config->writer;
    k->writer.patience =
        (ids_writer_patience){.wait = ids_patience_wait, .ctx = &k->patience};
    k->writer.config.settle = ids_keeper_settle_errands;
    k->writer.config.settle_ctx = k;
    k->watermark = UINT64_MAX;
    k->is_seated = config->is_seated;
    k->wants_next = true;
    pthread_mutex_init(&k->lock, NULL);
    pthread_cond_init(&k->posted, NULL);
    pthread_cond_init(&k->rests, NULL);
    k->desk->journal = k->journal;
    k->desk->now_ms = config->now_ms;
    let_replies_leave(k);
    return k;
}

/* Takes part in no snapshot that has begun. */
static void give_up(ids_keeper *k) {
    k->round = atomic_load(&k->store->round);
    if (k->phase == WALKS)
        ids_snapshot_walk_fini(&k->walk, k->walked);
    if (k->phase != NO_SNAPSHOT)
        ids_snapshot_abandon(&k->file);
    k->phase = NO_SNAPSHOT;
}

void ids_keeper_join(ids_keeper *k) {
    ids_patience_set(&k->patience, false);
    if (!k->has_threads)
        return;
    ids_keeper_end_threads(k);
    take_news(k);
    give_up(k);
}

static void flush(ids_keeper *k) {
    const ids_batch *batch;
    if (!ids_writer_sync(&k->writer))
        ids_keeper_fail(k);
    ids_journal_synced(k->journal, k->writer.synced.number);
    ids_journal_sync(k->journal);
    while ((batch = ids_journal_hand_over(k->journal, k->desk->now_ms))) {
        ids_batch now = *batch;
        now.sync = now.sync || now.sync_behind; /* here it is waited for */
        ids_batch_done done = ids_writer_carry_out(&k->writer, &now);
        if (done.failed)
            ids_keeper_fail(k);
        ids_journal_done(k->journal, &done);
    }
    if (ids_journal_has_failed(k->journal))
        ids_keeper_fail(k);
}

void ids_keeper_settle(ids_keeper *k) {
    ids_patience_set(&k->patience, false);
    do {
        pthread_mutex_lock(&k->lock);
        while (k->batch || k->task != IDLE || k->sync_is != HOME ||
               k->next_is != HOME || k->resting < 2)
            pthread_cond_wait(&k->rests, &k->lock);
        pthread_mutex_unlock(&k->lock);
        take_news(k);
    } while (k->under_way != IDLE);
    ids_patience_set(&k->patience, true);
}

void ids_keeper_begin_anew(ids_keeper *k, ids_log_end *end) {
    give_up(k);
    flush(k);
    ids_journal_cut(k->journal);
    flush(k);
    *end = *ids_journal_cut_at(k->journal);
}

bool ids_keeper_snapshot(ids_keeper *k, bool clean, ids_snapshot_sum *sum,
                         ids_log_end *first) {
    if (!clean)
        ids_journal_cut(k->journal);
    flush(k);
    ids_snapshot_walk_init(&k->walk, IDS_BLOCK_BYTES);
    bool good = ids_keeper_do(k, CREATE);
    while (good && !k->walk.over) {
        good = ids_snapshot_walk_step(&k->walk, k->desk->shard, k->desk->now_ms,
                                      UINT32_MAX) &&
               !k->walk.failed;
        if (good && k->walk.count > 0)
            good = ids_keeper_do(k, WRITE);
        ids_snapshot_walk_clear(&k->walk);
    }
    ids_snapshot_walk_fini(&k->walk, k->desk->shard);
    good = good && ids_keeper_do(k, FINISH);
    *sum = k->file.sum;
    if (!clean)
        *first = *ids_journal_cut_at(k->journal);
    return good;
}

void ids_keeper_free(ids_keeper *k) {
    if (!k)
        return;
    assert(!k->has_threads);
    ids_writer_close(&k->writer);
    k->desk->journal = NULL;
    ids_journal_free(k->journal);
    pthread_cond_destroy(&k->posted);
    pthread_cond_destroy(&k->rests);
    pthread_mutex_destroy(&k->lock);
    free(k);
}
