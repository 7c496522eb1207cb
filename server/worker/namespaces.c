/* SPDX-License-Identifier: Apache-2.0 */
/* namespaces.c -- see namespaces.h. */
#include "server/worker/namespaces.h"

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

bool ids_namespaces_open(ids_namespaces *namespaces, ids_all_limits *limits,
                         uint32_t shards) {
    const ids_ledger_config config = {
        .mem = {NULL, take_block, give_block, NULL},
        .shards = shards,
        .lock = lock_names,
        .unlock = unlock_names,
        .lock_ctx = namespaces};
    *namespaces = (ids_namespaces){.lock = ATOMIC_FLAG_INIT};
    namespaces->ledger = ids_ledger_new(&config);
    if (!namespaces->ledger)
        return false;
    if (!ids_ledger_name(namespaces->ledger, limits, 0)) {
        ids_namespaces_close(namespaces);
        return false;
    }
    namespaces->limits = limits;
    return true;
}

void ids_namespaces_close(ids_namespaces *namespaces) {
    ids_ledger_free(namespaces->ledger);
    free(namespaces->limits);
    *namespaces = (ids_namespaces){.lock = ATOMIC_FLAG_INIT};
}
