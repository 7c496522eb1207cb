/* SPDX-License-Identifier: Apache-2.0 */
/* seal.h -- a connection's TLS, between its wire and its descriptor; or none,
 * and then the wire's bytes are those of the descriptor.
 *
 * It is not for two threads: who shares a connection locks it. What comes is
 * received into idem__seal_room and told to idem__seal_came; what goes is
 * filled by idem__seal_fill and sent from idem__seal_out. */
#ifndef IDEM_SEAL_H
#define IDEM_SEAL_H

#include "client/src/wire.h"
#include "proto/tls/tls.h"

typedef struct idem__seal { /* zeroed is plain */
    idp_tls *tls;           /* NULL: none */
    idem__buffer in;        /* came, and is not opened yet */
    idem__buffer out;       /* sealed, and is not sent yet */
} idem__seal;

typedef enum idem__opened {
    IDEM__OPENED,
    IDEM__OPENED_ENDED, /* the server says no more */
    IDEM__OPENED_FAILED /* idem__seal_fail, idem__seal_why */
} idem__opened;

/* ------------------------------------------------- contexts, of the URI */

/* Files as the URI names them; NULL: not given. */
typedef struct idem__seal_files {
    const char *ca, *cert, *key;
} idem__seal_files;

/* Fills uri->tls. IDEM_E_TLS names the file and the reason; without TLS in the
 * library it says so. */
int32_t idem__seal_prepare(idem__uri *uri, const idem__seal_files *files,
                           idem_error *err);
void idem__seal_forget(idem__uri *uri);

/* ------------------------------------------------------------ a connection */

/* For a new connection to that server; plain where the URI is. False: no
 * memory. */
bool idem__seal_begin(idem__seal *seal, const idem__uri *uri,
                      const idem__endpoint *endpoint);
/* Says nothing more. It may begin again. */
void idem__seal_end(idem__seal *seal);
/* Says its last word where one is left, ends it and the connection. */
void idem__seal_hang_up(idem__seal *seal, int fd);

uint8_t *idem__tls_room(idem__seal *seal, size_t *room);
idem__opened idem__tls_came(idem__seal *seal, idem__wire *wire, size_t len);
bool idem__tls_fill(idem__seal *seal, idem__wire *wire);
bool idem__tls_has_output(const idem__seal *seal, const idem__wire *wire);
bool idem__tls_eof(idem__seal *seal);

static inline bool idem__seal_is_on(const idem__seal *seal) {
    return seal->tls != NULL;
}

/* Room for the next read; NULL: no memory. */
static inline uint8_t *idem__seal_room(idem__seal *seal, idem__wire *wire,
                                       size_t *room) {
    return idem__seal_is_on(seal) ? idem__tls_room(seal, room)
                                  : idem__wire_room(wire, room);
}

/* So many bytes have come there: what they say is in wire->in. */
static inline idem__opened idem__seal_came(idem__seal *seal, idem__wire *wire,
                                           size_t len) {
    if (idem__seal_is_on(seal))
        return idem__tls_came(seal, wire, len);
    wire->in.end += len;
    return IDEM__OPENED;
}

/* The descriptor has ended; false: that is a failure of TLS. */
static inline bool idem__seal_eof(idem__seal *seal) {
    return !idem__seal_is_on(seal) || idem__tls_eof(seal);
}

/* Puts into idem__seal_out what is to be sent; false: no memory. */
static inline bool idem__seal_fill(idem__seal *seal, idem__wire *wire) {
    return !idem__seal_is_on(seal) || idem__tls_fill(seal, wire);
}

static inline idem__buffer *idem__seal_out(idem__seal *seal, idem__wire *wire) {
    return idem__seal_is_on(seal) ? &seal->out : &wire->out;
}

/* So many of its bytes were sent. */
static inline void idem__seal_sent(idem__seal *seal, idem__wire *wire,
                                   size_t len) {
    idem__seal_out(seal, wire)->at += len;
    if (!idem__seal_is_on(seal))
        wire->sent_bytes += len;
}

static inline bool idem__seal_has_output(const idem__seal *seal,
                                         const idem__wire *wire) {
    return idem__seal_is_on(seal) ? idem__tls_has_output(seal, wire)
                                  : idem__buffer_len(&wire->out) > 0;
}

/* What has failed, for a connection that is not up yet: IDEM_E_TLS, or
 * IDEM_E_CONNECT where the server only went away. */
int32_t idem__seal_fail(const idem__seal *seal, const char *name,
                        idem_error *err);
/* The same in words, for one that was up. Valid until idem__seal_end. */
const char *idem__seal_why(const idem__seal *seal);

#endif
