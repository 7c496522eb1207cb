/* SPDX-License-Identifier: Apache-2.0 */
/* log_writer_inner.h -- inside the log writer: log_writer.c is the loop's side,
 * and log_threads.c that of its two threads. Nobody else includes this. */
#ifndef IDS_LOG_WRITER_INNER_H
#define IDS_LOG_WRITER_INNER_H

#include "server/io/log_writer.h"
#include "server/io/patience.h"
#include "server/io/store.h"

#include <pthread.h>

/* Where an errand of the writer's is. */
typedef enum ids_errand { HOME, OUT, BACK } ids_errand;

struct ids_log_writer {
    ids_keeper keeper; /* the loop's */
    ids_store *store;
    const ids_house *house;
    uint32_t index; /* which loop's */
    /* The log thread's own. */
    ids_writer writer;
    bool wants_sync, wants_next;
    ids_patience patience;
    /* The disk thread's. */
    ids_snapshot_file file;
    pthread_t log_thread, disk_thread;
    bool has_threads;
    /* Between them. */
    atomic_bool
        has_news; /* something was done; the loop looks under the lock */
    pthread_mutex_t lock;
    pthread_cond_t posted, rests;
    uint32_t resting; /* threads that have nothing to do */
    bool log_has_ended;
    ids_errand sync_is, next_is;
    ids_sync_errand sync;
    ids_next_errand next;
    const ids_batch *batch;
    ids_keeper_task task;
    ids_keeper_news news;
    bool quiet;
    bool stops;
};

/* Says what failed, and ends the process: no reply may leave any more. */
_Noreturn void ids_log_writer_fail(ids_log_writer *writer);

/* The writer's config.settle. */
void ids_log_writer_settle_errands(void *ctx);

/* They finish what they have, and end. */
void ids_log_writer_end_threads(ids_log_writer *writer);

/* One thing for a snapshot, on whatever thread. False: it is given up. */
bool ids_log_writer_do(ids_log_writer *writer, ids_keeper_task task);

#endif
