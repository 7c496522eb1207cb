/* SPDX-License-Identifier: Apache-2.0 */
/* wire.h -- a connection to a server: a descriptor, and TLS over it or none.
 *
 * One thread at a time. What blocks is for whoever sets up or asks something
 * rare; the load takes and seals, and sends what was sealed itself. */
#ifndef IDB_WIRE_H
#define IDB_WIRE_H

#include "proto/bytes.h"
#include "proto/tls/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

/* Files and choices of --tls-..., of servers that run already. NULL: none. */
typedef struct idb_tls_files {
    const char *ca;
    const char *cert;
    const char *key;
} idb_tls_files;

/* How a server is spoken to over TLS. */
typedef struct idb_tls {
    idp_tls_context *context;
    idp_tls_verify verify;
    const char *name; /* the certificate's; NULL: the address that is dialled */
    char ca[1100]; /* its file, for whoever reads it again; "": the system's */
} idb_tls;

typedef struct idb_endpoint {
    char host[64]; /* a numeric address */
    uint16_t port;
    pid_t pid; /* 0: somebody else's, its CPU and memory are not read */
    const idb_tls *tls; /* NULL: plain. Outlives each wire */
} idb_endpoint;

typedef struct idb_wire {
    int fd;           /* -1: closed */
    idp_tls *tls;     /* NULL: plain */
    idp_bytes opened; /* what came with what was asked for, from opened_at on */
    size_t opened_at;
} idb_wire;

/* False: this idembench was built without TLS. */
bool idb_tls_is_built(void);

/* Reads the files; system: without a ca, the system's authorities. 0 or a
 * sentence that says what is wrong, in why. End it with idb_tls_fini. */
const char *idb_tls_init(idb_tls *tls, const idb_tls_files *files, bool system,
                         idp_tls_why *why);
void idb_tls_fini(idb_tls *tls);

/* A blocking TCP connection with TCP_NODELAY; -1 with errno. */
int idb_connect(const idb_endpoint *server);

/* So long does a server have for the handshake, or for a hello. */
#define IDB_HANDSHAKE_SECONDS 20

/* Connects, and shakes hands where the endpoint has TLS. 0, or what failed: a
 * text that is good until the wire is closed, which it is to be in either
 * case. Blocks for IDB_HANDSHAKE_SECONDS at most, once it is connected. */
const char *idb_wire_open(idb_wire *wire, const idb_endpoint *at);
void idb_wire_close(idb_wire *wire);

/* How long a receive waits; 0: for ever. */
void idb_wire_patience(const idb_wire *wire, uint32_t seconds);

/* Sends all of it, and what TLS has to say of its own. */
bool idb_wire_send(idb_wire *wire, const void *bytes, size_t len);

/* As recv: bytes, 0 at the end, or -1 with errno, which is EAGAIN when its
 * patience is over and EPROTO when TLS failed (idb_wire_why). */
ssize_t idb_wire_recv(idb_wire *wire, void *to, size_t cap);

/* What TLS said that failed; `otherwise` when it did not. */
const char *idb_wire_why(const idb_wire *wire, const char *otherwise);

/* What a server that wants TLS says to who speaks plain, first of all. */
#define IDB_TLS_ALERT 0x15
#define IDB_WANTS_TLS "what listens there wants TLS: /tls at the target"

/* wire_tls.c: what the calls here come to with TLS. */
const char *idb_tls_shake(idb_wire *wire, const idb_endpoint *at);
ssize_t idb_tls_take(idb_wire *wire, uint8_t *to, size_t room, int flags);
size_t idb_tls_seal(idb_wire *wire, idp_slice *plain, uint8_t *to, size_t room);
bool idb_tls_owes(const idb_wire *wire);
const char *idb_tls_why_of(const idb_wire *wire);
void idb_tls_end(idb_wire *wire);

/* A take wants room for one record more than it is to give. */
#define IDB_TAKE_BYTES_MIN 32768u

/* As a recv that does not wait, of at least IDB_TAKE_BYTES_MIN; with TLS it may
 * write anywhere in that room. */
static inline ssize_t idb_wire_take(idb_wire *wire, uint8_t *to, size_t room) {
    return wire->tls ? idb_tls_take(wire, to, room, MSG_DONTWAIT)
                     : recv(wire->fd, to, room, MSG_DONTWAIT);
}

/* Has TLS something to say of its own (new keys)? */
static inline bool idb_wire_owes(const idb_wire *wire) {
    return wire->tls && idb_tls_owes(wire);
}

/* Room that sealing so many bytes at once takes at most: what TLS has to say
 * of its own comes with them. */
static inline size_t idb_sealed_max(size_t len) {
    return idp_tls_bound(len) + 65536;
}

#endif
