/* SPDX-License-Identifier: Apache-2.0 */
/* socket.c -- a connection's socket: watched, read, written, closed. */
#include "server/net/socket.h"

#include "server/base/log.h"
#include "server/line/dispatch.h"
#include "server/line/reader.h"
#include "server/net/peer_socket.h"
#include "server/worker/output.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* The kernel copies it while the loop waits, into pages that it has to find:
 * that is why a KiB sent counts as four. */
#define SENT_AT_ONCE_MAX    (256u << 10)
/* What a client that was told goodbye may still send. */
#define DISCARDED_BYTES_MAX (1u << 20)

static void list_remove(ids_socket *socket) {
    if (!socket->list)
        return;
    ids_list_remove(socket->list, &socket->in_list);
    socket->list = NULL;
}

static void list_append(ids_socket *socket, ids_list *list) {
    list_remove(socket);
    socket->since_ms = socket->net->worker->now_ms;
    socket->list = list;
    ids_list_append(list, &socket->in_list);
}

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
    list_remove(socket);
    ids_deadline_end(socket);
    take_postponed(socket);
    socket->conn = NULL;
    conn->link = NULL;
    ids_reader_drop(socket->net->line, conn);
    uv_close((uv_handle_t *)&socket->poll, on_closed);
    return conn;
}

void ids_socket_discard(ids_net *net, ids_conn *conn) {
    close(conn->fd);
    ids_places_leave(net->places, conn->reading.surplus);
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
    ids_peer_socket *link = ids_peer_socket_new(net->places, conn->fd);
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
    list_append(socket, &socket->net->lingering);
}

/* A byte now and then is not enough to keep what is unsent here for ever. */
static bool takes_enough(ids_socket *socket, ssize_t sent) {
    if (sent > 0)
        socket->taken += (size_t)sent;
    if (socket->list && socket->taken < IDS_TAKEN_BYTES)
        return false;
    socket->taken = 0;
    return true;
}

/* One send; false: there will be no more for now. */
static bool send_once(ids_socket *socket) {
    ids_conn *conn = socket->conn;
    idp_slice out = ids_output_sendable(conn);
    if (!out.len)
        return false;
    if (out.len > SENT_AT_ONCE_MAX)
        out.len = SENT_AT_ONCE_MAX;
    ssize_t sent = send(conn->fd, out.ptr, out.len, MSG_NOSIGNAL);
    ids_worker_worked(socket->net->worker, IDS_WORK_SEND, IDS_WORK_SEND_1,
                      sent > 0 ? (size_t)sent * 4 : 0);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        ids_conn_become(conn, IDS_CONN_DEAD);
        return false;
    }
    if (sent > 0)
        ids_output_sent(socket->net->worker, conn, (size_t)sent);
    socket->blocked = sent < (ssize_t)out.len;
    if (!socket->blocked && socket->list == &socket->net->stalled)
        list_remove(socket);
    else if (socket->blocked && (takes_enough(socket, sent) || !socket->list))
        list_append(socket, &socket->net->stalled);
    return !socket->blocked;
}

static bool has_output(const ids_conn *conn) {
    return conn->out.body || conn->out.at < conn->out.bytes.len ||
           ids_deferred_count(&conn->out.later);
}

/* Mostly one send. More where a large result stands between the replies; what
 * this turn has no time for is left to the next one. */
static void send_socket_output(ids_socket *socket) {
    ids_worker *worker = socket->net->worker;
    ids_conn *conn = socket->conn;
    if (ids_deferred_count(&conn->out.later))
        ids_output_fill(worker, conn);
    while (send_once(socket) && has_output(conn)) {
        if (!ids_worker_may(worker, IDS_WORK_SEND)) {
            ids_worker_mark(worker, conn);
            return;
        }
        ids_output_fill(worker, conn);
    }
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
        send_socket_output(socket);
    if (ids_conn_is_dead(conn)) {
        ids_socket_close(socket, "it is dead");
    } else if (conn->life == IDS_CONN_PEER) {
        hand_to_peer(socket);
    } else if (conn->life == IDS_CONN_MOVING && !ids_conn_unsent(conn)) {
        hand_over(socket);
    } else if (ids_conn_is_done(conn) && conn->ended) {
        ids_socket_close(socket, "the client closed");
    } else {
        if (ids_conn_is_done(conn))
            linger(socket);
        else if (conn->ended && !socket->list)
            list_append(socket, &net->stalled);
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

static void on_readable(ids_socket *socket) {
    if (socket->list == &socket->net->lingering)
        discard_input(socket);
    else if (!ids_conn_is_stalled(socket->conn))
        read_once(socket);
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
    conn->link = socket;
    ids_deadline_begin(socket);
    if (conn->reading.surplus)
        list_append(socket, &net->surplus);
    if (net->worker->draining)
        ids_conn_finish(net->worker, conn);
    ids_worker_mark(net->worker, conn);
}

void ids_socket_refuse(ids_socket *socket) {
    if (socket->conn->waiting || socket->conn->forwarded.count) {
        list_append(socket, &socket->net->surplus); /* an operator's */
        return;
    }
    list_remove(socket);
    ids_reader_refuse(socket->net->line, socket->conn);
}

/* Reads what has come a last time, and has it closed when its replies left. */
static void drain(ids_socket *socket) {
    if (socket->list != &socket->net->lingering &&
        !ids_conn_is_stalled(socket->conn))
        read_once(socket);
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
