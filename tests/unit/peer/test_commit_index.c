/* SPDX-License-Identifier: Apache-2.0 */
/* test_commit_index.c -- up to where replies may leave. */
#include "server/peer/commit_index.h"

#include <criterion/criterion.h>

Test(commit_index, it_waits_for_the_one_that_is_behind) {
    ids_commit_index commit_index = {.passed = 0};
    ids_commit_index_open(&commit_index);
    cr_assert_eq(ids_commit_index_watermark(&commit_index), UINT64_MAX,
                 "there is nobody");
    commit_index.member[0] = 24;
    cr_assert_eq(ids_commit_index_watermark(&commit_index), 24);
    commit_index.joining[1] = 20;
    cr_assert_eq(ids_commit_index_watermark(&commit_index), 20,
                 "nor is who is joining");
    commit_index.member[IDS_FOLLOWERS_MAX - 1] = 3;
    cr_assert_eq(ids_commit_index_watermark(&commit_index), 3,
                 "each member counts");
}

Test(commit_index, what_has_left_only_grows) {
    ids_commit_index commit_index = {.passed = 0};
    ids_commit_index_left(&commit_index, 7);
    ids_commit_index_left(&commit_index, 3);
    cr_assert_eq(commit_index.passed, 7);
}
