/* SPDX-License-Identifier: Apache-2.0 */
/* incoming.c -- what comes by messages of other loops; see incoming.h. */
#include "server/line/incoming.h"

#include "proto/request.h"
#include "server/admin/looks.h"
#include "server/line/admit.h"
#include "server/line/decide.h"
#include "server/line/dispatch.h"
#include "server/line/erase.h"
#include "server/line/reader.h"
#include "server/worker/commit_gate.h"
#include "server/worker/forward.h"
#include "server/worker/reply.h"
#include "server/worker/woken.h"

#include <assert.h>

/* Replies ------------------------------------------------------------------ */

/* True: it is a part of an answer, and taken. */
static bool is_audited(ids_worker *worker, const ids_message *message,
                       const uint8_t *body, idp_error failed) {
    const idp_slice frame = {body, message->body_bytes};
    ids_audited_one *one =
        ids_audited_find(worker, message->asker, message->msgid);
    if (one && one->parts_left) {
        ids_erase_part(worker, one, frame, failed);
        return true;
    }
    ids_audited_reply(worker, message->asker, message->msgid, frame, failed);
    return false;
}

static void deliver_reply(ids_worker *worker, const ids_message *message,
                          const uint8_t *body) {
    bool failed = message->flags & IDS_MESSAGE_FAILED;
    ids_conn *conn = ids_worker_find(worker, message->asker);
    if (worker->audited.count &&
        is_audited(worker, message, body,
                   failed ? (idp_error) - (int)message->word : IDP_OK))
        return;
    if (!conn)
        return; /* it died meanwhile */
    if (message->flags & IDS_MESSAGE_WAITS) {
        if (conn->ended)
            return; /* forgotten already */
        assert(conn->waiting);
        conn->waiting--;
    } else {
        size_t bytes = message->asked_bytes + IDS_FORWARD_REPLY_BYTES;
        assert(conn->forwarded.bytes >= bytes);
        conn->forwarded.bytes -= bytes;
        worker->buffers.bytes -= bytes;
        ids_forward_returned(worker, conn);
        uint32_t guess = conn->forwarded.reply_bytes;
        guess -= guess / 8;
        conn->forwarded.reply_bytes =
            message->word > guess ? (uint32_t)message->word : guess;
    }
    if (failed) {
        idp_error error = (idp_error) - (int)message->word;
        ids_reply_error(worker, conn, message->msgid, error,
                        ids_role_state_text(&worker->role_state, error));
        return;
    }
    ids_reply_forward(worker, conn, message->msgid,
                      (idp_slice){body, message->body_bytes});
}

/* What was asked, in the batch it came in, is read a second time: cheaper
 * than carrying it decoded. */
static void read_ask(ids_worker *worker, ids_item *item,
                     const ids_message *message, const uint8_t *body) {
    const idp_read_limits limits = {worker->server->result_bytes_max};
    idp_read_fault fault;
    size_t frame_bytes;
    idp_read read = idp_request_read(body, message->body_bytes, &limits,
                                     &item->request, &frame_bytes, &fault);
    assert(read == IDP_READ_WHOLE && frame_bytes == message->body_bytes);
    if (message->flags & IDS_MESSAGE_RESULT_TOO_LARGE)
        item->request.result_too_large = true;
    item->owner = worker->index;
    item->hash = message->word;
    item->asker = message->asker;
    item->by = message->asked_bytes;
    item->flags = message->flags;
    item->frame_bytes = message->body_bytes;
}

static void make_look_for_loop(ids_worker *worker, const ids_item *item,
                               const ids_reply_to *to) {
    const ids_look look = {.request = &item->request,
                           .asker = item->asker,
                           .word = item->hash,
                           .owner = worker->index,
                           .flags = item->flags};
    idp_bytes frame = {0};
    ids_showing shows;
    if (ids_looks_make(worker, &look, &frame, &shows))
        ids_reply_message_made(worker, to, (idp_slice){frame.ptr, frame.len},
                               shows);
    else
        ids_reply_message(worker, to, IDP_E_NO_MEMORY, NULL);
    idp_bytes_free(&frame);
}

static void call_shard_for_loop(ids_worker *worker, const ids_item *item) {
    const idp_request *request = &item->request;
    const ids_call call = {.request = request,
                           .hash = item->hash,
                           .now_ms = worker->now_ms,
                           .asker = item->asker,
                           .by = item->by};
    bool waits = (request->method == IDP_ACQUIRE && request->wait_ms) ||
                 request->method == IDP_RESOLVE || request->method == IDP_KILL;
    ids_reply_to to = {.asker = item->asker,
                       .msgid = request->msgid,
                       .asked_bytes = item->frame_bytes,
                       .flags = waits ? IDS_MESSAGE_WAITS : 0};
    idp_answer answer;
    idp_error error = IDP_OK;
    if (ids_method_looks(request->method)) {
        make_look_for_loop(worker, item, &to);
        return;
    }
    if (worker->draining && waits) {
        ids_reply_message(worker, &to, IDP_E_SHUTTING_DOWN, NULL);
        return;
    }
    if (worker->journal && ids_journal_is_over(worker->journal)) {
        to.text = "too much waits for the disk; nothing was changed, ask again";
        ids_reply_message(worker, &to, IDP_E_LIMIT, NULL);
        return;
    }
    switch (ids_commit_gate_call(worker, &call, &answer, &error, &to.text)) {
    case IDS_ANSWERED:
        ids_reply_message(worker, &to, IDP_OK, &answer);
        break;
    case IDS_PARKED:
        worker->measures.parked++;
        break;
    case IDS_REFUSED:
        ids_reply_message(worker, &to, error, NULL);
        break;
    }
}

/* Carries out what was collected, as far as this turn goes: one request may
 * wake many. Returns how many it did not; *at is set to where the first of them
 * stands. */
static uint32_t call_batch(ids_line *line, uint32_t count,
                           const size_t starts[IDS_BATCH_MAX], size_t *at) {
    ids_worker *worker = &line->worker;
    uint32_t done = 0;
    ids_dispatch_prefetch(line, line->batch, count);
    while (done < count && ids_worker_may(worker, IDS_WORK_WAKE)) {
        const ids_item *item = &line->batch[done++];
        worker->measures.asked = item->request.method;
        call_shard_for_loop(worker, item);
    }
    if (done)
        ids_dispatch_end_batch(line, line->batch, done);
    worker->pace.by_others += done;
    if (done < count)
        *at = starts[done];
    return count - done;
}

static void open_other(ids_line *line, const ids_message *message,
                       uint8_t *body, ids_staging_batch *records) {
    ids_worker *worker = &line->worker;
    switch ((ids_message_kind)message->kind) {
    case IDS_MESSAGE_REPLY:
        deliver_reply(worker, message, body);
        break;
    case IDS_MESSAGE_REPLAYS:
        ids_woken_at_others(worker, message, body);
        break;
    case IDS_MESSAGE_FORGET:
        ids_shard_forget(worker->shard, message->asker);
        break;
    case IDS_MESSAGE_GIVE: {
        ids_conn *conn = (ids_conn *)(uintptr_t)message->word;
        if (!ids_reader_adopt(line, conn))
            line->driver.refuse(line->driver.ctx, conn);
        break;
    }
    case IDS_MESSAGE_INQUIRY:
        ids_inquiry_tell(worker, message);
        break;
    case IDS_MESSAGE_PART:
        ids_inquiry_told(&line->inquiries, worker, message, body);
        break;
    case IDS_MESSAGE_TALLY:
        ids_tally_tell(worker, message, body);
        break;
    case IDS_MESSAGE_TALLIED:
        ids_tally_told(&line->tally, message, body);
        break;
    case IDS_MESSAGE_EVENTS:
        ids_polls_tell(worker, message, body);
        break;
    case IDS_MESSAGE_EVENTED:
        ids_polls_told(&line->polls, worker, message, body);
        break;
    case IDS_MESSAGE_NOTICE:
        if (message->word == IDS_NOTICE_CREDENTIALS)
            ids_admit_renew(line);
        else
            line->driver.notice(line->driver.ctx, (ids_notice)message->word);
        break;
    case IDS_MESSAGE_LIMITS:
        line->driver.limits(line->driver.ctx,
                            (ids_loop_limits *)(uintptr_t)message->word);
        break;
    case IDS_MESSAGE_COMMAND:
        ids_command_take(worker, message, body);
        break;
    case IDS_MESSAGE_ERASE:
        ids_erase_take(&line->erasings, worker, message, body);
        break;
    case IDS_MESSAGE_AUDITED:
        ids_decide_go(worker, message);
        break;
    case IDS_MESSAGE_APPLY:
        ids_staging_apply(worker, message, body, records);
        break;
    case IDS_MESSAGE_APPLIED:
        ids_staging_applied(worker, body);
        break;
    case IDS_MESSAGE_ASK:
        assert(!"read in batches");
        break;
    }
}

/* Whether a turn has time for another message. */
static bool may_open(const ids_worker *worker) {
    return ids_worker_may(worker, IDS_WORK_MESSAGES) &&
           ids_worker_may(worker, IDS_WORK_WAKE);
}

bool ids_incoming_open(ids_line *line, const ids_message_batch *batch,
                       size_t *at) {
    ids_worker *worker = &line->worker;
    size_t starts[IDS_BATCH_MAX];
    uint32_t count = 0, left = 0;
    bool more = true;
    ids_staging_batch records = {0};
    ids_message message;
    uint8_t *body;
    while (!left && may_open(worker)) {
        size_t start = *at;
        more = ids_message_next(batch, at, &message, &body);
        if (more && message.kind == IDS_MESSAGE_ASK) {
            ids_worker_worked(worker, IDS_WORK_MESSAGES, 1, message.body_bytes);
            starts[count] = start;
            read_ask(worker, &line->batch[count++], &message, body);
            if (count < IDS_BATCH_MAX)
                continue;
        }
        left = call_batch(line, count, starts, at);
        count = 0;
        if (!more)
            break;
        if (left || message.kind == IDS_MESSAGE_ASK)
            continue;
        ids_worker_worked(worker, IDS_WORK_MESSAGES, 1, message.body_bytes);
        open_other(line, &message, body, &records);
    }
    if (count)
        left = call_batch(line, count, starts, at);
    ids_staging_close(worker, &records);
    return !more && !left;
}
