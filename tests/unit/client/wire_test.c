/* SPDX-License-Identifier: Apache-2.0 */
/* wire_test.c -- what a server announces costs nothing: room grows with what
 * has arrived; and a msgid comes once on a connection. */
#include <criterion/criterion.h>
#include <string.h>

#include "client/src/wire.h"

#define ANNOUNCED (1u << 30)

/* An acquire's reply whose result is announced with 1 GiB. */
static const uint8_t HEAD[] = {0x94, 0x01, 0x01, 0xc0, 0x95, 0xa6,
                               'r',  'e',  'p',  'l',  'a',  'y',
                               0xc6, 0x40, 0x00, 0x00, 0x00};

/* The whole arrives in pieces of this many bytes; never is more than so many
 * times of what came set aside. */
static void arrives_in_pieces(size_t piece, size_t total) {
    idem__wire wire;
    idem__wire_init(&wire);
    wire.reply_bytes_max = idp_reply_bytes_max(ANNOUNCED);
    size_t came = 0;
    while (came < total) {
        idem__op *op = NULL;
        idp_reply reply = {0};
        size_t room = 0;
        uint8_t *to = idem__wire_room(&wire, &room);
        size_t len = room < piece ? room : piece;
        cr_assert(to != NULL && room > 0);
        memset(to, 'r', len);
        if (came == 0)
            memcpy(to, HEAD, sizeof HEAD);
        wire.in.end += len;
        came += len;
        cr_assert_eq(idem__wire_next(&wire, &op, &reply), IDEM__NEXT_NONE);
        cr_assert_leq(wire.in.cap, 4 * came + 65536, "%zu came, %zu reserved",
                      came, wire.in.cap);
    }
    idem__wire_fini(&wire);
}

Test(wire, an_announced_gigabyte_reserves_nothing) {
    arrives_in_pieces(sizeof HEAD, sizeof HEAD);
}

Test(wire, room_grows_with_what_arrives) {
    arrives_in_pieces(1000, 300000);
    arrives_in_pieces(1u << 20, 8u << 20);
}

Test(wire, what_a_hello_announces_is_not_reserved_either) {
    idem__wire wire;
    size_t room = 0;
    idp_hello hello = {.result_bytes_max = IDP_INT_MAX};
    idem__wire_init(&wire);
    idem__wire_set_hello(&wire, &hello);
    cr_assert_not_null(idem__wire_room(&wire, &room));
    cr_assert_leq(wire.in.cap, 65536);
    idem__wire_fini(&wire);
}

static uint32_t asked_and_given_up(idem__wire *wire, bool says_hello) {
    idem__op op = {.deadline_ms = UINT64_MAX};
    idem__hello_args args = {.shard = -1};
    idp_request ping = {.method = IDP_PING};
    int32_t code = says_hello ? idem__wire_hello(wire, &op, &args)
                              : idem__wire_queue(wire, &op, &ping);
    cr_assert_eq(code, 0);
    idem__calls_remove(&wire->calls, &op);
    return op.msgid;
}

/* Else the reply to a call that has timed out would be another one's. */
Test(wire, who_says_hello_again_takes_no_msgid_again) {
    idem__wire wire;
    idem__wire_init(&wire);
    uint32_t last = asked_and_given_up(&wire, true);
    for (int i = 0; i < 6; i++) {
        uint32_t next = asked_and_given_up(&wire, i % 2 == 1);
        cr_assert_eq(next, last + 1, "%u after %u", next, last);
        last = next;
    }
    idem__wire_reset(&wire); /* another connection */
    cr_assert_lt(asked_and_given_up(&wire, true), last);
    idem__wire_fini(&wire);
}
