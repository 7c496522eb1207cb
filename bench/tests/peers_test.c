/* SPDX-License-Identifier: Apache-2.0 */
/* peers_test.c -- our straight RESP codec against hiredis, which it stands in
 * for under load. */
#include "bench/resp.h"

#include <criterion/criterion.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>

static const idb_codec codec = {.work = {.seed = 1,
                                         .key_bytes = 36,
                                         .fingerprint_bytes = 32,
                                         .result_bytes = 200,
                                         .lease_ms = 30000,
                                         .ttl_ms = 3600000},
                                .shards = 1};

/* What hiredis makes of these arguments must be what we wrote. */
static void same_as_hiredis(const idb_slot *slot, int argc, const char **argv,
                            const size_t *lens) {
    uint8_t ours[2048];
    char *theirs;
    size_t len = idb_target_redis.write(&codec, slot, 0, ours);
    long long want = redisFormatCommandArgv(&theirs, argc, argv, lens);
    cr_assert_eq((long long)len, want);
    cr_assert_arr_eq(ours, theirs, len);
    redisFreeCommand(theirs);
}

Test(redis, requests_are_byte_for_byte_what_hiredis_formats) {
    uint8_t key[36], value[232];
    idb_slot slot = {.number = 77, .job = IDB_FRESH};
    idb_key_write(&codec.work, 77, key);
    idb_fingerprint_write(&codec.work, 77, false, value);
    idb_result_write(&codec.work, 77, value + 32);
    const char *const k = (const char *)key, *const v = (const char *)value;
    same_as_hiredis(&slot, 6,
                    (const char *[]){"SET", k, v, "NX", "PX", "30000"},
                    (size_t[]){3, 36, 32, 2, 2, 5});
    slot.step = 1;
    same_as_hiredis(&slot, 6,
                    (const char *[]){"SET", k, v, "XX", "PX", "3600000"},
                    (size_t[]){3, 36, 232, 2, 2, 7});
    slot.step = 0;
    slot.job = IDB_REPLAY;
    same_as_hiredis(&slot, 7,
                    (const char *[]){"SET", k, v, "NX", "GET", "PX", "30000"},
                    (size_t[]){3, 36, 32, 2, 3, 2, 5});
}

Test(redis, replies_are_read_as_hiredis_reads_them) {
    static const char *const replies[] = {"+OK\r\n",
                                          "-ERR no\r\n",
                                          ":12\r\n",
                                          "$-1\r\n",
                                          "$0\r\n\r\n",
                                          "$5\r\nhello\r\n",
                                          "$12\r\na\r\nb\r\nc\r\nd\r\n\r\n"};
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        idb_resp ours;
        redisReply *theirs = NULL;
        size_t len = strlen(replies[i]);
        redisReader *reader = redisReaderCreate();
        redisReaderFeed(reader, replies[i], len);
        cr_assert_eq(redisReaderGetReply(reader, (void **)&theirs), REDIS_OK);
        cr_assert(theirs, "hiredis wants more of %zu", i);
        cr_assert_eq(idb_resp_read((const uint8_t *)replies[i], len, &ours),
                     IDB_WHOLE);
        cr_assert_eq(ours.bytes, len);
        cr_assert_eq(ours.nil, theirs->type == REDIS_REPLY_NIL);
        if (theirs->type != REDIS_REPLY_INTEGER && !ours.nil) {
            cr_assert_eq(ours.len, (size_t)theirs->len);
            cr_assert_arr_eq(ours.ptr, theirs->str, ours.len);
        }
        /* Any beginning of it is partial. */
        for (size_t cut = 0; cut < len; cut++)
            cr_assert_eq(idb_resp_read((const uint8_t *)replies[i], cut, &ours),
                         IDB_PARTIAL, "%zu cut at %zu", i, cut);
        freeReplyObject(theirs);
        redisReaderFree(reader);
    }
}

Test(redis, what_is_no_reply_is_broken) {
    idb_resp resp;
    cr_assert_eq(idb_resp_read((const uint8_t *)"HTTP/1.1\r\n", 10, &resp),
                 IDB_BROKEN);
    cr_assert_eq(idb_resp_read((const uint8_t *)"$9999999999\r\n", 13, &resp),
                 IDB_BROKEN);
}

/* A reply of memcached to this job's step: is it the right one? */
static bool memcached_hears(const idb_slot *from, const char *text,
                            size_t len) {
    idb_reply reply = {0};
    idb_slot slot = *from;
    cr_assert_eq(idb_target_memcached.read(&codec, &slot, 0,
                                           (const uint8_t *)text, len, &reply),
                 IDB_WHOLE);
    cr_assert_eq(reply.bytes, len);
    for (size_t cut = 0; cut < len; cut++) {
        idb_read_status status = idb_target_memcached.read(
            &codec, &slot, 0, (const uint8_t *)text, cut, &reply);
        cr_assert_eq(status, IDB_PARTIAL, "cut at %zu", cut);
    }
    return reply.expected;
}

Test(memcached, a_refusal_is_not_taken_for_the_answer) {
    idb_slot slot = {.number = 4, .job = IDB_FRESH};
    cr_assert(memcached_hears(&slot, "STORED\r\n", 8));
    cr_assert_not(memcached_hears(&slot, "NOT_STORED\r\n", 12));
    cr_assert_not(memcached_hears(&slot, "SERVER_ERROR out of memory\r\n", 28));
    slot.job = IDB_REPLAY;
    cr_assert_not(memcached_hears(&slot, "EN\r\n", 4));
    cr_assert_not(memcached_hears(&slot, "VA 0 W\r\n\r\n", 10));
}

Test(memcached, a_duplicate_compares_the_fingerprint_that_it_gets) {
    char text[256] = "VA 232 \r\n";
    idb_slot slot = {.number = 4, .job = IDB_REPLAY};
    uint8_t *value = (uint8_t *)text + 9;
    idb_fingerprint_write(&codec.work, 4, false, value);
    idb_result_write(&codec.work, 4, value + 32);
    memcpy(value + 232, "\r\n", 2);
    cr_assert(memcached_hears(&slot, text, 9 + 234));
    slot.job = IDB_MISMATCH;
    cr_assert(memcached_hears(&slot, text, 9 + 234));
    idb_fingerprint_write(&codec.work, 4, true, value);
    cr_assert_not(memcached_hears(&slot, text, 9 + 234));
}

/* Redis answers each write at once, and its WAIT when the replica has it. */
Test(redis, a_write_is_answered_when_its_wait_is) {
    static const uint8_t heard[] = "+OK\r\n:1\r\n";
    idb_slot slot = {.number = 77, .job = IDB_FRESH};
    idb_reply reply = {0};
    uint8_t plain[2048], waited[2048];
    char *wait;
    size_t len = idb_target_redis.write(&codec, &slot, 0, plain);
    int wait_len = redisFormatCommand(&wait, "WAIT 1 0");
    cr_assert_eq(idb_target_redis_wait.write(&codec, &slot, 0, waited),
                 len + (size_t)wait_len);
    cr_assert_arr_eq(waited, plain, len);
    cr_assert_arr_eq(waited + len, wait, (size_t)wait_len);
    redisFreeCommand(wait);
    cr_assert_eq(idb_target_redis_wait.read(&codec, &slot, 0, heard, 5, &reply),
                 IDB_PARTIAL);
    cr_assert_eq(idb_target_redis_wait.read(&codec, &slot, 0, heard, 9, &reply),
                 IDB_WHOLE);
    cr_assert_eq(reply.bytes, 9);
    cr_assert(reply.expected);
    cr_assert_eq(idb_target_redis_wait.read(&codec, &slot, 0,
                                            (const uint8_t *)"+OK\r\n:0\r\n", 9,
                                            &reply),
                 IDB_WHOLE);
    cr_assert_not(reply.expected, "no replica had it");
}

Test(redis, a_batch_is_answered_when_the_wait_behind_it_is) {
    static const uint8_t heard[] = "+OK\r\n+OK\r\n:1\r\n";
    idb_slot slots[2] = {{.number = 77, .job = IDB_FRESH},
                         {.number = 78, .job = IDB_FRESH}};
    const idb_target *batch = &idb_target_redis_wait_batch;
    idb_reply reply = {0};
    for (size_t len = 0; len < 14; len++)
        cr_assert_eq(batch->read(&codec, slots, 0, heard, len, &reply),
                     IDB_PARTIAL, "%zu", len);
    cr_assert_eq(batch->read(&codec, slots, 0, heard, 14, &reply), IDB_WHOLE);
    cr_assert_eq(reply.bytes, 5);
    cr_assert_eq(batch->read(&codec, slots, 1, heard + 5, 9, &reply),
                 IDB_WHOLE);
    cr_assert_eq(reply.bytes, 9);
    cr_assert(reply.expected);
}
