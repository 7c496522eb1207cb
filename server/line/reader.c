/* SPDX-License-Identifier: Apache-2.0 */
/* reader.c -- a connection's requests, from the bytes they come in. */
#include "server/line/reader.h"

#include "proto/request.h"
#include "server/base/log.h"
#include "server/line/admit.h"
#include "server/line/detect.h"
#include "server/line/dispatch.h"
#include "server/line/gather.h"
#include "server/worker/forward.h"
#include "server/worker/reply.h"

#include <assert.h>
#include <string.h>

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

/* Decodes requests into the worker's batch, and says in why what it stopped
 * at. WHOLE: the batch is full, or a hello begins or ends it; that is served
 * by itself, because the connection may move. */
static uint32_t collect_requests(ids_line *line, ids_conn *conn, walk *w) {
    const idp_read_limits limits = {line->worker.server->result_bytes_max};
    uint32_t count = 0;
    w->why = IDP_READ_WHOLE;
    while (count < IDS_BATCH_MAX) {
        ids_item *item = &line->batch[count];
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
        item->request.result_too_large = conn->reading.oversize;
        conn->reading.oversize = false;
        ids_dispatch_prepare(&line->worker, item);
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
    conn->reading.skip = fault->payload_bytes - here;
    conn->reading.oversize = true;
    w->bytes[nil_at] = 0xc0;
    memmove(w->bytes + nil_at + 1, w->bytes + from + here,
            w->len - from - here);
    w->len = nil_at + 1 + (w->len - from - here);
}

static void refuse_stream(ids_line *line, ids_conn *conn,
                          const idp_read_fault *fault) {
    if (fault->has_msgid) {
        ids_reply_error(&line->worker, conn, fault->msgid, fault->error,
                        fault->text);
    } else {
        ids_reply_bytes(&line->worker, conn, ids_detect_no_request,
                        strlen(ids_detect_no_request));
        ids_count_error(&line->worker.counters, fault->error);
    }
    ids_log_who(IDS_LOG_WARN, "closed for what it sent", &conn->who,
                fault->text);
    ids_conn_finish(&line->worker, conn);
}

static void wait_for_more(ids_line *line, ids_conn *conn, walk *w) {
    idp_read_fault *fault = &w->fault;
    conn->reading.need = fault->need_bytes;
    if (conn->reading.refusal && fault->has_msgid) {
        fault->error = IDP_E_DENIED;
        fault->text = conn->reading.refusal;
        refuse_stream(line, conn, fault);
        return;
    }
    if (conn->reading.surplus && fault->has_msgid) {
        fault->error = IDP_E_LIMIT;
        fault->text = IDS_TOO_MANY_CONNECTIONS;
    } else if (!conn->reading.admitted &&
               w->len - w->at > IDS_STRANGER_BYTES_MAX) {
        fault->error = IDP_E_TOO_LARGE;
        fault->text = "a large frame before the secret";
    } else {
        return;
    }
    refuse_stream(line, conn, fault);
}

/* Deals with what stands at w->at and is no request to be served. Returns
 * whether there may be more to serve behind it. */
static bool step_over(ids_line *line, ids_conn *conn, walk *w) {
    switch (w->why) {
    case IDP_READ_WHOLE:
        return true;
    case IDP_READ_REFUSED:
        conn->reading.oversize = false;
        conn->reading.asked++;
        line->worker.counters.of[IDS_REQUESTS_TOTAL]++;
        line->worker.measures.asked = IDS_ASKED_UNREAD;
        ids_reply_error(&line->worker, conn, w->fault.msgid, w->fault.error,
                        w->fault.text);
        line->worker.measures.asked = IDS_ASKED_NOTHING;
        w->at += w->frame_bytes;
        return true;
    case IDP_READ_PARTIAL:
        wait_for_more(line, conn, w);
        return false;
    case IDP_READ_OVERSIZE:
        if (!conn->reading.oversize) {
            cut_result(conn, w);
            return true;
        }
        w->fault = (idp_read_fault){.error = IDP_E_PROTOCOL,
                                    .text = "two results in one frame"};
        break;
    case IDP_READ_BROKEN:
        break;
    }
    refuse_stream(line, conn, &w->fault);
    return false;
}

static void begin_conn(ids_line *line, ids_conn *conn) {
    const uint32_t *work = line->worker.work;
    uint32_t turn = work[IDS_WORK_SERVE] + work[IDS_WORK_WAKE];
    conn->reading.need = 1;
    line->serve_until = turn + IDS_WORK_A_CONN;
}

/* has_rest: something that could be served is left. */
static void end_conn(ids_line *line, ids_conn *conn, bool has_rest) {
    if (has_rest && conn->life == IDS_CONN_SERVED)
        ids_conn_become(conn, IDS_CONN_STALLED);
    ids_forward_hold(&line->worker, conn);
    if (ids_conn_is_stalled(conn) || ids_conn_is_closing(conn))
        ids_worker_mark(&line->worker, conn);
}

/* Serves what it can: w->at is how many bytes it is through with, w->len what
 * there is of them. */
static void serve_conn(ids_line *line, ids_conn *conn, walk *w) {
    bool go_on = true;
    begin_conn(line, conn);
    if (ids_conn_is_stalled(conn))
        ids_conn_become(conn, IDS_CONN_SERVED);
    while (go_on && w->at < w->len &&
           ids_dispatch_may_serve(&line->worker, conn) &&
           ids_line_serves(line)) {
        uint32_t count = collect_requests(line, conn, w);
        conn->reading.asked += count;
        uint32_t done = ids_dispatch(line, conn, count);
        if (done < count) {
            w->at = (size_t)(line->batch[done].frame - w->bytes);
            break;
        }
        if (!ids_dispatch_may_serve(&line->worker, conn))
            break;
        go_on = step_over(line, conn, w);
    }
    end_conn(line, conn, go_on && w->at < w->len);
}

static void forget_input(ids_line *line, ids_conn *conn) {
    line->worker.buffers.bytes -= conn->reading.in.len;
    ids_input_give_back(line, &conn->reading.in);
}

/* Keeps input that could not be served yet. */
static void keep_partial_frame(ids_line *line, ids_conn *conn,
                               const uint8_t *bytes, size_t len) {
    if (!len || ids_conn_is_over(conn))
        return;
    if (!ids_buffers_have_room(&line->worker.buffers, len)) {
        ids_conn_condemn(&line->worker, conn,
                         "the buffers of all connections are full");
    } else if (!idp_bytes_append(&conn->reading.in, bytes, len)) {
        ids_conn_condemn(&line->worker, conn, "out of memory");
    } else {
        line->worker.buffers.bytes += len;
    }
}

void ids_reader_resume(ids_line *line, ids_conn *conn) {
    walk w = {.bytes = conn->reading.in.ptr, .len = conn->reading.in.len};
    size_t had = w.len;
    serve_conn(line, conn, &w);
    conn->reading.in.len = w.len;
    idp_bytes_consume(&conn->reading.in, w.at);
    line->worker.buffers.bytes -= had - conn->reading.in.len;
    if (!conn->reading.in.len || ids_conn_is_over(conn))
        forget_input(line, conn);
}

static void serve_in_place(ids_line *line, ids_conn *conn, uint8_t *bytes,
                           size_t len) {
    if (conn->reading.in.len) {
        bytes -= conn->reading.in.len;
        len += conn->reading.in.len;
        memcpy(bytes, conn->reading.in.ptr, conn->reading.in.len);
        forget_input(line, conn);
    }
    walk w = {.bytes = bytes, .len = len};
    const uint32_t asked = conn->reading.asked;
    serve_conn(line, conn, &w);
    conn->reading.alone = conn->reading.asked - asked == 1 && w.at == w.len &&
                          len <= IDS_GATHERED_BYTES;
    keep_partial_frame(line, conn, w.bytes + w.at, w.len - w.at);
}

/* What can't be served now is kept, as input that was read alone. */
static bool serve_gathered(ids_line *line, ids_conn *conn,
                           const ids_item *item) {
    conn->reading.gathered = false;
    begin_conn(line, conn);
    bool done = ids_dispatch_one(line, conn, item);
    conn->reading.asked += done;
    end_conn(line, conn, !done);
    if (!done)
        keep_partial_frame(line, conn, item->frame, item->frame_bytes);
    return done;
}

void ids_reader_serve_gathered(ids_line *line) {
    ids_gather *gather = &line->gather;
    uint32_t done = 0;
    ids_dispatch_prefetch_expected(line, gather->items, gather->count);
    for (uint32_t i = 0; i < gather->count; i++) {
        ids_item *item = &gather->items[i];
        if (gather->conns[i] && serve_gathered(line, gather->conns[i], item))
            done++;
        else
            item->owner = UINT32_MAX; /* nobody has answered it */
    }
    if (done)
        ids_dispatch_end_batch(line, gather->items, gather->count);
    gather->count = 0;
}

/* One line, and that is all. */
static void dismiss(ids_line *line, ids_conn *conn, const char *text) {
    const char *http = line->worker.server->http_says;
    forget_input(line, conn);
    if (text == ids_detect_no_http && http)
        text = http;
    ids_reply_bytes(&line->worker, conn, text, strlen(text));
    ids_count_error(&line->worker.counters, IDP_E_PROTOCOL);
    ids_log_who(IDS_LOG_WARN, "closed for what it sent", &conn->who,
                "it does not speak the protocol");
    ids_conn_finish(&line->worker, conn);
}

/* Another server has come: from here on it is the driver's. What it has sent
 * is little, since it waits for our answer. */
static void detect_peer(ids_line *line, ids_conn *conn) {
    if (!line->worker.server->takes_peers) {
        dismiss(line, conn, ids_detect_no_peer);
    } else if (conn->reading.in.len > IDS_STRANGER_BYTES_MAX) {
        dismiss(line, conn, ids_detect_no_request);
    } else {
        idp_bytes_consume(&conn->reading.in, IDS_MAGIC_BYTES);
        line->worker.buffers.bytes -= IDS_MAGIC_BYTES;
        ids_conn_become(conn, IDS_CONN_PEER);
        ids_worker_mark(&line->worker, conn);
    }
}

/* True when it can begin a request; otherwise what came is dealt with here:
 * bytes that don't tell yet who speaks are kept, another server is handed on,
 * and somebody else is told what this port speaks. */
static bool detect_protocol(ids_line *line, ids_conn *conn,
                            const uint8_t *bytes, size_t len) {
    const char *answer = NULL;
    bool is_first = !conn->reading.in.len;
    if (is_first && ids_detect_read(bytes, len, &answer) == IDS_FIRST_REQUEST) {
        ids_conn_become(conn, IDS_CONN_SERVED);
        return true;
    }
    if (answer) {
        dismiss(line, conn, answer);
        return false;
    }
    keep_partial_frame(line, conn, bytes, len);
    if (ids_conn_is_dead(conn))
        return false;
    ids_first who =
        ids_detect_read(conn->reading.in.ptr, conn->reading.in.len, &answer);
    if (who == IDS_FIRST_PEER)
        detect_peer(line, conn);
    else if (who == IDS_FIRST_STRANGER)
        dismiss(line, conn, answer);
    return false;
}

void ids_reader_input(ids_line *line, ids_conn *conn, size_t len) {
    uint8_t *bytes = ids_line_input_room(line);
    conn->reading.received += len;
    if (ids_conn_is_over(conn) || !len)
        return;
    if (conn->life == IDS_CONN_NEW && !detect_protocol(line, conn, bytes, len))
        return;
    if (conn->reading.skip) {
        size_t skipped =
            len < conn->reading.skip ? len : (size_t)conn->reading.skip;
        conn->reading.skip -= skipped;
        bytes += skipped;
        len -= skipped;
    }
    bool vain = conn->life != IDS_CONN_SERVED ||
                conn->reading.in.len + len < conn->reading.need;
    if (!vain && conn->reading.in.len <= IDS_INPUT_HEADROOM) {
        serve_in_place(line, conn, bytes, len);
        return;
    }
    keep_partial_frame(line, conn, bytes, len);
    if (!vain && !ids_conn_is_dead(conn))
        ids_reader_resume(line, conn);
}

void ids_reader_received(ids_line *line, ids_conn *conn, const ids_input *input,
                         size_t len) {
    if (!input->in_place) {
        ids_reader_input(line, conn, len);
        return;
    }
    assert(len <= input->max);
    conn->reading.received += len;
    conn->reading.in.len += len;
    line->worker.buffers.bytes += len;
    if (conn->reading.in.len >= conn->reading.need)
        ids_reader_resume(line, conn);
}

void ids_reader_take(ids_line *line, ids_conn *conn, idp_bytes *request) {
    assert(!conn->reading.in.len && conn->life == IDS_CONN_SERVED);
    idp_bytes_free(&conn->reading.in);
    conn->reading.in = *request;
    *request = (idp_bytes){0};
    line->worker.buffers.bytes += conn->reading.in.len;
    ids_reader_resume(line, conn);
}

/* They come and go --------------------------------------------------------- */

bool ids_reader_adopt(ids_line *line, ids_conn *conn) {
    ids_worker *worker = &line->worker;
    if (!ids_worker_name(worker, conn))
        return false;
    bool moved = conn->life == IDS_CONN_MOVING;
    if (!moved)
        conn->reading.admitted =
            !worker->server->access && !conn->reading.surplus;
    if (moved)
        ids_conn_become(conn, IDS_CONN_SERVED);
    worker->buffers.bytes += conn->reading.in.len;
    worker->counters.of[IDS_CONNECTIONS]++;
    worker->counters.of[IDS_CONNECTIONS_TOTAL] += !moved;
    line->driver.adopt(line->driver.ctx, conn);
    if (!ids_admit_still(line, conn))
        return true;
    if (moved)
        ids_dispatch_hello(worker, conn, conn->reading.move_msgid);
    if (conn->reading.in.len)
        ids_reader_resume(line, conn);
    return true;
}

bool ids_reader_give(ids_line *line, ids_conn *conn, uint32_t loop) {
    if (loop == line->worker.index)
        return ids_reader_adopt(line, conn);
    return ids_worker_message_word(&line->worker, loop, IDS_MESSAGE_GIVE,
                                   (uint64_t)(uintptr_t)conn);
}

static void forget_conn(ids_worker *worker, ids_conn *conn) {
    if (!conn->waiting)
        return;
    conn->waiting = 0;
    ids_shard_forget(worker->shard, conn->asker);
    const ids_message message = {.asker = conn->asker,
                                 .kind = IDS_MESSAGE_FORGET};
    for (uint32_t loop = 0; loop < worker->server->loops; loop++) {
        if (loop == worker->index)
            continue;
        ids_message_batch *batch = ids_worker_batch(worker, loop);
        if (batch)
            ids_message_append(batch, &message, NULL);
    }
}

void ids_reader_drop(ids_line *line, ids_conn *conn) {
    ids_worker *worker = &line->worker;
    assert(ids_worker_find(worker, conn->asker) == conn);
    ids_worker_unmark(worker, conn);
    ids_forward_send_on(worker, conn);
    ids_dispatch_leave_line(line, conn);
    ids_gather_forget(&line->gather, conn);
    ids_admit_leave(line, conn);
    assert(worker->forwarded >= conn->forwarded.count);
    worker->forwarded -= conn->forwarded.count;
    forget_conn(worker, conn);
    if (worker->server->holders)
        ids_holders_leave(worker->server->holders, conn->by, worker->now_ms);
    conn->by = 0;
    conn->is_named = false;
    worker->buffers.bytes -= conn->reading.in.len + conn->forwarded.bytes;
    ids_output_forget(worker, conn);
    ids_worker_unname(worker, conn);
    worker->counters.of[IDS_CONNECTIONS]--;
}

void ids_reader_refuse(ids_line *line, ids_conn *conn) {
    if (!ids_conn_is_closing(conn))
        ids_reply_error(&line->worker, conn, 0, IDP_E_LIMIT,
                        IDS_TOO_MANY_CONNECTIONS);
    ids_conn_finish(&line->worker, conn);
}

void ids_reader_end(ids_line *line, ids_conn *conn) {
    conn->ended = true;
    forget_conn(&line->worker, conn);
    ids_worker_mark(&line->worker, conn);
}
