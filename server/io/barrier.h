/* SPDX-License-Identifier: Apache-2.0 */
/* barrier.h -- threads that wait for each other as server/node/quiesce.h
 * says: rare steps that all loops must take at once. */
#ifndef IDS_BARRIER_H
#define IDS_BARRIER_H

#include "server/node/quiesce.h"

#include <pthread.h>

typedef struct ids_barrier {
    ids_quiesce *quiesce; /* the node's */
    pthread_mutex_t lock; /* of that */
    pthread_cond_t moved;
} ids_barrier;

void ids_barrier_init(ids_barrier *barrier, ids_quiesce *quiesce);
void ids_barrier_fini(ids_barrier *barrier);

/* The first loop. Every other one has to be woken behind ask; reached waits
 * until all have parked or ended. */
void ids_barrier_ask(ids_barrier *barrier);
void ids_barrier_reached(ids_barrier *barrier);
void ids_barrier_over(ids_barrier *barrier);

/* Every other loop, in each of its turns: parks if it is asked to. */
void ids_barrier_park(ids_barrier *barrier);
static inline void ids_barrier_look(ids_barrier *barrier) {
    if (ids_quiesce_is_asked(barrier->quiesce))
        ids_barrier_park(barrier);
}

/* It ends, and parks no more. */
void ids_barrier_leave(ids_barrier *barrier);

#endif
