/* SPDX-License-Identifier: Apache-2.0 */
/* holdings.h -- what a node brought back from its data folder, in a form that
 * an operator compares two nodes of a pair by, when both have died.
 *
 * A token is the primary's on both nodes, whatever their numbers of threads:
 * an epoch, and one of the primary's streams with a count. Counted once, before
 * anything is served, and true as long as nothing has changed since. */
#ifndef IDS_NODE_HOLDINGS_H
#define IDS_NODE_HOLDINGS_H

#include "proto/commands.h"
#include "server/worker/worker.h"

#include <stdatomic.h>

typedef struct ids_holdings {
    atomic_bool stand; /* nothing has changed since they were counted; any
                        * worker may say that something has */
    uint64_t records, completed;
    uint64_t epoch; /* the highest of any token; 0: there is none */
    uint32_t streams;
    uint64_t newest[IDP_STREAMS_MAX]; /* its last token's count, per stream */
    idp_part parts[IDP_PARTS_MAX];    /* by key */
    uint64_t sum;                     /* of all records, in any order */
} ids_holdings;

/* Takes in all that the shard has. It must not run. */
void ids_holdings_count(ids_holdings *holdings, ids_shard *shard,
                        uint64_t now_ms);

void ids_holdings_report(const ids_holdings *holdings, idp_replication *to);

#endif
