/* SPDX-License-Identifier: Apache-2.0 */
/* unwritten_decision.c -- a pair whose decisions can't be recorded: what an
 * operator orders is refused while the old record is whole, what a node wants
 * by itself is tried again, and nobody ends.
 *
 *   unwritten_decision IDEMSTORED */
#include "tests/e2e/pair.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENCE_MS 60000

/* A folder lies where the next record would be written first. */
static void path_of_next(const pair_node *node, char to[300]) {
    snprintf(to, 300, "%s.new", node->state);
}

static void is_full(const pair_node *node) {
    char path[300];
    path_of_next(node, path);
    /* One may be on its way. */
    uint64_t until_ms = e2e_now_ms() + PATIENCE_MS;
    while (mkdir(path, 0700) != 0)
        CHECK(errno == EEXIST && e2e_now_ms() < until_ms, "mkdir %s", path);
}

static void has_room(const pair_node *node) {
    char path[300];
    path_of_next(node, path);
    CHECK(rmdir(path) == 0, "rmdir %s", path);
}

static void is_refused(const pair_node *node, idp_method order) {
    char text[IDP_COMMAND_TEXT_BYTES_MAX + 1] = "";
    CHECK(pair_command(node, order, false, text, sizeof text) ==
              IDP_COMMAND_REFUSED,
          "it is not refused");
    CHECK(strstr(text, "can't be recorded") && strstr(text, node->state) &&
              strstr(text, strerror(EISDIR)),
          "it does not say why, and where: %s", text);
}

/* Asked again until it is done: the node may be busy with its own. */
static void is_done(const pair_node *node, idp_method order,
                    idp_command_outcome outcome) {
    char text[IDP_COMMAND_TEXT_BYTES_MAX + 1] = "";
    uint64_t until_ms = e2e_now_ms() + PATIENCE_MS;
    while (pair_command(node, order, false, text, sizeof text) != outcome) {
        CHECK(e2e_now_ms() < until_ms, "never: %s", text);
        e2e_sleep_ms(50);
    }
}

static void a_detach(pair *p) {
    pair_kill(&p->b);
    is_full(&p->a);
    is_refused(&p->a, IDP_DETACH);
    CHECK(daemon_said(&p->a.daemon, "a decision can't be recorded"),
          "the log says nothing");
    CHECK(pair_claim(&p->a, "meanwhile") == IDP_E_UNREPLICATED,
          "a detach that was refused is in effect");
    has_room(&p->a);
    is_done(&p->a, IDP_DETACH, IDP_COMMAND_DETACHED);
    CHECK(pair_claim_confirmed(&p->a, "alone") == 0, "it does not serve alone");
    puts("  a detach is refused, and done once there is room");
}

static void an_admission(pair *p) {
    idp_replication report;
    is_full(&p->a);
    pair_start(p, &p->b, &p->a);
    CHECK(daemon_said(&p->a.daemon, "a replica is connected"),
          "the replica does not come");
    uint64_t until_ms = e2e_now_ms() + 2000;
    while (e2e_now_ms() < until_ms) {
        pair_report(&p->a, &report);
        CHECK(report.in_sync_count == 1, "admitted, and not on record");
        e2e_sleep_ms(20);
    }
    CHECK(pair_claim_confirmed(&p->a, "while it joins") == 0,
          "it does not serve");
    has_room(&p->a);
    pair_await_in_sync(&p->a);
    puts("  an admission is tried again until it is on record");
}

static void a_promotion(pair *p) {
    pair_kill(&p->a);
    is_full(&p->b);
    is_refused(&p->b, IDP_PROMOTE);
    pair_await_role(&p->b, "replica");
    has_room(&p->b);
    is_done(&p->b, IDP_PROMOTE, IDP_COMMAND_PROMOTED);
    puts("  a promotion is refused, and done once there is room");
}

static void a_switchover(pair *p) {
    pair_start(p, &p->a, &p->b);
    pair_await_in_sync(&p->b);
    is_full(&p->b);
    is_refused(&p->b, IDP_SWITCHOVER);
    CHECK(pair_claim_confirmed(&p->b, "not handed over") == 0,
          "it does not go on");
    has_room(&p->b);
    is_done(&p->b, IDP_SWITCHOVER, IDP_COMMAND_SWITCHED);
    pair_await_role(&p->a, "primary");
    puts("  a switchover is refused, and done once there is room");
}

int main(int argc, char **argv) {
    pair p;
    CHECK(argc == 2, "usage: unwritten_decision IDEMSTORED");
    setvbuf(stdout, NULL, _IOLBF, 0);
    pair_init(&p, argv[1], 2, 2);
    pair_start_both(&p);
    a_detach(&p);
    an_admission(&p);
    a_promotion(&p);
    a_switchover(&p);
    pair_end(&p);
    return 0;
}
