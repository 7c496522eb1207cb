/* SPDX-License-Identifier: Apache-2.0 */
/* http.c -- see http.h. */
#include "server/net/http.h"

#include "proto/reply.h"
#include "proto/request.h"
#include "server/line/admit.h"
#include "server/line/reader.h"
#include "server/net/cert.h"
#include "server/net/http_probe.h"
#include "server/net/proxies.h"
#include "server/worker/output.h"

#include <assert.h>
#include <stdlib.h>

#define HEAD_MS         10000
#define KEEP_ALIVE_MS   75000
#define BODY_MS         15000
#define BODY_BYTES      (64u << 10)
/* Responses that one send takes. */
#define REQUESTS_A_SEND 32

void ids_http_policy_read(ids_http_policy *policy, const ids_config *config) {
    static_assert(IDS_HTTP_HOSTS_MAX == IDS_LISTEN_MAX, "each has its place");
    *policy = (ids_http_policy){
        .hosts_count = (uint32_t)config->http_host.count,
        .demands_secret = config->credentials || config->secret_file};
    for (uint32_t i = 0; i < policy->hosts_count; i++)
        policy->hosts[i] = config->http_host.all[i];
}

ids_http *ids_http_new(const ids_server *server) {
    ids_http *http = calloc(1, sizeof *http);
    if (http)
        ids_http_session_init(&http->session, server->result_bytes_max, NULL);
    return http;
}

void ids_http_free(ids_http *http) {
    if (!http)
        return;
    ids_http_session_fini(&http->session);
    idp_bytes_free(&http->reply);
    free(http);
}

void ids_http_open(ids_net *net, ids_conn *conn) {
    conn->http->session.scratch = &net->http_scratch;
    conn->http->session.primary_http = net->worker->role_state.primary_http;
    conn->http->at_ms = net->worker->now_ms;
    conn->reading.admitted = false; /* each request shows its own */
}

/* What it holds counts as any connection's bytes do. */
static void count_bytes(ids_net *net, const ids_conn *conn) {
    ids_http *http = conn->http;
    size_t bytes = ids_http_session_bytes(&http->session) + http->reply.len;
    net->worker->buffers.bytes += bytes - http->counted;
    http->counted = bytes;
}

void ids_http_forget(ids_net *net, ids_conn *conn) {
    net->worker->buffers.bytes -= conn->http->counted;
    conn->http->counted = 0;
}

/* It does something else than before, or some of a body has come. */
static void note_step(const ids_net *net, const ids_conn *conn) {
    ids_http *http = conn->http;
    const ids_http_session *s = &http->session;
    uint32_t step = s->requests << 4 | (uint32_t)s->phase << 1 |
                    (s->phase == IDS_HTTP_READS_HEAD && s->in.len);
    if (step == http->at_step &&
        conn->reading.received - http->at_byte < BODY_BYTES)
        return;
    http->at_step = step;
    http->at_byte = conn->reading.received;
    http->at_ms = net->worker->now_ms;
}

/* Leave -------------------------------------------------------------------- */

static void refuse_request(ids_net *net, ids_conn *conn,
                           const ids_http_problem *problem) {
    if (problem->status == 401) {
        net->worker->counters.of[IDS_DENIED_NO_SECRET_TOTAL]++;
        ids_count_error(&net->worker->counters, IDP_E_DENIED);
    }
    if (!ids_http_session_refuse(&conn->http->session, problem))
        ids_conn_condemn(net->worker, conn, "out of memory");
}

/* From is whom the line counts a wrong secret for, and names in its log. */
static bool show_secret(ids_net *net, ids_conn *conn, const ids_who *from,
                        const idp_request *hello) {
    ids_who own = conn->who;
    conn->reading.denials = 0;
    conn->who = *from;
    conn->who.client = own.client;
    bool admitted = ids_admit_hello(net->line, conn, hello);
    conn->who = own;
    return admitted;
}

/* What its certificate says of a request; verifier: whose that is. It is the
 * connection's: what a proxy hands on is somebody else's. */
static ids_cert_admits look_at_cert(ids_net *net, const ids_conn *conn,
                                    const ids_http_head *head,
                                    ids_verifier **verifier) {
    *verifier = NULL;
    if (!conn->seal || head->forwarded_for.ptr || head->is_forwarded ||
        (head->authorization.ptr && net->http->demands_secret))
        return IDS_CERT_NONE;
    return ids_cert_look(net, conn, verifier);
}

/* Why nobody is served on this connection; NULL: he may be. */
static const char *why_refused(const ids_conn *conn, ids_cert_admits cert) {
    if (conn->reading.refusal)
        return conn->reading.refusal;
    return cert == IDS_CERT_AMBIGUOUS ? IDS_CERT_OF_TWO : NULL;
}

/* A wrong secret is answered by the line, now or later. Whose request a proxy
 * hands on is as far away as it says. */
static void ask_leave(ids_net *net, ids_conn *conn, const ids_http_head *head) {
    ids_http_session *s = &conn->http->session;
    ids_http_problem problem;
    idp_request hello = {.method = IDP_HELLO, .msgid = s->requests};
    ids_who from = conn->who;
    ids_verifier *verifier;
    bool is_far = ids_proxies_forwarded(net->proxies, &conn->who,
                                        head->forwarded_for, &from) &&
                  !ids_who_is_local(&from);
    ids_cert_admits cert = look_at_cert(net, conn, head, &verifier);
    const char *why = why_refused(conn, cert);
    ids_conn_unbind(conn); /* nothing of an earlier request counts */
    const ids_http_from here = {.is_local = conn->reading.local && !is_far,
                                .has_cert = cert == IDS_CERT_GOOD};
    if (why && !ids_http_is_probe(s->route)) {
        ids_http_refuse(&problem, 403, "DENIED", "%s", why);
        refuse_request(net, conn, &problem);
        return;
    }
    bool is_own = conn->who.is_own_user && !head->forwarded_for.ptr &&
                  !head->is_forwarded;
    if (!ids_http_may_ask(net->http, here, s->route, head, &hello.secret,
                          &problem) ||
        !ids_http_may_look(net->http, is_own, s->route, &problem)) {
        refuse_request(net, conn, &problem);
        return;
    }
    if (verifier && !hello.secret.ptr && !ids_http_is_probe(s->route))
        ids_conn_bind(conn, net->worker->credentials, verifier);
    if (!hello.secret.ptr || show_secret(net, conn, &from, &hello))
        ids_http_session_admit(s);
}

/* The call ----------------------------------------------------------------- */

static void refuse_for_memory(ids_net *net, ids_conn *conn) {
    ids_http_problem problem;
    ids_http_refuse(&problem, 429, "LIMIT",
                    "the buffers of all connections are full; nothing was "
                    "changed, ask again");
    refuse_request(net, conn, &problem);
}

/* Into a buffer of its own, which the line takes. */
static void call_with_large(ids_net *net, ids_conn *conn,
                            const idp_request *request, size_t bound) {
    idp_bytes frame = {0};
    if (!ids_buffers_have_room(&net->worker->buffers, bound) ||
        !idp_bytes_reserve(&frame, bound)) {
        refuse_for_memory(net, conn);
        return;
    }
    frame.len = idp_request_write(frame.ptr, frame.cap, request);
    ids_reader_take(net->line, conn, &frame);
}

static void call_line(ids_net *net, ids_conn *conn,
                      const idp_request *request) {
    size_t bound = idp_request_write_bound(request);
    conn->reading.oversize = request->result_too_large;
    if (bound > IDS_INPUT_BYTES) {
        call_with_large(net, conn, request, bound);
        return;
    }
    uint8_t *room = ids_line_input_room(net->line);
    ids_reader_input(net->line, conn,
                     idp_request_write(room, IDS_INPUT_BYTES, request));
}

/* Steps -------------------------------------------------------------------- */

static void end_if_over(ids_net *net, ids_conn *conn) {
    if (conn->http->session.phase == IDS_HTTP_OVER && !ids_conn_is_over(conn))
        ids_conn_finish(net->worker, conn);
}

/* One that ends answers what is under way, and no more. */
static void serve_http(ids_net *net, ids_conn *conn) {
    ids_http_session *s = &conn->http->session;
    ids_http_event event;
    ids_http_need need = IDS_HTTP_NEEDS_BYTES;
    bool goes_on = true;
    conn->http->answered = false;
    while (goes_on && !ids_conn_is_over(conn)) {
        need = ids_http_session_next(s, &event);
        goes_on = need == IDS_HTTP_NEEDS_LEAVE || need == IDS_HTTP_NEEDS_PROBE;
        if (need == IDS_HTTP_NEEDS_LEAVE) {
            ask_leave(net, conn, &event.head);
        } else if (need == IDS_HTTP_NEEDS_PROBE) {
            ids_http_probe(net, conn);
        } else if (need == IDS_HTTP_NEEDS_CALL) {
            call_line(net, conn, &event.request);
        } else if (need == IDS_HTTP_FAILED) {
            ids_conn_condemn(net->worker, conn, "out of memory");
        }
    }
    end_if_over(net, conn);
    count_bytes(net, conn);
    note_step(net, conn);
    ids_worker_mark(net->worker, conn);
}

void ids_http_received(ids_net *net, ids_conn *conn, const uint8_t *bytes,
                       size_t len) {
    if (ids_conn_is_over(conn) || !len)
        return;
    conn->reading.received += len;
    if (conn->life == IDS_CONN_NEW)
        ids_conn_become(conn, IDS_CONN_SERVED);
    if (!ids_buffers_have_room(&net->worker->buffers, len))
        ids_conn_condemn(net->worker, conn,
                         "the buffers of all connections are full");
    else if (!ids_http_session_take(&conn->http->session, bytes, len))
        ids_conn_condemn(net->worker, conn, "out of memory");
    else
        serve_http(net, conn);
}

bool ids_http_reads(const ids_conn *conn) {
    const ids_http_session *s = &conn->http->session;
    return ids_http_session_reads(s) &&
           ids_http_session_output(s).len < IDS_UNSENT_BYTES_HIGH;
}

/* Replies ------------------------------------------------------------------ */

/* A frame of the line's. One that nobody asked for is dropped: it tells a
 * client of the line why it is closed. */
static void take_reply(ids_net *net, ids_conn *conn, idp_slice frame,
                       uint32_t msgid) {
    ids_http_session *s = &conn->http->session;
    bool is_asked =
        s->phase == IDS_HTTP_WAITS || s->phase == IDS_HTTP_ASKS_LEAVE;
    if (!is_asked || msgid != s->requests)
        return;
    if (ids_conn_is_over(conn))
        ids_http_session_end(s);
    if (!ids_http_session_answer(s, frame))
        ids_conn_condemn(net->worker, conn, "out of memory");
    ids_conn_unbind(conn);
    conn->http->answered = true;
}

/* Takes what it can of the bytes, false: of one half a frame they are. */
static bool take_http_frame(ids_net *net, ids_conn *conn, idp_slice bytes,
                            size_t *taken) {
    size_t max = idp_reply_bytes_max(net->worker->server->result_bytes_max);
    idp_reply reply;
    switch (idp_reply_open(bytes.ptr, bytes.len, max, &reply, taken)) {
    case IDP_REPLY_WHOLE:
        take_reply(net, conn, (idp_slice){bytes.ptr, *taken}, reply.msgid);
        return true;
    case IDP_REPLY_PARTIAL:
        return false;
    case IDP_REPLY_BROKEN:
        break;
    }
    *taken = bytes.len; /* a line for who speaks no protocol at all */
    return true;
}

/* Half a frame is kept, until the rest is there. */
static void take_output(ids_net *net, ids_conn *conn, idp_slice bytes) {
    ids_http *http = conn->http;
    size_t taken = 0;
    if (!http->reply.len && take_http_frame(net, conn, bytes, &taken)) {
        ids_output_sent(net->worker, conn, taken);
        return;
    }
    if (!idp_bytes_append(&http->reply, bytes.ptr, bytes.len)) {
        ids_conn_condemn(net->worker, conn, "out of memory");
        return;
    }
    ids_output_sent(net->worker, conn, bytes.len);
    idp_slice all = {http->reply.ptr, http->reply.len};
    if (take_http_frame(net, conn, all, &taken))
        idp_bytes_consume(&http->reply, taken);
    if (!http->reply.len)
        idp_bytes_free(&http->reply);
}

/* The line's output becomes responses. */
static void read_line(ids_net *net, ids_conn *conn) {
    ids_worker *worker = net->worker;
    idp_slice bytes;
    do {
        ids_output_fill(worker, conn);
        bytes = ids_output_sendable(conn);
        if (bytes.len)
            take_output(net, conn, bytes);
    } while (bytes.len && !ids_conn_is_dead(conn));
    end_if_over(net, conn);
}

/* Another request has come behind the one that was answered. */
static bool has_next(const ids_conn *conn) {
    const ids_http *http = conn->http;
    const ids_http_session *s = &http->session;
    return http->answered && s->phase == IDS_HTTP_READS_HEAD && s->in.len &&
           !ids_conn_is_over(conn);
}

idp_slice ids_http_output(ids_net *net, ids_conn *conn) {
    const ids_http_session *s = &conn->http->session;
    read_line(net, conn);
    for (int i = 0; i < REQUESTS_A_SEND && has_next(conn) &&
                    ids_http_session_output(s).len < IDS_UNSENT_BYTES_HIGH;
         i++) {
        serve_http(net, conn);
        read_line(net, conn);
    }
    count_bytes(net, conn);
    note_step(net, conn);
    return ids_http_session_output(s);
}

void ids_http_sent(ids_net *net, ids_conn *conn, size_t len) {
    ids_http_session_sent(&conn->http->session, len);
    count_bytes(net, conn);
    if (has_next(conn))
        ids_worker_mark(net->worker, conn);
}

bool ids_http_waits(const ids_conn *conn) {
    return ids_http_session_output(&conn->http->session).len > 0 ||
           has_next(conn);
}

/* Time --------------------------------------------------------------------- */

const char *ids_http_overdue(const ids_conn *conn, uint64_t now_ms) {
    const ids_http *http = conn->http;
    uint64_t age_ms = now_ms - http->at_ms;
    switch (http->session.phase) {
    case IDS_HTTP_READS_HEAD:
        if (http->session.in.len)
            return age_ms >= HEAD_MS ? "half a head, and no more of it" : NULL;
        return age_ms >= KEEP_ALIVE_MS ? "it asks nothing more" : NULL;
    case IDS_HTTP_READS_BODY:
        return age_ms >= BODY_MS ? "half a body, and no more of it" : NULL;
    case IDS_HTTP_ASKS_LEAVE:
    case IDS_HTTP_WAITS:
    case IDS_HTTP_OVER:
        break;
    }
    return NULL;
}
