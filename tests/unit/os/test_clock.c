/* SPDX-License-Identifier: Apache-2.0 */
/* test_clock.c -- the store's clock where its process stood still. */
#include "server/core/shard.h"
#include "server/os/clock.h"

#include <criterion/criterion.h>
#include <time.h>

static uint64_t machine_ms;

/* In time's small steps, as a loop that turns does. */
static uint64_t runs_on(uint64_t ms) {
    for (; ms > IDS_CLOCK_PULSE_MS; ms -= IDS_CLOCK_PULSE_MS)
        ids_clock_at(machine_ms += IDS_CLOCK_PULSE_MS);
    return ids_clock_at(machine_ms += ms);
}

static uint64_t stands_still(uint64_t ms) {
    return ids_clock_at(machine_ms += ms);
}

/* Far ahead of the machine's own, so that only these readings count. Each test
 * is a process of its own: the clock has not begun. */
static uint64_t begin(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    machine_ms = (uint64_t)now.tv_sec * 1000 + 1000000;
    cr_assert_eq(ids_clock_at(machine_ms), IDS_CLOCK_START_MS);
    ids_loop_clock_watch();
    return IDS_CLOCK_START_MS;
}

Test(clock, time_that_runs_is_counted_whole) {
    uint64_t from_ms = begin(), all_ms;
    cr_assert_eq(runs_on(10000), from_ms + 10000);
    cr_assert_eq(ids_loop_clock_gaps(&all_ms), 0);
}

Test(clock, a_gap_does_not_count_and_then_it_waits_until_all_is_read) {
    uint64_t from_ms = begin(), all_ms;
    cr_assert_eq(stands_still(1500), from_ms, "the gap is not counted");
    cr_assert_eq(ids_loop_clock_gaps(&all_ms), 1);
    cr_assert_eq(all_ms, 1500);
    cr_assert_eq(runs_on(IDS_CLOCK_HOLD_MS), from_ms, "it stands still");
    cr_assert_eq(runs_on(7), from_ms + 7, "and goes on from where it was");
    cr_assert_eq(stands_still(3600000), from_ms + 7);
    cr_assert_eq(ids_loop_clock_gaps(&all_ms), 2);
    cr_assert_eq(all_ms, 1500 + 3600000);
}

/* Two gaps, the second while the clock still waits after the first. */
Test(clock, it_never_goes_back) {
    uint64_t from_ms = begin(), was_ms = from_ms;
    for (uint64_t i = 1; i < 200; i++) {
        uint64_t now_ms = i % 3 == 0 ? stands_still(i * 20) : runs_on(i * 20);
        cr_assert_geq(now_ms, was_ms);
        cr_assert_leq(now_ms - was_ms, i * 20, "nor ahead");
        was_ms = now_ms;
    }
    cr_assert_gt(was_ms, from_ms);
}

/* A busy machine is not a gap. */
Test(clock, a_late_turn_is_time) {
    uint64_t from_ms = begin(), all_ms;
    cr_assert_eq(stands_still(IDS_CLOCK_GAP_MS), from_ms + IDS_CLOCK_GAP_MS);
    cr_assert_eq(ids_loop_clock_gaps(&all_ms), 0);
}
