/* SPDX-License-Identifier: Apache-2.0 */
/* manifest.h -- what the folder holds, and which of its files count.
 *
 * Pure: the file as text, a line each, in this order; numbers in decimal,
 * checksums in hexadecimal:
 *
 *     idemstore-data 2
 *     node N
 *     incarnation N
 *     epoch N                        the highest that was ever begun
 *     clock MS                       log time goes on from here at least
 *     clean yes|no
 *     identity COUNTER FILE MARK     which files this was written into and
 *                                    beside, and how often; see identity.h
 *     backup yes                     of a backup alone; see data_dir.h
 *     snapshot GENERATION LOOPS      0 0: none
 *     file BYTES RECORDS CRC         one per loop of the snapshot
 *     run EPOCH START_MS FSYNC LOOPS open|replaced|closed
 *     log SEGMENT AT CHAIN NUMBER    one per loop: where the log that is
 *                                    needed begins; unless the run is open,
 *                                    behind it in the same line, where it ends
 *     crc CRC                        of all lines before
 *
 * Version 1 had no line with the identity, and is read. A backup is of version
 * 3, which a daemon that knows of no backups does not take for the folder
 * itself; all others are of version 2.
 *
 * A run is one life of the daemon. Only the last may be not closed. It is
 * replaced when all records were, by another node's, and no snapshot of these
 * is there yet: what its logs hold behind their ends is of no use without. */
#ifndef IDS_MANIFEST_H
#define IDS_MANIFEST_H

#include "server/journal/fault.h"
#include "server/journal/journal.h"
#include "server/journal/snapshot.h"

#define IDS_MANIFEST_VERSION        2
#define IDS_MANIFEST_VERSION_BACKUP 3

/* So many lives may go by without a snapshot; then one is needed first. */
#define IDS_RUNS_MAX           32
#define IDS_MANIFEST_BYTES_MAX (8u << 20)

typedef struct ids_manifest_log {
    ids_log_end first; /* where what is needed of it begins */
    ids_log_end end;   /* of a run that has ends */
} ids_manifest_log;

typedef struct ids_manifest_run {
    uint64_t epoch;
    uint64_t start_ms;
    ids_fsync fsync;
    bool closed;
    bool replaced; /* and not closed */
    uint32_t loops;
    ids_manifest_log *logs;
} ids_manifest_run;

static inline bool ids_run_has_ends(const ids_manifest_run *run) {
    return run->closed || run->replaced;
}

typedef struct ids_manifest {
    uint64_t node;
    uint64_t incarnation;
    uint64_t epoch;
    uint64_t clock_ms;
    uint64_t counter; /* of installs */
    ids_identity file, mark;
    bool clean;     /* the last run ended with a snapshot of everything */
    bool is_backup; /* what starts here is a copy, whatever its files say */
    uint64_t generation;
    uint32_t snapshot_loops;
    ids_snapshot_sum *snapshot;
    uint32_t runs;
    ids_manifest_run run[IDS_RUNS_MAX];
} ids_manifest;

void ids_manifest_fini(ids_manifest *manifest);

/* Adds an open run, its logs from segment 1 on. False: no memory; assert:
 * fewer than IDS_RUNS_MAX. */
bool ids_manifest_add_run(ids_manifest *manifest, const ids_manifest_run *run);
void ids_manifest_drop_runs(ids_manifest *manifest, uint32_t count);

/* False: no memory, and *to is empty. */
bool ids_manifest_copy(ids_manifest *to, const ids_manifest *from);

/* As a backup says it: of one open run, which ends there for each log.
 * ends[loops]. False: no memory, and *to is empty. */
bool ids_manifest_of_backup(ids_manifest *to, const ids_manifest *from,
                            const ids_log_end *ends);

/* The text, malloc'ed; NULL: no memory. */
char *ids_manifest_text(const ids_manifest *manifest, size_t *len);

/* Reads it; false: fault says why, and nothing has to be freed. */
bool ids_manifest_parse(ids_manifest *manifest, const char *text, size_t len,
                        ids_fault *fault);

/* Makes it the folder's: temp, sync, rename, sync of the folder. 0 or a
 * negative errno, and then *unknown says whether the medium may have the new
 * one all the same; if it does not, the old one is whole, and nothing of the
 * new one is left. */
int ids_manifest_install(ids_manifest *manifest, const ids_disk *disk,
                         bool *unknown);

#endif
