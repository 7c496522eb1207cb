/* SPDX-License-Identifier: Apache-2.0 */
/* test_plain.c -- whose secret came in plain: told once an hour for each. */
#include "server/access/access.h"

#include <criterion/criterion.h>
#include <stdio.h>

static ids_access *begin(void) {
    const idp_slice secret = {(const uint8_t *)"s", 1};
    ids_access *access = ids_access_new(ids_credentials_of_secret(secret));
    cr_assert_not_null(access);
    return access;
}

Test(plain, each_name_is_told_once_an_hour) {
    ids_access *access = begin();
    cr_assert(ids_access_shown_plain(access, "shop", 0));
    cr_assert_not(ids_access_shown_plain(access, "shop", 0));
    cr_assert(ids_access_shown_plain(access, "sho", 7));
    cr_assert_not(
        ids_access_shown_plain(access, "shop", IDS_PLAIN_TOLD_MS - 1));
    cr_assert(ids_access_shown_plain(access, "shop", IDS_PLAIN_TOLD_MS));
    cr_assert_not(
        ids_access_shown_plain(access, "shop", 2 * IDS_PLAIN_TOLD_MS - 1));
    ids_access_free(access);
}

Test(plain, of_many_names_the_one_told_longest_ago_is_forgotten) {
    ids_access *access = begin();
    for (unsigned i = 0; i < IDS_PLAIN_NAMES + 1; i++) {
        char name[16];
        snprintf(name, sizeof name, "name-%u", i);
        cr_assert(ids_access_shown_plain(access, name, 100 + i));
    }
    cr_assert_not(ids_access_shown_plain(access, "name-1", 300));
    cr_assert(ids_access_shown_plain(access, "name-0", 300));
    cr_assert(ids_access_shown_plain(access, "name-1", 300), "gone for name-0");
    ids_access_free(access);
}
