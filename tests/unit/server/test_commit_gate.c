/* SPDX-License-Identifier: Apache-2.0 */
/* test_commit_gate.c -- the commit gate: no reply leaves before what it shows
 * is safe, and none waits for longer than that. */
#include "server/worker/commit_gate.h"
#include "tests/unit/server/harness.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define HEARS(c, text) cr_assert_str_eq(caller_hear(c), text)

static harness t;
static caller a, b;

static void open_two(void) {
    harness_plan(&t, 2);
    t.is_kept = true;
    harness_open(&t);
    caller_open(&a, &t, 0);
    caller_open(&b, &t, 1);
}

static void close_all(void) {
    caller_close(&a);
    caller_close(&b);
    harness_run(&t);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(t.workers[i]->buffers.bytes, 0);
    }
    harness_close(&t);
}

TestSuite(gate, .init = open_two, .fini = close_all);

static void sync_loop(uint32_t loop) {
    cr_assert(harness_sync(&t, loop));
    harness_run(&t);
}

Test(gate, a_reply_waits_until_its_change_is_safe) {
    ask_acquire(&a, 1, key_of(&t, 0, 0), 0);
    HEARS(&a, "nothing");
    sync_loop(0);
    HEARS(&a, "1 acquired");
}

Test(gate, what_changes_nothing_leaves_at_once_when_all_is_safe) {
    ask_acquire(&a, 1, key_of(&t, 0, 0), 0);
    sync_loop(0);
    HEARS(&a, "1 acquired");
    ask_acquire(&a, 2, key_of(&t, 0, 0), 0);
    HEARS(&a, "2 in_progress");
}

Test(gate, a_reader_does_not_see_what_a_crash_could_undo) {
    caller c;
    caller_open(&c, &t, 0);
    ask_acquire(&a, 1, key_of(&t, 0, 0), 0);
    ask_acquire(&c, 2, key_of(&t, 0, 0), 0);
    HEARS(&c, "nothing");
    sync_loop(0);
    HEARS(&c, "2 in_progress");
    caller_close(&c);
    harness_run(&t);
}

Test(gate, each_reply_waits_for_its_own_batch_and_for_no_later_one) {
    const ids_batch *batch;
    ids_worker *worker = t.workers[0];
    ask_acquire(&a, 1, key_of(&t, 0, 0), 0);
    batch = ids_journal_hand_over(worker->journal, worker->now_ms);
    cr_assert_not_null(batch);
    ask_acquire(&a, 2, key_of(&t, 0, 1), 0);
    ask_acquire(&a, 3, key_of(&t, 0, 2), 0);
    const ids_batch_done done = {
        .written = 1, .durable = 1, .free_bytes = UINT64_MAX};
    ids_journal_done(worker->journal, &done);
    ids_commit_gate_release(worker, 1);
    harness_run(&t);
    HEARS(&a, "1 acquired");
    HEARS(&a, "nothing");
    sync_loop(0);
    HEARS(&a, "2 acquired");
    HEARS(&a, "3 acquired");
}

Test(gate, a_reply_from_another_loop_waits_there) {
    ask_acquire(&a, 1, key_of(&t, 1, 0), 0);
    HEARS(&a, "nothing");
    cr_assert_not(harness_sync(&t, 0), "its own loop has changed nothing");
    sync_loop(1);
    HEARS(&a, "1 acquired");
}

Test(gate, what_another_loop_is_asked_does_not_wait) {
    ask_acquire(&a, 1, key_of(&t, 0, 0), 0);
    HEARS(&a, "nothing");
    ask_acquire(&a, 2, key_of(&t, 1, 0), 0);
    sync_loop(1);
    HEARS(&a, "2 acquired");
    sync_loop(0);
    HEARS(&a, "1 acquired");
}

Test(gate, a_waiter_is_told_when_the_complete_is_safe) {
    uint8_t bytes[512];
    ask_acquire(&a, 1, key_of(&t, 0, 0), 0);
    ask_acquire(&b, 2, key_of(&t, 0, 0), 5000);
    sync_loop(0);
    HEARS(&a, "1 acquired");
    caller_send(&a, bytes,
                put_complete(bytes, 3, key_of(&t, 0, 0), (idp_token){7, 1}, 8));
    HEARS(&a, "nothing");
    HEARS(&b, "nothing");
    sync_loop(0);
    HEARS(&a, "3 completed");
    HEARS(&b, "2 replay");
}

Test(gate, a_caller_that_goes_takes_its_held_replies_along) {
    ask_acquire(&a, 1, key_of(&t, 0, 0), 0);
    ask_acquire(&b, 2, key_of(&t, 0, 1), 0);
    caller_close(&a);
    caller_close(&b);
    harness_run(&t);
    sync_loop(0);
    caller_open(&a, &t, 0);
    caller_open(&b, &t, 1);
    HEARS(&b, "nothing");
}

Test(gate, a_full_journal_serves_no_calls_until_there_is_room) {
    uint32_t asked = 0;
    while (!ids_journal_is_full(t.workers[0]->journal)) {
        ask_acquire(&a, asked, key_of(&t, 0, asked), 0);
        asked++;
    }
    ids_commit_gate_set_full(t.workers[0], true);
    uint64_t changes = t.workers[0]->gate.changes;
    ask_acquire(&a, asked, key_of(&t, 0, asked), 0);
    cr_assert_eq(t.workers[0]->gate.changes, changes);
    sync_loop(0);
    cr_assert_eq(t.workers[0]->gate.changes, changes + 1);
    sync_loop(0);
    for (uint32_t i = 0; i <= asked; i++)
        cr_assert_neq(strcmp(caller_hear(&a), "nothing"), 0);
}

/* What other loops have sent was on its way when the journal became full; it
 * is taken, but not without end. */
Test(gate, what_forwards_to_a_journal_that_is_over_full_is_refused) {
    uint32_t asked = 0;
    while (!ids_journal_is_over(t.workers[0]->journal)) {
        ask_acquire(&a, asked, key_of(&t, 0, asked), 0);
        asked++;
    }
    ids_commit_gate_set_full(t.workers[0], true);
    uint64_t changes = t.workers[0]->gate.changes;
    ask_acquire(&b, 1, key_of(&t, 0, asked), 0);
    cr_assert_eq(t.workers[0]->gate.changes, changes);
    sync_loop(0);
    HEARS(&b, "1 LIMIT");
    ask_acquire(&b, 2, key_of(&t, 0, asked), 0);
    sync_loop(0);
    HEARS(&b, "2 acquired");
    for (uint32_t i = 0; i < asked; i++)
        cr_assert_neq(strcmp(caller_hear(&a), "nothing"), 0);
}

Test(gate, a_disk_nearly_full_refuses_claims_and_nothing_else) {
    uint8_t bytes[512];
    const char *held = key_of(&t, 0, 0);
    ask_acquire(&a, 1, held, 0);
    sync_loop(0);
    HEARS(&a, "1 acquired");
    t.workers[0]->gate.disk_is_full = true;
    ask_acquire(&a, 2, key_of(&t, 0, 1), 0);
    HEARS(&a, "2 NO_MEMORY");
    ask_acquire(&b, 3, key_of(&t, 0, 1), 0);
    HEARS(&b, "3 NO_MEMORY");
    ask_acquire(&a, 4, held, 0);
    HEARS(&a, "4 in_progress");
    caller_send(&a, bytes, put_complete(bytes, 5, held, (idp_token){7, 1}, 8));
    sync_loop(0);
    HEARS(&a, "5 completed");
}

Test(gate, claims_are_held_for_a_while_after_an_empty_start) {
    t.workers[0]->gate.claims_from_ms = t.workers[0]->now_ms + 100;
    ask_acquire(&a, 1, key_of(&t, 0, 0), 0);
    HEARS(&a, "1 LIMIT");
    harness_pass(&t, 100);
    ask_acquire(&a, 2, key_of(&t, 0, 0), 0);
    sync_loop(0);
    HEARS(&a, "2 acquired");
}

Test(gate, nothing_leaves_once_the_gate_is_shut) {
    ask_acquire(&a, 1, key_of(&t, 0, 0), 0);
    ids_commit_gate_shut(t.workers[0]);
    cr_assert(harness_sync(&t, 0));
    harness_run(&t);
    ask_plain(&a, 2, IDP_PING);
    HEARS(&a, "nothing");
}
