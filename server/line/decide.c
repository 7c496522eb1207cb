/* SPDX-License-Identifier: Apache-2.0 */
/* decide.c -- see decide.h. */
#include "server/line/decide.h"

#include "proto/request.h"
#include "server/admin/looks.h"
#include "server/line/erase.h"
#include "server/peer/mutant.h"
#include "server/worker/audited.h"
#include "server/worker/commit_gate.h"
#include "server/worker/reply.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char not_here[] =
    "an operator's decisions need a credential with the grant for them, or "
    "where there are none (--credentials) a connection from this machine";
static const char no_record[] =
    "the audit log can't be written, and without it nothing is decided: "
    "nothing was changed; mend --audit-log and ask again";

/* The record ----------------------------------------------------------------
 */

/* On its way through the audit's thread. */
typedef struct asked {
    const ids_server *server;
    uint32_t loop;
    ids_message_batch *batch;
} asked;

static ids_message_batch *make_batch(const ids_audited_one *one, int error) {
    const ids_message message = {.asker = one->asker,
                                 .msgid = one->msgid,
                                 .word = (uint64_t)error,
                                 .kind = IDS_MESSAGE_AUDITED};
    ids_message_batch *batch = ids_message_batch_new();
    if (batch && ids_message_append(batch, &message, NULL))
        return batch;
    ids_message_batch_free(batch);
    return NULL;
}

static void set_error(const ids_message_batch *batch, int error) {
    size_t at = 0;
    ids_message message;
    uint8_t *body;
    bool is_there = ids_message_next(batch, &at, &message, &body);
    assert(is_there && message.kind == IDS_MESSAGE_AUDITED);
    message.word = (uint64_t)error;
    ids_message_rewrite(body, &message);
}

/* On the audit's thread. A box that is full is emptied soon, unless its loop
 * has ended. */
static bool written(void *ctx, int error, bool is_last) {
    asked *a = ctx;
    bool wake = false;
    set_error(a->batch, error);
    if (!ids_mailbox_post(&a->server->mailboxes[a->loop], a->batch, &wake)) {
        if (!is_last)
            return false;
        ids_message_batch_free(a->batch);
    }
    if (wake)
        a->server->wake(a->server->wake_ctx, a->loop);
    free(a);
    return true;
}

/* False: it can't be put on record. */
static bool put_on_record(const ids_worker *worker, const ids_audited_one *one,
                          const idp_request *request) {
    asked *a = malloc(sizeof *a);
    ids_audit_line line;
    if (!a)
        return false;
    *a = (asked){worker->server, worker->index, make_batch(one, 0)};
    if (!a->batch) {
        free(a);
        return false;
    }
    ids_audited_line(worker, one, request, "asked", &line);
    if (ids_audit_ask(&line, written, a))
        return true;
    ids_message_batch_free(a->batch);
    free(a);
    return false;
}

/* Carried out ---------------------------------------------------------------
 */

static void refuse_decision(ids_worker *worker, ids_conn *conn,
                            ids_audited_one *one, idp_error error,
                            const char *text) {
    assert(conn->waiting > 0);
    conn->waiting--;
    ids_reply_error(worker, conn, one->msgid, error, text);
    ids_audited_end(worker, one, NULL, error, text);
}

static void call_here(ids_worker *worker, ids_conn *conn, ids_audited_one *one,
                      const idp_request *request) {
    const ids_call call = {.request = request,
                           .hash = one->hash,
                           .now_ms = worker->now_ms,
                           .asker = one->asker};
    idp_answer answer;
    idp_error error = IDP_OK;
    const char *text;
    ids_verdict verdict =
        ids_commit_gate_call(worker, &call, &answer, &error, &text);
    assert(verdict != IDS_PARKED);
    if (verdict == IDS_REFUSED) {
        refuse_decision(worker, conn, one, error, text);
        return;
    }
    assert(conn->waiting > 0);
    conn->waiting--;
    ids_reply_answer(worker, conn, one->msgid, &answer);
    ids_audited_end(worker, one, &answer, IDP_OK, NULL);
}

/* The connection is this worker's, or nobody's. */
static void kill_here(ids_worker *worker, ids_conn *conn, ids_audited_one *one,
                      const idp_request *request) {
    const ids_look look = {.request = request,
                           .asker = one->asker,
                           .word = one->hash,
                           .owner = worker->index};
    idp_bytes frame = {0};
    ids_showing shows;
    if (ids_looks_make(worker, &look, &frame, &shows)) {
        const idp_slice reply = {frame.ptr, frame.len};
        assert(conn->waiting > 0);
        conn->waiting--;
        ids_reply_made(worker, conn, one->msgid, reply, shows);
        ids_audited_reply(worker, one->asker, one->msgid, reply, IDP_OK);
    } else {
        refuse_decision(worker, conn, one, IDP_E_NO_MEMORY, NULL);
    }
    idp_bytes_free(&frame);
}

static void ask_owner_to_decide(ids_worker *worker, ids_conn *conn,
                                ids_audited_one *one) {
    const ids_message message = {.asker = one->asker,
                                 .word = one->hash,
                                 .msgid = one->msgid,
                                 .body_bytes = one->frame_bytes,
                                 .kind = IDS_MESSAGE_ASK,
                                 .flags = IDS_MESSAGE_WAITS};
    ids_message_batch *batch = ids_worker_batch(worker, one->owner);
    if (!batch || !ids_message_append(batch, &message, one->frame))
        refuse_decision(worker, conn, one, IDP_E_NO_MEMORY, NULL);
    else
        worker->counters.of[IDS_FORWARDED_TOTAL]++;
}

static void carry_out_decision(ids_worker *worker, ids_audited_one *one,
                               int failed) {
    const idp_read_limits limits = {worker->server->result_bytes_max};
    ids_conn *conn = ids_worker_find(worker, one->asker);
    idp_request request;
    idp_read_fault fault;
    size_t bytes;
    if (!conn || conn->ended) { /* nobody would hear of it */
        ids_audited_end(worker, one, NULL, IDP_E_SHUTTING_DOWN,
                        "not done: its connection had ended");
        return;
    }
    if (worker->draining) {
        refuse_decision(worker, conn, one, IDP_E_SHUTTING_DOWN, NULL);
        return;
    }
    if (failed && !IDS_RULE_OFF(ON_RECORD)) {
        refuse_decision(worker, conn, one, IDP_E_NO_MEMORY, no_record);
        return;
    }
    idp_read read = idp_request_read(one->frame, one->frame_bytes, &limits,
                                     &request, &bytes, &fault);
    assert(read == IDP_READ_WHOLE && bytes == one->frame_bytes);
    if (one->method == IDP_ERASE) {
        if (!ids_erase_everywhere(worker, one))
            refuse_decision(worker, conn, one, IDP_E_NO_MEMORY, NULL);
    } else if (one->owner != worker->index) {
        ask_owner_to_decide(worker, conn, one);
    } else if (one->method == IDP_KILL) {
        kill_here(worker, conn, one, &request);
    } else {
        call_here(worker, conn, one, &request);
    }
}

void ids_decide_go(ids_worker *worker, const ids_message *message) {
    ids_audited_one *one =
        ids_audited_find(worker, message->asker, message->msgid);
    if (one)
        carry_out_decision(worker, one, (int)message->word);
}

/* Asked ---------------------------------------------------------------------
 */

static bool may_decide(const ids_worker *worker, const ids_conn *conn) {
    return worker->server->access ? conn->reading.admitted
                                  : conn->reading.local;
}

/* Whose it is to do. False: there is no such thing, and it is answered. */
static bool find_owner(ids_worker *worker, ids_conn *conn, const ids_item *item,
                       uint32_t *owner, uint64_t *hash) {
    ids_look look = {.request = &item->request};
    const char *text;
    *owner = item->owner;
    *hash = item->hash;
    if (item->request.method != IDP_KILL)
        return true;
    idp_error error = ids_looks_plan(worker, conn, &look, &text);
    if (error != IDP_OK)
        ids_reply_error(worker, conn, item->request.msgid, error, text);
    *owner = look.owner;
    *hash = look.word;
    return error == IDP_OK;
}

void ids_decide_ask(ids_worker *worker, ids_conn *conn, const ids_item *item) {
    const idp_request *request = &item->request;
    ids_audited_one *one;
    uint32_t owner;
    uint64_t hash;
    if (!may_decide(worker, conn)) {
        ids_reply_error(worker, conn, request->msgid, IDP_E_DENIED, not_here);
        return;
    }
    if (conn->waiting >= worker->server->pending_max ||
        ids_audited_find(worker, conn->asker, request->msgid)) {
        ids_reply_error(worker, conn, request->msgid, IDP_E_LIMIT,
                        "too many requests of this connection are pending "
                        "(--max-pending)");
        return;
    }
    if (!find_owner(worker, conn, item, &owner, &hash))
        return;
    one = ids_audited_new(worker, conn, request,
                          (idp_slice){item->frame, item->frame_bytes});
    if (!one) {
        ids_reply_error(worker, conn, request->msgid, IDP_E_LIMIT,
                        "too many decisions are under way; ask again");
        return;
    }
    one->hash = hash;
    one->owner = owner;
    conn->waiting++;
    if (ids_audit_is_off())
        carry_out_decision(worker, one, 0);
    else if (!put_on_record(worker, one, request))
        refuse_decision(worker, conn, one, IDP_E_NO_MEMORY, no_record);
}
