/* SPDX-License-Identifier: Apache-2.0 */
/* test_frame.c -- frames: whole or not at all, and nothing in between. */
#include "server/peer/frame.h"

#include <criterion/criterion.h>
#include <string.h>

static const ids_pf frame = {.kind = IDS_PF_APPEND,
                             .flags = 1,
                             .stream = 777,
                             .count = 3,
                             .epoch = 1700000000,
                             .session = UINT64_MAX,
                             .number = 1ull << 40,
                             .body = {(const uint8_t *)"some changes", 12}};

Test(frame, what_is_written_is_read) {
    idp_bytes buf = {0};
    ids_pf read;
    size_t bytes = 0;
    cr_assert(ids_pf_append(&buf, &frame));
    cr_assert(ids_pf_append(&buf, &frame));
    cr_assert_eq(buf.len, 2 * (size_t)(IDS_PF_HEAD_BYTES + 12));
    cr_assert_eq(ids_pf_read(buf.ptr, buf.len, 12, &read, &bytes),
                 IDS_PF_WHOLE);
    cr_assert_eq(bytes, IDS_PF_HEAD_BYTES + 12);
    cr_assert_eq(read.kind, frame.kind);
    cr_assert_eq(read.flags, frame.flags);
    cr_assert_eq(read.stream, frame.stream);
    cr_assert_eq(read.count, frame.count);
    cr_assert_eq(read.epoch, frame.epoch);
    cr_assert_eq(read.session, frame.session);
    cr_assert_eq(read.number, frame.number);
    cr_assert_eq(read.body.len, 12);
    cr_assert_eq(memcmp(read.body.ptr, "some changes", 12), 0);
    idp_bytes_consume(&buf, bytes);
    cr_assert_eq(ids_pf_read(buf.ptr, buf.len, 12, &read, &bytes),
                 IDS_PF_WHOLE);
    idp_bytes_free(&buf);
}

Test(frame, every_beginning_of_one_is_partial) {
    idp_bytes buf = {0};
    ids_pf read;
    size_t bytes;
    ids_pf_append(&buf, &frame);
    for (size_t len = 0; len < buf.len; len++)
        cr_assert_eq(ids_pf_read(buf.ptr, len, 12, &read, &bytes),
                     IDS_PF_PARTIAL, "%zu bytes", len);
    idp_bytes_free(&buf);
}

Test(frame, one_over_the_limit_is_not_waited_for) {
    idp_bytes buf = {0};
    ids_pf read;
    size_t bytes;
    ids_pf_append(&buf, &frame);
    cr_assert_eq(ids_pf_read(buf.ptr, 4, 11, &read, &bytes), IDS_PF_BROKEN);
    cr_assert_eq(ids_pf_read(buf.ptr, 4, 12, &read, &bytes), IDS_PF_PARTIAL);
    idp_bytes_free(&buf);
}

/* A flipped bit makes it broken, or (in its length) longer than it is. */
Test(frame, a_flipped_bit_is_never_a_frame) {
    idp_bytes buf = {0};
    ids_pf read;
    size_t bytes;
    ids_pf_append(&buf, &frame);
    for (size_t bit = 0; bit < buf.len * 8; bit++) {
        buf.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
        cr_assert_neq(ids_pf_read(buf.ptr, buf.len, 1 << 20, &read, &bytes),
                      IDS_PF_WHOLE, "bit %zu", bit);
        buf.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    idp_bytes_free(&buf);
}

Test(frame, a_kind_that_nobody_knows_is_broken) {
    idp_bytes buf = {0};
    ids_pf odd = frame, read;
    size_t bytes;
    odd.kind = IDS_PF_KIND_COUNT;
    ids_pf_append(&buf, &odd);
    cr_assert_eq(ids_pf_read(buf.ptr, buf.len, 64, &read, &bytes),
                 IDS_PF_BROKEN);
    idp_bytes_free(&buf);
}
