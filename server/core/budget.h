/* SPDX-License-Identifier: Apache-2.0 */
/* budget.h -- memory, counted. Every block that the core holds was taken
 * here, so that the limit is a limit.
 *
 * Shards may share one limit, a pool. Each leases bytes from it, some more
 * than it uses, and gives back what it has no use for: the pool's counter is
 * touched once in IDS_LEASE_BYTES, not for every block. */
#ifndef IDS_BUDGET_H
#define IDS_BUDGET_H

#include "server/core/shard.h"

#include <assert.h>

/* A shard that frees keeps so much of its lease at most. */
#define IDS_LEASE_BYTES ((int64_t)64 << 10)

typedef struct ids_budget {
    ids_mem mem;
    ids_pool *pool;
    ids_pool own; /* where no pool is shared */
    size_t used_bytes;
    int64_t leased_bytes;
    bool imports; /* records that are carried over: see ids_pool.over_bytes */
} ids_budget;

static inline void ids_budget_init(ids_budget *budget, const ids_mem *mem,
                                   ids_pool *pool, size_t bytes_max) {
    *budget = (ids_budget){.mem = *mem, .pool = pool};
    budget->own =
        (ids_pool){.left_bytes = (int64_t)bytes_max, .bytes_max = bytes_max};
}

static inline ids_pool *ids_budget_pool(ids_budget *budget) {
    return budget->pool != NULL ? budget->pool : &budget->own;
}

static inline uint64_t ids_budget_bytes_max(const ids_budget *budget) {
    return budget->pool != NULL
               ? __atomic_load_n(&budget->pool->bytes_max, __ATOMIC_RELAXED)
               : budget->own.bytes_max;
}

static inline uint64_t ids_budget_shared_bytes(const ids_budget *budget) {
    return ids_pool_used_bytes(budget->pool != NULL ? budget->pool
                                                    : &budget->own);
}

static inline bool ids_pool_take(ids_pool *pool, int64_t bytes,
                                 int64_t floor_bytes) {
    int64_t left = __atomic_load_n(&pool->left_bytes, __ATOMIC_RELAXED);
    assert(bytes > 0);
    do {
        if (left - bytes < floor_bytes)
            return false;
    } while (!__atomic_compare_exchange_n(&pool->left_bytes, &left,
                                          left - bytes, true, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    return true;
}

static inline void ids_pool_give(ids_pool *pool, int64_t bytes) {
    assert(bytes >= 0);
    __atomic_fetch_add(&pool->left_bytes, bytes, __ATOMIC_RELAXED);
}

/* The lease covers so many bytes more than are used. */
static inline bool ids_budget_lease(ids_budget *budget, size_t bytes) {
    ids_pool *pool = ids_budget_pool(budget);
    int64_t floor_bytes = budget->imports ? -(int64_t)pool->over_bytes : 0;
    int64_t lacks;
    assert(budget->leased_bytes >= (int64_t)budget->used_bytes);
    if (bytes > (size_t)INT64_MAX / 2)
        return false;
    lacks = (int64_t)budget->used_bytes + (int64_t)bytes - budget->leased_bytes;
    if (lacks <= 0)
        return true;
    if (ids_pool_take(pool, lacks + IDS_LEASE_BYTES, IDS_LEASE_BYTES))
        lacks += IDS_LEASE_BYTES;
    else if (!ids_pool_take(pool, lacks, floor_bytes))
        return false;
    budget->leased_bytes += lacks;
    assert(budget->leased_bytes >= (int64_t)(budget->used_bytes + bytes));
    return true;
}

static inline void ids_budget_unlease(ids_budget *budget) {
    int64_t spare = budget->leased_bytes - (int64_t)budget->used_bytes;
    assert(spare >= 0);
    if (spare <= 2 * IDS_LEASE_BYTES)
        return;
    spare -= IDS_LEASE_BYTES;
    budget->leased_bytes -= spare;
    ids_pool_give(ids_budget_pool(budget), spare);
}

/* What a block of so many bytes takes of the machine: so much is counted. */
static inline size_t ids_budget_takes(const ids_budget *budget, size_t bytes) {
    return budget->mem.takes != NULL ? budget->mem.takes(bytes) : bytes;
}

/* NULL when the limit or the source says no; nothing is counted then. */
static inline void *ids_budget_alloc(ids_budget *budget, size_t bytes) {
    size_t takes = ids_budget_takes(budget, bytes);
    void *block;
    if (!ids_budget_lease(budget, takes))
        return NULL;
    block = budget->mem.alloc(budget->mem.ctx, bytes);
    if (block != NULL)
        budget->used_bytes += takes;
    return block;
}

static inline void ids_budget_free(ids_budget *budget, void *block,
                                   size_t bytes) {
    if (block == NULL)
        return;
    assert(budget->used_bytes >= ids_budget_takes(budget, bytes));
    budget->used_bytes -= ids_budget_takes(budget, bytes);
    budget->mem.free(budget->mem.ctx, block, bytes);
    ids_budget_unlease(budget);
}

/* Nothing is used any more: the whole lease goes back. */
static inline void ids_budget_close(ids_budget *budget) {
    assert(budget->leased_bytes >= 0);
    ids_pool_give(ids_budget_pool(budget), budget->leased_bytes);
    budget->leased_bytes = 0;
}

#endif
