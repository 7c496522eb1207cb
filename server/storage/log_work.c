/* SPDX-License-Identifier: Apache-2.0 */
/* log_work.c -- see log_work.h. */
#include "server/storage/log_work.h"

#include <assert.h>

void ids_log_work_init(ids_log_work *work, const ids_server *server,
                       uint32_t index) {
    *work = (ids_log_work){.server = server, .index = index};
    pthread_mutex_init(&work->lock, NULL);
    pthread_cond_init(&work->posted, NULL);
    pthread_cond_init(&work->rests, NULL);
}

void ids_log_work_fini(ids_log_work *work) {
    pthread_cond_destroy(&work->posted);
    pthread_cond_destroy(&work->rests);
    pthread_mutex_destroy(&work->lock);
}

/* The loop's --------------------------------------------------------------- */

void ids_log_work_write(ids_log_work *work, const ids_batch *batch) {
    pthread_mutex_lock(&work->lock);
    assert(!work->batch && !work->stops);
    work->batch = batch;
    pthread_cond_broadcast(&work->posted);
    pthread_mutex_unlock(&work->lock);
}

void ids_log_work_do(ids_log_work *work, ids_worker_log_task task) {
    pthread_mutex_lock(&work->lock);
    assert(work->task == IDS_WORKER_LOG_IDLE);
    work->task = task;
    pthread_cond_broadcast(&work->posted);
    pthread_mutex_unlock(&work->lock);
}

bool ids_log_work_take_news(ids_log_work *work, ids_worker_log_news *news) {
    if (!atomic_exchange_explicit(&work->has_news, false, memory_order_acquire))
        return false;
    pthread_mutex_lock(&work->lock);
    *news = work->news;
    work->news = (ids_worker_log_news){0};
    pthread_mutex_unlock(&work->lock);
    return true;
}

static bool is_at_rest(const ids_log_work *work) {
    return !work->batch && work->task == IDS_WORKER_LOG_IDLE &&
           work->sync_is == IDS_HOME && work->next_is == IDS_HOME &&
           work->resting == 2;
}

void ids_log_work_await_rest(ids_log_work *work) {
    pthread_mutex_lock(&work->lock);
    while (!is_at_rest(work))
        pthread_cond_wait(&work->rests, &work->lock);
    pthread_mutex_unlock(&work->lock);
}

void ids_log_work_quiet(ids_log_work *work) {
    pthread_mutex_lock(&work->lock);
    work->quiet = true;
    pthread_mutex_unlock(&work->lock);
}

void ids_log_work_stop(ids_log_work *work) {
    pthread_mutex_lock(&work->lock);
    work->stops = true;
    pthread_cond_broadcast(&work->posted);
    pthread_mutex_unlock(&work->lock);
}

/* The threads' ------------------------------------------------------------- */

void ids_log_work_tell(ids_log_work *work) {
    atomic_store_explicit(&work->has_news, true, memory_order_release);
    if (!work->quiet)
        work->server->wake(work->server->wake_ctx, work->index);
}

void ids_log_work_rest(ids_log_work *work) {
    assert(work->resting < 2);
    work->resting++;
    pthread_cond_signal(&work->rests);
    pthread_cond_wait(&work->posted, &work->lock);
    work->resting--;
}
