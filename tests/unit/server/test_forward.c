/* SPDX-License-Identifier: Apache-2.0 */
/* test_forward.c -- several workers: requests for another loop's keys, and
 * connections that move. */
#include "server/line/reader.h"
#include "tests/unit/server/harness.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEARS(c, text) cr_assert_str_eq(caller_hear(c), text)

static harness t;
static caller a, b;

static void open_three(void) {
    harness_plan(&t, 3);
    harness_open(&t);
    caller_open(&a, &t, 0);
    caller_open(&b, &t, 1);
}

static void close_all(void) {
    t.keep_messages = false;
    caller_close(&a);
    caller_close(&b);
    harness_run(&t);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(t.workers[i]->buffers.bytes, 0);
    harness_close(&t);
}

/* Loops' tokens never meet, whatever keys they are of. */
static idp_token first_token(uint64_t loop) {
    return (idp_token){.epoch = 7, .sequence = (loop << 48) + 1};
}

TestSuite(forward, .init = open_three, .fini = close_all);

Test(forward, every_loop_answers_for_every_key) {
    for (uint32_t owner = 0; owner < 3; owner++) {
        const char *key = key_of(&t, owner, 0);
        ask_acquire(&a, owner, key, 0);
        char wanted[32];
        snprintf(wanted, sizeof wanted, "%u acquired", owner);
        HEARS(&a, wanted);
        ask_acquire(&b, 10 + owner, key, 0);
        snprintf(wanted, sizeof wanted, "%u in_progress", 10 + owner);
        HEARS(&b, wanted);
    }
    cr_assert_eq(t.workers[0]->counters.of[IDS_FORWARDED_TOTAL], 2);
}

Test(forward, a_pipeline_leaves_in_one_send) {
    uint8_t bytes[4096];
    size_t len = 0;
    for (uint32_t i = 0; i < 8; i++)
        len += put_acquire(bytes + len, i, key_of(&t, i % 3, i), 0);
    caller_send(&a, bytes, len);
    cr_assert_eq(a.sends, 1);
    unsigned seen = 0;
    for (int i = 0; i < 8; i++) {
        const char *heard = caller_hear(&a);
        cr_assert_str_eq(heard + 1, " acquired");
        seen |= 1u << (heard[0] - '0');
    }
    cr_assert_eq(seen, 0xff);
    cr_assert_eq(a.conn->forwarded.count, 0);
    cr_assert_eq(a.conn->forwarded.awaited, 0);
}

Test(forward, one_batch_per_destination_and_turn) {
    uint8_t bytes[4096];
    size_t len = 0;
    for (uint32_t i = 0; i < 8; i++)
        len += put_acquire(bytes + len, i, key_of(&t, 1, i), 0);
    caller_send(&a, bytes, len);
    cr_assert_eq(t.workers[0]->counters.of[IDS_MESSAGE_BATCHES_TOTAL], 1);
    cr_assert_eq(t.workers[1]->counters.of[IDS_MESSAGE_BATCHES_TOTAL], 1);
}

Test(forward, the_bound_stops_reading_and_nothing_is_lost) {
    uint8_t bytes[4096];
    size_t len = 0;
    const char *key = key_of(&t, 2, 0);
    t.keep_messages = true;
    for (uint32_t i = 0; i < 50; i++)
        len += put_acquire(bytes + len, i, key, 0);
    caller_send(&a, bytes, len);
    cr_assert_eq(a.conn->forwarded.count, 8);
    cr_assert(ids_conn_is_stalled(a.conn));
    t.keep_messages = false;
    harness_run(&t);
    HEARS(&a, "0 acquired");
    for (unsigned i = 1; i < 50; i++) {
        char wanted[32];
        snprintf(wanted, sizeof wanted, "%u in_progress", i);
        HEARS(&a, wanted);
    }
}

Test(forward, a_waiter_far_away_is_answered) {
    uint8_t bytes[4096];
    const char *key = key_of(&t, 1, 0);
    ask_acquire(&b, 1, key, 0);
    HEARS(&b, "1 acquired");
    ask_acquire(&a, 2, key, 10000);
    HEARS(&a, "nothing");
    ask_plain(&a, 3, IDP_PING);
    HEARS(&a, "3 pong"); /* a waiter holds nothing up */
    caller_send(&b, bytes, put_complete(bytes, 4, key, first_token(1), 5));
    HEARS(&b, "4 completed");
    HEARS(&a, "2 replay");
    cr_assert_eq(a.conn->waiting, 0);
}

static void complete_alone(caller *c, uint32_t msgid, const char *key,
                           uint64_t loop, size_t result_bytes) {
    uint8_t bytes[4096];
    caller_send(
        c, bytes,
        put_complete(bytes, msgid, key, first_token(loop), result_bytes));
}

/* Both stand in the same place of the loop's batch, one after the other. */
Test(forward, what_another_loop_asked_leaves_no_mark_on_ours) {
    ask_acquire(&b, 1, key_of(&t, 0, 0), 0);
    HEARS(&b, "1 acquired");
    ask_acquire(&a, 1, key_of(&t, 1, 0), 0);
    HEARS(&a, "1 acquired");
    complete_alone(&b, 2, key_of(&t, 0, 0), 0, 2000);
    cr_assert_eq(b.got.at[b.got.len - 1], 0xc2, "it is too large to be kept");
    HEARS(&b, "2 completed");
    complete_alone(&a, 2, key_of(&t, 1, 0), 1, 100);
    cr_assert_eq(a.got.at[a.got.len - 1], 0xc3, "this one is kept");
    HEARS(&a, "2 completed");
}

Test(forward, an_answer_to_who_has_died_is_dropped) {
    const char *key = key_of(&t, 1, 0);
    t.keep_messages = true;
    ask_acquire(&a, 1, key, 0);
    caller_close(&a);
    caller_open(&a, &t, 0); /* in the same slot */
    t.keep_messages = false;
    harness_run(&t);
    HEARS(&a, "nothing");
    ask_acquire(&a, 1, key, 0);
    HEARS(&a, "1 in_progress"); /* it did take effect */
}

Test(forward, a_waiter_far_away_is_forgotten_with_its_connection) {
    const char *key = key_of(&t, 1, 0);
    ask_acquire(&b, 1, key, 0);
    HEARS(&b, "1 acquired");
    ask_acquire(&a, 2, key, 10000);
    caller_close(&a);
    caller_open(&a, &t, 0);
    harness_pass(&t, 1000);
    ask_acquire(&b, 3, key, 0);
    HEARS(&b, "3 acquired");
    HEARS(&a, "nothing");
}

Test(forward, a_half_closed_connection_gets_what_is_under_way) {
    const char *key = key_of(&t, 1, 0);
    t.keep_messages = true;
    ask_acquire(&a, 1, key, 0);
    ids_reader_end(t.lines[0], a.conn);
    harness_run(&t);
    cr_assert_not_null(a.conn);
    t.keep_messages = false;
    harness_run(&t);
    HEARS(&a, "1 acquired");
    cr_assert_null(a.conn);
}

Test(forward, an_oversized_result_forwards_too) {
    uint8_t bytes[8192];
    const char *key = key_of(&t, 2, 0);
    size_t len = put_acquire(bytes, 1, key, 0);
    len += put_complete(bytes + len, 2, key, first_token(2), 1025);
    len += put_acquire(bytes + len, 3, key, 0);
    caller_send(&a, bytes, len);
    HEARS(&a, "1 acquired");
    HEARS(&a, "2 completed");
    HEARS(&a, "3 replay");
    HEARS(&a, "nothing");
    cr_assert_lt(a.got.len, 100);
}

Test(forward, hello_moves_a_fresh_connection_with_its_unread_bytes) {
    uint8_t bytes[4096];
    const char *key = key_of(&t, 2, 0);
    size_t len = put_hello(bytes, 1, 2, NULL);
    len += put_acquire(bytes + len, 2, key, 0);
    size_t all = len + put_acquire(bytes + len, 3, key, 0);
    caller_send(&a, bytes, all - 5);
    cr_assert_eq(a.loop, 2);
    HEARS(&a, "1 map");
    HEARS(&a, "2 acquired");
    caller_send(&a, bytes + all - 5, 5);
    HEARS(&a, "3 in_progress");
    cr_assert_eq(t.workers[2]->counters.of[IDS_FORWARDED_TOTAL], 0);
    cr_assert_eq(t.workers[0]->counters.of[IDS_CONNECTIONS], 0);
    cr_assert_eq(t.workers[2]->counters.of[IDS_CONNECTIONS], 1);
}

Test(forward, hello_moves_only_who_is_fresh) {
    ask_hello(&a, 1, 0, NULL);
    HEARS(&a, "1 map");
    ask_hello(&a, 2, 1, NULL);
    HEARS(&a, "2 BAD_REQUEST");
    ask_hello(&a, 3, 0, NULL);
    HEARS(&a, "3 map");
    ask_hello(&b, 4, 3, NULL);
    HEARS(&b, "4 BAD_REQUEST");
    ask_hello(&b, 5, 2, NULL);
    HEARS(&b, "5 map");
    cr_assert_eq(b.loop, 2);
}

Test(forward, a_lease_from_afar_begins_no_earlier_than_it_came) {
    const char *key = key_of(&t, 1, 0);
    uint64_t turn_ms = t.workers[1]->now_ms;
    t.clock_ms = turn_ms + 40; /* its owner was busy when it came */
    ask_acquire(&a, 1, key, 0);
    HEARS(&a, "1 acquired");
    t.clock_ms = turn_ms + 1039;
    ask_acquire(&a, 2, key, 0);
    HEARS(&a, "2 in_progress");
    t.clock_ms = turn_ms + 1040;
    ask_acquire(&a, 3, key, 0);
    HEARS(&a, "3 acquired");
}

Test(forward, stats_are_the_sum_of_all_loops) {
    for (uint32_t i = 0; i < 6; i++)
        ask_acquire(&a, i, key_of(&t, i % 3, i), 0);
    while (a.got.len)
        caller_hear(&a);
    ask_plain(&a, 9, IDP_STATS);
    cr_assert_eq(a.conn->forwarded.count, 0);
    uint8_t acquired[] = {0xae, 'a', 'c', 'q', 'u', 'i', 'r', 'e',
                          'd',  '_', 't', 'o', 't', 'a', 'l', 6};
    cr_assert_not_null(memmem(a.got.at, a.got.len, acquired, sizeof acquired));
    HEARS(&a, "9 map");
}

Test(forward, a_full_mailbox_delays_and_loses_nothing) {
    /* four cells: the fifth batch has to wait */
    const char *key = key_of(&t, 1, 0);
    t.keep_messages = true;
    for (uint32_t i = 0; i < 7; i++) {
        uint8_t bytes[256];
        ids_worker *worker = t.workers[0];
        size_t len = put_acquire(bytes, i, key, 0);
        memcpy(ids_line_input_room(t.lines[0]), bytes, len);
        ids_reader_input(t.lines[0], a.conn, len);
        cr_assert_eq(ids_worker_post(worker), i < 4);
    }
    t.keep_messages = false;
    harness_run(&t);
    HEARS(&a, "0 acquired");
    for (unsigned i = 1; i < 7; i++) {
        char wanted[32];
        snprintf(wanted, sizeof wanted, "%u in_progress", i);
        HEARS(&a, wanted);
    }
}

Test(forward, a_drain_reaches_every_loop) {
    const char *key = key_of(&t, 1, 0);
    ask_acquire(&b, 1, key, 0);
    HEARS(&b, "1 acquired");
    ask_acquire(&a, 2, key, 10000);
    ids_worker_tell_others(t.workers[0], IDS_NOTICE_DRAIN);
    ids_line_drain(t.lines[0]);
    harness_run(&t);
    HEARS(&a, "2 SHUTTING_DOWN");
    ask_plain(&b, 3, IDP_PING);
    HEARS(&b, "3 SHUTTING_DOWN");
}

Test(forward, a_result_too_many_under_way_becomes_limit) {
    uint8_t bytes[4096];
    const char *key = key_of(&t, 1, 0);
    size_t len = put_acquire(bytes, 1, key, 0);
    len += put_complete(bytes + len, 2, key, first_token(1), 1000);
    caller_send(&b, bytes, len);
    HEARS(&b, "1 acquired");
    HEARS(&b, "2 completed");
    harness_limit_buffers(&t, 2500);
    len = 0;
    for (uint32_t i = 0; i < 5; i++)
        len += put_acquire(bytes + len, i, key, 0);
    t.server.unsent_bytes_max = 1u << 20;
    memcpy(ids_line_input_room(t.lines[0]), bytes, len);
    ids_reader_input(t.lines[0], a.conn, len);
    ids_worker_post(t.workers[0]);
    ids_line_take_messages(t.lines[1]);
    harness_limit_buffers(&t, 64u << 10);
    harness_run(&t);
    HEARS(&a, "0 replay");
    HEARS(&a, "1 replay");
    HEARS(&a, "2 replay");
    HEARS(&a, "3 LIMIT");
    HEARS(&a, "4 LIMIT");
}

Test(forward, large_results_that_have_no_room_become_limit) {
    uint8_t bytes[4096];
    const char *key = key_of(&t, 1, 0);
    size_t len = put_acquire(bytes, 1, key, 0);
    len += put_complete(bytes + len, 2, key, first_token(1), 1000);
    caller_send(&b, bytes, len);
    t.server.unsent_bytes_max = 4000;
    len = 0;
    for (uint32_t i = 0; i < 7; i++)
        len += put_acquire(bytes + len, i, key, 0);
    a.takes = 0;
    caller_send(&a, bytes, len);
    cr_assert_not_null(a.conn);
    a.takes = SIZE_MAX;
    ids_worker_mark(t.workers[0], a.conn);
    harness_run(&t);
    unsigned replays = 0, limits = 0;
    while (a.got.len) {
        const char *heard = caller_hear(&a) + 2;
        replays += !strcmp(heard, "replay");
        limits += !strcmp(heard, "LIMIT");
    }
    cr_assert_eq(replays + limits, 7);
    cr_assert_eq(replays, 3);
    /* from now on they are forwarded two at a time, and all of them come */
    caller_send(&a, bytes, len);
    cr_assert_eq(a.conn->forwarded.count, 0);
    for (unsigned i = 0; i < 7; i++) {
        char wanted[32];
        snprintf(wanted, sizeof wanted, "%u replay", i);
        HEARS(&a, wanted);
    }
}

Test(forward, what_one_connection_may_be_owed_bounds_what_travels) {
    uint8_t bytes[4096];
    const char *key = key_of(&t, 1, 0);
    size_t len = put_acquire(bytes, 1, key, 0);
    len += put_complete(bytes + len, 2, key, first_token(1), 1000);
    caller_send(&b, bytes, len);
    t.server.unsent_bytes_max = 2500;
    len = 0;
    for (uint32_t i = 0; i < 20; i++)
        len += put_acquire(bytes + len, i, key, 0);
    memcpy(ids_line_input_room(t.lines[0]), bytes, len);
    ids_reader_input(t.lines[0], a.conn, len);
    ids_worker_post(t.workers[0]);
    ids_line_take_messages(t.lines[1]);
    ids_worker_post(t.workers[1]);
    size_t travels = ids_mailbox_bytes(&t.boxes[0]);
    cr_assert_gt(travels, 2000);
    cr_assert_lt(travels, 2500 + 20 * 200, "%zu bytes", travels);
    harness_run(&t);
    unsigned heard = 0;
    for (; a.got.len; heard++)
        caller_hear(&a);
    cr_assert_eq(heard, 20);
}
