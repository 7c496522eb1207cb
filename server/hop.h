/* SPDX-License-Identifier: Apache-2.0 */
/* hop.h -- requests for keys that another loop owns, and their way back. */
#ifndef IDS_HOP_H
#define IDS_HOP_H

#include "server/desk.h"

/* Sends the request to its owner with this wake-up's mail. */
void ids_hop_ask(ids_desk *desk, ids_conn *conn, const ids_item *item);

/* A connection's output is held for a moment while its hops are under way, so
 * that a pipeline leaves in one send; a moment, since what comes late may be
 * held for a disk over there. send_on: it waits no longer. tick does that for
 * those that have waited; next_ms says when. */
void ids_hop_hold(ids_desk *desk, ids_conn *conn);
void ids_hop_send_on(ids_desk *desk, ids_conn *conn);
void ids_hop_came(ids_desk *desk, ids_conn *conn);

/* A request of the connection's is under way to other loops; it came back. */
void ids_hop_went(ids_desk *desk, ids_conn *conn);
void ids_hop_returned(ids_desk *desk, ids_conn *conn);
void ids_hop_tick(ids_desk *desk);
uint64_t ids_hop_next_ms(const ids_desk *desk);

/* A reply for a connection of this desk, which may be gone. */
void ids_hop_deliver(ids_desk *desk, const ids_mail *mail, const uint8_t *body);

/* Carries out what is in a parcel that has come, from *at (0) on, as far as
 * this turn goes. True: that was all. The parcel stays the caller's. */
bool ids_hop_open(ids_desk *desk, const ids_parcel *parcel, size_t *at);

/* A request is counted before it is taken: its frame, and a small reply, which
 * then finds its room. A connection whose next request has none is read no
 * further; it stands in a line, and is served on when it is its turn and there
 * is room again. A loop that has nothing at others always has room for one. */
#define IDS_HOP_REPLY_BYTES 320u
bool ids_hop_has_room(const ids_desk *desk, uint32_t loop, size_t frame_bytes);
void ids_hop_stand_in_line(ids_desk *desk, ids_conn *conn,
                           const ids_item *item);
void ids_hop_leave_line(ids_desk *desk, ids_conn *conn);
void ids_hop_serve_line(ids_desk *desk);

#endif
