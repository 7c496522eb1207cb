/* SPDX-License-Identifier: Apache-2.0 */
/* test_ring.c -- the last changes, in a fixed room. */
#include "server/journal/change.h"
#include "server/peer/ring.h"
#include "tests/lib/rng.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static ids_ring ring;

static void put(uint64_t number, size_t result_bytes) {
    static uint8_t result[8192], encoded[sizeof result + 1024];
    char key[24];
    int len = snprintf(key, sizeof key, "key %llu", (unsigned long long)number);
    ids_change change = {.number = number,
                         .ns = {(const uint8_t *)"", 0},
                         .key = {(uint8_t *)key, (size_t)len},
                         .state = IDP_STATE_COMPLETED,
                         .attempt = 1,
                         .ttl_ms = 1000,
                         .ttl_left_ms = 1000,
                         .has_result = true,
                         .result = {result, result_bytes}};
    size_t bytes = ids_change_write(encoded, &change);
    ids_ring_put(&ring, number, (idp_slice){encoded, bytes});
}

/* All that is in the ring behind this number, one by one. */
static void check_from(uint64_t behind) {
    ids_ring_at at;
    idp_slice bytes;
    ids_change change;
    char key[24];
    cr_assert(ids_ring_seek(&ring, behind, &at));
    for (uint64_t n = behind + 1; n <= ring.last; n++) {
        int len = snprintf(key, sizeof key, "key %llu", (unsigned long long)n);
        cr_assert_eq(at.number, n);
        cr_assert(ids_ring_next(&ring, &at, &bytes));
        cr_assert_eq(ids_change_read(bytes.ptr, bytes.len, &change), bytes.len);
        cr_assert_eq(change.key.len, (size_t)len);
        cr_assert_eq(memcmp(change.key.ptr, key, change.key.len), 0);
    }
    cr_assert_not(ids_ring_next(&ring, &at, &bytes));
}

Test(ring, the_oldest_give_way) {
    cr_assert(ids_ring_init(&ring, IDS_RING_BYTES_MIN, 0));
    idt_rng rng;
    idt_rng_seed(&rng, 1);
    for (uint64_t n = 1; n <= 5000; n++) {
        put(n, idt_rng_below(&rng, 300));
        cr_assert_leq(ring.head - ring.tail, ring.cap);
        cr_assert_leq(ring.first, n);
        check_from(ring.first - 1);
    }
    cr_assert_gt(ring.first, 4900);
    ids_ring_fini(&ring);
}

Test(ring, a_position_that_is_gone_or_never_was) {
    ids_ring_at at, early;
    idp_slice bytes;
    cr_assert(ids_ring_init(&ring, IDS_RING_BYTES_MIN, 40));
    cr_assert_not(ids_ring_seek(&ring, 39, &at));
    cr_assert(ids_ring_seek(&ring, 40, &early));
    cr_assert_not(ids_ring_seek(&ring, 41, &at));
    for (uint64_t n = 41; n <= 140; n++)
        put(n, 100);
    cr_assert_not(ids_ring_has(&ring, &early));
    cr_assert_not(ids_ring_next(&ring, &early, &bytes));
    cr_assert_not(ids_ring_seek(&ring, ring.first - 2, &at));
    cr_assert(ids_ring_seek(&ring, 140, &at));
    ids_ring_fini(&ring);
}

Test(ring, a_change_that_is_too_large_takes_all_before_it_along) {
    ids_ring_at at;
    cr_assert(ids_ring_init(&ring, IDS_RING_BYTES_MIN, 0));
    put(1, 10);
    put(2, 5000);
    cr_assert_not(ids_ring_seek(&ring, 1, &at));
    cr_assert(ids_ring_seek(&ring, 2, &at));
    put(3, 10);
    check_from(2);
    ids_ring_fini(&ring);
}

Test(ring, any_position_is_found_in_a_long_one) {
    idt_rng rng;
    idt_rng_seed(&rng, 2);
    cr_assert(ids_ring_init(&ring, 1u << 20, 0));
    for (uint64_t n = 1; n <= 30000; n++)
        put(n, idt_rng_below(&rng, 40));
    cr_assert_gt(ring.last - ring.first, 5 * IDS_RING_MARK_EVERY);
    for (uint64_t behind = ring.first - 1; behind <= ring.last; behind++) {
        ids_ring_at at;
        cr_assert(ids_ring_seek(&ring, behind, &at));
        cr_assert_eq(at.number, behind + 1);
        if (behind % 997 == 0)
            check_from(behind);
    }
    ids_ring_fini(&ring);
}
