/* SPDX-License-Identifier: Apache-2.0 */
/* hist.h -- a log-linear histogram of nanoseconds, after HdrHistogram.
 *
 * Values below 2^10 are exact, larger ones are kept to 1 part in 512. Pure;
 * one thread at a time. */
#ifndef IDB_HIST_H
#define IDB_HIST_H

#include <stdint.h>

#define IDB_HIST_HALF_BITS  9
#define IDB_HIST_HALF       (1u << IDB_HIST_HALF_BITS)
#define IDB_HIST_VALUE_BITS 40 /* 18 minutes; more is counted as that */
#define IDB_HIST_BUCKETS \
    ((IDB_HIST_VALUE_BITS - IDB_HIST_HALF_BITS + 1) * IDB_HIST_HALF)

typedef struct idb_hist {
    uint64_t total;
    uint64_t max_ns;
    uint64_t min_ns;
    uint64_t counts[IDB_HIST_BUCKETS];
} idb_hist;

/* NULL without memory. */
idb_hist *idb_hist_new(void);
void idb_hist_free(idb_hist *hist);
void idb_hist_add(idb_hist *to, const idb_hist *from);

static inline uint32_t idb_hist_bucket(uint64_t ns) {
    if (ns < 2 * IDB_HIST_HALF)
        return (uint32_t)ns;
    if (ns >> IDB_HIST_VALUE_BITS)
        return IDB_HIST_BUCKETS - 1;
    unsigned shift = 63u - (unsigned)__builtin_clzll(ns) - IDB_HIST_HALF_BITS;
    return shift * IDB_HIST_HALF + (uint32_t)(ns >> shift);
}

static inline void idb_hist_record(idb_hist *hist, uint64_t ns) {
    hist->counts[idb_hist_bucket(ns)]++;
    hist->total++;
    if (ns > hist->max_ns)
        hist->max_ns = ns;
    if (ns < hist->min_ns)
        hist->min_ns = ns;
}

/* The largest value that falls into the bucket. */
uint64_t idb_hist_bucket_top(uint32_t bucket);

/* The value that `part` (0..1) of all values do not exceed; 0 when empty. */
uint64_t idb_hist_at(const idb_hist *hist, double part);

double idb_hist_mean(const idb_hist *hist);
double idb_hist_deviation(const idb_hist *hist);

#endif
