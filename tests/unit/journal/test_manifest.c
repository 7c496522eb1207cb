/* SPDX-License-Identifier: Apache-2.0 */
/* test_manifest.c -- the manifest's text, and what is refused of it. */
#include "server/journal/manifest.h"
#include "tests/lib/rng.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static char *make(size_t *len) {
    ids_manifest m = {.node = 1,
                      .incarnation = UINT64_MAX,
                      .epoch = 17,
                      .clock_ms = 31622400000,
                      .generation = 3,
                      .snapshot_loops = 2};
    ids_manifest_run run = {.epoch = 16,
                            .start_ms = 31622400000,
                            .loops = 2,
                            .fsync = IDS_FSYNC_EVERYSEC};
    m.snapshot = calloc(2, sizeof *m.snapshot);
    m.snapshot[1] = (ids_snapshot_sum){UINT64_MAX, 7, 0xdeadbeef};
    cr_assert(ids_manifest_add_run(&m, &run));
    m.run[0].closed = true;
    m.run[0].logs[0].end = (ids_log_end){1, 64, 0, 0};
    m.run[0].logs[1].end = (ids_log_end){5, 4096, 0xabcdef01, 99};
    run.epoch = 17;
    cr_assert(ids_manifest_add_run(&m, &run));
    char *text = ids_manifest_text(&m, len);
    ids_manifest_fini(&m);
    return text;
}

Test(manifest, what_is_written_is_read) {
    size_t len, again_len;
    ids_fault fault = {0};
    ids_manifest m;
    char *text = make(&len), *again;
    cr_assert(ids_manifest_parse(&m, text, len, &fault), "%s", fault.what);
    cr_assert_eq(m.runs, 2);
    cr_assert(m.run[0].closed && !m.run[1].closed);
    cr_assert_eq(m.run[0].logs[1].end.number, 99);
    again = ids_manifest_text(&m, &again_len);
    cr_assert_eq(again_len, len);
    cr_assert_eq(memcmp(text, again, len), 0);
    ids_manifest_fini(&m);
    free(text);
    free(again);
}

/* A backup ends where each log was as it was made, and says what it is. */
Test(manifest, a_backup_is_marked_and_ends_there) {
    size_t len;
    ids_fault fault = {0};
    ids_manifest of = {.node = 1, .file = 5, .mark = 6}, backup, read;
    const ids_manifest_run run = {.epoch = 17, .loops = 2};
    const ids_log_end ends[] = {{2, 100, 7, 8}, {1, 64, 0, 0}};
    cr_assert(ids_manifest_add_run(&of, &run));
    cr_assert(ids_manifest_of_backup(&backup, &of, ends));
    char *text = ids_manifest_text(&backup, &len);
    cr_assert(ids_manifest_parse(&read, text, len, &fault), "%s", fault.what);
    cr_assert(read.is_backup && read.run[0].closed);
    cr_assert_eq(read.run[0].logs[0].end.at, 100);
    cr_assert_eq(read.file, 0);
    cr_assert(!of.is_backup && !of.run[0].closed, "the folder's own goes on");
    ids_manifest_fini(&read);
    text[15] = '2'; /* the mark can't be taken from it */
    cr_assert_not(ids_manifest_parse(&read, text, len, &fault));
    free(text);
    ids_manifest_fini(&backup);
    ids_manifest_fini(&of);
}

Test(manifest, no_flipped_bit_and_no_missing_byte_passes) {
    size_t len;
    ids_fault fault;
    ids_manifest m;
    char *text = make(&len);
    for (size_t bit = 0; bit < len * 8; bit++) {
        text[bit / 8] ^= (char)(1 << bit % 8);
        cr_assert_not(ids_manifest_parse(&m, text, len, &fault), "%zu", bit);
        text[bit / 8] ^= (char)(1 << bit % 8);
    }
    for (size_t less = 0; less < len; less++)
        cr_assert_not(ids_manifest_parse(&m, text, less, &fault));
    free(text);
}

Test(manifest, says_foreign_and_newer) {
    ids_fault fault;
    ids_manifest m;
    cr_assert_not(ids_manifest_parse(&m, "hello\n", 6, &fault));
    cr_assert_eq(fault.kind, IDS_FAULT_FOREIGN);
    cr_assert_not(ids_manifest_parse(&m, "idemstore-data 4\n", 17, &fault));
    cr_assert_eq(fault.kind, IDS_FAULT_NEWER);
}
