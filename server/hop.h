/* SPDX-License-Identifier: Apache-2.0 */
/* hop.h -- requests that are at other loops, and output that waits for them. */
#ifndef IDS_HOP_H
#define IDS_HOP_H

#include "server/worker.h"

/* A connection's output is held for a moment while its hops are under way, so
 * that a pipeline leaves in one send; a moment, since what comes late may be
 * held for a disk over there. send_on: it waits no longer. tick does that for
 * those that have waited; next_ms says when. */
void ids_hop_hold(ids_worker *worker, ids_conn *conn);
void ids_hop_send_on(ids_worker *worker, ids_conn *conn);
void ids_hop_came(ids_worker *worker, ids_conn *conn);

/* A request of the connection's is under way to other loops; it came back. */
void ids_hop_went(ids_worker *worker, ids_conn *conn);
void ids_hop_returned(ids_worker *worker, ids_conn *conn);
void ids_hop_tick(ids_worker *worker);
uint64_t ids_hop_next_ms(const ids_worker *worker);

#endif
