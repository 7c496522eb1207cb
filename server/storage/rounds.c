/* SPDX-License-Identifier: Apache-2.0 */
/* rounds.c -- snapshots while the loops run; see rounds.h. */
#include "server/storage/rounds.h"

#include "server/base/log.h"
#include "server/os/clock.h"
#include "server/storage/fail.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The longest pause after one that was given up. */
#define AGAIN_MS_MAX 300000

static bool is_held(const void *ctx) {
    const ids_rounds *r = ctx;
    return atomic_load(&r->held);
}

void ids_rounds_init(ids_rounds *r, const ids_server *server, ids_data_dir *dir,
                     ids_disk *disk, uint64_t log_bytes_max) {
    *r = (ids_rounds){.server = server,
                      .dir = dir,
                      .disk = disk,
                      .log_bytes_max = log_bytes_max,
                      .pause_ms = IDS_SNAPSHOT_AGAIN_MS};
    dir->keeps_all = is_held;
    dir->keeps_all_ctx = r;
    pthread_mutex_init(&r->lock, NULL);
}

void ids_rounds_fini(ids_rounds *r) {
    pthread_mutex_destroy(&r->lock);
    free(r->sums);
    free(r->firsts);
    free(r->ends);
}

bool ids_rounds_make_places(ids_rounds *r, uint64_t start_ms) {
    assert(!r->sums && !r->firsts && !r->ends);
    r->start_ms = start_ms;
    r->sums = calloc(r->server->loops, sizeof *r->sums);
    r->firsts = calloc(r->server->loops, sizeof *r->firsts);
    r->ends = calloc(r->server->loops, sizeof *r->ends);
    return r->sums && r->firsts && r->ends;
}

/* Its beginning ------------------------------------------------------------ */

bool ids_rounds_claim(ids_rounds *r) {
    bool was = false;
    if (!atomic_compare_exchange_strong(&r->busy, &was, true))
        return false;
    if (!atomic_load(&r->held))
        return true;
    atomic_store(&r->busy, false);
    return false;
}

void ids_rounds_take_over(ids_rounds *r) {
    atomic_store(&r->busy, true);
}

void ids_rounds_hold(ids_rounds *r) {
    assert(atomic_load(&r->busy));
    atomic_store(&r->held, true);
}

void ids_rounds_let_go(ids_rounds *r) {
    atomic_store(&r->held, false);
}

bool ids_rounds_begin(ids_rounds *r) {
    assert(atomic_load(&r->busy));
    pthread_mutex_lock(&r->lock);
    bool begins = !r->quiet;
    r->parts_left = r->server->loops;
    r->given_up = false;
    atomic_store(&r->log_bytes, 0);
    if (begins)
        atomic_fetch_add(&r->count, 1);
    for (uint32_t i = 0; i < r->server->loops && begins; i++)
        r->server->wake(r->server->wake_ctx, i);
    pthread_mutex_unlock(&r->lock);
    return begins;
}

void ids_rounds_quiet(ids_rounds *r) {
    pthread_mutex_lock(&r->lock);
    r->quiet = true;
    pthread_mutex_unlock(&r->lock);
}

void ids_rounds_grew(ids_rounds *r, size_t log_bytes) {
    uint64_t bytes = atomic_fetch_add(&r->log_bytes, log_bytes) + log_bytes;
    if (bytes >= r->log_bytes_max && ids_rounds_claim(r))
        ids_rounds_begin(r);
}

/* Its parts ---------------------------------------------------------------- */

bool ids_rounds_create_part(const ids_rounds *r, uint32_t index,
                            ids_snapshot_file *file) {
    const ids_file_head head = {.node = r->dir->manifest.node,
                                .epoch = r->dir->manifest.epoch,
                                .number = ids_data_dir_next_generation(r->dir),
                                .start_ms = r->start_ms,
                                .loop = index};
    assert(index < r->server->loops);
    return ids_snapshot_create(file, r->disk, &head);
}

void ids_rounds_remove_parts(const ids_rounds *r) {
    for (uint32_t i = 0; i < r->server->loops; i++) {
        char name[IDS_DISK_NAME_BYTES];
        ids_name_snapshot(name, ids_data_dir_next_generation(r->dir), i);
        r->disk->remove(r->disk->ctx, name);
    }
}

bool ids_rounds_part_done(ids_rounds *r, uint32_t index, bool good,
                          const ids_snapshot_sum *sum, const ids_log_end *first,
                          const ids_log_end *end) {
    assert(index < r->server->loops);
    pthread_mutex_lock(&r->lock);
    assert(r->parts_left > 0);
    r->given_up = r->given_up || !good;
    if (good) {
        r->sums[index] = *sum;
        r->firsts[index] = *first;
        r->ends[index] = *end;
    }
    bool last = --r->parts_left == 0;
    pthread_mutex_unlock(&r->lock);
    return last;
}

/* Its end ------------------------------------------------------------------ */

void ids_rounds_answer(ids_rounds *r, const idp_command_answer *answer,
                       const char *why) {
    pthread_mutex_lock(&r->lock);
    r->answer = *answer;
    snprintf(r->why, sizeof r->why, "%s", why);
    atomic_store(&r->has_answer, true);
    if (!r->quiet)
        r->server->wake(r->server->wake_ctx, 0);
    pthread_mutex_unlock(&r->lock);
}

bool ids_rounds_take_answer(ids_rounds *r, idp_command_answer *answer,
                            char why[static IDS_ROUND_TEXT_BYTES]) {
    if (!atomic_load_explicit(&r->has_answer, memory_order_relaxed))
        return false;
    pthread_mutex_lock(&r->lock);
    *answer = r->answer;
    memcpy(why, r->why, sizeof r->why);
    answer->text = (idp_slice){(const uint8_t *)why, strlen(why)};
    atomic_store(&r->has_answer, false);
    pthread_mutex_unlock(&r->lock);
    return true;
}

/* Tried again by itself, in ever longer intervals, once there is room. */
static void try_later(ids_rounds *r) {
    uint64_t pause_ms = atomic_load(&r->pause_ms);
    atomic_store(&r->again_ms, ids_loop_clock_ms() + pause_ms);
    atomic_store(&r->pause_ms,
                 pause_ms * 2 < AGAIN_MS_MAX ? pause_ms * 2 : AGAIN_MS_MAX);
}

/* The last snapshot and the logs stand. Said once for each cause. */
static void give_up_snapshot(ids_rounds *r, const char *why) {
    char text[IDS_ROUND_TEXT_BYTES];
    const idp_command_answer answer = {.outcome = IDP_COMMAND_REFUSED};
    snprintf(text, sizeof text,
             "%s; the last snapshot and the logs stay, nothing is lost", why);
    ids_rounds_remove_parts(r);
    if (strcmp(r->logged, why) != 0)
        ids_log(IDS_LOG_WARN, "snapshot given up",
                "reason=\"%s\" todo=\"make room; it is tried again\"", why);
    snprintf(r->logged, sizeof r->logged, "%s", why);
    atomic_fetch_add(&r->given_up_total, 1);
    try_later(r);
    ids_rounds_answer(r, &answer, text);
}

void ids_rounds_cancel(ids_rounds *r, const char *why) {
    if (atomic_load(&r->busy))
        give_up_snapshot(r, why);
    atomic_store(&r->busy, false);
}

static void taken(ids_rounds *r, const idp_command_answer *answer) {
    ids_log(IDS_LOG_INFO, "snapshot taken",
            "records=%" PRIu64 " bytes=%" PRIu64, answer->records,
            answer->bytes);
    r->logged[0] = '\0';
    atomic_store(&r->again_ms, 0);
    atomic_store(&r->pause_ms, IDS_SNAPSHOT_AGAIN_MS);
    if (!r->installed || !r->installed(r->installed_ctx, answer))
        ids_rounds_answer(r, answer, "");
}

void ids_rounds_install(ids_rounds *r, uint64_t now_ms) {
    ids_fault fault;
    char why[IDS_FAULT_TEXT_BYTES];
    idp_command_answer answer = {.outcome = IDP_COMMAND_SNAPSHOT};
    assert(atomic_load(&r->busy) && r->parts_left == 0);
    now_ms = now_ms > r->start_ms ? now_ms : r->start_ms;
    for (uint32_t i = 0; i < r->server->loops; i++) {
        answer.records += r->sums[i].records;
        answer.bytes += r->sums[i].bytes;
    }
    atomic_store(&r->parts_bytes, answer.bytes);
    if (r->given_up) {
        give_up_snapshot(r,
                         "there was no room for it, on the disk or in memory");
    } else if (ids_data_dir_install(r->dir, r->sums, r->firsts, now_ms, false,
                                    &fault)) {
        taken(r, &answer);
    } else if (r->dir->unchanged) {
        ids_fault_text(&fault, why);
        give_up_snapshot(r, why);
    } else {
        ids_storage_fail(&fault);
    }
    atomic_store(&r->busy, false);
}
