/* SPDX-License-Identifier: Apache-2.0 */
/* worker.c -- a worker's names, its messages and its counts; see worker.h. */
#include "server/worker/worker.h"

#include "server/base/log.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* An asker is loop, slot and generation, in this order. */
#define SLOT_BITS        22
#define GENERATION_BITS  32
#define SLOTS_MAX        (1u << SLOT_BITS)
#define NO_SLOT          UINT32_MAX
/* A batch that grew larger than this is not kept for the next time. */
#define BATCH_BYTES_KEPT (256u << 10)
/* So many calls a ms are more than somebody who looks whether it is there. */
#define ASKED_A_MS       5u
#define ASKED_MS         10
/* Percent of the time: who comes meets another's turn as often. */
#define BUSY_LOW         75u
#define BUSY_HIGH        90u
#define PIECES_A_MS_MAX  3u

static_assert(IDP_SHARDS_MAX <= 1u << (64 - SLOT_BITS - GENERATION_BITS),
              "a loop's index fits into an asker");
static_assert(IDP_SHARDS_MAX <= 1u << (64 - IDP_SEQUENCE_BITS),
              "and before a token's sequence");

uint64_t ids_worker_sequence(uint32_t index) {
    return (uint64_t)index << IDP_SEQUENCE_BITS;
}

ids_asker ids_worker_asker(uint32_t index) {
    return (ids_asker)index << (SLOT_BITS + GENERATION_BITS);
}

bool ids_worker_init(ids_worker *worker, const ids_server *server,
                     uint32_t index, const ids_worker_driver *driver) {
    assert(index < server->loops);
    worker->server = server;
    worker->index = index;
    worker->driver = *driver;
    worker->slots.free = NO_SLOT;
    worker->buffers.bytes_max = server->buffer_bytes_max;
    worker->measures.asked = IDS_ASKED_NOTHING;
    worker->post.to = calloc(server->loops, sizeof(ids_message_batch *));
    worker->post.loops = calloc(server->loops, sizeof(uint32_t));
    worker->gate.message = calloc(server->loops, sizeof *worker->gate.message);
    return worker->post.to && worker->post.loops && worker->gate.message;
}

static void free_post(ids_post *post, uint32_t loops) {
    for (uint32_t i = 0; post->to && i < loops; i++)
        ids_message_batch_free(post->to[i]);
    while (post->spares)
        ids_message_batch_free(post->spare[--post->spares]);
    free(post->loops);
    free(post->to);
}

void ids_worker_fini(ids_worker *worker) {
    ids_audited_fini(worker);
    assert(worker->counters.of[IDS_CONNECTIONS] == 0);
    free_post(&worker->post, worker->server->loops);
    ids_commit_wait_fini(&worker->gate, worker->server->loops);
    ids_buffers_fini(&worker->buffers);
    idp_bytes_free(&worker->woken.others);
    ids_change_buffer_fini(&worker->change_buffer);
    ids_events_fini(&worker->events);
    ids_pools_free_shard(worker->server->pools, worker->shard);
    free(worker->slots.all);
}

/* Connections -------------------------------------------------------------- */

static bool grow_slots(ids_slots *slots) {
    uint32_t cap = slots->cap ? slots->cap * 2 : 64;
    if (cap > SLOTS_MAX)
        return false;
    ids_slot *all = realloc(slots->all, cap * sizeof *all);
    if (!all)
        return false;
    memset(all + slots->cap, 0, (cap - slots->cap) * sizeof *all);
    slots->all = all;
    slots->cap = cap;
    return true;
}

bool ids_worker_name(ids_worker *worker, ids_conn *conn) {
    ids_slots *slots = &worker->slots;
    uint32_t at = slots->free;
    if (at != NO_SLOT) {
        slots->free = slots->all[at].next_free;
    } else {
        if (slots->used == slots->cap && !grow_slots(slots))
            return false;
        at = slots->used++;
    }
    assert(!slots->all[at].conn);
    slots->all[at].conn = conn;
    conn->slot = at;
    if (!conn->opened_ms)
        conn->opened_ms = worker->now_ms;
    conn->asker = ids_worker_asker(worker->index) |
                  (ids_asker)at << GENERATION_BITS | slots->all[at].generation;
    return true;
}

void ids_worker_unname(ids_worker *worker, ids_conn *conn) {
    ids_slot *slot = &worker->slots.all[conn->slot];
    assert(slot->conn == conn);
    slot->conn = NULL;
    slot->generation++;
    slot->next_free = worker->slots.free;
    worker->slots.free = conn->slot;
}

ids_conn *ids_worker_find(const ids_worker *worker, ids_asker asker) {
    uint32_t at = (uint32_t)(asker >> GENERATION_BITS) & (SLOTS_MAX - 1);
    if (ids_asker_loop(asker) != worker->index || at >= worker->slots.used ||
        worker->slots.all[at].generation != (uint32_t)asker)
        return NULL;
    return worker->slots.all[at].conn;
}

void ids_worker_unmark(ids_worker *worker, ids_conn *conn) {
    if (!conn->dirty)
        return;
    conn->dirty = false;
    ids_list_remove(&worker->dirty, &conn->in_dirty);
}

void ids_worker_mark(ids_worker *worker, ids_conn *conn) {
    if (conn->dirty)
        return;
    conn->dirty = true;
    ids_list_append(&worker->dirty, &conn->in_dirty);
}

ids_conn *ids_worker_next_dirty(ids_worker *worker) {
    ids_conn *conn = IDS_LIST_FIRST(ids_conn, in_dirty, &worker->dirty);
    if (!conn || !ids_worker_may(worker, IDS_WORK_SEND))
        return NULL;
    ids_worker_unmark(worker, conn);
    return conn;
}

/* Messages ----------------------------------------------------------------- */

ids_message_batch *ids_worker_batch(ids_worker *worker, uint32_t loop) {
    ids_post *post = &worker->post;
    if (post->to[loop])
        return post->to[loop];
    ids_message_batch *batch =
        post->spares ? post->spare[--post->spares] : ids_message_batch_new();
    if (batch) {
        post->to[loop] = batch;
        post->loops[post->count++] = loop;
    }
    return batch;
}

ids_message_batch *ids_worker_reply_batch(ids_worker *worker, uint32_t loop,
                                          ids_showing shows) {
    if (!ids_commit_gate_holds(&worker->gate, shows))
        return ids_worker_batch(worker, loop);
    return ids_commit_wait_reserve(&worker->gate)
               ? &worker->gate.message[loop].batch
               : NULL;
}

void ids_worker_messaged(ids_worker *worker, uint32_t loop,
                         const ids_message_batch *batch, size_t before) {
    if (batch != &worker->gate.message[loop].batch)
        return;
    const ids_commit_wait mark = {
        .asker = ids_worker_asker(loop),
        .number = worker->gate.changes,
        .since_ms = worker->now_ms,
        .since_us = ids_measures_us(&worker->measures),
        .bytes = (uint32_t)(batch->message.len - before),
        .kind = IDS_COMMIT_WAIT_MESSAGE};
    ids_commit_wait_push(&worker->gate, &mark);
}

bool ids_worker_post(ids_worker *worker) {
    ids_post *post = &worker->post;
    uint32_t left = 0;
    for (uint32_t i = 0; i < post->count; i++) {
        uint32_t loop = post->loops[i];
        bool wake;
        if (!ids_mailbox_post(&worker->server->mailboxes[loop], post->to[loop],
                              &wake)) {
            post->loops[left++] = loop;
            continue;
        }
        post->to[loop] = NULL;
        worker->counters.of[IDS_MESSAGE_BATCHES_TOTAL]++;
        if (wake)
            worker->server->wake(worker->server->wake_ctx, loop);
    }
    post->count = left;
    return left == 0;
}

void ids_worker_recycle(ids_worker *worker, ids_message_batch *batch) {
    ids_post *post = &worker->post;
    if (post->spares == IDS_SPARE_BATCHES ||
        batch->message.cap > BATCH_BYTES_KEPT) {
        ids_message_batch_free(batch);
        return;
    }
    batch->message.len = 0;
    post->spare[post->spares++] = batch;
}

bool ids_worker_message_word(ids_worker *worker, uint32_t loop,
                             ids_message_kind kind, uint64_t word) {
    const ids_message message = {.word = word, .kind = (uint8_t)kind};
    ids_message_batch *batch = ids_worker_batch(worker, loop);
    return batch && ids_message_append(batch, &message, NULL);
}

void ids_worker_tell_others(ids_worker *worker, ids_notice notice) {
    for (uint32_t loop = 0; loop < worker->server->loops; loop++)
        if (loop != worker->index &&
            !ids_worker_message_word(worker, loop, IDS_MESSAGE_NOTICE,
                                     (uint64_t)notice))
            ids_log(IDS_LOG_ERROR, "notice lost: out of memory", NULL);
}

/* Counts ------------------------------------------------------------------- */

bool ids_worker_is_asked(ids_worker *worker) {
    ids_pace *pace = &worker->pace;
    uint64_t asked = ids_worker_asked(worker);
    uint64_t ms = worker->now_ms - pace->since_ms;
    if (ms < ASKED_MS)
        return pace->is_high;
    pace->is_high = asked - pace->seen >= ASKED_A_MS * ms;
    pace->seen = asked;
    pace->since_ms = worker->now_ms;
    uint64_t busy_ns = worker->measures.turn.sum_ns;
    pace->busy_percent = (uint32_t)((busy_ns - pace->busy_ns) / (ms * 10000));
    pace->busy_ns = busy_ns;
    return pace->is_high;
}

static uint32_t pieces_a_ms(const ids_worker *worker) {
    uint32_t busy = worker->pace.busy_percent;
    return busy < BUSY_LOW    ? PIECES_A_MS_MAX
           : busy < BUSY_HIGH ? PIECES_A_MS_MAX - 1
                              : 1;
}

bool ids_worker_has_piece(const ids_worker *worker, const ids_pieces *pieces) {
    return pieces->at_ms < worker->now_ms ||
           pieces->count < pieces_a_ms(worker);
}

void ids_worker_take_piece(const ids_worker *worker, ids_pieces *pieces) {
    if (pieces->at_ms < worker->now_ms)
        *pieces = (ids_pieces){.at_ms = worker->now_ms};
    pieces->count++;
}

/* What has come or is about to leave, and is in no other count. */
static size_t message_bytes(const ids_worker *worker) {
    const ids_server *server = worker->server;
    size_t bytes = ids_mailbox_bytes(&server->mailboxes[worker->index]);
    for (uint32_t i = 0; i < server->loops; i++) {
        bytes += worker->post.to[i] ? worker->post.to[i]->message.len : 0;
        bytes += worker->gate.message[i].batch.message.len -
                 worker->gate.message[i].at;
    }
    return bytes;
}

void ids_worker_count(const ids_worker *worker, ids_counters *counters) {
    ids_shard_stats stats;
    ids_shard_stats_get(worker->shard, &stats);
    *counters = worker->counters;
    uint64_t *of = counters->of;
    if (worker->index == 0) { /* the process's */
        of[IDS_LOG_LINES_LOST_TOTAL] = ids_log_lost();
        of[IDS_LOG_LINES_HELD_TOTAL] = ids_log_held_back();
    }
    of[IDS_BUFFERED_BYTES] = worker->buffers.bytes + message_bytes(worker);
    of[IDS_REPLIES_IN_COMMIT_WAIT] = worker->gate.replies;
    of[IDS_RECORDS] = stats.records;
    of[IDS_WAITERS] = stats.waiters;
    of[IDS_MEMORY_BYTES] = stats.memory_bytes;
    if (worker->index == 0 || !worker->server->pools)
        of[IDS_MEMORY_BYTES_MAX] = stats.memory_bytes_max;
    of[IDS_CHANGES_TOTAL] =
        worker->gate.changes ? worker->gate.changes : stats.changes;
    if (worker->journal)
        of[IDS_CHANGES_UNSYNCED] = ids_journal_taken(worker->journal) -
                                   ids_journal_durable(worker->journal);
    of[IDS_EXPIRED_TOTAL] = stats.expired;
    of[IDS_RESULTS_DROPPED_TOTAL] = stats.results_dropped;
    for (int i = 0; i < IDP_OUTCOME_COUNT; i++)
        of[IDS_OUTCOME_ACQUIRED_TOTAL + i] = stats.outcomes[i];
    if (worker->staging.staged) {
        ids_shard_stats_get(worker->staging.staged, &stats);
        of[IDS_MEMORY_BYTES] += stats.memory_bytes;
    }
}
