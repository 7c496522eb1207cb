/* SPDX-License-Identifier: Apache-2.0 */
/* pair_tls.c -- two nodes with TLS between them: on, while it is turned on node
 * by node, and with whom it is refused, in the same words at both.
 *
 *   pair_tls IDEMSTORED */
#include "tests/e2e/pair.h"
#include "tests/lib/tls_certs.h"

#include <stdio.h>
#include <string.h>

static const char *program;
static char folder[32];
static unsigned keys;

static const char *file(const char *name) {
    return certs_path(folder, name);
}

/* The harness asks plain: so that is allowed. cert NULL: no TLS. */
static void give(pair_node *node, const char *peer_tls, const char *cert,
                 const char *ca) {
    char pem[64], key[64];
    memset(node->more, 0, sizeof node->more);
    if (!cert)
        return;
    snprintf(pem, sizeof pem, "%s.pem", cert);
    snprintf(key, sizeof key, "%s.key", cert);
    const char *const flags[] = {
        "--tls-cert", file(pem),    "--tls-key", file(key),   "--tls",
        "optional",   "--peer-tls", peer_tls,    "--peer-ca", file(ca)};
    memcpy(node->more, flags, sizeof flags);
}

static void claim(const pair_node *node) {
    char key[32];
    idp_answer answer;
    wire w;
    snprintf(key, sizeof key, "key-%u", keys++);
    idp_request acquire = ask_acquire(key, 600000, 86400000);
    CHECK(wire_open(&w, node->port), "it can't be reached");
    CHECK(wire_call_confirmed(&w, &acquire, &answer) == 0, "%s is not claimed",
          key);
    wire_close(&w);
}

/* All keys by now are at the node. */
static void has_all(const pair_node *node) {
    wire w;
    CHECK(wire_open(&w, node->port), "it can't be reached");
    for (unsigned i = 0; i < keys; i++) {
        char key[32];
        idp_answer answer;
        snprintf(key, sizeof key, "key-%u", i);
        idp_request peek = {.method = IDP_PEEK,
                            .ns = text_slice("e2e"),
                            .key = text_slice(key)};
        CHECK(wire_call_confirmed(&w, &peek, &answer) == 0 &&
                  answer.state == IDP_STATE_IN_PROGRESS,
              "%s is not there", key);
    }
    wire_close(&w);
}

static bool is_sealed(const pair_node *node) {
    return daemon_stat(&node->daemon, "peer_tls") == 1;
}

static void begin(pair *p) {
    pair_init(p, program, 2, 3);
    keys = 0;
}

static void on(void) {
    pair p;
    begin(&p);
    give(&p.a, "on", "server", "ca.pem");
    give(&p.b, "on", "server", "ca.pem");
    pair_start_both(&p);
    CHECK(is_sealed(&p.a) && is_sealed(&p.b), "it is plain");
    for (int i = 0; i < 200; i++)
        claim(&p.a);
    pair_kill(&p.a);
    pair_carry_out(&p.b, IDP_PROMOTE, true);
    pair_await_role(&p.b, "primary");
    has_all(&p.b);
    pair_start(&p, &p.a, &p.b);
    pair_await_in_sync(&p.b);
    CHECK(is_sealed(&p.b), "it is plain");
    pair_end(&p);
    puts("  on: what the one has the other gets, and after a failover, too");
}

/* Each node starts anew with TLS, the replica first; a claim is answered in
 * each state. */
static void node_by_node(void) {
    pair p;
    begin(&p);
    pair_start_both(&p);
    claim(&p.a);
    pair_stop(&p.b);
    give(&p.b, "optional", "server", "ca.pem");
    pair_start(&p, &p.b, &p.a);
    pair_await_in_sync(&p.a);
    CHECK(daemon_said(&p.b.daemon, "the link between the nodes is plain"),
          "that it is plain is not said");
    CHECK(!is_sealed(&p.a), "the primary has no TLS yet");
    claim(&p.a);
    pair_carry_out(&p.a, IDP_SWITCHOVER, false);
    pair_await_role(&p.b, "primary");
    claim(&p.b);
    pair_stop(&p.a);
    give(&p.a, "optional", "server", "ca.pem");
    pair_start(&p, &p.a, &p.b);
    pair_await_in_sync(&p.b);
    CHECK(is_sealed(&p.b) && is_sealed(&p.a), "both have TLS");
    claim(&p.b);
    has_all(&p.b);
    pair_end(&p);
    puts("  node by node: plain until both have it, then never again");
}

static void await_refused(const pair *p, const char *words) {
    pair_await_state(&p->a, words);
    pair_await_state(&p->b, words);
}

/* A has it on, and B comes plain; then the other way round. */
static void one_has_none(void) {
    pair p;
    begin(&p);
    give(&p.a, "on", "server", "ca.pem");
    pair_start(&p, &p.a, NULL);
    pair_start(&p, &p.b, &p.a);
    await_refused(&p, "has --peer-tls on, and the other one speaks plain");
    pair_kill(&p.a);
    pair_kill(&p.b);
    give(&p.a, NULL, NULL, NULL);
    give(&p.b, "on", "server", "ca.pem");
    pair_start(&p, &p.a, NULL);
    pair_start(&p, &p.b, &p.a);
    pair_await_state(&p.b, "has --peer-tls on, and the other one speaks plain");
    pair_end(&p);
    puts("  one has it on and the other none: they say so, and don't go on");
}

/* A has TLS, had it with B, and is plain then: B does not fall back. */
static void never_again_plain(void) {
    pair p;
    begin(&p);
    give(&p.a, "optional", "server", "ca.pem");
    give(&p.b, "optional", "server", "ca.pem");
    pair_start_both(&p);
    CHECK(is_sealed(&p.a), "it is plain");
    pair_stop(&p.a);
    give(&p.a, NULL, NULL, NULL);
    pair_start(&p, &p.a, NULL);
    pair_await_state(&p.b, "the other one speaks plain");
    pair_end(&p);
    puts("  a node that had TLS and is plain now is not followed");
}

static void strange_certificates(void) {
    static const char words[] = "one of the two has shown no certificate";
    pair p;
    begin(&p);
    give(&p.a, "on", "elsewhere", "ca.pem");
    give(&p.b, "on", "server", "ca.pem");
    pair_start(&p, &p.a, NULL);
    pair_start(&p, &p.b, &p.a);
    pair_await_state(&p.b, words);
    CHECK(daemon_said(&p.b.daemon, "127.0.0.1") &&
              daemon_said(&p.b.daemon, "no TLS with the other node"),
          "it does not say what is wrong");
    pair_kill(&p.a);
    pair_kill(&p.b);
    give(&p.a, "on", "server", "ca.pem");
    give(&p.b, "on", "stranger", "ca.pem");
    pair_start(&p, &p.a, NULL);
    pair_start(&p, &p.b, &p.a);
    await_refused(&p, words);
    CHECK(daemon_said(&p.a.daemon, "another node's certificate is not good"),
          "it does not say what is wrong");
    pair_end(&p);
    puts("  another name, another authority: refused, and told at both");
}

int main(int argc, char **argv) {
    CHECK(argc == 2, "usage: pair_tls IDEMSTORED");
    setvbuf(stdout, NULL, _IOLBF, 0);
    program = argv[1];
    certs_begin(folder);
    certs_make_usual(folder);
    certs_make(folder, &(cert_spec){.name = "elsewhere",
                                    .alt = "DNS:elsewhere.test",
                                    .issuer = "ca"});
    certs_make(folder, &(cert_spec){.name = "stranger",
                                    .alt = "IP:127.0.0.1,DNS:localhost"});
    on();
    node_by_node();
    one_has_none();
    never_again_plain();
    strange_certificates();
    certs_end(folder);
    puts("good");
    return 0;
}
