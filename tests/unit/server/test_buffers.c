/* SPDX-License-Identifier: Apache-2.0 */
/* test_buffers.c -- buffers that go round, and what a crowd gets. */
#include "server/worker/buffers.h"

#include <criterion/criterion.h>

#define CROWD   (IDS_SPARE_BUFFERS + 5)
#define LARGE   16384u
#define TOO_BIG (300u << 10)

static ids_buffers all;
static idp_bytes held[CROWD];

static void take_all(void) {
    for (int i = 0; i < CROWD; i++)
        ids_buffers_take(&all, &held[i]);
}

static void give_all_back(void) {
    for (int i = 0; i < CROWD; i++)
        ids_buffers_give_back(&all, &held[i]);
}

static int count_large(void) {
    int count = 0;
    for (int i = 0; i < CROWD; i++) {
        cr_assert(held[i].cap == LARGE || held[i].cap == 512);
        count += held[i].cap == LARGE;
    }
    return count;
}

Test(buffers, a_crowd_gets_small_ones_and_the_large_ones_go_round) {
    for (int round = 0; round < 3; round++) {
        take_all();
        cr_assert_eq(count_large(), IDS_SPARE_BUFFERS);
        give_all_back();
        cr_assert_eq(all.spares, IDS_SPARE_BUFFERS);
    }
    ids_buffers_fini(&all);
}

Test(buffers, one_that_grew_too_large_is_replaced) {
    take_all();
    cr_assert(idp_bytes_reserve(&held[0], TOO_BIG));
    give_all_back();
    cr_assert_eq(all.spares, IDS_SPARE_BUFFERS - 1);
    take_all();
    cr_assert_eq(count_large(), IDS_SPARE_BUFFERS);
    give_all_back();
    ids_buffers_fini(&all);
}

Test(buffers, a_small_one_that_grew_is_a_spare_where_one_is_wanted) {
    take_all();
    cr_assert(idp_bytes_reserve(&held[0], TOO_BIG));
    cr_assert(idp_bytes_reserve(&held[CROWD - 1], LARGE));
    give_all_back();
    cr_assert_eq(all.spares, IDS_SPARE_BUFFERS);
    ids_buffers_fini(&all);
}
