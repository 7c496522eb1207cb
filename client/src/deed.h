/* SPDX-License-Identifier: Apache-2.0 */
/* deed.h -- a call whose end is told to a callback: what idem_session and
 * idem_conn have in common. */
#ifndef IDEM_DEED_H
#define IDEM_DEED_H

#include "client/include/idemclient_loop.h"
#include "client/src/error.h"
#include "client/src/wire.h"

typedef struct idem__deed {
    idem__op op;  /* first: the wire knows only this */
    bool trimmed; /* its result was over the server's limit */
    uint8_t nonce_len;
    uint8_t nonce[IDEM_NONCE_BYTES_MAX]; /* acquire: to be told at its end */
    idem_done_fn done;
    void *ctx;
} idem__deed;

/* What the call will be told that it was asked with. */
void idem__deed_nonce(idem__deed *deed, idp_slice nonce);

/* Tells the callback what the reply says. name: of the server, for messages.
 * The deed is its owner's again before the callback runs no more. */
void idem__deed_answer(const idem__deed *deed, const char *name,
                       const idp_reply *reply);
void idem__deed_greeted(const idem__deed *deed);
void idem__deed_fail(const idem__deed *deed, const idem_error *err);

#endif
