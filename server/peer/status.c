/* SPDX-License-Identifier: Apache-2.0 */
/* status.c -- what a node tells its operator of itself.
 *
 * Pure. It only looks. */
#include "server/peer/halves.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void ids_peer_primary_at(const ids_peer *peer, ids_endpoint *at) {
    bool known = !peer->leading && peer->other_leads;
    *at = known ? peer->other_at : (ids_endpoint){{0}};
}

/* Someone of whom it makes sense to say how far behind it is. */
static bool has_someone(const ids_peer *peer) {
    return peer->leading &&
           (peer->known.replica.node != 0 || peer->had_session);
}

void ids_peer_stream_lag(const ids_peer *peer, uint32_t stream,
                         ids_peer_lag *lag) {
    const ids_sender *sender;
    ids_ring_at at;
    *lag = (ids_peer_lag){0};
    if (!has_someone(peer) || stream >= peer->config.loops)
        return;
    sender = &peer->senders[stream];
    if (sender->ring.last == sender->reached)
        return;
    lag->ops = sender->ring.last - sender->reached;
    lag->ms = ids_lag_ms(&sender->lag, peer->now_ms);
    lag->bytes = ids_ring_seek(&sender->ring, sender->reached, &at)
                     ? ids_ring_lag_bytes(&sender->ring, &at)
                     : sender->ring.head - sender->ring.tail;
}

static void add_lags(const ids_peer *peer, ids_peer_status *s) {
    for (uint32_t k = 0; peer->leading && k < peer->config.loops; k++) {
        ids_peer_lag lag;
        ids_peer_stream_lag(peer, k, &lag);
        s->lag.ops += lag.ops;
        s->lag.bytes += lag.bytes;
        if (lag.ms > s->lag.ms)
            s->lag.ms = lag.ms;
    }
}

void ids_peer_name(ids_endpoint *to, const ids_endpoint *at, uint64_t node) {
    *to = *at;
    if (at->text[0] == 0 || at->text[0] == ':')
        snprintf(to->text, sizeof to->text, "node %016" PRIx64, node);
}

static void list_members(const ids_peer *peer, ids_peer_status *s) {
    const ids_endpoint *here = &peer->config.advertise;
    bool other = peer->leading ? s->in_sync : s->in_sync || peer->other_leads;
    bool self = peer->leading || s->in_sync;
    if (peer->leading)
        ids_peer_name(&s->member[s->member_count++], here, s->self.node);
    if (other)
        ids_peer_name(&s->member[s->member_count++], &peer->other_at,
                      s->other.node);
    if (self && !peer->leading)
        ids_peer_name(&s->member[s->member_count++], here, s->self.node);
}

/* --- what may be relied on ------------------------------------------------ */

/* A session counts in the direction of the role: what is left of the last
 * role's is none. */
static bool is_connected(const ids_peer *peer) {
    const ids_link *first = peer->session != 0 ? peer->stream[0] : NULL;
    return first != NULL && first->dialled == !peer->leading &&
           peer->streams > 0 && peer->streams_open == peer->streams &&
           peer->now_ms < first->heard_ms + peer->config.stall_ms;
}

/* The node on record has come back as another memory: its place is waited
 * for, and empty. */
static bool is_forgetful(const ids_peer *peer) {
    const ids_member *member = &peer->known.replica;
    if (IDS_RULE_OFF(STATUS_BY_NAME))
        return false;
    return peer->leading && member->node != 0 &&
           peer->other.node == member->node &&
           peer->other.incarnation != member->incarnation;
}

static bool primary_may_stop(const ids_peer *peer, const ids_peer_status *s) {
    return peer->config.mode == IDS_MODE_SYNC && s->in_sync && s->connected &&
           !s->syncing && peer->told_knows && peer->switch_epoch == 0 &&
           ids_primary_has_member(peer) && !ids_primary_misses_member(peer);
}

/* Whatever it has, the primary has. */
static bool replica_may_stop(const ids_peer *peer, const ids_peer_status *s) {
    return s->connected && peer->started && peer->stream[0]->other.primary &&
           peer->session_epoch == ids_peer_epoch(peer) &&
           (peer->pending != IDS_PENDING_PROMOTE);
}

void ids_peer_status_get(const ids_peer *peer, ids_peer_status *s) {
    bool leading = peer->leading;
    *s =
        (ids_peer_status){.role = leading ? IDS_ROLE_PRIMARY : IDS_ROLE_REPLICA,
                          .mode = peer->config.mode,
                          .epoch = ids_peer_epoch(peer),
                          .self = {peer->config.node, peer->config.incarnation},
                          .other = peer->other,
                          .self_name = peer->config.name,
                          .other_name = peer->other_name,
                          .settings_differ = peer->settings_differ,
                          .connected = is_connected(peer),
                          .syncing = peer->copying.is_on,
                          .waits = leading && peer->known.replica.node != 0,
                          .forgetful = is_forgetful(peer),
                          .slow_disk = ids_peer_is_slow(peer),
                          .behind_ms = peer->behind_ms,
                          .copying = peer->copying,
                          .had_replica = peer->known.had_replica,
                          .disowned = peer->disowned,
                          .parting = peer->parting,
                          .pending = peer->pending,
                          .streams = leading ? peer->config.loops : 0,
                          .other_at = peer->other_at,
                          .refusal = peer->refusal,
                          .refused_ms = peer->now_ms - peer->refusal.at_ms};
    s->in_sync = leading ? s->waits && !s->forgetful
                         : ids_decision_is_in_sync(&peer->known,
                                                   ids_follower_copy_of(peer));
    ids_peer_copy_progress(peer, &s->copying.records, &s->copying.total);
    s->safe_to_stop =
        leading ? primary_may_stop(peer, s) : replica_may_stop(peer, s);
    if (leading && s->in_sync) {
        s->other = peer->known.replica;
        s->other_name = peer->known.replica_name;
    }
    add_lags(peer, s);
    list_members(peer, s);
    ids_peer_primary_at(peer, &s->primary_at);
    ids_peer_say_state(peer, s, s->state);
}
