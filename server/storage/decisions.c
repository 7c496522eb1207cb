/* SPDX-License-Identifier: Apache-2.0 */
/* decisions.c -- see decisions.h. */
#include "server/storage/decisions.h"

#include "server/journal/fault.h"
#include "server/peer/record.h"
#include "server/storage/disk.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define STATE_FOLDER "/var/lib/idemstore"

/* As much as a small file takes. */
#define ROOM_BYTES 4096

void ids_decisions_place(char *path, size_t cap, const char *data_dir,
                         const char *listening) {
    const char *folder = getenv("STATE_DIRECTORY");
    const char *colon = strrchr(listening, ':');
    if (data_dir)
        snprintf(path, cap, "%s/peer", data_dir);
    else
        snprintf(path, cap, "%s/idemstored-%s.peer",
                 folder && *folder ? folder : STATE_FOLDER,
                 colon ? colon + 1 : "unix");
}

__attribute__((format(printf, 4, 5))) static bool
fail(ids_decisions_file *file, char *why, size_t why_cap, const char *format,
     ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(why, why_cap, format, args);
    va_end(args);
    ids_decisions_close(file);
    return false;
}

static int open_folder_of(ids_decisions_file *file) {
    char *slash = strrchr(file->path, '/');
    int folder;
    if (slash == NULL) {
        file->name = file->path;
        return open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    file->name = slash + 1;
    if (slash == file->path)
        return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *slash = '\0';
    folder = open(file->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *slash = '/';
    return folder;
}

/* The path with this behind it. Names are whole paths, and files are opened
 * by open: the thread sanitizer does not follow descriptors of openat. */
static void path_with(const ids_decisions_file *file, const char *suffix,
                      char path[static IDS_DECISIONS_PATH_BYTES + 8]) {
    snprintf(path, IDS_DECISIONS_PATH_BYTES + 8, "%s%s", file->path, suffix);
}

static bool lock_decisions(ids_decisions_file *file) {
    char path[IDS_DECISIONS_PATH_BYTES + 8];
    path_with(file, ".lock", path);
    file->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    return file->lock >= 0 && flock(file->lock, LOCK_EX | LOCK_NB) == 0;
}

/* A file that only takes room: a full disk then has enough for one record, and
 * a node that has to take over can. What goes wrong means that there is none.
 */
static void keep_room(const ids_decisions_file *file) {
    char path[IDS_DECISIONS_PATH_BYTES + 8];
    path_with(file, ".room", path);
    int fd =
        open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return; /* it is there, mostly */
    bool good = posix_fallocate(fd, 0, ROOM_BYTES) == 0 && fsync(fd) == 0;
    close(fd);
    if (!good)
        unlink(path);
}

/* True: there was some. */
static bool give_room(const ids_decisions_file *file) {
    char path[IDS_DECISIONS_PATH_BYTES + 8];
    path_with(file, ".room", path);
    return unlink(path) == 0;
}

/* Bytes read, or less than 0: errno's. One more than a record is asked for,
 * so that a longer file is noticed. */
static ssize_t read_decisions(const ids_decisions_file *file, uint8_t *to,
                              size_t cap, ids_identity *which) {
    size_t len = 0;
    ssize_t got = 1;
    int fd = open(file->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    *which = ids_identity_of(fd);
    while (got > 0 && len < cap) {
        got = read(fd, to + len, cap - len);
        if (got > 0)
            len += (size_t)got;
        else if (got < 0 && errno == EINTR)
            got = 1;
    }
    if (got < 0)
        got = -errno;
    close(fd);
    return got < 0 ? got : (ssize_t)len;
}

/* Another file than the one that was written, or beside another lock; or one
 * of before, and the lock, which a copy by hard links shares, has gone on. */
static bool is_copied(const ids_decisions_file *file, ids_identity which,
                      const ids_decision *recorded) {
    return !ids_identity_same(which, recorded->kept_in[0]) ||
           !ids_identity_same(ids_identity_of(file->lock),
                              recorded->kept_in[1]) ||
           (recorded->kept_in[1] != 0 &&
            ids_counter_read(file->lock) > recorded->version);
}

bool ids_decisions_open(ids_decisions_file *file, const char *path,
                        ids_decision *recorded, char *why, size_t why_cap) {
    uint8_t bytes[IDS_RECORD_BYTES_MAX + 1];
    ids_identity which = 0;
    *file = (ids_decisions_file){.folder = -1, .lock = -1};
    *recorded = (ids_decision){0};
    if (strlen(path) >= sizeof file->path)
        return fail(file, why, why_cap, "the path is too long");
    memcpy(file->path, path, strlen(path) + 1);
    file->folder = open_folder_of(file);
    if (*file->name == '\0')
        return fail(file, why, why_cap, "that is a folder; name a file in it");
    if (file->folder < 0)
        return fail(file, why, why_cap, "its folder: %s", strerror(errno));
    if (!lock_decisions(file))
        return fail(file, why, why_cap, "%s%s",
                    errno == EWOULDBLOCK ? "another idemstored has it"
                                         : strerror(errno),
                    ids_fault_is_room(-errno)
                        ? ": its lock, an empty file beside it, needs room. "
                          "Make some and start again"
                        : "");
    ssize_t len = read_decisions(file, bytes, sizeof bytes, &which);
    if (len == -ENOENT)
        return true;
    if (len < 0)
        return fail(file, why, why_cap, "%s", strerror((int)-len));
    ids_record_fault fault =
        ids_decision_read((idp_slice){bytes, (size_t)len}, recorded);
    if (fault == IDS_RECORD_OK) {
        file->copied = is_copied(file, which, recorded);
        return true;
    }
    return fail(file, why, why_cap, "the file %s",
                ids_record_fault_text(fault));
}

ids_decisions_found ids_decisions_look(const char *path, ids_decision *recorded,
                                       char *why, size_t why_cap) {
    uint8_t bytes[IDS_RECORD_BYTES_MAX + 1];
    ids_decisions_file file = {.folder = -1, .lock = -1};
    *recorded = (ids_decision){0};
    if (strlen(path) >= sizeof file.path)
        return IDS_DECISIONS_NONE;
    memcpy(file.path, path, strlen(path) + 1);
    ids_identity which = 0;
    ssize_t len = read_decisions(&file, bytes, sizeof bytes, &which);
    if (len == -ENOENT || len == -ENOTDIR)
        return IDS_DECISIONS_NONE;
    if (len < 0) {
        snprintf(why, why_cap, "%s", strerror((int)-len));
        return IDS_DECISIONS_UNREADABLE;
    }
    ids_record_fault fault =
        ids_decision_read((idp_slice){bytes, (size_t)len}, recorded);
    snprintf(why, why_cap, "the file %s", ids_record_fault_text(fault));
    return fault == IDS_RECORD_OK ? IDS_DECISIONS_THERE
                                  : IDS_DECISIONS_UNREADABLE;
}

static int decisions_write_all(int fd, const uint8_t *bytes, size_t len) {
    while (len > 0) {
        ssize_t took = write(fd, bytes, len);
        if (took < 0 && errno == EINTR)
            continue;
        if (took < 0)
            return errno;
        bytes += took;
        len -= (size_t)took;
    }
    return fsync(fd) < 0 ? errno : 0;
}

/* Beside the old record, and in its place once it is on the medium. 0 or
 * errno's; the old one stands then. */
static int replace_record(const ids_decisions_file *file,
                          const ids_decision *decision) {
    uint8_t bytes[IDS_RECORD_BYTES_MAX];
    char temp[IDS_DECISIONS_PATH_BYTES + 8];
    unsigned tried = 0;
    int fd;
    path_with(file, ".new", temp);
    do
        fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                  0600);
    while (fd < 0 && ids_descriptor_may_come(&tried));
    if (fd < 0)
        return errno;
    ids_decision here = *decision;
    here.kept_in[0] = ids_identity_of(fd);
    here.kept_in[1] = ids_identity_of(file->lock);
    int error =
        decisions_write_all(fd, bytes, ids_decision_write(bytes, &here));
    if (close(fd) < 0 && !error)
        error = errno;
    if (!error && rename(temp, file->path) < 0)
        error = errno;
    if (error)
        unlink(temp); /* what it took of a full disk */
    return error;
}

int ids_decisions_save(const ids_decisions_file *file,
                       const ids_decision *decision, bool *stands) {
    char lock[IDS_DECISIONS_PATH_BYTES + 8];
    assert(file->lock >= 0 && file->folder >= 0);
    *stands = false;
    path_with(file, ".lock", lock);
    if (!ids_lock_is_ours(file->lock, AT_FDCWD, lock))
        return ESTALE;
    *stands = true;
    int error = replace_record(file, decision);
    if (ids_fault_is_room(-error) && give_room(file))
        error = replace_record(file, decision);
    if (error)
        return error;
    *stands = false; /* the new one is there; whether for good, who knows */
    if (fsync(file->folder) < 0)
        return errno;
    ids_counter_write(file->lock, decision->version);
    keep_room(file);
    return 0;
}

void ids_decisions_close(ids_decisions_file *file) {
    if (file->lock >= 0)
        close(file->lock);
    if (file->folder >= 0)
        close(file->folder);
    file->lock = file->folder = -1;
}
