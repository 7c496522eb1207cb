/* SPDX-License-Identifier: Apache-2.0 */
/* snapshots.c -- see snapshots.h. */
#include "server/storage/snapshots.h"

#include "server/worker/worker.h"

#include <assert.h>
#include <stdio.h>

#define COMMAND_EVERY_MS 1000
/* A backup waits for a round that is under way, and looks that often. */
#define LOOK_MS          100

static int64_t room_on_disk(const ids_rounds *r) {
    return r->disk->free_bytes(r->disk->ctx);
}

/* A full copy that took the place of all records has begun the round that was
 * claimed for this command. */
static bool has_begun(const ids_snapshots *s) {
    return atomic_load(&s->rounds->count) != s->before;
}

static void end_command(ids_snapshots *s) {
    if (s->is_backup)
        ids_backup_want(s->backup, 0);
    s->id = 0;
    s->begin_ms = 0; /* it was cancelled, if it had not begun */
    s->is_backup = s->waits = false;
}

/* However often it is ordered: a second between two. */
static void begin_ordered(ids_snapshots *s, ids_worker *worker) {
    if (!s->begin_ms || worker->now_ms < s->begin_ms)
        return;
    s->begin_ms = 0;
    s->began_ms = worker->now_ms;
    if (s->is_backup)
        ids_backup_want(s->backup, s->before + 1);
    bool begun = has_begun(s);
    if (begun && s->is_backup)
        ids_command_refuse(worker, s->id,
                           "another node's records took the place of all; ask "
                           "the primary");
    else if (begun || ids_rounds_begin(s->rounds))
        return;
    else
        ids_command_refuse(worker, s->id,
                           "the server is going down, and takes one anyway");
    end_command(s);
}

/* Its round is the command's: it begins now, or a second after the last one. */
static void order(ids_snapshots *s, ids_worker *worker) {
    idp_command_answer old;
    char why[IDS_ROUND_TEXT_BYTES];
    ids_rounds_take_answer(s->rounds, &old, why); /* of one nobody ordered */
    s->waits = false;
    s->before = atomic_load(&s->rounds->count);
    s->begin_ms = s->began_ms ? s->began_ms + COMMAND_EVERY_MS : worker->now_ms;
    begin_ordered(s, worker);
}

static void try_waiting(ids_snapshots *s, ids_worker *worker) {
    if (!s->waits)
        return;
    s->look_ms = worker->now_ms + LOOK_MS;
    if (ids_rounds_claim(s->rounds))
        order(s, worker);
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
    int64_t room = room_on_disk(r);
    uint64_t needed = IDS_DISK_RESERVE_BYTES + atomic_load(&r->parts_bytes);
    if (room >= 0 && (uint64_t)room < needed)
        atomic_store(&r->again_ms, worker->now_ms + IDS_SNAPSHOT_AGAIN_MS);
    else if (ids_rounds_claim(r))
        ids_rounds_begin(r);
}

static void answer_snapshot(ids_snapshots *s, ids_worker *worker) {
    idp_command_answer answer;
    char why[IDS_ROUND_TEXT_BYTES];
    if (!ids_rounds_take_answer(s->rounds, &answer, why) || !s->id || s->waits)
        return;
    if (s->is_backup && answer.outcome == IDP_COMMAND_SNAPSHOT)
        return; /* of a round after its own */
    answer.ms = worker->now_ms - s->ordered_ms;
    ids_command_answer(worker, s->id, &answer);
    end_command(s);
}

void ids_snapshots_look(ids_snapshots *s, ids_worker *worker) {
    assert(worker->index == 0);
    answer_snapshot(s, worker);
    begin_ordered(s, worker);
    try_waiting(s, worker);
    try_again(s->rounds, worker);
}

uint64_t ids_snapshots_next_ms(const ids_snapshots *s) {
    const ids_rounds *r = s->rounds;
    uint64_t again_ms =
        atomic_load_explicit(&r->again_ms, memory_order_relaxed);
    uint64_t next_ms = s->begin_ms ? s->begin_ms : UINT64_MAX;
    if (s->waits && s->look_ms < next_ms)
        next_ms = s->look_ms;
    if (again_ms == 0 || atomic_load(&r->busy))
        return next_ms; /* whoever is busy wakes loop 0 when it is not */
    return again_ms < next_ms ? again_ms : next_ms;
}

/* A command ---------------------------------------------------------------- */

static void refuse_full(ids_worker *worker, ids_command_id id, uint64_t room) {
    char text[160];
    snprintf(text, sizeof text,
             "the disk has no room for it: %llu bytes are free, and the last "
             "%llu are not for snapshots",
             (unsigned long long)room,
             (unsigned long long)IDS_DISK_RESERVE_BYTES);
    ids_command_refuse(worker, id, text);
}

static void begin_command(ids_snapshots *s, ids_worker *worker,
                          ids_command_id id) {
    s->id = id;
    s->ordered_ms = worker->now_ms;
}

/* A replica has what it was sent; what was acknowledged may not have come. */
static bool may_back_up(ids_snapshots *s, const ids_worker *worker,
                        const ids_command_request *request, char *why,
                        size_t why_cap) {
    if (worker->role_state.role == IDS_FOLLOWS) {
        snprintf(
            why, why_cap,
            "this server is a replica: what was acknowledged may be on its "
            "way here; ask the primary");
        return false;
    }
    return ids_backup_name(s->backup, request->node_name, why, why_cap);
}

static void take_backup(ids_snapshots *s, ids_worker *worker,
                        const ids_command_request *request) {
    char why[200];
    assert(s->backup);
    if (!may_back_up(s, worker, request, why, sizeof why)) {
        ids_command_refuse(worker, request->id, why);
        return;
    }
    begin_command(s, worker, request->id);
    s->is_backup = true;
    s->waits = true;
    ids_snapshots_look(s, worker);
}

static void take_snapshot(ids_snapshots *s, ids_worker *worker,
                          const ids_command_request *request) {
    if (!ids_rounds_claim(s->rounds)) {
        ids_command_refuse(worker, request->id,
                           "a snapshot is under way; ask again when it is "
                           "through");
        return;
    }
    assert(!s->begin_ms);
    begin_command(s, worker, request->id);
    order(s, worker);
}

static void take_snapshot_command(void *ctx, ids_worker *worker,
                                  const ids_command_request *request) {
    ids_snapshots *s = ctx;
    int64_t room = room_on_disk(s->rounds);
    if (room >= 0 && (uint64_t)room < IDS_DISK_RESERVE_BYTES)
        refuse_full(worker, request->id, (uint64_t)room);
    else if (s->id)
        ids_command_refuse(worker, request->id,
                           s->is_backup ? "a backup is under way; ask again "
                                          "when it is through"
                                        : "a snapshot is under way; ask again "
                                          "when it is through");
    else if (request->command == IDP_BACKUP)
        take_backup(s, worker, request);
    else
        take_snapshot(s, worker, request);
}

ids_command_handler ids_snapshots_handler(ids_snapshots *s) {
    return (ids_command_handler){.ctx = s, .begin = take_snapshot_command};
}
