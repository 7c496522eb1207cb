/* SPDX-License-Identifier: Apache-2.0 */
/* slow_log.c -- see slow_log.h. */
#include "server/worker/slow_log.h"

#include "server/worker/worker.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

static_assert(IDP_WORK_KINDS == IDS_WORK_KINDS, "each kind is told");
static_assert(IDS_WAITED_FOR_COUNT == 2 && IDS_WAITED_FOR_REPLICA == 1,
              "disk, or replica");

struct ids_slow_log {
    pthread_mutex_t lock;
    uint64_t turn_count, hold_count; /* ever */
    /* age_ms: when it was, until it is read. */
    idp_slow_turn turns[IDP_SLOW_ROWS_MAX];
    idp_slow_hold holds[IDP_SLOW_ROWS_MAX];
};

ids_slow_log *ids_slow_log_new(void) {
    ids_slow_log *log = calloc(1, sizeof *log);
    if (log)
        pthread_mutex_init(&log->lock, NULL);
    return log;
}

void ids_slow_log_free(ids_slow_log *log) {
    if (!log)
        return;
    pthread_mutex_destroy(&log->lock);
    free(log);
}

void ids_slow_log_held(ids_slow_notes *notes, int waited_for, uint32_t us) {
    assert(waited_for == 0 || waited_for == 1);
    notes->held[waited_for]++;
    if (us > notes->held_us[waited_for])
        notes->held_us[waited_for] = us;
}

static void note_turn(ids_slow_log *log, const ids_worker *worker,
                      uint64_t ns) {
    const ids_slow_notes *notes = &worker->slow;
    idp_slow_turn *turn = &log->turns[log->turn_count++ % IDP_SLOW_ROWS_MAX];
    *turn = (idp_slow_turn){
        .age_ms = worker->now_ms, .loop = worker->index, .us = ns / 1000};
    for (int i = 0; i < IDP_WORK_KINDS; i++)
        turn->work[i] = notes->work_of_before[i] + worker->work[i];
}

static void note_holds(ids_slow_log *log, ids_worker *worker) {
    ids_slow_notes *notes = &worker->slow;
    for (int i = 0; i < 2; i++)
        if (notes->held[i]) {
            log->holds[log->hold_count++ % IDP_SLOW_ROWS_MAX] =
                (idp_slow_hold){.age_ms = worker->now_ms,
                                .loop = worker->index,
                                .is_replica = i == IDS_WAITED_FOR_REPLICA,
                                .us = notes->held_us[i],
                                .replies = notes->held[i]};
            notes->held[i] = notes->held_us[i] = 0;
        }
}

void ids_slow_log_note(ids_worker *worker, uint64_t ns) {
    ids_slow_log *log = worker->server->slow;
    if (!log)
        return;
    pthread_mutex_lock(&log->lock);
    if (ns > IDS_SLOW_TURN_NS)
        note_turn(log, worker, ns);
    note_holds(log, worker);
    pthread_mutex_unlock(&log->lock);
}

static uint64_t age_of(uint64_t then_ms, uint64_t now_ms) {
    return now_ms > then_ms ? now_ms - then_ms : 0;
}

static uint32_t slow_rows_kept(uint64_t count) {
    return count < IDP_SLOW_ROWS_MAX ? (uint32_t)count : IDP_SLOW_ROWS_MAX;
}

void ids_slow_log_read(ids_slow_log *log, uint64_t now_ms, idp_slow *slow) {
    slow->turn_count = slow->hold_count = 0;
    if (!log)
        return;
    pthread_mutex_lock(&log->lock);
    for (uint32_t i = 0; i < slow_rows_kept(log->turn_count); i++) {
        idp_slow_turn *turn = &slow->turns[slow->turn_count++];
        *turn = log->turns[(log->turn_count - 1 - i) % IDP_SLOW_ROWS_MAX];
        turn->age_ms = age_of(turn->age_ms, now_ms);
    }
    for (uint32_t i = 0; i < slow_rows_kept(log->hold_count); i++) {
        idp_slow_hold *hold = &slow->holds[slow->hold_count++];
        *hold = log->holds[(log->hold_count - 1 - i) % IDP_SLOW_ROWS_MAX];
        hold->age_ms = age_of(hold->age_ms, now_ms);
    }
    pthread_mutex_unlock(&log->lock);
}
