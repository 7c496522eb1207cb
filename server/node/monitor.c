/* SPDX-License-Identifier: Apache-2.0 */
/* monitor.c -- in and out of the monitor around the node's peer; see
 * partner.h. */
#include "server/node/partner.h"

#include <assert.h>

static uint64_t clock_ns(const ids_partner *partner) {
    const ids_node_host *host = &partner->host;
    return host->clock_ns ? host->clock_ns(host->ctx) : 0;
}

/* On the thread of the worker that was inside, into its own counters. */
static void count_stay(ids_seat *seat, uint64_t ns) {
    uint64_t *of = seat->worker->counters.of;
    assert(seat->partner->here == seat);
    of[IDS_NODE_LOCKS_TOTAL]++;
    of[IDS_NODE_LOCKED_NS_TOTAL] += ns;
    if (ns > of[IDS_NODE_LOCKED_NS_MAX])
        of[IDS_NODE_LOCKED_NS_MAX] = ns;
}

ids_peer *ids_partner_enter(ids_seat *seat) {
    ids_partner *partner = seat->partner;
    partner->host.enter(partner->host.ctx);
    assert(partner->here == NULL);
    assert(partner->peer != NULL);
    partner->here = seat;
    partner->entered_ns = clock_ns(partner);
    return partner->peer;
}

void ids_partner_wake(ids_seat *seat) {
    const ids_partner *partner = seat->partner;
    bool was = atomic_exchange(&seat->called, true);
    if (!was && seat != partner->here && !seat->is_quiet)
        partner->host.wake(partner->host.ctx, seat->worker->index);
}

void ids_partner_wake_all(ids_partner *partner) {
    for (uint32_t i = 0; i < partner->seats_count; i++)
        ids_partner_wake(&partner->seats[i]);
}

/* Words for links of other workers. */
static void wake_speakers(ids_partner *partner) {
    const ids_peer *peer = partner->peer;
    assert(partner->here != NULL);
    for (uint32_t i = 0; i < peer->link_count; i++) {
        const ids_link *link = peer->links[i];
        ids_peer_conn *conn = link->host;
        if (conn && conn->seat != partner->here && link->out.len > 0)
            ids_partner_wake(conn->seat);
    }
}

static bool is_seen(const ids_partner *partner) {
    const ids_peer *peer = partner->peer;
    return partner->seen.news == peer->news &&
           partner->seen.version == peer->known.version &&
           partner->seen.switch_epoch == peer->switch_epoch &&
           partner->seen.leading == peer->leading &&
           partner->seen.due == ids_peer_swap_is_due(peer);
}

static void lose_undialled(ids_partner *partner) {
    ids_peer *peer = partner->peer;
    assert(partner->here != NULL && partner->dial_failed);
    partner->dial_failed = false;
    for (uint32_t i = 0; i < peer->link_count; i++) {
        ids_link *link = peer->links[i];
        if (link->dialled && link->host == NULL) {
            ids_peer_lost(peer, link, peer->now_ms);
            i = UINT32_MAX; /* several may have gone: from the start */
        }
    }
}

void ids_partner_leave(ids_seat *seat) {
    ids_partner *partner = seat->partner;
    const ids_peer *peer = partner->peer;
    if (partner->dial_failed)
        lose_undialled(partner);
    assert(!partner->dial_failed);
    if (!is_seen(partner)) {
        partner->seen.news = peer->news;
        partner->seen.version = peer->known.version;
        partner->seen.switch_epoch = peer->switch_epoch;
        partner->seen.leading = peer->leading;
        partner->seen.due = ids_peer_swap_is_due(peer);
        atomic_store(&partner->has_chores, true);
        ids_partner_wake_all(partner);
    }
    if (partner->has_proposal) {
        atomic_store(&partner->has_chores, true);
        ids_partner_wake(&partner->seats[0]);
    }
    wake_speakers(partner);
    assert(partner->here == seat);
    count_stay(seat, clock_ns(partner) - partner->entered_ns);
    partner->here = NULL;
    partner->host.leave(partner->host.ctx);
}
