/* SPDX-License-Identifier: Apache-2.0 */
/* wire.c -- see wire.h. */
#include "client/src/wire.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "client/src/error.h"
#include "client/src/sized.h"

#define RESULT_BYTES_MAX_FIRST    (1u << 20) /* until hello says otherwise */
#define RESULT_BYTES_MAX_BELIEVED (1ull << 30)
#define READ_BYTES                8192u

void idem__wire_init(idem__wire *wire) {
    memset(wire, 0, sizeof *wire);
    idem__calls_init(&wire->calls);
    wire->reply_bytes_max = idp_reply_bytes_max(RESULT_BYTES_MAX_FIRST);
}

void idem__wire_fini(idem__wire *wire) {
    idem__calls_fini(&wire->calls);
    idem__buffer_fini(&wire->out);
    idem__buffer_fini(&wire->in);
}

void idem__wire_reset(idem__wire *wire) {
    assert(wire->calls.count == 0);
    idem__buffer_reset(&wire->out);
    idem__buffer_reset(&wire->in);
    wire->queued_bytes = 0;
    wire->sent_bytes = 0;
    wire->in_need_bytes = 0;
    wire->said = 0;
}

int32_t idem__wire_queue(idem__wire *wire, idem__op *op,
                         const idp_request *request) {
    idp_request numbered = *request;
    size_t bound = idp_request_write_bound(request);
    uint8_t *to = idem__buffer_reserve(&wire->out, bound);
    if (to == NULL)
        return IDEM_E_MEMORY;
    numbered.msgid = idem__calls_draw(&wire->calls);
    size_t wrote = idp_request_write(to, bound, &numbered);
    assert(wrote > 0);
    op->msgid = numbered.msgid;
    op->method = request->method;
    op->begin_at = wire->queued_bytes;
    wire->out.end += wrote;
    wire->queued_bytes += wrote;
    idem__calls_enter(&wire->calls, op);
    return 0;
}

bool idem__wire_was_sent(const idem__wire *wire, const idem__op *op) {
    return wire->sent_bytes > op->begin_at;
}

uint8_t *idem__wire_room(idem__wire *wire, size_t *room) {
    size_t have = idem__buffer_len(&wire->in);
    size_t want = READ_BYTES;
    if (have == 0)
        idem__buffer_reset(&wire->in);
    if (wire->in_need_bytes > have + want && have > want)
        want = have;
    uint8_t *to = idem__buffer_reserve(&wire->in, want);
    *room = to != NULL ? wire->in.cap - wire->in.end : 0;
    return to;
}

/* A reply that no call has: one that came too late, or what the server has to
 * say of the connection, which bears the number that no call gets. */
static void note_said(idem__wire *wire, const idp_reply *reply) {
    if (!reply->is_error || reply->msgid != 0)
        return;
    idem__text_copy(wire->said_text, sizeof wire->said_text, reply->text, ' ',
                    '~');
    wire->said = reply->error;
}

idem__next idem__wire_next(idem__wire *wire, idem__op **op, idp_reply *reply) {
    idem__buffer *in = &wire->in;
    while (idem__buffer_len(in) > 0 &&
           idem__buffer_len(in) >= wire->in_need_bytes) {
        size_t frame_bytes = 0;
        switch (idp_reply_open(in->bytes + in->at, idem__buffer_len(in),
                               wire->reply_bytes_max, reply, &frame_bytes)) {
        case IDP_REPLY_BROKEN:
            return IDEM__NEXT_BROKEN;
        case IDP_REPLY_PARTIAL:
            wire->in_need_bytes = frame_bytes;
            return IDEM__NEXT_NONE;
        case IDP_REPLY_WHOLE:
            break;
        }
        wire->in_need_bytes = 0;
        in->at += frame_bytes;
        *op = idem__calls_find(&wire->calls, reply->msgid);
        if (*op != NULL) {
            idem__calls_remove(&wire->calls, *op);
            return IDEM__NEXT_REPLY;
        }
        note_said(wire, reply);
    }
    return IDEM__NEXT_NONE;
}

idem__hello_args idem__hello_args_of(const idem__uri *uri, int32_t shard) {
    idem__hello_args args = {.shard = shard};
    if (uri->has_secret)
        args.secret = (idp_slice){uri->secret, uri->secret_len};
    if (uri->client_len > 0)
        args.client =
            (idp_slice){(const uint8_t *)uri->client, uri->client_len};
    return args;
}

/* A msgid whose bytes end a line, cd 0d 0a: programs that read lines (Redis,
 * memcached, a mail server) answer this at once with a complaint, by which they
 * are known, where they would wait for the rest of a line without end. It is
 * the connection's first: another hello goes on counting, for replies may yet
 * come to calls that have timed out. */
#define MSGID_OF_HELLO 0x0d0au

int32_t idem__wire_hello(idem__wire *wire, idem__op *op,
                         const idem__hello_args *args) {
    idp_request request = {.method = IDP_HELLO,
                           .secret = args->secret,
                           .client = args->client,
                           .has_shard = args->shard >= 0};
    if (request.has_shard)
        request.shard = (uint32_t)args->shard;
    if (wire->queued_bytes == 0)
        wire->calls.last_msgid = MSGID_OF_HELLO - 1;
    return idem__wire_queue(wire, op, &request);
}

void idem__wire_set_hello(idem__wire *wire, const idp_hello *hello) {
    uint64_t result_bytes_max = hello->result_bytes_max;
    if (result_bytes_max == 0)
        result_bytes_max = RESULT_BYTES_MAX_FIRST;
    if (result_bytes_max > RESULT_BYTES_MAX_BELIEVED)
        result_bytes_max = RESULT_BYTES_MAX_BELIEVED;
    wire->reply_bytes_max = idp_reply_bytes_max((size_t)result_bytes_max);
}

bool idem__wire_trim(const idp_hello *hello, idp_request *request) {
    if (request->method != IDP_COMPLETE || request->result.ptr == NULL ||
        hello->result_bytes_max == 0 ||
        request->result.len <= hello->result_bytes_max)
        return false; /* 0: the server did not tell */
    request->result = (idp_slice){0};
    return true;
}

/* A name, which has no blank in it. */
static void copy_name(char *to, size_t size, const char *from) {
    idp_slice name = {(const uint8_t *)from, strlen(from)};
    idem__text_copy(to, size, name, '!', UINT8_MAX);
}

void idem__info_fill(const idp_hello *hello, const char *endpoint,
                     idem_info *info) {
    idem_info made = {.protocol = hello->protocol,
                      .shards = hello->shards,
                      .shard = hello->shard,
                      .epoch = hello->epoch,
                      .result_bytes_max = hello->result_bytes_max,
                      .pending_max = hello->pending_max};
    copy_name(made.server, sizeof made.server, hello->server);
    copy_name(made.version, sizeof made.version, hello->version);
    copy_name(made.role, sizeof made.role, hello->role);
    copy_name(made.user, sizeof made.user, hello->user);
    snprintf(made.endpoint, sizeof made.endpoint, "%s", endpoint);
    idem__sized_out(&idem__info_layout, info, &made);
}
