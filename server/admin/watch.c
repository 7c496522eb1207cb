/* SPDX-License-Identifier: Apache-2.0 */
/* watch.c -- see watch.h. */
#include "server/admin/watch.h"

#include "server/base/log.h"
#include "server/worker/worker.h"

#include <inttypes.h>

#define LOOK_MS 100

/* So long after the last one it is over. */
#define QUIET_MS 5000

/* Between the two it stays as it was. */
#define HIGH_PERCENT 80
#define LOW_PERCENT  75

typedef enum change { CHANGE_NONE, CHANGE_BEGINS, CHANGE_ENDS } change;

static change follow_episode(ids_episode *e, uint64_t count, uint64_t now_ms) {
    bool grew = count > e->seen;
    uint64_t before = e->seen;
    e->seen = count;
    if (grew)
        e->last_ms = now_ms;
    if (grew && !e->on) {
        e->on = true;
        e->from = before;
        return CHANGE_BEGINS;
    }
    if (!grew && e->on && now_ms - e->last_ms >= QUIET_MS) {
        e->on = false;
        return CHANGE_ENDS;
    }
    return CHANGE_NONE;
}

static void look_at_memory(ids_watch *watch, const ids_worker *worker,
                           const ids_shard_stats *stats) {
    uint64_t used = stats->memory_shared_bytes;
    uint64_t most = stats->memory_bytes_max;
    if (worker->index > 0 && worker->server->pools)
        return; /* one speaks for all */
    if (!watch->is_high && used >= most / 100 * HIGH_PERCENT) {
        watch->is_high = true;
        ids_log(IDS_LOG_WARN, "memory is 80 % full",
                "loop=%u bytes=%" PRIu64 " of=%" PRIu64 " see=--max-memory",
                worker->index, used, most);
    } else if (watch->is_high && used < most / 100 * LOW_PERCENT) {
        watch->is_high = false;
        ids_log(IDS_LOG_INFO, "memory has room again",
                "loop=%u bytes=%" PRIu64 " of=%" PRIu64, worker->index, used,
                most);
    }
}

static void look_at_claims(ids_watch *watch, const ids_worker *worker,
                           const ids_shard_stats *stats) {
    ids_episode *e = &watch->refused;
    switch (follow_episode(e, stats->refused_no_memory, worker->now_ms)) {
    case CHANGE_BEGINS:
        ids_log(IDS_LOG_ERROR, "memory is full: new claims are refused",
                "loop=%u bytes=%" PRIu64 " see=--max-memory", worker->index,
                stats->memory_bytes);
        break;
    case CHANGE_ENDS:
        ids_log(IDS_LOG_INFO, "no claim was refused for memory any more",
                "loop=%u refused=%" PRIu64, worker->index, e->seen - e->from);
        break;
    case CHANGE_NONE:
        break;
    }
}

static void look_at_results(ids_watch *watch, const ids_worker *worker,
                            const ids_shard_stats *stats) {
    ids_episode *e = &watch->dropped;
    switch (follow_episode(e, stats->results_dropped, worker->now_ms)) {
    case CHANGE_BEGINS:
        ids_log(IDS_LOG_WARN, "results are not kept",
                "loop=%u reason=\"over --max-result, or memory is full\"",
                worker->index);
        break;
    case CHANGE_ENDS:
        ids_log(IDS_LOG_INFO, "results are kept again",
                "loop=%u dropped=%" PRIu64, worker->index, e->seen - e->from);
        break;
    case CHANGE_NONE:
        break;
    }
}

static void look_at_disk(ids_watch *watch, const ids_worker *worker) {
    if (watch->disk_is_full == worker->gate.disk_is_full)
        return;
    watch->disk_is_full = worker->gate.disk_is_full;
    if (watch->disk_is_full)
        ids_log(IDS_LOG_ERROR,
                "the disk is nearly full: new claims are refused",
                "loop=%u see=--data-dir", worker->index);
    else
        ids_log(IDS_LOG_INFO, "the disk has room again", "loop=%u",
                worker->index);
}

void ids_watch_look(ids_watch *watch, const ids_worker *worker) {
    ids_shard_stats stats;
    if (worker->now_ms < watch->looked_ms + LOOK_MS)
        return;
    watch->looked_ms = worker->now_ms;
    watch->asked = ids_worker_asked(worker);
    ids_shard_stats_get(worker->shard, &stats);
    look_at_memory(watch, worker, &stats);
    look_at_claims(watch, worker, &stats);
    look_at_results(watch, worker, &stats);
    look_at_disk(watch, worker);
}

uint64_t ids_watch_next_ms(const ids_watch *watch, const ids_worker *worker) {
    bool is_on = watch->refused.on || watch->dropped.on;
    bool is_new = watch->asked != ids_worker_asked(worker) ||
                  watch->disk_is_full != worker->gate.disk_is_full;
    if (is_new)
        return watch->looked_ms + LOOK_MS;
    return is_on ? watch->looked_ms + QUIET_MS / 5 : UINT64_MAX;
}
