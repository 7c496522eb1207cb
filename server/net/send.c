/* SPDX-License-Identifier: Apache-2.0 */
/* send.c -- see send.h. */
#include "server/net/send.h"

#include "server/net/calls.h"
#include "server/net/http.h"
#include "server/net/seal.h"
#include "server/worker/output.h"

#include <errno.h>

/* The kernel copies it while the loop waits, into pages that it has to find:
 * that is why a KiB sent counts as four. */
#define SENT_AT_ONCE_MAX (256u << 10)

void ids_socket_leave_list(ids_socket *socket) {
    if (!socket->list)
        return;
    ids_list_remove(socket->list, &socket->in_list);
    socket->list = NULL;
}

void ids_socket_wait_in(ids_socket *socket, ids_list *list) {
    ids_socket_leave_list(socket);
    socket->since_ms = socket->net->worker->now_ms;
    socket->list = list;
    ids_list_append(list, &socket->in_list);
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

static idp_slice next_output(ids_socket *socket) {
    return socket->is_plain || !socket->conn->seal
               ? ids_plain_output(socket->net, socket->conn)
               : ids_seal_output(socket->net, socket->conn);
}

static void output_sent(ids_socket *socket, idp_slice out, size_t sent) {
    if (!socket->is_plain && socket->conn->seal)
        ids_seal_sent(socket->net, socket->conn, out, sent);
    else if (sent)
        ids_plain_sent(socket->net, socket->conn, sent);
}

/* One send; false: there will be no more for now. */
static bool send_once(ids_socket *socket) {
    ids_conn *conn = socket->conn;
    idp_slice out = next_output(socket);
    if (!out.len)
        return false;
    if (out.len > SENT_AT_ONCE_MAX)
        out.len = SENT_AT_ONCE_MAX;
    ssize_t sent = ids_send(conn->fd, out.ptr, out.len, MSG_NOSIGNAL);
    ids_worker_worked(socket->net->worker, IDS_WORK_SEND, IDS_WORK_SEND_1,
                      sent > 0 ? (size_t)sent * 4 : 0);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        ids_conn_become(conn, IDS_CONN_DEAD);
        return false;
    }
    output_sent(socket, out, sent > 0 ? (size_t)sent : 0);
    socket->blocked = sent < (ssize_t)out.len;
    if (!socket->blocked && socket->list == &socket->net->stalled)
        ids_socket_leave_list(socket);
    else if (socket->blocked && (takes_enough(socket, sent) || !socket->list))
        ids_socket_wait_in(socket, &socket->net->stalled);
    return !socket->blocked;
}

static bool has_output(const ids_conn *conn) {
    return conn->out.body || conn->out.at < conn->out.bytes.len ||
           ids_deferred_count(&conn->out.later) ||
           (conn->http && ids_http_waits(conn)) ||
           (conn->seal && ids_seal_waits(conn->seal));
}

void ids_socket_send(ids_socket *socket) {
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

bool ids_socket_is_done(ids_socket *socket) {
    ids_conn *conn = socket->conn;
    bool is_done =
        ids_conn_is_done(conn) &&
        (!conn->http || ids_conn_is_dead(conn) || !ids_http_waits(conn));
    if (!conn->seal || !is_done)
        return is_done;
    if (ids_seal_close(conn->seal) && !socket->blocked)
        ids_socket_send(socket);
    return !ids_seal_waits(conn->seal);
}

bool ids_socket_is_sent(const ids_conn *conn) {
    return !ids_conn_unsent(conn) &&
           !(conn->seal && ids_seal_waits(conn->seal));
}
