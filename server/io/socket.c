/* socket.c -- a connection's socket: watched, read, written, closed. */
#include "server/io/socket.h"

#include "server/io/partner.h"
#include "server/log.h"
#include "server/reply.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Reads in a row while each of them fills the whole room. */
#define READS_A_TURN        4
/* A peer takes so much in time, or all. */
#define TAKEN_BYTES_MIN     (64u << 10)
/* What a peer that was told goodbye may still send. */
#define DISCARDED_BYTES_MAX (1u << 20)

static void list_remove(ids_socket *socket) {
    ids_waitlist *list = socket->list;
    if (!list)
        return;
    if (socket->prev)
        socket->prev->next = socket->next;
    else
        list->head = socket->next;
    if (socket->next)
        socket->next->prev = socket->prev;
    else
        list->tail = socket->prev;
    socket->list = NULL;
}

static void list_append(ids_socket *socket, ids_waitlist *list) {
    list_remove(socket);
    socket->since_ms = socket->loop->desk->now_ms;
    socket->list = list;
    socket->next = NULL;
    socket->prev = list->tail;
    if (list->tail)
        list->tail->next = socket;
    else
        list->head = socket;
    list->tail = socket;
}

static void on_closed(uv_handle_t *handle) {
    free(handle->data);
}

/* Parts the socket from its connection; the descriptor stays open. */
static ids_conn *unlink_conn(ids_socket *socket) {
    ids_conn *conn = socket->conn;
    list_remove(socket);
    ids_deadline_end(socket);
    socket->conn = NULL;
    conn->link = NULL;
    ids_desk_drop(socket->loop->desk, conn);
    uv_close((uv_handle_t *)&socket->poll, on_closed);
    return conn;
}

void ids_socket_discard(ids_loop *loop, ids_conn *conn) {
    close(conn->fd);
    ids_places_leave(loop->places, conn->surplus);
    ids_conn_free(conn);
}

void ids_socket_close(ids_socket *socket, const char *why) {
    ids_log(IDS_LOG_DEBUG, "connection closed", "fd=%d reason=\"%s\"",
            socket->conn->fd, why);
    ids_socket_discard(socket->loop, unlink_conn(socket));
}

static void hand_over(ids_socket *socket) {
    ids_loop *loop = socket->loop;
    ids_conn *conn = unlink_conn(socket);
    if (!ids_desk_give(loop->desk, conn, conn->move_to))
        ids_socket_discard(loop, conn);
}

/* Another node: it is the peer's from now on. */
static void hand_to_peer(ids_socket *socket) {
    ids_loop *loop = socket->loop;
    ids_conn *conn = unlink_conn(socket);
    ids_places_becomes_link(loop->places, conn->surplus);
    ids_seat_accept(loop->seat, conn->fd,
                    (idp_slice){conn->in.ptr, conn->in.len});
    ids_conn_free(conn);
}

/* Says that we are through, and gives the peer time to read it: a close with
 * input unread would be a reset, which may overtake our last words. */
static void linger(ids_socket *socket) {
    if (socket->list == &socket->loop->lingering)
        return;
    shutdown(socket->conn->fd, SHUT_WR);
    list_append(socket, &socket->loop->lingering);
}

/* A byte now and then is not enough to keep what is unsent here for ever. */
static bool takes_enough(ids_socket *socket, ssize_t sent) {
    if (sent > 0)
        socket->taken += (size_t)sent;
    if (socket->list && socket->taken < TAKEN_BYTES_MIN)
        return false;
    socket->taken = 0;
    return true;
}

/* One send; false: there will be no more for now. */
static bool send_once(ids_socket *socket) {
    ids_conn *conn = socket->conn;
    idp_slice out = ids_conn_sendable(conn);
    if (!out.len)
        return false;
    ssize_t sent = send(conn->fd, out.ptr, out.len, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        conn->dead = true;
        return false;
    }
    if (sent > 0)
        ids_conn_sent(socket->loop->desk, conn, (size_t)sent);
    socket->blocked = sent < (ssize_t)out.len;
    if (!socket->blocked && socket->list == &socket->loop->stalled)
        list_remove(socket);
    else if (socket->blocked && (takes_enough(socket, sent) || !socket->list))
        list_append(socket, &socket->loop->stalled);
    return !socket->blocked;
}

/* Mostly one send. More where a large result stands between the replies. */
static void send_out(ids_socket *socket) {
    ids_conn *conn = socket->conn;
    do {
        ids_reply_fill(socket->loop->desk, conn);
    } while (send_once(socket) && (conn->body || conn->out_at < conn->out.len ||
                                   ids_deferred_count(&conn->later)));
}

static int wanted_events(const ids_socket *socket) {
    const ids_conn *conn = socket->conn;
    int want = 0;
    if (socket->list == &socket->loop->lingering)
        return UV_READABLE;
    if (!conn->stalled && !conn->closing && !conn->ended && !conn->moving &&
        ids_conn_unsent(conn) < IDS_UNSENT_BYTES_HIGH)
        want |= UV_READABLE;
    if (socket->blocked ||
        (conn->stalled && ids_conn_may_serve(socket->loop->desk, conn)))
        want |= UV_WRITABLE;
    return want;
}

static void on_ready(uv_poll_t *handle, int status, int events);

static bool watch(ids_socket *socket) {
    int want = wanted_events(socket);
    if (want == socket->events)
        return true;
    socket->events = want;
    return (want ? uv_poll_start(&socket->poll, want, on_ready)
                 : uv_poll_stop(&socket->poll)) == 0;
}

void ids_socket_settle(ids_loop *loop, ids_conn *conn) {
    ids_socket *socket = conn->link;
    if (!socket) { /* it could not be watched */
        ids_desk_drop(loop->desk, conn);
        ids_socket_discard(loop, conn);
        return;
    }
    if (!conn->dead && !socket->blocked)
        send_out(socket);
    if (conn->dead) {
        ids_socket_close(socket, "it is dead");
    } else if (conn->is_peer) {
        hand_to_peer(socket);
    } else if (conn->moving && !ids_conn_unsent(conn)) {
        hand_over(socket);
    } else if (ids_conn_is_done(conn) && conn->ended) {
        ids_socket_close(socket, "the peer closed");
    } else {
        if (ids_conn_is_done(conn))
            linger(socket);
        else if (conn->ended && !socket->list)
            list_append(socket, &loop->stalled);
        if (!watch(socket))
            ids_socket_close(socket, "it can't be watched");
    }
}

static void discard_input(ids_socket *socket) {
    ids_desk *desk = socket->loop->desk;
    ssize_t got =
        recv(socket->conn->fd, ids_desk_input_room(desk), IDS_INPUT_BYTES, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got > 0)
        socket->discarded_bytes += (size_t)got;
    if (got <= 0 || socket->discarded_bytes > DISCARDED_BYTES_MAX)
        ids_socket_close(socket, "goodbye");
}

/* One read; false: there will be no more for now. */
static bool read_once(ids_socket *socket) {
    ids_desk *desk = socket->loop->desk;
    ids_conn *conn = socket->conn;
    ssize_t got = recv(conn->fd, ids_desk_input_room(desk), IDS_INPUT_BYTES, 0);
    if (got > 0) {
        ids_loop_look(socket->loop);
        ids_conn_input(desk, conn, (size_t)got);
        ids_loop_settle(socket->loop);
        return got == IDS_INPUT_BYTES;
    }
    if (got == 0) {
        ids_conn_end(desk, conn);
    } else if (errno != EAGAIN && errno != EINTR) {
        conn->dead = true;
        ids_desk_mark(desk, conn);
    }
    ids_loop_settle(socket->loop);
    return false;
}

static void on_readable(ids_socket *socket) {
    if (socket->list == &socket->loop->lingering) {
        discard_input(socket);
        return;
    }
    int reads = 0;
    while (read_once(socket) && ++reads < READS_A_TURN && socket->conn &&
           (socket->events & UV_READABLE))
        ;
}

static void on_writable(ids_socket *socket) {
    ids_loop *loop = socket->loop;
    socket->blocked = false;
    ids_desk_mark(loop->desk, socket->conn);
    ids_loop_settle(loop);
    if (!socket->conn || !socket->conn->stalled ||
        !ids_conn_may_serve(loop->desk, socket->conn))
        return;
    ids_conn_resume(loop->desk, socket->conn);
    ids_desk_mark(loop->desk, socket->conn);
    ids_loop_settle(loop);
}

static void on_ready(uv_poll_t *handle, int status, int events) {
    ids_socket *socket = handle->data;
    ids_loop_turn(socket->loop);
    if (!socket->conn) /* closed by what the turn began with */
        return;
    if (status < 0) { /* the descriptor is in error: its read says which */
        ids_socket_close(socket, uv_strerror(status));
        return;
    }
    if (events & UV_WRITABLE)
        on_writable(socket);
    if (socket->conn && (events & UV_READABLE))
        on_readable(socket);
}

void ids_socket_open(ids_loop *loop, ids_conn *conn) {
    ids_socket *socket = calloc(1, sizeof *socket);
    int error =
        socket ? uv_poll_init(&loop->uv, &socket->poll, conn->fd) : UV_ENOMEM;
    if (error) {
        ids_log(IDS_LOG_WARN, "connection closed", "fd=%d reason=\"%s\"",
                conn->fd, uv_strerror(error));
        free(socket);
        conn->dead = true;
        ids_desk_mark(loop->desk, conn);
        return;
    }
    socket->poll.data = socket;
    socket->loop = loop;
    socket->conn = conn;
    conn->link = socket;
    ids_deadline_begin(socket);
    if (conn->surplus)
        list_append(socket, &loop->surplus);
    if (loop->desk->draining)
        ids_conn_finish(loop->desk, conn);
    ids_desk_mark(loop->desk, conn);
}

void ids_socket_refuse(ids_socket *socket) {
    if (socket->conn->waiting || socket->conn->hopped) {
        list_append(socket, &socket->loop->surplus); /* an operator's */
        return;
    }
    list_remove(socket);
    ids_conn_refuse(socket->loop->desk, socket->conn);
}

void ids_socket_drain(ids_socket *socket) {
    if (!socket)
        return;
    if (socket->list != &socket->loop->lingering && !socket->conn->stalled)
        read_once(socket);
    if (socket->conn)
        ids_conn_finish(socket->loop->desk, socket->conn);
}
