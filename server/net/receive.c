/* SPDX-License-Identifier: Apache-2.0 */
/* receive.c -- see receive.h. */
#include "server/net/receive.h"

#include "server/base/log.h"
#include "server/line/dispatch.h"
#include "server/line/gather.h"
#include "server/line/reader.h"
#include "server/net/calls.h"
#include "server/net/http.h"
#include "server/net/seal.h"
#include "server/net/send.h"

#include <errno.h>

/* What a client that was told goodbye may still send. */
#define DISCARDED_BYTES_MAX (1u << 20)
/* Reads of handshakes, and handshakes closed since they are late. */
#define SHAKEN_A_TURN       2
#define SHAKEN_OFF_A_TURN   256

static void discard_input(ids_socket *socket) {
    ids_line *line = socket->net->line;
    ssize_t got = ids_recv(socket->conn->fd, ids_line_input_room(line),
                           IDS_INPUT_BYTES, 0);
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
    ids_handshakes_leave(&socket->net->handshakes, &socket->handshake);
    ids_socket_send(socket);
    if (!is_open || ids_conn_unsent(conn) || !ids_conn_is_open(conn))
        ids_conn_become(conn, IDS_CONN_DEAD);
    ids_conn_finish(socket->net->worker, conn);
}

/* Hands are shaken: the time for its first request begins. */
static void end_socket_handshake(ids_socket *socket) {
    ids_net *net = socket->net;
    uint64_t now_ms = net->worker->now_ms;
    ids_handshakes_leave(&net->handshakes, &socket->handshake);
    ids_sources_note(&net->tls->sources, socket->handshake.source, now_ms);
    ids_socket_count(socket, IDS_COUNTS_AS_TLS);
    socket->deadline.begun_ms = now_ms;
}

/* So many bytes were received into the seal's room; 0: that was all. */
static void open_input(ids_socket *socket, size_t got) {
    ids_net *net = socket->net;
    ids_conn *conn = socket->conn;
    switch (got ? ids_seal_came(net, conn, got) : ids_seal_cut(net, conn)) {
    case IDS_OPENED:
        break;
    case IDS_OPENED_SHAKEN:
        end_socket_handshake(socket);
        break;
    case IDS_OPENED_ENDED:
        ids_reader_end(net->line, conn);
        break;
    case IDS_OPENED_FAILED:
        end_failed(socket, got > 0);
        break;
    }
}

/* A signature takes its time: some of them a turn. */
static bool may_shake(ids_socket *socket) {
    return socket->handshake.state == IDS_HANDSHAKE_NONE ||
           socket->net->shaken++ < SHAKEN_A_TURN;
}

static void read_sealed(ids_socket *socket) {
    ids_net *net = socket->net;
    ids_conn *conn = socket->conn;
    uint8_t *room = ids_seal_room(net);
    size_t max = ids_input_max(net->line);
    if (!max || !may_shake(socket)) {
        ids_socket_postpone(socket, UV_READABLE);
        return;
    }
    ssize_t got = -1;
    errno = ENOMEM;
    if (room)
        got = ids_recv(conn->fd, room,
                       max < IDS_SEAL_BYTES ? max : IDS_SEAL_BYTES, 0);
    ids_worker_worked(net->worker, IDS_WORK_SERVE, IDS_WORK_READ,
                      got > 0 ? (size_t)got : 0);
    if (got > 0)
        ids_net_read_clock(net);
    if (got >= 0) {
        open_input(socket, (size_t)got);
        ids_handshakes_moved(&socket->handshake, ids_seal_records(conn->seal),
                             net->worker->now_ms);
    } else if (errno != EAGAIN && errno != EINTR) {
        ids_conn_become(conn, IDS_CONN_DEAD);
        ids_worker_mark(net->worker, conn);
    }
    ids_sockets_flush(net);
}

static void take_input(ids_net *net, ids_conn *conn, const ids_input *input,
                       size_t len) {
    if (conn->http)
        ids_http_received(net, conn, input->ptr, len);
    else
        ids_reader_received(net->line, conn, input, len);
}

static void read_socket_once(ids_socket *socket) {
    ids_worker *worker = socket->net->worker;
    ids_conn *conn = socket->conn;
    ids_line *line = socket->net->line;
    uint8_t *beside = conn->http ? NULL : ids_gather_room(line, conn);
    ids_input input = beside ? (ids_input){beside, IDS_GATHERED_BYTES, false}
                             : ids_input_room(line, conn);
    if (input.max == 0) {
        ids_socket_postpone(socket, UV_READABLE);
        return;
    }
    ssize_t got = ids_recv(conn->fd, input.ptr, input.max, 0);
    ids_worker_worked(worker, IDS_WORK_SERVE, IDS_WORK_READ,
                      got > 0 ? (size_t)got : 0);
    if (got > 0 && beside && ids_gather_take(line, conn, (size_t)got)) {
        if (ids_gather_is_full(&line->gather))
            ids_sockets_serve_gathered(socket->net);
        return;
    }
    if (got > 0) {
        if (beside)
            input.ptr = ids_line_input_room(line);
        ids_net_read_clock(socket->net);
        take_input(socket->net, conn, &input, (size_t)got);
    } else if (got == 0) {
        ids_reader_end(socket->net->line, conn);
    } else if (errno != EAGAIN && errno != EINTR) {
        ids_conn_become(conn, IDS_CONN_DEAD);
        ids_worker_mark(worker, conn);
    }
    ids_sockets_flush(socket->net);
}

/* Handshakes --------------------------------------------------------------- */

static ids_socket *handshake_socket_of(ids_handshake *one) {
    return IDS_LISTED(ids_socket, handshake, one);
}

static void close_shaking(ids_handshake *one, ids_counter counter,
                          const char *why) {
    ids_socket *socket = handshake_socket_of(one);
    ids_log_who(IDS_LOG_WARN, "TLS failed", &socket->conn->who, why);
    socket->net->worker->counters.of[counter]++;
    ids_socket_close(socket, why);
}

/* It is let in, and somebody else had to go for it, or nobody. */
static void let_in(ids_socket *socket, ids_handshake *goes) {
    ids_net *net = socket->net;
    if (goes)
        close_shaking(goes, IDS_TLS_CROWDED_OUT_TOTAL,
                      "its handshake stood still, and others waited");
    if (!ids_seal_begin(net, socket->conn))
        ids_conn_condemn(net->worker, socket->conn, "out of memory");
}

static void begin_handshake(ids_socket *socket) {
    ids_net *net = socket->net;
    ids_handshake *one = &socket->handshake, *goes;
    uint64_t now_ms = net->worker->now_ms;
    one->source = ids_source_of(&socket->conn->who);
    one->is_known = ids_sources_know(&net->tls->sources, one->source, now_ms);
    if (ids_handshakes_begin(&net->handshakes, one, now_ms, &goes))
        let_in(socket, goes);
    else
        ids_worker_mark(net->worker, socket->conn);
}

void ids_sockets_shake(ids_net *net) {
    ids_handshakes *all = &net->handshakes;
    uint64_t now_ms = net->worker->now_ms;
    ids_handshake *one, *goes;
    for (int i = 0;
         i < SHAKEN_OFF_A_TURN && (one = ids_handshakes_late(all, now_ms));
         i++) {
        if (one->state == IDS_HANDSHAKE_WAITS)
            close_shaking(one, IDS_TLS_CROWDED_OUT_TOTAL,
                          "too many handshakes are under way");
        else
            close_shaking(one, IDS_TLS_LATE_TOTAL,
                          "its handshake took longer than 5 s");
    }
    while ((one = ids_handshakes_next(all, now_ms, &goes))) {
        let_in(handshake_socket_of(one), goes);
        ids_socket_postpone(handshake_socket_of(one), UV_READABLE);
        ids_worker_mark(net->worker, handshake_socket_of(one)->conn);
    }
}

/* A connection by TCP of which nothing has been read: its first byte tells. */
static void read_first(ids_socket *socket) {
    ids_net *net = socket->net;
    ids_conn *conn = socket->conn;
    uint8_t first = 0;
    ssize_t got = ids_recv(conn->fd, &first, 1, MSG_PEEK);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    socket->is_plain = got < 1 || first != IDS_TLS_HELLO_RECORD;
    if (!socket->is_plain) {
        begin_handshake(socket);
        if (conn->seal)
            read_sealed(socket);
        else
            ids_sockets_flush(net);
        return;
    }
    ids_socket_count(socket, IDS_COUNTS_AS_PLAIN);
    if (net->tls->is_required) {
        ids_conn_refuse(conn, "this port wants TLS: use idems://");
        net->worker->counters.of[IDS_PLAIN_REFUSED_TOTAL]++;
    }
    read_socket_once(socket);
}

static void read_socket(ids_socket *socket) {
    if (socket->is_plain)
        read_socket_once(socket);
    else if (socket->conn->seal)
        read_sealed(socket);
    else if (socket->handshake.state != IDS_HANDSHAKE_WAITS)
        read_first(socket);
}

static void on_readable(ids_socket *socket) {
    if (socket->list == &socket->net->lingering)
        discard_input(socket);
    else if (!ids_conn_is_stalled(socket->conn))
        read_socket(socket);
}

static void on_socket_writable(ids_socket *socket) {
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
    if (socket->conn->reading.gathered) /* it is ready again */
        ids_sockets_serve_gathered(socket->net);
    if (socket->conn && (events & UV_WRITABLE))
        on_socket_writable(socket);
    if (socket->conn)
        resume(socket);
    if (socket->conn && (events & UV_READABLE))
        on_readable(socket);
}

void ids_sockets_serve_gathered(ids_net *net) {
    if (!net->line->gather.count)
        return;
    ids_net_read_clock(net);
    ids_reader_serve_gathered(net->line);
    ids_sockets_flush(net);
}

void ids_sockets_serve_postponed(ids_net *net) {
    ids_listed *at, *const last = net->postponed.tail;
    bool is_last = false;
    while ((at = net->postponed.head) && !is_last &&
           ids_worker_may_read(net->worker)) {
        ids_socket *socket = IDS_LISTED(ids_socket, in_postponed, at);
        is_last = at == last;
        serve_events(socket, ids_socket_take_postponed(socket));
        if (socket->conn && !socket->events)
            ids_socket_watch(socket);
    }
    ids_sockets_serve_gathered(net);
}

void ids_socket_on_ready(uv_poll_t *handle, int status, int events) {
    ids_socket *socket = handle->data;
    ids_net_wake_up(socket->net);
    if (!socket->conn) /* closed by what the turn began with */
        return;
    if (status < 0) /* the descriptor is in error: its read says which */
        ids_socket_close(socket, uv_strerror(status));
    else if (ids_worker_may_read(socket->net->worker))
        serve_events(socket, events);
    else if (!socket->postponed)
        ids_socket_postpone(socket, events);
    else
        ids_socket_rest(socket);
}

/* Reads what has come a last time, and has it closed when its replies left. */
static void drain(ids_socket *socket) {
    if (socket->list != &socket->net->lingering &&
        !ids_conn_is_stalled(socket->conn))
        read_socket(socket);
    ids_sockets_serve_gathered(socket->net);
    if (socket->conn)
        ids_conn_finish(socket->net->worker, socket->conn);
}

void ids_sockets_drain(ids_net *net) {
    const ids_worker *worker = net->worker;
    ids_sockets_serve_gathered(net);
    for (uint32_t i = 0; i < worker->slots.used; i++)
        if (worker->slots.all[i].conn && worker->slots.all[i].conn->link)
            drain(worker->slots.all[i].conn->link);
    ids_sockets_flush(net);
}
