/* SPDX-License-Identifier: Apache-2.0 */
/* test_segment.c -- where a log ends, and where it was wounded. */
#include "server/journal/segment.h"

#include <criterion/criterion.h>
#include <string.h>

enum { BYTES = 8192, FRAME_BODY = 600 };

/* A segment of four batches of 664 bytes each; each says up to where the log
 * was synced as it was written. */
typedef struct segment {
    uint8_t bytes[BYTES];
    ids_file_head head;
    uint32_t at, chain;
    uint64_t number;
} segment;

static void add(segment *s, uint32_t synced_at) {
    uint8_t *to = s->bytes + s->at;
    ids_frame frame = {.kind = IDS_FRAME_CHANGES,
                       .body_bytes = FRAME_BODY,
                       .first = s->number + 1,
                       .count = 1,
                       .synced_segment = 1,
                       .synced_at = synced_at,
                       .previous = s->chain};
    memset(to + IDS_FRAME_HEAD_BYTES, 0x55, FRAME_BODY);
    ids_frame_fill(to + IDS_FRAME_HEAD_BYTES + FRAME_BODY, FRAME_BODY);
    ids_frame_seal(to, &frame, s->head.crc);
    s->at += (uint32_t)ids_frame_bytes(FRAME_BODY);
    s->chain = frame.crc;
    s->number++;
}

static segment make(bool synced) {
    segment s = {.head = {.number = 1, .bytes = BYTES},
                 .at = IDS_FILE_HEAD_BYTES};
    ids_file_head_write(s.bytes, &s.head, IDS_LOG_MAGIC);
    for (int i = 0; i < 4; i++)
        add(&s, synced ? s.at : IDS_FILE_HEAD_BYTES);
    return s;
}

static ids_segment_step read_to_end(const segment *s, uint32_t *batches) {
    ids_segment_reader reader;
    ids_segment_step step;
    ids_frame frame;
    const uint8_t *body;
    const ids_log_end before = {0};
    ids_segment_begin(&reader, s->bytes, BYTES, &s->head, &before);
    *batches = 0;
    while ((step = ids_segment_next(&reader, &frame, &body)) ==
           IDS_SEGMENT_FRAME)
        ++*batches;
    return step;
}

Test(segment, ends_where_the_zeros_begin) {
    segment s = make(true);
    uint32_t batches;
    cr_assert_eq(read_to_end(&s, &batches), IDS_SEGMENT_OVER);
    cr_assert_eq(batches, 4);
}

Test(segment, what_was_lost_before_any_sync_is_cut_with_all_behind_it) {
    segment s = make(false);
    uint32_t batches;
    memset(s.bytes + 1024, 0, 512); /* a sector of the second batch */
    cr_assert_eq(read_to_end(&s, &batches), IDS_SEGMENT_TORN);
    cr_assert_eq(batches, 1);
}

Test(segment, what_was_lost_after_a_later_batch_was_synced_is_corruption) {
    segment s = make(true);
    uint32_t batches;
    memset(s.bytes + 1024, 0, 512);
    cr_assert_eq(read_to_end(&s, &batches), IDS_SEGMENT_CORRUPT);
    cr_assert_eq(batches, 1);
}

Test(segment, a_whole_batch_that_vanished_is_no_end_either) {
    segment s = make(true);
    uint32_t batches, bytes = (uint32_t)ids_frame_bytes(FRAME_BODY);
    memset(s.bytes + IDS_FILE_HEAD_BYTES + bytes, 0, bytes);
    cr_assert_eq(read_to_end(&s, &batches), IDS_SEGMENT_CORRUPT);
}

Test(segment, the_same_batch_twice_is_corruption) {
    segment s = make(true);
    uint32_t batches, bytes = (uint32_t)ids_frame_bytes(FRAME_BODY);
    memcpy(s.bytes + IDS_FILE_HEAD_BYTES + 2 * bytes,
           s.bytes + IDS_FILE_HEAD_BYTES + bytes, bytes);
    cr_assert_eq(read_to_end(&s, &batches), IDS_SEGMENT_CORRUPT);
    cr_assert_eq(batches, 2);
}

Test(segment, garbage_behind_the_end_is_cut) {
    segment s = make(true);
    uint32_t batches;
    s.bytes[s.at + 4000] = 1;
    cr_assert_eq(read_to_end(&s, &batches), IDS_SEGMENT_TORN);
    cr_assert_eq(batches, 4);
}
