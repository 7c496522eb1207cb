/* SPDX-License-Identifier: Apache-2.0 */
/* accept.h -- the listening sockets, all on one loop: who comes is dealt out
 * evenly to all loops. */
#ifndef IDS_ACCEPT_H
#define IDS_ACCEPT_H

#include "server/net/listen.h"
#include "server/net/net.h"

#define IDS_ACCEPT_SOCKETS_MAX IDS_LISTENERS_MAX

typedef struct ids_acceptor ids_acceptor;

typedef struct ids_accept_socket {
    uv_poll_t poll;
    ids_acceptor *acceptor;
    ids_listener *listener;
} ids_accept_socket;

struct ids_acceptor {
    ids_net *net;
    uint32_t next_loop;
    uint32_t count;
    int spare_fd;       /* given up for a moment when there are no others */
    uint64_t logged_ms; /* when it was last said that there are none */
    uv_timer_t pause;
    ids_accept_socket sockets[IDS_ACCEPT_SOCKETS_MAX];
};

/* Before the loop runs. 0, or libuv's error. */
int ids_acceptor_init(ids_acceptor *acceptor, ids_net *net);

/* Takes the listening socket, and closes it at the end. 0, or libuv's error. */
int ids_acceptor_add(ids_acceptor *acceptor, ids_listener *listener);

/* Stops listening; unix sockets are removed. On the loop's thread. */
void ids_acceptor_close(ids_acceptor *acceptor);

#endif
