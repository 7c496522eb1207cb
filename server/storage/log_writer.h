/* SPDX-License-Identifier: Apache-2.0 */
/* log_writer.h -- keeps one loop's changes: its log, and two threads for it.
 * One writes what the loop hands over, the other does what takes long. */
#ifndef IDS_LOG_WRITER_H
#define IDS_LOG_WRITER_H

#include "server/node/worker_log.h"
#include "server/storage/rounds.h"

typedef struct ids_log_writer ids_log_writer;

typedef struct ids_log_writer_config {
    ids_rounds *rounds; /* it takes part in */
    ids_worker *worker;
    ids_writer writer; /* moves in, with what it has open */
    ids_fsync fsync;
    bool is_replicated; /* the loop has a part in the replicator */
    uint64_t now_ms;
} ids_log_writer_config;

/* Gives the worker its journal. NULL: no memory. */
ids_log_writer *ids_log_writer_new(const ids_log_writer_config *config);

/* What the loop calls. */
ids_worker_log *ids_log_writer_log(ids_log_writer *writer);

/* Starts its threads; 0 or an errno. */
int ids_log_writer_start(ids_log_writer *writer);

/* On the loop's thread, before it ends: it is not woken any more. */
void ids_log_writer_quiet(ids_log_writer *writer);

/* Its loop doesn't run (yet, or any more). Its threads finish what they
 * have and end. */
void ids_log_writer_join(ids_log_writer *writer);

/* Its loop stands still, and so do all others. await_rest: waits until its
 * threads have done what they were given. begin_anew, when all rest:
 * gives up its part of a snapshot, has every change on the medium, and the log
 * goes on in a segment that is new. */
void ids_log_writer_await_rest(ids_log_writer *writer);
void ids_log_writer_begin_anew(ids_log_writer *writer, ids_log_end *end);

/* Any thread: its log waits for descriptors, or for room on the disk. */
bool ids_log_writer_waits(const ids_log_writer *writer);

/* Its threads don't run. Has every change on the medium and takes a snapshot
 * of the shard, all on the caller's thread. clean: the log ends here, first is
 * not set. False: there was no room. */
bool ids_log_writer_snapshot(ids_log_writer *writer, bool clean,
                             ids_snapshot_sum *sum, ids_log_end *first);

void ids_log_writer_free(ids_log_writer *writer);

#endif
