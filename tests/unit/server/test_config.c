/* SPDX-License-Identifier: Apache-2.0 */
/* test_config.c -- the table of flags: each at its limit and one past it. */
#include "server/admin/settings.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ids_config config;
static char why[IDS_SETTINGS_WHY_BYTES];

/* The last settings, which config's texts belong to. */
static bool parse_all(int argc, char *const argv[]) {
    static ids_settings *last;
    const ids_given given = {argc, argv, NULL};
    ids_complaint complaint;
    ids_settings *settings = ids_settings_load(&given, &complaint);
    if (settings) {
        ids_settings_free(last);
        last = settings;
        config = settings->config;
    }
    snprintf(why, sizeof why, "%s", settings ? "" : complaint.why);
    return settings != NULL;
}

static bool parse(const char *flag, const char *value) {
    char *argv[] = {(char *)"idemstored", (char *)flag, (char *)value, NULL};
    return parse_all(value ? 3 : 2, argv);
}

#define REFUSES(flag, value, says)                                 \
    do {                                                           \
        cr_assert_not(parse(flag, value));                         \
        cr_assert_not_null(strstr(why, says), "it said: %s", why); \
    } while (0)

Test(config, has_its_defaults) {
    char *argv[] = {(char *)"idemstored", NULL};
    cr_assert(parse_all(1, argv));
    cr_assert_eq(config.listen_count, 1);
    cr_assert_str_eq(config.listen[0], "127.0.0.1:7117");
    cr_assert_eq(config.result_bytes_max, 1u << 20);
    cr_assert_eq(config.pending_max, 4096);
    cr_assert_eq(config.threads, 0);
    cr_assert_eq(config.memory_bytes_max, 0);
    cr_assert_eq(config.log_level, IDS_LOG_INFO);
    cr_assert_not(config.insecure);
    cr_assert_null(config.secret_file);
}

Test(config, both_spellings_are_good) {
    cr_assert(parse("--threads", "3"));
    cr_assert_eq(config.threads, 3);
    cr_assert(parse("--threads=4", NULL));
    cr_assert_eq(config.threads, 4);
    cr_assert(parse("--secret-file=/a=b", NULL));
    cr_assert_str_eq(config.secret_file, "/a=b");
}

Test(config, bytes_have_suffixes) {
    static const struct {
        const char *text;
        uint64_t bytes;
    } cases[] = {{"1048576", 1u << 20},
                 {"2048k", 2u << 20},
                 {"3M", 3u << 20},
                 {"1g", 1u << 30},
                 {"64G", 64ull << 30}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_assert(parse("--max-memory", cases[i].text));
        cr_assert_eq(config.memory_bytes_max, cases[i].bytes);
    }
}

Test(config, what_is_bad_is_named_with_its_reason) {
    REFUSES("--nonsense", NULL, "--nonsense: no such flag");
    REFUSES("stray", NULL, "stray: no such flag");
    REFUSES("--threads", NULL, "N is missing");
    REFUSES("--threads", "many", "not a number");
    REFUSES("--threads", "-1", "not a number");
    REFUSES("--threads", "+1", "not a number");
    REFUSES("--threads", "2k", "not a number");
    REFUSES("--threads", "", "not a number");
    REFUSES("--max-memory", "1t", "suffix");
    REFUSES("--max-memory", "1kk", "suffix");
    REFUSES("--max-memory", "99999999999999999999", "must be");
    REFUSES("--max-memory", "18446744073709551615g", "must be");
    REFUSES("--insecure=maybe", NULL, "must be true or false");
    REFUSES("--log-level", "loud", "debug, info, warn or error");
    REFUSES("--listen", "", "missing");
    REFUSES("--secret-file", "", "missing");
}

/* Beside flags that all numbers make sense with. */
static bool parse_beside(const char *flag, const char *value) {
    char *argv[] = {(char *)"idemstored",
                    (char *)"--replication=sync",
                    (char *)"--replication-backlog=1024g",
                    (char *)"--max-result=0",
                    (char *)"--peer=a:1",
                    (char *)"--peer=b:1",
                    (char *)"--peer=c:1",
                    (char *)"--peer=d:1",
                    (char *)flag,
                    (char *)value,
                    NULL};
    return parse_all(10, argv);
}

/* One number's row at both of its ends, and one past each. */
static void walk_to_the_ends(const ids_config_row *row) {
    char text[32];
    const uint64_t *field =
        (const uint64_t *)((const char *)&config + row->offset);
    snprintf(text, sizeof text, "%llu", (unsigned long long)row->min);
    cr_assert(parse_beside(row->name, text));
    cr_assert_eq(*field, row->min);
    snprintf(text, sizeof text, "%llu", (unsigned long long)row->max);
    cr_assert(parse_beside(row->name, text));
    cr_assert_eq(*field, row->max);
    snprintf(text, sizeof text, "%llu", (unsigned long long)row->max + 1);
    REFUSES(row->name, text, "must be");
    if (!row->min)
        return;
    snprintf(text, sizeof text, "%llu", (unsigned long long)row->min - 1);
    REFUSES(row->name, text, "must be");
}

/* Good one by one: with these, what is accepted could never be replicated, or
 * read. */
Test(config, limits_that_contradict_each_other_are_refused) {
    static const struct {
        const char *flags[4];
        const char *says; /* NULL: it is good */
    } cases[] = {
        {{"--replication=sync", "--replication-backlog=4194304"}, "backlog"},
        {{"--replication=sync", "--replication-backlog=5m"}, NULL},
        {{"--replication=sync", "--max-result=16m"}, "backlog"},
        {{"--replicate-from=a:1", "--max-result=16m"}, "backlog"},
        {{"--peer=a:1", "--min-in-sync=3"}, "give --peer 2 times"},
        {{"--peer=a:1", "--replication=none"}, "take async or"},
        {{"--max-result=16m", "--replication-backlog=64k"}, NULL},
        {{"--max-buffers=2m", "--max-result=3m"}, "--max-buffers"},
        {{"--max-buffers=3m", "--max-result=3m"}, NULL},
        {{"--max-memory=2m", "--max-result=3m"}, "--max-memory"},
        {{"--max-memory=3m", "--max-result=3m"}, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *argv[] = {(char *)"idemstored", (char *)cases[i].flags[0],
                        (char *)cases[i].flags[1], NULL};
        bool good = parse_all(3, argv);
        cr_assert_eq(good, cases[i].says == NULL, "case %zu", i);
        if (!good)
            cr_assert(strstr(why, cases[i].says), "it says %s", why);
    }
}

Test(config, a_nodes_name_is_letters_digits_and_three_signs) {
    cr_assert(parse("--node", "db-1.site_a"));
    REFUSES("--node", "db 1", "letters");
    REFUSES("--node", "db\n1", "letters");
    REFUSES("--node",
            "0123456789012345678901234567890123456789012345678901234567890123",
            "63");
}

Test(config, every_number_has_its_limits) {
    size_t count;
    const ids_config_row *rows = ids_config_rows(&count);
    for (size_t i = 0; i < count; i++)
        if (rows[i].kind == IDS_CONFIG_COUNT ||
            rows[i].kind == IDS_CONFIG_BYTES)
            walk_to_the_ends(&rows[i]);
}

Test(config, listens_on_so_many_and_no_more) {
    char *argv[2 * IDS_LISTEN_MAX + 4] = {(char *)"idemstored"};
    int argc = 1;
    for (int i = 0; i < IDS_LISTEN_MAX; i++) {
        argv[argc++] = (char *)"--listen";
        argv[argc++] = (char *)"unix:/x";
    }
    cr_assert(parse_all(argc, argv));
    cr_assert_eq(config.listen_count, IDS_LISTEN_MAX);
    argv[argc++] = (char *)"--listen=unix:/y";
    cr_assert_not(parse_all(argc, argv));
    cr_assert_not_null(strstr(why, "at most"));
}

Test(config, help_names_every_flag_with_its_default) {
    char text[16384];
    size_t len = ids_config_help(text, sizeof text);
    cr_assert_lt(len, sizeof text);
    size_t count;
    const ids_config_row *rows = ids_config_rows(&count);
    for (size_t i = 0; i < count; i++) {
        const char *at = strstr(text, rows[i].name);
        cr_assert_not_null(at, "%s", rows[i].name);
        cr_assert_not_null(strstr(at, rows[i].help));
        if (rows[i].preset)
            cr_assert_not_null(strstr(at, rows[i].preset));
    }
    char little[16];
    cr_assert_eq(ids_config_help(little, sizeof little), len);
}
