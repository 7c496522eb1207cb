/* SPDX-License-Identifier: Apache-2.0 */
/* world.h -- what the core's unit tests share: counted memory, a hash, and
 * records made by hand. */
#ifndef UNIT_CORE_WORLD_H
#define UNIT_CORE_WORLD_H

#include "server/core/table.h"
#include "tests/lib/mem.h"

typedef struct world {
    idt_mem mem;
    ids_budget budget;
    ids_slab slab;
} world;

/* A slab over counted memory with this limit. */
void world_init(world *w, size_t bytes_max);

/* Frees the slab and checks that nothing is left. */
void world_fini(world *w);

/* splitmix of the number: a hash as good as any. */
uint64_t world_hash(uint64_t number);

/* A record named by the number, with this end of retention. 0: no memory. */
ids_ref world_record(world *w, uint64_t number, uint64_t ttl_end_ms);

/* The number as a key; good until the next call. */
idp_slice world_key(uint64_t number);

static inline idp_slice text(const char *s) {
    return (idp_slice){(const uint8_t *)s, strlen(s)};
}

#endif
