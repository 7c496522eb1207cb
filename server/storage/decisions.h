/* SPDX-License-Identifier: Apache-2.0 */
/* decisions.h -- the small file in which a node keeps its decisions: who it
 * is, who is primary in which epoch, who is in sync.
 *
 * Written whole into another file, synced, renamed, and the folder synced: at
 * any moment there is the last decision or the one before. Blocks; who calls
 * ids_decisions_save is not a loop. One process has it: the file beside it
 * with .lock at its end is locked. One with .room at its end takes as much room
 * as a record does, and is given away when a disk is full. */
#ifndef IDS_IO_DECISIONS_H
#define IDS_IO_DECISIONS_H

#include "server/peer/decision.h"

#define IDS_DECISIONS_PATH_BYTES 4096

typedef struct ids_decisions_file {
    char path[IDS_DECISIONS_PATH_BYTES];
    int folder, lock; /* -1: not open */
    const char *name; /* within path */
    bool copied;      /* what was read is not the file that was written */
} ids_decisions_file;

/* Where it is if nobody says: in the data folder; without one (NULL) where
 * services keep their state, by the port that it listens on. */
void ids_decisions_place(char *path, size_t cap, const char *data_dir,
                         const char *listening);

/* Takes the lock and reads what is recorded; zeros if there is no file yet.
 * False: why says what is wrong, and what to do. */
bool ids_decisions_open(ids_decisions_file *file, const char *path,
                        ids_decision *recorded, char *why, size_t why_cap);

/* The same without the lock, for who does not have a peer: nothing is made. */
typedef enum ids_decisions_found {
    IDS_DECISIONS_NONE,
    IDS_DECISIONS_THERE,
    IDS_DECISIONS_UNREADABLE /* why says so */
} ids_decisions_found;
ids_decisions_found ids_decisions_look(const char *path, ids_decision *recorded,
                                       char *why, size_t why_cap);

/* On the medium on return: 0, or an errno. After an error stands says whether
 * the decision before it surely stands; if not, it is unknown which of the two
 * a restart will find. */
int ids_decisions_save(const ids_decisions_file *file,
                       const ids_decision *decision, bool *stands);

void ids_decisions_close(ids_decisions_file *file);

#endif
