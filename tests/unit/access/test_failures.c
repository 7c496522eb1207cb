/* SPDX-License-Identifier: Apache-2.0 */
/* test_failures.c -- a bucket of wrong secrets for each source. */
#include "server/access/failures.h"

#include <criterion/criterion.h>
#include <string.h>

static ids_failures *f;

static void begin(void) {
    f = ids_failures_new();
}

static void end(void) {
    ids_failures_free(f);
}

TestSuite(failures, .init = begin, .fini = end);

static ids_source source_of(uint32_t number) {
    ids_source source = {{0}};
    memcpy(source.bytes, &number, sizeof number);
    return source;
}

static bool is_over(uint32_t number, uint64_t now_ms) {
    ids_source source = source_of(number);
    return ids_failures_note(f, &source, now_ms);
}

Test(failures, ten_are_free_and_one_comes_back_each_second) {
    for (int i = 0; i < 10; i++)
        cr_assert_not(is_over(1, 5000), "%d", i);
    cr_assert(is_over(1, 5000));
    cr_assert(is_over(1, 5999));
    cr_assert_not(is_over(1, 6000));
    cr_assert(is_over(1, 6000));
    cr_assert_not(is_over(1, 8000));
    cr_assert_not(is_over(1, 8000));
    cr_assert(is_over(1, 8000));
    /* No more than ten, however long it was quiet. */
    for (int i = 0; i < 10; i++)
        cr_assert_not(is_over(1, 900000));
    cr_assert(is_over(1, 900000));
}

Test(failures, sources_have_nothing_to_do_with_each_other) {
    for (int i = 0; i < 100; i++)
        is_over(1, 0);
    for (uint32_t number = 2; number < 1000; number++)
        cr_assert_not(is_over(number, 0));
    cr_assert(is_over(1, 0));
}

Test(failures, the_one_that_failed_longest_ago_is_forgotten) {
    for (uint32_t i = 0; i < 10; i++)
        is_over(0, 0);
    for (uint32_t number = 1; number < IDS_FAILURES_SOURCES_MAX; number++)
        cr_assert_not(is_over(number, 0));
    cr_assert_eq(ids_failures_sources(f), IDS_FAILURES_SOURCES_MAX);
    cr_assert(is_over(0, 0), "it is known, and now the newest");
    cr_assert_not(is_over(IDS_FAILURES_SOURCES_MAX, 0));
    cr_assert_eq(ids_failures_sources(f), IDS_FAILURES_SOURCES_MAX);
    cr_assert(is_over(0, 0), "number 1 went, not this one");
    for (uint32_t number = 0; number < IDS_FAILURES_SOURCES_MAX; number++)
        is_over(100000 + number, 0);
    cr_assert_not(is_over(0, 0), "it was forgotten with all the others");
}

Test(failures, many_sources_many_times) {
    uint32_t seed = 7;
    for (uint32_t i = 0; i < 200000; i++) {
        seed = seed * 1664525 + 1013904223;
        is_over(seed >> 12, i);
        cr_assert_leq(ids_failures_sources(f), IDS_FAILURES_SOURCES_MAX);
    }
}
