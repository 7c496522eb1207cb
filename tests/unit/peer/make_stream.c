/* SPDX-License-Identifier: Apache-2.0 */
/* make_stream.c -- what a pair says to each other, a little of everything, as
 * lines of hex: make_stream > FILE.
 *
 * Run it once per version of the peer's wire and commit what it wrote; what it
 * has to say to a reader is in test_written.c. */
#include "server/journal/change.h"
#include "server/peer/link.h"

#include <stdio.h>
#include <string.h>

#define TEXT(words) ((idp_slice){(const uint8_t *)(words), sizeof(words) - 1})

static const ids_link_self replica = {.member = {2, 22},
                                      .epoch = 7,
                                      .at = {":7118"},
                                      .name = {"b"},
                                      .life = 222,
                                      .result_bytes_max = 1000,
                                      .settings = 77,
                                      .program = "0.1.0",
                                      .nonce = "nonce of replica"};
static const ids_link_self primary = {.member = {1, 11},
                                      .epoch = 8,
                                      .primary = true,
                                      .at = {"db-1.example:7117"},
                                      .name = {"a"},
                                      .life = 111,
                                      .led = 8,
                                      .result_bytes_max = 1000,
                                      .settings = 77,
                                      .program = "0.1.0",
                                      .nonce = "nonce of primary"};
static const ids_link_offer offer = {
    .session = 99, .streams = 3, .first = 5, .last = 9};
static const ids_link_key none;

static void say(const uint8_t *bytes, size_t len) {
    for (size_t i = 0; i < len; i++)
        printf("%02x", bytes[i]);
    putchar('\n');
}

static bool carry(ids_link *from, ids_link *to, ids_pf *frame) {
    say(from->out.ptr, from->out.len);
    bool taken = ids_link_take(to, from->out.ptr, from->out.len);
    from->out.len = 0;
    return taken && ids_link_next(to, frame) == IDS_PF_WHOLE;
}

static bool shake_hands(void) {
    ids_link a = {.body_bytes_max = 1024}, b = {.body_bytes_max = 1024};
    ids_pf frame;
    ids_link_accept(&b);
    bool good = ids_link_dial(&a, &replica, 2, 99, &none) &&
                carry(&a, &b, &frame) &&
                ids_link_hello(&b, &frame, &none) == IDS_REFUSAL_NONE &&
                ids_link_welcome(&b, &primary, &offer, &none) == 0 &&
                carry(&b, &a, &frame) &&
                ids_link_welcomed(&a, &frame, &none) == IDS_REFUSAL_NONE &&
                carry(&a, &b, &frame) &&
                ids_link_proven(&b, &frame, &none) == IDS_REFUSAL_NONE;
    ids_link_fini(&a);
    ids_link_fini(&b);
    return good;
}

/* A claim that is held, one that is done, one that was forgotten. */
static size_t changes(uint8_t *to) {
    ids_change held = {.ns = TEXT("shop"),
                       .key = TEXT("order-1"),
                       .fingerprint = TEXT("\x01\x02"),
                       .nonce = TEXT("nonce"),
                       .token = {8, 1},
                       .state = IDP_STATE_IN_PROGRESS,
                       .attempt = 2,
                       .previous = IDP_PREVIOUS_ORPHANED,
                       .lease_ms = 30000,
                       .lease_left_ms = 29000,
                       .ttl_ms = 86400000,
                       .ttl_left_ms = 86399000,
                       .age_ms = 1000};
    ids_change done = held, gone = {.ns = TEXT("shop"), .key = TEXT("order-3")};
    done.key = TEXT("order-2");
    done.state = IDP_STATE_COMPLETED;
    done.class = IDP_CLASS_SUCCESS;
    done.lease_left_ms = done.lease_ms = 0;
    done.has_result = true;
    done.result = TEXT("paid");
    gone.state = IDP_STATE_ABSENT;
    size_t len = ids_change_write(to, &held);
    len += ids_change_write(to + len, &done);
    return len + ids_change_write(to + len, &gone);
}

static bool one(ids_pf frame) {
    idp_bytes out = {0};
    frame.stream = 2;
    frame.epoch = 8;
    frame.session = 99;
    bool good = ids_pf_append(&out, &frame);
    say(out.ptr, out.len);
    idp_bytes_free(&out);
    return good;
}

int main(void) {
    uint8_t room[4096];
    idp_slice some = {room, changes(room)};
    bool good =
        shake_hands() && one((ids_pf){.kind = IDS_PF_START, .number = 6}) &&
        one((ids_pf){.kind = IDS_PF_START, .flags = IDS_PF_FLAG_SYNC}) &&
        one((ids_pf){.kind = IDS_PF_SYNC_BEGIN, .number = 6, .count = 3}) &&
        one((ids_pf){.kind = IDS_PF_SYNC_CHUNK, .count = 3, .body = some}) &&
        one((ids_pf){
            .kind = IDS_PF_APPEND, .number = 7, .count = 3, .body = some}) &&
        one((ids_pf){.kind = IDS_PF_SYNC_END, .number = 9}) &&
        one((ids_pf){.kind = IDS_PF_ACK, .number = 9}) &&
        one((ids_pf){.kind = IDS_PF_ADMIT, .number = 12}) &&
        one((ids_pf){.kind = IDS_PF_HEARTBEAT, .number = 40}) &&
        one((ids_pf){.kind = IDS_PF_DETACHED, .number = 13}) &&
        one((ids_pf){.kind = IDS_PF_SWITCHOVER, .number = 10}) &&
        one((ids_pf){.kind = IDS_PF_REFUSE, .count = IDS_REFUSAL_SECRET});
    return good ? 0 : 1;
}
