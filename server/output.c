/* SPDX-License-Identifier: Apache-2.0 */
/* output.c -- what leaves on a connection; see output.h. */
#include "server/output.h"

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
static void drop_sent(ids_conn *conn, ids_bytes *to, size_t bytes) {
    size_t *at = to == &conn->out ? &conn->out_at : &conn->gated_at;
    if (to->cap - to->len >= bytes || !*at)
        return;
    ids_bytes_consume(to, *at);
    if (to == &conn->out && conn->body)
        conn->body_before -= *at;
    *at = 0;
}

uint8_t *ids_output_room(ids_desk *desk, ids_conn *conn, size_t bytes,
                         ids_showing shows) {
    bool holds = ids_hold_holds(&desk->hold, shows);
    ids_bytes *to = holds ? &conn->gated : &conn->out;
    if (ids_conn_is_dead(conn))
        return NULL;
    if (!to->cap)
        ids_buffers_take(&desk->buffers, to);
    drop_sent(conn, to, bytes);
    if (ids_conn_unsent(conn) + bytes > desk->house->unsent_bytes_max)
        ids_conn_condemn(desk, conn, "it does not read its replies");
    else if (!ids_buffers_have_room(&desk->buffers, bytes))
        ids_conn_condemn(desk, conn, "the buffers of all connections are full");
    else if (!ids_bytes_reserve(to, bytes) ||
             (holds && !ids_held_reserve(&desk->hold)))
        ids_conn_condemn(desk, conn, "out of memory");
    else
        return to->ptr + to->len;
    return NULL;
}

static void mark(ids_desk *desk, ids_conn *conn, uint32_t msgid,
                 ids_held_kind kind, size_t bytes) {
    const ids_held mark = {.asker = conn->asker,
                           .number = desk->hold.changes,
                           .since_ms = desk->now_ms,
                           .bytes = (uint32_t)bytes,
                           .msgid = msgid,
                           .kind = (uint8_t)kind};
    ids_held_push(&desk->hold, &mark);
    conn->gated_replies++;
}

/* The one place where a reply becomes sendable: now, or when the change is
 * safe that it shows. */
void ids_output_put(ids_desk *desk, ids_conn *conn, uint32_t msgid,
                    size_t bytes, ids_showing shows) {
    desk->buffers.bytes += bytes;
    conn->unsent += bytes;
    if (ids_hold_holds(&desk->hold, shows)) {
        conn->gated.len += bytes;
        mark(desk, conn, msgid, IDS_HELD_BYTES, bytes);
        return;
    }
    conn->out.len += bytes;
    ids_desk_mark(desk, conn);
}

void ids_output_share(ids_desk *desk, ids_conn *conn, uint32_t msgid,
                      ids_shared *rest, ids_showing shows) {
    bool holds = ids_hold_holds(&desk->hold, shows);
    ids_deferred_list *list = holds ? &conn->gated_later : &conn->later;
    if (ids_conn_is_dead(conn))
        return;
    if ((holds && !ids_held_reserve(&desk->hold)) ||
        !ids_deferred_put(&desk->buffers, list, rest, msgid))
        ids_conn_condemn(desk, conn, "out of memory");
    else if (holds)
        mark(desk, conn, msgid, IDS_HELD_DEFERRED, 0);
    else
        ids_desk_mark(desk, conn);
}

/* A small rest is written like any reply; a large one stands by itself. */
static bool write_deferred(ids_desk *desk, ids_conn *conn,
                           const ids_deferred *reply) {
    idp_slice rest = ids_shared_rest(reply->rest);
    bool copied = rest.len <= COPIED_BYTES_MAX &&
                  ids_buffers_have_room(&desk->buffers, rest.len + 16);
    size_t bytes = IDP_REPLY_BEGIN_BYTES_MAX + (copied ? rest.len : 0);
    uint8_t *to = ids_output_room(desk, conn, bytes, IDS_SHOWS_NOTHING);
    if (!to)
        return false;
    size_t size = idp_reply_begin_write(to, reply->msgid);
    if (copied) {
        memcpy(to + size, rest.ptr, rest.len);
        size += rest.len;
    }
    conn->out.len += size;
    conn->unsent += copied ? size : size + rest.len;
    desk->buffers.bytes += size;
    ids_desk_worked(desk, IDS_WORK_SEND, 1, size);
    if (copied)
        return true;
    conn->body = ids_shared_ref(reply->rest);
    conn->body_at = 0;
    conn->body_before = conn->out.len;
    return true;
}

void ids_output_fill(ids_desk *desk, ids_conn *conn) {
    ids_deferred reply;
    if (!ids_conn_is_dead(conn) && ids_deferred_count(&conn->later) &&
        !ids_desk_may(desk, IDS_WORK_SEND))
        ids_desk_mark(desk, conn);
    while (!ids_conn_is_dead(conn) && !conn->body &&
           ids_desk_may(desk, IDS_WORK_SEND) &&
           conn->out.len - conn->out_at < IDS_UNSENT_BYTES_HIGH &&
           ids_deferred_take(&desk->buffers, &conn->later, &reply)) {
        if (!write_deferred(desk, conn, &reply))
            ids_conn_condemn(desk, conn, "out of memory");
        ids_shared_unref(&desk->buffers, reply.rest);
    }
}

/* And out ------------------------------------------------------------------ */

idp_slice ids_output_sendable(const ids_conn *conn) {
    size_t end = conn->body ? conn->body_before : conn->out.len;
    size_t unsent = end - conn->out_at;
    bool held = conn->held && ids_conn_unsent(conn) < HELD_BYTES_MAX &&
                !ids_conn_is_closing(conn);
    if (held)
        return (idp_slice){0};
    if (!unsent && conn->body) {
        idp_slice rest = ids_shared_rest(conn->body);
        return (idp_slice){rest.ptr + conn->body_at, rest.len - conn->body_at};
    }
    if (!unsent)
        return (idp_slice){0};
    return (idp_slice){conn->out.ptr + conn->out_at, unsent};
}

/* What is left of a large buffer moves to one of its own size, so that many
 * slow readers don't each sit on a large one. */
static void settle_rest(ids_desk *desk, ids_conn *conn) {
    size_t rest = conn->out.len - conn->out_at;
    ids_bytes own = {0};
    if (conn->out.cap / 4 < rest ||
        !ids_bytes_append(&own, conn->out.ptr + conn->out_at, rest))
        return;
    ids_buffers_give_back(&desk->buffers, &conn->out);
    conn->body_before -= conn->body ? conn->out_at : 0;
    conn->out = own;
    conn->out_at = 0;
}

static void sent_of_body(ids_desk *desk, ids_conn *conn, size_t len) {
    conn->body_at += len;
    assert(conn->body_at <= conn->body->len);
    if (conn->body_at < conn->body->len)
        return;
    ids_shared_unref(&desk->buffers, conn->body);
    conn->body = NULL;
}

void ids_output_sent(ids_desk *desk, ids_conn *conn, size_t len) {
    assert(len <= ids_conn_unsent(conn));
    conn->unsent -= len;
    if (conn->body && conn->out_at == conn->body_before) {
        sent_of_body(desk, conn, len);
    } else {
        conn->out_at += len;
        desk->buffers.bytes -= len;
    }
    if (conn->out_at < conn->out.len) {
        settle_rest(desk, conn);
    } else if (!conn->body) {
        ids_buffers_give_back(&desk->buffers, &conn->out);
        conn->out_at = 0;
    }
}

/* What is held ------------------------------------------------------------- */

void ids_output_let_go(ids_desk *desk, ids_conn *conn, uint32_t replies) {
    assert(replies <= conn->gated_replies);
    assert(replies <= desk->hold.replies);
    conn->gated_replies -= replies;
    desk->hold.replies -= replies;
}

/* The first of a connection's held bytes are done with. */
static void skip_gated(ids_desk *desk, ids_conn *conn, size_t bytes) {
    ids_bytes_take(&conn->gated, &conn->gated_at, bytes);
    if (!conn->gated.len)
        ids_buffers_give_back(&desk->buffers, &conn->gated);
}

/* A connection's held bytes are free: behind its output, which is often empty,
 * and then the two change places. */
void ids_output_free(ids_desk *desk, ids_conn *conn, size_t bytes) {
    ids_bytes *gated = &conn->gated;
    size_t all = gated->len - conn->gated_at;
    assert(bytes <= all);
    if (bytes == all && conn->out_at == conn->out.len && !conn->body) {
        ids_bytes empty = conn->out;
        size_t at = conn->gated_at;
        conn->out = *gated;
        conn->out_at = at;
        *gated = empty;
        conn->gated_at = gated->len = 0;
        ids_buffers_give_back(&desk->buffers, gated);
    } else if (ids_bytes_append(&conn->out, gated->ptr + conn->gated_at,
                                bytes)) {
        skip_gated(desk, conn, bytes);
    } else {
        ids_conn_condemn(desk, conn, "out of memory");
    }
}

void ids_output_free_share(ids_desk *desk, ids_conn *conn) {
    ids_deferred first;
    bool there = ids_deferred_take(&desk->buffers, &conn->gated_later, &first);
    assert(there);
    (void)there;
    if (!ids_deferred_put(&desk->buffers, &conn->later, first.rest,
                          first.msgid))
        ids_conn_condemn(desk, conn, "out of memory");
    ids_shared_unref(&desk->buffers, first.rest);
}

void ids_output_revoke(ids_desk *desk, ids_conn *conn, size_t bytes) {
    assert(bytes <= conn->gated.len - conn->gated_at);
    skip_gated(desk, conn, bytes);
    desk->buffers.bytes -= bytes;
    conn->unsent -= bytes;
}

void ids_output_revoke_share(ids_desk *desk, ids_conn *conn) {
    ids_deferred first;
    bool there = ids_deferred_take(&desk->buffers, &conn->gated_later, &first);
    assert(there);
    (void)there;
    ids_shared_unref(&desk->buffers, first.rest);
}

void ids_output_forget(ids_desk *desk, ids_conn *conn) {
    desk->buffers.bytes -= conn->out.len - conn->out_at;
    desk->buffers.bytes -= conn->gated.len - conn->gated_at;
    ids_buffers_give_back(&desk->buffers, &conn->out);
    ids_buffers_give_back(&desk->buffers, &conn->gated);
    conn->out_at = conn->gated_at = conn->unsent = 0;
    ids_output_let_go(desk, conn, conn->gated_replies);
    ids_shared_unref(&desk->buffers, conn->body);
    conn->body = NULL;
    ids_deferred_clear(&desk->buffers, &conn->later);
    ids_deferred_clear(&desk->buffers, &conn->gated_later);
}
