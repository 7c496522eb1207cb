/* SPDX-License-Identifier: Apache-2.0 */
/* pinger.h -- a client that pings a daemon's two loops all the while, and must
 * be answered. How long it waited at most says something on a quiet machine
 * only. */
#ifndef TEST_PINGER_H
#define TEST_PINGER_H

#include "tests/e2e/harness.h"

#include <pthread.h>
#include <stdatomic.h>

typedef struct pinger {
    uint16_t port;
    pthread_t thread;
    atomic_bool over;
    uint64_t longest_us, pings; /* once it has stopped */
} pinger;

void pinger_start(pinger *p, uint16_t port);
void pinger_stop(pinger *p);

#endif
