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
void ids_hop_tick(ids_desk *desk);
uint64_t ids_hop_next_ms(const ids_desk *desk);

/* A reply for a connection of this desk, which may be gone. */
void ids_hop_deliver(ids_desk *desk, const ids_mail *mail, const uint8_t *body);

/* Carries out everything in a parcel that has come. The parcel stays the
 * caller's. */
void ids_hop_open(ids_desk *desk, const ids_parcel *parcel);

#endif
