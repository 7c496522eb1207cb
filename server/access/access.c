/* SPDX-License-Identifier: Apache-2.0 */
/* access.c -- see access.h. */
#include "server/access/access.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef struct plain_name {
    char user[IDS_USER_NAME_CHARS_MAX + 1]; /* "": nobody's */
    uint64_t told_ms;
} plain_name;

struct ids_access {
    pthread_mutex_t lock;
    ids_credentials *current;
    ids_failures *failures;
    plain_name plain[IDS_PLAIN_NAMES];
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

/* Its entry; one that is new takes the place of the one told longest ago. */
static plain_name *plain_of(ids_access *access, const char *user) {
    plain_name *oldest = &access->plain[0];
    for (uint32_t i = 0; i < IDS_PLAIN_NAMES; i++) {
        plain_name *one = &access->plain[i];
        if (strcmp(one->user, user) == 0)
            return one;
        if (!one->user[0] ||
            (oldest->user[0] && one->told_ms < oldest->told_ms))
            oldest = one;
    }
    assert(strlen(user) < sizeof oldest->user);
    memset(oldest, 0, sizeof *oldest);
    return oldest;
}

bool ids_access_shown_plain(ids_access *access, const char *user,
                            uint64_t now_ms) {
    pthread_mutex_lock(&access->lock);
    plain_name *name = plain_of(access, user);
    bool is_due = !name->user[0] || now_ms - name->told_ms >= IDS_PLAIN_TOLD_MS;
    if (is_due) {
        memcpy(name->user, user, strlen(user) + 1);
        name->told_ms = now_ms;
    }
    pthread_mutex_unlock(&access->lock);
    return is_due;
}
