/* SPDX-License-Identifier: Apache-2.0 */
/* told.c -- a node under failover agents: what it is told (N2, N3).
 *
 * Pure. It does nothing by itself then (N5): its in-sync set grows by an offer
 * and the record that follows, shrinks and changes hands by the record alone,
 * whoever brings it, in any order, as often as they like. */
#include "server/peer/halves.h"

#include <assert.h>
#include <string.h>

static bool same_id(const ids_group_id *a, const ids_group_id *b) {
    return strcmp(a->text, b->text) == 0;
}

/* This node, with the memory that it has (R5). */
static bool is_self(const ids_peer *peer, const ids_group_member *member) {
    assert(peer->config.node != 0 && peer->config.incarnation != 0);
    return ids_node_number(&member->node) == peer->config.node &&
           (member->incarnation == peer->config.incarnation ||
            IDS_RULE_OFF(N2_INCARNATION));
}

/* --- whom it waits for, each in its place --------------------------------- */

static bool is_taken(const ids_group_member places[static IDS_FOLLOWERS_MAX],
                     uint32_t place) {
    return places[place].node.text[0] != '\0';
}

/* Where that node is known already; else where nobody is. */
static uint32_t
place_of(const ids_peer *peer, uint64_t node,
         const ids_group_member places[static IDS_FOLLOWERS_MAX]) {
    uint32_t place = ids_decision_place(&peer->known, node);
    assert(node != 0);
    if (place < peer->config.places && !is_taken(places, place))
        return place;
    for (uint32_t i = 0; i < peer->config.places; i++) {
        const ids_follower *f = &peer->follower[i];
        bool its = (f->joining && f->joiner.node == node) ||
                   (f->session.id != 0 && f->session.other.node == node);
        if (its && !is_taken(places, i))
            return i;
    }
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t i = 0; i < peer->config.places; i++)
            if (!is_taken(places, i) &&
                (pass == 1 || (peer->follower[i].session.id == 0 &&
                               peer->known.replica[i].node == 0)))
                return i;
    return IDS_FOLLOWERS_MAX;
}

/* False: there are not so many places. */
static bool give_places(const ids_peer *peer, const ids_group *group,
                        ids_group_member places[static IDS_FOLLOWERS_MAX]) {
    memset(places, 0, IDS_FOLLOWERS_MAX * sizeof *places);
    assert(group->isr_count <= IDS_GROUP_NODES_MAX);
    for (uint32_t i = 0; i < group->isr_count; i++) {
        const ids_group_member *member = &group->isr[i];
        uint64_t node = ids_node_number(&member->node);
        uint32_t place;
        if (node == peer->config.node)
            continue;
        place = place_of(peer, node, places);
        if (place == IDS_FOLLOWERS_MAX)
            return false;
        assert(place < peer->config.places && !is_taken(places, place));
        places[place] = *member;
    }
    return true;
}

/* Who has another one's place now goes, and comes again. */
static void clear_places(ids_peer *peer, const ids_group_member *places) {
    assert(peer->leading && peer->pending == IDS_PENDING_NONE);
    for (uint32_t i = 0; i < peer->config.places; i++) {
        ids_follower *f = &peer->follower[i];
        if (is_taken(places, i) && f->session.id != 0 &&
            f->session.other.node != ids_node_number(&places[i].node))
            ids_primary_end_session(peer, f);
    }
}

/* --- N2 ------------------------------------------------------------------- */

static void note_primary(ids_peer *peer, const ids_group *group) {
    uint64_t node = ids_node_number(&group->primary.node);
    bool other =
        peer->upstream.id != 0 && (peer->upstream.other.node != node ||
                                   peer->upstream.epoch < group->epoch);
    assert(!peer->leading);
    assert(group->primary.node.text[0] != '\0');
    if (other)
        ids_peer_end_upstream(peer);
    if (node == peer->config.node)
        return; /* it was, and restarted since */
    if (ids_endpoint_is_set(&group->primary.at) &&
        !ids_endpoint_same(&group->primary.at, &peer->other_at)) {
        peer->other_at = group->primary.at;
        peer->other_http = (ids_endpoint){.text = ""}; /* until it says */
    }
    peer->other_leads = true;
    peer->handed_over = false;
    peer->redial_at_ms = peer->now_ms;
}

/* It leads from a higher epoch on, or follows whom it is told to. */
static ids_deciding take_told_group(ids_peer *peer, const ids_group *group,
                                    uint64_t rev, bool leads, bool begins) {
    ids_group_member places[IDS_FOLLOWERS_MAX];
    ids_decision next;
    assert(peer->config.under_agent && peer->pending == IDS_PENDING_NONE);
    assert(!begins || leads);
    if (!give_places(peer, group, places))
        return IDS_DECIDING_NO_PLACE;
    if (peer->leading && (begins || !leads)) {
        ids_primary_stand_down(peer, true);
        ids_peer_end_sessions(peer);
    } else if (leads && !begins) {
        clear_places(peer, places);
    }
    if (!leads) {
        if (group->epoch > peer->seen_epoch)
            peer->seen_epoch = group->epoch;
        note_primary(peer, group);
    }
    ids_decide_told(&peer->known, group, rev, leads, places, &next);
    assert(next.rev == rev && next.group.text[0] != '\0');
    ids_peer_propose(peer, begins ? IDS_PENDING_PROMOTE : IDS_PENDING_TOLD,
                     &next);
    return IDS_DECIDING_OK;
}

static ids_deciding judge_group(const ids_peer *peer, const ids_group *group,
                                uint64_t rev) {
    const ids_decision *known = &peer->known;
    assert(known->rev == 0 || known->group.text[0] != '\0');
    assert(group->id.text[0] != '\0' && group->epoch != 0);
    if (!peer->config.under_agent)
        return IDS_DECIDING_NO_AGENT;
    if (known->group.text[0] != '\0' && !same_id(&known->group, &group->id))
        return IDS_DECIDING_GROUP;
    if (rev <= known->rev && !IDS_RULE_OFF(N2_REVISION))
        return IDS_DECIDING_OLD;
    if (group->epoch < ids_peer_epoch(peer) && !IDS_RULE_OFF(N2_EPOCH))
        return IDS_DECIDING_OLD;
    if (!ids_peer_epoch_is_sound(peer, group->epoch))
        return IDS_DECIDING_EPOCH_TOO_HIGH;
    return peer->pending != IDS_PENDING_NONE ? IDS_DECIDING_BUSY
                                             : IDS_DECIDING_OK;
}

ids_deciding ids_peer_told(ids_peer *peer, const ids_group *group,
                           uint64_t rev) {
    bool leads = is_self(peer, &group->primary);
    /* Others may have been told before, so that it has heard of this epoch. */
    bool begins = leads ? group->epoch > ids_peer_led(peer)
                        : group->epoch > ids_peer_epoch(peer);
    bool goes_on = peer->leading && peer->lead_epoch == group->epoch;
    ids_deciding verdict = judge_group(peer, group, rev);
    assert(group->isr_count <= IDS_GROUP_NODES_MAX && rev != 0);
    if (verdict != IDS_DECIDING_OK)
        return verdict;
    if (leads && !begins && !goes_on && !IDS_RULE_OFF(N2_RESUMES))
        return IDS_DECIDING_LED; /* R8 */
    if (!leads && !begins && goes_on)
        return IDS_DECIDING_IS_PRIMARY;
    return take_told_group(peer, group, rev, leads, leads && !goes_on);
}

/* --- N3 ------------------------------------------------------------------- */

static ids_follower *candidate(ids_peer *peer, const ids_group_member *member) {
    uint64_t node = ids_node_number(&member->node);
    assert(node != 0 && member->incarnation != 0);
    for (uint32_t i = 0; i < peer->config.places; i++) {
        ids_follower *f = &peer->follower[i];
        if (f->session.id != 0 && f->session.other.node == node &&
            f->session.other.incarnation == member->incarnation)
            return f;
    }
    return NULL;
}

ids_deciding ids_peer_offer(ids_peer *peer, uint64_t rev, uint64_t epoch,
                            const ids_group_member *member) {
    ids_follower *f = candidate(peer, member);
    assert(f == NULL || f->session.id != 0);
    if (!peer->config.under_agent)
        return IDS_DECIDING_NO_AGENT;
    if (!peer->leading || peer->lead_epoch != epoch)
        return IDS_DECIDING_NOT_PRIMARY;
    if (peer->known.rev != rev && !IDS_RULE_OFF(N3_REVISION))
        return IDS_DECIDING_OLD;
    if (peer->pending != IDS_PENDING_NONE)
        return IDS_DECIDING_BUSY;
    assert(peer->leading && peer->known.epoch >= epoch);
    if (f == NULL || !ids_primary_is_whole(peer, f))
        return IDS_DECIDING_NOT_WHOLE;
    if (f->joining || ids_primary_has_member(peer, f))
        return IDS_DECIDING_OK; /* it was told before */
    ids_primary_join(peer, f);
    f->offer_rev = rev;
    assert(f->joining && f->joiner.incarnation == member->incarnation);
    return IDS_DECIDING_OK;
}
