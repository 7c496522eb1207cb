/* SPDX-License-Identifier: Apache-2.0 */
/* key_dist.h -- which job comes next, and on which key.
 *
 * One picker per load thread; deterministic from the seed. */
#ifndef IDB_KEY_DIST_H
#define IDB_KEY_DIST_H

#include "bench/job.h"

/* Zipf over [0, n) after Gray et al., "Quickly generating billion-record
 * synthetic databases"; theta 0 is uniform. */
typedef struct idb_spread {
    uint64_t n;
    double theta, alpha, zeta_n, eta;
} idb_spread;

/* Takes O(n) for theta > 0. 0 <= theta < 1. */
void idb_spread_init(idb_spread *spread, uint64_t n, double theta);
uint64_t idb_spread_pick(const idb_spread *spread, idb_rng *rng);

/* How much of each job, as weights; the sum is at least 1. */
typedef struct idb_mix_weights {
    uint32_t weight[IDB_JOB_COUNT];
} idb_mix_weights;

typedef struct idb_picker {
    idb_rng rng;
    idb_mix_weights mix;
    uint32_t weight_sum;
    const idb_spread *spread;
    uint64_t next_new; /* the next fresh job's number */
    uint64_t left;     /* sequential jobs to hand out; UINT64_MAX: endless */
} idb_picker;

void idb_picker_init(idb_picker *picker, uint64_t seed,
                     const idb_mix_weights *mix, const idb_spread *spread);

/* False when the sequential jobs are used up. */
static inline bool idb_picker_has(const idb_picker *picker) {
    return picker->left > 0;
}

idb_job idb_pick_job(idb_picker *picker);
uint64_t idb_pick_number(idb_picker *picker, idb_job job);

/* The number behind it: of a pool, round and round. */
uint64_t idb_next_number(idb_picker *picker, uint64_t number);

/* Which pool the job's keys are of: IDB_SPACE_DONE or IDB_SPACE_HELD, whose
 * numbers go from there on for the spread's n; 0: each key is new. */
uint64_t idb_pool_of(idb_job job);

#endif
