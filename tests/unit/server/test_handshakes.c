/* SPDX-License-Identifier: Apache-2.0 */
/* test_handshakes.c -- whose handshake is let in, who waits, and who goes. */
#include "server/net/handshakes.h"
#include "server/net/sources.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>

#define MANY 300

static ids_handshakes all;
static ids_handshake of[MANY];
static ids_handshake *goes;

/* The next one of this source. */
static bool begins(int which, uint64_t source, uint64_t now_ms) {
    of[which].source = source;
    return ids_handshakes_begin(&all, &of[which], now_ms, &goes);
}

/* The first 64, of this source. */
static void fill(uint64_t source, uint64_t now_ms) {
    for (int i = 0; i < (int)IDS_HANDSHAKES_MAX; i++) {
        cr_assert(begins(i, source, now_ms));
        cr_assert_null(goes);
    }
    cr_assert_eq(all.count, IDS_HANDSHAKES_MAX);
}

Test(handshakes, one_over_the_limit_waits_and_follows_who_leaves) {
    fill(1, 0);
    cr_assert_not(begins(64, 1, 10));
    cr_assert_eq(of[64].state, IDS_HANDSHAKE_WAITS);
    cr_assert_null(ids_handshakes_next(&all, 10, &goes));
    ids_handshakes_leave(&all, &of[3]);
    cr_assert_eq(ids_handshakes_due_ms(&all, 10), 10);
    cr_assert_eq(ids_handshakes_next(&all, 10, &goes), &of[64]);
    cr_assert_null(goes);
    cr_assert_eq(of[64].state, IDS_HANDSHAKE_UNDER_WAY);
    cr_assert_eq(all.count, IDS_HANDSHAKES_MAX);
}

Test(handshakes, one_source_can_not_shut_another_out) {
    fill(1, 0);
    for (int i = 0; i < (int)IDS_HANDSHAKES_A_SOURCE; i++) {
        cr_assert(begins(64 + i, 2, 5));
        cr_assert(goes && goes->source == 1);
        ids_handshakes_leave(&all, goes);
        cr_assert_eq(all.count, IDS_HANDSHAKES_MAX);
    }
    /* It has its share now, and nobody else too little. */
    cr_assert_not(begins(80, 2, 6));
    /* What the first has left is not taken below its share. */
    for (int i = 0; i < 7; i++) {
        for (int one = 0; one < 8; one++) {
            int which = 100 + 8 * i + one;
            if (!begins(which, 10 + (uint64_t)i, 7)) {
                cr_assert_eq(i, 6);
                continue;
            }
            if (goes)
                ids_handshakes_leave(&all, goes);
        }
    }
    uint32_t first = 0;
    for (ids_listed *at = all.under_way.head; at; at = at->next)
        first += IDS_LISTED(ids_handshake, in_list, at)->source == 1;
    cr_assert_eq(first, IDS_HANDSHAKES_A_SOURCE);
}

Test(handshakes, who_stands_still_goes_and_who_moves_stays) {
    fill(1, 0);
    ids_handshakes_moved(&of[0], 1, 900);
    cr_assert_not(begins(64, 1, IDS_HANDSHAKE_STUCK_MS - 1));
    cr_assert_eq(ids_handshakes_due_ms(&all, 999), IDS_HANDSHAKE_STUCK_MS);
    cr_assert_eq(ids_handshakes_next(&all, IDS_HANDSHAKE_STUCK_MS, &goes),
                 &of[64]);
    cr_assert_eq(goes, &of[1]); /* not the first: it has moved */
    ids_handshakes_leave(&all, goes);
    /* The same record is no move. */
    ids_handshakes_moved(&of[2], 0, 999);
    cr_assert(begins(65, 1, IDS_HANDSHAKE_STUCK_MS));
    cr_assert_eq(goes, &of[2]);
}

Test(handshakes, nobody_takes_longer_than_5_s) {
    cr_assert(begins(0, 1, 100));
    for (uint64_t ms = 600; ms < 5000; ms += 500)
        ids_handshakes_moved(&of[0], ms, ms);
    uint64_t end_ms = 100 + IDS_HANDSHAKE_MS;
    cr_assert_eq(ids_handshakes_due_ms(&all, 4000), end_ms);
    cr_assert_null(ids_handshakes_late(&all, end_ms - 1));
    cr_assert_eq(ids_handshakes_late(&all, end_ms), &of[0]);
    ids_handshakes_leave(&all, &of[0]);
    cr_assert_eq(ids_handshakes_due_ms(&all, end_ms), UINT64_MAX);
    /* Nor waits for longer. */
    fill(1, 10000);
    for (int i = 0; i < (int)IDS_HANDSHAKES_MAX; i++)
        ids_handshakes_moved(&of[i], 1, 10900);
    cr_assert_not(begins(64, 1, 10901));
    for (int i = 0; i < (int)IDS_HANDSHAKES_MAX; i++)
        ids_handshakes_leave(&all, &of[i]);
    cr_assert_eq(ids_handshakes_late(&all, 15901), &of[64]);
}

Test(handshakes, a_known_source_goes_first) {
    fill(1, 0);
    cr_assert_not(begins(64, 1, 1));
    of[65].is_known = true;
    cr_assert_not(begins(65, 1, 2));
    ids_handshakes_leave(&all, &of[0]);
    cr_assert_eq(ids_handshakes_next(&all, 3, &goes), &of[65]);
    ids_handshakes_leave(&all, &of[64]);
    ids_handshakes_leave(&all, &of[64]); /* is fine twice */
    ids_handshakes_leave(&all, &of[1]);
    cr_assert_null(ids_handshakes_next(&all, 4, &goes));
}

Test(handshakes, strangers_who_stay_do_not_keep_the_last_one_out) {
    for (int i = 0; i < MANY - 1; i++)
        begins(i, 100 + (uint64_t)i % 32, 0);
    cr_assert_not(begins(MANY - 1, 7, 900));
    bool is_first_in = false, is_last_in = false;
    for (int i = 0; i < 2; i++) {
        const ids_handshake *next = ids_handshakes_next(&all, 1000, &goes);
        cr_assert_not_null(next);
        cr_assert_not_null(goes, "one that stands still");
        ids_handshakes_leave(&all, goes);
        is_first_in |= next == &of[IDS_HANDSHAKES_MAX];
        is_last_in |= next == &of[MANY - 1];
    }
    cr_assert(is_first_in && is_last_in);
}

static uint64_t source_of(const char *address) {
    ids_who who;
    cr_assert(ids_who_read(&who, address), "%s", address);
    return ids_source_of(&who);
}

Test(handshakes, a_source_is_an_address_or_a_64) {
    cr_assert_neq(source_of("127.0.0.1"), source_of("127.0.0.2"));
    cr_assert_eq(source_of("127.0.0.1"), source_of("::ffff:127.0.0.1"));
    cr_assert_eq(source_of("2001:203:405:607:8::"),
                 source_of("2001:203:405:607:9::"));
    cr_assert_neq(source_of("2001:203:405:607:8::"),
                  source_of("2001:203:405:608:8::"));
}

Test(handshakes, a_source_is_known_for_an_hour) {
    static ids_sources sources;
    const uint64_t hour_ms = 3600000, now_ms = 7000;
    cr_assert_not(ids_sources_know(&sources, 5, 0));
    ids_sources_note(&sources, 5, now_ms);
    cr_assert(ids_sources_know(&sources, 5, now_ms));
    cr_assert(ids_sources_know(&sources, 5, now_ms + hour_ms));
    cr_assert_not(ids_sources_know(&sources, 5, now_ms + hour_ms + 1000));
    cr_assert_not(ids_sources_know(&sources, 6, now_ms));
}
