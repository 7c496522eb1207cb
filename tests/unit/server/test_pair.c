/* SPDX-License-Identifier: Apache-2.0 */
/* test_pair.c -- workers that have a peer: what leaves when, who is sent away
 * with which words, and how another node's records come in. */
#include "proto/owner.h"
#include "proto/reply.h"
#include "proto/request.h"
#include "server/journal/change.h"
#include "server/worker/commit_gate.h"
#include "server/worker/take_role.h"
#include "tests/unit/server/harness.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define HEARS(c, text) cr_assert_str_eq(caller_hear(c), text)
#define EPOCH          9

static harness t;
static caller a, b;
static ids_role_state role_state;

static void serve_all(void) {
    for (uint32_t i = 0; i < t.server.loops; i++)
        ids_worker_set_role(t.workers[i], &role_state);
    harness_run(&t);
}

static void release(uint32_t loop, uint64_t watermark) {
    ids_commit_gate_release(t.workers[loop], watermark);
    harness_run(&t);
}

/* All loops lead; nothing leaves before it is replicated. */
static void lead(void) {
    for (uint32_t i = 0; i < t.server.loops; i++) {
        uint64_t last =
            ids_worker_lead(t.workers[i], EPOCH, IDS_CLOCK_START_MS);
        ids_commit_gate_release(t.workers[i], last);
    }
    role_state = (ids_role_state){
        .role = IDS_LEADS, .epoch = EPOCH, .lead_epoch = EPOCH, .in_sync = 2};
    serve_all();
}

static void follow(const char *primary_at) {
    role_state.role = IDS_FOLLOWS;
    strcpy(role_state.primary_at, primary_at);
    serve_all();
}

static void open_leading(void) {
    harness_plan(&t, 2);
    t.is_replicated = true;
    harness_open(&t);
    caller_open(&a, &t, 0);
    caller_open(&b, &t, 1);
    lead();
}

static void close_all(void) {
    caller_close(&a);
    caller_close(&b);
    harness_run(&t);
    for (uint32_t i = 0; i < t.server.loops; i++) {
        cr_assert_eq(t.workers[i]->buffers.bytes, 0);
        cr_assert_eq(t.workers[i]->gate.replies, 0);
    }
    harness_close(&t);
}

TestSuite(pair, .init = open_leading, .fini = close_all);

/* The change buffer -------------------------------------------------------- */

Test(pair, every_change_is_in_the_change_buffer_once_with_its_number) {
    const ids_change_buffer *change_buffer = &t.workers[0]->change_buffer;
    ids_change_buffer_at at = {0};
    uint64_t number;
    idp_slice bytes;
    ids_change change;
    ask_acquire(&a, 1, key_of(&t, 0, 0), 0);
    ask_acquire(&a, 2, key_of(&t, 0, 0), 0);
    ask_acquire(&a, 3, key_of(&t, 0, 1), 0);
    cr_assert_eq(change_buffer->count, 2);
    for (uint64_t i = 1; i <= 2; i++) {
        cr_assert(ids_change_buffer_next(change_buffer, &at, &number, &bytes));
        cr_assert_eq(number, i);
        cr_assert_eq(ids_change_read(bytes.ptr, bytes.len, &change), bytes.len);
        cr_assert_eq(change.token.epoch, EPOCH);
        cr_assert_eq(change.state, IDP_STATE_IN_PROGRESS);
    }
    cr_assert_not(ids_change_buffer_next(change_buffer, &at, &number, &bytes));
    ids_change_buffer_clear(&t.workers[0]->change_buffer);
    cr_assert(ids_change_buffer_is_empty(change_buffer));
}

Test(pair, a_change_that_found_no_memory_is_a_gap_and_no_wrong_stream) {
    ids_change_buffer *change_buffer = &t.workers[0]->change_buffer;
    ids_change_buffer_at at = {0};
    uint64_t number, numbers = 0;
    idp_slice bytes;
    ask_acquire(&a, 1, key_of(&t, 0, 0), 0);
    change_buffer->lost++; /* as if the second had */
    t.workers[0]->gate.changes++;
    ask_acquire(&a, 3, key_of(&t, 0, 1), 0);
    cr_assert(ids_change_buffer_is_high(change_buffer));
    while (ids_change_buffer_next(change_buffer, &at, &number, &bytes)) {
        cr_assert_eq(number, ++numbers);
        cr_assert_eq(bytes.len == IDS_CHANGE_BUFFER_LOST_BYTES, number > 1);
    }
    cr_assert_eq(numbers, 3);
    ids_change_buffer_clear(change_buffer);
    ask_acquire(&a, 4, key_of(&t, 0, 2), 0);
    at = (ids_change_buffer_at){0};
    cr_assert(ids_change_buffer_next(change_buffer, &at, &number, &bytes));
    cr_assert_eq(number, 4);
    cr_assert_not_null(bytes.ptr);
    release(0, 4);
}

/* The gate ----------------------------------------------------------------- */

Test(pair, a_reply_waits_for_the_replica) {
    ask_acquire(&a, 1, key_of(&t, 0, 0), 0);
    ask_acquire(&b, 2, key_of(&t, 0, 0), 0);
    HEARS(&a, "nothing");
    HEARS(&b, "nothing");
    cr_assert_eq(ids_commit_gate_left(&t.workers[0]->gate, 0), 0);
    cr_assert_eq(ids_commit_gate_left(&t.workers[0]->gate, 1), 1);
    release(0, 1);
    HEARS(&a, "1 acquired");
    HEARS(&b, "2 in_progress");
}

/* Whoever keeps changes safe speaks at the end of a turn: before the first one
 * nothing is safe. */
Test(pair_new, nothing_leaves_before_a_worker_has_ended_its_first_turn) {
    harness_plan(&t, 1);
    t.is_replicated = t.is_new = true;
    harness_open(&t);
    caller_open(&a, &t, 0);
    ids_worker_lead(t.workers[0], EPOCH, IDS_CLOCK_START_MS);
    ask_acquire(&a, 1, key_of(&t, 0, 0), 0);
    HEARS(&a, "nothing");
    release(0, 1);
    HEARS(&a, "1 acquired");
    caller_close(&a);
    harness_close(&t);
}

Test(pair, what_shows_no_record_waits_for_nothing) {
    caller c;
    ask_acquire(&a, 1, key_of(&t, 0, 0), 0);
    caller_open(&c, &t, 0);
    ask_hello(&c, 2, -1, NULL);
    ask_plain(&c, 3, IDP_PING);
    ask_plain(&c, 4, IDP_STATS);
    HEARS(&c, "2 map");
    HEARS(&c, "3 pong");
    HEARS(&c, "4 map");
    ask_plain(&a, 5, IDP_PING);
    HEARS(&a, "5 pong");
    HEARS(&a, "nothing");
    release(0, 1);
    HEARS(&a, "1 acquired");
    caller_close(&c);
}

Test(pair, replies_that_wait_in_vain_become_errors) {
    const ids_counters *counters = &t.workers[0]->counters;
    ask_acquire(&a, 1, key_of(&t, 0, 0), 0);
    ask_plain(&a, 2, IDP_PING);
    ask_acquire(&a, 3, key_of(&t, 0, 1), 0);
    ask_acquire(&a, 4, key_of(&t, 0, 1), 0);
    ids_commit_gate_fail(t.workers[0], UINT64_MAX, IDP_E_UNREPLICATED, NULL);
    harness_run(&t);
    HEARS(&a, "2 pong");
    HEARS(&a, "1 UNREPLICATED");
    HEARS(&a, "3 UNREPLICATED");
    HEARS(&a, "4 UNREPLICATED");
    cr_assert_eq(counters->of[IDS_ERROR_UNREPLICATED_TOTAL], 3);
    cr_assert_eq(ids_commit_gate_oldest_ms(&t.workers[0]->gate), UINT64_MAX);
    release(0, 2);
    HEARS(&a, "nothing");
}

Test(pair, only_what_has_waited_for_long_is_given_up) {
    ask_acquire(&a, 1, key_of(&t, 0, 0), 0);
    uint64_t before = t.workers[0]->now_ms;
    cr_assert_eq(ids_commit_gate_oldest_ms(&t.workers[0]->gate), before);
    harness_pass(&t, 50);
    ask_acquire(&a, 2, key_of(&t, 0, 1), 0);
    ask_acquire(&b, 3, key_of(&t, 0, 2), 0);
    ids_commit_gate_fail(t.workers[0], before, IDP_E_UNREPLICATED, NULL);
    harness_run(&t);
    HEARS(&a, "1 UNREPLICATED");
    HEARS(&a, "nothing");
    HEARS(&b, "nothing");
    cr_assert_eq(ids_commit_gate_oldest_ms(&t.workers[0]->gate), before + 50);
    release(0, 3);
    HEARS(&a, "2 acquired");
    HEARS(&b, "3 acquired");
}

Test(pair, a_reply_held_for_another_loop_fails_there) {
    ask_acquire(&b, 1, key_of(&t, 0, 0), 0);
    HEARS(&b, "nothing");
    ids_commit_gate_fail(t.workers[0], UINT64_MAX, IDP_E_UNREPLICATED, NULL);
    harness_run(&t);
    HEARS(&b, "1 UNREPLICATED");
    cr_assert_eq(b.conn->forwarded.count, 0);
    cr_assert_eq(b.conn->forwarded.bytes, 0);
}

Test(pair, many_held_replies_fail_within_their_limits) {
    char wanted[32];
    for (uint32_t i = 0; i < 60; i++)
        ask_acquire(&a, i, key_of(&t, 0, i), 0);
    ids_commit_gate_fail(t.workers[0], UINT64_MAX, IDP_E_NOT_PRIMARY,
                         "10.0.0.2:7117");
    harness_run(&t);
    for (unsigned i = 0; i < 60; i++) {
        snprintf(wanted, sizeof wanted, "%u NOT_PRIMARY", i);
        HEARS(&a, wanted);
        cr_assert_str_eq(a.error, "NOT_PRIMARY 10.0.0.2:7117");
    }
}

/* Serving ------------------------------------------------------------------ */

static void put_peek(caller *c, uint32_t msgid, const char *key) {
    uint8_t bytes[256];
    const idp_request peek = {.method = IDP_PEEK,
                              .msgid = msgid,
                              .ns = {(const uint8_t *)"t", 1},
                              .key = {(const uint8_t *)key, strlen(key)}};
    caller_send(c, bytes, idp_request_write(bytes, sizeof bytes, &peek));
}

Test(pair, without_its_replica_it_shows_and_changes_nothing) {
    role_state.changing = IDP_E_UNREPLICATED;
    strcpy(role_state.why, "no replica is connected");
    serve_all();
    ask_acquire(&a, 1, key_of(&t, 0, 0), 0);
    HEARS(&a, "1 UNREPLICATED");
    cr_assert_str_eq(a.error, "UNREPLICATED no replica is connected");
    put_peek(&a, 2, key_of(&t, 0, 0));
    HEARS(&a, "2 absent");
    ask_acquire(&a, 3, key_of(&t, 1, 0), 0);
    HEARS(&a, "3 UNREPLICATED");
    ask_plain(&a, 4, IDP_PING);
    HEARS(&a, "4 pong");
    cr_assert_eq(t.workers[0]->gate.changes + t.workers[1]->gate.changes, 0);
}

Test(pair, a_token_of_a_later_epoch_is_another_primarys) {
    uint8_t bytes[512];
    const char *key = key_of(&t, 0, 0);
    strcpy(role_state.primary_at, "10.0.0.2:7117");
    serve_all();
    caller_send(&a, bytes,
                put_complete(bytes, 1, key, (idp_token){EPOCH + 1, 1}, 8));
    HEARS(&a, "1 NOT_PRIMARY");
    cr_assert_str_eq(a.error, "NOT_PRIMARY 10.0.0.2:7117");
    caller_send(&a, bytes,
                put_complete(bytes, 2, key, (idp_token){EPOCH, 1}, 8));
    HEARS(&a, "2 unknown");
}

static idp_hello says_hello(caller *c) {
    idp_reply reply;
    idp_hello hello;
    size_t size;
    ask_hello(c, 77, -1, NULL);
    cr_assert_eq(idp_reply_open(c->got.at, c->got.len, 4096, &reply, &size),
                 IDP_REPLY_WHOLE);
    cr_assert(idp_hello_read(reply.result, &hello));
    HEARS(c, "77 map");
    return hello;
}

Test(pair, hello_says_who_it_is_now) {
    idp_hello hello = says_hello(&a);
    cr_assert_str_eq(hello.role, "primary");
    cr_assert_eq(hello.epoch, EPOCH);
    role_state.epoch = EPOCH + 3;
    follow("");
    hello = says_hello(&b);
    cr_assert_str_eq(hello.role, "replica");
    cr_assert_eq(hello.epoch, EPOCH + 3);
}

/* Standing down ------------------------------------------------------------ */

Test(pair, standing_down_sends_everyone_to_the_new_primary) {
    ask_acquire(&a, 1, key_of(&t, 0, 0), 0);
    release(0, 1);
    HEARS(&a, "1 acquired");
    ask_acquire(&a, 2, key_of(&t, 0, 1), 0);    /* held */
    ask_acquire(&a, 3, key_of(&t, 0, 0), 5000); /* parked */
    ask_acquire(&b, 4, key_of(&t, 0, 0), 5000); /* parked there */
    ask_acquire(&b, 5, key_of(&t, 0, 2), 0);    /* held there */
    follow("10.0.0.2:7117");
    release(0, UINT64_MAX);
    /* What was held may be at the new primary: nobody is told that nothing
     * was done. Who was parked is: nothing was. */
    HEARS(&a, "2 UNREPLICATED");
    HEARS(&a, "3 NOT_PRIMARY");
    cr_assert_str_eq(a.error, "NOT_PRIMARY 10.0.0.2:7117");
    for (int i = 0; i < 2; i++) {
        const char *heard = caller_hear(&b);
        cr_assert(!strcmp(heard, "4 NOT_PRIMARY") ||
                  !strcmp(heard, "5 UNREPLICATED"));
    }
    cr_assert_eq(a.conn->waiting + b.conn->waiting, 0);
    ask_acquire(&a, 6, key_of(&t, 1, 0), 0);
    HEARS(&a, "6 NOT_PRIMARY");
    cr_assert(ids_change_buffer_is_empty(&t.workers[0]->change_buffer));
}

Test(pair, who_does_not_know_the_new_primary_says_only_that) {
    follow("");
    ask_acquire(&a, 1, key_of(&t, 0, 0), 0);
    HEARS(&a, "1 NOT_PRIMARY");
    cr_assert_str_eq(a.error, "NOT_PRIMARY");
}

Test(pair, a_switchover_takes_no_calls_and_lets_what_is_held_leave) {
    ask_acquire(&a, 1, key_of(&t, 0, 0), 0);
    ask_acquire(&b, 2, key_of(&t, 0, 0), 5000);
    role_state.role = IDS_DRAINS;
    serve_all();
    ask_acquire(&b, 3, key_of(&t, 0, 1), 0);
    HEARS(&b, "2 NOT_PRIMARY");
    HEARS(&b, "3 NOT_PRIMARY");
    HEARS(&a, "nothing");
    release(0, 1);
    HEARS(&a, "1 acquired");
    role_state.role = IDS_LEADS; /* it came to nothing */
    serve_all();
    ask_acquire(&a, 4, key_of(&t, 0, 0), 0);
    HEARS(&a, "4 in_progress");
}

Test(pair, leading_again_grants_larger_tokens) {
    ask_acquire(&a, 1, key_of(&t, 0, 0), 0);
    release(0, 1);
    HEARS(&a, "1 acquired");
    follow("10.0.0.2:7117");
    for (uint32_t i = 0; i < 2; i++)
        cr_assert_eq(
            ids_worker_lead(t.workers[i], EPOCH + 5, t.workers[i]->now_ms),
            i == 0);
    role_state.role = IDS_LEADS;
    role_state.epoch = role_state.lead_epoch = EPOCH + 5;
    serve_all();
    ask_acquire(&a, 2, key_of(&t, 0, 1), 0);
    ids_change_buffer_at at = {0};
    uint64_t number;
    idp_slice bytes;
    ids_change change;
    cr_assert(ids_change_buffer_next(&t.workers[0]->change_buffer, &at, &number,
                                     &bytes));
    cr_assert_eq(number, 2);
    cr_assert(ids_change_read(bytes.ptr, bytes.len, &change));
    cr_assert_eq(change.token.epoch, EPOCH + 5);
}

/* The magic ---------------------------------------------------------------- */

Test(pair, another_server_is_told_by_its_magic) {
    t.server.takes_peers = true;
    caller_send_slowly(&a, "idempee", 7);
    cr_assert_not(a.is_peer);
    caller_send(&a, "rHELLO", 6);
    cr_assert(a.is_peer);
    cr_assert_null(a.conn);
    cr_assert_eq(a.behind.len, 5);
    cr_assert_eq(memcmp(a.behind.at, "HELLO", 5), 0);
}

static void expect_line(const char *says, const char *hears) {
    caller c;
    caller_open(&c, &t, 0);
    caller_send_slowly(&c, says, strlen(says));
    cr_assert_null(c.conn);
    cr_assert_not(c.is_peer);
    idt_buf_add_byte(&c.got, 0);
    cr_assert_not_null(strstr((const char *)c.got.at, hears), "%s hears %s",
                       says, (const char *)c.got.at);
    caller_close(&c);
}

Test(pair, a_server_without_a_peer_says_so) {
    expect_line("idempeer", "--replicate-from");
    expect_line("ideas", "requests are arrays");
    t.server.takes_peers = true;
    expect_line("idempear", "requests are arrays");
}

Test(pair, who_shouts_behind_the_magic_is_sent_away) {
    static char much[8 + IDS_STRANGER_BYTES_MAX + 1] = "idempeer";
    t.server.takes_peers = true;
    caller_send(&a, much, sizeof much);
    cr_assert_null(a.conn);
    cr_assert_not(a.is_peer);
}
