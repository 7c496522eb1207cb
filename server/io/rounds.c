/* SPDX-License-Identifier: Apache-2.0 */
/* rounds.c -- snapshots while the loops run: each takes its part, in its own
 * time; the last one's thread installs them all. See store.h. */
#include "server/io/loop.h"
#include "server/io/store.h"
#include "server/log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ORDER_EVERY_MS 1000

/* The longest pause after one that was given up. */
#define AGAIN_MS_MAX 300000

uint64_t ids_store_generation(const ids_store *s) {
    return ids_vault_next_generation(&s->vault);
}

bool ids_store_create_part(ids_store *s, uint32_t index,
                           ids_snapshot_file *file) {
    const ids_file_head head = {.node = s->vault.manifest.node,
                                .epoch = s->vault.manifest.epoch,
                                .number = ids_store_generation(s),
                                .start_ms = s->start_ms,
                                .loop = index};
    return ids_snapshot_create(file, &s->disk, &head);
}

void ids_store_remove_parts(ids_store *s) {
    for (uint32_t i = 0; i < s->house->loops; i++) {
        char name[IDS_DISK_NAME_BYTES];
        ids_name_snapshot(name, ids_store_generation(s), i);
        s->disk.remove(s->disk.ctx, name);
    }
}

/* False: none is begun any more. */
static bool begin_round(ids_store *s) {
    pthread_mutex_lock(&s->lock);
    bool begins = !s->quiet;
    s->parts_left = s->house->loops;
    s->given_up = false;
    atomic_store(&s->log_bytes, 0);
    if (begins)
        atomic_fetch_add(&s->round, 1);
    for (uint32_t i = 0; i < s->house->loops && begins; i++)
        s->house->wake(s->house->wake_ctx, i);
    pthread_mutex_unlock(&s->lock);
    return begins;
}

void ids_store_quiet(ids_store *s) {
    if (!s->is_open)
        return;
    pthread_mutex_lock(&s->lock);
    s->quiet = true;
    pthread_mutex_unlock(&s->lock);
}

void ids_store_grew(ids_store *s, size_t log_bytes) {
    bool was = false;
    uint64_t bytes = atomic_fetch_add(&s->log_bytes, log_bytes) + log_bytes;
    if (bytes < s->log_bytes_max)
        return;
    if (atomic_compare_exchange_strong(&s->busy, &was, true))
        begin_round(s);
}

bool ids_store_part_done(ids_store *s, uint32_t index, bool good,
                         const ids_snapshot_sum *sum,
                         const ids_log_end *first) {
    pthread_mutex_lock(&s->lock);
    s->given_up = s->given_up || !good;
    if (good) {
        s->sums[index] = *sum;
        s->firsts[index] = *first;
    }
    bool last = --s->parts_left == 0;
    pthread_mutex_unlock(&s->lock);
    return last;
}

/* What an order for this snapshot hears; loop 0 says it. */
static void settle_order(ids_store *s, const idp_order_answer *answer) {
    pthread_mutex_lock(&s->lock);
    s->answer = *answer;
    atomic_store(&s->has_answer, true);
    if (!s->quiet)
        s->house->wake(s->house->wake_ctx, 0);
    pthread_mutex_unlock(&s->lock);
}

/* Tried again by itself, in ever longer intervals, once there is room. */
static void try_later(ids_store *s) {
    uint64_t pause_ms = atomic_load(&s->pause_ms);
    atomic_store(&s->again_ms, ids_loop_clock_ms() + pause_ms);
    atomic_store(&s->pause_ms,
                 pause_ms * 2 < AGAIN_MS_MAX ? pause_ms * 2 : AGAIN_MS_MAX);
}

/* The last snapshot and the logs stand. Said once for each cause. */
static void give_up(ids_store *s, const char *why) {
    char text[IDS_FAULT_TEXT_BYTES + 80];
    int len = snprintf(text, sizeof text,
                       "%s; the last snapshot and the logs stay, nothing is "
                       "lost",
                       why);
    const idp_order_answer answer = {
        .outcome = IDP_ORDERED_REFUSED,
        .text = {(const uint8_t *)text, (size_t)len}};
    ids_store_remove_parts(s);
    if (strcmp(s->said, why) != 0)
        ids_log(IDS_LOG_WARN, "snapshot given up",
                "reason=\"%s\" todo=\"make room; it is tried again\"", why);
    snprintf(s->said, sizeof s->said, "%s", why);
    atomic_fetch_add(&s->given_up_total, 1);
    try_later(s);
    settle_order(s, &answer);
}

static void taken(ids_store *s, const idp_order_answer *answer) {
    ids_log(IDS_LOG_INFO, "snapshot taken",
            "records=%" PRIu64 " bytes=%" PRIu64, answer->records,
            answer->bytes);
    s->said[0] = '\0';
    atomic_store(&s->again_ms, 0);
    atomic_store(&s->pause_ms, IDS_SNAPSHOT_AGAIN_MS);
    settle_order(s, answer);
}

void ids_store_install(ids_store *s, uint64_t now_ms) {
    ids_fault fault;
    char why[IDS_FAULT_TEXT_BYTES];
    idp_order_answer answer = {.outcome = IDP_ORDERED_SNAPSHOT};
    now_ms = now_ms > s->start_ms ? now_ms : s->start_ms;
    for (uint32_t i = 0; i < s->house->loops; i++) {
        answer.records += s->sums[i].records;
        answer.bytes += s->sums[i].bytes;
    }
    atomic_store(&s->parts_bytes, answer.bytes);
    if (s->given_up) {
        give_up(s, "there was no room for it, on the disk or in memory");
    } else if (ids_vault_install(&s->vault, s->sums, s->firsts, now_ms, false,
                                 &fault)) {
        taken(s, &answer);
    } else if (s->vault.unchanged) {
        ids_fault_text(&fault, why);
        give_up(s, why);
    } else {
        ids_store_fail(&fault);
    }
    atomic_store(&s->busy, false);
}

/* Loop 0: the next try of one that was given up is due, and there is room: each
 * try begins another segment of every log. */
static void try_again(ids_store *s, ids_desk *desk) {
    uint64_t again_ms =
        atomic_load_explicit(&s->again_ms, memory_order_relaxed);
    bool was = false;
    desk->counters.of[IDS_SNAPSHOTS_GIVEN_UP_TOTAL] =
        atomic_load_explicit(&s->given_up_total, memory_order_relaxed);
    desk->counters.of[IDS_SNAPSHOT_WAITS] = again_ms != 0;
    if (again_ms == 0 || desk->now_ms < again_ms || atomic_load(&s->busy))
        return;
    int64_t room = s->disk.free_bytes(s->disk.ctx);
    uint64_t needed = IDS_DISK_RESERVE_BYTES + atomic_load(&s->parts_bytes);
    if (room >= 0 && (uint64_t)room < needed)
        atomic_store(&s->again_ms, desk->now_ms + IDS_SNAPSHOT_AGAIN_MS);
    else if (atomic_compare_exchange_strong(&s->busy, &was, true))
        begin_round(s);
}

/* All records replaced ----------------------------------------------------- */

/* Each log is to end, and to go on in another segment; one that waits for room
 * would be waited for by all loops. */
static bool may_be_replaced(const ids_store *s) {
    int64_t room = s->disk.free_bytes(s->disk.ctx);
    uint64_t needed =
        (uint64_t)s->log_writers_count * 2 * IDS_SEGMENT_BYTES_MIN;
    bool waits = room >= 0 && (uint64_t)room < needed;
    for (uint32_t i = 0; i < s->log_writers_count && !waits; i++)
        waits = ids_log_writer_waits(s->log_writers[i]);
    return !waits;
}

static void say_copy_waits(ids_store *s, const char *why) {
    if (strcmp(s->said_copy, why) != 0)
        ids_log(IDS_LOG_WARN, "a full copy waits for the disk",
                "at=\"--data-dir %s\" reason=\"%s\" so=\"it is not in sync "
                "until then\" todo=\"make room; it is tried again\"",
                s->config->data_dir, why);
    snprintf(s->said_copy, sizeof s->said_copy, "%s", why);
}

bool ids_store_replace(ids_store *s) {
    ids_fault fault;
    char why[IDS_FAULT_TEXT_BYTES];
    if (!s->is_open)
        return true;
    if (!may_be_replaced(s)) {
        say_copy_waits(s, "the disk is full: each log needs another segment");
        return false;
    }
    /* A thread may have the last part of a snapshot to install. */
    for (uint32_t i = 0; i < s->log_writers_count; i++)
        ids_log_writer_settle(s->log_writers[i]);
    for (uint32_t i = 0; i < s->log_writers_count; i++)
        ids_log_writer_begin_anew(s->log_writers[i], &s->firsts[i]);
    ids_store_remove_parts(s);
    if (ids_vault_replaced(&s->vault, s->firsts, ids_loop_clock_ms(), &fault))
        return true;
    if (!s->vault.unchanged)
        ids_store_fail(&fault);
    ids_fault_text(&fault, why);
    say_copy_waits(s, why);
    if (atomic_load(&s->busy)) /* the snapshot under way is none any more */
        give_up(s, "a full copy was to take the place of all records");
    atomic_store(&s->busy, false);
    return false;
}

void ids_store_replaced(ids_store *s) {
    if (!s->is_open)
        return;
    s->said_copy[0] = '\0';
    ids_log(IDS_LOG_INFO, "all records were replaced by the primary's",
            "until_a_snapshot=\"a restart finds the old ones\"");
    atomic_store(&s->busy, true);
    begin_round(s);
}

/* Orders ------------------------------------------------------------------- */

/* However often it is ordered: a second between two. */
static void begin_ordered(ids_store *s, ids_desk *desk) {
    if (!s->begin_ms || desk->now_ms < s->begin_ms)
        return;
    s->begin_ms = 0;
    s->began_ms = desk->now_ms;
    if (begin_round(s))
        return;
    ids_orders_refuse(desk, s->ticket,
                      "the server is going down, and takes one anyway");
    s->ticket = 0;
}

uint64_t ids_store_next_ms(const ids_store *s) {
    uint64_t again_ms =
        atomic_load_explicit(&s->again_ms, memory_order_relaxed);
    uint64_t next_ms = s->begin_ms ? s->begin_ms : UINT64_MAX;
    if (again_ms == 0 || atomic_load(&s->busy))
        return next_ms; /* whoever is busy wakes loop 0 when it is not */
    return again_ms < next_ms ? again_ms : next_ms;
}

void ids_store_answer(ids_store *s, ids_desk *desk) {
    begin_ordered(s, desk);
    try_again(s, desk);
    if (!atomic_load_explicit(&s->has_answer, memory_order_relaxed))
        return;
    pthread_mutex_lock(&s->lock);
    idp_order_answer answer = s->answer;
    atomic_store(&s->has_answer, false);
    pthread_mutex_unlock(&s->lock);
    if (!s->ticket)
        return;
    answer.ms = desk->now_ms - s->ordered_ms;
    ids_orders_answer(desk, s->ticket, &answer);
    s->ticket = 0;
}

static void refuse_full(ids_desk *desk, ids_ticket ticket, uint64_t room) {
    char text[160];
    snprintf(text, sizeof text,
             "the disk has no room for it: %llu bytes are free, and the last "
             "%llu are not for snapshots",
             (unsigned long long)room,
             (unsigned long long)IDS_DISK_RESERVE_BYTES);
    ids_orders_refuse(desk, ticket, text);
}

static void take_order(void *ctx, ids_desk *desk,
                       const ids_order_request *request) {
    ids_store *s = ctx;
    ids_ticket ticket = request->ticket;
    int64_t room = s->disk.free_bytes(s->disk.ctx);
    bool was = false;
    assert(request->order == IDP_SNAPSHOT);
    if (room >= 0 && (uint64_t)room < IDS_DISK_RESERVE_BYTES) {
        refuse_full(desk, ticket, (uint64_t)room);
        return;
    }
    if (!atomic_compare_exchange_strong(&s->busy, &was, true)) {
        ids_orders_refuse(desk, ticket,
                          "a snapshot is under way; ask again when it is "
                          "through");
        return;
    }
    ids_store_answer(s, desk); /* what came of one that nobody ordered */
    s->ticket = ticket;
    s->ordered_ms = desk->now_ms;
    s->begin_ms = s->began_ms ? s->began_ms + ORDER_EVERY_MS : desk->now_ms;
    begin_ordered(s, desk);
}

ids_order_taker ids_store_taker(ids_store *s) {
    return (ids_order_taker){.ctx = s, .begin = take_order};
}
