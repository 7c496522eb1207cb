/* SPDX-License-Identifier: Apache-2.0 */
/* test_conn.c -- one worker, one connection: bytes in, bytes out. */
#include "tests/unit/server/harness.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEARS(c, text) cr_assert_str_eq(caller_hear(c), text)

static harness t;
static caller a, b;

static void open_one(void) {
    harness_plan(&t, 1);
    harness_open(&t);
    caller_open(&a, &t, 0);
    caller_open(&b, &t, 0);
}

static void close_all(void) {
    caller_close(&a);
    caller_close(&b);
    cr_assert_eq(t.workers[0]->buffers.bytes, 0);
    harness_close(&t);
}

TestSuite(conn, .init = open_one, .fini = close_all);

Test(conn, a_request_is_answered) {
    ask_acquire(&a, 1, "k", 0);
    HEARS(&a, "1 acquired");
    ask_acquire(&b, 9, "k", 0);
    HEARS(&b, "9 in_progress");
    ask_plain(&a, 2, IDP_PING);
    HEARS(&a, "2 pong");
    ask_plain(&a, 3, IDP_STATS);
    HEARS(&a, "3 map");
    ask_hello(&a, 4, -1, NULL);
    HEARS(&a, "4 map");
    HEARS(&a, "nothing");
}

Test(conn, byte_by_byte_is_the_same) {
    uint8_t bytes[4096];
    size_t len = put_acquire(bytes, 1, "k", 0);
    len += put_acquire(bytes + len, 2, "k", 0);
    len += put_plain(bytes + len, 3, IDP_PING);
    caller_send_slowly(&a, bytes, len);
    HEARS(&a, "1 acquired");
    HEARS(&a, "2 in_progress");
    HEARS(&a, "3 pong");
}

Test(conn, every_cut_of_a_stream_is_the_same) {
    uint8_t bytes[4096];
    size_t len = put_plain(bytes, 1, IDP_PING);
    len += put_acquire(bytes + len, 2, "k", 0);
    len += put_plain(bytes + len, 3, IDP_PING);
    for (size_t cut = 1; cut < len; cut++) {
        caller c;
        caller_open(&c, &t, 0);
        caller_send(&c, bytes, cut);
        caller_send(&c, bytes + cut, len - cut);
        HEARS(&c, "1 pong");
        HEARS(&c, cut == 1 ? "2 acquired" : "2 in_progress");
        HEARS(&c, "3 pong");
        caller_close(&c);
    }
}

Test(conn, a_partial_frame_costs_what_has_arrived) {
    /* bin32 of 4 GiB - 1 is announced in an acquire's key */
    static const uint8_t announces[] = {0x94, 0x00, 0x01, 0xa7, 'a',  'c', 'q',
                                        'u',  'i',  'r',  'e',  0x96, 0xa0};
    caller_send(&a, announces, sizeof announces);
    cr_assert_leq(t.workers[0]->buffers.bytes, sizeof announces);
    static const uint8_t huge[] = {0xc6, 0xff, 0xff, 0xff, 0xff};
    caller_send(&a, huge, sizeof huge);
    cr_assert_leq(t.workers[0]->buffers.bytes, sizeof announces + sizeof huge);
}

Test(conn, many_requests_leave_in_one_send) {
    uint8_t bytes[8192];
    size_t len = 0;
    for (uint32_t i = 0; i < 100; i++)
        len += put_plain(bytes + len, i, IDP_PING);
    caller_send(&a, bytes, len);
    cr_assert_eq(a.sends, 1);
    for (unsigned i = 0; i < 100; i++) {
        char wanted[32];
        snprintf(wanted, sizeof wanted, "%u pong", i);
        HEARS(&a, wanted);
    }
}

Test(conn, what_is_refused_does_not_end_the_connection) {
    static const uint8_t unknown[] = {0x94, 0x00, 0x05, 0xa4, 'n',
                                      'o',  'p',  'e',  0x90};
    static const uint8_t surplus[] = {0x94, 0x00, 0x06, 0xa4, 'p',
                                      'i',  'n',  'g',  0x91, 0x01};
    uint8_t bytes[256];
    size_t len = put_plain(bytes, 4, IDP_PING);
    memcpy(bytes + len, unknown, sizeof unknown);
    len += sizeof unknown;
    memcpy(bytes + len, surplus, sizeof surplus);
    len += sizeof surplus;
    len += put_plain(bytes + len, 7, IDP_PING);
    caller_send(&a, bytes, len);
    HEARS(&a, "4 pong");
    HEARS(&a, "5 UNKNOWN_METHOD");
    HEARS(&a, "6 BAD_REQUEST");
    HEARS(&a, "7 pong");
}

Test(conn, what_is_broken_is_answered_and_closed) {
    uint8_t bytes[256];
    size_t len = put_plain(bytes, 4, IDP_PING);
    bytes[len++] = 0x94; /* [0, 5, 6, ...: the method is no word */
    bytes[len++] = 0x00;
    bytes[len++] = 0x05;
    bytes[len++] = 0x06;
    bytes[len++] = 0x90;
    len += put_plain(bytes + len, 6, IDP_PING);
    bytes[len++] = 0xc1; /* never used by MessagePack */
    caller_send(&a, bytes, len);
    HEARS(&a, "4 pong");
    for (int i = 0; i < 4 && a.got.len; i++)
        caller_hear(&a);
    cr_assert_null(a.conn);
}

Test(conn, another_protocol_is_answered_in_its_words) {
    static const struct {
        const char *says, *hears;
    } cases[] = {{"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400"},
                 {"POST / HTTP/1.1\r\n\r\n", "HTTP/1.1 400"},
                 {"GET key\r\n", "-ERR"},
                 {"*1\r\n$4\r\nPING\r\n", "-ERR"},
                 {"{\"jsonrpc\":2}", "idemstored"},
                 {"\x16\x03\x01", "idemstored"},
                 {"idempotent", "idemstored"},
                 {"\xff", "idemstored"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        caller c;
        caller_open(&c, &t, 0);
        caller_send(&c, cases[i].says, strlen(cases[i].says));
        cr_assert_null(c.conn);
        idt_buf_add_byte(&c.got, 0);
        cr_assert_eq(strstr((char *)c.got.at, cases[i].hears), (char *)c.got.at,
                     "%s", (char *)c.got.at);
        caller_close(&c);
    }
}

Test(conn, a_word_that_is_cut_is_kept_until_it_is_whole) {
    caller c;
    caller_open(&c, &t, 0);
    for (const char *at = "GET "; *at; at++)
        caller_send(&c, at, 1);
    cr_assert_not_null(c.conn);
    cr_assert_eq(c.got.len, 0);
    caller_send(&c, "/", 1);
    cr_assert_null(c.conn);
    caller_close(&c);
}

static idp_token first_token(void) {
    return (idp_token){.epoch = 7, .sequence = 1};
}

Test(conn, an_oversized_result_is_skipped_and_the_key_completed) {
    size_t size = 3u << 20;
    uint8_t *bytes = malloc(size + 4096);
    ask_acquire(&a, 1, "k", 0);
    HEARS(&a, "1 acquired");
    size_t len = put_complete(bytes, 2, "k", first_token(), size);
    len += put_plain(bytes + len, 3, IDP_PING);
    for (size_t at = 0; at < len; at += 1000) {
        caller_send(&a, bytes + at, len - at < 1000 ? len - at : 1000);
        cr_assert_lt(t.workers[0]->buffers.bytes, 2048);
    }
    HEARS(&a, "2 completed");
    HEARS(&a, "3 pong");
    ask_acquire(&b, 1, "k", 0);
    HEARS(&b, "1 replay");
    free(bytes);
}

Test(conn, an_oversized_result_is_skipped_when_it_comes_whole) {
    uint8_t bytes[16384];
    for (size_t over = 1; over < 3000; over += 700) {
        char key[16];
        snprintf(key, sizeof key, "k%zu", over);
        size_t len = put_acquire(bytes, 1, key, 0);
        idp_token token = {7, 1 + over / 700};
        len += put_complete(bytes + len, 2, key, token, 1024 + over);
        len += put_plain(bytes + len, 3, IDP_PING);
        caller_send(&a, bytes, len);
        HEARS(&a, "1 acquired");
        HEARS(&a, "2 completed");
        HEARS(&a, "3 pong");
    }
}

Test(conn, a_result_at_the_limit_is_kept) {
    uint8_t bytes[8192];
    size_t len = put_acquire(bytes, 1, "k", 0);
    len += put_complete(bytes + len, 2, "k", first_token(), 1024);
    len += put_acquire(bytes + len, 3, "k", 0);
    caller_send(&a, bytes, len);
    HEARS(&a, "1 acquired");
    HEARS(&a, "2 completed");
    cr_assert_gt(a.got.len, 1024);
    HEARS(&a, "3 replay");
}

Test(conn, a_waiter_is_answered_by_the_complete) {
    uint8_t bytes[4096];
    ask_acquire(&a, 1, "k", 0);
    HEARS(&a, "1 acquired");
    ask_acquire(&b, 5, "k", 10000);
    HEARS(&b, "nothing");
    caller_send(&a, bytes, put_complete(bytes, 2, "k", first_token(), 10));
    HEARS(&a, "2 completed");
    HEARS(&b, "5 replay");
    cr_assert_eq(b.conn->waiting, 0);
}

Test(conn, a_waiter_whose_connection_is_gone_is_forgotten) {
    ask_acquire(&a, 1, "k", 0);
    ask_acquire(&b, 5, "k", 10000);
    caller_close(&b);
    caller_open(&b, &t, 0); /* in the same slot */
    harness_pass(&t, 1000);
    ask_acquire(&a, 2, "k", 0);
    HEARS(&a, "1 acquired");
    HEARS(&a, "2 acquired"); /* not the waiter's */
    HEARS(&b, "nothing");
}

Test(conn, waiting_acquires_over_the_limit_are_refused) {
    ask_acquire(&a, 1, "k", 0);
    for (uint32_t i = 0; i < 8; i++)
        ask_acquire(&b, i, "k", 10000);
    HEARS(&b, "nothing");
    ask_acquire(&b, 8, "k", 10000);
    HEARS(&b, "8 LIMIT");
    ask_acquire(&b, 9, "k", 0);
    HEARS(&b, "9 in_progress");
}

Test(conn, drained_waiters_and_newcomers_hear_so) {
    ask_acquire(&a, 1, "k", 0);
    HEARS(&a, "1 acquired");
    ask_acquire(&b, 5, "k", 10000);
    ids_line_drain(t.lines[0]);
    harness_run(&t);
    HEARS(&b, "5 SHUTTING_DOWN");
    ask_acquire(&b, 6, "l", 0);
    HEARS(&b, "6 SHUTTING_DOWN");
    ids_conn_finish(t.workers[0], b.conn);
    harness_run(&t);
    cr_assert_null(b.conn);
}

Test(conn, who_does_not_read_is_stopped_and_goes_on_later) {
    /* the mark is 256 KiB, so buffers must allow for it */
    uint8_t bytes[4096];
    harness_limit_buffers(&t, 8u << 20);
    t.server.unsent_bytes_max = 4u << 20;
    size_t len = put_acquire(bytes, 1, "k", 0);
    len += put_complete(bytes + len, 2, "k", first_token(), 1000);
    caller_send(&a, bytes, len);
    HEARS(&a, "1 acquired");
    HEARS(&a, "2 completed");
    a.takes = 0;
    for (uint32_t i = 0; i < 1000; i++)
        ask_acquire(&a, i, "k", 0);
    cr_assert(ids_conn_is_stalled(a.conn));
    cr_assert_lt(ids_conn_unsent(a.conn), IDS_UNSENT_BYTES_HIGH + 2048);
    a.takes = SIZE_MAX;
    ids_worker_mark(t.workers[0], a.conn);
    harness_run(&t);
    for (unsigned i = 0; i < 1000; i++) {
        char wanted[32];
        snprintf(wanted, sizeof wanted, "%u replay", i);
        HEARS(&a, wanted);
    }
}

Test(conn, a_socket_that_takes_little_gets_all_in_the_end) {
    a.takes = 7;
    for (uint32_t i = 0; i < 50; i++)
        ask_acquire(&a, i, "k", 0);
    HEARS(&a, "0 acquired");
    for (unsigned i = 1; i < 50; i++) {
        char wanted[32];
        snprintf(wanted, sizeof wanted, "%u in_progress", i);
        HEARS(&a, wanted);
    }
}

Test(conn, unsent_output_over_its_cap_closes) {
    uint8_t bytes[4096];
    size_t len = put_acquire(bytes, 1, "k", 0);
    len += put_complete(bytes + len, 2, "k", first_token(), 1000);
    caller_send(&a, bytes, len);
    a.takes = 0;
    for (uint32_t i = 0; i < 100 && a.conn; i++)
        ask_acquire(&a, i, "k", 0);
    cr_assert_null(a.conn);
    ask_acquire(&b, 1, "k", 0);
    HEARS(&b, "1 replay"); /* others are unharmed */
}

Test(conn, replays_become_limit_when_all_buffers_are_full) {
    uint8_t bytes[4096];
    t.server.unsent_bytes_max = 1u << 20;
    size_t len = put_acquire(bytes, 1, "k", 0);
    len += put_complete(bytes + len, 2, "k", first_token(), 1000);
    caller_send(&b, bytes, len);
    HEARS(&b, "1 acquired");
    HEARS(&b, "2 completed");
    a.takes = 0;
    for (uint32_t i = 0; i < 63; i++)
        ask_acquire(&a, i, "k", 0);
    ask_acquire(&b, 3, "k", 0);
    HEARS(&b, "3 LIMIT");
    a.takes = SIZE_MAX;
    ids_worker_mark(t.workers[0], a.conn);
    harness_run(&t);
    ask_acquire(&b, 4, "k", 0);
    HEARS(&b, "4 replay");
}

Test(conn, partial_input_over_the_budget_closes_who_asks_for_more) {
    uint8_t bytes[4096];
    harness_limit_buffers(&t, 512);
    ask_acquire(&b, 1, "k", 0);
    HEARS(&b, "1 acquired");
    put_complete(bytes, 2, "k", first_token(), 1000);
    caller_send(&a, bytes, 600);
    cr_assert_null(a.conn);
    cr_assert_not_null(b.conn);
}

/* Its life -------------------------------------------------------------------
 */

Test(life, it_goes_on_and_the_end_may_come_at_any_time) {
    ids_conn *conn = ids_conn_new(-1);
    cr_assert_eq(conn->life, IDS_CONN_NEW);
    cr_assert_not(ids_conn_is_open(conn));
    ids_conn_become(conn, IDS_CONN_SERVED);
    ids_conn_become(conn, IDS_CONN_STALLED);
    cr_assert(ids_conn_is_open(conn) && ids_conn_is_stalled(conn));
    ids_conn_become(conn, IDS_CONN_SERVED);
    ids_conn_become(conn, IDS_CONN_MOVING);
    cr_assert_not(ids_conn_is_open(conn));
    cr_assert_not(ids_conn_is_over(conn));
    ids_conn_become(conn, IDS_CONN_SERVED);
    ids_conn_become(conn, IDS_CONN_CLOSING);
    cr_assert(ids_conn_is_over(conn) && ids_conn_is_done(conn));
    ids_conn_become(conn, IDS_CONN_DRAINING);
    conn->waiting = 1;
    cr_assert(ids_conn_is_closing(conn));
    cr_assert_not(ids_conn_is_done(conn), "its waiter has to hear of it");
    ids_conn_become(conn, IDS_CONN_DEAD);
    ids_conn_become(conn, IDS_CONN_DEAD);
    cr_assert(ids_conn_is_done(conn));
    ids_conn_free(conn);
}

Test(life, one_that_closes_is_not_served_again, .signal = SIGABRT) {
    ids_conn *conn = ids_conn_new(-1);
    ids_conn_become(conn, IDS_CONN_CLOSING);
    ids_conn_become(conn, IDS_CONN_SERVED);
    ids_conn_free(conn);
}

Test(life, another_server_is_never_a_client, .signal = SIGABRT) {
    ids_conn *conn = ids_conn_new(-1);
    ids_conn_become(conn, IDS_CONN_PEER);
    ids_conn_become(conn, IDS_CONN_SERVED);
    ids_conn_free(conn);
}
