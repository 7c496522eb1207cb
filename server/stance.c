/* SPDX-License-Identifier: Apache-2.0 */
/* stance.c -- a desk takes a role, with what that asks of its replies and its
 * records; see stance.h. */
#include "server/stance.h"

#include "server/hold.h"
#include "server/peer/peer.h"

#include <assert.h>

static void set(ids_desk *desk, const ids_serving *serving) {
    desk->serving = *serving;
    desk->epoch_end = ids_serving_epoch_end(serving);
}

/* What is held goes first: whoever waits here is told behind it. It may be at
 * the new primary already, so that NOT_PRIMARY, which says that nothing was
 * done, would be wrong; whoever asks again hears that. */
static void stand_down(ids_desk *desk) {
    if (IDS_RULE_OFF(DROPS_PENDING))
        ids_hold_release(desk, UINT64_MAX);
    ids_hold_fail(desk, UINT64_MAX, IDP_E_UNREPLICATED,
                  "this server is no longer the primary; whether this took "
                  "effect is unknown: ask again");
    ids_shard_drain(desk->shard, IDP_E_NOT_PRIMARY, UINT32_MAX);
    ids_peer_prepare_copy(desk->shard);
    ids_tap_clear(&desk->tap);
    desk->tap.is_on = false;
}

void ids_desk_serve(ids_desk *desk, const ids_serving *serving) {
    ids_stance was = desk->serving.stance;
    assert(was != IDS_FOLLOWS || serving->stance == IDS_FOLLOWS);
    set(desk, serving);
    if (was == serving->stance)
        return;
    if (serving->stance == IDS_FOLLOWS)
        stand_down(desk);
    else if (serving->stance == IDS_DRAINS)
        ids_shard_drain(desk->shard, IDP_E_NOT_PRIMARY, UINT32_MAX);
}

uint64_t ids_desk_lead(ids_desk *desk, uint64_t epoch, uint64_t now_ms) {
    ids_serving serving = desk->serving;
    assert(epoch < UINT64_MAX);
    if (serving.stance != IDS_FOLLOWS)
        stand_down(desk);
    if (now_ms > desk->now_ms)
        desk->now_ms = now_ms;
    ids_shard_lead(desk->shard, epoch, ids_desk_sequence(desk->index),
                   desk->now_ms);
    serving.stance = IDS_LEADS;
    serving.changing = serving.showing = IDP_OK;
    serving.epoch = serving.lead_epoch = epoch;
    set(desk, &serving);
    ids_tap_clear(&desk->tap);
    desk->tap.is_on = true;
    return desk->hold.changes;
}
