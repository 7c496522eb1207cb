/* link.h -- one connection between two peers: bytes, frames, and who is there.
 *
 * Pure. Both ends show that they know the secret before anything that is said
 * counts; without a secret (loopback) the proofs are empty and unchecked.
 *
 *     dialler                                 listener
 *     HELLO   who, where, nonce, epoch, stream   ->
 *             <-   WELCOME  the same, session, streams, ring, proof
 *     PROOF   proof                       ->
 *
 * A proof is a keyed hash over both nonces and all that the two said of
 * themselves. Frames behind the handshake are checked against accidents, not
 * against someone within the connection. */
#ifndef IDS_PEER_LINK_H
#define IDS_PEER_LINK_H

#include "server/peer/decision.h"
#include "server/peer/endpoint.h"
#include "server/peer/frame.h"

#define IDS_LINK_NONCE_BYTES 16
#define IDS_LINK_PROOF_BYTES 32
#define IDS_LINK_KEY_BYTES   32

typedef struct ids_link_key {
    uint8_t bytes[IDS_LINK_KEY_BYTES];
    bool set;
} ids_link_key;

/* What an end says of itself. */
typedef struct ids_link_self {
    ids_member member;
    uint64_t epoch;
    bool primary;
    ids_endpoint at; /* where its clients reach it; may lack the host */
    uint8_t nonce[IDS_LINK_NONCE_BYTES];
} ids_link_self;

/* What a listener adds, about the stream that the link is for. */
typedef struct ids_link_offer {
    uint64_t session;
    uint64_t streams;
    uint64_t first, last; /* of the ring */
    uint64_t member;      /* 1: the dialler is in the in-sync set */
} ids_link_offer;

typedef enum ids_link_state {
    IDS_LINK_DIALLED,  /* HELLO is out */
    IDS_LINK_ACCEPTED, /* HELLO is awaited */
    IDS_LINK_OFFERED,  /* WELCOME is out */
    IDS_LINK_OPEN,
    IDS_LINK_CLOSED
} ids_link_state;

typedef struct ids_link {
    ids_link_state state;
    bool dialled;
    uint32_t stream;
    uint64_t session; /* 0 until it is known */
    ids_link_self self, other;
    ids_link_offer offer;
    uint64_t heard_ms, said_ms;
    size_t body_bytes_max; /* once open */
    size_t unsent_bytes;   /* a pump fills out up to this; the host's to set */
    ids_pbuf in, out;
    size_t in_at; /* bytes of in that were read */
    void *host;   /* the host's own */
    ids_endpoint dialled_to;
    char seen_host[IDS_ENDPOINT_BYTES]; /* "": not told */
} ids_link;

/* From a secret of any length; 0: none. */
void ids_link_key_from(ids_link_key *key, idp_slice secret);

/* False: no memory. session: 0 for stream 0. */
bool ids_link_dial(ids_link *link, const ids_link_self *self, uint32_t stream,
                   uint64_t session);
void ids_link_accept(ids_link *link);

/* The host of the socket's other end, without brackets and port, for an end
 * that says only a port of itself. To be called once the link is connected,
 * before bytes of it are handed in. */
void ids_link_set_seen_host(ids_link *link, const char *host);

void ids_link_fini(ids_link *link);

/* The handshake's frames, read and answered. False: close the link. */
bool ids_link_hello(ids_link *link, const ids_pf *frame);
bool ids_link_welcome(ids_link *link, const ids_link_self *self,
                      const ids_link_offer *offer, const ids_link_key *key);
bool ids_link_welcomed(ids_link *link, const ids_pf *frame,
                       const ids_link_key *key);
bool ids_link_proven(ids_link *link, const ids_pf *frame,
                     const ids_link_key *key);

/* Bytes came. False: more than an honest end would send before it is read. */
bool ids_link_take(ids_link *link, const uint8_t *bytes, size_t len);

/* The next frame; its body borrows until the next call. */
ids_pf_read_status ids_link_next(ids_link *link, ids_pf *frame);

/* Appends a frame of this link's stream and session; false: no memory. */
bool ids_link_say(ids_link *link, ids_pf_kind kind, uint64_t epoch,
                  uint64_t number, uint32_t flags);

#endif
