/* SPDX-License-Identifier: Apache-2.0 */
/* world.c -- what the core's unit tests share. See world.h. */
#include "tests/unit/core/world.h"

#include "tests/lib/rng.h"

#include <criterion/criterion.h>

void world_init(world *w, size_t bytes_max) {
    idt_mem_init(&w->mem);
    ids_mem mem = idt_mem_of(&w->mem);
    ids_budget_init(&w->budget, &mem, NULL, bytes_max);
    cr_assert(ids_slab_init(&w->slab, &w->budget));
}

void world_fini(world *w) {
    ids_slab_fini(&w->slab);
    cr_assert_eq(w->budget.used_bytes, 0);
    cr_assert_eq(w->mem.blocks, 0);
    cr_assert_eq(w->mem.wrong, 0);
}

uint64_t world_hash(uint64_t number) {
    return idt_splitmix(&number);
}

idp_slice world_key(uint64_t number) {
    static uint64_t bytes;
    bytes = number;
    return (idp_slice){(const uint8_t *)&bytes, sizeof bytes};
}

ids_ref world_record(world *w, uint64_t number, uint64_t ttl_end_ms) {
    ids_ref ref =
        ids_slab_alloc(&w->slab, IDS_RECORD_HEAD_BYTES + sizeof number);
    ids_record *record;
    if (ref == 0)
        return 0;
    record = ids_slab_at(&w->slab, ref);
    memset(record, 0, IDS_RECORD_HEAD_BYTES);
    record->key_len = sizeof number;
    record->state = IDP_STATE_RELEASED;
    record->restart_ms = 0;
    record->ttl_ms = ttl_end_ms & ((1ull << 35) - 1); /* its bits */
    memcpy(record->bytes, &number, sizeof number);
    return ref;
}

uint64_t world_key_hash(void *ctx, idp_slice ns, idp_slice key) {
    uint64_t hash = 1469598103934665603ull ^ ns.len;
    (void)ctx;
    for (size_t i = 0; i < key.len; i++)
        hash = world_hash(hash ^ key.ptr[i]);
    return hash;
}

ids_shard *world_shard(idt_mem *mem, ids_shard_config config) {
    idt_mem_init(mem);
    config.epoch = 9;
    config.mem = idt_mem_of(mem);
    if (config.hash == NULL)
        config.hash = world_key_hash;
    ids_shard *shard = ids_shard_new(&config);
    cr_assert_not_null(shard);
    return shard;
}

void world_shard_free(ids_shard *shard, const idt_mem *mem) {
    ids_shard_free(shard);
    cr_assert_eq(mem->blocks, 0);
    cr_assert_eq(mem->wrong, 0);
}
