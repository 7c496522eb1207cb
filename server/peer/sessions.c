/* SPDX-License-Identifier: Apache-2.0 */
/* sessions.c -- a session begins, and ends with all that rests on it; so does
 * the lead.
 *
 * Pure. What an end means for either role stands here, below both: whoever
 * finds a link unfit, or hears of a higher epoch, says so here. */
#include "server/peer/halves.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

bool ids_session_begin(ids_peer *peer, ids_session *session, ids_link *link,
                       uint32_t streams, uint64_t epoch) {
    ids_link **grown =
        realloc((void *)session->stream, streams * sizeof *session->stream);
    assert(streams >= 1 && streams <= IDP_SHARDS_MAX);
    assert(link->state == IDS_LINK_OPEN && link->stream == 0);
    if (grown == NULL)
        return false;
    assert(session->id == 0 && link->session != 0);
    memset((void *)grown, 0, streams * sizeof *grown);
    grown[0] = link;
    session->stream = grown;
    session->streams = streams;
    session->streams_open = 0;
    session->id = link->session;
    session->epoch = epoch;
    peer->news++;
    return true;
}

void ids_session_note_other(ids_peer *peer, ids_session *session,
                            const ids_link *link) {
    assert(link->other.member.node != 0);
    session->other = peer->other = link->other.member;
    session->other_name = peer->other_name = link->other.name;
    session->other_life = link->other.life;
    ids_session_heard_settings(peer, session, link->other.settings);
}

void ids_session_heard_settings(ids_peer *peer, ids_session *session,
                                uint64_t settings) {
    assert(session->other.node != 0);
    session->other_settings = settings;
    session->settings_differ = peer->settings_differ =
        settings != peer->config.settings;
    peer->news++;
}

/* Who is connected hears of it; others do with the next HELLO. */
static void tell_settings(ids_peer *peer, ids_session *session) {
    ids_link *link = session->id != 0 ? session->stream[0] : NULL;
    if (session->other.node == 0)
        return;
    ids_session_heard_settings(peer, session, session->other_settings);
    if (link != NULL && link->state == IDS_LINK_OPEN)
        ids_link_say(link, IDS_PF_SETTINGS, ids_peer_epoch(peer),
                     peer->config.settings, 0);
}

void ids_peer_set_settings(ids_peer *peer, uint64_t settings) {
    assert(settings <= IDS_PF_NUMBER_MAX);
    if (settings == peer->config.settings)
        return;
    peer->config.settings = settings;
    tell_settings(peer, &peer->upstream);
    for (uint32_t i = 0; i < peer->config.places; i++)
        tell_settings(peer, &peer->follower[i].session);
}

static void end_session(ids_peer *peer, ids_session *session) {
    uint64_t id = session->id;
    uint32_t i = peer->link_count;
    assert(session->stream != NULL && session->streams >= 1);
    assert(id != 0);
    session->id = 0;
    peer->news++;
    while (i-- > 0)
        if (peer->links[i]->session == id)
            ids_peer_drop_link(peer, peer->links[i]);
}

bool ids_peer_has_session(const ids_peer *peer) {
    return peer->upstream.id != 0 || ids_primary_has_session(peer);
}

bool ids_peer_has_session_of(const ids_peer *peer, uint64_t id) {
    bool has = id != 0 && peer->upstream.id == id;
    for (uint32_t i = 0; i < peer->config.places; i++)
        has |= id != 0 && peer->follower[i].session.id == id;
    return has;
}

/* --- this node as a replica ----------------------------------------------- */

void ids_follower_note_positions(ids_peer *peer) {
    assert(peer->upstream.streams <= IDP_SHARDS_MAX);
    assert(peer->receivers != NULL);
    for (uint32_t k = 0; k < peer->upstream.streams; k++) {
        peer->copy_at[k] = peer->receivers[k].applied;
        ids_history_reached(&peer->history, peer->upstream.epoch, k,
                            peer->copy_at[k]);
    }
}

static void upstream_over(ids_peer *peer) {
    const ids_peer_driver *driver = &peer->config.driver;
    assert(peer->upstream.id != 0);
    assert(!peer->syncing || peer->started);
    if (peer->in_place && IDS_RULE_OFF(K_WHOLE)) {
        ids_follower_note_positions(peer);
        ids_history_add(&peer->history, peer->upstream.epoch,
                        peer->upstream.streams, peer->copy_at);
    }
    if (peer->started && !peer->syncing)
        ids_follower_note_positions(peer);
    if (peer->syncing && !peer->in_place &&
        (!IDS_RULE_OFF(R7) || peer->swap_due))
        driver->staged_drop(driver->ctx);
    peer->started = peer->syncing = peer->swap_due = false;
    peer->in_place = peer->gather_due = false;
    peer->detached_pending = peer->admitted_pending = false;
    peer->behind_ms = 0;
    if (peer->upstream.stream[0] != NULL)
        peer->other_leads = false; /* it may be gone for good */
}

void ids_peer_end_upstream(ids_peer *peer) {
    if (peer->upstream.id == 0)
        return;
    ids_full_copy_is_over(peer, NULL);
    upstream_over(peer);
    end_session(peer, &peer->upstream);
    assert(!peer->started && !peer->syncing && !peer->swap_due);
}

/* --- and as a primary ----------------------------------------------------- */

void ids_primary_joins_not(ids_peer *peer, ids_follower *f) {
    uint32_t place = ids_primary_place(peer, f);
    for (uint32_t k = 0; k < peer->config.loops && f->joining; k++)
        peer->commit_indexes[k].joining[place] = UINT64_MAX;
    peer->news += f->joining;
    f->joining = false;
}

static void follower_over(ids_peer *peer, ids_follower *f) {
    assert(f->session.id != 0);
    for (uint32_t k = 0; k < peer->config.loops; k++) {
        ids_progress_end(&f->progress[k]);
        f->heard_ack[k] = false;
    }
    /* Once the admission is proposed it may be on record; and what was offered
     * may be in etcd (N3). */
    if ((peer->pending != IDS_PENDING_ADMIT ||
         peer->pending_place != ids_primary_place(peer, f)) &&
        (!peer->config.under_agent || IDS_RULE_OFF(N3_ENDS)))
        ids_primary_joins_not(peer, f);
    for (uint32_t i = 0; i < peer->config.places && IDS_RULE_OFF(OWN_SESSION);
         i++)
        ids_primary_joins_not(peer, &peer->follower[i]);
    f->reported = f->report_is_recorded = f->asked = f->yields = false;
    f->joins_by_key = false;
    f->behind_ms = 0;
    if (f->parting == IDS_PARTING_REPORTED)
        f->parting = IDS_PARTING_UNHEARD;
}

void ids_primary_end_session(ids_peer *peer, ids_follower *f) {
    if (f->session.id == 0)
        return;
    ids_full_copy_is_over(peer, f);
    follower_over(peer, f);
    end_session(peer, &f->session);
}

void ids_primary_end_sessions(ids_peer *peer) {
    for (uint32_t i = 0; i < peer->config.places; i++)
        ids_primary_end_session(peer, &peer->follower[i]);
    assert(!ids_primary_has_session(peer));
}

void ids_peer_end_sessions(ids_peer *peer) {
    ids_peer_end_upstream(peer);
    ids_primary_end_sessions(peer);
}

/* --- a link that is unfit, a node that leads no more ---------------------- */

void ids_peer_fault(ids_peer *peer, ids_link *link) {
    ids_follower *f = ids_primary_follower_of(peer, link);
    if (ids_session_has(&peer->upstream, link))
        ids_peer_end_upstream(peer);
    else if (f != NULL)
        ids_primary_end_session(peer, f);
    if (ids_peer_has_link(peer, link))
        ids_peer_drop_link(peer, link);
}

void ids_primary_stand_down(ids_peer *peer, bool pending) {
    const ids_peer_driver *driver = &peer->config.driver;
    for (uint32_t k = 0; k < peer->config.loops && peer->leading; k++)
        ids_history_reached(&peer->history, peer->lead_epoch, k,
                            peer->reported[k].last);
    peer->leading = false;
    peer->switch_epoch = 0;
    for (uint32_t i = 0; i < peer->config.places && peer->config.under_agent;
         i++)
        ids_primary_joins_not(peer, &peer->follower[i]); /* N3 */
    for (uint32_t k = 0; k < peer->config.loops; k++) {
        for (uint32_t i = 0; i < peer->config.places; i++)
            ids_progress_end(&peer->follower[i].progress[k]);
        if (IDS_RULE_OFF(DROPS_PENDING))
            for (uint32_t i = 0; i < IDS_FOLLOWERS_MAX; i++)
                peer->commit_indexes[k].member[i] = UINT64_MAX;
    }
    driver->stand_down(driver->ctx, pending);
}

/* Others were told before this node has it on record that it shall lead. */
static bool is_its_own(const ids_peer *peer, uint64_t epoch) {
    assert(peer->pending != IDS_PENDING_PROMOTE || peer->proposed.epoch != 0);
    return peer->config.under_agent && peer->pending == IDS_PENDING_PROMOTE &&
           peer->proposed.epoch == epoch;
}

void ids_peer_saw_epoch(ids_peer *peer, uint64_t epoch) {
    if (is_its_own(peer, epoch))
        return;
    if (epoch <= ids_peer_epoch(peer) ||
        (IDS_RULE_OFF(STEPS_DOWN) && peer->leading))
        return;
    peer->seen_epoch = epoch;
    assert(ids_peer_epoch(peer) == epoch);
    assert(!peer->leading || epoch > peer->lead_epoch);
    peer->overtaken = true;
    if (!peer->leading)
        return;
    ids_primary_stand_down(peer, true);
    ids_peer_end_sessions(peer);
}
