/* SPDX-License-Identifier: Apache-2.0 */
/* quota_pair.c -- what a namespace may have, on a pair: a replica counts what
 * it has copied and what it has followed, and holds its clients to the rest
 * once it leads.
 *
 *   quota_pair IDEMSTORED */
#include "tests/e2e/pair.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { ALLOWED = 100, TRIES = 500 };

static void write_settings(const pair *p, char path[static 128],
                           unsigned records_max) {
    snprintf(path, 128, "--config=%s/conf", p->folder);
    FILE *file = fopen(strchr(path, '/'), "w");
    CHECK(file && fprintf(file, "namespace \"shop\" { max_records = %u }\n",
                          records_max) > 0,
          "%s", path);
    fclose(file);
}

/* Returns how many of so many fresh keys are granted. */
static uint32_t claim_many(const pair_node *node, const char *prefix,
                           uint32_t count) {
    uint32_t granted = 0;
    char key[64];
    wire w;
    CHECK(wire_open(&w, node->port), "no connection");
    for (uint32_t i = 0; i < count; i++) {
        idp_answer answer;
        snprintf(key, sizeof key, "%s-%u", prefix, i);
        idp_request q = ask_acquire(key, 60000, 3600000);
        q.ns = text_slice("shop");
        int code = wire_call_confirmed(&w, &q, &answer);
        CHECK(code == 0 || code == IDP_E_NO_MEMORY, "%s: code %d", key, code);
        granted += code == 0;
    }
    wire_close(&w);
    return granted;
}

static void story(const char *program, unsigned a_threads, unsigned b_threads) {
    char path[128];
    pair p;
    pair_init(&p, program, a_threads, b_threads);
    write_settings(&p, path, ALLOWED);
    p.a.more[0] = p.b.more[0] = path;
    pair_start(&p, &p.a, NULL);
    CHECK(claim_many(&p.a, "copied", 40) == 40, "refused");
    pair_start(&p, &p.b, &p.a);
    pair_await_in_sync(&p.a);
    CHECK(claim_many(&p.a, "followed", 30) == 30, "refused");
    pair_carry_out(&p.a, IDP_SWITCHOVER, false);
    pair_await_role(&p.b, "primary");
    pair_await_in_sync(&p.b);
    uint32_t more = claim_many(&p.b, "more", TRIES);
    CHECK(more >= ALLOWED - 70 && more <= ALLOWED - 70 + 2, "%u more", more);
    /* And back: the first one has not kept what it was given before. */
    pair_carry_out(&p.b, IDP_SWITCHOVER, false);
    pair_await_role(&p.a, "primary");
    pair_await_in_sync(&p.a);
    CHECK(claim_many(&p.a, "none", TRIES) <= 2, "more than allowed");
    pair_stop(&p.b);
    pair_stop(&p.a);
    pair_end(&p);
    printf("  %u threads and %u: 70 records, and %u more on the replica\n",
           a_threads, b_threads, more);
}

static void reload(const pair_node *node) {
    CHECK(kill(node->daemon.child.pid, SIGHUP) == 0, "it is gone");
}

static void await_differ(const pair_node *node, uint64_t differ) {
    while (daemon_stat(&node->daemon, "peer_settings_differ") != differ)
        e2e_sleep_ms(20);
}

/* Both read the same file: one after the other. */
static void a_reload_on_both(const char *program) {
    char path[128];
    pair p;
    pair_init(&p, program, 2, 3);
    write_settings(&p, path, 100);
    p.a.more[0] = p.b.more[0] = path;
    pair_start(&p, &p.a, NULL);
    pair_start(&p, &p.b, &p.a);
    pair_await_in_sync(&p.a);
    await_differ(&p.a, 0);
    await_differ(&p.b, 0);
    CHECK(claim_many(&p.a, "first", 60) == 60, "refused");
    write_settings(&p, path, 80);
    reload(&p.a);
    await_differ(&p.a, 1);
    await_differ(&p.b, 1);
    CHECK(daemon_said(&p.a.daemon, "the other node's settings differ") &&
              daemon_said(&p.b.daemon, "the other node's settings differ"),
          "the logs don't say so");
    reload(&p.b);
    await_differ(&p.a, 0);
    await_differ(&p.b, 0);
    CHECK(daemon_said(&p.a.daemon, "settings are the same again") &&
              daemon_said(&p.b.daemon, "settings are the same again"),
          "the logs don't say so");
    uint32_t more = claim_many(&p.a, "more", TRIES);
    CHECK(more >= 20 && more <= 22, "%u more", more);
    CHECK(daemon_namespace(&p.a.daemon, "shop").records == 60 + more,
          "the primary counts otherwise");
    pair_carry_out(&p.a, IDP_SWITCHOVER, false);
    pair_await_role(&p.b, "primary");
    CHECK(daemon_namespace(&p.b.daemon, "shop").records == 60 + more,
          "the replica counts otherwise");
    pair_await_in_sync(&p.b);
    CHECK(claim_many(&p.b, "none", TRIES) <= 2, "more than allowed");
    pair_stop(&p.b);
    pair_stop(&p.a);
    pair_end(&p);
    puts("  limits are reloaded on both, and differ in between");
}

int main(int argc, char **argv) {
    CHECK(argc > 1, "quota_pair IDEMSTORED");
    story(argv[1], 1, 3);
    story(argv[1], 4, 2);
    a_reload_on_both(argv[1]);
    printf("quota_pair: good\n");
    return 0;
}
