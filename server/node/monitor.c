/* SPDX-License-Identifier: Apache-2.0 */
/* monitor.c -- in and out of the monitor around the node's peer; see
 * replicator.h. */
#include "server/node/replicator.h"

#include <assert.h>

static uint64_t driver_clock_ns(const ids_replicator *replicator) {
    const ids_node_driver *driver = &replicator->driver;
    return driver->clock_ns ? driver->clock_ns(driver->ctx) : 0;
}

/* On the thread of the worker that was inside, into its own counters. */
static void count_stay(ids_repl *repl, uint64_t ns) {
    uint64_t *of = repl->worker->counters.of;
    assert(repl->replicator->here == repl);
    of[IDS_NODE_LOCKS_TOTAL]++;
    of[IDS_NODE_LOCKED_NS_TOTAL] += ns;
    if (ns > of[IDS_NODE_LOCKED_NS_MAX])
        of[IDS_NODE_LOCKED_NS_MAX] = ns;
}

ids_peer *ids_replicator_enter(ids_repl *repl) {
    ids_replicator *replicator = repl->replicator;
    replicator->driver.enter(replicator->driver.ctx);
    assert(replicator->here == NULL);
    assert(replicator->peer != NULL);
    replicator->here = repl;
    replicator->entered_ns = driver_clock_ns(replicator);
    return replicator->peer;
}

void ids_replicator_wake(ids_repl *repl) {
    const ids_replicator *replicator = repl->replicator;
    bool was = atomic_exchange(&repl->called, true);
    if (!was && repl != replicator->here && !repl->is_quiet)
        replicator->driver.wake(replicator->driver.ctx, repl->worker->index);
}

void ids_replicator_wake_all(ids_replicator *replicator) {
    for (uint32_t i = 0; i < replicator->repls_count; i++)
        ids_replicator_wake(&replicator->repls[i]);
}

/* Words for links of other workers. */
static void wake_speakers(ids_replicator *replicator) {
    const ids_peer *peer = replicator->peer;
    assert(replicator->here != NULL);
    for (uint32_t i = 0; i < peer->link_count; i++) {
        const ids_link *link = peer->links[i];
        ids_peer_conn *conn = link->driver;
        if (conn && conn->repl != replicator->here && link->out.len > 0)
            ids_replicator_wake(conn->repl);
    }
}

/* One for which all stand still. */
static bool has_step_due(const ids_peer *peer) {
    return ids_peer_swap_is_due(peer) || ids_peer_gather_is_due(peer);
}

static bool is_seen(const ids_replicator *replicator) {
    const ids_peer *peer = replicator->peer;
    return replicator->seen.news == peer->news &&
           replicator->seen.version == peer->known.version &&
           replicator->seen.switch_epoch == peer->switch_epoch &&
           replicator->seen.leading == peer->leading &&
           replicator->seen.due == has_step_due(peer) &&
           replicator->seen.changing == ids_peer_serves(peer, false) &&
           replicator->seen.showing == ids_peer_serves(peer, true);
}

static void lose_undialled(ids_replicator *replicator) {
    ids_peer *peer = replicator->peer;
    assert(replicator->here != NULL && replicator->dial_failed);
    replicator->dial_failed = false;
    for (uint32_t i = 0; i < peer->link_count; i++) {
        ids_link *link = peer->links[i];
        if (link->dialled && link->driver == NULL) {
            ids_peer_lost(peer, link, peer->now_ms);
            i = UINT32_MAX; /* several may have gone: from the start */
        }
    }
}

void ids_replicator_leave(ids_repl *repl) {
    ids_replicator *replicator = repl->replicator;
    const ids_peer *peer = replicator->peer;
    if (replicator->dial_failed)
        lose_undialled(replicator);
    assert(!replicator->dial_failed);
    if (!is_seen(replicator)) {
        replicator->seen.news = peer->news;
        replicator->seen.version = peer->known.version;
        replicator->seen.switch_epoch = peer->switch_epoch;
        replicator->seen.leading = peer->leading;
        replicator->seen.due = has_step_due(peer);
        replicator->seen.changing = ids_peer_serves(peer, false);
        replicator->seen.showing = ids_peer_serves(peer, true);
        atomic_store(&replicator->has_chores, true);
        ids_replicator_wake_all(replicator);
    }
    if (replicator->has_proposal) {
        atomic_store(&replicator->has_chores, true);
        ids_replicator_wake(&replicator->repls[0]);
    }
    wake_speakers(replicator);
    assert(replicator->here == repl);
    count_stay(repl, driver_clock_ns(replicator) - replicator->entered_ns);
    replicator->here = NULL;
    replicator->driver.leave(replicator->driver.ctx);
}

void ids_replicator_set_settings(ids_replicator *replicator,
                                 uint64_t settings) {
    ids_peer *peer = ids_replicator_enter(&replicator->repls[0]);
    assert(peer->config.life != 0);
    ids_peer_set_settings(peer, settings);
    ids_replicator_leave(&replicator->repls[0]);
}
