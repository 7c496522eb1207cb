/* SPDX-License-Identifier: Apache-2.0 */
/* renew.h -- leases that are kept while functions run: one thread per client
 * renews them all, each when a third of it is over.
 *
 * The thread begins with the first lease and ends with the client. It asks one
 * after the other; none of those that are due may take so much time that the
 * rest would run out. */
#ifndef IDEM_RENEW_H
#define IDEM_RENEW_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "client/include/idemclient.h"
#include "client/src/term.h"

/* One claim's lease. */
typedef struct idem__lease {
    struct idem__lease *prev, *next; /* the renewer's */
    _Atomic uint64_t end_ms;         /* surely ours until then */
    _Atomic uint64_t most_ms;        /* the server frees it then */
    _Atomic bool lost;               /* the server said so */
    bool ended;                      /* its function is over */
    uint64_t due_ms;                 /* to be asked for next */
    idem_args args;                  /* of a renew; points into bytes */
    uint8_t bytes[];
} idem__lease;

typedef struct idem__renewer {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    idem_client *client;
    idem__lease *first;
    idem__lease *asking; /* being renewed, without the lock */
    uint64_t wake_ms;    /* the thread sleeps until then */
    bool running;
    bool closing;
    pthread_t thread;
} idem__renewer;

void idem__renewer_init(idem__renewer *renewer, idem_client *client);
/* Ends the thread; no lease is kept any more. */
void idem__renewer_fini(idem__renewer *renewer);

/* args: of the acquire, with token and lease_ms as granted. NULL: no memory. */
idem__lease *idem__lease_new(const idem_args *args, const idem__times *times);
/* From now on it is renewed; false when there is no thread to be had. */
bool idem__lease_keep(idem__renewer *renewer, idem__lease *lease);
/* Ends it and frees it; waits for nothing. */
void idem__lease_end(idem__renewer *renewer, idem__lease *lease);
/* Whether the claim may be someone else's by now. */
bool idem__lease_is_lost(const idem__lease *lease);
/* Until the server frees it, if nobody renews it. */
uint64_t idem__lease_left_ms(const idem__lease *lease);

#endif
