/* SPDX-License-Identifier: Apache-2.0 */
/* store.h -- the folder that the daemon keeps its records in: read at the
 * start, with all cores; snapshots, which all loops take part in; the last
 * one, at the end.
 *
 * What runs while loops do is any thread's; the rest is the main thread's,
 * before the loops run or after. */
#ifndef IDS_STORE_H
#define IDS_STORE_H

#include "server/config.h"
#include "server/house.h"
#include "server/io/disk.h"
#include "server/io/log_writer.h"
#include "server/journal/vault.h"

#include <pthread.h>

/* After so long a snapshot that was given up is tried again; each further pause
 * is twice as long. */
#define IDS_SNAPSHOT_AGAIN_MS 5000

typedef struct ids_store {
    const ids_house *house;
    const ids_config *config;
    ids_posix_disk posix;
    ids_disk disk;
    ids_vault vault;
    bool is_open;
    bool was_empty; /* nothing was kept before this start */
    uint64_t start_ms;
    uint32_t log_writers_count;
    ids_log_writer **log_writers; /* one per loop */
    /* The snapshot under way. */
    atomic_uint round; /* counts snapshots that were begun */
    atomic_bool busy;
    atomic_uint_least64_t log_bytes; /* since the last one was begun */
    uint64_t log_bytes_max;
    pthread_mutex_t lock; /* of what is below */
    uint32_t parts_left;
    bool given_up;
    bool quiet; /* none is begun any more */
    /* The operator's order for one: loop 0's, but for what came of it. */
    ids_ticket ticket; /* 0: none was given */
    uint64_t ordered_ms;
    uint64_t begin_ms;       /* when its round may begin; 0: it has */
    uint64_t began_ms;       /* the last one that was ordered */
    idp_order_answer answer; /* to be given when has_answer is seen */
    atomic_bool has_answer;
    ids_snapshot_sum *sums;
    ids_log_end *firsts;
    /* One that was given up: when it is tried again (0: none was), the next
     * pause, how many were; why, as the log has it. */
    atomic_uint_least64_t again_ms, pause_ms, given_up_total;
    atomic_uint_least64_t parts_bytes; /* of the last one, at least */
    char said[IDS_FAULT_TEXT_BYTES];
    /* Loop 0's: why a full copy can't take the old one's place yet. */
    char said_copy[IDS_FAULT_TEXT_BYTES];
} ids_store;

/* Takes the folder and reads its manifest; config->data_dir is set. False:
 * the log says why. */
bool ids_store_open(ids_store *store, const ids_config *config,
                    const ids_house *house);

/* The epoch of this run. */
uint64_t ids_store_epoch(const ids_store *store);

/* The incarnation of what is kept here; 0: nothing is. Known once the run has
 * begun. It is the one that this folder had before if all is there that was
 * ever acknowledged: after a clean stop, and after any end of a life with
 * fsync always; else a new one. So it may stand for this node's memory only if
 * an acknowledgement waits for ids_loop_kept, as a client's reply does. */
uint64_t ids_store_incarnation(const ids_store *store);

/* For the house: idemctl snapshot. */
ids_order_taker ids_store_taker(ids_store *store);

/* Loads every record into the desks' shards, and begins the run: each desk
 * has its keeper afterwards. */
bool ids_store_begin(ids_store *store, ids_desk **desks);

/* On the first loop's thread, while all loops stand still. replace: every
 * shard is about to be replaced by another one. Waits for the disk; from then
 * on nothing of the two is ever mixed. False: the old manifest stands, and so
 * must the shards; the log says why, once, and it may be tried again.
 * replaced: the shards are the new ones. A snapshot of them begins at once.
 * Until that is installed a start finds the old records as they were at
 * replace, and a new incarnation. */
bool ids_store_replace(ids_store *store);
void ids_store_replaced(ids_store *store);

/* Any loop's thread, before the first loop ends: none is woken any more. */
void ids_store_quiet(ids_store *store);

/* The loops have ended: a last snapshot takes all. Frees everything. */
void ids_store_close(ids_store *store);

/* Reads the folder and prints what is in it: a line per file, one for all, and
 * what an operator compares, indented. other: the same of another folder, and
 * which of the two has more; or NULL. Returns the exit code. */
int ids_store_check(const char *path, const char *other);

/* For keepers, on any thread. */
void ids_store_grew(ids_store *store, size_t log_bytes);
uint64_t ids_store_generation(const ids_store *store);
/* A loop's part is on the medium, and so is its log up to it; good false: it
 * was given up. True: it was the last, and ids_store_install is to be called
 * where it may block. */
bool ids_store_part_done(ids_store *store, uint32_t index, bool good,
                         const ids_snapshot_sum *sum, const ids_log_end *first);
void ids_store_install(ids_store *store, uint64_t now_ms);
/* Loop 0: an order whose time has come is begun, one whose snapshot is there
 * (or not) is answered; when it has to look even if nothing happens. */
void ids_store_answer(ids_store *store, ids_desk *desk);
uint64_t ids_store_next_ms(const ids_store *store);
/* Begins a loop's part of the next snapshot; false: see file. */
bool ids_store_create_part(ids_store *store, uint32_t index,
                           ids_snapshot_file *file);
/* What was written of the next snapshot. */
void ids_store_remove_parts(ids_store *store);

/* Says why and ends the process, with no reply any more. */
_Noreturn void ids_store_fail(const ids_fault *fault);

/* restore.c's: reads all phases, into the desks' shards. desks NULL: only
 * checks. report is told of each unit, one at a time. */
typedef struct ids_restore_report {
    void *ctx;
    void (*unit)(void *ctx, const ids_unit *unit, const ids_fault *fault);
    const ids_loader *loader; /* of a check: takes what is read; or NULL */
} ids_restore_report;
bool ids_restore(ids_vault *vault, const ids_house *house, ids_desk **desks,
                 uint32_t threads, const ids_restore_report *report,
                 ids_fault *fault);

#endif
