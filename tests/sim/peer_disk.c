/* SPDX-License-Identifier: Apache-2.0 */
/* peer_disk.c -- the medium under a worker's log: what a journal that is
 * synced before anything is answered brings back.
 *
 * A batch comes to it a little later. A crash keeps what is there, and perhaps
 * some more of the batch that was under way. A snapshot's blocks come in
 * between; once it is installed it counts with the log behind its beginning. */
#include "tests/sim/peer_world.h"

#include "server/core/receipt.h"
#include "server/journal/change.h"

#include <assert.h>
#include <stdlib.h>

#define SNAPSHOT_PERCENT 1

/* --- queues --------------------------------------------------------------- */

static pw_entry *entry_of(const ids_change *change) {
    pw_entry *e = malloc(sizeof *e + ids_change_write_bound(change));
    e->len = ids_change_write(e->bytes, change);
    return e;
}

static void queue_put(pw_queue *q, pw_entry *e) {
    e->next = NULL;
    if (q->first == NULL) {
        q->first = e;
    } else {
        q->last->next = e;
    }
    q->last = e;
}

static pw_entry *queue_pop(pw_queue *q) {
    pw_entry *e = q->first;
    if (e != NULL) {
        q->first = e->next;
    }
    return e;
}

static void queue_free(pw_queue *q) {
    for (pw_entry *e; (e = queue_pop(q)) != NULL;) {
        free(e);
    }
}

/* --- records on the medium ------------------------------------------------ */

static uint64_t hash_of(void *ctx, idp_slice ns, idp_slice key) {
    const pw_node *n = ctx;
    uint32_t owner;
    return ids_server_hash_record(&n->server, ns, key, &owner);
}

static ids_shard *make_shard(pw_node *n) {
    const ids_shard_config config = {.epoch = 1,
                                     .memory_bytes_max = 8u << 20,
                                     .result_bytes_max = PW_TEXT,
                                     .clock_cut_ms = pw_clock_cut_ms(n),
                                     .mem = pw_mem(),
                                     .hash = hash_of,
                                     .hash_ctx = n};
    ids_shard *shard = ids_shard_new(&config);
    if (shard != NULL) {
        ids_shard_tick(shard, pw_clock(n), 1);
        ids_shard_follow(shard); /* what lies there does not end */
    }
    return shard;
}

static void make_shards(pw_node *n, ids_shard **shards) {
    for (uint32_t k = 0; k < n->loops; k++) {
        shards[k] = make_shard(n);
    }
}

void pw_shards_free(pw_node *n, ids_shard **shards) {
    for (uint32_t k = 0; k < n->loops; k++) {
        ids_shard_free(shards[k]);
        shards[k] = NULL;
    }
}

static void put(pw_node *n, ids_shard *shard, const ids_change *change) {
    if (!ids_shard_put(
            shard, hash_of(n, ids_receipt_hashed_ns(change->ns), change->key),
            change, pw_clock(n))) {
        pw_fail(n->w, "I15: no memory for a record of a few bytes");
    }
}

static void put_entry(pw_node *n, ids_shard *shard, const pw_entry *e) {
    ids_change change;
    ids_change_read(e->bytes, e->len, &change);
    put(n, shard, &change);
}

typedef struct copying {
    pw_node *n;
    ids_shard *to;
} copying;

static void copy_one(void *ctx, const ids_change *change) {
    const copying *c = ctx;
    put(c->n, c->to, change);
}

static void copy_all(pw_node *n, ids_shard *from, uint64_t then,
                     ids_shard *to) {
    copying c = {n, to};
    uint64_t cursor = 0;
    while (ids_shard_walk(from, then, &cursor, 64, copy_one, &c)) {
    }
    ids_shard_walk_end(from);
}

/* then_ms: the clock of the one that is copied; the other's is that of now. */
void pw_disk_copy(pw_node *n, ids_shard *const *from, uint64_t then_ms,
                  ids_shard **to) {
    pw_shards_free(n, to);
    make_shards(n, to);
    for (uint32_t k = 0; k < n->loops; k++) {
        copy_all(n, from[k], then_ms, to[k]);
    }
}

/* --- batches -------------------------------------------------------------- */

static void write_change(pw_node *n, uint32_t k, const ids_change *change) {
    pw_log *log = &n->disk.log[k];
    if (n->disk.collects) {
        queue_put(&log->behind, entry_of(change));
    }
    if (!n->disk.replaced) {
        put(n, log->records, change);
    }
}

/* The first so many changes of frames with blank heads, one behind the
 * other. */
static void read_frames(const uint8_t *bytes, size_t len, uint32_t max,
                        void (*take)(pw_node *n, uint32_t k,
                                     const ids_change *change),
                        pw_node *n, uint32_t k) {
    for (size_t at = 0; at < len;) {
        ids_frame frame = ids_frame_of_blank(bytes + at);
        const uint8_t *body = bytes + at + IDS_FRAME_HEAD_BYTES;
        size_t done = 0;
        for (uint32_t i = 0; i < frame.count && max > 0; i++, max--) {
            ids_change change;
            size_t size =
                ids_change_read(body + done, frame.body_bytes - done, &change);
            assert(size > 0);
            done += size;
            take(n, k, &change);
        }
        at += ids_frame_bytes(frame.body_bytes);
    }
}

static ids_batch_done carry_out(pw_worker *worker, const ids_batch *batch) {
    pw_node *n = worker->n;
    uint32_t k = worker->ids->index;
    pw_log *log = &n->disk.log[k];
    if (batch->cut) {
        queue_free(&log->behind);
    }
    read_frames(batch->bytes, batch->len, UINT32_MAX, write_change, n, k);
    log->synced = batch->last;
    return (ids_batch_done){.written = batch->last,
                            .durable = batch->last,
                            .cut = {.segment = 1, .number = batch->last},
                            .free_bytes = UINT64_MAX};
}

static void finish_batch(pw_worker *worker) {
    worker->news.done = carry_out(worker, worker->batch);
    worker->news.batch_is_done = worker->has_news = true;
    worker->batch = NULL;
}

static void written(pw_world *w, int node, uint64_t index) {
    pw_worker *worker = &w->node[node].worker[index];
    if (worker->batch != NULL) {
        finish_batch(worker);
        pw_worker_wake(worker->n, (uint32_t)index);
    }
}

static void write_batch(void *ctx, const ids_batch *batch) {
    pw_worker *worker = ctx;
    pw_node *n = worker->n;
    worker->batch = batch;
    pw_later(n->w, 1 + pw_below(n->w, n->disk.wait_ms), written, n->index,
             worker->ids->index);
}

static ids_batch_done write_now(void *ctx, const ids_batch *batch) {
    return carry_out(ctx, batch);
}

/* --- snapshots ------------------------------------------------------------ */

static void keep_record(pw_node *n, uint32_t k, const ids_change *change) {
    queue_put(&n->disk.log[k].snapshot, entry_of(change));
}

static void install(pw_node *n) {
    pw_disk *disk = &n->disk;
    for (uint32_t k = 0; k < n->loops; k++) {
        pw_log *log = &disk->log[k];
        ids_shard *old = log->records;
        if (!disk->given_up) {
            log->records = make_shard(n);
            for (pw_entry *e = log->snapshot.first; e; e = e->next) {
                put_entry(n, log->records, e);
            }
            for (pw_entry *e = log->behind.first; e; e = e->next) {
                put_entry(n, log->records, e);
            }
            ids_shard_free(old);
        }
        queue_free(&log->snapshot);
        queue_free(&log->behind);
    }
    n->w->snapshots += !disk->given_up;
    disk->replaced = disk->replaced && disk->given_up;
    disk->collects = false;
}

static void finish_task(pw_worker *worker) {
    pw_node *n = worker->n;
    uint32_t k = worker->ids->index;
    ids_worker_log_task what = worker->task;
    const ids_snapshot_walk *walk = &worker->worker_log.walk;
    if (what == IDS_WORKER_LOG_WRITE) {
        read_frames(walk->block.ptr, walk->block.len, UINT32_MAX, keep_record,
                    n, k);
    } else if (what == IDS_WORKER_LOG_INSTALL) {
        install(n);
    }
    worker->task = IDS_WORKER_LOG_IDLE;
    worker->news.task_is_done = worker->has_news = true;
    worker->news.task_is_good = what != IDS_WORKER_LOG_GIVE_UP;
}

static void task_done(pw_world *w, int node, uint64_t index) {
    pw_worker *worker = &w->node[node].worker[index];
    if (worker->task != IDS_WORKER_LOG_IDLE) {
        finish_task(worker);
        pw_worker_wake(worker->n, (uint32_t)index);
    }
}

static void do_task(void *ctx, ids_worker_log_task task) {
    pw_worker *worker = ctx;
    pw_node *n = worker->n;
    worker->task = task;
    pw_later(n->w, 1 + pw_below(n->w, n->disk.wait_ms), task_done, n->index,
             worker->ids->index);
}

static bool take_news(void *ctx, ids_worker_log_news *news) {
    pw_worker *worker = ctx;
    bool has = worker->has_news;
    *news = worker->news;
    worker->news = (ids_worker_log_news){0};
    worker->has_news = false;
    return has;
}

static unsigned round_of(void *ctx) {
    const pw_worker *worker = ctx;
    return worker->n->disk.round;
}

static uint64_t grown(void *ctx) {
    (void)ctx;
    return 0;
}

static bool part_done(void *ctx, bool good, const ids_log_end *first,
                      const ids_log_end *end) {
    const pw_worker *worker = ctx;
    pw_disk *disk = &worker->n->disk;
    (void)first;
    (void)end;
    disk->given_up = disk->given_up || !good;
    return --disk->parts_left == 0;
}

static void fail(void *ctx) {
    const pw_worker *worker = ctx;
    pw_fail(worker->n->w, "I15: a journal has failed");
}

static void begin_round(pw_node *n) {
    pw_disk *disk = &n->disk;
    disk->collects = true;
    disk->given_up = false;
    disk->parts_left = n->loops;
    disk->round++;
    for (uint32_t k = 0; k < n->loops; k++) {
        queue_free(&disk->log[k].snapshot);
        pw_worker_wake(n, k);
    }
}

void pw_disk_maybe_snapshot(pw_node *n) {
    if (n->keeps && n->started && !n->disk.collects &&
        pw_chance(n->w, SNAPSHOT_PERCENT)) {
        begin_round(n);
    }
}

/* What was under way is done, and all workers stand still. */
static void finish_disk(pw_worker *worker) {
    do {
        if (worker->batch != NULL) {
            finish_batch(worker);
        }
        if (worker->task != IDS_WORKER_LOG_IDLE) {
            finish_task(worker);
        }
        ids_worker_log_take_news(&worker->worker_log);
    } while (worker->worker_log.under_way != IDS_WORKER_LOG_IDLE);
}

/* Another copy has taken this one's place. Until there is a snapshot of it a
 * start finds the old records, and takes a new incarnation. */
void pw_disk_replaced(pw_node *n) {
    if (!n->keeps) {
        return;
    }
    for (uint32_t k = 0; k < n->loops; k++) {
        finish_disk(&n->worker[k]);
    }
    for (uint32_t k = 0; k < n->loops; k++) {
        ids_worker_log_give_up(&n->worker[k].worker_log);
        ids_worker_log_begin_anew(&n->worker[k].worker_log);
    }
    n->disk.replaced = true;
    n->memory_is_old = false;
    begin_round(n);
}

/* --- their life ----------------------------------------------------------- */

bool pw_worker_logs_make(pw_node *n) {
    for (uint32_t k = 0; n->keeps && k < n->loops; k++) {
        pw_worker *worker = &n->worker[k];
        const ids_worker_log_config config = {.worker = worker->ids,
                                              .fsync = IDS_FSYNC_ALWAYS,
                                              .is_replicated = true,
                                              .now_ms = pw_clock(n),
                                              .free_bytes = UINT64_MAX,
                                              .driver = {.ctx = worker,
                                                         .write = write_batch,
                                                         .do_task = do_task,
                                                         .take_news = take_news,
                                                         .round = round_of,
                                                         .grown = grown,
                                                         .part_done = part_done,
                                                         .write_now = write_now,
                                                         .fail = fail}};
        n->disk.round = 0;
        if (!ids_worker_log_init(&worker->worker_log, &config)) {
            return false;
        }
        worker->turn.worker_log = &worker->worker_log;
    }
    return true;
}

/* --- a crash, and what comes back ----------------------------------------- */

void pw_disk_crash(pw_node *n) {
    for (uint32_t k = 0; k < n->loops && n->keeps; k++) {
        const ids_batch *batch = n->worker[k].batch;
        pw_log *log = &n->disk.log[k];
        if (batch != NULL && pw_chance(n->w, 50)) {
            read_frames(batch->bytes, batch->len, pw_below(n->w, 8),
                        write_change, n, k);
        }
        queue_free(&log->behind);
        queue_free(&log->snapshot);
    }
    n->disk.collects = false;
    n->disk.then_ms = pw_clock(n);
    n->disk.is_there = n->keeps;
}

/* Log time is carried on: nothing ends because a node was away. */
void pw_disk_recover(pw_node *n) {
    pw_disk *disk = &n->disk;
    n->w->kept += disk->is_there;
    for (uint32_t k = 0; k < n->loops && n->keeps; k++) {
        pw_log *log = &disk->log[k];
        ids_shard *old = log->records;
        log->records = make_shard(n);
        log->synced = 0;
        if (disk->is_there) {
            copy_all(n, old, disk->then_ms, log->records);
            copy_all(n, old, disk->then_ms, n->worker[k].ids->shard);
        }
        ids_shard_free(old);
    }
    disk->replaced = false;
}

void pw_disk_free(pw_node *n) {
    for (uint32_t k = 0; k < PW_LOOPS_MAX; k++) {
        ids_shard_free(n->disk.log[k].records);
        queue_free(&n->disk.log[k].behind);
        queue_free(&n->disk.log[k].snapshot);
    }
}
