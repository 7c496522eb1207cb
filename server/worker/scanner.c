/* SPDX-License-Identifier: Apache-2.0 */
/* scanner.c -- see scanner.h. */
#include "server/worker/scanner.h"

#include "server/worker/worker.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_A_STEP 256
/* While thousands of calls come in a second. */
#define BUCKETS_ASKED  32
/* A pass that is so late goes on from here, and takes longer. */
#define LATE_MS        100

const uint32_t ids_orphan_ages_s[IDS_ORPHAN_AGES] = {60, 600, 3600, 86400};

bool ids_scanner_init(ids_scanner *scanner, uint64_t interval_ms,
                      uint64_t now_ms) {
    *scanner = (ids_scanner){.begun_ms = now_ms, .next_ms = now_ms};
    if (!interval_ms)
        return true;
    scanner->now = calloc(1, sizeof *scanner->now);
    scanner->last = calloc(1, sizeof *scanner->last);
    if (!scanner->now || !scanner->last)
        return false;
    scanner->interval_ms = interval_ms;
    return true;
}

void ids_scanner_fini(ids_scanner *scanner) {
    free(scanner->now);
    free(scanner->last);
    scanner->now = scanner->last = NULL;
}

/* The oldest ------------------------------------------------------------ */

/* A heap whose first is the youngest: the one that goes for an older one. */
static void sink(ids_oldest *heap, uint32_t count, uint32_t at) {
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child + 1 < count &&
            heap[child + 1].since_ms > heap[child].since_ms)
            child++;
        if (child >= count || heap[child].since_ms <= heap[at].since_ms)
            return;
        ids_oldest one = heap[at];
        heap[at] = heap[child];
        heap[child] = one;
        at = child;
    }
}

static void rise(ids_oldest *heap, uint32_t at) {
    while (at > 0 && heap[at].since_ms > heap[(at - 1) / 2].since_ms) {
        ids_oldest one = heap[at];
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
        heap[at] = one;
    }
}

static void note_oldest(const ids_worker *worker, ids_stuck kind,
                        const ids_sight *sight) {
    ids_scanned *now = worker->scanner.now;
    ids_oldest *heap = now->oldest[kind];
    uint32_t *count = &now->oldest_count[kind], owner;
    if (*count == IDS_OLDEST_MAX && sight->since_ms >= heap[0].since_ms)
        return;
    ids_oldest one = {
        .since_ms = sight->since_ms,
        .hash = ids_server_hash(worker->server, sight->ns, sight->key, &owner)};
    if (*count < IDS_OLDEST_MAX) {
        heap[*count] = one;
        rise(heap, (*count)++);
    } else {
        heap[0] = one;
        sink(heap, *count, 0);
    }
}

static int compare_since(const void *a, const void *b) {
    const ids_oldest *x = a, *y = b;
    return (x->since_ms > y->since_ms) - (x->since_ms < y->since_ms);
}

/* A pass ---------------------------------------------------------------- */

static void see_scanned(void *ctx, const ids_sight *sight) {
    ids_worker *worker = ctx;
    ids_scanner *scanner = &worker->scanner;
    ids_scanned *now = scanner->now;
    now->records[sight->state]++;
    if (sight->by)
        scanner->by[sight->by / 64] |= 1ull << sight->by % 64;
    if (sight->state == IDP_STATE_IN_PROGRESS)
        note_oldest(worker, IDS_STUCK_CLAIMED, sight);
    if (sight->state != IDP_STATE_ORPHANED)
        return;
    note_oldest(worker, IDS_STUCK_ORPHANED, sight);
    for (int i = 0; i < IDS_ORPHAN_AGES; i++)
        now->orphans_older[i] +=
            sight->age_ms >= (uint64_t)ids_orphan_ages_s[i] * 1000;
    if (sight->age_ms > now->oldest_orphan_ms)
        now->oldest_orphan_ms = sight->age_ms;
}

static void end_pass(ids_worker *worker) {
    ids_scanner *scanner = &worker->scanner;
    ids_scanned *done = scanner->now;
    for (int kind = 0; kind < IDS_STUCKS; kind++)
        qsort(done->oldest[kind], done->oldest_count[kind],
              sizeof *done->oldest[kind], compare_since);
    done->ended_ms = worker->now_ms;
    scanner->now = scanner->last;
    scanner->last = done;
    memset(scanner->now, 0, sizeof *scanner->now);
    if (worker->server->holders)
        ids_holders_looked(worker->server->holders, worker->index,
                           scanner->begun_ms, scanner->by);
    memset(scanner->by, 0, sizeof scanner->by);
    scanner->position = 0;
    scanner->begun_ms += scanner->interval_ms;
    if (scanner->begun_ms <= worker->now_ms)
        scanner->begun_ms = worker->now_ms + 1;
}

/* When the position is due: the pass goes on evenly. */
static uint64_t due_ms(const ids_scanner *scanner) {
    return scanner->begun_ms + (scanner->interval_ms * scanner->position >> 32);
}

void ids_scanner_tick(ids_worker *worker) {
    ids_scanner *scanner = &worker->scanner;
    if (ids_scanner_next_ms(scanner) > worker->now_ms)
        return;
    uint64_t due = due_ms(scanner);
    if (worker->now_ms > due + LATE_MS)
        scanner->begun_ms += worker->now_ms - due;
    uint32_t buckets =
        ids_worker_is_asked(worker) ? BUCKETS_ASKED : BUCKETS_A_STEP;
    ids_scan scan = {.position = scanner->position,
                     .buckets_max = buckets,
                     .room = UINT32_MAX,
                     .seen = see_scanned,
                     .ctx = worker};
    bool goes_on = ids_shard_scan(worker->shard, worker->now_ms, &scan);
    ids_worker_worked(worker, IDS_WORK_DUE, buckets - scan.buckets_max, 0);
    scanner->position = scan.position;
    if (!goes_on)
        end_pass(worker);
    scanner->next_ms = due_ms(scanner);
    if (scanner->next_ms <= worker->now_ms)
        scanner->next_ms = worker->now_ms + 1;
}
