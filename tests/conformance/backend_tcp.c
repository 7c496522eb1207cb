/* SPDX-License-Identifier: Apache-2.0 */
/* backend_tcp.c -- a server, over its port, in real time: a connection for
 * every actor. The server is a process of its own for the story, or one that
 * runs: then the story's namespaces are its own. Knows nothing of proto/. */
#include "tests/conformance/backend.h"

#include "tests/conformance/link.h"
#include "tests/conformance/server.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { INBOX_MAX = 64, HELLO_MS = 10000 };

typedef struct line {
    conf_link link; /* its fd is -1: not connected */
    idt_buf in;
    backend_frame inbox[INBOX_MAX]; /* as they came, with the time */
    int inbox_count;
    bool ended;
} line;

typedef struct tcp_backend {
    backend base;
    server_address to;
    server_own *own;        /* NULL: it runs already */
    char ns[SERVER_NS_MAX]; /* in front of every namespace; "": nothing */
    const char *secret;     /* shown by every connection first; NULL: none */
    uint64_t start_ms;      /* 0: the story has not begun */
    line lines[ACTORS_MAX];
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
    int fd = server_connect(&t->to);
    *l = (line){.link.fd = -1};
    if (fd < 0) {
        perror("connect");
    }
    l->ended = fd < 0 || !conf_link_connect(&l->link, fd);
}

static void close_line(line *l) {
    conf_link_close(&l->link);
    for (int i = 0; i < l->inbox_count; i++) {
        idt_buf_free(&l->inbox[i].bytes);
    }
    idt_buf_free(&l->in);
    *l = (line){.link.fd = -1};
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
    ssize_t got = conf_link_recv(&l->link, bytes, sizeof bytes);
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
            ready[i] = (struct pollfd){l->ended ? -1 : l->link.fd, POLLIN, 0};
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

/* Where it is closed over there, what it said is still to be read. */
static void send_all(line *l, const uint8_t *bytes, size_t len) {
    conf_link_send(&l->link, bytes, len, false);
}

/* Shows the secret, and keeps its answer from the story. */
static void say_hello(tcp_backend *t, line *l) {
    idt_buf hello = {0};
    server_pack_hello(&hello, t->secret);
    send_all(l, hello.at, hello.len);
    idt_buf_free(&hello);
    listen_until(t, tcp_now_ms(&t->base) + HELLO_MS, l);
    if (l->inbox_count > 0) {
        idt_buf_free(&l->inbox[0].bytes);
        l->inbox_count = 0;
    }
}

static void tcp_send(backend *b, int who, const uint8_t *bytes, size_t len) {
    tcp_backend *t = (tcp_backend *)b;
    line *l = &t->lines[who];
    if (l->link.fd < 0) {
        connect_line(t, l);
        if (t->secret && l->link.fd >= 0) {
            say_hello(t, l);
        }
    }
    if (l->link.fd < 0) {
        return;
    }
    idt_buf own = {0};
    if (t->ns[0] && server_rename(t->ns, bytes, len, &own)) {
        send_all(l, own.at, own.len);
    } else {
        send_all(l, bytes, len);
    }
    idt_buf_free(&own);
}

static backend_got tcp_receive(backend *b, int who, uint64_t patience_ms,
                               backend_frame *frame) {
    tcp_backend *t = (tcp_backend *)b;
    line *l = &t->lines[who];
    if (l->link.fd < 0) {
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
    server_own_tell_stop(((tcp_backend *)b)->own);
}

static bool tcp_close(backend *b) {
    tcp_backend *t = (tcp_backend *)b;
    for (int i = 0; i < ACTORS_MAX; i++) {
        close_line(&t->lines[i]);
    }
    bool clean = !t->own || server_own_end(t->own);
    free(t);
    return clean;
}

backend *backend_tcp(const story *s, const conf_server *which, char *say,
                     size_t say_cap) {
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
        t->lines[i].link.fd = -1;
    }
    if (which->start) {
        t->own = server_own_start(which->start, s, &t->to, say, say_cap);
        if (!t->own) {
            free(t);
            return NULL;
        }
        return &t->base;
    }
    t->to = which->address;
    t->secret = which->secret[0] ? which->secret : NULL;
    server_own_namespace(which, s, t->ns);
    return &t->base;
}
