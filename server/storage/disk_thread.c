/* SPDX-License-Identifier: Apache-2.0 */
/* disk_thread.c -- see disk_thread.h. */
#include "server/storage/disk_thread.h"

#include "server/base/thread_start.h"
#include "server/os/thread.h"

#include <assert.h>

/* Under the lock, as what follows: it is let go while the disk works. */
static void carry_out_job(ids_log_work *work) {
    bool syncs = work->sync_is == IDS_OUT;
    pthread_mutex_unlock(&work->lock);
    if (syncs)
        ids_sync_carry_out(&work->sync);
    else
        ids_next_carry_out(&work->next);
    pthread_mutex_lock(&work->lock);
    assert((syncs ? work->sync_is : work->next_is) == IDS_OUT);
    *(syncs ? &work->sync_is : &work->next_is) = IDS_BACK;
    pthread_cond_broadcast(&work->posted);
}

static void carry_out_task(ids_disk_thread *disk) {
    ids_log_work *work = disk->work;
    ids_worker_log_task task = work->task;
    pthread_mutex_unlock(&work->lock);
    bool good = ids_snapshot_part_do(&disk->part, task);
    pthread_mutex_lock(&work->lock);
    assert(work->task == task && !work->news.task_is_done);
    work->task = IDS_WORKER_LOG_IDLE;
    work->news.task_is_good = good;
    work->news.task_is_done = true;
    ids_log_work_tell(work);
}

/* The log's jobs go first: with them an acknowledgement gets safer. */
static void *run_disk_thread(void *ctx) {
    ids_disk_thread *disk = ctx;
    ids_log_work *work = disk->work;
    ids_name_thread(pthread_self(), "disk", work->index);
    pthread_mutex_lock(&work->lock);
    for (;;) {
        if (work->sync_is == IDS_OUT || work->next_is == IDS_OUT)
            carry_out_job(work);
        else if (work->task != IDS_WORKER_LOG_IDLE)
            carry_out_task(disk);
        else if (work->stops && work->log_has_ended)
            break;
        else
            ids_log_work_rest(work);
    }
    pthread_mutex_unlock(&work->lock);
    return NULL;
}

int ids_disk_thread_start(ids_disk_thread *disk) {
    return ids_thread_start(&disk->id, run_disk_thread, disk);
}
