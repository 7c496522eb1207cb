/* SPDX-License-Identifier: Apache-2.0 */
/* namespaces.h -- what all workers of a node share of its namespaces: the
 * ledger (server/core/ledger.h), with the lock that the core does not have;
 * and how a worker takes the next limits. */
#ifndef IDS_NAMESPACES_H
#define IDS_NAMESPACES_H

#include "server/core/ledger.h"

#include <stdatomic.h>

typedef struct ids_worker ids_worker;

typedef struct ids_namespaces {
    atomic_flag lock;   /* of names; held for a few loads */
    ids_ledger *ledger; /* NULL: nobody counts */
} ids_namespaces;

/* These limits are about to hold: the ledger is there, and goes by their names.
 * Loop 0's thread, or before there are loops. False: no memory, or too many
 * had a name before and still have records; nothing changed. */
bool ids_namespaces_name(ids_namespaces *namespaces,
                         const ids_ns_limits_table *limits, uint32_t shards,
                         uint64_t now_ms);

/* No shard is left. */
void ids_namespaces_close(ids_namespaces *namespaces);

/* The worker's shards go by these from now on, and so does each that it makes
 * later; both outlive them, or the next call of this. A shard in which nobody
 * counted yet counts what it has in its ticks. False: no memory; some shards
 * may go by them, and the older ones must stay, too. */
bool ids_worker_set_namespaces(ids_worker *worker,
                               const ids_ns_limits_table *limits,
                               ids_ledger *ledger);

#endif
