/* SPDX-License-Identifier: Apache-2.0 */
/* job_test.c -- keys, choices, and that a seed says it all. */
#include "bench/key_dist.h"

#include <criterion/criterion.h>
#include <ctype.h>

static const idb_work work = {
    .seed = 3, .key_bytes = 36, .fingerprint_bytes = 32, .result_bytes = 200};

Test(job, a_key_of_36_bytes_looks_like_a_uuid) {
    uint8_t key[36];
    idb_key_write(&work, 12345, key);
    for (int i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        cr_assert(dash ? key[i] == '-' : isxdigit(key[i]), "at %d: %.36s", i,
                  (const char *)key);
    }
}

Test(job, other_numbers_have_other_keys_and_the_same_has_the_same) {
    uint8_t a[36], b[36], again[36];
    idb_key_write(&work, 1, a);
    for (uint64_t n = 2; n < 5000; n++) {
        idb_key_write(&work, n, b);
        cr_assert(memcmp(a, b, 36) != 0);
    }
    idb_key_write(&work, 1, again);
    cr_assert_arr_eq(a, again, 36);
}

Test(job, keys_and_results_have_exactly_the_bytes_that_were_asked_for) {
    for (uint32_t bytes = 8; bytes <= 200; bytes++) {
        uint8_t to[201];
        idb_work w = work;
        memset(to, 0xee, sizeof to);
        w.key_bytes = bytes;
        idb_key_write(&w, 9, to);
        cr_assert_neq(to[bytes - 1], 0xee);
        cr_assert_eq(to[bytes], 0xee);
        memset(to, 0xee, sizeof to);
        w.result_bytes = bytes;
        idb_result_write(&w, 9, to);
        cr_assert_eq(to[bytes], 0xee);
    }
}

Test(job, another_body_has_another_fingerprint) {
    uint8_t a[32], b[32];
    idb_fingerprint_write(&work, 5, false, a);
    idb_fingerprint_write(&work, 5, true, b);
    cr_assert(memcmp(a, b, 32) != 0);
}

Test(pick, a_mix_is_dealt_out_by_its_weights) {
    idb_mix_weights mix = {.weight = {[IDB_FRESH] = 1, [IDB_REPLAY] = 3}};
    idb_picker picker;
    uint32_t seen[IDB_JOB_COUNT] = {0};
    idb_picker_init(&picker, 11, &mix, NULL);
    for (int i = 0; i < 40000; i++)
        seen[idb_pick_job(&picker)]++;
    cr_assert_eq(seen[IDB_FRESH] + seen[IDB_REPLAY], 40000);
    cr_assert_gt(seen[IDB_FRESH], 9000);
    cr_assert_lt(seen[IDB_FRESH], 11000);
}

Test(pick, uniform_reaches_all_keys_and_zipf_prefers_the_first) {
    idb_spread even, zipf;
    idb_rng rng = {5};
    uint32_t first[2] = {0};
    idb_spread_init(&even, 1000, 0);
    idb_spread_init(&zipf, 1000, 0.99);
    for (int i = 0; i < 50000; i++) {
        uint64_t a = idb_spread_pick(&even, &rng);
        uint64_t b = idb_spread_pick(&zipf, &rng);
        cr_assert_lt(a, 1000);
        cr_assert_lt(b, 1000);
        first[0] += a < 10;
        first[1] += b < 10;
    }
    cr_assert_lt(first[0], 1000);
    cr_assert_gt(first[1], 15000);
}
