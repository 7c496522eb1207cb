/* SPDX-License-Identifier: Apache-2.0 */
/* deadline.c -- see deadline.h. */
#include "server/net/deadline.h"

#include "server/base/log.h"
#include "server/line/dispatch.h"
#include "server/net/http.h"
#include "server/net/socket.h"

#include <sys/ioctl.h>

#define HELLO_MS     5000
#define FIRST_MS     60000
#define HALF_MS      15000
#define HALF_BYTES   (64u << 10)
#define LOOK_MS      5000
#define LOOK_MS_MIN  100
/* The loop wakes for this so often at most, and looks at so many then. */
#define WAKE_MS      100
#define LOOKS_A_TURN 256

/* Often enough for a short --idle-timeout. */
static uint64_t period_ms(const ids_net *net) {
    uint64_t part = net->deadlines.idle_ms / 4;
    if (!part || part > LOOK_MS)
        return LOOK_MS;
    return part < LOOK_MS_MIN ? LOOK_MS_MIN : part;
}

static void append_by_deadline(ids_socket *socket) {
    ids_net *net = socket->net;
    socket->deadline.look_ms = net->worker->now_ms + period_ms(net);
    ids_list_append(&net->deadlines.all, &socket->deadline.in_all);
}

void ids_deadline_begin(ids_socket *socket) {
    uint64_t now_ms = socket->net->worker->now_ms;
    socket->deadline = (ids_deadline){.begun_ms = now_ms, .quiet_ms = now_ms};
    append_by_deadline(socket);
}

void ids_deadline_end(ids_socket *socket) {
    ids_list_remove(&socket->net->deadlines.all, &socket->deadline.in_all);
}

/* Half a request lies there, and the rest is the client's to send. */
static bool is_half(const ids_conn *conn) {
    return (conn->reading.in.len > 0 || conn->reading.skip > 0) &&
           !ids_conn_is_stalled(conn);
}

static bool half_is_overdue(ids_deadline *own, const ids_conn *conn,
                            uint64_t now_ms) {
    bool same = own->half_ms && own->asked == conn->reading.asked;
    if (!is_half(conn)) {
        own->half_ms = 0;
        return false;
    }
    if (same && conn->reading.received - own->half_received < HALF_BYTES)
        return now_ms - own->half_ms >= HALF_MS;
    own->half_ms = now_ms;
    own->half_received = conn->reading.received;
    return false;
}

/* All replies are in the socket, which takes no more: nobody reads them. They
 * are not ours any more, so the system has to be asked whether they go. */
static bool does_not_read(ids_deadline *own, const ids_net *net,
                          const ids_conn *conn) {
    uint64_t now_ms = net->worker->now_ms;
    int bytes = 0;
    if (!ids_conn_is_stalled(conn) || conn->forwarded.count ||
        ids_conn_unsent(conn) || !ids_dispatch_may_serve(net->worker, conn)) {
        own->stuck_ms = 0;
        return false;
    }
    ioctl(conn->fd, TIOCOUTQ, &bytes);
    if (!own->stuck_ms || own->asked != conn->reading.asked ||
        bytes <= own->stuck_bytes - IDS_TAKEN_BYTES) {
        own->stuck_ms = now_ms;
        own->stuck_bytes = bytes;
    }
    return now_ms - own->stuck_ms >= IDS_TAKEN_MS;
}

static bool is_overdue_for_idleness(ids_deadline *own, const ids_conn *conn,
                                    uint64_t idle_ms, uint64_t now_ms) {
    bool is_busy = conn->waiting || conn->forwarded.count ||
                   ids_conn_is_stalled(conn) || ids_conn_unsent(conn) ||
                   ids_conn_unwritten(conn) || own->half_ms;
    if (is_busy || own->received != conn->reading.received)
        own->quiet_ms = now_ms;
    return idle_ms && now_ms - own->quiet_ms >= idle_ms;
}

/* Why it has to go; NULL: it may stay. */
static const char *overdue(const ids_net *net, ids_socket *socket) {
    const ids_conn *conn = socket->conn;
    ids_deadline *own = &socket->deadline;
    uint64_t now_ms = net->worker->now_ms;
    uint64_t age_ms = now_ms - own->begun_ms;
    if (socket->handshake.state || conn->reading.surplus ||
        ids_conn_is_closing(conn) || conn->ended ||
        conn->life == IDS_CONN_MOVING)
        return NULL; /* others see to these */
    if (conn->http)
        return ids_http_overdue(conn, now_ms);
    if (!conn->reading.admitted)
        return age_ms >= HELLO_MS ? "no hello with the secret" : NULL;
    if (half_is_overdue(own, conn, now_ms))
        return "half a request, and no more of it";
    if (does_not_read(own, net, conn))
        return "the client takes nothing";
    if (!conn->reading.asked && !own->half_ms && age_ms >= FIRST_MS)
        return "it asks nothing";
    if (is_overdue_for_idleness(own, conn, net->deadlines.idle_ms, now_ms))
        return "idle (--idle-timeout)";
    return NULL;
}

static void look_at_conn(ids_net *net, ids_socket *socket) {
    ids_conn *conn = socket->conn;
    const char *why = overdue(net, socket);
    ids_deadline_end(socket);
    append_by_deadline(socket);
    socket->deadline.received = conn->reading.received;
    socket->deadline.asked = conn->reading.asked;
    if (!why)
        return;
    ids_log_who(IDS_LOG_INFO, "connection closed", &conn->who, why);
    net->worker->counters.of[IDS_CLOSED_BY_TIME_TOTAL]++;
    if (socket->deadline.stuck_ms)
        ids_conn_become(conn, IDS_CONN_DEAD); /* it would not take a goodbye */
    ids_conn_finish(net->worker, conn);
}

/* Whose turn it is next. */
static ids_socket *first_deadline(const ids_deadlines *deadlines) {
    return IDS_LIST_FIRST(ids_socket, deadline.in_all, &deadlines->all);
}

uint64_t ids_deadline_next_ms(const ids_net *net) {
    const ids_socket *first = first_deadline(&net->deadlines);
    uint64_t soonest_ms = net->deadlines.looked_ms + WAKE_MS;
    if (!first)
        return UINT64_MAX;
    return first->deadline.look_ms > soonest_ms ? first->deadline.look_ms
                                                : soonest_ms;
}

void ids_deadline_look(ids_net *net) {
    ids_deadlines *all = &net->deadlines;
    uint64_t now_ms = net->worker->now_ms;
    ids_socket *first;
    int looks = 0;
    while ((first = first_deadline(all)) && first->deadline.look_ms <= now_ms &&
           looks++ < LOOKS_A_TURN)
        look_at_conn(net, first);
    if (looks <= LOOKS_A_TURN)
        all->looked_ms = now_ms;
}
