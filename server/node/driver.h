/* SPDX-License-Identifier: Apache-2.0 */
/* driver.h -- what a node asks of whoever runs it: threads, sockets and a clock
 * in the daemon (server/io), virtual ones in the simulation (tests/sim).
 *
 * Everything else comes as calls from the driver: a worker's turn ends
 * (turn.h), another node's bytes are there (ids_repl_input), a decision is on
 * record (ids_replicator_recorded). */
#ifndef IDS_NODE_DRIVER_H
#define IDS_NODE_DRIVER_H

#include "server/node/peer_conn.h"

struct ids_replicator;

#define IDS_NODE_BROKEN SIZE_MAX

typedef struct ids_node_driver {
    void *ctx;
    /* The monitor: one worker at a time is inside. */
    void (*enter)(void *ctx);
    void (*leave)(void *ctx);

    /* This worker shall take a turn soon. From within the monitor, on any
     * worker's thread. */
    void (*wake)(void *ctx, uint32_t worker);
    /* This worker, whose thread calls: what its clients' connections may send
     * is sent (ids_worker_next_dirty). */
    void (*flush)(void *ctx, uint32_t worker);

    /* The clock of all workers, read now; the wall's, as ids_epoch_of says
     * it. */
    uint64_t (*clock_ms)(void *ctx);
    uint64_t (*clock_epoch)(void *ctx);
    /* In ns since any moment, for how long the monitor is held. NULL: that is
     * not measured. */
    uint64_t (*clock_ns)(void *ctx);
    void (*random)(void *ctx, void *to, size_t len);

    /* The first worker's. Records this decision, without waiting:
     * ids_replicator_recorded says what came of it. One at a time. */
    void (*record)(void *ctx, const ids_decision *decision);
    /* The first worker's, and the last thing that it does in a turn: once all
     * others stand still (quiesce.h) step is called, then they go on. The
     * first does nothing else before that is over. */
    void (*quiesce)(void *ctx, void (*step)(struct ids_replicator *replicator));
    /* Within a step. replace: every worker's records are about to be replaced
     * by another node's, and nothing of the two may ever be mixed on the
     * medium, from now on. False: that can't be written yet, and they are not
     * replaced; it is tried again. NULL: nothing has to be. replaced: they
     * were. */
    bool (*replace)(void *ctx);
    void (*replaced)(void *ctx);

    /* Connections to other nodes, of the peer connection's worker.
     *
     * open: dials peer connection->to, or goes on with a socket that was
     * accepted; later ids_peer_conn_connected, or within it. False: it can't.
     * send: takes so many of the bytes, or IDS_NODE_BROKEN.
     * watch: for what peer_conn.h says; false: it can't.
     * read: what has come by now, if it is read at all: ids_repl_input, which
     * may close it.
     * close: the socket goes; the peer connection is freed on return.
     * part: the socket leaves this worker, for whoever opens it next: what the
     * peer connection gets instead; NULL: no memory, and it is closed. */
    bool (*open)(void *ctx, ids_peer_conn *conn);
    size_t (*send)(void *ctx, ids_peer_conn *conn, const uint8_t *bytes,
                   size_t len);
    bool (*watch)(void *ctx, ids_peer_conn *conn);
    void (*read)(void *ctx, ids_peer_conn *conn);
    void (*close)(void *ctx, ids_peer_conn *conn);
    void *(*part)(void *ctx, ids_peer_conn *conn);
} ids_node_driver;

#endif
