/* SPDX-License-Identifier: Apache-2.0 */
/* log_threads.c -- the two threads of a log writer.
 *
 * The log thread writes batches and nothing else, so that what is acknowledged
 * is soon written, whatever the disk is busy with. All that takes long is the
 * disk thread's: syncs of the log where no reply waits for them, its next
 * segments, snapshots. */
#include "server/io/log_writer_inner.h"

#include "server/io/clock.h"
#include "server/io/thread.h"

#include <assert.h>

/* A change that was not written by then was written late. */
#define WRITTEN_MS 50

_Noreturn void ids_log_writer_fail(ids_log_writer *w) {
    static const ids_fault none = {.kind = IDS_FAULT_MEMORY,
                                   .file = "the journal",
                                   .what = "no memory for a change"};
    ids_store_fail(w->writer.fault.kind == IDS_FAULT_NONE ? &none
                                                          : &w->writer.fault);
}

/* The log thread ----------------------------------------------------------- */

/* Under the lock. */
static void tell_loop(ids_log_writer *w) {
    atomic_store_explicit(&w->has_news, true, memory_order_release);
    if (!w->quiet)
        w->house->wake(w->house->wake_ctx, w->index);
}

/* Under the lock: what the disk thread is through with. */
static void take_back(ids_log_writer *w) {
    if (w->sync_is == BACK) {
        ids_writer_sync_done(&w->writer, &w->sync);
        w->sync_is = HOME;
        w->news.durable = w->writer.synced.number;
        tell_loop(w);
    }
    if (w->next_is == BACK) {
        ids_writer_next_done(&w->writer, &w->next);
        w->next_is = HOME;
    }
    if (w->writer.fault.kind != IDS_FAULT_NONE)
        ids_log_writer_fail(w);
}

/* The writer's, which can't go on without them. */
void ids_log_writer_settle_errands(void *ctx) {
    ids_log_writer *w = ctx;
    pthread_mutex_lock(&w->lock);
    while (w->sync_is == OUT || w->next_is == OUT)
        pthread_cond_wait(&w->posted, &w->lock);
    take_back(w);
    pthread_mutex_unlock(&w->lock);
}

/* Under the lock. */
static void send_errands(ids_log_writer *w) {
    if (w->sync_is == HOME &&
        (w->wants_sync || ids_writer_wants_sync(&w->writer))) {
        w->wants_sync = false;
        if (ids_writer_sync_begin(&w->writer, &w->sync))
            w->sync_is = OUT;
    }
    if (w->next_is == HOME && w->wants_next &&
        ids_writer_next_begin(&w->writer, &w->next))
        w->next_is = OUT;
    w->wants_next = false;
    if (w->sync_is == OUT || w->next_is == OUT)
        pthread_cond_broadcast(&w->posted);
}

/* So many of the batch's changes were written later than they should be. */
static uint64_t count_late(const ids_log_writer *w, const ids_batch *batch,
                           uint64_t written_before) {
    bool late = w->writer.config.syncs_behind && batch->len > 0 &&
                batch->since_ms != UINT64_MAX &&
                ids_loop_clock_ms() > batch->since_ms + WRITTEN_MS;
    return late ? batch->last - written_before : 0;
}

static void carry_out_batch(ids_log_writer *w) {
    const ids_batch *batch = w->batch;
    uint64_t written = w->writer.end.number;
    pthread_mutex_unlock(&w->lock);
    ids_batch_done done = ids_writer_carry_out(&w->writer, batch);
    if (done.failed)
        ids_log_writer_fail(w);
    ids_patience_over(&w->patience);
    ids_store_grew(w->store, batch->len);
    w->wants_sync = w->wants_sync || batch->sync_behind;
    w->wants_next = true; /* one try a batch */
    pthread_mutex_lock(&w->lock);
    w->batch = NULL;
    w->news.done = done;
    w->news.late = count_late(w, batch, written);
    w->news.batch_is_done = true;
    tell_loop(w);
    pthread_mutex_unlock(&w->lock);
    ids_writer_prepare(&w->writer);
    if (w->writer.fault.kind != IDS_FAULT_NONE)
        ids_log_writer_fail(w);
    pthread_mutex_lock(&w->lock);
}

static void rest(ids_log_writer *w) {
    w->resting++;
    pthread_cond_signal(&w->rests);
    pthread_cond_wait(&w->posted, &w->lock);
    w->resting--;
}

static void *run_log(void *ctx) {
    ids_log_writer *w = ctx;
    ids_name_thread(pthread_self(), "log", w->index);
    pthread_mutex_lock(&w->lock);
    for (;;) {
        take_back(w);
        send_errands(w);
        if (w->batch)
            carry_out_batch(w);
        else if (w->stops && w->sync_is == HOME && w->next_is == HOME)
            break;
        else
            rest(w);
    }
    w->log_has_ended = true;
    pthread_cond_broadcast(&w->posted);
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* The disk thread ---------------------------------------------------------- */

bool ids_log_writer_do(ids_log_writer *w, ids_keeper_task what) {
    bool good = true;
    switch (what) {
    case IDS_KEEPER_CREATE:
        good = ids_store_create_part(w->store, w->index, &w->file);
        break;
    case IDS_KEEPER_WRITE:
        good = ids_snapshot_write(&w->file, w->keeper.walk.bytes,
                                  w->keeper.walk.len);
        break;
    case IDS_KEEPER_FINISH:
        good = ids_snapshot_finish(&w->file);
        break;
    case IDS_KEEPER_INSTALL:
        ids_store_install(w->store, w->file.now_ms);
        break;
    case IDS_KEEPER_GIVE_UP:
        good = false;
        break;
    case IDS_KEEPER_IDLE:
        break;
    }
    if (w->file.fault.kind != IDS_FAULT_NONE)
        ids_store_fail(&w->file.fault);
    if (!good)
        ids_snapshot_abandon(&w->file);
    return good;
}

static void carry_out_task(ids_log_writer *w) {
    ids_keeper_task what = w->task;
    pthread_mutex_unlock(&w->lock);
    bool good = ids_log_writer_do(w, what);
    pthread_mutex_lock(&w->lock);
    w->task = IDS_KEEPER_IDLE;
    w->news.task_is_good = good;
    w->news.task_is_done = true;
    tell_loop(w);
}

static void carry_out_errand(ids_log_writer *w) {
    bool syncs = w->sync_is == OUT;
    pthread_mutex_unlock(&w->lock);
    if (syncs)
        ids_sync_carry_out(&w->sync);
    else
        ids_next_carry_out(&w->next);
    pthread_mutex_lock(&w->lock);
    *(syncs ? &w->sync_is : &w->next_is) = BACK;
    pthread_cond_broadcast(&w->posted);
}

/* The log's errands go first: with them an acknowledgement gets safer. */
static void *run_disk(void *ctx) {
    ids_log_writer *w = ctx;
    ids_name_thread(pthread_self(), "disk", w->index);
    pthread_mutex_lock(&w->lock);
    for (;;) {
        if (w->sync_is == OUT || w->next_is == OUT)
            carry_out_errand(w);
        else if (w->task != IDS_KEEPER_IDLE)
            carry_out_task(w);
        else if (w->stops && w->log_has_ended)
            break;
        else
            rest(w);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* Their life ----------------------------------------------------------------
 */

static void stop_threads(ids_log_writer *w) {
    pthread_mutex_lock(&w->lock);
    w->stops = true;
    pthread_cond_broadcast(&w->posted);
    pthread_mutex_unlock(&w->lock);
}

int ids_log_writer_start(ids_log_writer *w) {
    ids_patience_set(&w->patience, true);
    int error = pthread_create(&w->log_thread, NULL, run_log, w);
    if (error)
        return error;
    error = pthread_create(&w->disk_thread, NULL, run_disk, w);
    w->has_threads = error == 0;
    if (error) {
        stop_threads(w);
        pthread_join(w->log_thread, NULL);
    }
    return error;
}

void ids_log_writer_end_threads(ids_log_writer *w) {
    stop_threads(w);
    pthread_join(w->log_thread, NULL);
    pthread_join(w->disk_thread, NULL);
    w->has_threads = false;
}
