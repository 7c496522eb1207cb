/* SPDX-License-Identifier: Apache-2.0 */
/* commit_gate.c -- the commit gate; see commit_gate.h. */
#include "server/worker/commit_gate.h"

#include "server/base/log.h"
#include "server/worker/limited.h"
#include "server/worker/reply.h"
#include "server/worker/woken.h"

#include <assert.h>

/* So many replies leave in one turn, so many of them in one go. */
#define RELEASED_A_TURN 4096
#define RUN_MAX         256

/* What leaves -------------------------------------------------------------- */

/* Moves the first bytes of what is held for a worker among what goes out. */
static bool post_messages(ids_worker *worker, uint32_t loop, size_t bytes) {
    ids_commit_wait_batch *held = &worker->gate.message[loop];
    idp_bytes *from = &held->batch.message;
    ids_message_batch *to = ids_worker_batch(worker, loop);
    assert(held->at + bytes <= from->len);
    if (!to)
        return false;
    if (!to->message.len && held->at == 0 && bytes == from->len) {
        idp_bytes empty = to->message;
        to->message = *from;
        *from = empty;
        return true;
    }
    if (!idp_bytes_append(&to->message, from->ptr + held->at, bytes))
        return false;
    idp_bytes_take(from, &held->at, bytes);
    return true;
}

/* Marks of one asker and one kind that stand in a row and may leave: they leave
 * together. */
typedef struct run {
    ids_asker asker;
    ids_commit_wait_kind kind;
    uint32_t count;
    size_t bytes;
} run;

static run next_run(const ids_commit_gate *gate) {
    const ids_commit_wait *first = ids_commit_wait_first(gate),
                          *end = ids_commit_wait_end(gate);
    run next = {.asker = first->asker,
                .kind = (ids_commit_wait_kind)first->kind};
    for (const ids_commit_wait *each = first;
         each < end && each->asker == next.asker && each->kind == next.kind &&
         each->number <= gate->watermark && next.count < RUN_MAX;
         each++) {
        next.count++;
        next.bytes += each->bytes;
    }
    return next;
}

/* The replies of a run are the connection's to send. */
static void release_replies(ids_worker *worker, ids_conn *conn,
                            const run *these) {
    ids_output_let_go(worker, conn, these->count);
    if (ids_conn_is_dead(conn)) /* its bytes go with it */
        return;
    if (these->kind == IDS_COMMIT_WAIT_BYTES)
        ids_output_free(worker, conn, these->bytes);
    else
        for (uint32_t i = 0; i < these->count; i++)
            ids_output_free_share(worker, conn);
    ids_worker_mark(worker, conn);
}

static bool release_message(ids_worker *worker, const run *these) {
    if (!post_messages(worker, ids_asker_loop(these->asker), these->bytes))
        return false;
    worker->gate.replies -= these->count;
    return true;
}

/* What the disk had before, as it let go last, waited for the replica. */
static void measure_run(ids_worker *worker, const run *these) {
    const ids_commit_wait *mark = ids_commit_wait_first(&worker->gate);
    uint32_t now_us = ids_measures_us(&worker->measures);
    for (uint32_t i = 0; i < these->count; i++, mark++) {
        ids_waited_for what = mark->number > worker->gate.kept
                                  ? IDS_WAITED_FOR_DISK
                                  : IDS_WAITED_FOR_REPLICA;
        uint32_t us = now_us - mark->since_us;
        ids_histogram_note(&worker->measures.commit_wait[what],
                           (uint64_t)us * 1000);
        if (us > IDS_SLOW_HOLD_US)
            ids_slow_log_held(&worker->slow, (int)what, us);
    }
}

void ids_commit_gate_release(ids_worker *worker, uint64_t watermark) {
    ids_commit_gate *gate = &worker->gate;
    uint32_t released = 0;
    if (gate->shut)
        return;
    gate->watermark = watermark;
    while (released < RELEASED_A_TURN && ids_commit_gate_has_more(gate)) {
        const run next = next_run(gate);
        assert(next.count > 0);
        ids_conn *conn = next.kind == IDS_COMMIT_WAIT_MESSAGE
                             ? NULL
                             : ids_worker_find(worker, next.asker);
        if (conn)
            release_replies(worker, conn, &next);
        else if (next.kind == IDS_COMMIT_WAIT_MESSAGE &&
                 !release_message(worker, &next))
            return; /* no memory: with the next release */
        measure_run(worker, &next);
        ids_commit_wait_drop(gate, next.count);
        released += next.count;
    }
}

/* What never leaves -------------------------------------------------------- */

/* The message keeps its size; its worker writes the error. False: no memory. */
static bool fail_message(ids_worker *worker, const ids_commit_wait *mark,
                         idp_error error) {
    uint32_t loop = ids_asker_loop(mark->asker);
    const ids_commit_wait_batch *held = &worker->gate.message[loop];
    const ids_message_batch part = {
        {held->batch.message.ptr + held->at, mark->bytes, mark->bytes}};
    size_t at = 0;
    ids_message message;
    uint8_t *body;
    while (ids_message_next(&part, &at, &message, &body)) {
        if (message.kind != IDS_MESSAGE_REPLY &&
            message.kind != IDS_MESSAGE_REPLAYS &&
            message.kind != IDS_MESSAGE_EVENTED)
            continue;
        message.flags |= IDS_MESSAGE_FAILED;
        message.word = (uint64_t) - (int)error;
        ids_message_rewrite(body, &message);
    }
    if (!post_messages(worker, loop, mark->bytes))
        return false;
    worker->gate.replies--;
    return true;
}

static void fail_reply(ids_worker *worker, ids_conn *conn,
                       const ids_commit_wait *mark, idp_error error,
                       const char *text) {
    ids_output_let_go(worker, conn, 1);
    if (ids_conn_is_dead(conn))
        return;
    if (mark->kind == IDS_COMMIT_WAIT_BYTES && IDS_RULE_OFF(REVOKES)) {
        ids_output_free(worker, conn, mark->bytes);
        return;
    }
    if (mark->kind == IDS_COMMIT_WAIT_BYTES)
        ids_output_revoke(worker, conn, mark->bytes);
    else
        ids_output_revoke_share(worker, conn);
    ids_reply_error(worker, conn, mark->msgid, error, text);
}

void ids_commit_gate_fail(ids_worker *worker, uint64_t since_ms,
                          idp_error error, const char *text) {
    ids_commit_wait *first;
    if (worker->gate.shut)
        return;
    while ((first = ids_commit_wait_first(&worker->gate)) &&
           first->since_ms <= since_ms) {
        const ids_commit_wait mark = *first;
        bool is_message = mark.kind == IDS_COMMIT_WAIT_MESSAGE;
        ids_conn *conn =
            is_message ? NULL : ids_worker_find(worker, mark.asker);
        if (is_message && !fail_message(worker, &mark, error)) {
            first->number = 0; /* its errors may leave at any time */
            return;
        }
        if (conn)
            fail_reply(worker, conn, &mark, error, text);
        ids_commit_wait_drop(&worker->gate, 1);
    }
}

/* The gate ----------------------------------------------------------------- */

void ids_commit_gate_shut(ids_worker *worker) {
    worker->gate.shut = true;
    worker->gate.watermark = 0;
    worker->gate.changes += worker->gate.changes == 0;
}

static void keep_change(ids_worker *worker, const ids_change *change) {
    ids_journal_take(worker->journal, change);
    if (ids_journal_has_failed(worker->journal))
        ids_commit_gate_shut(worker);
}

static void note_changed_key(ids_worker *worker, const ids_change *change) {
    ids_key_at at = {worker->role_state.lead_epoch, change->number,
                     worker->index};
    if (worker->change_buffer.is_on)
        ids_key_ring_note(&worker->keys, &at, change->ns, change->key);
}

/* Encoded once: the journal takes the bytes that the streams get.
 *
 * The worker counts, not the shard: one count for all that its journal keeps,
 * its own changes and another node's, whichever shard is in place. */
void ids_commit_gate_change(void *ctx, const ids_change *change) {
    ids_worker *worker = ctx;
    ids_change numbered = *change;
    numbered.number = ++worker->gate.changes;
    IDS_RULE_NOTE(worker->gate.has_changed = true);
    if (worker->change_buffer.is_on)
        numbered.encoded = ids_change_buffer_take(&worker->change_buffer,
                                                  numbered.number, &numbered);
    if (worker->journal)
        keep_change(worker, &numbered);
    note_changed_key(worker, &numbered);
    if (ids_events_is_on(&worker->events))
        ids_events_change(worker, change);
    if (ids_change_buffer_is_high(&worker->change_buffer))
        worker->driver.change_buffer_is_high(worker->driver.ctx);
}

void ids_commit_gate_put(ids_worker *worker, const ids_change *change) {
    if (!worker->journal)
        return;
    ids_change numbered = *change;
    numbered.number = ++worker->gate.changes;
    keep_change(worker, &numbered);
}

static void mark_stalled(ids_worker *worker) {
    for (uint32_t i = 0; i < worker->slots.used; i++) {
        ids_conn *conn = worker->slots.all[i].conn;
        if (conn && ids_conn_is_stalled(conn))
            ids_worker_mark(worker, conn);
    }
}

void ids_commit_gate_set_full(ids_worker *worker, bool full) {
    bool was = worker->gate.full;
    worker->gate.full = full;
    if (was && !full)
        mark_stalled(worker);
}

/* Claims that are not taken -------------------------------------------------
 */

/* Whether the acquire would make a claim, rather than hear of another's. */
static bool would_claim(ids_worker *worker, const ids_call *call) {
    idp_request peek = {
        .method = IDP_PEEK, .ns = call->request->ns, .key = call->request->key};
    ids_call look = *call;
    idp_answer answer = {0};
    idp_error error;
    look.request = &peek;
    ids_verdict verdict = ids_shard_call(worker->shard, &look, &answer, &error);
    assert(verdict == IDS_ANSWERED);
    (void)verdict;
    return answer.state == IDP_STATE_ABSENT ||
           answer.state == IDP_STATE_RELEASED ||
           (answer.state == IDP_STATE_ORPHANED &&
            call->request->on_orphan == IDP_TAKEOVER);
}

static const char *too_many_waiters(const ids_worker *worker) {
    ids_shard_stats stats;
    ids_shard_stats_get(worker->shard, &stats);
    return stats.waiters >= worker->shard_config.waiters_max
               ? "too many acquires wait (--max-waiters)"
               : "too many acquires wait for this key (--max-waiters-per-key)";
}

ids_verdict ids_commit_gate_call(ids_worker *worker, const ids_call *call,
                                 idp_answer *answer, idp_error *error,
                                 const char **text) {
    *text = NULL;
    if (call->request->token.epoch >= worker->epoch_end) {
        *error =
            ids_role_state_refuses(&worker->role_state, call->request, text);
        if (*error != IDP_OK)
            return IDS_REFUSED;
    }
    if (call->request->method == IDP_ACQUIRE &&
        (worker->gate.disk_is_full ||
         worker->now_ms < worker->gate.claims_from_ms) &&
        would_claim(worker, call)) {
        *error = worker->gate.disk_is_full ? IDP_E_NO_MEMORY : IDP_E_LIMIT;
        *text = worker->gate.disk_is_full
                    ? "the disk is nearly full; the claim was not made"
                    : "no claims are taken for a while after an empty start "
                      "(--hold-claims); ask again";
        return IDS_REFUSED;
    }
    IDS_RULE_NOTE(worker->gate.has_changed = false);
    ids_verdict verdict = ids_shard_call(worker->shard, call, answer, error);
    if (worker->woken.rest)
        ids_woken_end(worker);
    if (ids_events_is_on(&worker->events) && verdict == IDS_ANSWERED)
        ids_events_answered(worker, call, answer);
    if (verdict == IDS_REFUSED)
        *text = ids_limited_text(worker, *error);
    if (verdict == IDS_REFUSED && *error == IDP_E_LIMIT && *text == NULL)
        *text = too_many_waiters(worker);
    return verdict;
}
