/* SPDX-License-Identifier: Apache-2.0 */
/* test_reply.c -- replies: every outcome there and back, errors, and what a
 * later version may append. */
#include "proto/reply.h"
#include "tests/lib/same.h"
#include "tests/unit/proto/notation.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REPLY_MAX = 4096 };

/* What T means in the notation. */
#define TOKEN \
    { 0x0102030405060708, 0x090a0b0c0d0e0f10 }

/* Each answer, who asked, and its bytes behind [1, 7, nil. */
typedef struct sample {
    idp_method method;
    idp_answer answer;
    const char *bytes;
} sample;

#define ANSWER(name, ...) \
    { .outcome = IDP_OUTCOME_##name, __VA_ARGS__ }

static const sample samples[] = {
    {IDP_ACQUIRE,
     ANSWER(ACQUIRED, .token = TOKEN, .attempt = 1, .lease_ms = 30000),
     "[5 'acquired' T i1 'none' i30000"},
    {IDP_ACQUIRE,
     ANSWER(ACQUIRED, .token = TOKEN, .attempt = UINT32_MAX,
            .previous = IDP_PREVIOUS_ORPHANED, .lease_ms = 1),
     "[5 'acquired' T i4294967295 'orphaned' i1"},
    {IDP_ACQUIRE,
     ANSWER(ACQUIRED, .token = TOKEN, .attempt = 2,
            .previous = IDP_PREVIOUS_RELEASED, .lease_ms = 86400000),
     "[5 'acquired' T i2 'released' i86400000"},
    {IDP_ACQUIRE,
     ANSWER(REPLAY, .has_result = true, .result = {(const uint8_t *)"ab", 2},
            .result_bytes = 2, .age_ms = 127, .ttl_left_ms = 128),
     "[5 'replay' xc4026162 'success' i127 i128"},
    {IDP_ACQUIRE,
     ANSWER(REPLAY, .has_result = true, .result = {(const uint8_t *)"", 0},
            .class = IDP_CLASS_ERROR, .age_ms = 255, .ttl_left_ms = 256),
     "[5 'replay' xc400 'error' i255 i256"},
    {IDP_ACQUIRE, ANSWER(REPLAY, .age_ms = 65535, .ttl_left_ms = 65536),
     "[5 'replay' - 'success' i65535 i65536"},
    {IDP_ACQUIRE,
     ANSWER(IN_PROGRESS, .lease_left_ms = 5, .attempt = 2,
            .age_ms = 4294967296),
     "[4 'in_progress' i5 i2 i4294967296"},
    {IDP_ACQUIRE, ANSWER(MISMATCH, .state = IDP_STATE_COMPLETED),
     "[2 'mismatch' 'completed'"},
    {IDP_ACQUIRE, ANSWER(ORPHANED, .age_ms = 0, .attempt = 3),
     "[3 'orphaned' i0 i3"},
    {IDP_COMPLETE, ANSWER(COMPLETED, .kept = true), "[2 'completed' xc3"},
    {IDP_COMPLETE, ANSWER(COMPLETED, .kept = false), "[2 'completed' xc2"},
    {IDP_COMPLETE, ANSWER(STALE, .state = IDP_STATE_RELEASED),
     "[2 'stale' 'released'"},
    {IDP_RELEASE, ANSWER(RELEASED, .kept = false), "[1 'released'"},
    {IDP_RELEASE, ANSWER(UNKNOWN, .kept = false), "[1 'unknown'"},
    {IDP_RENEW, ANSWER(RENEWED, .lease_ms = 500), "[2 'renewed' i500"},
    {IDP_RENEW, ANSWER(STALE, .state = IDP_STATE_IN_PROGRESS),
     "[2 'stale' 'in_progress'"},
    {IDP_PEEK, ANSWER(RECORD, .state = IDP_STATE_ABSENT), "[1 'absent'"},
    {IDP_PEEK,
     ANSWER(RECORD, .state = IDP_STATE_IN_PROGRESS, .age_ms = 1, .attempt = 2,
            .lease_left_ms = 3, .ttl_left_ms = 4),
     "[2 'in_progress' {4 'age_ms' i1 'attempt' i2 'lease_left_ms' i3 "
     "'ttl_left_ms' i4"},
    {IDP_PEEK,
     ANSWER(RECORD, .state = IDP_STATE_ORPHANED, .age_ms = 1, .attempt = 2,
            .ttl_left_ms = 4),
     "[2 'orphaned' {3 'age_ms' i1 'attempt' i2 'ttl_left_ms' i4"},
    {IDP_PEEK,
     ANSWER(RECORD, .state = IDP_STATE_RELEASED, .age_ms = 1, .attempt = 2,
            .ttl_left_ms = 4),
     "[2 'released' {3 'age_ms' i1 'attempt' i2 'ttl_left_ms' i4"},
    {IDP_PEEK,
     ANSWER(RECORD, .state = IDP_STATE_COMPLETED, .age_ms = 1, .attempt = 2,
            .ttl_left_ms = 4, .has_result = true, .result_bytes = 0,
            .class = IDP_CLASS_ERROR),
     "[2 'completed' {5 'age_ms' i1 'attempt' i2 'ttl_left_ms' i4 "
     "'result_bytes' i0 'class' 'error'"},
    {IDP_PEEK,
     ANSWER(RECORD, .state = IDP_STATE_COMPLETED, .age_ms = 1, .attempt = 2,
            .ttl_left_ms = 4),
     "[2 'completed' {5 'age_ms' i1 'attempt' i2 'ttl_left_ms' i4 "
     "'result_bytes' - 'class' 'success'"},
};

#define SAMPLES (sizeof samples / sizeof *samples)

static size_t frame_of(const char *result, uint8_t *to) {
    size_t len = notation("[4 i1 i7 -", to, REPLY_MAX);
    return len + notation(result, to + len, REPLY_MAX - len);
}

Test(reply, every_outcome_is_written_byte_for_byte) {
    for (size_t i = 0; i < SAMPLES; i++) {
        uint8_t want[REPLY_MAX], got[REPLY_MAX];
        size_t len = frame_of(samples[i].bytes, want);
        size_t bound = idp_answer_write_bound(&samples[i].answer);
        cr_expect_leq(len, bound, "%s", samples[i].bytes);
        cr_expect_eq(idp_answer_write(got, bound, 7, &samples[i].answer), len,
                     "%s", samples[i].bytes);
        cr_expect(!memcmp(got, want, len), "%s", samples[i].bytes);
        memset(got, 0xee, sizeof got);
        cr_expect_eq(idp_answer_write(got, bound - 1, 7, &samples[i].answer),
                     0);
        cr_expect_eq(got[0], 0xee, "whole or nothing");
    }
}

Test(reply, every_outcome_is_read_back) {
    for (size_t i = 0; i < SAMPLES; i++) {
        uint8_t bytes[REPLY_MAX];
        idp_reply reply;
        idp_answer answer;
        size_t frame_bytes;
        size_t len = frame_of(samples[i].bytes, bytes);
        cr_assert_eq(
            idp_reply_open(bytes, len, REPLY_MAX, &reply, &frame_bytes),
            IDP_REPLY_WHOLE);
        cr_assert_eq(frame_bytes, len);
        cr_assert_eq(reply.msgid, 7);
        cr_assert_not(reply.is_error);
        cr_expect(idp_answer_read(samples[i].method, reply.result, &answer),
                  "%s", samples[i].bytes);
        cr_expect(idt_answer_same(&samples[i].answer, &answer), "%s",
                  samples[i].bytes);
    }
}

Test(reply, the_longest_answer_keeps_to_its_bound) {
    idp_answer a = {.outcome = IDP_OUTCOME_RECORD,
                    .state = IDP_STATE_COMPLETED,
                    .attempt = UINT32_MAX,
                    .age_ms = UINT64_MAX,
                    .ttl_left_ms = UINT64_MAX,
                    .has_result = true,
                    .result_bytes = UINT64_MAX};
    uint8_t bytes[REPLY_MAX];
    size_t len = idp_answer_write(bytes, sizeof bytes, UINT32_MAX, &a);
    cr_assert_gt(len, 0);
    cr_assert_leq(len, idp_answer_write_bound(&a));
    /* Nothing above 2^53-1 leaves. */
    idp_reply reply;
    idp_answer read;
    size_t frame_bytes;
    idp_reply_open(bytes, len, REPLY_MAX, &reply, &frame_bytes);
    cr_assert(idp_answer_read(IDP_PEEK, reply.result, &read));
    cr_assert_eq(read.age_ms, IDP_INT_MAX);
}

Test(reply, cut_anywhere_is_partial) {
    for (size_t i = 0; i < SAMPLES; i++) {
        uint8_t bytes[REPLY_MAX];
        idp_reply reply;
        size_t need = 0;
        size_t len = frame_of(samples[i].bytes, bytes);
        for (size_t cut = 0; cut < len; cut++) {
            uint8_t *block = malloc(cut ? cut : 1);
            memcpy(block, bytes, cut);
            cr_assert_eq(idp_reply_open(block, cut, REPLY_MAX, &reply, &need),
                         IDP_REPLY_PARTIAL);
            cr_assert(need > cut && need <= len);
            free(block);
        }
    }
}

Test(reply, what_later_versions_append_is_skipped) {
    static const struct {
        idp_method method;
        const char *bytes;
    } later[] = {
        {IDP_ACQUIRE, "[7 'acquired' T i1 'none' i5 {1 'x' [0 'more'"},
        {IDP_ACQUIRE, "[3 'mismatch' 'completed' -"},
        {IDP_COMPLETE, "[3 'completed' xc3 i5"},
        {IDP_RELEASE, "[2 'unknown' 'x'"},
        {IDP_PEEK, "[2 'absent' {0"},
        {IDP_PEEK, "[3 'released' {4 'age_ms' i1 'new' [1 {1 - - 'attempt' "
                   "i1 'ttl_left_ms' i1 -"},
    };
    for (size_t i = 0; i < sizeof later / sizeof *later; i++) {
        uint8_t bytes[REPLY_MAX];
        idp_answer answer;
        size_t len = notation(later[i].bytes, bytes, sizeof bytes);
        cr_expect(
            idp_answer_read(later[i].method, (idp_slice){bytes, len}, &answer),
            "%s", later[i].bytes);
    }
}

Test(reply, what_the_method_does_not_answer_is_not_read) {
    static const struct {
        idp_method method;
        const char *bytes;
    } wrong[] = {
        {IDP_ACQUIRE, "-"},
        {IDP_ACQUIRE, "[0"},
        {IDP_ACQUIRE, "'acquired'"},
        {IDP_ACQUIRE, "[1 i1"},
        {IDP_ACQUIRE, "[2 'completed' xc3"},
        {IDP_ACQUIRE, "[1 'unknown'"},
        {IDP_ACQUIRE, "[2 'record' 'x'"},
        {IDP_ACQUIRE, "[4 'acquired' T i1 'none'"},
        {IDP_ACQUIRE, "[4 'acquired' T i1 'none' i5"},
        {IDP_ACQUIRE, "[5 'acquired' S15 i1 'none' i5"},
        {IDP_ACQUIRE, "[5 'acquired' T i4294967296 'none' i5"},
        {IDP_ACQUIRE, "[5 'acquired' T i1 'nine' i5"},
        {IDP_ACQUIRE, "[5 'acquired' T i1 'none' xff"},
        {IDP_ACQUIRE, "[5 'replay' i1 'success' i1 i1"},
        {IDP_ACQUIRE, "[5 'replay' - 'maybe' i1 i1"},
        {IDP_ACQUIRE, "[2 'mismatch' 'lost'"},
        {IDP_COMPLETE, "[2 'completed' i1"},
        {IDP_COMPLETE, "[1 'released'"},
        {IDP_RENEW, "[1 'renewed'"},
        {IDP_PEEK, "[1 'released'"},
        {IDP_PEEK, "[2 'lost' {0"},
        {IDP_PEEK, "[2 'released' [0"},
        {IDP_PING, "[1 'pong'"},
        {IDP_METHOD_COUNT, "[1 'released'"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint8_t bytes[REPLY_MAX];
        idp_answer answer;
        size_t len = notation(wrong[i].bytes, bytes, sizeof bytes);
        cr_expect_not(
            idp_answer_read(wrong[i].method, (idp_slice){bytes, len}, &answer),
            "%s", wrong[i].bytes);
    }
}

Test(reply, what_is_no_reply_is_broken) {
    static const char *const wrong[] = {
        "x47",
        "x9400",
        "xdc0004",
        "[4 i2",
        "[4 i1 - - -",
        "[4 i1 xff - -",
        "[4 i1 i4294967296 - -",
        "[4 i1 i7 [0 -",
        "[4 i1 i7 i5 -",
        "[4 i1 i7 - xc1",
        "[4 i1 i7 - [65",
        "[4 i1 i7 - xdd0fffffff",
        "[4 i1 i7 - xdb0fffffff",
        "[4 i1 i7 - [1 [1 [1 [1 [1 [1 [1 [1 -",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint8_t bytes[REPLY_MAX];
        idp_reply reply;
        size_t frame_bytes;
        size_t len = notation(wrong[i], bytes, sizeof bytes);
        cr_expect_eq(
            idp_reply_open(bytes, len, REPLY_MAX, &reply, &frame_bytes),
            IDP_REPLY_BROKEN, "%s", wrong[i]);
    }
}

/* errors ---------------------------------------------------------------- */

static idp_reply opened(const uint8_t *bytes, size_t len) {
    idp_reply reply;
    size_t frame_bytes;
    cr_assert_eq(idp_reply_open(bytes, len, REPLY_MAX, &reply, &frame_bytes),
                 IDP_REPLY_WHOLE);
    cr_assert_eq(frame_bytes, len);
    return reply;
}

Test(reply, every_error_goes_there_and_back) {
    static const idp_error errors[] = {
#define X(name, number, text) IDP_E_##name,
        IDP_ERRORS(X)
#undef X
    };
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        uint8_t bytes[IDP_ERROR_REPLY_BYTES_MAX];
        char want[300];
        size_t len = idp_error_write(bytes, sizeof bytes, 9, errors[i], NULL);
        cr_assert_gt(len, 0);
        cr_assert(bytes[0] == 0x94 && bytes[1] == 0x01);
        cr_assert_eq(bytes[len - 1], 0xc0);
        idp_reply reply = opened(bytes, len);
        cr_assert(reply.is_error);
        cr_assert_eq(reply.error, errors[i]);
        cr_assert_eq(reply.msgid, 9);
        snprintf(want, sizeof want, "%s %s", idp_error_name(errors[i]),
                 idp_error_text(errors[i]));
        cr_assert_eq(reply.text.len, strlen(want));
        cr_assert(!memcmp(reply.text.ptr, want, strlen(want)));
    }
}

Test(reply, an_errors_text_is_cut_at_200_bytes_and_no_character_is_halved) {
    char long_text[300];
    uint8_t bytes[IDP_ERROR_REPLY_BYTES_MAX];
    memset(long_text, 'x', sizeof long_text);
    long_text[200] = '\0';
    size_t len = idp_error_write(bytes, sizeof bytes, UINT32_MAX,
                                 IDP_E_UNKNOWN_METHOD, long_text);
    size_t name_len = strlen("UNKNOWN_METHOD ");
    cr_assert_eq(opened(bytes, len).text.len, name_len + 200);
    long_text[200] = 'x';
    long_text[201] = '\0';
    len = idp_error_write(bytes, sizeof bytes, 1, IDP_E_UNKNOWN_METHOD,
                          long_text);
    cr_assert_eq(opened(bytes, len).text.len, name_len + 200);
    memcpy(long_text + 199, "\xc3\xa9", 2);
    len = idp_error_write(bytes, sizeof bytes, 1, IDP_E_UNKNOWN_METHOD,
                          long_text);
    cr_assert_eq(opened(bytes, len).text.len, name_len + 199);
    cr_assert_eq(idp_error_write(bytes, 15, 1, IDP_E_LIMIT, "x"), 0);
}

Test(reply, a_code_is_read_up_to_the_first_space) {
    static const struct {
        const char *message;
        idp_error error;
        size_t text_at;
    } messages[] = {
        {"BAD_REQUEST lease", IDP_E_BAD_REQUEST, 12},
        {"BAD_REQUEST", IDP_E_BAD_REQUEST, 11},
        {"BAD_REQUEST ", IDP_E_BAD_REQUEST, 12},
        {"BAD_REQUESTS x", IDP_OK, 13},
        {"NEWER_CODE x", IDP_OK, 11},
        {"BAD lease", IDP_OK, 4},
        {"Bad lease", IDP_OK, 0},
        {"no code at all", IDP_OK, 0},
        {"OK fine", IDP_OK, 3},
        {"", IDP_OK, 0},
        {" x", IDP_OK, 0},
        {"NOT_PRIMARY db:7117", IDP_E_NOT_PRIMARY, 12},
    };
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
        size_t text_at = 99;
        const char *message = messages[i].message;
        cr_expect_eq(idp_error_parse(message, strlen(message), &text_at),
                     messages[i].error, "%s", message);
        cr_expect_eq(text_at, messages[i].text_at, "%s: %zu", message, text_at);
    }
    cr_assert_str_eq(idp_error_name((idp_error)-99), "UNKNOWN");
    cr_assert_str_eq(idp_error_name((idp_error)5), "UNKNOWN");
    cr_assert_str_eq(idp_error_name(IDP_E_LIMIT), "LIMIT");
}
