/* SPDX-License-Identifier: Apache-2.0 */
/* first_reply.c -- the first change that a fresh node is asked for is answered,
 * however its log is written and whoever copies it, and again after a restart.
 *
 *   first_reply IDEMSTORED */
#include "tests/e2e/pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const written[] = {"--fsync=always", "--fsync=everysec",
                                      "--fsync=no"};

static void do_one(uint16_t port, const char *key) {
    wire w;
    CHECK(wire_open(&w, port), "no connection");
    e2e_do_once(&w, key, "done");
    wire_close(&w);
}

static void alone(const char *program, const char *fsync) {
    char folder[] = "/tmp/idemstore-first-XXXXXX", command[64];
    CHECK(mkdtemp(folder) != NULL, "no folder");
    const daemon_spec spec = {.program = program,
                              .flags = {"--data-dir", folder, fsync}};
    for (unsigned start = 0; start < 2; start++) {
        daemon_t daemon;
        daemon_start(&daemon, &spec);
        do_one(daemon.port, start ? "second" : "first");
        daemon_stop(&daemon);
    }
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK(system(command) == 0, "%s", command); /* NOLINT: its own folder */
    printf("  alone, %s: answered\n", fsync);
}

static void in_a_pair(const char *program, const char *mode,
                      const char *fsync) {
    pair p;
    pair_init(&p, program, 2, 2);
    pair_keep(&p);
    p.a.more[0] = p.b.more[0] = fsync;
    p.a.more[1] = mode; /* the last one counts */
    pair_start(&p, &p.a, NULL);
    pair_start(&p, &p.b, &p.a);
    pair_await_log(&p.a, "the replica has the full copy");
    do_one(p.a.port, "first");
    pair_end(&p);
    printf("  a pair, %s, %s: answered\n", mode, fsync);
}

int main(int argc, char **argv) {
    CHECK(argc == 2, "usage: first_reply IDEMSTORED");
    for (unsigned i = 0; i < sizeof written / sizeof written[0]; i++) {
        alone(argv[1], written[i]);
        in_a_pair(argv[1], "--replication=async", written[i]);
        in_a_pair(argv[1], "--replication=sync", written[i]);
    }
    return 0;
}
