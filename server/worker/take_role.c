/* SPDX-License-Identifier: Apache-2.0 */
/* take_role.c -- a worker takes a role, with what that asks of its replies and
 * its records; see take_role.h. */
#include "server/worker/take_role.h"

#include "server/peer/peer.h"
#include "server/worker/commit_gate.h"

#include <assert.h>

static void set_role_state(ids_worker *worker,
                           const ids_role_state *role_state) {
    worker->role_state = *role_state;
    worker->epoch_end = ids_role_state_epoch_end(role_state);
}

/* What is held goes first: whoever waits here is told behind it. It may be at
 * the new primary already, so that NOT_PRIMARY, which says that nothing was
 * done, would be wrong; whoever asks again hears that. */
static void stand_down_shard(ids_worker *worker) {
    if (IDS_RULE_OFF(DROPS_PENDING))
        ids_commit_gate_release(worker, UINT64_MAX);
    ids_commit_gate_fail(
        worker, UINT64_MAX, IDP_E_UNREPLICATED,
        "this server is no longer the primary; whether this took "
        "effect is unknown: ask again");
    ids_shard_drain(worker->shard, IDP_E_NOT_PRIMARY, UINT32_MAX);
    ids_peer_prepare_copy(worker->shard);
    ids_change_buffer_clear(&worker->change_buffer);
    worker->change_buffer.is_on = false;
}

void ids_worker_set_role(ids_worker *worker, const ids_role_state *role_state) {
    ids_worker_role was = worker->role_state.role;
    assert(was != IDS_FOLLOWS || role_state->role == IDS_FOLLOWS);
    set_role_state(worker, role_state);
    if (was == role_state->role)
        return;
    if (role_state->role == IDS_FOLLOWS)
        stand_down_shard(worker);
    else if (role_state->role == IDS_DRAINS)
        ids_shard_drain(worker->shard, IDP_E_NOT_PRIMARY, UINT32_MAX);
}

uint64_t ids_worker_lead(ids_worker *worker, uint64_t epoch, uint64_t now_ms) {
    ids_role_state role_state = worker->role_state;
    assert(epoch < UINT64_MAX);
    if (role_state.role != IDS_FOLLOWS)
        stand_down_shard(worker);
    if (now_ms > worker->now_ms)
        worker->now_ms = now_ms;
    ids_shard_lead(worker->shard, epoch, ids_worker_sequence(worker->index),
                   worker->now_ms);
    role_state.role = IDS_LEADS;
    role_state.changing = role_state.showing = IDP_OK;
    role_state.epoch = role_state.lead_epoch = epoch;
    set_role_state(worker, &role_state);
    ids_change_buffer_clear(&worker->change_buffer);
    worker->change_buffer.is_on = true;
    return worker->gate.changes;
}
