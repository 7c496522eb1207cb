/* SPDX-License-Identifier: Apache-2.0 */
/* http_pair.c -- two nodes over HTTP: who does not lead says where the other
 * one is, at both of its ports; probes of both, with and without the replica.
 *
 *   http_pair IDEMSTORED */
#include "tests/e2e/http_conn.h"
#include "tests/e2e/pair.h"

#include <stdio.h>
#include <string.h>

static http_response get(http_conn *h, const pair_node *node,
                         const char *path) {
    char text[128];
    int len = snprintf(text, sizeof text,
                       "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    http_open(h, http_port_of(&node->daemon));
    http_send(h, text, (size_t)len);
    return http_read(h);
}

static int status_of(const pair_node *node, const char *path) {
    http_conn h;
    int status = get(&h, node, path).status;
    http_close(&h);
    return status;
}

/* Many connections in a row hear it: each worker says it. */
static void until_status(const pair_node *node, const char *path, int status) {
    uint64_t begun_ms = e2e_now_ms();
    for (int in_a_row = 0; in_a_row < 16;) {
        in_a_row = status_of(node, path) == status ? in_a_row + 1 : 0;
        CHECK(e2e_now_ms() - begun_ms < 60000,
              "%s never says %d, or not always", path, status);
        if (in_a_row == 0)
            e2e_sleep_ms(20);
    }
}

static http_response acquire(http_conn *h, const pair_node *node) {
    http_open(h, http_port_of(&node->daemon));
    http_post_json(h, "/v1/acquire", "", "{\"key\":\"k\"}");
    return http_read(h);
}

/* Once it says that, a member has this value. */
static void until_member(const pair_node *node, int status, const char *name,
                         const char *value) {
    uint64_t begun_ms = e2e_now_ms();
    for (bool has = false; !has;) {
        http_conn h;
        http_response r = acquire(&h, node);
        has = r.status == status && strcmp(http_member(&r, name), value) == 0;
        CHECK(has || e2e_now_ms() - begun_ms < 60000, "no %s %s in %d: %s",
              name, value, r.status, r.body);
        http_close(&h);
        e2e_sleep_ms(has ? 0 : 20);
    }
}

static void at_port(char to[static 32], unsigned port) {
    snprintf(to, 32, "127.0.0.1:%u", port);
}

static void a_replica_says_where_the_primary_is(pair *p) {
    char at[32], http[32];
    http_conn h;
    at_port(at, p->a.port);
    at_port(http, http_port_of(&p->a.daemon));
    until_member(&p->b, 503, "primary", at);
    http_response r = acquire(&h, &p->b);
    CHECK(r.status == 503 && !strcmp(http_member(&r, "code"), "NOT_PRIMARY") &&
              !strcmp(http_member(&r, "http"), http) &&
              strstr(r.head, "Retry-After: 1\r\n"),
          "%s%s", r.head, r.body);
    http_close(&h);
    r = acquire(&h, &p->a);
    CHECK(r.status == 201, "the one that it names says %d: %s", r.status,
          r.body);
    http_close(&h);
    puts("  a replica names the primary, at both of its ports");
}

static void probes_of_both(pair *p) {
    CHECK(status_of(&p->a, "/readyz") == 200, "the primary is not ready");
    CHECK(status_of(&p->a, "/readyz?role=any") == 200, "of any role");
    CHECK(status_of(&p->a, "/readyz?role=replica") == 503, "it is none");
    CHECK(status_of(&p->b, "/readyz") == 503, "a replica takes claims");
    until_status(&p->b, "/readyz?role=replica", 200);
    CHECK(status_of(&p->b, "/readyz?role=any") == 200, "of any role");
    CHECK(status_of(&p->b, "/healthz") == 200, "a replica is healthy");
    puts("  each is ready for its role");
}

/* A restart would bring no replica back: healthz has no part in it. */
static void without_the_replica(pair *p) {
    http_conn h;
    pair_kill(&p->b);
    until_status(&p->a, "/readyz", 503);
    http_response r = get(&h, &p->a, "/readyz");
    CHECK(strstr(r.body, "replica"), "it does not say why: %s", r.body);
    http_close(&h);
    CHECK(status_of(&p->a, "/healthz") == 200, "the primary is healthy");
    pair_carry_out(&p->a, IDP_DETACH, false);
    until_status(&p->a, "/readyz", 200);
    CHECK(status_of(&p->a, "/healthz") == 200, "the primary is healthy");
    puts("  without its replica the primary is healthy, and not ready");
}

/* What is told goes the other way, too, and holds after a switchover. */
static void they_change_places(pair *p) {
    char at[32];
    static const char *const named[] = {
        "--http", "127.0.0.1:0", "--http-advertise", "store.example:443"};
    memcpy(p->b.more, named, sizeof named);
    pair_start(p, &p->b, &p->a);
    pair_await_in_sync(&p->b);
    pair_carry_out(&p->a, IDP_SWITCHOVER, false);
    pair_await_role(&p->b, "primary");
    at_port(at, p->b.port);
    until_member(&p->a, 503, "primary", at);
    until_member(&p->a, 503, "http", "store.example:443");
    puts("  and --http-advertise is what is told, after a switchover as well");
}

int main(int argc, char **argv) {
    CHECK(argc == 2, "usage: http_pair IDEMSTORED");
    pair p;
    pair_init(&p, argv[1], 8, 2);
    p.a.more[0] = p.b.more[0] = "--http";
    p.a.more[1] = p.b.more[1] = "127.0.0.1:0";
    pair_start_both(&p);
    a_replica_says_where_the_primary_is(&p);
    probes_of_both(&p);
    without_the_replica(&p);
    they_change_places(&p);
    pair_end(&p);
    return 0;
}
