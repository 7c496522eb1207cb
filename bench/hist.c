/* SPDX-License-Identifier: Apache-2.0 */
/* hist.c -- the slow half of the histogram: merging and asking.
 *
 * Pure, like its header. */
#include "bench/hist.h"

#include <math.h>
#include <stdlib.h>

idb_hist *idb_hist_new(void) {
    idb_hist *hist = calloc(1, sizeof *hist);
    if (hist)
        hist->min_ns = UINT64_MAX;
    return hist;
}

void idb_hist_free(idb_hist *hist) {
    free(hist);
}

void idb_hist_add(idb_hist *to, const idb_hist *from) {
    for (uint32_t i = 0; i < IDB_HIST_BUCKETS; i++)
        to->counts[i] += from->counts[i];
    to->total += from->total;
    if (from->max_ns > to->max_ns)
        to->max_ns = from->max_ns;
    if (from->min_ns < to->min_ns)
        to->min_ns = from->min_ns;
}

uint64_t idb_hist_bucket_top(uint32_t bucket) {
    if (bucket < 2 * IDB_HIST_HALF)
        return bucket;
    unsigned shift = bucket / IDB_HIST_HALF - 1;
    uint64_t mantissa = bucket - (uint64_t)shift * IDB_HIST_HALF;
    return ((mantissa + 1) << shift) - 1;
}

uint64_t idb_hist_at(const idb_hist *hist, double part) {
    if (hist->total == 0)
        return 0;
    uint64_t rank = (uint64_t)ceil(part * (double)hist->total);
    if (rank < 1)
        rank = 1;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < IDB_HIST_BUCKETS; i++) {
        seen += hist->counts[i];
        if (seen >= rank) {
            uint64_t top = idb_hist_bucket_top(i);
            return top < hist->max_ns ? top : hist->max_ns;
        }
    }
    return hist->max_ns;
}

double idb_hist_mean(const idb_hist *hist) {
    double sum = 0;
    for (uint32_t i = 0; i < IDB_HIST_BUCKETS; i++)
        if (hist->counts[i])
            sum += (double)hist->counts[i] * (double)idb_hist_bucket_top(i);
    return hist->total ? sum / (double)hist->total : 0;
}

double idb_hist_deviation(const idb_hist *hist) {
    double mean = idb_hist_mean(hist), sum = 0;
    for (uint32_t i = 0; i < IDB_HIST_BUCKETS; i++) {
        if (!hist->counts[i])
            continue;
        double d = (double)idb_hist_bucket_top(i) - mean;
        sum += (double)hist->counts[i] * d * d;
    }
    return hist->total ? sqrt(sum / (double)hist->total) : 0;
}
