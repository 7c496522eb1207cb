/* SPDX-License-Identifier: Apache-2.0 */
/* stalled_copy.c -- a replica stands still, and dies, in the middle of its full
 * copy, beside calls: the primary serves on, and waits for it without work.
 *
 *   stalled_copy IDEMSTORED */
#include "tests/e2e/pair.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* More than sockets and rings take, so that a copy is seen under way. */
enum { RECORDS = 4000, RESULT_BYTES = 16000, CALLS = 100, AT_ONCE = 64 };

/* So soon a link that nobody reads takes nothing more. */
enum { BLOCKS_MS = 300 };

/* Of a second of the primary's; a loop that turns for nothing takes all. */
enum { CPU_MS_MAX = 300 };

static void call(const pair_node *node, const char *name, int count,
                 const char *result) {
    wire w;
    char key[64];
    CHECK(wire_open(&w, node->port), "no connection");
    for (int i = 0; i < count; i++) {
        snprintf(key, sizeof key, "%s-%d", name, i);
        e2e_do_once(&w, key, result);
    }
    wire_close(&w);
}

static void fill(const pair_node *node) {
    static char result[RESULT_BYTES + 1];
    memset(result, 'r', RESULT_BYTES);
    call(node, "kept", RECORDS, result);
}

static bool is_copying(const pair_node *node) {
    idp_replication report;
    pair_report(node, &report);
    return report.connected && report.syncing;
}

/* Thousands of calls a second: a copy beside them goes at another pace. */
typedef struct crowd {
    pthread_t thread;
    uint16_t port;
    atomic_bool stop;
} crowd;

static void *ask_on(void *ctx) {
    crowd *c = ctx;
    wire w;
    idp_request ping = {.method = IDP_PING};
    idp_reply reply;
    CHECK(wire_open(&w, c->port), "no connection");
    while (!atomic_load(&c->stop)) {
        for (int i = 0; i < AT_ONCE; i++)
            CHECK(wire_send_request(&w, &ping), "the connection is gone");
        for (int i = 0; i < AT_ONCE; i++)
            CHECK(wire_reply(&w, &reply) && !reply.is_error, "no pong");
    }
    wire_close(&w);
    return NULL;
}

static void crowd_begin(crowd *c, const pair_node *node) {
    c->port = node->port;
    atomic_init(&c->stop, false);
    CHECK(pthread_create(&c->thread, NULL, ask_on, c) == 0, "no thread");
}

static void crowd_end(crowd *c) {
    atomic_store(&c->stop, true);
    pthread_join(c->thread, NULL);
}

static void await_copying(const pair_node *node) {
    uint64_t until_ms = e2e_now_ms() + 60000;
    while (!is_copying(node))
        CHECK(e2e_now_ms() < until_ms, "no copy begins");
}

static void rests(const pair_node *node, const char *what) {
    uint64_t cpu_ms = daemon_cpu_ms(&node->daemon);
    e2e_sleep_ms(1000);
    cpu_ms = daemon_cpu_ms(&node->daemon) - cpu_ms;
    printf("  %s: a second of waiting took %llu ms of CPU\n", what,
           (unsigned long long)cpu_ms);
    CHECK(cpu_ms < CPU_MS_MAX, "%s, and the primary does not rest", what);
}

int main(int argc, char **argv) {
    pair p;
    crowd c;
    CHECK(argc == 2, "usage: stalled_copy IDEMSTORED");
    setvbuf(stdout, NULL, _IOLBF, 0);
    pair_init(&p, argv[1], 1, 1);
    pair_start(&p, &p.a, NULL);
    fill(&p.a);

    crowd_begin(&c, &p.a);
    pair_start(&p, &p.b, &p.a);
    await_copying(&p.a);
    kill(p.b.daemon.child.pid, SIGSTOP);
    CHECK(is_copying(&p.a), "the copy was over too soon");
    call(&p.a, "still", CALLS, "well");
    e2e_sleep_ms(BLOCKS_MS);
    crowd_end(&c);
    rests(&p.a, "the replica stands still");

    pair_kill(&p.b);
    call(&p.a, "dead", CALLS, "well");
    rests(&p.a, "the replica is dead");

    pair_start(&p, &p.b, &p.a);
    pair_await_in_sync(&p.a);
    call(&p.a, "whole", CALLS, "well");
    puts("  another one was copied whole");
    pair_end(&p);
    puts("good");
    return 0;
}
