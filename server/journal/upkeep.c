/* SPDX-License-Identifier: Apache-2.0 */
/* upkeep.c -- what counts in the folder is written, what does not is removed;
 * see data_dir.h.
 *
 * The directory's manifest is the one on the medium: the next one takes its
 * place once it is there. */
#include "server/journal/data_dir.h"

#include "server/journal/mutant.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_needed(const ids_manifest *m, const char *text) {
    ids_name name;
    assert(m->runs <= IDS_RUNS_MAX);
    switch (ids_name_parse(text, &name)) {
    case IDS_NAME_IS_MANIFEST:
    case IDS_NAME_OTHER:
        return true;
    case IDS_NAME_IS_MANIFEST_NEW:
        return false;
    case IDS_NAME_IS_SNAPSHOT:
        return name.number == m->generation && name.loop < m->snapshot_loops;
    case IDS_NAME_IS_LOG:
        break;
    }
    for (uint32_t i = 0; i < m->runs; i++) {
        const ids_manifest_run *run = &m->run[i];
        if (run->epoch != name.epoch || name.loop >= run->loops)
            continue;
        const ids_manifest_log *log = &run->logs[name.loop];
        return name.number >= log->first.segment &&
               (!run->closed || name.number <= log->end.segment);
    }
    return false;
}

typedef struct sweep {
    const ids_data_dir *dir;
    char names[64][IDS_DISK_NAME_BYTES];
    uint32_t count;
} sweep;

static void collect_unneeded(void *ctx, const char *text) {
    sweep *s = ctx;
    assert(s->count <= 64);
    if (s->count == 64 || strlen(text) >= IDS_DISK_NAME_BYTES ||
        is_needed(&s->dir->manifest, text))
        return;
    memcpy(s->names[s->count++], text, strlen(text) + 1);
}

void ids_data_dir_clean_up(const ids_data_dir *v) {
    const ids_disk *disk = v->disk;
    bool all_gone = true;
    sweep s = {.dir = v, .count = 64};
    if (v->keeps_all && v->keeps_all(v->keeps_all_ctx))
        return; /* the next one removes it, too */
    while (s.count == 64 && all_gone) {
        s.count = 0;
        if (disk->list(disk->ctx, collect_unneeded, &s) != 0)
            return;
        for (uint32_t i = 0; i < s.count; i++)
            all_gone = disk->remove(disk->ctx, s.names[i]) == 0 && all_gone;
    }
}

/* A lock that was replaced may be another's, and so may the folder. */
static bool stands(int error, bool unknown) {
    assert(error <= 0);
    return error && !unknown && error != -ESTALE;
}

/* next is moved in, if it is the folder's now; else freed. */
static bool put_manifest(ids_data_dir *v, ids_manifest *next,
                         ids_fault *fault) {
    bool unknown;
    int error = ids_manifest_install(next, v->disk, &unknown);
    v->unchanged = stands(error, unknown);
    if (error) {
        ids_manifest_fini(next);
        return ids_fault_disk(fault, error, IDS_NAME_MANIFEST,
                              "can't replace the manifest");
    }
    assert(next->counter > v->manifest.counter);
    ids_manifest_fini(&v->manifest);
    v->manifest = *next;
    return true;
}

static bool no_memory(ids_data_dir *v, ids_fault *fault) {
    v->unchanged = true;
    return ids_fault_set(fault, IDS_FAULT_MEMORY, IDS_NAME_MANIFEST,
                         "it doesn't fit");
}

uint64_t ids_data_dir_next_generation(const ids_data_dir *v) {
    return v->manifest.generation + 1;
}

bool ids_data_dir_is_replaced(const ids_data_dir *v) {
    const ids_manifest *m = &v->manifest;
    return m->runs > 0 && m->run[m->runs - 1].replaced;
}

bool ids_data_dir_replaced(ids_data_dir *v, const ids_log_end *ends,
                           uint64_t now_ms, ids_fault *fault) {
    const ids_manifest *m = &v->manifest;
    ids_manifest next;
    *fault = (ids_fault){0};
    assert(m->runs > 0 && !m->run[m->runs - 1].closed);
    if (ids_data_dir_is_replaced(v) || IDS_MUTANT(MIXES_HISTORIES))
        return true; /* the ends stay where the first ones were */
    if (!ids_manifest_copy(&next, m))
        return no_memory(v, fault);
    ids_manifest_run *run = &next.run[next.runs - 1];
    run->replaced = true;
    assert(!run->closed);
    for (uint32_t i = 0; i < run->loops; i++)
        run->logs[i].end = ends[i];
    next.clock_ms = now_ms;
    return put_manifest(v, &next, fault);
}

/* What the manifest says once this snapshot counts. */
static bool with_snapshot(const ids_manifest *m, const ids_snapshot_sum *sums,
                          const ids_log_end *firsts, bool clean,
                          ids_manifest *next) {
    uint32_t loops = m->run[m->runs - 1].loops;
    ids_snapshot_sum *snapshot = malloc(loops * sizeof *snapshot);
    assert(m->runs > 0 && !m->run[m->runs - 1].closed);
    if (snapshot == NULL || !ids_manifest_copy(next, m)) {
        free(snapshot);
        return false;
    }
    memcpy(snapshot, sums, loops * sizeof *snapshot);
    free(next->snapshot);
    next->snapshot = snapshot;
    next->snapshot_loops = loops;
    next->generation++;
    next->clean = clean;
    ids_manifest_drop_runs(next, clean ? next->runs : next->runs - 1);
    ids_manifest_run *run = &next->run[0];
    for (uint32_t i = 0; !clean && i < loops; i++) {
        assert(firsts[i].segment >= run->logs[i].first.segment);
        assert(firsts[i].at == IDS_FILE_HEAD_BYTES);
        run->logs[i].first = firsts[i];
    }
    if (!clean)
        run->replaced = false;
    assert(next->runs == (clean ? 0 : 1));
    assert(next->generation > m->generation);
    return true;
}

bool ids_data_dir_install(ids_data_dir *v, const ids_snapshot_sum *sums,
                          const ids_log_end *firsts, uint64_t now_ms,
                          bool clean, ids_fault *fault) {
    const ids_manifest *m = &v->manifest;
    ids_manifest next;
    *fault = (ids_fault){0};
    assert(m->runs > 0 && !m->run[m->runs - 1].closed);
    if (!with_snapshot(m, sums, firsts, clean, &next))
        return no_memory(v, fault);
    next.clock_ms = now_ms;
    if (IDS_MUTANT(REMOVES_TOO_EARLY)) {
        ids_data_dir early = *v;
        early.manifest = next;
        ids_data_dir_clean_up(&early);
    }
    int error =
        IDS_MUTANT(NO_FOLDER_SYNC) ? 0 : v->disk->sync_folder(v->disk->ctx);
    if (error) {
        v->unchanged = false; /* of its logs' names, who knows */
        ids_manifest_fini(&next);
        return ids_fault_disk(fault, error, IDS_NAME_MANIFEST,
                              "can't sync its folder");
    }
    if (!put_manifest(v, &next, fault))
        return false;
    ids_data_dir_clean_up(v);
    return true;
}
