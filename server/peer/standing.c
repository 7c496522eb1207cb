/* SPDX-License-Identifier: Apache-2.0 */
/* standing.c -- where a node stands: its time, its epoch, its copy, what it
 * says of itself, what it has asked to be recorded.
 *
 * Pure. The lowest part: it calls none of the others. */
#include "server/peer/halves.h"

#include <assert.h>
#include <string.h>

void ids_peer_set_now(ids_peer *peer, uint64_t now_ms) {
    if (now_ms > peer->now_ms)
        peer->now_ms = now_ms;
}

uint64_t ids_peer_epoch(const ids_peer *peer) {
    assert(!peer->leading || peer->known.epoch >= peer->lead_epoch);
    return peer->known.epoch > peer->seen_epoch ? peer->known.epoch
                                                : peer->seen_epoch;
}

bool ids_peer_refuses(const ids_peer *peer, uint64_t epoch) {
    return epoch < ids_peer_epoch(peer) && !IDS_RULE_OFF(R6);
}

bool ids_peer_epoch_is_sound(const ids_peer *peer, uint64_t epoch) {
    const ids_peer_driver *driver = &peer->config.driver;
    uint64_t clock = driver->clock_epoch(driver->ctx);
    if (clock < peer->config.epoch_built)
        clock = peer->known.epoch == 0 ? peer->config.epoch_built : 0;
    return ids_epoch_is_sound(epoch, peer->known.epoch, clock);
}

uint64_t ids_peer_copy_of(const ids_peer *peer) {
    assert(peer->copy_of <= ids_peer_epoch(peer));
    return peer->disowned ? 0 : peer->copy_of;
}

bool ids_peer_guards(const ids_peer *peer) {
    const ids_decision *d = &peer->known;
    uint64_t copy_of = ids_peer_copy_of(peer);
    if (peer->config.any_origin || d->origin.epoch == 0)
        return false;
    if (peer->leading)
        return d->had_replica;
    assert(d->admitted_epoch <= d->epoch);
    return copy_of != 0 && copy_of == d->admitted_epoch && !peer->disowned &&
           d->admitted.node == peer->config.node &&
           d->admitted.incarnation == peer->config.incarnation;
}

ids_link_self ids_peer_self(ids_peer *peer) {
    ids_link_self self = {
        .member = {peer->config.node, peer->config.incarnation},
        .epoch = ids_peer_epoch(peer),
        .primary = peer->leading,
        .at = peer->config.advertise,
        .http = peer->config.http,
        .name = peer->config.name,
        .life = peer->config.life,
        .led = ids_peer_led(peer),
        .origin = peer->known.origin,
        .guards = ids_peer_guards(peer),
        .result_bytes_max = peer->config.result_bytes_max,
        .settings = peer->config.settings};
    assert(self.led <= self.epoch && self.origin.epoch <= self.epoch);
    memcpy(self.program, peer->config.program, sizeof self.program);
    peer->config.driver.random(peer->config.driver.ctx, self.nonce,
                               sizeof self.nonce);
    return self;
}

void ids_peer_note_whereabouts(ids_peer *peer, const ids_link *link) {
    ids_endpoint at;
    assert(link->other.member.node != 0);
    if (link->stream != 0)
        return;
    if (peer->config.under_agent && !link->other.primary)
        return; /* whom to follow an agent says */
    ids_endpoint_complete(&at, &link->other.at, link->seen_host);
    if (ids_endpoint_is_set(&at))
        peer->other_at = at;
    ids_endpoint_complete(&peer->other_http, &link->other.http,
                          link->seen_host);
    if (link->other.epoch >= ids_peer_epoch(peer)) /* else it is old news */
        peer->other_leads = link->other.primary;
    if (peer->other_leads)
        peer->handed_over = false;
}

void ids_peer_propose(ids_peer *peer, ids_pending what,
                      const ids_decision *next) {
    const ids_decisions *decisions = &peer->config.decisions;
    assert(peer->pending == IDS_PENDING_NONE);
    assert(what != IDS_PENDING_NONE);
    assert(next->version == peer->known.version + 1);
    assert(next->self.node == peer->config.node);
    peer->pending = what;
    peer->overtaken = false;
    peer->proposed = *next;
    peer->proposed.other_at = peer->other_at;
    decisions->propose(decisions->ctx, &peer->proposed);
}
