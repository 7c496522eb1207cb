/* SPDX-License-Identifier: Apache-2.0 */
/* tend.c -- a worker's peer connections in its turn's end: what their links
 * heard and say, within the monitor, and their frames behind it; see tend.h. */
#include "server/node/tend.h"

#include <assert.h>
#include <string.h>

/* Beside calls a full copy's walk takes a few frames a ms, unless so much of
 * the changes meanwhile is not out: then the ring is in danger. */
#define CALM_BYTES (1u << 20)

/* A link's beginning ------------------------------------------------------- */

static void begin_link(ids_repl *repl, ids_peer *peer, ids_peer_conn *conn) {
    if (conn->link != NULL || conn->hung_up || conn->dialled)
        return;
    ids_peer_make_room(peer, conn->host);
    conn->link = ids_peer_accept(peer, repl->worker->now_ms);
    conn->patience_until_ms = 0;
    if (conn->link != NULL)
        conn->link->driver = conn;
    else
        conn->hung_up = true;
}

static void meet(ids_peer_conn *conn) {
    assert(conn->link != NULL && conn->link->driver == conn);
    if (conn->met || conn->connecting || !conn->socket)
        return;
    conn->met = true;
    conn->link->way = conn->way;
    ids_link_set_seen_host(conn->link, conn->host);
}

void ids_tend_input(ids_repl *repl, ids_peer *peer, ids_peer_conn *conn,
                    idp_slice bytes) {
    uint64_t now_ms = repl->worker->now_ms;
    begin_link(repl, peer, conn);
    if (conn->link == NULL)
        return;
    meet(conn);
    ids_intake_read(&repl->intake, peer, &conn->link, bytes, now_ms);
}

/* What it heard and says ----------------------------------------------------
 */

/* Each of these steps may end the link, and then returns false: the peer has
 * hung up, and the peer connection has no link any more. */

static bool is_whole(const ids_repl *repl, ids_peer *peer,
                     ids_peer_conn *conn) {
    if (!conn->broken)
        return true;
    conn->link->way = conn->way;
    ids_peer_lost(peer, conn->link, repl->worker->now_ms);
    assert(conn->link == NULL && conn->hung_up);
    return false;
}

static bool has_unread(const ids_link *link) {
    return link->in.len > link->in_at;
}

/* What was not read before, since a receiver was full. */
static bool hear_rest(ids_repl *repl, ids_peer *peer, ids_peer_conn *conn) {
    assert(conn->link->driver == conn);
    meet(conn);
    if (conn->met && has_unread(conn->link))
        ids_intake_read(&repl->intake, peer, &conn->link, (idp_slice){NULL, 0},
                        repl->worker->now_ms);
    return conn->link != NULL;
}

/* The link's words become the peer connection's, which gives its empty room
 * back. */
static void take_link_words(ids_peer_conn *conn) {
    assert(ids_peer_conn_may_take(conn));
    idp_bytes empty = conn->out;
    empty.len = 0;
    conn->out_at = 0;
    conn->out = conn->link->out.len > 0 ? conn->link->out : empty;
    if (conn->link->out.len > 0)
        conn->link->out = empty;
    assert(conn->link->out.len == 0);
}

/* Words are taken out, and whose frames may follow them: those are made outside
 * of the monitor. */
static bool pump(ids_repl *repl, ids_peer *peer, ids_peer_conn *conn) {
    const ids_worker *worker = repl->worker;
    ids_link *link = conn->link;
    ids_sender *sender = NULL;
    if (!ids_peer_conn_may_take(conn) || conn->connecting)
        return true;
    if (link->dialled || link->stream == worker->index)
        sender = ids_peer_pump(peer, link, worker->now_ms);
    if (conn->link == NULL)
        return false;
    take_link_words(conn);
    conn->sender = sender;
    return true;
}

/* More than the link takes at a time waits to be read, or the disk is behind.
 */
static void pause_if_full(const ids_repl *repl, ids_peer_conn *conn) {
    ids_link *link = conn->link;
    assert(link->in_at <= link->in.len);
    bool is_ahead =
        link->in.len - link->in_at > IDS_PF_HEAD_BYTES + link->body_bytes_max;
    link->paused = is_ahead || (conn->dialled && repl->is_full);
    conn->paused = link->paused;
}

/* A link's last words behind what is still to be sent. */
static void take_last(ids_repl *repl, ids_peer_conn *conn) {
    if (!conn->hung_up || conn->over)
        return;
    conn->over = true;
    assert(conn->link == NULL);
    conn->patience_until_ms = repl->worker->now_ms + IDS_PATIENCE_MS;
    if (conn->last.len > 0 && idp_bytes_reserve(&conn->out, conn->last.len)) {
        memcpy(conn->out.ptr + conn->out.len, conn->last.ptr, conn->last.len);
        conn->out.len += conn->last.len;
    }
}

static void tend(ids_repl *repl, ids_peer *peer, ids_peer_conn *conn) {
    bool has_link = conn->link != NULL && is_whole(repl, peer, conn) &&
                    hear_rest(repl, peer, conn) && pump(repl, peer, conn);
    assert(conn->repl == repl && (conn->link == NULL || !conn->hung_up));
    assert(has_link == (conn->link != NULL));
    if (has_link)
        pause_if_full(repl, conn);
    else if (conn->broken || repl->worker->now_ms >= conn->patience_until_ms)
        conn->hung_up = true;
    take_last(repl, conn);
}

void ids_tend_all(ids_repl *repl, ids_peer *peer) {
    for (ids_peer_conn *each = repl->conns; each; each = each->next) {
        each->sender = NULL;
        tend(repl, peer, each);
    }
}

/* Frames, behind the stay ---------------------------------------------------
 */

/* A full copy's walk that has kept up with the changes, while calls come. */
static bool walks_calmly(ids_repl *repl, const ids_sender *sender) {
    assert(ids_sender_walks(sender));
    return ids_ring_lag_bytes(sender->ring, &sender->at) < CALM_BYTES &&
           ids_worker_is_asked(repl->worker);
}

/* One more frame of it, now; where there may be more in this ms, another turn
 * comes soon, which looks at the sockets first. */
static bool may_walk_calmly(ids_repl *repl) {
    if (!ids_worker_has_piece(repl->worker, &repl->walked))
        return false;
    ids_worker_take_piece(repl->worker, &repl->walked);
    return true;
}

static void make_frames_of(ids_repl *repl, ids_peer_conn *conn) {
    const ids_worker *worker = repl->worker;
    ids_sender *sender = conn->sender;
    size_t bytes_max = repl->replicator->config.peer.unsent_bytes;
    bool walks = ids_sender_walks(sender);
    bool calmly = walks && walks_calmly(repl, sender);
    assert(sender->stream == worker->index && conn->out_at == 0);
    repl->walk_waits |= calmly;
    if (calmly && !may_walk_calmly(repl))
        return;
    size_t up_to = calmly ? IDS_PF_APPEND_BYTES : bytes_max;
    while (conn->out.len < up_to &&
           ids_sender_next(sender, worker->shard, worker->now_ms, &conn->out))
        ;
    if (conn->out.len >= bytes_max || (walks && !calmly) ||
        (calmly && ids_worker_has_piece(worker, &repl->walked)))
        repl->is_busy = true;
    if (sender->state == IDS_SENDING_LOST)
        ids_repl_call(repl); /* the next stay ends its session */
}

void ids_tend_make_frames(ids_repl *repl) {
    for (ids_peer_conn *each = repl->conns; each; each = each->next)
        if (each->sender)
            make_frames_of(repl, each);
}

void ids_tend_send(ids_repl *repl) {
    for (ids_peer_conn *conn = repl->conns, *next; conn; conn = next) {
        next = conn->next;
        ids_peer_conn_flush(conn);
    }
}
