/* SPDX-License-Identifier: Apache-2.0 */
/* test_log_text.c -- a log line as text: every byte can be printed, JSON is
 * whole, and what has no room is cut. */
#include "server/base/log_text.h"

#include <criterion/criterion.h>
#include <string.h>

static char line[512];
static const ids_log_head head = {"T", "info", "it \"is\""};

static const char *write_line(bool json, size_t cap, const char *fields) {
    ids_log_text text = {.to = line, .cap = cap};
    memset(line, '?', sizeof line);
    if (json)
        ids_log_put_json(&text, &head, fields);
    else
        ids_log_put_logfmt(&text, &head, fields);
    cr_assert_leq(text.len, cap);
    for (size_t i = cap; i < sizeof line; i++)
        cr_assert_eq(line[i], '?', "past its room");
    line[text.len] = 0;
    return line;
}

#define JSON_HEAD "{\"ts\":\"T\",\"level\":\"info\",\"msg\":\"it \\\"is\\\"\""

static void is_json(const char *fields, const char *rest) {
    const char *got = write_line(true, 400, fields);
    cr_assert_eq(strncmp(got, JSON_HEAD, strlen(JSON_HEAD)), 0, "%s", got);
    cr_assert_str_eq(got + strlen(JSON_HEAD), rest);
}

Test(log_text, logfmt_has_no_byte_that_can_t_be_printed) {
    cr_assert_str_eq(write_line(false, 400, ""),
                     "ts=T level=info msg=\"it \"is\"\"");
    cr_assert_str_eq(
        write_line(false, 400, "a=1 b=\"x\ny\x1b[0m\x7f\xc3\xa4\""),
        "ts=T level=info msg=\"it \"is\"\" a=1 "
        "b=\"x\\x0ay\\x1b[0m\\x7f\\xc3\\xa4\"");
}

Test(log_text, fields_become_members) {
    is_json("", "}");
    is_json("a=1 b=-20 c=x d=\"y z\"",
            ",\"a\":1,\"b\":-20,\"c\":\"x\",\"d\":\"y z\"}");
    is_json("a=", ",\"a\":\"\"}");
    is_json("a=\"\" b=\"\"", ",\"a\":\"\",\"b\":\"\"}");
    is_json("from=[::1]:5 at=\"--listen x\"",
            ",\"from\":\"[::1]:5\",\"at\":\"--listen x\"}");
    is_json("words without a key", ",\"text\":\"words without a key\"}");
}

/* 007 and 1e5 are no numbers as written; nor is what JSON's readers round. */
Test(log_text, only_what_is_a_number_for_everybody_is_one) {
    is_json("a=007 b=0 c=-0 d=1e5 e=- f=1.5",
            ",\"a\":\"007\",\"b\":0,\"c\":-0,\"d\":\"1e5\",\"e\":\"-\","
            "\"f\":\"1.5\"}");
    is_json("a=123456789012345 b=1234567890123456",
            ",\"a\":123456789012345,\"b\":\"1234567890123456\"}");
    is_json("a=\"5\"", ",\"a\":\"5\"}");
}

Test(log_text, a_value_may_have_quotes_of_its_own) {
    is_json("reason=\"/a \"b\" c\" n=1",
            ",\"reason\":\"/a \\\"b\\\" c\",\"n\":1}");
    is_json("reason=\"no end", ",\"reason\":\"no end\"}");
    is_json("a=\"back\\slash\x01\"", ",\"a\":\"back\\\\slash\\\\x01\"}");
}

/* With any room it ends as JSON does, and never in half an escape. */
Test(log_text, a_cut_line_is_whole_json) {
    static const char fields[] =
        "a=\"\x01\x02\x03\x04\" number=12345 c=\"\"\"\" d=x";
    for (size_t cap = 64; cap < 140; cap++) {
        const char *got = write_line(true, cap, fields);
        size_t len = strlen(got), quotes = 0;
        cr_assert_eq(got[len - 1], '}', "%s", got);
        for (size_t i = 0; i < len; i++) {
            if (got[i] == '\\')
                i++;
            else
                quotes += got[i] == '"';
        }
        cr_assert_eq(quotes % 2, 0, "%s", got);
        cr_assert_not(strstr(got, "\"number\":1}"), "half a number: %s", got);
        cr_assert_not(strstr(got, "\\\\x0\""), "half an escape: %s", got);
    }
    for (size_t cap = 20; cap < 120; cap++)
        write_line(false, cap, fields);
}
