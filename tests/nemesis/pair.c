/* SPDX-License-Identifier: Apache-2.0 */
/* pair.c -- see pair.h. */
#include "tests/nemesis/pair.h"

#include "tests/nemesis/client.h"

#include <cjson/cJSON.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FLAGS_MAX = 32, TEXT_MAX = 200, SAID_MAX = 8192 };

/* --- a daemon */

typedef struct flags {
    char text[FLAGS_MAX][TEXT_MAX];
    char *argv[FLAGS_MAX + 1];
    int count;
} flags;

static void add(flags *f, const char *flag, const char *value) {
    snprintf(f->text[f->count], TEXT_MAX, "%s", flag);
    f->argv[f->count] = f->text[f->count];
    f->count++;
    if (value == NULL)
        return;
    snprintf(f->text[f->count], TEXT_MAX, "%s", value);
    f->argv[f->count] = f->text[f->count];
    f->count++;
}

static void add_address(flags *f, const char *flag, const char *address) {
    char text[64];
    snprintf(text, sizeof text, "%s:%d", address, NEM_PORT);
    add(f, flag, text);
}

static void add_peer(const nem_pair *p, int node, bool replica, flags *f) {
    char text[TEXT_MAX], at[40];
    add(f, "--replication", p->async ? "async" : "sync");
    add(f, "--peer-insecure", NULL);
    snprintf(text, sizeof text, "%s/%c.peer", p->dir, nem_name(node));
    add(f, "--peer-state", text);
    add_address(f, "--advertise",
                nem_network_for_clients(p->network, node, p->advertise, at));
    if (replica)
        add_address(f, "--replicate-from",
                    nem_network_for_peer(p->network, 1 - node, p->proxied, at));
}

static void add_tls(const nem_pair *p, flags *f) {
    char text[TEXT_MAX];
    snprintf(text, sizeof text, "%s/node.pem", p->dir);
    add(f, "--tls-cert", text);
    snprintf(text, sizeof text, "%s/node.key", p->dir);
    add(f, "--tls-key", text);
    snprintf(text, sizeof text, "%s/ca.pem", p->dir);
    add(f, "--peer-ca", text);
    if (!p->alone)
        add(f, "--peer-tls", "on");
}

static void set_flags(const nem_pair *p, int node, bool replica, flags *f) {
    char text[TEXT_MAX], at[40];
    add(f, p->daemon, NULL);
    add_address(f, "--listen", nem_network_address(p->network, node, at));
    snprintf(text, sizeof text, "%u", p->threads[node]);
    add(f, "--threads", text);
    add(f, "--max-memory", "64m");
    snprintf(text, sizeof text, "%s/secret", p->dir);
    add(f, "--secret-file", text);
    if (p->journal) {
        snprintf(text, sizeof text, "%s/%c.data", p->dir, nem_name(node));
        add(f, "--data-dir", text);
    }
    if (!p->alone)
        add_peer(p, node, replica, f);
    if (p->tls)
        add_tls(p, f);
    f->argv[f->count] = NULL;
}

static void log_path(const nem_pair *p, int node, char to[TEXT_MAX]) {
    snprintf(to, TEXT_MAX, "%s/%c.log", p->dir, nem_name(node));
}

static _Noreturn void become(const nem_pair *p, int node, pid_t parent,
                             char *const argv[], const char *log) {
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    nem_network_enter(p->network, (nem_place)node, parent);
    execv(argv[0], argv);
    perror(argv[0]);
    _exit(127);
}

bool nem_node_start(nem_pair *p, int node, bool replica) {
    nem_node *n = &p->node[node];
    char log[TEXT_MAX];
    flags *f = calloc(1, sizeof *f);
    pid_t parent = getpid();
    if (f == NULL)
        return false;
    set_flags(p, node, replica, f);
    log_path(p, node, log);
    fflush(NULL);
    n->pid = fork();
    if (n->pid == 0)
        become(p, node, parent, f->argv, log);
    free(f);
    n->number = node;
    n->lives++;
    n->stopped = false;
    return n->pid > 0;
}

void nem_node_kill(nem_pair *p, int node) {
    nem_node *n = &p->node[node];
    if (n->pid <= 0)
        return;
    kill(n->pid, SIGKILL);
    waitpid(n->pid, NULL, 0);
    n->pid = 0;
}

void nem_node_stop(nem_pair *p, int node) {
    p->node[node].stopped = true;
    p->node[node].stopped_ns = nem_now_ns();
    kill(p->node[node].pid, SIGSTOP);
}

void nem_node_continue(nem_pair *p, int node) {
    p->node[node].stopped = false;
    kill(p->node[node].pid, SIGCONT);
}

bool nem_node_died(nem_pair *p, int node) {
    nem_node *n = &p->node[node];
    int status;
    if (n->pid <= 0 || waitpid(n->pid, &status, WNOHANG) != n->pid)
        return false;
    n->pid = 0;
    printf("%c has ended by itself: %s %d\n", nem_name(node),
           WIFSIGNALED(status) ? "signal" : "exit code",
           WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return true;
}

void nem_node_tell(const nem_pair *p, int node) {
    char line[400], log[TEXT_MAX];
    log_path(p, node, log);
    snprintf(line, sizeof line, "tail -n 25 '%s' | sed 's/^/    /'", log);
    printf("---- %c said at the end:\n", nem_name(node));
    fflush(NULL);
    if (system(line) != 0)
        printf("    (nothing)\n");
}

void nem_pair_end(nem_pair *p) {
    for (int i = 0; i < 2; i++) {
        if (p->node[i].stopped)
            nem_node_continue(p, i);
        nem_node_kill(p, i);
    }
}

void nem_pair_uri(const nem_pair *p, int first, bool proxied, char *to,
                  size_t cap) {
    char one[40], two[40];
    int len = snprintf(
        to, cap,
        "%s://%s:%d,%s:%d/nemesis?secret_file=%s/secret"
        "&connect_timeout_ms=400",
        p->tls ? "idems" : "idem",
        nem_network_for_clients(p->network, first, proxied, one), NEM_PORT,
        nem_network_for_clients(p->network, 1 - first, proxied, two), NEM_PORT,
        p->dir);
    if (p->tls && len > 0 && (size_t)len < cap)
        snprintf(to + len, cap - (size_t)len, "&ca=%s/ca.pem", p->dir);
}

/* --- idemctl, on the node's own machine */

static _Noreturn void call_ctl(const nem_pair *p, int node, pid_t parent,
                               const char *order, int out) {
    char uri[2 * TEXT_MAX], at[40];
    bool ask = strcmp(order, "replication") == 0;
    bool lossy = p->async && strcmp(order, "promote") == 0;
    snprintf(uri, sizeof uri, "%s://%s:%d/?secret_file=%s/secret%s%s%s",
             p->tls ? "idems" : "idem",
             nem_network_address(p->network, node, at), NEM_PORT, p->dir,
             p->tls ? "&ca=" : "", p->tls ? p->dir : "",
             p->tls ? "/ca.pem" : "");
    char *argv[] = {"timeout",
                    "-k",
                    "1",
                    ask ? "2" : "12",
                    (char *)p->ctl,
                    "--server",
                    uri,
                    (char *)order,
                    ask     ? "--json"
                    : lossy ? "--accept-loss"
                            : NULL,
                    NULL};
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    nem_network_enter(p->network, (nem_place)node, parent);
    execvp(argv[0], argv);
    _exit(127);
}

bool nem_command(const nem_pair *p, int node, const char *order, char *said,
                 size_t said_cap) {
    int out[2], status = -1;
    size_t len = 0;
    ssize_t n;
    pid_t parent = getpid();
    if (pipe2(out, O_CLOEXEC) != 0)
        return false;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        call_ctl(p, node, parent, order, out[1]);
    close(out[1]);
    while ((n = read(out[0], said + len, said_cap - 1 - len)) > 0)
        len += (size_t)n;
    close(out[0]);
    said[len] = '\0';
    while (len > 0 && said[len - 1] == '\n')
        said[--len] = '\0';
    if (child > 0)
        waitpid(child, &status, 0);
    return status == 0;
}

pid_t nem_command_aside(const nem_pair *p, int node, const char *order) {
    char said[300];
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(!nem_command(p, node, order, said, sizeof said));
    return child;
}

static const char *text_of(const cJSON *in, const char *name) {
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(in, name));
    return text == NULL ? "" : text;
}

nem_status nem_ask_status(const nem_pair *p, int node) {
    nem_status s = {0};
    char *said = calloc(1, SAID_MAX);
    if (said == NULL || p->node[node].pid <= 0 || p->node[node].stopped) {
        free(said);
        return s;
    }
    s.heard = nem_command(p, node, "replication", said, SAID_MAX);
    cJSON *json = s.heard ? cJSON_Parse(said) : NULL;
    if (s.heard && json == NULL)
        printf("idemctl replication --json: no JSON: %s\n", said);
    s.heard = json != NULL;
    if (json != NULL) {
        s.primary = strcmp(text_of(json, "role"), "primary") == 0;
        s.epoch =
            (uint64_t)cJSON_GetNumberValue(cJSON_GetObjectItem(json, "epoch"));
        s.in_sync =
            (unsigned)cJSON_GetArraySize(cJSON_GetObjectItem(json, "in_sync"));
        snprintf(s.state, sizeof s.state, "%s", text_of(json, "state"));
    }
    cJSON_Delete(json);
    free(said);
    return s;
}
