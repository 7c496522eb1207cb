/* SPDX-License-Identifier: Apache-2.0 */
/* test_keys.c -- key rings and histories: what they hold and let go. */
#include "server/core/receipt.h"
#include "server/peer/history.h"
#include "tests/lib/rng.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* For a few dozen names. */
#define RING_BYTES 4096

static idp_slice text(const char *of) {
    return (idp_slice){(const uint8_t *)of, strlen(of)};
}

static void note(ids_key_ring *ring, uint64_t epoch, uint32_t stream,
                 uint64_t number) {
    char key[24];
    snprintf(key, sizeof key, "key %llu", (unsigned long long)number);
    ids_key_ring_note(ring, &(ids_key_at){epoch, number, stream}, text("shop"),
                      text(key));
}

static uint64_t count_entries(const ids_key_ring *ring) {
    ids_key_entry entry;
    uint64_t at = 0, count = 0;
    while (ids_key_ring_next(ring, &at, &entry)) {
        cr_assert_eq(entry.ns.len, 4u);
        cr_assert_eq(memcmp(entry.key.ptr, "key ", 4), 0);
        count++;
    }
    return count;
}

/* --- the ring ------------------------------------------------------------- */

Test(key_ring, the_oldest_give_way_and_are_remembered_as_numbers) {
    ids_key_ring ring;
    cr_assert(ids_key_ring_init(&ring, RING_BYTES));
    for (uint64_t n = 1; n <= 5000; n++) {
        note(&ring, 7, (uint32_t)(n % 3), n);
        cr_assert_eq(count_entries(&ring) + ring.let_go, n);
        cr_assert_leq(ring.head - ring.tail, ring.cap);
    }
    cr_assert_gt(ring.let_go, 4800);
    cr_assert_eq(ring.gone_epoch, 7);
    for (uint64_t k = 0; k < 3; k++) {
        cr_assert_leq(ring.gone[k], ring.let_go);
        cr_assert_gt(ring.gone[k] + 3, ring.let_go);
    }
    ids_key_ring_fini(&ring);
}

Test(key_ring, the_longest_names_and_none) {
    static uint8_t longest[IDP_KEY_BYTES_MAX];
    const idp_slice ns = {longest, IDS_RECEIPT_NS_BYTES};
    const idp_slice key = {longest, sizeof longest};
    ids_key_ring ring;
    ids_key_entry entry;
    uint64_t at = 0;
    cr_assert(ids_key_ring_init(&ring, RING_BYTES));
    cr_assert_not(ids_key_ring_next(&ring, &at, &entry));
    for (uint64_t n = 1; n <= 100; n++)
        ids_key_ring_note(&ring, &(ids_key_at){1, n, 0}, ns, key);
    cr_assert(ids_key_ring_next(&ring, &at, &entry));
    cr_assert_eq(entry.ns.len, ns.len);
    cr_assert_eq(entry.key.len, key.len);
    cr_assert_eq(entry.at.number, ring.gone[0] + 1);
    ids_key_ring_note(&ring, &(ids_key_at){1, 101, 0}, text(""), text("k"));
    ids_key_ring_fini(&ring);
    /* Nobody asked for one. */
    ids_key_ring_note(&ring, &(ids_key_at){1, 1, 0}, ns, key);
    cr_assert_not(ids_key_ring_reaches(&ring, &(ids_common){1, 1, {0}}));
}

Test(key_ring, a_name_too_long_for_the_ring_takes_all_with_it) {
    static uint8_t longest[IDP_KEY_BYTES_MAX];
    ids_key_ring ring;
    ids_key_entry entry;
    uint64_t at = 0;
    cr_assert(ids_key_ring_init(&ring, 0));
    cr_assert_eq(ring.cap, IDS_KEY_RING_BYTES_MIN);
    note(&ring, 7, 0, 1);
    /* A quarter of it is 64 bytes, 24 of them besides the names. */
    ids_key_ring_note(&ring, &(ids_key_at){7, 2, 0}, text(""),
                      (idp_slice){longest, 40});
    cr_assert_eq(ring.let_go, 0u);
    ids_key_ring_note(&ring, &(ids_key_at){7, 3, 0}, text(""),
                      (idp_slice){longest, 41});
    cr_assert_eq(ring.let_go, 3u);
    cr_assert_eq(ring.gone[0], 3u);
    cr_assert_not(ids_key_ring_next(&ring, &at, &entry));
    note(&ring, 7, 0, 4);
    cr_assert(ids_key_ring_next(&ring, &at, &entry));
    cr_assert_eq(entry.at.number, 4u);
    ids_key_ring_fini(&ring);
}

Test(key_ring, reaches_as_far_as_nothing_was_let_go) {
    ids_key_ring ring;
    ids_common common = {.epoch = 7, .streams = 2};
    cr_assert(ids_key_ring_init(&ring, RING_BYTES));
    cr_assert(ids_key_ring_reaches(&ring, &common));
    for (uint64_t n = 1; n <= 300; n++)
        note(&ring, 7, 1, n);
    common.at[1] = ring.gone[1];
    cr_assert(ids_key_ring_reaches(&ring, &common));
    common.at[1]--;
    cr_assert_not(ids_key_ring_reaches(&ring, &common));
    common.epoch = 8;
    cr_assert(ids_key_ring_reaches(&ring, &common));
    common = (ids_common){.epoch = 6, .streams = 2, .at = {1000, 1000}};
    cr_assert_not(ids_key_ring_reaches(&ring, &common));
    /* Of a stream that epoch is not said to have. */
    common = (ids_common){.epoch = 7, .streams = 1, .at = {1000}};
    cr_assert_not(ids_key_ring_reaches(&ring, &common));
    ids_key_ring_fini(&ring);
}

Test(key_ring, what_a_join_wrote_goes_and_takes_older_epochs_with_it) {
    ids_key_ring ring;
    ids_history history = {0};
    const uint64_t low[1] = {0};
    cr_assert(ids_key_ring_init(&ring, RING_BYTES));
    ids_history_add(&history, 6, 1, low);
    ids_history_add(&history, 7, 1, low);
    note(&ring, 7, IDS_KEYS_TOUCHED, 1);
    ids_history_let_go(&history, &ring);
    cr_assert_eq(history.count, 2u);
    for (uint64_t n = 1; ring.let_go == 0; n++)
        note(&ring, 7, 0, n);
    cr_assert_eq(ring.gone[0], 0u);
    ids_history_let_go(&history, &ring);
    cr_assert_eq(history.count, 1u);
    cr_assert_eq(history.of[0].epoch, 7u);
    cr_assert_eq(history.of[0].low[0], 0u);
    note(&ring, 7, 0, 1000);
    ids_history_let_go(&history, &ring);
    cr_assert_eq(history.of[0].low[0], ring.gone[0]);
    ids_key_ring_fini(&ring);
}

Test(key_ring, beyond_is_later_in_the_epoch_or_of_a_later_one) {
    const ids_common common = {.epoch = 7, .streams = 2, .at = {10, 20}};
    static const struct {
        ids_key_at at;
        bool beyond;
    } cases[] = {{{7, 10, 0}, false},
                 {{7, 11, 0}, true},
                 {{7, 20, 1}, false},
                 {{7, 21, 1}, true},
                 {{7, 1, 2}, true},
                 {{6, 99, 0}, false},
                 {{8, 1, 0}, true},
                 {{7, 0, IDS_KEYS_TOUCHED}, false},
                 {{8, 0, IDS_KEYS_TOUCHED}, true},
                 {{6, 0, IDS_KEYS_TOUCHED}, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_assert_eq(ids_key_is_beyond(&cases[i].at, &common), cases[i].beyond,
                     "case %zu", i);
}

/* A stream that no number is kept of: its changes count as touched. */
Test(key_ring, a_stream_too_many) {
    ids_key_ring ring;
    ids_key_entry entry;
    uint64_t at = 0;
    cr_assert(ids_key_ring_init(&ring, RING_BYTES));
    note(&ring, 7, IDS_KEYS_STREAMS_MAX - 1, 5);
    note(&ring, 7, IDS_KEYS_STREAMS_MAX, 5);
    cr_assert(ids_key_ring_next(&ring, &at, &entry));
    cr_assert_eq(entry.at.stream, IDS_KEYS_STREAMS_MAX - 1);
    cr_assert(ids_key_ring_next(&ring, &at, &entry));
    cr_assert_eq(entry.at.stream, IDS_KEYS_TOUCHED);
    ids_key_ring_fini(&ring);
}

/* --- lists ---------------------------------------------------------------- */

Test(key_list, what_was_appended_is_read) {
    static uint8_t longest[IDP_KEY_BYTES_MAX];
    const idp_slice names[][2] = {
        {{longest, 0}, {longest, 1}},
        {{longest, IDS_RECEIPT_NS_BYTES}, {longest, sizeof longest}},
        {{longest, 3}, {longest, 300}}};
    idp_bytes list = {0};
    idp_slice ns, key;
    size_t at = 0;
    for (int i = 0; i < 3; i++)
        cr_assert(ids_key_append(&list, names[i][0], names[i][1]));
    for (int i = 0; i < 3; i++) {
        cr_assert(
            ids_key_read((idp_slice){list.ptr, list.len}, &at, &ns, &key));
        cr_assert_eq(ns.len, names[i][0].len);
        cr_assert_eq(key.len, names[i][1].len);
    }
    cr_assert_eq(at, list.len);
    cr_assert_not(
        ids_key_read((idp_slice){list.ptr, list.len}, &at, &ns, &key));
    /* Cut off anywhere it is no key, and one past a limit neither. */
    at = 0;
    for (size_t cut = 0; cut < 4; cut++)
        cr_assert_not(ids_key_read((idp_slice){list.ptr, cut}, &at, &ns, &key));
    idp_bytes_free(&list);
    uint8_t bad[1024] = {IDS_RECEIPT_NS_BYTES + 1, 1, 0};
    cr_assert_not(ids_key_read((idp_slice){bad, sizeof bad}, &at, &ns, &key));
    memcpy(bad,
           (uint8_t[]){0, (IDP_KEY_BYTES_MAX + 1) & 0xff,
                       (IDP_KEY_BYTES_MAX + 1) >> 8},
           3);
    cr_assert_not(ids_key_read((idp_slice){bad, sizeof bad}, &at, &ns, &key));
    memcpy(bad, (uint8_t[]){0, 0, 0}, 3);
    cr_assert_not(ids_key_read((idp_slice){bad, sizeof bad}, &at, &ns, &key));
    /* A receipt whose namespace is longer than one. */
    memcpy(bad, (uint8_t[]){IDS_RECEIPT_NS_BYTES, 1, 0, IDP_NS_BYTES_MAX + 1},
           4);
    cr_assert_not(ids_key_read((idp_slice){bad, sizeof bad}, &at, &ns, &key));
}

Test(key_filter, knows_a_key_again_and_takes_none_for_another) {
    ids_key_filter *filter = ids_key_filter_new();
    cr_assert(ids_key_filter_is_new(filter, text("a"), text("bc")));
    cr_assert_not(ids_key_filter_is_new(filter, text("a"), text("bc")));
    cr_assert(ids_key_filter_is_new(filter, text("ab"), text("c")));
    for (int i = 0; i < 20000; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        cr_assert(ids_key_filter_is_new(filter, text(""), text(key)));
        cr_assert_not(ids_key_filter_is_new(filter, text(""), text(key)));
    }
    ids_key_filter_free(filter);
    cr_assert(ids_key_filter_is_new(NULL, text(""), text("k")));
}

/* --- histories ------------------------------------------------------------ */

Test(history, the_oldest_epoch_is_forgotten) {
    static const uint64_t low[IDS_KEYS_STREAMS_MAX + 1] = {5};
    ids_history history = {0};
    for (uint64_t e = 1; e <= IDS_HISTORY_EPOCHS_MAX; e++)
        ids_history_add(&history, e, 1, low);
    cr_assert_eq(history.of[0].epoch, 1u);
    ids_history_add(&history, 100, IDS_KEYS_STREAMS_MAX, low);
    cr_assert_eq(history.count, IDS_HISTORY_EPOCHS_MAX);
    cr_assert_eq(history.of[0].epoch, 2u);
    /* One stream too many: it was never whole there. */
    ids_history_add(&history, 101, IDS_KEYS_STREAMS_MAX + 1, low);
    cr_assert_eq(history.of[history.count - 1].epoch, 100u);
    ids_history_drop(&history, 100);
    ids_history_drop(&history, 99);
    cr_assert_eq(history.count, IDS_HISTORY_EPOCHS_MAX - 1);
}

Test(history, common_is_the_last_epoch_of_both_if_both_reach_it) {
    const uint64_t low[2] = {5, 5};
    ids_history mine = {0}, theirs = {0};
    ids_common common;
    cr_assert_not(ids_history_common(&mine, &theirs, &common));
    ids_history_add(&mine, 7, 2, low);
    ids_history_add(&theirs, 7, 2, low);
    ids_history_add(&theirs, 8, 2, low);
    ids_history_reached(&mine, 7, 0, 9);
    ids_history_reached(&mine, 7, 1, 6);
    ids_history_reached(&theirs, 7, 0, 8);
    ids_history_reached(&theirs, 7, 1, 8);
    ids_history_reached(&theirs, 7, 2, 8);
    cr_assert(ids_history_common(&mine, &theirs, &common));
    cr_assert_eq(common.epoch, 7u);
    cr_assert_eq(common.at[0], 8u);
    cr_assert_eq(common.at[1], 6u);
    cr_assert(ids_history_has(&mine, &common));
    cr_assert(ids_history_has(&theirs, &common));
    common.at[0]++;
    cr_assert_not(ids_history_has(&theirs, &common));
    mine.of[0].low[1] = 6;
    cr_assert(ids_history_common(&mine, &theirs, &common));
    mine.of[0].low[1] = 7;
    cr_assert_not(ids_history_common(&mine, &theirs, &common));
    mine.of[0] = theirs.of[0];
    mine.of[0].streams = 1;
    cr_assert_not(ids_history_common(&mine, &theirs, &common));
}

Test(history, what_was_written_is_read_and_nothing_else_is_believed) {
    idt_rng rng;
    idt_rng_seed(&rng, 3);
    for (int round = 0; round < 3000; round++) {
        ids_history history = {0}, read;
        ids_common common = {.epoch = 9, .streams = 3, .at = {1, 2, 3}};
        ids_common common_read;
        uint8_t common_bytes[IDS_COMMON_BYTES_MAX];
        idp_bytes bytes = {0};
        uint64_t low[IDS_KEYS_STREAMS_MAX] = {0};
        uint32_t epochs = idt_rng_below(&rng, IDS_HISTORY_EPOCHS_MAX + 1);
        for (uint32_t e = 0; e < epochs; e++)
            ids_history_add(&history, 10 + e,
                            1 + idt_rng_below(&rng, IDS_KEYS_STREAMS_MAX), low);
        cr_assert(ids_history_write(&history, &bytes));
        cr_assert(ids_history_read(&read, (idp_slice){bytes.ptr, bytes.len}));
        cr_assert_eq(read.count, history.count);
        for (uint32_t e = 0; e < epochs; e++)
            cr_assert_eq(memcmp(&read.of[e], &history.of[e], sizeof read.of[e]),
                         0);
        if (bytes.len > 0) {
            size_t cut = idt_rng_below(&rng, (uint32_t)bytes.len);
            ids_history_read(&read, (idp_slice){bytes.ptr, cut});
            bytes.ptr[idt_rng_below(&rng, (uint32_t)bytes.len)] ^=
                (uint8_t)(1u << idt_rng_below(&rng, 8));
            ids_history_read(&read, (idp_slice){bytes.ptr, bytes.len});
            cr_assert_leq(read.count, IDS_HISTORY_EPOCHS_MAX);
        }
        idp_bytes_free(&bytes);
        size_t len = ids_common_write(&common, common_bytes);
        cr_assert(
            ids_common_read(&common_read, (idp_slice){common_bytes, len}));
        cr_assert_eq(memcmp(&common, &common_read, sizeof common), 0);
        cr_assert_not(
            ids_common_read(&common_read, (idp_slice){common_bytes, len - 1}));
    }
    /* One epoch too many. */
    ids_history read;
    uint8_t many[(IDS_HISTORY_EPOCHS_MAX + 1) * 28] = {0};
    for (uint8_t e = 0; e <= IDS_HISTORY_EPOCHS_MAX; e++)
        memcpy(many + 28 * (size_t)e,
               (uint8_t[]){(uint8_t)(e + 1), 0, 0, 0, 0, 0, 0, 0, 1}, 9);
    cr_assert(ids_history_read(&read, (idp_slice){many, sizeof many - 28}));
    cr_assert_not(ids_history_read(&read, (idp_slice){many, sizeof many}));
}
