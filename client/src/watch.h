/* SPDX-License-Identifier: Apache-2.0 */
/* watch.h -- what a client tells of itself: events, counters, and whether
 * changes wait for the replica. Its lock is taken last. */
#ifndef IDEM_WATCH_H
#define IDEM_WATCH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "client/include/idemclient_watch.h"

#define IDEM__EVENTS_MAX 16

typedef enum idem__count {
    IDEM__COUNT_CALLS,
    IDEM__COUNT_REPEATS,
    IDEM__COUNT_CONNECTS,
    IDEM__COUNT_LOSSES,
    IDEM__COUNT_FOLLOWS,
    IDEM__COUNT_UNREPLICATED,
    IDEM__COUNT_TIMEOUTS,
    IDEM__COUNT_FAILED_FAST,
    IDEM__COUNTS
} idem__count;

typedef struct idem__watch {
    _Atomic uint64_t counts[IDEM__COUNTS];
    _Atomic uint32_t connections;
    _Atomic bool changes_wait;
    _Atomic uint64_t try_at_ms; /* changes_wait: one call finds out then */
    _Atomic uint32_t pending;   /* events */
    pthread_mutex_t lock;       /* of what follows */
    idem_event_fn on_event;
    void *ctx;
    bool telling; /* a thread is at it */
    uint32_t events_lost;
    uint32_t first;
    uint64_t epoch;
    char primary[IDEM_ENDPOINT_BYTES];
    idem_event events[IDEM__EVENTS_MAX];
} idem__watch;

/* All but who listens begins anew, as in a child of a fork. */
void idem__watch_init(idem__watch *watch);

static inline void idem__watch_count(idem__watch *watch, idem__count what) {
    atomic_fetch_add_explicit(&watch->counts[what], 1, memory_order_relaxed);
}

/* One connection, for the three below; each allows watch to be NULL. */
typedef struct idem__seen {
    const char *endpoint;
    int32_t shard;
    uint64_t epoch;
} idem__seen;

void idem__watch_connected(idem__watch *watch, idem__seen seen);
void idem__watch_lost(idem__watch *watch, idem__seen seen, const char *why);
/* A primary was believed. */
void idem__watch_primary(idem__watch *watch, idem__seen seen);

/* The server has a change and does not confirm it; or one was confirmed. */
void idem__watch_changes_wait(idem__watch *watch, const char *endpoint);
void idem__watch_changes_go_on(idem__watch *watch);
/* Whether this call is to find out; one is, every so often. */
bool idem__watch_may_try(idem__watch *watch, uint64_t now_ms,
                         uint64_t every_ms);
/* It found that they still wait. */
void idem__watch_try_later(idem__watch *watch, uint64_t at_ms);

/* Who is told of events from now on; NULL: nobody. */
void idem__watch_listen(idem__watch *watch, idem_event_fn on_event, void *ctx);
/* status was checked. */
void idem__watch_status(idem__watch *watch, idem_status *status);

/* Hands out what has happened; no lock is held. */
void idem__watch_tell_all(idem__watch *watch);
static inline void idem__watch_tell(idem__watch *watch) {
    if (atomic_load_explicit(&watch->pending, memory_order_relaxed) > 0)
        idem__watch_tell_all(watch);
}

#endif
