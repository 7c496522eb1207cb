/* SPDX-License-Identifier: Apache-2.0 */
/* slow_replica.c -- a replica whose disk comes to no end with a sync: it is
 * heard, it is in sync, and every change waits for that disk. The primary says
 * so, and with a --commit-wait that is long enough nothing is UNREPLICATED.
 *
 *   slow_replica IDEMSTORED SLOW_SYNC_LIBRARY */
#include "tests/e2e/pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATIENCE_MS = 60000 };

/* Longer than a node is silent before it is given up. */
enum { HELD_MS = 3000 };

static char gate[128];

/* From now on no sync of the replica's disk ends, until it is let go. */
static void hold_disk(void) {
    FILE *file = fopen(gate, "we");
    CHECK(file != NULL && fclose(file) == 0, "%s: it can't be made", gate);
}

static void let_disk_go(void) {
    CHECK(unlink(gate) == 0, "%s: it stays", gate);
}

static void start(pair *p, const char *library, const char *wait) {
    static char prefix[512];
    snprintf(gate, sizeof gate, "%s/gate", p->folder);
    snprintf(prefix, sizeof prefix, "export SLOW_SYNC='%s' LD_PRELOAD='%s';",
             gate, library);
    pair_keep(p);
    p->b.prefix = prefix;
    p->a.more[0] = wait;
    pair_start_both(p);
}

static void forget(pair *p) {
    char command[256];
    pair_kill(&p->b);
    pair_kill(&p->a);
    snprintf(command, sizeof command, "rm -rf '%s'/*", p->folder);
    CHECK(system(command) == 0, "%s", command);
}

static void waits_long_enough(pair *p, const char *library) {
    wire w;
    idp_reply reply;
    idp_answer answer;
    start(p, library, "--commit-wait=60000");
    CHECK(wire_open(&w, p->a.port), "no connection");
    hold_disk();
    idp_request ask = ask_acquire("patient", 600000, 600000);
    CHECK(wire_send_request(&w, &ask), "not taken");
    pair_await_state(&p->a, "slow disk at the replica");
    pair_await_state(&p->b, "Its disk is slow");
    e2e_sleep_ms(HELD_MS);
    let_disk_go();
    CHECK(wire_reply(&w, &reply) && !reply.is_error &&
              idp_answer_read(IDP_ACQUIRE, reply.result, &answer) &&
              answer.outcome == IDP_OUTCOME_ACQUIRED,
          "it hears %.*s", (int)reply.text.len, (const char *)reply.text.ptr);
    CHECK(daemon_said(&p->a.daemon, "slow disk at the replica") &&
              daemon_said(&p->b.daemon, "slow disk: the primary's"),
          "the logs don't say so");
    pair_await_state(&p->a, "is in sync.");
    wire_close(&w);
    forget(p);
    puts("  --commit-wait is long enough: all goes on, and the status says why "
         "it is slow");
}

static void hears_why(pair *p, const char *library) {
    wire w;
    idp_reply reply;
    uint64_t until_ms = e2e_now_ms() + PATIENCE_MS;
    bool heard = false;
    start(p, library, "--commit-wait=1000");
    hold_disk();
    CHECK(wire_open(&w, p->a.port), "no connection");
    for (int i = 0; !heard; i++) {
        char key[32];
        snprintf(key, sizeof key, "hasty-%d", i);
        idp_request ask = ask_acquire(key, 600000, 600000);
        CHECK(e2e_now_ms() < until_ms, "it never hears of a slow disk");
        CHECK(wire_ask(&w, &ask, &reply), "no reply");
        heard = reply.is_error && reply.error == IDP_E_UNREPLICATED &&
                memmem(reply.text.ptr, reply.text.len, "slow disk", 9) != NULL;
    }
    pair_await_state(&p->a, "slow disk at the replica");
    let_disk_go();
    pair_await_state(&p->a, "is in sync.");
    wire_close(&w);
    forget(p);
    puts("  it is not: UNREPLICATED says that the replica's disk is slow");
}

int main(int argc, char **argv) {
    pair p;
    CHECK(argc == 3, "usage: slow_replica IDEMSTORED SLOW_SYNC_LIBRARY");
    setvbuf(stdout, NULL, _IOLBF, 0);
    pair_init(&p, argv[1], 1, 1);
    waits_long_enough(&p, argv[2]);
    hears_why(&p, argv[2]);
    pair_end(&p);
    puts("good");
    return 0;
}
