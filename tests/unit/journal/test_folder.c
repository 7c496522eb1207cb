/* SPDX-License-Identifier: Apache-2.0 */
/* test_folder.c -- a folder on a real file system, and those that earlier
 * versions left behind. */
#include "server/storage/disk.h"
#include "tests/unit/journal/story.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct folder {
    char path[64];
    ids_posix_disk posix;
    ids_disk disk;
} folder;

static void open_folder(folder *f) {
    strcpy(f->path, "/tmp/idem-journal-XXXXXX");
    cr_assert(mkdtemp(f->path));
    cr_assert_eq(ids_posix_disk_open(&f->posix, f->path), 0);
    f->disk = ids_posix_disk_of(&f->posix);
}

static void each_removed(void *ctx, const char *name) {
    const folder *f = ctx;
    if (name[0] != '.')
        unlinkat(f->posix.folder, name, 0);
}

static void close_folder(folder *f) {
    f->disk.list(f->disk.ctx, each_removed, f);
    ids_posix_disk_close(&f->posix);
    rmdir(f->path);
}

static void check_told(const ids_disk *disk) {
    char text[2048], why[IDS_FAULT_TEXT_BYTES];
    ids_fault fault = {0};
    bool good = story_read(disk, text, sizeof text, &fault);
    ids_fault_text(&fault, why);
    cr_assert(good, "%s", why);
    cr_assert_str_eq(text, story_told);
}

Test(folder, what_was_written_is_there_again) {
    folder f;
    ids_fault fault = {0};
    open_folder(&f);
    cr_assert(story_write(&f.disk, &fault), "%s", fault.what);
    check_told(&f.disk);
    close_folder(&f);
}

Test(folder, files_of_format_1_are_read) {
    ids_posix_disk posix;
    cr_assert_eq(ids_posix_disk_look(&posix, IDEM_FIXTURES "/format-1"), 0);
    ids_disk disk = ids_posix_disk_of(&posix);
    check_told(&disk);
    ids_posix_disk_close(&posix);
}

Test(folder, a_second_one_is_kept_out) {
    folder f;
    ids_posix_disk second;
    open_folder(&f);
    cr_assert_eq(ids_posix_disk_open(&second, f.path), -EWOULDBLOCK);
    cr_assert_eq(ids_posix_disk_look(&second, f.path), 0, "but it may look");
    ids_posix_disk_close(&second);
    close_folder(&f);
}

typedef struct overwrite {
    const char *begins;
    const char *with;
    size_t at;
} overwrite;

static folder *spoiled;

/* Overwrites some bytes of every file whose name begins so. */
static void each_spoiled(void *ctx, const char *name) {
    const overwrite *o = ctx;
    if (strncmp(name, o->begins, strlen(o->begins)) != 0)
        return;
    int file = openat(spoiled->posix.folder, name, O_WRONLY);
    cr_assert(file >= 0 &&
              pwrite(file, o->with, strlen(o->with), (off_t)o->at) > 0);
    close(file);
}

static ids_fault_kind spoil(const char *begins, size_t at, const char *with,
                            char why[IDS_FAULT_TEXT_BYTES]) {
    folder f;
    ids_fault fault = {0};
    char text[2048];
    overwrite o = {begins, with, at};
    open_folder(&f);
    cr_assert(story_write(&f.disk, &fault));
    spoiled = &f;
    f.disk.list(f.disk.ctx, each_spoiled, &o);
    cr_assert_not(story_read(&f.disk, text, sizeof text, &fault));
    ids_fault_text(&fault, why);
    close_folder(&f);
    return fault.kind;
}

Test(folder, a_foreign_or_newer_file_is_refused_with_a_clear_word) {
    char why[IDS_FAULT_TEXT_BYTES];
    cr_assert_eq(spoil("log-", 0, "#!/bin/sh", why), IDS_FAULT_FOREIGN);
    cr_assert_eq(spoil("log-", 8, "\2", why), IDS_FAULT_NEWER);
    cr_assert(strstr(why, "newer version"), "%s", why);
    cr_assert_eq(spoil("snap-", 8, "\2", why), IDS_FAULT_NEWER);
    cr_assert_eq(spoil("MANIFEST", 15, "4", why), IDS_FAULT_NEWER);
    cr_assert_eq(spoil("MANIFEST", 0, "hello", why), IDS_FAULT_FOREIGN);
}

Test(folder, corruption_is_refused_and_says_where) {
    char why[IDS_FAULT_TEXT_BYTES];
    cr_assert_eq(spoil("log-", 150, "spoiled", why), IDS_FAULT_CORRUPT);
    cr_assert(strstr(why, "at byte 64"), "%s", why);
    cr_assert_eq(spoil("snap-", 150, "spoiled", why), IDS_FAULT_CORRUPT);
    cr_assert(strstr(why, "snap-0000000000000001-0000"), "%s", why);
}

Test(folder, logs_without_a_manifest_are_not_an_empty_folder) {
    folder f;
    ids_fault fault = {0};
    char text[2048];
    open_folder(&f);
    cr_assert(story_write(&f.disk, &fault));
    cr_assert_eq(f.disk.remove(f.disk.ctx, "MANIFEST"), 0);
    cr_assert_not(story_read(&f.disk, text, sizeof text, &fault));
    cr_assert_eq(fault.kind, IDS_FAULT_MISSING);
    close_folder(&f);
}
