/* SPDX-License-Identifier: Apache-2.0 */
/* snapshots.h -- when a round of snapshots is begun that nobody's log has grown
 * for: an operator commands one, or a backup, or one that was given up is tried
 * again.
 *
 * All of it is loop 0's. */
#ifndef IDS_SNAPSHOTS_H
#define IDS_SNAPSHOTS_H

#include "server/storage/backup.h"

typedef struct ids_snapshots {
    ids_rounds *rounds;
    ids_command_id
        id; /* of the command that is carried out; 0: none was given */
    uint64_t ordered_ms;
    uint64_t begin_ms;  /* when its round may begin; 0: it has */
    unsigned before;    /* rounds that were begun as it was ordered */
    uint64_t began_ms;  /* the last one that was ordered */
    ids_backup *backup; /* NULL: none can be ordered */
    bool is_backup;     /* that is what the command is */
    bool waits;         /* until the round that is under way is through, */
    uint64_t look_ms;   /* and looks then */
} ids_snapshots;

/* For the server: idemctl snapshot, idemctl backup. */
ids_command_handler ids_snapshots_handler(ids_snapshots *snapshots);

/* In each turn: a command whose time has come is begun, one whose snapshot is
 * there (or not) is answered, one that was given up is tried again. */
void ids_snapshots_look(ids_snapshots *snapshots, ids_worker *worker);

/* When it has to look even if nothing happens. */
uint64_t ids_snapshots_next_ms(const ids_snapshots *snapshots);

#endif
