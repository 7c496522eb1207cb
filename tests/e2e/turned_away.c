/* SPDX-License-Identifier: Apache-2.0 */
/* turned_away.c -- nodes that can't work together, and what both say of it: a
 * third node, two of one name, a chain, a replica of itself, another limit, an
 * epoch that can't be, a node of 0.1.
 *
 *   turned_away IDEMSTORED */
#include "server/peer/epoch.h"
#include "server/peer/link.h"
#include "tests/e2e/pair.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void third_init(const pair *p, pair_node *c, const char *name) {
    *c = (pair_node){.threads = "2", .more = {"--node", name}};
    snprintf(c->state, sizeof c->state, "%s/%s.peer", p->folder, name);
}

static void both_say(const pair_node *one, const pair_node *other,
                     const char *reason) {
    pair_await_log(one, reason);
    pair_await_log(other, reason);
}

/* Row by row: who is turned away beside a pair that is well. */
static void beside_a_pair(pair *p) {
    pair_node c;
    third_init(p, &c, "gamma");
    pair_start(p, &c, &p->a);
    both_say(&p->a, &c, "another node has the replica's place");
    pair_await_state(&p->a, "another node has the replica's place");
    pair_await_state(&c, "Turned away by");
    pair_stop(&c);
    third_init(p, &c, "delta");
    pair_start(p, &c, &p->b);
    both_say(&p->b, &c, "the node that is asked does not lead");
    pair_stop(&c);
    third_init(p, &c, "beta");
    pair_start(p, &c, &p->a);
    both_say(&p->a, &c, "two nodes have the same name");
    pair_stop(&c);
    third_init(p, &c, "alpha");
    pair_start(p, &c, &p->a);
    both_say(&p->a, &c, "two nodes have the same name");
    pair_stop(&c);
    third_init(p, &c, "iota");
    c.more[2] = "--max-result=2m";
    pair_start(p, &c, &p->a);
    both_say(&p->a, &c, "different limits");
    pair_stop(&c);
    pair_await_in_sync(&p->a);
    puts("  who can't be let in is told why, and the pair is left in peace");
}

static void until_it_is_detached(pair *p) {
    pair_node c;
    third_init(p, &c, "gamma2");
    pair_kill(&p->b);
    pair_start(p, &c, &p->a);
    both_say(&p->a, &c, "another node has the replica's place");
    pair_carry_out(&p->a, IDP_DETACH, false);
    pair_await_in_sync(&p->a);
    pair_stop(&c);
    pair_carry_out(&p->a, IDP_DETACH, false);
    puts("  a third node has the place once its member was detached");
}

/* Memory only, and its file is gone with the container. */
static void same_name_same_member(pair *p) {
    pair_start(p, &p->b, &p->a);
    pair_await_in_sync(&p->a);
    pair_kill(&p->b);
    unlink(p->b.state);
    pair_start(p, &p->b, &p->a);
    pair_await_in_sync(&p->a);
    puts("  a replica of the same name is the same member, file or none");
}

/* --- raw frames ----------------------------------------------------------- */

static void send_link(wire *w, ids_link *link) {
    CHECK(wire_send(w, link->out.ptr, link->out.len), "not taken");
    link->out.len = 0;
}

/* A whole handshake, without a secret, as this. */
static void stranger(const pair_node *node, const ids_link_self *self) {
    ids_link link = {.body_bytes_max = IDS_PF_BODY_BYTES_LOW};
    ids_link_key none = {.set = false};
    uint8_t bytes[8192];
    ssize_t got = 1;
    ids_pf frame;
    wire w;
    CHECK(wire_open(&w, node->port), "no connection");
    CHECK(wire_send(&w, "idempeer", 8), "not taken");
    CHECK(ids_link_dial(&link, self, 0, 0, &none), "no memory");
    send_link(&w, &link);
    while (got > 0 && (got = read(w.fd, bytes, sizeof bytes)) > 0) {
        CHECK(ids_link_take(&link, bytes, (size_t)got), "too much");
        if (ids_link_next(&link, &frame) == IDS_PF_WHOLE &&
            frame.kind == IDS_PF_WELCOME) {
            CHECK(ids_link_welcomed(&link, &frame, &none) == IDS_REFUSAL_NONE,
                  "no welcome");
            send_link(&w, &link);
        }
    }
    ids_link_fini(&link);
    wire_close(&w);
}

static void impossible_epochs(pair *p) {
    const uint64_t odd[] = {UINT64_MAX, IDS_EPOCH_MAX + 1, IDS_EPOCH_MAX};
    idp_replication before, after;
    pair_report(&p->a, &before);
    for (unsigned i = 0; i < 6; i++) {
        ids_link_self self = {.member = {77, 77},
                              .epoch = i % 2 ? before.epoch : odd[i / 2],
                              .led = i % 2 ? odd[i / 2] : 0,
                              .life = 77,
                              .result_bytes_max = 1u << 20};
        stranger(&p->a, &self);
        stranger(&p->b, &self);
    }
    both_say(&p->a, &p->b, "an epoch is out of bounds");
    pair_report(&p->a, &after);
    CHECK(after.epoch == before.epoch && strcmp(after.role, "primary") == 0,
          "epoch %llu", (unsigned long long)after.epoch);
    pair_await_in_sync(&p->a);
    pair_kill(&p->a);
    pair_carry_out(&p->b, IDP_PROMOTE, false);
    puts("  an epoch that can't be retires nobody");
}

static void of_0_1(pair *p) {
    uint8_t body[40] = {2, 0, 0, 0, 0, 0, 0, 0, 22};
    ids_pf frame = {
        .kind = IDS_PF_HELLO, .epoch = 1700000000, .body = {body, sizeof body}};
    idp_bytes out = {.ptr = NULL};
    wire w;
    char text[512];
    CHECK(ids_pf_append(&out, &frame), "no memory");
    CHECK(wire_open(&w, p->b.port), "no connection");
    CHECK(wire_send(&w, "idempeer", 8) && wire_send(&w, out.ptr, out.len),
          "not taken");
    wire_text(&w, text, sizeof text);
    wire_close(&w);
    idp_bytes_free(&out);
    pair_await_log(&p->b, "one of the two is an idemstored 0.1");
    puts("  a node of 0.1 is named");
}

static void of_itself(pair *p) {
    pair_node c;
    third_init(p, &c, "eps");
    pair_start(p, &c, NULL); /* takes a port */
    pair_stop(&c);
    unlink(c.state);
    pair_start(p, &c, &c);
    pair_await_log(&c, "a node is told to replicate from itself");
    pair_stop(&c);
    puts("  a replica of itself says so");
}

int main(int argc, char **argv) {
    pair p;
    CHECK(argc == 2, "usage: turned_away IDEMSTORED");
    setvbuf(stdout, NULL, _IOLBF, 0);
    pair_init(&p, argv[1], 2, 1);
    p.a.more[0] = "--node=alpha";
    p.b.more[0] = "--node=beta";
    pair_start_both(&p);
    beside_a_pair(&p);
    until_it_is_detached(&p);
    same_name_same_member(&p);
    impossible_epochs(&p);
    of_0_1(&p);
    of_itself(&p);
    pair_end(&p);
    puts("good");
    return 0;
}
