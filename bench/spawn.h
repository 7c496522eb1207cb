/* SPDX-License-Identifier: Apache-2.0 */
/* spawn.h -- a server of our own for one round: started, pinned, ended. With
 * others beside it where the target is replicated, and a folder where
 * it keeps anything.
 *
 * Loopback only, on free ports. The children die with us. */
#ifndef IDB_SPAWN_H
#define IDB_SPAWN_H

#include "bench/authority.h"
#include "bench/folder.h"
#include "bench/options.h"

/* One process. */
typedef struct idb_node {
    idb_endpoint at;
    bool spawned;
    char folder[IDB_FOLDER_BYTES]; /* its own; "": it keeps nothing */
} idb_node;

typedef struct idb_server {
    const idb_options *options;
    const idb_spec *spec;
    idb_node primary;
    idb_node replicas[IDB_REPLICAS_MAX]; /* port 0: there is none */
    char folder[IDB_FOLDER_BYTES];
    idb_tls tls; /* how the two are spoken to; no context: in plain */
} idb_server;

/* Starts spec's server, with a certificate of its own where it has TLS, or
 * points to the one that is there already, and waits
 * until it accepts; with replicas, until they have everything. 0 or a text
 * that says what failed; why: room for it. Stop it in either case. */
const char *idb_server_start(idb_server *server, const idb_options *options,
                             const idb_spec *spec, char *why, size_t cap);

/* The same without a replica: for whoever times its start. */
const char *idb_server_start_alone(idb_server *server,
                                   const idb_options *options,
                                   const idb_spec *spec, char *why, size_t cap);

/* Ends what was started and removes what it kept. */
void idb_server_stop(idb_server *server);

/* Starts a node (again, with what it kept) and waits until it accepts. */
const char *idb_node_start(idb_server *server, idb_node *node, char *why,
                           size_t cap);

/* Ends a node: SIGTERM with a grace of minutes for what it has to keep, or
 * SIGKILL. Nothing for one that is not ours. */
void idb_node_end(idb_node *node, int signal);

/* pair.c: waits until the replicas have everything. */
const char *idb_pair_await(const idb_server *server, char *why, size_t cap);

/* pair.c: have they now? */
bool idb_pair_is_in_sync(const idb_server *server);

/* The daemon's program, as --idemstored says or beside this one. */
void idb_server_path(const idb_options *options, char *to, size_t cap);

/* Raises this process's limit of open files as far as it may go. */
void idb_files_allow(void);

#endif
