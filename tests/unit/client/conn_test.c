/* SPDX-License-Identifier: Apache-2.0 */
/* conn_test.c -- the loop-driven connection, driven by poll(2) here: one
 * thread, time from the monotonic clock, a server that misbehaves. */
#include <criterion/criterion.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "client/include/idemclient_loop.h"
#include "tests/lib/conn_turn.h"
#include "tests/unit/client/fake.h"

typedef struct server_log {
    _Atomic int requests;
    int hang_up_at;   /* the n-th request, from 1; 0: never */
    int mute_from;    /* the n-th request and all after it; 0: never */
    const char *move; /* NOT_PRIMARY with this text */
    uint8_t nonces[16][16];
} server_log;

static void follow(void *ctx, uint64_t link, const idp_request *request,
                   fake_reply *reply) {
    server_log *log = ctx;
    (void)link;
    int n = atomic_fetch_add(&log->requests, 1) + 1;
    if (n <= 16 && request->nonce.len == 16)
        memcpy(log->nonces[n - 1], request->nonce.ptr, 16);
    *reply = (fake_reply){.action = FAKE_ANSWER,
                          .answer = fake_acquired(request->key.ptr[0])};
    if (request->method == IDP_COMPLETE)
        reply->answer = fake_completed(true);
    if (log->move != NULL)
        *reply = (fake_reply){.action = FAKE_REFUSE,
                              .error = IDP_E_NOT_PRIMARY,
                              .text = log->move};
    if (n == log->hang_up_at)
        reply->action = FAKE_HANG_UP;
    if (log->mute_from > 0 && n >= log->mute_from)
        reply->action = FAKE_MUTE;
}

typedef struct heard {
    int times;
    int32_t outcome;
    int32_t code;
    uint8_t number;
    idem_conn *again; /* asks once more from within the callback */
} heard;

static idem_args args_of(const char *key, uint32_t timeout_ms) {
    return (idem_args){.size = sizeof(idem_args),
                       .timeout_ms = timeout_ms,
                       .key = key,
                       .key_len = strlen(key)};
}

static void hear(void *ctx, const idem_answer *answer, const idem_error *err) {
    heard *h = ctx;
    h->times++;
    if (err != NULL)
        h->code = err->code;
    else
        h->outcome = answer->outcome;
    if (answer != NULL)
        h->number = answer->token.bytes[15];
    idem_conn *conn = h->again;
    h->again = NULL;
    if (conn != NULL) {
        idem_args args = args_of("z", 0);
        cr_assert_eq(
            idem_conn_call(conn, IDEM_ACQUIRE, &args, idem_now_ms(), hear, h),
            0);
    }
}

static void turn_until(idem_conn *conn, const heard *h, int times) {
    while (h->times < times)
        idt_conn_turn(conn);
}

static fake_server *serve(server_log *log) {
    fake_config config = {.script = follow, .ctx = log};
    return fake_start(&config);
}

static idem_conn *open_conn(const char *uri) {
    idem_conn *conn = NULL;
    idem_error err = {.size = sizeof err};
    cr_assert_eq(idem_conn_open(uri, idem_now_ms(), &conn, &err), 0, "%s",
                 err.text);
    return conn;
}

static void ask(idem_conn *conn, const char *key, heard *h) {
    idem_args args = args_of(key, 0);
    cr_assert_eq(
        idem_conn_call(conn, IDEM_ACQUIRE, &args, idem_now_ms(), hear, h), 0);
}

Test(conn, calls_made_before_it_is_connected_are_answered) {
    server_log log = {0};
    fake_server *server = serve(&log);
    idem_conn *conn = open_conn(fake_uri(server, ""));
    heard a = {0};
    heard b = {0};
    ask(conn, "a", &a);
    ask(conn, "b", &b);
    turn_until(conn, &b, 1);
    turn_until(conn, &a, 1);
    cr_assert_eq(a.outcome, IDEM_ACQUIRED);
    cr_assert_eq(a.number, 'a');
    cr_assert_eq(b.number, 'b');
    idem_info info = {.size = sizeof info};
    cr_assert_eq(idem_conn_info(conn, &info), 0);
    cr_assert_str_eq(info.server, "fake");
    idem_conn_close(conn);
    fake_stop(server);
}

Test(conn, a_callback_may_ask_again) {
    server_log log = {0};
    fake_server *server = serve(&log);
    idem_conn *conn = open_conn(fake_uri(server, ""));
    heard a = {.again = conn};
    ask(conn, "a", &a);
    turn_until(conn, &a, 2);
    cr_assert_eq(a.number, 'z');
    idem_conn_close(conn);
    fake_stop(server);
}

Test(conn, what_a_lost_connection_took_is_asked_again_with_its_nonce) {
    server_log log = {.hang_up_at = 2};
    fake_server *server = serve(&log);
    idem_conn *conn = open_conn(fake_uri(server, ""));
    uint64_t serial = idem_conn_fd_serial(conn);
    heard calls[3] = {0};
    ask(conn, "a", &calls[0]);
    turn_until(conn, &calls[0], 1);
    ask(conn, "b", &calls[1]);
    ask(conn, "c", &calls[2]);
    for (int i = 1; i < 3; i++) {
        turn_until(conn, &calls[i], 1);
        cr_assert_eq(calls[i].outcome, IDEM_ACQUIRED);
        cr_assert_eq(calls[i].times, 1);
    }
    cr_assert_eq(memcmp(log.nonces[1], log.nonces[2], 16), 0);
    cr_assert(memcmp(log.nonces[2], log.nonces[3], 16) != 0);
    cr_assert_gt(idem_conn_fd_serial(conn), serial);
    idem_conn_close(conn);
    fake_stop(server);
}

Test(conn, silence_ends_at_the_deadline) {
    server_log log = {.mute_from = 1};
    fake_server *server = serve(&log);
    idem_conn *conn = open_conn(fake_uri(server, ""));
    heard a = {0};
    idem_args args = args_of("a", 400);
    idem_conn_call(conn, IDEM_ACQUIRE, &args, idem_now_ms(), hear, &a);
    turn_until(conn, &a, 1);
    cr_assert_eq(a.code, IDEM_E_TIMEOUT);
    idem_conn_close(conn);
    fake_stop(server);
}

Test(conn, no_server_leaves_the_claim_unchanged_and_says_why) {
    idem_conn *conn = open_conn("idem://127.0.0.1:1,127.0.0.1:2");
    heard a = {0};
    idem_args args = args_of("a", 60);
    idem_conn_call(conn, IDEM_ACQUIRE, &args, idem_now_ms(), hear, &a);
    turn_until(conn, &a, 1);
    cr_assert_eq(a.code, IDEM_E_CONNECT);
    idem_error err = {.size = sizeof err};
    idem_conn_last_error(conn, &err);
    cr_assert(strstr(err.text, "refused") != NULL, "%s", err.text);
    idem_conn_close(conn);
}

Test(conn, a_wrong_secret_ends_what_waits) {
    server_log log = {0};
    fake_config config = {.script = follow, .ctx = &log, .secret = "hush"};
    fake_server *server = fake_start(&config);
    idem_conn *conn = open_conn(fake_uri(server, "timeout_ms=60000"));
    heard a = {0};
    ask(conn, "a", &a);
    turn_until(conn, &a, 1);
    cr_assert_eq(a.code, IDEM_E_DENIED);
    idem_conn_close(conn);
    fake_stop(server);
}

static idem_conn *open_to_two(const fake_server *a, const fake_server *b) {
    char uri[128];
    snprintf(uri, sizeof uri,
             "idem://127.0.0.1:%u,127.0.0.1:%u/t?timeout_ms=60000",
             fake_port(a), fake_port(b));
    return open_conn(uri);
}

Test(conn, who_is_denied_asks_the_next_server_once) {
    server_log log = {0};
    fake_config config = {.script = follow, .ctx = &log, .secret = "hush"};
    fake_server *old = fake_start(&config);
    config.secret = NULL;
    fake_server *new = fake_start(&config);
    idem_conn *conn = open_to_two(old, new);
    heard a = {0};
    ask(conn, "a", &a);
    turn_until(conn, &a, 1);
    cr_assert_eq(a.outcome, IDEM_ACQUIRED);
    idem_conn_close(conn);
    conn = open_to_two(old, old);
    heard b = {0};
    ask(conn, "b", &b);
    turn_until(conn, &b, 1);
    cr_assert_eq(b.code, IDEM_E_DENIED);
    idem_conn_close(conn);
    fake_stop(old);
    fake_stop(new);
}

Test(conn, not_primary_is_obeyed) {
    server_log primary = {0};
    fake_server *there = serve(&primary);
    char where[32];
    snprintf(where, sizeof where, "127.0.0.1:%u", fake_port(there));
    server_log replica = {.move = where};
    fake_server *here = serve(&replica);
    idem_conn *conn = open_conn(fake_uri(here, ""));
    heard a = {0};
    ask(conn, "a", &a);
    turn_until(conn, &a, 1);
    cr_assert_eq(a.outcome, IDEM_ACQUIRED);
    cr_assert_eq(atomic_load(&primary.requests), 1);
    idem_conn_close(conn);
    fake_stop(here);
    fake_stop(there);
}

Test(conn, two_that_point_at_each_other_end_with_the_call) {
    char at_a[32], at_b[32];
    server_log first = {.move = at_b};
    server_log second = {.move = at_a};
    fake_server *a = serve(&first);
    fake_server *b = serve(&second);
    snprintf(at_a, sizeof at_a, "127.0.0.1:%u", fake_port(a));
    snprintf(at_b, sizeof at_b, "127.0.0.1:%u", fake_port(b));
    idem_conn *conn = open_conn(fake_uri(a, "timeout_ms=1500"));
    heard h = {0};
    ask(conn, "a", &h);
    turn_until(conn, &h, 1);
    cr_assert_eq(h.code, IDEM_E_NOT_PRIMARY);
    cr_assert_lt(atomic_load(&first.requests) + atomic_load(&second.requests),
                 100, "it went round without a pause");
    idem_conn_close(conn);
    fake_stop(a);
    fake_stop(b);
}

Test(conn, a_stranger_at_the_port_is_given_up_at_the_deadline) {
    fake_config config = {.refuse_hello = true};
    fake_server *server = fake_start(&config);
    idem_conn *conn = open_conn(fake_uri(server, "timeout_ms=100"));
    heard a = {0};
    ask(conn, "a", &a);
    turn_until(conn, &a, 1);
    cr_assert_eq(a.code, IDEM_E_CONNECT);
    idem_conn_close(conn);
    fake_stop(server);
}

Test(conn, closing_ends_every_call_once) {
    server_log log = {.mute_from = 1};
    fake_server *server = serve(&log);
    idem_conn *conn = open_conn(fake_uri(server, ""));
    heard sent = {0};
    heard unsent = {0};
    ask(conn, "a", &sent);
    while (atomic_load(&log.requests) == 0)
        idem_conn_process(conn, IDEM_READ | IDEM_WRITE, idem_now_ms());
    ask(conn, "b", &unsent);
    idem_conn_close(conn);
    cr_assert_eq(sent.code, IDEM_E_LOST);
    cr_assert_eq(unsent.code, IDEM_E_CLOSED);
    cr_assert_eq(sent.times + unsent.times, 2);
    fake_stop(server);
}

Test(conn, the_servers_limit_of_requests_in_flight_is_kept) {
    server_log log = {0};
    fake_config config = {.script = follow, .ctx = &log, .pending_max = 3};
    fake_server *server = fake_start(&config);
    idem_conn *conn = open_conn(fake_uri(server, ""));
    heard a = {0};
    for (int i = 0; i < 100; i++)
        ask(conn, "a", &a);
    turn_until(conn, &a, 100);
    cr_assert_eq(a.code, 0);
    idem_conn_close(conn);
    fake_stop(server);
}

Test(conn, more_than_a_socket_holds_goes_out_in_pieces) {
    static char big[1 << 20];
    server_log log = {0};
    fake_server *server = serve(&log);
    idem_conn *conn = open_conn(fake_uri(server, "timeout_ms=60000"));
    heard a = {0};
    idem_args args = args_of("a", 0);
    args.result = big;
    args.result_len = sizeof big;
    for (int i = 0; i < 20; i++)
        cr_assert_eq(
            idem_conn_call(conn, IDEM_COMPLETE, &args, idem_now_ms(), hear, &a),
            0);
    turn_until(conn, &a, 20);
    cr_assert_eq(a.outcome, IDEM_COMPLETED);
    idem_conn_close(conn);
    fake_stop(server);
}
