/* SPDX-License-Identifier: Apache-2.0 */
/* test_endpoint.c -- what an end may say of where it is. */
#include "server/peer/endpoint.h"

#include <criterion/criterion.h>
#include <string.h>

static bool reads(const char *text) {
    ids_endpoint at;
    bool sound = ids_endpoint_from(&at, text, strlen(text));
    cr_assert_eq(strcmp(at.text, sound ? text : ""), 0);
    return sound;
}

Test(endpoint, a_host_and_a_port) {
    cr_assert(reads("db-1.example:7117"));
    cr_assert(reads("10.0.0.1:1"));
    cr_assert(reads("[fe80::1%eth0]:65535"));
    cr_assert(reads(":7117"), "the host is seen by the other end");
    cr_assert(reads(""), "not known");
}

Test(endpoint, nonsense_is_refused) {
    cr_assert_not(reads("db-1"));
    cr_assert_not(reads("db-1:"));
    cr_assert_not(reads("db-1:0"));
    cr_assert_not(reads("db-1:07117"));
    cr_assert_not(reads("db-1:65536"));
    cr_assert_not(reads("db-1:123456"));
    cr_assert_not(reads("db-1:71x7"));
    cr_assert_not(reads("db 1:7117"));
    cr_assert_not(reads("db\n1:7117"));
    cr_assert_not(reads("fe80::1:7117"), "it wants brackets");
    cr_assert_not(reads("[]:7117"));
    cr_assert_not(reads("[fe80::1:7117"));
    cr_assert_not(reads("a]b:7117"));
    ids_endpoint at;
    cr_assert_not(ids_endpoint_from(&at, "a\0b:7117", 8));
}

Test(endpoint, it_is_bounded) {
    char text[IDS_ENDPOINT_BYTES + 1];
    ids_endpoint at;
    memset(text, 'a', sizeof text);
    memcpy(text + IDS_ENDPOINT_BYTES - 6, ":7117", 5);
    cr_assert(ids_endpoint_from(&at, text, IDS_ENDPOINT_BYTES - 1));
    memcpy(text + IDS_ENDPOINT_BYTES - 5, ":7117", 5);
    cr_assert_not(ids_endpoint_from(&at, text, IDS_ENDPOINT_BYTES));
}

Test(endpoint, it_comes_apart) {
    char host[IDS_ENDPOINT_BYTES];
    const char *port;
    cr_assert(ids_endpoint_split("db-1.example:7117", host, &port));
    cr_assert_str_eq(host, "db-1.example");
    cr_assert_str_eq(port, "7117");
    cr_assert(ids_endpoint_split("[fe80::1%eth0]:0", host, &port));
    cr_assert_str_eq(host, "fe80::1%eth0");
    cr_assert_str_eq(port, "0", "judging it is the caller's");
    cr_assert_not(ids_endpoint_split(":7117", host, &port), "no host");
    cr_assert_not(ids_endpoint_split("db-1:", host, &port), "no port");
    cr_assert_not(ids_endpoint_split("db-1", host, &port));
    cr_assert_not(ids_endpoint_split("", host, &port));
    cr_assert_not(ids_endpoint_split("fe80::1:7117", host, &port));
    cr_assert_not(ids_endpoint_split("[]:7117", host, &port));
}

Test(endpoint, a_host_that_is_not_named_is_the_one_that_is_seen) {
    ids_endpoint said, at;
    ids_endpoint_from(&said, ":7117", 5);
    ids_endpoint_complete(&at, &said, "10.0.0.1");
    cr_assert_str_eq(at.text, "10.0.0.1:7117");
    ids_endpoint_complete(&at, &said, "fe80::1");
    cr_assert_str_eq(at.text, "[fe80::1]:7117");
    ids_endpoint_complete(&at, &said, "");
    cr_assert_not(ids_endpoint_is_set(&at));
    ids_endpoint_from(&said, "b:7117", 6);
    ids_endpoint_complete(&at, &said, "10.0.0.1");
    cr_assert_str_eq(at.text, "b:7117");
}
