/* SPDX-License-Identifier: Apache-2.0 */
/* test_pages.c -- a shard's memory: nothing overlaps, all of it goes back. */
#include "server/memory/pages.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCKS 400

static ids_pages *pages;
static ids_mem mem;

static void open_pages(void) {
    pages = ids_pages_new(&(ids_pages_config){.idle_bytes_max = 1u << 20});
    mem = ids_pages_mem(pages);
}

static void close_pages(void) {
    cr_assert_leq(ids_pages_backed_bytes(pages), 1600u << 10);
    ids_pages_free(pages);
}

TestSuite(pages, .init = open_pages, .fini = close_pages);

Test(pages, blocks_are_aligned_at_every_size) {
    for (size_t bytes = 1; bytes < 5u << 20; bytes = bytes * 3 / 2 + 1) {
        uint8_t *block = mem.alloc(mem.ctx, bytes);
        cr_assert_not_null(block);
        cr_assert_eq((uintptr_t)block % 64, 0);
        block[0] = block[bytes - 1] = 1;
        mem.free(mem.ctx, block, bytes);
    }
}

/* What is freed is kept up to a bound, and not more. */
Test(pages, what_is_freed_goes_back_but_for_a_little) {
    uint8_t *blocks[64];
    for (int i = 0; i < 64; i++)
        blocks[i] = mem.alloc(mem.ctx, 64u << 10);
    cr_assert_eq(ids_pages_backed_bytes(pages), 4u << 20);
    for (int i = 0; i < 64; i++)
        mem.free(mem.ctx, blocks[i], 64u << 10);
    cr_assert_leq(ids_pages_backed_bytes(pages), 1600u << 10);
    cr_assert_leq(ids_pages_mapped_bytes(pages), 2u << 20);
    /* And of that in time, nearly all. */
    for (uint64_t now_ms = 1000; ids_pages_next_ms(pages) != UINT64_MAX;
         now_ms += 50)
        ids_pages_age(pages, now_ms);
    cr_assert_leq(ids_pages_backed_bytes(pages), 512u << 10);
}

/* Not even where each region still has something in it. */
Test(pages, idle_pages_between_used_ones_go_back_too) {
    enum { COUNT = 2048 };
    static uint8_t *blocks[COUNT];
    for (int i = 0; i < COUNT; i++)
        blocks[i] = mem.alloc(mem.ctx, 8u << 10);
    for (int i = 0; i < COUNT; i++)
        if (i % 16)
            mem.free(mem.ctx, blocks[i], 8u << 10);
    cr_assert_leq(ids_pages_backed_bytes(pages),
                  (COUNT / 16 * (8u << 10)) * 33 / 32 + (1600u << 10));
    for (int i = 0; i < COUNT; i += 16) {
        cr_assert_eq(blocks[i][0], 0);
        mem.free(mem.ctx, blocks[i], 8u << 10);
    }
}

Test(pages, a_freed_block_of_a_mebibyte_is_used_again_as_it_is) {
    size_t bytes = (1u << 20) + 300;
    uint8_t *block = mem.alloc(mem.ctx, bytes);
    size_t backed = ids_pages_backed_bytes(pages);
    mem.free(mem.ctx, block, bytes);
    cr_assert_eq(ids_pages_backed_bytes(pages), backed);
    cr_assert_eq(mem.alloc(mem.ctx, bytes), block);
    cr_assert_eq(ids_pages_backed_bytes(pages), backed);
    mem.free(mem.ctx, block, bytes);
}

/* A kernel takes some 65,000 mappings of a process: regions must not each be
 * one, or there is no memory beyond 128 GiB. */
Test(pages, regions_lie_side_by_side) {
    enum { COUNT = 64 };
    uint8_t *blocks[COUNT];
    int beside = 0;
    for (int i = 0; i < COUNT; i++)
        blocks[i] = mem.alloc(mem.ctx, 2u << 20);
    for (int i = 1; i < COUNT; i++)
        beside += labs(blocks[i] - blocks[i - 1]) == 2 << 20;
    cr_assert_geq(beside, COUNT * 3 / 4);
    for (int i = 0; i < COUNT; i++)
        mem.free(mem.ctx, blocks[i], 2u << 20);
}

Test(pages, what_is_counted_is_what_is_taken) {
    cr_assert_eq(mem.takes(65600), 17u * 4096);
    cr_assert_eq(mem.takes(65536), 65536);
    cr_assert_eq(mem.takes(4097), 8192);
    cr_assert_geq(mem.takes(100), 116);
}

/* Who grows finds the next region backed; what it leaves of it is given back
 * as soon as it goes on to another. */
Test(pages, regions_are_ready_ahead_and_no_more_than_one) {
    enum { COUNT = 160 };
    ids_prefault *prefault = ids_prefault_new(1, false);
    ids_pages *grows = ids_pages_new(&(ids_pages_config){.prefault = prefault});
    ids_mem of = ids_pages_mem(grows);
    static uint8_t *blocks[COUNT];
    size_t bytes = 200u << 10; /* ten to a region, and some pages left */
    cr_assert_not_null(prefault);
    for (int i = 0; i < COUNT; i++) {
        blocks[i] = of.alloc(of.ctx, bytes);
        memset(blocks[i], i, bytes);
        usleep(500);
    }
    cr_assert_leq(ids_pages_backed_bytes(grows), COUNT * bytes + (512u << 10));
    for (int i = 0; i < COUNT; i++) {
        cr_assert_eq(blocks[i][bytes - 1], (uint8_t)i);
        of.free(of.ctx, blocks[i], bytes);
    }
    ids_pages_free(grows);
    ids_prefault_free(prefault);
}

Test(pages, freed_pages_are_used_again) {
    uint8_t *blocks[32];
    for (int i = 0; i < 32; i++)
        blocks[i] = mem.alloc(mem.ctx, 64u << 10);
    mem.free(mem.ctx, blocks[7], 64u << 10);
    cr_assert_eq(mem.alloc(mem.ctx, 64u << 10), blocks[7]);
    mem.free(mem.ctx, blocks[7], 64u << 10);
    mem.free(mem.ctx, blocks[8], 64u << 10);
    blocks[7] = mem.alloc(mem.ctx, 128u << 10);
    cr_assert_eq(blocks[8], blocks[7] + (64u << 10));
    mem.free(mem.ctx, blocks[7], 128u << 10);
    for (int i = 0; i < 32; i++)
        if (i != 7 && i != 8)
            mem.free(mem.ctx, blocks[i], 64u << 10);
}

Test(pages, huge_ones_behave_alike) {
    ids_pages_config config = {.huge = true};
    ids_pages *huge = ids_pages_new(&config);
    ids_mem of_huge = ids_pages_mem(huge);
    uint8_t *block = of_huge.alloc(of_huge.ctx, 3u << 20);
    cr_assert_not_null(block);
    memset(block, 1, 3u << 20);
    of_huge.free(of_huge.ctx, block, 3u << 20);
    cr_assert_eq(ids_pages_mapped_bytes(huge), 0);
    ids_pages_free(huge);
}

/* Every block keeps its own pattern through a random life. */
Test(pages, a_random_life_with_a_seed) {
    static struct {
        uint8_t *at;
        size_t bytes;
    } live[BLOCKS];
    unsigned seed = 20260101;
    for (int step = 0; step < 20000; step++) {
        int i = rand_r(&seed) % BLOCKS;
        uint8_t mark = (uint8_t)i;
        if (live[i].at) {
            cr_assert_eq(live[i].at[0], mark, "seed 20260101 step %d", step);
            cr_assert_eq(live[i].at[live[i].bytes - 1], mark);
            mem.free(mem.ctx, live[i].at, live[i].bytes);
            live[i].at = NULL;
            continue;
        }
        live[i].bytes =
            1 + (size_t)rand_r(&seed) % (1u << (rand_r(&seed) % 22));
        live[i].at = mem.alloc(mem.ctx, live[i].bytes);
        live[i].at[0] = live[i].at[live[i].bytes - 1] = mark;
    }
    for (int i = 0; i < BLOCKS; i++)
        mem.free(mem.ctx, live[i].at, live[i].bytes);
}
