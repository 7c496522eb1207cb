/* SPDX-License-Identifier: Apache-2.0 */
/* command.h -- the command line that each server is started with. */
#ifndef IDB_COMMAND_H
#define IDB_COMMAND_H

#include "bench/spawn.h"

#define IDB_COMMAND_ARGS_MAX 64

typedef struct idb_command {
    char *argv[IDB_COMMAND_ARGS_MAX + 1];
    int count;
    char text[16384]; /* what argv points into */
    size_t used;
    bool is_full; /* something did not fit */
} idb_command;

/* For this node of the server: its port is known, a replica's primary has
 * been started. False when it is too long. */
bool idb_command_make(idb_command *command, const idb_server *server,
                      const idb_node *node);

#endif
