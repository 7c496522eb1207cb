/* SPDX-License-Identifier: Apache-2.0 */
/* link.h -- one connection between two peers: bytes, frames, and who is there.
 *
 * Pure. Both ends show that they know the secret before anything that is said
 * counts; without a secret (--peer-insecure) the proofs are empty and
 * unchecked.
 *
 *     dialler                                 listener
 *     HELLO   versions, fields            ->
 *             <-   WELCOME  the version, fields, session, ring, proof
 *     PROOF   proof                       ->
 *
 * A proof is a keyed hash over all that the two have said, what a version
 * does not know of it included. Frames behind the handshake are checked
 * against accidents, not against someone within the connection. Who finds that
 * the two can't work together says REFUSE and why, at any time. */
#ifndef IDS_PEER_LINK_H
#define IDS_PEER_LINK_H

#include "server/peer/decision.h"
#include "server/peer/endpoint.h"
#include "server/peer/frame.h"
#include "server/peer/refusal.h"

#define IDS_LINK_NONCE_BYTES      16
#define IDS_LINK_PROOF_BYTES      32
#define IDS_LINK_KEY_BYTES        32
#define IDS_LINK_TRANSCRIPT_BYTES 32
#define IDS_PROGRAM_BYTES         32 /* with the 0 at its end */

typedef struct ids_link_key {
    uint8_t bytes[IDS_LINK_KEY_BYTES];
    bool set;
    /* The one that will take its place: its proofs are good as well, and a
     * listener who shows one gets one. */
    uint8_t next[IDS_LINK_KEY_BYTES];
    bool has_next;
} ids_link_key;

/* What an end says of itself. */
typedef struct ids_link_self {
    ids_member member;
    uint64_t epoch;
    bool primary;
    ids_endpoint at;   /* where its clients reach it; may lack the host */
    ids_endpoint http; /* the same of HTTP; empty: it speaks none */
    ids_node_name name;
    uint64_t life;     /* of its process */
    uint64_t led;      /* the highest epoch that it has led in; 0: none */
    ids_origin origin; /* of its records */
    bool guards; /* it holds what was acknowledged, for as much as it knows */
    uint64_t result_bytes_max;
    uint64_t settings;               /* a digest */
    char program[IDS_PROGRAM_BYTES]; /* its version */
    uint8_t nonce[IDS_LINK_NONCE_BYTES];
} ids_link_self;

/* What a listener adds, about the stream that the link is for. */
typedef struct ids_link_offer {
    uint64_t session;
    uint64_t streams;
    uint64_t first, last; /* of the ring */
    uint64_t member;      /* 1: the dialler is in the in-sync set */
    uint64_t from; /* and may lack this change and later ones, by what it has
                    * acknowledged; 0: that is not known */
} ids_link_offer;

typedef enum ids_link_state {
    IDS_LINK_DIALLED,  /* HELLO is out */
    IDS_LINK_ACCEPTED, /* HELLO is awaited */
    IDS_LINK_OFFERED,  /* WELCOME is out */
    IDS_LINK_OPEN,
    IDS_LINK_CLOSED
} ids_link_state;

/* How its bytes travel, as its driver has found. */
typedef enum ids_link_way {
    IDS_LINK_PLAIN,
    IDS_LINK_TLS,
    IDS_LINK_NO_TLS, /* it was dialled with TLS, and that is not spoken there */
    IDS_LINK_BAD_CERT /* TLS, and the other end's certificate is not good */
} ids_link_way;

typedef struct ids_link {
    ids_link_state state;
    bool dialled;
    ids_link_way way;
    uint32_t stream;
    uint64_t session; /* 0 until it is known */
    ids_link_self self, other;
    ids_link_offer offer;
    uint8_t transcript[2][IDS_LINK_TRANSCRIPT_BYTES]; /* hashes of HELLO and
                                                         WELCOME */
    uint64_t last_received_ms, last_sent_ms;
    uint64_t accepted; /* the how manieth */
    bool paused; /* the driver does not read it for now: silence says nothing */
    size_t body_bytes_max; /* once open */
    idp_bytes in, out;
    size_t in_at; /* bytes of in that were read */
    void *driver; /* the driver's own */
    ids_endpoint dialled_to;
    char seen_host[IDS_ENDPOINT_BYTES]; /* "": not told */
} ids_link;

/* From a secret of any length; 0: none. next: of the one after it. */
void ids_link_key_from(ids_link_key *key, idp_slice secret);
void ids_link_key_next(ids_link_key *key, idp_slice secret);

/* False: no memory. session: 0 for stream 0. */
bool ids_link_dial(ids_link *link, const ids_link_self *self, uint32_t stream,
                   uint64_t session, const ids_link_key *key);
void ids_link_accept(ids_link *link);

/* The host of the socket's other end, without brackets and port, for an end
 * that says only a port of itself. To be called once the link is connected,
 * before bytes of it are handed in. */
void ids_link_set_seen_host(ids_link *link, const char *host);

void ids_link_fini(ids_link *link);

/* The handshake's frames, read and answered; key: this end's. What is not
 * NONE is why the link is of no use: say so, and close it. */
ids_refusal_why ids_link_hello(ids_link *link, const ids_pf *frame,
                               const ids_link_key *key);
ids_refusal_why ids_link_welcome(ids_link *link, const ids_link_self *self,
                                 const ids_link_offer *offer,
                                 const ids_link_key *key);
ids_refusal_why ids_link_welcomed(ids_link *link, const ids_pf *frame,
                                  const ids_link_key *key);
ids_refusal_why ids_link_proven(ids_link *link, const ids_pf *frame,
                                const ids_link_key *key);

/* Says why the link will be closed. */
void ids_link_refuse(ids_link *link, uint64_t epoch, ids_refusal_why why);

/* What the other end's REFUSE says; a code that is not known here is OTHER. */
ids_refusal_why ids_link_refused(const ids_pf *frame);

/* Bytes came. False: more than an honest end would send before it is read. */
bool ids_link_take(ids_link *link, const uint8_t *bytes, size_t len);

/* What was read of the input becomes the caller's, with all that borrows from
 * it; empty: a buffer to go on with, where the rest goes. False: no memory,
 * and nothing has changed. */
bool ids_link_take_input(ids_link *link, idp_bytes *empty);

/* The next frame; its body borrows until the next call. */
ids_pf_read_status ids_link_next(ids_link *link, ids_pf *frame);

/* Appends a frame of this link's stream and session; false: no memory. */
bool ids_link_say(ids_link *link, ids_pf_kind kind, uint64_t epoch,
                  uint64_t number, uint32_t flags);

#endif
