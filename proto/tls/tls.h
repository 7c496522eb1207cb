/* SPDX-License-Identifier: Apache-2.0 */
/* tls.h -- TLS as bytes in and bytes out, for server, client and peer link.
 *
 * No socket and no thread: the owner moves bytes. The system's clock is read
 * where certificates' dates are compared, random numbers are OpenSSL's, files
 * are read by idp_tls_context_new alone. OpenSSL is seen by this folder only.
 *
 * A context is what files and flags say: one per start or reload, counted, so
 * that a reload makes a new one, hands it to new connections and drops its own
 * reference; the old one goes with its last connection. Any number of threads
 * may share it. An engine is one connection's; one thread at a time may be in
 * it, reading and writing included.
 *
 *   idp_tls *tls = idp_tls_accept(context, true);         // or _connect
 *   ... bytes have come from the socket:
 *   do {
 *       got = idp_tls_read(tls, &came, room, room_len);   // plain, for the
 *   } while (got == room_len);                            // protocol
 *   ... and whenever idp_tls_wants_write, or there is something to say:
 *   len = idp_tls_write(tls, &plain, out, out_len);       // send these
 *   ... the socket was closed: idp_tls_eof(tls)
 *   ... idp_tls_state_of is FAILED: send what idp_tls_write still gives (an
 *       alert), say idp_tls_why_of, close.
 *
 * The handshake happens within read and write; its bytes are output like any
 * other. What is bounded: a record (16 KiB), a handshake (64 KiB in all), the
 * records that carry nothing for us in a row (64: alerts, key updates, empty
 * ones), and output that nobody takes (64 KiB). */
#ifndef IDP_TLS_H
#define IDP_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/terms.h"

/* A hello begins with it, nothing of ours does: the first byte of a connection
 * decides. OpenSSL is never to see another one. */
static inline bool idp_tls_is_hello(uint8_t first) {
    return first == 0x16;
}

/* ---------------------------------------------------------------- contexts */

typedef enum idp_tls_version { /* 0: the default, 1.3 */
                               IDP_TLS_1_2 = 2,
                               IDP_TLS_1_3 = 3
} idp_tls_version;

/* Strings borrow until the call returns. A path of NULL: not given. */
typedef struct idp_tls_settings {
    const char *cert_file; /* PEM, the leaf first; needs a key */
    const char *key_file;  /* NULL: it is in cert_file */
    const char *ca_file;   /* PEM: who may sign the other side's certificate */
    bool system_ca;        /* without ca_file: the authorities of the system */
    bool any_purpose;      /* a certificate made for servers may be a client's,
                            * as between peers */
    idp_tls_version min_version;
} idp_tls_settings;

#define IDP_TLS_WHY_BYTES 512

/* One sentence, which names the file or the host; printable ASCII. */
typedef struct idp_tls_why {
    char text[IDP_TLS_WHY_BYTES];
} idp_tls_why;

typedef struct idp_tls_context idp_tls_context;

/* Reads and checks the files: off the loop's threads. NULL with why filled: a
 * file is missing, unreadable, no PEM, cut off (it is being written), the key
 * is another certificate's, or may be read by others (no mode bits for others,
 * no write bit for the group; group-readable is good), the certificate is over
 * or not yet valid, there is no memory. One reference is the caller's. */
idp_tls_context *idp_tls_context_new(const idp_tls_settings *settings,
                                     idp_tls_why *why);
idp_tls_context *idp_tls_context_hold(idp_tls_context *context);
/* The last one frees it. NULL is allowed. */
void idp_tls_context_drop(idp_tls_context *context);

bool idp_tls_context_has_cert(const idp_tls_context *context);
/* Unix seconds of its own certificate's end, for a metric; 0: it has none. */
int64_t idp_tls_context_end_s(const idp_tls_context *context);

/* ----------------------------------------------------------------- engines */

typedef struct idp_tls idp_tls;

typedef enum idp_tls_state {
    IDP_TLS_HANDSHAKE,
    IDP_TLS_UP,
    IDP_TLS_ENDED, /* the other side says no more; we may (half-close) */
    IDP_TLS_FAILED /* idp_tls_why says why; an alert may be left to be sent */
} idp_tls_state;

/* What a failure is, for counters and for what a client does next. */
typedef enum idp_tls_fault {
    IDP_TLS_NO_FAULT,
    IDP_TLS_NOT_TLS,        /* the other side speaks plain */
    IDP_TLS_EXPIRED,        /* its certificate is over */
    IDP_TLS_NOT_YET_VALID,  /* or begins later */
    IDP_TLS_WRONG_NAME,     /* or is another host's */
    IDP_TLS_UNKNOWN_ISSUER, /* or signed by nobody whom we know */
    IDP_TLS_BAD_CERT,       /* or not good for another reason */
    IDP_TLS_REFUSED,        /* it sent an alert */
    IDP_TLS_CUT_OFF,        /* it closed within the handshake */
    IDP_TLS_FLOOD,          /* it went over one of the bounds above */
    IDP_TLS_PROTOCOL,       /* no common version or cipher, broken records */
    IDP_TLS_NO_MEMORY
} idp_tls_fault;

/* A server's side. asks: for a client's certificate, which needs ca_file; it
 * is never demanded in the handshake, idp_tls_peer tells what came. NULL: no
 * memory. Holds the context. */
idp_tls *idp_tls_accept(idp_tls_context *context, bool asks);

typedef enum idp_tls_verify {
    IDP_TLS_VERIFY_FULL, /* authority, dates and name */
    IDP_TLS_VERIFY_CA,   /* all but the name */
    IDP_TLS_VERIFY_NONE
} idp_tls_verify;

/* A client's side. host: a name, or an IPv4 or IPv6 address without brackets;
 * the certificate is to be its, it is told to the server if it is a name, and
 * sentences name it. Its hello is output at once. NULL: no memory, or what no
 * host is called. */
idp_tls *idp_tls_connect(idp_tls_context *context, const char *host,
                         idp_tls_verify verify);

/* Sends nothing; forgets what is queued. NULL is allowed. */
void idp_tls_free(idp_tls *tls);

/* Takes what has come and gives what it says: plain bytes, at most room, and
 * moves *came on. Returns room when there may be more: call again, with what
 * is left of *came. Less: all of *came is taken, or no more is wanted (ENDED,
 * FAILED). In the handshake and for a part of a record it returns 0. */
size_t idp_tls_read(idp_tls *tls, idp_slice *came, uint8_t *to, size_t room);

/* Room for what `len` plain bytes become; the output that waits comes on top
 * (idp_tls_waiting). */
static inline size_t idp_tls_bound(size_t len) {
    return len + (len / 16384 + 1) * 64;
}

/* What is to be sent now, at most room bytes: the output that waits, then as
 * much of *plain as fits, sealed; moves *plain on. Before the handshake is done
 * it takes none of it. plain may be NULL. Never waits, never keeps plain. */
size_t idp_tls_write(idp_tls *tls, idp_slice *plain, uint8_t *to, size_t room);
/* Bytes of output that wait: handshake, tickets, key updates, alerts. */
size_t idp_tls_waiting(const idp_tls *tls);
/* Bytes that it keeps beside what every connection costs: those, and room for a
 * record of which a part has come. */
size_t idp_tls_held(const idp_tls *tls);
static inline bool idp_tls_wants_write(const idp_tls *tls) {
    return idp_tls_waiting(tls) > 0;
}

/* We say no more: close_notify is output that waits. Reading goes on. */
void idp_tls_close(idp_tls *tls);
/* The socket has ended. Within the handshake that is a failure; later the
 * state is ENDED, and idp_tls_was_cut tells whether it ended without a word. */
void idp_tls_eof(idp_tls *tls);
bool idp_tls_was_cut(const idp_tls *tls);

idp_tls_state idp_tls_state_of(const idp_tls *tls);
idp_tls_fault idp_tls_fault_of(const idp_tls *tls);
/* "" while nothing has failed. Valid as long as the engine. */
const char *idp_tls_why_of(const idp_tls *tls);
/* Whole records that have come: who does not move in a handshake is known by
 * it. */
uint64_t idp_tls_records(const idp_tls *tls);

/* ------------------------------------------------------------ who it is with
 */

typedef struct idp_tls_peer_facts {
    bool shown;    /* it has shown a certificate */
    bool verified; /* and that is good by the context's ca; with verify none
                    * it may be shown and not verified */
} idp_tls_peer_facts;

/* Once it is UP. */
idp_tls_peer_facts idp_tls_peer(const idp_tls *tls);
/* Why a certificate that was shown is not verified, for `DENIED`; false: it is
 * verified, or none was shown. */
bool idp_tls_peer_why(const idp_tls *tls, idp_tls_why *why);
/* The same of another context's ca, for a link that turns out to be a peer's
 * behind the port of the clients. Verifies anew: some 100 us. */
bool idp_tls_peer_is_of(const idp_tls *tls, const idp_tls_context *context,
                        idp_tls_why *why);

typedef enum idp_tls_name {
    IDP_TLS_NAME_DNS, /* subjectAltName */
    IDP_TLS_NAME_URI,
    IDP_TLS_NAME_CN /* the subject's */
} idp_tls_name;

/* Whether the certificate shown has exactly this name, byte for byte, verified
 * or not: no wildcards, no case folding. */
bool idp_tls_peer_has(const idp_tls *tls, idp_tls_name kind, idp_slice name);

/* "TLSv1.3". Static storage; "" before it is UP. */
const char *idp_tls_version_of(const idp_tls *tls);
/* The handshake was short, by a ticket. */
bool idp_tls_resumed(const idp_tls *tls);

/* Asks for new keys in both directions; for tests, and after very much data.
 * TLS 1.3, UP. */
bool idp_tls_update_keys(idp_tls *tls);

#endif
