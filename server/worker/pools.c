/* SPDX-License-Identifier: Apache-2.0 */
/* pools.c -- the process' memory for records; see pools.h. */
#include "server/worker/pools.h"

#include <assert.h>

/* What a worker leaves unused at worst: in each class an eighth, which the
 * share of the whole stands for, and in each a slot at least. */
#define OVER_SHARE          8
#define OVER_BYTES_A_WORKER (4u << 20)

void ids_pools_init(ids_pools *pools, uint64_t bytes_max, uint32_t workers) {
    *pools = (ids_pools){.lock = ATOMIC_FLAG_INIT, .bytes_max = bytes_max};
    pools->over_bytes =
        bytes_max / OVER_SHARE + (uint64_t)workers * OVER_BYTES_A_WORKER;
}

static void lock_pools(ids_pools *pools) {
    while (
        atomic_flag_test_and_set_explicit(&pools->lock, memory_order_acquire))
        ;
}

static void unlock_pools(ids_pools *pools) {
    atomic_flag_clear_explicit(&pools->lock, memory_order_release);
}

/* Who adds up what is used meanwhile sees too much of it, never too little. */
static void grow_pool(ids_pool *pool, uint64_t more) {
    __atomic_fetch_add(&pool->bytes_max, more, __ATOMIC_RELAXED);
    __atomic_fetch_add(&pool->left_bytes, (int64_t)more, __ATOMIC_RELAXED);
}

bool ids_pools_grow(ids_pools *pools, uint64_t bytes_max) {
    lock_pools(pools);
    bool grows = bytes_max > pools->bytes_max;
    uint64_t more = grows ? bytes_max - pools->bytes_max : 0;
    for (uint32_t i = 0; grows && i < IDS_POOLS_MAX; i++)
        if (pools->users[i])
            grow_pool(&pools->all[i], more);
    pools->bytes_max += more;
    unlock_pools(pools);
    return grows;
}

/* The session's pool, else a free one; IDS_POOLS_MAX: neither. */
static uint32_t find_pool(const ids_pools *pools, uint64_t session) {
    uint32_t free_one = IDS_POOLS_MAX;
    for (uint32_t i = 0; i < IDS_POOLS_MAX; i++) {
        if (pools->users[i] && pools->sessions[i] == session)
            return i;
        if (!pools->users[i] && free_one == IDS_POOLS_MAX)
            free_one = i;
    }
    return free_one;
}

static ids_pool *take_from_pool(ids_pools *pools, uint64_t session) {
    ids_pool *pool = NULL;
    lock_pools(pools);
    uint32_t i = find_pool(pools, session);
    if (i < IDS_POOLS_MAX) {
        pool = &pools->all[i];
        if (!pools->users[i]++) {
            pools->sessions[i] = session;
            ids_pool_init(pool, pools->bytes_max, pools->over_bytes);
        }
    }
    unlock_pools(pools);
    return pool;
}

static void give(ids_pools *pools, const ids_pool *pool) {
    lock_pools(pools);
    ptrdiff_t i = pool - pools->all;
    assert(i >= 0 && i < IDS_POOLS_MAX && pools->users[i]);
    pools->users[i]--;
    unlock_pools(pools);
}

ids_shard *ids_pools_new_shard(ids_pools *pools, const ids_shard_config *config,
                               uint64_t session) {
    ids_shard_config its = *config;
    if (!pools)
        return ids_shard_new(config);
    its.pool = take_from_pool(pools, session);
    if (!its.pool)
        return NULL;
    ids_shard *shard = ids_shard_new(&its);
    if (!shard)
        give(pools, its.pool);
    return shard;
}

void ids_pools_free_shard(ids_pools *pools, ids_shard *shard) {
    if (!shard)
        return;
    ids_pool *pool = ids_shard_pool(shard);
    ids_shard_free(shard);
    if (pool)
        give(pools, pool);
}
