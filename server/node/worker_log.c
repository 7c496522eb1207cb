/* SPDX-License-Identifier: Apache-2.0 */
/* worker_log.c -- a worker's log; see worker_log.h. Its part of a
 * snapshot is in part.c. */
#include "server/node/worker_log.h"

#include "server/node/part.h"
#include "server/worker/commit_gate.h"

#include <assert.h>

/* A turn ------------------------------------------------------------------- */

void ids_worker_log_take_news(ids_worker_log *k) {
    ids_worker_log_news news;
    assert(k->worker->journal == k->journal);
    if (!k->driver.take_news(k->driver.ctx, &news))
        return;
    if (news.batch_is_done) {
        assert(news.done.failed ||
               news.done.durable <= ids_journal_taken(k->journal));
        ids_journal_done(k->journal, &news.done);
        k->worker->counters.of[IDS_WRITTEN_LATE_TOTAL] += news.late;
    }
    if (news.durable > ids_journal_durable(k->journal))
        ids_journal_synced(k->journal, news.durable);
    if (news.task_is_done)
        ids_part_task_done(k, news.task_is_good);
}

static void let_replies_leave(ids_worker_log *k) {
    uint64_t now_ms = k->worker->now_ms;
    uint64_t watermark = ids_journal_watermark(k->journal, now_ms);
    if (!ids_journal_waits(k->journal, now_ms))
        watermark = UINT64_MAX;
    k->worker->gate.disk_is_full = ids_journal_refuses_claims(k->journal);
    ids_commit_gate_set_full(k->worker, ids_journal_is_full(k->journal));
    if (watermark == k->watermark &&
        !ids_commit_gate_has_more(&k->worker->gate))
        return;
    assert(watermark == UINT64_MAX ||
           watermark <= ids_journal_taken(k->journal));
    k->watermark = watermark;
    if (!k->is_replicated)
        ids_commit_gate_release(k->worker, watermark);
}

bool ids_worker_log_turn(ids_worker_log *k) {
    ids_worker_log_take_news(k);
    if (ids_journal_has_failed(k->journal))
        k->driver.fail(k->driver.ctx);
    bool more = ids_part_go_on(k);
    const ids_batch *batch =
        ids_journal_hand_over(k->journal, k->worker->now_ms);
    if (batch)
        k->driver.write(k->driver.ctx, batch);
    let_replies_leave(k);
    return more;
}

void ids_worker_log_flush(ids_worker_log *k) {
    const ids_batch *batch;
    ids_journal_sync(k->journal);
    while ((batch = ids_journal_hand_over(k->journal, k->worker->now_ms))) {
        ids_batch_done done = k->driver.write_now(k->driver.ctx, batch);
        assert(done.failed || done.written == batch->last);
        if (done.failed)
            k->driver.fail(k->driver.ctx);
        ids_journal_done(k->journal, &done);
    }
    if (ids_journal_has_failed(k->journal))
        k->driver.fail(k->driver.ctx);
}

ids_log_end ids_worker_log_begin_anew(ids_worker_log *k) {
    assert(k->phase == IDS_WORKER_LOG_NO_SNAPSHOT);
    ids_worker_log_flush(k);
    ids_journal_cut(k->journal);
    ids_worker_log_flush(k);
    assert(ids_journal_cut_at(k->journal) != NULL);
    return *ids_journal_cut_at(k->journal);
}

uint64_t ids_worker_log_next_ms(const ids_worker_log *k) {
    uint64_t log_ms = ids_journal_next_ms(k->journal);
    uint64_t part_ms = ids_part_next_ms(k);
    return part_ms < log_ms ? part_ms : log_ms;
}

/* Its life ----------------------------------------------------------------- */

bool ids_worker_log_init(ids_worker_log *k,
                         const ids_worker_log_config *config) {
    const ids_journal_config journal = {.fsync = config->fsync,
                                        .backlog_bytes_max =
                                            IDS_BACKLOG_BYTES_DEFAULT,
                                        .mark_ms = IDS_MARK_MS_DEFAULT,
                                        .now_ms = config->now_ms,
                                        .free_bytes = config->free_bytes};
    assert(config->worker != NULL && config->fsync < IDS_FSYNC_COUNT);
    assert(config->driver.write != NULL && config->driver.take_news != NULL);
    *k = (ids_worker_log){.worker = config->worker,
                          .journal = ids_journal_new(&journal),
                          .driver = config->driver,
                          .watermark = 0, /* as the worker's begins */
                          .is_replicated = config->is_replicated};
    if (!k->journal)
        return false;
    k->worker->journal = k->journal;
    k->worker->now_ms = config->now_ms;
    let_replies_leave(k);
    return true;
}

void ids_worker_log_fini(ids_worker_log *k) {
    assert(k->worker->journal == k->journal);
    k->worker->journal = NULL;
    ids_journal_free(k->journal);
}
