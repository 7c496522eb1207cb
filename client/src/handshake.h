/* SPDX-License-Identifier: Apache-2.0 */
/* handshake.h -- a blocking connect with its handshake. */
#ifndef IDEM_HANDSHAKE_H
#define IDEM_HANDSHAKE_H

#include "client/src/lookup.h"
#include "client/src/seal.h"
#include "client/src/wire.h"

typedef struct idem__handshake {
    const idem__uri *uri;
    const idem__endpoint *endpoint;
    int32_t shard; /* -1: any */
    uint64_t deadline_ms;
    idem__seal *seal;     /* of the connection that is made */
    idem__lookup *lookup; /* of the endpoint's name */
    idem__addr *good;     /* the address that answered last, tried first, and
                           * the one that does now; len 0: none */
} idem__handshake;

/* Connects and says hello; the wire is fresh and nobody else's meanwhile, and
 * what hello tells goes to *hello. Returns the descriptor, or -1 with err
 * filled: IDEM_E_CONNECT, IDEM_E_TLS, IDEM_E_MEMORY, or the server's own
 * refusal (DENIED ...). */
int idem__handshake_server(const idem__handshake *handshake, idem__wire *wire,
                           idp_hello *hello, idem_error *err);

/* Hello's answer, read: 0, or the code that err was filled with. name: of the
 * server. */
int32_t idem__handshake_read(const char *name, const idp_reply *reply,
                             idp_hello *hello, idem_error *err);
/* It was connected, and no hello came; why: errno, 0: it was closed. */
int32_t idem__handshake_silent(const char *name, int why, idem_error *err);
/* What answers is no idemstored. kind: of idem__stranger_kind. */
int32_t idem__handshake_stranger(const char *name, const char *kind,
                                 idem_error *err);

typedef enum idem__heard {
    IDEM__HEARD_REPLY,
    IDEM__HEARD_FAILED, /* errno says why; 0: the server closed */
    IDEM__HEARD_NO_TLS, /* idem__seal_fail says why */
    IDEM__HEARD_STRANGER
} idem__heard;

/* On such a connection: sends what is queued and waits for one answer. The
 * reply borrows from the wire. */
idem__heard idem__handshake_exchange(int fd, idem__wire *wire, idem__seal *seal,
                                     uint64_t deadline_ms, idp_reply *reply);

/* Draws random bytes; false when the system has none to give. */
bool idem__random(void *to, size_t len);

#endif
