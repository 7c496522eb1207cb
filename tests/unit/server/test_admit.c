/* SPDX-License-Identifier: Apache-2.0 */
/* test_admit.c -- who gets in, what each may do, and what becomes of those
 * whose credential is taken away. */
#include "proto/reply.h"
#include "proto/request.h"
#include "server/line/dispatch.h"
#include "tests/unit/server/harness.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define HEARS(c, text) cr_assert_str_eq(caller_hear(c), text)

#define RANDOM_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define RANDOM_B "B_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB_B__"
#define SHOP     "idm_shop_" RANDOM_A
#define SHOP_NEW "idm_shop_" RANDOM_B
#define OPS      "idm_ops_" RANDOM_B
#define GRAFANA  "idm_grafana_" RANDOM_A
#define WRONG    "idm_shop_CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC"

static harness t;
static caller a, b, c;

/* A file's text: {SECRET} stands for the secret's verifier. */
static const char *file_of(const char *form) {
    static char text[4096];
    char *to = text;
    for (const char *at = form; *at != '\0';) {
        size_t len = *at == '{' ? strcspn(at, "}") - 1 : 0;
        uint8_t hash[crypto_hash_sha256_BYTES];
        if (*at != '{') {
            *to++ = *at++;
            continue;
        }
        crypto_hash_sha256(hash, (const uint8_t *)at + 1, len);
        to += sprintf(to, "sha256:");
        sodium_bin2hex(to, 65, hash, sizeof hash);
        to += 64;
        at += len + 2;
    }
    *to = '\0';
    return text;
}

#define FILE_1                                     \
    "shop {" SHOP "} claim=t\n"                    \
    "ops {" OPS "} read=* resolve=t admin stats\n" \
    "grafana {" GRAFANA "} stats\n"

static void take_file(const char *form) {
    harness_credentials(&t, file_of(form));
    harness_run(&t);
    harness_pass(&t, 0);
}

static void begin(void) {
    harness_plan(&t, 2);
    harness_credentials(&t, file_of(FILE_1));
    harness_open(&t);
    caller_open(&a, &t, 0);
    caller_open(&b, &t, 1);
    caller_open(&c, &t, 0);
}

static void end(void) {
    caller_close(&a);
    caller_close(&b);
    caller_close(&c);
    harness_close(&t);
}

TestSuite(admit, .init = begin, .fini = end);

static void enter(caller *one, const char *secret) {
    ask_hello(one, 1, -1, secret);
    HEARS(one, "1 map");
}

static idp_request request_of(idp_method method, const char *ns) {
    idp_request r = {.method = method,
                     .msgid = 7,
                     .ns = {(const uint8_t *)ns, strlen(ns)},
                     .key = {(const uint8_t *)"k", 1},
                     .lease_ms = 1000,
                     .ttl_ms = 60000};
    if (method == IDP_KILL)
        r.cursor = (idp_slice){(const uint8_t *)"0000000000000009", 16};
    if (method == IDP_RESOLVE || method == IDP_ERASE)
        r.reason = r.key; /* and a token of no epoch: of none at all */
    if (!ids_method_has_key(method) && method != IDP_INSPECT &&
        method != IDP_ERASE)
        r.key = r.ns = (idp_slice){NULL, 0};
    return r;
}

static bool is_denied(caller *one, idp_method method, const char *ns) {
    uint8_t frame[512];
    const idp_request r = request_of(method, ns);
    caller_send(one, frame, idp_request_write(frame, sizeof frame, &r));
    return strcmp(caller_hear(one), "7 DENIED") == 0;
}

Test(admit, each_method_by_one_who_may_and_one_who_may_not) {
    static const struct {
        idp_method method;
        bool shop, ops, grafana;
    } rows[] = {{IDP_ACQUIRE, true, false, false},
                {IDP_COMPLETE, true, false, false},
                {IDP_RELEASE, true, false, false},
                {IDP_RENEW, true, false, false},
                {IDP_PEEK, true, true, false},
                {IDP_HELLO, true, true, true},
                {IDP_PING, true, true, true},
                {IDP_STATS, false, true, true},
                {IDP_REPLICATION, false, true, true},
                {IDP_PROMOTE, false, true, false},
                {IDP_DETACH, false, true, false},
                {IDP_SWITCHOVER, false, true, false},
                {IDP_SNAPSHOT, false, true, false},
                {IDP_BACKUP, false, true, false},
                {IDP_RELOAD, false, true, false},
                {IDP_NAMESPACES, false, true, false},
                {IDP_METRICS, false, true, true},
                {IDP_LIST, false, true, false},
                {IDP_INSPECT, false, true, false},
                {IDP_CLIENTS, false, true, true},
                {IDP_KILL, false, true, false},
                {IDP_SLOW, false, true, true},
                {IDP_CONFIG, false, true, false},
                {IDP_OFFER, false, true, false},
                {IDP_RESOLVE, false, true, false},
                {IDP_ERASE, false, true, false},
                {IDP_EVENTS, false, true, false}};
    size_t count = sizeof rows / sizeof rows[0];
    cr_assert_eq(count, IDP_METHOD_COUNT);
    enter(&a, SHOP);
    enter(&b, OPS);
    enter(&c, GRAFANA);
    for (size_t i = 0; i < count; i++) {
        const char *name = idp_method_name(rows[i].method);
        cr_assert_neq(is_denied(&a, rows[i].method, "t"), rows[i].shop, "%s",
                      name);
        cr_assert_neq(is_denied(&b, rows[i].method, "t"), rows[i].ops, "%s",
                      name);
        cr_assert_neq(is_denied(&c, rows[i].method, "t"), rows[i].grafana, "%s",
                      name);
    }
}

Test(admit, a_denial_says_namespace_and_name_and_no_key) {
    uint8_t frame[512];
    idp_request r = request_of(IDP_ACQUIRE, "shop");
    r.key = (idp_slice){(const uint8_t *)"order-4711", 10};
    enter(&a, GRAFANA);
    caller_send(&a, frame, idp_request_write(frame, sizeof frame, &r));
    HEARS(&a, "7 DENIED");
    cr_assert_str_eq(a.error,
                     "DENIED namespace shop: \"grafana\" may not claim");
}

/* Neither here nor at the loop that owns the key. */
Test(admit, a_denied_call_goes_nowhere) {
    enter(&a, GRAFANA);
    for (uint32_t loop = 0; loop < 2; loop++) {
        ask_acquire(&a, 5, key_of(&t, loop, 0), 0);
        HEARS(&a, "5 DENIED");
    }
    cr_assert_eq(t.workers[0]->counters.of[IDS_FORWARDED_TOTAL], 0);
    cr_assert_eq(t.workers[0]->counters.of[IDS_DENIED_NO_GRANT_TOTAL], 2);
    enter(&b, SHOP);
    ask_acquire(&b, 6, key_of(&t, 0, 0), 0);
    HEARS(&b, "6 acquired");
}

Test(admit, hello_says_whom_it_let_in) {
    uint8_t frame[512];
    enter(&a, SHOP);
    size_t len = put_hello(frame, 2, -1, NULL);
    caller_send(&a, frame, len);
    idp_reply reply;
    idp_hello hello;
    size_t bytes;
    cr_assert_eq(idp_reply_open(a.got.at, a.got.len, 4096, &reply, &bytes),
                 IDP_REPLY_WHOLE);
    cr_assert(idp_hello_read(reply.result, &hello));
    cr_assert_str_eq(hello.user, "shop");
}

/* What tells one name from another would tell an attacker which there are. */
Test(admit, an_unknown_name_hears_what_a_wrong_secret_hears) {
    ask_hello(&a, 1, -1, WRONG);
    HEARS(&a, "1 DENIED");
    char first[256];
    snprintf(first, sizeof first, "%s", a.error);
    ask_hello(&a, 2, -1, "idm_nobody_" RANDOM_A);
    HEARS(&a, "2 DENIED");
    cr_assert_str_eq(a.error, first);
    cr_assert_null(strstr(first, "shop"));
}

Test(admit, the_secret_is_wiped_where_it_came_in) {
    enter(&a, SHOP);
    const uint8_t *room = ids_line_input_room(t.lines[0]);
    cr_assert_null(memmem(room, 4096, RANDOM_A, strlen(RANDOM_A)));
}

/* Wrong secrets ----------------------------------------------------------- */

/* From the same address, while its neighbour works. */
Test(admit, a_thousand_wrong_secrets_and_a_right_one) {
    enter(&b, SHOP);
    for (int i = 0; i < 1000; i++) {
        caller wrong;
        caller_open(&wrong, &t, 0);
        ask_hello(&wrong, 1, -1, WRONG);
        /* Ten at once; the rest waits, or is closed for want of a place. */
        const char *heard = caller_hear(&wrong);
        cr_assert_str_eq(heard, i < 10 ? "1 DENIED" : "nothing", "%d", i);
        cr_assert_eq(wrong.conn == NULL, i >= 10 + 256, "%d", i);
        /* It goes; its answer finds nobody. */
        caller_close(&wrong);
        if (i % 100 == 0) {
            caller right;
            caller_open(&right, &t, 0);
            enter(&right, SHOP);
            ask_acquire(&right, 2, key_of(&t, 0, (uint32_t)i), 0);
            HEARS(&right, "2 acquired");
            caller_close(&right);
        }
    }
    ask_plain(&b, 9, IDP_PING);
    HEARS(&b, "9 pong");
    cr_assert_eq(t.workers[0]->counters.of[IDS_DENIED_WRONG_SECRET_TOTAL],
                 1000);
}

static void spoil_source(void) {
    for (int i = 0; i < 10; i++) {
        caller wrong;
        caller_open(&wrong, &t, 0);
        ask_hello(&wrong, 1, -1, WRONG);
        HEARS(&wrong, "1 DENIED");
        caller_close(&wrong);
    }
}

Test(admit, a_wrong_secret_too_many_is_answered_a_second_later) {
    spoil_source();
    ask_hello(&a, 1, -1, WRONG);
    HEARS(&a, "nothing");
    cr_assert_eq(ids_line_next_ms(t.lines[0]), t.workers[0]->now_ms + 1000);
    harness_pass(&t, 999);
    HEARS(&a, "nothing");
    harness_pass(&t, 1);
    HEARS(&a, "1 DENIED");
    cr_assert_not_null(a.conn);
    enter(&a, SHOP);
}

Test(admit, a_right_secret_behind_a_late_refusal_is_taken) {
    spoil_source();
    ask_hello(&a, 3, -1, WRONG);
    enter(&a, SHOP);
    harness_pass(&t, 1000);
    HEARS(&a, "3 DENIED");
    ask_plain(&a, 4, IDP_PING);
    HEARS(&a, "4 pong");
}

Test(admit, three_wrong_ones_close_though_they_wait) {
    spoil_source();
    ask_hello(&a, 1, -1, WRONG);
    ask_hello(&a, 2, -1, WRONG);
    ask_hello(&a, 3, -1, WRONG);
    HEARS(&a, "nothing");
    cr_assert_not_null(a.conn);
    harness_pass(&t, 1000);
    HEARS(&a, "1 DENIED");
    HEARS(&a, "2 DENIED");
    HEARS(&a, "3 DENIED");
    cr_assert_null(a.conn);
    ask_hello(&c, 1, -1, WRONG);
    ask_hello(&c, 2, -1, WRONG);
    ask_hello(&c, 3, -1, WRONG);
    ask_hello(&c, 4, -1, SHOP);
    cr_assert_null(c.conn, "it did not wait");
}

/* Reload ------------------------------------------------------------------ */

#define FILE_BOTH                              \
    "shop {" SHOP "},{" SHOP_NEW "} claim=t\n" \
    "ops {" OPS "} read=* admin stats\n"
#define FILE_NEW                    \
    "shop {" SHOP_NEW "} claim=t\n" \
    "ops {" OPS "} read=* admin stats\n"

Test(admit, rotation_fails_no_call) {
    uint32_t next = 0;
    enter(&a, SHOP);
    take_file(FILE_BOTH);
    ask_acquire(&a, 2, key_of(&t, 0, next++), 0);
    HEARS(&a, "2 acquired");
    enter(&b, SHOP_NEW);
    ask_acquire(&b, 2, key_of(&t, 0, next++), 0);
    HEARS(&b, "2 acquired");
    /* Who has the old one goes over on the same connection. */
    enter(&a, SHOP_NEW);
    take_file(FILE_NEW);
    ask_acquire(&a, 3, key_of(&t, 0, next++), 0);
    HEARS(&a, "3 acquired");
    ask_acquire(&b, 3, key_of(&t, 1, next++), 0);
    HEARS(&b, "3 acquired");
    ask_hello(&c, 1, -1, SHOP);
    HEARS(&c, "1 DENIED");
}

Test(admit, whose_verifier_is_gone_is_closed_and_keeps_its_claims) {
    const char *key = key_of(&t, 0, 0);
    enter(&a, SHOP);
    enter(&b, OPS);
    ask_acquire(&a, 2, key, 0);
    HEARS(&a, "2 acquired");
    take_file(FILE_NEW);
    cr_assert_null(a.conn);
    cr_assert_not_null(b.conn);
    enter(&c, SHOP_NEW);
    ask_acquire(&c, 2, key, 0);
    HEARS(&c, "2 in_progress");
}

Test(admit, its_waiters_are_forgotten) {
    const char *key = key_of(&t, 1, 0);
    enter(&c, SHOP);
    take_file(FILE_BOTH);
    enter(&a, SHOP_NEW);
    ask_acquire(&a, 2, key, 0);
    HEARS(&a, "2 acquired");
    ask_acquire(&c, 2, key, 60000);
    HEARS(&c, "nothing");
    take_file(FILE_NEW);
    cr_assert_null(c.conn);
    ids_counters counters;
    ids_worker_count(t.workers[1], &counters);
    cr_assert_eq(counters.of[IDS_WAITERS], 0);
    /* The lease ends; the next one is granted, and not who was closed. */
    harness_pass(&t, 1001);
    ask_acquire(&a, 3, key, 0);
    HEARS(&a, "3 acquired");
}

/* It takes nothing that it is sent, so a second is all it has. */
Test(admit, who_does_not_read_is_cut_after_a_second) {
    enter(&a, SHOP);
    a.takes = 0;
    ask_plain(&a, 2, IDP_PING);
    take_file(FILE_NEW);
    cr_assert_not_null(a.conn);
    ask_acquire(&a, 3, key_of(&t, 0, 0), 0);
    harness_pass(&t, 999);
    cr_assert_not_null(a.conn);
    harness_pass(&t, 1);
    cr_assert_null(a.conn);
    enter(&c, SHOP_NEW);
    ask_acquire(&c, 2, key_of(&t, 0, 0), 0);
    HEARS(&c, "2 acquired");
}

Test(admit, changed_grants_hold_from_the_next_call) {
    enter(&a, SHOP);
    enter(&b, OPS);
    take_file("shop {" SHOP "} read=t\nops {" OPS "} claim=t\n");
    ask_acquire(&a, 2, "k", 0);
    HEARS(&a, "2 DENIED");
    cr_assert_str_eq(a.error, "DENIED namespace t: \"shop\" may not claim");
    ask_acquire(&b, 2, "k", 0);
    HEARS(&b, "2 acquired");
    ask_plain(&b, 3, IDP_STATS);
    HEARS(&b, "3 DENIED");
}

/* The same verifier under another name: who came in with it has that name now.
 */
Test(admit, a_verifier_may_change_its_line) {
    enter(&a, OPS);
    take_file("shop {" OPS "} claim=t\n");
    ask_acquire(&a, 2, "k", 0);
    HEARS(&a, "2 acquired");
}

/* On its way between loops while the versions change, in either order. */
Test(admit, a_connection_that_moves_is_bound_anew) {
    t.keep_messages = true;
    ask_hello(&a, 1, 1, SHOP);
    ask_hello(&c, 1, 1, OPS);
    cr_assert(a.travels && c.travels);
    harness_credentials(&t, file_of(FILE_NEW));
    t.keep_messages = false;
    harness_run(&t);
    harness_pass(&t, 0);
    cr_assert_null(a.conn);
    HEARS(&c, "1 map");
    ask_plain(&c, 2, IDP_STATS);
    HEARS(&c, "2 map");
}

Test(admit, those_who_are_admitted_are_counted) {
    ids_credentials *now = t.workers[0]->credentials;
    enter(&a, SHOP);
    enter(&b, SHOP);
    enter(&c, OPS);
    enter(&c, OPS);
    char why[256];
    const char *text = file_of(FILE_NEW);
    ids_credentials *next =
        ids_credentials_parse(text, strlen(text), why, sizeof why);
    ids_admitted sum = ids_credentials_compare(now, next);
    cr_assert_eq(sum.all, 3);
    cr_assert_eq(sum.lost, 2);
    caller_close(&a);
    cr_assert_eq(ids_credentials_compare(now, next).lost, 1);
    ids_credentials_drop(next);
}
