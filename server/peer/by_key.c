/* SPDX-License-Identifier: Apache-2.0 */
/* by_key.c -- a join by key: what the two ends tell each other before records
 * are sent (K1 to K3).
 *
 * Pure. A replica that has been whole in an epoch in which the primary was,
 * too, need not load a full copy: it names the keys that it has changed since,
 * and gets the primary's records of these and of those that the primary has
 * changed. */
#include "server/peer/halves.h"

#include "proto/owner.h"
#include "server/core/receipt.h"

#include <assert.h>
#include <string.h>

bool ids_peer_has_keys(const ids_peer *peer) {
    return peer->config.under_agent && peer->config.driver.keys != NULL &&
           peer->config.loops <= IDS_KEYS_STREAMS_MAX;
}

static const ids_key_ring *key_ring(const ids_peer *peer, uint32_t loop) {
    const ids_peer_driver *driver = &peer->config.driver;
    return driver->keys == NULL ? NULL : driver->keys(driver->ctx, loop);
}

void ids_peer_count_let_go(ids_peer *peer, uint32_t loop) {
    const ids_key_ring *ring = key_ring(peer, loop);
    assert(loop < peer->config.loops);
    if (ring == NULL || ring->let_go == peer->let_go[loop])
        return;
    peer->let_go[loop] = ring->let_go;
    assert(ring->bytes != NULL || ring->let_go == 0);
    ids_history_let_go(&peer->history, ring);
}

/* --- HISTORY ---------------------------------------------------------------
 */

bool ids_primary_say_history(ids_peer *peer, ids_link *link) {
    ids_pf frame = {.kind = IDS_PF_HISTORY,
                    .stream = link->stream,
                    .epoch = peer->lead_epoch,
                    .session = link->session};
    idp_bytes body = {0};
    bool done;
    assert(peer->leading && link->stream == 0);
    if (!ids_peer_has_keys(peer))
        return true;
    for (uint32_t k = 0; k < peer->config.loops; k++)
        ids_history_reached(&peer->history, peer->lead_epoch, k,
                            peer->reported[k].last);
    done = idp_bytes_append(&body, peer->config.hash_key,
                            sizeof peer->config.hash_key) &&
           ids_history_write(&peer->history, &body);
    frame.body = (idp_slice){body.ptr, body.len};
    done = done && ids_pf_append(&link->out, &frame);
    idp_bytes_free(&body);
    return done;
}

bool ids_follower_hear_history(ids_peer *peer, const ids_link *link,
                               const ids_pf *frame) {
    const size_t key_bytes = sizeof peer->their_hash_key;
    if (link->stream != 0 || peer->upstream.stream[0] != link ||
        peer->dialled_rest || frame->body.len < key_bytes)
        return false;
    memcpy(peer->their_hash_key, frame->body.ptr, key_bytes);
    return ids_history_read(
        &peer->theirs,
        (idp_slice){frame->body.ptr + key_bytes, frame->body.len - key_bytes});
}

bool ids_follower_may_join_by_key(const ids_peer *peer) {
    ids_common common;
    return ids_peer_has_keys(peer) &&
           peer->upstream.streams <= IDS_KEYS_STREAMS_MAX &&
           ids_history_common(&peer->history, &peer->theirs, &common);
}

/* --- KEYS, START -----------------------------------------------------------
 */

/* What is said on one link, as it grows. */
typedef struct key_list {
    idp_bytes bytes;
    uint32_t count;
} key_list;

static bool say_list(ids_peer *peer, uint32_t stream, key_list *list) {
    ids_link *link = peer->upstream.stream[stream];
    const ids_pf frame = {.kind = IDS_PF_KEYS,
                          .stream = stream,
                          .count = list->count,
                          .epoch = peer->upstream.epoch,
                          .session = link->session,
                          .body = {list->bytes.ptr, list->bytes.len}};
    bool done = list->count == 0 || ids_pf_append(&link->out, &frame);
    list->bytes.len = 0;
    list->count = 0;
    assert(stream < peer->upstream.streams);
    return done;
}

/* Each key goes to the loop of the primary that it belongs to. */
static bool name_key(ids_peer *peer, key_list *lists, idp_slice ns,
                     idp_slice key) {
    uint64_t hash =
        idp_owner_hash(peer->their_hash_key, ids_receipt_hashed_ns(ns), key);
    uint32_t stream = idp_owner_shard(hash, peer->upstream.streams);
    key_list *list = &lists[stream];
    assert(stream < peer->upstream.streams);
    if (!ids_key_append(&list->bytes, ns, key))
        return false;
    list->count++;
    return list->bytes.len + IDS_KEY_LISTED_BYTES_MAX <= IDS_PF_APPEND_BYTES ||
           say_list(peer, stream, list);
}

static bool name_ring(ids_peer *peer, key_list *lists, uint32_t loop,
                      ids_key_filter *filter, const ids_common *common) {
    const ids_key_ring *ring = key_ring(peer, loop);
    ids_key_entry entry;
    uint64_t at = 0;
    assert(loop < peer->config.loops && peer->in_place);
    if (ring == NULL || !ids_key_ring_reaches(ring, common))
        return false;
    while (ids_key_ring_next(ring, &at, &entry))
        if (ids_key_is_beyond(&entry.at, common) && !IDS_RULE_OFF(K_THEIRS) &&
            ids_key_filter_is_new(filter, entry.ns, entry.key) &&
            !name_key(peer, lists, entry.ns, entry.key))
            return false;
    return true;
}

static bool say_start(ids_peer *peer, uint32_t stream,
                      const ids_common *common) {
    uint8_t body[IDS_COMMON_BYTES_MAX];
    ids_link *link = peer->upstream.stream[stream];
    const ids_pf frame = {.kind = IDS_PF_START,
                          .flags = IDS_PF_FLAG_KEYS,
                          .stream = stream,
                          .epoch = peer->upstream.epoch,
                          .session = link->session,
                          .body = {body, ids_common_write(common, body)}};
    return ids_pf_append(&link->out, &frame);
}

bool ids_follower_says_keys(ids_peer *peer, const ids_common *common) {
    key_list lists[IDS_KEYS_STREAMS_MAX] = {0};
    ids_key_filter *filter = ids_key_filter_new();
    uint32_t streams = peer->upstream.streams;
    bool done = true;
    assert(peer->in_place && streams <= IDS_KEYS_STREAMS_MAX);
    for (uint32_t k = 0; k < peer->config.loops && done; k++)
        done = name_ring(peer, lists, k, filter, common);
    for (uint32_t k = 0; k < streams && done; k++)
        done = say_list(peer, k, &lists[k]) && say_start(peer, k, common);
    for (uint32_t k = 0; k < streams; k++)
        idp_bytes_free(&lists[k].bytes);
    ids_key_filter_free(filter);
    return done;
}

/* Where this node, too, was whole; else its key rings do not reach. */
bool ids_primary_starts_by_key(ids_peer *peer, ids_follower *f,
                               ids_sender *sender, const ids_pf *frame) {
    ids_common common;
    if (!ids_peer_has_keys(peer) || !ids_common_read(&common, frame->body) ||
        !ids_history_has(&peer->history, &common))
        return false;
    f->joins_by_key = true;
    assert(peer->leading && f->session.id != 0);
    assert(common.streams <= IDS_KEYS_STREAMS_MAX);
    sender->keys.ring = key_ring(peer, sender->stream);
    ids_sender_by_key(sender, f->session.id, &common);
    return true;
}
