/* SPDX-License-Identifier: Apache-2.0 */
/* primary.c -- a node as primary: its in-sync set, its commit indexes, what it
 * says to its followers and hears of them.
 *
 * Pure. What its commit indexes wait for is only ever made less by
 * a recorded decision (R3). */
#include "server/peer/halves.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static bool init_follower(ids_follower *f, uint32_t loops) {
    f->senders = calloc(loops, sizeof *f->senders);
    f->progress = calloc(loops, sizeof *f->progress);
    f->heard_ack = calloc(loops, sizeof *f->heard_ack);
    return f->senders != NULL && f->progress != NULL && f->heard_ack != NULL;
}

bool ids_primary_init(ids_peer *peer) {
    uint32_t loops = peer->config.loops;
    peer->rings = calloc(loops, sizeof *peer->rings);
    peer->reported = calloc(loops, sizeof *peer->reported);
    peer->commit_indexes = calloc(loops, sizeof *peer->commit_indexes);
    peer->let_go = calloc(loops, sizeof *peer->let_go);
    if (peer->let_go == NULL || peer->rings == NULL || peer->reported == NULL ||
        peer->commit_indexes == NULL)
        return false;
    for (uint32_t k = 0; k < loops; k++)
        ids_commit_index_open(&peer->commit_indexes[k]);
    for (uint32_t i = 0; i < peer->config.places; i++)
        if (!init_follower(&peer->follower[i], loops))
            return false;
    return true;
}

static void fini_follower(ids_follower *f, uint32_t loops) {
    for (uint32_t k = 0; f->senders != NULL && k < loops; k++)
        ids_sender_fini(&f->senders[k]);
    free(f->senders);
    free(f->progress);
    free(f->heard_ack);
    free(f->session.stream);
}

void ids_primary_fini(ids_peer *peer) {
    for (uint32_t i = 0; i < peer->config.places; i++)
        fini_follower(&peer->follower[i], peer->config.loops);
    for (uint32_t k = 0; peer->rings != NULL && k < peer->config.loops; k++)
        ids_ring_fini(&peer->rings[k]);
    free(peer->rings);
    free(peer->reported);
    free(peer->let_go);
    free(peer->commit_indexes);
}

static void begin_follower(ids_peer *peer, ids_follower *f) {
    assert(f->session.id == 0 && !f->joining);
    for (uint32_t k = 0; k < peer->config.loops; k++) {
        ids_sender *sender = &f->senders[k];
        ids_sender_stop(sender); /* all loops stand still */
        ids_sender_fini(sender);
        ids_sender_init(sender, k, peer->lead_epoch, &peer->rings[k]);
        f->progress[k] = (ids_progress){.reached = peer->rings[k].last};
        if (peer->config.walk_buckets > 0)
            sender->walk_buckets = peer->config.walk_buckets;
        /* N2: it has nothing, as far as is known, also of what this node took
         * over. */
        if (ids_primary_member(peer, f).node != 0)
            peer->commit_indexes[k].member[ids_primary_place(peer, f)] =
                IDS_RULE_OFF(N4_INHERITED) ? peer->rings[k].last : 0;
    }
    f->last_received_ms = f->put_ms = f->heard_ms = peer->now_ms;
    f->had_session = false;
    f->behind_ms = 0;
    f->copying = (ids_copying){.is_on = false};
    f->parting = IDS_PARTING_NONE;
}

bool ids_primary_lead(ids_peer *peer) {
    const ids_peer_driver *driver = &peer->config.driver;
    uint64_t epoch = peer->known.epoch;
    assert(!peer->leading && peer->known.role == IDS_ROLE_PRIMARY);
    assert(epoch != 0 && epoch >= peer->lead_epoch);
    assert(!ids_primary_has_session(peer));
    peer->leading = true;
    peer->handed_over = false;
    peer->lead_epoch = epoch;
    peer->behind_ms = 0;
    uint64_t low[IDS_KEYS_STREAMS_MAX];
    bool is_blank = false;
    for (uint32_t k = 0; k < peer->config.loops; k++) {
        uint64_t last =
            driver->lead(driver->ctx, k, IDS_RULE_OFF(R11) ? 1 : epoch);
        ids_ring_fini(&peer->rings[k]);
        if (!ids_ring_init(&peer->rings[k], peer->config.ring_bytes, last))
            return false;
        peer->reported[k] = ids_ring_report(&peer->rings[k]);
        assert(peer->reported[k].first == last + 1 &&
               peer->reported[k].last == last);
        ids_commit_index_open(&peer->commit_indexes[k]);
        peer->commit_indexes[k].passed = last;
        is_blank |= last == 0;
        if (k < IDS_KEYS_STREAMS_MAX)
            low[k] = last;
    }
    ids_history_add(&peer->history, epoch, peer->config.loops, low);
    for (uint32_t i = 0; i < peer->config.places; i++)
        begin_follower(peer, &peer->follower[i]);
    peer->is_blank = is_blank && peer->config.under_agent &&
                     ids_decision_members(&peer->known) > 0;
    return true;
}

static void note_other(ids_peer *peer, ids_follower *f, const ids_link *link) {
    ids_endpoint at;
    ids_session_note_other(peer, &f->session, link);
    ids_endpoint_complete(&at, &link->other.at, link->seen_host);
    f->at = at;
    ids_endpoint_complete(&f->http, &link->other.http, link->seen_host);
    ids_peer_note_whereabouts(peer, link);
}

/* Only when it has begun the dialler may come with its other streams. */
static bool begin_leading(ids_peer *peer, ids_link *link) {
    uint32_t place = ids_primary_place_for(peer, link->other.member.node);
    ids_follower *f;
    if (place == IDS_FOLLOWERS_MAX)
        return false;
    f = &peer->follower[place];
    assert(peer->leading && link->stream == 0);
    ids_peer_end_upstream(peer); /* of the role before */
    ids_primary_end_session(peer, f);
    f->had_session = true;
    if (f->session.other.node != link->other.member.node)
        f->copying = (ids_copying){.is_on = false};
    f->heard_ms = peer->now_ms;
    note_other(peer, f, link);
    return ids_session_begin(peer, &f->session, link, peer->config.loops,
                             peer->lead_epoch) &&
           ids_primary_say_history(peer, link) &&
           ids_link_say(link, IDS_PF_HEARTBEAT, peer->lead_epoch, 0, 0);
}

static bool grow_set(ids_peer *peer, ids_link *link) {
    ids_follower *f = ids_primary_follower_of(peer, link);
    ids_session *s = f != NULL ? &f->session : NULL;
    if (s == NULL || !ids_is_member(link->other.member, s->other) ||
        link->other.life != s->other_life || s->stream[link->stream] != NULL)
        return false;
    assert(link->stream < s->streams && s->epoch == peer->lead_epoch);
    s->stream[link->stream] = link;
    return true;
}

/* The dialler has proven itself: a session begins, or grows by a stream. What
 * it was offered must still be so. */
bool ids_primary_opened(ids_peer *peer, ids_link *link) {
    bool member = ids_primary_is_member(peer, link->other.member);
    bool good = peer->leading && !link->other.primary &&
                member == (link->offer.member != 0);
    good = good && (link->stream == 0 ? begin_leading(peer, link)
                                      : grow_set(peer, link));
    if (!good)
        ids_peer_fault(peer, link);
    return good;
}

static bool start_stream(ids_peer *peer, ids_follower *f, const ids_link *link,
                         const ids_pf *frame) {
    ids_sender *sender = &f->senders[link->stream];
    ids_progress *progress = &f->progress[link->stream];
    const ids_ring_reported *reported = &peer->reported[link->stream];
    ids_lag_mark at = {reported->last + 1, peer->now_ms, reported->head};
    assert(f->session.epoch == peer->lead_epoch);
    assert(sender->stream == link->stream && sender->epoch == peer->lead_epoch);
    if (progress->session != 0)
        return false;
    assert(f->session.streams_open < f->session.streams);
    f->session.streams_open++;
    if (f->session.streams_open == f->session.streams)
        peer->refusal = (ids_refusal){.why = IDS_REFUSAL_NONE};
    memcpy(f->host, link->seen_host, sizeof f->host);
    if (frame->flags & IDS_PF_FLAG_SYNC) {
        ids_full_copy_begins(peer, f);
        ids_sender_sync(sender, f->session.id);
    } else if (frame->flags & IDS_PF_FLAG_KEYS) {
        if (!ids_primary_starts_by_key(peer, f, sender, frame))
            return false;
    } else {
        if (!ids_sender_continue(sender, f->session.id, frame->number))
            return false;
        at.number = sender->at.number;
        at.offset = sender->at.offset;
    }
    ids_progress_begin(progress, sender, at);
    return true;
}

/* What follows a copy is acknowledged once that has taken the old one's
 * place. */
static bool copy_is_there(const ids_peer *peer, const ids_follower *f) {
    assert(f->session.id != 0);
    for (uint32_t k = 0; k < peer->config.loops; k++)
        if (f->progress[k].state != IDS_SENDING_STREAM || !f->heard_ack[k])
            return false;
    return true;
}

/* The member's acknowledgements move its number in the index; a joining one's
 * are waited for, too, but move nothing yet. */
static bool ack(ids_peer *peer, ids_follower *f, const ids_link *link,
                const ids_pf *frame) {
    uint32_t k = link->stream, place = ids_primary_place(peer, f);
    ids_progress *progress = &f->progress[k];
    ids_commit_index *commit_index = &peer->commit_indexes[k];
    assert(peer->leading && k < peer->config.loops);
    if (frame->number > peer->reported[k].last)
        return false;
    f->heard_ack[k] = true;
    ids_progress_acked(progress, frame->number);
    assert(progress->acked <= peer->reported[k].last);
    assert(progress->reached >= progress->acked);
    if (ids_primary_has_member(peer, f))
        ids_raise(&commit_index->member[place], progress->acked);
    if (ids_primary_has_member(peer, f) && IDS_RULE_OFF(OWN_ACKS))
        for (uint32_t i = 0; i < peer->config.places; i++)
            ids_raise(&commit_index->member[i], progress->acked);
    if (f->joining && ids_is_member(f->joiner, f->session.other))
        ids_raise(&commit_index->joining[place], progress->acked);
    if (f->copying.is_on && copy_is_there(peer, f))
        ids_full_copy_is_done(peer, f);
    bool joined = f->joins_by_key && copy_is_there(peer, f);
    f->joined_by_key += joined;
    f->joins_by_key = f->joins_by_key && !joined;
    return true;
}

static void parting_over(ids_peer *peer, ids_follower *f, ids_parting how) {
    assert(how > IDS_PARTING_REPORTED);
    f->yields = f->asked && how == IDS_PARTING_CONFIRMED;
    if (f->parting != IDS_PARTING_REPORTED)
        return;
    f->parting = how;
    ids_primary_end_session(peer, f);
}

bool ids_primary_frame(ids_peer *peer, ids_link *link, const ids_pf *frame) {
    ids_follower *f = ids_primary_follower_of(peer, link);
    bool good = true;
    if (!peer->leading || f == NULL || f->session.stream[link->stream] != link)
        return true;
    if (frame->kind == IDS_PF_START)
        good = start_stream(peer, f, link, frame);
    else if (frame->kind == IDS_PF_KEYS)
        good = f->progress[link->stream].session == 0 &&
               ids_sender_asked(&f->senders[link->stream], f->session.id,
                                frame->body);
    else if (frame->kind == IDS_PF_ACK)
        good = ack(peer, f, link, frame);
    else if (frame->kind == IDS_PF_DETACHED)
        parting_over(peer, f, IDS_PARTING_CONFIRMED);
    else if (frame->kind == IDS_PF_ADMIT)
        f->report_is_recorded = f->reported;
    else if (frame->kind == IDS_PF_SETTINGS)
        ids_session_heard_settings(peer, &f->session, frame->number);
    else if (frame->kind == IDS_PF_HEARTBEAT && link->stream == 0)
        f->behind_ms = frame->number;
    else
        good = frame->kind == IDS_PF_HEARTBEAT;
    if (good)
        return ids_peer_has_link(peer, link);
    ids_peer_fault(peer, link);
    return false;
}

/* --- the in-sync set ------------------------------------------------------ */

/* In two steps: from the first on, replies wait for it, so that what they
 * have left with stands still; once it has all of that, it can be a member. */
static void admit(ids_peer *peer, ids_follower *f) {
    uint32_t place = ids_primary_place(peer, f);
    ids_decision next;
    if (!f->joining)
        ids_primary_join(peer, f);
    if (peer->pending == IDS_PENDING_NONE &&
        peer->now_ms >= peer->undecided_until_ms &&
        ids_is_member(f->joiner, f->session.other) &&
        (ids_primary_caught_up(peer, f, 0, true) ||
         IDS_RULE_OFF(JOINS_WHOLE)) &&
        ids_decide_admit(&peer->known, place, f->joiner, &next) ==
            IDS_DECIDING_OK) {
        assert(next.replica[place].node == f->joiner.node);
        next.replica_name[place] = f->session.other_name;
        peer->pending_place = place;
        ids_peer_propose(peer, IDS_PENDING_ADMIT, &next);
    }
}

static void tell_followers(ids_peer *peer, ids_follower *f, uint64_t version) {
    assert(ids_primary_has_member(peer, f));
    assert(version != 0 && version <= peer->known.version);
    f->reported = true;
    if (!ids_link_say(f->session.stream[0], IDS_PF_ADMIT, peer->lead_epoch,
                      version, 0))
        ids_primary_end_session(peer, f);
}

static void consider_one(ids_peer *peer, ids_follower *f) {
    assert(peer->leading);
    if (f->parting == IDS_PARTING_REPORTED) {
        if (peer->now_ms >= f->parting_until_ms)
            parting_over(peer, f, IDS_PARTING_UNHEARD);
        return;
    }
    if (!ids_primary_caught_up(peer, f, peer->config.join_lag, false))
        return;
    if (!ids_primary_has_member(peer, f)) {
        if (!peer->config.under_agent || IDS_RULE_OFF(N5))
            admit(peer, f);
    } else if (!f->reported && !f->asked) {
        tell_followers(peer, f, peer->known.version);
    }
}

/* Each member has what this node took over. */
static bool all_have_acked(const ids_peer *peer) {
    assert(peer->leading && peer->is_blank);
    for (uint32_t i = 0; i < peer->config.places; i++) {
        const ids_follower *f = &peer->follower[i];
        if (ids_primary_member(peer, f).node != 0 &&
            (!ids_primary_has_member(peer, f) || !copy_is_there(peer, f)))
            return false;
    }
    return true;
}

void ids_primary_consider(ids_peer *peer) {
    if (!peer->leading || peer->config.mode != IDS_MODE_SYNC)
        return;
    if (peer->switch_epoch != 0 && peer->pending != IDS_PENDING_SWITCHOVER)
        ids_primary_switch_over(peer);
    for (uint32_t i = 0; i < peer->config.places; i++)
        consider_one(peer, &peer->follower[i]);
    peer->is_blank = peer->is_blank && !all_have_acked(peer);
}

void ids_primary_admitted(ids_peer *peer) {
    uint32_t place = peer->pending_place;
    ids_follower *f = &peer->follower[place];
    assert(place < peer->config.places);
    assert(peer->known.replica[place].node != 0);
    f->joining = false;
    if (!peer->leading)
        return;
    f->last_received_ms = peer->now_ms;
    f->parting = IDS_PARTING_NONE;
    f->put_ms = peer->now_ms;
    for (uint32_t k = 0; k < peer->config.loops; k++) {
        ids_commit_index *commit_index = &peer->commit_indexes[k];
        commit_index->member[place] = commit_index->joining[place];
        commit_index->joining[place] = UINT64_MAX;
    }
    ids_primary_consider(peer);
}

void ids_primary_detached(ids_peer *peer) {
    uint32_t place = peer->pending_place;
    ids_follower *f = &peer->follower[place];
    bool is_here =
        f->session.id != 0 && f->session.other.node == peer->detached.node;
    assert(place < peer->config.places);
    assert(peer->detached.node != 0);
    if (!peer->leading)
        return;
    for (uint32_t k = 0; k < peer->config.loops; k++)
        peer->commit_indexes[k].member[IDS_RULE_OFF(OWN_PLACE) ? 0 : place] =
            UINT64_MAX;
    f->parting = IDS_PARTING_UNHEARD;
    if (is_here && ids_link_say(f->session.stream[0], IDS_PF_DETACHED,
                                peer->lead_epoch, peer->known.version, 0)) {
        f->parting = IDS_PARTING_REPORTED;
        f->parting_until_ms = peer->now_ms + peer->config.silence_ms;
    } else {
        ids_primary_end_session(peer, f);
    }
}

/* --- what is sent --------------------------------------------------------- */

void ids_peer_keep(ids_peer *peer, uint32_t loop, uint64_t number,
                   idp_slice encoded) {
    ids_ring *ring = &peer->rings[loop];
    assert(loop < peer->config.loops);
    assert(number > 0);
    if (ring->bytes != NULL) /* else it leads no more, and no loop knows yet */
        ids_ring_put(ring, number, encoded);
}

/* Those behind the last that was told of: where the oldest of them is does not
 * matter, if the ring has let it go by now. */
static void count_new(ids_peer *peer, uint32_t loop) {
    ids_ring_reported was = peer->reported[loop];
    peer->reported[loop] = ids_ring_report(&peer->rings[loop]);
    uint64_t last = peer->reported[loop].last;
    ids_lag_mark first = {was.last + 1, peer->now_ms, was.head};
    assert(last >= was.last && peer->reported[loop].head >= was.head);
    for (uint32_t i = 0; i < peer->config.places && last > was.last; i++)
        ids_progress_took(&peer->follower[i].progress[loop], first, last);
}

void ids_peer_took(ids_peer *peer, uint32_t loop) {
    assert(loop < peer->config.loops);
    ids_peer_count_let_go(peer, loop);
    if (peer->leading)
        count_new(peer, loop);
    for (uint32_t i = 0; i < peer->config.places; i++)
        ids_sender_meet(&peer->follower[i].senders[loop],
                        &peer->follower[i].progress[loop]);
}

ids_sender *ids_primary_pump(ids_peer *peer, ids_link *link) {
    ids_follower *f = ids_primary_follower_of(peer, link);
    ids_sender *sender;
    /* Whoever holds a part of it may be promoted one day, with loss accepted:
     * then this node must not lead by itself at its next start. */
    if (!peer->leading || f == NULL ||
        f->session.stream[link->stream] != link ||
        (!peer->known.had_replica && !IDS_RULE_OFF(HAD_REPLICA)))
        return NULL;
    sender = &f->senders[link->stream];
    if (sender->session != f->session.id) /* START has not come */
        return NULL;
    assert(sender->stream == link->stream);
    assert(sender->epoch == peer->lead_epoch);
    if (sender->state != IDS_SENDING_LOST)
        return sender;
    ids_peer_fault(peer, link);
    return NULL;
}
