/* SPDX-License-Identifier: Apache-2.0 */
/* test_commands.c -- an operator's commands, from any loop to who carries them
 * out and back. */
#include "server/worker/commands.h"

#include "proto/reply.h"
#include "proto/request.h"

#include "tests/unit/server/harness.h"

#include <criterion/criterion.h>
#include <string.h>

#define LOOPS 3

/* Somebody who carries commands out when the test says so. */
typedef struct handler {
    ids_worker *worker;
    uint32_t count;
    ids_command_request last;
    ids_command_id ids[8];
} handler;

static harness t;
static caller a, b;
static handler peer;

static void take(void *ctx, ids_worker *worker,
                 const ids_command_request *request) {
    handler *to = ctx;
    to->worker = worker;
    to->last = *request;
    to->ids[to->count++] = request->id;
}

static void lag(void *ctx, ids_worker *worker, idp_replication *report) {
    (void)ctx;
    (void)worker;
    report->lag.ops = 12;
    strcpy(report->mode, "sync");
}

static void open_harness(void) {
    harness_open(&t);
    caller_open(&a, &t, 0);
    caller_open(&b, &t, 2);
    a.conn->reading.local = b.conn->reading.local = true;
}

static void begin(void) {
    harness_plan(&t, LOOPS);
    peer = (handler){0};
    t.server.peer = (ids_command_handler){&peer, take, lag};
    open_harness();
}

static void end(void) {
    caller_close(&a);
    caller_close(&b);
    harness_close(&t);
}

TestSuite(commands, .init = begin, .fini = end);

#define HEARS(caller, what) cr_assert_str_eq(caller_hear(caller), what)

static void command(caller *c, uint32_t msgid, idp_method method, bool loss) {
    const idp_request request = {
        .method = method, .msgid = msgid, .accept_loss = loss};
    uint8_t frame[256];
    caller_send(c, frame, idp_request_write(frame, sizeof frame, &request));
}

static void promoted(ids_command_id id) {
    const idp_command_answer answer = {.outcome = IDP_COMMAND_PROMOTED,
                                       .epoch = 9};
    ids_command_answer(t.workers[0], id, &answer);
    harness_run(&t);
}

Test(commands, an_command_on_any_loop_is_taken_on_loop_0_and_answered_there) {
    caller *askers[] = {&a, &b};
    for (uint32_t i = 0; i < 2; i++) {
        command(askers[i], 7 + i, IDP_PROMOTE, i == 1);
        HEARS(askers[i], "nothing");
        cr_assert_eq(peer.worker, t.workers[0]);
        cr_assert_eq(peer.last.command, IDP_PROMOTE);
        cr_assert_eq(peer.last.accept_loss, i == 1);
        promoted(peer.last.id);
        HEARS(askers[i], i == 0 ? "7 promoted" : "8 promoted");
    }
    cr_assert_eq(t.workers[0]->counters.of[IDS_COMMANDS_TOTAL], 2);
    cr_assert_eq(t.workers[0]->counters.of[IDS_COMMANDS_REFUSED_TOTAL], 0);
}

Test(commands, other_requests_of_the_asker_are_served_meanwhile) {
    command(&b, 1, IDP_SWITCHOVER, false);
    ask_plain(&b, 2, IDP_PING);
    ask_acquire(&b, 3, key_of(&t, 1, 0), 0);
    HEARS(&b, "2 pong");
    HEARS(&b, "3 acquired");
    ids_command_refuse(t.workers[0], peer.last.id, "no");
    harness_run(&t);
    HEARS(&b, "1 refused");
    cr_assert_eq(t.workers[0]->counters.of[IDS_COMMANDS_REFUSED_TOTAL], 1);
}

Test(commands, a_command_id_is_answered_once) {
    command(&a, 1, IDP_DETACH, false);
    ids_command_refuse(t.workers[0], peer.last.id, "no");
    ids_command_refuse(t.workers[0], peer.last.id, "no");
    ids_command_refuse(t.workers[0], 0, "no");
    ids_command_refuse(t.workers[0], 99, "no");
    harness_run(&t);
    HEARS(&a, "1 refused");
    HEARS(&a, "nothing");
}

Test(commands, an_asker_that_is_gone_is_dropped_and_its_place_is_free_again) {
    command(&a, 1, IDP_PROMOTE, false);
    command(&b, 1, IDP_PROMOTE, false);
    caller_close(&a);
    caller_close(&b);
    promoted(peer.ids[0]);
    promoted(peer.ids[1]);
    caller_open(&a, &t, 0);
    caller_open(&b, &t, 2);
    b.conn->reading.local = true;
    for (uint32_t i = 0; i < IDS_COMMANDS_MAX; i++)
        command(&b, i, IDP_PROMOTE, false);
    cr_assert_eq(peer.count, 2 + IDS_COMMANDS_MAX);
    HEARS(&a, "nothing");
}

Test(commands, one_more_than_the_limit_is_told_so) {
    for (uint32_t i = 0; i < IDS_COMMANDS_MAX; i++)
        command(i % 2 ? &a : &b, i, IDP_PROMOTE, false);
    command(&b, 50, IDP_DETACH, false);
    HEARS(&b, "50 LIMIT");
    command(&a, 51, IDP_DETACH, false);
    HEARS(&a, "51 LIMIT");
    promoted(peer.ids[2]);
    HEARS(&b, "2 promoted");
    command(&a, 52, IDP_DETACH, false);
    cr_assert_eq(peer.last.command, IDP_DETACH);
}

Test(commands, are_taken_from_this_machine_only_where_there_is_no_secret) {
    b.conn->reading.local = false;
    const idp_method commands[] = {IDP_PROMOTE, IDP_DETACH, IDP_SWITCHOVER,
                                   IDP_SNAPSHOT, IDP_RELOAD};
    for (uint32_t i = 0; i < 5; i++) {
        command(&b, 1, commands[i], true);
        HEARS(&b, "1 DENIED");
    }
    cr_assert_eq(peer.count, 0);
    command(&b, 2, IDP_REPLICATION, false);
    HEARS(&b, "2 map");
}

Test(commands, need_the_secret_where_there_is_one) {
    end();
    harness_plan(&t, LOOPS);
    peer = (handler){0};
    t.server.peer = (ids_command_handler){&peer, take, lag};
    harness_demand(&t, "open");
    open_harness();
    command(&b, 1, IDP_PROMOTE, false);
    HEARS(&b, "1 DENIED");
    command(&b, 2, IDP_REPLICATION, false);
    HEARS(&b, "2 DENIED");
    b.conn->reading.local = false;
    ask_hello(&b, 3, -1, "open");
    HEARS(&b, "3 map");
    command(&b, 4, IDP_PROMOTE, false);
    promoted(peer.last.id);
    HEARS(&b, "4 promoted");
}

/* To whoever it is about, with what was given. */
Test(commands, reload_has_a_handler_of_its_own) {
    handler reloads = {0};
    command(&b, 1, IDP_RELOAD, false);
    HEARS(&b, "1 refused");
    t.server.reload = (ids_command_handler){&reloads, take, NULL};
    uint8_t frame[256];
    const idp_request asked = {
        .method = IDP_RELOAD, .msgid = 2, .dry_run = true, .force = true};
    caller_send(&b, frame, idp_request_write(frame, sizeof frame, &asked));
    cr_assert_eq(reloads.count, 1);
    cr_assert_eq(peer.count, 0);
    cr_assert(reloads.last.dry_run && reloads.last.force);
    cr_assert_not(reloads.last.accept_loss);
    const idp_command_answer done = {.outcome = IDP_COMMAND_EXAMINED,
                                     .text = {(const uint8_t *)"", 0}};
    ids_command_answer(t.workers[0], reloads.last.id, &done);
    harness_run(&t);
    HEARS(&b, "2 examined");
}

Test(commands, who_is_not_there_is_told_by_its_flag) {
    command(&b, 1, IDP_SNAPSHOT, false);
    HEARS(&b, "1 refused");
    cr_assert_eq(peer.count, 0);
    end();
    harness_plan(&t, LOOPS);
    open_harness();
    command(&b, 2, IDP_PROMOTE, true);
    command(&a, 3, IDP_SWITCHOVER, false);
    HEARS(&b, "2 refused");
    HEARS(&a, "3 refused");
}

/* The reply at the head of what this caller got. */
static idp_replication read_report(caller *c) {
    idp_replication report;
    idp_reply reply;
    size_t bytes;
    cr_assert_eq(idp_reply_open(c->got.at, c->got.len, 1 << 20, &reply, &bytes),
                 IDP_REPLY_WHOLE);
    cr_assert(idp_replication_read(reply.result, &report));
    return report;
}

Test(commands, replication_is_told_on_every_loop) {
    caller *askers[] = {&a, &b};
    for (uint32_t i = 0; i < 2; i++) {
        command(askers[i], 1, IDP_REPLICATION, false);
        idp_replication report = read_report(askers[i]);
        cr_assert_str_eq(report.mode, "sync");
        cr_assert_eq(report.lag.ops, 12);
        HEARS(askers[i], "1 map");
    }
}

Test(commands, without_a_peer_replication_says_that_it_is_alone) {
    end();
    harness_plan(&t, LOOPS);
    open_harness();
    command(&b, 1, IDP_REPLICATION, false);
    idp_replication report = read_report(&b);
    cr_assert_str_eq(report.role, "primary");
    cr_assert_str_eq(report.mode, "none");
    cr_assert_eq(report.epoch, t.server.epoch);
    cr_assert_eq(report.in_sync_count, 1);
    cr_assert_str_eq(report.in_sync[0], report.node);
    cr_assert_str_eq(report.peer, "");
    cr_assert_eq(report.lag.ops + report.lag.bytes + report.lag.ms, 0);
}

Test(commands, a_server_that_goes_down_answers_what_is_under_way) {
    command(&b, 1, IDP_PROMOTE, false);
    ids_line_drain(t.lines[0]);
    harness_run(&t);
    HEARS(&b, "1 SHUTTING_DOWN");
    command(&b, 2, IDP_PROMOTE, false);
    HEARS(&b, "2 SHUTTING_DOWN");
    promoted(peer.last.id);
    HEARS(&b, "nothing");
}
