/* SPDX-License-Identifier: Apache-2.0 */
/* peer_net.h -- inside the network: peer_net.c is the bytes under way,
 * peer_ends.c what a node asks of its ends. Nobody else includes this. */
#ifndef SIM_PEER_NET_H
#define SIM_PEER_NET_H

#include "tests/sim/peer_world.h"

typedef struct chunk {
    struct chunk *next;
    uint64_t at;
    bool cut; /* the connection ends behind it */
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

/* An event: what is due at this node of this connection. */
void pw_link_deliver(pw_world *w, int to, uint64_t number);

#endif
