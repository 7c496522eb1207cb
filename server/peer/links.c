/* SPDX-License-Identifier: Apache-2.0 */
/* links.c -- the links of a node: dialled, accepted, proven, ended.
 *
 * Pure. Bytes come in here and are frames behind it. */
#include "server/peer/halves.h"

#include "server/change.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static ids_link *add_link(ids_peer *peer) {
    /* A frame ends with the change that fills it. */
    size_t body_max = IDS_PF_APPEND_BYTES + peer->config.result_bytes_max +
                      IDS_CHANGE_BARE_BYTES_MAX;
    ids_link *link;
    if (peer->link_count ==
        IDS_LINKS_MAX + (peer->config.places - 1) * IDP_SHARDS_MAX)
        return NULL;
    if (peer->link_count == peer->link_cap) {
        uint32_t cap = peer->link_cap == 0 ? 8 : peer->link_cap * 2;
        ids_link **grown =
            realloc((void *)peer->links, cap * sizeof *peer->links);
        if (grown == NULL)
            return NULL;
        peer->links = grown;
        peer->link_cap = cap;
    }
    link = calloc(1, sizeof *link);
    if (link == NULL)
        return NULL;
    link->body_bytes_max = body_max;
    link->heard_ms = link->said_ms = peer->now_ms;
    peer->links[peer->link_count++] = link;
    return link;
}

bool ids_peer_has_link(const ids_peer *peer, const ids_link *link) {
    for (uint32_t i = 0; i < peer->link_count; i++)
        if (peer->links[i] == link)
            return true;
    return false;
}

static void drop_link(ids_peer *peer, ids_link *link) {
    const ids_peer_host *host = &peer->config.host;
    uint32_t at = 0;
    while (peer->links[at] != link)
        at++;
    peer->links[at] = peer->links[--peer->link_count];
    link->state = IDS_LINK_CLOSED;
    host->hang_up(host->ctx, link);
    ids_link_fini(link);
    free(link);
}

static ids_link_self self_now(ids_peer *peer) {
    ids_link_self self = {
        .member = {peer->config.node, peer->config.incarnation},
        .epoch = ids_peer_epoch(peer),
        .primary = peer->leading,
        .at = peer->config.advertise,
        .name = peer->config.name,
        .life = peer->config.life,
        .led = ids_peer_led(peer),
        .origin = peer->known.origin,
        .guards = ids_peer_guards(peer),
        .result_bytes_max = peer->config.result_bytes_max,
        .settings = peer->config.settings};
    memcpy(self.program, peer->config.program, sizeof self.program);
    peer->config.host.random(peer->config.host.ctx, self.nonce,
                             sizeof self.nonce);
    return self;
}

ids_link *ids_peer_dial(ids_peer *peer, uint32_t stream, uint64_t session,
                        const ids_endpoint *to) {
    const ids_peer_host *host = &peer->config.host;
    ids_link *link = add_link(peer);
    ids_link_self self = self_now(peer);
    if (link == NULL)
        return NULL;
    link->dialled_to = *to;
    if (stream == 0)
        memcpy(peer->dialled_nonce, self.nonce, sizeof self.nonce);
    if (!ids_link_dial(link, &self, stream, session, &peer->config.key)) {
        drop_link(peer, link);
        return NULL;
    }
    host->dial(host->ctx, link);
    return link;
}

/* --- sessions ------------------------------------------------------------- */

bool ids_session_begin(ids_peer *peer, ids_session *session, ids_link *link,
                       uint32_t streams, uint64_t epoch) {
    ids_link **grown =
        realloc((void *)session->stream, streams * sizeof *session->stream);
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

void ids_session_end(ids_peer *peer, ids_session *session) {
    uint64_t id = session->id;
    uint32_t i = peer->link_count;
    assert(id != 0);
    session->id = 0;
    peer->news++;
    while (i-- > 0)
        if (peer->links[i]->session == id)
            drop_link(peer, peer->links[i]);
}

void ids_session_note_other(ids_peer *peer, ids_session *session,
                            const ids_link *link) {
    session->other = peer->other = link->other.member;
    session->other_name = peer->other_name = link->other.name;
    session->other_life = link->other.life;
    session->settings_differ = peer->settings_differ =
        link->other.settings != peer->config.settings;
}

void ids_peer_end_upstream(ids_peer *peer) {
    if (peer->upstream.id == 0)
        return;
    ids_copy_is_over(peer, NULL);
    ids_follower_session_over(peer);
    ids_session_end(peer, &peer->upstream);
}

void ids_peer_end_sessions(ids_peer *peer) {
    ids_peer_end_upstream(peer);
    ids_primary_end_sessions(peer);
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

void ids_peer_fault(ids_peer *peer, ids_link *link) {
    ids_follower *f = ids_primary_follower_of(peer, link);
    if (ids_session_has(&peer->upstream, link))
        ids_peer_end_upstream(peer);
    else if (f != NULL)
        ids_primary_end_session(peer, f);
    if (ids_peer_has_link(peer, link))
        drop_link(peer, link);
}

ids_link *ids_peer_accept(ids_peer *peer, uint64_t now_ms) {
    ids_link *link;
    ids_peer_set_now(peer, now_ms);
    link = add_link(peer);
    if (link == NULL)
        return NULL;
    link->accepted = ++peer->accepted;
    ids_link_accept(link);
    return link;
}

void ids_peer_lost(ids_peer *peer, ids_link *link, uint64_t now_ms) {
    ids_peer_set_now(peer, now_ms);
    ids_peer_was_mute(peer, link);
    if (link->state == IDS_LINK_DIALLED && link->stream == 0)
        peer->other_leads = false; /* not there, as it seems */
    ids_peer_fault(peer, link);
}

/* --- frames ------------------------------------------------------------- */

/* False: the link is gone. */
static bool turn_away(ids_peer *peer, ids_link *link, ids_refusal_why why) {
    ids_peer_refuse(peer, link, why);
    return false;
}

static bool hang_up(ids_peer *peer, ids_link *link) {
    ids_peer_fault(peer, link);
    return false;
}

/* A number that no session of this node has. */
static uint64_t new_session(const ids_peer *peer) {
    const ids_peer_host *host = &peer->config.host;
    uint64_t id = 0;
    while (id == 0 || ids_peer_has_session_of(peer, id))
        host->random(host->ctx, &id, sizeof id);
    return id;
}

static bool hello(ids_peer *peer, ids_link *link, const ids_pf *frame) {
    const ids_link_key *key = &peer->config.key;
    ids_refusal_why why = ids_link_hello(link, frame, key);
    ids_link_self self;
    ids_link_offer offer;
    if (why != IDS_REFUSAL_NONE)
        return turn_away(peer, link, why);
    if (link->stream != 0 &&
        (ids_primary_follower_of(peer, link) == NULL || !peer->leading ||
         link->stream >= peer->config.loops))
        return hang_up(peer, link);
    self = self_now(peer);
    ids_primary_offer(peer, link, &offer);
    offer.session = link->stream == 0 ? new_session(peer) : link->session;
    why = ids_link_welcome(link, &self, &offer, key);
    return why == IDS_REFUSAL_NONE || turn_away(peer, link, why);
}

void ids_peer_note_whereabouts(ids_peer *peer, const ids_link *link) {
    ids_endpoint at;
    if (link->stream != 0)
        return;
    ids_endpoint_complete(&at, &link->other.at, link->seen_host);
    if (ids_endpoint_is_set(&at))
        peer->other_at = at;
    if (link->other.epoch >= ids_peer_epoch(peer)) /* else it is old news */
        peer->other_leads = link->other.primary;
    if (peer->other_leads)
        peer->handed_over = false;
}

/* Where someone is that leads; and who was asked, unless somebody else has said
 * meanwhile that it leads. Of one that only knocks it is not. */
static bool is_worth_noting(const ids_peer *peer, const ids_link *link) {
    bool leads =
        link->other.primary && link->other.epoch >= ids_peer_epoch(peer);
    return leads || (link->dialled &&
                     (!peer->other_leads ||
                      ids_endpoint_same(&link->dialled_to, &peer->other_at)));
}

/* A link is open: what the other says of itself counts from here on. */
static bool opened(ids_peer *peer, ids_link *link) {
    ids_refusal_why why = ids_peer_judge(peer, link);
    if (why != IDS_REFUSAL_NONE)
        return turn_away(peer, link, why);
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
    ids_link_refuse(link, ids_peer_epoch(peer), IDS_REFUSAL_NONE);
    return hang_up(peer, link);
}

/* The other end says why; what it says of epochs counts only if it has shown
 * that it knows the secret. */
static bool refused(ids_peer *peer, ids_link *link, const ids_pf *frame) {
    ids_refusal_why why = ids_link_refused(frame);
    if (why != IDS_REFUSAL_NONE)
        ids_peer_note_refusal(peer, link, why, true);
    return hang_up(peer, link);
}

static bool open_frame(ids_peer *peer, ids_link *link, const ids_pf *frame) {
    if (ids_peer_is_other_session(frame->session, link->session))
        return true; /* dropped: another session's */
    if (!ids_peer_epoch_is_sound(peer, frame->epoch))
        return turn_away(peer, link, IDS_REFUSAL_EPOCH);
    if (frame->number > IDS_PF_NUMBER_MAX)
        return turn_away(peer, link, IDS_REFUSAL_NUMBER);
    if (frame->kind == IDS_PF_REFUSE && frame->count != 0)
        return refused(peer, link, frame);
    if (frame->epoch > ids_peer_epoch(peer)) {
        ids_peer_saw_epoch(peer, frame->epoch);
        if (ids_peer_has_link(peer, link))
            ids_peer_fault(peer, link);
        return false;
    }
    if (ids_peer_refuses(peer, frame->epoch))
        return answer_lower(peer, link);
    if (frame->kind == IDS_PF_REFUSE || frame->stream != link->stream)
        return hang_up(peer, link);
    return link->dialled ? ids_follower_frame(peer, link, frame)
                         : ids_primary_frame(peer, link, frame);
}

/* False: the link is gone. */
static bool handle(ids_peer *peer, ids_link *link, const ids_pf *frame) {
    const ids_link_key *key = &peer->config.key;
    ids_follower *f = ids_primary_follower_of(peer, link);
    ids_refusal_why why;
    link->heard_ms = peer->now_ms;
    if (f != NULL && link->state == IDS_LINK_OPEN &&
        ids_primary_has_member(peer, f))
        f->heard_ms = peer->now_ms;
    if (link->state == IDS_LINK_OPEN)
        return open_frame(peer, link, frame);
    if (frame->kind == IDS_PF_REFUSE)
        return refused(peer, link, frame);
    if (link->state == IDS_LINK_ACCEPTED)
        return hello(peer, link, frame);
    why = link->dialled ? ids_link_welcomed(link, frame, key)
                        : ids_link_proven(link, frame, key);
    if (why != IDS_REFUSAL_NONE)
        return turn_away(peer, link, why);
    peer->mute_count = 0;
    return opened(peer, link);
}

/* Not the peer's wire: what the node there says to clients, or damage. */
static void broken(ids_peer *peer, ids_link *link) {
    static const char no_peer[] = IDS_LINK_NO_PEER;
    size_t len = link->in.len - link->in_at;
    bool is_no_peer =
        len >= sizeof no_peer - 1 &&
        memcmp(link->in.at + link->in_at, no_peer, sizeof no_peer - 1) == 0;
    if (link->state == IDS_LINK_OPEN)
        ids_peer_fault(peer, link);
    else
        ids_peer_refuse(peer, link,
                        link->dialled && is_no_peer ? IDS_REFUSAL_NO_PEER
                                                    : IDS_REFUSAL_MALFORMED);
}

static bool is_full(const ids_peer *peer, const ids_link *link) {
    return link->dialled && peer->started && link->state == IDS_LINK_OPEN &&
           ids_session_has(&peer->upstream, link) &&
           link->stream < peer->upstream.streams &&
           ids_receiver_is_full(&peer->receivers[link->stream]);
}

void ids_peer_input(ids_peer *peer, ids_link *link, const uint8_t *bytes,
                    size_t len, uint64_t now_ms) {
    ids_pf frame;
    ids_peer_set_now(peer, now_ms);
    if (!ids_link_take(link, bytes, len)) {
        ids_peer_fault(peer, link);
        return;
    }
    while (!is_full(peer, link)) {
        ids_pf_read_status status = ids_link_next(link, &frame);
        if (status == IDS_PF_PARTIAL)
            return;
        if (status == IDS_PF_BROKEN) {
            broken(peer, link);
            return;
        }
        if (!handle(peer, link, &frame))
            return;
    }
}
