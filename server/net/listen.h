/* SPDX-License-Identifier: Apache-2.0 */
/* listen.h -- from --listen and --http to bound sockets: every address that a
 * name has, unix sockets with the mode that was asked for, and at the end
 * nothing is removed that is not ours any more. */
#ifndef IDS_LISTEN_H
#define IDS_LISTEN_H

#include "server/admin/config.h"
#include "server/net/address.h"

#include <sys/types.h>

#define IDS_LISTENERS_MAX 64

typedef struct ids_listener {
    int fd;            /* -1: not open */
    const char *words; /* the flag's; borrows */
    uint32_t of;       /* which flag's */
    bool is_http;
    ids_address address;
    dev_t device; /* a unix socket's file, as we made it */
    ino_t inode;
} ids_listener;

typedef struct ids_listeners {
    mode_t mode; /* of unix sockets */
    uint32_t count;
    ids_listener all[IDS_LISTENERS_MAX];
} ids_listeners;

/* Why nobody from beyond this machine is listened to; NULL: he is. */
const char *ids_listeners_why_closed(const ids_config *config);

/* Why HTTP is not spoken to him; NULL: it is. Where nobody has a secret it
 * answers probes alone. */
const char *ids_listeners_why_http_closed(const ids_config *config);

/* Resolves the flags. False: one is bad, or would be reached from beyond this
 * machine without a secret; the log says which. */
bool ids_listeners_read(ids_listeners *listeners, const ids_config *config);

/* Binds all. An address of a name that this machine does not have is left out
 * with a line in the log, unless it is the only one. False: the log says
 * which can't be bound, and why. */
bool ids_listeners_open(ids_listeners *listeners);

/* Stops listening. A unix socket's file is removed if it is the one that we
 * made. */
void ids_listener_close(ids_listener *listener);

#endif
