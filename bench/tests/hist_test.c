/* SPDX-License-Identifier: Apache-2.0 */
/* hist_test.c -- the histogram against plain sorting. */
#include "bench/hist.h"
#include "bench/report.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define SEED   7
#define VALUES 20000

static int ascending(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

Test(hist, percentiles_are_within_one_part_in_512_of_the_sorted_values) {
    static uint64_t values[VALUES];
    idb_rng rng = {SEED};
    idb_hist *hist = idb_hist_new();
    for (int i = 0; i < VALUES; i++) {
        values[i] = idb_rng_next(&rng) >> (24 + idb_rng_below(&rng, 36));
        idb_hist_record(hist, values[i]);
    }
    qsort(values, VALUES, sizeof *values, ascending);
    const double parts[] = {0.01, 0.5, 0.9, 0.99, 0.999, 1};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        uint64_t want = values[(size_t)(parts[i] * VALUES) - 1];
        uint64_t got = idb_hist_at(hist, parts[i]);
        cr_assert_geq(got, want, "seed %d, part %f", SEED, parts[i]);
        cr_assert_leq(got, want + want / 512 + 1, "seed %d, part %f", SEED,
                      parts[i]);
    }
    idb_hist_free(hist);
}

Test(hist, every_bucket_ends_where_the_next_begins) {
    for (uint32_t i = 0; i + 1 < IDB_HIST_BUCKETS; i++) {
        cr_assert_eq(idb_hist_bucket(idb_hist_bucket_top(i)), i);
        cr_assert_eq(idb_hist_bucket(idb_hist_bucket_top(i) + 1), i + 1);
    }
    cr_assert_eq(idb_hist_bucket(UINT64_MAX), IDB_HIST_BUCKETS - 1);
}

Test(hist, merged_ones_count_as_one) {
    idb_hist *a = idb_hist_new(), *b = idb_hist_new();
    for (uint64_t v = 1; v <= 500; v++)
        idb_hist_record(v % 2 ? a : b, v);
    idb_hist_add(a, b);
    cr_assert_eq(a->total, 500);
    cr_assert_eq(a->min_ns, 1);
    cr_assert_eq(a->max_ns, 500);
    cr_assert_eq(idb_hist_at(a, 0.5), 250);
    idb_hist_free(a);
    idb_hist_free(b);
}

Test(hist, its_percentile_text_ends_with_all_values_and_the_summary) {
    char *text;
    size_t len;
    idb_hist *hist = idb_hist_new();
    for (uint64_t v = 1; v <= 1000; v++)
        idb_hist_record(hist, v * 1000);
    FILE *to = open_memstream(&text, &len);
    idb_report_hgrm(to, hist);
    fclose(to);
    cr_assert(strstr(text, "Value     Percentile TotalCount"));
    cr_assert(strstr(text, "    1000.000 1.000000000000       1000\n"));
    cr_assert(strstr(text, "#[Max     =     1000.000, Total count    ="));
    free(text);
    idb_hist_free(hist);
}
