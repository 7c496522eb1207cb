/* SPDX-License-Identifier: Apache-2.0 */
/* namespaces.c -- see namespaces.h. */
#include "server/worker/namespaces.h"

#include "server/worker/worker.h"

#include <assert.h>
#include <stdlib.h>

static void lock_names(void *ctx) {
    ids_namespaces *namespaces = ctx;
    while (atomic_flag_test_and_set_explicit(&namespaces->lock,
                                             memory_order_acquire))
        ;
}

static void unlock_names(void *ctx) {
    ids_namespaces *namespaces = ctx;
    atomic_flag_clear_explicit(&namespaces->lock, memory_order_release);
}

static void *take_block(void *ctx, size_t bytes) {
    (void)ctx;
    return aligned_alloc(64, (bytes + 63) & ~(size_t)63);
}

static void give_block(void *ctx, void *block, size_t bytes) {
    (void)ctx, (void)bytes;
    free(block);
}

static bool open_ledger(ids_namespaces *namespaces, uint32_t shards) {
    const ids_ledger_config config = {
        .mem = {NULL, take_block, give_block, NULL},
        .shards = shards,
        .lock = lock_names,
        .unlock = unlock_names,
        .lock_ctx = namespaces};
    atomic_flag_clear_explicit(&namespaces->lock, memory_order_relaxed);
    namespaces->ledger = ids_ledger_new(&config);
    return namespaces->ledger != NULL;
}

bool ids_namespaces_name(ids_namespaces *namespaces,
                         const ids_ns_limits_table *limits, uint32_t shards,
                         uint64_t now_ms) {
    return (namespaces->ledger || open_ledger(namespaces, shards)) &&
           ids_ledger_name(namespaces->ledger, limits, now_ms);
}

void ids_namespaces_close(ids_namespaces *namespaces) {
    ids_ledger_free(namespaces->ledger);
    namespaces->ledger = NULL;
}

bool ids_worker_set_namespaces(ids_worker *worker,
                               const ids_ns_limits_table *limits,
                               ids_ledger *ledger) {
    const ids_staging *copy = &worker->staging;
    ids_shard *const live[] = {worker->shard, copy->staged};
    bool good = true;
    assert(limits && ledger);
    for (size_t i = 0; i < sizeof live / sizeof *live; i++)
        good = (!live[i] || ids_shard_set_limits(live[i], limits, ledger,
                                                 worker->now_ms)) &&
               good;
    for (int i = 0; i < IDS_STAGING_RETIRED_MAX; i++)
        good = (!copy->retired[i] ||
                ids_shard_set_limits(copy->retired[i], limits, ledger,
                                     worker->now_ms)) &&
               good;
    worker->shard_config.limits = limits;
    worker->shard_config.ledger = ledger;
    return good;
}
