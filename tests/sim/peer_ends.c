/* SPDX-License-Identifier: Apache-2.0 */
/* peer_ends.c -- what a node asks of the network: connections that it dials, or
 * that come to it as any client's do until they say that they are a node's. */
#include "tests/sim/peer_net.h"

#include <stdlib.h>

static bool dial(pw_node *n, ids_peer_conn *conn) {
    pw_world *w = n->w;
    const char *to = conn->to.text;
    int listener = pw_node_named(w, n->index, to);
    pw_link *c = calloc(1, sizeof *c);
    if (strcmp(to + 1, ":7117") != 0 || listener < 0 ||
        listener >= pw_nodes(w) || listener == n->index) {
        pw_fail(w, "%c dials %s", pw_name(n->index), to);
        listener = n->index == 0 ? 1 : 0;
    }
    *c = (pw_link){.next = w->links,
                   .number = w->event_seq++,
                   .dialler = n->index,
                   .listener = listener};
    w->links = c;
    c->side[n->index].conn = conn;
    conn->socket = c;
    if (conn->link != NULL && conn->link->stream == 0) {
        pw_say(w, "%c dials %c", pw_name(n->index), pw_name(listener));
    }
    c->closed = !w->node[listener].up; /* nobody listens */
    if (!c->closed && w->seals) {
        pw_seal_dial(w, c, n->index);
    } else if (!c->closed) {
        const char host[] = {pw_name(listener), 0};
        ids_peer_conn_connected(conn, host, IDS_LINK_PLAIN);
    }
    return !c->closed;
}

bool pw_net_open(pw_node *n, ids_peer_conn *conn) {
    pw_link *c = conn->socket;
    if (conn->dialled) {
        return dial(n, conn);
    }
    const char host[] = {pw_name(c->dialler), 0};
    side *s = &c->side[n->index];
    s->moves = false;
    if (s->gone || c->closed) {
        return false;
    }
    s->conn = conn;
    ids_peer_conn_connected(conn, host,
                            s->tls != NULL ? IDS_LINK_TLS : IDS_LINK_PLAIN);
    return true;
}

void *pw_net_part(ids_peer_conn *conn) {
    const pw_node *n = conn->repl->replicator->driver.ctx;
    pw_link *c = conn->socket;
    side *s = &c->side[n->index];
    s->conn = NULL;
    s->moves = true;
    return c;
}

/* It has said that it is another node. */
void pw_net_take(pw_worker *worker, ids_conn *conn) {
    const pw_end *end = conn->link;
    pw_node *n = worker->n;
    pw_link *c = end->link;
    side *s = &c->side[n->index];
    ids_reader_drop(worker->line, conn);
    if (!end->is_link) { /* a client's bytes never say that */
        pw_fail(n->w, "a client is taken for a node");
        return;
    }
    s->early = NULL;
    s->moves = true;
    ids_repl_accept(worker->turn.repl, c,
                    (idp_slice){conn->reading.in.ptr, conn->reading.in.len});
    ids_conn_free(conn);
}

static void leave(pw_node *n, pw_link *c) {
    side *s = &c->side[n->index];
    int other = pw_other_end(c, n->index);
    s->conn = NULL;
    s->early = NULL;
    s->moves = false;
    s->gone = true;
    if (c->closed || n->crashing) {
        return;
    }
    side *there = &c->side[other];
    there->closing = true;
    pw_later(n->w,
             there->reach_at > n->w->now ? there->reach_at - n->w->now : 1,
             pw_link_deliver, other, c->number);
}

void pw_net_close(pw_node *n, ids_peer_conn *conn) {
    leave(n, conn->socket);
    conn->socket = NULL;
}

void pw_net_closed_early(pw_node *n, pw_link *c) {
    leave(n, c);
}

size_t pw_net_send(pw_node *n, ids_peer_conn *conn, const uint8_t *bytes,
                   size_t len) {
    pw_link *c = conn->socket;
    const ids_link *link = conn->link;
    bool is_open = link != NULL && link->state == IDS_LINK_OPEN;
    if (c->closed) {
        return IDS_NODE_BROKEN;
    }
    if (pw_link_under_way(c, pw_other_end(c, n->index)) >=
        n->w->config.window) {
        return 0; /* it waits, and so does what is behind it */
    }
    const idp_slice said = {bytes, len};
    if (c->side[n->index].tls != NULL) {
        pw_seal_say(n->w, c, n->index, said, is_open ? link->session : 0);
    } else {
        pw_link_push(n->w, c, n->index, said, is_open ? link->session : 0);
    }
    return len;
}

void pw_net_send_early(pw_node *n, pw_link *c, idp_slice bytes) {
    if (c->closed) {
        return;
    }
    if (c->side[n->index].tls != NULL) {
        pw_seal_say(n->w, c, n->index, bytes, 0);
    } else {
        pw_link_push(n->w, c, n->index, bytes, 0);
    }
}
