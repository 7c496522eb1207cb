/* SPDX-License-Identifier: Apache-2.0 */
/* double_click.c -- a language's program clicks twice on everything, while the
 * primary of its group dies, stands still and dies again, and nobody orders
 * anything.
 *
 *   agent_double_click IDEMSTORED IDEMAGENT PROGRAM ARGS...
 *
 * The program finds the group at STORES, clicks until its input ends, and says
 * "done N" now and then: so many clicks were answered. At the end it exits
 * with 0 if all that it ran was run once. Exits with 77 without etcd. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/agent/group.h"
#include "tests/e2e/harness.h"

enum { PATIENCE_MS = 180000, CLICKS = 200 };

typedef struct language {
    pid_t pid;
    int to, from;
    FILE *said;
    unsigned long done;
} language;

static void begin(language *l, const char *stores, char **argv) {
    int to[2], from[2];
    pid_t parent = getpid();
    CHECK(pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0, "no pipes");
    fflush(NULL);
    l->pid = fork();
    if (l->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(to[0], STDIN_FILENO);
        dup2(from[1], STDOUT_FILENO);
        setenv("STORES", stores, 1);
        if (getppid() == parent)
            execvp(argv[0], argv);
        perror(argv[0]);
        _exit(127);
    }
    CHECK(l->pid > 0, "no process");
    close(to[0]);
    close(from[1]);
    l->to = to[1];
    l->from = from[0];
    l->said = fdopen(from[0], "r");
    CHECK(l->said != NULL, "no stream");
}

/* The next line; false: it has closed its output. */
static bool hear(language *l) {
    char line[256];
    struct pollfd look = {.fd = l->from, .events = POLLIN};
    CHECK(poll(&look, 1, PATIENCE_MS) == 1, "it says nothing any more");
    if (!fgets(line, sizeof line, l->said))
        return false;
    if (strncmp(line, "done ", 5) == 0)
        l->done = strtoul(line + 5, NULL, 10);
    else
        printf("  it says: %s", line);
    return true;
}

static void clicks_on(language *l, const char *after) {
    unsigned long from = l->done;
    while (l->done < from + CLICKS)
        CHECK(hear(l), "it ended after: %s", after);
    printf("  and it clicks on: %s\n", after);
    fflush(stdout);
}

/* Stands still, at a moment when all are in sync. */
static int stop_primary(test_group *group) {
    for (;;) {
        group_await_whole(group);
        int was = group_primary(group);
        kill(group_node(group, was)->node.pid, SIGSTOP);
        if (group_is_whole(group) && group_primary(group) == was)
            return was;
        kill(group_node(group, was)->node.pid, SIGCONT);
    }
}

static void primary_dies(test_group *group, language *l) {
    int was = stop_primary(group);
    group_kill(&group_node(group, was)->node);
    clicks_on(l, "the primary was killed");
    group_restart_node(group, was);
}

static void primary_stands_still(test_group *group, language *l) {
    int was = stop_primary(group);
    clicks_on(l, "the primary stands still");
    kill(group_node(group, was)->node.pid, SIGCONT);
}

static void end(language *l) {
    int status;
    close(l->to);
    while (hear(l))
        ;
    CHECK(waitpid(l->pid, &status, 0) == l->pid, "no such process");
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0,
          "it ended with status %d", status);
    fclose(l->said);
    printf("%lu clicks, each thing was run once\n", l->done);
}

int main(int argc, char **argv) {
    language l = {.pid = 0};
    char stores[256];
    if (argc < 4)
        return 64;
    test_group *group = group_start(&(test_group_spec){
        .idemstored = argv[1], .idemagent = argv[2], .nodes = 3});
    snprintf(stores, sizeof stores, "%s?timeout_ms=120000", group_uri(group));
    begin(&l, stores, argv + 3);
    clicks_on(&l, "nothing has happened yet");
    primary_dies(group, &l);
    primary_stands_still(group, &l);
    primary_dies(group, &l);
    end(&l);
    group_stop(group);
    return 0;
}
