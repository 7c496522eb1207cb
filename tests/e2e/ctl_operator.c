/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_operator.c -- idemctl for whoever runs the servers: alone, looking into
 * a folder, and with a pair.
 *
 *   ctl_operator IDEMSTORED IDEMCTL */
#include "tests/e2e/ctl_shell.h"
#include "tests/e2e/pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void ask_node(const pair_node *node) {
    char uri[64];
    snprintf(uri, sizeof uri, "idem://127.0.0.1:%u/", node->port);
    setenv("IDEMSTORE_URL", uri, 1);
}

static void alone(void) {
    ctl_says(0, "mode                none", "$CTL replication");
    ctl_json_is(0, "role", "primary", "$CTL --json replication");
    ctl_json_is(0, "lag_ops", "number", "$CTL --json replication");
    ctl_json_is(0, "lag_bytes", "number", "$CTL --json replication");
    ctl_json_is(0, "lag_ms", "number", "$CTL --json replication");
    ctl_json_is(0, "epoch", "number", "$CTL --json replication");
    ctl_json_is(0, "in_sync", "?", "$CTL --json replication");
    ctl_json_is(0, "streams", "?", "$CTL --json replication");
    ctl_json_is(0, "peer", "null", "$CTL --json replication");
    puts("  a server without a peer says that it is alone");
}

static void commands_refused(void) {
    ctl_says(16, "--replicate-from", "$CTL promote");
    ctl_says(16, "--replicate-from", "$CTL promote --accept-loss");
    ctl_says(16, "--replication", "$CTL detach");
    ctl_says(16, "--replication", "$CTL switchover");
    ctl_says(16, "--data-dir", "$CTL snapshot");
    ctl_json_is(16, "outcome", "refused", "$CTL --json snapshot");
    ctl_says(64, "does not take --accept-loss",
             "$CTL switchover --accept-loss");
    ctl_says(64, "the URI names 2",
             "$CTL --server idem://127.0.0.1:1,127.0.0.1:2/ promote");
    ctl_json_is(69, "error", "CONNECT",
                "$CTL --json --server idem://127.0.0.1:1/ promote");
    ctl_says(0, "commands_refused_total 6", "$CTL stats");
    puts("  a command that nobody can carry out is refused by its flag");
}

/* A folder that a daemon has left. */
static void folder_checked(const char *daemon_program) {
    char folder[] = "/tmp/idemstore-ctl-XXXXXX";
    char path[4096];
    daemon_t daemon;
    const char *slash = strrchr(daemon_program, '/');
    CHECK(mkdtemp(folder) != NULL, "no folder");
    CHECK(slash != NULL, "%s: not a path", daemon_program);
    snprintf(path, sizeof path, "%.*s:%s", (int)(slash - daemon_program),
             daemon_program, getenv("PATH"));
    setenv("PATH", path, 1);
    setenv("FOLDER", folder, 1);
    daemon_start(&daemon,
                 &(daemon_spec){.program = daemon_program,
                                .flags = {"--data-dir", folder, NULL}});
    snprintf(path, sizeof path, ": in use by pid %d", (int)daemon.child.pid);
    ctl_says(3, path, "$CTL check $FOLDER");
    CHECK(daemon_said(&daemon, "the data folder is new, empty"),
          "it begins empty without a word");
    snprintf(path, sizeof path, "idem://127.0.0.1:%u/", daemon.port);
    setenv("KEPT", path, 1);
    ctl_says(0, "acquired", "$CTL -s $KEPT acquire one");
    ctl_says(0, "acquired", "$CTL -s $KEPT acquire two");
    daemon_stop(&daemon);
    ctl_says(0, ": good, 2 records, 0 changes", "$CTL check $FOLDER");
    ctl_says(2, ": new, empty", "mkdir $FOLDER/new && $CTL check $FOLDER/new");
    ctl_says(1, "no data folder of idemstored, and not empty: it has notes",
             "touch $FOLDER/new/notes && $CTL check $FOLDER/new");
    ctl_json_is(0, "outcome", "good", "$CTL --json check $FOLDER");
    ctl_says(1, "No such file", "$CTL check $FOLDER/none");
    ctl_json_is(1, "outcome", "bad", "$CTL --json check $FOLDER/none");
    ctl_says(64, "check needs DIR", "$CTL check");
    ctl_says(
        69, "neither beside idemctl nor on the PATH",
        "cp $CTL $FOLDER/idemctl; PATH=/nowhere $FOLDER/idemctl check /tmp");
    ctl_shell("rm -r $FOLDER");
    puts("  a folder is looked into as idemstored --check does");
}

/* Nothing says no but the secret. */
static void commands_denied(const char *uri, uint16_t port) {
    char line[256];
    snprintf(line, sizeof line, "$CTL --server %s promote", uri);
    ctl_says(16, "--replicate-from", line);
    snprintf(line, sizeof line, "$CTL --server idem://127.0.0.1:%u/ promote",
             port);
    ctl_says(77, "DENIED", line);
}

/* A daemon that demands the secret. */
static void with_a_secret(const char *program) {
    char path[] = "/tmp/idemstore-secret-XXXXXX";
    char uri[128];
    daemon_t daemon;
    int fd = mkstemp(path);
    CHECK(fd >= 0 && write(fd, "sesame\n", 7) == 7, "no secret file");
    close(fd);
    daemon_start(&daemon,
                 &(daemon_spec){.program = program,
                                .flags = {"--secret-file", path, NULL}});
    snprintf(uri, sizeof uri, "idem://:sesame@127.0.0.1:%u/", daemon.port);
    commands_denied(uri, daemon.port);
    daemon_stop(&daemon);
    unlink(path);
    puts("  a command needs the secret");
}

/* What is said of a pair in sync, by either. */
static void pair_shown(const pair *p) {
    char text[64];
    ask_node(&p->a);
    ctl_says(0, "primary             this server", "$CTL replication");
    ctl_json_is(0, "role", "primary", "$CTL --json replication");
    ctl_json_is(0, "mode", "sync", "$CTL --json replication");
    snprintf(text, sizeof text, "127.0.0.1:%u", p->b.port);
    ctl_json_is(0, "peer", text, "$CTL --json replication");
    ctl_says(0, "in_sync", "$CTL replication");
    ctl_says(0, "1: ", "$CTL replication");
    ask_node(&p->b);
    ctl_json_is(0, "role", "replica", "$CTL --json replication");
    puts("  both say how the pair stands");
}

static void roles_changed(pair *p) {
    char text[64];
    ask_node(&p->b);
    ctl_says(16, "refused", "$CTL switchover");
    ask_node(&p->a);
    snprintf(text, sizeof text, "127.0.0.1:%u", p->b.port);
    ctl_json_is(0, "primary", text, "$CTL --json switchover");
    pair_await_role(&p->b, "primary");
    pair_await_role(&p->a, "replica");
    pair_await_in_sync(&p->b);
    puts("  switchover says who is primary now");
}

static void primary_lost(pair *p) {
    pair_kill(&p->b);
    ask_node(&p->a);
    ctl_json_is(0, "outcome", "promoted", "$CTL --json promote");
    ctl_json_is(0, "role", "primary", "$CTL --json replication");
    ctl_says(0, "acquired", "$CTL acquire after");
    puts("  promote takes effect before it is answered");
}

/* One that knows nothing of what was acknowledged. */
static void loss_accepted(pair *p) {
    pair_start(p, &p->b, &p->a);
    pair_await_in_sync(&p->a);
    pair_kill(&p->b);
    ask_node(&p->a);
    ctl_says(0, "detached", "$CTL detach");
    pair_kill(&p->a);
    pair_start(p, &p->b, &p->a);
    ask_node(&p->b);
    ctl_says(16, "--accept-loss", "$CTL promote");
    ctl_says(0, "promoted", "$CTL promote --accept-loss");
    ctl_json_is(0, "role", "primary", "$CTL --json replication");
    puts("  promote refuses to lose what was acknowledged, unless told to");
}

static void with_a_peer(const char *program) {
    pair p;
    pair_init(&p, program, 2, 2);
    pair_start_both(&p);
    pair_shown(&p);
    roles_changed(&p);
    primary_lost(&p);
    loss_accepted(&p);
    pair_end(&p);
}

int main(int argc, char **argv) {
    daemon_t daemon;
    if (argc != 3) {
        fputs("usage: ctl_operator IDEMSTORED IDEMCTL\n", stderr);
        return 64;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    ctl_start(
        &daemon,
        &(daemon_spec){.program = argv[1], .flags = {"--threads", "2", NULL}},
        argv[2], "");
    alone();
    commands_refused();
    folder_checked(argv[1]);
    daemon_stop(&daemon);
    with_a_secret(argv[1]);
    with_a_peer(argv[1]);
    return 0;
}
