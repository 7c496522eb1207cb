/* SPDX-License-Identifier: Apache-2.0 */
/* session.c -- one client's connection over HTTP; see session.h. */
#include "server/http/session.h"

#include "server/http/console.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Larger buffers are given back between two requests. */
#define KEPT_BYTES_MAX (4u << 10)

void ids_http_session_init(ids_http_session *s, size_t result_bytes_max,
                           idp_bytes *scratch) {
    *s = (ids_http_session){.result_bytes_max = result_bytes_max,
                            .scratch = scratch};
}

void ids_http_session_fini(ids_http_session *s) {
    idp_bytes_free(&s->in);
    idp_bytes_free(&s->query);
    idp_bytes_free(&s->body);
    idp_bytes_free(&s->out);
}

/* Bytes ------------------------------------------------------------------- */

bool ids_http_session_take(ids_http_session *s, const uint8_t *bytes,
                           size_t len) {
    return s->phase == IDS_HTTP_OVER || !len ||
           idp_bytes_append(&s->in, bytes, len);
}

bool ids_http_session_reads(const ids_http_session *s) {
    return s->phase != IDS_HTTP_OVER && (s->phase == IDS_HTTP_READS_HEAD ||
                                         s->phase == IDS_HTTP_READS_BODY ||
                                         s->in.len < IDS_HTTP_AHEAD_BYTES_MAX);
}

idp_slice ids_http_session_output(const ids_http_session *s) {
    return s->out.len
               ? (idp_slice){s->out.ptr + s->out_at, s->out.len - s->out_at}
               : (idp_slice){0};
}

void ids_http_session_sent(ids_http_session *s, size_t len) {
    assert(len <= s->out.len - s->out_at);
    s->out_at += len;
    if (s->out_at < s->out.len)
        return;
    s->out_at = s->out.len = 0;
    idp_bytes_free(&s->out);
}

size_t ids_http_session_bytes(const ids_http_session *s) {
    return s->in.len + s->query.len + s->body.len + s->out.len - s->out_at;
}

static void empty(idp_bytes *bytes) {
    bytes->len = 0;
    if (bytes->cap > KEPT_BYTES_MAX)
        idp_bytes_free(bytes);
}

/* Answers ------------------------------------------------------------------ */

static ids_http_for whom(const ids_http_session *s) {
    return (ids_http_for){.method = s->method,
                          .is_head = s->is_head,
                          .as_raw = s->as_raw,
                          .as_open = s->wants_open,
                          .is_admitted = s->is_admitted,
                          .closes = s->closes,
                          .minor = s->minor,
                          .primary_http = s->primary_http,
                          .scratch = s->scratch};
}

/* Nobody looks at its slices any more. */
static void drop_head(ids_http_session *s) {
    if (s->head_bytes)
        idp_bytes_consume(&s->in, s->head_bytes);
    s->head_bytes = s->seen = 0;
}

/* The request is answered, and forgotten. */
static void end_request(ids_http_session *s) {
    drop_head(s);
    empty(&s->body);
    empty(&s->query);
    s->phase = s->closes ? IDS_HTTP_OVER : IDS_HTTP_READS_HEAD;
    s->is_admitted = s->is_head = s->as_raw = false;
    if (s->closes || !s->in.len)
        idp_bytes_free(&s->in);
}

/* A body that nobody has read could be taken for the next request. */
static bool has_unread_body(const ids_http_session *s) {
    bool is_read =
        s->is_chunked ? s->chunks.at == IDS_HTTP_AT_END : !s->body_left;
    return s->phase == IDS_HTTP_READS_HEAD || !is_read;
}

bool ids_http_session_refuse(ids_http_session *s,
                             const ids_http_problem *problem) {
    s->closes |= has_unread_body(s);
    const ids_http_for to = whom(s);
    bool good = ids_http_answer_problem(&s->out, &to, problem);
    end_request(s);
    return good;
}

bool ids_http_session_answer(ids_http_session *s, idp_slice reply) {
    s->closes |= has_unread_body(s);
    const ids_http_for to = whom(s);
    bool good = ids_http_answer_reply(&s->out, &to, reply);
    end_request(s);
    return good;
}

bool ids_http_session_say(ids_http_session *s, uint16_t status,
                          const char *type, idp_slice text) {
    s->closes |= has_unread_body(s);
    const ids_http_for to = whom(s);
    bool good = ids_http_answer_text(&s->out, &to, status, type, text, 0);
    end_request(s);
    return good;
}

void ids_http_session_end(ids_http_session *s) {
    s->closes = true;
    if (s->phase == IDS_HTTP_READS_HEAD && !s->in.len)
        s->phase = IDS_HTTP_OVER;
}

/* The reader's: who sends that is not asked for more. */
static ids_http_need refuse_bytes(ids_http_session *s,
                                  const ids_http_fault *fault) {
    ids_http_problem problem;
    ids_http_refuse(&problem, fault->status, "BAD_HTTP", "%s", fault->text);
    s->closes = true;
    return ids_http_session_refuse(s, &problem) ? IDS_HTTP_NEEDS_NOTHING
                                                : IDS_HTTP_FAILED;
}

static ids_http_need refuse_http_call(ids_http_session *s,
                                      const ids_http_problem *problem) {
    if (!ids_http_session_refuse(s, problem))
        return IDS_HTTP_FAILED;
    return s->phase == IDS_HTTP_OVER ? IDS_HTTP_NEEDS_NOTHING
                                     : IDS_HTTP_NEEDS_BYTES;
}

/* The head ----------------------------------------------------------------- */

static size_t body_bytes_max(const ids_http_session *s) {
    return s->is_raw_form && s->route == IDS_HTTP_COMPLETE
               ? s->result_bytes_max
               : ids_http_body_bytes_max(s->route, s->result_bytes_max);
}

static bool is_skipped(const ids_http_session *s) {
    return s->is_raw_form && s->route == IDS_HTTP_COMPLETE;
}

static bool refuse_body(const ids_http_session *s, ids_http_problem *problem) {
    return ids_http_refuse(
        problem, 413, "TOO_LARGE", "%s",
        s->route == IDS_HTTP_COMPLETE
            ? "the body is over its limit; nothing was changed: complete again "
              "with result null, or give ns, key and token in the query and "
              "the result as the body"
        : s->route == IDS_HTTP_RESOLVE
            ? "the body is over its limit; nothing was changed"
            : "the body is over 16 KiB");
}

/* What the head says of the request, kept before in moves on. */
static bool begin_request(ids_http_session *s, const ids_http_head *head) {
    s->requests++;
    s->minor = head->minor;
    s->is_head = head->method == IDS_HTTP_HEAD;
    s->closes |= !head->keeps_alive;
    s->is_chunked = head->is_chunked;
    s->body_left = head->length;
    s->expects_continue = head->expects_continue;
    s->chunks = (ids_http_chunks){0};
    s->was_skipped = s->as_raw = s->is_admitted = false;
    s->wants_open = ids_http_accepts(head, "application/openmetrics-text");
    s->query.len = 0;
    return !head->query.ptr ||
           idp_bytes_append(&s->query, head->query.ptr, head->query.len);
}

static ids_http_need read_route(ids_http_session *s,
                                const ids_http_head *head) {
    ids_http_problem problem;
    if (!ids_http_find_route(head, &s->route, &problem))
        return refuse_http_call(s, &problem);
    s->method = ids_http_routes[s->route].method;
    s->is_raw_form = ids_http_is_raw_form(s->route, head->query);
    if (!s->is_chunked && s->body_left > body_bytes_max(s)) {
        s->was_skipped = is_skipped(s);
        if (!s->was_skipped) {
            refuse_body(s, &problem);
            return refuse_http_call(s, &problem);
        }
    }
    return IDS_HTTP_NEEDS_LEAVE;
}

/* The slices in event->head last until leave was given or refused. */
static ids_http_need read_request_head(ids_http_session *s,
                                       ids_http_event *event) {
    ids_http_fault fault;
    ids_http_read read =
        s->in.len ? ids_http_head_seek(s->in.ptr, s->in.len, &s->seen, &fault)
                  : IDS_HTTP_PARTIAL;
    if (read == IDS_HTTP_PARTIAL)
        return IDS_HTTP_NEEDS_BYTES;
    if (read == IDS_HTTP_BAD ||
        !ids_http_head_read(s->in.ptr, s->seen, &event->head, &fault))
        return refuse_bytes(s, &fault);
    if (!begin_request(s, &event->head))
        return IDS_HTTP_FAILED;
    s->phase = IDS_HTTP_ASKS_LEAVE;
    s->head_bytes = s->seen;
    return read_route(s, &event->head);
}

void ids_http_session_admit(ids_http_session *s) {
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    assert(s->phase == IDS_HTTP_ASKS_LEAVE);
    drop_head(s);
    s->is_admitted = true;
    s->phase = IDS_HTTP_READS_BODY;
    if (s->expects_continue && !s->in.len && (s->is_chunked || s->body_left))
        (void)!idp_bytes_append(&s->out, go_on, sizeof go_on - 1);
}

/* The body ----------------------------------------------------------------- */

/* False: no memory. */
static bool keep_body(ids_http_session *s, idp_slice data) {
    if (s->was_skipped)
        return true;
    if (s->body.len + data.len <= body_bytes_max(s))
        return idp_bytes_append(&s->body, data.ptr, data.len);
    s->was_skipped = true;
    idp_bytes_free(&s->body);
    return true;
}

/* What of it is in. WHOLE: that was its end. */
static ids_http_read read_with_length(ids_http_session *s, bool *failed) {
    size_t here = s->in.len < s->body_left ? s->in.len : (size_t)s->body_left;
    if (here) {
        *failed = !keep_body(s, (idp_slice){s->in.ptr, here});
        idp_bytes_consume(&s->in, here);
    }
    s->body_left -= here;
    return s->body_left ? IDS_HTTP_PARTIAL : IDS_HTTP_WHOLE;
}

static ids_http_read read_chunks(ids_http_session *s, bool *failed,
                                 ids_http_fault *fault) {
    size_t at = 0, used;
    idp_slice data;
    ids_http_read read;
    if (!s->in.len)
        return IDS_HTTP_PARTIAL;
    do {
        read = ids_http_chunks_next(&s->chunks, s->in.ptr + at, s->in.len - at,
                                    &used, &data, fault);
        at += used;
        *failed = data.len && !keep_body(s, data);
    } while (read == IDS_HTTP_PARTIAL && data.len && !*failed);
    idp_bytes_consume(&s->in, at);
    return read;
}

/* The page is large: who asks for it a hundred times in a row gets it once. */
static ids_http_need show_console(ids_http_session *s) {
    s->closes = true;
    const ids_http_for to = whom(s);
    bool good = ids_http_answer_page(&s->out, &to, &ids_http_console);
    end_request(s);
    return good ? IDS_HTTP_NEEDS_NOTHING : IDS_HTTP_FAILED;
}

/* A request that the line has no arguments of to read. */
static bool is_bare(ids_http_route route) {
    return route == IDS_HTTP_METRICS || route == IDS_HTTP_REPLICATION;
}

static ids_http_need make_call(ids_http_session *s, ids_http_event *event) {
    static const uint8_t none[1];
    ids_http_problem problem;
    const ids_http_asked asked = {
        .route = s->route,
        .query = {s->query.len ? s->query.ptr : NULL, s->query.len},
        .body = {s->body.len ? s->body.ptr : none, s->body.len},
        .body_was_skipped = s->was_skipped};
    s->phase = IDS_HTTP_WAITS;
    if (s->route == IDS_HTTP_CONSOLE)
        return show_console(s);
    if (ids_http_is_probe(s->route))
        return IDS_HTTP_NEEDS_PROBE;
    if (is_bare(s->route))
        event->request =
            (idp_request){.method = s->method, .open_metrics = s->wants_open};
    else if (!ids_http_call_read(&asked, s->result_bytes_max, s->scratch,
                                 &event->request, &s->as_raw, &problem))
        return refuse_http_call(s, &problem);
    event->request.msgid = s->requests;
    return IDS_HTTP_NEEDS_CALL;
}

static ids_http_need read_request_body(ids_http_session *s,
                                       ids_http_event *event) {
    ids_http_fault fault = {0};
    ids_http_problem problem;
    bool failed = false;
    ids_http_read read = s->is_chunked ? read_chunks(s, &failed, &fault)
                                       : read_with_length(s, &failed);
    if (failed)
        return IDS_HTTP_FAILED;
    if (read == IDS_HTTP_BAD)
        return refuse_bytes(s, &fault);
    if (s->was_skipped && !is_skipped(s)) {
        s->closes = true;
        refuse_body(s, &problem);
        return refuse_http_call(s, &problem);
    }
    return read == IDS_HTTP_WHOLE ? make_call(s, event) : IDS_HTTP_NEEDS_BYTES;
}

ids_http_need ids_http_session_next(ids_http_session *s,
                                    ids_http_event *event) {
    ids_http_need need = IDS_HTTP_NEEDS_BYTES;
    do {
        if (s->phase == IDS_HTTP_READS_HEAD)
            need = read_request_head(s, event);
        else if (s->phase == IDS_HTTP_READS_BODY)
            need = read_request_body(s, event);
        else
            return IDS_HTTP_NEEDS_NOTHING;
        /* Refused, and there is another one in what has come. */
    } while (need == IDS_HTTP_NEEDS_BYTES && s->in.len &&
             s->phase == IDS_HTTP_READS_HEAD && !s->seen);
    return need;
}
