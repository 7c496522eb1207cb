/* link.c -- a connection's socket: watched, read, written, closed. */
#include "server/io/link.h"

#include "server/log.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Reads in a row while each of them fills the whole room. */
#define READS_A_TURN        4
/* What a peer that was told goodbye may still send. */
#define DISCARDED_BYTES_MAX (1u << 20)

static void list_remove(ids_link *link) {
    ids_waitlist *list = link->list;
    if (!list)
        return;
    if (link->prev)
        link->prev->next = link->next;
    else
        list->head = link->next;
    if (link->next)
        link->next->prev = link->prev;
    else
        list->tail = link->prev;
    link->list = NULL;
}

static void list_append(ids_link *link, ids_waitlist *list) {
    list_remove(link);
    link->since_ms = link->loop->desk->now_ms;
    link->list = list;
    link->next = NULL;
    link->prev = list->tail;
    if (list->tail)
        list->tail->next = link;
    else
        list->head = link;
    list->tail = link;
}

static void on_closed(uv_handle_t *handle) {
    free(handle->data);
}

/* Parts the link from its connection; the descriptor stays open. */
static ids_conn *unlink_conn(ids_link *link) {
    ids_conn *conn = link->conn;
    list_remove(link);
    link->conn = NULL;
    conn->link = NULL;
    ids_desk_drop(link->loop->desk, conn);
    uv_close((uv_handle_t *)&link->poll, on_closed);
    return conn;
}

void ids_link_discard(ids_loop *loop, ids_conn *conn) {
    close(conn->fd);
    ids_conn_free(conn);
    atomic_fetch_sub_explicit(loop->connections, 1, memory_order_relaxed);
}

void ids_link_close(ids_link *link, const char *why) {
    ids_log(IDS_LOG_DEBUG, "connection closed", "fd=%d reason=\"%s\"",
            link->conn->fd, why);
    ids_link_discard(link->loop, unlink_conn(link));
}

static void hand_over(ids_link *link) {
    ids_loop *loop = link->loop;
    ids_conn *conn = unlink_conn(link);
    if (!ids_desk_give(loop->desk, conn, conn->move_to))
        ids_link_discard(loop, conn);
}

/* Says that we are through, and gives the peer time to read it: a close with
 * input unread would be a reset, which may overtake our last words. */
static void linger(ids_link *link) {
    if (link->list == &link->loop->lingering)
        return;
    shutdown(link->conn->fd, SHUT_WR);
    list_append(link, &link->loop->lingering);
}

static void send_out(ids_link *link) {
    ids_conn *conn = link->conn;
    idp_slice out = ids_conn_sendable(conn);
    if (!out.len)
        return;
    ssize_t sent = send(conn->fd, out.ptr, out.len, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        conn->dead = true;
        return;
    }
    if (sent > 0)
        ids_conn_sent(link->loop->desk, conn, (size_t)sent);
    link->blocked = sent < (ssize_t)out.len;
    if (!link->blocked && link->list == &link->loop->stalled)
        list_remove(link);
    else if (link->blocked && (sent > 0 || !link->list))
        list_append(link, &link->loop->stalled);
}

static int wanted_events(const ids_link *link) {
    const ids_conn *conn = link->conn;
    int want = 0;
    if (link->list == &link->loop->lingering)
        return UV_READABLE;
    if (!conn->stalled && !conn->closing && !conn->ended && !conn->moving &&
        ids_conn_unsent(conn) < IDS_UNSENT_BYTES_HIGH)
        want |= UV_READABLE;
    if (link->blocked ||
        (conn->stalled && ids_conn_may_serve(link->loop->desk, conn)))
        want |= UV_WRITABLE;
    return want;
}

static void on_ready(uv_poll_t *handle, int status, int events);

static bool watch(ids_link *link) {
    int want = wanted_events(link);
    if (want == link->events)
        return true;
    link->events = want;
    return (want ? uv_poll_start(&link->poll, want, on_ready)
                 : uv_poll_stop(&link->poll)) == 0;
}

void ids_link_settle(ids_loop *loop, ids_conn *conn) {
    ids_link *link = conn->link;
    if (!link) { /* it could not be watched */
        ids_desk_drop(loop->desk, conn);
        ids_link_discard(loop, conn);
        return;
    }
    if (!conn->dead && !link->blocked)
        send_out(link);
    if (conn->dead) {
        ids_link_close(link, "it is dead");
    } else if (conn->moving && !ids_conn_unsent(conn)) {
        hand_over(link);
    } else if (ids_conn_is_done(conn) && conn->ended) {
        ids_link_close(link, "the peer closed");
    } else {
        if (ids_conn_is_done(conn))
            linger(link);
        else if (conn->ended && !link->list)
            list_append(link, &loop->stalled);
        if (!watch(link))
            ids_link_close(link, "it can't be watched");
    }
}

static void discard_input(ids_link *link) {
    ids_desk *desk = link->loop->desk;
    ssize_t got =
        recv(link->conn->fd, ids_desk_input_room(desk), IDS_INPUT_BYTES, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got > 0)
        link->discarded_bytes += (size_t)got;
    if (got <= 0 || link->discarded_bytes > DISCARDED_BYTES_MAX)
        ids_link_close(link, "goodbye");
}

/* One read; false: there will be no more for now. */
static bool read_once(ids_link *link) {
    ids_desk *desk = link->loop->desk;
    ids_conn *conn = link->conn;
    ssize_t got = recv(conn->fd, ids_desk_input_room(desk), IDS_INPUT_BYTES, 0);
    if (got > 0) {
        ids_conn_input(desk, conn, (size_t)got);
        ids_loop_settle(link->loop);
        return got == IDS_INPUT_BYTES;
    }
    if (got == 0) {
        ids_conn_end(desk, conn);
    } else if (errno != EAGAIN && errno != EINTR) {
        conn->dead = true;
        ids_desk_mark(desk, conn);
    }
    ids_loop_settle(link->loop);
    return false;
}

static void on_readable(ids_link *link) {
    if (link->list == &link->loop->lingering) {
        discard_input(link);
        return;
    }
    int reads = 0;
    while (read_once(link) && ++reads < READS_A_TURN && link->conn &&
           (link->events & UV_READABLE))
        ;
}

static void on_writable(ids_link *link) {
    ids_loop *loop = link->loop;
    link->blocked = false;
    ids_desk_mark(loop->desk, link->conn);
    ids_loop_settle(loop);
    if (!link->conn || !link->conn->stalled ||
        !ids_conn_may_serve(loop->desk, link->conn))
        return;
    ids_conn_resume(loop->desk, link->conn);
    ids_desk_mark(loop->desk, link->conn);
    ids_loop_settle(loop);
}

static void on_ready(uv_poll_t *handle, int status, int events) {
    ids_link *link = handle->data;
    ids_loop_turn(link->loop);
    if (status < 0) { /* the descriptor is in error: its read says which */
        ids_link_close(link, uv_strerror(status));
        return;
    }
    if (events & UV_WRITABLE)
        on_writable(link);
    if (link->conn && (events & UV_READABLE))
        on_readable(link);
}

void ids_link_open(ids_loop *loop, ids_conn *conn) {
    ids_link *link = calloc(1, sizeof *link);
    int error =
        link ? uv_poll_init(&loop->uv, &link->poll, conn->fd) : UV_ENOMEM;
    if (error) {
        ids_log(IDS_LOG_WARN, "connection closed", "fd=%d reason=\"%s\"",
                conn->fd, uv_strerror(error));
        free(link);
        conn->dead = true;
        ids_desk_mark(loop->desk, conn);
        return;
    }
    link->poll.data = link;
    link->loop = loop;
    link->conn = conn;
    conn->link = link;
    if (loop->desk->draining)
        ids_conn_finish(loop->desk, conn);
    ids_desk_mark(loop->desk, conn);
}

void ids_link_drain(ids_link *link) {
    if (!link)
        return;
    if (link->list != &link->loop->lingering && !link->conn->stalled)
        read_once(link);
    if (link->conn)
        ids_conn_finish(link->loop->desk, link->conn);
}
