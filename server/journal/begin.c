/* SPDX-License-Identifier: Apache-2.0 */
/* begin.c -- a run begins: what was read is made durable, the last run is
 * closed, this one has its epoch, its logs and its line in the manifest; see
 * data_dir.h. */
#include "server/journal/data_dir.h"

#include "server/journal/mutant.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Writes part of a log again, as it is, and syncs it. What was read came
 * through the page cache, which may hold what the medium never got: after a
 * crash of the process, or a sync that failed. Once it was read it counts. */
static int rewrite(const ids_disk *disk, int file, const ids_log_span *span) {
    size_t len = span->to - span->from;
    uint8_t *bytes = malloc(len + 1);
    assert(span->from <= span->to);
    assert(span->from >= IDS_FILE_HEAD_BYTES);
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

static bool secure(const ids_data_dir *v, uint64_t epoch, uint32_t loop,
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

static bool close_run(ids_data_dir *v, ids_fault *fault) {
    ids_manifest *m = &v->manifest;
    if (m->runs == 0 || m->run[m->runs - 1].closed)
        return true;
    ids_manifest_run *run = &m->run[m->runs - 1];
    for (uint32_t i = 0; i < run->loops && !run->replaced; i++) {
        const ids_unit *unit = &v->log[m->runs - 1][i];
        assert(unit->end.segment >= run->logs[i].first.segment);
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
static void name_incarnation(ids_data_dir *v, const uint64_t random[2]) {
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
    m->is_backup = false; /* from now on it is this node's */
}

/* The manifest as it is from now on, of a start: nothing goes on that would
 * need the old one. */
static bool install(ids_data_dir *v, ids_fault *fault) {
    bool unknown;
    int error = ids_manifest_install(&v->manifest, v->disk, &unknown);
    v->unchanged = error && !unknown;
    return !error || ids_fault_disk(fault, error, IDS_NAME_MANIFEST,
                                    "can't replace the manifest");
}

/* What nothing names takes room: segments that were made ready and never used,
 * a snapshot that came to no end, one whose time was over as the process was
 * killed. The names that count have to be on the medium before. */
static void make_room_for_run(const ids_data_dir *v) {
    if (v->disk->sync_folder(v->disk->ctx) == 0)
        ids_data_dir_clean_up(v);
}

static bool is_room(const ids_fault *fault) {
    return fault->kind == IDS_FAULT_DISK && ids_fault_is_room(fault->error);
}

/* The old run is closed, the name for the new one is known. */
static bool install_first(ids_data_dir *v, ids_fault *fault) {
    if (install(v, fault))
        return true;
    if (!is_room(fault) || !v->unchanged)
        return false;
    make_room_for_run(v);
    return install(v, fault);
}

/* A log's first segment of the least size each, and a manifest, which stands
 * beside the old one for a moment; so does the peer's record. */
static uint64_t room_needed(const ids_data_dir *v,
                            const ids_run_config *config) {
    const uint64_t block = 4096;
    size_t len = 0;
    assert(config->loops >= 1);
    free(ids_manifest_text(&v->manifest, &len));
    len += config->loops * 128;
    uint64_t segment = ids_writer_first_bytes_min(config->segment_bytes);
    return (len + block - 1) / block * block +
           config->loops * (segment + block) + 2 * block;
}

static bool open_all(const ids_data_dir *v, const ids_run_config *config,
                     bool is_tight, ids_writer *writers, ids_fault *fault) {
    assert(config->loops >= 1 && v->manifest.epoch != 0);
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
static void take_back_run(const ids_data_dir *v, const ids_run_config *config,
                          ids_writer *writers) {
    for (uint32_t i = 0; i < config->loops; i++) {
        char name[IDS_DISK_NAME_BYTES];
        ids_writer_close(&writers[i]);
        ids_name_log(name, v->manifest.epoch, i, 1);
        if (v->unchanged)
            v->disk->remove(v->disk->ctx, name);
    }
}

static bool name_run(ids_data_dir *v, const ids_run_config *config,
                     ids_fault *fault) {
    ids_manifest *m = &v->manifest;
    const ids_manifest_run run = {.epoch = m->epoch,
                                  .start_ms = config->start_ms,
                                  .fsync = config->fsync,
                                  .loops = config->loops};
    assert(m->epoch != 0 && m->clock_ms == config->start_ms);
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

static bool try_run(ids_data_dir *v, const ids_run_config *config,
                    bool is_tight, ids_writer *writers, ids_fault *fault) {
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
    take_back_run(v, config, writers);
    return false;
}

/* Where it fits only if the segments are small, they are. */
static bool begin_files(ids_data_dir *v, const ids_run_config *config,
                        ids_writer *writers, ids_fault *fault) {
    if (try_run(v, config, false, writers, fault))
        return true;
    if (!is_room(fault) || !v->unchanged)
        return false;
    *fault = (ids_fault){0};
    return try_run(v, config, true, writers, fault);
}

uint64_t ids_data_dir_next_epoch(const ids_data_dir *v, uint64_t clock) {
    uint64_t epoch = v->manifest.epoch;
    if (v->is_new || (v->copied && epoch < clock))
        epoch = clock;
    assert(epoch >= v->manifest.epoch);
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
    assert(m->runs > 0 && !last->replaced);
    m->runs--;
    free(m->run[m->runs].logs);
}

static bool begin_new_run(ids_data_dir *v, const ids_run_config *config,
                          ids_writer *writers, ids_fault *fault) {
    ids_manifest *m = &v->manifest;
    m->clock_ms = config->start_ms;
    if (!close_run(v, fault))
        return false;
    name_incarnation(v, config->random);
    uint64_t epoch = ids_data_dir_next_epoch(v, config->clock);
    m->epoch = epoch - 1;
    /* Before any file is there that would miss a manifest, and before any is
     * removed that the one on the medium might still name. */
    if (!install_first(v, fault))
        return false;
    ids_data_dir_clean_up(v);
    m->epoch = epoch;
    m->clean = false;
    v->is_new = false;
    v->copied = NULL;
    ids_data_dir_free_units(v);
    drop_empty_run(m);
    if (!begin_files(v, config, writers, fault))
        return false;
    assert(m->runs > 0 && !m->run[m->runs - 1].closed);
    assert(m->run[m->runs - 1].epoch == epoch);
    ids_data_dir_clean_up(v);
    return true;
}

bool ids_data_dir_begin(ids_data_dir *v, const ids_run_config *config,
                        ids_writer *writers, ids_fault *fault) {
    assert(config->fsync < IDS_FSYNC_COUNT && config->loops <= IDP_SHARDS_MAX);
    assert(config->segment_bytes <= IDS_SEGMENT_BYTES_MAX);
    *fault = (ids_fault){0};
    uint64_t needs = room_needed(v, config);
    if (begin_new_run(v, config, writers, fault))
        return true;
    if (is_room(fault))
        fault->needs = needs;
    return false;
}

bool ids_data_dir_needs_snapshot(const ids_data_dir *v) {
    assert(v->manifest.runs <= IDS_RUNS_MAX);
    return v->manifest.runs + 1 >= IDS_RUNS_MAX;
}
