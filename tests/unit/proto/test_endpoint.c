/* SPDX-License-Identifier: Apache-2.0 */
/* test_endpoint.c -- HOST:PORT, in all its ways to be wrong. */
#include "proto/endpoint.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static idp_endpoint at;

static idp_endpoint_fault reads(const char *text) {
    return idp_endpoint_read(text, strlen(text), &at);
}

/* As host|port|number. */
static const char *apart(const char *text) {
    static char told[600];
    cr_assert_eq(reads(text), IDP_ENDPOINT_SOUND, "%s", text);
    snprintf(told, sizeof told, "%.*s|%.*s|%u", (int)at.host.len,
             (const char *)at.host.ptr, (int)at.port.len,
             at.port.ptr ? (const char *)at.port.ptr : "", at.number);
    return told;
}

Test(endpoint, comes_apart) {
    cr_assert_str_eq(apart("db-1.example:7117"), "db-1.example|7117|7117");
    cr_assert_not(at.bracketed);
    cr_assert_str_eq(apart("10.0.0.1:1"), "10.0.0.1|1|1");
    cr_assert_str_eq(apart("[fe80::1%eth0]:65535"), "fe80::1%eth0|65535|65535");
    cr_assert(at.bracketed);
    cr_assert_str_eq(apart("a:0"), "a|0|0");
    cr_assert_str_eq(apart("a:007"), "a|007|7");
}

Test(endpoint, host_or_port_may_be_missing) {
    cr_assert_str_eq(apart("db-1"), "db-1||0");
    cr_assert_null(at.port.ptr);
    cr_assert_str_eq(apart("[::1]"), "::1||0");
    cr_assert_null(at.port.ptr);
    cr_assert_str_eq(apart(":7117"), "|7117|7117");
    cr_assert_str_eq(apart(""), "||0");
}

Test(endpoint, each_fault_has_its_name) {
    cr_assert_eq(reads("[::1"), IDP_ENDPOINT_BRACKETS);
    cr_assert_eq(reads("["), IDP_ENDPOINT_BRACKETS);
    cr_assert_eq(reads("[]:7"), IDP_ENDPOINT_BRACKETS);
    cr_assert_eq(reads("[::1]7"), IDP_ENDPOINT_BRACKETS);
    cr_assert_eq(reads("a b:7"), IDP_ENDPOINT_HIDDEN);
    cr_assert_eq(reads("a:7\n"), IDP_ENDPOINT_HIDDEN);
    cr_assert_eq(reads("\x7f:7"), IDP_ENDPOINT_HIDDEN);
    cr_assert_eq(idp_endpoint_read("a\0b:7", 5, &at), IDP_ENDPOINT_HIDDEN);
    cr_assert_eq(reads("a]b:7"), IDP_ENDPOINT_HOST);
    cr_assert_eq(reads("[a[b]:7"), IDP_ENDPOINT_HOST);
    cr_assert_eq(reads("h\xc3\xb6st:7"), IDP_ENDPOINT_HOST);
    cr_assert_eq(reads("a:"), IDP_ENDPOINT_PORT);
    cr_assert_eq(reads("a:65536"), IDP_ENDPOINT_PORT);
    cr_assert_eq(reads("a:00000000001"), IDP_ENDPOINT_PORT);
    cr_assert_eq(reads("a:-1"), IDP_ENDPOINT_PORT);
    cr_assert_eq(reads("a:71x7"), IDP_ENDPOINT_PORT);
    cr_assert_eq(reads("fe80::1:7117"), IDP_ENDPOINT_PORT, "wants brackets");
}

/* Nothing behind the text is looked at. */
Test(endpoint, it_ends_where_it_is_said_to) {
    cr_assert_eq(idp_endpoint_read("a:71179", 6, &at), IDP_ENDPOINT_SOUND);
    cr_assert_eq(at.number, 7117);
    cr_assert_eq(idp_endpoint_read("a:7", 1, &at), IDP_ENDPOINT_SOUND);
    cr_assert_null(at.port.ptr);
}

Test(endpoint, a_host_fits_or_is_not_copied) {
    char host[5];
    cr_assert_eq(reads("abcd:1"), IDP_ENDPOINT_SOUND);
    cr_assert(idp_endpoint_host_copy(&at, host, sizeof host));
    cr_assert_str_eq(host, "abcd");
    cr_assert_not(idp_endpoint_host_copy(&at, host, 4));
    cr_assert_eq(reads(":1"), IDP_ENDPOINT_SOUND);
    cr_assert_not(idp_endpoint_host_copy(&at, host, sizeof host));
}
