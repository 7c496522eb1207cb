/* SPDX-License-Identifier: Apache-2.0 */
/* preface.h -- what two idemstoreds say to each other in front of the peer's
 * wire, on the port that is the clients', too.
 *
 * Pure. */
#ifndef IDS_PEER_PREFACE_H
#define IDS_PEER_PREFACE_H

/* Who dials another node says this first. */
#define IDS_PREFACE       "idempeer"
#define IDS_PREFACE_BYTES (sizeof IDS_PREFACE - 1)

/* What a daemon without a peer answers begins like this: see greeting.c. */
#define IDS_LINK_NO_PEER "this idemstored has no peer"

#endif
