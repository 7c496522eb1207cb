/* SPDX-License-Identifier: Apache-2.0 */
/* test_limits.c -- namespaces' sections of a settings file: what they come to,
 * and what they may not be. */
#include "server/admin/limits_maker.h"
#include "server/admin/settings.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char why[IDS_SETTINGS_WHY_BYTES];

static ids_settings *read_text(const char *text) {
    char *const argv[] = {(char *)"idemstored", NULL};
    const ids_given given = {1, argv, NULL};
    ids_complaint complaint;
    ids_settings *settings = ids_settings_from_text(
        &given, "idemstored.conf", text, strlen(text), &complaint);
    snprintf(why, sizeof why, "%s", complaint.why);
    return settings;
}

static ids_ns_limits_table *limits_of(const char *text) {
    ids_settings *settings = read_text(text);
    cr_assert(settings, "%s", why);
    cr_assert(settings->config.namespaces);
    ids_ns_limits_table *limits =
        ids_limits_make(settings->config.namespaces, 4);
    cr_assert(limits);
    ids_settings_free(settings);
    return limits;
}

static void refuses(const char *text, const char *says) {
    cr_assert_null(read_text(text), "it takes %s", text);
    cr_assert_str_eq(why, says);
}

Test(limits, a_section_says_what_a_namespace_may_have) {
    ids_ns_limits_table *limits = limits_of(
        "threads = 4\n"
        "namespace \"shop\" { max_records = 5000000 max_memory = 2g rate = "
        "20000 burst = 40000 max_ttl = 7d max_result = 64k } # all of it\n"
        "log_level = warn\n"
        "namespace \"%2Aall\" {\n  # nothing yet\n  rate = \"10\"\n}\n"
        "  namespace \"\"{max_ttl=500}\n"
        "namespace \"*\" { max_records = 1000\n }\n");
    cr_assert_eq(limits->count, 3);
    cr_assert_eq(limits->named[0].ns_len, 0);
    cr_assert_eq(limits->named[0].limits.ttl_ms_max, 500);
    cr_assert_eq(limits->named[0].limits.records_max, IDS_UNLIMITED);
    cr_assert_eq(memcmp(limits->named[1].ns, "*all", 4), 0);
    cr_assert_eq(limits->named[1].limits.burst, 10);
    const ids_ns_limits *shop = &limits->named[2].limits;
    cr_assert_eq(shop->records_max, 5000000);
    cr_assert_eq(shop->bytes_max, 2ull << 30);
    cr_assert_eq(shop->rate, 20000);
    cr_assert_eq(shop->burst, 40000);
    cr_assert_eq(shop->ttl_ms_max, 7 * 86400000ull);
    cr_assert_eq(shop->result_bytes_max, 65536);
    cr_assert_eq(shop->records_share, 5000000 / 256);
    cr_assert_eq(shop->rate_share, 2000 / 256);
    cr_assert_eq(limits->others.records_max, 1000);
    free(limits);
}

Test(limits, a_file_without_sections_has_none) {
    ids_settings *settings =
        read_text("threads = 2\n# namespace \"shop\" { x }\n");
    cr_assert(settings, "%s", why);
    cr_assert_null(settings->config.namespaces);
    ids_settings_free(settings);
}

Test(limits, what_is_wrong_is_said_with_its_line) {
    refuses("threads = 2\nnamespace \"shop\" { max_record = 5 }\n",
            "idemstored.conf:2: max_record: no such key of a namespace; there "
            "are max_records, max_memory, rate, burst, max_ttl, max_result");
    refuses("namespace \"shop\" {\n rate = 1\n rate = 0\n}\n",
            "idemstored.conf:3: rate 0: must be 1 to 10000000 claims a second");
    refuses("namespace \"shop\" { max_ttl = 367d }\n",
            "idemstored.conf:1: max_ttl 367d: must be ms, 1 to 366d (a suffix "
            "s, m, h or d is good)");
    refuses("namespace \"shop\" { max_memory = 2x }\n",
            "idemstored.conf:1: max_memory 2x: must be bytes, 0 to 1024t (a "
            "suffix k, m, g or t is good)");
    refuses("namespace \"shop\" { rate = 2 }\nnamespace \"shop\" { }\n",
            "idemstored.conf:2: namespace \"shop\" stands twice");
    refuses("namespace \"shop*\" { rate = 2 }\n",
            "idemstored.conf:1: '*' alone is each other namespace; in a name "
            "it is %2A");
    refuses("namespace \"shop\" { rate = 2\n",
            "idemstored.conf:1: the section that begins here has no '}'");
    refuses("namespace \"shop\" { rate }\n",
            "idemstored.conf:1: rate: '=' and a value are missing");
    refuses("namespace \"shop { rate = 2 }\n",
            "idemstored.conf:1: the quote of the name has no end in this line");
    refuses("namespace \"a%2\" { rate = 2 }\n",
            "idemstored.conf:1: '%' in a name stands before two hexadecimal "
            "digits: %2A");
    refuses("namespace { rate = 2 }\n",
            "idemstored.conf:1: the name is missing: namespace \"NAME\" { KEY "
            "= VALUE }");
    refuses("namespace \"shop\" { burst = 2 }\n",
            "idemstored.conf:1: a namespace's burst needs its rate");
    refuses(
        "namespace \"shop\" { rate = 1 burst = 86401 }\n",
        "idemstored.conf:1: a burst of 86401: at most what a rate of 1 comes "
        "to in a day");
}

/* And what is printed is read as the same. */
Test(limits, sections_are_printed_as_lines_of_such_a_file) {
    static char text[65536];
    ids_settings *settings = read_text(
        "namespace \"*\" { rate = 5 burst = 7 }\n\n"
        "namespace \"shop\" {\n max_records = 1000\n max_memory = 2097152 "
        "max_ttl = 90000 max_result = 0 }\n"
        "namespace \"a b%22\" { }\n");
    cr_assert(settings, "%s", why);
    ids_settings_print(settings, text, sizeof text);
    const char *at = strstr(text, "namespace \"");
    cr_assert(at);
    cr_assert_str_eq(
        at, "namespace \"a%20b%22\" { }  # idemstored.conf:6\n"
            "namespace \"shop\" { max_records = 1000 max_memory = 2m max_ttl "
            "= 90s max_result = 0 }  # idemstored.conf:3\n"
            "namespace \"*\" { rate = 5 burst = 7 }  # idemstored.conf:1\n");
    ids_settings *again = read_text(text);
    cr_assert(again, "%s", why);
    cr_assert(
        ids_limits_same(settings->config.namespaces, again->config.namespaces));
    ids_settings_free(again);
    ids_settings_free(settings);
    settings = read_text("threads = 2\n");
    ids_settings_print(settings, text, sizeof text);
    cr_assert(strstr(text, "# namespace \"NAME\" { }  # default: none has "
                           "limits\n"));
    ids_settings_free(settings);
}

/* At the limit and one past it. */
Test(limits, names_and_their_number_have_a_limit) {
    char text[200], name[IDP_NS_BYTES_MAX + 2];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    snprintf(text, sizeof text, "namespace \"%s\" { rate = 1 }\n", name);
    refuses(text, "idemstored.conf:1: a namespace has at most 64 bytes");
    snprintf(text, sizeof text, "namespace \"%s\" { rate = 1 }\n", name + 1);
    free(limits_of(text));
    ids_limits_maker *maker = ids_limits_maker_new();
    for (uint32_t i = 0; i <= IDS_NAMED_LIMITS_MAX; i++) {
        snprintf(name, sizeof name, "n%u", i);
        cr_assert_eq(ids_limits_section(maker, name, 1, why, sizeof why),
                     i < IDS_NAMED_LIMITS_MAX);
    }
    cr_assert_str_eq(why, "more than 1024 namespaces");
    ids_limits_maker_free(maker);
}
