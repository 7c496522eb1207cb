/* SPDX-License-Identifier: Apache-2.0 */
/* descriptors.c -- more connections than anyone wants.
 *
 *   descriptors IDEMSTORED
 *
 * Ten thousand idle ones, what each costs, and that all of it comes back; then
 * a daemon that may open only a few files, which must go on with those that it
 * has, without spinning, and take new ones as soon as there is room. */
#include "tests/e2e/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define IDLE        10000u
#define IDLE_KB_MAX 16u /* of one idle connection */
#define FEW         300u

static unsigned may_open(unsigned wanted) {
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0, "no limit");
    if (limit.rlim_cur < wanted + 200) {
        limit.rlim_cur = wanted + 200;
        if (limit.rlim_max < limit.rlim_cur)
            limit.rlim_max = limit.rlim_cur;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
            getrlimit(RLIMIT_NOFILE, &limit);
            limit.rlim_cur = limit.rlim_max;
            setrlimit(RLIMIT_NOFILE, &limit);
        }
    }
    return limit.rlim_cur >= wanted + 200 ? wanted
                                          : (unsigned)limit.rlim_cur - 200;
}

static void pong(wire *w, const char *when) {
    idp_request ask = {.method = IDP_PING};
    idp_reply reply;
    CHECK(wire_ask(w, &ask, &reply) && idp_pong_read(reply.result),
          "no pong %s", when);
}

static void wait_for_descriptors(const daemon_t *daemon, size_t at_most) {
    for (int i = 0; daemon_descriptors(daemon) > at_most; i++) {
        CHECK(i < 1500, "%zu descriptors stay, %zu were there before",
              daemon_descriptors(daemon), at_most);
        e2e_sleep_ms(10);
    }
}

static void ten_thousand_idle(const char *program) {
    daemon_t daemon;
    unsigned count = may_open(IDLE);
    daemon_start(&daemon,
                 &(daemon_spec){.program = program,
                                .flags = {"--threads", "2", "--max-connections",
                                          "12000"}});
    wire *idle = calloc(count, sizeof *idle);
    bystander *by = bystander_start(daemon.port);
    bystander_is_well(by, "the start");
    size_t rss_kb = daemon_rss_kb(&daemon);
    size_t open_before = daemon_descriptors(&daemon);
    for (unsigned i = 0; i < count; i++)
        CHECK(wire_open(&idle[i], daemon.port), "connection %u", i);
    pong(&idle[count - 1], "from the last of the idle ones");
    bystander_is_well(by, "thousands of idle connections");
    size_t each = (daemon_rss_kb(&daemon) - rss_kb) * 1024 / count;
    printf("  %u idle connections: %zu bytes each\n", count, each);
    CHECK(e2e_sanitized() || each < IDLE_KB_MAX * 1024, "%zu bytes each", each);
    for (unsigned i = 0; i < count; i += 500)
        pong(&idle[i], "from one of the idle ones");
    for (unsigned i = 0; i < count; i++)
        wire_close(&idle[i]);
    free(idle);
    wait_for_descriptors(&daemon, open_before);
    bystander_is_well(by, "all of them closing");
    bystander_stop(by);
    daemon_stop(&daemon);
}

/* Over --max-connections: told so in one error, or closed; never served. */
static void over_the_limit(const char *program) {
    daemon_t daemon;
    daemon_start(&daemon, &(daemon_spec){.program = program,
                                         .flags = {"--max-connections", "8"}});
    wire few[8];
    for (int i = 0; i < 8; i++) {
        CHECK(wire_open(&few[i], daemon.port), "connection %d", i);
        pong(&few[i], "within the limit");
    }
    for (int i = 0; i < 20; i++) {
        wire extra;
        idp_request ask = {.method = IDP_PING};
        idp_reply reply;
        if (wire_open(&extra, daemon.port) && wire_ask(&extra, &ask, &reply))
            CHECK(reply.is_error && reply.error == IDP_E_LIMIT,
                  "the ninth connection is served");
        wire_close(&extra);
    }
    for (int i = 0; i < 8; i++)
        pong(&few[i], "after others were turned away");
    wire_close(&few[0]);
    bool served = false;
    for (int i = 0; i < 1000 && !served; i++) {
        wire again;
        idp_request ask = {.method = IDP_PING};
        idp_reply reply;
        served = wire_open(&again, daemon.port) &&
                 wire_ask(&again, &ask, &reply) && !reply.is_error;
        wire_close(&again);
        e2e_sleep_ms(5);
    }
    CHECK(served, "no room after one has left");
    for (int i = 1; i < 8; i++)
        wire_close(&few[i]);
    puts("  --max-connections turns away, and lets in again");
    daemon_stop(&daemon);
}

static void none_left(const char *program) {
    daemon_t daemon;
    static wire many[FEW];
    daemon_start(&daemon, &(daemon_spec){.program = program,
                                         .prefix = "ulimit -n 64;",
                                         .flags = {"--threads", "2"}});
    bystander *by = bystander_start(daemon.port);
    bystander_is_well(by, "the start, with 64 descriptors");
    for (unsigned i = 0; i < FEW; i++)
        wire_open(&many[i], daemon.port); /* the kernel's queue may be full */
    bystander_is_well(by, "no descriptor left");
    uint64_t cpu_ms = daemon_cpu_ms(&daemon);
    e2e_sleep_ms(1000);
    cpu_ms = daemon_cpu_ms(&daemon) - cpu_ms;
    printf("  a second without a descriptor took %llu ms of CPU\n",
           (unsigned long long)cpu_ms);
    for (unsigned i = 0; i < FEW; i++)
        wire_close(&many[i]);
    bystander_is_well(by, "room again");
    bool served = false;
    for (int i = 0; i < 100 && !served; i++) {
        wire w;
        idp_request ask = {.method = IDP_PING};
        idp_reply reply;
        served = wire_open(&w, daemon.port) && wire_ask(&w, &ask, &reply) &&
                 !reply.is_error;
        wire_close(&w);
        e2e_sleep_ms(20);
    }
    CHECK(served, "new connections are not taken again");
    bystander_stop(by);
    daemon_stop(&daemon);
}

int main(int argc, char **argv) {
    CHECK(argc > 1, "usage: descriptors IDEMSTORED");
    ten_thousand_idle(argv[1]);
    over_the_limit(argv[1]);
    none_left(argv[1]);
    return 0;
}
