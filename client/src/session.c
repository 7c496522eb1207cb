/* SPDX-License-Identifier: Apache-2.0 */
/* session.c -- idem_session: one connection's protocol, without a socket, a
 * clock, a thread or a second try. */
#include <stdio.h>
#include <string.h>

#include "client/src/args.h"
#include "client/src/async_op.h"
#include "client/src/fork.h"
#include "client/src/mem.h"
#include "client/src/sized.h"
#include "client/src/uri.h"

struct idem_session {
    uint64_t generation; /* a child's copy of it is over */
    idem__wire wire;
    idp_hello hello;
    bool has_hello;
    bool closing;
};

static const char SERVER[] = "the server";

int32_t idem_session_new(idem_session **session) {
    *session = NULL;
    if (!idem__fork_watch() ||
        (*session = idem__calloc(sizeof **session)) == NULL)
        return IDEM_E_MEMORY;
    (*session)->generation = idem__fork_here();
    idem__wire_init(&(*session)->wire);
    return 0;
}

static bool is_here(const idem_session *session) {
    return !idem__fork_is_copy(session->generation);
}

static void fail_async_op(idem__async_op *call, int32_t code) {
    idem_error err = {.size = sizeof err};
    idem__fail(&err, code, "%s", idem_error_text(code));
    idem__async_op_fail(call, &err);
    idem__free(call);
}

void idem_session_free(idem_session *session) {
    if (session == NULL)
        return;
    session->closing = true;
    bool ours = is_here(session);
    while (session->wire.calls.first != NULL) {
        idem__op *op = session->wire.calls.first;
        idem__calls_remove(&session->wire.calls, op);
        bool sent = idem__wire_was_sent(&session->wire, op);
        if (ours)
            fail_async_op((idem__async_op *)op,
                          sent ? IDEM_E_LOST : IDEM_E_CLOSED);
        else
            idem__free(op); /* the parent hears of it */
    }
    idem__wire_fini(&session->wire);
    idem__free(session);
}

static idem__async_op *make_async_op(idem_done_fn done, void *ctx) {
    idem__async_op *call = idem__calloc(sizeof *call);
    if (call != NULL) {
        call->done = done;
        call->ctx = ctx;
    }
    return call;
}

int32_t idem_session_hello(idem_session *session, const char *secret,
                           int32_t shard, uint64_t deadline_ms,
                           idem_done_fn done, void *ctx) {
    if (session->closing || !is_here(session))
        return IDEM_E_CLOSED;
    size_t len = secret != NULL ? strlen(secret) : 0;
    for (size_t i = 0; i < len; i++)
        if (idem__is_hidden((uint8_t)secret[i]))
            return IDEM_E_ARGUMENT;
    if (len > IDP_SECRET_BYTES_MAX || shard < -1 || shard >= IDP_SHARDS_MAX)
        return IDEM_E_ARGUMENT;
    idem__async_op *call = make_async_op(done, ctx);
    if (call == NULL)
        return IDEM_E_MEMORY;
    call->op.deadline_ms = deadline_ms;
    idp_slice words = {(const uint8_t *)secret, len};
    idem__hello_args args = {.secret = words, .shard = shard};
    int32_t code = idem__wire_hello(&session->wire, &call->op, &args);
    if (code != 0)
        idem__free(call);
    return code;
}

int32_t idem_session_call(idem_session *session, int32_t method,
                          const idem_args *args, uint64_t now_ms,
                          idem_done_fn done, void *ctx) {
    idem__ask ask;
    if (session->closing || !is_here(session))
        return IDEM_E_CLOSED;
    int32_t code = idem__args_read(method, args, NULL, &ask, NULL);
    if (code != 0)
        return code;
    idem__async_op *call = make_async_op(done, ctx);
    if (call == NULL)
        return IDEM_E_MEMORY;
    call->op.deadline_ms = now_ms + ask.timeout_ms;
    if (method == IDEM_ACQUIRE)
        idem__async_op_nonce(call, ask.request.nonce);
    if (session->has_hello)
        call->trimmed = idem__wire_trim(&session->hello, &ask.request);
    code = idem__wire_queue(&session->wire, &call->op, &ask.request);
    if (code != 0)
        idem__free(call);
    return code;
}

int32_t idem_session_info(const idem_session *session, idem_info *info) {
    if (idem__sized_check(&idem__info_layout, info, "info", NULL) != 0)
        return IDEM_E_ARGUMENT;
    if (!session->has_hello)
        return IDEM_E_CONNECT;
    idem__info_fill(&session->hello, "", info);
    return 0;
}

const uint8_t *idem_session_output(const idem_session *session, size_t *len) {
    const idem__buffer *out = &session->wire.out;
    *len = is_here(session) ? idem__buffer_len(out) : 0;
    return *len > 0 ? out->bytes + out->at : NULL;
}

void idem_session_sent(idem_session *session, size_t len) {
    idem__buffer *out = &session->wire.out;
    if (len > idem__buffer_len(out))
        len = idem__buffer_len(out);
    out->at += len;
    session->wire.sent_bytes += len;
    if (idem__buffer_len(out) == 0)
        idem__buffer_reset(out);
}

static void answer_session_call(idem_session *session, idem__async_op *call,
                                const idp_reply *reply) {
    if (call->op.method == IDP_HELLO && !reply->is_error &&
        idp_hello_read(reply->result, &session->hello)) {
        session->has_hello = true;
        idem__wire_set_hello(&session->wire, &session->hello);
        idem__async_op_pong(call);
    } else {
        idem__async_op_answer(call, SERVER, reply);
    }
    idem__free(call);
}

int32_t idem_session_input(idem_session *session, const uint8_t *bytes,
                           size_t len) {
    idem__buffer *in = &session->wire.in;
    if (idem__buffer_len(in) == 0)
        idem__buffer_reset(in);
    if (!is_here(session))
        return IDEM_E_CLOSED;
    if (len == 0)
        return 0;
    uint8_t *to = idem__buffer_reserve(in, len);
    if (to == NULL)
        return IDEM_E_MEMORY;
    memcpy(to, bytes, len);
    in->end += len;
    for (;;) {
        idem__op *op = NULL;
        idp_reply reply = {0};
        switch (idem__wire_next(&session->wire, &op, &reply)) {
        case IDEM__NEXT_REPLY:
            answer_session_call(session, (idem__async_op *)op, &reply);
            if (!is_here(session))
                return IDEM_E_CLOSED; /* the callback has forked */
            break;
        case IDEM__NEXT_NONE:
            return 0;
        case IDEM__NEXT_BROKEN:
            return IDEM_E_GARBLED;
        }
    }
}

uint64_t idem_session_next_ms(const idem_session *session) {
    return is_here(session) ? session->wire.calls.next_ms : UINT64_MAX;
}

/* What waits in the output at its deadline will still be sent with the rest:
 * only a call of which nothing can leave any more is surely unsent, and a
 * session can't tell. */
void idem_session_tick(idem_session *session, uint64_t now_ms) {
    idem__op *op;
    while (is_here(session) &&
           (op = idem__calls_take_due(&session->wire.calls, now_ms)) != NULL)
        fail_async_op((idem__async_op *)op, IDEM_E_TIMEOUT);
}
