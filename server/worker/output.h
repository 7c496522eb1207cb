/* SPDX-License-Identifier: Apache-2.0 */
/* output.h -- what leaves on a connection: replies go in at its end, now or
 * behind the commit gate, and bytes go out at its head.
 *
 * Three places, each in its order: bytes that may leave, bytes that are held
 * (commit_gate.h), and replies whose rest is shared (shared.h), of which no
 * byte is written before it is their turn. */
#ifndef IDS_OUTPUT_H
#define IDS_OUTPUT_H

#include "server/worker/worker.h"

/* Room for one reply, behind what leaves or behind what is held; NULL when
 * there is none to be had, and then the connection is dead. put: so many bytes
 * were written there. */
uint8_t *ids_output_room(ids_worker *worker, ids_conn *conn, size_t bytes,
                         ids_showing shows);
void ids_output_put(ids_worker *worker, ids_conn *conn, uint32_t msgid,
                    size_t bytes, ids_showing shows);

/* A reply whose rest others get as well. fill writes such replies behind the
 * connection's output, as far as that has left; a large rest is sent from where
 * it lies. */
void ids_output_share(ids_worker *worker, ids_conn *conn, uint32_t msgid,
                      ids_shared *rest, ids_showing shows);
void ids_output_fill(ids_worker *worker, ids_conn *conn);

/* What is to be sent next; it borrows until ids_output_sent, and then there may
 * be more. Not what is held (commit_gate.h); and nothing while the replies of
 * other loops are about to come, so that one send takes all. */
idp_slice ids_output_sendable(const ids_conn *conn);

/* The driver sent len bytes of it; what is left is kept. */
void ids_output_sent(ids_worker *worker, ids_conn *conn, size_t len);

/* The gate's (commit_gate.c). So many replies are held no longer; then, for
 * each or for bytes of several in a row, either free: it may leave; or revoke:
 * it never does. */
void ids_output_let_go(ids_worker *worker, ids_conn *conn, uint32_t replies);
void ids_output_free(ids_worker *worker, ids_conn *conn, size_t bytes);
void ids_output_free_share(ids_worker *worker, ids_conn *conn);
void ids_output_revoke(ids_worker *worker, ids_conn *conn, size_t bytes);
void ids_output_revoke_share(ids_worker *worker, ids_conn *conn);

/* The connection goes: nothing of its output is kept. */
void ids_output_forget(ids_worker *worker, ids_conn *conn);

#endif
