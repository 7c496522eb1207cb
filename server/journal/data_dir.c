/* SPDX-License-Identifier: Apache-2.0 */
/* data_dir.c -- a folder is opened and read back; see data_dir.h. */
#include "server/journal/data_dir.h"

#include "server/journal/mutant.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Opening ------------------------------------------------------------------ */

typedef struct listing {
    ids_data_dir *dir;
    bool no_memory;
} listing;

static void look_at_name(void *ctx, const char *text) {
    listing *l = ctx;
    ids_data_dir *v = l->dir;
    ids_name name;
    ids_name_kind kind = ids_name_parse(text, &name);
    assert(v->logs_count <= v->names_cap);
    if (kind == IDS_NAME_IS_SNAPSHOT || kind == IDS_NAME_IS_LOG)
        v->has_files = true;
    if (kind != IDS_NAME_IS_LOG || l->no_memory)
        return;
    if (v->logs_count == v->names_cap) {
        size_t cap = v->names_cap ? v->names_cap * 2 : 64;
        ids_name *grown = realloc(v->logs, cap * sizeof *grown);
        l->no_memory = grown == NULL;
        if (grown == NULL)
            return;
        v->logs = grown;
        v->names_cap = cap;
    }
    v->logs[v->logs_count++] = name;
}

static bool read_manifest(ids_data_dir *v, int file, ids_fault *fault) {
    const ids_disk *disk = v->disk;
    int64_t size = disk->size(disk->ctx, file);
    assert(file >= 0);
    if (size > IDS_MANIFEST_BYTES_MAX)
        return ids_fault_set(fault, IDS_FAULT_FOREIGN, IDS_NAME_MANIFEST,
                             "larger than a manifest is");
    char *text = size < 0 ? NULL : malloc((size_t)size + 1);
    if (size >= 0 && text == NULL)
        return ids_fault_set(fault, IDS_FAULT_MEMORY, IDS_NAME_MANIFEST,
                             "it doesn't fit");
    if (size >= 0)
        size = ids_disk_read_all(disk, file, 0, text, (size_t)size);
    bool good =
        size < 0
            ? ids_fault_disk(fault, (int)size, IDS_NAME_MANIFEST, "can't read")
            : ids_manifest_parse(&v->manifest, text, (size_t)size, fault);
    free(text);
    return good;
}

static bool find_manifest(ids_data_dir *v, ids_fault *fault) {
    const ids_disk *disk = v->disk;
    int file = disk->open(disk->ctx, IDS_NAME_MANIFEST, IDS_DISK_READ);
    if (file == -ENOENT) {
        v->is_new = true;
        return !v->has_files ||
               ids_fault_set(fault, IDS_FAULT_MISSING, IDS_NAME_MANIFEST,
                             "logs or snapshots are there, but no manifest");
    }
    if (file < 0)
        return ids_fault_disk(fault, file, IDS_NAME_MANIFEST, "can't open");
    bool good = read_manifest(v, file, fault);
    if (good)
        v->copied = ids_data_dir_find_copied(v, file);
    disk->close(disk->ctx, file);
    return good;
}

static bool make_units(ids_data_dir *v, ids_fault *fault) {
    const ids_manifest *m = &v->manifest;
    bool good = true;
    assert(m->runs <= IDS_RUNS_MAX);
    assert(v->snapshot == NULL && v->log[0] == NULL);
    if (m->snapshot_loops > 0)
        v->snapshot = calloc(m->snapshot_loops, sizeof *v->snapshot);
    good = m->snapshot_loops == 0 || v->snapshot != NULL;
    for (uint32_t i = 0; i < m->runs && good; i++) {
        v->log[i] = calloc(m->run[i].loops, sizeof *v->log[i]);
        good = v->log[i] != NULL;
    }
    return good || ids_fault_set(fault, IDS_FAULT_MEMORY, IDS_NAME_MANIFEST,
                                 "what it names doesn't fit");
}

bool ids_data_dir_open(ids_data_dir *v, const ids_disk *disk,
                       ids_fault *fault) {
    *v = (ids_data_dir){.disk = disk};
    listing l = {.dir = v};
    *fault = (ids_fault){0};
    int error = disk->list(disk->ctx, look_at_name, &l);
    bool good = !error || ids_fault_disk(fault, error, IDS_NAME_MANIFEST,
                                         "can't list its folder");
    if (good && l.no_memory)
        good = ids_fault_set(fault, IDS_FAULT_MEMORY, IDS_NAME_MANIFEST,
                             "the list of files doesn't fit");
    good = good && find_manifest(v, fault) && make_units(v, fault);
    if (!good)
        ids_data_dir_close(v);
    return good;
}

void ids_data_dir_free_units(ids_data_dir *v) {
    free(v->snapshot);
    v->snapshot = NULL;
    for (uint32_t i = 0; i < IDS_RUNS_MAX; i++) {
        free(v->log[i]);
        v->log[i] = NULL;
    }
}

void ids_data_dir_close(ids_data_dir *v) {
    ids_data_dir_free_units(v);
    free(v->logs);
    ids_manifest_fini(&v->manifest);
    *v = (ids_data_dir){0};
}

/* Reading ------------------------------------------------------------------ */

/* The snapshot first, then each run's logs: what comes later wins. -1: the
 * snapshot. */
static int32_t run_of(const ids_data_dir *v, uint32_t phase) {
    assert(phase <= v->manifest.runs);
    if (IDS_MUTANT(SNAPSHOT_WINS))
        return phase == v->manifest.runs ? -1 : (int32_t)phase;
    return (int32_t)phase - 1;
}

uint32_t ids_data_dir_phases(const ids_data_dir *v) {
    return 1 + v->manifest.runs;
}

uint32_t ids_data_dir_units(const ids_data_dir *v, uint32_t phase) {
    int32_t run = run_of(v, phase);
    assert(run < (int32_t)v->manifest.runs);
    return run < 0 ? v->manifest.snapshot_loops : v->manifest.run[run].loops;
}

const ids_unit *ids_data_dir_unit(const ids_data_dir *v, uint32_t phase,
                                  uint32_t unit) {
    int32_t run = run_of(v, phase);
    assert(unit < ids_data_dir_units(v, phase));
    return run < 0 ? &v->snapshot[unit] : &v->log[run][unit];
}

static bool load_snapshot(ids_data_dir *v, uint32_t loop,
                          const ids_loader *loader, ids_fault *fault) {
    const ids_manifest *m = &v->manifest;
    const ids_file_head head = {
        .node = m->node, .number = m->generation, .loop = loop};
    ids_unit *unit = &v->snapshot[loop];
    assert(loop < m->snapshot_loops && m->snapshot != NULL);
    *unit = (ids_unit){.files = 1,
                       .bytes = m->snapshot[loop].bytes,
                       .records = m->snapshot[loop].records};
    ids_name_snapshot(unit->name, m->generation, loop);
    return ids_snapshot_read(v->disk, &head, &m->snapshot[loop], loader,
                             &unit->clock_ms, fault);
}

bool ids_data_dir_read(ids_data_dir *v, uint32_t phase, uint32_t unit,
                       const ids_loader *loader, ids_fault *fault) {
    int32_t run = run_of(v, phase);
    assert(unit < ids_data_dir_units(v, phase));
    *fault = (ids_fault){0};
    return run < 0
               ? load_snapshot(v, unit, loader, fault)
               : ids_data_dir_read_log(v, (uint32_t)run, unit, loader, fault);
}

uint64_t ids_data_dir_clock_ms(const ids_data_dir *v) {
    uint64_t clock_ms = v->manifest.clock_ms;
    for (uint32_t phase = 0; phase < ids_data_dir_phases(v); phase++) {
        for (uint32_t i = 0; i < ids_data_dir_units(v, phase); i++) {
            const ids_unit *unit = ids_data_dir_unit(v, phase, i);
            if (unit->clock_ms > clock_ms)
                clock_ms = unit->clock_ms;
        }
    }
    if (IDS_MUTANT(SHRINKS_DEADLINES))
        clock_ms += 1000;
    return IDS_MUTANT(CLOCK_STARTS_ANEW) ? IDS_CLOCK_START_MS : clock_ms;
}
