/* SPDX-License-Identifier: Apache-2.0 */
/* pools.h -- the process' memory for records, shared by its workers.
 *
 * All shards of one generation share a pool of --max-memory: those that the
 * process starts with, and those that a session's full copy is loaded into,
 * beside them. A shard leases from it as it grows, so that none is full before
 * all are. Any thread. */
#ifndef IDS_POOLS_H
#define IDS_POOLS_H

#include "server/core/shard.h"

#include <stdatomic.h>

/* What is served, what is loaded, and old ones that snapshots still walk. */
#define IDS_POOLS_MAX 16

typedef struct ids_pools {
    atomic_flag lock; /* of users and sessions; held for a few loads */
    ids_pool all[IDS_POOLS_MAX];
    uint64_t sessions[IDS_POOLS_MAX];
    uint32_t users[IDS_POOLS_MAX]; /* shards; 0: free */
    uint64_t bytes_max, over_bytes;
} ids_pools;

/* workers: what is carried over may take more than bytes_max, by what they
 * leave unused at worst. See ids_pool. */
void ids_pools_init(ids_pools *pools, uint64_t bytes_max, uint32_t workers);

/* The limit is larger from now on, for every pool. False: it is not larger,
 * nothing was changed. */
bool ids_pools_grow(ids_pools *pools, uint64_t bytes_max);

/* A shard in the session's pool; 0: in that of those that the process starts
 * with. NULL: no memory, or too many old pools are in use. pools NULL: the
 * shard has what its configuration says. Free it here too. */
ids_shard *ids_pools_new_shard(ids_pools *pools, const ids_shard_config *config,
                               uint64_t session);
void ids_pools_free_shard(ids_pools *pools, ids_shard *shard);

#endif
