/* SPDX-License-Identifier: Apache-2.0 */
/* scripted.c -- listeners, connections, and what is answered by itself. See
 * scripted.h. */
#include "tests/conformance/scripted_inner.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { IN_BYTES_MAX = 4 << 20, BACKLOG = 64 };

uint64_t scripted_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

scripted *scripted_new(void) {
    scripted *net = calloc(1, sizeof *net);
    assert(net);
    for (int i = 0; i < SCRIPTED_CONNS_MAX; i++) {
        net->conns[i].link.fd = -1;
    }
    return net;
}

/* --- servers ------------------------------------------------------------ */

/* An address of this process' own, so that a port that is refused for a while
 * is taken by nobody else. */
static void own_address(scripted_server *server) {
    struct sockaddr_in *v4 = &server->at.at.v4;
    uint32_t pid = (uint32_t)getpid() & 0x3fffffu;
    if (server->ipv6) {
        server->at.len = sizeof server->at.at.v6;
        server->at.at.v6.sin6_family = AF_INET6;
        server->at.at.v6.sin6_addr = in6addr_loopback;
        return;
    }
    server->at.len = sizeof *v4;
    v4->sin_family = AF_INET;
    v4->sin_addr.s_addr = htonl(0x7f800000u | pid | ((pid & 0xff) == 0));
}

static void name_address(scripted_server *server) {
    char ip[INET6_ADDRSTRLEN];
    const server_address *at = &server->at;
    const void *from = server->ipv6 ? (const void *)&at->at.v6.sin6_addr
                                    : (const void *)&at->at.v4.sin_addr;
    inet_ntop(at->at.any.sa_family, from, ip, sizeof ip);
    snprintf(server->address, sizeof server->address,
             server->ipv6 ? "[%s]:%u" : "%s:%u", ip, ntohs(at->at.v4.sin_port));
}

bool scripted_start(scripted_server *server) {
    server_address *at = &server->at;
    int on = 1;
    socklen_t len = at->len;
    int fd = socket(at->at.any.sa_family,
                    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return false;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, &at->at.any, at->len) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, &at->at.any, &len) != 0) {
        close(fd);
        return false;
    }
    server->fd = fd;
    name_address(server);
    return true;
}

scripted_server *scripted_add(scripted *net, char name, bool ipv6) {
    assert(net->server_count < SCRIPTED_SERVERS_MAX);
    scripted_server *server = &net->servers[net->server_count];
    *server = (scripted_server){.name = name,
                                .fd = -1,
                                .ipv6 = ipv6,
                                .epoch = 1000,
                                .pending_max = 1024,
                                .result_bytes_max = 1 << 20,
                                .role = "primary"};
    own_address(server);
    if (!scripted_start(server)) {
        return NULL;
    }
    net->server_count++;
    return server;
}

scripted_server *scripted_find(scripted *net, char name) {
    for (int i = 0; i < net->server_count; i++) {
        if (net->servers[i].name == name) {
            return &net->servers[i];
        }
    }
    return NULL;
}

/* --- connections -------------------------------------------------------- */

static void end_conn(scripted *net, scripted_conn *conn) {
    int index = (int)(conn - net->conns);
    for (int i = 0; i < net->call_count; i++) {
        if (net->calls[i].conn == index) {
            net->calls[i].over = true;
        }
    }
    conf_link_close(&conn->link);
    idt_buf_free(&conn->in);
    *conn = (scripted_conn){.link.fd = -1};
}

void scripted_close_all(scripted *net, const scripted_server *server) {
    for (int i = 0; i < SCRIPTED_CONNS_MAX; i++) {
        scripted_conn *conn = &net->conns[i];
        if (conn->link.fd >= 0 && &net->servers[conn->server] == server) {
            end_conn(net, conn);
        }
    }
}

void scripted_cut_all(scripted *net, const scripted_server *server) {
    for (int i = 0; i < SCRIPTED_CONNS_MAX; i++) {
        scripted_conn *conn = &net->conns[i];
        conn->cut |=
            conn->link.fd >= 0 && &net->servers[conn->server] == server;
    }
}

void scripted_stop(scripted *net, scripted_server *server) {
    if (server->fd >= 0) {
        close(server->fd);
    }
    server->fd = -1;
    scripted_close_all(net, server);
}

void scripted_free(scripted *net) {
    for (int i = 0; i < net->server_count; i++) {
        scripted_stop(net, &net->servers[i]);
        idt_buf_free(&net->servers[i].always);
    }
    for (int i = 0; i < net->call_count; i++) {
        idt_buf_free(&net->calls[i].frame);
    }
    free(net);
}

static void take_conn(scripted *net, scripted_server *server) {
    int on = 1;
    int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) {
        return;
    }
    scripted_conn *conn = net->conns;
    while (conn < net->conns + SCRIPTED_CONNS_MAX && conn->link.fd >= 0) {
        conn++;
    }
    server->connects++;
    if (conn == net->conns + SCRIPTED_CONNS_MAX) {
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    *conn = (scripted_conn){.server = (int)(server - net->servers),
                            .number = ++net->conns_ever,
                            .admitted = server->secret[0] == 0};
    conf_link_accept(&conn->link, fd);
}

/* --- calls -------------------------------------------------------------- */

static bool same_bytes(const idt_item *a, const idt_item *b) {
    return a->kind != IDT_NIL && b->kind != IDT_NIL && a->len == b->len &&
           memcmp(a->bytes, b->bytes, a->len) == 0;
}

static bool is_live(const scripted *net, const scripted_call *call) {
    const scripted_conn *conn = &net->conns[call->conn];
    if (call->over || conn->link.fd < 0 || conn->cut ||
        net->servers[call->server].silent) {
        return false;
    }
    return conf_link_is_open(&conn->link);
}

/* What no client may do, whatever the script: the same acquire twice at a
 * time, and a nonce for another key. */
static void watch_nonce(scripted *net, const scripted_call *call) {
    idt_item nonce, key, other_nonce, other_key;
    if (strcmp(call->method, "acquire") != 0 ||
        !scripted_field(call, "nonce", &nonce) ||
        !scripted_field(call, "key", &key)) {
        return;
    }
    for (const scripted_call *other = net->calls; other < call; other++) {
        if (strcmp(other->method, "acquire") != 0 ||
            !scripted_field(other, "nonce", &other_nonce) ||
            !scripted_field(other, "key", &other_key) ||
            !same_bytes(&nonce, &other_nonce)) {
            continue;
        }
        if (!same_bytes(&key, &other_key)) {
            snprintf(net->wrong, sizeof net->wrong,
                     "a nonce was used for two keys: a new call draws a new "
                     "one");
        } else if (is_live(net, other)) {
            snprintf(net->wrong, sizeof net->wrong,
                     "the same acquire was sent again while its first "
                     "request was still under way on a connection that "
                     "works");
        }
    }
}

static void keep_call(scripted *net, scripted_conn *conn, uint32_t msgid,
                      const idt_item *method, size_t frame_len) {
    scripted_server *server = &net->servers[conn->server];
    server->calls++;
    if (server->always.len > 0 &&
        (!server->always_method[0] ||
         idt_item_is(method, server->always_method))) {
        scripted_reply(net, conn, msgid, &server->always);
        return;
    }
    if (net->call_count == SCRIPTED_CALLS_MAX) {
        return; /* counted, that is all */
    }
    scripted_call *call = &net->calls[net->call_count++];
    *call = (scripted_call){.server = conn->server,
                            .conn = (int)(conn - net->conns),
                            .conn_number = conn->number,
                            .msgid = msgid,
                            .at_ms = scripted_now_ms()};
    snprintf(call->method, sizeof call->method, "%.*s", (int)method->len,
             method->bytes);
    idt_buf_add(&call->frame, conn->in.at, frame_len);
    watch_nonce(net, call);
}

static bool take_frame(scripted *net, scripted_conn *conn, size_t len) {
    idt_cursor at = {conn->in.at, conn->in.at + len};
    idt_item frame, type, msgid, method;
    scripted_server *server = &net->servers[conn->server];
    if (!idt_unpack(&at, &frame) || frame.kind != IDT_ARRAY ||
        frame.count != 4 || !idt_unpack(&at, &type) || type.number != 0 ||
        !idt_unpack(&at, &msgid) || msgid.kind != IDT_UINT ||
        !idt_unpack(&at, &method) || method.kind != IDT_STR) {
        snprintf(net->wrong, sizeof net->wrong,
                 "what came is no request [0, msgid, method, params]");
        return false;
    }
    if (server->silent || conn->cut) {
        return true;
    }
    if (idt_item_is(&method, "hello")) {
        scripted_hello(net, conn, (uint32_t)msgid.number, at);
    } else if (!conn->admitted) {
        scripted_deny(net, conn, (uint32_t)msgid.number,
                      "DENIED a secret is needed");
    } else if (idt_item_is(&method, "ping")) {
        scripted_pong(net, conn, (uint32_t)msgid.number);
    } else if (server->always_closes) {
        server->calls++;
        return false;
    } else {
        keep_call(net, conn, (uint32_t)msgid.number, &method, len);
    }
    return true;
}

static void take_bytes(scripted *net, scripted_conn *conn) {
    uint8_t bytes[65536];
    bool hears = !conn->cut && !net->servers[conn->server].silent;
    ssize_t got = hears ? conf_link_recv(&conn->link, bytes, sizeof bytes)
                        : conf_link_ignore(&conn->link);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0 || conn->in.len > IN_BYTES_MAX) {
        end_conn(net, conn);
        return;
    }
    if (!hears) {
        return;
    }
    idt_buf_add(&conn->in, bytes, (size_t)got);
    for (size_t len;
         conn->link.fd >= 0 &&
         (len = idt_element_bytes(conn->in.at, conn->in.len)) > 0;) {
        if (take_frame(net, conn, len)) {
            idt_buf_drop(&conn->in, len);
        } else {
            end_conn(net, conn);
        }
    }
}

void scripted_turn(scripted *net, int other_fd, int wait_ms) {
    struct pollfd ready[SCRIPTED_CONNS_MAX + SCRIPTED_SERVERS_MAX + 1];
    int servers = net->server_count;
    for (int i = 0; i < SCRIPTED_CONNS_MAX; i++) {
        ready[i] = (struct pollfd){net->conns[i].link.fd, POLLIN, 0};
    }
    struct pollfd *behind = ready + SCRIPTED_CONNS_MAX;
    for (int i = 0; i < servers; i++) {
        behind[i] = (struct pollfd){net->servers[i].fd, POLLIN, 0};
    }
    behind[servers] = (struct pollfd){other_fd, POLLIN, 0};
    poll(ready, SCRIPTED_CONNS_MAX + (nfds_t)servers + 1, wait_ms);
    for (int i = 0; i < SCRIPTED_CONNS_MAX; i++) {
        if (ready[i].revents && net->conns[i].link.fd == ready[i].fd) {
            take_bytes(net, &net->conns[i]);
        }
    }
    for (int i = 0; i < servers; i++) {
        if (behind[i].revents && net->servers[i].fd == behind[i].fd) {
            take_conn(net, &net->servers[i]);
        }
    }
}
