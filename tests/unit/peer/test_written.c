/* SPDX-License-Identifier: Apache-2.0 */
/* test_written.c -- the peer's stream as earlier versions wrote it, in
 * tests/fixtures/peer-N: read by today's code, to the same meaning. Whoever
 * changes the wire adds a folder, and leaves these as they are. */
#include "server/journal/change.h"
#include "server/peer/link.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FRAMES_MAX 64

typedef struct stream {
    uint8_t bytes[FRAMES_MAX][4096];
    size_t len[FRAMES_MAX];
    size_t count;
} stream;

static stream written;

static void load(const char *name) {
    char path[512], line[8192 + 2];
    snprintf(path, sizeof path, "%s/%s/stream", IDEM_FIXTURES, name);
    FILE *file = fopen(path, "r");
    cr_assert(file, "%s", path);
    written.count = 0;
    while (fgets(line, sizeof line, file)) {
        size_t at = written.count++, len = strcspn(line, "\n") / 2;
        cr_assert_lt(at, FRAMES_MAX);
        for (size_t i = 0; i < len; i++) {
            unsigned byte;
            cr_assert_eq(sscanf(line + 2 * i, "%2x", &byte), 1);
            written.bytes[at][i] = (uint8_t)byte;
        }
        written.len[at] = len;
    }
    fclose(file);
}

static char said[16384];
static size_t said_len;

__attribute__((format(printf, 1, 2))) static void tell(const char *format,
                                                       ...) {
    va_list args;
    va_start(args, format);
    said_len += (size_t)vsnprintf(said + said_len, sizeof said - said_len,
                                  format, args);
    va_end(args);
    cr_assert_lt(said_len, sizeof said);
}

static void tell_changes(const ids_pf *frame) {
    const uint8_t *at = frame->body.ptr;
    size_t left = frame->body.len;
    ids_change c;
    for (uint32_t i = 0; i < frame->count; i++) {
        size_t took = ids_change_read(at, left, &c);
        cr_assert_gt(took, 0);
        tell("  %.*s %.*s state=%d attempt=%u previous=%d token=%llu/%llu "
             "fingerprint=%zu nonce=%.*s lease=%u/%llu ttl=%llu/%llu age=%llu "
             "result=%.*s\n",
             (int)c.ns.len, (const char *)c.ns.ptr, (int)c.key.len,
             (const char *)c.key.ptr, (int)c.state, c.attempt, (int)c.previous,
             (unsigned long long)c.token.epoch,
             (unsigned long long)c.token.sequence, c.fingerprint.len,
             (int)c.nonce.len, (const char *)c.nonce.ptr, c.lease_ms,
             (unsigned long long)c.lease_left_ms, (unsigned long long)c.ttl_ms,
             (unsigned long long)c.ttl_left_ms, (unsigned long long)c.age_ms,
             c.has_result ? (int)c.result.len : 4,
             c.has_result ? (const char *)c.result.ptr : "none");
        at += took;
        left -= took;
    }
    cr_assert_eq(left, 0);
}

static void frame_at(size_t at, ids_pf *frame) {
    size_t bytes;
    cr_assert_eq(
        ids_pf_read(written.bytes[at], written.len[at], 4096, frame, &bytes),
        IDS_PF_WHOLE, "frame %zu", at);
    cr_assert_eq(bytes, written.len[at]);
}

#define CHANGES                                                            \
    "  shop order-1 state=1 attempt=2 previous=1 token=8/1 fingerprint=2 " \
    "nonce=nonce lease=30000/29000 ttl=86400000/86399000 age=1000 "        \
    "result=none\n"                                                        \
    "  shop order-2 state=3 attempt=2 previous=1 token=8/1 fingerprint=2 " \
    "nonce=nonce lease=0/0 ttl=86400000/86399000 age=1000 result=paid\n"   \
    "  shop order-3 state=0 attempt=0 previous=0 token=0/0 fingerprint=0 " \
    "nonce= lease=0/0 ttl=0/0 age=0 result=none\n"

static const char told_2[] =
    "kind=4 flags=0 stream=2 count=0 epoch=8 session=99 number=6\n"
    "kind=4 flags=1 stream=2 count=0 epoch=8 session=99 number=0\n"
    "kind=7 flags=0 stream=2 count=3 epoch=8 session=99 number=6\n"
    "kind=8 flags=0 stream=2 count=3 epoch=8 session=99 number=0\n" CHANGES
    "kind=6 flags=0 stream=2 count=3 epoch=8 session=99 number=7\n" CHANGES
    "kind=9 flags=0 stream=2 count=0 epoch=8 session=99 number=9\n"
    "kind=5 flags=0 stream=2 count=0 epoch=8 session=99 number=9\n"
    "kind=10 flags=0 stream=2 count=0 epoch=8 session=99 number=12\n"
    "kind=13 flags=0 stream=2 count=0 epoch=8 session=99 number=40\n"
    "kind=12 flags=0 stream=2 count=0 epoch=8 session=99 number=13\n"
    "kind=11 flags=0 stream=2 count=0 epoch=8 session=99 number=10\n";

Test(written, frames_and_changes_of_wire_2) {
    ids_pf frame;
    load("peer-2");
    said_len = 0;
    for (size_t i = 3; i < written.count - 1; i++) {
        frame_at(i, &frame);
        tell("kind=%d flags=%u stream=%u count=%u epoch=%llu session=%llu "
             "number=%llu\n",
             (int)frame.kind, frame.flags, frame.stream, frame.count,
             (unsigned long long)frame.epoch, (unsigned long long)frame.session,
             (unsigned long long)frame.number);
        if (frame.body.len > 0)
            tell_changes(&frame);
    }
    cr_assert_str_eq(said, told_2, "%s", said);
    frame_at(written.count - 1, &frame);
    cr_assert_eq(ids_link_refused(&frame), IDS_REFUSAL_SECRET);
}

static const ids_link_key no_key;
static const ids_link_self own = {.member = {5, 55},
                                  .epoch = 8,
                                  .at = {":7119"},
                                  .name = {"c"},
                                  .life = 555,
                                  .result_bytes_max = 1000,
                                  .program = "today",
                                  .nonce = "nonce of today's"};

static void take(ids_link *link, size_t at, ids_pf *frame) {
    cr_assert(ids_link_take(link, written.bytes[at], written.len[at]));
    cr_assert_eq(ids_link_next(link, frame), IDS_PF_WHOLE);
}

Test(written, one_that_speaks_wire_2_is_let_in) {
    ids_link link = {.body_bytes_max = 1024};
    ids_link_offer offer = {.session = 99, .streams = 3};
    ids_pf frame;
    load("peer-2");
    ids_link_accept(&link);
    take(&link, 0, &frame);
    cr_assert_eq(ids_link_hello(&link, &frame, &no_key), IDS_REFUSAL_NONE);
    cr_assert_eq(link.other.member.node, 2);
    cr_assert_eq(link.other.member.incarnation, 22);
    cr_assert_eq(link.other.epoch, 7);
    cr_assert_eq(link.other.life, 222);
    cr_assert_eq(link.other.settings, 77);
    cr_assert_eq(link.other.result_bytes_max, 1000);
    cr_assert_str_eq(link.other.at.text, ":7118");
    cr_assert_str_eq(link.other.name.text, "b");
    cr_assert_str_eq(link.other.program, "0.1.0");
    cr_assert_eq(ids_link_welcome(&link, &own, &offer, &no_key), 0);
    take(&link, 2, &frame);
    cr_assert_eq(ids_link_proven(&link, &frame, &no_key), IDS_REFUSAL_NONE);
    cr_assert_eq(link.state, IDS_LINK_OPEN);
    ids_link_fini(&link);
}

Test(written, one_that_speaks_wire_2_is_followed) {
    ids_link link = {.body_bytes_max = 1024};
    ids_pf frame;
    load("peer-2");
    cr_assert(ids_link_dial(&link, &own, 2, 99, &no_key));
    take(&link, 1, &frame);
    cr_assert_eq(ids_link_welcomed(&link, &frame, &no_key), IDS_REFUSAL_NONE);
    cr_assert_eq(link.state, IDS_LINK_OPEN);
    cr_assert(link.other.primary);
    cr_assert_eq(link.other.led, 8);
    cr_assert_str_eq(link.other.at.text, "db-1.example:7117");
    cr_assert_eq(link.offer.streams, 3);
    cr_assert_eq(link.offer.first, 5);
    cr_assert_eq(link.offer.last, 9);
    ids_link_fini(&link);
}
