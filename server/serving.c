/* SPDX-License-Identifier: Apache-2.0 */
/* serving.c -- what a desk may do now; see serving.h. */
#include "server/serving.h"

#include "server/hold.h"
#include "server/peer/mutant.h"
#include "server/peer/peer.h"

#include <assert.h>
#include <string.h>

static bool refuses_all(const ids_serving *serving) {
    return serving->stance != IDS_LEADS || serving->changing != IDP_OK ||
           serving->showing != IDP_OK;
}

uint64_t ids_serving_epoch_end(const ids_serving *serving) {
    if (refuses_all(serving))
        return 0;
    return serving->lead_epoch == UINT64_MAX ? UINT64_MAX
                                             : serving->lead_epoch + 1;
}

const char *ids_serving_text(const ids_serving *serving, idp_error error) {
    if (error == IDP_E_NOT_PRIMARY)
        return serving->primary_at;
    if (error == IDP_E_UNREPLICATED && serving->why[0])
        return serving->why;
    return NULL;
}

bool ids_serving_alike(const ids_serving *a, const ids_serving *b) {
    return a->stance == b->stance && a->changing == b->changing &&
           a->showing == b->showing && a->lead_epoch == b->lead_epoch;
}

bool ids_serving_same(const ids_serving *a, const ids_serving *b) {
    return ids_serving_alike(a, b) && a->epoch == b->epoch &&
           a->in_sync == b->in_sync && a->safe_to_stop == b->safe_to_stop &&
           a->connected == b->connected && a->syncing == b->syncing &&
           a->lag_ops == b->lag_ops && a->lag_bytes == b->lag_bytes &&
           a->lag_ms == b->lag_ms &&
           strcmp(a->primary_at, b->primary_at) == 0 &&
           strcmp(a->why, b->why) == 0;
}

idp_error ids_serving_refuses(const ids_serving *serving,
                              const idp_request *request, const char **text) {
    idp_error error =
        request->method == IDP_PEEK ? serving->showing : serving->changing;
    if (serving->stance != IDS_LEADS ||
        request->token.epoch > serving->lead_epoch)
        error = IDP_E_NOT_PRIMARY;
    *text = ids_serving_text(serving, error);
    return error;
}

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
    return desk->changes;
}
