/* SPDX-License-Identifier: Apache-2.0 */
/* Whose word counts for where a request comes from. */
#include "server/net/proxies.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
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
    who.family = strchr(address, ':') ? AF_INET6 : AF_INET;
    cr_assert_eq(inet_pton(who.family, address, who.address), 1);
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
