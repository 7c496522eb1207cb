/* SPDX-License-Identifier: Apache-2.0 */
/* quiesce.h -- rare steps that all workers take at once: who stands still, as
 * numbers.
 *
 * The first worker asks, every other one parks at the next point where it
 * looks: between two events, holding nothing. Once all are parked or have
 * ended, the first may touch what belongs to them; then it lets them go on, and
 * waits for all to be on their way: none may take the next one for this.
 *
 * Who waits how is the driver's: a lock stands around these calls, but for the
 * look at asked. */
#ifndef IDS_NODE_QUIESCE_H
#define IDS_NODE_QUIESCE_H

#include "server/peer/mutant.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct ids_quiesce {
    atomic_bool asked;
    uint32_t others; /* workers besides the first that have not ended */
    uint32_t parked;
} ids_quiesce;

static inline void ids_quiesce_init(ids_quiesce *q, uint32_t others) {
    atomic_init(&q->asked, false);
    q->others = others;
    q->parked = 0;
}

/* The first worker. */
static inline void ids_quiesce_ask(ids_quiesce *q) {
    assert(q->parked == 0);
    atomic_store_explicit(&q->asked, true, memory_order_release);
}

static inline bool ids_quiesce_is_whole(const ids_quiesce *q) {
    return q->parked == q->others;
}

/* Whether the step may be taken. */
static inline bool ids_quiesce_is_reached(const ids_quiesce *q) {
    return ids_quiesce_is_whole(q) ||
           (IDS_RULE_OFF(QUIESCE_WHOLE) && q->parked + 1 == q->others);
}

static inline void ids_quiesce_end(ids_quiesce *q) {
    atomic_store_explicit(&q->asked, false, memory_order_release);
}

/* Whether the first goes on, too. */
static inline bool ids_quiesce_is_over(const ids_quiesce *q) {
    return q->parked == 0;
}

/* Another one: has it to park? Any thread, without the lock. */
static inline bool ids_quiesce_is_asked(const ids_quiesce *q) {
    return atomic_load_explicit(&q->asked, memory_order_acquire);
}

static inline void ids_quiesce_park(ids_quiesce *q) {
    q->parked++;
    assert(q->parked <= q->others);
}

static inline void ids_quiesce_go_on(ids_quiesce *q) {
    assert(q->parked > 0 && !ids_quiesce_is_asked(q));
    q->parked--;
}

/* It ends, and parks no more. */
static inline void ids_quiesce_leave(ids_quiesce *q) {
    assert(q->others > q->parked);
    q->others--;
}

#endif
