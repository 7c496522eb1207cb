/* SPDX-License-Identifier: Apache-2.0 */
/* keeper.c -- a worker's side of what is kept; see keeper.h. */
#include "server/node/keeper.h"

#include "server/hold.h"

#include <assert.h>

/* A step of a snapshot's walk takes some 50 us at most. */
#define BUCKETS_A_TURN 256

/* Its part of a snapshot --------------------------------------------------- */

static void do_task(ids_keeper *k, ids_keeper_task what) {
    assert(k->under_way == IDS_KEEPER_IDLE);
    k->under_way = what;
    k->host.do_task(k->host.ctx, what);
}

static void end_part(ids_keeper *k, bool good) {
    k->phase = IDS_KEEPER_NO_SNAPSHOT;
    if (k->host.part_done(k->host.ctx, good, ids_journal_cut_at(k->journal)))
        do_task(k, IDS_KEEPER_INSTALL);
}

static void after_task(ids_keeper *k, bool good) {
    ids_keeper_task was = k->under_way;
    assert(was != IDS_KEEPER_IDLE);
    k->under_way = IDS_KEEPER_IDLE;
    if (was == IDS_KEEPER_WRITE)
        ids_snapshot_walk_clear(&k->walk);
    if (good || was == IDS_KEEPER_INSTALL)
        return;
    if (k->phase == IDS_KEEPER_WALKS)
        ids_snapshot_walk_fini(&k->walk, k->walked);
    end_part(k, false);
}

static void begin_part(ids_keeper *k, unsigned round) {
    k->round = round;
    k->phase = IDS_KEEPER_WALKS;
    k->walked = k->desk->shard;
    k->walked_bytes = 0;
    ids_journal_cut(k->journal);
    ids_snapshot_walk_init(&k->walk, IDS_BLOCK_BYTES);
    do_task(k, IDS_KEEPER_CREATE);
}

/* While calls come, a snapshot takes its time: a block a ms, or as many bytes
 * as the logs grow by. */
static bool may_walk(ids_keeper *k) {
    return k->block_ms < k->desk->now_ms ||
           k->walked_bytes < k->host.grown(k->host.ctx) ||
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
        do_task(k, IDS_KEEPER_GIVE_UP);
    } else if (k->walk.count > 0) {
        k->block_ms = k->desk->now_ms;
        k->walked_bytes += k->walk.len;
        do_task(k, IDS_KEEPER_WRITE);
    } else {
        ids_snapshot_walk_fini(&k->walk, k->walked);
        k->walk_end = ids_journal_taken(k->journal);
        k->phase = IDS_KEEPER_FINISHES;
        ids_journal_sync(k->journal);
        do_task(k, IDS_KEEPER_FINISH);
    }
    return false;
}

static bool snapshot_on(ids_keeper *k) {
    unsigned round = k->host.round(k->host.ctx);
    if (k->under_way != IDS_KEEPER_IDLE)
        return false;
    if (k->phase == IDS_KEEPER_NO_SNAPSHOT && round != k->round)
        begin_part(k, round);
    else if (k->phase == IDS_KEEPER_WALKS)
        return walk_on(k);
    else if (k->phase == IDS_KEEPER_FINISHES &&
             ids_journal_cut_at(k->journal) &&
             ids_journal_durable(k->journal) >= k->walk_end)
        end_part(k, true);
    return false;
}

bool ids_keeper_give_up(ids_keeper *k) {
    bool has_file = k->phase != IDS_KEEPER_NO_SNAPSHOT;
    k->round = k->host.round(k->host.ctx);
    if (k->phase == IDS_KEEPER_WALKS)
        ids_snapshot_walk_fini(&k->walk, k->walked);
    k->phase = IDS_KEEPER_NO_SNAPSHOT;
    return has_file;
}

/* A turn ------------------------------------------------------------------- */

void ids_keeper_take_news(ids_keeper *k) {
    ids_keeper_news news;
    if (!k->host.take_news(k->host.ctx, &news))
        return;
    if (news.batch_is_done) {
        ids_journal_done(k->journal, &news.done);
        k->desk->counters.of[IDS_WRITTEN_LATE_TOTAL] += news.late;
    }
    if (news.durable > ids_journal_durable(k->journal))
        ids_journal_synced(k->journal, news.durable);
    if (news.task_is_done)
        after_task(k, news.task_is_good);
}

static void let_replies_leave(ids_keeper *k) {
    uint64_t now_ms = k->desk->now_ms;
    uint64_t watermark = ids_journal_watermark(k->journal, now_ms);
    if (!ids_journal_waits(k->journal, now_ms))
        watermark = UINT64_MAX;
    k->desk->hold.disk_is_full = ids_journal_refuses_claims(k->journal);
    ids_hold_set_full(k->desk, ids_journal_is_full(k->journal));
    if (watermark == k->watermark && !ids_hold_has_more(&k->desk->hold))
        return;
    k->watermark = watermark;
    if (!k->is_seated)
        ids_hold_release(k->desk, watermark);
}

bool ids_keeper_turn(ids_keeper *k) {
    ids_keeper_take_news(k);
    if (ids_journal_has_failed(k->journal))
        k->host.fail(k->host.ctx);
    bool more = snapshot_on(k);
    const ids_batch *batch = ids_journal_hand_over(k->journal, k->desk->now_ms);
    if (batch)
        k->host.write(k->host.ctx, batch);
    let_replies_leave(k);
    return more;
}

void ids_keeper_flush(ids_keeper *k) {
    const ids_batch *batch;
    ids_journal_sync(k->journal);
    while ((batch = ids_journal_hand_over(k->journal, k->desk->now_ms))) {
        ids_batch_done done = k->host.write_now(k->host.ctx, batch);
        if (done.failed)
            k->host.fail(k->host.ctx);
        ids_journal_done(k->journal, &done);
    }
    if (ids_journal_has_failed(k->journal))
        k->host.fail(k->host.ctx);
}

ids_log_end ids_keeper_begin_anew(ids_keeper *k) {
    ids_keeper_flush(k);
    ids_journal_cut(k->journal);
    ids_keeper_flush(k);
    return *ids_journal_cut_at(k->journal);
}

uint64_t ids_keeper_next_ms(const ids_keeper *k) {
    uint64_t next_ms = ids_journal_next_ms(k->journal);
    bool waits =
        k->phase == IDS_KEEPER_WALKS && k->under_way == IDS_KEEPER_IDLE;
    return waits && k->block_ms + 1 < next_ms ? k->block_ms + 1 : next_ms;
}

/* Its life ----------------------------------------------------------------- */

bool ids_keeper_init(ids_keeper *k, const ids_keeper_config *config) {
    const ids_journal_config journal = {.fsync = config->fsync,
                                        .backlog_bytes_max =
                                            IDS_BACKLOG_BYTES_DEFAULT,
                                        .mark_ms = IDS_MARK_MS_DEFAULT,
                                        .now_ms = config->now_ms,
                                        .free_bytes = config->free_bytes};
    *k = (ids_keeper){.desk = config->desk,
                      .journal = ids_journal_new(&journal),
                      .host = config->host,
                      .watermark = 0, /* as the worker's begins */
                      .is_seated = config->is_seated};
    if (!k->journal)
        return false;
    k->desk->journal = k->journal;
    k->desk->now_ms = config->now_ms;
    let_replies_leave(k);
    return true;
}

void ids_keeper_fini(ids_keeper *k) {
    k->desk->journal = NULL;
    ids_journal_free(k->journal);
}
