/* SPDX-License-Identifier: Apache-2.0 */
/* standstill.h -- threads that wait for each other as server/node/quiesce.h
 * says: rare steps that all loops must take at once. */
#ifndef IDS_STANDSTILL_H
#define IDS_STANDSTILL_H

#include "server/node/quiesce.h"

#include <pthread.h>

typedef struct ids_standstill {
    ids_quiesce *quiesce; /* the node's */
    pthread_mutex_t lock; /* of that */
    pthread_cond_t moved;
} ids_standstill;

void ids_standstill_init(ids_standstill *still, ids_quiesce *quiesce);
void ids_standstill_fini(ids_standstill *still);

/* The first loop. Every other one has to be woken behind ask; reached waits
 * until all have parked or ended. */
void ids_standstill_ask(ids_standstill *still);
void ids_standstill_reached(ids_standstill *still);
void ids_standstill_over(ids_standstill *still);

/* Every other loop, in each of its turns: parks if it is asked to. */
void ids_standstill_park(ids_standstill *still);
static inline void ids_standstill_look(ids_standstill *still) {
    if (ids_quiesce_is_asked(still->quiesce))
        ids_standstill_park(still);
}

/* It ends, and parks no more. */
void ids_standstill_leave(ids_standstill *still);

#endif
