/* SPDX-License-Identifier: Apache-2.0 */
/* looks.h -- what the tests of test_walks.c and test_looks.c stand on: three
 * workers, two who have credentials, and one request at a time. */
#ifndef UNIT_SERVER_LOOKS_H
#define UNIT_SERVER_LOOKS_H

#include "proto/reply.h"
#include "proto/request.h"
#include "server/admin/looks.h"
#include "tests/unit/server/harness.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define RANDOM_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define RANDOM_B "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
#define SHOP     "idm_shop_" RANDOM_A
#define OPS      "idm_ops_" RANDOM_B
#define SCAN_MS  1000
#define KEYS     300u

static harness t;
static caller shop, ops, other;

static inline const char *line_of(const char *secret, const char *name,
                                  const char *grants) {
    static char lines[2][256];
    static int next;
    uint8_t hash[crypto_hash_sha256_BYTES];
    char hex[2 * sizeof hash + 1];
    char *line = lines[next++ % 2];
    crypto_hash_sha256(hash, (const uint8_t *)secret, strlen(secret));
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    snprintf(line, sizeof lines[0], "%s sha256:%s %s\n", name, hex, grants);
    return line;
}

static inline const char *file_of(const char *of_shop) {
    static char text[1024];
    snprintf(text, sizeof text, "%s%s", line_of(SHOP, "shop", of_shop),
             line_of(OPS, "ops", "claim=* read=* resolve=* admin stats"));
    return text;
}

static inline void plan(void) {
    harness_plan(&t, 3);
    t.server.scan_interval_ms = SCAN_MS;
    t.server.buffer_bytes_max = 1u << 20;
    t.server.unsent_bytes_max = 1u << 20;
    cr_assert(ids_looks_open(&t.server));
}

static inline void begin(void) {
    plan();
    harness_credentials(&t, file_of("claim=t read=t"));
    harness_open(&t);
    caller_open(&shop, &t, 0);
    caller_open(&ops, &t, 1);
    caller_open(&other, &t, 2);
    ask_hello(&shop, 1, -1, SHOP);
    cr_assert_str_eq(caller_hear(&shop), "1 map");
    ask_hello(&ops, 1, -1, OPS);
    cr_assert_str_eq(caller_hear(&ops), "1 map");
}

static inline void end(void) {
    caller_close(&shop);
    caller_close(&ops);
    caller_close(&other);
    harness_close(&t);
    ids_looks_close(&t.server);
}

/* Asking ---------------------------------------------------------------- */

static uint8_t frame[1u << 17];

static inline idp_slice text_of(const char *s) {
    return (idp_slice){(const uint8_t *)s, strlen(s)};
}

/* The reply to one request; it borrows until the next one. */
static inline idp_reply ask(caller *c, idp_request request) {
    idp_reply reply;
    size_t bytes;
    request.msgid = 7;
    caller_send(c, frame, idp_request_write(frame, sizeof frame, &request));
    harness_run(&t);
    cr_assert_leq(c->got.len, sizeof frame);
    memcpy(frame, c->got.at, c->got.len);
    cr_assert_eq(
        idp_reply_open(frame, c->got.len, sizeof frame, &reply, &bytes),
        IDP_REPLY_WHOLE);
    cr_assert_eq(reply.msgid, 7);
    idt_buf_drop(&c->got, bytes);
    return reply;
}

static inline const char *error_of(idp_reply reply) {
    static char text[256];
    snprintf(text, sizeof text, "%.*s",
             reply.is_error ? (int)reply.text.len : 4,
             reply.is_error ? (const char *)reply.text.ptr : "none");
    return text;
}

static inline void claim(caller *c, const char *ns, const char *key,
                         uint32_t lease_ms) {
    idp_answer answer;
    idp_reply reply = ask(c, (idp_request){.method = IDP_ACQUIRE,
                                           .ns = text_of(ns),
                                           .key = text_of(key),
                                           .lease_ms = lease_ms,
                                           .ttl_ms = 86400000});
    cr_assert_not(reply.is_error, "%s", error_of(reply));
    cr_assert(idp_answer_read(IDP_ACQUIRE, reply.result, &answer));
    cr_assert_eq(answer.outcome, IDP_OUTCOME_ACQUIRED);
}

static inline void scan_all(void) {
    harness_pass(&t, 1);
    harness_pass(&t, SCAN_MS + 1);
    harness_pass(&t, SCAN_MS + 1);
    harness_pass(&t, SCAN_MS + 1);
}

#endif
