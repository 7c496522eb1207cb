/* SPDX-License-Identifier: Apache-2.0 */
/* test_hello.c -- what is told beside the claims: hello, pong, stats, the
 * words, and who owns a key. */
#include "proto/owner.h"
#include "proto/reply.h"
#include "tests/unit/proto/notation.h"

#include <criterion/criterion.h>
#include <string.h>

enum { REPLY_MAX = 4096 };

static idp_slice text(const char *from) {
    return (idp_slice){(const uint8_t *)from, strlen(from)};
}

static idp_reply opened(const uint8_t *bytes, size_t len) {
    idp_reply reply;
    size_t frame_bytes;
    cr_assert_eq(idp_reply_open(bytes, len, REPLY_MAX, &reply, &frame_bytes),
                 IDP_REPLY_WHOLE);
    cr_assert_eq(frame_bytes, len);
    return reply;
}

Test(reply, pong) {
    uint8_t bytes[IDP_PONG_BYTES_MAX], want[64];
    size_t len = notation("[4 i1 i4294967295 - 'pong'", want, sizeof want);
    cr_assert_eq(idp_pong_write(bytes, sizeof bytes, UINT32_MAX), len);
    cr_assert(!memcmp(bytes, want, len));
    cr_assert(idp_pong_read(opened(bytes, len).result));
    cr_assert_not(idp_pong_read(text("\xa4ping")));
    cr_assert_not(idp_pong_read((idp_slice){NULL, 0}));
    cr_assert_eq(idp_pong_write(bytes, 3, 1), 0);
}

static idp_hello hello_sample(void) {
    return (idp_hello){.server = "idemstored",
                       .version = "0.1.0",
                       .protocol = IDP_PROTOCOL_VERSION,
                       .role = "primary",
                       .epoch = 1700000000,
                       .shards = 8,
                       .shard = 7,
                       .hash_key = {1, 2, 3},
                       .result_bytes_max = 1 << 20,
                       .frame_bytes_max = (1 << 20) + 689,
                       .pending_max = 1024};
}

/* By what is written: a struct has bytes between its fields. */
static bool hello_same(const idp_hello *a, const idp_hello *b) {
    uint8_t first[IDP_HELLO_BYTES_MAX], second[IDP_HELLO_BYTES_MAX];
    size_t len = idp_hello_write(first, sizeof first, 0, a);
    return idp_hello_write(second, sizeof second, 0, b) == len &&
           !memcmp(first, second, len);
}

Test(hello, hello_there_and_back) {
    idp_hello hello = hello_sample(), again;
    uint8_t bytes[IDP_HELLO_BYTES_MAX];
    size_t len = idp_hello_write(bytes, sizeof bytes, 0, &hello);
    cr_assert_gt(len, 0);
    cr_assert(idp_hello_read(opened(bytes, len).result, &again));
    cr_assert(hello_same(&hello, &again));
    cr_assert_eq(idp_hello_write(bytes, 100, 0, &hello), 0);
}

Test(hello, hello_with_full_fields_fits) {
    idp_hello hello = hello_sample(), again;
    uint8_t bytes[IDP_HELLO_BYTES_MAX];
    memset(hello.server, 's', sizeof hello.server - 1);
    memset(hello.version, 'v', sizeof hello.version - 1);
    memset(hello.role, 'r', sizeof hello.role - 1);
    hello.epoch = hello.result_bytes_max = IDP_INT_MAX;
    size_t len = idp_hello_write(bytes, sizeof bytes, UINT32_MAX, &hello);
    cr_assert(idp_hello_read(opened(bytes, len).result, &again));
    cr_assert(hello_same(&hello, &again));
}

Test(hello, hello_from_a_later_version_is_read_as_far_as_known) {
    static const char later[] =
        "{6 'color' [1 {1 i1 i2 'protocol' i2 'shards' i2 'shard' i1 "
        "'hash_key' B16 'version' S40";
    uint8_t bytes[512];
    idp_hello hello;
    size_t len = notation(later, bytes, sizeof bytes);
    cr_assert(idp_hello_read((idp_slice){bytes, len}, &hello));
    cr_assert_eq(hello.protocol, 2);
    cr_assert_eq(strlen(hello.version), sizeof hello.version - 1);
}

Test(hello, a_hello_that_cannot_route_is_refused) {
    static const char *const wrong[] = {
        "[0",
        "{0",
        "{3 'protocol' i1 'shards' i0 'hash_key' B16",
        "{3 'protocol' i1 'shards' i1025 'hash_key' B16",
        "{3 'protocol' i1 'shards' i2 'hash_key' B15",
        "{4 'protocol' i1 'shards' i2 'shard' i2 'hash_key' B16",
        "{2 'shards' i2 'hash_key' B16",
        "{2 'protocol' i1 'hash_key' B16",
        "{2 'protocol' i1 'shards' i2",
        "{4 'protocol' i1 'shards' i2 'hash_key' B16 'limits' i1",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint8_t bytes[512];
        idp_hello hello;
        size_t len = notation(wrong[i], bytes, sizeof bytes);
        cr_expect_not(idp_hello_read((idp_slice){bytes, len}, &hello), "%s",
                      wrong[i]);
    }
}

Test(reply, stats_there_and_back) {
    static const idp_stat stats[] = {
        {"records", 12}, {"memory_bytes", 1ull << 40}, {"huge", UINT64_MAX}};
    uint8_t bytes[1024];
    size_t bound = idp_stats_write_bound(3);
    size_t len = idp_stats_write(bytes, bound, 4, stats, 3);
    cr_assert_gt(len, 0);
    cr_assert_eq(idp_stats_write(bytes, bound - 1, 4, stats, 3), 0);
    idp_slice result = opened(bytes, len).result, name;
    uint64_t value;
    size_t at = 0;
    cr_assert(idp_stats_next(result, &at, &name, &value));
    cr_assert(name.len == 7 && !memcmp(name.ptr, "records", 7));
    cr_assert_eq(value, 12);
    cr_assert(idp_stats_next(result, &at, &name, &value));
    cr_assert_eq(value, 1ull << 40);
    cr_assert(idp_stats_next(result, &at, &name, &value));
    cr_assert_eq(value, IDP_INT_MAX);
    cr_assert_not(idp_stats_next(result, &at, &name, &value));
}

Test(reply, stats_as_many_as_the_wire_takes_fit_and_text_is_skipped) {
    idp_stat stats[IDP_STATS_MAX];
    char longest[IDP_STAT_NAME_BYTES_MAX + 1] = {0};
    memset(longest, 'n', IDP_STAT_NAME_BYTES_MAX);
    for (size_t i = 0; i < IDP_STATS_MAX; i++) {
        stats[i] = (idp_stat){longest, UINT64_MAX};
    }
    static uint8_t bytes[16384];
    idp_reply reply;
    size_t frame_bytes;
    size_t len =
        idp_stats_write(bytes, sizeof bytes, UINT32_MAX, stats, IDP_STATS_MAX);
    cr_assert_gt(len, 0);
    cr_assert_eq(idp_reply_open(bytes, len, idp_reply_bytes_max(0), &reply,
                                &frame_bytes),
                 IDP_REPLY_WHOLE);

    idp_slice name;
    uint64_t value;
    size_t at = 0, read = 0;
    while (idp_stats_next(reply.result, &at, &name, &value))
        read++;
    cr_assert_eq(read, IDP_STATS_MAX);

    len = notation("{3 'a' 'text' 'b' [1 - 'c' i5", bytes, sizeof bytes);
    at = 0;
    cr_assert(idp_stats_next((idp_slice){bytes, len}, &at, &name, &value));
    cr_assert_eq(name.ptr[0], 'c');
    cr_assert_eq(value, 5);
    cr_assert_not(idp_stats_next((idp_slice){bytes, len}, &at, &name, &value));
}

Test(reply, the_largest_reply_is_within_what_is_said_of_it) {
    enum { RESULT = 10000 };
    static uint8_t bytes[RESULT + 1024], result[RESULT];
    idp_answer replay = {.outcome = IDP_OUTCOME_REPLAY,
                         .has_result = true,
                         .result = {result, RESULT},
                         .age_ms = IDP_INT_MAX,
                         .ttl_left_ms = IDP_INT_MAX};
    size_t len = idp_answer_write(bytes, sizeof bytes, UINT32_MAX, &replay);
    cr_assert_gt(len, RESULT);
    cr_assert_leq(len, idp_reply_bytes_max(RESULT));
    cr_assert_geq(idp_reply_bytes_max(0), IDP_ERROR_REPLY_BYTES_MAX);
    cr_assert_geq(idp_reply_bytes_max(0), IDP_HELLO_BYTES_MAX);
}

/* words and owners ------------------------------------------------------- */

Test(terms, every_number_has_its_word) {
    cr_assert_str_eq(idp_method_name(IDP_STATS), "stats");
    cr_assert_str_eq(idp_state_name(IDP_STATE_RELEASED), "released");
    cr_assert_str_eq(idp_outcome_name(IDP_OUTCOME_IN_PROGRESS), "in_progress");
    cr_assert_str_eq(idp_previous_name(IDP_PREVIOUS_ORPHANED), "orphaned");
    cr_assert_str_eq(idp_class_name(IDP_CLASS_ERROR), "error");
    cr_assert_str_eq(idp_method_name(IDP_METHOD_COUNT), "unknown");
    cr_assert_str_eq(idp_class_name((idp_class)9), "unknown");
}

/* From the SipHash paper's vectors: key 00..0f, message 00..0e. Our message
 * begins with the namespace's length, so a namespace of 0 bytes begins it
 * with 00, and the key is 01..0e. */
Test(owner, is_siphash_2_4) {
    uint8_t hash_key[16], message[15];
    for (uint8_t i = 0; i < 16; i++) {
        hash_key[i] = i;
    }
    for (uint8_t i = 0; i < 15; i++) {
        message[i] = i;
    }
    uint64_t hash = idp_owner_hash(hash_key, (idp_slice){NULL, 0},
                                   (idp_slice){message + 1, 14});
    cr_assert_eq(hash, 0xa129ca6149be45e5);
}

Test(owner, keeps_namespace_and_key_apart_and_holds_the_longest) {
    static const uint8_t hash_key[16] = {1}, longest[512] = {2};
    uint64_t a = idp_owner_hash(hash_key, text("ab"), text("c"));
    uint64_t b = idp_owner_hash(hash_key, text("a"), text("bc"));
    cr_assert_neq(a, b);
    idp_owner_hash(hash_key, (idp_slice){longest, IDP_NS_BYTES_MAX},
                   (idp_slice){longest, IDP_KEY_BYTES_MAX});
    cr_assert_eq(idp_owner_shard(a, 1), 0);
    cr_assert_eq(idp_owner_shard(10, 4), 2);
}
