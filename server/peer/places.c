/* SPDX-License-Identifier: Apache-2.0 */
/* places.c -- a primary's places for replicas: whose each is, and how they are.
 *
 * Pure, and it only looks. R3: a member keeps its place until a decision takes
 * it away, and a newcomer of another name gets none but a free one. */
#include "server/peer/halves.h"

#include <assert.h>
#include <string.h>

/* Who was heard of within so many heartbeats is alive: another one of the same
 * name is another one. */
#define ALIVE_BEATS 3

/* Who lacks a change that is older is not whole, for an agent. */
#define LAGS_MS 500

static bool same_member(ids_member a, ids_member b) {
    return a.node == b.node && a.incarnation == b.incarnation;
}

uint32_t ids_primary_place(const ids_peer *peer, const ids_follower *follower) {
    ptrdiff_t place = follower - peer->follower;
    assert(place >= 0 && place < IDS_FOLLOWERS_MAX);
    return (uint32_t)place;
}

ids_follower *ids_primary_follower_of(ids_peer *peer, const ids_link *link) {
    for (uint32_t i = 0; i < peer->config.places; i++) {
        ids_follower *f = &peer->follower[i];
        if (ids_session_has(&f->session, link))
            return f;
    }
    return NULL;
}

ids_member ids_primary_member(const ids_peer *peer,
                              const ids_follower *follower) {
    return peer->known.replica[ids_primary_place(peer, follower)];
}

bool ids_primary_has_member(const ids_peer *peer,
                            const ids_follower *follower) {
    return follower->session.id != 0 &&
           same_member(ids_primary_member(peer, follower),
                       follower->session.other);
}

bool ids_primary_is_member(const ids_peer *peer, ids_member other) {
    uint32_t place = ids_decision_place(&peer->known, other.node);
    return place < IDS_FOLLOWERS_MAX &&
           same_member(peer->known.replica[place], other);
}

/* It had all up to the change before, as this memory, when it acknowledged
 * that; since then nobody has heard of it. */
static uint64_t first_unknown(const ids_peer *peer, const ids_link *link) {
    const ids_commit_index *commit_index = &peer->commit_indexes[link->stream];
    uint32_t place = ids_decision_place(&peer->known, link->other.member.node);
    assert(place < IDS_FOLLOWERS_MAX);
    return IDS_RULE_OFF(KEPT_AT) ? peer->reported[link->stream].last + 1
                                 : commit_index->member[place] + 1;
}

void ids_primary_offer(const ids_peer *peer, const ids_link *link,
                       ids_link_offer *offer) {
    *offer = (ids_link_offer){.streams = peer->config.loops};
    if (!peer->leading || link->stream >= peer->config.loops)
        return;
    offer->first = peer->reported[link->stream].first;
    offer->last = peer->reported[link->stream].last;
    assert(offer->first <= offer->last + 1);
    offer->member = ids_primary_is_member(peer, link->other.member);
    if (offer->member)
        offer->from = first_unknown(peer, link);
    assert(offer->from <= offer->last + 1);
}

/* --- whose place it is ---------------------------------------------------- */

/* On record: the member's, or that of one who is being admitted; 0: nobody's.
 */
static uint64_t holder(const ids_peer *peer, uint32_t place) {
    bool admits =
        peer->pending == IDS_PENDING_ADMIT || peer->pending == IDS_PENDING_TOLD;
    const ids_follower *f = &peer->follower[place];
    assert(place < peer->config.places);
    if (peer->config.under_agent && f->joining)
        return f->joiner.node;
    return admits ? peer->proposed.replica[place].node
                  : peer->known.replica[place].node;
}

/* By record or by session. */
static bool follower_is_of(const ids_peer *peer, uint32_t place,
                           uint64_t node) {
    const ids_session *s = &peer->follower[place].session;
    assert(node != 0);
    return holder(peer, place) == node ||
           (holder(peer, place) == 0 && s->id != 0 && s->other.node == node);
}

/* Its own, though it is on record for another, or another is in it. */
static bool is_free_for(const ids_peer *peer, uint32_t place, uint64_t node) {
    const ids_session *s = &peer->follower[place].session;
    uint64_t held = holder(peer, place);
    bool is_held = held != 0 && held != node && !IDS_RULE_OFF(THIRD_NODE);
    bool is_here = s->id != 0 && s->other.node != node;
    return !is_held && (!is_here || IDS_RULE_OFF(STEALS_SESSION));
}

/* Whom it followed until it was promoted, and is still connected to, is about
 * to come as a replica: one place is kept for it. */
static bool expects_another(const ids_peer *peer, uint64_t node) {
    return peer->upstream.id != 0 && peer->upstream.other.node != node &&
           !IDS_RULE_OFF(STEALS_SESSION);
}

uint32_t ids_primary_place_for(const ids_peer *peer, uint64_t node) {
    uint32_t found = IDS_FOLLOWERS_MAX, count = 0;
    assert(node != 0);
    for (uint32_t i = 0; i < peer->config.places; i++) {
        bool is_free = is_free_for(peer, i, node);
        if (follower_is_of(peer, i, node))
            return is_free ? i : IDS_FOLLOWERS_MAX;
        /* Rather where it was last: what is known of it is still there. */
        if (is_free && (found == IDS_FOLLOWERS_MAX ||
                        peer->follower[i].session.other.node == node))
            found = i;
        count += is_free;
    }
    assert(count <= peer->config.places &&
           (found == IDS_FOLLOWERS_MAX) == (count == 0));
    return count == 1 && expects_another(peer, node) ? IDS_FOLLOWERS_MAX
                                                     : found;
}

/* The node of this name that is connected was heard of just now. */
static bool is_alive(const ids_peer *peer, const ids_session *session) {
    assert(session->id == 0 || session->stream != NULL);
    return session->id != 0 && session->stream[0] != NULL &&
           peer->now_ms < session->stream[0]->last_received_ms +
                              ALIVE_BEATS * peer->config.heartbeat_ms;
}

static bool is_another(const ids_peer *peer, const ids_session *session,
                       const ids_link_self *other) {
    return session->other.node == other->member.node &&
           session->other_life != other->life && is_alive(peer, session);
}

static bool is_twice(const ids_peer *peer, const ids_link_self *other) {
    bool is = is_another(peer, &peer->upstream, other);
    for (uint32_t i = 0; i < peer->config.places; i++)
        is |= is_another(peer, &peer->follower[i].session, other);
    return is;
}

ids_refusal_why ids_primary_judge(const ids_peer *peer,
                                  const ids_link_self *other, uint32_t stream) {
    assert(other->member.node != 0);
    if (!peer->leading)
        return other->primary ? IDS_REFUSAL_NONE : IDS_REFUSAL_NOT_PRIMARY;
    if (other->primary)
        return IDS_REFUSAL_NONE;
    if (ids_primary_place_for(peer, other->member.node) == IDS_FOLLOWERS_MAX)
        return IDS_REFUSAL_PLACE_TAKEN;
    if (stream == 0 && is_twice(peer, other))
        return IDS_REFUSAL_SAME_NAME;
    return IDS_REFUSAL_NONE;
}

/* --- how they are -----------------------------------------------------------
 */

bool ids_primary_has_session(const ids_peer *peer) {
    for (uint32_t i = 0; i < peer->config.places; i++)
        if (peer->follower[i].session.id != 0)
            return true;
    return false;
}

bool ids_primary_misses(const ids_peer *peer, const ids_follower *f) {
    assert(peer->now_ms >= f->last_received_ms);
    return ids_primary_member(peer, f).node != 0 &&
           peer->now_ms >= f->last_received_ms + peer->config.stall_ms;
}

bool ids_primary_misses_member(const ids_peer *peer) {
    for (uint32_t i = 0; i < peer->config.places; i++)
        if (ids_primary_misses(peer, &peer->follower[i]))
            return true;
    return false;
}

bool ids_primary_caught_up(const ids_peer *peer, const ids_follower *f,
                           uint64_t lag, bool passed) {
    assert(f->session.streams_open <= f->session.streams);
    if (f->session.id == 0 || f->session.streams_open < peer->config.loops)
        return false;
    for (uint32_t k = 0; k < peer->config.loops; k++) {
        const ids_progress *progress = &f->progress[k];
        uint64_t goal =
            passed ? peer->commit_indexes[k].passed : peer->reported[k].last;
        assert(progress->acked <= peer->reported[k].last);
        assert(peer->commit_indexes[k].passed <= peer->reported[k].last);
        if (progress->state != IDS_SENDING_STREAM || !f->heard_ack[k] ||
            progress->acked + lag < goal)
            return false;
    }
    return true;
}

bool ids_primary_is_whole(const ids_peer *peer, const ids_follower *f) {
    assert(peer->leading);
    if (f->session.id == 0 || f->session.streams_open < peer->config.loops)
        return false;
    for (uint32_t k = 0; k < peer->config.loops; k++) {
        const ids_progress *progress = &f->progress[k];
        assert(progress->acked <= peer->reported[k].last);
        if (progress->state != IDS_SENDING_STREAM || !f->heard_ack[k] ||
            (progress->acked < peer->reported[k].last &&
             ids_lag_ms(&progress->lag, peer->now_ms) > LAGS_MS))
            return false;
    }
    return true;
}
