/* SPDX-License-Identifier: Apache-2.0 */
/* test_rounds.c -- rounds of snapshots: one at a time, what its parts come to,
 * and what whoever ordered it hears. */
#include "server/os/clock.h"
#include "server/storage/rounds.h"

#include <criterion/criterion.h>
#include <string.h>

#define LOOPS     2
#define LOG_BYTES 1000

static uint32_t woken[LOOPS], removed;
static ids_server server;
static ids_disk disk;
static ids_data_dir dir;
static ids_rounds rounds;

static void wake(void *ctx, uint32_t loop) {
    (void)ctx;
    woken[loop]++;
}

static int remove_file(void *ctx, const char *name) {
    (void)ctx;
    cr_assert_neq(name[0], '\0');
    removed++;
    return 0;
}

static void set_up(void) {
    server = (ids_server){.loops = LOOPS, .wake = wake};
    disk = (ids_disk){.remove = remove_file};
    ids_rounds_init(&rounds, &server, &dir, &disk, LOG_BYTES);
    cr_assert(ids_rounds_make_places(&rounds, IDS_CLOCK_START_MS));
}

static void tear_down(void) {
    ids_rounds_fini(&rounds);
}

TestSuite(rounds, .init = set_up, .fini = tear_down);

static void begin(void) {
    cr_assert(ids_rounds_claim(&rounds));
    cr_assert(ids_rounds_begin(&rounds));
}

/* Both loops are through; the second one's part was given up. */
static void give_up(void) {
    const ids_snapshot_sum sum = {.records = 7, .bytes = 700};
    const ids_log_end first = {0};
    begin();
    cr_assert_not(ids_rounds_part_done(&rounds, 0, true, &sum, &first, &first));
    cr_assert(ids_rounds_part_done(&rounds, 1, false, &sum, &first, &first),
              "it is the last");
    ids_rounds_install(&rounds, IDS_CLOCK_START_MS);
}

Test(rounds, one_is_under_way_at_a_time) {
    begin();
    cr_assert_not(ids_rounds_claim(&rounds));
    cr_assert_eq(atomic_load(&rounds.count), 1);
    cr_assert_eq(woken[0], 1);
    cr_assert_eq(woken[1], 1);
}

Test(rounds, one_begins_when_the_logs_have_grown) {
    ids_rounds_grew(&rounds, LOG_BYTES - 1);
    cr_assert_eq(atomic_load(&rounds.count), 0);
    ids_rounds_grew(&rounds, 1);
    cr_assert_eq(atomic_load(&rounds.count), 1);
    ids_rounds_grew(&rounds, LOG_BYTES);
    cr_assert_eq(atomic_load(&rounds.count), 1, "one is under way");
}

/* The answer is told on another thread, long after it was made: it must not
 * lie in the memory of who made it. */
Test(rounds, who_ordered_one_that_was_given_up_hears_why) {
    char why[IDS_ROUND_TEXT_BYTES];
    idp_command_answer answer;
    cr_assert_not(ids_rounds_take_answer(&rounds, &answer, why));
    give_up();
    cr_assert_eq(removed, LOOPS, "nothing of it stays");
    cr_assert(ids_rounds_take_answer(&rounds, &answer, why));
    cr_assert_eq(answer.outcome, IDP_COMMAND_REFUSED);
    cr_assert_eq(answer.text.ptr, (const uint8_t *)why);
    cr_assert_eq(answer.text.len, strlen(why));
    cr_assert_str_eq(why,
                     "there was no room for it, on the disk or in memory; the "
                     "last snapshot and the logs stay, nothing is lost");
    cr_assert_not(ids_rounds_take_answer(&rounds, &answer, why), "once");
}

Test(rounds, each_pause_before_another_try_is_twice_as_long) {
    uint64_t from_ms = ids_loop_clock_ms();
    give_up();
    cr_assert_geq(atomic_load(&rounds.again_ms),
                  from_ms + IDS_SNAPSHOT_AGAIN_MS);
    give_up();
    cr_assert_geq(atomic_load(&rounds.again_ms),
                  from_ms + 2 * IDS_SNAPSHOT_AGAIN_MS);
    cr_assert_eq(atomic_load(&rounds.given_up_total), 2);
}

Test(rounds, none_is_begun_and_nobody_woken_at_the_end) {
    ids_rounds_quiet(&rounds);
    cr_assert(ids_rounds_claim(&rounds));
    cr_assert_not(ids_rounds_begin(&rounds));
    cr_assert_eq(atomic_load(&rounds.count), 0);
    cr_assert_eq(woken[0] + woken[1], 0);
}

Test(rounds, a_copy_that_takes_all_cancels_the_one_under_way) {
    char why[IDS_ROUND_TEXT_BYTES];
    idp_command_answer answer;
    begin();
    ids_rounds_cancel(&rounds, "another took its place");
    cr_assert(ids_rounds_take_answer(&rounds, &answer, why));
    cr_assert_eq(strncmp(why, "another took its place; ", 24), 0, "%s", why);
    begin(); /* the next one */
}
