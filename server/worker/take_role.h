/* SPDX-License-Identifier: Apache-2.0 */
/* take_role.h -- a worker takes a role. */
#ifndef IDS_TAKE_ROLE_H
#define IDS_TAKE_ROLE_H

#include "server/worker/worker.h"

/* Once per turn, before replies are let go (ids_commit_gate_release). Does what
 * a new role asks for: from LEADS to DRAINS waiters hear NOT_PRIMARY; to
 * FOLLOWS so do those whose replies are held, which never leave, and the
 * shard follows. A worker that follows leads again by ids_worker_lead alone. */
void ids_worker_set_role(ids_worker *worker, const ids_role_state *role_state);

/* While all loops stand still: the shard leads in this epoch. Returns the
 * number of its last change. */
uint64_t ids_worker_lead(ids_worker *worker, uint64_t epoch, uint64_t now_ms);

#endif
