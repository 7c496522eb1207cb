/* SPDX-License-Identifier: Apache-2.0 */
/* patience.h -- a log that can't go on in its next segment yet, for want of
 * descriptors or of room: its thread waits, and says so.
 *
 * Not while others wait for that thread: then the process would not end, or
 * all loops would stand still. */
#ifndef IDS_PATIENCE_H
#define IDS_PATIENCE_H

#include "server/journal/fault.h"

#include <stdatomic.h>

typedef struct ids_patience {
    atomic_bool goes_on;
    atomic_bool waits;  /* its thread does, or has not gone on since */
    uint64_t logged_ms; /* the waiting thread's */
} ids_patience;

/* Any thread. */
void ids_patience_set(ids_patience *patience, bool goes_on);

/* The waiting thread has gone on. */
void ids_patience_over(ids_patience *patience);

/* Waits a little; false: not any more. ctx: the patience. */
bool ids_patience_wait(void *ctx, const ids_fault *fault);

#endif
