/* SPDX-License-Identifier: Apache-2.0 */
/* check.c -- a folder is read as a start would read it, and
 * nothing in it is changed. */
#include "server/storage/check.h"

#include "server/base/machine.h"
#include "server/storage/contents.h"
#include "server/storage/decisions.h"
#include "server/storage/disk.h"
#include "server/storage/folder.h"
#include "server/storage/restore.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_EMPTY  2
#define EXIT_IN_USE 3

/* What the units have in them. */
static uint64_t read_records;

static void print_unit(void *ctx, const ids_unit *unit,
                       const ids_fault *fault) {
    char text[IDS_FAULT_TEXT_BYTES];
    (void)ctx;
    if (fault->kind == IDS_FAULT_NONE) {
        read_records += unit->records;
        printf("%s: good, %" PRIu64 " records, %" PRIu64 " bytes in %" PRIu64
               " files%s\n",
               unit->name, unit->records, unit->bytes, unit->files,
               unit->torn ? "; a tail that was never acknowledged is cut" : "");
        return;
    }
    ids_fault_text(fault, text);
    printf("%s\n", text);
}

/* The snapshot's are all different; behind it a record may change often. */
static void print_whole(const char *path, const ids_data_dir *dir, bool good) {
    const ids_manifest *m = &dir->manifest;
    uint64_t records = 0;
    for (uint32_t i = 0; i < m->snapshot_loops; i++)
        records += m->snapshot[i].records;
    if (dir->copied)
        printf("%s: copied or restored: %s\n", path, dir->copied);
    if (good)
        printf("%s: good, %" PRIu64 " records, %" PRIu64
               " changes after them, epoch %" PRIu64 ", last stop %s\n",
               path, records, read_records - records, m->epoch,
               m->clean ? "clean" : "sudden");
    else
        printf("%s: can't be used, epoch %" PRIu64 ", last stop %s\n", path,
               m->epoch, m->clean ? "clean" : "sudden");
}

/* What is compared --------------------------------------------------------- */

/* A line of its own below the folder's, for people and for scripts. */
__attribute__((format(printf, 2, 3))) static void
say_checked(const char *name, const char *format, ...) {
    va_list args;
    va_start(args, format);
    printf("  %-20s", name);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
}

/* Was it told, in the highest epoch that it knows, that it is in sync? */
static const char *in_sync_of(const ids_decision *d) {
    if (d->role == IDS_ROLE_PRIMARY)
        return ids_decision_members(d) > 0 ? "with its replica" : "alone";
    return d->admitted_epoch == d->epoch && d->admitted_epoch != 0 &&
                   d->admitted.node == d->self.node &&
                   d->admitted.incarnation == d->self.incarnation
               ? "as the replica"
               : "no";
}

static void say_last_decision(const char *path) {
    char record[IDS_DECISIONS_PATH_BYTES + 64], why[512];
    ids_decision d;
    ids_decisions_place(record, sizeof record, path, "");
    switch (ids_decisions_look(record, &d, why, sizeof why)) {
    case IDS_DECISIONS_NONE:
        say_checked("peer_record", "none");
        return;
    case IDS_DECISIONS_UNREADABLE:
        say_checked("peer_record", "%s", why);
        return;
    case IDS_DECISIONS_THERE:
        break;
    }
    say_checked("peer_record", "there");
    say_checked("node", "%s", d.name.text);
    say_checked("role", "%s",
                d.role == IDS_ROLE_PRIMARY ? "primary" : "replica");
    say_checked("known_epoch", "%" PRIu64, d.epoch);
    say_checked("led_epoch", "%" PRIu64, d.led_epoch);
    say_checked("in_sync", "%s", in_sync_of(&d));
}

static void say_newest(const ids_contents *contents) {
    uint32_t streams = ids_contents_streams(contents);
    say_checked("token_epoch", "%" PRIu64, contents->epoch);
    printf("  %-20s", "tokens");
    for (uint32_t i = 0; i < streams; i++)
        printf("%s%" PRIu32 ":%" PRIu64, i > 0 ? " " : "", i,
               contents->newest[i]);
    puts(streams > 0 ? "" : "none");
}

static void say_folder(const char *path, const ids_data_dir *dir,
                       const ids_contents *contents) {
    const ids_manifest *m = &dir->manifest;
    say_checked("folder", "%s", path);
    say_checked("last_stop", "%s", m->clean ? "clean" : "sudden");
    say_checked("unfinished_copy", "%s",
                ids_data_dir_is_replaced(dir) ? "yes" : "no");
    say_checked("epoch", "%" PRIu64, m->epoch);
    say_last_decision(path);
    say_newest(contents);
    if (contents->keeps_keys)
        say_checked("keys", "%" PRIu64, ids_contents_records(contents));
}

/* One folder --------------------------------------------------------------- */

static int check_folder(const char *path, ids_contents *contents) {
    ids_posix_disk posix;
    ids_data_dir dir;
    ids_fault fault = {0};
    char text[IDS_FAULT_TEXT_BYTES];
    const ids_loader loader = {.ctx = contents, .load = ids_contents_load};
    const ids_restore_report report = {.unit = print_unit, .loader = &loader};
    int error = ids_posix_disk_look(&posix, path);
    if (error) {
        printf("%s: %s\n", path, strerror(-error));
        return EXIT_FAILURE;
    }
    ids_disk disk = ids_posix_disk_of(&posix);
    if (!ids_data_dir_open(&dir, &disk, &fault)) {
        ids_fault_text(&fault, text);
        printf("%s\n", text);
        ids_posix_disk_close(&posix);
        return EXIT_FAILURE;
    }
    read_records = 0;
    bool good =
        ids_restore(&dir, NULL, NULL, ids_machine_cores(), &report, &fault);
    contents->clock_ms = ids_data_dir_clock_ms(&dir);
    print_whole(path, &dir, good);
    if (good)
        say_folder(path, &dir, contents);
    ids_data_dir_close(&dir);
    ids_posix_disk_close(&posix);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int check_one(const char *path, ids_contents *contents) {
    char why[256];
    pid_t holder = ids_folder_holder(path);
    if (holder > 0)
        printf("%s: in use by pid %ld; stop it first\n", path, (long)holder);
    else if (holder < 0)
        printf("%s: in use by another idemstored; stop it first\n", path);
    if (holder != 0)
        return EXIT_IN_USE;
    switch (ids_folder_look(path, why, sizeof why)) {
    case IDS_FOLDER_EMPTY:
        printf("%s: new, empty\n", path);
        return EXIT_EMPTY;
    case IDS_FOLDER_FOREIGN:
    case IDS_FOLDER_FAULT:
        printf("%s: %s\n", path, why);
        return EXIT_FAILURE;
    case IDS_FOLDER_NONE:
    case IDS_FOLDER_OURS:
        break;
    }
    return check_folder(path, contents);
}

/* Two of a pair ------------------------------------------------------------ */

static void say_verdict(const char *const paths[static 2],
                        const ids_contents both[static 2]) {
    static const char *const words[] = {[IDS_CONTENTS_SAME] = "same",
                                        [IDS_CONTENTS_FIRST] = "first",
                                        [IDS_CONTENTS_SECOND] = "second",
                                        [IDS_CONTENTS_EACH] = "each",
                                        [IDS_CONTENTS_UNKNOWN] = "unknown"};
    ids_contents_side sides[2];
    ids_contents_verdict verdict =
        ids_contents_compare(&both[0], &both[1], sides);
    bool second = verdict == IDS_CONTENTS_SECOND;
    if (verdict == IDS_CONTENTS_FIRST || second)
        printf("compared: %s has more, and all that %s has\n", paths[second],
               paths[!second]);
    else
        printf("compared: %s\n",
               verdict == IDS_CONTENTS_SAME   ? "both have the same"
               : verdict == IDS_CONTENTS_EACH ? "each has what the other lacks"
                                              : "it can't be told which has "
                                                "more");
    say_checked("more", "%s", words[verdict]);
    say_checked("first_more", "%" PRIu64, sides[0].more);
    say_checked("first_unclear", "%" PRIu64, sides[0].unclear);
    say_checked("second_more", "%" PRIu64, sides[1].more);
    say_checked("second_unclear", "%" PRIu64, sides[1].unclear);
}

int ids_check(const char *path, const char *other) {
    const char *const paths[2] = {path, other};
    uint8_t hash_key[IDS_CONTENTS_HASH_BYTES];
    ids_contents both[2];
    int code = EXIT_SUCCESS;
    if (other && sodium_init() < 0) {
        printf("%s: no random numbers to compare it by\n", other);
        return EXIT_FAILURE;
    }
    if (other)
        randombytes_buf(hash_key, sizeof hash_key);
    for (int i = 0; i < 2; i++) {
        ids_contents_init(&both[i], other ? hash_key : NULL);
        int one = paths[i] ? check_one(paths[i], &both[i]) : EXIT_SUCCESS;
        if (code == EXIT_SUCCESS)
            code = one;
    }
    if (other && code == EXIT_SUCCESS)
        say_verdict(paths, both);
    else if (other)
        puts("compared: no; both have to be good");
    ids_contents_fini(&both[0]);
    ids_contents_fini(&both[1]);
    return code;
}
