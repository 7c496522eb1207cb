/* SPDX-License-Identifier: Apache-2.0 */
/* primary.c -- a node as primary: its session, its in-sync set, its gates.
 *
 * Pure. What it waits for in the gates of its loops is only ever made less by
 * a recorded decision (R3). */
#include "server/peer/halves.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Who was heard of within so many heartbeats is alive: another one of the same
 * name is another one. */
#define ALIVE_BEATS 3

bool ids_primary_init(ids_peer *peer) {
    uint32_t loops = peer->config.loops;
    peer->senders = calloc(loops, sizeof *peer->senders);
    peer->gates = calloc(loops, sizeof *peer->gates);
    peer->heard_ack = calloc(loops, sizeof *peer->heard_ack);
    if (peer->senders == NULL || peer->gates == NULL || peer->heard_ack == NULL)
        return false;
    for (uint32_t k = 0; k < loops; k++)
        peer->gates[k].member = peer->gates[k].joining = UINT64_MAX;
    return true;
}

void ids_primary_fini(ids_peer *peer) {
    for (uint32_t k = 0; peer->senders != NULL && k < peer->config.loops; k++)
        ids_sender_fini(&peer->senders[k]);
    free(peer->senders);
    free(peer->gates);
    free(peer->heard_ack);
}

bool ids_primary_lead(ids_peer *peer) {
    const ids_peer_host *host = &peer->config.host;
    uint64_t epoch = peer->known.epoch;
    bool alone = peer->known.replica.node == 0;
    peer->leading = true;
    peer->lead_epoch = epoch;
    peer->heard_ms = peer->now_ms;
    peer->had_session = false;
    peer->behind_ms = 0;
    peer->parting = IDS_PARTING_NONE;
    for (uint32_t k = 0; k < peer->config.loops; k++) {
        ids_gate *gate = &peer->gates[k];
        uint64_t last = host->lead(host->ctx, k, IDS_RULE_OFF(R11) ? 1 : epoch);
        ids_sender_fini(&peer->senders[k]);
        if (!ids_sender_init(&peer->senders[k], k, epoch,
                             peer->config.ring_bytes, last))
            return false;
        if (peer->config.walk_buckets > 0)
            peer->senders[k].walk_buckets = peer->config.walk_buckets;
        gate->member = alone ? UINT64_MAX : last;
        gate->joining = UINT64_MAX;
        gate->passed = last;
    }
    return true;
}

void ids_primary_stand_down(ids_peer *peer, bool pending) {
    const ids_peer_host *host = &peer->config.host;
    peer->leading = false;
    peer->switch_epoch = 0;
    for (uint32_t k = 0; k < peer->config.loops; k++) {
        ids_sender_stop(&peer->senders[k]);
        if (IDS_RULE_OFF(DROPS_PENDING))
            peer->gates[k].member = UINT64_MAX;
    }
    host->stand_down(host->ctx, pending);
}

static bool same(ids_member a, ids_member b) {
    return a.node == b.node && a.incarnation == b.incarnation;
}

bool ids_primary_has_member(const ids_peer *peer) {
    return peer->session != 0 && same(peer->known.replica, peer->other);
}

bool ids_primary_misses_member(const ids_peer *peer) {
    return peer->known.replica.node != 0 &&
           peer->now_ms >= peer->heard_ms + peer->config.stall_ms;
}

void ids_primary_offer(const ids_peer *peer, const ids_link *link,
                       ids_link_offer *offer) {
    *offer = (ids_link_offer){.streams = peer->config.loops};
    if (!peer->leading || link->stream >= peer->config.loops)
        return;
    offer->first = peer->senders[link->stream].ring.first;
    offer->last = peer->senders[link->stream].ring.last;
    offer->member = same(peer->known.replica, link->other.member);
}

/* Whose place it is: the member's, or that of one who is being admitted. */
static uint64_t holder(const ids_peer *peer) {
    return peer->pending == IDS_PENDING_ADMIT ? peer->proposed.replica.node
                                              : peer->known.replica.node;
}

/* The node of this name that is connected was heard of just now. */
static bool is_alive(const ids_peer *peer) {
    return peer->session != 0 && peer->stream[0] != NULL &&
           peer->now_ms < peer->stream[0]->heard_ms +
                              ALIVE_BEATS * peer->config.heartbeat_ms;
}

ids_refusal_why ids_primary_judge(const ids_peer *peer,
                                  const ids_link_self *other, uint32_t stream) {
    uint64_t node = other->member.node;
    bool is_here = peer->session != 0;
    if (!peer->leading)
        return other->primary ? IDS_REFUSAL_NONE : IDS_REFUSAL_NOT_PRIMARY;
    if (other->primary)
        return IDS_REFUSAL_NONE;
    if ((holder(peer) != 0 && holder(peer) != node &&
         !IDS_RULE_OFF(THIRD_NODE)) ||
        (is_here && peer->other.node != node && !IDS_RULE_OFF(STEALS_SESSION)))
        return IDS_REFUSAL_PLACE_TAKEN;
    if (stream == 0 && peer->other.node == node &&
        peer->other_life != other->life && is_alive(peer))
        return IDS_REFUSAL_SAME_NAME;
    return IDS_REFUSAL_NONE;
}

static void note_other(ids_peer *peer, const ids_link *link) {
    peer->other = link->other.member;
    peer->other_name = link->other.name;
    peer->other_life = link->other.life;
    peer->settings_differ = link->other.settings != peer->config.settings;
    ids_peer_note_whereabouts(peer, link);
}

/* The dialler has proven itself: a session begins, or grows by a stream. What
 * it was offered must still be so. */
bool ids_primary_opened(ids_peer *peer, ids_link *link) {
    bool member = same(peer->known.replica, link->other.member);
    if (!peer->leading || link->other.primary ||
        member != (link->offer.member != 0)) {
        ids_peer_fault(peer, link);
        return false;
    }
    if (link->stream == 0) {
        ids_peer_end_session(peer);
        peer->had_session = true;
        note_other(peer, link);
        /* Only now the dialler may come with its other streams. */
        if (ids_peer_begin_session(peer, link, peer->config.loops,
                                   peer->lead_epoch) &&
            ids_link_say(link, IDS_PF_HEARTBEAT, peer->lead_epoch, 0, 0))
            return true;
    } else if (link->session == peer->session &&
               same(link->other.member, peer->other) &&
               link->other.life == peer->other_life &&
               peer->stream[link->stream] == NULL) {
        peer->stream[link->stream] = link;
        return true;
    }
    ids_peer_fault(peer, link);
    return false;
}

static bool start(ids_peer *peer, const ids_link *link, const ids_pf *frame) {
    ids_sender *sender = &peer->senders[link->stream];
    if (sender->state != IDS_SENDING_OFF)
        return false;
    peer->streams_open++;
    if (peer->streams_open == peer->streams)
        peer->refusal = (ids_refusal){.why = IDS_REFUSAL_NONE};
    memcpy(peer->other_host, link->seen_host, sizeof peer->other_host);
    if (frame->flags & IDS_PF_FLAG_SYNC) {
        ids_peer_copy_begins(peer);
        ids_sender_sync(sender, peer->session);
        return true;
    }
    return ids_sender_continue(sender, peer->session, frame->number);
}

/* What follows a copy is acknowledged once that has taken the old one's
 * place. */
static bool copy_is_there(const ids_peer *peer) {
    for (uint32_t k = 0; k < peer->config.loops; k++)
        if (peer->senders[k].state != IDS_SENDING_STREAM || !peer->heard_ack[k])
            return false;
    return true;
}

/* The member's acknowledgements move the gate; a joining one's are waited
 * for, too, but move nothing yet. */
static bool ack(ids_peer *peer, const ids_link *link, const ids_pf *frame) {
    uint32_t k = link->stream;
    ids_sender *sender = &peer->senders[k];
    ids_gate *gate = &peer->gates[k];
    if (frame->number > sender->ring.last)
        return false;
    peer->heard_ack[k] = true;
    ids_sender_acked(sender, frame->number);
    if (ids_primary_has_member(peer) && sender->acked > gate->member)
        gate->member = sender->acked;
    if (peer->joining && same(peer->joiner, peer->other) &&
        sender->acked > gate->joining)
        gate->joining = sender->acked;
    if (peer->copying.is_on && copy_is_there(peer))
        ids_peer_copy_is_done(peer);
    return true;
}

bool ids_primary_frame(ids_peer *peer, ids_link *link, const ids_pf *frame) {
    bool good = true;
    if (!peer->leading || peer->stream[link->stream] != link)
        return true;
    if (frame->kind == IDS_PF_START)
        good = start(peer, link, frame);
    else if (frame->kind == IDS_PF_ACK)
        good = ack(peer, link, frame);
    else if (frame->kind == IDS_PF_DETACHED)
        ids_primary_parting_over(peer, IDS_PARTING_CONFIRMED);
    else if (frame->kind == IDS_PF_ADMIT)
        peer->told_knows = peer->told;
    else if (frame->kind == IDS_PF_HEARTBEAT && link->stream == 0)
        peer->behind_ms = frame->number;
    else
        good = frame->kind == IDS_PF_HEARTBEAT;
    if (good)
        return ids_peer_has_link(peer, link);
    ids_peer_fault(peer, link);
    return false;
}

void ids_primary_joins_not(ids_peer *peer) {
    for (uint32_t k = 0; k < peer->config.loops && peer->joining; k++)
        peer->gates[k].joining = UINT64_MAX;
    peer->joining = false;
}

void ids_primary_session_over(ids_peer *peer) {
    for (uint32_t k = 0; k < peer->config.loops; k++) {
        ids_sender_stop(&peer->senders[k]);
        peer->heard_ack[k] = false;
    }
    /* Once the admission is proposed it may be on record. */
    if (peer->pending != IDS_PENDING_ADMIT)
        ids_primary_joins_not(peer);
    peer->told = peer->told_knows = false;
    peer->behind_ms = 0;
    if (peer->parting == IDS_PARTING_TOLD)
        peer->parting = IDS_PARTING_UNHEARD;
}

/* Every stream is live and was acknowledged; lag: by so much it may lack
 * behind, or (passed) behind what replies have left with. */
static bool caught_up(const ids_peer *peer, uint64_t lag, bool passed) {
    if (peer->session == 0 || peer->streams_open < peer->config.loops)
        return false;
    for (uint32_t k = 0; k < peer->config.loops; k++) {
        const ids_sender *sender = &peer->senders[k];
        uint64_t goal =
            passed ? peer->gates[k].passed : peer->senders[k].ring.last;
        if (sender->state != IDS_SENDING_STREAM || !peer->heard_ack[k] ||
            sender->acked + lag < goal)
            return false;
    }
    return true;
}

/* In two steps: from the first on, replies wait for it, so that what they
 * have left with stands still; once it has all of that, it can be a member. */
static void admit(ids_peer *peer) {
    ids_decision next;
    if (!peer->joining) {
        peer->joining = true;
        peer->joiner = peer->other;
        for (uint32_t k = 0; k < peer->config.loops; k++)
            peer->gates[k].joining = peer->senders[k].acked;
    }
    if (peer->pending == IDS_PENDING_NONE &&
        peer->now_ms >= peer->undecided_until_ms &&
        same(peer->joiner, peer->other) &&
        (caught_up(peer, 0, true) || IDS_RULE_OFF(JOINS_WHOLE)) &&
        ids_decide_admit(&peer->known, peer->other, &next) == IDS_DECIDING_OK) {
        next.replica_name = peer->other_name;
        ids_peer_propose(peer, IDS_PENDING_ADMIT, &next);
    }
}

static void switch_over(ids_peer *peer) {
    ids_decision next;
    if (peer->now_ms >= peer->switch_until_ms) {
        peer->switch_epoch = 0; /* not this time: it goes on serving */
        return;
    }
    if (peer->pending != IDS_PENDING_NONE || !ids_primary_has_member(peer) ||
        !caught_up(peer, 0, false))
        return;
    ids_decide_follow(&peer->known, peer->known.epoch, &next);
    ids_peer_propose(peer, IDS_PENDING_SWITCHOVER, &next);
}

static void tell(ids_peer *peer, uint64_t version) {
    peer->told = true;
    if (!ids_link_say(peer->stream[0], IDS_PF_ADMIT, peer->lead_epoch, version,
                      0))
        ids_peer_end_session(peer);
}

void ids_primary_consider(ids_peer *peer) {
    if (!peer->leading || peer->config.mode != IDS_MODE_SYNC)
        return;
    if (peer->parting == IDS_PARTING_TOLD) {
        if (peer->now_ms >= peer->parting_until_ms)
            ids_primary_parting_over(peer, IDS_PARTING_UNHEARD);
        return;
    }
    if (peer->switch_epoch != 0 && peer->pending != IDS_PENDING_SWITCHOVER)
        switch_over(peer);
    if (!caught_up(peer, peer->config.join_lag, false))
        return;
    if (!ids_primary_has_member(peer)) {
        admit(peer);
    } else if (!peer->told) {
        tell(peer, peer->known.version);
    }
}

void ids_primary_admitted(ids_peer *peer) {
    peer->joining = false;
    if (!peer->leading)
        return;
    peer->heard_ms = peer->now_ms;
    peer->parting = IDS_PARTING_NONE;
    for (uint32_t k = 0; k < peer->config.loops; k++) {
        ids_gate *gate = &peer->gates[k];
        gate->member = gate->joining;
        gate->joining = UINT64_MAX;
    }
    ids_primary_consider(peer);
}

void ids_primary_detached(ids_peer *peer) {
    bool is_here =
        peer->session != 0 && peer->other.node == peer->detached.node;
    if (!peer->leading)
        return;
    for (uint32_t k = 0; k < peer->config.loops; k++)
        peer->gates[k].member = UINT64_MAX;
    peer->parting = IDS_PARTING_UNHEARD;
    if (is_here && ids_link_say(peer->stream[0], IDS_PF_DETACHED,
                                peer->lead_epoch, peer->known.version, 0)) {
        peer->parting = IDS_PARTING_TOLD;
        peer->parting_until_ms = peer->now_ms + peer->config.silence_ms;
    } else {
        ids_peer_end_session(peer);
    }
}

void ids_primary_parting_over(ids_peer *peer, ids_parting how) {
    if (peer->parting != IDS_PARTING_TOLD)
        return;
    peer->parting = how;
    ids_peer_end_session(peer);
}

/* It is on record that this node is primary no more: now the other may. */
void ids_primary_handed_over(ids_peer *peer) {
    uint64_t epoch = peer->switch_epoch;
    if (!peer->leading)
        return;
    ids_primary_stand_down(peer, true);
    if (peer->session != 0)
        peer->other_leads = ids_link_say(peer->stream[0], IDS_PF_SWITCHOVER,
                                         peer->lead_epoch, epoch, 0);
    peer->switch_until_ms = peer->now_ms + 2 * peer->config.heartbeat_ms;
}

void ids_primary_pump(ids_peer *peer, ids_link *link, ids_shard *shard) {
    ids_sender *sender = &peer->senders[link->stream];
    /* Whoever holds a part of it may be promoted one day, with loss accepted:
     * then this node must not lead by itself at its next start. */
    if (!peer->leading ||
        (!peer->known.had_replica && !IDS_RULE_OFF(HAD_REPLICA)))
        return;
    while (link->out.len < link->unsent_bytes &&
           ids_sender_next(sender, shard, peer->now_ms, &link->out))
        ;
    if (sender->state == IDS_SENDING_LOST)
        ids_peer_fault(peer, link);
}
