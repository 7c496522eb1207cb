/* SPDX-License-Identifier: Apache-2.0 */
/* alarms_test.c -- alarms go off in the order of their times, whatever is set,
 * moved and unset between; and blocks of a pool are used again. */
#include <criterion/criterion.h>
#include <string.h>

#include "client/src/alarms.h"
#include "client/src/mem.h"
#include "client/src/pool.h"
#include "tests/lib/rng.h"

#define ALARMS 500

/* The soonest of those that are set; -1. */
static int soonest(const idem__alarm *all) {
    int found = -1;
    for (int i = 0; i < ALARMS; i++)
        if (all[i].place != 0 && (found < 0 || all[i].at_ms < all[found].at_ms))
            found = i;
    return found;
}

Test(alarms, the_soonest_goes_off_first_whatever_is_moved) {
    idem__alarm all[ALARMS] = {0};
    idem__alarms alarms = {0};
    idt_rng rng;
    idt_rng_seed(&rng, 7117);
    cr_assert(idem__alarms_reserve(&alarms, ALARMS));
    cr_assert_eq(idem__alarms_next_ms(&alarms), UINT64_MAX);
    for (int round = 0; round < 20000; round++) {
        idem__alarm *one = &all[idt_rng_below(&rng, ALARMS)];
        uint32_t what = idt_rng_below(&rng, 4);
        if (what == 0)
            idem__alarms_unset(&alarms, one);
        else if (what < 3)
            idem__alarms_set(&alarms, one, 1 + idt_rng_below(&rng, 1000));
        int first = soonest(all);
        uint64_t first_ms = first < 0 ? UINT64_MAX : all[first].at_ms;
        cr_assert_eq(idem__alarms_next_ms(&alarms), first_ms);
        if (what == 3 && first >= 0) {
            cr_assert_null(idem__alarms_take_due(&alarms, first_ms - 1));
            idem__alarm *due = idem__alarms_take_due(&alarms, first_ms);
            cr_assert_not_null(due);
            cr_assert_eq(due->at_ms, first_ms);
            cr_assert_eq(due->place, 0);
        }
    }
    idem__alarms_fini(&alarms);
}

static int allocations;

static bool count_allocation(void) {
    allocations++;
    return false;
}

Test(pool, blocks_are_used_again_and_counted) {
    idem__pool pool = {0};
    static const size_t sizes[] = {1, 256, 257, 5000, 131072, 131073, 1 << 20};
    void *blocks[7];
    idem__mem_refuse = count_allocation;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 7; i++) {
            blocks[i] = idem__pool_take(&pool, sizes[i]);
            cr_assert_not_null(blocks[i]);
            memset(blocks[i], round, sizes[i]);
        }
        cr_assert_geq(pool.used_bytes, 131073u + (1 << 20));
        for (int i = 0; i < 7; i++)
            idem__pool_give(&pool, blocks[i], sizes[i]);
        cr_assert_eq(pool.used_bytes, 0);
    }
    idem__mem_refuse = NULL;
    cr_assert_eq(allocations, 7 + 2 * 2, "only the two largest are made anew");
    idem__pool_fini(&pool);
}

Test(pool, what_is_idle_has_a_bound) {
    idem__pool pool = {0};
    void *blocks[300];
    for (int i = 0; i < 300; i++)
        blocks[i] = idem__pool_take(&pool, 100000);
    for (int i = 0; i < 300; i++)
        idem__pool_give(&pool, blocks[i], 100000);
    cr_assert_leq(pool.idle_bytes, 16u << 20);
    cr_assert_gt(pool.idle_bytes, 15u << 20);
    idem__pool_fini(&pool);
}
