/* SPDX-License-Identifier: Apache-2.0 */
/* peer_socket.h -- the socket of a connection to another node, on the loop
 * that its peer connection (server/node/peer_conn.h) is on. */
#ifndef IDS_PEER_SOCKET_H
#define IDS_PEER_SOCKET_H

#include "server/net/net.h"
#include "server/net/seal.h"
#include "server/node/peer_conn.h"

typedef struct ids_peer_socket ids_peer_socket;

/* A descriptor that was accepted, has a link's place, and came in this way. */
typedef struct ids_peer_came {
    int fd;
    ids_seal *seal; /* its TLS; NULL: none */
    ids_link_way way;
} ids_peer_came;

/* Takes what came; NULL: no memory, and it is closed. */
ids_peer_socket *ids_peer_socket_new(ids_places *places,
                                     const ids_peer_came *came);

/* As in ids_node_driver; net is that of the peer connection's loop. */
bool ids_peer_socket_open(ids_net *net, ids_peer_conn *conn);
size_t ids_peer_socket_send(ids_peer_conn *conn, const uint8_t *bytes,
                            size_t len);
bool ids_peer_socket_watch(ids_peer_conn *conn);
void ids_peer_socket_read(ids_peer_conn *conn);
void ids_peer_socket_close(ids_peer_conn *conn);
ids_peer_socket *ids_peer_socket_part(ids_peer_conn *conn);

#endif
