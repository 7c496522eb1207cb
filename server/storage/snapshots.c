/* SPDX-License-Identifier: Apache-2.0 */
/* snapshots.c -- see snapshots.h. */
#include "server/storage/snapshots.h"

#include "server/worker.h"

#include <assert.h>
#include <stdio.h>

#define ORDER_EVERY_MS 1000

static int64_t free_bytes(const ids_rounds *r) {
    return r->disk->free_bytes(r->disk->ctx);
}

/* A full copy that took the place of all records has begun the round that was
 * claimed for this order. */
static bool has_begun(const ids_snapshots *s) {
    return atomic_load(&s->rounds->count) != s->before;
}

/* However often it is ordered: a second between two. */
static void begin_ordered(ids_snapshots *s, ids_worker *worker) {
    if (!s->begin_ms || worker->now_ms < s->begin_ms)
        return;
    s->begin_ms = 0;
    s->began_ms = worker->now_ms;
    if (has_begun(s) || ids_rounds_begin(s->rounds))
        return;
    ids_orders_refuse(worker, s->ticket,
                      "the server is going down, and takes one anyway");
    s->ticket = 0;
}

/* The next try of one that was given up is due, and there is room: each try
 * begins another segment of every log. */
static void try_again(ids_rounds *r, ids_worker *worker) {
    uint64_t again_ms =
        atomic_load_explicit(&r->again_ms, memory_order_relaxed);
    worker->counters.of[IDS_SNAPSHOTS_GIVEN_UP_TOTAL] =
        atomic_load_explicit(&r->given_up_total, memory_order_relaxed);
    worker->counters.of[IDS_SNAPSHOT_WAITS] = again_ms != 0;
    if (again_ms == 0 || worker->now_ms < again_ms || atomic_load(&r->busy))
        return;
    int64_t room = free_bytes(r);
    uint64_t needed = IDS_DISK_RESERVE_BYTES + atomic_load(&r->parts_bytes);
    if (room >= 0 && (uint64_t)room < needed)
        atomic_store(&r->again_ms, worker->now_ms + IDS_SNAPSHOT_AGAIN_MS);
    else if (ids_rounds_claim(r))
        ids_rounds_begin(r);
}

static void answer_order(ids_snapshots *s, ids_worker *worker) {
    idp_order_answer answer;
    char why[IDS_ROUND_TEXT_BYTES];
    if (!ids_rounds_take_answer(s->rounds, &answer, why) || !s->ticket)
        return;
    answer.ms = worker->now_ms - s->ordered_ms;
    ids_orders_answer(worker, s->ticket, &answer);
    s->ticket = 0;
    s->begin_ms = 0; /* it was cancelled, if it had not begun */
}

void ids_snapshots_look(ids_snapshots *s, ids_worker *worker) {
    assert(worker->index == 0);
    answer_order(s, worker);
    begin_ordered(s, worker);
    try_again(s->rounds, worker);
}

uint64_t ids_snapshots_next_ms(const ids_snapshots *s) {
    const ids_rounds *r = s->rounds;
    uint64_t again_ms =
        atomic_load_explicit(&r->again_ms, memory_order_relaxed);
    uint64_t next_ms = s->begin_ms ? s->begin_ms : UINT64_MAX;
    if (again_ms == 0 || atomic_load(&r->busy))
        return next_ms; /* whoever is busy wakes loop 0 when it is not */
    return again_ms < next_ms ? again_ms : next_ms;
}

/* An order ----------------------------------------------------------------- */

static void refuse_full(ids_worker *worker, ids_ticket ticket, uint64_t room) {
    char text[160];
    snprintf(text, sizeof text,
             "the disk has no room for it: %llu bytes are free, and the last "
             "%llu are not for snapshots",
             (unsigned long long)room,
             (unsigned long long)IDS_DISK_RESERVE_BYTES);
    ids_orders_refuse(worker, ticket, text);
}

static void take_order(void *ctx, ids_worker *worker,
                       const ids_order_request *request) {
    ids_snapshots *s = ctx;
    ids_ticket ticket = request->ticket;
    int64_t room = free_bytes(s->rounds);
    assert(request->order == IDP_SNAPSHOT);
    if (room >= 0 && (uint64_t)room < IDS_DISK_RESERVE_BYTES) {
        refuse_full(worker, ticket, (uint64_t)room);
        return;
    }
    if (!ids_rounds_claim(s->rounds)) {
        ids_orders_refuse(worker, ticket,
                          "a snapshot is under way; ask again when it is "
                          "through");
        return;
    }
    ids_snapshots_look(s, worker); /* what came of one that nobody ordered */
    assert(!s->ticket && !s->begin_ms);
    s->ticket = ticket;
    s->before = atomic_load(&s->rounds->count);
    s->ordered_ms = worker->now_ms;
    s->begin_ms = s->began_ms ? s->began_ms + ORDER_EVERY_MS : worker->now_ms;
    begin_ordered(s, worker);
}

ids_order_taker ids_snapshots_taker(ids_snapshots *s) {
    return (ids_order_taker){.ctx = s, .begin = take_order};
}
