/* SPDX-License-Identifier: Apache-2.0 */
/* standstill.c -- see standstill.h. */
#include "server/io/standstill.h"

void ids_standstill_init(ids_standstill *still, ids_quiesce *quiesce) {
    pthread_mutex_init(&still->lock, NULL);
    pthread_cond_init(&still->moved, NULL);
    still->quiesce = quiesce;
}

void ids_standstill_fini(ids_standstill *still) {
    pthread_cond_destroy(&still->moved);
    pthread_mutex_destroy(&still->lock);
}

void ids_standstill_ask(ids_standstill *still) {
    pthread_mutex_lock(&still->lock);
    ids_quiesce_ask(still->quiesce);
    pthread_mutex_unlock(&still->lock);
}

void ids_standstill_reached(ids_standstill *still) {
    pthread_mutex_lock(&still->lock);
    while (!ids_quiesce_is_reached(still->quiesce))
        pthread_cond_wait(&still->moved, &still->lock);
    pthread_mutex_unlock(&still->lock);
}

void ids_standstill_over(ids_standstill *still) {
    pthread_mutex_lock(&still->lock);
    ids_quiesce_end(still->quiesce);
    pthread_cond_broadcast(&still->moved);
    while (!ids_quiesce_is_over(still->quiesce))
        pthread_cond_wait(&still->moved, &still->lock);
    pthread_mutex_unlock(&still->lock);
}

void ids_standstill_park(ids_standstill *still) {
    pthread_mutex_lock(&still->lock);
    if (ids_quiesce_is_asked(still->quiesce)) {
        ids_quiesce_park(still->quiesce);
        pthread_cond_broadcast(&still->moved);
        while (ids_quiesce_is_asked(still->quiesce))
            pthread_cond_wait(&still->moved, &still->lock);
        ids_quiesce_go_on(still->quiesce);
        pthread_cond_broadcast(&still->moved);
    }
    pthread_mutex_unlock(&still->lock);
}

void ids_standstill_leave(ids_standstill *still) {
    pthread_mutex_lock(&still->lock);
    ids_quiesce_leave(still->quiesce);
    pthread_cond_broadcast(&still->moved);
    pthread_mutex_unlock(&still->lock);
}
