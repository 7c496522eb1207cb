/* SPDX-License-Identifier: Apache-2.0 */
/* calls.h -- calls under way on one connection, found again by msgid.
 *
 * Intrusive: the entries are their owner's memory, so that entering a call
 * never fails. Pure. Whoever shares a table between threads locks it. */
#ifndef IDEM_CALLS_H
#define IDEM_CALLS_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/terms.h"

typedef struct idem__op {
    struct idem__op *chain;       /* the next one in its bucket */
    struct idem__op *prev, *next; /* in the order of entering */
    uint64_t deadline_ms;
    uint64_t begin_at; /* where its bytes begin in all that was queued */
    uint32_t msgid;
    idp_method method;
    bool pending; /* is in a table */
} idem__op;

/* What only a primary answers, and once the change is safe. */
static inline bool idem__is_change(idp_method method) {
    return method == IDP_ACQUIRE || method == IDP_COMPLETE ||
           method == IDP_RELEASE || method == IDP_RENEW;
}

#define IDEM__BUCKETS_FIRST 64u

typedef struct idem__calls {
    idem__op **buckets; /* first_buckets, or allocated */
    uint32_t mask;
    uint32_t count;
    uint32_t last_msgid;
    idem__op *first, *last;
    uint64_t next_ms; /* no deadline is earlier; UINT64_MAX when empty */
    idem__op *first_buckets[IDEM__BUCKETS_FIRST];
} idem__calls;

void idem__calls_init(idem__calls *calls);

/* Frees the buckets; no call may be under way. */
void idem__calls_fini(idem__calls *calls);

/* A msgid that no call under way has, and never 0: with that one the server
 * speaks of the connection. It comes round after 2^32 calls, so that
 * a late reply finds nobody. */
uint32_t idem__calls_draw(idem__calls *calls);

/* op->msgid and op->deadline_ms are set. */
void idem__calls_enter(idem__calls *calls, idem__op *op);

/* NULL when there is none: its call has timed out. */
idem__op *idem__calls_find(const idem__calls *calls, uint32_t msgid);
void idem__calls_remove(idem__calls *calls, idem__op *op);

/* Removes and returns one whose deadline has come; NULL when there is none,
 * and next_ms is exact again. */
idem__op *idem__calls_take_due(idem__calls *calls, uint64_t now_ms);

/* How long a host may sleep until then, as poll takes it: -1 for ever. */
static inline int32_t idem__sleep_ms(uint64_t next_ms, uint64_t now_ms) {
    if (next_ms == UINT64_MAX)
        return -1;
    if (next_ms <= now_ms)
        return 0;
    return next_ms - now_ms > INT32_MAX ? INT32_MAX
                                        : (int32_t)(next_ms - now_ms);
}

#endif
