/* SPDX-License-Identifier: Apache-2.0 */
/* troubles_test.c -- what is counted is told, and no more. */
#include "bench/troubles.h"

#include <criterion/criterion.h>
#include <string.h>

static char text[1024];

static const char *told(idb_troubles troubles) {
    idb_troubles_tell(&troubles, text, sizeof text);
    return text;
}

Test(troubles, none_are_no_line) {
    cr_assert_str_eq(
        told((idb_troubles){.server_waited = 0.04, .client_busy = 0.97}), "");
}

Test(troubles, rounds_add_up_and_the_worst_and_the_first_stay) {
    idb_troubles sum = {0};
    const idb_troubles one = {.unanswered = 2,
                              .waited_max_ns = 7000000,
                              .unexpected = 1,
                              .server_seen = true,
                              .server_waited = 0.3,
                              .first_unexpected = "one"};
    const idb_troubles two = {.unanswered = 3,
                              .waited_max_ns = 5000000,
                              .unexpected = 1,
                              .overdue = 4,
                              .server_seen = true,
                              .server_waited = 0.1,
                              .first_unexpected = "two"};
    idb_troubles_add(&sum, &one);
    idb_troubles_add(&sum, &two);
    const char *said = told(sum);
    cr_assert(strstr(said, "2 unexpected answers, the first: one;"), "%s",
              said);
    cr_assert(strstr(said, "5 requests were never answered, one of them for "
                           "7 ms;"),
              "%s", said);
    cr_assert(strstr(said, "4 jobs were planned and never sent"), "%s", said);
    cr_assert(strstr(said, "the server waited for a CPU 30 % of the time"),
              "%s", said);
}

/* It runs elsewhere, or nobody said which process it is. */
Test(troubles, of_a_server_that_is_not_seen_nothing_is_said) {
    cr_assert_str_eq(told((idb_troubles){.client_waited = 0.3}),
                     "! the machine was disturbed: the load generator waited "
                     "for a CPU 30 % of the time");
}

Test(troubles, a_generator_without_time_is_told) {
    cr_assert(strstr(told((idb_troubles){.client_busy = 1}),
                     "the load generator had no time left (busy 1.00"));
}

Test(troubles, time_that_a_hypervisor_kept_is_told_from_one_percent_on) {
    cr_assert_str_eq(told((idb_troubles){.stolen = 0.009}), "");
    cr_assert(strstr(told((idb_troubles){.stolen = 0.042}),
                     "! the hypervisor kept the cores for 4.2 % of their"));
}

Test(troubles, a_line_that_is_too_short_ends_in_time) {
    idb_troubles troubles = {.unexpected = 1, .broken = 1, .unanswered = 1};
    char little[16];
    idb_troubles_tell(&troubles, little, sizeof little);
    cr_assert_eq(strlen(little), sizeof little - 1);
}
