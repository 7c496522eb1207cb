/* SPDX-License-Identifier: Apache-2.0 */
/* test_stream.c -- a sender and a receiver: what comes through, what not. */
#include "server/journal/change.h"
#include "server/peer/link.h"
#include "server/peer/receiver.h"
#include "server/peer/sender.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ids_ring ring;
static ids_sender sender;
static ids_receiver receiver;
static idp_bytes wire;
static uint64_t routed_batch[64];
static uint32_t routed;

/* Whoever puts them, at once. */
static bool route(void *ctx, const ids_body *body) {
    ids_body rest = *body;
    ids_change changes[IDS_ROUTE_MAX];
    uint32_t count;
    (void)ctx;
    while ((count = ids_body_next(&rest, changes)) > 0)
        while (count-- > 0)
            routed_batch[routed++ % 64] = body->tag.batch;
    return ids_body_is_whole(&rest);
}

static void begin(uint64_t last) {
    cr_assert(ids_ring_init(&ring, 1 << 16, last));
    ids_sender_init(&sender, 0, 7, &ring);
    receiver = (ids_receiver){.result_bytes_max = 100, .route = route};
    wire = (idp_bytes){0};
    routed = 0;
}

static void end(void) {
    ids_sender_fini(&sender);
    ids_ring_fini(&ring);
    idp_bytes_free(&wire);
}

static void take(uint64_t number) {
    ids_change change = {.number = number,
                         .ns = {(const uint8_t *)"", 0},
                         .key = {(const uint8_t *)"k", 1},
                         .state = IDP_STATE_RELEASED,
                         .attempt = 1,
                         .ttl_ms = 1000,
                         .ttl_left_ms = 1000};
    uint8_t encoded[IDS_CHANGE_BARE_BYTES_MAX];
    size_t bytes = ids_change_write(encoded, &change);
    ids_ring_put(&ring, number, (idp_slice){encoded, bytes});
}

/* The next frame on the wire. */
static bool next(ids_pf *frame) {
    size_t bytes = 0;
    wire.len = 0;
    return ids_sender_next(&sender, NULL, 0, &wire) &&
           ids_pf_read(wire.ptr, wire.len, 1 << 20, frame, &bytes) ==
               IDS_PF_WHOLE;
}

Test(stream, it_goes_on_where_the_copy_is) {
    ids_pf frame;
    begin(10);
    for (uint64_t n = 11; n <= 20; n++)
        take(n);
    cr_assert_not(ids_sender_continue(&sender, 5, 9));
    cr_assert_not(ids_sender_continue(&sender, 5, 21));
    cr_assert(ids_sender_continue(&sender, 5, 14));
    ids_receiver_continue(&receiver, 14);
    cr_assert(next(&frame));
    cr_assert_eq(frame.number, 15);
    cr_assert_eq(frame.count, 6);
    cr_assert_eq(frame.session, 5);
    cr_assert_eq(frame.epoch, 7);
    cr_assert(ids_receiver_frame(&receiver, &frame));
    cr_assert_eq(routed, 6);
    cr_assert_eq(receiver.applied, 14, "nothing is applied yet");
    for (uint32_t i = 0; i < 6; i++)
        ids_receiver_applied(&receiver, routed_batch[i]);
    cr_assert_eq(receiver.applied, 20);
    cr_assert_not(next(&frame));
    end();
}

Test(stream, a_gap_ends_it_and_a_repetition_does_nothing) {
    ids_pf frame;
    begin(0);
    for (uint64_t n = 1; n <= 6; n++)
        take(n);
    cr_assert(ids_sender_continue(&sender, 5, 0));
    cr_assert(next(&frame));
    ids_receiver_continue(&receiver, 4);
    cr_assert(ids_receiver_frame(&receiver, &frame));
    cr_assert_eq(routed, 2, "four were there");
    cr_assert(ids_receiver_frame(&receiver, &frame));
    cr_assert_eq(routed, 2);
    cr_assert_eq(receiver.routed, 6);
    frame.number = 8;
    cr_assert_not(ids_receiver_frame(&receiver, &frame));
    end();
}

/* Whatever the bytes, it ends the session at the worst. */
Test(stream, nonsense_is_refused) {
    ids_pf frame;
    begin(0);
    take(1);
    ids_sender_continue(&sender, 5, 0);
    cr_assert(next(&frame));
    ids_pf good = frame;
    ids_receiver_continue(&receiver, 0);
    frame.count = 2;
    cr_assert_not(ids_receiver_frame(&receiver, &frame), "one is missing");
    ids_receiver_continue(&receiver, 0);
    frame = good;
    frame.number = UINT64_MAX;
    frame.count = 2;
    cr_assert_not(ids_receiver_frame(&receiver, &frame));
    ids_receiver_continue(&receiver, 0);
    frame = good;
    frame.body.len--;
    cr_assert_not(ids_receiver_frame(&receiver, &frame));
    ids_receiver_continue(&receiver, 0);
    frame = good;
    frame.kind = IDS_PF_SYNC_CHUNK;
    cr_assert_not(ids_receiver_frame(&receiver, &frame), "no sync is on");
    ids_receiver_sync(&receiver, false);
    cr_assert_not(ids_receiver_frame(&receiver, &good), "it has not begun");
    end();
}

Test(stream, a_replica_that_is_left_behind_loses_its_session) {
    ids_pf frame;
    begin(0);
    take(1);
    cr_assert(ids_sender_continue(&sender, 5, 0));
    for (uint64_t n = 2; n < 4000; n++)
        take(n);
    cr_assert_not(next(&frame));
    cr_assert_eq(sender.state, IDS_SENDING_LOST);
    end();
}

Test(stream, frames_that_nobody_applies_are_not_taken_for_good) {
    ids_pf frame;
    begin(0);
    ids_sender_continue(&sender, 5, 0);
    ids_receiver_continue(&receiver, 0);
    for (uint64_t n = 1; n <= IDS_BATCHES_MAX; n++) {
        cr_assert_not(ids_receiver_is_full(&receiver));
        take(n);
        cr_assert(next(&frame));
        cr_assert(ids_receiver_frame(&receiver, &frame));
    }
    cr_assert(ids_receiver_is_full(&receiver));
    cr_assert_eq(receiver.applied, 0);
    ids_receiver_applied(&receiver, routed_batch[1]);
    cr_assert_eq(receiver.applied, 0, "the first is still under way");
    ids_receiver_applied(&receiver, routed_batch[0]);
    cr_assert_eq(receiver.applied, 2);
    cr_assert_not(ids_receiver_is_full(&receiver));
    ids_receiver_applied(&receiver, 12345);
    cr_assert_eq(receiver.applied, 2);
    end();
}

/* What the rest of the node knows of a sender, and it of them: only where the
 * two meet. */
Test(stream, a_session_that_another_loop_ends_is_over_where_they_meet) {
    ids_progress progress = {0};
    ids_pf frame;
    begin(10);
    for (uint64_t n = 11; n <= 14; n++)
        take(n);
    ids_progress_took(&progress, (ids_lag_mark){11, 1000, 0}, 14);
    cr_assert(ids_sender_continue(&sender, 5, 12));
    ids_progress_begin(&progress, &sender,
                       (ids_lag_mark){13, 1001, sender.at.offset});
    cr_assert_eq(progress.session, 5);
    cr_assert_eq(progress.state, IDS_SENDING_STREAM);
    cr_assert_eq(progress.reached, 12);
    ids_progress_acked(&progress, 13);
    ids_progress_acked(&progress, 12);
    cr_assert_eq(progress.acked, 13, "it is never taken back");
    ids_progress_end(&progress);
    cr_assert(next(&frame), "it does not know yet");
    cr_assert_eq(frame.session, 5, "and nobody takes that");
    ids_sender_meet(&sender, &progress);
    cr_assert_eq(sender.session, 0);
    take(15);
    cr_assert_not(next(&frame));
    ids_sender_meet(&sender, &progress);
    cr_assert_eq(progress.state, IDS_SENDING_OFF);
    end();
}

Test(stream, one_that_is_left_behind_says_so_where_they_meet) {
    ids_progress progress = {0};
    ids_pf frame;
    begin(0);
    take(1);
    cr_assert(ids_sender_continue(&sender, 5, 0));
    ids_progress_begin(&progress, &sender, (ids_lag_mark){1, 1000, 0});
    for (uint64_t n = 2; n < 4000; n++)
        take(n);
    cr_assert_not(next(&frame));
    cr_assert_eq(progress.state, IDS_SENDING_STREAM);
    ids_sender_meet(&sender, &progress);
    cr_assert_eq(progress.state, IDS_SENDING_LOST);
    cr_assert_eq(progress.session, 5, "until the node ends it");
    end();
}

/* A link's input is taken out of its hands: what was not read stays with it. */
Test(stream, an_input_outlives_its_link) {
    ids_link link = {.state = IDS_LINK_OPEN, .body_bytes_max = 1 << 20};
    idp_bytes input = {0};
    ids_pf frame, rest;
    begin(0);
    take(1);
    cr_assert(ids_sender_continue(&sender, 5, 0));
    cr_assert(next(&frame));
    size_t len = wire.len;
    cr_assert(ids_link_take(&link, wire.ptr, len));
    cr_assert(ids_link_take(&link, wire.ptr, len - 3));
    cr_assert_eq(ids_link_next(&link, &frame), IDS_PF_WHOLE);
    cr_assert(ids_link_take_input(&link, &input));
    cr_assert_eq(ids_link_next(&link, &rest), IDS_PF_PARTIAL);
    cr_assert(ids_link_take(&link, wire.ptr + len - 3, 3));
    cr_assert_eq(ids_link_next(&link, &rest), IDS_PF_WHOLE);
    cr_assert_eq(rest.body.len, frame.body.len);
    cr_assert_eq(memcmp(rest.body.ptr, frame.body.ptr, rest.body.len), 0);
    ids_link_fini(&link);
    cr_assert_eq(
        memcmp(wire.ptr + len - frame.body.len, frame.body.ptr, frame.body.len),
        0);
    idp_bytes_free(&input);
    end();
}

/* --- a full copy -----------------------------------------------------------
 */

enum { RECORDS = 400, RESULT_BYTES = 9000 };

static uint64_t hash_of(void *ctx, idp_slice ns, idp_slice key) {
    uint64_t hash = 14695981039346656037u + ns.len;
    (void)ctx;
    for (size_t i = 0; i < key.len; i++)
        hash = (hash ^ key.ptr[i]) * 1099511628211u;
    return hash;
}

static void *get(void *ctx, size_t bytes) {
    (void)ctx;
    return aligned_alloc(64, (bytes + 63) / 64 * 64);
}

static void give(void *ctx, void *block, size_t bytes) {
    (void)ctx, (void)bytes;
    free(block);
}

static ids_shard *full_shard(void) {
    static uint8_t result[RESULT_BYTES];
    ids_shard_config config = {.epoch = 7,
                               .memory_bytes_max = 64u << 20,
                               .result_bytes_max = RESULT_BYTES,
                               .mem = {NULL, get, give, NULL},
                               .hash = hash_of};
    ids_shard *shard = ids_shard_new(&config);
    for (uint32_t i = 0; i < RECORDS; i++) {
        char key[16];
        int len = snprintf(key, sizeof key, "%u", i);
        ids_change change = {.ns = {(const uint8_t *)"", 0},
                             .key = {(uint8_t *)key, (size_t)len},
                             .state = IDP_STATE_COMPLETED,
                             .attempt = 1,
                             .ttl_ms = 100000,
                             .ttl_left_ms = 100000,
                             .has_result = true,
                             .result = {result, RESULT_BYTES}};
        cr_assert(ids_shard_put(shard, hash_of(NULL, change.ns, change.key),
                                &change, IDS_CLOCK_START_MS));
    }
    return shard;
}

/* Chunk by chunk, with changes in between; no frame is larger than a change
 * makes it. */
Test(stream, a_full_copy_comes_in_frames_that_are_not_too_large) {
    const size_t body_max =
        IDS_PF_APPEND_BYTES + RESULT_BYTES + IDS_CHANGE_BARE_BYTES_MAX;
    ids_shard *shard = full_shard();
    uint64_t number = 0;
    uint32_t records = 0, changes = 0;
    bool ended = false;
    begin(0);
    receiver.result_bytes_max = RESULT_BYTES;
    ids_sender_sync(&sender, 5);
    ids_receiver_sync(&receiver, false);
    while (!ended) {
        ids_pf frame;
        size_t bytes = 0;
        wire.len = 0;
        take(++number);
        cr_assert_leq(number, 10000);
        if (!ids_sender_next(&sender, shard, IDS_CLOCK_START_MS, &wire))
            continue;
        for (size_t at = 0; at < wire.len; at += bytes) {
            cr_assert_eq(ids_pf_read(wire.ptr + at, wire.len - at, body_max,
                                     &frame, &bytes),
                         IDS_PF_WHOLE);
            routed = 0;
            cr_assert(ids_receiver_frame(&receiver, &frame));
            records += frame.kind == IDS_PF_SYNC_CHUNK ? frame.count : 0;
            changes += frame.kind == IDS_PF_APPEND ? frame.count : 0;
            ended = frame.kind == IDS_PF_SYNC_END;
            for (uint32_t i = 0; i < routed; i++)
                ids_receiver_applied(&receiver, routed_batch[i % 64]);
        }
    }
    cr_assert_geq(records, RECORDS);
    cr_assert_geq(changes, 5);
    cr_assert_eq(sender.state, IDS_SENDING_STREAM);
    cr_assert(receiver.ended);
    ids_sender_stop(&sender);
    ids_shard_free(shard);
    end();
}
