/* SPDX-License-Identifier: Apache-2.0 */
/* fault.h -- why a folder or a disk is refused: what, in which file, where,
 * and what an operator can do about it. Pure. */
#ifndef IDS_FAULT_H
#define IDS_FAULT_H

#include "server/journal/disk.h"

typedef enum ids_fault_kind {
    IDS_FAULT_NONE,
    IDS_FAULT_DISK,    /* the disk said an error */
    IDS_FAULT_MEMORY,  /* no memory, for the reader or for the records */
    IDS_FAULT_FOREIGN, /* no file of ours, or another node's */
    IDS_FAULT_NEWER,   /* of a format version that came after this program */
    IDS_FAULT_CORRUPT, /* acknowledged bytes have changed */
    IDS_FAULT_MISSING  /* a file that must be there is not */
} ids_fault_kind;

typedef struct ids_fault {
    ids_fault_kind kind;
    int error; /* DISK: negative errno */
    char file[IDS_DISK_NAME_BYTES];
    uint64_t at;      /* CORRUPT: the offset in the file */
    uint64_t needs;   /* DISK, for want of room: so many bytes, at least; 0:
                       * not known */
    const char *what; /* static storage */
} ids_fault;

/* All return false, so that a reader may end with them. */
bool ids_fault_set(ids_fault *fault, ids_fault_kind kind, const char *file,
                   const char *what);
bool ids_fault_at(ids_fault *fault, const char *file, uint64_t at,
                  const char *what);
bool ids_fault_disk(ids_fault *fault, int error, const char *file,
                    const char *what);

/* A file that can't be made or opened (negative errno) may be made later:
 * descriptors, memory or room are short, the disk is well. */
bool ids_fault_may_pass(int error);

/* There is no room: on the disk, for this user, for a file so large. */
bool ids_fault_is_room(int error);

/* One line: file, offset, what is wrong and what to do. */
#define IDS_FAULT_TEXT_BYTES 512
void ids_fault_text(const ids_fault *fault, char text[IDS_FAULT_TEXT_BYTES]);

#endif
