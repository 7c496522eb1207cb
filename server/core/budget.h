/* SPDX-License-Identifier: Apache-2.0 */
/* budget.h -- the shard's memory, counted. Every block that the core holds
 * was taken here, so that the limit is a limit. */
#ifndef IDS_BUDGET_H
#define IDS_BUDGET_H

#include "server/core/shard.h"

typedef struct ids_budget {
    ids_mem mem;
    size_t used_bytes;
    size_t bytes_max;
} ids_budget;

/* NULL when the limit or the source says no; nothing is counted then. */
static inline void *ids_budget_alloc(ids_budget *budget, size_t bytes) {
    void *block;
    if (bytes > budget->bytes_max - budget->used_bytes)
        return NULL;
    block = budget->mem.alloc(budget->mem.ctx, bytes);
    if (block != NULL)
        budget->used_bytes += bytes;
    return block;
}

static inline void ids_budget_free(ids_budget *budget, void *block,
                                   size_t bytes) {
    if (block == NULL)
        return;
    budget->used_bytes -= bytes;
    budget->mem.free(budget->mem.ctx, block, bytes);
}

#endif
