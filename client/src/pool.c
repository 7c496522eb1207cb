/* SPDX-License-Identifier: Apache-2.0 */
/* pool.c -- see pool.h. */
#include "client/src/pool.h"

#include <assert.h>

#include "client/src/mem.h"

#define LEAST_BYTES    256u
#define IDLE_BYTES_MAX (16u << 20)

typedef struct idle {
    struct idle *next;
} idle;

/* The class of a size, and how many bytes its blocks have; IDEM__POOL_SIZES:
 * none. */
static uint32_t class_of(size_t bytes, size_t *block_bytes) {
    uint32_t class = 0;
    *block_bytes = LEAST_BYTES;
    while (*block_bytes < bytes && class < IDEM__POOL_SIZES) {
        *block_bytes *= 2;
        class ++;
    }
    if (class == IDEM__POOL_SIZES)
        *block_bytes = bytes;
    return class;
}

void *idem__pool_take(idem__pool *pool, size_t bytes) {
    size_t block_bytes;
    uint32_t class = class_of(bytes, &block_bytes);
    void *block;
    if (class < IDEM__POOL_SIZES && pool->free[class] != NULL) {
        idle *first = pool->free[class];
        pool->free[class] = first->next;
        pool->idle_bytes -= block_bytes;
        block = first;
    } else {
        block = idem__alloc(block_bytes);
    }
    if (block != NULL)
        pool->used_bytes += block_bytes;
    return block;
}

void idem__pool_give(idem__pool *pool, void *block, size_t bytes) {
    size_t block_bytes;
    uint32_t class = class_of(bytes, &block_bytes);
    assert(pool->used_bytes >= block_bytes);
    pool->used_bytes -= block_bytes;
    if (class == IDEM__POOL_SIZES ||
        pool->idle_bytes + block_bytes > IDLE_BYTES_MAX) {
        idem__free(block);
        return;
    }
    idle *first = block;
    first->next = pool->free[class];
    pool->free[class] = first;
    pool->idle_bytes += block_bytes;
}

void idem__pool_fini(idem__pool *pool) {
    for (uint32_t class = 0; class < IDEM__POOL_SIZES; class ++) {
        while (pool->free[class] != NULL) {
            idle *first = pool->free[class];
            pool->free[class] = first->next;
            idem__free(first);
        }
    }
    *pool = (idem__pool){0};
}
