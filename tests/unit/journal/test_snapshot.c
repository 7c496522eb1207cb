/* SPDX-License-Identifier: Apache-2.0 */
/* test_snapshot.c -- a snapshot goes to the medium as it is written, so that
 * the sync at its end holds up nobody. */
#include "server/journal/snapshot.h"
#include "tests/lib/mem.h"
#include "tests/sim/disk_hostile.h"

#include <criterion/criterion.h>
#include <string.h>

enum { BODY_BYTES = 60000, BLOCKS = 100, LEFT_BYTES_MAX = 2 << 20 };

static ids_disk under;
static uint64_t pushed, left; /* each test is a process */

static void push(void *ctx, int file, uint64_t at, uint64_t len) {
    cr_assert_eq(at, pushed, "each byte once, in order");
    pushed += len;
    under.push(ctx, file, at, len);
}

static int sync_file(void *ctx, int file) {
    left = (uint64_t)under.size(ctx, file) - pushed;
    return under.sync(ctx, file);
}

static void write_block(ids_snapshot_file *file) {
    static uint8_t bytes[IDS_FRAME_HEAD_BYTES + BODY_BYTES + IDS_FRAME_ALIGN];
    const ids_frame frame = {
        .kind = IDS_FRAME_RECORDS, .body_bytes = BODY_BYTES, .count = 1};
    ids_frame_blank(bytes, &frame);
    cr_assert(
        ids_snapshot_write(file, bytes, IDS_FRAME_HEAD_BYTES + BODY_BYTES));
}

Test(snapshot, leaves_little_to_the_sync_at_its_end) {
    hostile *h = hostile_new(1);
    under = hostile_disk(h);
    ids_disk disk = under;
    disk.push = push;
    disk.sync = sync_file;
    ids_snapshot_file file;
    const ids_file_head head = {.node = 1, .epoch = 1, .number = 1};
    cr_assert(ids_snapshot_create(&file, &disk, &head));
    for (int i = 0; i < BLOCKS; i++)
        write_block(&file);
    cr_assert(ids_snapshot_finish(&file));
    cr_assert_gt(pushed, 0);
    cr_assert_lt(left, LEFT_BYTES_MAX);
    cr_assert_gt(file.sum.bytes, (uint64_t)BLOCKS * BODY_BYTES);
    hostile_free(h);
}

/* A walk: so many records, each with a result of 1 KiB -----------------------
 */

enum { RECORDS = 1000, RESULT_BYTES = 1024, STEP_BYTES_MAX = 80 << 10 };

static uint64_t hash_of(void *ctx, idp_slice ns, idp_slice key) {
    uint64_t hash = 0;
    (void)ctx, (void)ns;
    memcpy(&hash, key.ptr, key.len < 8 ? key.len : 8);
    return hash * 0x9e3779b97f4a7c15u;
}

static ids_shard *shard_of_records(idt_mem *mem) {
    static uint8_t result[RESULT_BYTES];
    idt_mem_init(mem);
    const ids_shard_config config = {.epoch = 1,
                                     .memory_bytes_max = 16u << 20,
                                     .result_bytes_max = RESULT_BYTES,
                                     .waiters_per_key_max = 1,
                                     .waiters_max = 1,
                                     .mem = idt_mem_of(mem),
                                     .hash = hash_of};
    ids_shard *shard = ids_shard_new(&config);
    cr_assert(shard != NULL);
    for (uint64_t i = 1; i <= RECORDS; i++) {
        const idp_slice key = {(const uint8_t *)&i, sizeof i};
        const ids_change change = {.key = key,
                                   .token = {1, i},
                                   .state = IDP_STATE_COMPLETED,
                                   .attempt = 1,
                                   .ttl_ms = 86400000,
                                   .ttl_left_ms = 86400000,
                                   .has_result = true,
                                   .result = {result, sizeof result}};
        cr_assert(ids_shard_put(shard, hash_of(NULL, key, key), &change, 0));
    }
    return shard;
}

/* However many buckets it may take: sockets are looked at after each step. */
Test(snapshot, a_step_of_the_walk_is_short_and_a_block_has_several) {
    idt_mem mem;
    ids_snapshot_walk walk;
    ids_shard *shard = shard_of_records(&mem);
    uint32_t records = 0, blocks = 0, steps = 0;
    ids_snapshot_walk_init(&walk, IDS_BLOCK_BYTES);
    while (!walk.over) {
        size_t before = walk.block.len;
        bool is_ready = ids_snapshot_walk_step(&walk, shard, 0, UINT32_MAX);
        cr_assert(!walk.failed);
        cr_assert_lt(walk.block.len - before, STEP_BYTES_MAX);
        cr_assert_eq(is_ready, walk.over || walk.block.len >= IDS_BLOCK_BYTES);
        steps++;
        if (!is_ready)
            continue;
        records += walk.count;
        blocks++;
        ids_snapshot_walk_clear(&walk);
    }
    ids_snapshot_walk_fini(&walk, shard);
    cr_assert_eq(records, RECORDS);
    cr_assert_gt(blocks, 3);
    cr_assert_gt(steps, 3 * blocks);
    ids_shard_free(shard);
}
