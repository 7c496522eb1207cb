/* SPDX-License-Identifier: Apache-2.0 */
/* Whose word counts for where a request comes from. */
#include "server/net/proxies.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static ids_proxies proxies;

static bool reads(const char *words) {
    const ids_config_list list = {.all = {words}, .count = 1};
    const char *bad = NULL;
    bool good = ids_proxies_read(&proxies, &list, &bad);
    cr_assert(good || bad == words);
    return good;
}

static ids_who at(const char *address) {
    ids_who who = {.family = AF_UNIX};
    if (strcmp(address, "unix") == 0)
        return who;
    cr_assert(ids_who_read(&who, address));
    return who;
}

/* Where it is said to come from; "": the sender is not believed. */
static const char *source_of(const char *sender, const char *forwarded_for) {
    static char text[INET6_ADDRSTRLEN];
    ids_who who = at(sender), from;
    idp_slice list = {(const uint8_t *)forwarded_for, strlen(forwarded_for)};
    if (!ids_proxies_forwarded(&proxies, &who, list, &from))
        return "";
    cr_assert(inet_ntop(from.family, from.address, text, sizeof text));
    return text;
}

static void says(const char *sender, const char *forwarded_for,
                 const char *said) {
    const char *source = source_of(sender, forwarded_for);
    cr_assert_str_eq(source, said, "%s says %s", sender, forwarded_for);
}

Test(proxies, are_addresses_or_the_beginning_of_some) {
    static const char *const good[] = {
        "10.0.0.0/8", "10.1.2.3", "10.1.2.3/32", "0.0.0.0/0",       "::/0",
        "fd00::/8",   "::1",      "::1/128",     "::ffff:10.0.0.1", "unix"};
    static const char *const bad[] = {
        "",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.1.0.0/8",
        "fd00::1/8",
        "::1/129",
        "example.com",
        "10.0.0",
        "10.0.0.0/8x",
        "unix:",
        "10.0.0.0/-1",
        "10.0.0.0/ 8",
        "/8",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        cr_assert(reads(good[i]), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_not(reads(bad[i]), "%s", bad[i]);
}

Test(proxies, say_the_last_address) {
    cr_assert(reads("10.0.0.0/9"));
    says("10.127.255.255", "203.0.113.7", "203.0.113.7");
    says("10.0.0.0", "6.6.6.6, 203.0.113.7", "203.0.113.7");
    says("10.0.0.0", "6.6.6.6,203.0.113.7 ", "203.0.113.7");
    says("10.0.0.1", "203.0.113.7:4711", "203.0.113.7");
    says("10.0.0.1", "2001:db8::7", "2001:db8::7");
    says("10.0.0.1", "[2001:db8::7]:4711", "2001:db8::7");
    says("10.0.0.1", "::ffff:203.0.113.7", "203.0.113.7");
    says("::ffff:10.0.0.1", "203.0.113.7", "203.0.113.7");
}

Test(proxies, are_believed_nobody_else_is) {
    cr_assert(reads("10.0.0.0/9"));
    says("10.128.0.0", "203.0.113.7", "");
    says("9.255.255.255", "203.0.113.7", "");
    says("::1", "203.0.113.7", "");
    says("unix", "203.0.113.7", "");
    cr_assert(reads("unix"));
    says("unix", "203.0.113.7", "203.0.113.7");
    says("127.0.0.1", "203.0.113.7", "");
    proxies.count = 0;
    says("127.0.0.1", "203.0.113.7", "");
}

Test(proxies, that_name_no_address_say_nothing) {
    static const char *const none[] = {
        "",
        ",",
        "203.0.113.7,",
        "unknown",
        "_hidden",
        "203.0.113",
        "\xff",
        "203.0.113.7;1111111111111111111111111111111111111111111111111111"};
    cr_assert(reads("0.0.0.0/0"));
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        says("10.0.0.1", none[i], "");
}

/* Who comes to a socket, and who is named by a proxy or in a flag. */
static ids_who came(const char *address) {
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    struct sockaddr_in in = {.sin_family = AF_INET};
    ids_who who = {0};
    if (inet_pton(AF_INET, address, &in.sin_addr) == 1)
        ids_who_set(&who, -1, (const struct sockaddr *)&in);
    else if (inet_pton(AF_INET6, address, &in6.sin6_addr) == 1)
        ids_who_set(&who, -1, (const struct sockaddr *)&in6);
    return who;
}

static bool is_one_source(ids_who a, ids_who b) {
    ids_source one = ids_who_source(&a), other = ids_who_source(&b);
    return memcmp(&one, &other, sizeof one) == 0;
}

Test(who, an_address_in_either_form_is_one_source_of_wrong_secrets) {
    static const char v4[] = "203.0.113.7", v6[] = "::ffff:203.0.113.7";
    cr_assert(is_one_source(came(v4), came(v6)));
    cr_assert(is_one_source(came(v4), at(v6)));
    cr_assert(is_one_source(came(v6), at(v4)));
    cr_assert_not(is_one_source(came(v4), came("::ffff:203.0.113.8")));
    cr_assert_not(is_one_source(came(v4), came("::203.0.113.7")));
    cr_assert_not(is_one_source(came(v4), came("cb00:7107::")));
    cr_assert(is_one_source(came("2001:db8::1"), came("2001:db8::2")));
    cr_assert(is_one_source(at("unix"), at("unix")));
}

Test(who, is_this_machine) {
    static const char *const near[] = {"127.0.0.1", "127.9.8.7", "::1",
                                       "::ffff:127.0.0.1", "unix"};
    static const char *const far[] = {
        "128.0.0.1", "::", "::2", "10.0.0.1", "::ffff:10.0.0.1", "7f00::"};
    ids_who nobody = {0};
    for (size_t i = 0; i < sizeof near / sizeof *near; i++) {
        ids_who who = at(near[i]);
        cr_assert(ids_who_is_local(&who), "%s", near[i]);
    }
    for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
        ids_who who = at(far[i]);
        cr_assert_not(ids_who_is_local(&who), "%s", far[i]);
    }
    cr_assert_not(ids_who_is_local(&nobody));
    cr_assert_not(ids_who_read(&nobody, "localhost"));
    cr_assert_eq(nobody.family, 0);
}
