/* SPDX-License-Identifier: Apache-2.0 */
/* pair.c -- two daemons that replicate; see pair.h. */
#include "tests/e2e/pair.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATIENCE_MS = 60000, LOOK_MS = 10 };

static void name(pair *p, pair_node *node, const char *as, unsigned threads) {
    snprintf(node->threads, sizeof node->threads, "%u", threads);
    snprintf(node->state, sizeof node->state, "%s/%s.peer", p->folder, as);
}

void pair_init(pair *p, const char *program, unsigned a_threads,
               unsigned b_threads) {
    *p = (pair){.program = program};
    snprintf(p->folder, sizeof p->folder, "/tmp/idemstore-pair-XXXXXX");
    CHECK(mkdtemp(p->folder) != NULL, "no temporary folder");
    name(p, &p->a, "a", a_threads);
    name(p, &p->b, "b", b_threads);
}

void pair_keep(pair *p) {
    snprintf(p->a.data_dir, sizeof p->a.data_dir, "%s/a", p->folder);
    snprintf(p->b.data_dir, sizeof p->b.data_dir, "%s/b", p->folder);
}

void pair_end(pair *p) {
    char command[128];
    pair_stop(&p->a);
    pair_stop(&p->b);
    snprintf(command, sizeof command, "rm -rf '%s'", p->folder);
    CHECK(system(command) == 0, "%s", command);
}

/* The log of a replica names the primary's port as well. */
static uint16_t port_in_log(const pair_node *node) {
    static const char words[] = "listening on 127.0.0.1:";
    char text[4096] = {0};
    const char *found;
    FILE *log = fopen(node->daemon.child.log_path, "re");
    if (log == NULL)
        return 0;
    size_t len = fread(text, 1, sizeof text - 1, log);
    fclose(log);
    text[len] = '\0';
    found = strstr(text, words);
    return found && strchr(found, '\n')
               ? (uint16_t)strtoul(found + strlen(words), NULL, 10)
               : 0;
}

static void await_listening(pair_node *node) {
    uint64_t until_ms = e2e_now_ms() + PATIENCE_MS;
    uint16_t port;
    while ((port = port_in_log(node)) == 0) {
        if (e2e_now_ms() > until_ms)
            child_print_log(&node->daemon.child);
        CHECK(e2e_now_ms() <= until_ms, "it does not listen");
        e2e_sleep_ms(LOOK_MS);
    }
    node->port = node->daemon.port = port;
}

void pair_start(pair *p, pair_node *node, const pair_node *of) {
    char from[64];
    daemon_spec spec = {
        .program = p->program, .prefix = node->prefix, .own_listen = true};
    unsigned at = 0;
    snprintf(node->listen, sizeof node->listen, "127.0.0.1:%u", node->port);
    spec.flags[at++] = "--listen";
    spec.flags[at++] = node->listen;
    spec.flags[at++] = "--threads";
    spec.flags[at++] = node->threads;
    spec.flags[at++] = "--peer-state";
    spec.flags[at++] = node->state;
    spec.flags[at++] = of ? "--replicate-from" : "--replication";
    if (of)
        snprintf(from, sizeof from, "127.0.0.1:%u", of->port);
    spec.flags[at++] = of ? from : "sync";
    if (node->data_dir[0]) {
        spec.flags[at++] = "--data-dir";
        spec.flags[at++] = node->data_dir;
    }
    spec.flags[at++] = node->secret_file ? "--secret-file" : "--peer-insecure";
    if (node->secret_file)
        spec.flags[at++] = node->secret_file;
    for (unsigned i = 0; i < PAIR_MORE && node->more[i]; i++)
        spec.flags[at++] = node->more[i];
    daemon_start(&node->daemon, &spec);
    await_listening(node);
}

void pair_start_both(pair *p) {
    pair_start(p, &p->a, NULL);
    pair_start(p, &p->b, &p->a);
    pair_await_in_sync(&p->a);
}

void pair_kill(pair_node *node) {
    int status;
    kill(node->daemon.child.pid, SIGKILL);
    CHECK(child_wait(&node->daemon.child, &status, 20), "it survives a kill");
    node->daemon.child.pid = 0;
    unlink(node->daemon.child.log_path);
}

void pair_stop(pair_node *node) {
    if (node->daemon.child.pid != 0)
        daemon_stop(&node->daemon);
}

void pair_do_once(const pair_node *node, const char *key) {
    wire w;
    CHECK(wire_open(&w, node->port), "no connection");
    e2e_do_once(&w, key, "paid");
    wire_close(&w);
}

int pair_claim(const pair_node *node, const char *key) {
    wire w;
    idp_answer answer;
    idp_request ask = ask_acquire(key, 60000, 60000);
    CHECK(wire_open(&w, node->port), "no connection");
    int code = wire_call(&w, &ask, &answer);
    wire_close(&w);
    return code;
}

int pair_claim_confirmed(const pair_node *node, const char *key) {
    wire w;
    idp_answer answer;
    idp_request ask = ask_acquire(key, 60000, 60000);
    CHECK(wire_open(&w, node->port), "no connection");
    int code = wire_call_confirmed(&w, &ask, &answer);
    wire_close(&w);
    return code;
}

void pair_report(const pair_node *node, idp_replication *report) {
    wire w;
    idp_request ask = {.method = IDP_REPLICATION};
    idp_reply reply;
    CHECK(wire_open(&w, node->port), "no connection");
    CHECK(wire_ask(&w, &ask, &reply) && !reply.is_error, "no report");
    CHECK(idp_replication_read(reply.result, report), "no report is that");
    wire_close(&w);
}

static void give_up(const pair_node *node, const char *word) {
    idp_replication report;
    pair_report(node, &report);
    child_print_log(&node->daemon.child);
    CHECK(false, "port %u: never %s; it says: %s, epoch %llu: %s", node->port,
          word, report.role, (unsigned long long)report.epoch, report.state);
}

/* Looks at its report until it is so. */
static void await(const pair_node *node,
                  bool (*is_so)(const idp_replication *report,
                                const char *word),
                  const char *word) {
    idp_replication report;
    uint64_t until_ms = e2e_now_ms() + PATIENCE_MS;
    for (;;) {
        pair_report(node, &report);
        if (is_so(&report, word))
            return;
        if (e2e_now_ms() > until_ms)
            give_up(node, word);
        e2e_sleep_ms(LOOK_MS);
    }
}

static bool is_in_sync(const idp_replication *report, const char *word) {
    (void)word;
    return report->in_sync_count == 2 && report->safe_to_stop;
}

static bool has_role(const idp_replication *report, const char *role) {
    return strcmp(report->role, role) == 0;
}

static bool has_state(const idp_replication *report, const char *text) {
    return strstr(report->state, text) != NULL;
}

void pair_await_in_sync(const pair_node *node) {
    await(node, is_in_sync, "in sync");
}

void pair_await_role(const pair_node *node, const char *role) {
    await(node, has_role, role);
}

void pair_await_synced(const pair_node *node) {
    uint64_t changes = daemon_stat(&node->daemon, "changes_total"), more = 0;
    for (unsigned ms = 0;; ms += 20) {
        uint64_t unsynced = daemon_stat(&node->daemon, "changes_unsynced");
        if (unsynced <= more)
            return;
        CHECK(ms < 60000, "%llu changes are never synced",
              (unsigned long long)unsynced);
        e2e_sleep_ms(20);
        more = daemon_stat(&node->daemon, "changes_total") - changes;
    }
}

void pair_await_state(const pair_node *node, const char *text) {
    await(node, has_state, text);
}

void pair_await_log(const pair_node *node, const char *text) {
    if (!daemon_said(&node->daemon, text))
        child_print_log(&node->daemon.child);
    CHECK(daemon_said(&node->daemon, text), "it does not say \"%s\"", text);
}

static idp_command_outcome command_once(const pair_node *node, idp_method order,
                                        bool accept_loss, char *text,
                                        size_t cap) {
    wire w;
    idp_request ask = {.method = order, .accept_loss = accept_loss};
    idp_reply reply;
    idp_command_answer answer;
    CHECK(wire_open(&w, node->port), "no connection");
    CHECK(wire_ask(&w, &ask, &reply), "the command is not answered");
    CHECK(!reply.is_error, "the command hears %.*s", (int)reply.text.len,
          (const char *)reply.text.ptr);
    CHECK(idp_command_read(order, reply.result, &answer), "no answer is that");
    idp_slice said =
        answer.outcome == IDP_COMMAND_REFUSED ? answer.text : answer.primary;
    snprintf(text, cap, "%.*s", (int)said.len, (const char *)said.ptr);
    wire_close(&w);
    return answer.outcome;
}

/* A node may be busy with a decision of its own: how long a disk takes for it
 * is the machine's business. */
idp_command_outcome pair_command(const pair_node *node, idp_method order,
                                 bool accept_loss, char *text, size_t cap) {
    uint64_t until_ms = e2e_now_ms() + PATIENCE_MS;
    for (;;) {
        idp_command_outcome outcome =
            command_once(node, order, accept_loss, text, cap);
        if (outcome != IDP_COMMAND_REFUSED ||
            strstr(text, "decision is being recorded") == NULL ||
            e2e_now_ms() > until_ms)
            return outcome;
        e2e_sleep_ms(LOOK_MS);
    }
}

void pair_carry_out(const pair_node *node, idp_method order, bool accept_loss) {
    char text[IDP_COMMAND_TEXT_BYTES_MAX + 1];
    CHECK(pair_command(node, order, accept_loss, text, sizeof text) !=
              IDP_COMMAND_REFUSED,
          "refused: %s", text);
}
