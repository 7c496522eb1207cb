/* SPDX-License-Identifier: Apache-2.0 */
/* peer.c -- a node as such: what was decided, what is ordered, what time makes
 * due.
 *
 * Pure. See peer.h. */
#include "server/peer/halves.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define UNDECIDED_MS 1000

/* --- decisions ------------------------------------------------------------ */

static void show_lead(ids_peer *peer) {
    if (peer->known.role != IDS_ROLE_PRIMARY || peer->overtaken)
        return;
    assert(peer->known.led_epoch == peer->known.epoch);
    assert(!peer->leading);
    if (peer->syncing || peer->gather_due)
        ids_peer_end_upstream(peer);
    if (peer->started)
        ids_follower_note_positions(peer);
    ids_primary_end_sessions(peer); /* what it led in before is over */
    peer->copy_of = 0;
    if (!ids_primary_lead(peer))
        ids_primary_stand_down(peer, true);
}

bool ids_peer_decided_stops_world(const ids_peer *peer) {
    bool leads = peer->pending == IDS_PENDING_START ||
                 peer->pending == IDS_PENDING_PROMOTE;
    return leads && peer->proposed.role == IDS_ROLE_PRIMARY;
}

void ids_peer_decided(ids_peer *peer, uint64_t now_ms) {
    ids_pending what = peer->pending;
    ids_peer_set_now(peer, now_ms);
    assert(what != IDS_PENDING_NONE);
    assert(peer->proposed.version == peer->known.version + 1);
    assert(peer->proposed.epoch >= peer->known.epoch || IDS_RULE_OFF(N2_EPOCH));
    const ids_decision was = peer->known;
    peer->known = peer->proposed;
    peer->pending = IDS_PENDING_NONE;
    switch (what) {
    case IDS_PENDING_START:
    case IDS_PENDING_PROMOTE:
        show_lead(peer);
        break;
    case IDS_PENDING_ADMIT:
        ids_primary_admitted(peer);
        break;
    case IDS_PENDING_DETACH:
        ids_primary_detached(peer);
        break;
    case IDS_PENDING_SWITCHOVER:
        ids_primary_handed_over(peer);
        break;
    case IDS_PENDING_ADMITTED:
        ids_follower_admitted(peer);
        break;
    case IDS_PENDING_DISOWNED:
        ids_follower_disowned(peer);
        break;
    case IDS_PENDING_TOLD:
        ids_primary_take_set(peer, &was);
        ids_primary_consider(peer);
        break;
    case IDS_PENDING_NONE:
    case IDS_PENDING_FOLLOW:
    case IDS_PENDING_WHEREABOUTS:
        break;
    }
}

ids_pending ids_peer_undecided(ids_peer *peer, uint64_t now_ms) {
    ids_pending what = peer->pending;
    assert(what != IDS_PENDING_NONE);
    ids_peer_set_now(peer, now_ms);
    if (what == IDS_PENDING_START)
        return what;
    peer->pending = IDS_PENDING_NONE;
    assert(peer->pending_place < peer->config.places);
    peer->undecided_until_ms = peer->now_ms + UNDECIDED_MS;
    if (what == IDS_PENDING_SWITCHOVER)
        ids_primary_keeps_on(peer);
    if (what == IDS_PENDING_ADMIT)
        ids_primary_joins_not(peer, /* it may be gone for good */
                              &peer->follower[peer->pending_place]);
    return what;
}

/* It is elsewhere; or it is there for the first time. */
static bool has_news_of_other(const ids_peer *peer) {
    bool first = peer->leading && ids_primary_has_session(peer) &&
                 !peer->known.had_replica && !IDS_RULE_OFF(HAD_REPLICA);
    return first ||
           (ids_endpoint_is_set(&peer->other_at) &&
            !ids_endpoint_same(&peer->other_at, &peer->known.other_at));
}

/* What this node has learned and not recorded yet. */
static void record_what_is_known(ids_peer *peer) {
    uint64_t epoch = ids_peer_epoch(peer);
    ids_decision next;
    assert(epoch >= peer->known.epoch);
    if (peer->pending != IDS_PENDING_NONE ||
        peer->now_ms < peer->undecided_until_ms)
        return;
    if (peer->known.admitted_epoch == 0)
        ids_follower_disowned(peer);
    if (peer->known.epoch < epoch ||
        (peer->known.role == IDS_ROLE_PRIMARY && !peer->leading)) {
        ids_decide_follow(&peer->known, epoch, &next);
        ids_peer_propose(peer, IDS_PENDING_FOLLOW, &next);
    } else if (peer->admit_epoch != 0 && peer->admit_epoch == epoch &&
               !peer->leading) {
        ids_decide_admitted(&peer->known, epoch, peer->admit_version,
                            peer->admit_origin, &next);
        ids_peer_propose(peer, IDS_PENDING_ADMITTED, &next);
    } else if (peer->disowned && !peer->leading &&
               peer->known.admitted_epoch != 0) {
        ids_decide_disowned(&peer->known, &next);
        ids_peer_propose(peer, IDS_PENDING_DISOWNED, &next);
    } else if (has_news_of_other(peer)) {
        ids_decide_whereabouts(&peer->known,
                               peer->leading && ids_primary_has_session(peer),
                               &next);
        ids_peer_propose(peer, IDS_PENDING_WHEREABOUTS, &next);
    }
}

/* --- commands ------------------------------------------------------------- */

ids_deciding ids_peer_detach(ids_peer *peer, uint64_t node) {
    ids_decision next;
    uint32_t place = 0;
    ids_deciding verdict;
    if (peer->config.under_agent)
        return IDS_DECIDING_AGENT;
    if (peer->pending != IDS_PENDING_NONE)
        return IDS_DECIDING_BUSY;
    verdict =
        ids_decide_detach(&peer->known, node, peer->config.min_in_sync, &next);
    if (verdict != IDS_DECIDING_OK)
        return verdict;
    if (!peer->leading)
        return IDS_DECIDING_NOT_PRIMARY;
    while (peer->known.replica[place].node == next.replica[place].node)
        place++;
    assert(place < IDS_FOLLOWERS_MAX && next.replica[place].node == 0);
    peer->pending_place = place;
    peer->detached = peer->known.replica[place];
    assert(peer->detached.node != 0);
    ids_peer_propose(peer, IDS_PENDING_DETACH, &next);
    if (IDS_RULE_OFF(R3))
        ids_primary_detached(peer);
    return IDS_DECIDING_OK;
}

idp_error ids_peer_serves(const ids_peer *peer, bool shows) {
    uint32_t in_sync = 1 + ids_decision_members(&peer->known);
    assert(!peer->leading || peer->lead_epoch != 0);
    assert(peer->leading || peer->switch_epoch == 0);
    if (!peer->leading || peer->switch_epoch != 0)
        return IDP_E_NOT_PRIMARY;
    if (ids_primary_misses_member(peer) || peer->is_blank)
        return IDP_E_UNREPLICATED;
    if (!shows && in_sync < peer->config.min_in_sync)
        return IDP_E_UNREPLICATED;
    return IDP_OK;
}

uint64_t ids_peer_watermark(const ids_peer *peer, uint32_t loop) {
    const ids_commit_index *commit_index = &peer->commit_indexes[loop];
    uint64_t watermark = ids_commit_index_watermark(commit_index);
    bool too_few =
        1 + ids_decision_members(&peer->known) < peer->config.min_in_sync;
    assert(loop < peer->config.loops);
    if (!too_few || commit_index->passed > watermark ||
        IDS_RULE_OFF(MIN_LEAVES))
        return watermark;
    return commit_index->passed;
}

/* --- time ----------------------------------------------------------------- */

/* Nobody, or one of its replicas that is here. */
static bool is_no_news(const ids_peer *peer, const ids_endpoint *at) {
    bool is = !ids_endpoint_is_set(at);
    for (uint32_t i = 0; i < peer->config.places; i++) {
        const ids_follower *f = &peer->follower[i];
        is = is || (f->session.id != 0 && ids_endpoint_same(at, &f->at));
    }
    return is;
}

/* Whose turn it is, of the one that is named first (or was met last) and the
 * others of the group; NULL: there is nobody to ask. */
static const ids_endpoint *next_to_dial(ids_peer *peer) {
    const ids_peer_config *config = &peer->config;
    bool named = ids_endpoint_is_set(&config->replicate_from);
    assert(config->others_count <= IDS_FOLLOWERS_MAX);
    for (uint32_t i = 0; i <= config->others_count; i++) {
        uint32_t turn = peer->dials++ % (config->others_count + 1);
        const ids_endpoint *at = turn > 0 ? &config->others[turn - 1]
                                 : named  ? &config->replicate_from
                                          : &peer->other_at;
        /* A list may name all nodes; an operator who names this one is told. */
        bool is_own = turn > 0 && ids_endpoint_same(at, &config->advertise);
        if (!is_own && !is_no_news(peer, at))
            return at;
    }
    return NULL;
}

/* Who has said that it leads; else whoever may. */
static const ids_endpoint *whom_to_dial(ids_peer *peer) {
    /* Under agents: whom these have named. */
    bool named =
        peer->config.under_agent || (peer->other_leads && !peer->leading);
    if (named && ids_endpoint_is_set(&peer->other_at))
        return &peer->other_at;
    return next_to_dial(peer);
}

/* A node with nobody to follow looks for a primary; one that leads looks
 * whether there is a newer one, at those of its group that are not here. */
static bool wants_to_dial(const ids_peer *peer) {
    if (peer->now_ms < peer->redial_at_ms ||
        (peer->leading && !peer->known.had_replica))
        return false;
    for (uint32_t i = 0; i < peer->link_count; i++)
        if (peer->links[i]->dialled)
            return false;
    return !ids_peer_has_session(peer) ||
           (peer->leading && peer->config.others_count > 0);
}

static void redial(ids_peer *peer) {
    const ids_endpoint *to = wants_to_dial(peer) ? whom_to_dial(peer) : NULL;
    bool has_session = ids_peer_has_session(peer);
    if (to == NULL)
        return;
    peer->redial_at_ms = peer->now_ms + (has_session ? peer->config.silence_ms
                                                     : peer->config.redial_ms);
    assert(peer->leading || !has_session);
    ids_peer_dial(peer, 0, 0, to);
}

/* Links that are silent, and open ones that belong to no session. */
static void tidy_links(ids_peer *peer) {
    uint32_t i = peer->link_count;
    while (i-- > 0) {
        ids_link *link = i < peer->link_count ? peer->links[i] : NULL;
        bool in_session;
        if (link == NULL)
            continue; /* a session ended, and several links with it */
        in_session = ids_peer_has_session_of(peer, link->session);
        assert(link->last_received_ms <= peer->now_ms &&
               link->last_sent_ms <= peer->now_ms);
        if (link->paused)
            link->last_received_ms = peer->now_ms;
        if (peer->now_ms >= link->last_received_ms + peer->config.silence_ms)
            ids_peer_was_mute(peer, link);
        if (peer->now_ms >= link->last_received_ms + peer->config.silence_ms ||
            (link->state == IDS_LINK_OPEN && !in_session)) {
            ids_peer_fault(peer, link);
        } else if (link->state == IDS_LINK_OPEN &&
                   peer->now_ms >=
                       link->last_sent_ms + peer->config.heartbeat_ms) {
            link->last_sent_ms = peer->now_ms;
            ids_link_say(link, IDS_PF_HEARTBEAT, ids_peer_epoch(peer),
                         peer->leading ? 0 : peer->behind_ms, 0);
        }
    }
}

void ids_peer_tick(ids_peer *peer, uint64_t now_ms) {
    ids_peer_set_now(peer, now_ms);
    assert(peer->now_ms >= now_ms);
    assert(!peer->started || peer->upstream.id != 0);
    record_what_is_known(peer);
    ids_peer_look_behind(peer);
    tidy_links(peer);
    if (!peer->leading && now_ms >= peer->switch_until_ms)
        ids_primary_end_sessions(peer); /* of one that has handed over */
    ids_primary_consider(peer);
    ids_follower_consider(peer);
    if (peer->pending != IDS_PENDING_START)
        redial(peer);
}

void ids_peer_stood_still(ids_peer *peer, uint64_t gap_ms) {
    for (uint32_t i = 0; i < peer->config.places; i++) {
        uint64_t *last_received_ms = &peer->follower[i].last_received_ms;
        assert(*last_received_ms <= peer->now_ms);
        *last_received_ms -=
            gap_ms < *last_received_ms ? gap_ms : *last_received_ms;
    }
}

ids_sender *ids_peer_pump(ids_peer *peer, ids_link *link, uint64_t now_ms) {
    ids_peer_set_now(peer, now_ms);
    assert(link->state != IDS_LINK_CLOSED);
    if (link->state != IDS_LINK_OPEN)
        return NULL;
    if (!link->dialled)
        return ids_primary_pump(peer, link);
    ids_follower_pump(peer, link);
    return NULL;
}

/* --- the whole ------------------------------------------------------------ */

ids_peer *ids_peer_new(const ids_peer_config *config, const ids_decision *now,
                       uint64_t now_ms) {
    ids_peer *peer = calloc(1, sizeof *peer);
    ids_member self = {config->node, config->incarnation};
    ids_decision next;
    assert(config->loops >= 1 && config->loops <= IDP_SHARDS_MAX);
    assert(config->places >= 1 && config->places <= IDS_FOLLOWERS_MAX);
    assert(config->node != 0 && config->incarnation != 0);
    assert(config->life != 0);
    assert(config->min_in_sync >= 1 &&
           config->min_in_sync <= 1 + config->places);
    assert(config->others_count <= IDS_FOLLOWERS_MAX);
    assert(config->driver.lead != NULL && config->decisions.propose != NULL);
    if (peer == NULL)
        return NULL;
    peer->config = *config;
    peer->config.under_agent |= now->group.text[0] != '\0';
    peer->known = *now;
    peer->now_ms = now_ms;
    peer->other_at = now->other_at;
    peer->copy_of = ids_decision_kept_epoch(now, self);
    peer->other_name = now->replica_name[0];
    peer->copy_at = calloc(IDP_SHARDS_MAX, sizeof *peer->copy_at);
    if (peer->copy_at == NULL || !ids_primary_init(peer)) {
        ids_peer_free(peer);
        return NULL;
    }
    ids_decide_start(now, self, config->primary && !peer->config.under_agent,
                     config->epoch_min, &next);
    next.mode = (uint8_t)config->mode;
    next.kept = config->is_kept ? IDS_KEPT_YES : IDS_KEPT_NO;
    next.name = config->name;
    ids_peer_propose(peer, IDS_PENDING_START, &next);
    return peer;
}

void ids_peer_free(ids_peer *peer) {
    if (peer == NULL)
        return;
    for (uint32_t i = 0; i < peer->link_count; i++) {
        ids_link_fini(peer->links[i]);
        free(peer->links[i]);
    }
    ids_primary_fini(peer);
    free(peer->links);
    free(peer->upstream.stream);
    free(peer->receivers);
    free(peer->copy_at);
    free(peer);
}
