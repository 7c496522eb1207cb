/* SPDX-License-Identifier: Apache-2.0 */
/* key_dist.c -- see key_dist.h. No clock, no memory of its own. */
#include "bench/key_dist.h"

#include <math.h>

void idb_spread_init(idb_spread *spread, uint64_t n, double theta) {
    *spread = (idb_spread){.n = n, .theta = theta};
    if (theta <= 0 || n < 2)
        return;
    double zeta_2 = 1 + pow(0.5, theta);
    for (uint64_t i = 1; i <= n; i++)
        spread->zeta_n += pow(1.0 / (double)i, theta);
    spread->alpha = 1 / (1 - theta);
    spread->eta =
        (1 - pow(2.0 / (double)n, 1 - theta)) / (1 - zeta_2 / spread->zeta_n);
}

uint64_t idb_spread_pick(const idb_spread *spread, idb_rng *rng) {
    if (spread->theta <= 0 || spread->n < 2)
        return idb_rng_below(rng, spread->n ? spread->n : 1);
    double u = idb_rng_unit(rng), uz = u * spread->zeta_n;
    if (uz < 1)
        return 0;
    if (uz < 1 + pow(0.5, spread->theta))
        return 1;
    double at = (double)spread->n *
                pow(spread->eta * u - spread->eta + 1, spread->alpha);
    uint64_t picked = (uint64_t)at;
    return picked < spread->n ? picked : spread->n - 1;
}

void idb_picker_init(idb_picker *picker, uint64_t seed,
                     const idb_mix_weights *mix, const idb_spread *spread) {
    *picker = (idb_picker){.rng = {idb_mix(seed)},
                           .mix = *mix,
                           .spread = spread,
                           .left = UINT64_MAX};
    for (int i = 0; i < IDB_JOB_COUNT; i++)
        picker->weight_sum += mix->weight[i];
}

idb_job idb_pick_job(idb_picker *picker) {
    uint32_t sum = picker->weight_sum;
    /* One kind only needs no dice. */
    for (int i = 0; i < IDB_JOB_COUNT; i++)
        if (picker->mix.weight[i] == sum)
            return (idb_job)i;
    uint64_t at = idb_rng_below(&picker->rng, sum);
    for (int i = 0; i < IDB_JOB_COUNT; i++) {
        if (at < picker->mix.weight[i])
            return (idb_job)i;
        at -= picker->mix.weight[i];
    }
    return IDB_FRESH;
}

uint64_t idb_pool_of(idb_job job) {
    switch (job) {
    case IDB_INFLIGHT:
        return IDB_SPACE_HELD;
    case IDB_REPLAY:
    case IDB_MISMATCH:
        return IDB_SPACE_DONE;
    case IDB_FRESH:
    case IDB_CLAIM:
    case IDB_JOB_COUNT:
        break;
    }
    return 0;
}

uint64_t idb_pick_number(idb_picker *picker, idb_job job) {
    uint64_t pool = idb_pool_of(job);
    return pool ? pool | idb_spread_pick(picker->spread, &picker->rng)
                : picker->next_new++;
}

uint64_t idb_next_number(idb_picker *picker, uint64_t number) {
    uint64_t space = number >> IDB_SPACE_SHIFT << IDB_SPACE_SHIFT;
    if (space != IDB_SPACE_DONE && space != IDB_SPACE_HELD)
        return picker->next_new++;
    uint64_t at = number - space + 1;
    return space | (at < picker->spread->n ? at : 0);
}
