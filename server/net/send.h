/* SPDX-License-Identifier: Apache-2.0 */
/* send.h -- what leaves by a connection's socket, and what it waits for. */
#ifndef IDS_SEND_H
#define IDS_SEND_H

#include "server/net/socket.h"

/* Sends what may leave. Mostly one send; more where a large result stands
 * between the replies; what this turn has no time for is left to the next one.
 * The connection may be dead then. */
void ids_socket_send(ids_socket *socket);

/* Nothing that may leave is here any more. done: nor will there be more, and in
 * TLS its end was said as well. */
bool ids_socket_is_sent(const ids_conn *conn);
bool ids_socket_is_done(ids_socket *socket);

/* In one of the loop's waits, from now on, and in no other. */
void ids_socket_wait_in(ids_socket *socket, ids_list *list);
void ids_socket_leave_list(ids_socket *socket);

#endif
