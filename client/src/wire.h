/* SPDX-License-Identifier: Apache-2.0 */
/* wire.h -- one connection's protocol: requests to bytes, bytes to replies,
 * each reply to its call. No socket, no clock, no thread, no retry. */
#ifndef IDEM_WIRE_H
#define IDEM_WIRE_H

#include "client/src/buffer.h"
#include "client/src/calls.h"
#include "client/src/uri.h"
#include "proto/reply.h"
#include "proto/request.h"

typedef struct idem__wire {
    idem__calls calls;
    idem__buffer out;
    idem__buffer in;
    uint64_t queued_bytes; /* ever */
    uint64_t sent_bytes;   /* ever */
    size_t reply_bytes_max;
    size_t in_need_bytes; /* of the frame at the head of in; 0: unknown */
    /* What the server said of the connection itself and of no call, as it does
     * before it closes; 0: nothing. */
    idp_error said;
    char said_text[IDP_ERROR_TEXT_BYTES_MAX + 1];
} idem__wire;

void idem__wire_init(idem__wire *wire);
void idem__wire_fini(idem__wire *wire);

/* For a new connection: everything but the last msgid is forgotten. No call
 * may be under way. */
void idem__wire_reset(idem__wire *wire);

/* Encodes the request behind what is queued and enters its call, whose
 * deadline_ms is set. IDEM_E_MEMORY: neither happened. */
int32_t idem__wire_queue(idem__wire *wire, idem__op *op,
                         const idp_request *request);

/* Whether any byte of this call's may have left. */
bool idem__wire_was_sent(const idem__wire *wire, const idem__op *op);

/* Room for the next read; NULL: no memory. It grows with what has arrived, not
 * with what was announced: a frame of any size costs twice its bytes so far. */
uint8_t *idem__wire_room(idem__wire *wire, size_t *room);

typedef enum idem__next {
    IDEM__NEXT_NONE,  /* no whole reply is there */
    IDEM__NEXT_REPLY, /* op is taken out of the table; reply borrows from
                       * `in` until the next idem__wire_room */
    IDEM__NEXT_BROKEN /* not our protocol */
} idem__next;

/* A reply that nobody waits for any more is dropped. */
idem__next idem__wire_next(idem__wire *wire, idem__op **op, idp_reply *reply);

/* What hello says of us. */
typedef struct idem__hello_args {
    idp_slice secret; /* ptr NULL: none */
    idp_slice client; /* ptr NULL: not told */
    int32_t shard;    /* -1: stay where we are */
} idem__hello_args;

idem__hello_args idem__hello_args_of(const idem__uri *uri, int32_t shard);

int32_t idem__wire_hello(idem__wire *wire, idem__op *op,
                         const idem__hello_args *args);

/* What the handshake's answer changes for the bytes to come. */
void idem__wire_set_hello(idem__wire *wire, const idp_hello *hello);

/* A result that the server would not keep is not sent at all. Returns whether
 * it was taken out. */
bool idem__wire_trim(const idp_hello *hello, idp_request *request);

void idem__info_fill(const idp_hello *hello, const char *endpoint,
                     idem_info *info);

#endif
