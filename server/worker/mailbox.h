/* SPDX-License-Identifier: Apache-2.0 */
/* mailbox.h -- the only thing that threads share: one per loop.
 *
 * A bounded queue with many senders and one taker, without a lock, and the
 * flag that says whether the taker sleeps. What travels are batches: a
 * batch is filled by one loop over a whole wake-up, posted once, and then
 * belongs to the loop that takes it. */
#ifndef IDS_MAILBOX_H
#define IDS_MAILBOX_H

#include "proto/bytes.h"

#include <stdatomic.h>

typedef struct ids_message_batch {
    idp_bytes message; /* see message.h */
} ids_message_batch;

typedef struct ids_mailbox_cell {
    atomic_size_t turn; /* whose turn this cell is: see mailbox.c */
    ids_message_batch *batch;
} ids_mailbox_cell;

typedef struct ids_mailbox {
    /* Lines of the cache: what never changes, what senders write, what the
     * taker writes for itself, what it writes for the senders. */
    _Alignas(64) ids_mailbox_cell *cells;
    size_t mask;
    _Alignas(64) atomic_size_t head; /* the next cell to be filled */
    atomic_size_t bytes;             /* of messages under way, roughly */
    _Alignas(64) size_t tail;        /* the next cell to be taken */
    _Alignas(64) atomic_bool asleep;
    atomic_uint_least64_t turned_ms; /* its last turn began; 0: none has */
} ids_mailbox;

/* batches_max is rounded up to a power of two. False: out of memory. */
bool ids_mailbox_init(ids_mailbox *box, size_t batches_max);

/* Frees the batches that were never taken too. No thread may still post. */
void ids_mailbox_fini(ids_mailbox *box);

/* Any thread. False: the box is full, the batch is still the caller's. *wake
 * is set when the taker sleeps and this call is the one to wake it. */
bool ids_mailbox_post(ids_mailbox *box, ids_message_batch *batch, bool *wake);

/* The owner only. NULL: nothing there. */
ids_message_batch *ids_mailbox_take(ids_mailbox *box);

/* The owner only: is about to sleep. False: messages have come, don't. After
 * true, a post asks its sender to wake the owner. */
bool ids_mailbox_sleep(ids_mailbox *box);

/* The owner only: is awake; senders need not wake it. */
void ids_mailbox_awake(ids_mailbox *box);

/* The owner only: a turn begins at this time, for who asks when its last one
 * did. Any thread may; 0: there was none. */
static inline void ids_mailbox_turn(ids_mailbox *box, uint64_t now_ms) {
    atomic_store_explicit(&box->turned_ms, now_ms, memory_order_relaxed);
}
static inline uint64_t ids_mailbox_turned_ms(const ids_mailbox *box) {
    return atomic_load_explicit(&box->turned_ms, memory_order_relaxed);
}

/* Bytes posted and not yet taken. Any thread; a moment old. */
size_t ids_mailbox_bytes(const ids_mailbox *box);

ids_message_batch *ids_message_batch_new(void);
void ids_message_batch_free(ids_message_batch *batch);

#endif
