/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_reply.c -- any bytes as what a server answers.
 *
 * The client's reader takes them as a reply to each method in turn. What it
 * makes of them is the same after encoding and decoding again. */
#include "proto/commands.h"
#include "proto/reply.h"
#include "tests/lib/same.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { REPLY_BYTES_MAX = 2048 };

static bool answer_again(idp_method method, const idp_answer *from,
                         idp_answer *to, uint8_t *bytes, size_t cap) {
    idp_reply reply;
    size_t frame_bytes;
    size_t len = idp_answer_write(bytes, cap, 7, from);
    assert(len > 0 && len <= idp_answer_write_bound(from));
    assert(bytes[0] == 0x94 && bytes[1] == 0x01);
    assert(idp_reply_open(bytes, len, REPLY_BYTES_MAX, &reply, &frame_bytes) ==
           IDP_REPLY_WHOLE);
    assert(frame_bytes == len && reply.msgid == 7 && !reply.is_error);
    return idp_answer_read(method, reply.result, to);
}

/* A record read from strange bytes may lack keys of its state or have keys
 * of another, so it is compared from its first encoding on. */
static void check_answer(idp_method method, idp_slice result) {
    uint8_t first[4096], second[4096];
    idp_answer answer, again, third;
    if (!idp_answer_read(method, result, &answer)) {
        return;
    }
    assert(answer_again(method, &answer, &again, first, sizeof first));
    assert(answer.outcome == IDP_OUTCOME_RECORD ||
           idt_answer_same(&answer, &again));
    assert(answer_again(method, &again, &third, second, sizeof second));
    assert(idt_answer_same(&again, &third));
}

static void check_hello(idp_slice result) {
    idp_hello hello, again;
    uint8_t bytes[IDP_HELLO_BYTES_MAX];
    idp_reply reply;
    size_t frame_bytes;
    if (!idp_hello_read(result, &hello)) {
        return;
    }
    assert(hello.shard < hello.shards);
    size_t len = idp_hello_write(bytes, sizeof bytes, 1, &hello);
    assert(len > 0);
    assert(idp_reply_open(bytes, len, sizeof bytes, &reply, &frame_bytes) ==
           IDP_REPLY_WHOLE);
    assert(idp_hello_read(reply.result, &again));
    assert(again.epoch == hello.epoch && again.shards == hello.shards);
    assert(strcmp(again.server, hello.server) == 0);
    assert(!memcmp(again.hash_key, hello.hash_key, IDP_HASH_KEY_BYTES));
}

/* What was read as an order's answer, and how replication stands, can be
 * written and read again. */
static void check_orders(idp_slice result) {
    static uint8_t bytes[IDP_REPLICATION_BYTES_MAX];
    static idp_replication report, again;
    idp_command_answer order, order_again;
    idp_reply reply;
    size_t frame_bytes;
    for (int method = IDP_PROMOTE; method <= IDP_RELOAD; method++) {
        if (!idp_command_read((idp_method)method, result, &order)) {
            continue;
        }
        size_t len = idp_command_write(bytes, sizeof bytes, 1, &order);
        assert(idp_reply_open(bytes, len, sizeof bytes, &reply, &frame_bytes) ==
               IDP_REPLY_WHOLE);
        assert(
            idp_command_read((idp_method)method, reply.result, &order_again));
        assert(order.outcome == order_again.outcome &&
               order.epoch == order_again.epoch);
    }
    if (!idp_replication_read(result, &report)) {
        return;
    }
    size_t len = idp_replication_write(bytes, sizeof bytes, 1, &report);
    assert(len > 0);
    assert(idp_reply_open(bytes, len, sizeof bytes, &reply, &frame_bytes) ==
           IDP_REPLY_WHOLE);
    assert(idp_replication_read(reply.result, &again));
    assert(again.streams_count == report.streams_count);
    assert(again.epoch == report.epoch);
    assert(strcmp(again.state, report.state) == 0);
}

static void check_result(idp_slice result) {
    for (int method = 0; method < IDP_METHOD_COUNT; method++) {
        check_answer((idp_method)method, result);
    }
    check_hello(result);
    check_orders(result);
    idp_pong_read(result);
    idp_slice name;
    uint64_t value;
    size_t steps = 0;
    for (size_t at = 0; idp_stats_next(result, &at, &name, &value);) {
        assert(at <= result.len && ++steps <= result.len);
        assert(value <= IDP_INT_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    size_t at = 0;
    /* The readers hold for any slice, opened or not. */
    check_result((idp_slice){bytes, len});
    while (at < len) {
        idp_reply reply;
        size_t frame_bytes = 0;
        idp_reply_read_status is = idp_reply_open(
            bytes + at, len - at, REPLY_BYTES_MAX, &reply, &frame_bytes);
        if (is == IDP_REPLY_PARTIAL) {
            assert(frame_bytes > len - at && frame_bytes <= REPLY_BYTES_MAX);
            return 0;
        }
        if (is == IDP_REPLY_BROKEN) {
            return 0;
        }
        assert(frame_bytes > 0 && frame_bytes <= len - at);
        if (!reply.is_error) {
            check_result(reply.result);
        }
        at += frame_bytes;
    }
    return 0;
}
