/* SPDX-License-Identifier: Apache-2.0 */
/* log_writer.c -- what a keeper asks of its threads, and the steps for which
 * its loop stands still. See log_writer.h. */
#include "server/io/log_writer_inner.h"

#include <assert.h>
#include <stdlib.h>

/* What the keeper asks ----------------------------------------------------- */

static void post_task(void *ctx, ids_keeper_task what) {
    ids_log_writer *w = ctx;
    pthread_mutex_lock(&w->lock);
    w->task = what;
    pthread_cond_broadcast(&w->posted);
    pthread_mutex_unlock(&w->lock);
}

static void post_batch(void *ctx, const ids_batch *batch) {
    ids_log_writer *w = ctx;
    pthread_mutex_lock(&w->lock);
    w->batch = batch;
    pthread_cond_broadcast(&w->posted);
    pthread_mutex_unlock(&w->lock);
}

static bool take_news(void *ctx, ids_keeper_news *news) {
    ids_log_writer *w = ctx;
    if (!atomic_exchange_explicit(&w->has_news, false, memory_order_acquire))
        return false;
    pthread_mutex_lock(&w->lock);
    *news = w->news;
    w->news = (ids_keeper_news){0};
    pthread_mutex_unlock(&w->lock);
    return true;
}

static unsigned round_of(void *ctx) {
    const ids_log_writer *w = ctx;
    return atomic_load(&w->store->round);
}

static uint64_t grown(void *ctx) {
    const ids_log_writer *w = ctx;
    return atomic_load(&w->store->log_bytes) / w->house->loops;
}

static bool part_done(void *ctx, bool good, const ids_log_end *first) {
    ids_log_writer *w = ctx;
    return ids_store_part_done(w->store, w->index, good, &w->file.sum, first);
}

static ids_batch_done write_now(void *ctx, const ids_batch *batch) {
    ids_log_writer *w = ctx;
    ids_batch now = *batch;
    now.sync = now.sync || now.sync_behind; /* here it is waited for */
    return ids_writer_carry_out(&w->writer, &now);
}

static void fail(void *ctx) {
    ids_log_writer_fail(ctx);
}

void ids_log_writer_quiet(ids_log_writer *w) {
    pthread_mutex_lock(&w->lock);
    w->quiet = true;
    pthread_mutex_unlock(&w->lock);
}

ids_keeper *ids_log_writer_keeper(ids_log_writer *w) {
    return &w->keeper;
}

/* Its life ----------------------------------------------------------------- */

static bool init_keeper(ids_log_writer *w,
                        const ids_log_writer_config *config) {
    const ids_keeper_config keeper = {.desk = config->desk,
                                      .fsync = config->fsync,
                                      .is_seated = config->is_seated,
                                      .now_ms = config->now_ms,
                                      .free_bytes = config->writer.free_bytes,
                                      .host = {.ctx = w,
                                               .write = post_batch,
                                               .do_task = post_task,
                                               .take_news = take_news,
                                               .round = round_of,
                                               .grown = grown,
                                               .part_done = part_done,
                                               .write_now = write_now,
                                               .fail = fail}};
    return ids_keeper_init(&w->keeper, &keeper);
}

ids_log_writer *ids_log_writer_new(const ids_log_writer_config *config) {
    ids_log_writer *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->store = config->store;
    w->house = config->desk->house;
    w->index = config->desk->index;
    w->writer = config->writer;
    w->writer.patience =
        (ids_writer_patience){.wait = ids_patience_wait, .ctx = &w->patience};
    w->writer.config.settle = ids_log_writer_settle_errands;
    w->writer.config.settle_ctx = w;
    w->wants_next = true;
    if (!init_keeper(w, config)) {
        free(w);
        return NULL;
    }
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->posted, NULL);
    pthread_cond_init(&w->rests, NULL);
    return w;
}

static void give_up(ids_log_writer *w) {
    if (ids_keeper_give_up(&w->keeper))
        ids_snapshot_abandon(&w->file);
}

void ids_log_writer_join(ids_log_writer *w) {
    ids_patience_set(&w->patience, false);
    if (!w->has_threads)
        return;
    ids_log_writer_end_threads(w);
    ids_keeper_take_news(&w->keeper);
    give_up(w);
}

static void sync_now(ids_log_writer *w) {
    if (!ids_writer_sync(&w->writer))
        ids_log_writer_fail(w);
    ids_journal_synced(w->keeper.journal, w->writer.synced.number);
}

void ids_log_writer_settle(ids_log_writer *w) {
    ids_patience_set(&w->patience, false);
    do {
        pthread_mutex_lock(&w->lock);
        while (w->batch || w->task != IDS_KEEPER_IDLE || w->sync_is != HOME ||
               w->next_is != HOME || w->resting < 2)
            pthread_cond_wait(&w->rests, &w->lock);
        pthread_mutex_unlock(&w->lock);
        ids_keeper_take_news(&w->keeper);
    } while (w->keeper.under_way != IDS_KEEPER_IDLE);
    ids_patience_set(&w->patience, true);
}

bool ids_log_writer_waits(const ids_log_writer *w) {
    return atomic_load(&w->patience.waits);
}

void ids_log_writer_begin_anew(ids_log_writer *w, ids_log_end *end) {
    give_up(w);
    sync_now(w);
    *end = ids_keeper_begin_anew(&w->keeper);
}

bool ids_log_writer_snapshot(ids_log_writer *w, bool clean,
                             ids_snapshot_sum *sum, ids_log_end *first) {
    ids_keeper *k = &w->keeper;
    if (!clean)
        ids_journal_cut(k->journal);
    sync_now(w);
    ids_keeper_flush(k);
    ids_snapshot_walk_init(&k->walk, IDS_BLOCK_BYTES);
    bool good = ids_log_writer_do(w, IDS_KEEPER_CREATE);
    while (good && !k->walk.over) {
        good = ids_snapshot_walk_step(&k->walk, k->desk->shard, k->desk->now_ms,
                                      UINT32_MAX) &&
               !k->walk.failed;
        if (good && k->walk.count > 0)
            good = ids_log_writer_do(w, IDS_KEEPER_WRITE);
        ids_snapshot_walk_clear(&k->walk);
    }
    ids_snapshot_walk_fini(&k->walk, k->desk->shard);
    good = good && ids_log_writer_do(w, IDS_KEEPER_FINISH);
    *sum = w->file.sum;
    if (!clean)
        *first = *ids_journal_cut_at(k->journal);
    return good;
}

void ids_log_writer_free(ids_log_writer *w) {
    if (!w)
        return;
    assert(!w->has_threads);
    ids_writer_close(&w->writer);
    ids_keeper_fini(&w->keeper);
    pthread_cond_destroy(&w->posted);
    pthread_cond_destroy(&w->rests);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
