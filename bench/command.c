/* SPDX-License-Identifier: Apache-2.0 */
/* command.c -- see command.h. Pure text; nothing is started here. */
#include "bench/command.h"

#include <limits.h>
#include <unistd.h>

static void add_word(idb_command *c, const char *arg) {
    size_t len = strlen(arg) + 1;
    if (c->count == IDB_COMMAND_ARGS_MAX || c->used + len > sizeof c->text) {
        c->is_full = true;
        return;
    }
    memcpy(c->text + c->used, arg, len);
    c->argv[c->count++] = c->text + c->used;
    c->used += len;
}

static void add_all(idb_command *c, const char *const *args) {
    for (; *args; args++)
        add_word(c, *args);
}

/* Splits at blanks; no quoting. */
static void add_words(idb_command *c, const char *words) {
    while (*words) {
        char word[1024];
        size_t len = strcspn(words, " ");
        c->is_full |= len >= sizeof word;
        if (len > 0 && len < sizeof word) {
            memcpy(word, words, len);
            word[len] = '\0';
            add_word(c, word);
        }
        words += len + (words[len] == ' ');
    }
}

static void own_path(char *to, size_t cap) {
    ssize_t len = readlink("/proc/self/exe", to, cap - 1);
    to[len > 0 ? len : 0] = '\0';
}

void idb_server_path(const idb_options *options, char *to, size_t cap) {
    if (options->idemstored) {
        snprintf(to, cap, "%s", options->idemstored);
        return;
    }
    own_path(to, cap);
    char *slash = strrchr(to, '/');
    size_t at = slash ? (size_t)(slash + 1 - to) : 0;
    snprintf(to + at, cap - at, "idemstored");
}

/* The files of authority.c, under the server's own names for them. ca: NULL
 * where clients are not to be asked for theirs. */
static void add_tls(idb_command *c, const idb_server *server, const char *cert,
                    const char *key, const char *ca) {
    char path[IDB_FOLDER_BYTES + 16];
    const struct {
        const char *flag, *file;
    } files[] = {{cert, "server.pem"}, {key, "server.key"}, {ca, "ca.pem"}};
    for (size_t i = 0; i < sizeof files / sizeof *files && files[i].flag; i++) {
        snprintf(path, sizeof path, "%s/%s", server->folder, files[i].file);
        add_all(c, (const char *const[]){files[i].flag, path, NULL});
    }
}

static void add_node(idb_command *c, const char *flag, const idb_node *node) {
    char at[80];
    snprintf(at, sizeof at, "%s:%u", node->at.host, node->at.port);
    add_all(c, (const char *const[]){flag, at, NULL});
}

static void add_idem_keeping(idb_command *c, const idb_server *server,
                             const idb_node *node) {
    const idb_spec *spec = server->spec;
    char path[IDB_FOLDER_BYTES + 16];
    bool is_replica = node != &server->primary;
    if (spec->fsync > IDB_FSYNC_OFF)
        add_all(c, (const char *const[]){"--data-dir", node->folder, "--fsync",
                                         idb_fsync_name(spec->fsync), NULL});
    if (spec->replication <= IDB_REPLICATION_NONE)
        return;
    snprintf(path, sizeof path, "%s.peer", node->folder);
    add_all(c, (const char *const[]){"--peer-state", path, "--replication",
                                     idb_replication_name(spec->replication),
                                     "--peer-insecure", NULL});
    if (is_replica)
        add_node(c, "--replicate-from", &server->primary);
    /* Each that it names has a place. */
    for (uint32_t i = 0;
         !is_replica && spec->replicas > 1 && i < spec->replicas; i++)
        add_node(c, "--peer", &server->replicas[i]);
}

static void add_idem(idb_command *c, const idb_server *server,
                     const idb_node *node) {
    const idb_options *options = server->options;
    const idb_spec *spec = server->spec;
    char path[PATH_MAX], threads[16], clients[16], listen_at[80], free_at[80];
    bool is_replica = node != &server->primary;
    if (spec->before)
        snprintf(path, sizeof path, "%s", options->before);
    else
        idb_server_path(options, path, sizeof path);
    snprintf(threads, sizeof threads, "%u",
             is_replica && spec->replica_threads ? spec->replica_threads
                                                 : spec->threads);
    snprintf(clients, sizeof clients, "%u", options->connections + 100);
    snprintf(listen_at, sizeof listen_at, "%s:%u", node->at.host,
             node->at.port);
    snprintf(free_at, sizeof free_at, "%s:0", node->at.host);
    add_all(c, (const char *const[]){
                   path, "--listen", spec->http ? free_at : listen_at,
                   "--threads", threads, "--max-connections", clients, NULL});
    if (spec->http)
        add_all(c, (const char *const[]){"--http", listen_at, NULL});
    add_idem_keeping(c, server, node);
    bool has_link = spec->tls && spec->replication > IDB_REPLICATION_NONE;
    if (spec->tls)
        add_tls(c, server, "--tls-cert", "--tls-key",
                has_link ? "--peer-ca" : NULL);
    if (has_link)
        add_all(c, (const char *const[]){"--peer-tls", "on", NULL});
}

/* Its log is not rewritten meanwhile, and a replica is never given up. */
static void add_redis(idb_command *c, const idb_server *server,
                      const idb_node *node) {
    const idb_spec *spec = server->spec;
    char number[16], threads[16], clients[16];
    bool has_log = spec->fsync > IDB_FSYNC_OFF && spec->fsync < IDB_FSYNC_RDB;
    snprintf(number, sizeof number, "%u", node->at.port);
    snprintf(threads, sizeof threads, "%u", spec->threads);
    snprintf(clients, sizeof clients, "%u", server->options->connections + 100);
    if (spec->tls) {
        add_all(c, (const char *const[]){"redis-server", "--port", "0",
                                         "--tls-port", number,
                                         "--tls-auth-clients", "no",
                                         "--tls-replication", "yes", NULL});
        add_tls(c, server, "--tls-cert-file", "--tls-key-file",
                "--tls-ca-cert-file");
    } else {
        add_all(c,
                (const char *const[]){"redis-server", "--port", number, NULL});
    }
    add_all(c, (const char *const[]){"--bind", node->at.host, "--save",
                                     spec->fsync == IDB_FSYNC_RDB ? "1 1" : "",
                                     "--appendonly", has_log ? "yes" : "no",
                                     "--maxclients", clients, "--io-threads",
                                     threads, NULL});
    if (has_log)
        add_all(c, (const char *const[]){
                       "--appendfsync", idb_fsync_name(spec->fsync),
                       "--auto-aof-rewrite-percentage", "0", NULL});
    if (node->folder[0])
        add_all(c, (const char *const[]){"--dir", node->folder, NULL});
    if (spec->replication > IDB_REPLICATION_NONE)
        add_all(c, (const char *const[]){"--repl-diskless-sync-delay", "0",
                                         "--client-output-buffer-limit",
                                         "replica 0 0 0", NULL});
    if (node != &server->primary) {
        snprintf(number, sizeof number, "%u", server->primary.at.port);
        add_all(c, (const char *const[]){"--replicaof", server->primary.at.host,
                                         number, NULL});
    }
}

static void add_memcached(idb_command *c, const idb_server *server,
                          const idb_node *node) {
    char number[16], threads[16], clients[16];
    snprintf(number, sizeof number, "%u", node->at.port);
    snprintf(threads, sizeof threads, "%u", server->spec->threads);
    snprintf(clients, sizeof clients, "%u", server->options->connections + 100);
    add_all(c,
            (const char *const[]){"memcached", "-p", number, "-l",
                                  node->at.host, "-U", "0", "-t", threads, "-m",
                                  "16384", "-R", "200", "-c", clients, NULL});
    if (geteuid() == 0)
        add_all(c, (const char *const[]){"-u", "root", NULL});
}

static void add_echo(idb_command *c, const idb_node *node) {
    char path[PATH_MAX], number[16];
    own_path(path, sizeof path);
    snprintf(number, sizeof number, "%u", node->at.port);
    add_all(
        c, (const char *const[]){path, "--serve-echo", "--port", number, NULL});
}

bool idb_command_make(idb_command *c, const idb_server *server,
                      const idb_node *node) {
    const idb_spec *spec = server->spec;
    const char *name = spec->target->name;
    *c = (idb_command){0};
    if (!strcmp(name, "idem"))
        add_idem(c, server, node);
    else if (!strncmp(name, "redis", 5))
        add_redis(c, server, node);
    else if (!strcmp(name, "memcached"))
        add_memcached(c, server, node);
    else
        add_echo(c, node);
    for (uint32_t i = 0; i < spec->args_count; i++)
        add_words(c, spec->args[i]);
    return !c->is_full;
}
