/* SPDX-License-Identifier: Apache-2.0 */
/* peering.h -- the daemon as the driver of its node's peer: a lock around
 * the monitor, threads that stand still, the file of decisions, sockets.
 *
 * What the peer is for is server/node/replicator.h. */
#ifndef IDS_PEERING_H
#define IDS_PEERING_H

#include "server/admin/config.h"
#include "server/io/barrier.h"
#include "server/io/loop.h"
#include "server/net/listen.h"
#include "server/storage/decisions.h"

typedef struct ids_peering {
    const ids_config *config;
    const ids_server *server;
    struct ids_store *store; /* set before begin; NULL: nothing is kept */
    ids_loop *loops;
    ids_decisions_file file;
    bool is_open;
    ids_decision recorded; /* as read at the start */
    ids_replicator_config settings;
    ids_replicator replicator;
    pthread_mutex_t lock; /* the replicator's monitor */
    ids_barrier barrier;
    /* The first loop's. */
    uv_work_t work;
    ids_decision written;
    bool is_writing; /* one at a time */
    int write_error;
    bool still_stands; /* after an error: what was recorded before */
} ids_peering;

/* The first. The addresses in the flags; false: the log says which is bad. */
bool ids_peering_read(ids_peering *r, const ids_config *config);

/* Takes the file of decisions. False: the log says why. listeners: where
 * clients come, as bound. */
bool ids_peering_open(ids_peering *r, const ids_server *server,
                      const ids_listeners *listeners);

/* All loops are there, none runs: the node takes up what is recorded. */
bool ids_peering_begin(ids_peering *r, ids_loop *loops, uint64_t incarnation);

/* The loops have ended. */
void ids_peering_close(ids_peering *r);

/* For ids_server: what an operator asks. */
ids_command_handler ids_peering_handler(ids_peering *r);

/* The peer's configuration: peer_settings.c's. */
void ids_peering_fill(ids_peering *r, uint64_t incarnation);

/* The first loop: these are the settings from now on, and the other node hears
 * of it if it should have the same. */
void ids_peering_take_settings(ids_peering *r, const ids_config *next);

/* The wall clock as ids_epoch_of says it. */
uint64_t ids_clock_epoch(void);

/* What the replicator asks: peering_driver.c's. */
ids_node_driver ids_peering_driver(ids_peering *r);

#endif
