/* SPDX-License-Identifier: Apache-2.0 */
/* log_work.h -- what a loop and the two threads of its log have given each
 * other to do, under one lock.
 *
 *     loop         -> log thread    a batch
 *     loop         -> disk thread   a task of a snapshot
 *     log thread   -> disk thread   a sync, the next segment: both come back
 *     both threads -> loop          news
 *
 * Each is one place: who gives fills it when it is free, who takes empties it.
 * The log thread never waits for a task. */
#ifndef IDS_LOG_WORK_H
#define IDS_LOG_WORK_H

#include "server/journal/writer.h"
#include "server/node/worker_log.h"

#include <pthread.h>

/* Where a job of the log thread's is. */
typedef enum ids_job_place { IDS_HOME, IDS_OUT, IDS_BACK } ids_job_place;

typedef struct ids_log_work {
    const ids_server *server; /* whose loop is woken, */
    uint32_t index;           /* and which one */
    /* Something is in news: the loop looks under the lock. */
    atomic_bool has_news;
    pthread_mutex_t lock;           /* of what is below */
    pthread_cond_t posted, rests;   /* work; a thread that has none */
    uint32_t resting;               /* threads that have nothing to do */
    const ids_batch *batch;         /* NULL: none */
    ids_worker_log_task task;       /* IDLE: none */
    ids_job_place sync_is, next_is; /* a job's place is free at HOME */
    ids_sync_job sync;
    ids_next_job next;
    ids_worker_log_news news;
    bool quiet;         /* the loop is not woken any more */
    bool stops;         /* no more comes from the loop */
    bool log_has_ended; /* no more comes from the log thread */
} ids_log_work;

void ids_log_work_init(ids_log_work *work, const ids_server *server,
                       uint32_t index);
void ids_log_work_fini(ids_log_work *work);

/* The loop's, or of whoever it stands still for. The batch is borrowed until it
 * is news. A task that is given once the threads have ended is never done. */
void ids_log_work_write(ids_log_work *work, const ids_batch *batch);
void ids_log_work_do(ids_log_work *work, ids_worker_log_task task);

/* What was done since; false: nothing. */
bool ids_log_work_take_news(ids_log_work *work, ids_worker_log_news *news);

/* Returns when both threads have nothing to do. */
void ids_log_work_await_rest(ids_log_work *work);

void ids_log_work_quiet(ids_log_work *work);
void ids_log_work_stop(ids_log_work *work);

/* The threads', under the lock, which rest gives up while it waits. tell: news
 * was filled. */
void ids_log_work_tell(ids_log_work *work);
void ids_log_work_rest(ids_log_work *work);

#endif
