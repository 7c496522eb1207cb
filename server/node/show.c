/* SPDX-License-Identifier: Apache-2.0 */
/* show.c -- what a worker may do, and what it tells of the node, as the peer
 * says now. All of it within the monitor. */
#include "server/node/replicator.h"

#include "server/worker/take_role.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* What a call hears that is refused while changes wait. */
static void say_why_refused(const ids_peer *peer, char *to, size_t cap) {
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

/* One that is too long for a reply is not told. */
static void copy_address(char to[static IDS_ROLE_STATE_TEXT_BYTES],
                         const ids_endpoint *at) {
    size_t len = strlen(at->text);
    to[0] = '\0';
    if (len < IDS_ROLE_STATE_TEXT_BYTES)
        memcpy(to, at->text, len + 1);
}

void ids_replicator_work_out(ids_replicator *replicator) {
    ids_role_state *role_state = &replicator->role_state;
    const ids_peer *peer = replicator->peer;
    ids_endpoint at = {.text = ""}, http = {.text = ""};
    role_state->changing = ids_peer_serves(peer, false);
    role_state->showing = ids_peer_serves(peer, true);
    role_state->role = !peer->leading            ? IDS_FOLLOWS
                       : peer->switch_epoch != 0 ? IDS_DRAINS
                                                 : IDS_LEADS;
    assert(role_state->role == IDS_FOLLOWS || peer->lead_epoch != 0);
    role_state->lead_epoch = peer->lead_epoch;
    role_state->epoch = peer->leading ? peer->lead_epoch : peer->known.epoch;
    role_state->why[0] = '\0';
    if (role_state->role != IDS_LEADS) {
        ids_peer_primary_at(peer, &at);
        ids_peer_primary_http(peer, &http);
    }
    copy_address(role_state->primary_at, &at);
    copy_address(role_state->primary_http, &http);
    if (role_state->changing == IDP_E_UNREPLICATED)
        say_why_refused(peer, role_state->why, sizeof role_state->why);
}

void ids_replicator_show(ids_replicator *replicator, ids_repl *repl) {
    ids_worker *worker = repl->worker;
    ids_replicator_work_out(replicator);
    if (!ids_role_state_same(&replicator->role_state, &worker->role_state))
        ids_worker_set_role(worker, &replicator->role_state);
    assert(worker->role_state.role == replicator->role_state.role);
}

bool ids_replicator_is_shown(ids_replicator *replicator) {
    ids_replicator_work_out(replicator);
    for (uint32_t i = 0; i < replicator->repls_count; i++) {
        const ids_repl *repl = &replicator->repls[i];
        if (!repl->is_quiet && !ids_role_state_alike(&repl->worker->role_state,
                                                     &replicator->role_state))
            return false;
    }
    return true;
}

void ids_replicator_gauge(ids_role_state *role_state,
                          const ids_peer_status *status) {
    assert(status->member_count <= 1 + IDS_FOLLOWERS_MAX);
    role_state->in_sync = status->member_count;
    role_state->is_in_sync = status->in_sync;
    role_state->safe_to_stop = status->safe_to_stop;
    role_state->connected = status->connected;
    role_state->is_sealed = status->is_sealed;
    role_state->settings_differ = status->connected && status->settings_differ;
    role_state->syncing = status->syncing;
    role_state->lag_ops = status->lag.ops;
    role_state->lag_bytes = status->lag.bytes;
    role_state->lag_ms = status->lag.ms;
    role_state->full_copies = status->copying.done;
    role_state->joins_by_key = status->joined_by_key;
}
