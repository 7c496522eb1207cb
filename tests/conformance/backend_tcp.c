/* SPDX-License-Identifier: Apache-2.0 */
/* backend_tcp.c -- the daemon, over TCP, in real time: a process of its own
 * for every story, a connection for every actor. Knows nothing of proto/. */
#include "tests/conformance/backend.h"

#include "tests/e2e/child.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FLAGS_MAX = 24, INBOX_MAX = 64 };

typedef struct line {
    int fd; /* -1: not connected */
    idt_buf in;
    backend_frame inbox[INBOX_MAX]; /* as they came, with the time */
    int inbox_count;
    bool ended;
} line;

typedef struct tcp_backend {
    backend base;
    child daemon;
    char dir[64];
    uint16_t port;
    bool stopped;      /* was told to */
    uint64_t start_ms; /* 0: the story has not begun */
    line lines[ACTORS_MAX];
    char *argv[FLAGS_MAX];
    int argc;
} tcp_backend;

static uint64_t clock_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t tcp_now_ms(backend *b) {
    tcp_backend *t = (tcp_backend *)b;
    if (t->start_ms == 0) {
        t->start_ms = clock_ms();
    }
    return clock_ms() - t->start_ms;
}

/* --- lines -------------------------------------------------------------- */

static void connect_line(tcp_backend *t, line *l) {
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(t->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    *l = (line){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (l->fd < 0 || connect(l->fd, (struct sockaddr *)&to, sizeof to) != 0) {
        perror("connect");
        l->ended = true;
    }
}

static void close_line(line *l) {
    if (l->fd >= 0) {
        close(l->fd);
    }
    for (int i = 0; i < l->inbox_count; i++) {
        idt_buf_free(&l->inbox[i].bytes);
    }
    idt_buf_free(&l->in);
    *l = (line){.fd = -1};
}

/* Moves what is whole to the inbox. What is no reply is a line, whole at the
 * connection's end. */
static void take_frames(line *l, uint64_t now_ms) {
    while (l->in.len > 0 && l->inbox_count < INBOX_MAX) {
        size_t len = 0;
        if (l->in.at[0] == 0x94) {
            len = idt_element_bytes(l->in.at, l->in.len);
        } else if (l->ended) {
            len = l->in.len;
        }
        if (len == 0) {
            return;
        }
        backend_frame *frame = &l->inbox[l->inbox_count++];
        *frame = (backend_frame){.at_ms = now_ms};
        idt_buf_add(&frame->bytes, l->in.at, len);
        idt_buf_drop(&l->in, len);
    }
}

static void take_bytes(tcp_backend *t, line *l) {
    uint8_t bytes[65536];
    ssize_t got = recv(l->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    l->ended = got <= 0;
    if (got > 0) {
        idt_buf_add(&l->in, bytes, (size_t)got);
    }
    take_frames(l, tcp_now_ms(&t->base));
}

/* Reads all lines until then, so that every frame has the time at which it
 * came; with a line to wait for, until there is something on that one. */
static void listen_until(tcp_backend *t, uint64_t until_ms, const line *on) {
    for (;;) {
        struct pollfd ready[ACTORS_MAX];
        for (int i = 0; i < ACTORS_MAX; i++) {
            line *l = &t->lines[i];
            ready[i] = (struct pollfd){l->ended ? -1 : l->fd, POLLIN, 0};
        }
        if (on && (on->inbox_count > 0 || on->ended)) {
            return;
        }
        uint64_t now = tcp_now_ms(&t->base);
        uint64_t left = until_ms > now ? until_ms - now : 0;
        int count = poll(ready, ACTORS_MAX, (int)left);
        for (int i = 0; i < ACTORS_MAX && count > 0; i++) {
            if (ready[i].revents) {
                take_bytes(t, &t->lines[i]);
            }
        }
        if (count <= 0 && left == 0) {
            return;
        }
    }
}

/* --- the backend -------------------------------------------------------- */

static void tcp_wait_until(backend *b, uint64_t at_ms) {
    listen_until((tcp_backend *)b, at_ms, NULL);
}

static void tcp_send(backend *b, int who, const uint8_t *bytes, size_t len) {
    tcp_backend *t = (tcp_backend *)b;
    line *l = &t->lines[who];
    if (l->fd < 0) {
        connect_line(t, l);
    }
    while (len > 0) {
        ssize_t sent = send(l->fd, bytes, len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent <= 0) {
            return; /* closed over there; what it said is still to be read */
        }
        bytes += sent;
        len -= (size_t)sent;
    }
}

static backend_got tcp_receive(backend *b, int who, uint64_t patience_ms,
                               backend_frame *frame) {
    tcp_backend *t = (tcp_backend *)b;
    line *l = &t->lines[who];
    if (l->fd < 0) {
        return GOT_NOTHING;
    }
    listen_until(t, tcp_now_ms(b) + patience_ms, l);
    if (l->inbox_count == 0) {
        return l->ended ? GOT_CLOSE : GOT_NOTHING;
    }
    *frame = l->inbox[0];
    l->inbox_count--;
    memmove(l->inbox, l->inbox + 1, sizeof *frame * (size_t)l->inbox_count);
    return GOT_FRAME;
}

static void tcp_leave(backend *b, int who) {
    close_line(&((tcp_backend *)b)->lines[who]);
}

static void tcp_stop(backend *b) {
    tcp_backend *t = (tcp_backend *)b;
    t->stopped = true;
    kill(t->daemon.pid, SIGTERM);
}

/* Nothing in the daemon's log may be a sanitizer's. */
static bool log_is_clean(const child *daemon) {
    char text[2048];
    bool clean = true;
    FILE *log = fopen(daemon->log_path, "re");
    while (log && fgets(text, sizeof text, log)) {
        clean = clean && !strstr(text, "Sanitizer") &&
                !strstr(text, "runtime error:");
    }
    if (log) {
        fclose(log);
    }
    return clean;
}

static bool tcp_close(backend *b) {
    tcp_backend *t = (tcp_backend *)b;
    char secret[96];
    for (int i = 0; i < ACTORS_MAX; i++) {
        close_line(&t->lines[i]);
    }
    int status = 0;
    bool clean = t->stopped ? child_wait(&t->daemon, &status, 10) && status == 0
                            : !child_ended(&t->daemon, &status);
    child_stop(&t->daemon);
    clean = clean && log_is_clean(&t->daemon);
    if (!clean) {
        child_print_log(&t->daemon);
    }
    unlink(t->daemon.log_path);
    snprintf(secret, sizeof secret, "%s/secret", t->dir);
    unlink(secret);
    rmdir(t->dir);
    for (int i = 0; i < t->argc; i++) {
        free(t->argv[i]);
    }
    free(t);
    return clean;
}

/* --- opening ------------------------------------------------------------ */

static void add_flag(tcp_backend *t, const char *text) {
    assert(t->argc < FLAGS_MAX - 1);
    t->argv[t->argc++] = strdup(text);
}

static void add_number(tcp_backend *t, const char *flag, uint64_t value) {
    char text[32];
    if (value > 0) {
        snprintf(text, sizeof text, "%llu", (unsigned long long)value);
        add_flag(t, flag);
        add_flag(t, text);
    }
}

static void add_secret(tcp_backend *t, const char *secret) {
    char path[96];
    if (!secret) {
        return;
    }
    snprintf(path, sizeof path, "%s/secret", t->dir);
    FILE *file = fopen(path, "we");
    assert(file);
    fprintf(file, "%s\n", secret);
    fclose(file);
    add_flag(t, "--secret-file");
    add_flag(t, path);
}

/* Two loops, so that some of a story's keys lie with the other one. */
static void add_flags(tcp_backend *t, const story *s, const char *daemon) {
    add_flag(t, daemon);
    add_flag(t, "--listen");
    add_flag(t, "127.0.0.1:0");
    add_number(t, "--threads", 2);
    add_number(t, "--max-result", s->result_bytes_max);
    add_number(t, "--max-memory", s->memory_bytes_max);
    add_number(t, "--max-waiters-per-key", s->waiters_per_key_max);
    add_number(t, "--max-waiters", s->waiters_max);
    add_number(t, "--max-pending", s->pending_max);
    add_number(t, "--max-connections", s->connections_max);
    add_secret(t, s->secret);
}

backend *backend_tcp(const story *s, const char *daemon) {
    tcp_backend *t = calloc(1, sizeof *t);
    assert(t);
    t->base = (backend){.real_time = true,
                        .wait_until = tcp_wait_until,
                        .now_ms = tcp_now_ms,
                        .send = tcp_send,
                        .receive = tcp_receive,
                        .leave = tcp_leave,
                        .stop = tcp_stop,
                        .close = tcp_close};
    for (int i = 0; i < ACTORS_MAX; i++) {
        t->lines[i].fd = -1;
    }
    snprintf(t->dir, sizeof t->dir, "/tmp/idem-conformance-XXXXXX");
    if (!mkdtemp(t->dir)) {
        perror(t->dir);
        free(t);
        return NULL;
    }
    add_flags(t, s, daemon);
    if (child_start(&t->daemon, "idemstored", t->dir, t->argv)) {
        t->port = child_port(&t->daemon);
    }
    if (t->port == 0) {
        child_print_log(&t->daemon);
        tcp_close(&t->base);
        return NULL;
    }
    return &t->base;
}
