/* SPDX-License-Identifier: Apache-2.0 */
/* sender.c -- see sender.h. Pure. */
#include "server/peer/sender.h"

#include "server/journal/change.h"
#include "server/peer/mutant.h"

#include <assert.h>
#include <string.h>

#define WALK_STEPS 4096

void ids_sender_init(ids_sender *sender, uint32_t stream, uint64_t epoch,
                     const ids_ring *ring) {
    assert(ring != NULL && epoch != 0);
    *sender = (ids_sender){.ring = ring,
                           .stream = stream,
                           .epoch = epoch,
                           .walk_buckets = IDS_WALK_BUCKETS_DEFAULT};
}

static void end_keys(ids_sender *sender) {
    ids_sender_keys *keys = &sender->keys;
    keys->is_on = false;
    ids_key_filter_free(keys->filter);
    keys->filter = NULL;
    if (keys->asked_session == sender->session)
        idp_bytes_free(&keys->asked);
}

void ids_sender_fini(ids_sender *sender) {
    end_keys(sender);
    idp_bytes_free(&sender->keys.asked);
    idp_bytes_free(&sender->chunk);
}

void ids_sender_stop(ids_sender *sender) {
    end_keys(sender);
    if (sender->walked != NULL)
        ids_shard_walk_end(sender->walked);
    sender->walked = NULL;
    sender->state = IDS_SENDING_OFF;
    sender->session = 0;
    sender->chunk.len = 0;
    sender->chunked = 0;
}

bool ids_sender_continue(ids_sender *sender, uint64_t session,
                         uint64_t behind) {
    assert(session != 0);
    ids_sender_stop(sender);
    if (!ids_ring_seek(sender->ring, behind, &sender->at))
        return false;
    sender->session = session;
    assert(sender->at.number == behind + 1);
    sender->state = IDS_SENDING_STREAM;
    return true;
}

void ids_sender_sync(ids_sender *sender, uint64_t session) {
    assert(session != 0);
    ids_sender_stop(sender);
    assert(sender->walked == NULL && sender->chunked == 0);
    sender->session = session;
    sender->copied = sender->copy_total = 0;
    sender->state = IDS_SENDING_BEGIN;
}

bool ids_sender_asked(ids_sender *sender, uint64_t session, idp_slice keys) {
    idp_bytes *asked = &sender->keys.asked;
    assert(session != 0);
    if (sender->keys.asked_session != session)
        asked->len = 0;
    sender->keys.asked_session = session;
    return keys.len <= IDS_KEYS_ASKED_BYTES_MAX - asked->len &&
           idp_bytes_append(asked, keys.ptr, keys.len);
}

void ids_sender_by_key(ids_sender *sender, uint64_t session,
                       const ids_common *common) {
    ids_sender_keys *keys = &sender->keys;
    ids_sender_sync(sender, session);
    if (keys->asked_session != session)
        keys->asked.len = 0; /* it has named none */
    keys->asked_session = session;
    keys->is_on = true;
    keys->common = *common;
    keys->asked_at = 0;
    keys->filter = ids_key_filter_new();
    assert(sender->state == IDS_SENDING_BEGIN);
}

/* --- the monitor's part --------------------------------------------------- */

void ids_sender_meet(ids_sender *sender, ids_progress *progress) {
    if (sender->session != progress->session) {
        assert(progress->session == 0); /* only its own loop begins one */
        ids_sender_stop(sender);
        return;
    }
    assert(sender->session != 0 || sender->state == IDS_SENDING_OFF);
    assert(progress->copied <= sender->copied);
    progress->state = sender->state;
    progress->copied = sender->copied;
    progress->copy_total = sender->copy_total;
}

static void reach_change(ids_progress *progress, uint64_t number) {
    progress->reached = number;
    ids_lag_reached(&progress->lag, number);
}

void ids_progress_begin(ids_progress *progress, const ids_sender *sender,
                        ids_lag_mark at) {
    assert(progress->session == 0 && sender->session != 0);
    assert(at.number > 0);
    assert(sender->state == IDS_SENDING_BEGIN ||
           sender->state == IDS_SENDING_STREAM);
    progress->session = sender->session;
    progress->state = sender->state;
    progress->copied = progress->copy_total = 0;
    progress->acked = 0;
    reach_change(progress, at.number - 1);
    if (at.number <= progress->lag.last)
        ids_lag_again(&progress->lag, at);
}

void ids_progress_end(ids_progress *progress) {
    progress->session = 0;
    progress->state = IDS_SENDING_OFF;
}

void ids_progress_took(ids_progress *progress, ids_lag_mark first,
                       uint64_t last) {
    ids_lag_took(&progress->lag, first, last);
}

void ids_progress_acked(ids_progress *progress, uint64_t number) {
    if (number > progress->acked)
        progress->acked = number;
    if (number > progress->reached)
        reach_change(progress, number);
    assert(progress->acked <= progress->reached);
}

/* --- frames --------------------------------------------------------------- */

static ids_pf stream_frame(const ids_sender *sender, ids_pf_kind kind,
                           uint64_t number) {
    return (ids_pf){.kind = kind,
                    .stream = sender->stream,
                    .epoch = sender->epoch,
                    .session = sender->session,
                    .number = number};
}

static bool lose_stream(ids_sender *sender) {
    uint64_t session = sender->session;
    ids_sender_stop(sender);
    assert(sender->walked == NULL);
    sender->session = session;
    sender->state = IDS_SENDING_LOST;
    return false;
}

/* One frame of changes from the ring; false: none are there. */
static bool append_changes(ids_sender *sender, idp_bytes *to) {
    ids_pf frame = stream_frame(sender, IDS_PF_APPEND, sender->at.number);
    ids_ring_at at = sender->at;
    size_t frame_at = to->len;
    idp_slice bytes;
    if (!ids_ring_has(sender->ring, &at))
        return lose_stream(sender);
    if (at.number > sender->ring->last)
        return false;
    if (!ids_pf_begin(to, &frame_at))
        return lose_stream(sender);
    while (to->len - frame_at < IDS_PF_APPEND_BYTES &&
           ids_ring_next(sender->ring, &at, &bytes)) {
        if (!idp_bytes_reserve(to, bytes.len)) {
            to->len = frame_at;
            return lose_stream(sender);
        }
        memcpy(to->ptr + to->len, bytes.ptr, bytes.len);
        to->len += bytes.len;
        frame.count++;
    }
    assert(frame.count > 0 && at.number == sender->at.number + frame.count);
    ids_pf_seal(to, frame_at, &frame);
    sender->at = at;
    return true;
}

/* What was collected, as a frame. */
static void flush_chunk(ids_sender *sender) {
    ids_pf frame = stream_frame(sender, IDS_PF_SYNC_CHUNK, 0);
    assert((sender->chunked == 0) == (sender->chunk.len == 0));
    frame.count = sender->chunked;
    frame.body = (idp_slice){sender->chunk.ptr, sender->chunk.len};
    if (sender->chunked > 0 && !ids_pf_append(sender->to, &frame))
        sender->no_memory = true;
    sender->copied += sender->chunked;
    sender->chunk.len = 0;
    sender->chunked = 0;
}

static void chunk_record(void *ctx, const ids_change *change) {
    ids_sender *sender = ctx;
    assert(change->number == 0);
    assert(change->state != IDP_STATE_ABSENT || sender->keys.is_on);
    sender->found = true;
    if (!idp_bytes_reserve(&sender->chunk, ids_change_write_bound(change))) {
        sender->no_memory = true;
        return;
    }
    sender->chunk.len +=
        ids_change_write(sender->chunk.ptr + sender->chunk.len, change);
    sender->chunked++;
    if (sender->chunk.len >= IDS_PF_APPEND_BYTES)
        flush_chunk(sender);
}

/* --- by key --------------------------------------------------------------- */

/* What this loop changes from here on is in the stream. */
static bool begin_keys(ids_sender *sender) {
    ids_sender_keys *keys = &sender->keys;
    if (!keys->is_on)
        return true;
    if (keys->ring == NULL || !ids_key_ring_reaches(keys->ring, &keys->common))
        return false;
    keys->at = 0;
    keys->end = keys->ring->head;
    assert(keys->end >= keys->ring->tail);
    return true;
}

static void chunk_key(void *ctx, const ids_change *change) {
    if (change->state != IDP_STATE_ABSENT || !IDS_RULE_OFF(K_ABSENT))
        chunk_record(ctx, change);
}

/* The next key of the replica's list, then of the ring. False: no more, or (the
 * list is not at its end) it makes no sense. */
static bool next_key(ids_sender_keys *keys, bool *is_beyond, idp_slice *ns,
                     idp_slice *key) {
    const idp_slice asked = {keys->asked.ptr, keys->asked.len};
    ids_key_entry entry;
    *is_beyond = true;
    if (keys->asked_at < asked.len)
        return ids_key_read(asked, &keys->asked_at, ns, key);
    if (keys->at >= keys->end || IDS_RULE_OFF(K_OWN) ||
        !ids_key_ring_next(keys->ring, &keys->at, &entry))
        return false;
    *is_beyond =
        keys->at <= keys->end && ids_key_is_beyond(&entry.at, &keys->common);
    *ns = entry.ns;
    *key = entry.key;
    assert(keys->asked_at == asked.len);
    return true;
}

/* A step: a frame's worth of records, or so many keys that were looked at. */
static bool walk_keys(ids_sender *sender, ids_shard *shard, uint64_t now_ms) {
    ids_sender_keys *keys = &sender->keys;
    idp_slice ns, key;
    bool is_beyond, more = true;
    size_t before = sender->to->len;
    assert(keys->is_on && keys->ring != NULL);
    for (int i = 0; i < WALK_STEPS && sender->to->len == before; i++) {
        more = next_key(keys, &is_beyond, &ns, &key);
        if (!more)
            break;
        if (is_beyond && ids_key_filter_is_new(keys->filter, ns, key))
            ids_shard_see(shard, now_ms, ns, key, chunk_key, sender);
    }
    return more;
}

/* Nothing that is still to be sent was let go, and the list made sense. */
static bool keys_are_whole(const ids_sender *sender, bool more) {
    const ids_sender_keys *keys = &sender->keys;
    return !keys->is_on || (ids_key_ring_reaches(keys->ring, &keys->common) &&
                            (more || keys->asked_at == keys->asked.len));
}

/* --- a copy --------------------------------------------------------------- */

static bool begin_stream(ids_sender *sender, const ids_shard *shard,
                         idp_bytes *to) {
    uint64_t last = sender->ring->last;
    ids_pf frame = stream_frame(sender, IDS_PF_SYNC_BEGIN, last);
    ids_shard_stats stats;
    assert(sender->state == IDS_SENDING_BEGIN && sender->walked == NULL);
    ids_shard_stats_get(shard, &stats);
    if (sender->keys.is_on)
        stats.records = 0; /* nobody has counted them */
    sender->copy_total = stats.records;
    frame.count =
        stats.records < UINT32_MAX ? (uint32_t)stats.records : UINT32_MAX;
    if (!begin_keys(sender) ||
        !ids_ring_seek(sender->ring, last, &sender->at) ||
        !ids_pf_append(to, &frame))
        return lose_stream(sender);
    sender->cursor = 0;
    assert(sender->at.number == last + 1);
    sender->state = IDS_SENDING_WALK;
    return true;
}

/* A step of the walk: a few buckets that hold something, or a frame's worth
 * of bytes. Where the table is thin it may end without either: see
 * ids_sender_walks. */
static bool walk_table(ids_sender *sender, ids_shard *shard, uint64_t now_ms) {
    const idp_bytes *to = sender->to;
    size_t before = to->len;
    uint32_t filled = 0;
    bool more = true;
    assert(sender->walked == NULL || sender->walked == shard);
    sender->walked = shard;
    for (int i = 0; i < WALK_STEPS && more && to->len == before &&
                    filled < sender->walk_buckets;
         i++) {
        sender->found = false;
        more = ids_shard_walk(shard, now_ms, &sender->cursor, 1, chunk_record,
                              sender);
        filled += sender->found;
    }
    if (!more) {
        ids_shard_walk_end(shard);
        sender->walked = NULL;
    }
    return more;
}

static bool walk(ids_sender *sender, ids_shard *shard, uint64_t now_ms,
                 idp_bytes *to) {
    size_t before = to->len;
    bool more;
    assert(sender->state == IDS_SENDING_WALK && sender->chunked == 0);
    sender->to = to;
    more = sender->keys.is_on ? walk_keys(sender, shard, now_ms)
                              : walk_table(sender, shard, now_ms);
    flush_chunk(sender);
    if (sender->no_memory || !keys_are_whole(sender, more)) {
        sender->no_memory = false;
        return lose_stream(sender);
    }
    if (!more) {
        end_keys(sender);
        sender->whole = sender->ring->last;
        assert(sender->at.number <= sender->whole + 1);
        sender->state = IDS_SENDING_END;
    }
    return to->len > before || !more;
}

/* In turns: changes must not wait for the walk, nor the walk for a moment
 * without any. A record may so come before older changes of it; with all up
 * to the walk's end applied, the copy is right. */
static bool walk_and_append(ids_sender *sender, ids_shard *shard,
                            uint64_t now_ms, idp_bytes *to) {
    sender->walks_next = !sender->walks_next;
    if (sender->walks_next && append_changes(sender, to))
        return true;
    if (sender->state != IDS_SENDING_WALK)
        return false;
    return walk(sender, shard, now_ms, to) ||
           (sender->state == IDS_SENDING_WALK && append_changes(sender, to));
}

bool ids_sender_next(ids_sender *sender, ids_shard *shard, uint64_t now_ms,
                     idp_bytes *to) {
    ids_pf frame = stream_frame(sender, IDS_PF_SYNC_END, sender->whole);
    switch (sender->state) {
    case IDS_SENDING_BEGIN:
        return begin_stream(sender, shard, to);
    case IDS_SENDING_WALK:
        return walk_and_append(sender, shard, now_ms, to);
    case IDS_SENDING_END:
        if (sender->at.number <= sender->whole)
            return append_changes(sender, to);
        if (!ids_pf_append(to, &frame))
            return lose_stream(sender);
        assert(sender->at.number > sender->whole && sender->walked == NULL);
        sender->state = IDS_SENDING_STREAM;
        return true;
    case IDS_SENDING_STREAM:
        return append_changes(sender, to);
    case IDS_SENDING_OFF:
    case IDS_SENDING_LOST:
        break;
    }
    return false;
}
