/* SPDX-License-Identifier: Apache-2.0 */
/* test_json.c -- the extent of a value, members, numbers, and writing. */
#include "server/http/json.h"

#include "tests/unit/http/texts.h"

#include <criterion/criterion.h>
#include <stdlib.h>

Test(json, knows_what_is_one_text) {
    const char *const good[] = {"null",
                                "true",
                                "false",
                                "0",
                                "-0",
                                "1e400",
                                "-1.5E-7",
                                "\"\"",
                                "18446744073709551616",
                                "[]",
                                "{}",
                                "[1,[2,{\"a\":[]}],\"]\"]",
                                " \t\r\n[ 1 , 2 ] ",
                                "{\"a\" : {\"a\":1} , \"\\u0061\":\"\\ud800\"}",
                                "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\"",
                                "\"\xc3\xa4\xf0\x9f\x98\x80\""};
    const char *const bad[] = {"",
                               " ",
                               "nul",
                               "nullx",
                               "01",
                               "-",
                               "1.",
                               ".5",
                               "1e",
                               "+1",
                               "0x1",
                               "\"",
                               "\"a",
                               "\"\t\"",
                               "\"\\x\"",
                               "\"\\u12g4\"",
                               "[",
                               "[1,]",
                               "[,]",
                               "[1 2]",
                               "{",
                               "{\"a\"}",
                               "{\"a\":}",
                               "{a:1}",
                               "{\"a\":1,}",
                               "[1}",
                               "{\"a\":1]",
                               "1 2",
                               "'a'",
                               "NaN",
                               "[1]]",
                               "\"\xc3\"",
                               "\"\xc0\x80\"",
                               "\"\xed\xa0\x80\"",
                               "\"\xf4\x90\x80\x80\"",
                               "\xef\xbb\xbf 1"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        cr_assert(ids_json_is_text(slice_of(good[i])), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_not(ids_json_is_text(slice_of(bad[i])), "%s", bad[i]);
    cr_assert_not(ids_json_is_text(SLICE("\"a\0b\"")));
}

static char *nested(size_t depth) {
    char *text = malloc(2 * depth + 1);
    for (size_t i = 0; i < depth; i++) {
        text[i] = '[';
        text[depth + i] = ']';
    }
    text[2 * depth] = '\0';
    return text;
}

Test(json, is_nested_as_deep_as_there_are_bits) {
    char *at = nested(IDS_JSON_DEPTH_MAX);
    char *over = nested(IDS_JSON_DEPTH_MAX + 1);
    cr_assert(ids_json_is_text(slice_of(at)));
    cr_assert_not(ids_json_is_text(slice_of(over)));
    free(at);
    free(over);
}

static const char *read_object(const char *text, ids_json_object *object) {
    return ids_json_object_read(slice_of(text), "result", object);
}

Test(json, an_object_has_members_as_they_were_sent) {
    ids_json_object o;
    cr_assert_null(read_object(" {\"a\": \"x\" ,\"result\":[[[[[[[[[ 1e400, -0 "
                               "]]]]]]]]],\"n\" :12 } ",
                               &o));
    cr_assert_eq(o.count, 3);
    cr_assert(same(ids_json_find(&o, "result")->value,
                   SLICE("[[[[[[[[[ 1e400, -0 ]]]]]]]]]")));
    cr_assert(same(ids_json_find(&o, "n")->value, SLICE("12")));
    cr_assert_null(ids_json_find(&o, "b"));
    cr_assert_null(read_object("{}", &o));
    cr_assert_eq(o.count, 0);
}

Test(json, an_object_is_refused) {
    ids_json_object o;
    const char *const bad[] = {"",
                               "[]",
                               "1",
                               "{",
                               "{\"a\"",
                               "{\"a\":",
                               "{\"a\":1",
                               "{\"a\":1,",
                               "{\"a\":1,}",
                               "{,}",
                               "{\"a\":1}x",
                               "{\"a\":1}{}",
                               "{\"a\":1 \"b\":2}",
                               "{\"a\":1,\"a\":2}",
                               "{\"result\":1,\"b\":2,\"result\":3}",
                               "{\"\\u0061\":1}",
                               "{\"a\":[[[[[[[[[1]]]]]]]]]}",
                               "{\"a\":nul}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert(read_object(bad[i], &o), "%s", bad[i]);
    cr_assert_null(read_object("{\"a\":[[[[[[[[1]]]]]]]]}", &o));
}

static bool number_of(const char *text, uint64_t *number) {
    const ids_json_member member = {.value = slice_of(text)};
    return ids_json_number(&member, number);
}

Test(json, numbers_are_whole_and_exact) {
    uint64_t number = 7;
    cr_assert(number_of("0", &number) && number == 0);
    cr_assert(number_of("9007199254740991", &number) &&
              number == 9007199254740991);
    const char *const bad[] = {"9007199254740992",
                               "9007199254740993",
                               "18446744073709551616",
                               "1e400",
                               "1e3",
                               "1.0",
                               "-1",
                               "\"1\"",
                               "true",
                               "null",
                               "[1]"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_not(number_of(bad[i], &number), "%s", bad[i]);
}

static bool string_is(const char *text, idp_slice wanted) {
    const ids_json_member member = {.value = slice_of(text)};
    idp_bytes room = {0};
    idp_slice got;
    cr_assert(idp_bytes_reserve(&room, strlen(text) + 1));
    bool is = ids_json_string(&member, &room, &got) && same(got, wanted);
    idp_bytes_free(&room);
    return is;
}

Test(json, strings_lose_their_escapes) {
    cr_assert(string_is("\"\"", SLICE("")));
    cr_assert(string_is("\"a\\u0000b\\n\\\"\"", SLICE("a\0b\n\"")));
    cr_assert(string_is("\"\\ud83d\\ude00\"", SLICE("\xf0\x9f\x98\x80")));
    cr_assert_not(string_is("\"\\ud800\"", SLICE("")));
    cr_assert_not(string_is("1", SLICE("1")));
    cr_assert_not(string_is("null", SLICE("")));
}

Test(json, writes_what_it_reads) {
    idp_bytes to = {0}, room = {0};
    ids_json_out out = {.to = &to};
    idp_slice got;
    idp_slice text = SLICE("a\"\\\n\t\0\x7f<b>\xc3\xa4\x1b");
    ids_json_put_string(&out, text);
    cr_assert_not(out.failed);
    cr_assert(ids_json_is_text((idp_slice){to.ptr, to.len}));
    cr_assert_null(memchr(to.ptr, '<', to.len));
    const ids_json_member member = {.value = {to.ptr, to.len}};
    cr_assert(idp_bytes_reserve(&room, to.len));
    cr_assert(ids_json_string(&member, &room, &got) && same(got, text));
    to.len = 0;
    ids_json_put_base64(&out, SLICE("\0\xff"
                                    "ab"));
    cr_assert(same((idp_slice){to.ptr, to.len}, SLICE("\"AP9hYg==\"")));
    idp_bytes_free(&to);
    idp_bytes_free(&room);
}
