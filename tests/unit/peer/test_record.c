/* SPDX-License-Identifier: Apache-2.0 */
/* test_record.c -- a decision as bytes, and every way in which they are not
 * one. */
#include "server/peer/record.h"

#include "server/base/pack.h"
#include "server/journal/crc32c.h"

#include <criterion/criterion.h>
#include <string.h>

static uint8_t bytes[IDS_RECORD_BYTES_MAX];
static size_t len;

static const ids_decision decision = {.version = 12,
                                      .epoch = 1700000003,
                                      .role = IDS_ROLE_PRIMARY,
                                      .self = {1, UINT64_MAX},
                                      .replica = {{2, 22}},
                                      .admitted_epoch = 1700000001,
                                      .admitted = {1, 10},
                                      .admitted_version = 9,
                                      .had_replica = true,
                                      .mode = 2,
                                      .kept = IDS_KEPT_YES,
                                      .origin = {1700000001, true},
                                      .other_at = {"[fe80::1]:7117"}};

static ids_record_fault read_as(size_t bytes_count, ids_decision *to) {
    return ids_decision_read((idp_slice){bytes, bytes_count}, to);
}

Test(record, what_is_written_is_read) {
    ids_decision read;
    uint8_t again[IDS_RECORD_BYTES_MAX];
    len = ids_decision_write(bytes, &decision);
    cr_assert_eq(read_as(len, &read), IDS_RECORD_OK);
    cr_assert_eq(len, IDS_RECORD_BYTES);
    cr_assert_eq(read.version, 12);
    cr_assert_eq(read.role, IDS_ROLE_PRIMARY);
    cr_assert_eq(read.self.incarnation, UINT64_MAX);
    cr_assert_eq(read.replica[0].incarnation, 22);
    cr_assert_eq(read.admitted_version, 9);
    cr_assert(read.had_replica);
    cr_assert_eq(read.mode, 2);
    cr_assert_eq(read.kept, IDS_KEPT_YES);
    cr_assert_eq(read.origin.epoch, 1700000001);
    cr_assert(read.origin.by_word);
    cr_assert_str_eq(read.other_at.text, "[fe80::1]:7117");
    ids_decision_write(again, &read);
    cr_assert_eq(memcmp(bytes, again, len), 0);
}

/* A record that names one replica stays as it was; one that names more says so
 * in its format, which who knows of one only calls newer. */
Test(record, each_replica_has_its_place_in_it) {
    ids_decision several = decision, read;
    several.replica[3] = (ids_member){4, 44};
    several.replica_name[3] = (ids_node_name){"rack-4"};
    len = ids_decision_write(bytes, &several);
    cr_assert_eq(len, IDS_RECORD_BYTES_SEVERAL);
    cr_assert_eq(bytes[8], IDS_RECORD_FORMAT_SEVERAL);
    cr_assert_eq(read_as(len, &read), IDS_RECORD_OK);
    cr_assert_eq(read.replica[0].incarnation, 22);
    cr_assert_eq(read.replica[1].node, 0);
    cr_assert_eq(read.replica[3].incarnation, 44);
    cr_assert_str_eq(read.replica_name[3].text, "rack-4");
    cr_assert_eq(ids_decision_members(&read), 2);
    for (size_t part = 0; part < len; part++)
        cr_assert_neq(read_as(part, &read), IDS_RECORD_OK);
}

Test(record, no_bit_of_it_may_be_another) {
    ids_decision read;
    len = ids_decision_write(bytes, &decision);
    for (size_t bit = 0; bit < 8 * len; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        cr_assert_neq(read_as(len, &read), IDS_RECORD_OK);
        cr_assert_eq(read.epoch, 0);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

Test(record, it_is_whole_or_none) {
    ids_decision read;
    len = ids_decision_write(bytes, &decision);
    for (size_t part = 0; part < len; part++)
        cr_assert_neq(read_as(part, &read), IDS_RECORD_OK);
    cr_assert_eq(read_as(0, &read), IDS_RECORD_DAMAGED, "cut to nothing");
    cr_assert_eq(read_as(100, &read), IDS_RECORD_DAMAGED);
}

Test(record, another_file_and_a_newer_one_are_called_so) {
    ids_decision read;
    len = ids_decision_write(bytes, &decision);
    bytes[8] = IDS_RECORD_FORMAT_GROUP + 1;
    cr_assert_eq(read_as(len, &read), IDS_RECORD_NEWER);
    cr_assert_eq(read_as(100, &read), IDS_RECORD_NEWER, "of any size");
    memcpy(bytes, "#!/bin/sh", 9);
    cr_assert_eq(read_as(len, &read), IDS_RECORD_FOREIGN);
    for (int i = 0; i < IDS_RECORD_FAULT_COUNT; i++)
        cr_assert_gt(strlen(ids_record_fault_text((ids_record_fault)i)), 5);
}

Test(record, a_shorter_one_of_before_is_read_and_its_origin_is_not_known) {
    ids_decision read, old = decision;
    old.origin = (ids_origin){0};
    ids_decision_write(bytes, &old);
    uint64_t crc =
        ids_crc32c(IDS_RECORD_FORMAT, bytes + 16, IDS_RECORD_BYTES_0_1 - 16);
    ids_put_u64(bytes + 8, crc << 32 | IDS_RECORD_FORMAT);
    cr_assert_eq(read_as(IDS_RECORD_BYTES_0_1, &read), IDS_RECORD_OK);
    cr_assert_eq(read.epoch, old.epoch);
    cr_assert_eq(read.origin.epoch, 0);
}
