/* SPDX-License-Identifier: Apache-2.0 */
/* reply.c -- replies, encoded where they leave; see reply.h. */
#include "server/worker/reply.h"

#include "server/base/log.h"

#include <assert.h>
#include <string.h>

#define SMALL_REPLY_BYTES 320

static_assert(SMALL_REPLY_BYTES >= IDP_ERROR_REPLY_BYTES_MAX,
              "an error is a small reply");

const char ids_reply_no_room[] = "too many replies are under way; ask again";

/* The last part of the buffers is for small replies alone, so that what is
 * large, and input, are refused before anybody's small reply is. */
static size_t small_share(const ids_worker *worker) {
    return worker->buffers.bytes_max / 16;
}

/* A reply that carries a result may be refused where there is no room for it:
 * nothing is lost, it can be asked for again. Small ones may not. */
static bool must_be_refused(const ids_worker *worker, const ids_conn *conn,
                            size_t bytes) {
    return bytes > SMALL_REPLY_BYTES &&
           (!ids_buffers_have_room(&worker->buffers,
                                   bytes + small_share(worker)) ||
            ids_conn_unsent(conn) + bytes + SMALL_REPLY_BYTES >
                worker->server->unsent_bytes_max);
}

static void refuse_result(ids_worker *worker, ids_conn *conn, uint32_t msgid) {
    ids_reply_error(worker, conn, msgid, IDP_E_LIMIT, ids_reply_no_room);
}

void ids_reply_answer(ids_worker *worker, ids_conn *conn, uint32_t msgid,
                      const idp_answer *answer) {
    size_t bound = idp_answer_write_bound(answer);
    if (must_be_refused(worker, conn, bound)) {
        refuse_result(worker, conn, msgid);
        return;
    }
    uint8_t *to = ids_output_room(worker, conn, bound, IDS_SHOWS_RECORD);
    ids_worker_worked(worker, IDS_WORK_SERVE, 0, bound);
    if (to)
        ids_output_put(worker, conn, msgid,
                       idp_answer_write(to, bound, msgid, answer),
                       IDS_SHOWS_RECORD);
}

void ids_reply_error(ids_worker *worker, ids_conn *conn, uint32_t msgid,
                     idp_error error, const char *text) {
    ids_worker_refuses(worker, error);
    uint8_t *to = ids_output_room(worker, conn, IDP_ERROR_REPLY_BYTES_MAX,
                                  IDS_SHOWS_NOTHING);
    if (to)
        ids_output_put(
            worker, conn, msgid,
            idp_error_write(to, IDP_ERROR_REPLY_BYTES_MAX, msgid, error, text),
            IDS_SHOWS_NOTHING);
}

void ids_reply_pong(ids_worker *worker, ids_conn *conn, uint32_t msgid) {
    uint8_t *to =
        ids_output_room(worker, conn, IDP_PONG_BYTES_MAX, IDS_SHOWS_NOTHING);
    if (to)
        ids_output_put(worker, conn, msgid,
                       idp_pong_write(to, IDP_PONG_BYTES_MAX, msgid),
                       IDS_SHOWS_NOTHING);
}

void ids_reply_forward(ids_worker *worker, ids_conn *conn, uint32_t msgid,
                       idp_slice reply) {
    if (must_be_refused(worker, conn, reply.len))
        refuse_result(worker, conn, msgid);
    else
        ids_reply_bytes(worker, conn, reply.ptr, reply.len);
}

void ids_reply_bytes(ids_worker *worker, ids_conn *conn, const void *bytes,
                     size_t len) {
    uint8_t *to = ids_output_room(worker, conn, len, IDS_SHOWS_NOTHING);
    if (!to)
        return;
    memcpy(to, bytes, len);
    ids_output_put(worker, conn, 0, len, IDS_SHOWS_NOTHING);
}

void ids_reply_to_waiter(ids_worker *worker, ids_asker asker, uint32_t msgid,
                         idp_slice reply) {
    ids_conn *conn = ids_worker_find(worker, asker);
    if (worker->audited.count)
        ids_audited_reply(worker, asker, msgid, reply, IDP_OK);
    if (!conn || conn->ended)
        return; /* it died meanwhile, or was forgotten */
    assert(conn->waiting);
    conn->waiting--;
    ids_reply_forward(worker, conn, msgid, reply);
}

bool ids_reply_message_is_full(const ids_worker *worker,
                               const ids_message_batch *batch, uint32_t loop) {
    size_t under_way = ids_mailbox_bytes(&worker->server->mailboxes[loop]);
    return under_way + batch->message.len > worker->buffers.bytes_max;
}

static size_t write_reply(uint8_t *at, size_t bound, const ids_reply_to *to,
                          idp_error error, const idp_answer *answer) {
    return answer ? idp_answer_write(at, bound, to->msgid, answer)
                  : idp_error_write(at, bound, to->msgid, error, to->text);
}

/* One connection's replies of one turn, counted where they are made: what its
 * own loop would refuse had better not travel there. Requests of one
 * connection come one behind the other, so the last one's count will do. */
static bool asker_has_enough(ids_worker *worker, ids_asker asker,
                             size_t bytes) {
    if (worker->post.last_asker != asker) {
        worker->post.last_asker = asker;
        worker->post.last_bytes = 0;
    }
    if (worker->post.last_bytes + bytes > worker->server->unsent_bytes_max)
        return true;
    worker->post.last_bytes += bytes;
    return false;
}

void ids_reply_message(ids_worker *worker, const ids_reply_to *to,
                       idp_error error, const idp_answer *answer) {
    uint32_t loop = ids_asker_loop(to->asker);
    ids_message_batch *batch = ids_worker_reply_batch(
        worker, loop, answer ? IDS_SHOWS_RECORD : IDS_SHOWS_NOTHING);
    size_t bound =
        answer ? idp_answer_write_bound(answer) : IDP_ERROR_REPLY_BYTES_MAX;
    ids_message message = {.asker = to->asker,
                           .word = bound,
                           .msgid = to->msgid,
                           .kind = IDS_MESSAGE_REPLY,
                           .flags = to->flags,
                           .asked_bytes = to->asked_bytes};
    size_t before = batch ? batch->message.len : 0;
    uint8_t *body = NULL;
    if (batch && (bound <= SMALL_REPLY_BYTES ||
                  (!ids_reply_message_is_full(worker, batch, loop) &&
                   !asker_has_enough(worker, to->asker, bound)))) {
        message.body_bytes = (uint32_t)bound;
        body = ids_message_append(batch, &message, NULL);
    }
    if (!body && batch) {
        error = IDP_E_LIMIT;
        answer = NULL;
        bound = message.body_bytes = IDP_ERROR_REPLY_BYTES_MAX;
        body = ids_message_append(batch, &message, NULL);
    }
    if (!body) {
        /* Its asker's deadline tells the client; a nonce makes it safe. */
        worker->counters.of[IDS_REPLIES_LOST_TOTAL]++;
        ids_log(IDS_LOG_ERROR, "reply lost: out of memory", NULL);
        return;
    }
    if (!answer)
        ids_worker_refuses(worker, error);
    size_t size = write_reply(body, bound, to, error, answer);
    ids_message_trim(batch, body, (uint32_t)size);
    ids_worker_messaged(worker, loop, batch, before);
}

void ids_reply_made(ids_worker *worker, ids_conn *conn, uint32_t msgid,
                    idp_slice reply, ids_showing shows) {
    if (must_be_refused(worker, conn, reply.len)) {
        refuse_result(worker, conn, msgid);
        return;
    }
    uint8_t *to = ids_output_room(worker, conn, reply.len, shows);
    if (!to)
        return;
    memcpy(to, reply.ptr, reply.len);
    ids_output_put(worker, conn, msgid, reply.len, shows);
}

void ids_reply_message_made(ids_worker *worker, const ids_reply_to *to,
                            idp_slice reply, ids_showing shows) {
    uint32_t loop = ids_asker_loop(to->asker);
    ids_message_batch *batch = ids_worker_reply_batch(worker, loop, shows);
    const ids_message message = {.asker = to->asker,
                                 .word = reply.len,
                                 .msgid = to->msgid,
                                 .kind = IDS_MESSAGE_REPLY,
                                 .flags = to->flags,
                                 .asked_bytes = to->asked_bytes,
                                 .body_bytes = (uint32_t)reply.len};
    size_t before = batch ? batch->message.len : 0;
    bool has_room = batch && !ids_reply_message_is_full(worker, batch, loop) &&
                    !asker_has_enough(worker, to->asker, reply.len);
    if (has_room && ids_message_append(batch, &message, reply.ptr))
        ids_worker_messaged(worker, loop, batch, before);
    else
        ids_reply_message(worker, to, IDP_E_LIMIT, NULL);
}
