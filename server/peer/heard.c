/* SPDX-License-Identifier: Apache-2.0 */
/* heard.c -- what comes on a link: the handshake's steps, then frames, each for
 * the role that this node has.
 *
 * Pure. Bytes come in here and are frames behind it. */
#include "server/peer/halves.h"
#include "server/peer/magic.h"

#include <assert.h>
#include <string.h>

void ids_peer_lost(ids_peer *peer, ids_link *link, uint64_t now_ms) {
    assert(link->state != IDS_LINK_CLOSED);
    ids_peer_set_now(peer, now_ms);
    ids_peer_was_mute(peer, link);
    if (link->state == IDS_LINK_DIALLED && link->stream == 0)
        peer->other_leads = false; /* not there, as it seems */
    ids_peer_fault(peer, link);
}

/* --- frames --------------------------------------------------------------- */

/* False: the link is gone. */
static bool turn_away_heard(ids_peer *peer, ids_link *link,
                            ids_refusal_why why) {
    ids_peer_refuse(peer, link, why);
    return false;
}

static bool hang_up_link(ids_peer *peer, ids_link *link) {
    ids_peer_fault(peer, link);
    return false;
}

/* A number that no session of this node has. */
static uint64_t new_session(const ids_peer *peer) {
    const ids_peer_driver *driver = &peer->config.driver;
    uint64_t id = 0;
    while (id == 0 || ids_peer_has_session_of(peer, id))
        driver->random(driver->ctx, &id, sizeof id);
    assert(id != 0 && !ids_peer_has_session_of(peer, id));
    return id;
}

static bool hello(ids_peer *peer, ids_link *link, const ids_pf *frame) {
    const ids_link_key *key = &peer->config.key;
    ids_refusal_why why = ids_link_hello(link, frame, key);
    ids_link_self self;
    ids_link_offer offer;
    assert(!link->dialled && link->state == IDS_LINK_ACCEPTED);
    if (why != IDS_REFUSAL_NONE)
        return turn_away_heard(peer, link, why);
    if (link->stream != 0 &&
        (ids_primary_follower_of(peer, link) == NULL || !peer->leading ||
         link->stream >= peer->config.loops))
        return hang_up_link(peer, link);
    self = ids_peer_self(peer);
    ids_primary_offer(peer, link, &offer);
    assert(offer.streams == peer->config.loops);
    offer.session = link->stream == 0 ? new_session(peer) : link->session;
    why = ids_link_welcome(link, &self, &offer, key);
    return why == IDS_REFUSAL_NONE || turn_away_heard(peer, link, why);
}

/* Where someone is that leads; and who was asked, unless somebody else has said
 * meanwhile that it leads, or there are more to ask. Of one that only knocks it
 * is not. */
static bool is_worth_noting(const ids_peer *peer, const ids_link *link) {
    bool leads =
        link->other.primary && link->other.epoch >= ids_peer_epoch(peer);
    return leads || (link->dialled && peer->config.others_count == 0 &&
                     (!peer->other_leads ||
                      ids_endpoint_same(&link->dialled_to, &peer->other_at)));
}

/* A link is open: what the other says of itself counts from here on. */
static bool hear_opened(ids_peer *peer, ids_link *link) {
    ids_refusal_why why = ids_peer_judge(peer, link);
    assert(link->state == IDS_LINK_OPEN);
    assert(link->other.member.node != 0);
    if (why != IDS_REFUSAL_NONE)
        return turn_away_heard(peer, link, why);
    if (is_worth_noting(peer, link))
        ids_peer_note_whereabouts(peer, link);
    ids_peer_saw_epoch(peer, link->other.epoch);
    if (!ids_peer_has_link(peer, link))
        return false;
    return link->dialled ? ids_follower_opened(peer, link)
                         : ids_primary_opened(peer, link);
}

/* R6: a lower epoch is answered with the higher. */
static bool answer_lower(ids_peer *peer, ids_link *link) {
    assert(ids_peer_epoch(peer) > 0);
    ids_link_refuse(link, ids_peer_epoch(peer), IDS_REFUSAL_NONE);
    return hang_up_link(peer, link);
}

/* The other end says why; what it says of epochs counts only if it has shown
 * that it knows the secret. */
static bool hear_refusal(ids_peer *peer, ids_link *link, const ids_pf *frame) {
    ids_refusal_why why = ids_link_refused(frame);
    if (why != IDS_REFUSAL_NONE)
        ids_peer_note_refusal(peer, link, why, true);
    return hang_up_link(peer, link);
}

static bool hear_in_session(ids_peer *peer, ids_link *link,
                            const ids_pf *frame) {
    assert(link->state == IDS_LINK_OPEN);
    if (ids_peer_is_other_session(frame->session, link->session))
        return true; /* dropped: another session's */
    if (!ids_peer_epoch_is_sound(peer, frame->epoch))
        return turn_away_heard(peer, link, IDS_REFUSAL_EPOCH);
    if (frame->number > IDS_PF_NUMBER_MAX)
        return turn_away_heard(peer, link, IDS_REFUSAL_NUMBER);
    if (frame->kind == IDS_PF_REFUSE && frame->count != 0)
        return hear_refusal(peer, link, frame);
    if (frame->epoch > ids_peer_epoch(peer)) {
        ids_peer_saw_epoch(peer, frame->epoch);
        if (ids_peer_has_link(peer, link))
            ids_peer_fault(peer, link);
        return false;
    }
    if (ids_peer_refuses(peer, frame->epoch))
        return answer_lower(peer, link);
    if (frame->kind == IDS_PF_REFUSE || frame->stream != link->stream)
        return hang_up_link(peer, link);
    assert(frame->epoch <= ids_peer_epoch(peer));
    return link->dialled ? ids_follower_frame(peer, link, frame)
                         : ids_primary_frame(peer, link, frame);
}

/* False: the link is gone. */
static bool handle(ids_peer *peer, ids_link *link, const ids_pf *frame) {
    const ids_link_key *key = &peer->config.key;
    ids_follower *f = ids_primary_follower_of(peer, link);
    ids_refusal_why why;
    assert(link->state != IDS_LINK_CLOSED);
    assert(frame->kind > 0 && frame->kind < IDS_PF_KIND_COUNT);
    link->last_received_ms = peer->now_ms;
    if (f != NULL && link->state == IDS_LINK_OPEN)
        f->heard_ms = peer->now_ms;
    if (f != NULL && link->state == IDS_LINK_OPEN &&
        ids_primary_has_member(peer, f))
        f->last_received_ms = peer->now_ms;
    if (link->state == IDS_LINK_OPEN)
        return hear_in_session(peer, link, frame);
    if (frame->kind == IDS_PF_REFUSE)
        return hear_refusal(peer, link, frame);
    if (link->state == IDS_LINK_ACCEPTED)
        return hello(peer, link, frame);
    why = link->dialled ? ids_link_welcomed(link, frame, key)
                        : ids_link_proven(link, frame, key);
    if (why != IDS_REFUSAL_NONE)
        return turn_away_heard(peer, link, why);
    peer->mute_count = 0;
    return hear_opened(peer, link);
}

/* Not the peer's wire: what the node there says to clients, or damage. */
static void end_broken_link(ids_peer *peer, ids_link *link) {
    static const char no_peer[] = IDS_LINK_NO_PEER;
    size_t len = link->in.len - link->in_at;
    bool is_no_peer =
        len >= sizeof no_peer - 1 &&
        memcmp(link->in.ptr + link->in_at, no_peer, sizeof no_peer - 1) == 0;
    assert(link->in_at <= link->in.len);
    if (link->state == IDS_LINK_OPEN)
        ids_peer_fault(peer, link);
    else
        ids_peer_refuse(peer, link,
                        link->dialled && is_no_peer ? IDS_REFUSAL_NO_PEER
                                                    : IDS_REFUSAL_MALFORMED);
}

static bool receiver_is_full(const ids_peer *peer, const ids_link *link) {
    assert(!peer->started || peer->upstream.id != 0);
    return link->dialled && peer->started && link->state == IDS_LINK_OPEN &&
           ids_session_has(&peer->upstream, link) &&
           link->stream < peer->upstream.streams &&
           ids_receiver_is_full(&peer->receivers[link->stream]);
}

void ids_peer_input(ids_peer *peer, ids_link *link, const uint8_t *bytes,
                    size_t len, uint64_t now_ms) {
    ids_pf frame;
    assert(link->state != IDS_LINK_CLOSED);
    ids_peer_set_now(peer, now_ms);
    if (!ids_link_take(link, bytes, len)) {
        ids_peer_fault(peer, link);
        return;
    }
    while (!receiver_is_full(peer, link)) {
        ids_pf_read_status status = ids_link_next(link, &frame);
        if (status == IDS_PF_PARTIAL)
            return;
        if (status == IDS_PF_BROKEN) {
            end_broken_link(peer, link);
            return;
        }
        if (!handle(peer, link, &frame))
            return;
    }
}
