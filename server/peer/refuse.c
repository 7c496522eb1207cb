/* SPDX-License-Identifier: Apache-2.0 */
/* refuse.c -- whom a node does not work with, and what it says of that.
 *
 * Pure. What is judged here has shown that it knows the secret, if there is
 * one. Each cause is noted once, so that a log can tell it once. */
#include "server/peer/halves.h"

#include <assert.h>
#include <string.h>

/* A cause that was not met for so long is news again. */
#define NEWS_AGAIN_MS 60000
/* A connection may end by accident; so often in a row it does not. */
#define MUTE_AFTER    3

/* --- who --------------------------------------------------------------------
 */

/* This node has dialled, and reached itself. */
static bool is_own(const ids_peer *peer, const ids_link *link) {
    if (memcmp(peer->dialled_nonce, link->other.nonce, IDS_LINK_NONCE_BYTES) ==
        0)
        return !link->dialled;
    for (uint32_t i = 0; i < peer->link_count; i++) {
        const ids_link *each = peer->links[i];
        if (each != link && each->dialled != link->dialled &&
            memcmp(each->self.nonce, link->other.nonce, IDS_LINK_NONCE_BYTES) ==
                0)
            return true;
    }
    return false;
}

/* R6, R11: there is one primary in an epoch. A node that led in one follows
 * nobody else's lead in it, also when it has stopped. */
static bool led_beside(const ids_peer *peer, const ids_link_self *other) {
    uint64_t led = ids_peer_led(peer);
    assert(led <= ids_peer_epoch(peer));
    if (IDS_RULE_OFF(ONE_LEADS) || led == 0 || other->epoch != led ||
        ids_peer_epoch(peer) != led)
        return false; /* or someone leads in a later one: that is over */
    if (other->member.node == peer->config.node)
        return peer->leading && other->primary;
    return other->led == led || other->primary;
}

/* It still leads in the epoch in which its history began, and nobody chose it:
 * it found no record of a pair. Whom an operator promotes is in a later one. */
static bool began_alone(bool leads, uint64_t epoch, const ids_origin *origin) {
    return leads && epoch == origin->epoch && !origin->by_word;
}

/* R3, R5: such a one is no source of a copy for whoever holds what was
 * acknowledged, nor is its epoch a reason to stop. A lower one gives way. */
static bool would_lose(const ids_peer *peer, const ids_link_self *other) {
    const ids_origin *mine = &peer->known.origin;
    uint64_t epoch = ids_peer_epoch(peer);
    assert(mine->epoch <= epoch);
    if (IDS_RULE_OFF(ORIGIN) || mine->epoch == other->origin.epoch)
        return false;
    if (began_alone(other->primary, other->epoch, &other->origin) &&
        other->epoch >= epoch && ids_peer_guards(peer))
        return true;
    return began_alone(peer->leading, epoch, mine) && epoch >= other->epoch &&
           other->guards;
}

ids_refusal_why ids_peer_judge(const ids_peer *peer, const ids_link *link) {
    const ids_link_self *other = &link->other;
    assert(link->state == IDS_LINK_OPEN);
    if (link->way == IDS_LINK_BAD_CERT)
        return IDS_REFUSAL_BAD_CERT;
    if (peer->config.wants_tls && link->way == IDS_LINK_PLAIN)
        return IDS_REFUSAL_NO_TLS;
    if (is_own(peer, link))
        return IDS_REFUSAL_ITSELF;
    if (!ids_peer_epoch_is_sound(peer, other->epoch) ||
        !ids_peer_epoch_is_sound(peer, other->led) ||
        other->origin.epoch > other->epoch)
        return IDS_REFUSAL_EPOCH;
    if (link->offer.first > IDS_PF_NUMBER_MAX ||
        link->offer.last > IDS_PF_NUMBER_MAX)
        return IDS_REFUSAL_NUMBER;
    if (led_beside(peer, other))
        return IDS_REFUSAL_TWO_PRIMARIES;
    if (other->member.node == peer->config.node)
        return IDS_REFUSAL_SAME_NAME;
    if (would_lose(peer, other))
        return IDS_REFUSAL_ORIGIN;
    if (other->result_bytes_max != peer->config.result_bytes_max)
        return IDS_REFUSAL_MAX_RESULT;
    return link->dialled ? IDS_REFUSAL_NONE
                         : ids_primary_judge(peer, other, link->stream);
}

/* --- and what is said of it -------------------------------------------------
 */

static ids_refusal refusal_of(const ids_peer *peer, const ids_link *link,
                              ids_refusal_why why, bool by_other) {
    ids_refusal refusal = {.why = why,
                           .by_other = by_other,
                           .at_ms = peer->now_ms,
                           .name = link->other.name};
    assert(why > IDS_REFUSAL_NONE && why < IDS_REFUSAL_COUNT);
    if (link->dialled)
        refusal.at = link->dialled_to;
    else
        ids_endpoint_complete(&refusal.at, &link->other.at, link->seen_host);
    if (!ids_endpoint_is_set(&refusal.at)) /* at least from where */
        memcpy(refusal.at.text, link->seen_host, sizeof refusal.at.text);
    return refusal;
}

/* A place for this cause; NULL: it is known, or there are too many. Of nodes
 * that have not proven anything all that counts is the cause. */
static ids_cause *place_for(ids_peer *peer, ids_refusal_why why,
                            uint64_t node) {
    ids_cause *oldest = &peer->causes[0];
    for (int i = 0; i < IDS_CAUSES_MAX; i++) {
        ids_cause *each = &peer->causes[i];
        bool is_old = peer->now_ms >= each->refusal.at_ms + NEWS_AGAIN_MS;
        assert(each->refusal.at_ms <= peer->now_ms);
        if (each->refusal.why == why && each->node == node && !is_old) {
            each->refusal.at_ms = peer->now_ms;
            return NULL;
        }
        if (each->refusal.at_ms < oldest->refusal.at_ms ||
            each->refusal.why == IDS_REFUSAL_NONE)
            oldest = each;
    }
    if (oldest->refusal.why != IDS_REFUSAL_NONE &&
        peer->now_ms < oldest->refusal.at_ms + NEWS_AGAIN_MS)
        return NULL;
    return oldest;
}

void ids_peer_note_refusal(ids_peer *peer, const ids_link *link,
                           ids_refusal_why why, bool by_other) {
    bool proven = link->state == IDS_LINK_OPEN;
    ids_cause *cause =
        place_for(peer, why, proven ? link->other.member.node : 0);
    assert(why != IDS_REFUSAL_NONE);
    peer->refusal = refusal_of(peer, link, why, by_other);
    if (cause != NULL)
        *cause = (ids_cause){.refusal = peer->refusal,
                             .node = proven ? link->other.member.node : 0};
    peer->mute_count = 0;
    if (link->dialled && why != IDS_REFUSAL_NOT_PRIMARY)
        peer->redial_at_ms = peer->now_ms + peer->config.silence_ms / 2;
}

bool ids_peer_next_refusal(ids_peer *peer, ids_refusal *refusal) {
    for (int i = 0; i < IDS_CAUSES_MAX; i++) {
        ids_cause *each = &peer->causes[i];
        if (each->refusal.why == IDS_REFUSAL_NONE || each->is_logged)
            continue;
        each->is_logged = true;
        assert(each->refusal.why < IDS_REFUSAL_COUNT);
        *refusal = each->refusal;
        return true;
    }
    return false;
}

/* Two lead in one epoch: neither may, and neither may be promoted as if
 * nothing had happened. */
static void stop_leading(ids_peer *peer) {
    peer->disowned = true;
    peer->admit_epoch = 0;
    if (!peer->leading)
        return;
    ids_primary_stand_down(peer, true);
    ids_peer_end_sessions(peer);
    peer->overtaken = true; /* what is being recorded counts no more */
}

void ids_peer_refuse(ids_peer *peer, ids_link *link, ids_refusal_why why) {
    assert(why != IDS_REFUSAL_NONE);
    ids_peer_note_refusal(peer, link, why, false);
    ids_link_refuse(link, ids_peer_epoch(peer), why);
    ids_peer_fault(peer, link);
    if (why == IDS_REFUSAL_TWO_PRIMARIES)
        stop_leading(peer);
}

void ids_peer_was_mute(ids_peer *peer, const ids_link *link) {
    bool reached = link->state == IDS_LINK_DIALLED && link->seen_host[0] != 0;
    assert(link->state != IDS_LINK_CLOSED);
    if (link->way == IDS_LINK_BAD_CERT)
        ids_peer_note_refusal(peer, link, IDS_REFUSAL_BAD_CERT, false);
    else if (link->way == IDS_LINK_NO_TLS)
        ids_peer_note_refusal(peer, link, IDS_REFUSAL_NO_TLS, false);
    else if (reached && ++peer->mute_count >= MUTE_AFTER)
        ids_peer_note_refusal(peer, link, IDS_REFUSAL_MUTE, false);
}
