/* SPDX-License-Identifier: Apache-2.0 */
/* disk_world.h -- a node on a hostile disk: shards, journals, writers,
 * snapshots, and lives that end at any moment.
 *
 * One thread and one seed. What the daemon's threads do at the same time is
 * done here step by step in random order. The history says what every shard
 * has decided, and what each recovery has to come to. */
#ifndef IDT_DISK_WORLD_H
#define IDT_DISK_WORLD_H

#include "server/journal/data_dir.h"
#include "server/journal/mutant.h"
#include "tests/lib/mem.h"
#include "tests/sim/disk_hostile.h"

enum {
    DISK_KEYS = 24,
    DISK_LOOPS_MAX = 3,
    DISK_RESULT_MAX = 700,
    DISK_BYTES_MAX = 1024,
    DISK_ENTRIES_MAX = 4096
};

/* A change as it was decided, its deadlines absolute. */
typedef struct disk_entry {
    ids_change change; /* its slices lie in bytes */
    uint32_t key;
    uint32_t loop;
    uint64_t taken_ms;
    uint64_t ttl_end, lease_end;
    uint8_t bytes[DISK_BYTES_MAX];
} disk_entry;

/* What every shard has decided since the last recovery, and what that one
 * came to (number 0). */
typedef struct disk_history {
    disk_entry entry[DISK_ENTRIES_MAX];
    uint32_t count;
} disk_history;

typedef enum snap_phase { SNAP_OFF, SNAP_WALKS, SNAP_WRITTEN } snap_phase;

typedef struct disk_loop {
    ids_shard *shard;
    ids_journal *journal;
    ids_writer writer;
    const ids_batch *under_way;
    ids_sync_job job; /* out, or not */
    bool job_is_out, wants_sync;
    uint64_t acked;      /* replies up to this change have left */
    uint64_t written;    /* what the page cache has */
    uint64_t free_bytes; /* as the journal was last told */
    snap_phase snap;
    ids_snapshot_walk walk;
    ids_snapshot_file file;
    uint64_t snap_end; /* the last change as the walk ended */
    struct disk_world *world;
    uint32_t index;
} disk_loop;

typedef struct disk_tally {
    uint64_t lives, kills, power_cuts, clean_stops, changes, acked, snapshots,
        cut_tails, flips, flips_detected, losses, losses_detected, strays,
        strays_detected, errors, segments, claims_refused, replaced, gone_back,
        copies, starts_full, refused_full;
} disk_tally;

typedef struct disk_world {
    idt_rng rng;
    hostile *disk;
    ids_disk io;
    ids_data_dir dir;
    idt_mem mem;
    uint64_t now_ms;
    uint64_t salt; /* the run's hash key */
    uint64_t epoch, first_epoch;
    ids_fsync fsync;
    uint32_t loops;
    uint32_t segment_bytes;
    disk_loop loop[DISK_LOOPS_MAX];
    disk_history *history;
    /* All records were replaced by other ones: what they were, and how far
     * each log was; which snapshot would be the first of the new ones. */
    bool replaced;
    bool stopped; /* by itself, at a failure */
    disk_history *old;
    uint64_t old_number[DISK_LOOPS_MAX];
    uint64_t new_generation;
    bool snapshotting;
    uint64_t clean_generation; /* 0: none */
    bool killed;               /* this life's end was not the power's */
    idp_token last[DISK_KEYS], highest[DISK_KEYS];
    disk_tally *tally;
    bool tracing;
    char failure[512];
} disk_world;

/* Runs one seed: lives and deaths of a node. False: .failure says why. */
bool disk_world_run(disk_world *w, uint64_t seed, disk_tally *tally);

bool disk_fail(disk_world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void disk_trace(disk_world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* disk_history.c */
uint64_t disk_hash(const disk_world *w, uint32_t key);
uint32_t disk_key_of(idp_slice key);
void disk_name_key(uint32_t key, char name[8]);
void disk_note(void *ctx, const ids_change *change); /* ctx: a disk_loop */
void disk_note_put(disk_loop *loop, const ids_change *change);
/* What the records that were recovered must be, given how much of each log
 * there was; and makes them the history's beginning. */
typedef struct disk_recovered {
    bool there[DISK_KEYS];
    disk_entry entry[DISK_KEYS];
    uint64_t number[DISK_LOOPS_MAX]; /* of the last life's logs */
} disk_recovered;
bool disk_compare(disk_world *w, const disk_recovered *r, uint64_t clock_ms);
void disk_copy_history(disk_history *to, const disk_history *from);
void disk_rebase(disk_world *w, const disk_recovered *r, uint64_t clock_ms);

/* disk_recover.c */
typedef enum disk_outcome {
    DISK_STARTED,
    DISK_REFUSED, /* the folder: the directory's fault says why */
    DISK_WRONG    /* .failure is set */
} disk_outcome;
/* Recovers from the disk and begins a life. trial: on a disk that is thrown
 * away afterwards, so nothing of the world changes. */
disk_outcome disk_recover(disk_world *w, hostile *disk, bool trial,
                          ids_fault *fault);
void disk_stop(disk_world *w);

ids_shard *disk_new_shard(disk_world *w, uint32_t index, uint64_t epoch,
                          uint64_t sequence);

/* disk_life.c */
bool disk_live(disk_world *w);
bool disk_flush(disk_world *w);
void disk_give_up_snapshot(disk_world *w);
void disk_start_snapshot(disk_world *w);

/* disk_replace.c: another node's records take the place of all. */
void disk_replace(disk_world *w);

#endif
