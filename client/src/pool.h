/* SPDX-License-Identifier: Apache-2.0 */
/* pool.h -- blocks that are used again: the calls of an idem_async. Sizes are
 * powers of two; what is not in use is kept up to a bound. */
#ifndef IDEM_POOL_H
#define IDEM_POOL_H

#include <stddef.h>
#include <stdint.h>

#define IDEM__POOL_SIZES 10u /* 256 bytes to 128 KiB */

typedef struct idem__pool { /* zeroed is empty */
    void *free[IDEM__POOL_SIZES];
    size_t idle_bytes; /* in those lists */
    size_t used_bytes; /* handed out */
} idem__pool;

/* NULL when memory is refused. Larger ones than the pool has are allocated
 * each. */
void *idem__pool_take(idem__pool *pool, size_t bytes);
/* bytes: as it was asked for. */
void idem__pool_give(idem__pool *pool, void *block, size_t bytes);
/* All blocks were given back. */
void idem__pool_fini(idem__pool *pool);

#endif
