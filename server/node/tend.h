/* SPDX-License-Identifier: Apache-2.0 */
/* tend.h -- what a worker does for its peer connections in its turn's end:
 * turn.c calls these, and says why each stands where it does. */
#ifndef IDS_NODE_TEND_H
#define IDS_NODE_TEND_H

#include "server/node/replicator.h"

/* Within the monitor. Bytes came on this peer connection, which may be no link
 * yet; then each link hears what was left unread, and says what it has to say.
 */
void ids_tend_input(ids_repl *repl, ids_peer *peer, ids_peer_conn *conn,
                    idp_slice bytes);
void ids_tend_all(ids_repl *repl, ids_peer *peer);

/* Outside: frames are made of what was told within, and sent. */
void ids_tend_make_frames(ids_repl *repl);
void ids_tend_send(ids_repl *repl);

#endif
