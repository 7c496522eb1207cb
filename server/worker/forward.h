/* SPDX-License-Identifier: Apache-2.0 */
/* forward.h -- requests that are at other loops, and output that waits for
 * them. */
#ifndef IDS_FORWARD_H
#define IDS_FORWARD_H

#include "server/worker/worker.h"

/* A connection's output is held for a moment while its forwarded requests are
 * under way, so that a pipeline leaves in one send; a moment, since what comes
 * late may be held for a disk over there. send_on: it waits no longer. tick
 * does that for those that have waited; next_ms says when. */
void ids_forward_hold(ids_worker *worker, ids_conn *conn);
void ids_forward_send_on(ids_worker *worker, ids_conn *conn);

/* A request of the connection's is under way to other loops; it came back. */
void ids_forward_went(ids_worker *worker, ids_conn *conn);
void ids_forward_returned(ids_worker *worker, ids_conn *conn);
void ids_forward_tick(ids_worker *worker);
uint64_t ids_forward_next_ms(const ids_worker *worker);

#endif
