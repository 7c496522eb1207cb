/* SPDX-License-Identifier: Apache-2.0 */
/* store.h -- the folder that the daemon keeps its records in: read at the
 * start, with all cores; a log writer for each loop; the last snapshot, at the
 * end.
 *
 * All of it is the main thread's, before the loops run or after, but for what
 * says otherwise. */
#ifndef IDS_STORE_H
#define IDS_STORE_H

#include "server/admin/config.h"
#include "server/storage/disk.h"
#include "server/storage/log_writer.h"
#include "server/storage/snapshots.h"

typedef struct ids_store {
    const ids_server *server;
    const ids_config *config;
    ids_posix_disk posix;
    ids_disk disk;
    ids_data_dir dir;
    bool is_open;
    bool was_empty; /* nothing was kept before this start */
    uint64_t start_ms;
    ids_rounds rounds;
    ids_snapshots snapshots; /* loop 0's */
    ids_backup backup;
    uint32_t log_writers_count;
    ids_log_writer **log_writers; /* one per loop */
    /* replace.c's: why a full copy can't take the old one's place yet. */
    char logged_copy[IDS_FAULT_TEXT_BYTES];
} ids_store;

/* Takes the folder and reads its manifest; config->data_dir is set. False:
 * the log says why. */
bool ids_store_open(ids_store *store, const ids_config *config,
                    const ids_server *server);

/* The epoch of this run. */
uint64_t ids_store_epoch(const ids_store *store);

/* The incarnation of what is kept here; 0: nothing is. Known once the run has
 * begun. It is the one that this folder had before if all is there that was
 * ever acknowledged: after a clean stop, and after any end of a life with
 * fsync always; else a new one. So it may stand for this node's memory only if
 * an acknowledgement waits for ids_worker_log_watermark, as a client's reply
 * does.
 */
uint64_t ids_store_incarnation(const ids_store *store);

/* Loads every record into the workers' shards, and begins the run: each worker
 * has its log afterwards. */
bool ids_store_begin(ids_store *store, ids_worker **workers);

/* replace.c's. On the first loop's thread, while all loops stand still.
 * replace: every shard is about to be replaced by another one. Waits for the
 * disk; from then on nothing of the two is ever mixed. False: the old manifest
 * stands, and so must the shards; the log says why, once, and it may be tried
 * again. replaced: the shards are the new ones. A snapshot of them begins at
 * once. Until that is installed a start finds the old records as they were at
 * replace, and a new incarnation. */
bool ids_store_replace(ids_store *store);
void ids_store_replaced(ids_store *store);

/* Any loop's thread, before the first loop ends: none is woken any more. */
void ids_store_quiet(ids_store *store);

/* The loops have ended: a last snapshot takes all. Frees everything. */
void ids_store_close(ids_store *store);

#endif
