/* SPDX-License-Identifier: Apache-2.0 */
/* disk.h -- a folder on a POSIX file system, as the journal wants it.
 *
 * No libuv: every call blocks, so the daemon's loops never make one. */
#ifndef IDS_IO_DISK_H
#define IDS_IO_DISK_H

#include "server/journal/disk.h"

typedef struct ids_posix_disk {
    int folder;
    int lock; /* -1: only read, nothing is locked */
} ids_posix_disk;

/* Makes the folder if it is not there (for its owner alone) and takes its
 * lock, so that no second daemon works on it. 0 or a negative errno;
 * -EWOULDBLOCK: another process has the lock. */
int ids_posix_disk_open(ids_posix_disk *disk, const char *path);

/* Only to look: makes nothing, locks nothing. */
int ids_posix_disk_look(ids_posix_disk *disk, const char *path);

void ids_posix_disk_close(ids_posix_disk *disk);

/* An open or a dup has failed. True: for want of descriptors, and it is time
 * to try again (some 5 s in all; tried starts at 0). What must be recorded is
 * worth the wait. */
bool ids_descriptor_may_come(unsigned *tried);

/* Whether the file under that name (folder: an open one, or AT_FDCWD) is still
 * the open one that is our lock. If not, somebody has put another in its place
 * and works with that: nothing here is ours to make, replace or remove. One
 * that is gone is nobody else's. */
bool ids_lock_is_ours(int lock, int folder, const char *name);

/* Which file this is; see server/journal/identity.h. */
ids_identity ids_identity_of(int file);

/* A counter that stands in a file by itself and is only written over: a lock
 * file's. What can't be read is 0; what can't be written stays as it was. */
uint64_t ids_counter_read(int file);
void ids_counter_write(int file, uint64_t counter);

/* Borrows disk. Any thread. */
ids_disk ids_posix_disk_of(ids_posix_disk *disk);

#endif
