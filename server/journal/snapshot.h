/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot.h -- one shard's records in a file, taken without stopping it.
 *
 * Three parts: the walk gathers blocks on the loop's thread and never
 * blocks; the file writes them on another; the reader checks and hands on
 * what it finds. The file: a header, frames of records, a frame that ends it
 * and says how many there were. */
#ifndef IDS_SNAPSHOT_H
#define IDS_SNAPSHOT_H

#include "proto/bytes.h"
#include "server/journal/fault.h"
#include "server/journal/segment.h"

/* A good size of a block: who gathers and who writes wake each other once for
 * each. */
#define IDS_BLOCK_BYTES (256u << 10)

/* The walk, on the loop's thread. */
typedef struct ids_snapshot_walk {
    idp_bytes block;    /* empty, or a frame with a blank head */
    size_t block_bytes; /* a block is ready when it is as long */
    uint32_t count;
    uint64_t cursor;
    bool over;   /* every record was seen */
    bool failed; /* no memory for a block, or one is over all measure */
} ids_snapshot_walk;

void ids_snapshot_walk_init(ids_snapshot_walk *walk, size_t block_bytes);

/* Walks on over at most so many buckets, and 64 KiB of records. True: a block
 * is ready, or the walk is over; don't step again before
 * ids_snapshot_walk_clear. */
bool ids_snapshot_walk_step(ids_snapshot_walk *walk, ids_shard *shard,
                            uint64_t now_ms, uint32_t buckets_max);
void ids_snapshot_walk_clear(ids_snapshot_walk *walk);

/* Ends the shard's walk too, at its end or before. */
void ids_snapshot_walk_fini(ids_snapshot_walk *walk, ids_shard *shard);

/* What the manifest has to know of a file to trust it. */
typedef struct ids_snapshot_sum {
    uint64_t bytes;
    uint64_t records;
    uint32_t crc; /* the last frame's */
} ids_snapshot_sum;

/* The file, wherever it may block. After the first false it does nothing
 * more. */
typedef struct ids_snapshot_file {
    const ids_disk *disk;
    int file;
    char name[IDS_DISK_NAME_BYTES];
    ids_file_head head;
    ids_snapshot_sum sum;
    uint64_t pushed; /* bytes that are on their way to the medium */
    uint64_t now_ms;
    bool no_room; /* given up: the disk is nearly full. Not a failure */
    ids_fault fault;
} ids_snapshot_file;

/* head: node, epoch, number (the generation), start_ms, loop. */
bool ids_snapshot_create(ids_snapshot_file *file, const ids_disk *disk,
                         const ids_file_head *head);
/* A block of the walk. */
bool ids_snapshot_write(ids_snapshot_file *file, uint8_t *block, size_t len);
/* Ends it and has it on the medium; sum is what the manifest takes. */
bool ids_snapshot_finish(ids_snapshot_file *file);
/* Closes and removes it. After a false, or when it isn't wanted any more. */
void ids_snapshot_abandon(ids_snapshot_file *file);

/* Where records go. Several files are read at the same time, by threads of
 * the caller's; each change is borrowed. False: no memory for it. */
typedef struct ids_loader {
    void *ctx;
    bool (*load)(void *ctx, const ids_change *changes, size_t count,
                 uint64_t now_ms);
} ids_loader;

#define IDS_LOAD_COUNT_MAX 256

/* Hands the changes of a frame to the loader. */
bool ids_load_frame(const ids_loader *loader, const ids_frame *frame,
                    const uint8_t *body, const char *name, uint64_t at,
                    ids_fault *fault);

/* Reads and checks the file; loader NULL: only that. *clock_ms is raised to
 * the latest time in it. */
bool ids_snapshot_read(const ids_disk *disk, const ids_file_head *head,
                       const ids_snapshot_sum *sum, const ids_loader *loader,
                       uint64_t *clock_ms, ids_fault *fault);

#endif
