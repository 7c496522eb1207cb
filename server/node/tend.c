/* SPDX-License-Identifier: Apache-2.0 */
/* tend.c -- a worker's cables in its turn's end: what their links heard and
 * say, within the monitor, and their frames behind it; see tend.h. */
#include "server/node/tend.h"

#include <assert.h>
#include <string.h>

/* Beside calls a full copy's walk takes a frame a ms, unless so much of the
 * changes meanwhile is not out: then the ring is in danger. */
#define CALM_BYTES (1u << 20)

/* A link's beginning ------------------------------------------------------- */

static void begin_link(ids_seat *seat, ids_peer *peer, ids_cable *cable) {
    if (cable->link != NULL || cable->hung_up || cable->dialled)
        return;
    ids_peer_make_room(peer, cable->host);
    cable->link = ids_peer_accept(peer, seat->worker->now_ms);
    cable->patience_until_ms = 0;
    if (cable->link != NULL)
        cable->link->host = cable;
    else
        cable->hung_up = true;
}

static void meet(ids_cable *cable) {
    assert(cable->link != NULL && cable->link->host == cable);
    if (cable->met || cable->connecting || !cable->socket)
        return;
    cable->met = true;
    ids_link_set_seen_host(cable->link, cable->host);
}

void ids_tend_input(ids_seat *seat, ids_peer *peer, ids_cable *cable,
                    idp_slice bytes) {
    uint64_t now_ms = seat->worker->now_ms;
    begin_link(seat, peer, cable);
    if (cable->link == NULL)
        return;
    meet(cable);
    ids_intake_read(&seat->intake, peer, &cable->link, bytes, now_ms);
}

/* What it heard and says ----------------------------------------------------
 */

/* Each of these steps may end the link, and then returns false: the peer has
 * hung up, and the cable has no link any more. */

static bool is_whole(const ids_seat *seat, ids_peer *peer, ids_cable *cable) {
    if (!cable->broken)
        return true;
    ids_peer_lost(peer, cable->link, seat->worker->now_ms);
    assert(cable->link == NULL && cable->hung_up);
    return false;
}

static bool has_unread(const ids_link *link) {
    return link->in.len > link->in_at;
}

/* What was not read before, since a receiver was full. */
static bool hear_rest(ids_seat *seat, ids_peer *peer, ids_cable *cable) {
    assert(cable->link->host == cable);
    meet(cable);
    if (cable->met && has_unread(cable->link))
        ids_intake_read(&seat->intake, peer, &cable->link, (idp_slice){NULL, 0},
                        seat->worker->now_ms);
    return cable->link != NULL;
}

/* The link's words become the cable's, which gives its empty room back. */
static void take_out(ids_cable *cable) {
    assert(ids_cable_may_take(cable));
    ids_pbuf empty = cable->out;
    empty.len = 0;
    cable->out_at = 0;
    cable->out = cable->link->out.len > 0 ? cable->link->out : empty;
    if (cable->link->out.len > 0)
        cable->link->out = empty;
    assert(cable->link->out.len == 0);
}

/* Words are taken out, and whose frames may follow them: those are made outside
 * of the monitor. */
static bool pump(ids_seat *seat, ids_peer *peer, ids_cable *cable) {
    const ids_worker *worker = seat->worker;
    ids_link *link = cable->link;
    ids_sender *sender = NULL;
    if (!ids_cable_may_take(cable) || cable->connecting)
        return true;
    if (link->dialled || link->stream == worker->index)
        sender = ids_peer_pump(peer, link, worker->now_ms);
    if (cable->link == NULL)
        return false;
    take_out(cable);
    cable->sender = sender;
    return true;
}

/* More than the link takes at a time waits to be read, or the disk is behind.
 */
static void pause_if_full(const ids_seat *seat, ids_cable *cable) {
    ids_link *link = cable->link;
    assert(link->in_at <= link->in.len);
    bool is_ahead =
        link->in.len - link->in_at > IDS_PF_HEAD_BYTES + link->body_bytes_max;
    link->paused = is_ahead || (cable->dialled && seat->is_full);
    cable->paused = link->paused;
}

/* A link's last words behind what is still to be sent. */
static void take_last(ids_seat *seat, ids_cable *cable) {
    if (!cable->hung_up || cable->over)
        return;
    cable->over = true;
    assert(cable->link == NULL);
    cable->patience_until_ms = seat->worker->now_ms + IDS_PATIENCE_MS;
    if (cable->last.len > 0 && ids_pbuf_reserve(&cable->out, cable->last.len)) {
        memcpy(cable->out.at + cable->out.len, cable->last.at, cable->last.len);
        cable->out.len += cable->last.len;
    }
}

static void tend(ids_seat *seat, ids_peer *peer, ids_cable *cable) {
    bool has_link = cable->link != NULL && is_whole(seat, peer, cable) &&
                    hear_rest(seat, peer, cable) && pump(seat, peer, cable);
    assert(cable->seat == seat && (cable->link == NULL || !cable->hung_up));
    assert(has_link == (cable->link != NULL));
    if (has_link)
        pause_if_full(seat, cable);
    else if (cable->broken || seat->worker->now_ms >= cable->patience_until_ms)
        cable->hung_up = true;
    take_last(seat, cable);
}

void ids_tend_all(ids_seat *seat, ids_peer *peer) {
    for (ids_cable *each = seat->cables; each; each = each->next) {
        each->sender = NULL;
        tend(seat, peer, each);
    }
}

/* Frames, behind the stay ---------------------------------------------------
 */

/* A full copy's walk that has kept up with the changes, while calls come. */
static bool walks_calmly(ids_seat *seat, const ids_sender *sender) {
    assert(ids_sender_walks(sender));
    return ids_ring_lag_bytes(sender->ring, &sender->at) < CALM_BYTES &&
           ids_worker_is_asked(seat->worker);
}

static void make_frames_of(ids_seat *seat, ids_cable *cable) {
    const ids_worker *worker = seat->worker;
    ids_sender *sender = cable->sender;
    size_t bytes_max = seat->partner->config.peer.unsent_bytes;
    bool walks = ids_sender_walks(sender);
    bool calmly = walks && walks_calmly(seat, sender);
    assert(sender->stream == worker->index && cable->out_at == 0);
    seat->walk_waits |= calmly;
    if (calmly && worker->now_ms < seat->walk_at_ms)
        return;
    if (calmly)
        seat->walk_at_ms = worker->now_ms + 1;
    size_t up_to = calmly ? IDS_PF_APPEND_BYTES : bytes_max;
    while (cable->out.len < up_to &&
           ids_sender_next(sender, worker->shard, worker->now_ms, &cable->out))
        ;
    if (cable->out.len >= bytes_max || (walks && !calmly))
        seat->is_busy = true;
    if (sender->state == IDS_SENDING_LOST)
        ids_seat_call(seat); /* the next stay ends its session */
}

void ids_tend_make_frames(ids_seat *seat) {
    for (ids_cable *each = seat->cables; each; each = each->next)
        if (each->sender)
            make_frames_of(seat, each);
}

void ids_tend_send(ids_seat *seat) {
    for (ids_cable *cable = seat->cables, *next; cable; cable = next) {
        next = cable->next;
        ids_cable_settle(cable);
    }
}
