/* SPDX-License-Identifier: Apache-2.0 */
/* deadlines.c -- no deadline comes early, not by a part of a millisecond:
 * leases, retentions and waits, timed by a client that can only see them
 * begin too early and end too late.
 *
 *   deadlines IDEMSTORED
 *
 * Only ends that come before their time are judged, so a slow machine is no
 * reason to fail. */
#include "tests/e2e/harness.h"

#include <stdio.h>
#include <time.h>

#define ROUNDS  300u
#define SPAN_MS 7u
#define LONG_MS 30000u

static daemon_t server;
static wire holder, other;

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static idp_outcome ask(wire *w, idp_request request) {
    idp_answer answer;
    int code = wire_call(w, &request, &answer);
    CHECK(code == 0, "asked, and heard error %d", code);
    return answer.outcome;
}

/* It began after from, and is over by now. */
static void check_span(uint64_t from, const char *what, unsigned round) {
    uint64_t took = now_ns() - from;
    CHECK(took >= SPAN_MS * 1000000u,
          "round %u: a %s of %u ms was over after %llu ns", round, what,
          SPAN_MS, (unsigned long long)took);
}

static void hold(const char *key, uint32_t lease_ms, uint64_t ttl_ms) {
    CHECK(ask(&holder, ask_acquire(key, lease_ms, ttl_ms)) ==
              IDP_OUTCOME_ACQUIRED,
          "%s is not to be had", key);
}

/* The next holder waits for the lease to end. */
static void a_lease(unsigned round) {
    char key[32];
    snprintf(key, sizeof key, "lease-%u", round);
    uint64_t from = now_ns();
    hold(key, SPAN_MS, LONG_MS);
    idp_request waits = ask_acquire(key, LONG_MS, LONG_MS);
    waits.wait_ms = LONG_MS;
    CHECK(ask(&other, waits) == IDP_OUTCOME_ACQUIRED, "%s is not free", key);
    check_span(from, "lease", round);
}

/* A key whose retention is over is new again. */
static void a_retention(unsigned round) {
    char key[32];
    idp_answer answer;
    snprintf(key, sizeof key, "kept-%u", round);
    idp_request first = ask_acquire(key, SPAN_MS, LONG_MS);
    CHECK(wire_call(&holder, &first, &answer) == 0, "can't acquire");
    idp_request ends = ask_complete(key, answer.token, "done");
    ends.ttl_ms = SPAN_MS;
    uint64_t from = now_ns();
    CHECK(ask(&holder, ends) == IDP_OUTCOME_COMPLETED, "can't complete");
    while (ask(&other, ask_acquire(key, LONG_MS, LONG_MS)) ==
           IDP_OUTCOME_REPLAY)
        ;
    check_span(from, "retention", round);
}

static void a_wait(unsigned round) {
    char key[32];
    snprintf(key, sizeof key, "waits-%u", round);
    hold(key, LONG_MS, LONG_MS);
    idp_request waits = ask_acquire(key, LONG_MS, LONG_MS);
    waits.wait_ms = SPAN_MS;
    uint64_t from = now_ns();
    CHECK(ask(&other, waits) == IDP_OUTCOME_IN_PROGRESS, "%s is free", key);
    check_span(from, "wait", round);
}

/* What an answer says is left is never more than the whole. */
static void what_is_left(void) {
    idp_answer answer;
    idp_request again = ask_acquire("left", LONG_MS, LONG_MS);
    hold("left", LONG_MS, LONG_MS);
    CHECK(wire_call(&other, &again, &answer) == 0 &&
              answer.outcome == IDP_OUTCOME_IN_PROGRESS &&
              answer.lease_left_ms <= LONG_MS,
          "%llu ms left of a lease of %u ms",
          (unsigned long long)answer.lease_left_ms, LONG_MS);
}

int main(int argc, char **argv) {
    CHECK(argc == 2, "usage: deadlines IDEMSTORED");
    const daemon_spec spec = {.program = argv[1],
                              .flags = {"--threads", "2", NULL}};
    daemon_start(&server, &spec);
    CHECK(wire_open(&holder, server.port), "can't connect");
    CHECK(wire_open(&other, server.port), "can't connect");
    what_is_left();
    for (unsigned round = 0; round < ROUNDS; round++) {
        a_lease(round);
        a_retention(round);
        a_wait(round);
    }
    wire_close(&holder);
    wire_close(&other);
    daemon_stop(&server);
    printf("%u leases, retentions and waits, none over before its time\n",
           3 * ROUNDS);
    return 0;
}
