/* SPDX-License-Identifier: Apache-2.0 */
/* waiters.h -- acquires that were parked until a key is decided.
 *
 * A queue per key in parking order, a list per asker, and two kinds of
 * deadlines: a wait's end, and the end of the lease that a queue hangs on.
 * An asker that goes is marked in one step, and what it left is taken off the
 * books a few at a time. Who gets what is decided in shard.c; this file keeps
 * the books. Pure. */
#ifndef IDS_WAITERS_H
#define IDS_WAITERS_H

#include "server/core/heap.h"
#include "server/core/mix.h"

typedef struct ids_queue ids_queue;
typedef struct ids_waiter ids_waiter;

/* All that one asker waits for. */
typedef struct ids_asking {
    struct ids_asking *next, *prev; /* in its hash chain, or of the gone */
    ids_waiter *first;
    ids_asker asker;
    bool gone; /* nobody is to be woken */
} ids_asking;

/* A parked acquire. request borrows from the waiter's own bytes. */
struct ids_waiter {
    ids_timer timer; /* first, so that a WAIT timer is its waiter */
    ids_queue *queue;
    ids_waiter *next, *prev;             /* in the queue */
    ids_waiter *asker_next, *asker_prev; /* of the same asker */
    ids_asking *asking;
    idp_request request; /* ns and key are the queue's */
    uint32_t by;
    bool answered;     /* to be taken off the books */
    size_t bytes_held; /* its allocation */
    uint8_t bytes[];   /* fingerprint, nonce */
};

/* All who wait for one key. */
struct ids_queue {
    ids_timer timer; /* first, so that a LEASE timer is its queue */
    ids_queue *hash_next;
    ids_waiter *first, *last;
    uint64_t hash;
    uint32_t count;
    idp_slice ns, key;
    size_t bytes_held;
    uint8_t bytes[]; /* namespace, key */
};

typedef struct ids_waiters {
    ids_budget *budget;
    ids_heap heap;
    ids_mix_key key;
    ids_queue **queues;  /* [slots], chained by hash */
    ids_asking **askers; /* [slots], chained by asker */
    ids_asking *gone;    /* askers that went, with what is left of them */
    uint32_t slots;
    uint32_t count;
    uint32_t count_max;
    uint32_t per_key_max;
    uint64_t parked; /* ever; numbers the timers */
} ids_waiters;

bool ids_waiters_init(ids_waiters *waiters, ids_budget *budget,
                      uint32_t count_max, uint32_t per_key_max,
                      const ids_mix_key *key);
void ids_waiters_fini(ids_waiters *waiters);

/* The key's queue; NULL when nobody waits for it. */
ids_queue *ids_waiters_queue(const ids_waiters *waiters, uint64_t hash,
                             idp_slice ns, idp_slice key);

/* Parks the call's acquire at the end of its key's queue, whose lease ends at
 * lease_end_ms, until its wait is over at due_ms. IDP_E_LIMIT or
 * IDP_E_NO_MEMORY: nothing changed. */
idp_error ids_waiters_park(ids_waiters *waiters, const ids_call *call,
                           uint64_t due_ms, uint64_t lease_end_ms);

/* The lease that the queue hangs on ends at another time now. */
void ids_waiters_lease(ids_waiters *waiters, ids_queue *queue,
                       uint64_t lease_end_ms);

/* Takes the waiter off the books and frees it, and its queue when it was the
 * last; then *queue_gone. */
void ids_waiters_remove(ids_waiters *waiters, ids_waiter *waiter,
                        bool *queue_gone);

/* The asker is gone: its waiters stay on the books, with asking->gone, until
 * they are reaped: at most so many now. */
void ids_waiters_forget(ids_waiters *waiters, ids_asker asker);
void ids_waiters_reap(ids_waiters *waiters, uint32_t max);

/* Any waiter at all. */
static inline ids_waiter *ids_waiters_any(const ids_waiters *waiters) {
    ids_timer *timer = ids_heap_first(&waiters->heap);
    if (timer == NULL)
        return NULL;
    if (timer->kind == IDS_TIMER_WAIT)
        return (ids_waiter *)timer;
    return ((ids_queue *)timer)->first;
}

#endif
