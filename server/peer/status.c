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
           (peer->known.replica.node != 0 || peer->other.node != 0);
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
        const ids_sender *sender = &peer->senders[k];
        ids_peer_lag lag;
        ids_peer_stream_lag(peer, k, &lag);
        s->lag.ops += lag.ops;
        s->lag.bytes += lag.bytes;
        if (lag.ms > s->lag.ms)
            s->lag.ms = lag.ms;
        s->syncing = s->syncing || sender->state == IDS_SENDING_WALK ||
                     sender->state == IDS_SENDING_END;
    }
}

static void name(ids_endpoint *to, const ids_endpoint *at, uint64_t node) {
    *to = *at;
    if (at->text[0] == 0 || at->text[0] == ':')
        snprintf(to->text, sizeof to->text, "node %016" PRIx64, node);
}

static void list_members(const ids_peer *peer, ids_peer_status *s) {
    const ids_endpoint *here = &peer->config.advertise;
    bool other = peer->leading ? s->in_sync : s->in_sync || peer->other_leads;
    bool self = peer->leading || s->in_sync;
    if (peer->leading)
        name(&s->member[s->member_count++], here, s->self.node);
    if (other)
        name(&s->member[s->member_count++], &peer->other_at, s->other.node);
    if (self && !peer->leading)
        name(&s->member[s->member_count++], here, s->self.node);
}

/* --- the sentence --------------------------------------------------------- */

static const char *of_switch(const ids_peer *peer) {
    return peer->switch_epoch != 0 ? "It is handing over: no call is served."
                                   : NULL;
}

static void say_primary(const ids_peer *peer, const ids_peer_status *s,
                        const char *other, char *to) {
    const size_t cap = IDS_STATE_BYTES;
    bool sync = peer->config.mode == IDS_MODE_SYNC;
    if (of_switch(peer) != NULL)
        snprintf(to, cap, "%s", of_switch(peer));
    else if (ids_primary_misses_member(peer))
        snprintf(to, cap,
                 "Changes wait: the replica at %s is gone. Bring it back, or "
                 "idemctl detach, unless it was promoted.",
                 other);
    else if (s->in_sync)
        snprintf(to, cap, "The replica at %s is in sync%s.", other,
                 s->connected ? "" : ", but not connected right now");
    else if (s->syncing)
        snprintf(to, cap, "The replica at %s is loading a full copy.", other);
    else if (s->connected && sync)
        snprintf(to, cap, "The replica at %s is catching up.", other);
    else if (s->connected)
        snprintf(to, cap,
                 "The replica at %s follows; in async mode it may lack the "
                 "latest changes.",
                 other);
    else if (s->parting == IDS_PARTING_UNHEARD)
        snprintf(to, cap,
                 "It serves alone: the replica was detached and does not know "
                 "it. Do not promote that one.");
    else if (sync && peer->config.min_in_sync > 1)
        snprintf(to, cap,
                 "Changes wait for a replica: --min-in-sync is 2 and there is "
                 "none.");
    else if (s->had_replica)
        snprintf(to, cap, "It serves alone: its replica is gone or detached.");
    else
        snprintf(to, cap, "It serves alone; it never had a replica.");
}

static void say_replica(const ids_peer *peer, const ids_peer_status *s,
                        const char *other, char *to) {
    const size_t cap = IDS_STATE_BYTES;
    if (peer->pending == IDS_PENDING_START)
        snprintf(to, cap, "It is starting.");
    else if (s->syncing)
        snprintf(to, cap, "It is loading a full copy from %s%s.", other,
                 s->in_sync ? "; it may be promoted with the copy it has" : "");
    else if (s->in_sync && s->connected)
        snprintf(to, cap, "It is in sync with the primary at %s.", other);
    else if (s->in_sync)
        snprintf(to, cap,
                 "It may be promoted without loss; it is not connected to a "
                 "primary.");
    else if (s->disowned && !s->connected)
        snprintf(to, cap,
                 "It was detached: the primary has gone on without it.");
    else if (s->connected && peer->streams > 0)
        snprintf(to, cap,
                 "It follows the primary at %s and is not in sync with it.",
                 other);
    else
        snprintf(to, cap,
                 "It is no primary and is connected to none. Promoting it may "
                 "lose changes.");
}

void ids_peer_status_get(const ids_peer *peer, ids_peer_status *s) {
    bool leading = peer->leading;
    ids_endpoint other;
    *s = (ids_peer_status){
        .role = leading ? IDS_ROLE_PRIMARY : IDS_ROLE_REPLICA,
        .mode = peer->config.mode,
        .epoch = ids_peer_epoch(peer),
        .self = {peer->config.node, peer->config.incarnation},
        .other = peer->other,
        .in_sync = leading ? peer->known.replica.node != 0
                           : ids_decision_is_in_sync(
                                 &peer->known, ids_follower_copy_of(peer)),
        .connected = peer->session != 0 && peer->streams > 0 &&
                     peer->streams_open == peer->streams,
        .syncing = peer->syncing,
        .had_replica = peer->known.had_replica,
        .disowned = peer->disowned,
        .parting = peer->parting,
        .pending = peer->pending,
        .streams = leading ? peer->config.loops : 0,
        .other_at = peer->other_at,
        .refusal = peer->refusal,
        .refused_ms = peer->now_ms - peer->refusal.at_ms};
    if (leading && s->in_sync)
        s->other = peer->known.replica;
    add_lags(peer, s);
    list_members(peer, s);
    ids_peer_primary_at(peer, &s->primary_at);
    name(&other, &peer->other_at, s->other.node);
    if (leading)
        say_primary(peer, s, other.text, s->state);
    else
        say_replica(peer, s, other.text, s->state);
}
