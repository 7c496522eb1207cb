/* SPDX-License-Identifier: Apache-2.0 */
/* admin.h -- asking a daemon something rare, over a connection of its own.
 *
 * Blocking; never on a load thread. */
#ifndef IDB_ADMIN_H
#define IDB_ADMIN_H

#include "bench/engine.h"
#include "proto/commands.h"

/* Says hello, and moves to a shard unless that is UINT32_MAX. False: it could
 * not, and the wire is closed. *shards may be NULL. */
bool idb_admin_connect(idb_wire *wire, const idb_endpoint *at, uint32_t shard,
                       uint32_t *shards);

/* One command; waits for its end for at most timeout_s. 0, or a text that says
 * what failed, or why it was refused; why: room for it. answer's slices are
 * gone. */
const char *idb_admin(const idb_endpoint *at, idp_method method,
                      uint32_t timeout_s, idp_command_answer *answer, char *why,
                      size_t cap);

/* What the node says of its replication; false when it says nothing. */
bool idb_admin_replication(const idb_endpoint *at, idp_replication *report);

/* One of its stats; 0 when there is none. */
uint64_t idb_admin_stat(const idb_endpoint *at, const char *name);

#endif
