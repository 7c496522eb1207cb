/* SPDX-License-Identifier: Apache-2.0 */
/* turn.h -- the end of a worker's turn: what it made goes where it is kept,
 * and only then may replies leave.
 *
 * One order of steps, for a turn's end and for bytes of another node that have
 * come in its middle; each step says why it stands where it does. */
#ifndef IDS_NODE_TURN_H
#define IDS_NODE_TURN_H

#include "server/node/replicator.h"

/* A worker, as far as its turn goes. */
typedef struct ids_turn {
    ids_worker *worker;
    ids_worker_log *worker_log; /* NULL: nothing is kept */
    ids_repl *repl;             /* NULL: the node has no peer */
    void *ctx;
    void (*flush)(void *ctx); /* see ids_node_driver */
    void (*park)(void *ctx);  /* stands still, if that is asked for */
} ids_turn;

/* True: turn again soon, there is more. again: this worker was away, and will
 * read what has come of the other node before it is judged by its silence. */
bool ids_turn_end(ids_turn *turn, bool again);

/* Another node's bytes. */
void ids_repl_input(ids_repl *repl, ids_peer_conn *conn, const uint8_t *bytes,
                    size_t len);

#endif
