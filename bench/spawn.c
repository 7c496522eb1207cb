/* SPDX-License-Identifier: Apache-2.0 */
/* spawn.c -- see spawn.h. Processes only: what they are told is command.c's,
 * when a pair is ready is pair.c's. */
#include "bench/spawn.h"
#include "bench/command.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_NS      (10 * IDB_NS_PER_S)
#define START_KEPT_NS (300 * IDB_NS_PER_S) /* with much to read */
#define STOP_NS       (5 * IDB_NS_PER_S)
#define STOP_KEPT_NS  (300 * IDB_NS_PER_S) /* with much to write */
#define LOOK_US       2000

void idb_files_allow(void) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

static uint16_t free_port(void) {
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    bool bound = bind(fd, (struct sockaddr *)&at, size) == 0 &&
                 getsockname(fd, (struct sockaddr *)&at, &size) == 0;
    close(fd);
    return bound ? ntohs(at.sin_port) : 0;
}

static void child(const idb_command *c, const idb_cpus *cpus, int yields) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + yields);
    if (cpus->set)
        sched_setaffinity(0, sizeof cpus->cpus, &cpus->cpus);
    idb_files_allow();
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    if (!getenv("IDEMBENCH_SERVER_LOG"))
        dup2(null, 2);
    execvp(c->argv[0], c->argv);
    _exit(127);
}

static const char *await_server(idb_node *node, const char *program, char *why,
                                size_t cap) {
    uint64_t until_ns =
        idb_now_ns() + (node->folder[0] ? START_KEPT_NS : START_NS);
    while (idb_now_ns() < until_ns) {
        int status, fd = idb_connect(&node->at);
        if (fd >= 0) {
            close(fd);
            return NULL;
        }
        if (waitpid(node->at.pid, &status, WNOHANG) == node->at.pid) {
            node->spawned = false;
            snprintf(why, cap,
                     "%s ended at once (status %d); "
                     "IDEMBENCH_SERVER_LOG=1 shows what it says",
                     program, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
            return why;
        }
        usleep(LOOK_US);
    }
    idb_node_end(node, SIGKILL);
    snprintf(why, cap, "%s does not accept connections", program);
    return why;
}

static void node_place(idb_node *node) {
    snprintf(node->at.host, sizeof node->at.host, "127.0.0.1");
    node->at.port = free_port();
}

const char *idb_node_start(idb_server *server, idb_node *node, char *why,
                           size_t cap) {
    const idb_options *options = server->options;
    bool is_replica = node != &server->primary;
    const idb_cpus *cpus =
        is_replica ? &options->replica_cpus : &options->server_cpus;
    idb_command c;
    if (!is_replica || !node->at.port)
        node_place(node);
    if (!idb_command_make(&c, server, node))
        return "the server's arguments are too long";
    node->at.pid = fork();
    if (node->at.pid < 0)
        return "fork failed";
    if (node->at.pid == 0)
        child(&c, cpus, is_replica ? (int)options->replica_nice : 0);
    node->spawned = true;
    return await_server(node, c.argv[0], why, cap);
}

static const char *folder_make(const idb_server *server, idb_node *node,
                               uint32_t number) {
    int len = snprintf(node->folder, sizeof node->folder, "%s/%s-%" PRIu32,
                       server->folder, number ? "replica" : "primary", number);
    return len < 0 || (size_t)len >= sizeof node->folder ||
                   mkdir(node->folder, 0700) != 0
               ? "cannot make a folder in --data-in"
               : NULL;
}

static const char *folders_make(idb_server *server) {
    const char *failed = idb_folder_make(server->options->data_in,
                                         server->folder, sizeof server->folder);
    if (!idb_spec_has_files(server->spec))
        return failed;
    if (!failed)
        failed = folder_make(server, &server->primary, 0);
    for (uint32_t i = 0; i < IDB_REPLICAS_MAX && !failed; i++)
        failed = folder_make(server, &server->replicas[i], i + 1);
    return failed;
}

/* Ours trusts the authority that was made for it alone; one that runs already
 * is met as --tls-... says. */
static const char *tls_begin(idb_server *server, char *why, size_t cap) {
    const idb_options *o = server->options;
    bool is_ours = !server->spec->external.port;
    char ca[IDB_FOLDER_BYTES + 16];
    idp_tls_why said;
    const char *failed = NULL;
    snprintf(ca, sizeof ca, "%s/ca.pem", server->folder);
    if (is_ours) {
        failed = idb_authority_make(server->folder, why, cap);
        if (!failed)
            failed = idb_tls_init(&server->tls, &(idb_tls_files){.ca = ca},
                                  false, &said);
    } else {
        failed = idb_tls_init(&server->tls, &o->tls_files,
                              o->tls_verify != IDP_TLS_VERIFY_NONE, &said);
        server->tls.verify = o->tls_verify;
        server->tls.name = o->tls_name;
    }
    server->primary.at.tls = &server->tls;
    for (int i = 0; i < IDB_REPLICAS_MAX; i++)
        server->replicas[i].at.tls = &server->tls;
    if (failed && failed != why)
        snprintf(why, cap, "%s", failed);
    return failed ? why : NULL;
}

const char *idb_server_start_alone(idb_server *server,
                                   const idb_options *options,
                                   const idb_spec *spec, char *why,
                                   size_t cap) {
    *server = (idb_server){
        .options = options, .spec = spec, .primary.at = spec->external};
    bool is_ours = !spec->external.port;
    const char *failed = NULL;
    if (is_ours && (spec->tls || idb_spec_has_files(spec)))
        failed = folders_make(server);
    if (!failed && spec->tls)
        failed = tls_begin(server, why, cap);
    if (failed || !is_ours)
        return failed;
    for (uint32_t i = 0; i < spec->replicas; i++)
        node_place(&server->replicas[i]);
    return idb_node_start(server, &server->primary, why, cap);
}

const char *idb_server_start(idb_server *server, const idb_options *options,
                             const idb_spec *spec, char *why, size_t cap) {
    const char *failed =
        idb_server_start_alone(server, options, spec, why, cap);
    if (failed || spec->replication <= IDB_REPLICATION_NONE)
        return failed;
    for (uint32_t i = 0; i < spec->replicas && !failed; i++)
        failed = idb_node_start(server, &server->replicas[i], why, cap);
    return failed ? failed : idb_pair_await(server, why, cap);
}

void idb_node_end(idb_node *node, int signal) {
    if (!node->spawned)
        return;
    int status;
    uint64_t until_ns =
        idb_now_ns() + (node->folder[0] ? STOP_KEPT_NS : STOP_NS);
    kill(node->at.pid, signal);
    while (waitpid(node->at.pid, &status, WNOHANG) == 0) {
        if (idb_now_ns() > until_ns)
            kill(node->at.pid, SIGKILL);
        usleep(LOOK_US);
    }
    node->spawned = false;
}

/* What they kept goes with them, so they need not keep it first. */
void idb_server_stop(idb_server *server) {
    int signal = server->primary.folder[0] ? SIGKILL : SIGTERM;
    for (int i = 0; i < IDB_REPLICAS_MAX; i++)
        idb_node_end(&server->replicas[i], signal);
    idb_node_end(&server->primary, signal);
    idb_folder_remove(server->folder);
    idb_tls_fini(&server->tls);
    server->folder[0] = '\0';
}
