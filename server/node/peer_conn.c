/* SPDX-License-Identifier: Apache-2.0 */
/* peer_conn.c -- the connection that carries one link; see peer_conn.h. */
#include "server/node/peer_conn.h"

#include "server/node/replicator.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const ids_node_driver *driver_of(const ids_peer_conn *conn) {
    return &conn->repl->replicator->driver;
}

ids_peer_conn *ids_peer_conn_new(void) {
    return calloc(1, sizeof(ids_peer_conn));
}

void ids_peer_conn_forget(ids_peer_conn *conn) {
    ids_peer_conn **at = &conn->repl->conns;
    while (*at != conn) {
        assert(*at != NULL);
        at = &(*at)->next;
    }
    *at = conn->next;
}

void ids_peer_conn_close(ids_peer_conn *conn) {
    const ids_node_driver *driver = driver_of(conn);
    assert(!conn->link);
    ids_peer_conn_forget(conn);
    if (conn->socket)
        driver->close(driver->ctx, conn);
    idp_bytes_free(&conn->out);
    idp_bytes_free(&conn->early);
    idp_bytes_free(&conn->last);
    free(conn);
}

/* The worker's next look at it tells the peer. */
void ids_peer_conn_break(ids_peer_conn *conn) {
    conn->broken = true;
    ids_repl_call(conn->repl);
}

void ids_peer_conn_give_up(ids_peer_conn *conn, ids_link_way way) {
    assert(way == IDS_LINK_NO_TLS || way == IDS_LINK_BAD_CERT);
    conn->way = way;
    ids_peer_conn_break(conn);
}

static void send_peer_output(ids_peer_conn *conn) {
    const ids_node_driver *driver = driver_of(conn);
    size_t left = conn->out.len - conn->out_at;
    assert(conn->out_at <= conn->out.len);
    if (!left || conn->connecting || !conn->socket)
        return;
    size_t sent =
        driver->send(driver->ctx, conn, conn->out.ptr + conn->out_at, left);
    if (sent == IDS_NODE_BROKEN) {
        conn->broken = true;
        return;
    }
    assert(sent <= left);
    conn->out_at += sent;
    conn->blocked = sent < left;
    if (!conn->blocked)
        conn->out.len = conn->out_at = 0;
}

/* There is nobody to send last words to, or they are sent, or nobody takes
 * them. */
static bool is_through(const ids_peer_conn *conn) {
    assert(conn->over);
    return conn->broken || conn->connecting || !conn->socket ||
           ids_peer_conn_may_take(conn) ||
           conn->repl->worker->now_ms >= conn->patience_until_ms;
}

void ids_peer_conn_flush(ids_peer_conn *conn) {
    const ids_node_driver *driver = driver_of(conn);
    assert(!conn->over || conn->hung_up);
    if (!conn->broken && !conn->blocked)
        send_peer_output(conn);
    if (conn->over && is_through(conn)) {
        ids_peer_conn_close(conn);
        return;
    }
    if (conn->socket && !driver->watch(driver->ctx, conn))
        conn->broken = true;
    if (conn->broken)
        ids_repl_call(conn->repl);
}

void ids_peer_conn_open(ids_peer_conn *conn) {
    const ids_node_driver *driver = driver_of(conn);
    assert(!conn->connecting && !conn->blocked);
    conn->connecting = conn->dialled;
    assert(!conn->dialled || conn->socket == NULL);
    if ((!conn->dialled && !conn->socket) || !driver->open(driver->ctx, conn) ||
        (conn->socket && !driver->watch(driver->ctx, conn)))
        ids_peer_conn_break(conn);
}

void ids_peer_conn_connected(ids_peer_conn *conn, const char *host,
                             ids_link_way way) {
    size_t len = strlen(host);
    assert(conn->dialled || !conn->connecting);
    conn->way = way;
    conn->connecting = false;
    if (len < sizeof conn->host)
        memcpy(conn->host, host, len + 1);
    if (conn->dialled)
        ids_repl_call(conn->repl);
}

void ids_peer_conn_unblock(ids_peer_conn *conn) {
    assert(conn->socket != NULL);
    conn->blocked = false;
    send_peer_output(conn);
    ids_repl_call(conn->repl);
}
