/* SPDX-License-Identifier: Apache-2.0 */
/* test_writer.c -- the next segment is filled with zeros before it is needed,
 * where each batch is synced. */
#include "server/journal/writer.h"
#include "tests/sim/disk_hostile.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

enum { SEGMENT_BYTES = 3 << 20, BODY_BYTES = 20000, SEGMENTS = 10 };

typedef struct log {
    hostile *hostile;
    ids_disk disk, under;
    ids_writer writer;
    uint64_t number;
    uint64_t zeros; /* bytes of them */
    uint32_t pieces;
    bool zeros_fail;
} log;

static log *current; /* the one that zero() looks at; each test is a process */

/* Zeros never go where batches are. */
static int zero(void *ctx, int file, uint64_t at, size_t len) {
    log *l = current;
    cr_assert_eq(file, l->writer.ahead.file);
    cr_assert_geq(at, 4096, "the header stays");
    cr_assert_leq(at + len, l->writer.ahead.head.bytes);
    if (l->zeros_fail)
        return -EIO;
    l->zeros += len;
    l->pieces++;
    return l->under.zero(ctx, file, at, len);
}

static void open_log(log *l, bool zeroes_ahead) {
    *l = (log){.hostile = hostile_new(1)};
    l->disk = l->under = hostile_disk(l->hostile);
    l->disk.zero = zero;
    current = l;
    const ids_writer_config config = {.disk = &l->disk,
                                      .node = 1,
                                      .epoch = 1,
                                      .segment_bytes = SEGMENT_BYTES,
                                      .zeroes_ahead = zeroes_ahead};
    cr_assert(ids_writer_open(&l->writer, &config));
}

static void close_log(log *l) {
    ids_writer_close(&l->writer);
    hostile_free(l->hostile);
}

/* A batch of one change, and what can be done when nobody waits. */
static ids_batch_done batch(log *l) {
    static uint8_t bytes[BODY_BYTES + IDS_FRAME_MIN_BYTES];
    const ids_frame frame = {
        .kind = IDS_FRAME_CHANGES, .body_bytes = BODY_BYTES, .count = 1};
    ids_frame_blank(bytes, &frame);
    ids_frame_fill(bytes + IDS_FRAME_HEAD_BYTES + BODY_BYTES, BODY_BYTES);
    const ids_batch batch = {.bytes = bytes,
                             .len = ids_frame_bytes(BODY_BYTES),
                             .last = ++l->number,
                             .sync = true};
    ids_batch_done done = ids_writer_carry_out(&l->writer, &batch);
    ids_writer_prepare(&l->writer);
    return done;
}

Test(writer, each_segment_but_the_first_was_zeroed_when_its_time_comes) {
    log l;
    open_log(&l, true);
    uint64_t segments_bytes = 0;
    for (uint64_t segment = 1; l.writer.end.segment < SEGMENTS;) {
        uint32_t zeroed_at = l.writer.zeroed_at;
        cr_assert(!batch(&l).failed);
        if (l.writer.end.segment > segment) {
            uint32_t bytes = l.writer.now.head.bytes;
            cr_assert_eq(zeroed_at, bytes, "segment %lu", segment + 1);
            segments_bytes += bytes;
        }
        segment = l.writer.end.segment;
    }
    cr_assert_geq(l.zeros, segments_bytes - SEGMENTS * 4096);
    cr_assert_leq(l.zeros, segments_bytes + SEGMENT_BYTES, "each once");
    cr_assert_leq(l.pieces, SEGMENTS * 64, "in few pieces");
    close_log(&l);
}

Test(writer, a_log_begins_small_and_each_segment_is_twice_the_last) {
    log l;
    uint32_t bytes = SEGMENT_BYTES / 64;
    open_log(&l, false);
    for (uint64_t segment = 1; segment < SEGMENTS; segment++) {
        cr_assert_eq(l.writer.now.head.bytes, bytes, "segment %lu", segment);
        while (l.writer.end.segment == segment)
            cr_assert(!batch(&l).failed);
        bytes = bytes < SEGMENT_BYTES / 2 ? 2 * bytes : SEGMENT_BYTES;
    }
    cr_assert_eq(bytes, SEGMENT_BYTES, "as large as they get");
    close_log(&l);
}

Test(writer, a_log_that_is_seldom_synced_is_not_written_twice) {
    log l;
    open_log(&l, false);
    while (l.writer.end.segment < 4)
        cr_assert(!batch(&l).failed);
    cr_assert_eq(l.zeros, 0);
    close_log(&l);
}

Test(writer, zeros_that_cannot_be_written_stop_it) {
    log l;
    open_log(&l, true);
    l.zeros_fail = true;
    while (l.writer.fault.kind == IDS_FAULT_NONE)
        cr_assert(!batch(&l).failed, "batches are written and synced");
    cr_assert_eq(l.writer.end.segment, 1, "it was told in time");
    cr_assert_eq(l.writer.fault.kind, IDS_FAULT_DISK);
    cr_assert(strstr(l.writer.fault.what, "zeros"));
    cr_assert(batch(&l).failed, "nothing is written any more");
    close_log(&l);
}
