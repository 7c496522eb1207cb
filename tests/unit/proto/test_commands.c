/* SPDX-License-Identifier: Apache-2.0 */
/* test_commands.c -- what an operator's commands ask and answer. */
#include "proto/commands.h"

#include "proto/reply.h"
#include "proto/request.h"

#include <criterion/criterion.h>
#include <string.h>

static uint8_t bytes[IDP_REPLICATION_BYTES_MAX];

static idp_slice slice(const char *text) {
    return (idp_slice){(const uint8_t *)text, strlen(text)};
}

/* The result of a reply of len bytes. */
static idp_slice result_of(size_t len) {
    idp_reply reply;
    size_t frame_bytes;
    cr_assert_gt(len, 0);
    cr_assert_eq(idp_reply_open(bytes, len, sizeof bytes, &reply, &frame_bytes),
                 IDP_REPLY_WHOLE);
    cr_assert_eq(frame_bytes, len);
    return reply.result;
}

static idp_command_answer there_and_back(idp_method method,
                                         const idp_command_answer *answer) {
    idp_command_answer again;
    size_t len = idp_command_write(bytes, IDP_COMMAND_REPLY_BYTES_MAX,
                                   UINT32_MAX, answer);
    cr_assert(idp_command_read(method, result_of(len), &again));
    cr_assert_eq(again.outcome, answer->outcome);
    return again;
}

Test(commands, each_has_its_own_answer) {
    static const idp_method methods[] = {
        IDP_PROMOTE, IDP_DETACH, IDP_SWITCHOVER, IDP_SNAPSHOT, IDP_RELOAD};
    for (int i = 0; i < 5; i++) {
        const idp_command_answer answer = {.outcome = (idp_command_outcome)i};
        size_t len = idp_command_write(bytes, sizeof bytes, 1, &answer);
        for (int j = 0; j < 5; j++) {
            idp_command_answer again;
            cr_assert_eq(idp_command_read(methods[j], result_of(len), &again),
                         i == j);
        }
    }
}

Test(commands, a_refusal_is_cut_at_its_limit_and_at_no_half_character) {
    char text[IDP_COMMAND_TEXT_BYTES_MAX + 2];
    memset(text, 'x', sizeof text);
    memcpy(text + IDP_COMMAND_TEXT_BYTES_MAX - 1, "\xc3\xa4", 3);
    idp_command_answer answer = {.outcome = IDP_COMMAND_REFUSED,
                                 .text = slice(text)};
    cr_assert_eq(there_and_back(IDP_DETACH, &answer).text.len,
                 IDP_COMMAND_TEXT_BYTES_MAX - 1);
    answer.text.len = IDP_COMMAND_TEXT_BYTES_MAX - 1;
    cr_assert_eq(there_and_back(IDP_DETACH, &answer).text.len,
                 IDP_COMMAND_TEXT_BYTES_MAX - 1);
}

Test(commands, what_a_reload_did_or_would_do) {
    static char lines[IDP_RELOAD_TEXT_BYTES_MAX + 10];
    memset(lines, 'x', sizeof lines - 1);
    const idp_command_outcome both[] = {IDP_COMMAND_RELOADED,
                                        IDP_COMMAND_EXAMINED};
    for (int i = 0; i < 2; i++) {
        const idp_command_answer answer = {.outcome = both[i],
                                           .closed = UINT32_MAX,
                                           .admitted = IDP_INT_MAX,
                                           .text = slice(lines)};
        idp_command_answer again = there_and_back(IDP_RELOAD, &answer);
        cr_assert_eq(again.closed, UINT32_MAX);
        cr_assert_eq(again.admitted, IDP_INT_MAX);
        cr_assert_eq(again.text.len, IDP_RELOAD_TEXT_BYTES_MAX);
    }
}

Test(commands, no_room_writes_nothing) {
    const idp_command_answer answer = {.outcome = IDP_COMMAND_PROMOTED};
    cr_assert_eq(
        idp_command_write(bytes, IDP_COMMAND_REPLY_BYTES_MAX - 1, 1, &answer),
        0);
    static const idp_replication report = {.role = "primary"};
    cr_assert_eq(
        idp_replication_write(bytes, IDP_REPLICATION_BYTES_MAX - 1, 1, &report),
        0);
}

static void fill_node(idp_group_node *node) {
    node->node[sizeof node->node - 1] = '\0';
    node->at[sizeof node->at - 1] = '\0';
    node->incarnation = UINT64_MAX;
}

/* As large as what agents are told may be; it is full of x. */
static void fill_group(idp_group_standing *group) {
    group->id[sizeof group->id - 1] = '\0';
    fill_node(&group->self);
    group->rev = group->epoch = group->lead_epoch = IDP_INT_MAX;
    group->min_in_sync = IDP_INT_MAX;
    group->leading = group->had_replica = true;
    group->seen_count = IDP_GROUP_SEEN_MAX;
    for (int i = 0; i < IDP_GROUP_SEEN_MAX; i++) {
        idp_group_seen *one = &group->seen[i];
        fill_node(&one->who);
        one->as[sizeof one->as - 1] = '\0';
        one->rev = one->silent_ms = IDP_INT_MAX;
        one->session = one->whole = one->ready = one->needs_copy = true;
    }
}

Test(commands, the_largest_report_fits_and_comes_back_whole) {
    static idp_replication report, again;
    memset(&report, 'x', sizeof report);
    report.role[sizeof report.role - 1] = '\0';
    report.mode[sizeof report.mode - 1] = '\0';
    report.node[sizeof report.node - 1] = '\0';
    report.primary[sizeof report.primary - 1] = '\0';
    report.peer[sizeof report.peer - 1] = '\0';
    report.state[sizeof report.state - 1] = '\0';
    report.in_sync_count = IDP_IN_SYNC_MAX;
    report.streams_count = IDP_STREAMS_MAX;
    report.connected = report.syncing = report.safe_to_stop = true;
    report.epoch = report.copy_records = report.copy_total = IDP_INT_MAX;
    report.lag = (idp_lag){IDP_INT_MAX, IDP_INT_MAX, IDP_INT_MAX};
    for (int i = 0; i < IDP_IN_SYNC_MAX; i++)
        report.in_sync[i][sizeof report.in_sync[i] - 1] = '\0';
    report.replicas_count = IDP_REPLICAS_MAX;
    for (int i = 0; i < IDP_REPLICAS_MAX; i++) {
        idp_replica *one = &report.replicas[i];
        one->node[sizeof one->node - 1] = '\0';
        one->at[sizeof one->at - 1] = '\0';
        one->member = one->in_sync = one->connected = one->syncing = true;
        one->copy_records = one->copy_total = IDP_INT_MAX;
        one->lag = report.lag;
    }
    for (int i = 0; i < IDP_STREAMS_MAX; i++) {
        report.streams[i] = report.lag;
        report.tokens[i] = IDP_INT_MAX;
    }
    report.contents[sizeof report.contents - 1] = '\0';
    report.records = report.completed = report.token_epoch = IDP_INT_MAX;
    report.tokens_count = IDP_STREAMS_MAX;
    report.parts_count = IDP_PARTS_MAX;
    fill_group(&report.group);
    for (int i = 0; i < IDP_PARTS_MAX; i++)
        report.parts[i] = (idp_part){IDP_INT_MAX, IDP_INT_MAX};
    size_t len =
        idp_replication_write(bytes, sizeof bytes, UINT32_MAX, &report);
    cr_assert(idp_replication_read(result_of(len), &again));
    cr_assert_str_eq(again.state, report.state);
    cr_assert(again.safe_to_stop);
    cr_assert_eq(again.copy_records, IDP_INT_MAX);
    cr_assert_eq(again.copy_total, IDP_INT_MAX);
    cr_assert_str_eq(again.in_sync[IDP_IN_SYNC_MAX - 1], report.in_sync[0]);
    cr_assert_eq(again.streams[IDP_STREAMS_MAX - 1].ms, IDP_INT_MAX);
    cr_assert_str_eq(again.contents, report.contents);
    cr_assert_eq(again.tokens[IDP_STREAMS_MAX - 1], IDP_INT_MAX);
    cr_assert_eq(again.parts[IDP_PARTS_MAX - 1].completed, IDP_INT_MAX);
    cr_assert_eq(again.replicas_count, IDP_REPLICAS_MAX);
    cr_assert_str_eq(again.replicas[IDP_REPLICAS_MAX - 1].at,
                     report.replicas[0].at);
    cr_assert(again.replicas[IDP_REPLICAS_MAX - 1].syncing);
    cr_assert_eq(again.group.seen_count, IDP_GROUP_SEEN_MAX);
    cr_assert_str_eq(again.group.seen[IDP_GROUP_SEEN_MAX - 1].who.at,
                     report.group.seen[0].who.at);
    cr_assert_eq(again.replicas[IDP_REPLICAS_MAX - 1].lag.ms, IDP_INT_MAX);
}

Test(commands, what_is_not_known_is_nil) {
    static idp_replication report = {.role = "replica"}, again;
    size_t len = idp_replication_write(bytes, sizeof bytes, 1, &report);
    cr_assert(idp_replication_read(result_of(len), &again));
    cr_assert_str_eq(again.primary, "");
    cr_assert_str_eq(again.peer, "");
    cr_assert_eq(again.in_sync_count, 0);
    cr_assert_not(again.safe_to_stop);
}
