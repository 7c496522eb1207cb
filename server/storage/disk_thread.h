/* SPDX-License-Identifier: Apache-2.0 */
/* disk_thread.h -- a log's second thread does all that takes long: syncs of the
 * log where no reply waits for them, its next segments, snapshots. */
#ifndef IDS_DISK_THREAD_H
#define IDS_DISK_THREAD_H

#include "server/storage/log_work.h"
#include "server/storage/snapshot_part.h"

typedef struct ids_disk_thread {
    ids_log_work *work;
    ids_snapshot_part part; /* another's while this one rests or is not there */
    pthread_t id;
} ids_disk_thread;

/* 0 or an errno. It ends once the log thread has ended and all is done. */
int ids_disk_thread_start(ids_disk_thread *disk);

#endif
