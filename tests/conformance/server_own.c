/* SPDX-License-Identifier: Apache-2.0 */
/* server_own.c -- a server of a story's own: started by the user's command,
 * on an address of the loopback net that nobody else has. See server.h. */
#include "tests/conformance/server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    WORDS_MAX = 32,
    STEP_MS = 10,
    START_STEPS = 3000, /* 30 s */
    STOP_STEPS = 2000,
    PROBE_MS = 5000
};

struct server_own {
    pid_t pid;
    bool told_to_stop;
    char dir[64];
    char log[96];
    char secret[96];
    char *words[WORDS_MAX];
    int count;
};

static void pause_step(void) {
    nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000L}, NULL);
}

/* --- its command line --------------------------------------------------- */

static void add_word(server_own *own, const char *text) {
    assert(own->count < WORDS_MAX - 1);
    own->words[own->count] = strdup(text);
    assert(own->words[own->count]);
    own->count++;
}

static void add_number(server_own *own, const char *flag, uint64_t value) {
    char text[32];
    if (value > 0) {
        snprintf(text, sizeof text, "%llu", (unsigned long long)value);
        add_word(own, flag);
        add_word(own, text);
    }
}

static void add_secret(server_own *own, const char *secret) {
    FILE *file = secret ? fopen(own->secret, "we") : NULL;
    if (file) {
        fprintf(file, "%s\n", secret);
        fclose(file);
        add_word(own, "--secret-file");
        add_word(own, own->secret);
    }
}

/* Two threads, so that some of a story's keys lie with the other one. */
static void add_words(server_own *own, const char *command, const story *s,
                      const char *listen) {
    char line[4096];
    snprintf(line, sizeof line, "exec %s \"$@\"", command);
    add_word(own, "sh");
    add_word(own, "-c");
    add_word(own, line);
    add_word(own, "idemconform");
    add_word(own, "--listen");
    add_word(own, listen);
    add_number(own, "--threads", 2);
    add_number(own, "--max-result", s->result_bytes_max);
    add_number(own, "--max-memory", s->memory_bytes_max);
    add_number(own, "--max-waiters-per-key", s->waiters_per_key_max);
    add_number(own, "--max-waiters", s->waiters_max);
    add_number(own, "--max-pending", s->pending_max);
    add_number(own, "--max-connections", s->connections_max);
    add_secret(own, s->secret);
}

/* 127.x.y.z by this process, and a free port there: with an address of its
 * own nobody takes the port before the server has it. */
static bool pick_address(server_address *to, char text[32]) {
    uint32_t pid = (uint32_t)getpid();
    uint32_t host = 0x7f400000u | (pid & 0x3fffffu);
    *to = (server_address){.len = sizeof to->at.v4};
    to->at.v4.sin_family = AF_INET;
    to->at.v4.sin_addr.s_addr = htonl(host | ((pid & 0xff) == 0));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t len = sizeof to->at.v4;
    bool good = fd >= 0 && bind(fd, &to->at.any, to->len) == 0 &&
                getsockname(fd, &to->at.any, &len) == 0;
    if (fd >= 0) {
        close(fd);
    }
    char ip[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &to->at.v4.sin_addr, ip, sizeof ip);
    snprintf(text, 32, "%s:%u", ip, ntohs(to->at.v4.sin_port));
    return good;
}

/* --- its life ----------------------------------------------------------- */

static _Noreturn void become(const server_own *own, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int log = open(own->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    int nothing = open("/dev/null", O_RDONLY);
    if (getppid() != parent || log < 0 || nothing < 0) {
        _exit(127);
    }
    signal(SIGPIPE, SIG_DFL);
    dup2(nothing, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    execvp(own->words[0], own->words);
    _exit(127);
}

static bool has_ended(const server_own *own) {
    siginfo_t info = {.si_pid = 0};
    return waitid(P_PID, (id_t)own->pid, &info, WEXITED | WNOHANG | WNOWAIT) !=
               0 ||
           info.si_pid != 0;
}

/* Takes connections, and has forgotten this one again: a story may allow but
 * one. */
static bool probe(const server_address *to) {
    char byte;
    int fd = server_connect(to);
    if (fd < 0) {
        return false;
    }
    shutdown(fd, SHUT_WR);
    struct pollfd ready = {fd, POLLIN, 0};
    while (poll(&ready, 1, PROBE_MS) > 0 && read(fd, &byte, 1) > 0) {
    }
    close(fd);
    return true;
}

static bool await_start(const server_own *own, const server_address *to) {
    for (int i = 0; i < START_STEPS && !has_ended(own); i++) {
        if (probe(to)) {
            return true;
        }
        pause_step();
    }
    return false;
}

static void free_own(server_own *own) {
    unlink(own->log);
    unlink(own->secret);
    rmdir(own->dir);
    for (int i = 0; i < own->count; i++) {
        free(own->words[i]);
    }
    free(own);
}

static void say_log(const server_own *own, char *say, size_t cap) {
    size_t len = (size_t)snprintf(say, cap, "the server does not start:\n");
    FILE *log = fopen(own->log, "re");
    if (log) {
        len += fread(say + len, 1, cap - len - 1, log);
        say[len] = 0;
        fclose(log);
    }
}

server_own *server_own_start(const char *command, const story *of,
                             server_address *to, char *say, size_t say_cap) {
    char listen[32];
    server_own *own = calloc(1, sizeof *own);
    assert(own);
    snprintf(own->dir, sizeof own->dir, "/tmp/idemconform-XXXXXX");
    if (!mkdtemp(own->dir) || !pick_address(to, listen)) {
        snprintf(say, say_cap, "no folder, or no port, for the server\n");
        free(own);
        return NULL;
    }
    snprintf(own->log, sizeof own->log, "%s/log", own->dir);
    snprintf(own->secret, sizeof own->secret, "%s/secret", own->dir);
    add_words(own, command, of, listen);
    pid_t parent = getpid();
    fflush(NULL);
    own->pid = fork();
    if (own->pid == 0) {
        become(own, parent);
    }
    if (own->pid < 0 || !await_start(own, to)) {
        say_log(own, say, say_cap);
        server_own_end(own);
        return NULL;
    }
    return own;
}

void server_own_tell_stop(server_own *own) {
    own->told_to_stop = true;
    kill(own->pid, SIGTERM);
}

/* Nothing in its log may be a sanitizer's. What it said goes to stderr. */
static bool log_is_clean(const server_own *own) {
    char text[2048];
    bool clean = true;
    FILE *log = fopen(own->log, "re");
    while (log && fgets(text, sizeof text, log)) {
        clean = clean && !strstr(text, "Sanitizer") &&
                !strstr(text, "runtime error:");
        if (!clean) {
            fputs(text, stderr);
        }
    }
    if (log) {
        fclose(log);
    }
    return clean;
}

bool server_own_end(server_own *own) {
    int status = 0;
    bool good = own->told_to_stop || (own->pid > 0 && !has_ended(own));
    for (int i = 0; own->told_to_stop && i < STOP_STEPS && !has_ended(own);
         i++) {
        pause_step();
    }
    if (own->pid > 0) {
        good = good && (!own->told_to_stop || has_ended(own));
        kill(own->pid, SIGKILL);
        waitpid(own->pid, &status, 0);
        good = good && (!own->told_to_stop || status == 0);
    }
    good = log_is_clean(own) && good;
    free_own(own);
    return good;
}
