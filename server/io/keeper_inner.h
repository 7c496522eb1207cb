/* SPDX-License-Identifier: Apache-2.0 */
/* keeper_inner.h -- inside the keeper: keeper.c is the loop's side, and
 * keeper_threads.c that of its two threads. Nobody else includes this. */
#ifndef IDS_KEEPER_INNER_H
#define IDS_KEEPER_INNER_H

#include "server/io/patience.h"
#include "server/io/store.h"
#include "server/node/keeper.h"

#include <pthread.h>

/* What the disk thread does for a snapshot, one thing at a time. */
typedef enum ids_keeper_task {
    IDLE,
    CREATE,
    WRITE,
    FINISH,
    GIVE_UP,
    INSTALL
} ids_keeper_task;

typedef enum ids_keeper_phase {
    NO_SNAPSHOT,
    WALKS,   /* blocks are gathered and written */
    FINISHES /* the file is ended, the log has to get as far */
} ids_keeper_phase;

/* Where an errand of the writer's is. */
typedef enum ids_errand { HOME, OUT, BACK } ids_errand;

struct ids_keeper {
    ids_store *store;
    ids_desk *desk;
    ids_journal *journal;
    uint64_t watermark; /* that the desk was told last */
    bool is_seated;     /* the desk has a peer, too: its seat tells it */
    /* The snapshot, the loop's side. */
    unsigned round; /* the last one that was taken part in */
    ids_keeper_phase phase;
    ids_snapshot_walk walk;
    ids_shard *walked; /* another one may have the desk's place by then */
    uint64_t block_ms; /* when the last block was made */
    uint64_t walked_bytes;
    uint64_t walk_end;         /* the last change as the walk was over */
    ids_keeper_task under_way; /* as the loop sees it */
    /* The log thread's own. */
    ids_writer writer;
    bool wants_sync, wants_next;
    ids_patience patience;
    /* The disk thread's. */
    ids_snapshot_file file;
    pthread_t log_thread, disk_thread;
    bool has_threads;
    /* Between them. */
    atomic_bool news; /* something was done; the loop looks under the lock */
    pthread_mutex_t lock;
    pthread_cond_t posted, rests;
    uint32_t resting; /* threads that have nothing to do */
    bool log_has_ended;
    ids_errand sync_is, next_is;
    ids_sync_errand sync;
    ids_next_errand next;
    uint64_t durable; /* as an errand brought it; 0: no news */
    const ids_batch *batch;
    ids_batch_done done;
    uint64_t late; /* changes of it that were written late */
    bool batch_is_done;
    ids_keeper_task task;
    bool task_is_done;
    bool task_is_good;
    bool quiet;
    bool stops;
};

/* Says what failed, and ends the process: no reply may leave any more. */
_Noreturn void ids_keeper_fail(ids_keeper *keeper);

/* The writer's config.settle. */
void ids_keeper_settle_errands(void *ctx);

/* They finish what they have, and end. */
void ids_keeper_end_threads(ids_keeper *keeper);

/* One thing for a snapshot, on whatever thread. False: it is given up. */
bool ids_keeper_do(ids_keeper *keeper, ids_keeper_task task);

#endif
