/* SPDX-License-Identifier: Apache-2.0 */
/* safe_to_stop.c -- a script that restarts a replica, waits as the docs say,
 * and then stops the primary: nothing that was acknowledged is lost. The
 * replica's memory is gone with its process, and its copy takes a while.
 *
 *   safe_to_stop IDEMSTORED */
#include "tests/e2e/pair.h"

#include <stdio.h>
#include <string.h>

enum { RECORDS = 3000, RESULT_BYTES = 8000, ROUNDS = 3, PATIENCE_MS = 60000 };

static void key_of(char key[static 32], int i) {
    snprintf(key, 32, "kept-%d", i);
}

static void fill(const pair_node *node) {
    static char result[RESULT_BYTES + 1];
    wire w;
    memset(result, 'r', RESULT_BYTES);
    CHECK(wire_open(&w, node->port), "no connection");
    for (int i = 0; i < RECORDS; i++) {
        char key[32];
        key_of(key, i);
        e2e_do_once(&w, key, result);
    }
    wire_close(&w);
}

static void has_all(const pair_node *node) {
    wire w;
    CHECK(wire_open(&w, node->port), "no connection");
    for (int i = 0; i < RECORDS; i++) {
        char key[32];
        key_of(key, i);
        e2e_is_replayed(&w, key);
    }
    wire_close(&w);
}

/* As docs/replication.md has it: until it is so. What is said meanwhile must
 * not be more than is so. */
static void wait_for_safe(const pair_node *node) {
    idp_replication r;
    uint64_t until_ms = e2e_now_ms() + PATIENCE_MS;
    bool seen = false;
    for (;;) {
        pair_report(node, &r);
        if (r.safe_to_stop)
            break;
        CHECK(r.in_sync_count == 1 || !r.connected ||
                  (!r.syncing && r.copy_records == RECORDS),
              "in sync with one that is loading: %s", r.state);
        CHECK(!r.syncing || strstr(r.state, "restarted without its memory"),
              "a copy is loaded, and it says: %s", r.state);
        CHECK(r.copy_records <= r.copy_total && r.copy_total <= RECORDS,
              "%llu of %llu", (unsigned long long)r.copy_records,
              (unsigned long long)r.copy_total);
        seen = seen || (r.syncing && r.copy_total > 0);
        CHECK(e2e_now_ms() < until_ms, "never safe to stop: %s", r.state);
    }
    CHECK(seen, "the copy was over before it was seen");
    CHECK(r.in_sync_count == 2 && r.connected && !r.syncing &&
              r.copy_records == RECORDS && r.copy_total == RECORDS,
          "safe, and yet: %s (%llu of %llu)", r.state,
          (unsigned long long)r.copy_records, (unsigned long long)r.copy_total);
}

static void both_tell_of_the_copy(const pair_node *from, const pair_node *to) {
    CHECK(daemon_said(&from->daemon, "a full copy to the replica begins") &&
              daemon_said(&from->daemon, "the replica has the full copy"),
          "the primary's log does not tell of the copy");
    CHECK(
        daemon_said(&to->daemon, "a full copy from the primary begins") &&
            daemon_said(&to->daemon, "the full copy took the old one's place"),
        "the replica's log does not tell of the copy");
    CHECK(daemon_said(&from->daemon, "restarted without its memory"),
          "the primary's log does not tell of the memory");
}

static void round_of(pair *p, pair_node *leads, pair_node *follows) {
    pair_kill(follows);
    pair_start(p, follows, leads);
    wait_for_safe(leads);
    both_tell_of_the_copy(leads, follows);
    pair_kill(leads);
    pair_carry_out(follows, IDP_PROMOTE, false);
    has_all(follows);
    pair_start(p, leads, follows);
    pair_await_in_sync(follows);
}

int main(int argc, char **argv) {
    pair p;
    CHECK(argc == 2, "usage: safe_to_stop IDEMSTORED");
    setvbuf(stdout, NULL, _IOLBF, 0);
    pair_init(&p, argv[1], 2, 1);
    pair_start_both(&p);
    fill(&p.a);
    for (int i = 0; i < ROUNDS; i++) {
        round_of(&p, i % 2 ? &p.b : &p.a, i % 2 ? &p.a : &p.b);
        puts("  restarted, waited for, the primary killed: nothing is lost");
    }
    pair_end(&p);
    puts("good");
    return 0;
}
