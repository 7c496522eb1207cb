/* SPDX-License-Identifier: Apache-2.0 */
/* test_frame.c -- where a frame ends: partial input, the frame's own limits,
 * results that are over theirs, and what is not our protocol. */
#include "proto/request.h"
#include "tests/unit/proto/notation.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { RESULT_MAX = 100 };

static const idp_read_limits limits = {.result_bytes_max = RESULT_MAX};

typedef struct seen {
    idp_read is;
    idp_request request;
    idp_read_fault fault;
    size_t frame_bytes;
} seen;

/* The bytes lie in a block of exactly their size: a sanitizer sees a read
 * past them. */
static seen look(const uint8_t *bytes, size_t len) {
    seen s = {0};
    uint8_t *block = malloc(len ? len : 1);
    memcpy(block, bytes, len);
    s.is = idp_request_read(block, len, &limits, &s.request, &s.frame_bytes,
                            &s.fault);
    free(block);
    return s;
}

static seen look_at(const char *text) {
    uint8_t bytes[8192];
    return look(bytes, notation(text, bytes, sizeof bytes));
}

static const char *const frames[] = {
    "[4 i0 i7 'acquire' [7 'n' 'k' S40 'o' i300 i86400000 {1 'wait_ms' i9",
    "[4 i0 i70000 'complete' [6 'n' S40 T B100 i5 {1 'class' 'error'",
    "[4 i0 i300 'release' [4 'n' 'key' T {1 'unbind' xc3",
    "[4 i0 i1 'renew' [4 'n' 'key' T f5",
    "[4 i0 i1 'peek' [2 B64 S512",
    "[4 i0 i1 'hello' [1 {2 'client' 'c' 'shard' i3",
    "[4 i0 i1 'ping' [0",
    "xdc0004 xd000 xcf0000000000000001 xd90470696e67 xdd00000000",
};

Test(frame, cut_anywhere_is_partial) {
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        uint8_t bytes[4096];
        size_t len = notation(frames[i], bytes, sizeof bytes);
        size_t need_before = 0;
        for (size_t cut = 0; cut < len; cut++) {
            seen s = look(bytes, cut);
            cr_assert_eq(s.is, IDP_READ_PARTIAL, "%s cut at %zu", frames[i],
                         cut);
            cr_assert_gt(s.fault.need_bytes, cut);
            cr_assert_leq(s.fault.need_bytes, len);
            cr_assert_geq(s.fault.need_bytes, need_before);
            need_before = s.fault.need_bytes;
        }
        seen s = look(bytes, len);
        cr_assert_eq(s.is, IDP_READ_WHOLE, "%s", frames[i]);
        cr_assert_eq(s.frame_bytes, len);
    }
}

Test(frame, takes_the_first_of_several) {
    seen s = look_at("[4 i0 i1 'ping' [0 [4 i0 i2 'peek' [2 '' 'k' [4 i0");
    cr_assert_eq(s.is, IDP_READ_WHOLE);
    cr_assert_eq(s.request.method, IDP_PING);
    cr_assert_eq(s.frame_bytes, 9);
}

Test(frame, a_refused_one_is_read_to_its_end) {
    seen s = look_at("[4 i0 i1 'lock' [2 {1 'a' [1 - 'b' [4 i0");
    cr_assert_eq(s.is, IDP_READ_REFUSED);
    cr_assert_eq(s.frame_bytes, 16);
}

static const struct {
    const char *text;
    bool has_msgid;
} broken[] = {
    {"x47455420", false}, /* GET */
    {"x2a310d0a", false}, /* a Redis array */
    {"x7b22", false},     /* JSON */
    {"x1603", false},     /* TLS */
    {"xc1", false},
    {"-", false},
    {"'text'", false},
    {"[0", false},
    {"[3 i2 'note' [0", false}, /* a notification */
    {"[5 i0 i1 'ping' [0 -", false},
    {"[4 i1 i1 - -", false}, /* a response */
    {"[4 xff i1 'ping' [0", false},
    {"[4 f0.5 i1 'ping' [0", false},
    {"[4 - i1 'ping' [0", false},
    {"[4 i0 xff 'ping' [0", false},
    {"[4 i0 i4294967296 'ping' [0", false},
    {"[4 i0 '1' 'ping' [0", false},
    {"[4 i0 f1.5 'ping' [0", false},
    {"{4 i0 i7 'ping' [0 i1 i1 i1 i1", false},
    {"[4 i0 i7 i1 [0", true},
    {"[4 i0 i7 - [0", true},
    {"[4 i0 i7 'ping' -", true},
    {"[4 i0 i7 'ping' {0", true},
    {"[4 i0 i7 'ping' 'x'", true},
    {"[4 i0 i7 'ping' [1 xc1", true},
    {"[4 i0 i7 'ping' [1 xc70101", true},
    {"[4 i0 i7 'ping' [1 xd40101", true},
    {"[4 i0 i7 'ping' [65", true},
    {"[4 i0 i7 'ping' [1 {65", true},
    {"[4 i0 i7 'ping' xdcffff", true},
    {"[4 i0 i7 'ping' xdd0fffffff", true},
    {"[4 i0 i7 'ping' [1 xdf0fffffff", true},
    {"xdd0fffffff", false},
};

Test(frame, what_is_not_the_protocol_is_broken) {
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        seen s = look_at(broken[i].text);
        cr_expect_eq(s.is, IDP_READ_BROKEN, "%s: %d", broken[i].text, s.is);
        cr_expect_eq(s.fault.error, IDP_E_PROTOCOL, "%s", broken[i].text);
        cr_expect_eq(s.fault.has_msgid, broken[i].has_msgid, "%s",
                     broken[i].text);
        cr_expect(!s.fault.has_msgid || s.fault.msgid == 7);
        cr_expect_not_null(s.fault.text);
    }
}

Test(frame, the_largest_msgid_is_a_msgid) {
    seen s = look_at("[4 i0 i4294967295 'ping' [0");
    cr_assert_eq(s.is, IDP_READ_WHOLE);
    cr_assert_eq(s.request.msgid, UINT32_MAX);
    s = look_at("[4 i0 f4294967295 'ping' [0");
    cr_assert_eq(s.is, IDP_READ_WHOLE);
}

/* How deep: the frame's array is 1, params 2, so 6 more may open. */
Test(frame, containers_nest_eight_deep_and_hold_64) {
    seen s = look_at("[4 i0 i7 'ping' [1 [1 [1 [1 [1 [1 [0");
    cr_assert_eq(s.is, IDP_READ_REFUSED);
    s = look_at("[4 i0 i7 'ping' [1 [1 [1 [1 [1 [1 {1 - -");
    cr_assert_eq(s.is, IDP_READ_REFUSED);
    s = look_at("[4 i0 i7 'ping' [1 [1 [1 [1 [1 [1 [1 [0");
    cr_assert_eq(s.is, IDP_READ_BROKEN);
    cr_assert_str_eq(s.fault.text, "containers are nested over 8 deep");

    uint8_t bytes[256];
    size_t len = notation("[4 i0 i7 'ping' [64", bytes, sizeof bytes);
    memset(bytes + len, 0xc0, 64);
    cr_assert_eq(look(bytes, len + 64).is, IDP_READ_REFUSED);
    cr_assert_eq(look(bytes, len + 63).is, IDP_READ_PARTIAL);
    len = notation("[4 i0 i7 'ping' [1 {64", bytes, sizeof bytes);
    memset(bytes + len, 0xc0, 128);
    cr_assert_eq(look(bytes, len + 128).is, IDP_READ_REFUSED);
}

/* 5 values in front, then arrays of 64 nils: 31 of them and 28 nils more
 * make 2048. */
Test(frame, has_at_most_2048_values) {
    uint8_t bytes[4096];
    for (unsigned past = 0; past < 2; past++) {
        size_t len = notation("[4 i0 i7 'ping' [32", bytes, sizeof bytes);
        size_t values = 5;
        for (int i = 0; i < 31; i++) {
            memcpy(bytes + len, "\xdc\x00\x40", 3);
            memset(bytes + len + 3, 0xc0, 64);
            len += 67;
            values += 65;
        }
        size_t rest = 2048 - values - 1 + past;
        cr_assert_lt(rest, 65);
        bytes[len++] = 0xdc;
        bytes[len++] = 0;
        bytes[len++] = (uint8_t)rest;
        memset(bytes + len, 0xc0, rest);
        idp_read_limits wide = {.result_bytes_max = 1 << 20};
        seen s;
        s.is = idp_request_read(bytes, len + rest, &wide, &s.request,
                                &s.frame_bytes, &s.fault);
        cr_assert_eq(s.is, past ? IDP_READ_BROKEN : IDP_READ_REFUSED,
                     "%zu values", 2048 + (size_t)past);
    }
}

static size_t put_run(uint8_t *at, const char *head, char filler, size_t len) {
    size_t bytes = notation(head, at, 512);
    memset(at + bytes, filler, len);
    return bytes + len;
}

/* The longest forms of everything, of a resolve: the frame's limit is exactly
 * theirs. */
Test(frame, its_limit_is_the_largest_legal_request) {
    static const char head[] = "xdd00000004 xcf0000000000000000 "
                               "xcf0000000000000007 ";
    uint8_t bytes[4096];
    size_t at = notation(head, bytes, sizeof bytes);
    at += notation("xdb000000077265736f6c7665 xdd00000005", bytes + at, 512);
    at += put_run(bytes + at, "xdb00000040", 'n', 64);
    at += put_run(bytes + at, "xdb00000200", 'k', 512);
    at += put_run(bytes + at, "xc600000010", 't', 16);
    at += notation("xdb00000008636f6d706c657465 xdf00000006", bytes + at, 512);
    at += put_run(bytes + at, "xdb00000006726561736f6e xdb00000100", 'w', 256);
    at += put_run(bytes + at, "xdb000000056e6f6e6365 xc600000020", 'o', 32);
    at += put_run(bytes + at, "xdb00000006726573756c74 xc600000064", 'r',
                  RESULT_MAX);
    at += notation("xdb00000005636c617373 xdb0000000773756363657373 "
                   "xdb0000000674746c5f6d73 xcf0000000000000005 "
                   "xdb00000005666f726365 xc3",
                   bytes + at, 512);
    seen s = look(bytes, at);
    cr_assert_eq(s.is, IDP_READ_WHOLE);
    size_t fixed = idp_request_bytes_max(1 << 20) - (1 << 20);
    cr_assert_eq(at, fixed + RESULT_MAX);
    cr_assert_eq(idp_request_bytes_max(0), fixed);
    cr_assert_geq(fixed, 803); /* acquire's */
}

Test(frame, over_its_limit_is_too_large_as_soon_as_announced) {
    size_t max = idp_request_bytes_max(RESULT_MAX);
    uint8_t bytes[4096];
    /* [4 i0 i7 'ping' [1, a str 16: 12 bytes in front of its payload. */
    size_t len = notation("[4 i0 i7 'ping' [1", bytes, sizeof bytes);
    for (size_t past = 0; past < 2; past++) {
        size_t payload = max - len - 3 + past;
        bytes[len] = 0xda;
        bytes[len + 1] = (uint8_t)(payload >> 8);
        bytes[len + 2] = (uint8_t)payload;
        memset(bytes + len + 3, 'x', payload);
        seen announced = look(bytes, len + 3);
        seen whole = look(bytes, len + 3 + payload);
        cr_assert_eq(announced.is, past ? IDP_READ_BROKEN : IDP_READ_PARTIAL);
        cr_assert_eq(whole.is, past ? IDP_READ_BROKEN : IDP_READ_REFUSED);
        if (past) {
            cr_assert_eq(announced.fault.error, IDP_E_TOO_LARGE);
            cr_assert(announced.fault.has_msgid);
            cr_assert_eq(announced.fault.msgid, 7);
        }
    }
    seen s = look_at("[4 i0 i7 xdbffffffff");
    cr_assert_eq(s.is, IDP_READ_BROKEN);
    cr_assert_eq(s.fault.error, IDP_E_TOO_LARGE);
    s = look_at("[4 i0 xdbffffffff");
    cr_assert_eq(s.is, IDP_READ_BROKEN);
    cr_assert_not(s.fault.has_msgid);
}

/* What the connection does with an oversize result, step by step. */
Test(frame, a_result_over_its_limit_is_cut_out_and_the_key_completes) {
    static const char *const forms[] = {
        "[4 i0 i7 'complete' [6 'n' 'k' T B101 i5 {1 'class' 'error'",
        "[4 i0 i7 'complete' [6 'n' 'k' T S101 i5 {1 'class' 'error'",
        "[4 i0 i7 'complete' [6 'n' 'k' T B4000 i5 {1 'class' 'error'",
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        uint8_t bytes[8192];
        size_t len = notation(forms[i], bytes, sizeof bytes);
        seen s = look(bytes, len);
        cr_assert_eq(s.is, IDP_READ_OVERSIZE, "wholly there");
        size_t head = s.fault.payload_at;
        size_t header = s.fault.payload_header_bytes;
        size_t payload = (size_t)s.fault.payload_bytes;
        cr_assert_eq(payload, i == 2 ? 4000 : 101);
        s = look(bytes, head + header);
        cr_assert_eq(s.is, IDP_READ_OVERSIZE, "as soon as announced");
        s = look(bytes, head + header - 1);
        cr_assert_eq(s.is, IDP_READ_PARTIAL);

        bytes[head] = 0xc0;
        memmove(bytes + head + 1, bytes + head + header + payload,
                len - head - header - payload);
        len -= header + payload - 1;
        s = look(bytes, len);
        cr_assert_eq(s.is, IDP_READ_WHOLE);
        cr_assert_eq(s.frame_bytes, len);
        cr_assert_null(s.request.result.ptr);
        cr_assert_eq(s.request.class, IDP_CLASS_ERROR);
        cr_assert_eq(s.request.ttl_ms, 5);
    }
}

Test(frame, a_result_of_4_GiB_is_oversize_and_costs_nothing) {
    seen s = look_at("[4 i0 i7 'complete' [4 'n' 'k' T xc6ffffffff");
    cr_assert_eq(s.is, IDP_READ_OVERSIZE);
    cr_assert_eq(s.fault.payload_bytes, UINT32_MAX);
    s = look_at("[4 i0 i7 'complete' [4 'n' 'k' T B100");
    cr_assert_eq(s.is, IDP_READ_WHOLE);
}

Test(frame, only_completes_result_may_be_oversize) {
    seen s = look_at("[4 i0 i7 'complete' [4 'n' xc6ffffffff");
    cr_assert_eq(s.is, IDP_READ_BROKEN);
    s = look_at("[4 i0 i7 'release' [4 'n' 'k' T xc6ffffffff");
    cr_assert_eq(s.is, IDP_READ_BROKEN);
    s = look_at("[4 i0 i7 'complete' [4 'n' 'k' xc1 xc6ffffffff");
    cr_assert_eq(s.is, IDP_READ_BROKEN);
}
