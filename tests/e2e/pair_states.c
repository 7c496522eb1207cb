/* SPDX-License-Identifier: Apache-2.0 */
/* pair_states.c -- what either node of a pair says of itself, in each state of
 * its life: report, gauges and hello agree, and none says more than is so.
 *
 *   pair_states IDEMSTORED */
#include "tests/e2e/pair.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { PATIENCE_MS = 40000, LOOK_MS = 5 };

/* What a node says: everything that a script may read. */
typedef struct says {
    const char *role;
    int in_sync; /* members of the set */
    int connected, syncing, safe_to_stop;
    const char *state; /* is part of the sentence */
} says;

#define YES 1
#define NO  0

static bool is_so(const idp_replication *r, const says *s) {
    return strcmp(r->role, s->role) == 0 &&
           (int)r->in_sync_count == s->in_sync &&
           (int)r->connected == s->connected && (int)r->syncing == s->syncing &&
           (int)r->safe_to_stop == s->safe_to_stop &&
           strstr(r->state, s->state) != NULL;
}

static void show(const char *when, const char *who, const pair_node *node,
                 const idp_replication *r) {
    child_print_log(&node->daemon.child);
    CHECK(false,
          "%s: %s says %s, %u in sync, connected %d, syncing %d, safe to "
          "stop %d: %s",
          when, who, r->role, r->in_sync_count, r->connected, r->syncing,
          r->safe_to_stop, r->state);
}

/* The gauges and hello follow the report within a tick, on whichever loop a
 * connection is. */
static bool others_agree(const pair_node *node, const says *s) {
    wire w;
    idp_hello hello;
    CHECK(wire_open(&w, node->port), "no connection");
    CHECK(wire_hello(&w, -1, NULL, &hello) == IDP_OK, "no hello");
    wire_close(&w);
    for (int i = 0; i < 4; i++) /* connections are dealt out in turn */
        if (daemon_stat(&node->daemon, "in_sync") != (uint64_t)s->in_sync ||
            daemon_stat(&node->daemon, "peer_connected") !=
                (uint64_t)s->connected ||
            daemon_stat(&node->daemon, "full_copy") != (uint64_t)s->syncing ||
            daemon_stat(&node->daemon, "safe_to_stop") !=
                (uint64_t)s->safe_to_stop)
            return false;
    return strcmp(hello.role, s->role) == 0;
}

static void expect(const char *when, const char *who, const pair_node *node,
                   says s) {
    idp_replication report;
    uint64_t until_ms = e2e_now_ms() + PATIENCE_MS;
    for (;;) {
        pair_report(node, &report);
        if (is_so(&report, &s) && others_agree(node, &s))
            return;
        if (e2e_now_ms() > until_ms)
            show(when, who, node, &report);
        e2e_sleep_ms(LOOK_MS);
    }
}

/* From the first start to the second node in sync, and its loss. */
static void a_pair_grows_up(pair *p) {
    pair_start(p, &p->a, NULL);
    expect("alone", "A", &p->a,
           (says){"primary", 1, NO, NO, NO, "it never had a replica"});
    pair_start(p, &p->b, &p->a);
    expect("in sync", "A", &p->a,
           (says){"primary", 2, YES, NO, YES, "is in sync."});
    expect(
        "in sync", "B", &p->b,
        (says){"replica", 2, YES, NO, YES, "It is in sync with the primary"});
    puts("  alone, then in sync: a node may be stopped once the other has all");
}

static void the_replica_is_lost(pair *p) {
    pair_kill(&p->b);
    expect("lost", "A", &p->a,
           (says){"primary", 2, NO, NO, NO, "Changes wait: the replica"});
    pair_carry_out(&p->a, IDP_DETACH, false);
    expect("detached", "A", &p->a,
           (says){"primary", 1, NO, NO, NO, "does not know it"});
    pair_start(p, &p->b, &p->a);
    expect("back again", "A", &p->a,
           (says){"primary", 2, YES, NO, YES, "is in sync."});
    puts("  the replica lost, detached, back: A may not be stopped meanwhile");
}

/* B stands still, so that it can't be heard, and neither can what it says be
 * old: A is asked. Then B leads, and A is out of its reach. */
static void promoted_in_a_partition(pair *p) {
    idp_replication report;
    kill(p->a.daemon.child.pid, SIGSTOP);
    pair_carry_out(&p->b, IDP_PROMOTE, false);
    pair_report(&p->b, &report);
    if (report.connected || report.safe_to_stop || report.in_sync_count != 1 ||
        report.lag.ops != 0)
        show("promoted", "B", &p->b, &report);
    expect("promoted", "B", &p->b,
           (says){"primary", 1, NO, NO, NO, "It serves alone"});
    kill(p->a.daemon.child.pid, SIGCONT);
    expect("heard of it", "A", &p->a,
           (says){"replica", 2, YES, NO, YES, "in sync with the primary"});
    expect("joined", "B", &p->b,
           (says){"primary", 2, YES, NO, YES, "is in sync."});
    puts("  promoted in a partition: nothing stale is called connected");
}

static void handed_over(pair *p) {
    pair_carry_out(&p->b, IDP_SWITCHOVER, false);
    expect("handed over", "A", &p->a,
           (says){"primary", 2, YES, NO, YES, "is in sync."});
    expect("handed over", "B", &p->b,
           (says){"replica", 2, YES, NO, YES, "in sync with the primary"});
    puts("  handed over: both may be stopped once the old primary has joined");
}

static void the_primary_is_dead(pair *p) {
    pair_kill(&p->a);
    expect("its primary is dead", "B", &p->b,
           (says){"replica", 2, NO, NO, NO, "may be promoted without loss"});
    pair_carry_out(&p->b, IDP_PROMOTE, false);
    expect("promoted", "B", &p->b,
           (says){"primary", 1, NO, NO, NO, "It serves alone"});
    pair_kill(&p->b);
    pair_start(p, &p->b, NULL);
    expect("a lone one that restarted", "B", &p->b,
           (says){"replica", 0, NO, NO, NO, "Promoting it may lose changes"});
    pair_kill(&p->b);
    puts("  a replica of a dead primary, and what it becomes");
}

static void forget(pair *p) {
    remove(p->a.state);
    remove(p->b.state);
}

static void async_promises_nothing(pair *p) {
    forget(p);
    p->a.more[0] = p->b.more[0] = "--replication=async";
    pair_start(p, &p->a, NULL);
    pair_start(p, &p->b, &p->a);
    expect("async", "A", &p->a,
           (says){"primary", 1, YES, NO, NO, "it may lack the latest"});
    expect("async", "B", &p->b,
           (says){"replica", 1, YES, NO, YES, "is not in sync with it"});
    pair_kill(&p->b);
    expect("async, alone", "A", &p->a,
           (says){"primary", 1, NO, NO, NO, "its replica is gone"});
    pair_kill(&p->a);
    p->a.more[0] = p->b.more[0] = NULL;
    puts("  async: stopping the primary is never without loss");
}

static void two_or_none(pair *p) {
    forget(p);
    p->a.more[0] = "--min-in-sync=2";
    pair_start(p, &p->a, NULL);
    expect("needs two", "A", &p->a,
           (says){"primary", 1, NO, NO, NO, "--min-in-sync is 2"});
    pair_start(p, &p->b, &p->a);
    expect("has two", "A", &p->a,
           (says){"primary", 2, YES, NO, YES, "is in sync."});
    pair_kill(&p->b);
    pair_kill(&p->a);
    p->a.more[0] = NULL;
    puts("  --min-in-sync 2: alone it says what it waits for");
}

static void without_a_peer(const char *program) {
    daemon_t daemon;
    daemon_start(&daemon, &(daemon_spec){.program = program});
    CHECK(daemon_stat(&daemon, "safe_to_stop") == 0, "alone, and safe to stop");
    CHECK(daemon_stat(&daemon, "in_sync") == 1, "it has itself");
    daemon_stop(&daemon);
    puts("  a server without a peer is never safe to stop");
}

int main(int argc, char **argv) {
    pair p;
    CHECK(argc == 2, "usage: pair_states IDEMSTORED");
    setvbuf(stdout, NULL, _IOLBF, 0);
    pair_init(&p, argv[1], 2, 3);
    a_pair_grows_up(&p);
    the_replica_is_lost(&p);
    promoted_in_a_partition(&p);
    handed_over(&p);
    the_primary_is_dead(&p);
    async_promises_nothing(&p);
    two_or_none(&p);
    pair_end(&p);
    without_a_peer(argv[1]);
    puts("good");
    return 0;
}
