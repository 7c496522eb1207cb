/* SPDX-License-Identifier: Apache-2.0 */
/* async_op.h -- a call whose end is told to a callback: what idem_session and
 * idem_conn have in common. */
#ifndef IDEM_ASYNC_OP_H
#define IDEM_ASYNC_OP_H

#include "client/include/idemclient_loop.h"
#include "client/src/error.h"
#include "client/src/wire.h"

typedef struct idem__async_op {
    idem__op op;  /* first: the wire knows only this */
    bool trimmed; /* its result was over the server's limit */
    uint8_t nonce_len;
    uint8_t nonce[IDEM_NONCE_BYTES_MAX]; /* acquire: to be told at its end */
    idem_done_fn done;
    void *ctx;
} idem__async_op;

/* What the call will be told that it was asked with. */
void idem__async_op_nonce(idem__async_op *call, idp_slice nonce);

/* Tells the callback what the reply says. name: of the server, for messages.
 * The async call is its owner's again before the callback runs no more. */
void idem__async_op_answer(const idem__async_op *call, const char *name,
                           const idp_reply *reply);
void idem__async_op_pong(const idem__async_op *call);
void idem__async_op_fail(const idem__async_op *call, const idem_error *err);

#endif
