/* SPDX-License-Identifier: Apache-2.0 */
/* log_thread.h -- a log's first thread writes batches and nothing else, so that
 * what is acknowledged is soon written, whatever the disk is busy with. */
#ifndef IDS_LOG_THREAD_H
#define IDS_LOG_THREAD_H

#include "server/storage/log_work.h"
#include "server/storage/patience.h"
#include "server/storage/rounds.h"

typedef struct ids_log_thread {
    ids_log_work *work;
    ids_rounds *rounds; /* hear how the log grows */
    ids_writer writer;  /* another's while it rests or is not there */
    ids_patience patience;
    bool wants_sync, wants_next;
    pthread_t id;
} ids_log_thread;

/* Writer moves in, with what it has open. */
void ids_log_thread_init(ids_log_thread *log, ids_log_work *work,
                         ids_rounds *rounds, const ids_writer *writer);

/* 0 or an errno. It ends when it is told to stop and its jobs are back. */
int ids_log_thread_start(ids_log_thread *log);

/* Says what failed, and ends the process: no reply may leave any more. */
_Noreturn void ids_log_thread_fail(const ids_log_thread *log);

#endif
