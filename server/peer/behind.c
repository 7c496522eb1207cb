/* SPDX-License-Identifier: Apache-2.0 */
/* behind.c -- for how long a replica's medium has had changes that it does not
 * hold yet: measured there, told to the primary, shown at both.
 *
 * Pure. No rule looks at it. */
#include "server/peer/halves.h"

#include <assert.h>

/* What has come by now is looked for again until all of it is applied. */
static uint64_t of_stream(ids_receiver *receiver, uint64_t now_ms) {
    assert(receiver->applied <= receiver->routed);
    if (receiver->applied >= receiver->mark) {
        receiver->mark = receiver->routed;
        receiver->mark_ms = now_ms;
    }
    assert(now_ms >= receiver->mark_ms);
    return receiver->applied >= receiver->mark ? 0 : now_ms - receiver->mark_ms;
}

void ids_peer_look_behind(ids_peer *peer) {
    uint64_t most = 0;
    assert(!peer->started || peer->upstream.id != 0);
    if (peer->leading)
        return;
    for (uint32_t k = 0; peer->started && k < peer->upstream.streams; k++) {
        uint64_t ms = of_stream(&peer->receivers[k], peer->now_ms);
        most = ms > most ? ms : most;
    }
    peer->behind_ms = peer->config.is_kept && !peer->syncing ? most : 0;
}

bool ids_primary_is_slow(const ids_peer *peer, const ids_follower *f) {
    return peer->leading && f->session.id != 0 && f->behind_ms >= IDS_SLOW_MS;
}

bool ids_peer_is_slow(const ids_peer *peer) {
    bool is_slow = peer->upstream.id != 0 && peer->behind_ms >= IDS_SLOW_MS;
    for (uint32_t i = 0; peer->leading && i < peer->config.places; i++)
        is_slow |= ids_primary_is_slow(peer, &peer->follower[i]);
    return is_slow;
}
