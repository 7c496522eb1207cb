/* SPDX-License-Identifier: Apache-2.0 */
/* store.c -- the folder from its opening to its end; see store.h. */
#include "server/storage/store.h"

#include "server/base/log.h"
#include "server/base/machine.h"
#include "server/os/clock.h"
#include "server/os/thread.h"
#include "server/storage/folder.h"
#include "server/storage/restore.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What a small file, or a folder, takes of a disk. */
#define BLOCK_BYTES 4096

static bool complain_store(const ids_store *s, const ids_fault *fault) {
    char text[IDS_FAULT_TEXT_BYTES];
    ids_fault_text(fault, text);
    if (fault->needs > 0)
        ids_log(IDS_LOG_ERROR, "the data folder can't be used",
                "at=\"--data-dir %s\" free_bytes=%" PRId64
                " needed_bytes=%" PRIu64 " reason=\"%s\"",
                s->config->data_dir, s->disk.free_bytes(s->disk.ctx),
                fault->needs, text);
    else
        ids_log(IDS_LOG_ERROR, "the data folder can't be used",
                "at=\"--data-dir %s\" reason=\"%s\"", s->config->data_dir,
                text);
    return false;
}

static bool complain_of_folder(const char *path, const char *why) {
    ids_log(IDS_LOG_ERROR, "the data folder can't be used",
            "at=\"--data-dir %s\" reason=\"%s\"", path, why);
    return false;
}

/* Who has it, in words. */
static void say_holder(const char *path, char *why, size_t why_cap) {
    pid_t holder = ids_folder_holder(path);
    if (holder > 0)
        snprintf(why, why_cap, "in use by pid %ld", (long)holder);
    else
        snprintf(why, why_cap, "in use by another idemstored");
}

/* Whether it may be ours to use. A new one is no fault, but hardly meant where
 * a store has run before. */
static bool may_use(const char *path) {
    char why[256];
    switch (ids_folder_look(path, why, sizeof why)) {
    case IDS_FOLDER_FOREIGN:
    case IDS_FOLDER_FAULT:
        return complain_of_folder(path, why);
    case IDS_FOLDER_EMPTY:
    case IDS_FOLDER_NONE:
        ids_log(IDS_LOG_WARN, "the data folder is new, empty",
                "at=\"--data-dir %s\"", path);
        return true;
    case IDS_FOLDER_OURS:
        break;
    }
    return true;
}

static bool open_data_dir(ids_store *s, const char *path) {
    char why[256];
    if (!may_use(path))
        return false;
    int error = ids_posix_disk_open(&s->posix, path);
    if (!error)
        return true;
    if (error == -EWOULDBLOCK)
        say_holder(path, why, sizeof why);
    else if (error == -ENOENT)
        snprintf(why, sizeof why,
                 "the folder that it should be in isn't there");
    else if (ids_fault_is_room(error))
        snprintf(why, sizeof why,
                 "%s: it needs room for the folder and the file LOCK in it, "
                 "%d bytes. Make room and start again",
                 strerror(-error), 2 * BLOCK_BYTES);
    else
        snprintf(why, sizeof why, "%s", strerror(-error));
    return complain_of_folder(path, why);
}

bool ids_store_open(ids_store *s, const ids_config *config,
                    const ids_server *server) {
    ids_fault fault;
    *s = (ids_store){.server = server,
                     .config = config,
                     .snapshots = {.rounds = &s->rounds, .backup = &s->backup}};
    if (!open_data_dir(s, config->data_dir))
        return false;
    s->disk = ids_posix_disk_of(&s->posix);
    if (!ids_data_dir_open(&s->dir, &s->disk, &fault)) {
        complain_store(s, &fault);
        ids_posix_disk_close(&s->posix);
        return false;
    }
    s->was_empty = s->dir.is_new;
    if (config->restored && !s->was_empty)
        s->dir.copied = "--restored says so";
    if (s->dir.copied)
        ids_log(IDS_LOG_WARN, "the data folder was copied or restored",
                "data_dir=%s reason=\"%s\" so=\"a new incarnation, and an "
                "epoch above the clock's\"",
                config->data_dir, s->dir.copied);
    ids_rounds_init(&s->rounds, server, &s->dir, &s->disk,
                    config->snapshot_log_bytes);
    ids_backup_init(&s->backup, &s->rounds, config->backup_dir);
    s->is_open = true;
    return true;
}

void ids_store_quiet(ids_store *s) {
    if (s->is_open)
        ids_rounds_quiet(&s->rounds);
}

uint64_t ids_store_incarnation(const ids_store *s) {
    return s->is_open ? s->dir.manifest.incarnation : 0;
}

uint64_t ids_store_epoch(const ids_store *s) {
    return ids_data_dir_next_epoch(&s->dir, s->server->epoch - 1);
}

/* The start ---------------------------------------------------------------- */

typedef struct totals {
    uint64_t files, bytes, records;
} totals;

static void count_unit(void *ctx, const ids_unit *unit,
                       const ids_fault *fault) {
    totals *t = ctx;
    if (fault->kind != IDS_FAULT_NONE)
        return;
    t->files += unit->files;
    t->bytes += unit->bytes;
    t->records += unit->records;
    if (unit->torn)
        ids_log(IDS_LOG_WARN, "a tail that was never acknowledged is cut",
                "file=%s at=%" PRIu32, unit->name, unit->end.at);
}

static bool load_units(ids_store *s, ids_worker **workers) {
    ids_fault fault;
    totals t = {0};
    const ids_restore_report report = {.ctx = &t, .unit = count_unit};
    uint64_t from_ms = ids_loop_clock_ms();
    if (!ids_restore(&s->dir, s->server, workers, ids_machine_cores(), &report,
                     &fault))
        return complain_store(s, &fault);
    if (!s->was_empty)
        ids_log(IDS_LOG_INFO, "recovered",
                "files=%" PRIu64 " bytes=%" PRIu64 " records_read=%" PRIu64
                " ms=%" PRIu64 " after_clean_stop=%s",
                t.files, t.bytes, t.records, ids_loop_clock_ms() - from_ms,
                s->dir.manifest.clean ? "yes" : "no");
    return true;
}

static uint32_t segment_bytes(const ids_config *config) {
    uint32_t least = ids_journal_segment_bytes_min(config->result_bytes_max);
    return least > IDS_SEGMENT_BYTES_DEFAULT ? least
                                             : IDS_SEGMENT_BYTES_DEFAULT;
}

static bool begin_logs(ids_store *s, ids_writer *writers) {
    ids_fault fault;
    ids_run_config run = {.loops = s->server->loops,
                          .fsync = s->config->fsync,
                          .segment_bytes = segment_bytes(s->config),
                          .start_ms = s->start_ms,
                          .clock = s->server->epoch - 1};
    randombytes_buf(run.random, sizeof run.random);
    return ids_data_dir_begin(&s->dir, &run, writers, &fault) ||
           complain_store(s, &fault);
}

static bool make_log_writers(ids_store *s, ids_worker **workers,
                             const ids_writer *writers) {
    uint32_t loops = s->server->loops;
    s->log_writers = calloc(loops, sizeof *s->log_writers);
    if (!s->log_writers || !ids_rounds_make_places(&s->rounds, s->start_ms))
        return false;
    for (; s->log_writers_count < loops; s->log_writers_count++) {
        const ids_log_writer_config config = {
            .rounds = &s->rounds,
            .worker = workers[s->log_writers_count],
            .writer = writers[s->log_writers_count],
            .fsync = s->config->fsync,
            .is_replicated = ids_config_has_peer(s->config),
            .now_ms = s->start_ms};
        ids_log_writer *writer = ids_log_writer_new(&config);
        if (!writer)
            return false;
        s->log_writers[s->log_writers_count] = writer;
    }
    return true;
}

typedef struct parts {
    ids_store *store;
    bool clean;
    atomic_uint next;
    atomic_bool bad;
} parts;

static void write_some_file(void *ctx) {
    parts *p = ctx;
    ids_store *s = p->store;
    for (uint32_t i;
         (i = atomic_fetch_add(&p->next, 1)) < s->log_writers_count;)
        if (!ids_log_writer_snapshot(s->log_writers[i], p->clean,
                                     &s->rounds.sums[i], &s->rounds.firsts[i]))
            atomic_store(&p->bad, true);
}

static bool write_parts(ids_store *s, bool clean) {
    parts p = {.store = s, .clean = clean};
    uint32_t cores = ids_machine_cores(), writers = s->log_writers_count;
    ids_work_together(cores < writers ? cores : writers, write_some_file, &p);
    return !atomic_load(&p.bad);
}

/* A snapshot while no loop runs: before the first turn, or after the last.
 * False: there is no room for it, or fault says why. */
static bool take_all(ids_store *s, bool clean, ids_fault *fault) {
    *fault = (ids_fault){0};
    ids_rounds_remove_parts(
        &s->rounds); /* of one that did not come to its end */
    bool written = write_parts(s, clean);
    if (written &&
        ids_data_dir_install(&s->dir, s->rounds.sums, s->rounds.firsts,
                             ids_loop_clock_ms(), clean, fault))
        return true;
    if (!written || s->dir.unchanged)
        ids_rounds_remove_parts(&s->rounds);
    return false;
}

/* No less than the snapshot of these will take, about. */
static uint64_t snapshot_bytes(ids_worker **workers, uint32_t loops) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < loops; i++) {
        ids_shard_stats stats;
        ids_shard_stats_get(workers[i]->shard, &stats);
        bytes += stats.memory_bytes;
    }
    return bytes;
}

/* Too many lives went by without a snapshot; not one more without. What is in
 * progress may be so at another node: here it does not end by the clock. */
static bool take_first(ids_store *s, ids_worker **workers) {
    ids_fault fault;
    uint32_t loops = s->server->loops;
    for (uint32_t i = 0; i < loops; i++)
        if (ids_config_has_peer(s->config))
            ids_shard_follow(workers[i]->shard);
    if (take_all(s, false, &fault))
        return true;
    if (fault.kind != IDS_FAULT_NONE)
        return complain_store(s, &fault);
    ids_log(IDS_LOG_ERROR, "the data folder can't be used",
            "at=\"--data-dir %s\" free_bytes=%" PRId64 " needed_bytes=%" PRIu64
            " reason=\"the disk is full: there is no room for the snapshot "
            "that has to be taken now, with %d MiB to spare; make room and "
            "start again, nothing is lost\"",
            s->config->data_dir, s->disk.free_bytes(s->disk.ctx),
            (uint64_t)IDS_DISK_RESERVE_BYTES + snapshot_bytes(workers, loops),
            (int)(IDS_DISK_RESERVE_BYTES >> 20));
    return false;
}

static bool start_log_writers(ids_store *s) {
    for (uint32_t i = 0; i < s->log_writers_count; i++) {
        int error = ids_log_writer_start(s->log_writers[i]);
        if (error) {
            ids_log(IDS_LOG_ERROR, "can't start", "at=\"thread\" reason=\"%s\"",
                    strerror(error));
            return false;
        }
    }
    return true;
}

bool ids_store_begin(ids_store *s, ids_worker **workers) {
    uint32_t loops = s->server->loops;
    assert(s->is_open && s->log_writers_count == 0);
    if (!load_units(s, workers))
        return false;
    s->start_ms = ids_data_dir_clock_ms(&s->dir);
    if (s->start_ms < IDS_CLOCK_START_MS)
        s->start_ms = IDS_CLOCK_START_MS;
    ids_loop_clock_set(s->start_ms);
    ids_writer *writers = calloc(loops, sizeof *writers);
    bool full = ids_data_dir_needs_snapshot(&s->dir);
    bool good = writers && begin_logs(s, writers) &&
                make_log_writers(s, workers, writers);
    free(writers);
    if (good && full)
        good = take_first(s, workers);
    /* Earlier lives' logs are done with as soon as may be. */
    if (s->dir.manifest.runs > 1)
        atomic_store(&s->rounds.log_bytes, s->rounds.log_bytes_max);
    return good && start_log_writers(s);
}

/* The end ------------------------------------------------------------------ */

/* The closing snapshot could not be kept. */
static void say_what_is_left(const ids_store *s, const ids_fault *fault) {
    char text[IDS_FAULT_TEXT_BYTES] =
        "there is no room for it: a full disk, a quota, or a limit "
        "on the size of a file";
    if (fault->kind != IDS_FAULT_NONE)
        ids_fault_text(fault, text);
    int64_t room = s->disk.free_bytes(s->disk.ctx);
    ids_log(IDS_LOG_WARN, "stopped without a closing snapshot",
            "data_dir=%s free_bytes=%" PRId64 " reason=\"%s\" left=\"%s\"",
            s->config->data_dir, room, text,
            ids_data_dir_is_replaced(&s->dir)
                ? "what the folder held before this replica's last full copy "
                  "came; start it again, and it gets a new one"
                : "the logs hold every change, nothing is lost; make room and "
                  "start it again");
}

void ids_store_close(ids_store *s) {
    ids_fault fault;
    if (!s->is_open)
        return;
    assert(s->log_writers_count <= s->server->loops);
    for (uint32_t i = 0; i < s->log_writers_count; i++)
        ids_log_writer_join(s->log_writers[i]);
    ids_backup_stop(&s->backup);
    if (s->log_writers_count == s->server->loops) {
        if (take_all(s, true, &fault))
            ids_log(IDS_LOG_INFO, "everything is kept", NULL);
        else
            say_what_is_left(s, &fault);
    }
    for (uint32_t i = 0; i < s->log_writers_count; i++)
        ids_log_writer_free(s->log_writers[i]);
    free(s->log_writers);
    ids_rounds_fini(&s->rounds);
    ids_data_dir_close(&s->dir);
    ids_posix_disk_close(&s->posix);
}
