/* SPDX-License-Identifier: Apache-2.0 */
/* disk.c -- see disk.h. */
#include "server/storage/disk.h"

#include "server/journal/names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

static int folder_of(void *ctx) {
    return ((const ids_posix_disk *)ctx)->folder;
}

/* 0 or more is good, less is errno's. */
static int64_t checked(int64_t result) {
    return result < 0 ? -errno : result;
}

bool ids_lock_is_ours(int lock, int folder, const char *name) {
    struct stat ours, there;
    if (fstat(lock, &ours) != 0)
        return false;
    if (fstatat(folder, name, &there, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT;
    return ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

static bool lock_is_ours(const ids_posix_disk *disk) {
    return ids_lock_is_ours(disk->lock, disk->folder, IDS_NAME_LOCK);
}

#define TRIES  250u
#define TRY_MS 20
#define LOOKS  5u

bool ids_descriptor_may_come(unsigned *tried) {
    if ((errno != EMFILE && errno != ENFILE) || (*tried)++ >= TRIES)
        return false;
    nanosleep(&(struct timespec){.tv_nsec = TRY_MS * 1000000L}, NULL);
    return true;
}

/* A segment or a snapshot can be made later: their writers see to that. */
static bool must_be_now(const char *name) {
    return strcmp(name, IDS_NAME_MANIFEST_NEW) == 0;
}

static int disk_open_file(void *ctx, const char *name, ids_disk_mode mode) {
    int flags = mode == IDS_DISK_READ    ? O_RDONLY
                : mode == IDS_DISK_WRITE ? O_RDWR
                                         : O_RDWR | O_CREAT | O_EXCL;
    unsigned tried = 0;
    int file;
    if (mode == IDS_DISK_CREATE && !lock_is_ours(ctx))
        return -ESTALE;
    do
        file =
            openat(folder_of(ctx), name, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    while (file < 0 && must_be_now(name) && ids_descriptor_may_come(&tried));
    return (int)checked(file);
}

static void disk_close_file(void *ctx, int file) {
    (void)ctx;
    close(file);
}

static int64_t size_of(void *ctx, int file) {
    struct stat about;
    (void)ctx;
    return fstat(file, &about) < 0 ? -errno : (int64_t)about.st_size;
}

static int allocate_blocks(void *ctx, int file, uint64_t bytes) {
    (void)ctx;
    return -posix_fallocate(file, 0, (off_t)bytes);
}

static int64_t write_some_bytes(void *ctx, int file, uint64_t at,
                                const void *bytes, size_t len) {
    ssize_t took;
    (void)ctx;
    do
        took = pwrite(file, bytes, len, (off_t)at);
    while (took < 0 && errno == EINTR);
    return checked(took);
}

static int zero(void *ctx, int file, uint64_t at, size_t len) {
    static const uint8_t zeros[65536];
    for (size_t done = 0; done < len;) {
        size_t left = len - done;
        int64_t took =
            write_some_bytes(ctx, file, at + done, zeros,
                             left < sizeof zeros ? left : sizeof zeros);
        if (took <= 0)
            return took < 0 ? (int)took : -EIO;
        done += (size_t)took;
    }
    return 0;
}

static void push_name(void *ctx, int file, uint64_t at, uint64_t len) {
    (void)ctx;
    sync_file_range(file, (off_t)at, (off_t)len, SYNC_FILE_RANGE_WRITE);
}

static int64_t read_some(void *ctx, int file, uint64_t at, void *bytes,
                         size_t len) {
    ssize_t got;
    (void)ctx;
    do
        got = pread(file, bytes, len, (off_t)at);
    while (got < 0 && errno == EINTR);
    return checked(got);
}

static int sync_file(void *ctx, int file) {
    (void)ctx;
    return (int)checked(fdatasync(file));
}

static int rename_file(void *ctx, const char *from, const char *to) {
    int folder = folder_of(ctx);
    if (!lock_is_ours(ctx))
        return -ESTALE;
    return (int)checked(renameat(folder, from, folder, to));
}

static int disk_remove_file(void *ctx, const char *name) {
    if (!lock_is_ours(ctx))
        return -ESTALE;
    return (int)checked(unlinkat(folder_of(ctx), name, 0));
}

static int sync_folder(void *ctx) {
    return (int)checked(fsync(folder_of(ctx)));
}

static int list_files(void *ctx, void (*each)(void *each_ctx, const char *name),
                      void *each_ctx) {
    int again = openat(folder_of(ctx), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = again < 0 ? NULL : fdopendir(again);
    const struct dirent *entry;
    int error;
    if (folder == NULL) {
        error = -errno;
        if (again >= 0)
            close(again);
        return error;
    }
    errno = 0;
    while ((entry = readdir(folder)) != NULL)
        each(each_ctx, entry->d_name);
    error = -errno;
    closedir(folder);
    return error;
}

static int64_t free_bytes(void *ctx) {
    struct statvfs about;
    if (fstatvfs(folder_of(ctx), &about) < 0)
        return -errno;
    return (int64_t)about.f_bavail * (int64_t)about.f_frsize;
}

ids_identity ids_identity_of(int file) {
    struct statx about;
    if (statx(file, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &about) < 0 ||
        !(about.stx_mask & STATX_INO))
        return 0;
    uint64_t birth_ns = (uint64_t)about.stx_btime.tv_sec * 1000000000u +
                        about.stx_btime.tv_nsec;
    return ids_identity_from(about.stx_ino,
                             about.stx_mask & STATX_BTIME ? birth_ns : 0);
}

static ids_identity identity(void *ctx, int file) {
    (void)ctx;
    return ids_identity_of(file);
}

/* The counter in the lock's file: 20 digits, written over in one piece. */
#define COUNTER_BYTES 20

uint64_t ids_counter_read(int file) {
    char text[COUNTER_BYTES + 1] = {0};
    return pread(file, text, COUNTER_BYTES, 0) == COUNTER_BYTES &&
                   strspn(text, "0123456789") == COUNTER_BYTES
               ? strtoull(text, NULL, 10)
               : 0;
}

/* What goes wrong here only means that less is known of a copy. */
void ids_counter_write(int file, uint64_t counter) {
    char text[32];
    snprintf(text, sizeof text, "%020" PRIu64, counter);
    if (pwrite(file, text, COUNTER_BYTES, 0) == COUNTER_BYTES)
        fdatasync(file);
}

static ids_disk_mark mark_file(void *ctx) {
    const ids_posix_disk *disk = ctx;
    int file = disk->lock;
    if (file < 0)
        file = openat(disk->folder, IDS_NAME_LOCK, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return (ids_disk_mark){0};
    const ids_disk_mark is = {.identity = ids_identity_of(file),
                              .counter = ids_counter_read(file)};
    if (file != disk->lock)
        close(file);
    return is;
}

static void set_mark(void *ctx, uint64_t counter) {
    const ids_posix_disk *disk = ctx;
    if (disk->lock >= 0)
        ids_counter_write(disk->lock, counter);
}

ids_disk ids_posix_disk_of(ids_posix_disk *disk) {
    return (ids_disk){.ctx = disk,
                      .open = disk_open_file,
                      .close = disk_close_file,
                      .size = size_of,
                      .allocate = allocate_blocks,
                      .write = write_some_bytes,
                      .zero = zero,
                      .push = push_name,
                      .read = read_some,
                      .sync = sync_file,
                      .rename = rename_file,
                      .remove = disk_remove_file,
                      .sync_folder = sync_folder,
                      .list = list_files,
                      .free_bytes = free_bytes,
                      .identity = identity,
                      .mark = mark_file,
                      .set_mark = set_mark};
}

int ids_posix_disk_look(ids_posix_disk *disk, const char *path) {
    *disk = (ids_posix_disk){.lock = -1};
    disk->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return disk->folder < 0 ? -errno : 0;
}

/* Makes the folder and has its name on the medium: what is in it is of no
 * use if it can't be found. */
static int make_folder(const char *path) {
    char *parent;
    int error = 0, file;
    if (mkdir(path, 0700) < 0)
        return errno == EEXIST ? 0 : -errno;
    if (asprintf(&parent, "%s/..", path) < 0)
        return -ENOMEM;
    file = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0 || fsync(file) < 0)
        error = -errno;
    if (file >= 0)
        close(file);
    free(parent);
    return error;
}

/* Who only looks whether it is held has it for a moment. */
static bool hold_lock(int lock) {
    for (unsigned tried = 0; flock(lock, LOCK_EX | LOCK_NB) != 0; tried++) {
        if (errno != EWOULDBLOCK || tried == LOOKS)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = TRY_MS * 1000000L}, NULL);
    }
    return true;
}

/* Behind the counter, for people: where it can't be written the lock holds all
 * the same. */
static void sign(int lock) {
    char text[64];
    int len = snprintf(text, sizeof text, "%020" PRIu64 "\n%ld\n",
                       ids_counter_read(lock), (long)getpid());
    if (pwrite(lock, text, (size_t)len, 0) != len || ftruncate(lock, len) != 0)
        errno = 0;
}

int ids_posix_disk_open(ids_posix_disk *disk, const char *path) {
    int error = make_folder(path);
    if (!error)
        error = ids_posix_disk_look(disk, path);
    if (error)
        return error;
    disk->lock = openat(disk->folder, IDS_NAME_LOCK,
                        O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (disk->lock >= 0 && hold_lock(disk->lock)) {
        sign(disk->lock);
        return 0;
    }
    error = -errno;
    ids_posix_disk_close(disk);
    return error;
}

void ids_posix_disk_close(ids_posix_disk *disk) {
    if (disk->lock >= 0)
        close(disk->lock);
    if (disk->folder >= 0)
        close(disk->folder);
    *disk = (ids_posix_disk){.folder = -1, .lock = -1};
}
