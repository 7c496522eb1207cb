/* SPDX-License-Identifier: Apache-2.0 */
/* stranger.h -- a crowd that connects again and again, in one thread, from 32
 * addresses; and a proxy that is 20 ms away. */
#ifndef TEST_STRANGER_H
#define TEST_STRANGER_H

#include <stdint.h>

typedef enum stranger_does {
    STRANGERS_NONE,
    STRANGERS_PING,  /* in plain; goes with the answer */
    STRANGERS_SHAKE, /* says hello; goes with the answer, which cost a signature
                      */
    STRANGERS_STAY   /* says half a hello, and waits until it is closed */
} stranger_does;

typedef struct strangers strangers;

/* So many at a time: each that has gone comes again at once. */
strangers *strangers_start(uint16_t port, stranger_does does, unsigned count);
/* How many have come by now. */
uint64_t strangers_came(const strangers *all);
void strangers_stop(strangers *all);

/* Listens on a free loopback port; each piece goes on after 10 ms. It comes
 * from an address of its own. One connection at a time is served. */
typedef struct far_proxy far_proxy;
far_proxy *far_proxy_start(uint16_t to);
uint16_t far_proxy_port(const far_proxy *proxy);
void far_proxy_stop(far_proxy *proxy);

#endif
