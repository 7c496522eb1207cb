/* SPDX-License-Identifier: Apache-2.0 */
/* world.h -- what the core's unit tests share: counted memory, a hash, and
 * records made by hand. */
#ifndef UNIT_CORE_WORLD_H
#define UNIT_CORE_WORLD_H

#include "server/core/shard.h"
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

/* What a shard here hashes its keys by. */
uint64_t world_key_hash(void *ctx, idp_slice ns, idp_slice key);

/* A shard of this configuration, in epoch 9 and over that memory. Its hash is
 * world_key_hash, unless the configuration has one. */
ids_shard *world_shard(idt_mem *mem, ids_shard_config config);

/* Frees it and checks that nothing is left. */
void world_shard_free(ids_shard *shard, const idt_mem *mem);

static inline idp_slice text(const char *s) {
    return (idp_slice){(const uint8_t *)s, strlen(s)};
}

#endif
