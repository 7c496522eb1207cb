/* SPDX-License-Identifier: Apache-2.0 */
/* socket.c -- a connection's socket: watched, read, written, closed. */
#include "server/net/socket.h"

#include "server/base/log.h"
#include "server/line/dispatch.h"
#include "server/line/reader.h"
#include "server/net/http.h"
#include "server/net/peer_seal.h"
#include "server/net/peer_socket.h"
#include "server/net/seal.h"
#include "server/net/send.h"
#include "server/worker/output.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

void ids_socket_postpone(ids_socket *socket, int events) {
    socket->postponed_events |= events;
    if (socket->postponed)
        return;
    socket->postponed = true;
    ids_list_append(&socket->net->postponed, &socket->in_postponed);
}

int ids_socket_take_postponed(ids_socket *socket) {
    int events = socket->postponed_events;
    if (!socket->postponed)
        return 0;
    socket->postponed = false;
    socket->postponed_events = 0;
    ids_list_remove(&socket->net->postponed, &socket->in_postponed);
    return events;
}

static void on_socket_closed(uv_handle_t *handle) {
    free(handle->data);
}

/* What its loop counts of it. */
static void uncount(const ids_socket *socket) {
    uint64_t *of = socket->net->worker->counters.of;
    of[IDS_TLS_CONNECTIONS] -= socket->counts_as == IDS_COUNTS_AS_TLS;
    of[IDS_PLAIN_CONNECTIONS] -= socket->counts_as == IDS_COUNTS_AS_PLAIN;
}

void ids_socket_count(ids_socket *socket, ids_counts_as as) {
    uint64_t *of = socket->net->worker->counters.of;
    assert(socket->counts_as == IDS_COUNTS_AS_NONE);
    socket->counts_as = (uint8_t)as;
    of[IDS_TLS_CONNECTIONS] += as == IDS_COUNTS_AS_TLS;
    of[IDS_PLAIN_CONNECTIONS] += as == IDS_COUNTS_AS_PLAIN;
}

/* Parts the socket from its connection; the descriptor stays open. */
static ids_conn *unlink_conn(ids_socket *socket) {
    ids_conn *conn = socket->conn;
    ids_socket_leave_list(socket);
    ids_deadline_end(socket);
    ids_handshakes_leave(&socket->net->handshakes, &socket->handshake);
    uncount(socket);
    ids_socket_take_postponed(socket);
    socket->conn = NULL;
    conn->link = NULL;
    if (conn->seal)
        ids_seal_forget(socket->net, conn);
    if (conn->http)
        ids_http_forget(socket->net, conn);
    ids_reader_drop(socket->net->line, conn);
    uv_close((uv_handle_t *)&socket->poll, on_socket_closed);
    return conn;
}

void ids_socket_discard(ids_net *net, ids_conn *conn) {
    close(conn->fd);
    ids_places_leave(net->places, conn->reading.surplus);
    ids_seal_free(conn->seal);
    ids_http_free(conn->http);
    ids_conn_free(conn);
}

void ids_socket_close(ids_socket *socket, const char *why) {
    ids_log_who(IDS_LOG_DEBUG, "connection closed", &socket->conn->who, why);
    ids_socket_discard(socket->net, unlink_conn(socket));
}

static void hand_over(ids_socket *socket) {
    ids_net *net = socket->net;
    ids_conn *conn = unlink_conn(socket);
    if (!ids_reader_give(net->line, conn, conn->reading.move_to))
        ids_socket_discard(net, conn);
}

/* Another node: it is the peer's from now on. */
static void hand_to_peer(ids_socket *socket) {
    ids_net *net = socket->net;
    ids_conn *conn = unlink_conn(socket);
    assert(net->repl);
    ids_places_becomes_link(net->places, conn->reading.surplus);
    ids_peer_socket *link = ids_peer_socket_new(
        net->places, &(ids_peer_came){.fd = conn->fd,
                                      .seal = conn->seal,
                                      .way = ids_peer_seal_way(
                                          net->tls, conn->seal, &conn->who)});
    if (link)
        ids_repl_accept(
            net->repl, link,
            (idp_slice){conn->reading.in.ptr, conn->reading.in.len});
    ids_conn_free(conn);
}

/* Says that we are through, and gives the client time to read it: a close with
 * input unread would be a reset, which may overtake our last words. */
static void linger(ids_socket *socket) {
    if (socket->list == &socket->net->lingering)
        return;
    shutdown(socket->conn->fd, SHUT_WR);
    ids_socket_wait_in(socket, &socket->net->lingering);
}

static int wanted_events(const ids_socket *socket) {
    const ids_conn *conn = socket->conn;
    int want = 0;
    if (socket->list == &socket->net->lingering)
        return UV_READABLE;
    if (socket->handshake.state == IDS_HANDSHAKE_WAITS)
        return 0;
    if (!ids_conn_is_stalled(conn) && !ids_conn_is_closing(conn) &&
        !conn->ended && conn->life != IDS_CONN_MOVING &&
        ids_conn_unsent(conn) < IDS_UNSENT_BYTES_HIGH &&
        (!conn->http || ids_http_reads(conn)))
        want |= UV_READABLE;
    if (socket->blocked)
        want |= UV_WRITABLE;
    return want;
}

static bool watch_socket(ids_socket *socket) {
    int want = wanted_events(socket);
    if (want == socket->events)
        return true;
    socket->events = want;
    return (want ? uv_poll_start(&socket->poll, want, socket->net->on_ready)
                 : uv_poll_stop(&socket->poll)) == 0;
}

void ids_socket_rest(ids_socket *socket) {
    socket->events = 0;
    uv_poll_stop(&socket->poll);
}

void ids_socket_watch(ids_socket *socket) {
    if (!watch_socket(socket))
        ids_socket_close(socket, "it can't be watched");
}

static void flush_one(ids_net *net, ids_conn *conn) {
    ids_socket *socket = conn->link;
    if (!socket) { /* it could not be watched */
        ids_reader_drop(net->line, conn);
        ids_socket_discard(net, conn);
        return;
    }
    if (!ids_conn_is_dead(conn) && !socket->blocked)
        ids_socket_send(socket);
    bool done = ids_socket_is_done(socket);
    if (ids_conn_is_dead(conn)) {
        ids_socket_close(socket, "it is dead");
    } else if (conn->life == IDS_CONN_PEER && ids_socket_is_sent(conn)) {
        hand_to_peer(socket);
    } else if (conn->life == IDS_CONN_MOVING && ids_socket_is_sent(conn)) {
        hand_over(socket);
    } else if (done && conn->ended) {
        ids_socket_close(socket, "the client closed");
    } else {
        if (done)
            linger(socket);
        else if (conn->ended && !socket->list)
            ids_socket_wait_in(socket, &net->stalled);
        if (ids_conn_is_stalled(conn) &&
            ids_dispatch_may_serve(net->worker, conn))
            ids_socket_postpone(socket, 0);
        else
            ids_socket_watch(socket);
    }
}

void ids_sockets_flush(ids_net *net) {
    ids_conn *conn;
    while ((conn = ids_worker_next_dirty(net->worker)))
        flush_one(net, conn);
}

/* By TCP and new: its first byte will tell. */
static void know_kind(ids_socket *socket) {
    const ids_conn *conn = socket->conn;
    bool may_seal = socket->net->tls && conn->who.family != AF_UNIX;
    bool is_new = conn->life == IDS_CONN_NEW;
    socket->is_plain = !may_seal || (!is_new && !conn->seal);
    if (conn->seal)
        ids_socket_count(socket, IDS_COUNTS_AS_TLS);
    else if (may_seal && !is_new)
        ids_socket_count(socket, IDS_COUNTS_AS_PLAIN);
}

void ids_socket_open(ids_net *net, ids_conn *conn) {
    ids_socket *socket = calloc(1, sizeof *socket);
    int error =
        socket ? uv_poll_init(net->uv, &socket->poll, conn->fd) : UV_ENOMEM;
    if (error) {
        ids_log_who(IDS_LOG_WARN, "connection closed", &conn->who,
                    uv_strerror(error));
        free(socket);
        ids_conn_become(conn, IDS_CONN_DEAD);
        ids_worker_mark(net->worker, conn);
        return;
    }
    socket->poll.data = socket;
    socket->net = net;
    socket->conn = conn;
    conn->link = socket;
    know_kind(socket);
    ids_deadline_begin(socket);
    if (conn->http)
        ids_http_open(net, conn);
    if (conn->reading.surplus)
        ids_socket_wait_in(socket, &net->surplus);
    if (net->worker->draining)
        ids_conn_finish(net->worker, conn);
    ids_worker_mark(net->worker, conn);
}

void ids_socket_refuse(ids_socket *socket) {
    if (socket->conn->waiting || socket->conn->forwarded.count) {
        ids_socket_wait_in(socket, &socket->net->surplus); /* an operator's */
        return;
    }
    ids_socket_leave_list(socket);
    ids_reader_refuse(socket->net->line, socket->conn);
}

void ids_sockets_close(ids_net *net) {
    const ids_worker *worker = net->worker;
    for (uint32_t i = 0; i < worker->slots.used; i++)
        if (worker->slots.all[i].conn)
            ids_conn_become(worker->slots.all[i].conn, IDS_CONN_DEAD);
    for (uint32_t i = 0; i < worker->slots.used; i++)
        if (worker->slots.all[i].conn)
            flush_one(net, worker->slots.all[i].conn);
    assert(!net->postponed.head && !net->deadlines.all.head);
    assert(!net->stalled.head && !net->surplus.head && !net->lingering.head);
}
