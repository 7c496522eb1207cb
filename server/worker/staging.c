/* SPDX-License-Identifier: Apache-2.0 */
/* staging.c -- a replica's copy of another node's records; see staging.h. */
#include "server/worker/staging.h"

#include "proto/owner.h"
#include "server/base/log.h"
#include "server/journal/change.h"
#include "server/peer/mutant.h"
#include "server/peer/peer.h"
#include "server/worker/commit_gate.h"

#include <assert.h>
#include <string.h>

/* --- the copy beside ------------------------------------------------------ */

static ids_shard **free_place(ids_staging *copy) {
    for (int i = 0; i < IDS_STAGING_RETIRED_MAX; i++)
        if (!copy->retired[i])
            return &copy->retired[i];
    return NULL;
}

void ids_staging_drop(ids_worker *worker) {
    ids_staging *copy = &worker->staging;
    ids_shard **place = free_place(copy);
    if (place)
        *place = copy->staged;
    else
        ids_pools_free_shard(worker->server->pools, copy->staged);
    copy->staged = NULL;
}

static bool make_staged(ids_worker *worker, uint64_t session) {
    ids_staging *copy = &worker->staging;
    if (copy->staged && copy->staged_session == session)
        return true;
    ids_staging_drop(worker);
    ids_staging_tidy(worker);
    copy->staged = ids_pools_new_shard(worker->server->pools,
                                       &worker->shard_config, session);
    if (!copy->staged)
        return false;
    ids_peer_prepare_copy(copy->staged);
    copy->staged_session = session;
    return true;
}

bool ids_staging_prepare(ids_worker *worker, uint64_t session) {
    assert(worker->role_state.role == IDS_FOLLOWS);
    return make_staged(worker, session) && free_place(&worker->staging);
}

void ids_staging_swap(ids_worker *worker) {
    ids_staging *copy = &worker->staging;
    assert(copy->staged && worker->role_state.role == IDS_FOLLOWS);
    *free_place(copy) = worker->shard;
    worker->shard = copy->staged;
    copy->staged = NULL;
    copy->session = copy->staged_session;
}

void ids_staging_tidy(ids_worker *worker) {
    ids_staging *copy = &worker->staging;
    if (copy->staged && worker->role_state.role != IDS_FOLLOWS)
        ids_staging_drop(worker);
    for (int i = 0; i < IDS_STAGING_RETIRED_MAX; i++) {
        ids_shard *shard = copy->retired[i];
        if (!shard || ids_shard_is_walked(shard))
            continue;
        ids_pools_free_shard(worker->server->pools, shard);
        copy->retired[i] = NULL;
    }
}

void ids_staging_fini(ids_worker *worker) {
    for (int i = 0; i < IDS_STAGING_RETIRED_MAX; i++)
        ids_pools_free_shard(worker->server->pools, worker->staging.retired[i]);
    ids_pools_free_shard(worker->server->pools, worker->staging.staged);
    idp_bytes_free(&worker->staging.applied);
}

/* --- records -------------------------------------------------------------- */

static bool same_tag(const ids_batch_tag *a, const ids_batch_tag *b) {
    return a->session == b->session && a->epoch == b->epoch &&
           a->batch == b->batch && a->stream == b->stream &&
           a->staged == b->staged;
}

static bool fail_staging(ids_worker *worker, const ids_batch_tag *tag) {
    if (!worker->staging.failed)
        ids_log(IDS_LOG_ERROR, "a record of the primary's found no memory",
                "loop=%u copy=%s at=\"--max-memory\"", worker->index,
                tag->staged ? "new" : "current");
    worker->staging.failed = true;
    return false;
}

/* Records of one tag come in a row. */
static bool note_applied(ids_worker *worker, const ids_batch_tag *tag,
                         uint64_t number, uint32_t count) {
    ids_staging *copy = &worker->staging;
    ids_applied last = {.tag = *tag, .number = number, .count = count};
    if (copy->applied.len > copy->applied_at) {
        ids_applied *at =
            (void *)(copy->applied.ptr + copy->applied.len - sizeof *at);
        if (same_tag(&at->tag, tag)) {
            at->count += count;
            at->number = number > at->number ? number : at->number;
            return true;
        }
    }
    return idp_bytes_append(&copy->applied, &last, sizeof last) ||
           fail_staging(worker, tag);
}

bool ids_staging_next_applied(ids_worker *worker, uint64_t kept,
                              ids_applied *applied) {
    ids_staging *copy = &worker->staging;
    if (copy->applied_at == copy->applied.len) {
        copy->applied_at = copy->applied.len = 0;
        return false;
    }
    memcpy(applied, copy->applied.ptr + copy->applied_at, sizeof *applied);
    if (applied->number > kept && !IDS_RULE_OFF(KEPT_ACKS)) {
        idp_bytes_consume(&copy->applied, copy->applied_at);
        copy->applied_at = 0;
        return false;
    }
    copy->applied_at += sizeof *applied;
    return true;
}

void ids_staging_spoil(ids_worker *worker) {
    worker->staging.failed = true;
}

bool ids_staging_take_failure(ids_worker *worker) {
    bool failed = worker->staging.failed;
    worker->staging.failed = false;
    return failed;
}

/* What of a full copy comes late is put where that copy stands by now. */
static bool is_for_staged(const ids_worker *worker, const ids_batch_tag *tag) {
    return tag->staged && tag->session != worker->staging.session;
}

/* A change that is put beside, too: it may be in a copy that takes the first
 * one's place before all changes up to it are in. */
static void note_put_key(ids_worker *worker, const ids_batch_tag *tag,
                         const ids_change *change) {
    ids_key_at at = {tag->epoch, tag->number, tag->stream};
    if (tag->number == 0)
        at.stream = IDS_KEYS_TOUCHED;
    if (tag->number == 0 && (tag->staged || IDS_RULE_OFF(K_TOUCHED)))
        return; /* of a full copy: no change */
    ids_key_ring_note(&worker->keys, &at, change->ns, change->key);
}

static bool put_staged(ids_worker *worker, const ids_batch_tag *tag,
                       uint64_t hash, const ids_change *change) {
    bool staged = is_for_staged(worker, tag);
    if (staged && !make_staged(worker, tag->session))
        return fail_staging(worker, tag);
    ids_shard *shard = staged ? worker->staging.staged : worker->shard;
    ids_change nameless = *change;
    if (IDS_RULE_OFF(R10)) {
        nameless.nonce.len = nameless.encoded.len = 0;
        change = &nameless;
    }
    if (!ids_shard_put(shard, hash, change, worker->now_ms))
        return fail_staging(worker, tag);
    if (!staged)
        ids_commit_gate_put(worker, change);
    note_put_key(worker, tag, change);
    return true;
}

static bool send(ids_worker *worker, uint32_t loop, const ids_batch_tag *tag,
                 uint64_t hash, const ids_change *change) {
    size_t bound = sizeof *tag + ids_change_write_bound(change);
    const ids_message message = {.asker = ids_worker_asker(worker->index),
                                 .word = hash,
                                 .body_bytes = (uint32_t)bound,
                                 .kind = IDS_MESSAGE_APPLY};
    ids_message_batch *batch = ids_worker_batch(worker, loop);
    uint8_t *body = batch ? ids_message_append(batch, &message, NULL) : NULL;
    if (!body)
        return fail_staging(worker, tag);
    memcpy(body, tag, sizeof *tag);
    size_t size = ids_change_write(body + sizeof *tag, change);
    ids_message_trim(batch, body, (uint32_t)(sizeof *tag + size));
    return true;
}

static bool route_one(ids_worker *worker, const ids_batch_tag *tag,
                      uint32_t owner, uint64_t hash, const ids_change *change) {
    if (owner != worker->index)
        return send(worker, owner, tag, hash, change);
    return put_staged(worker, tag, hash, change) &&
           note_applied(worker, tag, worker->gate.changes, 1);
}

/* As in dispatch: where records will be looked for is fetched for all of them
 * before the first is put. */
bool ids_staging_route(ids_worker *worker, const ids_batch_tag *tag,
                       const ids_change *changes, uint32_t count) {
    uint64_t hash[IDS_ROUTE_MAX];
    uint32_t owner[IDS_ROUTE_MAX];
    const ids_shard *shard =
        is_for_staged(worker, tag) && worker->staging.staged
            ? worker->staging.staged
            : worker->shard;
    assert(worker->role_state.role == IDS_FOLLOWS && count <= IDS_ROUTE_MAX);
    for (uint32_t i = 0; i < count; i++) {
        hash[i] = ids_server_hash_record(worker->server, changes[i].ns,
                                         changes[i].key, &owner[i]);
        ids_shard_prefetch_bucket(shard, hash[i]);
    }
    for (uint32_t i = 0; i < count; i++)
        ids_shard_prefetch_record(shard, hash[i]);
    for (uint32_t i = 0; i < count; i++)
        if (!route_one(worker, tag, owner[i], hash[i], &changes[i]))
            return false;
    return true;
}

/* --- at the owner, and back ----------------------------------------------- */

static bool batch_is_current(ids_worker *worker, const ids_batch_tag *tag,
                             ids_staging_batch *walk) {
    if (!walk->is_asked || walk->asked.session != tag->session ||
        walk->asked.epoch != tag->epoch) {
        walk->is_asked = true;
        walk->asked = *tag;
        walk->is_current = worker->driver.is_current(worker->driver.ctx, tag) &&
                           worker->role_state.role == IDS_FOLLOWS;
    }
    return walk->is_current;
}

void ids_staging_apply(ids_worker *worker, const ids_message *message,
                       const uint8_t *body, ids_staging_batch *walk) {
    ids_batch_tag tag;
    ids_change change;
    assert(message->body_bytes > sizeof tag);
    memcpy(&tag, body, sizeof tag);
    if (!batch_is_current(worker, &tag, walk))
        return;
    size_t bytes = ids_change_read(body + sizeof tag,
                                   message->body_bytes - sizeof tag, &change);
    assert(bytes > 0); /* it was written by ids_staging_route */
    (void)bytes;
    if (!put_staged(worker, &tag, message->word, &change))
        return;
    if (walk->applied.count == 0 || !same_tag(&walk->applied.tag, &tag)) {
        ids_staging_close(worker, walk);
        walk->applied.tag = tag;
        walk->from = ids_asker_loop(message->asker);
    }
    walk->applied.count++;
}

void ids_staging_close(ids_worker *worker, ids_staging_batch *walk) {
    const ids_message message = {.body_bytes = sizeof walk->applied,
                                 .kind = IDS_MESSAGE_APPLIED};
    if (walk->applied.count == 0)
        return;
    ids_showing shows =
        IDS_RULE_OFF(KEPT_ACKS) ? IDS_SHOWS_NOTHING : IDS_SHOWS_RECORD;
    ids_message_batch *batch =
        ids_worker_reply_batch(worker, walk->from, shows);
    size_t before = batch ? batch->message.len : 0;
    if (!batch ||
        !ids_message_append(batch, &message, (const uint8_t *)&walk->applied))
        fail_staging(worker, &walk->applied.tag);
    else
        ids_worker_messaged(worker, walk->from, batch, before);
    walk->applied.count = 0;
}

void ids_staging_applied(ids_worker *worker, const uint8_t *body) {
    ids_applied applied;
    memcpy(&applied, body, sizeof applied);
    note_applied(worker, &applied.tag, 0, applied.count);
}
