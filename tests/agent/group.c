/* SPDX-License-Identifier: Apache-2.0 */
/* group.c -- see group.h. */
#include "tests/agent/group.h"

#include "tests/etcd/etcd_process.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_S = 120, PATH_BYTES = 160 };

struct test_group {
    const char *idemstored, *idemagent, *max_memory, *certs;
    int nodes;
    char folder[64], uri[640];
    char ca[PATH_BYTES], node_pem[PATH_BYTES], node_key[PATH_BYTES];
    char etcd_pem[PATH_BYTES], etcd_key[PATH_BYTES];
    char agent_pem[PATH_BYTES], agent_key[PATH_BYTES];
    etcd_process etcd;
    ids_etcd *client;
    test_node node[TEST_NODES_MAX];
};

/* --- processes ------------------------------------------------------------ */

static void say_all(test_group *g) {
    for (int i = 0; i < g->nodes; i++) {
        child_print_log(&g->node[i].node);
        child_print_log(&g->node[i].agent);
    }
}

static void expect(test_group *g, bool good, int line, const char *what) {
    if (good)
        return;
    say_all(g);
    etcd_test_fails(__FILE__, line, what);
}
#define EXPECT(what) expect(g, (what), __LINE__, #what)

static void start_node(test_group *g, int at) {
    test_node *n = &g->node[at];
    char listen[32], name[2] = {(char)('a' + at), 0}, state[PATH_BYTES];
    char peers[TEST_NODES_MAX][32];
    snprintf(listen, sizeof listen, "127.0.0.1:%u", n->port);
    snprintf(state, sizeof state, "%s/%s.peer", g->folder, name);
    char *argv[40] = {(char *)g->idemstored,
                      "--listen",
                      listen,
                      "--node",
                      name,
                      "--peer-state",
                      state,
                      "--replication",
                      "sync",
                      "--agent",
                      "--peer-insecure",
                      "--threads",
                      "2",
                      "--max-memory",
                      (char *)g->max_memory};
    int argc = 15;
    for (int i = 0; i < g->nodes; i++) {
        if (i == at)
            continue;
        snprintf(peers[i], sizeof peers[i], "127.0.0.1:%u", g->node[i].port);
        argv[argc++] = "--peer";
        argv[argc++] = peers[i];
    }
    if (g->certs) {
        char *const tls[] = {"--tls-cert", g->node_pem, "--tls-key",
                             g->node_key,  "--tls-ca",  g->ca,
                             "--peer-tls", "on"};
        memcpy(argv + argc, tls, sizeof tls);
    }
    EXPECT(child_start(&n->node, name, g->folder, argv));
    bool listens = false;
    for (int tries = 0; tries < 6 && !listens; tries++)
        listens = child_listens(&n->node, n->port);
    EXPECT(listens);
}

static void write_settings(test_group *g, int at, const char *path) {
    FILE *file = fopen(path, "we");
    EXPECT(file != NULL);
    fprintf(file,
            "group = \"shop\"\nnode = \"%c\"\nserver = \"127.0.0.1:%u\"\n"
            "http = \"127.0.0.1:%u\"\netcd = {\"%s\"}\nothers = {",
            'a' + at, g->node[at].port, g->node[at].http, g->etcd.url);
    const char *comma = "";
    for (int i = 0; i < g->nodes; i++) {
        if (i == at)
            continue;
        fprintf(file, "%s\"127.0.0.1:%u\"", comma, g->node[i].port);
        comma = ", ";
    }
    fprintf(file, "}\n");
    if (g->certs)
        fprintf(file,
                "tls = true\ntls_ca = \"%s\"\ntls_cert = \"%s\"\n"
                "tls_key = \"%s\"\netcd_ca = \"%s\"\netcd_cert = \"%s\"\n"
                "etcd_key = \"%s\"\n",
                g->ca, g->agent_pem, g->agent_key, g->ca, g->agent_pem,
                g->agent_key);
    EXPECT(fclose(file) == 0);
}

static void start_agent(test_group *g, int at) {
    char path[PATH_BYTES], name[16];
    snprintf(path, sizeof path, "%s/%c.conf", g->folder, 'a' + at);
    snprintf(name, sizeof name, "agent-%c", 'a' + at);
    write_settings(g, at, path);
    char *argv[] = {(char *)g->idemagent, "-c", path, NULL};
    EXPECT(child_start(&g->node[at].agent, name, g->folder, argv));
}

static void name_certs(test_group *g) {
    const struct {
        char *path;
        const char *name;
    } files[] = {{g->ca, "ca.pem"},          {g->node_pem, "node.pem"},
                 {g->node_key, "node.key"},  {g->etcd_pem, "etcd.pem"},
                 {g->etcd_key, "etcd.key"},  {g->agent_pem, "agent.pem"},
                 {g->agent_key, "agent.key"}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        snprintf(files[i].path, PATH_BYTES, "%s/%s", g->certs, files[i].name);
}

static void start_etcd(test_group *g) {
    if (!g->certs) {
        etcd_start(&g->etcd);
        g->client = etcd_client(g->etcd.url, NULL, NULL);
        return;
    }
    name_certs(g);
    etcd_start_tls(&g->etcd, g->etcd_pem, g->etcd_key, g->ca);
    g->client = ids_etcd_new(&(ids_etcd_config){.endpoint = {g->etcd.url},
                                                .endpoint_count = 1,
                                                .prefix = "/idemstore/shop/",
                                                .ca = g->ca,
                                                .cert = g->agent_pem,
                                                .key = g->agent_key,
                                                .node = {"a"},
                                                .lease_ms = 3000});
    CHECK(g->client != NULL);
}

/* For libidemclient: all nodes, and what to show them. */
static void make_uri(test_group *g) {
    size_t at = (size_t)snprintf(g->uri, sizeof g->uri, "idem%s://",
                                 g->certs ? "s" : "");
    for (int i = 0; i < g->nodes; i++)
        at += (size_t)snprintf(g->uri + at, sizeof g->uri - at,
                               "%s127.0.0.1:%u", i ? "," : "", g->node[i].port);
    at += (size_t)snprintf(g->uri + at, sizeof g->uri - at, "/shop");
    if (g->certs)
        snprintf(g->uri + at, sizeof g->uri - at, "?ca=%s&cert=%s&key=%s",
                 g->ca, g->agent_pem, g->agent_key);
}

test_group *group_start(const test_group_spec *spec) {
    test_group *g = calloc(1, sizeof *g);
    int nodes = spec->nodes;
    CHECK(g != NULL && nodes <= TEST_NODES_MAX);
    *g = (test_group){.idemstored = spec->idemstored,
                      .idemagent = spec->idemagent,
                      .max_memory = spec->max_memory ? spec->max_memory : "64m",
                      .certs = spec->certs,
                      .nodes = nodes};
    const char *tmp = getenv("TMPDIR");
    snprintf(g->folder, sizeof g->folder, "%.40s/idem-agents-XXXXXX",
             tmp ? tmp : "/tmp");
    CHECK(mkdtemp(g->folder) != NULL);
    start_etcd(g);
    for (int i = 0; i < nodes; i++) {
        g->node[i].port = etcd_free_port();
        g->node[i].http = etcd_free_port();
    }
    make_uri(g);
    for (int i = 0; i < nodes; i++)
        start_node(g, i);
    for (int i = 0; i < nodes; i++)
        start_agent(g, i);
    group_await_whole(g);
    return g;
}

void group_stop(test_group *g) {
    char command[96];
    for (int i = 0; i < g->nodes; i++)
        child_stop(&g->node[i].agent);
    for (int i = 0; i < g->nodes; i++)
        child_stop(&g->node[i].node);
    ids_etcd_free(g->client);
    etcd_stop(&g->etcd);
    snprintf(command, sizeof command, "rm -rf %s", g->folder);
    CHECK(system(command) == 0);
    free(g);
}

test_node *group_node(test_group *g, int at) {
    return &g->node[at];
}

const char *group_uri(const test_group *g) {
    return g->uri;
}

void group_kill(child *one) {
    int status;
    kill(one->pid, SIGKILL);
    kill(one->pid, SIGCONT);
    child_wait(one, &status, PATIENCE_S);
}

void group_restart_node(test_group *g, int at) {
    start_node(g, at);
}

void group_restart_agent(test_group *g, int at) {
    start_agent(g, at);
}

void group_etcd_stands(test_group *g, bool still) {
    EXPECT(kill(g->etcd.child.pid, still ? SIGSTOP : SIGCONT) == 0);
}

uint64_t group_etcd_requests(const test_group *g) {
    char command[256], said[64] = "";
    snprintf(command, sizeof command,
             "curl -sf -m 60 %s/metrics | awk '/^grpc_server_started_total/ "
             "&& !/Watch/ { n += $2 } END { printf \"%%d\", n }'",
             g->etcd.url);
    FILE *pipe = popen(command, "re");
    CHECK(pipe != NULL && fgets(said, sizeof said, pipe) != NULL);
    CHECK(pclose(pipe) == 0);
    return strtoull(said, NULL, 10);
}

const char *group_settings(const test_group *g, int at) {
    static char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%c.conf", g->folder, 'a' + at);
    return path;
}

unsigned group_size(const test_group *g) {
    return (unsigned)g->nodes;
}

/* --- what is so ----------------------------------------------------------- */

ids_group_view group_view(test_group *g) {
    return etcd_read(g->client).view;
}

static int primary_of(const ids_group_view *view) {
    return view->revision ? view->group.primary.node.text[0] - 'a' : -1;
}

int group_primary(test_group *g) {
    ids_group_view view = group_view(g);
    return primary_of(&view);
}

static void wait_a_little(void) {
    usleep(20000);
}

int group_await_another(test_group *g, int than) {
    time_t until = time(NULL) + PATIENCE_S;
    for (;;) {
        ids_group_view view = group_view(g);
        int is = primary_of(&view);
        if (is >= 0 && is != than)
            return is;
        EXPECT(time(NULL) < until);
        wait_a_little();
    }
}

bool group_is_whole(test_group *g) {
    ids_group_view view = group_view(g);
    return view.revision && view.group.isr_count == (uint32_t)g->nodes;
}

void group_await_whole(test_group *g) {
    time_t until = time(NULL) + PATIENCE_S;
    while (!group_is_whole(g)) {
        EXPECT(time(NULL) < until);
        wait_a_little();
    }
}

void group_order(test_group *g, int at, const char *order) {
    char command[160];
    snprintf(command, sizeof command,
             "curl -sf -m 60 -o /dev/null -X POST http://127.0.0.1:%u/v1/%s",
             g->node[at].http, order);
    EXPECT(system(command) == 0);
}
