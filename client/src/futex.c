/* SPDX-License-Identifier: Apache-2.0 */
/* futex.c -- sleeping on a word where the system has no futex: a few places,
 * each a lock and a condition, and a word's address says which is its own.
 * Words that share one wake each other, which nobody minds. */
#include "client/src/futex.h"

#include <pthread.h>

#include "client/src/thread.h"

#define PLACES 64u

typedef struct place {
    pthread_mutex_t lock;
    pthread_cond_t woken;
} place;

static place places[PLACES];

/* A child of a fork has none of the threads that held a lock, or slept. */
static void make_places(void) {
    for (uint32_t i = 0; i < PLACES; i++) {
        pthread_mutex_init(&places[i].lock, NULL);
        idem__cond_init(&places[i].woken);
    }
}

static void begin_process(void) {
    make_places();
    pthread_atfork(NULL, NULL, make_places);
}

static place *place_of(const _Atomic uint32_t *word) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, begin_process);
    uintptr_t at = (uintptr_t)word;
    return &places[(at >> 4 ^ at >> 10 ^ at >> 16) % PLACES];
}

void idem__futex_wait_any(_Atomic uint32_t *word, uint32_t value,
                          uint64_t deadline_ms) {
    place *here = place_of(word);
    pthread_mutex_lock(&here->lock);
    /* Whoever wakes has changed the word before it takes the lock. */
    if (atomic_load(word) == value)
        idem__cond_wait(&here->woken, &here->lock, deadline_ms);
    pthread_mutex_unlock(&here->lock);
}

void idem__futex_wake_any(_Atomic uint32_t *word) {
    place *here = place_of(word);
    pthread_mutex_lock(&here->lock);
    pthread_cond_broadcast(&here->woken);
    pthread_mutex_unlock(&here->lock);
}
