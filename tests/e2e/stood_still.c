/* SPDX-License-Identifier: Apache-2.0 */
/* stood_still.c -- a daemon is stopped for longer than a lease, as when its
 * machine is moved; what came meanwhile lies in its sockets. Whoever renewed in
 * time keeps what it holds.
 *
 *   stood_still IDEMSTORED */
#include "tests/e2e/pair.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* Keys enough that some belong to the loop that reads them, and some to the
 * other. */
enum { KEYS = 16, LEASE_MS = 3000, STOPPED_MS = 3500, TTL_MS = 600000 };

typedef struct claim {
    char key[32];
    idp_token token;
} claim;

static void claim_all(wire *w, claim claims[static KEYS]) {
    for (int i = 0; i < KEYS; i++) {
        idp_answer answer;
        snprintf(claims[i].key, sizeof claims[i].key, "held-%d", i);
        idp_request ask = ask_acquire(claims[i].key, LEASE_MS, TTL_MS);
        int code = wire_call(w, &ask, &answer);
        CHECK(code == 0 && answer.outcome == IDP_OUTCOME_ACQUIRED,
              "%s: code %d", claims[i].key, code);
        claims[i].token = answer.token;
    }
}

static void send_acquires(wire *w, const claim claims[static KEYS],
                          uint32_t wait_ms) {
    for (int i = 0; i < KEYS; i++) {
        idp_request ask = ask_acquire(claims[i].key, LEASE_MS, TTL_MS);
        ask.wait_ms = wait_ms;
        CHECK(wire_send_request(w, &ask), "not taken");
    }
}

static void send_renewals(wire *w, const claim claims[static KEYS]) {
    for (int i = 0; i < KEYS; i++) {
        idp_request renew = ask_release(claims[i].key, claims[i].token);
        renew.method = IDP_RENEW;
        renew.lease_ms = 60000;
        CHECK(wire_send_request(w, &renew), "not taken");
    }
}

static void all_hear(wire *w, idp_method to, idp_outcome outcome,
                     const char *who) {
    for (int i = 0; i < KEYS; i++) {
        idp_reply reply;
        idp_answer answer;
        CHECK(wire_reply(w, &reply), "%s: no reply", who);
        CHECK(!reply.is_error, "%s: %.*s", who, (int)reply.text.len,
              (const char *)reply.text.ptr);
        CHECK(idp_answer_read(to, reply.result, &answer), "no answer");
        CHECK(answer.outcome == outcome, "%s hear outcome %d, not %d", who,
              (int)answer.outcome, (int)outcome);
    }
}

static void await_waiters(const daemon_t *daemon) {
    uint64_t until_ms = e2e_now_ms() + 60000;
    while (daemon_stat(daemon, "waiters") < KEYS) {
        CHECK(e2e_now_ms() < until_ms, "they don't wait");
        e2e_sleep_ms(5);
    }
}

/* Who waits, and who comes in between, are read first: their sockets are
 * older, and ready before the holder's. */
static void keeps_its_claims(const daemon_t *daemon) {
    static claim claims[KEYS];
    wire waits, comes, holds;
    CHECK(wire_open(&waits, daemon->port) && wire_open(&comes, daemon->port) &&
              wire_open(&holds, daemon->port),
          "no connection");
    claim_all(&holds, claims);
    send_acquires(&waits, claims, 60000);
    await_waiters(daemon);
    kill(daemon->child.pid, SIGSTOP);
    send_acquires(&comes, claims, 0);
    send_renewals(&holds, claims);
    e2e_sleep_ms(STOPPED_MS);
    kill(daemon->child.pid, SIGCONT);
    all_hear(&holds, IDP_RENEW, IDP_OUTCOME_RENEWED, "renewals");
    all_hear(&comes, IDP_ACQUIRE, IDP_OUTCOME_IN_PROGRESS, "newcomers");
    CHECK(daemon_stat(daemon, "waiters") == KEYS, "a waiter was let in");
    for (int i = 0; i < KEYS; i++) {
        idp_answer answer;
        idp_request ask = ask_complete(claims[i].key, claims[i].token, "done");
        CHECK(wire_call(&holds, &ask, &answer) == 0 &&
                  answer.outcome == IDP_OUTCOME_COMPLETED,
              "%s is not the holder's any more", claims[i].key);
    }
    all_hear(&waits, IDP_ACQUIRE, IDP_OUTCOME_REPLAY, "waiters");
    wire_close(&waits);
    wire_close(&comes);
    wire_close(&holds);
}

/* A wait goes on after the gap, and so does a lease; both end. */
static void deadlines_go_on(const daemon_t *daemon) {
    wire w, other;
    idp_answer answer;
    CHECK(wire_open(&w, daemon->port) && wire_open(&other, daemon->port),
          "no connection");
    idp_request ask = ask_acquire("left", LEASE_MS, TTL_MS);
    CHECK(wire_call(&w, &ask, &answer) == 0, "no claim");
    ask.wait_ms = 60000;
    CHECK(wire_send_request(&other, &ask), "not taken");
    kill(daemon->child.pid, SIGSTOP);
    e2e_sleep_ms(STOPPED_MS);
    kill(daemon->child.pid, SIGCONT);
    idp_reply reply;
    CHECK(wire_reply(&other, &reply) && !reply.is_error &&
              idp_answer_read(IDP_ACQUIRE, reply.result, &answer) &&
              answer.outcome == IDP_OUTCOME_ACQUIRED && answer.attempt == 2,
          "nobody takes over what nobody renewed");
    wire_close(&w);
    wire_close(&other);
}

/* The replica's heartbeats lie in its sockets, too: it serves on. */
static void a_primary_serves_on(const char *program) {
    pair p;
    wire w;
    pair_init(&p, program, 2, 1);
    pair_start_both(&p);
    keeps_its_claims(&p.a.daemon);
    CHECK(wire_open(&w, p.a.port), "no connection");
    e2e_do_once(&w, "afterwards", "done");
    wire_close(&w);
    pair_end(&p);
}

int main(int argc, char **argv) {
    daemon_t daemon;
    CHECK(argc == 2, "usage: stood_still IDEMSTORED");
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int threads = 1; threads <= 2; threads++) {
        const char *count = threads == 1 ? "1" : "2";
        daemon_start(&daemon, &(daemon_spec){.program = argv[1],
                                             .flags = {"--threads", count}});
        keeps_its_claims(&daemon);
        CHECK(daemon_said(&daemon, "stood still"), "it does not say so");
        deadlines_go_on(&daemon);
        daemon_stop(&daemon);
        printf("  %s threads: who renewed in time keeps its claims\n", count);
    }
    a_primary_serves_on(argv[1]);
    puts("  a primary of a pair, too");
    puts("good");
    return 0;
}
