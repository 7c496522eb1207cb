/* spawn.c -- see spawn.h. */
#include "bench/spawn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS_MAX 48
#define START_NS (10 * IDB_NS_PER_S)
#define STOP_NS  (5 * IDB_NS_PER_S)

typedef struct command {
    char *argv[ARGS_MAX + 1];
    int count;
    char text[4096]; /* what argv points into */
    size_t used;
} command;

static void add(command *c, const char *arg) {
    size_t len = strlen(arg) + 1;
    if (c->count == ARGS_MAX || c->used + len > sizeof c->text)
        return;
    memcpy(c->text + c->used, arg, len);
    c->argv[c->count++] = c->text + c->used;
    c->used += len;
}

static void add_all(command *c, const char *const *args) {
    for (; *args; args++)
        add(c, *args);
}

/* Splits at blanks; no quoting. */
static void add_words(command *c, const char *words) {
    while (words && *words) {
        char word[256];
        size_t len = strcspn(words, " ");
        if (len > 0 && len < sizeof word) {
            memcpy(word, words, len);
            word[len] = '\0';
            add(c, word);
        }
        words += len + (words[len] == ' ');
    }
}

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

void idb_server_path(const idb_options *options, char *to, size_t cap) {
    if (options->idemstored) {
        snprintf(to, cap, "%s", options->idemstored);
        return;
    }
    ssize_t len = readlink("/proc/self/exe", to, cap - 1);
    to[len > 0 ? len : 0] = '\0';
    char *slash = strrchr(to, '/');
    size_t at = slash ? (size_t)(slash + 1 - to) : 0;
    snprintf(to + at, cap - at, "idemstored");
}

static void command_make(command *c, const idb_options *options,
                         const idb_spec *spec, uint16_t port) {
    char number[16], threads[16], clients[16], path[PATH_MAX], listen_at[32];
    snprintf(number, sizeof number, "%u", port);
    snprintf(threads, sizeof threads, "%u", spec->threads);
    snprintf(clients, sizeof clients, "%u", options->connections + 100);
    snprintf(listen_at, sizeof listen_at, "127.0.0.1:%u", port);
    const char *name = spec->target->name;
    if (!strcmp(name, "idem")) {
        idb_server_path(options, path, sizeof path);
        add(c, path);
        add_all(c, (const char *const[]){"--listen", listen_at, "--threads",
                                         threads, "--max-connections", clients,
                                         NULL});
    } else if (!strncmp(name, "redis", 5)) {
        add_all(c, (const char *const[]){
                       "redis-server", "--port", number, "--bind", "127.0.0.1",
                       "--save", "", "--appendonly", "no", "--maxclients",
                       clients, "--io-threads", threads, NULL});
    } else if (!strcmp(name, "memcached")) {
        add_all(c, (const char *const[]){"memcached", "-p", number, "-l",
                                         "127.0.0.1", "-U", "0", "-t", threads,
                                         "-m", "16384", "-R", "200", "-c",
                                         clients, NULL});
        if (geteuid() == 0)
            add_all(c, (const char *const[]){"-u", "root", NULL});
    } else {
        ssize_t len = readlink("/proc/self/exe", path, sizeof path - 1);
        path[len > 0 ? len : 0] = '\0';
        add(c, path);
        add_all(c,
                (const char *const[]){"--serve-echo", "--port", number, NULL});
    }
    add_words(c, spec->args);
}

static void child(const command *c, const idb_options *options) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (options->server_cpus.set)
        sched_setaffinity(0, sizeof options->server_cpus.cpus,
                          &options->server_cpus.cpus);
    idb_files_allow();
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    if (!getenv("IDEMBENCH_SERVER_LOG"))
        dup2(null, 2);
    execvp(c->argv[0], c->argv);
    _exit(127);
}

static const char *await(idb_server *server, const command *c, char *why,
                         size_t cap) {
    uint64_t until_ns = idb_now_ns() + START_NS;
    while (idb_now_ns() < until_ns) {
        int status, fd = idb_connect(&server->at);
        if (fd >= 0) {
            close(fd);
            return NULL;
        }
        if (waitpid(server->at.pid, &status, WNOHANG) == server->at.pid) {
            server->spawned = false;
            snprintf(why, cap,
                     "%s ended at once (status %d); "
                     "IDEMBENCH_SERVER_LOG=1 shows what it says",
                     c->argv[0], WIFEXITED(status) ? WEXITSTATUS(status) : -1);
            return why;
        }
        usleep(5000);
    }
    idb_server_stop(server);
    snprintf(why, cap, "%s does not accept connections", c->argv[0]);
    return why;
}

const char *idb_server_start(idb_server *server, const idb_options *options,
                             const idb_spec *spec, char *why, size_t cap) {
    *server = (idb_server){.at = spec->external};
    if (spec->external.port)
        return NULL;
    command c = {0};
    snprintf(server->at.host, sizeof server->at.host, "127.0.0.1");
    server->at.port = free_port();
    command_make(&c, options, spec, server->at.port);
    server->at.pid = fork();
    if (server->at.pid < 0)
        return "fork failed";
    if (server->at.pid == 0)
        child(&c, options);
    server->spawned = true;
    return await(server, &c, why, cap);
}

void idb_server_stop(idb_server *server) {
    if (!server->spawned)
        return;
    int status;
    uint64_t until_ns = idb_now_ns() + STOP_NS;
    kill(server->at.pid, SIGTERM);
    while (waitpid(server->at.pid, &status, WNOHANG) == 0) {
        if (idb_now_ns() > until_ns)
            kill(server->at.pid, SIGKILL);
        usleep(2000);
    }
    server->spawned = false;
}
