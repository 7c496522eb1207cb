/* SPDX-License-Identifier: Apache-2.0 */
/* backup.h -- a copy of the data folder, while the daemon runs: what a snapshot
 * that was taken for it has, and each log up to where it was written as that
 * was there.
 *
 * So all is in it that was acknowledged before it was ordered, and nothing that
 * was asked for after its answer. Each log ends, for the copy, where it ended
 * then: not a byte of it may be missing. It is marked (see manifest.h): a
 * daemon that starts there starts as restored. A thread of its own copies,
 * reads all of it back, and only then gives it its name. */
#ifndef IDS_BACKUP_H
#define IDS_BACKUP_H

#include "server/storage/rounds.h"

#define IDS_BACKUP_NAME_BYTES 65
#define IDS_BACKUP_PATH_BYTES 512

typedef struct ids_backup {
    ids_rounds *rounds;
    const char *dir; /* where they lie; NULL: nobody has said */
    char name[IDS_BACKUP_NAME_BYTES];
    char path[IDS_BACKUP_PATH_BYTES];
    atomic_uint round; /* the one that it is made of; 0: none is ordered */
    atomic_bool stops; /* it is given up as soon as may be */
    bool has_thread;   /* to be joined; of who installs, and at the end */
    pthread_t thread;  /* what follows is its own while it runs */
    ids_manifest manifest;
    idp_command_answer answer;
    int folder, parent;
    uint64_t needed;                       /* bytes on the disk */
    char part[IDS_BACKUP_NAME_BYTES + 32]; /* as long as it is not whole */
    char why[IDS_ROUND_TEXT_BYTES];
} ids_backup;

/* Sees to the rounds' installed; dir is borrowed, and may be NULL. */
void ids_backup_init(ids_backup *backup, ids_rounds *rounds, const char *dir);

/* One of this name may be made; name empty: it is given one, the time. False:
 * why says what is in the way. Loop 0. */
bool ids_backup_name(ids_backup *backup, idp_slice name, char *why,
                     size_t why_cap);

/* It is made of this round; 0: it is not wanted any more. Loop 0. */
void ids_backup_want(ids_backup *backup, unsigned round);

/* One under way is given up, and its thread joined. */
void ids_backup_stop(ids_backup *backup);

#endif
