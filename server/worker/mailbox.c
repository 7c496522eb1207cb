/* SPDX-License-Identifier: Apache-2.0 */
/* mailbox.c -- a bounded queue, many senders, one taker, no lock.
 *
 * Cell i starts with turn i. A sender claims position p by moving head from p
 * to p + 1 while cell p & mask has turn p; it then writes the batch and sets
 * turn to p + 1. The taker at position p waits for turn p + 1, reads, and sets
 * turn to p + cells: the cell's next round.
 *
 * Sleeping is Dekker's: the owner writes asleep and then reads the next
 * cell's turn; a sender writes the turn and then reads asleep. All four are
 * sequentially consistent, so one of the two sees the other. */
#include "server/worker/mailbox.h"

#include <assert.h>
#include <stdlib.h>

bool ids_mailbox_init(ids_mailbox *box, size_t batches_max) {
    size_t cells = 2;
    while (cells < batches_max)
        cells *= 2;
    box->cells = calloc(cells, sizeof *box->cells);
    if (!box->cells)
        return false;
    for (size_t i = 0; i < cells; i++)
        atomic_init(&box->cells[i].turn, i);
    box->mask = cells - 1;
    box->tail = 0;
    atomic_init(&box->head, 0);
    atomic_init(&box->asleep, false);
    atomic_init(&box->bytes, 0);
    atomic_init(&box->turned_ms, 0);
    return true;
}

void ids_mailbox_fini(ids_mailbox *box) {
    ids_message_batch *batch;
    while ((batch = ids_mailbox_take(box)))
        ids_message_batch_free(batch);
    free(box->cells);
    box->cells = NULL;
}

bool ids_mailbox_post(ids_mailbox *box, ids_message_batch *batch, bool *wake) {
    *wake = false;
    size_t at = atomic_load_explicit(&box->head, memory_order_relaxed);
    ids_mailbox_cell *cell;
    for (;;) {
        cell = &box->cells[at & box->mask];
        size_t turn = atomic_load_explicit(&cell->turn, memory_order_acquire);
        ptrdiff_t ahead = (ptrdiff_t)(turn - at);
        if (ahead < 0)
            return false;
        if (ahead == 0 && atomic_compare_exchange_weak_explicit(
                              &box->head, &at, at + 1, memory_order_relaxed,
                              memory_order_relaxed))
            break;
        if (ahead > 0)
            at = atomic_load_explicit(&box->head, memory_order_relaxed);
    }
    atomic_fetch_add_explicit(&box->bytes, batch->message.len,
                              memory_order_relaxed);
    cell->batch = batch;
    atomic_store(&cell->turn, at + 1);
    *wake = atomic_load(&box->asleep) && atomic_exchange(&box->asleep, false);
    return true;
}

ids_message_batch *ids_mailbox_take(ids_mailbox *box) {
    ids_mailbox_cell *cell = &box->cells[box->tail & box->mask];
    size_t turn = atomic_load_explicit(&cell->turn, memory_order_acquire);
    if (turn != box->tail + 1)
        return NULL;
    ids_message_batch *batch = cell->batch;
    atomic_store_explicit(&cell->turn, box->tail + box->mask + 1,
                          memory_order_release);
    box->tail++;
    atomic_fetch_sub_explicit(&box->bytes, batch->message.len,
                              memory_order_relaxed);
    return batch;
}

bool ids_mailbox_sleep(ids_mailbox *box) {
    atomic_store(&box->asleep, true);
    const ids_mailbox_cell *cell = &box->cells[box->tail & box->mask];
    if (atomic_load(&cell->turn) != box->tail + 1)
        return true;
    ids_mailbox_awake(box);
    return false;
}

void ids_mailbox_awake(ids_mailbox *box) {
    atomic_store_explicit(&box->asleep, false, memory_order_relaxed);
}

size_t ids_mailbox_bytes(const ids_mailbox *box) {
    return atomic_load_explicit(&box->bytes, memory_order_relaxed);
}

ids_message_batch *ids_message_batch_new(void) {
    return calloc(1, sizeof(ids_message_batch));
}

void ids_message_batch_free(ids_message_batch *batch) {
    if (!batch)
        return;
    idp_bytes_free(&batch->message);
    free(batch);
}
