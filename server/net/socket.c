/* SPDX-License-Identifier: Apache-2.0 */
/* socket.c -- a connection's socket: watched, read, written, closed. */
#include "server/net/socket.h"

#include "server/base/log.h"
#include "server/line/dispatch.h"
#include "server/line/reader.h"
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

/* What a client that was told goodbye may still send. */
#define DISCARDED_BYTES_MAX (1u << 20)
/* Of TLS' first record; nothing of ours begins with it. */
#define HELLO_RECORD        0x16

static void postpone(ids_socket *socket, int events) {
    socket->postponed_events |= events;
    if (socket->postponed)
        return;
    socket->postponed = true;
    ids_list_append(&socket->net->postponed, &socket->in_postponed);
}

/* Returns the events that it waits with. */
static int take_postponed(ids_socket *socket) {
    int events = socket->postponed_events;
    if (!socket->postponed)
        return 0;
    socket->postponed = false;
    socket->postponed_events = 0;
    ids_list_remove(&socket->net->postponed, &socket->in_postponed);
    return events;
}

static void on_closed(uv_handle_t *handle) {
    free(handle->data);
}

/* Parts the socket from its connection; the descriptor stays open. */
static ids_conn *unlink_conn(ids_socket *socket) {
    ids_conn *conn = socket->conn;
    ids_socket_leave_list(socket);
    ids_deadline_end(socket);
    take_postponed(socket);
    socket->conn = NULL;
    conn->link = NULL;
    if (conn->seal)
        ids_seal_forget(socket->net, conn);
    ids_reader_drop(socket->net->line, conn);
    uv_close((uv_handle_t *)&socket->poll, on_closed);
    return conn;
}

void ids_socket_discard(ids_net *net, ids_conn *conn) {
    close(conn->fd);
    ids_places_leave(net->places, conn->reading.surplus);
    ids_seal_free(conn->seal);
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
    if (!ids_conn_is_stalled(conn) && !ids_conn_is_closing(conn) &&
        !conn->ended && conn->life != IDS_CONN_MOVING &&
        ids_conn_unsent(conn) < IDS_UNSENT_BYTES_HIGH)
        want |= UV_READABLE;
    if (socket->blocked)
        want |= UV_WRITABLE;
    return want;
}

static void on_ready(uv_poll_t *handle, int status, int events);

static bool watch_socket(ids_socket *socket) {
    int want = wanted_events(socket);
    if (want == socket->events)
        return true;
    socket->events = want;
    return (want ? uv_poll_start(&socket->poll, want, on_ready)
                 : uv_poll_stop(&socket->poll)) == 0;
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
            postpone(socket, 0);
        else if (!watch_socket(socket))
            ids_socket_close(socket, "it can't be watched");
    }
}

void ids_sockets_flush(ids_net *net) {
    ids_conn *conn;
    while ((conn = ids_worker_next_dirty(net->worker)))
        flush_one(net, conn);
}

static void discard_input(ids_socket *socket) {
    ids_line *line = socket->net->line;
    ssize_t got =
        recv(socket->conn->fd, ids_line_input_room(line), IDS_INPUT_BYTES, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got > 0)
        socket->discarded_bytes += (size_t)got;
    if (got <= 0 || socket->discarded_bytes > DISCARDED_BYTES_MAX)
        ids_socket_close(socket, "goodbye");
}

/* Where nothing of ours is under way it is given time to read the alert. */
static void end_failed(ids_socket *socket, bool is_open) {
    ids_conn *conn = socket->conn;
    ids_socket_send(socket);
    if (!is_open || ids_conn_unsent(conn) || !ids_conn_is_open(conn))
        ids_conn_become(conn, IDS_CONN_DEAD);
    ids_conn_finish(socket->net->worker, conn);
}

/* So many bytes were received into the seal's room; 0: that was all. */
static void open_input(ids_socket *socket, size_t got) {
    ids_net *net = socket->net;
    ids_conn *conn = socket->conn;
    switch (got ? ids_seal_came(net, conn, got) : ids_seal_cut(net, conn)) {
    case IDS_OPENED:
        break;
    case IDS_OPENED_GREETED:
        socket->deadline.begun_ms = net->worker->now_ms;
        break;
    case IDS_OPENED_ENDED:
        ids_reader_end(net->line, conn);
        break;
    case IDS_OPENED_FAILED:
        end_failed(socket, got > 0);
        break;
    }
}

static void read_sealed(ids_socket *socket) {
    ids_net *net = socket->net;
    ids_conn *conn = socket->conn;
    uint8_t *room = ids_seal_room(net);
    size_t max = ids_input_max(net->line);
    if (!max) {
        postpone(socket, UV_READABLE);
        return;
    }
    ssize_t got = -1;
    errno = ENOMEM;
    if (room)
        got = recv(conn->fd, room, max < IDS_SEAL_BYTES ? max : IDS_SEAL_BYTES,
                   0);
    ids_worker_worked(net->worker, IDS_WORK_SERVE, IDS_WORK_READ,
                      got > 0 ? (size_t)got : 0);
    if (got > 0)
        ids_net_read_clock(net);
    if (got >= 0) {
        open_input(socket, (size_t)got);
    } else if (errno != EAGAIN && errno != EINTR) {
        ids_conn_become(conn, IDS_CONN_DEAD);
        ids_worker_mark(net->worker, conn);
    }
    ids_sockets_flush(net);
}

static void read_once(ids_socket *socket) {
    ids_worker *worker = socket->net->worker;
    ids_conn *conn = socket->conn;
    ids_input input = ids_input_room(socket->net->line, conn);
    if (input.max == 0) {
        postpone(socket, UV_READABLE);
        return;
    }
    ssize_t got = recv(conn->fd, input.ptr, input.max, 0);
    ids_worker_worked(worker, IDS_WORK_SERVE, IDS_WORK_READ,
                      got > 0 ? (size_t)got : 0);
    if (got > 0) {
        ids_net_read_clock(socket->net);
        ids_reader_received(socket->net->line, conn, &input, (size_t)got);
    } else if (got == 0) {
        ids_reader_end(socket->net->line, conn);
    } else if (errno != EAGAIN && errno != EINTR) {
        ids_conn_become(conn, IDS_CONN_DEAD);
        ids_worker_mark(worker, conn);
    }
    ids_sockets_flush(socket->net);
}

/* A connection by TCP of which nothing has been read: its first byte tells. */
static void read_first(ids_socket *socket) {
    ids_net *net = socket->net;
    ids_conn *conn = socket->conn;
    uint8_t first = 0;
    ssize_t got = recv(conn->fd, &first, 1, MSG_PEEK);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    socket->is_plain = got < 1 || first != HELLO_RECORD;
    if (socket->is_plain) {
        if (net->tls->is_required)
            ids_conn_refuse(conn, "this port wants TLS: use idems://");
        read_once(socket);
    } else if (ids_seal_begin(net, conn)) {
        read_sealed(socket);
    } else {
        ids_conn_condemn(net->worker, conn, "out of memory");
        ids_sockets_flush(net);
    }
}

static void read_socket(ids_socket *socket) {
    if (socket->is_plain)
        read_once(socket);
    else if (socket->conn->seal)
        read_sealed(socket);
    else
        read_first(socket);
}

static void on_readable(ids_socket *socket) {
    if (socket->list == &socket->net->lingering)
        discard_input(socket);
    else if (!ids_conn_is_stalled(socket->conn))
        read_socket(socket);
}

static void on_writable(ids_socket *socket) {
    socket->blocked = false;
    ids_worker_mark(socket->net->worker, socket->conn);
    ids_sockets_flush(socket->net);
}

static void resume(ids_socket *socket) {
    ids_worker *worker = socket->net->worker;
    if (!ids_conn_is_stalled(socket->conn) ||
        !ids_dispatch_may_serve(worker, socket->conn))
        return;
    ids_reader_resume(socket->net->line, socket->conn);
    ids_worker_mark(worker, socket->conn);
    ids_sockets_flush(socket->net);
}

static void serve_events(ids_socket *socket, int events) {
    if (events & UV_WRITABLE)
        on_writable(socket);
    if (socket->conn)
        resume(socket);
    if (socket->conn && (events & UV_READABLE))
        on_readable(socket);
}

void ids_sockets_serve_postponed(ids_net *net) {
    ids_listed *at, *const last = net->postponed.tail;
    bool is_last = false;
    while ((at = net->postponed.head) && !is_last &&
           ids_worker_may_read(net->worker)) {
        ids_socket *socket = IDS_LISTED(ids_socket, in_postponed, at);
        is_last = at == last;
        serve_events(socket, take_postponed(socket));
    }
}

static void on_ready(uv_poll_t *handle, int status, int events) {
    ids_socket *socket = handle->data;
    ids_net_wake_up(socket->net);
    if (!socket->conn) /* closed by what the turn began with */
        return;
    if (status < 0) /* the descriptor is in error: its read says which */
        ids_socket_close(socket, uv_strerror(status));
    else if (ids_worker_may_read(socket->net->worker))
        serve_events(socket, events);
    else
        postpone(socket, events);
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
    socket->is_plain = !net->tls || conn->who.family == AF_UNIX ||
                       (conn->life != IDS_CONN_NEW && !conn->seal);
    conn->link = socket;
    ids_deadline_begin(socket);
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

/* Reads what has come a last time, and has it closed when its replies left. */
static void drain(ids_socket *socket) {
    if (socket->list != &socket->net->lingering &&
        !ids_conn_is_stalled(socket->conn))
        read_socket(socket);
    if (socket->conn)
        ids_conn_finish(socket->net->worker, socket->conn);
}

void ids_sockets_drain(ids_net *net) {
    const ids_worker *worker = net->worker;
    for (uint32_t i = 0; i < worker->slots.used; i++)
        if (worker->slots.all[i].conn && worker->slots.all[i].conn->link)
            drain(worker->slots.all[i].conn->link);
    ids_sockets_flush(net);
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
