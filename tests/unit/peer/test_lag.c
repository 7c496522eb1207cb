/* SPDX-License-Identifier: Apache-2.0 */
/* test_lag.c -- for how long changes have waited, roughly and never less. */
#include "server/peer/lag.h"
#include "tests/lib/rng.h"

#include <criterion/criterion.h>

Test(lag, nothing_waits_at_first_nor_once_all_is_there) {
    ids_lag lag = {0};
    cr_assert_eq(ids_lag_ms(&lag, 1000), 0);
    ids_lag_took(&lag, (ids_lag_mark){1, 1000, 0}, 1);
    ids_lag_took(&lag, (ids_lag_mark){2, 1010, 8}, 2);
    cr_assert_eq(ids_lag_ms(&lag, 1030), 30);
    ids_lag_reached(&lag, 1);
    cr_assert_eq(ids_lag_ms(&lag, 1030), 20);
    ids_lag_reached(&lag, 2);
    cr_assert_eq(ids_lag_ms(&lag, 1030), 0);
}

/* However many wait, the room is the same, and what is said is close. */
Test(lag, it_is_never_less_than_it_was) {
    static uint64_t at[20001];
    ids_lag lag = {0};
    uint64_t now = 1, reached = 0;
    idt_rng rng;
    idt_rng_seed(&rng, 3);
    for (uint64_t n = 1; n <= 20000; n++) {
        now += idt_rng_below(&rng, 3);
        at[n] = now;
        ids_lag_took(&lag, (ids_lag_mark){n, now, 10 * n}, n);
        if (idt_rng_chance(&rng, 1))
            reached += idt_rng_below(&rng, (uint32_t)(n - reached));
        ids_lag_reached(&lag, reached);
        cr_assert_leq(lag.count, IDS_LAG_MARKS);
        cr_assert_geq(ids_lag_ms(&lag, now), now - at[reached + 1]);
        cr_assert_leq(ids_lag_offset(&lag, 10 * n + 10), 10 * (reached + 1));
    }
}

/* A replica that has less than before: its bytes are counted from there. */
Test(lag, it_goes_on_from_before) {
    ids_lag lag = {0};
    ids_lag_took(&lag, (ids_lag_mark){1, 1000, 0}, 4);
    ids_lag_reached(&lag, 4);
    cr_assert_eq(ids_lag_offset(&lag, 40), 40);
    ids_lag_again(&lag, (ids_lag_mark){3, 1010, 20});
    cr_assert_eq(ids_lag_offset(&lag, 40), 20);
    ids_lag_took(&lag, (ids_lag_mark){5, 1020, 40}, 6);
    cr_assert_eq(ids_lag_ms(&lag, 1030), 20);
    ids_lag_again(&lag, (ids_lag_mark){4, 1025, 30});
    cr_assert_eq(ids_lag_offset(&lag, 60), 20, "it waits since longer");
    ids_lag_reached(&lag, 6);
    cr_assert_eq(ids_lag_ms(&lag, 1030), 0);
}
