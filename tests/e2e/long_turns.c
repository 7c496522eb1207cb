/* SPDX-License-Identifier: Apache-2.0 */
/* long_turns.c -- whatever clients do, no turn of a loop does more than its
 * bound, and another client is left in peace.
 *
 *   long_turns IDEMSTORED [ms]
 *
 * What is judged is the work of the longest turn, as stats tells it: a count,
 * which no slow machine changes. With "ms" it judges nothing and prints, for
 * each act, how long a ping waited at most. */
#include "tests/e2e/flood.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* 5 kinds with 4,096 each; one step more: a result, or all who wait for a key.
 */
#define WORK_MAX (5 * 4096 + 4096)

typedef struct pinger {
    uint16_t port;
    pthread_t thread;
    atomic_bool over;
    uint64_t longest_us, pings;
} pinger;

static uint64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* One connection on each loop. */
static void *ping_on(void *ctx) {
    pinger *p = ctx;
    wire w[2];
    for (int i = 0; i < 2; i++) {
        idp_hello hello;
        CHECK(wire_open(&w[i], p->port), "no connection");
        CHECK(wire_hello(&w[i], i, NULL, &hello) == 0, "no hello");
    }
    for (; !atomic_load(&p->over); p->pings++) {
        idp_request ping = {.method = IDP_PING};
        idp_reply reply;
        uint64_t from_us = now_us(), took_us;
        CHECK(wire_ask(&w[p->pings % 2], &ping, &reply), "no pong");
        took_us = now_us() - from_us;
        p->longest_us = took_us > p->longest_us ? took_us : p->longest_us;
        nanosleep(&(struct timespec){.tv_nsec = 300000}, NULL);
    }
    for (int i = 0; i < 2; i++)
        wire_close(&w[i]);
    return NULL;
}

static void perform(const daemon_spec *spec, const act *one, bool in_ms) {
    daemon_t daemon;
    pinger p = {0};
    daemon_start(&daemon, spec);
    p.port = daemon.port;
    CHECK(pthread_create(&p.thread, NULL, ping_on, &p) == 0, "no thread");
    one->perform(daemon.port);
    atomic_store(&p.over, true);
    pthread_join(p.thread, NULL);
    uint64_t work = daemon_stat(&daemon, "turn_work_max");
    uint64_t closed = daemon_stat(&daemon, "connections_closed_by_limit_total");
    if (in_ms)
        printf("| %s | %.1f | %llu |\n", one->name, (double)p.longest_us / 1000,
               (unsigned long long)work);
    else
        printf("  %s: %llu units of work in the longest turn\n", one->name,
               (unsigned long long)work);
    fflush(stdout);
    CHECK(in_ms || work <= WORK_MAX, "%s: %llu in one turn", one->name,
          (unsigned long long)work);
    CHECK(closed == 0, "%s: %llu connections closed", one->name,
          (unsigned long long)closed);
    daemon_stop(&daemon);
}

int main(int argc, char **argv) {
    const daemon_spec spec = {.program = argv[1],
                              .flags = {"--threads", "2", "--max-buffers", "4m",
                                        "--max-memory", "512m", "--log-level",
                                        "error", NULL}};
    bool in_ms = argc > 2 && strcmp(argv[2], "ms") == 0;
    CHECK(argc > 1, "long_turns IDEMSTORED [ms]");
    if (in_ms)
        puts("| act | longest ping, ms | work of the longest turn |\n"
             "|---|---|---|");
    for (unsigned i = 0; i < acts_count; i++)
        perform(&spec, &acts[i], in_ms);
    return 0;
}
