/* SPDX-License-Identifier: Apache-2.0 */
/* keeper_threads.c -- the two threads of a keeper.
 *
 * The log thread writes batches and nothing else, so that what is acknowledged
 * is soon written, whatever the disk is busy with. All that takes long is the
 * disk thread's: syncs of the log where no reply waits for them, its next
 * segments, snapshots. */
#include "server/io/keeper_inner.h"

#include "server/io/loop.h"

#include <assert.h>

/* A change that was not written by then was written late. */
#define WRITTEN_MS 50

_Noreturn void ids_keeper_fail(ids_keeper *k) {
    static const ids_fault none = {.kind = IDS_FAULT_MEMORY,
                                   .file = "the journal",
                                   .what = "no memory for a change"};
    ids_store_fail(k->writer.fault.kind == IDS_FAULT_NONE ? &none
                                                          : &k->writer.fault);
}

/* The log thread ----------------------------------------------------------- */

/* Under the lock. */
static void tell_loop(ids_keeper *k) {
    const ids_house *house = k->desk->house;
    atomic_store_explicit(&k->news, true, memory_order_release);
    if (!k->quiet)
        house->wake(house->wake_ctx, k->desk->index);
}

/* Under the lock: what the disk thread is through with. */
static void take_back(ids_keeper *k) {
    if (k->sync_is == BACK) {
        ids_writer_sync_done(&k->writer, &k->sync);
        k->sync_is = HOME;
        k->durable = k->writer.synced.number;
        tell_loop(k);
    }
    if (k->next_is == BACK) {
        ids_writer_next_done(&k->writer, &k->next);
        k->next_is = HOME;
    }
    if (k->writer.fault.kind != IDS_FAULT_NONE)
        ids_keeper_fail(k);
}

/* The writer's, which can't go on without them. */
void ids_keeper_settle_errands(void *ctx) {
    ids_keeper *k = ctx;
    pthread_mutex_lock(&k->lock);
    while (k->sync_is == OUT || k->next_is == OUT)
        pthread_cond_wait(&k->posted, &k->lock);
    take_back(k);
    pthread_mutex_unlock(&k->lock);
}

/* Under the lock. */
static void send_errands(ids_keeper *k) {
    if (k->sync_is == HOME &&
        (k->wants_sync || ids_writer_wants_sync(&k->writer))) {
        k->wants_sync = false;
        if (ids_writer_sync_begin(&k->writer, &k->sync))
            k->sync_is = OUT;
    }
    if (k->next_is == HOME && k->wants_next &&
        ids_writer_next_begin(&k->writer, &k->next))
        k->next_is = OUT;
    k->wants_next = false;
    if (k->sync_is == OUT || k->next_is == OUT)
        pthread_cond_broadcast(&k->posted);
}

/* So many of the batch's changes were written later than they should be. */
static uint64_t count_late(const ids_keeper *k, const ids_batch *batch,
                           uint64_t written_before) {
    bool late = k->writer.config.syncs_behind && batch->len > 0 &&
                batch->since_ms != UINT64_MAX &&
                ids_loop_clock_ms() > batch->since_ms + WRITTEN_MS;
    return late ? batch->last - written_before : 0;
}

static void carry_out_batch(ids_keeper *k) {
    const ids_batch *batch = k->batch;
    uint64_t written = k->writer.end.number;
    pthread_mutex_unlock(&k->lock);
    ids_batch_done done = ids_writer_carry_out(&k->writer, batch);
    if (done.failed)
        ids_keeper_fail(k);
    ids_store_grew(k->store, batch->len);
    k->wants_sync = k->wants_sync || batch->sync_behind;
    k->wants_next = true; /* one try a batch */
    pthread_mutex_lock(&k->lock);
    k->batch = NULL;
    k->done = done;
    k->late = count_late(k, batch, written);
    k->batch_is_done = true;
    tell_loop(k);
    pthread_mutex_unlock(&k->lock);
    ids_writer_prepare(&k->writer);
    if (k->writer.fault.kind != IDS_FAULT_NONE)
        ids_keeper_fail(k);
    pthread_mutex_lock(&k->lock);
}

static void rest(ids_keeper *k) {
    k->resting++;
    pthread_cond_signal(&k->rests);
    pthread_cond_wait(&k->posted, &k->lock);
    k->resting--;
}

static void *run_log(void *ctx) {
    ids_keeper *k = ctx;
    ids_name_thread(pthread_self(), "log", k->desk->index);
    pthread_mutex_lock(&k->lock);
    for (;;) {
        take_back(k);
        send_errands(k);
        if (k->batch)
            carry_out_batch(k);
        else if (k->stops && k->sync_is == HOME && k->next_is == HOME)
            break;
        else
            rest(k);
    }
    k->log_has_ended = true;
    pthread_cond_broadcast(&k->posted);
    pthread_mutex_unlock(&k->lock);
    return NULL;
}

/* The disk thread ---------------------------------------------------------- */

bool ids_keeper_do(ids_keeper *k, ids_keeper_task what) {
    bool good = true;
    switch (what) {
    case CREATE:
        good = ids_store_create_part(k->store, k->desk->index, &k->file);
        break;
    case WRITE:
        good = ids_snapshot_write(&k->file, k->walk.bytes, k->walk.len);
        break;
    case FINISH:
        good = ids_snapshot_finish(&k->file);
        break;
    case INSTALL:
        ids_store_install(k->store, k->file.now_ms);
        break;
    case GIVE_UP:
        good = false;
        break;
    case IDLE:
        break;
    }
    if (k->file.fault.kind != IDS_FAULT_NONE)
        ids_store_fail(&k->file.fault);
    if (!good)
        ids_snapshot_abandon(&k->file);
    return good;
}

static void carry_out_task(ids_keeper *k) {
    ids_keeper_task what = k->task;
    pthread_mutex_unlock(&k->lock);
    bool good = ids_keeper_do(k, what);
    pthread_mutex_lock(&k->lock);
    k->task = IDLE;
    k->task_is_good = good;
    k->task_is_done = true;
    tell_loop(k);
}

static void carry_out_errand(ids_keeper *k) {
    bool syncs = k->sync_is == OUT;
    pthread_mutex_unlock(&k->lock);
    if (syncs)
        ids_sync_carry_out(&k->sync);
    else
        ids_next_carry_out(&k->next);
    pthread_mutex_lock(&k->lock);
    *(syncs ? &k->sync_is : &k->next_is) = BACK;
    pthread_cond_broadcast(&k->posted);
}

/* The log's errands go first: with them an acknowledgement gets safer. */
static void *run_disk(void *ctx) {
    ids_keeper *k = ctx;
    ids_name_thread(pthread_self(), "disk", k->desk->index);
    pthread_mutex_lock(&k->lock);
    for (;;) {
        if (k->sync_is == OUT || k->next_is == OUT)
            carry_out_errand(k);
        else if (k->task != IDLE)
            carry_out_task(k);
        else if (k->stops && k->log_has_ended)
            break;
        else
            rest(k);
    }
    pthread_mutex_unlock(&k->lock);
    return NULL;
}

/* Their life ----------------------------------------------------------------
 */

static void stop_threads(ids_keeper *k) {
    pthread_mutex_lock(&k->lock);
    k->stops = true;
    pthread_cond_broadcast(&k->posted);
    pthread_mutex_unlock(&k->lock);
}

int ids_keeper_start(ids_keeper *k) {
    ids_patience_set(&k->patience, true);
    int error = pthread_create(&k->log_thread, NULL, run_log, k);
    if (error)
        return error;
    error = pthread_create(&k->disk_thread, NULL, run_disk, k);
    k->has_threads = error == 0;
    if (error) {
        stop_threads(k);
        pthread_join(k->log_thread, NULL);
    }
    return error;
}

void ids_keeper_end_threads(ids_keeper *k) {
    stop_threads(k);
    pthread_join(k->log_thread, NULL);
    pthread_join(k->disk_thread, NULL);
    k->has_threads = false;
}
