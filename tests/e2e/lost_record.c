/* SPDX-License-Identifier: Apache-2.0 */
/* lost_record.c -- a primary loses its folder and its record, and is started
 * anew, empty, where it was: the replica keeps what it has and says why.
 *
 *   lost_record IDEMSTORED */
#include "tests/e2e/pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REASON "began without the records that the other one keeps"

enum { KEYS = 50 };

static void complete_keys(const pair_node *node) {
    char key[16];
    wire w;
    CHECK(wire_open(&w, node->port), "no connection");
    for (unsigned i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "key-%u", i);
        e2e_do_once(&w, key, "done");
    }
    wire_close(&w);
}

/* Each is replayed: none is granted again. */
static void all_are_there(const pair_node *node) {
    char key[16];
    wire w;
    CHECK(wire_open(&w, node->port), "no connection");
    for (unsigned i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "key-%u", i);
        e2e_is_replayed(&w, key);
    }
    wire_close(&w);
}

/* kill -9, and nothing is left of it. */
static void lose(pair_node *node) {
    char command[1100];
    pair_kill(node);
    snprintf(command, sizeof command, "rm -rf '%s' '%s' '%s.lock'",
             node->data_dir, node->state, node->state);
    CHECK(system(command) == 0, "%s", command); /* NOLINT: its own folder */
}

static void in_sync_pair(pair *p, const char *program, bool kept) {
    pair_init(p, program, 2, 1);
    if (kept)
        pair_keep(p);
    pair_start_both(p);
    complete_keys(&p->a);
    pair_await_in_sync(&p->b);
}

static void refused_on_both_sides(const pair *p) {
    pair_await_log(&p->b, REASON);
    pair_await_log(&p->a, REASON);
    pair_await_state(&p->b, REASON);
    pair_await_state(&p->a, REASON);
}

static void the_replica_keeps_what_it_has(const char *program, bool kept) {
    idp_replication report;
    pair p;
    in_sync_pair(&p, program, kept);
    lose(&p.a);
    pair_start(&p, &p.a, NULL);
    refused_on_both_sides(&p);
    pair_report(&p.b, &report);
    CHECK(strstr(report.state, "may be promoted without loss"), "B says %s",
          report.state);
    if (kept) { /* and a restart does not make it forget that */
        pair_kill(&p.b);
        pair_start(&p, &p.b, &p.a);
        refused_on_both_sides(&p);
    }
    pair_carry_out(&p.b, IDP_PROMOTE, false);
    pair_await_role(&p.b, "primary");
    pair_await_in_sync(&p.b);
    pair_await_role(&p.a, "replica");
    all_are_there(&p.b);
    pair_end(&p);
    printf("  %s: it keeps its records, is promoted, and the other joins it\n",
           kept ? "with a data folder" : "in memory");
}

/* The other order: B leads already as A comes back with a later epoch. */
static void one_that_leads_goes_on(const char *program) {
    pair p;
    in_sync_pair(&p, program, false);
    lose(&p.a);
    pair_carry_out(&p.b, IDP_PROMOTE, false);
    pair_await_role(&p.b, "primary");
    pair_start(&p, &p.a, NULL);
    refused_on_both_sides(&p);
    pair_await_role(&p.b, "primary");
    all_are_there(&p.b);
    lose(&p.a);
    pair_start(&p, &p.a, &p.b);
    pair_await_in_sync(&p.b);
    pair_end(&p);
    puts("  a primary that was promoted does not stop for an empty one");
}

static void its_operator_says_so(const char *program) {
    pair p;
    in_sync_pair(&p, program, true);
    lose(&p.a);
    pair_start(&p, &p.a, NULL);
    refused_on_both_sides(&p);
    pair_stop(&p.b);
    p.b.more[0] = "--accept-change";
    pair_start(&p, &p.b, &p.a);
    pair_await_in_sync(&p.a);
    pair_end(&p);
    puts("  with --accept-change it takes the copy");
}

/* B is away and detached, C takes its place and over: B comes to C. */
static void several_in_turn(const char *program) {
    pair p;
    pair_node c = {.threads = "1"};
    in_sync_pair(&p, program, true);
    snprintf(c.state, sizeof c.state, "%s/c.peer", p.folder);
    snprintf(c.data_dir, sizeof c.data_dir, "%s/c", p.folder);
    pair_kill(&p.b);
    pair_carry_out(&p.a, IDP_DETACH, false);
    pair_start(&p, &c, &p.a);
    pair_await_in_sync(&p.a);
    pair_await_in_sync(&c);
    pair_kill(&p.a);
    pair_carry_out(&c, IDP_PROMOTE, false);
    pair_await_role(&c, "primary");
    pair_start(&p, &p.b, &c);
    pair_await_in_sync(&c);
    all_are_there(&c);
    pair_stop(&c);
    pair_end(&p);
    puts("  nodes that took turns still follow each other");
}

int main(int argc, char **argv) {
    CHECK(argc == 2, "usage: lost_record IDEMSTORED");
    setvbuf(stdout, NULL, _IOLBF, 0);
    the_replica_keeps_what_it_has(argv[1], false);
    the_replica_keeps_what_it_has(argv[1], true);
    one_that_leads_goes_on(argv[1]);
    its_operator_says_so(argv[1]);
    several_in_turn(argv[1]);
    puts("good");
    return 0;
}
