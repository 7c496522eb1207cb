/* SPDX-License-Identifier: Apache-2.0 */
/* stance.c -- a worker takes a role, with what that asks of its replies and its
 * records; see stance.h. */
#include "server/stance.h"

#include "server/commit_gate.h"
#include "server/peer/peer.h"

#include <assert.h>

static void set(ids_worker *worker, const ids_serving *serving) {
    worker->serving = *serving;
    worker->epoch_end = ids_serving_epoch_end(serving);
}

/* What is held goes first: whoever waits here is told behind it. It may be at
 * the new primary already, so that NOT_PRIMARY, which says that nothing was
 * done, would be wrong; whoever asks again hears that. */
static void stand_down(ids_worker *worker) {
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

void ids_worker_serve(ids_worker *worker, const ids_serving *serving) {
    ids_stance was = worker->serving.stance;
    assert(was != IDS_FOLLOWS || serving->stance == IDS_FOLLOWS);
    set(worker, serving);
    if (was == serving->stance)
        return;
    if (serving->stance == IDS_FOLLOWS)
        stand_down(worker);
    else if (serving->stance == IDS_DRAINS)
        ids_shard_drain(worker->shard, IDP_E_NOT_PRIMARY, UINT32_MAX);
}

uint64_t ids_worker_lead(ids_worker *worker, uint64_t epoch, uint64_t now_ms) {
    ids_serving serving = worker->serving;
    assert(epoch < UINT64_MAX);
    if (serving.stance != IDS_FOLLOWS)
        stand_down(worker);
    if (now_ms > worker->now_ms)
        worker->now_ms = now_ms;
    ids_shard_lead(worker->shard, epoch, ids_worker_sequence(worker->index),
                   worker->now_ms);
    serving.stance = IDS_LEADS;
    serving.changing = serving.showing = IDP_OK;
    serving.epoch = serving.lead_epoch = epoch;
    set(worker, &serving);
    ids_change_buffer_clear(&worker->change_buffer);
    worker->change_buffer.is_on = true;
    return worker->gate.changes;
}
