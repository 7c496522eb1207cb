/* keeper.c -- a loop's side and a thread's side, and a lock between them. */
#include "server/io/keeper.h"

#include "server/hold.h"
#include "server/io/loop.h"
#include "server/io/patience.h"
#include "server/io/store.h"
#include "server/log.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

/* A step of a snapshot's walk takes some 50 us at most. */
#define BUCKETS_A_TURN 256

/* What the thread does for a snapshot, one thing at a time. */
typedef enum task { IDLE, CREATE, WRITE, FINISH, GIVE_UP, INSTALL } task;

typedef enum phase {
    NO_SNAPSHOT,
    WALKS,   /* blocks are gathered and written */
    FINISHES /* the file is ended, the log has to get as far */
} phase;

struct ids_keeper {
    ids_store *store;
    ids_desk *desk;
    ids_journal *journal;
    uint64_t watermark; /* that the desk was told last */
    bool is_seated;     /* the desk has a peer, too: its seat tells it */
    /* The snapshot, the loop's side. */
    unsigned round; /* the last one that was taken part in */
    phase phase;
    ids_snapshot_walk walk;
    ids_shard *walked; /* another one may have the desk's place by then */
    uint64_t block_ms; /* when the last block was made */
    uint64_t walked_bytes;
    uint64_t walk_end; /* the last change as the walk was over */
    task under_way;    /* as the loop sees it */
    /* The thread's own. */
    ids_writer writer;
    ids_snapshot_file file;
    pthread_t thread;
    bool has_thread;
    ids_patience patience;
    /* Between them. */
    atomic_bool news; /* something was done; the loop looks under the lock */
    pthread_mutex_t lock;
    pthread_cond_t posted, rests;
    bool is_resting; /* and has nothing to do */
    const ids_batch *batch;
    ids_batch_done done;
    bool batch_is_done;
    task task;
    bool task_is_done;
    bool task_is_good;
    bool quiet;
    bool stops;
};

static _Noreturn void stop_process(ids_keeper *k) {
    static const ids_fault none = {.kind = IDS_FAULT_MEMORY,
                                   .file = "the journal",
                                   .what = "no memory for a change"};
    ids_store_fail(k->writer.fault.kind == IDS_FAULT_NONE ? &none
                                                          : &k->writer.fault);
}

/* The thread --------------------------------------------------------------- */

/* Under the lock. */
static void tell_loop(ids_keeper *k) {
    const ids_house *house = k->desk->house;
    atomic_store_explicit(&k->news, true, memory_order_release);
    if (!k->quiet)
        house->wake(house->wake_ctx, k->desk->index);
}

static void carry_out_batch(ids_keeper *k) {
    const ids_batch *batch = k->batch;
    pthread_mutex_unlock(&k->lock);
    ids_batch_done done = ids_writer_carry_out(&k->writer, batch);
    if (done.failed)
        stop_process(k);
    ids_store_grew(k->store, batch->len);
    pthread_mutex_lock(&k->lock);
    k->batch = NULL;
    k->done = done;
    k->batch_is_done = true;
    tell_loop(k);
    pthread_mutex_unlock(&k->lock);
    ids_writer_prepare(&k->writer);
    if (k->writer.fault.kind != IDS_FAULT_NONE)
        stop_process(k);
    pthread_mutex_lock(&k->lock);
}

static bool do_task(ids_keeper *k, task what) {
    bool good = true;
    switch (what) {
    case CREATE:
        good = ids_store_create_part(k->store, k->desk->index, &k->file);
        break;
    case WRITE:
        good = ids_snapshot_write(&k->file, k->walk.bytes, k->walk.len);
        break;
    case FINISH:
        good = ids_snapshot_finish(&k->file);
        break;
    case INSTALL:
        ids_store_install(k->store, k->file.now_ms);
        break;
    case GIVE_UP:
        good = false;
        break;
    case IDLE:
        break;
    }
    if (k->file.fault.kind != IDS_FAULT_NONE)
        ids_store_fail(&k->file.fault);
    if (!good)
        ids_snapshot_abandon(&k->file);
    return good;
}

static void carry_out_task(ids_keeper *k) {
    task what = k->task;
    pthread_mutex_unlock(&k->lock);
    bool good = do_task(k, what);
    pthread_mutex_lock(&k->lock);
    k->task = IDLE;
    k->task_is_good = good;
    k->task_is_done = true;
    tell_loop(k);
}

static void rest(ids_keeper *k) {
    k->is_resting = true;
    pthread_cond_signal(&k->rests);
    pthread_cond_wait(&k->posted, &k->lock);
    k->is_resting = false;
}

/* Batches go first: replies wait for them. */
static void *run(void *ctx) {
    ids_keeper *k = ctx;
    ids_name_thread(pthread_self(), "disk", k->desk->index);
    pthread_mutex_lock(&k->lock);
    for (;;) {
        if (k->batch)
            carry_out_batch(k);
        else if (k->task != IDLE)
            carry_out_task(k);
        else if (k->stops)
            break;
        else
            rest(k);
    }
    pthread_mutex_unlock(&k->lock);
    return NULL;
}

/* The loop ----------------------------------------------------------------- */

static void post_task(ids_keeper *k, task what) {
    assert(k->under_way == IDLE);
    k->under_way = what;
    pthread_mutex_lock(&k->lock);
    k->task = what;
    pthread_cond_signal(&k->posted);
    pthread_mutex_unlock(&k->lock);
}

static void post_batch(ids_keeper *k, const ids_batch *batch) {
    pthread_mutex_lock(&k->lock);
    k->batch = batch;
    pthread_cond_signal(&k->posted);
    pthread_mutex_unlock(&k->lock);
}

static void end_part(ids_keeper *k, bool good) {
    k->phase = NO_SNAPSHOT;
    if (ids_store_part_done(k->store, k->desk->index, good, &k->file.sum,
                            ids_journal_cut_at(k->journal)))
        post_task(k, INSTALL);
}

static void after_task(ids_keeper *k, bool good) {
    task was = k->under_way;
    k->under_way = IDLE;
    if (was == WRITE)
        ids_snapshot_walk_clear(&k->walk);
    if (good || was == INSTALL)
        return;
    if (k->phase == WALKS)
        ids_snapshot_walk_fini(&k->walk, k->walked);
    end_part(k, false);
}

static void take_news(ids_keeper *k) {
    bool batch_is_done, task_is_done, good;
    if (!atomic_exchange_explicit(&k->news, false, memory_order_acquire))
        return;
    pthread_mutex_lock(&k->lock);
    batch_is_done = k->batch_is_done;
    task_is_done = k->task_is_done;
    good = k->task_is_good;
    k->batch_is_done = k->task_is_done = false;
    pthread_mutex_unlock(&k->lock);
    if (batch_is_done)
        ids_journal_done(k->journal, &k->done);
    if (task_is_done)
        after_task(k, good);
}

static void begin_part(ids_keeper *k, unsigned round) {
    k->round = round;
    k->phase = WALKS;
    k->walked = k->desk->shard;
    k->walked_bytes = 0;
    ids_journal_cut(k->journal);
    ids_snapshot_walk_init(&k->walk, IDS_BLOCK_BYTES);
    post_task(k, CREATE);
}

/* While calls come, a snapshot takes its time: a block a ms, or as many bytes
 * as the logs grow by. */
static bool may_walk(ids_keeper *k) {
    uint64_t grown = atomic_load(&k->store->log_bytes) / k->store->house->loops;
    return k->block_ms < k->desk->now_ms || k->walked_bytes < grown ||
           !ids_desk_is_asked(k->desk);
}

/* True: the walk needs another turn before there is a block. */
static bool walk_on(ids_keeper *k) {
    if (!may_walk(k))
        return false;
    bool ready = ids_snapshot_walk_step(&k->walk, k->walked, k->desk->now_ms,
                                        BUCKETS_A_TURN);
    if (!ready)
        return true;
    if (k->walk.failed) {
        post_task(k, GIVE_UP);
    } else if (k->walk.count > 0) {
        k->block_ms = k->desk->now_ms;
        k->walked_bytes += k->walk.len;
        post_task(k, WRITE);
    } else {
        ids_snapshot_walk_fini(&k->walk, k->walked);
        k->walk_end = ids_journal_taken(k->journal);
        k->phase = FINISHES;
        ids_journal_sync(k->journal);
        post_task(k, FINISH);
    }
    return false;
}

static bool snapshot_on(ids_keeper *k) {
    unsigned round = atomic_load(&k->store->round);
    if (k->under_way != IDLE)
        return false;
    if (k->phase == NO_SNAPSHOT && round != k->round)
        begin_part(k, round);
    else if (k->phase == WALKS)
        return walk_on(k);
    else if (k->phase == FINISHES && ids_journal_cut_at(k->journal) &&
             ids_journal_durable(k->journal) >= k->walk_end)
        end_part(k, true);
    return false;
}

static void let_replies_leave(ids_keeper *k) {
    uint64_t now_ms = k->desk->now_ms;
    uint64_t watermark = ids_journal_watermark(k->journal, now_ms);
    if (!ids_journal_waits(k->journal, now_ms))
        watermark = UINT64_MAX;
    k->desk->disk_is_full = ids_journal_refuses_claims(k->journal);
    ids_hold_set_full(k->desk, ids_journal_is_full(k->journal));
    if (watermark == k->watermark && !ids_hold_has_more(k->desk))
        return;
    k->watermark = watermark;
    if (!k->is_seated)
        ids_hold_release(k->desk, watermark);
}

bool ids_keeper_turn(ids_keeper *k) {
    take_news(k);
    if (ids_journal_has_failed(k->journal))
        stop_process(k);
    bool more = snapshot_on(k);
    if (k->desk->index == 0)
        ids_store_answer(k->store, k->desk);
    const ids_batch *batch = ids_journal_hand_over(k->journal, k->desk->now_ms);
    if (batch)
        post_batch(k, batch);
    let_replies_leave(k);
    return more;
}

uint64_t ids_keeper_watermark(const ids_keeper *k) {
    return k->watermark;
}

uint64_t ids_keeper_next_ms(const ids_keeper *k) {
    uint64_t next_ms = ids_journal_next_ms(k->journal);
    bool waits = k->phase == WALKS && k->under_way == IDLE;
    if (k->desk->index == 0 && ids_store_next_ms(k->store) < next_ms)
        next_ms = ids_store_next_ms(k->store);
    return waits && k->block_ms + 1 < next_ms ? k->block_ms + 1 : next_ms;
}

void ids_keeper_quiet(ids_keeper *k) {
    pthread_mutex_lock(&k->lock);
    k->quiet = true;
    pthread_mutex_unlock(&k->lock);
}

/* Its life ----------------------------------------------------------------- */

ids_keeper *ids_keeper_new(const ids_keeper_config *config) {
    ids_keeper *k = calloc(1, sizeof *k);
    const ids_journal_config journal = {
        .fsync = config->fsync,
        .backlog_bytes_max = IDS_BACKLOG_BYTES_DEFAULT,
        .mark_ms = IDS_MARK_MS_DEFAULT,
        .now_ms = config->now_ms,
        .free_bytes = config->writer.free_bytes};
    if (!k)
        return NULL;
    k->journal = ids_journal_new(&journal);
    if (!k->journal) {
        free(k);
        return NULL;
    }
    k->store = config->store;
    k->desk = config->desk;
    k->writer = config->writer;
    k->writer.patience =
        (ids_writer_patience){.wait = ids_patience_wait, .ctx = &k->patience};
    k->watermark = UINT64_MAX;
    k->is_seated = config->is_seated;
    pthread_mutex_init(&k->lock, NULL);
    pthread_cond_init(&k->posted, NULL);
    pthread_cond_init(&k->rests, NULL);
    k->desk->journal = k->journal;
    k->desk->now_ms = config->now_ms;
    let_replies_leave(k);
    return k;
}

int ids_keeper_start(ids_keeper *k) {
    ids_patience_set(&k->patience, true);
    int error = pthread_create(&k->thread, NULL, run, k);
    k->has_thread = error == 0;
    return error;
}

/* Takes part in no snapshot that has begun. */
static void give_up(ids_keeper *k) {
    k->round = atomic_load(&k->store->round);
    if (k->phase == WALKS)
        ids_snapshot_walk_fini(&k->walk, k->walked);
    if (k->phase != NO_SNAPSHOT)
        ids_snapshot_abandon(&k->file);
    k->phase = NO_SNAPSHOT;
}

void ids_keeper_join(ids_keeper *k) {
    ids_patience_set(&k->patience, false);
    if (!k->has_thread)
        return;
    pthread_mutex_lock(&k->lock);
    k->stops = true;
    pthread_cond_signal(&k->posted);
    pthread_mutex_unlock(&k->lock);
    pthread_join(k->thread, NULL);
    k->has_thread = false;
    take_news(k);
    give_up(k);
}

static void flush(ids_keeper *k) {
    const ids_batch *batch;
    ids_journal_sync(k->journal);
    while ((batch = ids_journal_hand_over(k->journal, k->desk->now_ms))) {
        ids_batch_done done = ids_writer_carry_out(&k->writer, batch);
        if (done.failed)
            stop_process(k);
        ids_journal_done(k->journal, &done);
    }
    if (ids_journal_has_failed(k->journal))
        stop_process(k);
}

void ids_keeper_settle(ids_keeper *k) {
    ids_patience_set(&k->patience, false);
    do {
        pthread_mutex_lock(&k->lock);
        while (k->batch || k->task != IDLE || !k->is_resting)
            pthread_cond_wait(&k->rests, &k->lock);
        pthread_mutex_unlock(&k->lock);
        take_news(k);
    } while (k->under_way != IDLE);
    ids_patience_set(&k->patience, true);
}

void ids_keeper_begin_anew(ids_keeper *k, ids_log_end *end) {
    give_up(k);
    flush(k);
    ids_journal_cut(k->journal);
    flush(k);
    *end = *ids_journal_cut_at(k->journal);
}

bool ids_keeper_snapshot(ids_keeper *k, bool clean, ids_snapshot_sum *sum,
                         ids_log_end *first) {
    if (!clean)
        ids_journal_cut(k->journal);
    flush(k);
    ids_snapshot_walk_init(&k->walk, IDS_BLOCK_BYTES);
    bool good = do_task(k, CREATE);
    while (good && !k->walk.over) {
        good = ids_snapshot_walk_step(&k->walk, k->desk->shard, k->desk->now_ms,
                                      UINT32_MAX) &&
               !k->walk.failed;
        if (good && k->walk.count > 0)
            good = do_task(k, WRITE);
        ids_snapshot_walk_clear(&k->walk);
    }
    ids_snapshot_walk_fini(&k->walk, k->desk->shard);
    good = good && do_task(k, FINISH);
    *sum = k->file.sum;
    if (!clean)
        *first = *ids_journal_cut_at(k->journal);
    return good;
}

void ids_keeper_free(ids_keeper *k) {
    if (!k)
        return;
    assert(!k->has_thread);
    ids_writer_close(&k->writer);
    k->desk->journal = NULL;
    ids_journal_free(k->journal);
    pthread_cond_destroy(&k->posted);
    pthread_cond_destroy(&k->rests);
    pthread_mutex_destroy(&k->lock);
    free(k);
}
