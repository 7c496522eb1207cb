/* SPDX-License-Identifier: Apache-2.0 */
/* net.h -- what the sockets of one loop share, and all that they know of it:
 * libuv's loop, whose line it is, and how a turn begins.
 *
 * A turn begins in the first callback that libuv calls, whichever it is: each
 * calls ids_net_wake_up first. It ends where the loop says so (io/loop.c). All
 * of it is the loop's own thread's. */
#ifndef IDS_NET_H
#define IDS_NET_H

#include "server/line/line.h"
#include "server/net/deadline.h"
#include "server/net/handshakes.h"
#include "server/net/places.h"
#include "server/net/tls.h"
#include "server/node/turn.h"

#include <uv.h>

typedef struct ids_net {
    /* Set before it runs. */
    uv_loop_t *uv;
    ids_line *line;
    ids_worker *worker; /* the line's */
    ids_mailbox *mailbox;
    ids_places *places; /* of the whole server */
    ids_repl *repl;     /* NULL: the node has no peer */
    ids_tls *tls;       /* of the whole server; NULL: there is no certificate */
    const struct ids_http_policy *http; /* of the whole server */
    const struct ids_proxies *proxies;  /* so, too */
    idp_bytes http_scratch;             /* http.c's */
    uint8_t *sealing; /* seal.c's; NULL: nobody needed it yet */
    ids_handshakes handshakes;
    uint32_t shaken;     /* reads of handshakes, this turn */
    uv_poll_cb on_ready; /* ids_socket_on_ready */
    bool awake;
    uint64_t gaps; /* of the clock, as it has seen them */
    ids_deadlines deadlines;
    uint64_t linger_ms;
    ids_list postponed; /* sockets, to the next turn */
    /* Sockets in the order in which their time runs out. */
    ids_list stalled;   /* the client does not take what we send */
    ids_list surplus;   /* one too many: told so at its first request */
    ids_list lingering; /* the client has not closed yet, we are through */
} ids_net;

/* It runs no more. */
void ids_net_fini(ids_net *net);

/* The loop is awake, and knows what time it is. Not twice in a turn. */
void ids_net_wake_up(ids_net *net);

/* Bytes have come: the clock is read again. */
void ids_net_read_clock(ids_net *net);

/* The turn is over. False: messages have come meanwhile, the next one begins.
 */
bool ids_net_sleep(ids_net *net);

#endif
