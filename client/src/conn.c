/* SPDX-License-Identifier: Apache-2.0 */
/* conn.c -- idem_conn: one connection for a host with its own event loop. What
 * happens to its calls; its descriptor is in conn_link.c. */
#include <string.h>

#include "client/src/args.h"
#include "client/src/conn.h"
#include "client/src/handshake.h"
#include "client/src/mem.h"

/* What is one process's alone. */
static int32_t renew_conn(idem_conn *conn, uint64_t now_ms, idem_error *err) {
    uint64_t seed = 0;
    conn->fd = -1;
    conn->fd_serial++;
    conn->state = IDEM__CONN_PAUSING;
    conn->retry_at_ms = now_ms;
    conn->addrs_count = 0;
    conn->addrs_next = 0;
    conn->sent_on = false;
    conn->has_hello = false;
    conn->hello_op = (idem__op){0};
    conn->why = (idem_error){.size = sizeof conn->why};
    idem__selector_init(&conn->selector, &conn->uri);
    idem__wire_init(&conn->wire);
    idem__calls_init(&conn->waiting);
    if (!idem__random(&seed, sizeof seed) ||
        !idem__random(conn->nonce, sizeof conn->nonce))
        return idem__fail(err, IDEM_E_MEMORY, "the system has no randomness");
    idem__backoff_init(&conn->backoff, seed);
    conn->generation = idem__fork_here();
    return 0;
}

static void conn_forget_calls(idem_conn *conn, idem__calls *calls) {
    while (calls->first != NULL) {
        idem__op *op = calls->first;
        idem__calls_remove(calls, op);
        if (op != &conn->hello_op)
            idem__free(op);
    }
}

bool idem__conn_take_over(idem_conn *conn, uint64_t now_ms) {
    (void)idem__fork_here(); /* closes the descriptor's copy */
    if (!conn->busy) {       /* else it was forked in the middle of a change */
        conn_forget_calls(conn, &conn->wire.calls);
        conn_forget_calls(conn, &conn->waiting);
        idem__wire_fini(&conn->wire);
        idem__seal_end(&conn->seal);
        idem__calls_fini(&conn->waiting);
    }
    conn->seal = (idem__seal){0};
    conn->busy = false;
    return renew_conn(conn, now_ms, NULL) == 0;
}

int32_t idem_conn_open(const char *uri, uint64_t now_ms, idem_conn **conn,
                       idem_error *err) {
    *conn = NULL;
    idem_conn *made = idem__calloc(sizeof *made);
    if (made == NULL)
        return idem__fail(err, IDEM_E_MEMORY, "no memory for a connection");
    int32_t code = idem__uri_parse(uri, &made->uri, err);
    if (code == 0 && !idem__fork_watch())
        code = idem__fail(err, IDEM_E_MEMORY, "no memory for a connection");
    if (code == 0)
        code = renew_conn(made, now_ms, err);
    if (code != 0) {
        idem__uri_fini(&made->uri);
        idem__free(made);
        return code;
    }
    idem__conn_begin(made, now_ms);
    *conn = made;
    return 0;
}

static void end_queued(idem__queued_call *queued, const idem_error *err) {
    idem__async_op_fail(&queued->call, err);
    idem__free(queued);
}

static void end_with(idem__queued_call *queued, int32_t code,
                     const char *text) {
    idem_error err = {.size = sizeof err};
    idem__fail(&err, code, "%s", text);
    end_queued(queued, &err);
}

void idem_conn_close(idem_conn *conn) {
    if (conn == NULL)
        return;
    (void)idem__conn_be_here(conn, 0); /* a child calls nobody back */
    conn->closing = true;
    idem__conn_unlink(conn);
    while (conn->waiting.first != NULL) {
        idem__queued_call *queued = (idem__queued_call *)conn->waiting.first;
        idem__calls_remove(&conn->waiting, &queued->call.op);
        int32_t code = queued->unsure ? IDEM_E_LOST : IDEM_E_CLOSED;
        end_with(queued, code, "the connection was closed by its owner");
    }
    idem__lookup_drop(&conn->lookup);
    idem__wire_fini(&conn->wire);
    idem__calls_fini(&conn->waiting);
    idem__selector_fini(&conn->selector);
    idem__uri_fini(&conn->uri);
    idem__free(conn);
}

/* ------------------------------------------------------- calls on their way */

/* The queued call keeps its own copy of what it asks, to be able to ask again.
 */
static idem__queued_call *make_queued_call(const idp_request *request) {
    idem__queued_call *queued =
        idem__alloc(sizeof *queued + idem__request_bytes(request));
    if (queued == NULL)
        return NULL;
    memset(queued, 0, sizeof *queued);
    queued->request = *request;
    idem__request_own(&queued->request, queued->bytes);
    return queued;
}

static idp_slice conn_draw_nonce(idem_conn *conn) {
    idem__nonce_add(conn->nonce, 1);
    return (idp_slice){conn->nonce, sizeof conn->nonce};
}

static void await_connected(idem_conn *conn, idem__queued_call *queued) {
    queued->call.op.msgid = idem__calls_draw(&conn->waiting);
    idem__calls_enter(&conn->waiting, &queued->call.op);
}

static bool has_place(const idem_conn *conn) {
    return conn->state == IDEM__CONN_UP && !conn->sent_on &&
           (conn->hello.pending_max == 0 ||
            conn->wire.calls.count < conn->hello.pending_max);
}

/* False when memory is refused: it waits on. */
static bool send_queued_call(idem_conn *conn, idem__queued_call *queued,
                             uint64_t now_ms) {
    idp_request request = queued->request;
    uint64_t gone_ms = now_ms - queued->start_ms;
    request.wait_ms =
        gone_ms < request.wait_ms ? request.wait_ms - (uint32_t)gone_ms : 0;
    queued->call.trimmed = idem__wire_trim(&conn->hello, &request);
    return idem__wire_queue(&conn->wire, &queued->call.op, &request) == 0;
}

void idem__conn_send_waiting(idem_conn *conn, uint64_t now_ms) {
    while (conn->waiting.first != NULL && has_place(conn)) {
        idem__queued_call *queued = (idem__queued_call *)conn->waiting.first;
        idem__calls_remove(&conn->waiting, &queued->call.op);
        if (send_queued_call(conn, queued, now_ms))
            continue;
        await_connected(conn, queued);
        return;
    }
}

static int32_t queue_call(idem_conn *conn, int32_t method,
                          const idem_args *args, uint64_t now_ms,
                          idem_done_fn done, void *ctx) {
    idem__ask ask;
    if (conn->waiting.count + conn->wire.calls.count >= IDEM__CONN_CALLS_MAX)
        return IDEM_E_BUSY;
    int32_t code = idem__args_read(method, args, &conn->uri, &ask, NULL);
    if (code != 0)
        return code;
    if (method == IDEM_ACQUIRE && ask.request.nonce.len == 0)
        ask.request.nonce = conn_draw_nonce(conn);
    idem__queued_call *queued = make_queued_call(&ask.request);
    if (queued == NULL)
        return IDEM_E_MEMORY;
    queued->call.done = done;
    queued->call.ctx = ctx;
    if (method == IDEM_ACQUIRE)
        idem__async_op_nonce(&queued->call, queued->request.nonce);
    queued->start_ms = now_ms;
    queued->call.op.deadline_ms = now_ms + ask.timeout_ms;
    if (conn->waiting.count == 0 && has_place(conn)) {
        if (send_queued_call(conn, queued, now_ms))
            return 0;
        idem__free(queued);
        return IDEM_E_MEMORY;
    }
    await_connected(conn, queued);
    return 0;
}

int32_t idem_conn_call(idem_conn *conn, int32_t method, const idem_args *args,
                       uint64_t now_ms, idem_done_fn done, void *ctx) {
    if (!idem__conn_be_here(conn, now_ms))
        return IDEM_E_MEMORY;
    if (conn->closing)
        return IDEM_E_CLOSED;
    bool was_busy = conn->busy;
    conn->busy = true;
    int32_t code = queue_call(conn, method, args, now_ms, done, ctx);
    conn->busy = was_busy;
    return code;
}

/* --------------------------------------------------------- how calls end */

void idem__conn_wait_again(idem_conn *conn) {
    while (conn->wire.calls.first != NULL) {
        idem__queued_call *queued = (idem__queued_call *)conn->wire.calls.first;
        queued->unsure |= idem__wire_was_sent(&conn->wire, &queued->call.op);
        idem__calls_remove(&conn->wire.calls, &queued->call.op);
        await_connected(conn, queued);
    }
}

void idem__conn_refuse_waiting(idem_conn *conn) {
    idem_error err = conn->why; /* a callback may make calls of its own */
    const uint64_t here = conn->generation;
    for (uint32_t left = conn->waiting.count;
         left > 0 && !idem__fork_is_copy(here); left--) {
        idem__queued_call *queued = (idem__queued_call *)conn->waiting.first;
        idem__calls_remove(&conn->waiting, &queued->call.op);
        if (queued->unsure)
            end_with(queued, IDEM_E_LOST, err.text);
        else
            end_queued(queued, &err);
    }
}

/* Once a call, and where there is another server. */
static bool is_denied_once(idem_conn *conn, idem__queued_call *queued,
                           uint64_t now_ms) {
    bool goes_on = !queued->was_denied &&
                   idem__selector_denied(&conn->selector, conn->serial, now_ms);
    queued->was_denied = true;
    return goes_on;
}

static bool wants_another(idem_conn *conn, idem__queued_call *queued,
                          const idp_reply *reply, uint64_t now_ms) {
    if (!reply->is_error)
        return false;
    return reply->error == IDP_E_NOT_PRIMARY ||
           reply->error == IDP_E_SHUTTING_DOWN ||
           (reply->error == IDP_E_DENIED &&
            is_denied_once(conn, queued, now_ms));
}

/* The server sends us to another one: the call is asked again there. */
static bool is_sent_on(idem_conn *conn, idem__queued_call *queued,
                       const idp_reply *reply, uint64_t now_ms) {
    if (!wants_another(conn, queued, reply, now_ms))
        return false;
    conn->why.primary[0] = '\0';
    idem__fail_reply(&conn->why, conn->endpoint.name, reply);
    if (reply->error == IDP_E_NOT_PRIMARY)
        idem__selector_redirect(&conn->selector, conn->serial,
                                conn->why.primary);
    else if (reply->error == IDP_E_SHUTTING_DOWN)
        idem__selector_failed(&conn->selector, conn->serial);
    await_connected(conn, queued);
    if (!conn->sent_on)
        conn->drain_end_ms = now_ms + IDEM__CONN_DRAIN_MS;
    conn->sent_on = true;
    return true;
}

void idem__conn_answer(idem_conn *conn, idem__queued_call *queued,
                       const idp_reply *reply, uint64_t now_ms) {
    if (is_sent_on(conn, queued, reply, now_ms))
        return;
    conn->backoff.attempts = 0;
    idem__async_op_answer(&queued->call, conn->endpoint.name, reply);
    idem__free(queued);
}

static void conn_time_out_sent(idem_conn *conn, idem__queued_call *queued) {
    idem_error err = {.size = sizeof err};
    const char *name = conn->endpoint.name;
    idem__fail_at(&err, IDEM_E_TIMEOUT, (idem__where){.endpoint = name},
                  "%s has not answered before the deadline; ask again with "
                  "the same nonce or token",
                  name);
    end_queued(queued, &err);
}

static void time_out_waiting(idem_conn *conn, idem__queued_call *queued) {
    if (queued->unsure)
        end_with(queued, IDEM_E_LOST,
                 "the connection was lost before the answer, and was not "
                 "there again before the deadline");
    else if (conn->why.code != 0)
        end_queued(queued, &conn->why);
    else
        end_with(queued, IDEM_E_TIMEOUT_UNSENT,
                 "the deadline passed before it could be sent");
}

void idem__conn_tick(idem_conn *conn, uint64_t now_ms) {
    const uint64_t here = conn->generation; /* a callback may fork */
    idem__op *op;
    while (!idem__fork_is_copy(here) &&
           (op = idem__calls_take_due(&conn->waiting, now_ms)) != NULL)
        time_out_waiting(conn, (idem__queued_call *)op);
    while (!idem__fork_is_copy(here) &&
           (op = idem__calls_take_due(&conn->wire.calls, now_ms)) != NULL)
        conn_time_out_sent(conn, (idem__queued_call *)op);
}
