/* SPDX-License-Identifier: Apache-2.0 */
/* barrier.c -- see barrier.h. */
#include "server/io/barrier.h"

void ids_barrier_init(ids_barrier *barrier, ids_quiesce *quiesce) {
    pthread_mutex_init(&barrier->lock, NULL);
    pthread_cond_init(&barrier->moved, NULL);
    barrier->quiesce = quiesce;
}

void ids_barrier_fini(ids_barrier *barrier) {
    pthread_cond_destroy(&barrier->moved);
    pthread_mutex_destroy(&barrier->lock);
}

void ids_barrier_ask(ids_barrier *barrier) {
    pthread_mutex_lock(&barrier->lock);
    ids_quiesce_ask(barrier->quiesce);
    pthread_mutex_unlock(&barrier->lock);
}

void ids_barrier_reached(ids_barrier *barrier) {
    pthread_mutex_lock(&barrier->lock);
    while (!ids_quiesce_is_reached(barrier->quiesce))
        pthread_cond_wait(&barrier->moved, &barrier->lock);
    pthread_mutex_unlock(&barrier->lock);
}

void ids_barrier_over(ids_barrier *barrier) {
    pthread_mutex_lock(&barrier->lock);
    ids_quiesce_end(barrier->quiesce);
    pthread_cond_broadcast(&barrier->moved);
    while (!ids_quiesce_is_over(barrier->quiesce))
        pthread_cond_wait(&barrier->moved, &barrier->lock);
    pthread_mutex_unlock(&barrier->lock);
}

void ids_barrier_park(ids_barrier *barrier) {
    pthread_mutex_lock(&barrier->lock);
    if (ids_quiesce_is_asked(barrier->quiesce)) {
        ids_quiesce_park(barrier->quiesce);
        pthread_cond_broadcast(&barrier->moved);
        while (ids_quiesce_is_asked(barrier->quiesce))
            pthread_cond_wait(&barrier->moved, &barrier->lock);
        ids_quiesce_go_on(barrier->quiesce);
        pthread_cond_broadcast(&barrier->moved);
    }
    pthread_mutex_unlock(&barrier->lock);
}

void ids_barrier_leave(ids_barrier *barrier) {
    pthread_mutex_lock(&barrier->lock);
    ids_quiesce_leave(barrier->quiesce);
    pthread_cond_broadcast(&barrier->moved);
    pthread_mutex_unlock(&barrier->lock);
}
