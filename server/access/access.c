/* SPDX-License-Identifier: Apache-2.0 */
/* access.c -- see access.h. */
#include "server/access/access.h"

#include <pthread.h>
#include <stdlib.h>

struct ids_access {
    pthread_mutex_t lock;
    ids_credentials *current;
    ids_failures *failures;
};

ids_access *ids_access_new(ids_credentials *first) {
    ids_access *access = calloc(1, sizeof *access);
    if (!access)
        return NULL;
    access->failures = ids_failures_new();
    if (!access->failures) {
        free(access);
        return NULL;
    }
    pthread_mutex_init(&access->lock, NULL);
    access->current = first;
    first->number = 1;
    return access;
}

void ids_access_free(ids_access *access) {
    if (!access)
        return;
    pthread_mutex_destroy(&access->lock);
    ids_credentials_drop(access->current);
    ids_failures_free(access->failures);
    free(access);
}

ids_credentials *ids_access_take(ids_access *access) {
    pthread_mutex_lock(&access->lock);
    ids_credentials *current = access->current;
    ids_credentials_hold(current);
    pthread_mutex_unlock(&access->lock);
    return current;
}

void ids_access_publish(ids_access *access, ids_credentials *next) {
    pthread_mutex_lock(&access->lock);
    ids_credentials *before = access->current;
    next->number = before->number + 1;
    access->current = next;
    pthread_mutex_unlock(&access->lock);
    ids_credentials_drop(before);
}

bool ids_access_failed(ids_access *access, const ids_source *source,
                       uint64_t now_ms) {
    pthread_mutex_lock(&access->lock);
    bool is_over = ids_failures_note(access->failures, source, now_ms);
    pthread_mutex_unlock(&access->lock);
    return is_over;
}
