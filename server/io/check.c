/* SPDX-License-Identifier: Apache-2.0 */
/* check.c -- idemstored --check: a folder is read as a start would read it, and
 * nothing in it is changed. */
#include "server/io/folder.h"
#include "server/io/store.h"
#include "server/machine.h"

#include <inttypes.h>
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
static void print_whole(const char *path, const ids_vault *vault, bool good) {
    const ids_manifest *m = &vault->manifest;
    uint64_t records = 0;
    for (uint32_t i = 0; i < m->snapshot_loops; i++)
        records += m->snapshot[i].records;
    if (vault->copied)
        printf("%s: copied or restored: %s\n", path, vault->copied);
    if (good)
        printf("%s: good, %" PRIu64 " records, %" PRIu64
               " changes after them, epoch %" PRIu64 ", last stop %s\n",
               path, records, read_records - records, m->epoch,
               m->clean ? "clean" : "sudden");
    else
        printf("%s: can't be used, epoch %" PRIu64 ", last stop %s\n", path,
               m->epoch, m->clean ? "clean" : "sudden");
}

static int check_folder(const char *path) {
    ids_posix_disk posix;
    ids_vault vault;
    ids_fault fault = {0};
    char text[IDS_FAULT_TEXT_BYTES];
    const ids_restore_report report = {.unit = print_unit};
    int error = ids_posix_disk_look(&posix, path);
    if (error) {
        printf("%s: %s\n", path, strerror(-error));
        return EXIT_FAILURE;
    }
    ids_disk disk = ids_posix_disk_of(&posix);
    if (!ids_vault_open(&vault, &disk, &fault)) {
        ids_fault_text(&fault, text);
        printf("%s\n", text);
        ids_posix_disk_close(&posix);
        return EXIT_FAILURE;
    }
    bool good =
        ids_restore(&vault, NULL, NULL, ids_machine_cores(), &report, &fault);
    print_whole(path, &vault, good);
    ids_vault_close(&vault);
    ids_posix_disk_close(&posix);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

int ids_store_check(const char *path) {
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
    return check_folder(path);
}
