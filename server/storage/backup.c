/* SPDX-License-Identifier: Apache-2.0 */
/* backup.c -- see backup.h. */
#include "server/storage/backup.h"

#include "server/base/log.h"
#include "server/base/thread_start.h"
#include "server/os/thread.h"
#include "server/storage/disk.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define PIECE_BYTES (256u << 10)

void ids_backup_want(ids_backup *b, unsigned round) {
    atomic_store(&b->round, round);
}

/* What it is called -------------------------------------------------------- */

static bool is_name(idp_slice name) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (name.len >= IDS_BACKUP_NAME_BYTES || name.ptr[0] == '.')
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] == '\0' || !strchr(allowed, name.ptr[i]))
            return false;
    return true;
}

static void name_by_time(char name[static IDS_BACKUP_NAME_BYTES]) {
    time_t now = time(NULL);
    struct tm utc = {0};
    gmtime_r(&now, &utc);
    strftime(name, IDS_BACKUP_NAME_BYTES, "%Y%m%dT%H%M%SZ", &utc);
}

bool ids_backup_name(ids_backup *b, idp_slice name, char *why, size_t why_cap) {
    struct stat about;
    if (!b->dir) {
        snprintf(why, why_cap,
                 "this server has no place for backups; start it with "
                 "--backup-dir DIR");
        return false;
    }
    if (name.len > 0 && !is_name(name)) {
        snprintf(
            why, why_cap,
            "a backup's name has 1 to %d of A-Z a-z 0-9 . _ - and does not "
            "begin with a dot; it is made in --backup-dir",
            IDS_BACKUP_NAME_BYTES - 1);
        return false;
    }
    if (name.len > 0)
        snprintf(b->name, sizeof b->name, "%.*s", (int)name.len,
                 (const char *)name.ptr);
    else
        name_by_time(b->name);
    int len = snprintf(b->path, sizeof b->path, "%s/%s", b->dir, b->name);
    if (len >= (int)sizeof b->path) {
        snprintf(why, why_cap, "--backup-dir and the name are over %zu bytes",
                 sizeof b->path - 1);
        return false;
    }
    if (lstat(b->path, &about) == 0) {
        snprintf(why, why_cap, "%s is there already, and stays as it is",
                 b->name);
        return false;
    }
    return true;
}

/* What goes wrong ---------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static bool
fail_backup(ids_backup *b, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(b->why, sizeof b->why, format, args);
    va_end(args);
    return false;
}

static bool fail_file(ids_backup *b, const char *name, const char *what,
                      int error) {
    return fail_backup(b, "%s: %s: %s", name, what, strerror(-error));
}

static bool goes_on(ids_backup *b) {
    return !atomic_load(&b->stops) ||
           fail_backup(b, "the server is going down");
}

/* Files -------------------------------------------------------------------- */

static int write_piece(int to, const uint8_t *bytes, size_t len, uint64_t at) {
    for (size_t done = 0; done < len;) {
        ssize_t took = pwrite(to, bytes + done, len - done, (off_t)(at + done));
        if (took < 0 && errno != EINTR)
            return -errno;
        done += took > 0 ? (size_t)took : 0;
    }
    return 0;
}

/* Pushed to the medium as it goes, or the sync at its end would hold up those
 * of the logs. */
static bool copy_bytes(ids_backup *b, const char *name, int from, int to,
                       uint64_t len) {
    const ids_disk *disk = b->rounds->disk;
    uint8_t *piece = malloc(PIECE_BYTES);
    bool good = piece || fail_backup(b, "there was no memory for it");
    for (uint64_t at = 0; good && at < len && (good = goes_on(b));) {
        size_t size = len - at < PIECE_BYTES ? (size_t)(len - at) : PIECE_BYTES;
        int64_t got = ids_disk_read_all(disk, from, at, piece, size);
        if (got != (int64_t)size) {
            good = fail_file(b, name, "can't read", got < 0 ? (int)got : -EIO);
            break;
        }
        int error = write_piece(to, piece, size, at);
        if (error)
            good = fail_file(b, name, "can't write", error);
        sync_file_range(to, (off_t)at, (off_t)size, SYNC_FILE_RANGE_WRITE);
        at += size;
    }
    free(piece);
    return good;
}

static int make_file(const ids_backup *b, const char *name) {
    int file =
        openat(b->folder, name,
               O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    return file < 0 ? -errno : file;
}

/* size: as long as the file was made; behind len there is nothing of ours. */
static bool end_file(ids_backup *b, const char *name, int to, uint64_t size) {
    if (ftruncate(to, (off_t)size) == 0 && fsync(to) == 0)
        return true;
    return fail_file(b, name, "can't write", -errno);
}

/* Up to so many bytes; UINT64_MAX: all. */
static bool copy_file(ids_backup *b, const char *name, uint64_t bytes_max) {
    const ids_disk *disk = b->rounds->disk;
    int from = disk->open(disk->ctx, name, IDS_DISK_READ);
    if (from < 0)
        return fail_file(b, name, "can't open", from);
    int64_t size = disk->size(disk->ctx, from);
    int to = size < 0 ? (int)size : make_file(b, name);
    bool good = to >= 0 || fail_file(b, name, "can't make", to);
    if (good) {
        uint64_t len = (uint64_t)size < bytes_max ? (uint64_t)size : bytes_max;
        good = copy_bytes(b, name, from, to, len) &&
               end_file(b, name, to, (uint64_t)size);
        b->answer.bytes += len;
        close(to);
    }
    disk->close(disk->ctx, from);
    return good;
}

/* Calls for each file that counts, and how much of it; false: one has. */
static bool each_file(ids_backup *b,
                      bool (*each)(ids_backup *b, const char *name,
                                   uint64_t bytes_max)) {
    const ids_manifest *m = &b->manifest;
    const ids_manifest_run *run = &m->run[0];
    char name[IDS_DISK_NAME_BYTES];
    bool good = true;
    assert(m->runs == 1 && run->closed);
    for (uint32_t i = 0; good && i < m->snapshot_loops; i++) {
        ids_name_snapshot(name, m->generation, i);
        good = each(b, name, UINT64_MAX);
    }
    for (uint32_t i = 0; good && i < run->loops; i++) {
        const ids_log_end *end = &run->logs[i].end;
        uint64_t n = run->logs[i].first.segment;
        for (; good && n <= end->segment; n++) {
            ids_name_log(name, run->epoch, i, n);
            good = each(b, name, n == end->segment ? end->at : UINT64_MAX);
        }
    }
    return good;
}

static bool write_manifest(ids_backup *b) {
    size_t len;
    char *text = ids_manifest_text(&b->manifest, &len);
    if (!text)
        return fail_backup(b, "there was no memory for it");
    int file = make_file(b, IDS_NAME_MANIFEST);
    int error =
        file < 0 ? file : write_piece(file, (const uint8_t *)text, len, 0);
    bool good = !error || fail_file(b, IDS_NAME_MANIFEST, "can't write", error);
    good = good && end_file(b, IDS_NAME_MANIFEST, file, len);
    if (file >= 0)
        close(file);
    free(text);
    return good;
}

/* All of it is read as a start would. */
static bool read_back(ids_backup *b, const char *path) {
    ids_posix_disk posix;
    ids_data_dir dir;
    ids_fault fault = {0};
    char why[IDS_FAULT_TEXT_BYTES];
    int error = ids_posix_disk_look(&posix, path);
    if (error)
        return fail_file(b, path, "can't open", error);
    const ids_disk disk = ids_posix_disk_of(&posix);
    bool good = ids_data_dir_open(&dir, &disk, &fault);
    bool is_open = good;
    for (uint32_t phase = 0; good && phase < ids_data_dir_phases(&dir); phase++)
        for (uint32_t i = 0; good && i < ids_data_dir_units(&dir, phase); i++)
            good =
                goes_on(b) && ids_data_dir_read(&dir, phase, i, NULL, &fault);
    if (is_open)
        ids_data_dir_close(&dir);
    ids_posix_disk_close(&posix);
    if (!good && fault.kind != IDS_FAULT_NONE) {
        ids_fault_text(&fault, why);
        fail_backup(b, "what was written can't be read back: %s", why);
    }
    return good;
}

/* The folder --------------------------------------------------------------- */

static bool count_file(ids_backup *b, const char *name, uint64_t bytes_max) {
    const ids_disk *disk = b->rounds->disk;
    int file = disk->open(disk->ctx, name, IDS_DISK_READ);
    int64_t size = file < 0 ? file : disk->size(disk->ctx, file);
    if (file >= 0)
        disk->close(disk->ctx, file);
    if (size < 0)
        return fail_file(b, name, "can't open", (int)size);
    b->needed += (uint64_t)size < bytes_max ? (uint64_t)size : bytes_max;
    return true;
}

/* The logs may share that disk, and must not be what fills up. */
static bool has_room(ids_backup *b) {
    struct statvfs about;
    b->needed = IDS_DISK_RESERVE_BYTES;
    if (!each_file(b, count_file))
        return false;
    if (fstatvfs(b->parent, &about) < 0)
        return true; /* it is found out as it is written */
    uint64_t room = (uint64_t)about.f_bavail * about.f_frsize;
    return room >= b->needed ||
           fail_backup(
               b,
               "there is no room for it: %" PRIu64 " bytes are free "
               "in %s, and it needs %" PRIu64 ", of which %d MiB are to spare",
               room, b->dir, b->needed, (int)(IDS_DISK_RESERVE_BYTES >> 20));
}

static void remove_part(const ids_backup *b) {
    int folder = openat(b->parent, b->part,
                        O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *files = folder < 0 ? NULL : fdopendir(folder);
    const struct dirent *entry;
    if (files == NULL) {
        if (folder >= 0)
            close(folder);
        return;
    }
    while ((entry = readdir(files)) != NULL)
        if (entry->d_name[0] != '.')
            unlinkat(folder, entry->d_name, 0);
    closedir(files);
    unlinkat(b->parent, b->part, AT_REMOVEDIR);
}

/* No other node, and no other backup, has this name for what is not whole; what
 * there is of it a daemon has left that was killed. */
static bool make_backup_part(ids_backup *b) {
    snprintf(b->part, sizeof b->part, ".%s.%016" PRIx64, b->name,
             b->manifest.node);
    b->parent = open(b->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (b->parent < 0)
        return fail_file(b, b->dir, "can't open", -errno);
    if (!has_room(b))
        return false;
    remove_part(b);
    if (mkdirat(b->parent, b->part, 0700) < 0)
        return fail_file(b, b->dir, "can't make a folder in it", -errno);
    b->folder = openat(b->parent, b->part,
                       O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return b->folder >= 0 || fail_file(b, b->part, "can't open", -errno);
}

static bool give_name(ids_backup *b) {
    if (fsync(b->folder) == 0 &&
        renameat2(b->parent, b->part, b->parent, b->name, RENAME_NOREPLACE) ==
            0 &&
        fsync(b->parent) == 0)
        return true;
    return fail_file(b, b->name, "can't be called so", -errno);
}

static bool make_backup(ids_backup *b) {
    char path[IDS_BACKUP_PATH_BYTES + sizeof b->part];
    bool good =
        make_backup_part(b) && each_file(b, copy_file) && write_manifest(b);
    snprintf(path, sizeof path, "%s/%s", b->dir, b->part);
    good = good && read_back(b, path) && give_name(b);
    if (!good && b->parent >= 0)
        remove_part(b);
    if (b->folder >= 0)
        close(b->folder);
    if (b->parent >= 0)
        close(b->parent);
    return good;
}

/* Its thread --------------------------------------------------------------- */

static void say_backup(const ids_backup *b, bool good) {
    if (good)
        ids_log(IDS_LOG_INFO, "backup made",
                "path=\"%s\" records=%" PRIu64 " bytes=%" PRIu64, b->path,
                b->answer.records, b->answer.bytes);
    else
        ids_log(IDS_LOG_WARN, "backup given up", "path=\"%s\" reason=\"%s\"",
                b->path, b->why);
}

static void *run_backup(void *ctx) {
    ids_backup *b = ctx;
    char why[IDS_ROUND_TEXT_BYTES];
    ids_name_thread(pthread_self(), "backup", 0);
    bool good = make_backup(b);
    say_backup(b, good);
    if (!good)
        b->answer = (idp_command_answer){.outcome = IDP_COMMAND_REFUSED};
    snprintf(why, sizeof why, "%s", good ? b->path : b->why);
    ids_manifest_fini(&b->manifest);
    ids_rounds_answer(b->rounds, &b->answer, why);
    ids_rounds_let_go(b->rounds);
    return NULL;
}

static void join_backup(ids_backup *b) {
    if (b->has_thread)
        pthread_join(b->thread, NULL);
    b->has_thread = false;
}

static bool begin_thread(ids_backup *b) {
    const ids_rounds *r = b->rounds;
    if (!ids_manifest_of_backup(&b->manifest, &r->dir->manifest, r->ends))
        return fail_backup(b, "there was no memory for it");
    ids_rounds_hold(b->rounds);
    int error = ids_thread_start(&b->thread, run_backup, b);
    b->has_thread = error == 0;
    if (!error)
        return true;
    ids_rounds_let_go(b->rounds);
    ids_manifest_fini(&b->manifest);
    return fail_backup(b, "no thread for it: %s", strerror(error));
}

/* Its round is installed. One that took the place of it, since another node's
 * records took the place of all, is another one. */
static bool take_round(void *ctx, const idp_command_answer *answer) {
    ids_backup *b = ctx;
    const idp_command_answer refused = {.outcome = IDP_COMMAND_REFUSED};
    unsigned round = atomic_exchange(&b->round, 0);
    if (round == 0)
        return false;
    join_backup(b);
    b->answer = *answer;
    b->answer.outcome = IDP_COMMAND_BACKUP;
    b->answer.bytes = 0;
    b->folder = b->parent = -1;
    b->why[0] = '\0';
    bool begun = round == atomic_load(&b->rounds->count)
                     ? begin_thread(b)
                     : fail_backup(b, "another node's records took the place "
                                      "of all; ask the primary");
    if (!begun) {
        say_backup(b, false);
        ids_rounds_answer(b->rounds, &refused, b->why);
    }
    return true;
}

void ids_backup_init(ids_backup *b, ids_rounds *rounds, const char *dir) {
    *b = (ids_backup){.rounds = rounds, .dir = dir};
    rounds->installed = take_round;
    rounds->installed_ctx = b;
}

void ids_backup_stop(ids_backup *b) {
    atomic_store(&b->stops, true);
    join_backup(b);
}
