/* SPDX-License-Identifier: Apache-2.0 */
/* test_frame.c -- checksums, and telling a torn write from a flipped bit. */
#include "server/journal/crc32c.h"
#include "server/journal/frame.h"
#include "tests/lib/rng.h"

#include <criterion/criterion.h>
#include <string.h>

Test(crc32c, is_the_one_of_rfc_3720) {
    uint8_t bytes[32];
    cr_assert_eq(ids_crc32c(0, "123456789", 9), 0xe3069283);
    memset(bytes, 0, sizeof bytes);
    cr_assert_eq(ids_crc32c(0, bytes, sizeof bytes), 0x8a9136aa);
    memset(bytes, 0xff, sizeof bytes);
    cr_assert_eq(ids_crc32c(0, bytes, sizeof bytes), 0x62a8ab43);
}

Test(crc32c, processor_and_table_agree_on_every_length_and_in_pieces) {
    uint8_t bytes[300];
    idt_rng rng;
    idt_rng_seed(&rng, 3);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)idt_rng_next(&rng);
    for (size_t len = 0; len <= sizeof bytes; len++) {
        uint32_t whole = ids_crc32c(0, bytes, len);
        size_t first = len / 3;
        cr_assert_eq(whole, ids_crc32c_by_table(0, bytes, len));
        cr_assert_eq(whole, ids_crc32c(ids_crc32c(0, bytes, first),
                                       bytes + first, len - first));
    }
}

enum { BODY = 1500, AT = 4096 - 200, END = 16384 };

/* A frame of 1500 bytes at an offset that makes it cross sectors. */
static size_t write_frame(uint8_t file[END]) {
    ids_frame frame = {.kind = IDS_FRAME_CHANGES, .body_bytes = BODY};
    memset(file, 0, END);
    for (int i = 0; i < BODY; i++)
        file[AT + IDS_FRAME_HEAD_BYTES + i] = (uint8_t)(1 + i % 255);
    ids_frame_fill(file + AT + IDS_FRAME_HEAD_BYTES + BODY, BODY);
    ids_frame_seal(file + AT, &frame, 7);
    return ids_frame_bytes(BODY);
}

Test(frame, no_flipped_bit_passes_or_looks_torn) {
    static uint8_t file[END];
    size_t bytes = write_frame(file);
    ids_frame frame;
    cr_assert_eq(ids_frame_check(file + AT, END - AT, 7, &frame),
                 IDS_FRAME_WHOLE);
    for (size_t bit = 0; bit < bytes * 8; bit++) {
        file[AT + bit / 8] ^= (uint8_t)(1u << bit % 8);
        cr_assert_neq(ids_frame_check(file + AT, END - AT, 7, &frame),
                      IDS_FRAME_WHOLE, "bit %zu", bit);
        cr_assert_not(ids_frame_is_torn(file, END, AT, 7), "bit %zu", bit);
        file[AT + bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

Test(frame, a_write_that_was_cut_off_anywhere_is_torn) {
    static uint8_t file[END];
    size_t bytes = write_frame(file);
    ids_frame frame;
    for (size_t left = bytes - 1; left > 0; left--) {
        file[AT + left] = 0;
        cr_assert_neq(ids_frame_check(file + AT, END - AT, 7, &frame),
                      IDS_FRAME_WHOLE);
        cr_assert(ids_frame_is_torn(file, END, AT, 7), "%zu bytes", left);
    }
}

Test(frame, a_lost_sector_makes_it_torn) {
    static uint8_t file[END];
    size_t bytes = write_frame(file);
    for (size_t sector = AT / 512; sector <= (AT + bytes - 1) / 512; sector++) {
        write_frame(file);
        memset(file + sector * 512, 0, 512);
        cr_assert(ids_frame_is_torn(file, END, AT, 7), "sector %zu", sector);
    }
}

Test(frame, of_another_file_is_none) {
    static uint8_t file[END];
    ids_frame frame;
    write_frame(file);
    cr_assert_eq(ids_frame_check(file + AT, END - AT, 8, &frame),
                 IDS_FRAME_BAD_HEAD);
}

Test(frame, a_newer_file_is_told_from_a_foreign_and_a_damaged_one) {
    uint8_t bytes[IDS_FILE_HEAD_BYTES];
    ids_file_head head = {.node = 1}, again;
    ids_file_head_write(bytes, &head, IDS_LOG_MAGIC);
    cr_assert_eq(ids_file_head_check(bytes, 64, IDS_LOG_MAGIC, &again),
                 IDS_FILE_OK);
    cr_assert_eq(ids_file_head_check(bytes, 64, IDS_SNAPSHOT_MAGIC, &again),
                 IDS_FILE_FOREIGN);
    cr_assert_eq(ids_file_head_check(bytes, 63, IDS_LOG_MAGIC, &again),
                 IDS_FILE_BAD);
    bytes[20] ^= 1;
    cr_assert_eq(ids_file_head_check(bytes, 64, IDS_LOG_MAGIC, &again),
                 IDS_FILE_BAD);
    bytes[8] = IDS_FORMAT_VERSION + 1;
    cr_assert_eq(ids_file_head_check(bytes, 64, IDS_LOG_MAGIC, &again),
                 IDS_FILE_NEWER);
}
