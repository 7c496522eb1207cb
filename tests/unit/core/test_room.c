/* SPDX-License-Identifier: Apache-2.0 */
/* test_room.c -- how far memory reaches: 1 TiB in one shard, and what a few
 * records keep from all others. */
#include "server/core/claims.h"
#include "tests/lib/rng.h"
#include "tests/unit/core/world.h"

#include <criterion/criterion.h>
#include <sys/mman.h>

#define MIB (1024u * 1024)
#define TIB ((size_t)1 << 40)

/* --- 1 TiB -----------------------------------------------------------------
 */

/* Addresses for all of it, and memory for what is touched. */
static struct {
    uint8_t *base;
    size_t taken;
} arena;

static void *arena_alloc(void *ctx, size_t bytes) {
    (void)ctx;
    size_t at = arena.taken;
    bytes = (bytes + 4095) & ~(size_t)4095;
    arena.taken += bytes;
    return arena.taken <= TIB + TIB / 8 ? arena.base + at : NULL;
}

static void arena_free(void *ctx, void *block, size_t bytes) {
    (void)ctx, (void)block, (void)bytes;
}

static size_t whole_pages(size_t bytes) {
    return (bytes + 4095) & ~(size_t)4095;
}

/* How much is stored in slots of this size before memory is refused. */
static size_t filled(size_t bytes, uint64_t *slots) {
    ids_mem mem = {NULL, arena_alloc, arena_free, whole_pages};
    ids_budget budget;
    ids_slab slab;
    arena.taken = 0;
    *slots = 0;
    ids_budget_init(&budget, &mem, NULL, TIB);
    cr_assert(ids_slab_init(&slab, &budget));
    while (ids_slab_alloc(&slab, bytes) != 0)
        ++*slots;
    cr_assert_leq(budget.used_bytes, TIB);
    return *slots * bytes;
}

Test(room, a_tebibyte_can_be_filled_whatever_the_size, .timeout = 300) {
    static const size_t sizes[] = {33000, 65600, 131072, 200000, MIB, 5 * MIB};
    arena.base = mmap(NULL, TIB + TIB / 8, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (arena.base == MAP_FAILED)
        cr_skip_test("there are no addresses for 1 TiB here");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint64_t slots;
        size_t bytes = filled(sizes[i], &slots);
        cr_assert_geq(bytes, TIB - TIB / 12, "%zu: %zu MiB in %lu", sizes[i],
                      bytes / MIB, slots);
        madvise(arena.base, TIB + TIB / 8, MADV_DONTNEED);
    }
    munmap(arena.base, TIB + TIB / 8);
}

/* Small ones are too many to be tried: chunks of 256 KiB have numbers enough,
 * and their slots too, down to the smallest record. */
Test(room, a_tebibyte_of_small_records_has_refs_for_all) {
    size_t chunks = TIB / (256u << 10);
    size_t slots = (256u << 10) / (IDS_RECORD_HEAD_BYTES + 8);
    cr_assert_leq(chunks, IDS_SLAB_CHUNKS_MAX);
    cr_assert_leq(slots, IDS_SLAB_SLOTS_MAX);
    cr_assert_eq(IDS_REF_BITS, 39);
    cr_assert_eq(ids_ref_chunk(ids_ref_of((uint32_t)chunks - 1, 8000)),
                 chunks - 1);
    cr_assert_eq(ids_ref_slot(ids_ref_of((uint32_t)chunks - 1, 8000)), 8000);
}

/* --- few that hold much ------------------------------------------------------
 */

static idt_mem mem;
static ids_shard *shard;

static void on_wake(void *ctx, ids_asker asker, uint32_t msgid, idp_error error,
                    const idp_answer *answer) {
    (void)ctx, (void)asker, (void)msgid, (void)error, (void)answer;
}

/* Whether it was stored with its result. */
static bool store(uint64_t number, uint32_t bytes, uint64_t now_ms,
                  uint64_t ttl_ms) {
    static uint8_t result[MIB];
    idp_answer answer;
    idp_error error;
    idp_request q = {.method = IDP_ACQUIRE,
                     .ns = text(""),
                     .key = world_key(number),
                     .lease_ms = 1000,
                     .ttl_ms = ttl_ms};
    ids_call c = {&q, world_key_hash(NULL, q.ns, q.key), now_ms, 1, 0};
    if (ids_shard_call(shard, &c, &answer, &error) != IDS_ANSWERED)
        return false;
    q.method = IDP_COMPLETE;
    q.token = answer.token;
    memset(result, (int)(number & 0xff), bytes);
    q.result = (idp_slice){result, bytes};
    cr_assert_eq(ids_shard_call(shard, &c, &answer, &error), IDS_ANSWERED);
    return answer.kept;
}

static void is_replayed(uint64_t number, uint32_t bytes, uint64_t now_ms) {
    idp_answer answer;
    idp_error error;
    idp_request q = {.method = IDP_ACQUIRE,
                     .ns = text(""),
                     .key = world_key(number),
                     .lease_ms = 1000,
                     .ttl_ms = 1000};
    ids_call c = {&q, world_key_hash(NULL, q.ns, q.key), now_ms, 1, 0};
    cr_assert_eq(ids_shard_call(shard, &c, &answer, &error), IDS_ANSWERED);
    cr_assert_eq(answer.outcome, IDP_OUTCOME_REPLAY, "key %lu", number);
    cr_assert_eq(answer.result.len, bytes);
    for (uint32_t i = 0; i < bytes; i++)
        cr_assert_eq(answer.result.ptr[i], (uint8_t)number);
}

/* One of each so many stays; then the memory is for others. */
static void survivors_hold_little(uint32_t one_in) {
    enum { BUDGET = 64 * MIB, TTL_MS = 100000, LONG_MS = 100 * TTL_MS };
    uint64_t count = 0, others = 0, now_ms = 1000;
    ids_shard_stats stats;
    ids_shard_config config = {.memory_bytes_max = BUDGET,
                               .result_bytes_max = MIB,
                               .on_wake = on_wake};
    shard = world_shard(&mem, config);
    while (store(count, 300, now_ms, count % one_in ? TTL_MS : LONG_MS))
        count++;
    now_ms += TTL_MS + 2 * IDS_WHEEL_TICK_MS;
    for (uint32_t turns = 0; ids_shard_next_ms(shard) <= now_ms; turns++) {
        ids_shard_tick(shard, now_ms, 128);
        cr_assert_lt(turns, 100000);
    }
    ids_shard_stats_get(shard, &stats);
    cr_assert_leq(stats.memory_bytes, BUDGET / one_in * 5 / 2 + 4 * MIB,
                  "1 in %u: %lu", one_in, stats.memory_bytes);
    while (store(1000000 + others, 40000, now_ms, TTL_MS))
        others++;
    cr_assert_geq(others * 40000,
                  BUDGET / 100ull * 90 * (one_in - 1) / one_in - 2 * MIB,
                  "1 in %u: %lu others", one_in, others);
    for (uint64_t number = 0; number < count; number += one_in)
        is_replayed(number, 300, now_ms);
    world_shard_free(shard, &mem);
}

Test(room, what_survives_of_one_size_leaves_its_memory_to_others) {
    survivors_hold_little(200);
    survivors_hold_little(20);
    survivors_hold_little(3);
    survivors_hold_little(2);
}

/* --- a lease of what many share
 * ----------------------------------------------- */

Test(room, what_one_does_not_need_another_gets) {
    ids_pool pool;
    idt_mem mems[4];
    ids_budget budgets[4];
    size_t total = 0;
    void *blocks[64], *first[4];
    ids_pool_init(&pool, 8 * MIB, MIB);
    for (int i = 0; i < 4; i++) {
        idt_mem_init(&mems[i]);
        ids_mem of = idt_mem_of(&mems[i]);
        ids_budget_init(&budgets[i], &of, &pool, 0);
        first[i] = ids_budget_alloc(&budgets[i], 1000);
        cr_assert_not_null(first[i]);
    }
    int count = 0;
    while ((blocks[count] = ids_budget_alloc(&budgets[2], 200000)) != NULL)
        total += 200000, count++;
    cr_assert_geq(total, 8 * MIB - 4 * 2 * IDS_LEASE_BYTES - 200000);
    /* For what is carried over there is some more. */
    budgets[2].imports = true;
    void *over = ids_budget_alloc(&budgets[2], 600000);
    cr_assert_not_null(over);
    cr_assert_null(ids_budget_alloc(&budgets[2], 700000));
    ids_budget_free(&budgets[2], over, 600000);
    budgets[2].imports = false;
    while (count > 0)
        ids_budget_free(&budgets[2], blocks[--count], 200000);
    cr_assert_not_null(blocks[0] = ids_budget_alloc(&budgets[0], 7 * MIB));
    ids_budget_free(&budgets[0], blocks[0], 7 * MIB);
    for (int i = 0; i < 4; i++) {
        ids_budget_free(&budgets[i], first[i], 1000);
        ids_budget_close(&budgets[i]);
    }
    cr_assert_eq(pool.left_bytes, 8 * MIB);
}
