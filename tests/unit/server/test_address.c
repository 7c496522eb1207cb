/* SPDX-License-Identifier: Apache-2.0 */
/* test_address.c -- where to listen: the words, and what they are bound to. */
#include "server/net/address.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static ids_address address;
static char why[256];

static bool parse(const char *words) {
    return ids_address_parse(&address, 1, words, why, sizeof why) == 1;
}

Test(address, words_that_are_good) {
    static const struct {
        const char *words;
        bool local;
    } cases[] = {{"127.0.0.1:7117", true}, {"127.9.8.7:1", true},
                 {"0.0.0.0:7117", false},  {"10.1.2.3:65535", false},
                 {"[::1]:7117", true},     {"[::]:7117", false},
                 {"unix:/tmp/x", true},    {"[::ffff:127.0.0.1]:1", true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_assert(parse(cases[i].words), "%s: %s", cases[i].words, why);
        cr_assert_eq(ids_address_is_local(&address), cases[i].local, "%s",
                     cases[i].words);
    }
}

Test(address, words_that_are_bad) {
    static const char *const cases[] = {
        "",           "7117",          ":7117",
        "localhost",  "1.2.3.4:",      "1.2.3.4:x",
        "::1:7117",   "[::1]",         "[::1:7117",
        "1.2.3.4:-1", "unix:",         "unix:relative",
        "[]:7117",    "1.2.3.4:65536", "1.2.3.4:123456789"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        why[0] = '\0';
        cr_assert_not(parse(cases[i]), "%s", cases[i]);
        cr_assert_neq(why[0], '\0');
    }
    char longer[200];
    memset(longer, 'x', sizeof longer);
    memcpy(longer, "unix:/", 6);
    longer[199] = '\0';
    cr_assert_not(parse(longer));
}

Test(address, port_zero_takes_a_free_one) {
    char text[IDS_ADDRESS_TEXT_BYTES];
    cr_assert(parse("127.0.0.1:0"));
    int fd = ids_address_listen(&address, 0600, why, sizeof why);
    cr_assert_geq(fd, 0, "%s", why);
    ids_address_of(fd, text, sizeof text);
    cr_assert_eq(strncmp(text, "127.0.0.1:", 10), 0);
    cr_assert_str_neq(text, "127.0.0.1:0");
    cr_assert(parse(text));
    cr_assert_eq(ids_address_listen(&address, 0600, why, sizeof why), -1);
    cr_assert_not_null(strstr(why, "in use"));
    close(fd);
}

Test(address, a_stale_unix_socket_is_replaced_and_a_live_one_is_not) {
    char words[64];
    snprintf(words, sizeof words, "unix:/tmp/idem-address-%d", (int)getpid());
    cr_assert(parse(words));
    int first = ids_address_listen(&address, 0600, why, sizeof why);
    cr_assert_geq(first, 0, "%s", why);
    cr_assert_eq(ids_address_listen(&address, 0600, why, sizeof why), -1);
    close(first);
    int second = ids_address_listen(&address, 0600, why, sizeof why);
    cr_assert_geq(second, 0, "%s", why);
    char text[IDS_ADDRESS_TEXT_BYTES];
    ids_address_of(second, text, sizeof text);
    cr_assert_str_eq(text, words);
    close(second);
    unlink(words + strlen("unix:"));
}
