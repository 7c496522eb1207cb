/* SPDX-License-Identifier: Apache-2.0 */
/* test_session.c -- a client's connection: requests in their order, bodies in
 * pieces, and what is closed after it. */
#include "server/http/session.h"

#include "proto/reply.h"
#include "server/http/console.h"
#include "tests/unit/http/texts.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define RESULT_MAX       64
#define POST(path, more) "POST " path " HTTP/1.1\r\nHost: localhost\r\n" more
#define JSON             "Content-Type: application/json\r\n"
#define TOKEN            "00000000000000010000000000000002"

static ids_http_session s;
static ids_http_event event;
static idp_bytes scratch;
static char text[1 << 16];

static void begin(void) {
    ids_http_session_init(&s, RESULT_MAX, &scratch);
}

static void end(void) {
    ids_http_session_fini(&s);
    idp_bytes_free(&scratch);
}

TestSuite(session, .init = begin, .fini = end);

/* Gives it the bytes and admits what asks for leave. */
static ids_http_need send_bytes(const char *bytes, size_t len) {
    cr_assert(ids_http_session_take(&s, (const uint8_t *)bytes, len));
    ids_http_need need = ids_http_session_next(&s, &event);
    while (need == IDS_HTTP_NEEDS_LEAVE) {
        ids_http_session_admit(&s);
        need = ids_http_session_next(&s, &event);
    }
    return need;
}

static ids_http_need send_text(const char *bytes) {
    return send_bytes(bytes, strlen(bytes));
}

static const char *sent(void) {
    idp_slice all = ids_http_session_output(&s);
    cr_assert(all.len < sizeof text);
    if (all.len)
        memcpy(text, all.ptr, all.len);
    text[all.len] = '\0';
    ids_http_session_sent(&s, all.len);
    return text;
}

static void answer(idp_outcome outcome) {
    uint8_t frame[512];
    const idp_answer a = {.outcome = outcome, .kept = true};
    size_t len = idp_answer_write(frame, sizeof frame, s.requests, &a);
    cr_assert(ids_http_session_answer(&s, (idp_slice){frame, len}));
}

static bool begins(const char *whole, int status) {
    char line[32];
    snprintf(line, sizeof line, "HTTP/1.1 %d ", status);
    return strncmp(whole, line, strlen(line)) == 0;
}

Test(session, one_request_after_the_other) {
    const char *acquire =
        POST("/v1/acquire", JSON "Content-Length: 11\r\n\r\n{\"key\":\"a\"}");
    for (uint32_t i = 1; i < 4; i++) {
        cr_assert_eq(send_text(acquire), IDS_HTTP_NEEDS_CALL);
        cr_assert(event.request.method == IDP_ACQUIRE &&
                  event.request.msgid == i);
        cr_assert(same(event.request.key, SLICE("a")));
        answer(IDP_OUTCOME_ACQUIRED);
        cr_assert(begins(sent(), 201), "%s", text);
        cr_assert_eq(s.phase, IDS_HTTP_READS_HEAD);
        cr_assert_eq(ids_http_session_bytes(&s), 0);
    }
}

Test(session, in_pieces_of_a_byte) {
    static const char both[] =
        POST("/v1/acquire", JSON "Content-Length: 11\r\n\r\n{\"key\":\"a\"}")
            POST("/v1/acquire",
                 JSON "Transfer-Encoding: chunked\r\n\r\n"
                      "5\r\n{\"key\r\n6;x\r\n\":\"a\"}\r\n0\r\nt: x\r\n\r\n");
    int calls = 0;
    for (size_t i = 0; i < sizeof both - 1; i++) {
        if (send_bytes(both + i, 1) != IDS_HTTP_NEEDS_CALL)
            continue;
        calls++;
        cr_assert(same(event.request.key, SLICE("a")));
        answer(IDP_OUTCOME_ACQUIRED);
    }
    cr_assert_eq(calls, 2);
    cr_assert_eq(s.in.len, 0);
}

Test(session, what_comes_behind_waits) {
    cr_assert_eq(
        send_text(POST("/v1/peek", JSON "Content-Length: 11\r\n\r\n"
                                        "{\"key\":\"a\"}")
                      POST("/v1/peek", JSON "Content-Length: 11\r\n\r\n"
                                            "{\"key\":\"b\"}")),
        IDS_HTTP_NEEDS_CALL);
    cr_assert(same(event.request.key, SLICE("a")));
    cr_assert_eq(ids_http_session_next(&s, &event), IDS_HTTP_NEEDS_NOTHING);
    answer(IDP_OUTCOME_RECORD);
    cr_assert_eq(send_text(""), IDS_HTTP_NEEDS_CALL);
    cr_assert(same(event.request.key, SLICE("b")));
}

Test(session, reads_ahead_within_bounds) {
    char byte[1] = "G";
    cr_assert_eq(send_text(POST("/v1/peek", JSON "Content-Length: 11\r\n\r\n"
                                                 "{\"key\":\"a\"}")),
                 IDS_HTTP_NEEDS_CALL);
    for (size_t i = 0; i < IDS_HTTP_AHEAD_BYTES_MAX; i++) {
        cr_assert(ids_http_session_reads(&s));
        send_bytes(byte, 1);
    }
    cr_assert_not(ids_http_session_reads(&s));
}

Test(session, tells_who_waits_to_go_on) {
    cr_assert_eq(
        send_text(POST("/v1/acquire", JSON "Content-Length: 11\r\n"
                                           "Expect: 100-continue\r\n\r\n")),
        IDS_HTTP_NEEDS_BYTES);
    cr_assert_str_eq(sent(), "HTTP/1.1 100 Continue\r\n\r\n");
    cr_assert_eq(send_text("{\"key\":\"a\"}"), IDS_HTTP_NEEDS_CALL);
    answer(IDP_OUTCOME_ACQUIRED);
    cr_assert(begins(sent(), 201));
}

Test(session, does_not_let_a_large_body_come) {
    cr_assert_eq(
        send_text(POST("/v1/acquire", JSON "Content-Length: 2097152\r\n"
                                           "Expect: 100-continue\r\n\r\n")),
        IDS_HTTP_NEEDS_NOTHING);
    cr_assert(begins(sent(), 413));
    cr_assert(strstr(text, "Connection: close"));
    cr_assert_eq(s.phase, IDS_HTTP_OVER);
    cr_assert_not(ids_http_session_reads(&s));
}

Test(session, complete_over_the_limit_says_what_to_do) {
    send_text(POST("/v1/complete", JSON "Content-Length: 2097152\r\n\r\n"));
    cr_assert(begins(sent(), 413));
    cr_assert(strstr(text, "complete again with result null"));
}

Test(session, a_chunked_body_is_bounded_too) {
    send_text(POST("/v1/acquire", JSON "Transfer-Encoding: chunked\r\n\r\n"
                                       "100000\r\n"));
    char *bytes = calloc(1, 20000);
    send_bytes(bytes, 20000);
    free(bytes);
    cr_assert(begins(sent(), 413), "%s", text);
    cr_assert_eq(s.phase, IDS_HTTP_OVER);
}

static void complete_raw(size_t len, bool is_chunked) {
    char head[256];
    snprintf(head, sizeof head,
             POST("/v1/complete?key=a&token=" TOKEN, "%s%zu\r\n\r\n"),
             is_chunked ? "Transfer-Encoding: chunked\r\nx: "
                        : "Content-Length: ",
             len);
    send_text(head);
    if (is_chunked) {
        snprintf(head, sizeof head, "%zx\r\n", len);
        send_text(head);
    }
    ids_http_need need = IDS_HTTP_NEEDS_BYTES;
    for (size_t i = 0; i < len; i++)
        need = send_bytes("x", 1);
    if (is_chunked)
        need = send_text("\r\n0\r\n\r\n");
    cr_assert_eq(need, IDS_HTTP_NEEDS_CALL);
}

Test(session, a_result_as_the_body_is_never_refused) {
    for (int is_chunked = 0; is_chunked < 2; is_chunked++) {
        complete_raw(RESULT_MAX, is_chunked);
        cr_assert_eq(event.request.result.len, RESULT_MAX);
        cr_assert_not(event.request.result_too_large);
        answer(IDP_OUTCOME_COMPLETED);
        complete_raw(RESULT_MAX + 1, is_chunked);
        cr_assert_null(event.request.result.ptr);
        cr_assert(event.request.result_too_large);
        answer(IDP_OUTCOME_COMPLETED);
        complete_raw(100000, is_chunked);
        cr_assert(event.request.result_too_large);
        cr_assert_lt(s.body.cap + s.in.cap, 64 << 10);
        answer(IDP_OUTCOME_COMPLETED);
        cr_assert_eq(s.phase, IDS_HTTP_READS_HEAD);
    }
}

/* Refusals ----------------------------------------------------------------- */

Test(session, what_is_no_http_ends_it) {
    cr_assert_eq(send_text("GET / HTTP/1.1\nHost: a\n\n"),
                 IDS_HTTP_NEEDS_NOTHING);
    cr_assert(begins(sent(), 400));
    cr_assert(strstr(text, "Connection: close\r\n"));
    cr_assert_eq(s.phase, IDS_HTTP_OVER);
    /* Bytes behind an answered error are no request. */
    cr_assert_eq(send_text(POST("/v1/peek", JSON "Content-Length: 11\r\n\r\n"
                                                 "{\"key\":\"a\"}")),
                 IDS_HTTP_NEEDS_NOTHING);
    cr_assert_eq(ids_http_session_bytes(&s), 0);
}

Test(session, bad_chunks_end_it) {
    send_text(POST("/v1/acquire", JSON "Transfer-Encoding: chunked\r\n\r\n"
                                       "2\r\n{}!\r\n"));
    cr_assert(begins(sent(), 400));
    cr_assert_eq(s.phase, IDS_HTTP_OVER);
}

Test(session, a_call_that_is_wrong_does_not_end_it) {
    cr_assert_eq(send_text(POST("/v1/acquire", JSON "Content-Length: 2\r\n\r\n"
                                                    "{}")),
                 IDS_HTTP_NEEDS_BYTES);
    cr_assert(begins(sent(), 400));
    cr_assert_null(strstr(text, "Connection"));
    cr_assert_eq(send_text(POST("/v1/acquire", JSON "Content-Length: 11\r\n\r\n"
                                                    "{\"key\":\"a\"}")),
                 IDS_HTTP_NEEDS_CALL);
}

Test(session, a_body_that_nobody_reads_ends_it) {
    send_text(POST("/nowhere", JSON "Content-Length: 11\r\n\r\n"));
    cr_assert(begins(sent(), 404));
    cr_assert_eq(s.phase, IDS_HTTP_OVER);
    end();
    begin();
    send_text("GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n"
              "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    cr_assert(begins(sent(), 404));
    cr_assert_eq(s.phase, IDS_HTTP_WAITS);
    cr_assert_eq(s.route, IDS_HTTP_HEALTHZ);
}

Test(session, a_refusal_before_the_body_ends_it) {
    ids_http_problem problem;
    const char *head =
        POST("/v1/acquire", JSON "Content-Length: 11\r\n\r\n{\"key\"");
    cr_assert(ids_http_session_take(&s, (const uint8_t *)head, strlen(head)));
    cr_assert_eq(ids_http_session_next(&s, &event), IDS_HTTP_NEEDS_LEAVE);
    cr_assert_eq(ids_http_session_next(&s, &event), IDS_HTTP_NEEDS_NOTHING);
    ids_http_refuse(&problem, 401, "DENIED", "no");
    cr_assert(ids_http_session_refuse(&s, &problem));
    cr_assert(begins(sent(), 401));
    cr_assert(strstr(text, "WWW-Authenticate: Bearer\r\n"));
    cr_assert_eq(s.phase, IDS_HTTP_OVER);
}

Test(session, nothing_of_a_request_is_left_for_the_next_one) {
    cr_assert_eq(send_text(POST("/v1/acquire?as=raw", JSON
                                "Content-Length: 11\r\n\r\n{\"key\":\"a\"}")),
                 IDS_HTTP_NEEDS_CALL);
    cr_assert(s.as_raw && s.is_admitted);
    answer(IDP_OUTCOME_REPLAY);
    cr_assert_not(s.as_raw || s.is_admitted);
    cr_assert_eq(s.query.len + s.body.len, 0);
}

/* Its end ------------------------------------------------------------------ */

Test(session, closes_where_the_client_wants_it) {
    send_text("GET /healthz HTTP/1.0\r\n\r\n");
    cr_assert(ids_http_session_say(&s, 200, "text/plain", SLICE("ok")));
    cr_assert(strstr(sent(), "Connection: close\r\n"));
    cr_assert_eq(s.phase, IDS_HTTP_OVER);
}

Test(session, answers_what_is_under_way_when_it_is_to_end) {
    cr_assert_eq(send_text(POST("/v1/acquire", JSON "Content-Length: 11\r\n\r\n"
                                                    "{\"key\":\"a\"}")),
                 IDS_HTTP_NEEDS_CALL);
    ids_http_session_end(&s);
    answer(IDP_OUTCOME_ACQUIRED);
    cr_assert(begins(sent(), 201));
    cr_assert(strstr(text, "Connection: close\r\n"));
    cr_assert_eq(s.phase, IDS_HTTP_OVER);
}

Test(session, ends_at_once_where_nothing_is_under_way) {
    ids_http_session_end(&s);
    cr_assert_eq(s.phase, IDS_HTTP_OVER);
}

Test(session, head_is_get_without_its_body) {
    cr_assert_eq(send_text("HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"),
                 IDS_HTTP_NEEDS_PROBE);
    cr_assert(ids_http_session_say(&s, 200, "text/plain", SLICE("ok\n")));
    cr_assert(strstr(sent(), "Content-Length: 3\r\n"));
    cr_assert_null(strstr(text, "ok\n"));
}

Test(session, shows_the_page) {
    cr_assert_eq(send_text("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
                 IDS_HTTP_NEEDS_NOTHING);
    idp_slice all = ids_http_session_output(&s);
    cr_assert(all.len > ids_http_console.html_bytes);
    cr_assert(memcmp(all.ptr + all.len - ids_http_console.html_bytes,
                     ids_http_console.html, ids_http_console.html_bytes) == 0);
    cr_assert_not(ids_http_session_reads(&s), "it is the last one");
}

/* It is thousands of times what asks for it. */
Test(session, shows_the_page_once_to_who_asks_without_reading) {
    char asks[4096] = "";
    for (int i = 0; i < 100; i++)
        strcat(asks, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    cr_assert_eq(send_text(asks), IDS_HTTP_NEEDS_NOTHING);
    cr_assert(ids_http_session_output(&s).len <
              ids_http_console.html_bytes + 1024);
    cr_assert_not(ids_http_session_reads(&s));
}
