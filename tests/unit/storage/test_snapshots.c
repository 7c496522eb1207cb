/* SPDX-License-Identifier: Apache-2.0 */
/* test_snapshots.c -- an operator's command for a snapshot: when its round is
 * begun, and what else may have become of it by then. */
#include "server/storage/snapshots.h"

#include "proto/request.h"

#include "tests/unit/server/harness.h"

#include <criterion/criterion.h>

#define SECOND_MS   1000
#define HEARS(what) cr_assert_str_eq(caller_hear(&asker), what)

static harness t;
static caller asker;
static ids_disk disk;
static ids_data_dir dir;
static ids_rounds rounds;
static ids_snapshots snapshots;

static int64_t free_bytes(void *ctx) {
    (void)ctx;
    return INT64_MAX;
}

static int remove_file(void *ctx, const char *name) {
    (void)ctx;
    (void)name;
    return 0;
}

static void set_up(void) {
    harness_plan(&t, 1);
    disk = (ids_disk){.free_bytes = free_bytes, .remove = remove_file};
    ids_rounds_init(&rounds, &t.server, &dir, &disk, UINT64_MAX);
    cr_assert(ids_rounds_make_places(&rounds, IDS_CLOCK_START_MS));
    snapshots = (ids_snapshots){.rounds = &rounds};
    t.server.store = ids_snapshots_handler(&snapshots);
    harness_open(&t);
    caller_open(&asker, &t, 0);
    asker.conn->reading.local = true;
}

static void tear_down(void) {
    caller_close(&asker);
    harness_close(&t);
    ids_rounds_fini(&rounds);
}

TestSuite(snapshots, .init = set_up, .fini = tear_down);

static void command(uint32_t msgid) {
    ask_plain(&asker, msgid, IDP_SNAPSHOT);
}

static void pass(uint64_t ms) {
    harness_pass(&t, ms);
    ids_snapshots_look(&snapshots, t.workers[0]);
    harness_run(&t);
}

/* There was no room for the only part. */
static void end_round(void) {
    cr_assert(ids_rounds_part_done(&rounds, 0, false, NULL, NULL, NULL));
    ids_rounds_install(&rounds, IDS_CLOCK_START_MS);
    pass(0);
}

static unsigned begun(void) {
    return atomic_load(&rounds.count);
}

/* One was ordered and is through, the next one waits for its second. */
static void command_twice(void) {
    command(1);
    end_round();
    HEARS("1 refused");
    command(2);
    cr_assert_eq(begun(), 1);
}

Test(snapshots, an_command_begins_a_round_and_hears_what_came_of_it) {
    command(1);
    cr_assert_eq(begun(), 1);
    HEARS("nothing");
    end_round();
    HEARS("1 refused");
}

Test(snapshots, a_second_command_begins_a_second_later) {
    command_twice();
    pass(SECOND_MS - 1);
    cr_assert_eq(begun(), 1);
    cr_assert_eq(ids_snapshots_next_ms(&snapshots), t.workers[0]->now_ms + 1);
    pass(1);
    cr_assert_eq(begun(), 2);
    end_round();
    HEARS("2 refused");
}

Test(snapshots, an_command_that_is_cancelled_while_it_waits_begins_none) {
    command_twice();
    ids_rounds_cancel(&rounds, "a copy was to take the place of all");
    pass(SECOND_MS);
    HEARS("2 refused");
    cr_assert_eq(begun(), 1);
    command(3);
    pass(SECOND_MS);
    cr_assert_eq(begun(), 2, "the next one is as any other");
}

Test(snapshots, an_command_that_waits_takes_the_round_that_a_copy_has_begun) {
    command_twice();
    cr_assert_not(ids_rounds_claim(&rounds), "it is the order's");
    cr_assert(ids_rounds_begin(&rounds));
    pass(SECOND_MS);
    cr_assert_eq(begun(), 2, "not once more, in its middle");
    end_round();
    HEARS("2 refused");
}
