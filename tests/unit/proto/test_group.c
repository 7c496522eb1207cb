/* SPDX-License-Identifier: Apache-2.0 */
/* test_group.c -- what failover agents tell, and hear: there and back; and
 * whatever is no such thing is refused. */
#include "proto/commands.h"
#include "proto/reply.h"

#include <criterion/criterion.h>
#include <string.h>

static uint8_t bytes[IDP_REPLICATION_BYTES_MAX];

/* The longest there is, in each field. */
static idp_group_node longest(char with) {
    idp_group_node node = {.incarnation = UINT64_MAX - (unsigned char)with};
    memset(node.node, with, sizeof node.node - 1);
    memset(node.at, with, sizeof node.at - 1);
    return node;
}

static idp_told all_of_it(void) {
    idp_told told = {.rev = IDP_INT_MAX,
                     .epoch = IDP_INT_MAX,
                     .node_count = IDP_GROUP_NODES_MAX};
    memset(told.id, 'i', sizeof told.id - 1);
    memset(told.primary, 'a', sizeof told.primary - 1);
    for (uint32_t i = 0; i < told.node_count; i++)
        told.nodes[i] = longest((char)('a' + i));
    return told;
}

Test(group, what_is_told_is_heard) {
    const idp_told told = all_of_it();
    idp_told again;
    size_t len = idp_told_write(bytes, sizeof bytes, &told);
    cr_assert(len > 0 && len <= IDP_TOLD_BYTES_MAX);
    cr_assert(idp_told_read((idp_slice){bytes, len}, &again));
    cr_assert_eq(memcmp(&told, &again, sizeof told), 0);
    cr_assert_eq(idp_told_write(bytes, IDP_TOLD_BYTES_MAX - 1, &told), 0);
}

Test(group, what_is_cut_or_too_long_is_nothing) {
    const idp_told told = all_of_it();
    idp_told again;
    size_t len = idp_told_write(bytes, sizeof bytes, &told);
    for (size_t part = 0; part < len; part++)
        cr_assert_not(idp_told_read((idp_slice){bytes, part}, &again));
    /* one name is a letter longer than any may be */
    static const uint8_t long_id[] =
        "\x95\xd9\x25iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii\x01\x01\xa1"
        "a\x90";
    cr_assert_not(
        idp_told_read((idp_slice){long_id, sizeof long_id - 1}, &again));
    static const uint8_t six[] = "\x95\xa1i\x01\x01\xa1"
                                 "a\x96";
    cr_assert_not(idp_told_read((idp_slice){six, sizeof six - 1}, &again));
}

static idp_group_seen seen_of(uint32_t i) {
    idp_group_seen seen = {.who = longest((char)('a' + i)),
                           .rev = i,
                           .silent_ms = IDP_INT_MAX,
                           .session = i % 2,
                           .whole = i % 3,
                           .ready = i % 5,
                           .needs_copy = i % 7};
    memcpy(seen.as, "candidate", sizeof "candidate");
    return seen;
}

Test(group, how_a_node_stands_is_heard) {
    static idp_replication report, again;
    idp_reply reply;
    size_t frame_bytes;
    report = (idp_replication){.role = "primary"};
    report.group = (idp_group_standing){.self = longest('s'),
                                        .rev = IDP_INT_MAX,
                                        .epoch = 7,
                                        .lead_epoch = 6,
                                        .min_in_sync = 2,
                                        .leading = true,
                                        .had_replica = true,
                                        .seen_count = IDP_GROUP_SEEN_MAX};
    memset(report.group.id, 'i', sizeof report.group.id - 1);
    for (uint32_t i = 0; i < IDP_GROUP_SEEN_MAX; i++)
        report.group.seen[i] = seen_of(i);
    size_t len = idp_replication_write(bytes, sizeof bytes, 1, &report);
    cr_assert(len > 0, "it has no room");
    cr_assert_eq(idp_reply_open(bytes, len, sizeof bytes, &reply, &frame_bytes),
                 IDP_REPLY_WHOLE);
    cr_assert(idp_replication_read(reply.result, &again));
    cr_assert_eq(memcmp(&report.group, &again.group, sizeof report.group), 0);
}

Test(group, one_under_no_agent_says_nothing_of_it) {
    static idp_replication report, again;
    idp_reply reply;
    size_t frame_bytes;
    report = (idp_replication){.role = "replica"};
    size_t len = idp_replication_write(bytes, sizeof bytes, 1, &report);
    cr_assert_eq(idp_reply_open(bytes, len, sizeof bytes, &reply, &frame_bytes),
                 IDP_REPLY_WHOLE);
    cr_assert(idp_replication_read(reply.result, &again));
    cr_assert_eq(again.group.self.node[0], '\0');
}
