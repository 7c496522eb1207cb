/* SPDX-License-Identifier: Apache-2.0 */
/* peer_seal.h -- the TLS of one link between nodes, between its socket
 * (peer_socket.h) and its peer connection. The loop has its room
 * (ids_seal_room). */
#ifndef IDS_PEER_SEAL_H
#define IDS_PEER_SEAL_H

#include "server/net/seal.h"
#include "server/node/peer_conn.h"

/* For a link that is dialled; NULL: no memory, or what no host is called. */
ids_seal *ids_peer_seal_dial(ids_tls *tls, const char *endpoint);

/* How a link came that is another node's, as far as its certificate goes; why
 * that is not good is logged. seal NULL: plain. */
ids_link_way ids_peer_seal_way(ids_tls *tls, const ids_seal *seal,
                               const ids_who *who);

/* What one recv may be, so that all that it says has room at once. */
#define IDS_PEER_SEAL_BYTES (IDS_SEAL_BYTES / 2)

/* What so many bytes say, in the loop's room; len 0: the socket has ended. What
 * came of it state_of tells. */
idp_slice ids_peer_seal_read(ids_net *net, ids_seal *seal, const uint8_t *bytes,
                             size_t len);

/* Sends what waits, then as much of *plain as the socket takes; moves it on.
 * False: the socket is at its end, or there is no memory. */
bool ids_peer_seal_send(ids_net *net, ids_seal *seal, int fd, idp_slice *plain);

typedef enum ids_peer_seal_state {
    IDS_PEER_SEAL_SHAKES,
    IDS_PEER_SEAL_UP,
    IDS_PEER_SEAL_OVER,    /* its end, orderly or not */
    IDS_PEER_SEAL_PLAIN,   /* the other end does not speak it */
    IDS_PEER_SEAL_BAD_CERT /* its certificate, or ours for it */
} ids_peer_seal_state;

ids_peer_seal_state ids_peer_seal_state_of(const ids_seal *seal);
/* Valid as long as the seal; "": nothing has failed. */
const char *ids_peer_seal_why(const ids_seal *seal);

#endif
