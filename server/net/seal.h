/* SPDX-License-Identifier: Apache-2.0 */
/* seal.h -- a connection's TLS, between its socket and its line: what comes is
 * opened into the line's input, what leaves is sealed behind its output. It
 * goes with the connection from loop to loop; who is no client any more (a
 * peer's link) gets it with the descriptor.
 *
 * What is sealed can't be taken back: it is sealed as it is sent, a send's
 * worth at a time, and only what the socket did not take of that is kept. */
#ifndef IDS_SEAL_H
#define IDS_SEAL_H

#include "server/net/cert.h"
#include "server/net/net.h"
#include "server/net/tls.h"

/* What one read and one send have room for, each. */
#define IDS_SEAL_BYTES (64u << 10)

typedef struct ids_seal {
    struct idp_tls *tls;
    idp_bytes out; /* sealed, and not sent from out_at on */
    size_t out_at;
    size_t held; /* by the engine, as its worker's buffers count it */
    bool is_up;  /* hands were shaken */
    char *why; /* its certificate is not good; NULL: it is, or there is none */
    ids_cert_of cert; /* over HTTP */
} ids_seal;

typedef enum ids_opened {
    IDS_OPENED,
    IDS_OPENED_SHAKEN, /* hands are shaken with this */
    IDS_OPENED_ENDED,  /* the client says no more; it is told the rest */
    IDS_OPENED_FAILED  /* it was logged and counted; what is sealed may leave
                        * yet, nothing else */
} ids_opened;

/* Room for what comes, of the loop's. NULL: no memory. */
uint8_t *ids_seal_room(ids_net *net);

/* A new connection is about to shake hands. False: no memory. */
bool ids_seal_begin(ids_net *net, ids_conn *conn);

/* So many bytes have come into the loop's room: what they say is read
 * (ids_reader_received). cut: the socket has ended. */
ids_opened ids_seal_came(ids_net *net, ids_conn *conn, size_t len);
ids_opened ids_seal_cut(ids_net *net, ids_conn *conn);

/* What is to be sent next, of the connection's output or of our own; then, so
 * many bytes of it were. */
idp_slice ids_seal_output(ids_net *net, ids_conn *conn);
void ids_seal_sent(ids_net *net, ids_conn *conn, idp_slice out, size_t sent);

/* Whether the client certificate that it has shown is good by the context of
 * now: what --tls-ca says at the last reload, and the clock. */
bool ids_seal_cert_holds(ids_tls *tls, const ids_conn *conn);

/* We say no more, as an orderly end; true: that is to be sent yet. */
bool ids_seal_close(ids_seal *seal);

/* Whole records that have come. */
uint64_t ids_seal_records(const ids_seal *seal);

/* Something of it waits to be sent. */
bool ids_seal_waits(const ids_seal *seal);

/* The connection leaves its loop: what was sealed and not sent is forgotten. */
void ids_seal_forget(ids_net *net, ids_conn *conn);
/* NULL is fine. */
void ids_seal_free(ids_seal *seal);

#endif
