/* SPDX-License-Identifier: Apache-2.0 */
/* forgotten_flags.c -- a node of a pair is started again, and a flag is missing
 * or another one: it says which, and serves nothing beside what is on record.
 *
 *   forgotten_flags IDEMSTORED */
#include "tests/e2e/pair.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *program;

static void start(daemon_t *daemon, const char *const flags[]) {
    daemon_spec spec = {.program = program, .own_listen = true};
    unsigned n = 0;
    for (; flags[n]; n++)
        spec.flags[n] = flags[n];
    spec.flags[n] = "--listen=127.0.0.1:0";
    daemon_start(daemon, &spec);
}

/* It ends by itself, and names the flag, the record, and what accepts. */
static void refuses(const char *what, const char *flag, const char *record,
                    const char *const flags[]) {
    daemon_t daemon;
    char at[64];
    start(&daemon, flags);
    int code = daemon_exit(&daemon, 20);
    snprintf(at, sizeof at, "at=\"%s\"", flag);
    if (code != 1 || !daemon_said(&daemon, at))
        child_print_log(&daemon.child);
    CHECK(code == 1, "%s: it ends with %d", what, code);
    CHECK(daemon_said(&daemon, at), "%s: it does not name %s", what, flag);
    CHECK(daemon_said(&daemon, record), "%s: not which record", what);
    CHECK(daemon_said(&daemon, "--accept-change"), "%s: not what accepts it",
          what);
    unlink(daemon.child.log_path);
    printf("  %s: refused, with its name\n", what);
}

#define REFUSES(what, flag, record, ...) \
    refuses(what, flag, record, (const char *const[]){__VA_ARGS__, NULL})

static void starts(const char *what, const char *saying,
                   const char *const flags[]) {
    daemon_t daemon;
    start(&daemon, flags);
    if (!daemon_said(&daemon, saying) || !daemon_said(&daemon, "listening on"))
        child_print_log(&daemon.child);
    CHECK(daemon_said(&daemon, saying), "%s: it does not start", what);
    daemon_stop(&daemon);
    printf("  %s: starts\n", what);
}

#define STARTS(what, saying, ...) \
    starts(what, saying, (const char *const[]){__VA_ARGS__, NULL})

static void of_a_pair(pair *p) {
    const pair_node *a = &p->a, *b = &p->b;
    pair_keep(p);
    pair_start_both(p);
    pair_stop(&p->b);
    pair_stop(&p->a);
    REFUSES("--replication forgotten on the primary", "--replication", a->state,
            "--data-dir", a->data_dir, "--peer-state", a->state);
    REFUSES("--replication none on the primary", "--replication", a->state,
            "--data-dir", a->data_dir, "--peer-state", a->state,
            "--replication", "none");
    REFUSES("--replicate-from forgotten on the replica", "--replication",
            b->state, "--data-dir", b->data_dir, "--peer-state", b->state);
    REFUSES("--data-dir forgotten on the primary", "--data-dir", a->state,
            "--peer-state", a->state, "--replication", "sync",
            "--peer-insecure");
    REFUSES("--data-dir forgotten on the replica", "--data-dir", b->state,
            "--peer-state", b->state, "--replicate-from", "127.0.0.1:1",
            "--peer-insecure");
    REFUSES("sync that became async", "--replication async", a->state,
            "--data-dir", a->data_dir, "--peer-state", a->state,
            "--replication", "async", "--peer-insecure");
    STARTS("the same flags as before", "started as a replica", "--data-dir",
           a->data_dir, "--peer-state", a->state, "--replication", "sync",
           "--peer-insecure");
    STARTS("async, accepted", "started as a replica", "--data-dir", a->data_dir,
           "--peer-state", a->state, "--replication", "async",
           "--peer-insecure", "--accept-change");
    STARTS("async, once it is on record", "started as a replica", "--data-dir",
           a->data_dir, "--peer-state", a->state, "--replication", "async",
           "--peer-insecure");
    STARTS("alone, accepted", "alone from now on", "--data-dir", a->data_dir,
           "--peer-state", a->state, "--accept-change");
    STARTS("alone, from then on", "ready", "--data-dir", a->data_dir,
           "--peer-state", a->state);
}

/* The record lies where nobody named it. */
static void in_the_folder(pair *p) {
    char folder[128], record[160];
    snprintf(folder, sizeof folder, "%s/c", p->folder);
    snprintf(record, sizeof record, "%s/peer", folder);
    STARTS("a replica that reaches nobody", "ready", "--data-dir", folder,
           "--replicate-from", "127.0.0.1:1", "--peer-insecure");
    REFUSES("--replicate-from forgotten on it", "--replicate-from", record,
            "--data-dir", folder, "--replication", "sync", "--peer-insecure");
    REFUSES("--replication forgotten on it, too", "--replication", record,
            "--data-dir", folder);
    snprintf(folder, sizeof folder, "%s/d", p->folder);
    snprintf(record, sizeof record, "%s/peer", folder);
    STARTS("a primary that never had a replica", "ready", "--data-dir", folder,
           "--replication", "sync", "--peer-insecure");
    REFUSES("--replicate-from given to it", "--replicate-from", record,
            "--data-dir", folder, "--replicate-from", "127.0.0.1:1",
            "--peer-insecure");
    STARTS("the same, without replication", "ready", "--data-dir", folder);
}

int main(int argc, char **argv) {
    pair p;
    CHECK(argc == 2, "usage: forgotten_flags IDEMSTORED");
    setvbuf(stdout, NULL, _IOLBF, 0);
    program = argv[1];
    pair_init(&p, program, 2, 1);
    of_a_pair(&p);
    in_the_folder(&p);
    pair_end(&p);
    puts("good");
    return 0;
}
