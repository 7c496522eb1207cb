/* SPDX-License-Identifier: Apache-2.0 */
/* erase.c -- see erase.h.
 *
 * A step of the walk first notes the keys, and only then are they erased: a
 * walk bears that records go between its steps, not within one. */
#include "server/line/erase.h"

#include "proto/request.h"
#include "server/core/receipt.h"
#include "server/worker/commit_gate.h"
#include "server/worker/reply.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_A_STEP 256u
#define KEY_HEAD_BYTES 3

typedef struct erasing {
    ids_listed in_list;
    ids_asker asker;
    uint32_t msgid;
    ids_shard
        *shard; /* that is walked; another one has taken its place: over */
    uint64_t cursor;
    bool walks, dry_run, failed;
    uint64_t records, running;
    idp_bytes keys; /* of this step, each with its lengths before it */
    size_t ns_len, prefix_len;
    uint8_t ns[IDP_NS_BYTES_MAX];
    uint8_t prefix[IDP_KEY_BYTES_MAX];
} erasing;

/* The asker's loop ----------------------------------------------------------
 */

bool ids_erase_everywhere(ids_worker *worker, ids_audited_one *one) {
    const ids_message message = {.asker = one->asker,
                                 .msgid = one->msgid,
                                 .body_bytes = one->frame_bytes,
                                 .kind = IDS_MESSAGE_ERASE};
    for (uint32_t loop = 0; loop < worker->server->loops; loop++) {
        ids_message_batch *batch = ids_worker_batch(worker, loop);
        if (!batch || !ids_message_append(batch, &message, one->frame))
            return one->parts_left > 0; /* those that have it will say so */
        one->parts_left++;
    }
    return true;
}

static void add_erased_part(ids_audited_one *one, idp_slice frame,
                            idp_error failed) {
    idp_reply reply;
    idp_answer answer;
    size_t bytes;
    if (failed != IDP_OK) {
        one->error = failed;
    } else if (idp_reply_open(frame.ptr, frame.len, frame.len, &reply,
                              &bytes) != IDP_REPLY_WHOLE) {
        one->error = IDP_E_NO_MEMORY;
    } else if (reply.is_error) {
        one->error = reply.error;
    } else if (idp_answer_read(IDP_ERASE, reply.result, &answer)) {
        one->answer.outcome = answer.outcome;
        one->answer.records += answer.records;
        one->answer.running += answer.running;
    }
}

void ids_erase_part(ids_worker *worker, ids_audited_one *one, idp_slice frame,
                    idp_error failed) {
    ids_conn *conn = ids_worker_find(worker, one->asker);
    static const char some[] =
        "not on every worker: some keys may be gone, others not; erase again";
    assert(one->parts_left > 0);
    add_erased_part(one, frame, failed);
    if (--one->parts_left > 0)
        return;
    if (conn && !conn->ended) {
        assert(conn->waiting > 0);
        conn->waiting--;
        if (one->error != IDP_OK)
            ids_reply_error(worker, conn, one->msgid, one->error, some);
        else
            ids_reply_answer(worker, conn, one->msgid, &one->answer);
    }
    ids_audited_end(worker, one, one->error == IDP_OK ? &one->answer : NULL,
                    one->error, one->error == IDP_OK ? NULL : some);
}

/* A loop's keys -------------------------------------------------------------
 */

static void reply(ids_worker *worker, const erasing *e, idp_error error) {
    const ids_reply_to to = {
        .asker = e->asker, .msgid = e->msgid, .flags = IDS_MESSAGE_WAITS};
    const idp_answer answer = {.outcome = e->dry_run ? IDP_OUTCOME_COUNTED
                                                     : IDP_OUTCOME_ERASED,
                               .records = e->records,
                               .running = e->running};
    ids_reply_message(worker, &to, error, error == IDP_OK ? &answer : NULL);
}

static void drop(ids_erasings *all, erasing *e) {
    ids_list_remove(&all->list, &e->in_list);
    assert(all->count > 0);
    all->count--;
    idp_bytes_free(&e->keys);
    free(e);
}

static void end(ids_erasings *all, ids_worker *worker, erasing *e,
                idp_error error) {
    if (e->walks && worker->shard == e->shard)
        ids_shard_walk_end(e->shard);
    reply(worker, e, error);
    drop(all, e);
}

void ids_erase_take(ids_erasings *all, ids_worker *worker,
                    const ids_message *message, const uint8_t *body) {
    const idp_read_limits limits = {worker->server->result_bytes_max};
    idp_request request;
    idp_read_fault fault;
    size_t bytes;
    erasing *e = all->count < IDS_ERASINGS_MAX ? calloc(1, sizeof *e) : NULL;
    const erasing none = {.asker = message->asker, .msgid = message->msgid};
    idp_read read = idp_request_read(body, message->body_bytes, &limits,
                                     &request, &bytes, &fault);
    assert(read == IDP_READ_WHOLE && request.method == IDP_ERASE);
    if (!e) {
        reply(worker, &none, IDP_E_LIMIT);
        return;
    }
    e->asker = message->asker;
    e->msgid = message->msgid;
    e->dry_run = request.dry_run;
    e->shard = worker->shard;
    e->ns_len = request.ns.len;
    e->prefix_len = request.key.len;
    memcpy(e->ns, request.ns.ptr, e->ns_len);
    memcpy(e->prefix, request.key.ptr, e->prefix_len);
    ids_list_append(&all->list, &e->in_list);
    all->count++;
}

static bool is_meant(const erasing *e, idp_slice ns, idp_slice key) {
    return ns.len == e->ns_len && key.len >= e->prefix_len &&
           memcmp(ns.ptr, e->ns, ns.len) == 0 &&
           memcmp(key.ptr, e->prefix, e->prefix_len) == 0;
}

static void note_key(void *ctx, const ids_change *change) {
    erasing *e = ctx;
    idp_slice ns = ids_receipt_hashed_ns(change->ns);
    const uint8_t head[KEY_HEAD_BYTES] = {(uint8_t)ns.len,
                                          (uint8_t)(change->key.len >> 8),
                                          (uint8_t)change->key.len};
    if (!is_meant(e, ns, change->key))
        return;
    if (e->dry_run && !ids_receipt_is(change->ns)) {
        e->records++;
        e->running += change->state == IDP_STATE_IN_PROGRESS;
    }
    if (e->dry_run || e->failed)
        return;
    e->failed = !idp_bytes_append(&e->keys, head, sizeof head) ||
                (ns.len > 0 && !idp_bytes_append(&e->keys, ns.ptr, ns.len)) ||
                !idp_bytes_append(&e->keys, change->key.ptr, change->key.len);
}

static idp_error erase_one(ids_worker *worker, erasing *e, idp_slice ns,
                           idp_slice key) {
    uint32_t owner;
    const idp_request request = {.method = IDP_ERASE, .ns = ns, .key = key};
    const ids_call call = {.request = &request,
                           .hash =
                               ids_server_hash(worker->server, ns, key, &owner),
                           .now_ms = worker->now_ms,
                           .asker = e->asker};
    idp_answer answer;
    idp_error error = IDP_OK;
    const char *text;
    assert(owner == worker->index);
    if (ids_commit_gate_call(worker, &call, &answer, &error, &text) ==
        IDS_REFUSED)
        return error;
    e->records += answer.outcome == IDP_OUTCOME_DELETED;
    e->running += answer.outcome == IDP_OUTCOME_DELETED &&
                  answer.state == IDP_STATE_IN_PROGRESS;
    return IDP_OK;
}

static idp_error erase_noted(ids_worker *worker, erasing *e) {
    idp_error error = IDP_OK;
    uint32_t count = 0;
    for (size_t at = 0; at < e->keys.len && error == IDP_OK; count++) {
        const uint8_t *head = e->keys.ptr + at;
        idp_slice ns = {head + KEY_HEAD_BYTES, head[0]};
        idp_slice key = {ns.ptr + ns.len, (size_t)head[1] << 8 | head[2]};
        at += KEY_HEAD_BYTES + ns.len + key.len;
        assert(at <= e->keys.len);
        error = erase_one(worker, e, ns, key);
    }
    e->keys.len = 0;
    ids_worker_worked(worker, IDS_WORK_DUE, count, 0);
    return error;
}

/* Whoever may not change a record counts none either. */
static idp_error refused(const ids_worker *worker) {
    const idp_request request = {.method = IDP_ERASE};
    const char *text;
    return worker->epoch_end == 0 || worker->role_state.role != IDS_LEADS
               ? ids_role_state_refuses(&worker->role_state, &request, &text)
               : IDP_OK;
}

static void step(ids_erasings *all, ids_worker *worker, erasing *e) {
    idp_error error = refused(worker);
    if (error == IDP_OK && worker->shard != e->shard)
        error = IDP_E_NOT_PRIMARY;
    if (error != IDP_OK) {
        end(all, worker, e, error);
        return;
    }
    bool more = ids_shard_walk(e->shard, worker->now_ms, &e->cursor,
                               BUCKETS_A_STEP, note_key, e);
    e->walks = true;
    error = e->failed ? IDP_E_NO_MEMORY : erase_noted(worker, e);
    if (error != IDP_OK || !more)
        end(all, worker, e, error);
}

/* The disk comes first: what it has not kept would only grow. */
static bool erase_may_go_on(const ids_worker *worker) {
    return !worker->gate.full && ids_worker_may(worker, IDS_WORK_DUE) &&
           !(worker->journal && ids_journal_is_over(worker->journal));
}

bool ids_erase_turn(ids_erasings *all, ids_worker *worker) {
    ids_listed *next;
    for (ids_listed *at = all->list.head; at && erase_may_go_on(worker);
         at = next) {
        next = at->next;
        step(all, worker, IDS_LISTED(erasing, in_list, at));
    }
    return all->count > 0;
}

void ids_erase_fini(ids_erasings *all) {
    ids_listed *next;
    for (ids_listed *at = all->list.head; at; at = next) {
        erasing *e = IDS_LISTED(erasing, in_list, at);
        next = at->next;
        idp_bytes_free(&e->keys);
        free(e);
    }
    *all = (ids_erasings){.count = 0};
}
