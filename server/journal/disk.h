/* SPDX-License-Identifier: Apache-2.0 */
/* disk.h -- all that the journal asks of a disk: one folder of plain files.
 *
 * An interface, so that the same code runs on POSIX (server/storage/disk.c) and
 * on a simulated disk that crashes, tears and lies. Every function may block;
 * errors are negative errno. Names are short and have no slash. Any thread,
 * one file by one thread at a time. */
#ifndef IDS_DISK_H
#define IDS_DISK_H

#include "server/journal/identity.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IDS_DISK_NAME_BYTES 64

typedef enum ids_disk_mode {
    IDS_DISK_READ,
    IDS_DISK_WRITE, /* there already; may be read too */
    IDS_DISK_CREATE /* not there yet; may be read too */
} ids_disk_mode;

/* A small file beside the others that is never replaced, only written over:
 * a copy of the folder that shares it (hard links) finds that it has gone on.
 */
typedef struct ids_disk_mark {
    ids_identity identity;
    uint64_t counter; /* 0: none was written yet */
} ids_disk_mark;

typedef struct ids_disk {
    void *ctx;
    /* A file's number, 0 or more. */
    int (*open)(void *ctx, const char *name, ids_disk_mode mode);
    void (*close)(void *ctx, int file);
    int64_t (*size)(void *ctx, int file);
    /* Makes an empty file this long, zeros all through, its room reserved. */
    int (*allocate)(void *ctx, int file, uint64_t bytes);
    /* How many bytes it took or gave; may be fewer than asked for. */
    int64_t (*write)(void *ctx, int file, uint64_t at, const void *bytes,
                     size_t len);
    /* Writes so many zeros, all of them or an error. */
    int (*zero)(void *ctx, int file, uint64_t at, size_t len);
    /* Begins to bring what was written there to the medium, so that the next
     * sync has less to do. A hint: what goes wrong is what that sync says. */
    void (*push)(void *ctx, int file, uint64_t at, uint64_t len);
    int64_t (*read)(void *ctx, int file, uint64_t at, void *bytes, size_t len);
    /* What was written is on the medium, and the size that finds it. */
    int (*sync)(void *ctx, int file);
    int (*rename)(void *ctx, const char *from, const char *to);
    int (*remove)(void *ctx, const char *name);
    /* What was created, renamed and removed is on the medium. */
    int (*sync_folder)(void *ctx);
    int (*list)(void *ctx, void (*each)(void *each_ctx, const char *name),
                void *each_ctx);
    int64_t (*free_bytes)(void *ctx);
    /* NULL: nothing of the kind is known here. */
    ids_identity (*identity)(void *ctx, int file);
    ids_disk_mark (*mark)(void *ctx);
    void (*set_mark)(void *ctx, uint64_t counter);
} ids_disk;

/* Whole or an error; -EIO also for a disk that takes nothing. */
int ids_disk_write_all(const ids_disk *disk, int file, uint64_t at,
                       const void *bytes, size_t len);

/* Reads up to len bytes; fewer only at the file's end. */
int64_t ids_disk_read_all(const ids_disk *disk, int file, uint64_t at,
                          void *bytes, size_t len);

#endif
