/* hop.h -- requests for keys that another loop owns, and their way back. */
#ifndef IDS_HOP_H
#define IDS_HOP_H

#include "server/desk.h"

/* Sends the request to its owner with this wake-up's mail. */
void ids_hop_ask(ids_desk *desk, ids_conn *conn, const ids_item *item);

/* A reply for a connection of this desk, which may be gone. */
void ids_hop_deliver(ids_desk *desk, const ids_mail *mail, const uint8_t *body);

/* Carries out everything in a parcel that has come. The parcel stays the
 * caller's. */
void ids_hop_open(ids_desk *desk, const ids_parcel *parcel);

#endif
