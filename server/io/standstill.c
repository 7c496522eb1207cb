/* SPDX-License-Identifier: Apache-2.0 */
/* standstill.c -- see standstill.h. */
#include "server/io/standstill.h"

void ids_standstill_init(ids_standstill *still, uint32_t others) {
    atomic_init(&still->asked, false);
    pthread_mutex_init(&still->lock, NULL);
    pthread_cond_init(&still->moved, NULL);
    still->others = others;
    still->parked = 0;
}

void ids_standstill_fini(ids_standstill *still) {
    pthread_cond_destroy(&still->moved);
    pthread_mutex_destroy(&still->lock);
}

void ids_standstill_ask(ids_standstill *still) {
    pthread_mutex_lock(&still->lock);
    atomic_store_explicit(&still->asked, true, memory_order_release);
    pthread_mutex_unlock(&still->lock);
}

void ids_standstill_reached(ids_standstill *still) {
    pthread_mutex_lock(&still->lock);
    while (still->parked < still->others)
        pthread_cond_wait(&still->moved, &still->lock);
    pthread_mutex_unlock(&still->lock);
}

/* Waits for all to be on their way again: none may take the next standstill
 * for this one. */
void ids_standstill_over(ids_standstill *still) {
    pthread_mutex_lock(&still->lock);
    atomic_store_explicit(&still->asked, false, memory_order_release);
    pthread_cond_broadcast(&still->moved);
    while (still->parked > 0)
        pthread_cond_wait(&still->moved, &still->lock);
    pthread_mutex_unlock(&still->lock);
}

void ids_standstill_park(ids_standstill *still) {
    pthread_mutex_lock(&still->lock);
    if (atomic_load_explicit(&still->asked, memory_order_relaxed)) {
        still->parked++;
        pthread_cond_broadcast(&still->moved);
        while (atomic_load_explicit(&still->asked, memory_order_relaxed))
            pthread_cond_wait(&still->moved, &still->lock);
        still->parked--;
        pthread_cond_broadcast(&still->moved);
    }
    pthread_mutex_unlock(&still->lock);
}

void ids_standstill_leave(ids_standstill *still) {
    pthread_mutex_lock(&still->lock);
    still->others--;
    pthread_cond_broadcast(&still->moved);
    pthread_mutex_unlock(&still->lock);
}
