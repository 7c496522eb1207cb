/* SPDX-License-Identifier: Apache-2.0 */
/* http.c -- the daemon over HTTP, byte by byte: calls beside those of the wire,
 * waiting and leaving, several requests in a row, large results, what is no
 * HTTP, and the end of the daemon.
 *
 *   http IDEMSTORED */
#include "tests/e2e/http_conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ACQUIRE "/v1/acquire"

static daemon_t store;
static uint16_t port;

/* Calls -------------------------------------------------------------------- */

static void both_ways_are_one_store(void) {
    http_conn h;
    wire w;
    idp_answer answer;
    CHECK(wire_open(&w, store.port), "not connected");
    http_open(&h, port);
    /* key_b64 and a digest in hexadecimal are the wire's bytes. */
    idp_request ask = ask_acquire("", 60000, 600000);
    ask.ns = text_slice("");
    ask.key = (idp_slice){(const uint8_t *)"a\0\xff", 3};
    ask.fingerprint = (idp_slice){(const uint8_t *)"\x01\xfe", 2};
    http_post_json(&h, ACQUIRE, "",
                   "{\"key_b64\":\"YQD/\",\"fingerprint_hex\":\"01fe\","
                   "\"lease\":\"1m\",\"ttl\":\"10m\"}");
    http_response r = http_answers(&h, 201);
    char token[64];
    snprintf(token, sizeof token, "%s", http_member(&r, "token"));
    CHECK(strlen(token) == 32, "%s", r.body);
    CHECK(wire_call(&w, &ask, &answer) == 0 &&
              answer.outcome == IDP_OUTCOME_IN_PROGRESS,
          "it is another key, or another digest");
    char body[256];
    snprintf(body, sizeof body,
             "{\"key_b64\":\"YQD_\",\"token\":\"%s\",\"result_b64\":\"AAH/\"}",
             token);
    http_post_json(&h, "/v1/complete", "", body);
    r = http_answers(&h, 200);
    CHECK(!strcmp(http_member(&r, "kept"), "true"), "%s", r.body);
    CHECK(wire_call(&w, &ask, &answer) == 0 &&
              answer.outcome == IDP_OUTCOME_REPLAY && answer.result.len == 3 &&
              !memcmp(answer.result.ptr, "\0\1\xff", 3),
          "it is not replayed");
    http_post_json(&h, ACQUIRE, "",
                   "{\"key_b64\":\"YQD/\",\"fingerprint_hex\":\"02\"}");
    r = http_answers(&h, 422);
    http_close(&h);
    wire_close(&w);
    puts("  both ways are one store");
}

static void requests_in_a_row_are_answered_in_their_order(void) {
    enum { MANY = 200 };
    http_conn h;
    char *all = malloc(MANY * 256), *at = all;
    http_open(&h, port);
    for (int i = 0; i < MANY; i++) {
        char body[64];
        int len =
            sprintf(body, "{\"key\":\"row%d\",\"lease_ms\":%d}", i, 1000 + i);
        at += sprintf(at,
                      "POST /v1/acquire HTTP/1.1\r\nHost: localhost\r\n"
                      "Content-Type: application/json\r\n"
                      "Content-Length: %d\r\n\r\n%s",
                      len, body);
    }
    http_send(&h, all, (size_t)(at - all));
    free(all);
    for (int i = 0; i < MANY; i++) {
        http_response r = http_answers(&h, 201);
        CHECK(atoi(http_member(&r, "lease_ms")) == 1000 + i, "%d: %s", i,
              r.body);
    }
    http_close(&h);
    puts("  requests in a row are answered in their order");
}

/* Waiting ------------------------------------------------------------------ */

static uint64_t waiters(void) {
    return daemon_stat(&store, "waiters");
}

static void until_waiters(uint64_t count) {
    uint64_t begun_ms = e2e_now_ms();
    while (waiters() != count) {
        CHECK(e2e_now_ms() - begun_ms < 60000, "%llu wait, not %llu",
              (unsigned long long)waiters(), (unsigned long long)count);
        e2e_sleep_ms(20);
    }
}

static void waits_and_hears(void) {
    http_conn holder, waiter;
    char body[256];
    http_open(&holder, port);
    http_open(&waiter, port);
    http_post_json(&holder, ACQUIRE, "", "{\"key\":\"w\",\"lease\":\"1h\"}");
    http_response r = http_answers(&holder, 201);
    snprintf(body, sizeof body,
             "{\"key\":\"w\",\"token\":\"%s\",\"result\":{ \"a\" : -0 }}",
             http_member(&r, "token"));
    http_post_json(&waiter, ACQUIRE, "", "{\"key\":\"w\",\"wait\":\"60s\"}");
    until_waiters(1);
    http_post_json(&holder, "/v1/complete", "", body);
    http_answers(&holder, 200);
    r = http_answers(&waiter, 200);
    CHECK(strstr(r.body, "\"result\":{ \"a\" : -0 }"), "%s", r.body);
    CHECK(strstr(r.head, "Idempotency-Replayed: true\r\n"), "%s", r.head);
    http_close(&holder);
    http_close(&waiter);
    puts("  who waits hears the result, as it was sent");
}

static void who_leaves_is_forgotten(void) {
    http_conn holder, gone, half;
    http_open(&holder, port);
    http_open(&gone, port);
    http_open(&half, port);
    http_post_json(&holder, ACQUIRE, "", "{\"key\":\"f\",\"lease\":\"1h\"}");
    http_answers(&holder, 201);
    http_post_json(&gone, ACQUIRE, "", "{\"key\":\"f\",\"wait\":\"60s\"}");
    http_post_json(&half, ACQUIRE, "", "{\"key\":\"f\",\"wait\":\"60s\"}");
    until_waiters(2);
    http_close(&gone);
    until_waiters(1);
    shutdown(half.fd, SHUT_WR);
    http_ends(&half);
    until_waiters(0);
    http_close(&half);
    http_close(&holder);
    puts("  who leaves, by half or whole, is forgotten");
}

/* Results ------------------------------------------------------------------ */

static void take(http_conn *h, const char *key, char token[static 33]) {
    char body[128];
    snprintf(body, sizeof body, "{\"key\":\"%s\",\"lease\":\"1h\"}", key);
    http_post_json(h, ACQUIRE, "", body);
    http_response r = http_answers(h, 201);
    snprintf(token, 33, "%s", http_member(&r, "token"));
}

static void send_result(http_conn *h, const char *key, const char *token,
                        const char *bytes, size_t len) {
    char head[256];
    int head_len = snprintf(head, sizeof head,
                            "POST /v1/complete?key=%s&token=%s HTTP/1.1\r\n"
                            "Host: localhost\r\nContent-Length: %zu\r\n\r\n",
                            key, token, len);
    http_send(h, head, (size_t)head_len);
    http_send(h, bytes, len);
}

static void results_of_any_size_complete(void) {
    static const size_t sizes[] = {0,       1, 70000, 1u << 20, (1u << 20) + 1,
                                   5u << 20};
    char *bytes = malloc(5u << 20), key[32], token[33], body[64];
    http_conn h;
    http_open(&h, port);
    for (size_t i = 0; i < 5u << 20; i++)
        bytes[i] = (char)(i * 7 + i / 251);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        bool fits = sizes[i] <= 1u << 20;
        snprintf(key, sizeof key, "size%zu", i);
        take(&h, key, token);
        send_result(&h, key, token, bytes, sizes[i]);
        http_response r = http_answers(&h, 200);
        CHECK(!strcmp(http_member(&r, "kept"), fits ? "true" : "false"), "%s",
              r.body);
        snprintf(body, sizeof body, "{\"key\":\"%s\"}", key);
        http_post_json(&h, ACQUIRE "?as=raw", "", body);
        r = http_answers(&h, 200);
        CHECK(r.body_len == (fits ? sizes[i] : 0) &&
                  !memcmp(r.body, bytes, r.body_len),
              "%zu bytes come back as %zu", sizes[i], r.body_len);
    }
    http_close(&h);
    free(bytes);
    puts("  results of any size complete their key");
}

static void a_large_body_of_json_is_told_what_to_do(void) {
    char *body = malloc((2u << 20) + 256), token[33];
    http_conn h;
    http_open(&h, port);
    take(&h, "large", token);
    int len = sprintf(body, "{\"key\":\"large\",\"token\":\"%s\",\"result\":\"",
                      token);
    memset(body + len, 'x', 2u << 20);
    strcpy(body + len + (2u << 20), "\"}");
    http_post_json(&h, "/v1/complete", "", body);
    http_response r = http_answers(&h, 413);
    CHECK(strstr(r.body, "result null"), "%s", r.body);
    http_ends(&h);
    http_close(&h);
    http_open(&h, port);
    sprintf(body, "{\"key\":\"large\",\"token\":\"%s\",\"result\":null}",
            token);
    http_post_json(&h, "/v1/complete", "", body);
    r = http_answers(&h, 200);
    CHECK(!strcmp(http_member(&r, "kept"), "false"), "%s", r.body);
    http_close(&h);
    free(body);
    puts("  a body over its limit hears how to complete all the same");
}

/* What is no request ------------------------------------------------------- */

static void is_refused(const char *bytes, int status) {
    http_conn h;
    http_open(&h, port);
    http_send(&h, bytes, strlen(bytes));
    http_response r = http_read(&h);
    CHECK(r.status == status, "%d, not %d: %s", r.status, status, bytes);
    CHECK(strstr(r.head, "Connection: close\r\n"), "%s", r.head);
    http_ends(&h);
    http_close(&h);
}

#define HOST "Host: localhost\r\n"
#define NEXT "GET /healthz HTTP/1.1\r\n" HOST "\r\n"

/* A POST whose head has these fields, too; a whole request lies behind it. */
static void is_no_body(const char *fields, const char *body) {
    char text[16384];
    snprintf(text, sizeof text,
             "POST /v1/peek HTTP/1.1\r\n" HOST
             "Content-Type: application/json\r\n%s\r\n%s" NEXT,
             fields, body);
    is_refused(text, 400);
}

static void two_readers_would_differ(void) {
    static const char *const lengths[] = {
        "Content-Length: 2\r\nContent-Length: 2\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length: \r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"};
    static const char *const chunks[] = {"5\n{}!!!\n",
                                         "0x2\r\n{}\r\n",
                                         "-1\r\n{}\r\n",
                                         "\r\n{}\r\n",
                                         "g\r\n{}\r\n",
                                         " 2\r\n{}\r\n",
                                         "2 \r\n{}\r\n",
                                         "2\r\n{}0\r\n\r\n",
                                         "11111111111111111\r\n",
                                         "2\r\n{}\r\n0\r\nHost: b\r\n\r\n"};
    char large[8192];
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        is_no_body(lengths[i], "{\"key\":\"0\"}");
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++)
        is_no_body("Transfer-Encoding: chunked\r\n", chunks[i]);
    memset(large, 'e', sizeof large);
    memcpy(large, "2;", 2);
    strcpy(large + 6000, "\r\n{}\r\n0\r\n\r\n");
    is_no_body("Transfer-Encoding: chunked\r\n", large);
    memset(large, 't', sizeof large);
    memcpy(large, "0\r\nt: ", 6);
    strcpy(large + 6000, "\r\n\r\n");
    is_no_body("Transfer-Encoding: chunked\r\n", large);
    is_refused("POST /v1/peek HTTP/1.0\r\n" HOST
               "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" NEXT,
               400);
    puts("  what two readers would take for two requests is none");
}

static void a_server_is_named_once(void) {
    is_refused("GET /healthz HTTP/1.1\r\n\r\n" NEXT, 400);
    is_refused("GET /healthz HTTP/1.1\r\n" HOST HOST "\r\n" NEXT, 400);
    is_refused("GET http://a.example/healthz HTTP/1.1\r\n" HOST "\r\n" NEXT,
               400);
    is_refused("GET /healthz HTTP/1.1\r\nHost: local host\r\n\r\n" NEXT, 400);
    is_refused("GET /healthz HTTP/1.1\r\nHost:\r\n\r\n" NEXT, 400);
    puts("  a server is named, and once");
}

static void characters_that_no_head_has(void) {
    static const char nul[] = "GET /healthz HTTP/1.1\r\n" HOST "a: \0\r\n\r\n";
    http_conn h;
    http_open(&h, port);
    http_send(&h, nul, sizeof nul - 1);
    http_answers(&h, 400);
    http_ends(&h);
    http_close(&h);
    is_refused("GET /healthz HTTP/1.1\r\n" HOST "a: b\rc: d\r\n\r\n" NEXT, 400);
    is_refused("GET /healthz HTTP/1.1\r" HOST "\r\r" NEXT, 400);
    is_refused("GET /healthz HTTP/1.1\r\n" HOST "a: \x7f\r\n\r\n" NEXT, 400);
    puts("  nor has it characters that no head has");
}

static void what_is_no_http_is_refused_and_closed(void) {
    is_refused("GET /healthz HTTP/1.1\nHost: localhost\n\n" NEXT, 400);
    is_refused("GET /healthz HTTP/1.1\r\n" HOST " folded\r\n\r\n" NEXT, 400);
    is_refused("GET /healthz HTTP/1.1\r\nHost : a\r\n\r\n" NEXT, 400);
    is_refused("GET /healthz\r\n", 400);
    is_refused("GET //v1/acquire HTTP/1.1\r\n" HOST "\r\n" NEXT, 400);
    is_refused("GET /v1%2facquire HTTP/1.1\r\n" HOST "\r\n" NEXT, 400);
    is_refused("POST /v1/peek HTTP/1.1\r\n" HOST "Content-Length: 5\r\n"
               "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" NEXT,
               400);
    is_refused("POST /v1/peek HTTP/1.1\r\n" HOST
               "Content-Type: application/json\r\n"
               "Transfer-Encoding: chunked\r\n\r\n5\r\n{}!!!!\r\n" NEXT,
               400);
    is_refused("POST /v1/nowhere HTTP/1.1\r\n" HOST
               "Content-Length: 44\r\n\r\n" NEXT,
               404);
    is_refused("POST /v1/peek HTTP/1.1\r\n" HOST "Content-Length: 2\r\n"
               "Content-Type: text/plain\r\n\r\n{}" NEXT,
               415);
    puts("  what is no HTTP is refused, and nothing behind it is read");
}

static void goes_on_when_told(void) {
    static const char head[] =
        "POST /v1/peek HTTP/1.1\r\n" HOST "Content-Type: application/json\r\n"
        "Expect: 100-continue\r\nContent-Length: 11\r\n\r\n";
    http_conn h;
    http_open(&h, port);
    http_send(&h, head, sizeof head - 1);
    http_answers(&h, 100);
    http_send(&h, "{\"key\":\"0\"}", 11);
    http_answers(&h, 404);
    static const char large[] =
        "POST /v1/acquire HTTP/1.1\r\n" HOST
        "Content-Type: application/json\r\n"
        "Expect: 100-continue\r\nContent-Length: 2097152\r\n\r\n";
    http_send(&h, large, sizeof large - 1);
    http_answers(&h, 413);
    http_ends(&h);
    http_close(&h);
    puts("  who asks whether to go on is told");
}

static void the_other_port_says_where(void) {
    http_conn h;
    char where[64];
    http_open(&h, store.port);
    http_send(&h, NEXT, sizeof NEXT - 1);
    http_response r = http_answers(&h, 400);
    snprintf(where, sizeof where, "HTTP is served at 127.0.0.1:%u", port);
    CHECK(strstr(r.body, where), "%s", r.body);
    http_ends(&h);
    http_close(&h);
    puts("  the port of the wire says where HTTP is");
}

/* The end ------------------------------------------------------------------ */

static void half_a_head_ends(http_conn *half) {
    http_ends(half);
    http_close(half);
    puts("  half a head does not stay");
}

static void the_end_is_told(void) {
    http_conn idle, waiter;
    http_open(&idle, port);
    http_send(&idle, NEXT, sizeof NEXT - 1);
    http_answers(&idle, 200);
    http_open(&waiter, port);
    http_post_json(&waiter, ACQUIRE, "", "{\"key\":\"f\",\"wait\":\"60s\"}");
    until_waiters(1);
    child_stop(&store.child); /* what it answers is in the sockets by now */
    http_answers(&waiter, 503);
    http_ends(&waiter);
    http_ends(&idle);
    http_close(&waiter);
    http_close(&idle);
    puts("  the daemon's end is told to who waits");
}

int main(int argc, char **argv) {
    CHECK(argc == 2, "usage: http IDEMSTORED");
    const daemon_spec spec = {.program = argv[1],
                              .flags = {"--http", "127.0.0.1:0", "--threads",
                                        "2", "--max-memory", "64m"}};
    http_conn half;
    daemon_start(&store, &spec);
    port = http_port_of(&store);
    http_open(&half, port);
    http_send(&half, NEXT, 20);
    both_ways_are_one_store();
    requests_in_a_row_are_answered_in_their_order();
    waits_and_hears();
    who_leaves_is_forgotten();
    results_of_any_size_complete();
    a_large_body_of_json_is_told_what_to_do();
    what_is_no_http_is_refused_and_closed();
    two_readers_would_differ();
    a_server_is_named_once();
    characters_that_no_head_has();
    goes_on_when_told();
    the_other_port_says_where();
    half_a_head_ends(&half);
    the_end_is_told();
    return 0;
}
