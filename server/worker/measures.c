/* SPDX-License-Identifier: Apache-2.0 */
/* measures.c -- sums of what workers measure; see measures.h. */
#include "server/worker/measures.h"

#include <assert.h>

static_assert((uint64_t)IDS_BUCKET_FIRST_NS << (IDS_BUCKETS - 2) == 16777216000,
              "the last bound is 16.8 s");

void ids_histogram_add(ids_histogram *sum, const ids_histogram *other) {
    for (uint32_t i = 0; i < IDS_BUCKETS; i++)
        sum->of[i] += other->of[i];
    sum->sum_ns += other->sum_ns;
}

static void add_all(ids_histogram *sum, const ids_histogram *other,
                    uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        ids_histogram_add(&sum[i], &other[i]);
}

void ids_measures_add(ids_measures *sum, const ids_measures *other) {
    add_all(sum->request, other->request, IDP_METHOD_COUNT);
    add_all(sum->commit_wait, other->commit_wait, IDS_WAITED_FOR_COUNT);
    add_all(sum->wait, other->wait, IDS_WAIT_ENDS);
    ids_histogram_add(&sum->turn, &other->turn);
    for (uint32_t i = 0; i < IDS_ASKED_NOTHING; i++)
        sum->refused[i] += other->refused[i];
}

void ids_measures_take_out(ids_measures *measures, uint32_t bucket,
                           uint64_t ns) {
    ids_histogram *acquires = &measures->request[IDP_ACQUIRE];
    assert(acquires->of[bucket] >= measures->parked);
    acquires->of[bucket] -= measures->parked;
    acquires->sum_ns -= ns * measures->parked;
    measures->parked = 0;
}

void ids_measures_end_turn(ids_measures *measures, uint64_t now_ns) {
    ids_measures_read(measures, now_ns);
    ids_histogram_note(&measures->turn, now_ns - measures->begun_ns);
}
