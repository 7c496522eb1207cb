/* SPDX-License-Identifier: Apache-2.0 */
/* namespaces.h -- what all workers of a node share of its namespaces: limits
 * and ledger (server/core/ledger.h), with the lock that the core does not
 * have. */
#ifndef IDS_NAMESPACES_H
#define IDS_NAMESPACES_H

#include "server/core/ledger.h"

#include <stdatomic.h>

typedef struct ids_namespaces {
    atomic_flag lock; /* of names; held for a few loads */
    ids_all_limits *limits;
    ids_ledger *ledger;
} ids_namespaces;

/* Takes the limits, which free frees. False: no memory; they are the caller's
 * still. It stays where it is, and outlives the shards. */
bool ids_namespaces_open(ids_namespaces *namespaces, ids_all_limits *limits,
                         uint32_t shards);
void ids_namespaces_close(ids_namespaces *namespaces);

#endif
