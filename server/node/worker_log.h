/* SPDX-License-Identifier: Apache-2.0 */
/* worker_log.h -- one worker's log: batches of its journal out,
 * replies free to leave, its part of a snapshot.
 *
 * No thread and no file: whoever writes is the driver's
 * (server/storage/log_writer.h), and so is whatever takes long. The worker
 * never waits for them; it looks at the end of each turn, and is woken when
 * there is something to see. */
#ifndef IDS_WORKER_LOG_H
#define IDS_WORKER_LOG_H

#include "server/journal/snapshot.h"
#include "server/worker/worker.h"

/* What is done for a snapshot, one thing at a time, where it may block. */
typedef enum ids_worker_log_task {
    IDS_WORKER_LOG_IDLE,
    IDS_WORKER_LOG_CREATE,
    IDS_WORKER_LOG_WRITE, /* walk.block: a block */
    IDS_WORKER_LOG_FINISH,
    IDS_WORKER_LOG_GIVE_UP,
    IDS_WORKER_LOG_INSTALL /* all workers' parts are there */
} ids_worker_log_task;

typedef enum ids_worker_log_phase {
    IDS_WORKER_LOG_NO_SNAPSHOT,
    IDS_WORKER_LOG_WALKS,   /* blocks are gathered and written */
    IDS_WORKER_LOG_FINISHES /* the file is ended, the log has to get as far */
} ids_worker_log_phase;

/* What has been done since the last look. */
typedef struct ids_worker_log_news {
    bool batch_is_done;
    ids_batch_done done;
    uint64_t late; /* changes of it that were written late */
    bool task_is_done, task_is_good;
    uint64_t durable; /* all up to here is on the medium; 0: no news */
} ids_worker_log_news;

typedef struct ids_worker_log_driver {
    void *ctx;
    /* Carries the batch out; it borrows until it is news. */
    void (*write)(void *ctx, const ids_batch *batch);
    /* Does this for a snapshot; one at a time. */
    void (*do_task)(void *ctx, ids_worker_log_task task);
    /* False: there are none. */
    bool (*take_news)(void *ctx, ids_worker_log_news *news);
    /* Counts snapshots that were begun: a new one is to be taken part in. */
    unsigned (*round)(void *ctx);
    /* Bytes that a worker's log has grown by since. */
    uint64_t (*grown)(void *ctx);
    /* This worker's part is on the medium, and so is its log up to it, which
     * begins anew at first and is written up to end; good false: it was given
     * up. True: it was the last, INSTALL comes next. */
    bool (*part_done)(void *ctx, bool good, const ids_log_end *first,
                      const ids_log_end *end);
    /* The same as write, at once; for a step that all stand still for. */
    ids_batch_done (*write_now)(void *ctx, const ids_batch *batch);
    /* Says what failed, and ends the process: no reply may leave any more. */
    void (*fail)(void *ctx);
} ids_worker_log_driver;

typedef struct ids_worker_log {
    ids_worker *worker;
    ids_journal *journal;
    ids_worker_log_driver driver;
    uint64_t watermark; /* up to which change replies may leave */
    bool
        is_replicated; /* the worker has a peer, too: the replicator tells it */
    unsigned round;    /* the last snapshot that was taken part in */
    ids_worker_log_phase phase;
    ids_snapshot_walk walk;
    ids_shard *walked; /* another one may have the worker's place by then */
    ids_pieces steps;  /* of the walk, while calls come */
    uint64_t walked_bytes;
    uint64_t walk_end;             /* the last change as the walk was over */
    ids_worker_log_task under_way; /* as the worker sees it */
} ids_worker_log;

typedef struct ids_worker_log_config {
    ids_worker *worker;
    ids_fsync fsync;
    bool is_replicated; /* the worker has a part in the replicator */
    uint64_t now_ms;
    uint64_t free_bytes; /* on the disk */
    ids_worker_log_driver driver;
} ids_worker_log_config;

/* Gives the worker its journal. False: no memory. */
bool ids_worker_log_init(ids_worker_log *worker_log,
                         const ids_worker_log_config *config);
void ids_worker_log_fini(ids_worker_log *worker_log);

/* At the end of each turn: hands over, takes what has come back, lets replies
 * leave (but where the replicator sees to that). True: turn again soon,
 * there is more. */
bool ids_worker_log_turn(ids_worker_log *worker_log);

/* Up to which change replies may leave, as far as the journal is concerned. */
static inline uint64_t
ids_worker_log_watermark(const ids_worker_log *worker_log) {
    return worker_log->watermark;
}

/* When the worker has to turn even if nothing happens. */
uint64_t ids_worker_log_next_ms(const ids_worker_log *worker_log);

/* In a step that all stand still for, when what was under way is done:
 * take_news takes that; give_up takes part in no snapshot that has begun (true:
 * its file is to be abandoned); flush has every change on the medium;
 * begin_anew does that, and the log goes on in a segment that is new. */
void ids_worker_log_take_news(ids_worker_log *worker_log);
bool ids_worker_log_give_up(ids_worker_log *worker_log);
void ids_worker_log_flush(ids_worker_log *worker_log);
ids_log_end ids_worker_log_begin_anew(ids_worker_log *worker_log);

#endif
