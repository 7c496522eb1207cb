/* SPDX-License-Identifier: Apache-2.0 */
/* test_epoch.c -- how epochs are drawn, and which are none. */
#include "server/peer/epoch.h"
#include "server/peer/name.h"

#include <criterion/criterion.h>
#include <string.h>

#define NOW ids_epoch_of(1764000000000)

Test(epoch, two_nodes_never_draw_the_same_in_one_millisecond) {
    for (uint64_t a = 0; a < 1024; a += 31) {
        for (uint64_t b = 0; b < 1024; b += 17) {
            if (a == b)
                continue;
            cr_assert_neq(ids_epoch_draw(0, NOW, a), ids_epoch_draw(0, NOW, b));
            cr_assert_neq(ids_epoch_draw(NOW + 5, 0, a),
                          ids_epoch_draw(NOW + 5, 0, b), "the clock is behind");
        }
    }
}

Test(epoch, one_is_drawn_above_what_is_known_whatever_the_clock_says) {
    cr_assert_eq(ids_epoch_draw(0, NOW, 3), NOW + 3);
    cr_assert_eq(ids_epoch_draw(NOW + 2, NOW, 3), NOW + 3);
    cr_assert_eq(ids_epoch_draw(NOW + 3, NOW, 3), NOW + 1024 + 3);
    cr_assert_eq(ids_epoch_draw(NOW + 3, 0, 3), NOW + 1024 + 3);
    cr_assert_gt(ids_epoch_draw(IDS_EPOCH_MAX, NOW, 3), IDS_EPOCH_MAX);
    cr_assert_gt(ids_epoch_draw(UINT64_MAX, NOW, 3), IDS_EPOCH_MAX);
    cr_assert_eq(ids_epoch_of(1ull << 43), 0, "too late for one");
}

Test(epoch, a_year_ahead_of_clock_and_record_is_the_most_that_is_believed) {
    cr_assert(ids_epoch_is_sound(0, 0, NOW));
    cr_assert(ids_epoch_is_sound(NOW + IDS_EPOCH_AHEAD_MAX, 0, NOW));
    cr_assert_not(ids_epoch_is_sound(NOW + IDS_EPOCH_AHEAD_MAX + 1, 0, NOW));
    cr_assert(ids_epoch_is_sound(NOW + IDS_EPOCH_AHEAD_MAX + 1, NOW + 1, NOW),
              "the record is ahead of the clock");
    cr_assert(ids_epoch_is_sound(IDS_EPOCH_MAX, IDS_EPOCH_MAX - 1, NOW));
    cr_assert_not(ids_epoch_is_sound(IDS_EPOCH_MAX + 1, IDS_EPOCH_MAX, NOW));
    cr_assert_not(ids_epoch_is_sound(UINT64_MAX, UINT64_MAX, UINT64_MAX));
    cr_assert(ids_epoch_is_sound(NOW + IDS_EPOCH_AHEAD_MAX, NOW, 0),
              "without a clock the record counts");
    cr_assert_not(ids_epoch_is_sound(NOW + IDS_EPOCH_AHEAD_MAX + 1, NOW, 0));
}

static ids_node_name named(const char *text) {
    ids_node_name name;
    cr_assert(ids_node_name_from(
        &name, (idp_slice){(const uint8_t *)text, strlen(text)}));
    return name;
}

Test(name, a_drawn_one_is_its_number_and_another_is_a_hash) {
    ids_node_name drawn = ids_node_name_of(0xab), plain = named("db-1.site_a");
    ids_node_name zero = named("0000000000000000"), upper = named("ABCDEF");
    cr_assert_str_eq(drawn.text, "00000000000000ab");
    cr_assert_eq(ids_node_number(&drawn), 0xab);
    cr_assert_neq(ids_node_number(&zero), 0);
    cr_assert_neq(ids_node_number(&plain), 0);
    cr_assert_neq(ids_node_number(&plain), ids_node_number(&upper));
    plain = named("");
    cr_assert_eq(ids_node_number(&plain), 0);
}

Test(name, letters_digits_and_three_signs_up_to_63) {
    char text[65];
    ids_node_name name;
    memset(text, 'x', sizeof text);
    cr_assert(ids_node_name_from(&name, (idp_slice){(uint8_t *)text, 63}));
    cr_assert_not(ids_node_name_from(&name, (idp_slice){(uint8_t *)text, 64}));
    for (int c = 1; c < 256; c++) {
        text[3] = (char)c;
        cr_assert_eq(ids_node_name_from(&name, (idp_slice){(uint8_t *)text, 5}),
                     strchr("0123456789abcdefghijklmnopqrstuvwxyz"
                            "ABCDEFGHIJKLMNOPQRSTUVWXYZ._-",
                            c) != NULL,
                     "%d", c);
    }
}
