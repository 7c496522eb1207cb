/* SPDX-License-Identifier: Apache-2.0 */
/* ready_at_once.c -- more connections are ready than a turn serves or one look
 * at the sockets tells: each is heard in the end, also who has said but half a
 * request.
 *
 *   ready_at_once IDEMSTORED */
#include "tests/e2e/harness.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

/* libuv looks again where 1,024 were ready; a turn serves 4,096 requests and
 * reads. */
#define CROWD 1500u
#define PINGS 8u

static wire crowd[CROWD];
static uint8_t ping[1024];
static size_t ping_len;

static void allow_the_crowd(void) {
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0, "no limit");
    limit.rlim_cur = limit.rlim_max;
    CHECK(limit.rlim_max > CROWD + 100 && setrlimit(RLIMIT_NOFILE, &limit) == 0,
          "too few descriptors are allowed: %lu",
          (unsigned long)limit.rlim_max);
}

static void make_ping(void) {
    const idp_request request = {.method = IDP_PING, .msgid = 7};
    ping_len = idp_request_write(ping, sizeof ping, &request);
    CHECK(ping_len > 2, "no ping");
}

static void hear_pong(wire *w, const char *what, unsigned i) {
    idp_reply reply;
    CHECK(wire_reply(w, &reply) && !reply.is_error && reply.msgid == 7,
          "%s: %u hears no pong", what, i);
}

/* Everyone speaks while the daemon stands still: every second one half a
 * request, the others many. */
static void all_speak(const daemon_t *daemon) {
    CHECK(kill(daemon->child.pid, SIGSTOP) == 0, "can't stop it");
    for (unsigned i = 0; i < CROWD; i++)
        for (unsigned k = 0; k < (i % 2 ? 1 : PINGS); k++)
            CHECK(wire_send(&crowd[i], ping, i % 2 ? ping_len / 2 : ping_len),
                  "%u can't send", i);
    CHECK(kill(daemon->child.pid, SIGCONT) == 0, "can't let it go on");
}

static void all_are_heard(void) {
    for (unsigned i = 0; i < CROWD; i += 2)
        for (unsigned k = 0; k < PINGS; k++)
            hear_pong(&crowd[i], "all of many", i);
    for (unsigned i = 1; i < CROWD; i += 2) {
        size_t half = ping_len / 2;
        CHECK(wire_send(&crowd[i], ping + half, ping_len - half),
              "%u can't send the rest", i);
    }
    for (unsigned i = 1; i < CROWD; i += 2)
        hear_pong(&crowd[i], "two halves", i);
}

int main(int argc, char **argv) {
    daemon_t daemon;
    CHECK(argc > 1, "ready_at_once IDEMSTORED");
    allow_the_crowd();
    make_ping();
    daemon_start(&daemon, &(daemon_spec){.program = argv[1],
                                         .flags = {"--threads", "1",
                                                   "--log-level", "error"}});
    for (unsigned i = 0; i < CROWD; i++) {
        CHECK(wire_open(&crowd[i], daemon.port), "%u can't connect", i);
        CHECK(wire_send(&crowd[i], ping, ping_len), "%u can't send", i);
        hear_pong(&crowd[i], "alone", i);
    }
    for (int round = 0; round < 3; round++) {
        all_speak(&daemon);
        all_are_heard();
    }
    for (unsigned i = 0; i < CROWD; i++)
        wire_close(&crowd[i]);
    daemon_stop(&daemon);
    puts("ready_at_once: all were heard");
    return 0;
}
