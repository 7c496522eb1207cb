/* spawn.h -- a server of our own for one round: started, pinned, ended.
 *
 * Loopback only, on a free port. The child dies with us. */
#ifndef IDB_SPAWN_H
#define IDB_SPAWN_H

#include "bench/options.h"

typedef struct idb_server {
    idb_endpoint at;
    bool spawned;
} idb_server;

/* Starts spec's server, or points to the one that is there already, and waits
 * until it accepts. 0 or a text that says what failed; why: room for it. */
const char *idb_server_start(idb_server *server, const idb_options *options,
                             const idb_spec *spec, char *why, size_t cap);

/* SIGTERM, a grace, SIGKILL. Nothing for a server that is not ours. */
void idb_server_stop(idb_server *server);

/* The daemon's program, as --idemstored says or beside this one. */
void idb_server_path(const idb_options *options, char *to, size_t cap);

/* Raises this process's limit of open files as far as it may go. */
void idb_files_allow(void);

#endif
