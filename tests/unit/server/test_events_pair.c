/* SPDX-License-Identifier: Apache-2.0 */
/* test_events_pair.c -- what has happened to keys, where what is told has to be
 * kept by another node first, and where another one takes over. */
#include "server/worker/commit_gate.h"
#include "server/worker/take_role.h"
#include "tests/unit/server/events.h"

static ids_role_state role_state;

static void set_role(ids_worker_role role, uint64_t epoch) {
    role_state = (ids_role_state){
        .role = role, .epoch = epoch, .lead_epoch = epoch, .in_sync = 2};
    snprintf(role_state.primary_at, sizeof role_state.primary_at, "10.0.0.2:1");
    for (uint32_t i = 0; i < 3; i++)
        ids_worker_set_role(t.workers[i], &role_state);
    harness_run(&t);
}

static void let_go(void) {
    for (uint32_t i = 0; i < 3; i++)
        ids_commit_gate_release(t.workers[i], t.workers[i]->gate.changes);
    harness_run(&t);
}

static void begin_pair(void) {
    plan();
    t.is_replicated = true;
    harness_open(&t);
    for (uint32_t i = 0; i < 3; i++)
        ids_commit_gate_release(
            t.workers[i], ids_worker_lead(t.workers[i], 9, IDS_CLOCK_START_MS));
    set_role(IDS_LEADS, 9);
    caller_open(&shop, &t, 0);
    caller_open(&ops, &t, 1);
    caller_open(&other, &t, 2);
}

TestSuite(events_pair, .init = begin_pair, .fini = end);

static void send_claim(const char *key) {
    ask_acquire(&shop, 3, key, 0);
    harness_run(&t);
    cr_assert_str_eq(caller_hear(&shop), "nothing");
}

Test(events_pair, what_could_be_taken_back_is_not_told) {
    for (uint32_t loop = 0; loop < 3; loop++) {
        watch(&ops, (idp_request){0});
        send_claim(key_of(&t, loop, 0));
        send_wait(&ops, 20000);
        harness_pass(&t, 1000);
        cr_assert_str_eq(caller_hear(&ops), "nothing", "%u", loop);
        let_go();
        cr_assert_str_eq(caller_hear(&shop), "3 acquired");
        harness_pass(&t, IDS_POLL_AGAIN_MS);
        cr_assert_str_eq(caller_hear(&ops), "8 map", "%u", loop);
    }
}

Test(events_pair, what_waits_in_vain_ends_in_an_error_and_is_had_later) {
    watch(&ops, (idp_request){0});
    send_claim(key_of(&t, 2, 0)); /* another one's than who asks */
    send_wait(&ops, 20000);
    harness_pass(&t, 100);
    for (uint32_t i = 0; i < 3; i++)
        ids_commit_gate_fail(t.workers[i], UINT64_MAX, IDP_E_UNREPLICATED,
                             NULL);
    harness_run(&t);
    cr_assert_str_eq(caller_hear(&ops), "8 UNREPLICATED");
    cr_assert_str_eq(caller_hear(&shop), "3 UNREPLICATED");
    let_go();
    cr_assert_eq(see(&ops), 1);
}

Test(events_pair, a_failover_meanwhile) {
    watch(&ops, (idp_request){0});
    send_wait(&ops, 60000);
    set_role(IDS_FOLLOWS, 10);
    harness_pass(&t, IDS_POLL_AGAIN_MS);
    cr_assert_str_eq(caller_hear(&ops), "8 NOT_PRIMARY");
    cr_assert_str_eq(error_of(ask_next(&ops)), "NOT_PRIMARY 10.0.0.2:1");
    for (uint32_t i = 0; i < 3; i++)
        ids_worker_lead(t.workers[i], 11, IDS_CLOCK_START_MS);
    set_role(IDS_LEADS, 11);
    cr_assert_str_eq(
        error_of(ask_next(&ops)),
        "BAD_REQUEST cursor: nobody watches by it here, or no more; begin "
        "anew",
        "what came meanwhile was another node's");
    watch(&ops, (idp_request){0});
    send_claim("k");
    let_go();
    cr_assert_str_eq(caller_hear(&shop), "3 acquired");
    cr_assert_eq(see(&ops), 1);
}
