/* SPDX-License-Identifier: Apache-2.0 */
/* output.c -- what leaves on a connection; see output.h. */
#include "server/worker/output.h"

#include "proto/reply.h"

#include <assert.h>
#include <string.h>

/* Output that waits for other loops' replies leaves at this size anyway. */
#define HELD_BYTES_MAX   (64u << 10)
/* A shared rest of more than this is not copied: it leaves from where it
 * lies. */
#define COPIED_BYTES_MAX (16u << 10)

/* Replies go in ------------------------------------------------------------ */

/* Makes room at the buffer's end by dropping what of it has left. */
static void drop_sent(ids_conn *conn, idp_bytes *to, size_t bytes) {
    size_t *at = to == &conn->out.bytes ? &conn->out.at : &conn->gated.at;
    if (to->cap - to->len >= bytes || !*at)
        return;
    idp_bytes_consume(to, *at);
    if (to == &conn->out.bytes && conn->out.body)
        conn->out.body_before -= *at;
    *at = 0;
}

uint8_t *ids_output_room(ids_worker *worker, ids_conn *conn, size_t bytes,
                         ids_showing shows) {
    bool holds = ids_commit_gate_holds(&worker->gate, shows);
    idp_bytes *to = holds ? &conn->gated.bytes : &conn->out.bytes;
    if (ids_conn_is_dead(conn))
        return NULL;
    if (!to->cap)
        ids_buffers_take(&worker->buffers, to);
    drop_sent(conn, to, bytes);
    if (ids_conn_unsent(conn) + bytes > worker->server->unsent_bytes_max)
        ids_conn_condemn(worker, conn, "it does not read its replies");
    else if (!ids_buffers_have_room(&worker->buffers, bytes))
        ids_conn_condemn(worker, conn,
                         "the buffers of all connections are full");
    else if (!idp_bytes_reserve(to, bytes) ||
             (holds && !ids_commit_wait_reserve(&worker->gate)))
        ids_conn_condemn(worker, conn, "out of memory");
    else
        return to->ptr + to->len;
    return NULL;
}

static void mark_waiting(ids_worker *worker, ids_conn *conn, uint32_t msgid,
                         ids_commit_wait_kind kind, size_t bytes) {
    const ids_commit_wait mark = {.asker = conn->asker,
                                  .number = worker->gate.changes,
                                  .since_ms = worker->now_ms,
                                  .since_us =
                                      ids_measures_us(&worker->measures),
                                  .bytes = (uint32_t)bytes,
                                  .msgid = msgid,
                                  .kind = (uint8_t)kind};
    ids_commit_wait_push(&worker->gate, &mark);
    conn->gated.replies++;
}

/* The one place where a reply becomes sendable: now, or when the change is
 * safe that it shows. */
void ids_output_put(ids_worker *worker, ids_conn *conn, uint32_t msgid,
                    size_t bytes, ids_showing shows) {
    worker->buffers.bytes += bytes;
    conn->unsent += bytes;
    if (ids_commit_gate_holds(&worker->gate, shows)) {
        assert(bytes <= conn->gated.bytes.cap - conn->gated.bytes.len);
        conn->gated.bytes.len += bytes;
        mark_waiting(worker, conn, msgid, IDS_COMMIT_WAIT_BYTES, bytes);
        return;
    }
    assert(bytes <= conn->out.bytes.cap - conn->out.bytes.len);
    conn->out.bytes.len += bytes;
    ids_worker_mark(worker, conn);
}

void ids_output_share(ids_worker *worker, ids_conn *conn, uint32_t msgid,
                      ids_shared *rest, ids_showing shows) {
    bool holds = ids_commit_gate_holds(&worker->gate, shows);
    ids_deferred_list *list = holds ? &conn->gated.later : &conn->out.later;
    if (ids_conn_is_dead(conn))
        return;
    if ((holds && !ids_commit_wait_reserve(&worker->gate)) ||
        !ids_deferred_put(&worker->buffers, list, rest, msgid))
        ids_conn_condemn(worker, conn, "out of memory");
    else if (holds)
        mark_waiting(worker, conn, msgid, IDS_COMMIT_WAIT_DEFERRED, 0);
    else
        ids_worker_mark(worker, conn);
}

/* A small rest is written like any reply; a large one stands by itself. */
static bool write_deferred(ids_worker *worker, ids_conn *conn,
                           const ids_deferred *reply) {
    idp_slice rest = ids_shared_rest(reply->rest);
    bool copied = rest.len <= COPIED_BYTES_MAX &&
                  ids_buffers_have_room(&worker->buffers, rest.len + 16);
    size_t bytes = IDP_REPLY_BEGIN_BYTES_MAX + (copied ? rest.len : 0);
    uint8_t *to = ids_output_room(worker, conn, bytes, IDS_SHOWS_NOTHING);
    if (!to)
        return false;
    size_t size = idp_reply_begin_write(to, reply->msgid);
    if (copied) {
        memcpy(to + size, rest.ptr, rest.len);
        size += rest.len;
    }
    conn->out.bytes.len += size;
    conn->unsent += copied ? size : size + rest.len;
    worker->buffers.bytes += size;
    ids_worker_worked(worker, IDS_WORK_SEND, 1, size);
    if (copied)
        return true;
    assert(!conn->out.body);
    conn->out.body = ids_shared_ref(reply->rest);
    conn->out.body_at = 0;
    conn->out.body_before = conn->out.bytes.len;
    return true;
}

void ids_output_fill(ids_worker *worker, ids_conn *conn) {
    ids_deferred reply;
    if (!ids_conn_is_dead(conn) && ids_deferred_count(&conn->out.later) &&
        !ids_worker_may(worker, IDS_WORK_SEND))
        ids_worker_mark(worker, conn);
    while (!ids_conn_is_dead(conn) && !conn->out.body &&
           ids_worker_may(worker, IDS_WORK_SEND) &&
           conn->out.bytes.len - conn->out.at < IDS_UNSENT_BYTES_HIGH &&
           ids_deferred_take(&worker->buffers, &conn->out.later, &reply)) {
        if (!write_deferred(worker, conn, &reply))
            ids_conn_condemn(worker, conn, "out of memory");
        ids_shared_unref(&worker->buffers, reply.rest);
    }
}

/* And out ------------------------------------------------------------------ */

idp_slice ids_output_sendable(const ids_conn *conn) {
    size_t end = conn->out.body ? conn->out.body_before : conn->out.bytes.len;
    size_t unsent = end - conn->out.at;
    bool held = conn->forwarded.awaited &&
                ids_conn_unsent(conn) < HELD_BYTES_MAX &&
                !ids_conn_is_closing(conn);
    if (held)
        return (idp_slice){0};
    if (!unsent && conn->out.body) {
        idp_slice rest = ids_shared_rest(conn->out.body);
        return (idp_slice){rest.ptr + conn->out.body_at,
                           rest.len - conn->out.body_at};
    }
    if (!unsent)
        return (idp_slice){0};
    return (idp_slice){conn->out.bytes.ptr + conn->out.at, unsent};
}

/* What is left of a large buffer moves to one of its own size, so that many
 * slow readers don't each sit on a large one. */
static void end_read(ids_worker *worker, ids_conn *conn) {
    size_t rest = conn->out.bytes.len - conn->out.at;
    idp_bytes own = {0};
    if (conn->out.bytes.cap / 4 < rest ||
        !idp_bytes_append(&own, conn->out.bytes.ptr + conn->out.at, rest))
        return;
    ids_buffers_give_back(&worker->buffers, &conn->out.bytes);
    conn->out.body_before -= conn->out.body ? conn->out.at : 0;
    conn->out.bytes = own;
    conn->out.at = 0;
}

static void sent_of_body(ids_worker *worker, ids_conn *conn, size_t len) {
    conn->out.body_at += len;
    assert(conn->out.body_at <= conn->out.body->len);
    if (conn->out.body_at < conn->out.body->len)
        return;
    ids_shared_unref(&worker->buffers, conn->out.body);
    conn->out.body = NULL;
}

void ids_output_sent(ids_worker *worker, ids_conn *conn, size_t len) {
    assert(len <= ids_conn_unsent(conn));
    conn->unsent -= len;
    if (conn->out.body && conn->out.at == conn->out.body_before) {
        sent_of_body(worker, conn, len);
    } else {
        conn->out.at += len;
        worker->buffers.bytes -= len;
    }
    if (conn->out.at < conn->out.bytes.len) {
        end_read(worker, conn);
    } else if (!conn->out.body) {
        ids_buffers_give_back(&worker->buffers, &conn->out.bytes);
        conn->out.at = 0;
    }
}

/* What is held ------------------------------------------------------------- */

void ids_output_let_go(ids_worker *worker, ids_conn *conn, uint32_t replies) {
    assert(replies <= conn->gated.replies);
    assert(replies <= worker->gate.replies);
    conn->gated.replies -= replies;
    worker->gate.replies -= replies;
}

/* The first of a connection's held bytes are done with. */
static void skip_gated(ids_worker *worker, ids_conn *conn, size_t bytes) {
    idp_bytes_take(&conn->gated.bytes, &conn->gated.at, bytes);
    if (!conn->gated.bytes.len)
        ids_buffers_give_back(&worker->buffers, &conn->gated.bytes);
}

/* A connection's held bytes are free: behind its output, which is often empty,
 * and then the two change places. */
void ids_output_free(ids_worker *worker, ids_conn *conn, size_t bytes) {
    idp_bytes *gated = &conn->gated.bytes;
    size_t all = gated->len - conn->gated.at;
    assert(bytes <= all);
    if (bytes == all && conn->out.at == conn->out.bytes.len &&
        !conn->out.body) {
        idp_bytes empty = conn->out.bytes;
        size_t at = conn->gated.at;
        conn->out.bytes = *gated;
        conn->out.at = at;
        *gated = empty;
        conn->gated.at = gated->len = 0;
        ids_buffers_give_back(&worker->buffers, gated);
    } else if (idp_bytes_append(&conn->out.bytes, gated->ptr + conn->gated.at,
                                bytes)) {
        skip_gated(worker, conn, bytes);
    } else {
        ids_conn_condemn(worker, conn, "out of memory");
    }
}

void ids_output_free_share(ids_worker *worker, ids_conn *conn) {
    ids_deferred first;
    bool there =
        ids_deferred_take(&worker->buffers, &conn->gated.later, &first);
    assert(there);
    (void)there;
    if (!ids_deferred_put(&worker->buffers, &conn->out.later, first.rest,
                          first.msgid))
        ids_conn_condemn(worker, conn, "out of memory");
    ids_shared_unref(&worker->buffers, first.rest);
}

void ids_output_revoke(ids_worker *worker, ids_conn *conn, size_t bytes) {
    assert(bytes <= conn->gated.bytes.len - conn->gated.at);
    skip_gated(worker, conn, bytes);
    worker->buffers.bytes -= bytes;
    conn->unsent -= bytes;
}

void ids_output_revoke_share(ids_worker *worker, ids_conn *conn) {
    ids_deferred first;
    bool there =
        ids_deferred_take(&worker->buffers, &conn->gated.later, &first);
    assert(there);
    (void)there;
    ids_shared_unref(&worker->buffers, first.rest);
}

void ids_output_forget(ids_worker *worker, ids_conn *conn) {
    worker->buffers.bytes -= conn->out.bytes.len - conn->out.at;
    worker->buffers.bytes -= conn->gated.bytes.len - conn->gated.at;
    ids_buffers_give_back(&worker->buffers, &conn->out.bytes);
    ids_buffers_give_back(&worker->buffers, &conn->gated.bytes);
    conn->out.at = conn->gated.at = conn->unsent = 0;
    ids_output_let_go(worker, conn, conn->gated.replies);
    ids_shared_unref(&worker->buffers, conn->out.body);
    conn->out.body = NULL;
    ids_deferred_clear(&worker->buffers, &conn->out.later);
    ids_deferred_clear(&worker->buffers, &conn->gated.later);
}
