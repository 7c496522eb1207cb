/* SPDX-License-Identifier: Apache-2.0 */
/* handover.c -- who leads next: a replica that is told to, and a primary that
 * hands over to one of its members, in peace.
 *
 * Pure. Nothing is served while it hands over; every member has all that there
 * is before it is on record that this node leads no more, and only then one of
 * them is told to lead. */
#include "server/peer/halves.h"

#include <assert.h>

ids_deciding ids_peer_promote(ids_peer *peer, uint64_t epoch,
                              bool accept_loss) {
    ids_decision next;
    ids_deciding verdict = IDS_DECIDING_BUSY;
    if (peer->config.under_agent)
        return IDS_DECIDING_AGENT; /* also by its primary's word (N5) */
    if (peer->pending != IDS_PENDING_NONE ||
        peer->seen_epoch > peer->known.epoch)
        return verdict;
    if (epoch <= ids_peer_epoch(peer) && !peer->leading)
        return IDS_DECIDING_EPOCH_TOO_LOW;
    if (!ids_peer_epoch_is_sound(peer, epoch))
        return IDS_DECIDING_EPOCH_TOO_HIGH;
    verdict = ids_decide_promote(&peer->known, epoch, ids_peer_copy_of(peer),
                                 accept_loss, &next);
    assert(verdict != IDS_DECIDING_OK || next.epoch >= peer->known.epoch);
    if (verdict == IDS_DECIDING_OK)
        ids_peer_propose(peer, IDS_PENDING_PROMOTE, &next);
    return verdict;
}

/* Who is to lead; NULL: nobody that could. */
static const ids_follower *heir(const ids_peer *peer, uint64_t node) {
    assert(peer->leading);
    for (uint32_t i = 0; i < peer->config.places; i++) {
        const ids_follower *f = &peer->follower[i];
        if (ids_primary_has_member(peer, f) &&
            (node == 0 || node == f->session.other.node))
            return f;
    }
    return NULL;
}

ids_deciding ids_peer_switchover(ids_peer *peer, uint64_t epoch,
                                 uint64_t node) {
    const ids_peer_driver *driver = &peer->config.driver;
    if (peer->config.under_agent)
        return IDS_DECIDING_AGENT;
    if (!peer->leading)
        return IDS_DECIDING_NOT_PRIMARY;
    if (peer->switch_epoch != 0 || peer->pending != IDS_PENDING_NONE)
        return IDS_DECIDING_BUSY;
    if (epoch <= ids_peer_epoch(peer))
        return IDS_DECIDING_EPOCH_TOO_LOW;
    if (!ids_peer_epoch_is_sound(peer, epoch))
        return IDS_DECIDING_EPOCH_TOO_HIGH;
    if (heir(peer, node) == NULL)
        return IDS_DECIDING_NO_REPLICA;
    assert(ids_decision_members(&peer->known) > 0);
    assert(epoch > peer->lead_epoch);
    peer->switch_epoch = epoch;
    peer->switch_to = node;
    /* One more for a member's record, if any has to yield. */
    peer->switch_until_ms =
        peer->now_ms +
        peer->config.silence_ms * ids_decision_members(&peer->known);
    driver->stand_down(driver->ctx, false);
    return IDS_DECIDING_OK;
}

/* R1: each member has all that there is. */
static bool all_caught_up(const ids_peer *peer) {
    uint32_t members = ids_decision_members(&peer->known), whole = 0;
    assert(peer->leading);
    for (uint32_t i = 0; i < peer->config.places; i++) {
        const ids_follower *f = &peer->follower[i];
        whole += ids_primary_has_member(peer, f) &&
                 ids_primary_caught_up(peer, f, 0, false);
        assert(whole <= members);
    }
    return whole > 0 && whole == members;
}

/* R4: every other member has it on record that it is none, or it might be
 * promoted beside the one that is to lead, or lead already. */
static bool all_yield(ids_peer *peer, const ids_follower *to) {
    bool all = true;
    assert(ids_primary_has_member(peer, to));
    for (uint32_t i = 0; i < peer->config.places; i++) {
        ids_follower *f = &peer->follower[i];
        if (f == to || !ids_primary_has_member(peer, f))
            continue;
        /* What it said of being asked before came before that. */
        if (!f->asked && f->report_is_recorded) {
            assert(f->session.stream[0] != NULL);
            f->asked = ids_link_say(f->session.stream[0], IDS_PF_DETACHED,
                                    peer->lead_epoch, peer->known.version, 0);
            f->reported = f->report_is_recorded = false;
        }
        all = all && (f->yields || IDS_RULE_OFF(YIELDS));
    }
    return all;
}

/* Not this time: it goes on serving, and who has yielded is a member again once
 * it was told so. */
void ids_primary_keeps_on(ids_peer *peer) {
    peer->switch_epoch = 0;
    for (uint32_t i = 0; i < peer->config.places; i++)
        peer->follower[i].asked = peer->follower[i].yields = false;
}

void ids_primary_switch_over(ids_peer *peer) {
    const ids_follower *to = heir(peer, peer->switch_to);
    ids_decision next;
    assert(peer->leading && peer->switch_epoch > peer->known.epoch);
    assert(peer->switch_until_ms > 0);
    if (peer->now_ms >= peer->switch_until_ms) {
        ids_primary_keeps_on(peer);
        return;
    }
    if (peer->pending != IDS_PENDING_NONE || to == NULL || !all_caught_up(peer))
        return;
    peer->switch_to = to->session.other.node; /* and nobody else: they yield */
    if (!all_yield(peer, to))
        return;
    peer->pending_place = ids_primary_place(peer, to);
    ids_decide_follow(&peer->known, peer->known.epoch, &next);
    assert(next.role == IDS_ROLE_REPLICA && next.epoch < peer->switch_epoch);
    ids_peer_propose(peer, IDS_PENDING_SWITCHOVER, &next);
}

static void hand_over_to(ids_peer *peer, const ids_follower *f,
                         uint64_t epoch) {
    assert(!peer->leading && epoch > peer->lead_epoch);
    assert(f->session.stream[0] != NULL);
    if (ids_endpoint_is_set(&f->at))
        peer->other_at = f->at;
    peer->other_http = f->http;
    peer->other_leads = ids_link_say(f->session.stream[0], IDS_PF_SWITCHOVER,
                                     peer->lead_epoch, epoch, 0);
}

/* It is on record that this node is primary no more: now the other may be. */
void ids_primary_handed_over(ids_peer *peer) {
    const ids_follower *f = &peer->follower[peer->pending_place];
    uint64_t epoch = peer->switch_epoch;
    assert(peer->pending_place < peer->config.places);
    if (!peer->leading)
        return;
    assert(peer->known.role == IDS_ROLE_REPLICA);
    assert(epoch > peer->known.epoch);
    ids_primary_stand_down(peer, true);
    peer->handed_over = true;
    if (f->session.id != 0)
        hand_over_to(peer, f, epoch);
    peer->switch_until_ms = peer->now_ms + 2 * peer->config.heartbeat_ms;
}
