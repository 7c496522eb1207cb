/* SPDX-License-Identifier: Apache-2.0 */
/* log_thread.c -- see log_thread.h. */
#include "server/storage/log_thread.h"

#include "server/base/thread_start.h"
#include "server/os/clock.h"
#include "server/os/thread.h"
#include "server/storage/fail.h"

#include <assert.h>

/* A change that was not written by then was written late. */
#define WRITTEN_MS 50

_Noreturn void ids_log_thread_fail(const ids_log_thread *log) {
    static const ids_fault none = {.kind = IDS_FAULT_MEMORY,
                                   .file = "the journal",
                                   .what = "no memory for a change"};
    ids_storage_fail(
        log->writer.fault.kind == IDS_FAULT_NONE ? &none : &log->writer.fault);
}

static void fail_if_faulty(const ids_log_thread *log) {
    if (log->writer.fault.kind != IDS_FAULT_NONE)
        ids_log_thread_fail(log);
}

/* Its jobs, which the disk thread does; all under the lock ----------------- */

/* With what it is through. */
static void take_back_jobs(ids_log_thread *log) {
    ids_log_work *work = log->work;
    if (work->sync_is == IDS_BACK) {
        ids_writer_sync_done(&log->writer, &work->sync);
        work->sync_is = IDS_HOME;
        work->news.durable = log->writer.synced.number;
        ids_log_work_tell(work);
    }
    if (work->next_is == IDS_BACK) {
        ids_writer_next_done(&log->writer, &work->next);
        work->next_is = IDS_HOME;
    }
    fail_if_faulty(log);
    assert(log->writer.synced.number <= log->writer.end.number);
}

static void send_jobs(ids_log_thread *log) {
    ids_log_work *work = log->work;
    if (work->sync_is == IDS_HOME &&
        (log->wants_sync || ids_writer_wants_sync(&log->writer))) {
        log->wants_sync = false;
        if (ids_writer_sync_begin(&log->writer, &work->sync))
            work->sync_is = IDS_OUT;
    }
    if (work->next_is == IDS_HOME && log->wants_next &&
        ids_writer_next_begin(&log->writer, &work->next))
        work->next_is = IDS_OUT;
    log->wants_next = false;
    if (work->sync_is == IDS_OUT || work->next_is == IDS_OUT)
        pthread_cond_broadcast(&work->posted);
}

/* The writer can't go on without them. */
static void await_jobs(void *ctx) {
    ids_log_thread *log = ctx;
    ids_log_work *work = log->work;
    pthread_mutex_lock(&work->lock);
    while (work->sync_is == IDS_OUT || work->next_is == IDS_OUT)
        pthread_cond_wait(&work->posted, &work->lock);
    take_back_jobs(log);
    assert(work->sync_is == IDS_HOME && work->next_is == IDS_HOME);
    pthread_mutex_unlock(&work->lock);
}

/* Batches ------------------------------------------------------------------ */

/* So many of the batch's changes were written later than they should be. */
static uint64_t count_late(const ids_log_thread *log, const ids_batch *batch,
                           uint64_t written_before) {
    assert(batch->len == 0 || batch->last >= written_before);
    bool late = log->writer.config.syncs_behind && batch->len > 0 &&
                batch->since_ms != UINT64_MAX &&
                ids_loop_clock_ms() > batch->since_ms + WRITTEN_MS;
    return late ? batch->last - written_before : 0;
}

/* Without the lock. */
static ids_batch_done write_batch(ids_log_thread *log, const ids_batch *batch) {
    ids_batch_done done = ids_writer_carry_out(&log->writer, batch);
    if (done.failed)
        ids_log_thread_fail(log);
    ids_patience_over(&log->patience);
    ids_rounds_grew(log->rounds, batch->len);
    log->wants_sync = log->wants_sync || batch->sync_behind;
    log->wants_next = true; /* one try a batch */
    return done;
}

/* Under the lock, which is let go while the disk works. The loop has its news
 * before the next batch is prepared for. */
static void carry_out_batch(ids_log_thread *log) {
    ids_log_work *work = log->work;
    const ids_batch *batch = work->batch;
    uint64_t written = log->writer.end.number;
    pthread_mutex_unlock(&work->lock);
    ids_batch_done done = write_batch(log, batch);
    pthread_mutex_lock(&work->lock);
    assert(work->batch == batch && !work->news.batch_is_done);
    work->batch = NULL;
    work->news.done = done;
    work->news.late = count_late(log, batch, written);
    work->news.batch_is_done = true;
    ids_log_work_tell(work);
    pthread_mutex_unlock(&work->lock);
    ids_writer_prepare(&log->writer);
    fail_if_faulty(log);
    pthread_mutex_lock(&work->lock);
}

/* The thread --------------------------------------------------------------- */

static void *run_log_thread(void *ctx) {
    ids_log_thread *log = ctx;
    ids_log_work *work = log->work;
    ids_name_thread(pthread_self(), "log", work->index);
    pthread_mutex_lock(&work->lock);
    for (;;) {
        take_back_jobs(log);
        send_jobs(log);
        if (work->batch)
            carry_out_batch(log);
        else if (work->stops && work->sync_is == IDS_HOME &&
                 work->next_is == IDS_HOME)
            break;
        else
            ids_log_work_rest(work);
    }
    work->log_has_ended = true;
    pthread_cond_broadcast(&work->posted);
    pthread_mutex_unlock(&work->lock);
    return NULL;
}

void ids_log_thread_init(ids_log_thread *log, ids_log_work *work,
                         ids_rounds *rounds, const ids_writer *writer) {
    *log = (ids_log_thread){
        .work = work, .rounds = rounds, .writer = *writer, .wants_next = true};
    log->writer.patience =
        (ids_writer_patience){.wait = ids_patience_wait, .ctx = &log->patience};
    log->writer.config.await_disk = await_jobs;
    log->writer.config.await_disk_ctx = log;
}

int ids_log_thread_start(ids_log_thread *log) {
    return ids_thread_start(&log->id, run_log_thread, log);
}
