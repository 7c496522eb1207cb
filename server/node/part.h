/* SPDX-License-Identifier: Apache-2.0 */
/* part.h -- a worker's part of a snapshot, as its log calls it. */
#ifndef IDS_NODE_PART_H
#define IDS_NODE_PART_H

#include "server/node/worker_log.h"

/* Each turn: begins where a snapshot was begun, and goes on as far as it gets.
 * True: the walk needs another turn before there is a block. */
bool ids_part_go_on(ids_worker_log *worker_log);

/* What was under way for it was done, or could not be. */
void ids_part_task_done(ids_worker_log *worker_log, bool good);

/* When a turn is needed for it; UINT64_MAX: not before a task is done. */
uint64_t ids_part_next_ms(const ids_worker_log *worker_log);

#endif
