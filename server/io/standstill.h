/* SPDX-License-Identifier: Apache-2.0 */
/* standstill.h -- rare steps that all loops must take at once.
 *
 * One loop asks (always the first), every other one parks at the next point
 * where it looks: between two events, holding nothing. The one who asked then
 * may touch what belongs to the others, and lets them go on. */
#ifndef IDS_STANDSTILL_H
#define IDS_STANDSTILL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct ids_standstill {
    atomic_bool asked;
    pthread_mutex_t lock; /* of what is below */
    pthread_cond_t moved;
    uint32_t others; /* loops besides the first that still run */
    uint32_t parked;
} ids_standstill;

/* others: how many may have to park. */
void ids_standstill_init(ids_standstill *still, uint32_t others);
void ids_standstill_fini(ids_standstill *still);

/* The first loop. Every other one has to be woken behind ask; reached waits
 * until all have parked or ended. */
void ids_standstill_ask(ids_standstill *still);
void ids_standstill_reached(ids_standstill *still);
void ids_standstill_over(ids_standstill *still);

/* Every other loop, in each of its turns: parks if it is asked to. */
void ids_standstill_park(ids_standstill *still);
static inline void ids_standstill_look(ids_standstill *still) {
    if (atomic_load_explicit(&still->asked, memory_order_acquire))
        ids_standstill_park(still);
}

/* It ends, and parks no more. */
void ids_standstill_leave(ids_standstill *still);

#endif
