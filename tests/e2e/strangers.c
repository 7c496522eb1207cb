/* SPDX-License-Identifier: Apache-2.0 */
/* strangers.c -- who says that it is the other node, and isn't; and pairs that
 * can't be.
 *
 *   strangers IDEMSTORED */
#include "tests/e2e/pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *program;

static void put_file(const char *path, const char *text, size_t len) {
    FILE *out = fopen(path, "we");
    CHECK(out != NULL, "can't write %s", path);
    fwrite(text, 1, len, out);
    fclose(out);
    chmod(path, 0600);
}

static void serves(const pair_node *node, const char *key) {
    wire w;
    CHECK(wire_open(&w, node->port), "no connection");
    e2e_do_once(&w, key, "done");
    wire_close(&w);
}

/* Says these bytes, and is shown the door. */
static void is_turned_away(const pair_node *node, const char *bytes,
                           size_t len) {
    wire w;
    char text[256];
    CHECK(wire_open(&w, node->port), "no connection");
    CHECK(wire_send(&w, bytes, len), "not taken");
    wire_text(&w, text, sizeof text);
    wire_close(&w);
}

static void garbage(pair *p) {
    char bytes[600] = "idempeer";
    unsigned seed = 7;
    pair_start(p, &p->a, NULL);
    is_turned_away(&p->a, bytes, 8);
    is_turned_away(&p->a, bytes, 15);
    for (int round = 0; round < 40; round++) {
        for (size_t i = 8; i < sizeof bytes; i++)
            bytes[i] = (char)rand_r(&seed);
        if (round % 2)
            memset(bytes + 9, 0, 3); /* a length that could be */
        is_turned_away(&p->a, bytes, sizeof bytes);
    }
    serves(&p->a, "after-garbage");
    puts("  garbage behind the magic, and silence: closed, all is well");
}

static void crowd(pair *p) {
    enum { MANY = 600 };
    static wire w[MANY];
    size_t before = daemon_descriptors(&p->a.daemon);
    for (int i = 0; i < MANY; i++) {
        CHECK(wire_open(&w[i], p->a.port), "no connection");
        CHECK(wire_send(&w[i], "idempeer", 8), "not taken");
    }
    serves(&p->a, "in-the-crowd");
    pair_start(p, &p->b, &p->a);
    for (int i = 0; i < MANY; i++)
        wire_close(&w[i]);
    pair_await_in_sync(&p->a);
    uint64_t until_ms = e2e_now_ms() + 60000;
    while (daemon_descriptors(&p->a.daemon) > before + 8) {
        CHECK(e2e_now_ms() < until_ms, "descriptors stay");
        e2e_sleep_ms(50);
    }
    puts("  a crowd of them keeps nobody out for long");
    pair_stop(&p->b);
    pair_stop(&p->a);
}

static void wrong_secret(pair *p) {
    static char mine[128], other[128];
    idp_replication report;
    wire w;
    idp_hello hello;
    snprintf(mine, sizeof mine, "%s/mine", p->folder);
    snprintf(other, sizeof other, "%s/other", p->folder);
    put_file(mine, "open sesame\n", 12);
    put_file(other, "open barley\n", 12);
    unlink(p->a.state);
    unlink(p->b.state);
    p->a.secret_file = mine;
    p->b.secret_file = other;
    pair_start(p, &p->a, NULL);
    pair_start(p, &p->b, &p->a);
    CHECK(wire_open(&w, p->a.port), "no connection");
    CHECK(wire_hello(&w, -1, "open sesame", &hello) == IDP_OK, "no hello");
    for (int i = 0; i < 10; i++) {
        idp_request ask = {.method = IDP_REPLICATION};
        idp_reply reply;
        CHECK(wire_ask(&w, &ask, &reply) && !reply.is_error &&
                  idp_replication_read(reply.result, &report),
              "no report");
        CHECK(!report.connected && report.in_sync_count == 1,
              "another secret, and it is let in");
        e2e_sleep_ms(100);
    }
    e2e_do_once(&w, "alone", "done");
    wire_close(&w);
    pair_stop(&p->b);
    p->b.secret_file = mine;
    pair_start(p, &p->b, &p->a);
    CHECK(daemon_said(&p->a.daemon, "the replica is in sync"),
          "the same secret, and it is kept out");
    puts("  with another secret nobody joins");
    pair_stop(&p->b);
    pair_stop(&p->a);
}

#define ENDS(code, saying, ...) \
    daemon_ends(code, saying,   \
                (daemon_spec){.program = program, .flags = {__VA_ARGS__}})

static void bad_pairs(pair *p) {
    static const char on[] = "127.0.0.1:0";
    ENDS(64, "--min-in-sync", "--min-in-sync", "2");
    ENDS(64, "--min-in-sync", "--replication", "async", "--min-in-sync", "2");
    ENDS(64, "--replicate-from", "--replication", "none", "--replicate-from",
         on);
    ENDS(64, "--replication", "--replication", "maybe");
    ENDS(64, "--replicate-from", "--listen", on, "--replicate-from", "nowhere",
         "--peer-state", p->a.state);
    ENDS(64, "--advertise", "--listen", on, "--replication", "sync",
         "--advertise", "nowhere", "--peer-state", p->a.state);
    ENDS(1, "--peer-state", "--listen", on, "--replication", "sync",
         "--peer-insecure", "--peer-state", "/nowhere/at/all");
    put_file(p->a.state, "not a decision", 14);
    ENDS(1, "--peer-state", "--listen", on, "--replication", "sync",
         "--peer-insecure", "--peer-state", p->a.state);
    unlink(p->a.state);
    p->a.secret_file = p->b.secret_file = NULL;
    pair_start(p, &p->a, NULL);
    ENDS(1, "another idemstored has it", "--listen", on, "--replication",
         "sync", "--peer-insecure", "--peer-state", p->a.state);
    ENDS(64, "--secret-file", "--listen", on, "--replication", "sync");
    ENDS(64, "--secret-file", "--listen", on, "--replicate-from",
         "127.0.0.1:1");
    ENDS(64, "--node", "--node", "a b");
    ENDS(64, "--node", "--node", "");
    ENDS(64, "--replication-backlog", "--listen", on, "--replication", "sync",
         "--peer-insecure", "--max-result", "16m", "--replication-backlog",
         "64m");
    ENDS(64, "--max-memory", "--listen", on, "--max-memory", "3m",
         "--max-result", "4m");
    ENDS(64, "--max-buffers", "--listen", on, "--max-buffers", "1m",
         "--max-result", "4m");
    puts("  what can't be is refused, with the flag's name");
}

/* No replication here: whoever dials is told so. */
static void not_for_peers(void) {
    daemon_t daemon;
    daemon_spec spec = {.program = program};
    wire w;
    char text[256];
    daemon_start(&daemon, &spec);
    CHECK(wire_open(&w, daemon.port), "no connection");
    CHECK(wire_send(&w, "idempeer", 8), "not taken");
    size_t len = wire_text(&w, text, sizeof text);
    CHECK(len > 0 && strstr(text, "replication"), "it says %s", text);
    wire_close(&w);
    daemon_stop(&daemon);
    puts("  a server without replication says so");
}

int main(int argc, char **argv) {
    pair p;
    CHECK(argc == 2, "usage: strangers IDEMSTORED");
    setvbuf(stdout, NULL, _IOLBF, 0);
    program = argv[1];
    pair_init(&p, program, 2, 1);
    garbage(&p);
    crowd(&p);
    wrong_secret(&p);
    bad_pairs(&p);
    pair_end(&p);
    not_for_peers();
    puts("good");
    return 0;
}
