/* SPDX-License-Identifier: Apache-2.0 */
/* restore.c -- reading a folder back with all cores: units are handed out one
 * by one, records go to their shards under a lock per shard. */
#include "server/storage/restore.h"

#include "proto/owner.h"
#include "server/os/thread.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

typedef struct restore {
    ids_data_dir *dir;
    const ids_server *server;
    ids_worker **workers;
    pthread_mutex_t *locks; /* one per shard */
    const ids_restore_report *report;
    uint32_t phase;
    atomic_uint next; /* the unit that nobody reads yet */
    atomic_bool failed;
    pthread_mutex_t lock; /* of fault and report */
    ids_fault *fault;
} restore;

typedef struct route {
    uint64_t hash[IDS_LOAD_COUNT_MAX];
    uint32_t owner[IDS_LOAD_COUNT_MAX];
    bool done[IDS_LOAD_COUNT_MAX];
} route;

/* All of one shard's, under its lock, which is held. */
static bool put_some_changes(ids_shard *shard, uint32_t owner, route *to,
                             const ids_change *changes, size_t from,
                             size_t count, uint64_t now_ms) {
    bool good = true;
    for (size_t i = from; i < count; i++)
        if (to->owner[i] == owner)
            ids_shard_prefetch_bucket(shard, to->hash[i]);
    for (size_t i = from; i < count && good; i++) {
        if (to->owner[i] != owner)
            continue;
        to->done[i] = true;
        good = ids_shard_put(shard, to->hash[i], &changes[i], now_ms);
    }
    return good;
}

/* First the shards that nobody is at, then those that have to be waited for. */
static bool put_all(restore *r, route *to, const ids_change *changes,
                    size_t count, uint64_t now_ms) {
    bool good = true;
    for (int waits = 0; waits < 2; waits++) {
        for (size_t i = 0; i < count && good; i++) {
            uint32_t owner = to->owner[i];
            pthread_mutex_t *lock = &r->locks[owner];
            if (to->done[i] || (waits ? pthread_mutex_lock(lock)
                                      : pthread_mutex_trylock(lock)) != 0)
                continue;
            good = put_some_changes(r->workers[owner]->shard, owner, to,
                                    changes, i, count, now_ms);
            pthread_mutex_unlock(lock);
        }
    }
    return good;
}

static bool load_record(void *ctx, const ids_change *changes, size_t count,
                        uint64_t now_ms) {
    restore *r = ctx;
    route to;
    assert(count <= IDS_LOAD_COUNT_MAX);
    memset(to.done, 0, sizeof to.done);
    for (size_t i = 0; i < count; i++) {
        to.hash[i] = ids_server_hash_record(r->server, changes[i].ns,
                                            changes[i].key, &to.owner[i]);
        assert(to.owner[i] < r->server->loops);
    }
    return put_all(r, &to, changes, count, now_ms);
}

static void read_units(void *ctx) {
    restore *r = ctx;
    const ids_loader loader = {.ctx = r, .load = load_record};
    uint32_t units = ids_data_dir_units(r->dir, r->phase);
    while (!atomic_load(&r->failed) || !r->workers) {
        uint32_t unit = atomic_fetch_add(&r->next, 1);
        ids_fault fault;
        if (unit >= units)
            break;
        bool good = ids_data_dir_read(r->dir, r->phase, unit,
                                      r->workers  ? &loader
                                      : r->report ? r->report->loader
                                                  : NULL,
                                      &fault);
        pthread_mutex_lock(&r->lock);
        if (!good && !atomic_exchange(&r->failed, true))
            *r->fault = fault;
        if (r->report)
            r->report->unit(r->report->ctx,
                            ids_data_dir_unit(r->dir, r->phase, unit), &fault);
        pthread_mutex_unlock(&r->lock);
    }
}

static void read_phase(restore *r, uint32_t threads) {
    uint32_t units = ids_data_dir_units(r->dir, r->phase);
    atomic_store(&r->next, 0);
    ids_work_together(threads < units ? threads : units, read_units, r);
}

/* What the snapshots hold is spread evenly, whoever wrote them. */
static void reserve_records(const restore *r) {
    const ids_manifest *m = &r->dir->manifest;
    uint64_t records = 0;
    for (uint32_t i = 0; i < m->snapshot_loops; i++)
        records += m->snapshot[i].records;
    for (uint32_t i = 0; i < r->server->loops; i++)
        ids_shard_reserve(r->workers[i]->shard, records / r->server->loops);
}

static bool make_locks(restore *r) {
    uint32_t count = r->workers ? r->server->loops : 0;
    r->locks = calloc(count + 1, sizeof *r->locks);
    for (uint32_t i = 0; r->locks && i < count; i++)
        pthread_mutex_init(&r->locks[i], NULL);
    return r->locks != NULL ||
           ids_fault_set(r->fault, IDS_FAULT_MEMORY, IDS_NAME_MANIFEST,
                         "its records don't fit into memory");
}

bool ids_restore(ids_data_dir *dir, const ids_server *server,
                 ids_worker **workers, uint32_t threads,
                 const ids_restore_report *report, ids_fault *fault) {
    restore r = {.dir = dir,
                 .server = server,
                 .workers = workers,
                 .report = report,
                 .fault = fault};
    if (!make_locks(&r))
        return false;
    pthread_mutex_init(&r.lock, NULL);
    if (workers)
        reserve_records(&r);
    for (r.phase = 0; r.phase < ids_data_dir_phases(dir); r.phase++)
        if (!atomic_load(&r.failed) || !workers)
            read_phase(&r, threads);
    for (uint32_t i = 0; workers && i < server->loops; i++)
        pthread_mutex_destroy(&r.locks[i]);
    pthread_mutex_destroy(&r.lock);
    free(r.locks);
    return !atomic_load(&r.failed);
}
