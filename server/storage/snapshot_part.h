/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot_part.h -- one loop's part of a snapshot: its file, to which one
 * thing after the other is done, as the log asks for it. It blocks; one
 * thread at a time. */
#ifndef IDS_SNAPSHOT_PART_H
#define IDS_SNAPSHOT_PART_H

#include "server/node/worker_log.h"
#include "server/storage/rounds.h"

typedef struct ids_snapshot_part {
    ids_rounds *rounds;
    uint32_t index;          /* which loop's */
    ids_snapshot_walk *walk; /* the log's; a task that writes has its block */
    ids_snapshot_file file;
} ids_snapshot_part;

/* False: the part is given up, and its file removed. */
bool ids_snapshot_part_do(ids_snapshot_part *part, ids_worker_log_task task);

#endif
