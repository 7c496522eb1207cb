/* SPDX-License-Identifier: Apache-2.0 */
/* vault.c -- see vault.h. */
#include "server/journal/vault.h"

#include "server/journal/mutant.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Opening ------------------------------------------------------------------ */

typedef struct listing {
    ids_vault *vault;
    bool no_memory;
} listing;

static void look_at(void *ctx, const char *text) {
    listing *l = ctx;
    ids_vault *v = l->vault;
    ids_name name;
    ids_name_kind kind = ids_name_parse(text, &name);
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

static bool read_manifest(ids_vault *v, int file, ids_fault *fault) {
    const ids_disk *disk = v->disk;
    int64_t size = disk->size(disk->ctx, file);
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

static bool find_manifest(ids_vault *v, ids_fault *fault) {
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
        v->copied = ids_vault_find_copied(v, file);
    disk->close(disk->ctx, file);
    return good;
}

static bool make_units(ids_vault *v, ids_fault *fault) {
    const ids_manifest *m = &v->manifest;
    bool good = true;
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

bool ids_vault_open(ids_vault *v, const ids_disk *disk, ids_fault *fault) {
    *v = (ids_vault){.disk = disk};
    listing l = {.vault = v};
    *fault = (ids_fault){0};
    int error = disk->list(disk->ctx, look_at, &l);
    bool good = !error || ids_fault_disk(fault, error, IDS_NAME_MANIFEST,
                                         "can't list its folder");
    if (good && l.no_memory)
        good = ids_fault_set(fault, IDS_FAULT_MEMORY, IDS_NAME_MANIFEST,
                             "the list of files doesn't fit");
    good = good && find_manifest(v, fault) && make_units(v, fault);
    if (!good)
        ids_vault_close(v);
    return good;
}

static void free_units(ids_vault *v) {
    free(v->snapshot);
    v->snapshot = NULL;
    for (uint32_t i = 0; i < IDS_RUNS_MAX; i++) {
        free(v->log[i]);
        v->log[i] = NULL;
    }
}

void ids_vault_close(ids_vault *v) {
    free_units(v);
    free(v->logs);
    ids_manifest_fini(&v->manifest);
    *v = (ids_vault){0};
}

/* Reading ------------------------------------------------------------------ */

/* The snapshot first, then each run's logs: what comes later wins. -1: the
 * snapshot. */
static int32_t run_of(const ids_vault *v, uint32_t phase) {
    if (IDS_MUTANT(SNAPSHOT_WINS))
        return phase == v->manifest.runs ? -1 : (int32_t)phase;
    return (int32_t)phase - 1;
}

uint32_t ids_vault_phases(const ids_vault *v) {
    return 1 + v->manifest.runs;
}

uint32_t ids_vault_units(const ids_vault *v, uint32_t phase) {
    int32_t run = run_of(v, phase);
    return run < 0 ? v->manifest.snapshot_loops : v->manifest.run[run].loops;
}

const ids_unit *ids_vault_unit(const ids_vault *v, uint32_t phase,
                               uint32_t unit) {
    int32_t run = run_of(v, phase);
    return run < 0 ? &v->snapshot[unit] : &v->log[run][unit];
}

static bool read_snapshot(ids_vault *v, uint32_t loop, const ids_loader *loader,
                          ids_fault *fault) {
    const ids_manifest *m = &v->manifest;
    const ids_file_head head = {
        .node = m->node, .number = m->generation, .loop = loop};
    ids_unit *unit = &v->snapshot[loop];
    *unit = (ids_unit){.files = 1,
                       .bytes = m->snapshot[loop].bytes,
                       .records = m->snapshot[loop].records};
    ids_name_snapshot(unit->name, m->generation, loop);
    return ids_snapshot_read(v->disk, &head, &m->snapshot[loop], loader,
                             &unit->clock_ms, fault);
}

bool ids_vault_read(ids_vault *v, uint32_t phase, uint32_t unit,
                    const ids_loader *loader, ids_fault *fault) {
    int32_t run = run_of(v, phase);
    *fault = (ids_fault){0};
    return run < 0 ? read_snapshot(v, unit, loader, fault)
                   : ids_vault_read_log(v, (uint32_t)run, unit, loader, fault);
}

uint64_t ids_vault_clock_ms(const ids_vault *v) {
    uint64_t clock_ms = v->manifest.clock_ms;
    for (uint32_t phase = 0; phase < ids_vault_phases(v); phase++) {
        for (uint32_t i = 0; i < ids_vault_units(v, phase); i++) {
            const ids_unit *unit = ids_vault_unit(v, phase, i);
            if (unit->clock_ms > clock_ms)
                clock_ms = unit->clock_ms;
        }
    }
    if (IDS_MUTANT(SHRINKS_DEADLINES))
        clock_ms += 1000;
    return IDS_MUTANT(CLOCK_STARTS_ANEW) ? IDS_CLOCK_START_MS : clock_ms;
}

/* Beginning a run ---------------------------------------------------------- */

/* Writes part of a log again, as it is, and syncs it. What was read came
 * through the page cache, which may hold what the medium never got: after a
 * crash of the process, or a sync that failed. Once it was read it counts. */
static int rewrite(const ids_disk *disk, int file, const ids_log_span *span) {
    size_t len = span->to - span->from;
    uint8_t *bytes = malloc(len + 1);
    if (bytes == NULL)
        return -ENOMEM;
    int64_t got = ids_disk_read_all(disk, file, span->from, bytes, len);
    int error = got < 0 ? (int)got : (size_t)got < len ? -EIO : 0;
    if (!error)
        error = ids_disk_write_all(disk, file, span->from, bytes, len);
    if (!error)
        error = disk->sync(disk->ctx, file);
    free(bytes);
    return error;
}

static bool secure(const ids_vault *v, uint64_t epoch, uint32_t loop,
                   const ids_log_span *span, ids_fault *fault) {
    const ids_disk *disk = v->disk;
    char name[IDS_DISK_NAME_BYTES];
    if (span->segment == 0 || IDS_MUTANT(TRUSTS_THE_TAIL))
        return true;
    ids_name_log(name, epoch, loop, span->segment);
    int file = disk->open(disk->ctx, name, IDS_DISK_WRITE);
    int error = file < 0 ? file : rewrite(disk, file, span);
    if (file >= 0)
        disk->close(disk->ctx, file);
    return !error ||
           ids_fault_disk(fault, error, name, "can't make it durable");
}

static bool close_run(ids_vault *v, ids_fault *fault) {
    ids_manifest *m = &v->manifest;
    if (m->runs == 0 || m->run[m->runs - 1].closed)
        return true;
    ids_manifest_run *run = &m->run[m->runs - 1];
    for (uint32_t i = 0; i < run->loops && !run->replaced; i++) {
        const ids_unit *unit = &v->log[m->runs - 1][i];
        if ((!IDS_MUTANT(TRUSTS_THE_SEALED) &&
             !secure(v, run->epoch, i, &unit->unsure[0], fault)) ||
            !secure(v, run->epoch, i, &unit->unsure[1], fault))
            return false;
        run->logs[i].end = unit->end;
    }
    run->closed = true;
    return true;
}

/* An incarnation goes on when nothing that was acknowledged can be missing:
 * what took the place of all records, and had no snapshot yet, is. */
static void name_incarnation(ids_vault *v, const uint64_t random[2]) {
    ids_manifest *m = &v->manifest;
    ids_manifest_run *last = m->runs > 0 ? &m->run[m->runs - 1] : NULL;
    bool kept =
        m->clean || (last && last->fsync == IDS_FSYNC_ALWAYS &&
                     (!last->replaced || IDS_MUTANT(KEEPS_INCARNATION)));
    if (last)
        last->replaced = false;
    if (m->node == 0)
        m->node = random[0] | 1;
    if (!kept || v->copied)
        m->incarnation = random[1] | 1;
}

/* The manifest as it is from now on, of a start: nothing goes on that would
 * need the old one. */
static bool install(ids_vault *v, ids_fault *fault) {
    bool unknown;
    int error = ids_manifest_install(&v->manifest, v->disk, &unknown);
    v->unchanged = error && !unknown;
    return !error || ids_fault_disk(fault, error, IDS_NAME_MANIFEST,
                                    "can't replace the manifest");
}

/* What nothing names takes room: segments that were made ready and never used,
 * a snapshot that came to no end, one whose time was over as the process was
 * killed. The names that count have to be on the medium before. */
static void make_room(const ids_vault *v) {
    if (v->disk->sync_folder(v->disk->ctx) == 0)
        ids_vault_clean_up(v);
}

static bool is_room(const ids_fault *fault) {
    return fault->kind == IDS_FAULT_DISK && ids_fault_is_room(fault->error);
}

/* The old run is closed, the name for the new one is known. */
static bool install_first(ids_vault *v, ids_fault *fault) {
    if (install(v, fault))
        return true;
    if (!is_room(fault) || !v->unchanged)
        return false;
    make_room(v);
    return install(v, fault);
}

/* A log's first segment of the least size each, and a manifest, which stands
 * beside the old one for a moment; so does the peer's record. */
static uint64_t room_needed(const ids_vault *v, const ids_run_config *config) {
    const uint64_t block = 4096;
    size_t len = 0;
    free(ids_manifest_text(&v->manifest, &len));
    len += config->loops * 128;
    uint64_t segment = ids_writer_first_bytes_min(config->segment_bytes);
    return (len + block - 1) / block * block +
           config->loops * (segment + block) + 2 * block;
}

static bool open_all(const ids_vault *v, const ids_run_config *config,
                     bool is_tight, ids_writer *writers, ids_fault *fault) {
    for (uint32_t i = 0; i < config->loops; i++) {
        const ids_writer_config writer = {
            .disk = v->disk,
            .node = v->manifest.node,
            .epoch = v->manifest.epoch,
            .start_ms = config->start_ms,
            .loop = i,
            .segment_bytes = config->segment_bytes,
            .is_tight = is_tight,
            .zeroes_ahead = config->fsync == IDS_FSYNC_ALWAYS,
            .syncs_behind = config->fsync != IDS_FSYNC_ALWAYS};
        if (ids_writer_open(&writers[i], &writer))
            continue;
        *fault = writers[i].fault;
        while (i-- > 0) {
            char name[IDS_DISK_NAME_BYTES];
            ids_writer_close(&writers[i]);
            ids_name_log(name, writer.epoch, i, 1);
            v->disk->remove(v->disk->ctx, name);
        }
        return false;
    }
    return true;
}

/* What the start had made is of no use: nothing names it. */
static void take_back(const ids_vault *v, const ids_run_config *config,
                      ids_writer *writers) {
    for (uint32_t i = 0; i < config->loops; i++) {
        char name[IDS_DISK_NAME_BYTES];
        ids_writer_close(&writers[i]);
        ids_name_log(name, v->manifest.epoch, i, 1);
        if (v->unchanged)
            v->disk->remove(v->disk->ctx, name);
    }
}

static bool name_run(ids_vault *v, const ids_run_config *config,
                     ids_fault *fault) {
    ids_manifest *m = &v->manifest;
    const ids_manifest_run run = {.epoch = m->epoch,
                                  .start_ms = config->start_ms,
                                  .fsync = config->fsync,
                                  .loops = config->loops};
    if (m->runs == IDS_RUNS_MAX)
        return ids_fault_set(fault, IDS_FAULT_CORRUPT, IDS_NAME_MANIFEST,
                             "it names more lives than there may be");
    if (!ids_manifest_add_run(m, &run))
        return ids_fault_set(fault, IDS_FAULT_MEMORY, IDS_NAME_MANIFEST,
                             "it doesn't fit");
    if (install(v, fault))
        return true;
    m->runs--;
    free(m->run[m->runs].logs);
    return false;
}

static bool try_run(ids_vault *v, const ids_run_config *config, bool is_tight,
                    ids_writer *writers, ids_fault *fault) {
    v->unchanged = true;
    if (!open_all(v, config, is_tight, writers, fault))
        return false;
    int error =
        IDS_MUTANT(NO_FOLDER_SYNC) ? 0 : v->disk->sync_folder(v->disk->ctx);
    if (error)
        ids_fault_disk(fault, error, IDS_NAME_MANIFEST,
                       "can't sync its folder");
    else if (name_run(v, config, fault))
        return true;
    take_back(v, config, writers);
    return false;
}

/* Where it fits only if the segments are small, they are. */
static bool begin_run(ids_vault *v, const ids_run_config *config,
                      ids_writer *writers, ids_fault *fault) {
    if (try_run(v, config, false, writers, fault))
        return true;
    if (!is_room(fault) || !v->unchanged)
        return false;
    *fault = (ids_fault){0};
    return try_run(v, config, true, writers, fault);
}

uint64_t ids_vault_next_epoch(const ids_vault *v, uint64_t clock) {
    uint64_t epoch = v->manifest.epoch;
    if (v->is_new || (v->copied && epoch < clock))
        epoch = clock;
    return epoch + 1;
}

/* A life in which nothing was changed: a start that was given up, mostly. Lives
 * are counted, and each has a segment a loop. */
static void drop_empty_run(ids_manifest *m) {
    const ids_manifest_run *last = m->runs > 0 ? &m->run[m->runs - 1] : NULL;
    bool is_empty = last != NULL && last->closed;
    for (uint32_t i = 0; is_empty && i < last->loops; i++)
        is_empty =
            last->logs[i].first.segment == 1 && last->logs[i].end.number == 0;
    if (!is_empty)
        return;
    m->runs--;
    free(m->run[m->runs].logs);
}

static bool begin(ids_vault *v, const ids_run_config *config,
                  ids_writer *writers, ids_fault *fault) {
    ids_manifest *m = &v->manifest;
    m->clock_ms = config->start_ms;
    if (!close_run(v, fault))
        return false;
    name_incarnation(v, config->random);
    uint64_t epoch = ids_vault_next_epoch(v, config->clock);
    m->epoch = epoch - 1;
    /* Before any file is there that would miss a manifest, and before any is
     * removed that the one on the medium might still name. */
    if (!install_first(v, fault))
        return false;
    ids_vault_clean_up(v);
    m->epoch = epoch;
    m->clean = false;
    v->is_new = false;
    v->copied = NULL;
    free_units(v);
    drop_empty_run(m);
    if (!begin_run(v, config, writers, fault))
        return false;
    ids_vault_clean_up(v);
    return true;
}

bool ids_vault_begin(ids_vault *v, const ids_run_config *config,
                     ids_writer *writers, ids_fault *fault) {
    *fault = (ids_fault){0};
    uint64_t needs = room_needed(v, config);
    if (begin(v, config, writers, fault))
        return true;
    if (is_room(fault))
        fault->needs = needs;
    return false;
}

bool ids_vault_needs_snapshot(const ids_vault *v) {
    return v->manifest.runs + 1 >= IDS_RUNS_MAX;
}
