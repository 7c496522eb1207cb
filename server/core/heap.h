/* SPDX-License-Identifier: Apache-2.0 */
/* heap.h -- deadlines in order: a binary heap of timers that live elsewhere.
 *
 * For the few that must fire to the millisecond: waits, and leases that
 * waiters hang on. Pure. */
#ifndef IDS_HEAP_H
#define IDS_HEAP_H

#include "server/core/budget.h"

typedef enum ids_timer_kind {
    IDS_TIMER_LEASE, /* at the same instant leases end before waits */
    IDS_TIMER_WAIT
} ids_timer_kind;

typedef struct ids_timer {
    uint64_t due_ms;
    uint64_t number; /* the earlier parked goes first */
    ids_timer_kind kind;
    uint32_t at; /* where it stands in the heap */
} ids_timer;

/* What timers are compared by stands in the heap: of those that are passed on
 * the way up or down, none is looked at. */
typedef struct ids_heap_place {
    uint64_t due_ms;
    uint64_t order; /* among those that are due together */
    ids_timer *timer;
} ids_heap_place;

typedef struct ids_heap {
    ids_budget *budget;
    ids_heap_place *places;
    uint32_t count;
    uint32_t capacity;
} ids_heap;

void ids_heap_init(ids_heap *heap, ids_budget *budget);
void ids_heap_fini(ids_heap *heap);

/* Makes room for count more; ids_heap_add can't fail within it. */
bool ids_heap_reserve(ids_heap *heap, uint32_t count);
void ids_heap_add(ids_heap *heap, ids_timer *timer);
void ids_heap_remove(ids_heap *heap, ids_timer *timer);

/* Call it after changing the timer's due_ms. */
void ids_heap_moved(ids_heap *heap, ids_timer *timer);

/* The next to fire; NULL when there is none. */
ids_timer *ids_heap_first(const ids_heap *heap);

#endif
