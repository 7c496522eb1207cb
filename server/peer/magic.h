/* SPDX-License-Identifier: Apache-2.0 */
/* magic.h -- what two idemstoreds say to each other in front of the peer's
 * wire, on the port that is the clients', too.
 *
 * Pure. */
#ifndef IDS_PEER_MAGIC_H
#define IDS_PEER_MAGIC_H

/* Who dials another node says this first. */
#define IDS_MAGIC       "idempeer"
#define IDS_MAGIC_BYTES (sizeof IDS_MAGIC - 1)

/* What a daemon without a peer answers begins like this: see detect.c. */
#define IDS_LINK_NO_PEER "this idemstored has no peer"

#endif
