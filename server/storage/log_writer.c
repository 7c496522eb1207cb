/* SPDX-License-Identifier: Apache-2.0 */
/* log_writer.c -- a loop's log and the two threads that work for it: what it
 * asks of them, their life, and the steps for which its loop stands still. */
#include "server/storage/log_writer.h"

#include "server/storage/disk_thread.h"
#include "server/storage/log_thread.h"

#include <assert.h>
#include <stdlib.h>

struct ids_log_writer {
    ids_worker_log worker_log; /* the loop's */
    ids_log_work work;         /* between it and these two */
    ids_log_thread log;
    ids_disk_thread disk;
    bool has_threads;
};

/* What the worker's log asks ----------------------------------------------- */

static void post_batch(void *ctx, const ids_batch *batch) {
    ids_log_writer *w = ctx;
    ids_log_work_write(&w->work, batch);
}

static void post_task(void *ctx, ids_worker_log_task task) {
    ids_log_writer *w = ctx;
    ids_log_work_do(&w->work, task);
}

static bool take_news(void *ctx, ids_worker_log_news *news) {
    ids_log_writer *w = ctx;
    return ids_log_work_take_news(&w->work, news);
}

static unsigned round_of(void *ctx) {
    const ids_log_writer *w = ctx;
    return atomic_load(&w->log.rounds->count);
}

static uint64_t grown(void *ctx) {
    const ids_log_writer *w = ctx;
    return atomic_load(&w->log.rounds->log_bytes) / w->work.server->loops;
}

static bool part_done(void *ctx, bool good, const ids_log_end *first,
                      const ids_log_end *end) {
    ids_log_writer *w = ctx;
    ids_snapshot_part *part = &w->disk.part;
    return ids_rounds_part_done(part->rounds, part->index, good,
                                &part->file.sum, first, end);
}

static ids_batch_done write_now(void *ctx, const ids_batch *batch) {
    ids_log_writer *w = ctx;
    ids_batch now = *batch;
    now.sync = now.sync || now.sync_behind; /* here it is waited for */
    return ids_writer_carry_out(&w->log.writer, &now);
}

static void fail_log_writer(void *ctx) {
    const ids_log_writer *w = ctx;
    ids_log_thread_fail(&w->log);
}

ids_worker_log *ids_log_writer_log(ids_log_writer *w) {
    return &w->worker_log;
}

/* Its life ----------------------------------------------------------------- */

static bool init_worker_log(ids_log_writer *w,
                            const ids_log_writer_config *config) {
    const ids_worker_log_config worker_log = {
        .worker = config->worker,
        .fsync = config->fsync,
        .is_replicated = config->is_replicated,
        .now_ms = config->now_ms,
        .free_bytes = config->writer.free_bytes,
        .driver = {.ctx = w,
                   .write = post_batch,
                   .do_task = post_task,
                   .take_news = take_news,
                   .round = round_of,
                   .grown = grown,
                   .part_done = part_done,
                   .write_now = write_now,
                   .fail = fail_log_writer}};
    return ids_worker_log_init(&w->worker_log, &worker_log);
}

ids_log_writer *ids_log_writer_new(const ids_log_writer_config *config) {
    uint32_t index = config->worker->index;
    ids_log_writer *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    ids_log_thread_init(&w->log, &w->work, config->rounds, &config->writer);
    w->disk = (ids_disk_thread){.work = &w->work,
                                .part = {.rounds = config->rounds,
                                         .index = index,
                                         .walk = &w->worker_log.walk}};
    if (!init_worker_log(w, config)) {
        free(w);
        return NULL;
    }
    ids_log_work_init(&w->work, config->worker->server, index);
    return w;
}

int ids_log_writer_start(ids_log_writer *w) {
    assert(!w->has_threads);
    ids_patience_set(&w->log.patience, true);
    int error = ids_log_thread_start(&w->log);
    if (error)
        return error;
    error = ids_disk_thread_start(&w->disk);
    w->has_threads = error == 0;
    if (error) {
        ids_log_work_stop(&w->work);
        pthread_join(w->log.id, NULL);
    }
    return error;
}

void ids_log_writer_quiet(ids_log_writer *w) {
    ids_log_work_quiet(&w->work);
}

static void give_up_part(ids_log_writer *w) {
    if (ids_worker_log_give_up(&w->worker_log))
        ids_snapshot_abandon(&w->disk.part.file);
}

void ids_log_writer_join(ids_log_writer *w) {
    ids_patience_set(&w->log.patience, false);
    if (!w->has_threads)
        return;
    ids_log_work_stop(&w->work);
    pthread_join(w->log.id, NULL);
    pthread_join(w->disk.id, NULL);
    w->has_threads = false;
    ids_worker_log_take_news(&w->worker_log);
    give_up_part(w);
}

void ids_log_writer_free(ids_log_writer *w) {
    if (!w)
        return;
    assert(!w->has_threads);
    ids_writer_close(&w->log.writer);
    ids_worker_log_fini(&w->worker_log);
    ids_log_work_fini(&w->work);
    free(w);
}

/* Steps for which its loop stands still ------------------------------------ */

/* What comes back may be followed by more: the last part by an install. */
void ids_log_writer_await_rest(ids_log_writer *w) {
    ids_patience_set(&w->log.patience, false);
    do {
        ids_log_work_await_rest(&w->work);
        ids_worker_log_take_news(&w->worker_log);
    } while (w->worker_log.under_way != IDS_WORKER_LOG_IDLE);
    ids_patience_set(&w->log.patience, true);
}

bool ids_log_writer_waits(const ids_log_writer *w) {
    return atomic_load(&w->log.patience.waits);
}

static void sync_now(ids_log_writer *w) {
    if (!ids_writer_sync(&w->log.writer))
        ids_log_thread_fail(&w->log);
    ids_journal_synced(w->worker_log.journal, w->log.writer.synced.number);
}

void ids_log_writer_begin_anew(ids_log_writer *w, ids_log_end *end) {
    assert(w->has_threads && w->worker_log.under_way == IDS_WORKER_LOG_IDLE);
    give_up_part(w);
    sync_now(w);
    *end = ids_worker_log_begin_anew(&w->worker_log);
}

static bool do_now(ids_log_writer *w, ids_worker_log_task task) {
    return ids_snapshot_part_do(&w->disk.part, task);
}

static bool write_walk(ids_log_writer *w) {
    ids_worker_log *k = &w->worker_log;
    bool good = true;
    ids_snapshot_walk_init(&k->walk, IDS_BLOCK_BYTES);
    while (good && !k->walk.over) {
        while (!ids_snapshot_walk_step(&k->walk, k->worker->shard,
                                       k->worker->now_ms, UINT32_MAX))
            ;
        good = !k->walk.failed;
        if (good && k->walk.count > 0)
            good = do_now(w, IDS_WORKER_LOG_WRITE);
        ids_snapshot_walk_clear(&k->walk);
    }
    ids_snapshot_walk_fini(&k->walk, k->worker->shard);
    return good;
}

bool ids_log_writer_snapshot(ids_log_writer *w, bool clean,
                             ids_snapshot_sum *sum, ids_log_end *first) {
    ids_journal *journal = w->worker_log.journal;
    assert(!w->has_threads);
    if (!clean)
        ids_journal_cut(journal);
    sync_now(w);
    ids_worker_log_flush(&w->worker_log);
    bool good = do_now(w, IDS_WORKER_LOG_CREATE) && write_walk(w) &&
                do_now(w, IDS_WORKER_LOG_FINISH);
    *sum = w->disk.part.file.sum;
    if (!clean)
        *first = *ids_journal_cut_at(journal);
    return good;
}
