/* SPDX-License-Identifier: Apache-2.0 */
/* test_decisions.c -- the file that a node's decisions are kept in. */
#include "server/storage/decisions.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/idemstore-decisions-XXXXXX";
static char path[128], why[256];
static ids_decisions_file file;
static ids_decision recorded;

static void set_up(void) {
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/peer", folder);
}

static void tear_down(void) {
    char command[160];
    ids_decisions_close(&file);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_assert_eq(system(command), 0);
}

static bool stands;

TestSuite(decisions, .init = set_up, .fini = tear_down);

static bool open_it(void) {
    return ids_decisions_open(&file, path, &recorded, why, sizeof why);
}

Test(decisions, none_are_zeros) {
    cr_assert(open_it(), "%s", why);
    cr_assert_eq(recorded.version, 0);
    cr_assert_eq(recorded.self.node, 0);
}

Test(decisions, the_last_one_is_found_again) {
    ids_decision one = {.version = 1, .epoch = 7, .self = {11, 12}};
    ids_decision two = {
        .version = 2, .epoch = 8, .role = IDS_ROLE_PRIMARY, .self = {11, 13}};
    cr_assert(open_it(), "%s", why);
    cr_assert_eq(ids_decisions_save(&file, &one, &stands), 0);
    cr_assert_eq(ids_decisions_save(&file, &two, &stands), 0);
    ids_decisions_close(&file);
    cr_assert(open_it(), "%s", why);
    cr_assert_eq(recorded.version, 2);
    cr_assert_eq(recorded.epoch, 8);
    cr_assert_eq(recorded.role, IDS_ROLE_PRIMARY);
    cr_assert_eq(recorded.self.incarnation, 13);
}

Test(decisions, one_process_has_them) {
    ids_decisions_file other;
    cr_assert(open_it(), "%s", why);
    cr_assert_not(ids_decisions_open(&other, path, &recorded, why, sizeof why));
    cr_assert_not_null(strstr(why, "another idemstored"), "%s", why);
}

Test(decisions, a_damaged_or_foreign_file_is_refused) {
    ids_decision one = {.version = 1, .epoch = 7, .self = {11, 12}};
    cr_assert(open_it(), "%s", why);
    cr_assert_eq(ids_decisions_save(&file, &one, &stands), 0);
    ids_decisions_close(&file);
    FILE *out = fopen(path, "r+e");
    cr_assert_not_null(out);
    fseek(out, 30, SEEK_SET);
    fputc('x', out);
    fclose(out);
    cr_assert_not(open_it());
    cr_assert_not_null(strstr(why, "damaged"), "%s", why);
    out = fopen(path, "we");
    cr_assert_not_null(out);
    fputs("something else", out);
    fclose(out);
    cr_assert_not(open_it());
    cr_assert_not_null(strstr(why, "--peer-state"), "%s", why);
}

Test(decisions, a_path_that_leads_nowhere_is_said) {
    cr_assert_not(ids_decisions_open(&file, "/nowhere/at/all", &recorded, why,
                                     sizeof why));
    cr_assert_not_null(strstr(why, "folder"), "%s", why);
    cr_assert_not(
        ids_decisions_open(&file, "/tmp/", &recorded, why, sizeof why));
}

/* Somebody has moved the lock away, and another process goes on from there. */
Test(decisions, a_successors_are_not_replaced) {
    ids_decision ours = {.version = 1, .epoch = 7, .self = {11, 12}};
    ids_decision theirs = {.version = 2, .epoch = 9, .self = {11, 14}};
    ids_decisions_file other;
    char lock[160];
    cr_assert(open_it(), "%s", why);
    cr_assert_eq(ids_decisions_save(&file, &ours, &stands), 0);
    snprintf(lock, sizeof lock, "%s.lock", path);
    cr_assert_eq(unlink(lock), 0);
    cr_assert(ids_decisions_open(&other, path, &recorded, why, sizeof why));
    cr_assert_eq(ids_decisions_save(&other, &theirs, &stands), 0);
    cr_assert_eq(ids_decisions_save(&file, &ours, &stands), ESTALE);
    ids_decisions_close(&other);
    ids_decisions_close(&file);
    cr_assert(open_it(), "%s", why);
    cr_assert_eq(recorded.epoch, 9);
}

/* No room for the next one: the last one is whole, and it is said. */
Test(decisions, one_that_cannot_be_written_leaves_the_last_one) {
    ids_decision one = {.version = 1, .epoch = 7, .self = {11, 12}};
    ids_decision two = {.version = 2, .epoch = 9, .self = {11, 12}};
    char next[160];
    cr_assert(open_it(), "%s", why);
    cr_assert_eq(ids_decisions_save(&file, &one, &stands), 0);
    snprintf(next, sizeof next, "%s.new", path);
    cr_assert_eq(mkdir(next, 0700), 0);
    cr_assert_eq(ids_decisions_save(&file, &two, &stands), EISDIR);
    cr_assert(stands);
    cr_assert_eq(rmdir(next), 0);
    ids_decisions_close(&file);
    cr_assert(open_it(), "%s", why);
    cr_assert_eq(recorded.epoch, 7);
    cr_assert_eq(ids_decisions_save(&file, &two, &stands), 0);
}
