/* SPDX-License-Identifier: Apache-2.0 */
/* test_woken.c -- one result for all who wait for it: made once on each loop,
 * wherever they are, and sent to each as it takes it. */
#include "server/worker/commit_gate.h"
#include "tests/unit/server/harness.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RESULT_BYTES 100000u
#define HALF         20u /* of those who wait: as many on each loop */

#define HEARS(c, text) cr_assert_str_eq(caller_hear(c), text)

static harness t;
static caller holder, waiters[2 * HALF];

static void open_with(bool is_kept) {
    harness_plan(&t, 2);
    t.is_kept = is_kept;
    t.server.result_bytes_max = RESULT_BYTES;
    t.server.unsent_bytes_max = 4 * RESULT_BYTES;
    t.server.buffer_bytes_max = 3 * RESULT_BYTES;
    harness_open(&t);
    caller_open(&holder, &t, 0);
    for (uint32_t i = 0; i < 2 * HALF; i++)
        caller_open(&waiters[i], &t, i % 2);
}

static void open_plain(void) {
    open_with(false);
}

static void open_kept(void) {
    open_with(true);
}

static void close_all(void) {
    caller_close(&holder);
    for (uint32_t i = 0; i < 2 * HALF; i++)
        caller_close(&waiters[i]);
    harness_run(&t);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(t.workers[i]->buffers.bytes, 0);
        cr_assert_eq(t.workers[i]->gate.replies, 0);
        cr_assert_null(t.workers[i]->woken.rest);
    }
    harness_close(&t);
}

TestSuite(woken, .init = open_plain, .fini = close_all);
TestSuite(woken_kept, .init = open_kept, .fini = close_all);

static void sync_all(void) {
    for (uint32_t loop = 0; t.is_kept && loop < 2; loop++)
        while (harness_sync(&t, loop))
            harness_run(&t);
}

static void wait_all(void) {
    ask_acquire(&holder, 1, key_of(&t, 0, 0), 0);
    sync_all();
    HEARS(&holder, "1 acquired");
    for (uint32_t i = 0; i < 2 * HALF; i++)
        ask_acquire(&waiters[i], 10 + i, key_of(&t, 0, 0), 5000);
}

static void complete(void) {
    uint8_t *bytes = malloc(RESULT_BYTES + 4096);
    caller_send(&holder, bytes,
                put_complete(bytes, 2, key_of(&t, 0, 0), (idp_token){7, 1},
                             RESULT_BYTES));
    free(bytes);
}

static void all_hear(const char *what) {
    char text[32];
    for (uint32_t i = 0; i < 2 * HALF; i++) {
        snprintf(text, sizeof text, "%u %s", 10 + i, what);
        HEARS(&waiters[i], text);
        HEARS(&waiters[i], "nothing");
    }
}

Test(woken, all_who_wait_get_the_result) {
    wait_all();
    complete();
    HEARS(&holder, "2 completed");
    all_hear("replay");
}

Test(woken, a_result_is_kept_once_for_all_who_do_not_read) {
    wait_all();
    for (uint32_t i = 0; i < 2 * HALF; i++)
        waiters[i].takes = 0;
    complete();
    for (int i = 0; i < 2; i++)
        cr_assert_leq(t.workers[i]->buffers.bytes, RESULT_BYTES + HALF * 500);
    for (uint32_t i = 0; i < 2 * HALF; i++) {
        waiters[i].takes = 999; /* a piece at a time */
        ids_worker_mark(t.workers[i % 2], waiters[i].conn);
    }
    harness_run(&t);
    all_hear("replay");
}

Test(woken, other_replies_go_on_around_a_large_one) {
    wait_all();
    waiters[0].takes = 0;
    complete();
    ask_plain(&waiters[0], 99, IDP_PING);
    waiters[0].takes = SIZE_MAX;
    ids_worker_mark(t.workers[0], waiters[0].conn);
    harness_run(&t);
    HEARS(&waiters[0], "10 replay");
    HEARS(&waiters[0], "99 pong");
}

Test(woken, one_that_waited_many_times_gets_one_after_the_other) {
    ask_acquire(&holder, 1, key_of(&t, 0, 0), 0);
    HEARS(&holder, "1 acquired");
    for (uint32_t i = 0; i < 8; i++)
        ask_acquire(&waiters[0], 10 + i, key_of(&t, 0, 0), 5000);
    complete();
    for (uint32_t i = 0; i < 8; i++) {
        char text[32];
        snprintf(text, sizeof text, "%u replay", 10 + i);
        HEARS(&waiters[0], text);
    }
}

Test(woken, who_has_gone_costs_nobody_anything) {
    wait_all();
    caller_close(&waiters[0]);
    caller_close(&waiters[1]);
    waiters[2].takes = waiters[3].takes = 0;
    complete();
    caller_close(&waiters[2]);
    caller_close(&waiters[3]);
    for (uint32_t i = 4; i < 2 * HALF; i++)
        cr_assert_str_eq(strchr(caller_hear(&waiters[i]), ' '), " replay");
}

Test(woken, without_room_for_the_result_all_are_told_to_ask_again) {
    wait_all();
    harness_limit_buffers(&t, RESULT_BYTES + 30000); /* once */
    complete();
    all_hear("LIMIT");
}

Test(woken_kept, a_result_waits_for_its_change_and_is_then_for_all) {
    wait_all();
    complete();
    for (uint32_t i = 0; i < 2 * HALF; i++)
        HEARS(&waiters[i], "nothing");
    sync_all();
    all_hear("replay");
}

Test(woken_kept, a_result_that_is_taken_back_is_an_error_for_all) {
    wait_all();
    complete();
    ids_commit_gate_fail(t.workers[0], UINT64_MAX, IDP_E_UNREPLICATED, NULL);
    harness_run(&t);
    all_hear("UNREPLICATED");
    sync_all();
    for (uint32_t i = 0; i < 2 * HALF; i++)
        HEARS(&waiters[i], "nothing");
}

#define CROWD       (IDS_SPARE_BUFFERS + 16u)
#define SMALL_BYTES 200u

static caller crowd[CROWD];

static void a_crowd_waits(void) {
    ask_acquire(&holder, 1, key_of(&t, 0, 0), 0);
    sync_all();
    HEARS(&holder, "1 acquired");
    for (uint32_t i = 0; i < CROWD; i++) {
        caller_open(&crowd[i], &t, 0);
        ask_acquire(&crowd[i], 10 + i, key_of(&t, 0, 0), 5000);
    }
    uint8_t bytes[SMALL_BYTES + 256];
    caller_send(&holder, bytes,
                put_complete(bytes, 2, key_of(&t, 0, 0), (idp_token){7, 1},
                             SMALL_BYTES));
}

static void the_crowd_hears(const char *what) {
    char text[32];
    for (uint32_t i = 0; i < CROWD; i++) {
        snprintf(text, sizeof text, "%u %s", 10 + i, what);
        HEARS(&crowd[i], text);
        HEARS(&crowd[i], "nothing");
        caller_close(&crowd[i]);
    }
}

Test(woken, a_crowd_hears_a_small_result) {
    a_crowd_waits();
    the_crowd_hears("replay");
}

/* Most of them have a buffer that goes round; of what the others are to hear
 * there are no bytes before it leaves. */
Test(woken_kept, a_small_result_is_copied_for_no_crowd_before_it_leaves) {
    a_crowd_waits();
    uint32_t unwritten = 0;
    for (uint32_t i = 0; i < CROWD; i++)
        unwritten += ids_conn_unwritten(crowd[i].conn);
    cr_assert_geq(unwritten, CROWD - IDS_SPARE_BUFFERS);
    cr_assert_leq(t.workers[0]->buffers.bytes,
                  IDS_SPARE_BUFFERS * (SMALL_BYTES + 100) + 1000);
    sync_all();
    the_crowd_hears("replay");
    HEARS(&holder, "2 completed");
}

Test(woken_kept, a_small_result_that_is_taken_back_is_an_error_for_a_crowd) {
    a_crowd_waits();
    ids_commit_gate_fail(t.workers[0], UINT64_MAX, IDP_E_UNREPLICATED, NULL);
    harness_run(&t);
    the_crowd_hears("UNREPLICATED");
    sync_all();
}
