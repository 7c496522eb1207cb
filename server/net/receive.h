/* SPDX-License-Identifier: Apache-2.0 */
/* receive.h -- what comes by a loop's sockets: each is read when it is ready
 * and its turn has come, plain or opened; the first byte tells which. */
#ifndef IDS_RECEIVE_H
#define IDS_RECEIVE_H

#include "server/net/socket.h"

/* A socket is ready: ids_net's on_ready. */
void ids_socket_on_ready(uv_poll_t *handle, int status, int events);

/* All of a loop's -----------------------------------------------------------
 *
 * serve_gathered: what was read of several connections is served (gather.h): in
 * every turn that reads, behind its reads. serve_postponed: those that an
 * earlier turn had no time for, in the order in which they came: none waits for
 * more than its turn, however much others bring. shake: late handshakes are
 * closed, and those that wait begin as far as there is room (when
 * ids_handshakes_due_ms says). drain: what has come is read a last time, and
 * each is closed when its replies left. */
void ids_sockets_serve_gathered(ids_net *net);
void ids_sockets_serve_postponed(ids_net *net);
void ids_sockets_shake(ids_net *net);
void ids_sockets_drain(ids_net *net);

#endif
