/* SPDX-License-Identifier: Apache-2.0 */
/* test_turn.c -- what one turn of a loop does has a bound, whatever clients
 * bring, and what is left over is done in later ones. */
#include "server/line/reader.h"
#include "server/worker/commit_gate.h"
#include "tests/unit/server/harness.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALLERS  24u
/* All kinds at their bounds, each with a last step that goes over it. */
#define TURN_MAX (5 * IDS_WORK_A_TURN)

static harness t;
static caller callers[CALLERS];
static uint8_t bytes[512u << 10];

static void plan(void) {
    harness_plan(&t, 2);
    t.server.pending_max = 1000;
    t.server.buffer_bytes_max = 4u << 20;
    t.server.unsent_bytes_max = 4u << 20;
}

static void open_harness(void) {
    harness_open(&t);
    for (uint32_t i = 0; i < CALLERS; i++)
        caller_open(&callers[i], &t, 0);
}

static void open_two(void) {
    plan();
    open_harness();
}

static void close_all(void) {
    for (uint32_t i = 0; i < CALLERS; i++)
        caller_close(&callers[i]);
    harness_run(&t);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(t.workers[i]->buffers.bytes, 0);
        cr_assert_eq(t.workers[i]->forwarded, 0);
        cr_assert_leq(t.workers[i]->counters.of[IDS_TURN_WORK_MAX], TURN_MAX);
        cr_assert_eq(t.workers[i]->counters.of[IDS_CLOSED_BY_LIMIT_TOTAL], 0);
    }
    harness_close(&t);
}

TestSuite(turn, .init = open_two, .fini = close_all);

static uint32_t heard(caller *c, const char *what) {
    uint32_t count = 0;
    const char *reply;
    while (strcmp(reply = caller_hear(c), "nothing") != 0) {
        cr_assert_str_eq(strchr(reply, ' ') + 1, what);
        count++;
    }
    return count;
}

static void pipeline(caller *c, idp_method method, uint32_t count) {
    size_t len = 0;
    for (uint32_t i = 0; i < count; i++)
        len += put_plain(bytes + len, i, method);
    caller_send(c, bytes, len);
}

Test(turn, twelve_thousand_stats_are_a_few_rounds) {
    pipeline(&callers[0], IDP_STATS, 12000);
    cr_assert_eq(heard(&callers[0], "map"), 12000);
    cr_assert_leq(t.lines[0]->inquiries.of[IDS_INQUIRY_STATS].number, 40);
}

Test(turn, so_are_twelve_thousand_questions_about_replication) {
    caller other;
    caller_open(&other, &t, 1);
    pipeline(&other, IDP_REPLICATION, 12000);
    cr_assert_eq(heard(&other, "map"), 12000);
    cr_assert_leq(t.lines[1]->inquiries.of[IDS_INQUIRY_REPLICATION].number, 40);
    caller_close(&other);
}

Test(turn, all_who_ask_for_stats_meanwhile_share_a_round) {
    t.keep_messages = true;
    for (uint32_t i = 0; i < CALLERS; i++)
        ask_plain(&callers[i], i, IDP_STATS);
    t.keep_messages = false;
    harness_run(&t);
    for (uint32_t i = 0; i < CALLERS; i++)
        cr_assert_eq(heard(&callers[i], "map"), 1);
    cr_assert_leq(t.lines[0]->inquiries.of[IDS_INQUIRY_STATS].number, 2);
}

Test(turn, who_asks_for_stats_and_goes_is_missed_by_nobody) {
    t.keep_messages = true;
    for (uint32_t i = 0; i < CALLERS; i++)
        pipeline(&callers[i], IDP_STATS, 100);
    for (uint32_t i = 1; i < CALLERS; i += 2)
        caller_close(&callers[i]);
    t.keep_messages = false;
    harness_run(&t);
    for (uint32_t i = 0; i < CALLERS; i += 2)
        cr_assert_eq(heard(&callers[i], "map"), 100);
}

/* A read's worth is on the worker at once; what of it is served in one go? */
Test(turn, one_connections_requests_are_served_a_part_at_a_time) {
    ids_worker *worker = t.workers[0];
    size_t len = 0;
    uint32_t count = 0;
    while (len < IDS_INPUT_BYTES - 32)
        len += put_plain(bytes + len, count++, IDP_PING);
    ids_line_begin_turn(t.lines[0]);
    memcpy(ids_line_input_room(t.lines[0]), bytes, len);
    ids_reader_input(t.lines[0], callers[0].conn, len);
    cr_assert_leq(worker->work[IDS_WORK_SERVE], IDS_WORK_A_CONN + 1);
    cr_assert(ids_conn_is_stalled(callers[0].conn));
    harness_run(&t);
    cr_assert_eq(heard(&callers[0], "pong"), count);
}

Test(turn, many_who_wait_and_are_woken_at_once_are_many_turns) {
    const char *key = key_of(&t, 0, 0);
    ask_acquire(&callers[0], 1, key, 0);
    for (uint32_t i = 1; i < CALLERS; i++)
        for (uint32_t k = 0; k < 2; k++)
            ask_acquire(&callers[i], k, key, 500);
    harness_pass(&t, 600);
    for (uint32_t i = 1; i < CALLERS; i++)
        cr_assert_eq(heard(&callers[i], "in_progress"), 2);
}

/* Requests for another loop, as a socket holds them until they are read. */
typedef struct pending {
    uint8_t bytes[40u << 10];
    size_t len, at;
    uint32_t replies;
} pending;

static pending pendings[CALLERS];

static void write_requests(uint32_t count) {
    for (uint32_t i = 0; i < CALLERS; i++) {
        pending *p = &pendings[i];
        *p = (pending){0};
        for (uint32_t k = 0; k < count; k++)
            p->len +=
                put_acquire(p->bytes + p->len, k, key_of(&t, 1, k % 4), 0);
        cr_assert_leq(p->len, sizeof p->bytes);
    }
}

/* As a loop reads: what it may, of those that are not stalled. */
static bool read_all(void) {
    bool more = false;
    for (uint32_t i = 0; i < CALLERS; i++) {
        pending *p = &pendings[i];
        size_t max = ids_input_max(t.lines[0]);
        size_t left = p->len - p->at;
        more |= left > 0;
        if (!left || !max || !callers[i].conn ||
            ids_conn_is_stalled(callers[i].conn))
            continue;
        max = max < left ? max : left;
        caller_send(&callers[i], p->bytes + p->at, max);
        p->at += max;
    }
    return more;
}

static size_t all_bytes(void) {
    ids_counters of;
    ids_worker_count(t.workers[0], &of);
    return of.of[IDS_BUFFERED_BYTES] + ids_mailbox_bytes(&t.boxes[1]);
}

static void all_are_answered(uint32_t count) {
    while (read_all() || t.lines[0]->for_room.head)
        harness_run(&t);
    for (uint32_t i = 0; i < CALLERS; i++) {
        cr_assert_not_null(callers[i].conn, "an innocent was closed");
        while (strcmp(caller_hear(&callers[i]), "nothing") != 0)
            pendings[i].replies++;
        cr_assert_eq(pendings[i].replies, count);
    }
}

Test(turn, requests_on_their_way_are_counted_before_they_are_taken) {
    const size_t share = 256u << 10;
    harness_limit_buffers(&t, share);
    write_requests(400);
    t.keep_messages = true;
    for (int i = 0; i < 100; i++) {
        read_all();
        cr_assert_leq(all_bytes(), share + share / 2, "%zu", all_bytes());
    }
    cr_assert_not_null(t.lines[0]->for_room.head);
    t.keep_messages = false;
    all_are_answered(400);
}

Test(turn, one_in_the_line_for_room_may_go) {
    harness_limit_buffers(&t, 256u << 10);
    write_requests(400);
    t.keep_messages = true;
    read_all();
    read_all();
    cr_assert_not_null(t.lines[0]->for_room.head);
    for (uint32_t i = 0; i < CALLERS; i++)
        caller_close(&callers[i]);
    cr_assert_null(t.lines[0]->for_room.head);
    t.keep_messages = false;
    harness_run(&t);
}

static void open_kept(void) {
    plan();
    t.is_kept = true;
    open_harness();
}

TestSuite(turn_kept, .init = open_kept, .fini = close_all);

Test(turn_kept, a_ping_does_not_wait_for_the_disk_of_another_loop) {
    ask_acquire(&callers[0], 1, key_of(&t, 1, 0), 0);
    ask_plain(&callers[0], 2, IDP_PING);
    cr_assert_str_eq(caller_hear(&callers[0]), "nothing", "for a moment");
    harness_pass(&t, 2);
    cr_assert_str_eq(caller_hear(&callers[0]), "2 pong");
    harness_sync(&t, 1);
    harness_run(&t);
    cr_assert_str_eq(caller_hear(&callers[0]), "1 acquired");
}
