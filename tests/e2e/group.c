/* SPDX-License-Identifier: Apache-2.0 */
/* group.c -- three daemons, two of which replicate from the third: any of them
 * dies, is left out by name or hands over, and what was acknowledged is there;
 * whoever is left finds the one that leads.
 *
 *   group IDEMSTORED */
#include "tests/e2e/pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NODES = 3, JOBS = 40, PATIENCE_MS = 60000, LOOK_MS = 10 };

typedef struct group {
    pair p; /* a and b are in it */
    pair_node c;
    pair_node *all[NODES];
    char names[NODES][16], peers[NODES][2][32];
    unsigned jobs; /* done by now: job-0 and on */
} group;

static void forget(const char *folder) {
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    CHECK(system(command) == 0, "%s", command);
}

/* Where it listens in every life, which the others have to know before. */
static void find_port(group *g, pair_node *node) {
    pair_start(&g->p, node, NULL);
    pair_stop(node);
    remove(node->state);
    if (node->data_dir[0])
        forget(node->data_dir);
}

static void set_flags(group *g, int at) {
    pair_node *node = g->all[at];
    int more = 0, other = 0;
    snprintf(g->names[at], sizeof g->names[at], "--node=%c", 'a' + at);
    node->more[more++] = g->names[at];
    node->more[more++] = "--min-in-sync=2";
    for (int i = 0; i < NODES; i++) {
        if (i == at)
            continue;
        snprintf(g->peers[at][other], sizeof g->peers[at][other],
                 "--peer=127.0.0.1:%u", g->all[i]->port);
        node->more[more++] = g->peers[at][other++];
    }
}

static void begin(group *g, const char *program) {
    *g = (group){.jobs = 0};
    pair_init(&g->p, program, 2, 3);
    snprintf(g->c.threads, sizeof g->c.threads, "1");
    snprintf(g->p.b.data_dir, sizeof g->p.b.data_dir, "%s/b", g->p.folder);
    snprintf(g->c.state, sizeof g->c.state, "%s/c.peer", g->p.folder);
    g->all[0] = &g->p.a;
    g->all[1] = &g->p.b;
    g->all[2] = &g->c;
    for (int i = 0; i < NODES; i++)
        find_port(g, g->all[i]);
    for (int i = 0; i < NODES; i++)
        set_flags(g, i);
}

/* --- what they say -------------------------------------------------------- */

/* It leads, with so many in sync, itself among them; one may stop. */
static void await_set(const pair_node *primary, uint32_t count) {
    idp_replication report;
    uint64_t until_ms = e2e_now_ms() + PATIENCE_MS;
    for (;;) {
        pair_report(primary, &report);
        if (strcmp(report.role, "primary") == 0 &&
            report.in_sync_count == count && report.safe_to_stop)
            return;
        if (e2e_now_ms() > until_ms)
            child_print_log(&primary->daemon.child);
        CHECK(e2e_now_ms() <= until_ms, "%u in sync, not %u: %s",
              report.in_sync_count, count, report.state);
        e2e_sleep_ms(LOOK_MS);
    }
}

/* A member is in the report under its name. */
static void tells_of(const pair_node *primary, const char *name, bool member) {
    idp_replication report;
    pair_report(primary, &report);
    for (uint32_t i = 0; i < report.replicas_count; i++)
        if (strcmp(report.replicas[i].node, name) == 0) {
            CHECK(report.replicas[i].member == member, "%s is %sa member", name,
                  member ? "not " : "");
            return;
        }
    CHECK(!member, "nothing is said of %s", name);
}

/* --- orders --------------------------------------------------------------- */

static idp_command_outcome order(const pair_node *to, idp_method what,
                                 const char *whom, char *text, size_t cap) {
    wire w;
    idp_request ask = {.method = what};
    idp_reply reply;
    idp_command_answer answer;
    if (whom != NULL)
        ask.ns = text_slice(whom);
    CHECK(wire_open(&w, to->port), "no connection");
    CHECK(wire_ask(&w, &ask, &reply) && !reply.is_error, "it is not heard");
    CHECK(idp_command_read(what, reply.result, &answer), "no answer is that");
    snprintf(text, cap, "%.*s", (int)answer.text.len,
             (const char *)answer.text.ptr);
    wire_close(&w);
    return answer.outcome;
}

static void carry_out(const pair_node *to, idp_method what, const char *whom) {
    char text[IDP_COMMAND_TEXT_BYTES_MAX + 1];
    CHECK(order(to, what, whom, text, sizeof text) != IDP_COMMAND_REFUSED,
          "refused: %s", text);
}

static void is_refused(const pair_node *to, idp_method what, const char *whom,
                       const char *saying) {
    char text[IDP_COMMAND_TEXT_BYTES_MAX + 1];
    CHECK(order(to, what, whom, text, sizeof text) == IDP_COMMAND_REFUSED,
          "it is carried out");
    CHECK(strstr(text, saying) != NULL, "it says: %s", text);
}

/* --- jobs ----------------------------------------------------------------- */

static void do_jobs(group *g, const pair_node *primary) {
    char key[32];
    for (unsigned i = 0; i < JOBS; i++) {
        snprintf(key, sizeof key, "job-%u", g->jobs);
        pair_do_once(primary, key);
        g->jobs++;
    }
}

static void all_are_replayed(const group *g, const pair_node *primary) {
    char key[32];
    wire w;
    CHECK(wire_open(&w, primary->port), "no connection");
    for (unsigned i = 0; i < g->jobs; i++) {
        snprintf(key, sizeof key, "job-%u", i);
        e2e_is_replayed(&w, key);
    }
    wire_close(&w);
}

/* Held, or refused before: nothing is acknowledged without the one that is
 * gone. */
static void is_not_acknowledged(const pair_node *primary, const char *key) {
    CHECK(pair_claim(primary, key) == IDP_E_UNREPLICATED, "it is");
}

/* --- the story ------------------------------------------------------------ */

/* Two replicas; one dies, and is left out by its name; it comes back. */
static void a_replica_dies(group *g) {
    pair_node *a = g->all[0], *b = g->all[1], *c = g->all[2];
    pair_start(&g->p, a, NULL);
    is_not_acknowledged(a, "alone");
    pair_start(&g->p, b, a);
    await_set(a, 2);
    pair_start(&g->p, c, a);
    await_set(a, 3);
    do_jobs(g, a);
    tells_of(a, "b", true);
    pair_kill(c);
    is_not_acknowledged(a, "without-c");
    is_refused(a, IDP_DETACH, NULL, "name one");
    is_refused(a, IDP_DETACH, "nobody", "no such replica");
    carry_out(a, IDP_DETACH, "c");
    tells_of(a, "c", false);
    await_set(a, 2);
    do_jobs(g, a);
    is_refused(a, IDP_DETACH, "b", "--min-in-sync");
    pair_start(&g->p, c, a);
    await_set(a, 3);
    puts("  a replica dies: left out by its name the others go on; it is back");
}

/* It has a folder: it goes on where it was, without a copy. */
static void one_that_keeps_restarts(group *g) {
    pair_node *a = g->all[0], *b = g->all[1];
    do_jobs(g, a);
    pair_kill(b);
    pair_start(&g->p, b, a);
    await_set(a, 3);
    pair_await_log(b, "syncing=no");
    CHECK(!daemon_has_said(&b->daemon, "a full copy"), "it takes a copy");
    puts("  a replica with a folder restarts: it goes on where it was");
}

/* The primary dies; one of the two is promoted, and the other finds it. */
static void the_primary_dies(group *g) {
    pair_node *a = g->all[0], *b = g->all[1], *c = g->all[2];
    pair_kill(a);
    pair_await_state(b, "may be promoted without loss");
    CHECK(pair_claim(b, "too-early") == IDP_E_NOT_PRIMARY, "it serves");
    carry_out(b, IDP_PROMOTE, NULL);
    await_set(b, 2);
    all_are_replayed(g, b);
    do_jobs(g, b);
    pair_start(&g->p, a, NULL); /* with the flags of a primary */
    await_set(b, 3);
    tells_of(b, "a", true);
    pair_await_role(c, "replica");
    puts("  the primary dies: one is promoted, the others follow that one");
}

static void it_hands_over(group *g) {
    pair_node *b = g->all[1], *c = g->all[2];
    carry_out(b, IDP_SWITCHOVER, "c");
    await_set(c, 3);
    all_are_replayed(g, c);
    do_jobs(g, c);
    puts("  it hands over to the one that is named, and is followed by all");
}

/* Both replicas die: one may be left out, and then there are too few. */
static void two_die(group *g) {
    pair_node *a = g->all[0], *b = g->all[1], *c = g->all[2];
    pair_kill(a);
    pair_kill(b);
    is_not_acknowledged(c, "without-both");
    carry_out(c, IDP_DETACH, "a");
    is_not_acknowledged(c, "without-b");
    is_refused(c, IDP_DETACH, "b", "--min-in-sync");
    pair_start(&g->p, b, c);
    await_set(c, 2);
    do_jobs(g, c);
    all_are_replayed(g, c);
    puts("  two die: nothing is acknowledged until one of them is back");
}

int main(int argc, char **argv) {
    static group g;
    CHECK(argc == 2, "group IDEMSTORED");
    begin(&g, argv[1]);
    a_replica_dies(&g);
    one_that_keeps_restarts(&g);
    the_primary_dies(&g);
    it_hands_over(&g);
    two_die(&g);
    pair_stop(&g.c);
    pair_end(&g.p);
    return 0;
}
