/* SPDX-License-Identifier: Apache-2.0 */
/* data_dir.h -- the folder of one node: what is in it, and what it means.
 *
 * Blocks on the disk; no thread of its own. The order of things:
 *
 *     ids_data_dir_open    the manifest is read, the folder looked through
 *     ids_data_dir_read    per phase, its units by any number of threads
 *     ids_data_dir_begin   a new epoch, a new run, a writer per loop
 *     ids_data_dir_install after each snapshot, and at a clean stop
 *     ids_data_dir_replaced when another node's records took the place of all
 *
 * Nothing is changed on the disk before ids_data_dir_begin: a folder that is
 * refused, or only checked, stays as it is. */
#ifndef IDS_DATA_DIR_H
#define IDS_DATA_DIR_H

#include "server/journal/manifest.h"
#include "server/journal/names.h"

/* A stretch of a segment that may be in the page cache and nowhere else. */
typedef struct ids_log_span {
    uint64_t segment; /* 0: none */
    uint32_t from, to;
} ids_log_span;

/* What became of one unit: a snapshot file, or the log of one loop in one
 * run. */
typedef struct ids_unit {
    char name[IDS_DISK_NAME_BYTES]; /* of its (last) file */
    uint64_t files;
    uint64_t bytes;
    uint64_t records;
    uint64_t clock_ms;
    ids_log_end end;        /* a log's */
    ids_log_span unsure[2]; /* in the segment sealed last, in the last one */
    bool torn;              /* bytes behind the end were cut */
} ids_unit;

typedef struct ids_data_dir {
    const ids_disk *disk;
    ids_manifest manifest;
    bool is_new;    /* an empty folder, no manifest yet */
    ids_name *logs; /* the log segments in the folder */
    size_t logs_count;
    size_t names_cap;
    bool has_files;     /* of ours, besides manifests */
    const char *copied; /* how it is known that this is a copy; NULL: it is
                         * the folder that was written, or can't be told
                         * from it. Whoever knows better sets it before
                         * ids_data_dir_next_epoch */
    bool unchanged;     /* after a fault of a write: the manifest on the medium
                         * is as it was, and so is this one; what was not to
                         * count yet is given up, and may be tried again */
    /* Nothing is removed now, for who reads it. NULL: it may always be. */
    bool (*keeps_all)(const void *ctx);
    const void *keeps_all_ctx;
    ids_unit *snapshot;
    ids_unit *log[IDS_RUNS_MAX];
} ids_data_dir;

bool ids_data_dir_open(ids_data_dir *dir, const ids_disk *disk,
                       ids_fault *fault);
void ids_data_dir_close(ids_data_dir *dir);

/* Reading. The phases one after the other; a phase's units in any order and
 * at the same time: no key is in two of them. */
uint32_t ids_data_dir_phases(const ids_data_dir *dir);
uint32_t ids_data_dir_units(const ids_data_dir *dir, uint32_t phase);
const ids_unit *ids_data_dir_unit(const ids_data_dir *dir, uint32_t phase,
                                  uint32_t unit);

/* Reads and checks one unit; loader NULL: only that. A record that comes
 * later wins, and is loaded at the log time that it comes with. */
bool ids_data_dir_read(ids_data_dir *dir, uint32_t phase, uint32_t unit,
                       const ids_loader *loader, ids_fault *fault);

/* After all was read: where log time goes on. The clock of the shards starts
 * here; the time in between, while nothing ran, is nobody's loss. */
uint64_t ids_data_dir_clock_ms(const ids_data_dir *dir);

/* The epoch that ids_data_dir_begin will give the run, for the shards that
 * records are loaded into. clock: the lowest epoch of a folder without a
 * history, and of a copy: in the life that it does not know of epochs may have
 * been given out. */
uint64_t ids_data_dir_next_epoch(const ids_data_dir *dir, uint64_t clock);

/* copied.c's; manifest: the file that was read. */
const char *ids_data_dir_find_copied(const ids_data_dir *dir, int manifest);

typedef struct ids_run_config {
    uint32_t loops;
    ids_fsync fsync;
    uint32_t segment_bytes;
    uint64_t start_ms;  /* at least ids_data_dir_clock_ms */
    uint64_t clock;     /* as for ids_data_dir_next_epoch */
    uint64_t random[2]; /* a node's and an incarnation's number, if needed */
} ids_run_config;

/* Begins a run: what was read is made durable as it was understood, what is
 * not needed is removed, writers[loops] are opened, and the manifest says so.
 * Where there is no room for that the fault says how much it needs, nothing is
 * left of it, and the folder holds what it held.
 * Afterwards manifest.epoch is the run's. Needs fewer than IDS_RUNS_MAX runs:
 * see ids_data_dir_needs_snapshot. */
bool ids_data_dir_begin(ids_data_dir *dir, const ids_run_config *config,
                        ids_writer *writers, ids_fault *fault);

/* Too many lives without a snapshot: one must be installed before serving. */
bool ids_data_dir_needs_snapshot(const ids_data_dir *dir);

/* The generation of the next snapshot. */
uint64_t ids_data_dir_next_generation(const ids_data_dir *dir);

/* A snapshot of every loop is on the medium, and so is each loop's log up to
 * the end of its walk. From now on it counts, with the logs of this run from
 * firsts[loop] on; everything older is removed. clean: the run is
 * over, nothing was or will be logged behind the snapshot. */
bool ids_data_dir_install(ids_data_dir *dir, const ids_snapshot_sum *sums,
                          const ids_log_end *firsts, uint64_t now_ms,
                          bool clean, ids_fault *fault);

/* All records were replaced at once, by a whole copy of another node's. Each
 * loop's log up to ends[loop], which a cut began, is on the medium and of the
 * old records. Until the next install a start finds these as they were then,
 * nothing of what was logged behind, and a new incarnation. */
bool ids_data_dir_replaced(ids_data_dir *dir, const ids_log_end *ends,
                           uint64_t now_ms, ids_fault *fault);

/* That is so still. */
bool ids_data_dir_is_replaced(const ids_data_dir *dir);

/* What was read of each file is forgotten. */
void ids_data_dir_free_units(ids_data_dir *dir);

/* upkeep.c's: removes what nothing needs any more; what can't be removed
 * stays. */
void ids_data_dir_clean_up(const ids_data_dir *dir);

/* recover.c's: reads one log. */
bool ids_data_dir_read_log(ids_data_dir *dir, uint32_t run, uint32_t loop,
                           const ids_loader *loader, ids_fault *fault);

#endif
