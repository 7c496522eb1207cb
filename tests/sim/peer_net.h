/* SPDX-License-Identifier: Apache-2.0 */
/* peer_net.h -- inside the network: peer_net.c is the bytes under way,
 * peer_ends.c what a node asks of its ends, peer_seal.c the TLS between them,
 * if there is any. Nobody else includes this. */
#ifndef SIM_PEER_NET_H
#define SIM_PEER_NET_H

#include "tests/sim/peer_world.h"

struct idp_tls;

typedef struct chunk {
    struct chunk *next;
    uint64_t at;
    bool cut;     /* the connection ends behind it */
    bool is_drop; /* of one that drips */
    size_t len;
    uint8_t bytes[];
} chunk;

/* As a node has it: first a connection like any client's, then a peer
 * connection. */
typedef struct side {
    ids_conn *early;
    uint32_t early_worker;
    bool moves;          /* from one worker to another */
    ids_peer_conn *conn; /* NULL: gone, or not there yet */
    bool gone;           /* it was there, and is no more */
    bool closing;        /* it ends behind the chunks towards it */
    chunk *first;        /* towards it */
    uint64_t reach_at;
    struct idp_tls *tls; /* NULL: plain, or not there yet */
    bool shakes;         /* hands, as the one that has dialled */
} side;

struct pw_link {
    pw_link *next;
    side side[PW_NODES];
    pw_end end; /* of the early one */
    int dialler, listener;
    bool closed;
    uint64_t number;
};

static inline int pw_other_end(const pw_link *c, int node) {
    return node == c->dialler ? c->listener : c->dialler;
}

/* Bytes are on their way from this node; session 0: the two have none yet. */
void pw_link_push(pw_world *w, pw_link *c, int from, idp_slice bytes,
                  uint64_t session);
uint32_t pw_link_under_way(const pw_link *c, int to);

/* With TLS: an end begins, and what the one that dials says first is under way.
 * say: seals these bytes, and sends what else there is. hear: what a chunk
 * says, in room, which has PW_SEAL_ROOM bytes more than the chunk: it may be
 * the end of a record. */
#define PW_SEAL_ROOM 16384u

void pw_seal_dial(pw_world *w, pw_link *c, int node);
void pw_seal_accept(pw_link *c, int node);
void pw_seal_say(pw_world *w, pw_link *c, int from, idp_slice plain,
                 uint64_t session);
typedef enum pw_sealed {
    PW_SEAL_SHAKES,
    PW_SEAL_UP,
    PW_SEAL_OVER,
    PW_SEAL_BAD_CERT /* so the one that dialled was told, or thinks */
} pw_sealed;
pw_sealed pw_seal_hear(pw_world *w, pw_link *c, int to, const chunk *one,
                       uint8_t *room, size_t *len);
void pw_seal_free(side *s);

/* An event: what is due at this node of this connection. */
void pw_link_deliver(pw_world *w, int to, uint64_t number);

#endif
