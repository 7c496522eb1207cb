/* SPDX-License-Identifier: Apache-2.0 */
/* sealed.c -- a group that speaks TLS and nothing else: agents with etcd and
 * with nodes, nodes with each other, clients with nodes. It fails over, and
 * what was done is replayed by who takes over.
 *
 *   agent_sealed IDEMSTORED IDEMAGENT */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "client/include/idemclient.h"
#include "tests/agent/group.h"
#include "tests/e2e/harness.h"
#include "tests/lib/tls_certs.h"

#define TIMEOUT_MS 120000

static test_group *group;
static idem_client *client;
static int executions;

static int32_t execute(idem_run *run, void *ctx) {
    (void)ctx;
    executions++;
    CHECK(idem_run_set_result(run, "paid", 4, IDEM_CLASS_SUCCESS) == 0,
          "no memory");
    return IDEM_RUN_DONE;
}

static void pay(const char *key) {
    idem_answer answer = {.size = sizeof answer};
    idem_error err = {.size = sizeof err};
    idem_args args = {.size = sizeof args,
                      .timeout_ms = TIMEOUT_MS,
                      .lease_ms = TIMEOUT_MS,
                      .key = key,
                      .key_len = strlen(key)};
    int32_t code = idem_run_once(client, &args, execute, NULL, &answer, &err);
    CHECK(code == 0, "%s: %s: %s", key, idem_error_name(code), err.text);
    CHECK(answer.result_len == 4 && memcmp(answer.result, "paid", 4) == 0,
          "%s has another result", key);
    idem_answer_fini(&answer);
}

static void make_certs(char folder[32], char path[PATH_MAX]) {
    static const char *const names[] = {"node", "etcd", "agent"};
    certs_begin(folder);
    certs_make(folder, &(cert_spec){.name = "ca", .is_authority = true});
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        certs_make(folder, &(cert_spec){.name = names[i],
                                        .issuer = "ca",
                                        .alt = "IP:127.0.0.1"});
    CHECK(realpath(folder, path) != NULL, "%s is gone", folder);
}

/* What speaks plain is told nothing. */
static void plain_is_refused(void) {
    char uri[64];
    idem_client *plain;
    idem_error err = {.size = sizeof err};
    idem_answer answer = {.size = sizeof answer};
    idem_args args = {
        .size = sizeof args, .timeout_ms = 2000, .key = "plain", .key_len = 5};
    snprintf(uri, sizeof uri, "idem://127.0.0.1:%u/shop",
             group_node(group, 0)->port);
    CHECK(idem_client_open(uri, &plain, &err) == 0, "%s", err.text);
    int32_t code = idem_acquire(plain, &args, &answer, &err);
    CHECK(code != 0, "a plain claim is answered");
    printf("plain: %s\n", err.text);
    idem_answer_fini(&answer);
    idem_client_close(plain);
}

static void settings_are_tested(const char *idemagent) {
    char line[PATH_MAX];
    snprintf(line, sizeof line, "%s -t -c %s", idemagent,
             group_settings(group, 0));
    CHECK(system(line) == 0, "%s fails", line);
    snprintf(line, sizeof line,
             "sed '/^tls_c/d; /^tls_k/d' %s >%s.bare && %s -t -c %s.bare",
             group_settings(group, 0), group_settings(group, 0), idemagent,
             group_settings(group, 0));
    CHECK(system(line) != 0, "an agent without a certificate is answered");
}

int main(int argc, char **argv) {
    char folder[32], path[PATH_MAX];
    idem_error err = {.size = sizeof err};
    if (argc < 3)
        return 64;
    make_certs(folder, path);
    group = group_start(&(test_group_spec){.idemstored = argv[1],
                                           .idemagent = argv[2],
                                           .nodes = 2,
                                           .certs = path});
    CHECK(idem_client_open(group_uri(group), &client, &err) == 0, "%s",
          err.text);
    settings_are_tested(argv[2]);
    plain_is_refused();
    pay("before");
    int was = group_primary(group);
    group_kill(&group_node(group, was)->node);
    int is = group_await_another(group, was);
    printf("%c is killed, %c leads\n", 'a' + was, 'a' + is);
    pay("before");
    pay("after");
    CHECK(executions == 2, "executed %d times", executions);
    group_restart_node(group, was);
    group_await_whole(group);
    idem_client_close(client);
    group_stop(group);
    certs_end(folder);
    return 0;
}
