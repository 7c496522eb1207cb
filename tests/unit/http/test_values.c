/* SPDX-License-Identifier: Apache-2.0 */
/* test_values.c -- bytes in three spellings, and durations. */
#include "server/http/values.h"

#include "tests/unit/http/texts.h"

#include <criterion/criterion.h>

static idp_bytes room;

static void begin(void) {
    cr_assert(idp_bytes_reserve(&room, 4096));
}

static void end(void) {
    idp_bytes_free(&room);
}

TestSuite(values, .init = begin, .fini = end);

typedef bool reader(idp_slice text, idp_bytes *to, idp_slice *bytes);

static bool reads(reader *read, const char *text, idp_slice wanted) {
    idp_slice got = {0};
    return read(slice_of(text), &room, &got) && same(got, wanted) && got.ptr;
}

static bool refuses(reader *read, const char *text) {
    idp_slice got;
    return !read(slice_of(text), &room, &got);
}

Test(values, hexadecimal) {
    cr_assert(reads(ids_read_hex, "", SLICE("")));
    cr_assert(reads(ids_read_hex, "00fFA0", SLICE("\x00\xff\xa0")));
    cr_assert(refuses(ids_read_hex, "0"));
    cr_assert(refuses(ids_read_hex, "0g"));
    cr_assert(refuses(ids_read_hex, "0x00"));
}

Test(values, base64_of_either_alphabet) {
    cr_assert(reads(ids_read_base64, "", SLICE("")));
    cr_assert(reads(ids_read_base64, "YQ==", SLICE("a")));
    cr_assert(reads(ids_read_base64, "YQ", SLICE("a")));
    cr_assert(reads(ids_read_base64, "YWI=", SLICE("ab")));
    cr_assert(reads(ids_read_base64, "YWJj", SLICE("abc")));
    cr_assert(reads(ids_read_base64, "+/-_", SLICE("\xfb\xff\xbf")));
    cr_assert(reads(ids_read_base64, "AAD/", SLICE("\0\0\xff")));
    cr_assert(refuses(ids_read_base64, "Y"));
    cr_assert(refuses(ids_read_base64, "YR=="));
    cr_assert(refuses(ids_read_base64, "YQ="));
    cr_assert(refuses(ids_read_base64, "YQ==="));
    cr_assert(refuses(ids_read_base64, "===="));
    cr_assert(refuses(ids_read_base64, "Y Q="));
    cr_assert(refuses(ids_read_base64, "YQ=Q"));
}

Test(values, a_part_of_a_query) {
    cr_assert(reads(ids_read_query_part, "", SLICE("")));
    cr_assert(
        reads(ids_read_query_part, "a%20b%2Bc%00%ff", SLICE("a b+c\0\xff")));
    cr_assert(refuses(ids_read_query_part, "a+b"));
    cr_assert(refuses(ids_read_query_part, "%"));
    cr_assert(refuses(ids_read_query_part, "%2"));
    cr_assert(refuses(ids_read_query_part, "%2g"));
}

static uint64_t ms_of(const char *text) {
    uint64_t ms = 0;
    return ids_read_duration(slice_of(text), &ms) ? ms : UINT64_MAX;
}

Test(values, durations_have_a_unit) {
    cr_assert_eq(ms_of("0s"), 0);
    cr_assert_eq(ms_of("250ms"), 250);
    cr_assert_eq(ms_of("30s"), 30000);
    cr_assert_eq(ms_of("5m"), 300000);
    cr_assert_eq(ms_of("24h"), 86400000);
    cr_assert_eq(ms_of("366d"), 31622400000);
    const char *const bad[] = {"",
                               "30",
                               "s",
                               "1.5s",
                               "-1s",
                               "+1s",
                               "1 s",
                               "30S",
                               "1h30m",
                               "1w",
                               "0x1s",
                               "99999999999999999999s",
                               "9007199254740991s"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq(ms_of(bad[i]), UINT64_MAX, "%s", bad[i]);
}
