/* SPDX-License-Identifier: Apache-2.0 */
/* show.c -- what a worker may do, and what it tells of the node, as the peer
 * says now. All of it within the monitor. */
#include "server/node/replicator.h"

#include "server/stance.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* What a call hears that is refused while changes wait. */
static void say_why(const ids_peer *peer, char *to, size_t cap) {
    ids_peer_status status;
    ids_peer_status_get(peer, &status);
    assert(peer->leading);
    if (!status.waits)
        snprintf(to, cap,
                 "there is no replica in sync, and --min-in-sync "
                 "demands one");
    else if (status.forgetful && status.connected)
        snprintf(to, cap,
                 "the replica restarted without its memory; changes wait "
                 "until it has loaded a copy, or is detached (idemctl detach)");
    else
        snprintf(to, cap,
                 "the replica is silent; changes wait until it is back, or is "
                 "detached (idemctl detach)");
}

void ids_replicator_work_out(ids_replicator *replicator) {
    ids_serving *serving = &replicator->serving;
    const ids_peer *peer = replicator->peer;
    ids_endpoint at = {.text = ""};
    serving->changing = ids_peer_serves(peer, false);
    serving->showing = ids_peer_serves(peer, true);
    serving->stance = !peer->leading            ? IDS_FOLLOWS
                      : peer->switch_epoch != 0 ? IDS_DRAINS
                                                : IDS_LEADS;
    assert(serving->stance == IDS_FOLLOWS || peer->lead_epoch != 0);
    serving->lead_epoch = peer->lead_epoch;
    serving->epoch = peer->leading ? peer->lead_epoch : peer->known.epoch;
    serving->primary_at[0] = serving->why[0] = '\0';
    if (serving->stance != IDS_LEADS)
        ids_peer_primary_at(peer, &at);
    if (strlen(at.text) < sizeof serving->primary_at)
        memcpy(serving->primary_at, at.text, strlen(at.text) + 1);
    if (serving->changing == IDP_E_UNREPLICATED)
        say_why(peer, serving->why, sizeof serving->why);
}

void ids_replicator_show(ids_replicator *replicator, ids_repl *repl) {
    ids_worker *worker = repl->worker;
    ids_replicator_work_out(replicator);
    if (!ids_serving_same(&replicator->serving, &worker->serving))
        ids_worker_serve(worker, &replicator->serving);
    assert(worker->serving.stance == replicator->serving.stance);
}

bool ids_replicator_is_shown(ids_replicator *replicator) {
    ids_replicator_work_out(replicator);
    for (uint32_t i = 0; i < replicator->repls_count; i++) {
        const ids_repl *repl = &replicator->repls[i];
        if (!repl->is_quiet &&
            !ids_serving_alike(&repl->worker->serving, &replicator->serving))
            return false;
    }
    return true;
}

void ids_replicator_gauge(ids_serving *serving, const ids_peer_status *status) {
    assert(status->member_count <= 1 + IDS_FOLLOWERS_MAX);
    serving->in_sync = status->member_count;
    serving->safe_to_stop = status->safe_to_stop;
    serving->connected = status->connected;
    serving->syncing = status->syncing;
    serving->lag_ops = status->lag.ops;
    serving->lag_bytes = status->lag.bytes;
    serving->lag_ms = status->lag.ms;
}
