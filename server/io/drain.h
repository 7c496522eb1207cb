/* SPDX-License-Identifier: Apache-2.0 */
/* drain.h -- the daemon's orderly end, from the first signal to the moment in
 * which its loops are told to stop. */
#ifndef IDS_DRAIN_H
#define IDS_DRAIN_H

#include "server/io/loop.h"
#include "server/net/accept.h"

#include <stdatomic.h>

typedef struct ids_drain {
    ids_loop *loop; /* the first */
    ids_acceptor *acceptor;
    void (*stop)(void *ctx); /* all clients are gone, or it took too long */
    void *ctx;
    uv_timer_t timer;
    atomic_bool begun; /* a signal has come */
    uint64_t end_ms;   /* 0: its listeners are open yet */
} ids_drain;

/* 0, or libuv's error. */
int ids_drain_init(ids_drain *drain, ids_loop *loop, ids_acceptor *acceptor,
                   void (*stop)(void *ctx), void *ctx);

/* A signal asks for it. For delay_ms it goes on as before, so that who spreads
 * the load can send clients elsewhere; then listeners close, and connections
 * have 5 s. A second signal ends the process at once. */
void ids_drain_begin(ids_drain *drain, int signal, uint64_t delay_ms);

/* Before the loop ends. */
void ids_drain_close(ids_drain *drain);

#endif
