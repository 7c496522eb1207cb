/* SPDX-License-Identifier: Apache-2.0 */
/* seat.c -- one worker's part in the peer's monitor, besides its turn's end
 * (turn.c); see partner.h. */
#include "server/node/partner.h"

#include "server/hold.h"

#include <assert.h>
#include <stdlib.h>

/* A worker's tap is on while it leads; the ring begins where that began, or has
 * begun anew with all workers. */
void ids_seat_keep(ids_seat *seat) {
    ids_worker *worker = seat->worker;
    ids_tap_at at = {0};
    uint64_t number;
    idp_slice change;
    if (ids_tap_is_empty(&worker->tap))
        return;
    assert(worker->serving.stance != IDS_FOLLOWS);
    while (ids_tap_next(&worker->tap, &at, &number, &change))
        ids_peer_keep(seat->partner->peer, worker->index, number, change);
    ids_tap_clear(&worker->tap);
    assert(ids_tap_is_empty(&worker->tap));
}

/* A worker's calls --------------------------------------------------------- */

static ids_peer_conn *next_unread(const ids_seat *seat, uint64_t gaps) {
    ids_peer_conn *conn = seat->conns;
    while (conn && conn->gaps == gaps)
        conn = conn->next;
    return conn;
}

void ids_seat_stood_still(ids_seat *seat, uint64_t gaps, uint64_t all_ms) {
    ids_partner *partner = seat->partner;
    if (seat->is_quiet)
        return;
    ids_peer *peer = ids_partner_enter(seat);
    if (all_ms > partner->gaps_ms)
        ids_peer_stood_still(peer, all_ms - partner->gaps_ms);
    partner->gaps_ms = all_ms;
    ids_partner_show(partner, seat);
    ids_partner_leave(seat);
    for (ids_peer_conn *each; (each = next_unread(seat, gaps));) {
        each->gaps = gaps;
        assert(each->seat == seat);
        partner->host.read(partner->host.ctx, each);
    }
}

bool ids_seat_knows_host(ids_seat *seat, const char *host) {
    const ids_peer *peer = ids_partner_enter(seat);
    bool knows = ids_peer_knows_host(peer, host);
    ids_partner_leave(seat);
    return knows;
}

void ids_seat_hand_over(ids_seat *seat) {
    ids_seat_keep(seat);
    ids_peer *peer = ids_partner_enter(seat);
    ids_peer_took(peer, seat->worker->index);
    ids_partner_leave(seat);
}

bool ids_seat_is_current(ids_seat *seat, const ids_parcel_tag *tag) {
    const ids_peer *peer = ids_partner_enter(seat);
    bool is = ids_peer_is_current(peer, tag);
    assert(tag->session != 0);
    ids_partner_show(seat->partner, seat);
    ids_partner_leave(seat);
    return is;
}

uint64_t ids_seat_next_ms(const ids_seat *seat) {
    uint64_t next_ms =
        ids_seat_is_first(seat) ? seat->partner->tick_at_ms : UINT64_MAX;
    uint64_t oldest_ms = ids_hold_oldest_ms(&seat->worker->hold);
    if (seat->walk_waits && seat->walk_at_ms < next_ms)
        next_ms = seat->walk_at_ms;
    for (const ids_peer_conn *each = seat->conns; each; each = each->next)
        if (each->patience_until_ms && each->patience_until_ms < next_ms)
            next_ms = each->patience_until_ms;
    if (oldest_ms != UINT64_MAX && seat->gate < seat->worker->hold.changes &&
        oldest_ms + seat->partner->config.commit_wait_ms < next_ms)
        next_ms = oldest_ms + seat->partner->config.commit_wait_ms;
    return next_ms;
}

static void unlink_all(ids_peer_conn *first) {
    for (ids_peer_conn *each = first; each; each = each->next) {
        assert(each->link == NULL || each->link->host == each);
        if (each->link != NULL)
            each->link->host = NULL;
        each->link = NULL;
    }
}

void ids_seat_quiet(ids_seat *seat) {
    ids_peer_conn *never_opened;
    ids_partner_enter(seat);
    assert(!seat->is_quiet);
    seat->is_quiet = true;
    never_opened = seat->to_open;
    seat->to_open = NULL;
    unlink_all(seat->conns);
    unlink_all(never_opened);
    ids_partner_leave(seat);
    while (seat->conns)
        ids_peer_conn_close(seat->conns);
    for (ids_peer_conn *next; never_opened; never_opened = next) {
        next = never_opened->next;
        never_opened->next = seat->conns;
        seat->conns = never_opened;
        ids_peer_conn_close(never_opened);
    }
    assert(seat->conns == NULL && seat->to_open == NULL);
}
