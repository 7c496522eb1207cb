/* SPDX-License-Identifier: Apache-2.0 */
/* test_snapshot.c -- a snapshot goes to the medium as it is written, so that
 * the sync at its end holds up nobody. */
#include "server/journal/snapshot.h"
#include "tests/sim/disk_hostile.h"

#include <criterion/criterion.h>

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
