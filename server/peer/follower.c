/* SPDX-License-Identifier: Apache-2.0 */
/* follower.c -- a node as replica: a session, a copy, what it acknowledges.
 *
 * Pure. The copy that it holds stays as it is until another is whole (R7);
 * what it acknowledges is in the copy that it would be promoted with. */
#include "server/peer/halves.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static bool make_receivers(ids_peer *peer) {
    const ids_peer_config *config = &peer->config;
    ids_receiver *grown =
        realloc(peer->receivers, peer->upstream.streams * sizeof *grown);
    assert(peer->upstream.streams >= 1 &&
           peer->upstream.streams <= IDP_SHARDS_MAX);
    if (grown == NULL)
        return false;
    peer->receivers = grown;
    for (uint32_t k = 0; k < peer->upstream.streams; k++)
        grown[k] = (ids_receiver){.stream = k,
                                  .result_bytes_max = config->result_bytes_max,
                                  .ctx = config->driver.ctx,
                                  .route = config->driver.route};
    return true;
}

/* Can every stream go on where the copy is? One that can't means a full copy
 * of all: keys belong to other streams after every failover. */
static bool can_continue(const ids_peer *peer) {
    assert(peer->upstream.streams_open == peer->upstream.streams);
    if (peer->copy_of != peer->upstream.epoch ||
        peer->copy_node != peer->upstream.other.node ||
        peer->copy_streams != peer->upstream.streams)
        return false;
    for (uint32_t k = 0; k < peer->upstream.streams; k++) {
        const ids_link_offer *offer = &peer->upstream.stream[k]->offer;
        assert(peer->upstream.stream[k]->state == IDS_LINK_OPEN);
        if (peer->copy_at[k] + 1 < offer->first ||
            peer->copy_at[k] > offer->last)
            return false;
    }
    return true;
}

/* A memory that has outlived its process: how far it was only the primary
 * knows, which has its acknowledgements. It may have more; that is sent once
 * more, and nobody was told of it yet. */
static void take_positions(ids_peer *peer) {
    if (peer->copy_streams != 0 || peer->copy_of != peer->upstream.epoch)
        return;
    for (uint32_t k = 0; k < peer->upstream.streams; k++) {
        const ids_link_offer *offer = &peer->upstream.stream[k]->offer;
        if (offer->member == 0 || offer->from == 0)
            return;
        peer->copy_at[k] = offer->from - 1;
    }
    assert(peer->upstream.streams <= IDP_SHARDS_MAX);
    peer->copy_streams = peer->upstream.streams;
    peer->copy_node = peer->upstream.other.node;
}

static bool begin_staged(ids_peer *peer) {
    const ids_peer_driver *driver = &peer->config.driver;
    assert(!peer->syncing && !peer->swap_due);
    if (!driver->staged_begin(driver->ctx))
        return false;
    peer->syncing = true;
    ids_full_copy_begins(peer, NULL);
    peer->swap_due = IDS_RULE_OFF(R7); /* the old copy is gone at once */
    return true;
}

static bool start_streams(ids_peer *peer, bool goes_on) {
    if (!goes_on && !begin_staged(peer))
        return false;
    peer->started = true;
    peer->refusal = (ids_refusal){.why = IDS_REFUSAL_NONE};
    for (uint32_t k = 0; k < peer->upstream.streams; k++) {
        if (goes_on)
            ids_receiver_continue(&peer->receivers[k], peer->copy_at[k]);
        else
            ids_receiver_sync(&peer->receivers[k], false);
        if (!ids_link_say(peer->upstream.stream[k], IDS_PF_START,
                          peer->upstream.epoch, peer->receivers[k].applied,
                          goes_on ? 0 : IDS_PF_FLAG_SYNC))
            return false;
    }
    return true;
}

/* All links are there: say from where on. */
static bool start_following(ids_peer *peer) {
    assert(!peer->started);
    take_positions(peer);
    if (can_continue(peer))
        return start_streams(peer, true);
    peer->gather_due = ids_follower_may_join_by_key(peer);
    return peer->gather_due || start_streams(peer, false);
}

/* From here on it is no copy of any one epoch, until it is whole (K4, K5): it
 * does not go on where it was, and is in nobody's history. */
static bool start_in_place(ids_peer *peer, const ids_common *common) {
    assert(!peer->started && !peer->syncing);
    peer->started = peer->syncing = peer->in_place = true;
    peer->refusal = (ids_refusal){.why = IDS_REFUSAL_NONE};
    peer->copy_streams = 0;
    ids_history_drop(&peer->history, peer->upstream.epoch);
    for (uint32_t k = 0; k < peer->upstream.streams; k++)
        ids_receiver_sync(&peer->receivers[k], true);
    return ids_follower_says_keys(peer, common);
}

void ids_peer_gather(ids_peer *peer, uint64_t now_ms) {
    ids_common common;
    bool good;
    ids_peer_set_now(peer, now_ms);
    if (!ids_peer_gather_is_due(peer))
        return;
    peer->gather_due = false;
    if (peer->leading || peer->started)
        return; /* it has taken over meanwhile */
    for (uint32_t k = 0; k < peer->config.loops; k++)
        ids_peer_count_let_go(peer, k);
    good = ids_history_common(&peer->history, &peer->theirs, &common)
               ? start_in_place(peer, &common)
               : start_streams(peer, false);
    if (!good)
        ids_peer_end_upstream(peer);
}

static bool turn_away_primary(ids_peer *peer, ids_link *link,
                              ids_refusal_why why) {
    ids_peer_refuse(peer, link, why);
    return false;
}

static bool open_first(ids_peer *peer, ids_link *link) {
    uint64_t streams = link->offer.streams;
    if (peer->leading || link->other.epoch < ids_peer_epoch(peer))
        return false;
    if (!link->other.primary)
        return turn_away_primary(peer, link, IDS_REFUSAL_NOT_PRIMARY);
    if (streams < 1 || streams > IDP_SHARDS_MAX || link->offer.session == 0 ||
        link->offer.first > link->offer.last + 1)
        return turn_away_primary(peer, link, IDS_REFUSAL_NUMBER);
    ids_peer_end_sessions(peer);
    assert(peer->upstream.id == 0 && !peer->started);
    if (!ids_session_begin(peer, &peer->upstream, link, (uint32_t)streams,
                           link->other.epoch) ||
        !make_receivers(peer))
        return false;
    ids_session_note_other(peer, &peer->upstream, link);
    ids_history_forget(&peer->theirs);
    peer->dialled_rest = false;
    return true;
}

/* One more stream is there. */
static bool count_open(ids_peer *peer) {
    assert(peer->upstream.streams_open < peer->upstream.streams);
    return ++peer->upstream.streams_open < peer->upstream.streams ||
           start_following(peer);
}

/* The primary has begun the session, too; it might have turned this node
 * away. */
static bool dial_rest(ids_peer *peer, const ids_link *link) {
    if (peer->dialled_rest || link->stream != 0 ||
        peer->upstream.stream[0] != link)
        return true;
    peer->dialled_rest = true;
    assert(!peer->started);
    peer->disowned = link->offer.member == 0 && !IDS_RULE_OFF(DISOWNED);
    if (peer->disowned)
        peer->admit_epoch = 0;
    for (uint32_t k = 1; k < peer->upstream.streams; k++)
        if (ids_peer_dial(peer, k, peer->upstream.id, &link->dialled_to) ==
            NULL)
            return false;
    return count_open(peer);
}

static bool open_next(ids_peer *peer, ids_link *link) {
    assert(link->stream != 0);
    if (link->offer.session != peer->upstream.id || peer->upstream.id == 0 ||
        link->stream >= peer->upstream.streams ||
        peer->upstream.stream[link->stream] != NULL ||
        link->other.epoch != peer->upstream.epoch ||
        link->other.life != peer->upstream.other_life)
        return false;
    peer->upstream.stream[link->stream] = link;
    return count_open(peer);
}

bool ids_follower_opened(ids_peer *peer, ids_link *link) {
    assert(link->dialled && link->state == IDS_LINK_OPEN);
    bool good =
        link->stream == 0 ? open_first(peer, link) : open_next(peer, link);
    if (!good && ids_peer_has_link(peer, link))
        ids_peer_fault(peer, link);
    return good;
}

static void finish_copy(ids_peer *peer) {
    assert(peer->started && peer->syncing);
    assert(peer->known.epoch >= peer->upstream.epoch);
    peer->copy_streams = peer->upstream.streams;
    peer->copy_of = peer->upstream.epoch;
    ids_full_copy_is_done(peer, NULL);
    peer->copy_node = peer->upstream.other.node;
    peer->syncing = false;
    for (uint32_t k = 0; k < peer->upstream.streams; k++)
        peer->receivers[k].syncing = peer->receivers[k].in_place = false;
    assert(peer->copy_of == peer->upstream.epoch && !peer->syncing);
    ids_follower_note_positions(peer);
    if (!peer->in_place)
        ids_history_forget(&peer->history);
    ids_history_add(&peer->history, peer->upstream.epoch,
                    peer->upstream.streams, peer->copy_at);
    peer->joined_by_key += peer->in_place;
    assert(!peer->gather_due && !peer->swap_due);
    peer->in_place = false;
}

/* Every stream's part is there: it may take the old copy's place. Not before
 * it is on record that there is this epoch: a memory that outlives the
 * process must not be taken for one of the epoch before. */
void ids_follower_consider(ids_peer *peer) {
    if (!peer->syncing || peer->swap_due || !peer->started ||
        peer->known.epoch < peer->upstream.epoch)
        return;
    assert(peer->upstream.id != 0);
    for (uint32_t k = 0; k < peer->upstream.streams; k++)
        if (!ids_receiver_is_whole(&peer->receivers[k]) &&
            !(IDS_RULE_OFF(SWAPS_WHOLE) && peer->receivers[k].begun))
            return;
    if (IDS_RULE_OFF(R7) || peer->in_place)
        finish_copy(peer);
    else
        peer->swap_due = true;
}

void ids_peer_swapped(ids_peer *peer, uint64_t now_ms) {
    ids_peer_set_now(peer, now_ms);
    if (!peer->swap_due)
        return;
    assert(peer->started && peer->syncing);
    peer->swap_due = false;
    if (!IDS_RULE_OFF(R7))
        finish_copy(peer);
}

static bool changes(ids_peer *peer, const ids_link *link, const ids_pf *frame) {
    if (!peer->started || peer->upstream.stream[link->stream] != link ||
        !ids_receiver_frame(&peer->receivers[link->stream], frame))
        return false;
    ids_follower_consider(peer);
    return true;
}

/* It must be on record before the primary may rely on it. */
static void detached(ids_peer *peer) {
    peer->disowned = !IDS_RULE_OFF(DISOWNED);
    peer->admit_epoch = 0;
    peer->detached_pending = peer->disowned;
}

void ids_follower_disowned(ids_peer *peer) {
    if (!peer->detached_pending || peer->upstream.id == 0)
        return;
    assert(peer->known.admitted_epoch == 0);
    peer->detached_pending = false;
    ids_link_say(peer->upstream.stream[0], IDS_PF_DETACHED,
                 peer->upstream.epoch, peer->known.version, 0);
}

void ids_follower_admitted(ids_peer *peer) {
    if (peer->admit_version != peer->known.admitted_version)
        return; /* it was told of a later one meanwhile */
    peer->admit_epoch = 0;
    if (!peer->admitted_pending || peer->upstream.id == 0)
        return;
    assert(peer->known.admitted_epoch == peer->known.epoch);
    peer->admitted_pending = false;
    ids_link_say(peer->upstream.stream[0], IDS_PF_ADMIT, peer->upstream.epoch,
                 peer->known.admitted_version, 0);
}

bool ids_follower_frame(ids_peer *peer, ids_link *link, const ids_pf *frame) {
    bool good = true;
    assert(link->dialled && link->state == IDS_LINK_OPEN);
    switch (frame->kind) {
    case IDS_PF_HEARTBEAT:
        good = dial_rest(peer, link);
        break;
    case IDS_PF_ADMIT:
        if (peer->started && !peer->syncing) {
            peer->disowned = false;
            peer->admitted_pending = true;
            peer->admit_epoch = frame->epoch;
            peer->admit_version = frame->number;
            peer->admit_origin = link->other.origin;
        }
        break;
    case IDS_PF_SETTINGS:
        ids_session_heard_settings(peer, &peer->upstream, frame->number);
        break;
    case IDS_PF_DETACHED:
        detached(peer);
        break;
    case IDS_PF_HISTORY:
        good = ids_follower_hear_history(peer, link, frame);
        break;
    case IDS_PF_SWITCHOVER:
        ids_peer_promote(peer, frame->number, false);
        break;
    case IDS_PF_APPEND:
    case IDS_PF_SYNC_BEGIN:
    case IDS_PF_SYNC_CHUNK:
    case IDS_PF_SYNC_END:
        good = changes(peer, link, frame);
        break;
    case IDS_PF_HELLO:
    case IDS_PF_PROOF:
    case IDS_PF_WELCOME:
    case IDS_PF_START:
    case IDS_PF_ACK:
    case IDS_PF_REFUSE:
    case IDS_PF_KEYS:
    case IDS_PF_KIND_COUNT:
        good = false;
    }
    if (!good)
        ids_peer_fault(peer, link);
    return good;
}

void ids_peer_applied(ids_peer *peer, const ids_batch_tag *tag) {
    if (!peer->started ||
        ids_peer_is_other_session(tag->session, peer->upstream.id) ||
        tag->stream >= peer->upstream.streams)
        return;
    ids_receiver_applied(&peer->receivers[tag->stream], tag->batch);
    ids_follower_consider(peer);
}

bool ids_peer_is_current(const ids_peer *peer, const ids_batch_tag *tag) {
    return !ids_peer_refuses(peer, tag->epoch) &&
           !ids_peer_is_other_session(tag->session, peer->upstream.id);
}

void ids_peer_prepare_copy(ids_shard *shard) {
    if (!IDS_RULE_OFF(R12))
        ids_shard_follow(shard);
}

void ids_follower_pump(ids_peer *peer, ids_link *link) {
    ids_receiver *receiver;
    uint64_t number;
    assert(!peer->started || peer->upstream.id != 0);
    if (!peer->started || !ids_session_has(&peer->upstream, link) ||
        peer->upstream.stream[link->stream] != link ||
        (peer->syncing && !IDS_RULE_OFF(ACKS_SWAPPED) &&
         !(peer->in_place && IDS_RULE_OFF(K_END))) ||
        ids_peer_refuses(peer, peer->upstream.epoch))
        return;
    receiver = &peer->receivers[link->stream];
    number = IDS_RULE_OFF(ACKS_APPLIED) ? receiver->routed : receiver->applied;
    if (receiver->reported && number == receiver->acked)
        return;
    if (!ids_link_say(link, IDS_PF_ACK, peer->upstream.epoch, number, 0))
        return;
    assert(number >= receiver->acked && number <= receiver->routed);
    receiver->reported = true;
    receiver->acked = number;
}
