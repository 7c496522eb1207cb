/* SPDX-License-Identifier: Apache-2.0 */
/* surroundings.c -- what an operator sees and orders: idemagent -t and -n,
 * idemctl agent, /readyz, /metrics.
 *
 *   agent_surroundings IDEMSTORED IDEMAGENT IDEMCTL */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/agent/group.h"
#include "tests/e2e/harness.h"

enum { PATIENCE_MS = 60000, SAID_BYTES = 16384, ROUNDS = 8 };

static const char *idemagent, *idemctl;
static test_group *group;
static char said[SAID_BYTES];

/* --- shells --------------------------------------------------------------- */

/* Its exit status; said: what it prints, on either stream. */
__attribute__((format(printf, 1, 2))) static int shell(const char *format,
                                                       ...) {
    char line[1024];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof line - 8, format, args);
    va_end(args);
    strcpy(line + len, " 2>&1");
    FILE *pipe = popen(line, "re");
    CHECK(pipe != NULL, "no shell");
    size_t have = fread(said, 1, sizeof said - 1, pipe);
    said[have] = '\0';
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void says(const char *text) {
    CHECK(strstr(said, text) != NULL, "it does not say \"%s\", but: %s", text,
          said);
}

static int order(int at, const char *what) {
    return shell("%s agent %s 127.0.0.1:%u", idemctl, what,
                 group_node(group, at)->http);
}

static int get(int at, const char *path) {
    return shell("curl -s -m 60 -w ' status %%{http_code}' "
                 "http://127.0.0.1:%u%s",
                 group_node(group, at)->http, path);
}

/* Until the agent's answer to this path has the text. */
static void await_said(int at, const char *path, const char *text) {
    uint64_t until_ms = e2e_now_ms() + PATIENCE_MS;
    for (;;) {
        if (get(at, path) == 0 && strstr(said, text))
            return;
        CHECK(e2e_now_ms() < until_ms, "%s never says \"%s\", but: %s", path,
              text, said);
        e2e_sleep_ms(50);
    }
}

static uint64_t metric(int at, const char *name) {
    char line[96];
    CHECK(get(at, "/metrics") == 0, "no metrics");
    snprintf(line, sizeof line, "\nidemagent_%s ", name);
    const char *found = strstr(said, line);
    CHECK(found != NULL, "no idemagent_%s in: %s", name, said);
    return strtoull(found + strlen(line), NULL, 10);
}

/* So often has this agent read etcd since, and so it could have decided. */
static void let_it_look(int at) {
    uint64_t from = metric(at, "etcd_reads_total");
    uint64_t until_ms = e2e_now_ms() + PATIENCE_MS;
    while (metric(at, "etcd_reads_total") < from + ROUNDS) {
        CHECK(e2e_now_ms() < until_ms, "it does not look at etcd");
        e2e_sleep_ms(50);
    }
}

/* --- what happens --------------------------------------------------------- */

static void settings_are_tested(void) {
    const char *path = group_settings(group, 0);
    CHECK(shell("%s -t -c %s", idemagent, path) == 0, "-t: %s", said);
    CHECK(shell("%s --test-config --config %s", idemagent, path) == 0,
          "--test-config: %s", said);
    says("the settings are good");
    says("answers as a");
    says("the group's record");
    CHECK(shell("sed 's/^etcd = .*/etcd = {\"http:\\/\\/127.0.0.1:1\"}/' %s "
                ">%s.away && %s -t -c %s.away",
                path, path, idemagent, path) == 1,
          "-t without etcd: %s", said);
    says("etcd does not answer");
    CHECK(shell("sed 's/^node = .*/node = \"z\"/' %s >%s.other && "
                "%s -t -c %s.other",
                path, path, idemagent, path) == 1,
          "-t beside another node: %s", said);
    says("is a, not z");
    CHECK(shell("sed 's/^lease_ms.*//; $a lease_ms = 5' %s >%s.bad; "
                "%s -t -c %s.bad",
                path, path, idemagent, path) == 78,
          "-t with a lease of 5 ms: %s", said);
    says("lease_ms: it is 1000 to 60000");
    puts("settings are tested");
}

static void it_tells_of_itself(void) {
    await_said(0, "/readyz", "it decides");
    says("status 200");
    CHECK(order(0, "status") == 0, "status: %s", said);
    says("\"ready\": true");
    await_said(0, "/metrics", "\nidemagent_in_sync 2\n");
    await_said(0, "/metrics", "\nidemagent_alive 2\n");
    await_said(0, "/metrics", "\nidemagent_ready 1\n");
    await_said(0, "/metrics", "\nidemagent_paused 0\n");
    CHECK(shell("curl -s -m 60 -X POST -H 'Origin: http://evil' "
                "http://127.0.0.1:%u/v1/switchover",
                group_node(group, 0)->http) == 0,
          "curl");
    says("not from another page");
    CHECK(order(0, "dance") != 0, "an order that there is not: %s", said);
    CHECK(shell("%s agent status 127.0.0.1:1", idemctl) != 0, "%s", said);
    says("no idemagent answers");
    puts("it tells of itself");
}

static void it_hands_over(void) {
    int was = group_primary(group), to = 1 - was;
    CHECK(order(was, "switchover") == 0, "to who leads already: %s", said);
    for (int tries = 0; order(to, "switchover") != 0; tries++) {
        CHECK(tries < 20, "switchover: %s", said);
        group_await_whole(group); /* not in sync, just then */
    }
    says("done");
    CHECK(group_primary(group) == to, "another leads");
    group_await_whole(group);
    puts("it hands over");
}

/* Nobody takes over while that is so, and somebody does as it is over. */
static void nobody_while_paused(void) {
    group_await_whole(group);
    int was = group_primary(group), other = 1 - was;
    CHECK(order(other, "pause") == 0, "pause: %s", said);
    says("done: paused");
    await_said(was, "/v1/status", "\"paused\": true");
    await_said(other, "/v1/status", "\"paused\": true");
    group_kill(&group_node(group, was)->node);
    let_it_look(other);
    CHECK(group_primary(group) == was, "somebody took over");
    await_said(was, "/readyz", "does not answer");
    says("status 503");
    CHECK(order(other, "resume") == 0, "resume: %s", said);
    says("done: resumed");
    CHECK(group_await_another(group, was) == other, "it does not lead");
    CHECK(order(was, "switchover") != 0, "to a dead node: %s", said);
    says("not done");
    group_restart_node(group, was);
    group_await_whole(group);
    puts("nobody takes over while all is paused");
}

/* It says what it would do, and does nothing. */
static void a_dry_run_only_says(void) {
    int was = group_primary(group), other = 1 - was;
    child dry;
    char *argv[] = {(char *)idemagent, "-n", "-c",
                    (char *)group_settings(group, other), NULL};
    group_kill(&group_node(group, other)->agent);
    CHECK(child_start(&dry, "dry", "/tmp", argv), "it does not start");
    await_said(other, "/readyz", "it decides");
    let_it_look(other);
    group_kill(&group_node(group, was)->node);
    let_it_look(other);
    CHECK(group_primary(group) == was, "it has done something");
    child_stop(&dry);
    CHECK(shell("cat %s", dry.log_path) == 0, "no log");
    says("dry run");
    CHECK(unlink(dry.log_path) == 0, "its log stays");
    group_restart_node(group, was);
    group_restart_agent(group, other);
    puts("a dry run only says");
}

int main(int argc, char **argv) {
    if (argc < 4)
        return 64;
    idemagent = argv[2];
    idemctl = argv[3];
    group = group_start(&(test_group_spec){
        .idemstored = argv[1], .idemagent = argv[2], .nodes = 2});
    settings_are_tested();
    it_tells_of_itself();
    it_hands_over();
    nobody_while_paused();
    a_dry_run_only_says();
    group_stop(group);
    return 0;
}
