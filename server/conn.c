/* SPDX-License-Identifier: Apache-2.0 */
/* conn.c -- one connection: bytes in, bytes out. */
#include "server/conn.h"

#include "proto/request.h"
#include "server/dispatch.h"
#include "server/greeting.h"
#include "server/hop.h"
#include "server/input.h"
#include "server/log.h"
#include "server/reply.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Output that is held for other loops' replies leaves at this size anyway. */
#define HELD_BYTES_MAX (64u << 10)

ids_conn *ids_conn_new(int fd) {
    ids_conn *conn = calloc(1, sizeof *conn);
    if (conn) {
        conn->fd = fd;
        conn->life = IDS_CONN_NEW;
    }
    return conn;
}

#define AFTER(name) (1u << IDS_CONN_##name)
#define TO_AN_END   (AFTER(CLOSING) | AFTER(DRAINING) | AFTER(DEAD))

void ids_conn_become(ids_conn *conn, ids_conn_life next) {
    static const unsigned successors[IDS_CONN_LIVES] = {
        [IDS_CONN_NEW] = AFTER(SERVED) | AFTER(PEER) | TO_AN_END,
        [IDS_CONN_SERVED] = AFTER(STALLED) | AFTER(MOVING) | TO_AN_END,
        [IDS_CONN_STALLED] = AFTER(SERVED) | TO_AN_END,
        [IDS_CONN_MOVING] = AFTER(SERVED) | AFTER(DEAD),
        [IDS_CONN_PEER] = AFTER(DEAD),
        [IDS_CONN_CLOSING] = AFTER(DRAINING) | AFTER(DEAD),
        [IDS_CONN_DRAINING] = AFTER(DEAD),
        [IDS_CONN_DEAD] = 0};
    assert(next == conn->life || (successors[conn->life] & 1u << next));
    conn->life = next;
}

void ids_conn_free(ids_conn *conn) {
    if (!conn)
        return;
    ids_bytes_free(&conn->in);
    ids_bytes_free(&conn->out);
    ids_who_fini(&conn->who);
    free(conn);
}

/* What is at other loops now comes back all at once, and has to be kept when
 * the socket takes none of it: large results hop few at a time. */
static bool may_hop(const ids_house *house, const ids_conn *conn) {
    return conn->hopped < house->pending_max &&
           conn->hopped_bytes < IDS_HOPPED_BYTES_HIGH &&
           (uint64_t)conn->hopped * conn->hop_reply_bytes <
               house->unsent_bytes_max / 2;
}

bool ids_conn_may_serve(const ids_desk *desk, const ids_conn *conn) {
    return ids_conn_is_open(conn) && !conn->wants_room && !desk->full &&
           may_hop(desk->house, conn) &&
           ids_conn_unsent(conn) < IDS_UNSENT_BYTES_HIGH;
}

/* A walk over input: bytes may be edited, len shortened where a result was
 * cut out; at is what has been dealt with. */
typedef struct walk {
    uint8_t *bytes;
    size_t len;
    size_t at;
    idp_read why; /* what stopped it */
    size_t frame_bytes;
    idp_read_fault fault;
} walk;

/* Decodes requests into the desk's batch, and says in why what it stopped
 * at. WHOLE: the batch is full, or a hello begins or ends it; that is served
 * by itself, because the connection may move. */
static uint32_t collect(ids_desk *desk, ids_conn *conn, walk *w) {
    const idp_read_limits limits = {desk->house->result_bytes_max};
    uint32_t count = 0;
    w->why = IDP_READ_WHOLE;
    while (count < IDS_BATCH_MAX) {
        ids_item *item = &desk->batch[count];
        if (w->at == w->len) {
            w->fault.need_bytes = 1;
            w->why = IDP_READ_PARTIAL;
            break;
        }
        item->frame = w->bytes + w->at;
        w->why = idp_request_read(item->frame, w->len - w->at, &limits,
                                  &item->request, &w->frame_bytes, &w->fault);
        if (w->why != IDP_READ_WHOLE)
            break;
        bool hello = item->request.method == IDP_HELLO;
        if (hello && count)
            break;
        item->frame_bytes = (uint32_t)w->frame_bytes;
        item->request.result_too_large = conn->oversize;
        conn->oversize = false;
        ids_dispatch_prepare(desk, item);
        w->at += w->frame_bytes;
        count++;
        if (hello)
            break;
    }
    return count;
}

/* An oversized result becomes nil where it stands; what of it has come is
 * cut out, the rest is skipped as it arrives. */
static void cut_result(ids_conn *conn, walk *w) {
    const idp_read_fault *fault = &w->fault;
    size_t nil_at = w->at + fault->payload_at;
    size_t from = nil_at + fault->payload_header_bytes;
    assert(fault->payload_header_bytes >= 1 && from <= w->len);
    size_t here = w->len - from;
    if (here > fault->payload_bytes)
        here = (size_t)fault->payload_bytes;
    conn->skip = fault->payload_bytes - here;
    conn->oversize = true;
    w->bytes[nil_at] = 0xc0;
    memmove(w->bytes + nil_at + 1, w->bytes + from + here,
            w->len - from - here);
    w->len = nil_at + 1 + (w->len - from - here);
}

static void refuse_stream(ids_desk *desk, ids_conn *conn,
                          const idp_read_fault *fault) {
    if (fault->has_msgid) {
        ids_reply_error(desk, conn, fault->msgid, fault->error, fault->text);
    } else {
        ids_reply_bytes(desk, conn, ids_greeting_no_request,
                        strlen(ids_greeting_no_request));
        ids_count_error(&desk->counters, fault->error);
    }
    ids_log_conn(IDS_LOG_WARN, "closed for what it sent", conn, fault->text);
    ids_conn_finish(desk, conn);
}

static void wait_for_more(ids_desk *desk, ids_conn *conn, walk *w) {
    idp_read_fault *fault = &w->fault;
    conn->need = fault->need_bytes;
    if (conn->surplus && fault->has_msgid) {
        fault->error = IDP_E_LIMIT;
        fault->text = IDS_TOO_MANY_CONNECTIONS;
    } else if (!conn->admitted && w->len - w->at > IDS_STRANGER_BYTES_MAX) {
        fault->error = IDP_E_TOO_LARGE;
        fault->text = "a large frame before the secret";
    } else {
        return;
    }
    refuse_stream(desk, conn, fault);
}

/* Deals with what stands at w->at and is no request to be served. Returns
 * whether there may be more to serve behind it. */
static bool step_over(ids_desk *desk, ids_conn *conn, walk *w) {
    switch (w->why) {
    case IDP_READ_WHOLE:
        return true;
    case IDP_READ_REFUSED:
        conn->oversize = false;
        conn->asked++;
        desk->counters.of[IDS_REQUESTS_TOTAL]++;
        ids_reply_error(desk, conn, w->fault.msgid, w->fault.error,
                        w->fault.text);
        w->at += w->frame_bytes;
        return true;
    case IDP_READ_PARTIAL:
        wait_for_more(desk, conn, w);
        return false;
    case IDP_READ_OVERSIZE:
        if (!conn->oversize) {
            cut_result(conn, w);
            return true;
        }
        w->fault = (idp_read_fault){.error = IDP_E_PROTOCOL,
                                    .text = "two results in one frame"};
        break;
    case IDP_READ_BROKEN:
        break;
    }
    refuse_stream(desk, conn, &w->fault);
    return false;
}

/* Serves what it can. Returns how many bytes it is through with; w->len is
 * what there is of them. */
static void serve(ids_desk *desk, ids_conn *conn, walk *w) {
    bool go_on = true;
    uint32_t turn = desk->work[IDS_WORK_SERVE] + desk->work[IDS_WORK_WAKE];
    conn->need = 1;
    if (ids_conn_is_stalled(conn))
        ids_conn_become(conn, IDS_CONN_SERVED);
    desk->serve_until = turn + IDS_WORK_A_CONN;
    while (go_on && w->at < w->len && ids_conn_may_serve(desk, conn) &&
           ids_desk_serves(desk)) {
        uint32_t count = collect(desk, conn, w);
        conn->asked += count;
        uint32_t done = ids_dispatch(desk, conn, count);
        if (done < count) {
            w->at = (size_t)(desk->batch[done].frame - w->bytes);
            break;
        }
        if (!ids_conn_may_serve(desk, conn))
            break;
        go_on = step_over(desk, conn, w);
    }
    if (go_on && w->at < w->len && conn->life == IDS_CONN_SERVED)
        ids_conn_become(conn, IDS_CONN_STALLED);
    ids_hop_hold(desk, conn);
    if (ids_conn_is_stalled(conn) || ids_conn_is_closing(conn))
        ids_desk_mark(desk, conn);
}

void ids_conn_condemn(ids_desk *desk, ids_conn *conn, const char *why) {
    ids_log_conn(IDS_LOG_WARN, "connection closed", conn, why);
    desk->counters.of[IDS_CLOSED_BY_LIMIT_TOTAL]++;
    ids_conn_become(conn, IDS_CONN_DEAD);
    ids_desk_mark(desk, conn);
}

static void forget_input(ids_desk *desk, ids_conn *conn) {
    desk->buffered_bytes -= conn->in.len;
    ids_input_give_back(desk, &conn->in);
}

/* Keeps input that could not be served yet. */
static void keep(ids_desk *desk, ids_conn *conn, const uint8_t *bytes,
                 size_t len) {
    if (!len || ids_conn_is_over(conn))
        return;
    if (desk->buffered_bytes + len > desk->house->buffer_bytes_max) {
        ids_conn_condemn(desk, conn, "the buffers of all connections are full");
    } else if (!ids_bytes_append(&conn->in, bytes, len)) {
        ids_conn_condemn(desk, conn, "out of memory");
    } else {
        desk->buffered_bytes += len;
    }
}

void ids_conn_resume(ids_desk *desk, ids_conn *conn) {
    walk w = {.bytes = conn->in.ptr, .len = conn->in.len};
    size_t had = w.len;
    serve(desk, conn, &w);
    conn->in.len = w.len;
    ids_bytes_consume(&conn->in, w.at);
    desk->buffered_bytes -= had - conn->in.len;
    if (!conn->in.len || ids_conn_is_over(conn))
        forget_input(desk, conn);
}

static void serve_in_place(ids_desk *desk, ids_conn *conn, uint8_t *bytes,
                           size_t len) {
    if (conn->in.len) {
        bytes -= conn->in.len;
        len += conn->in.len;
        memcpy(bytes, conn->in.ptr, conn->in.len);
        forget_input(desk, conn);
    }
    walk w = {.bytes = bytes, .len = len};
    serve(desk, conn, &w);
    keep(desk, conn, w.bytes + w.at, w.len - w.at);
}

/* One line, and that is all. */
static void dismiss(ids_desk *desk, ids_conn *conn, const char *line) {
    forget_input(desk, conn);
    ids_reply_bytes(desk, conn, line, strlen(line));
    ids_count_error(&desk->counters, IDP_E_PROTOCOL);
    ids_log_conn(IDS_LOG_WARN, "closed for what it sent", conn,
                 "it does not speak the protocol");
    ids_conn_finish(desk, conn);
}

/* Another server has come: from here on it is the host's. What it has sent
 * is little, since it waits for our answer. */
static void greet_peer(ids_desk *desk, ids_conn *conn) {
    if (!desk->house->takes_peers) {
        dismiss(desk, conn, ids_greeting_no_peer);
    } else if (conn->in.len > IDS_STRANGER_BYTES_MAX) {
        dismiss(desk, conn, ids_greeting_no_request);
    } else {
        ids_bytes_consume(&conn->in, IDS_PREFACE_BYTES);
        desk->buffered_bytes -= IDS_PREFACE_BYTES;
        ids_conn_become(conn, IDS_CONN_PEER);
        ids_desk_mark(desk, conn);
    }
}

/* True when it can begin a request; otherwise what came is dealt with here:
 * bytes that don't tell yet who speaks are kept, another server is handed on,
 * and somebody else is told what this port speaks. */
static bool greet(ids_desk *desk, ids_conn *conn, const uint8_t *bytes,
                  size_t len) {
    const char *answer = NULL;
    bool is_first = !conn->in.len;
    if (is_first &&
        ids_greeting_read(bytes, len, &answer) == IDS_FIRST_REQUEST) {
        ids_conn_become(conn, IDS_CONN_SERVED);
        return true;
    }
    if (answer) {
        dismiss(desk, conn, answer);
        return false;
    }
    keep(desk, conn, bytes, len);
    if (ids_conn_is_dead(conn))
        return false;
    ids_first who = ids_greeting_read(conn->in.ptr, conn->in.len, &answer);
    if (who == IDS_FIRST_PEER)
        greet_peer(desk, conn);
    else if (who == IDS_FIRST_STRANGER)
        dismiss(desk, conn, answer);
    return false;
}

void ids_conn_input(ids_desk *desk, ids_conn *conn, size_t len) {
    uint8_t *bytes = ids_desk_input_room(desk);
    conn->received += len;
    if (ids_conn_is_over(conn) || !len)
        return;
    if (conn->life == IDS_CONN_NEW && !greet(desk, conn, bytes, len))
        return;
    if (conn->skip) {
        size_t skipped = len < conn->skip ? len : (size_t)conn->skip;
        conn->skip -= skipped;
        bytes += skipped;
        len -= skipped;
    }
    bool vain =
        conn->life != IDS_CONN_SERVED || conn->in.len + len < conn->need;
    if (!vain && conn->in.len <= IDS_INPUT_HEADROOM) {
        serve_in_place(desk, conn, bytes, len);
        return;
    }
    keep(desk, conn, bytes, len);
    if (!vain && !ids_conn_is_dead(conn))
        ids_conn_resume(desk, conn);
}

void ids_conn_refuse(ids_desk *desk, ids_conn *conn) {
    if (!ids_conn_is_closing(conn))
        ids_reply_error(desk, conn, 0, IDP_E_LIMIT, IDS_TOO_MANY_CONNECTIONS);
    ids_conn_finish(desk, conn);
}

void ids_conn_end(ids_desk *desk, ids_conn *conn) {
    conn->ended = true;
    ids_desk_forget(desk, conn);
    ids_desk_mark(desk, conn);
}

void ids_conn_finish(ids_desk *desk, ids_conn *conn) {
    ids_conn_life next = desk->draining ? IDS_CONN_DRAINING : IDS_CONN_CLOSING;
    bool stays = conn->life == IDS_CONN_MOVING || conn->life == IDS_CONN_PEER ||
                 ids_conn_is_dead(conn);
    if (!stays)
        ids_conn_become(conn, next);
    ids_desk_mark(desk, conn);
}

idp_slice ids_conn_sendable(const ids_conn *conn) {
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
    ids_reply_give_back(desk, &conn->out);
    conn->body_before -= conn->body ? conn->out_at : 0;
    conn->out = own;
    conn->out_at = 0;
}

static void sent_of_body(ids_desk *desk, ids_conn *conn, size_t len) {
    conn->body_at += len;
    assert(conn->body_at <= conn->body->len);
    if (conn->body_at < conn->body->len)
        return;
    ids_shared_unref(desk, conn->body);
    conn->body = NULL;
}

void ids_conn_sent(ids_desk *desk, ids_conn *conn, size_t len) {
    assert(len <= ids_conn_unsent(conn));
    conn->unsent -= len;
    if (conn->body && conn->out_at == conn->body_before) {
        sent_of_body(desk, conn, len);
    } else {
        conn->out_at += len;
        desk->buffered_bytes -= len;
    }
    if (conn->out_at < conn->out.len) {
        settle_rest(desk, conn);
    } else if (!conn->body) {
        ids_reply_give_back(desk, &conn->out);
        conn->out_at = 0;
    }
}
