/* SPDX-License-Identifier: Apache-2.0 */
/* test_contents.c -- which of two folders has more. */
#include "server/storage/contents.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

enum { NOW_MS = 1000, TTL_MS = 5000 };

static ids_contents first, second;
static ids_contents_side sides[2];

static void set_up(void) {
    static const uint8_t hash_key[IDS_CONTENTS_HASH_BYTES] = {7};
    ids_contents_init(&first, hash_key);
    ids_contents_init(&second, hash_key);
    first.clock_ms = second.clock_ms = NOW_MS;
}

static void tear_down(void) {
    ids_contents_fini(&first);
    ids_contents_fini(&second);
}

TestSuite(contents, .init = set_up, .fini = tear_down);

static void put(ids_contents *to, const char *key, uint64_t stream,
                uint64_t low, idp_state state) {
    const ids_change change = {.key = {(const uint8_t *)key, strlen(key)},
                               .token = {9, stream << 48 | low},
                               .state = state,
                               .ttl_left_ms =
                                   state == IDP_STATE_ABSENT ? 0 : TTL_MS};
    cr_assert(ids_contents_load(to, &change, 1, NOW_MS));
}

static ids_contents_verdict compared(void) {
    return ids_contents_compare(&first, &second, sides);
}

Test(contents, empty_ones_are_the_same) {
    cr_assert_eq(compared(), IDS_CONTENTS_SAME);
    cr_assert_eq(ids_contents_streams(&first), 0);
}

Test(contents, the_command_in_which_they_came_does_not_matter) {
    put(&first, "a", 0, 1, IDP_STATE_IN_PROGRESS);
    put(&first, "b", 1, 1, IDP_STATE_COMPLETED);
    put(&second, "b", 1, 1, IDP_STATE_COMPLETED);
    put(&second, "a", 0, 1, IDP_STATE_ORPHANED);
    cr_assert_eq(compared(), IDS_CONTENTS_SAME);
    cr_assert_eq(ids_contents_streams(&first), 2);
    cr_assert_eq(first.epoch, 9);
}

Test(contents, a_key_that_never_came_is_more) {
    put(&first, "a", 0, 1, IDP_STATE_IN_PROGRESS);
    put(&first, "b", 0, 2, IDP_STATE_IN_PROGRESS);
    put(&second, "a", 0, 1, IDP_STATE_IN_PROGRESS);
    cr_assert_eq(compared(), IDS_CONTENTS_FIRST);
    cr_assert_eq(sides[0].more, 1);
    cr_assert_eq(sides[0].unclear + sides[1].more + sides[1].unclear, 0);
}

Test(contents, a_result_is_more_than_its_claim) {
    put(&first, "a", 0, 1, IDP_STATE_IN_PROGRESS);
    put(&second, "a", 0, 1, IDP_STATE_COMPLETED);
    cr_assert_eq(compared(), IDS_CONTENTS_SECOND);
}

Test(contents, a_later_token_is_more_than_any_state) {
    put(&first, "a", 0, 1, IDP_STATE_COMPLETED);
    put(&second, "a", 0, 2, IDP_STATE_IN_PROGRESS);
    cr_assert_eq(compared(), IDS_CONTENTS_SECOND);
}

Test(contents, one_that_was_given_back_is_later_than_its_claim) {
    put(&first, "a", 0, 1, IDP_STATE_IN_PROGRESS);
    put(&second, "a", 0, 1, IDP_STATE_IN_PROGRESS);
    put(&second, "a", 0, 0, IDP_STATE_ABSENT);
    cr_assert_eq(compared(), IDS_CONTENTS_SECOND);
    cr_assert_eq(ids_contents_records(&second), 0);
}

Test(contents, each_may_lack_something) {
    put(&first, "a", 0, 1, IDP_STATE_COMPLETED);
    put(&second, "b", 1, 1, IDP_STATE_COMPLETED);
    cr_assert_eq(compared(), IDS_CONTENTS_EACH);
}

/* The second one has later tokens of that stream: it had the key, and has
 * forgotten it, or lost it from the middle. */
Test(contents, what_may_be_forgotten_is_not_called_more) {
    put(&first, "a", 0, 1, IDP_STATE_COMPLETED);
    put(&second, "b", 0, 2, IDP_STATE_COMPLETED);
    cr_assert_eq(compared(), IDS_CONTENTS_UNKNOWN);
    cr_assert_eq(sides[0].unclear, 1);
    cr_assert_eq(sides[1].more, 1);
}

Test(contents, what_is_over_is_missed_by_nobody) {
    put(&first, "a", 0, 1, IDP_STATE_COMPLETED);
    first.clock_ms = NOW_MS + TTL_MS;
    cr_assert_eq(compared(), IDS_CONTENTS_SAME);
    put(&first, "b", 0, 2, IDP_STATE_IN_PROGRESS);
    cr_assert_eq(compared(), IDS_CONTENTS_FIRST);
}

Test(contents, a_table_that_grows_loses_nothing) {
    char key[16];
    for (uint64_t i = 1; i <= 10000; i++) {
        snprintf(key, sizeof key, "k%d", (int)i);
        put(&first, key, i % 3, i, IDP_STATE_COMPLETED);
        put(&second, key, i % 3, i, IDP_STATE_COMPLETED);
    }
    cr_assert_eq(ids_contents_records(&first), 10000);
    cr_assert_eq(compared(), IDS_CONTENTS_SAME);
}
