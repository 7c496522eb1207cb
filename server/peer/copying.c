/* SPDX-License-Identifier: Apache-2.0 */
/* copying.c -- how far a full copy is, at either end, to be told.
 *
 * Pure. No rule looks at it. */
#include "server/peer/halves.h"

void ids_peer_copy_progress(const ids_peer *peer, uint64_t *records,
                            uint64_t *total) {
    bool sent = peer->copying.is_sent;
    uint32_t streams = sent ? peer->config.loops : peer->streams;
    *records = peer->copying.records;
    *total = peer->copying.total;
    if (!peer->copying.is_on)
        return;
    *records = *total = 0;
    for (uint32_t k = 0; k < streams; k++) {
        *records += sent ? peer->senders[k].copied : peer->receivers[k].copied;
        *total +=
            sent ? peer->senders[k].copy_total : peer->receivers[k].copy_total;
    }
    if (*total < *records) /* some were made since it began */
        *total = *records;
}

void ids_peer_copy_begins(ids_peer *peer) {
    if (peer->copying.is_on)
        return;
    peer->copying.is_on = true;
    peer->copying.is_sent = peer->leading;
    peer->copying.begun++;
    peer->copying.since_ms = peer->now_ms;
}

static void end(ids_peer *peer) {
    ids_copying *copying = &peer->copying;
    ids_peer_copy_progress(peer, &copying->records, &copying->total);
    copying->took_ms = peer->now_ms - copying->since_ms;
    copying->is_on = false;
}

void ids_peer_copy_is_done(ids_peer *peer) {
    if (!peer->copying.is_on)
        return;
    end(peer);
    peer->copying.total = peer->copying.records;
    peer->copying.done++;
}

void ids_peer_copy_is_over(ids_peer *peer) {
    if (!peer->copying.is_on)
        return;
    end(peer);
    peer->copying.given_up++;
}
