/* SPDX-License-Identifier: Apache-2.0 */
/* measures.h -- how long what a worker does takes, by cause, and which methods
 * it is asked for.
 *
 * One worker's, on its thread, without a lock; added up when somebody asks.
 * Times are the machine's, in nanoseconds: who reads that clock is the driver.
 * It reads it as a turn begins, as bytes or messages were taken, and as the
 * turn ends; besides, the line has it read behind each batch of several
 * requests. A request alone is noted at the next reading, whatever that is for:
 * one behind each of them would cost more than all the rest of this. */
#ifndef IDS_MEASURES_H
#define IDS_MEASURES_H

#include "proto/terms.h"

/* Bucket i takes what lasts 2^(i + 2) us or less, from 4 us to 16.8 s; the last
 * one what is longer. These bounds are for ever: who compares years relies on
 * them. */
#define IDS_BUCKETS         24u
#define IDS_BUCKET_FIRST_NS 4000u

typedef struct ids_histogram {
    uint64_t of[IDS_BUCKETS];
    uint64_t sum_ns;
} ids_histogram;

/* Of 2^b ns and more, but less than 2^(b + 1): the bound 4000 * 2^(b - 11) ns
 * lies between the two, and the one before it below both. No division: it is
 * asked for every batch. */
static inline uint32_t ids_bucket(uint64_t ns) {
    uint32_t shift = 52u - (uint32_t)__builtin_clzll(ns | 2048);
    uint32_t bucket = shift + (ns > (uint64_t)IDS_BUCKET_FIRST_NS << shift);
    return bucket < IDS_BUCKETS ? bucket : IDS_BUCKETS - 1;
}

static inline void ids_histogram_note(ids_histogram *histogram, uint64_t ns) {
    histogram->of[ids_bucket(ns)]++;
    histogram->sum_ns += ns;
}

/* Adds what the other has. */
void ids_histogram_add(ids_histogram *sum, const ids_histogram *other);

/* What a reply that is held waits for last. */
typedef enum ids_waited_for {
    IDS_WAITED_FOR_DISK,
    IDS_WAITED_FOR_REPLICA,
    IDS_WAITED_FOR_COUNT
} ids_waited_for;

/* How the wait of an acquire ends. */
typedef enum ids_wait_end {
    IDS_WAIT_DECIDED, /* the key was: a replay, or the claim is the waiter's */
    IDS_WAIT_OVER,    /* its time: in_progress */
    IDS_WAIT_FAILED,  /* an error */
    IDS_WAIT_ENDS
} ids_wait_end;

/* Whose error it is. */
#define IDS_ASKED_UNREAD  IDP_METHOD_COUNT       /* a request that is none */
#define IDS_ASKED_NOTHING (IDP_METHOD_COUNT + 1) /* none of now */

typedef struct ids_measures {
    uint32_t asked;  /* what is served now: a method, or IDS_ASKED_... */
    uint32_t alone;  /* one more than the method of a request that was answered
                      * since the clock was read; 0: there was none */
    uint32_t parked; /* acquires since then that wait */
    uint64_t begun_ns; /* this turn */
    uint64_t now_ns;   /* as the clock was read last; 0: nobody reads it */
    /* From a turn's beginning to the encoded reply, an error's too; of the
     * worker that has the key. Not of those that wait. */
    ids_histogram request[IDP_METHOD_COUNT];
    ids_histogram commit_wait[IDS_WAITED_FOR_COUNT];
    ids_histogram wait[IDS_WAIT_ENDS]; /* in whole ms */
    ids_histogram turn;
    uint64_t refused[IDP_METHOD_COUNT + 2]; /* were answered with an error */
} ids_measures;

static inline void ids_measures_answered(ids_measures *measures,
                                         idp_method method, uint32_t bucket,
                                         uint64_t ns) {
    measures->request[method].of[bucket]++;
    measures->request[method].sum_ns += ns;
}

/* Those that wait are taken out of what was answered by this reading. */
void ids_measures_take_out(ids_measures *measures, uint32_t bucket,
                           uint64_t ns);

/* The clock was read: what was asked alone was answered by now. */
static inline void ids_measures_read(ids_measures *measures, uint64_t now_ns) {
    measures->now_ns = now_ns;
    if (!measures->alone)
        return;
    uint64_t ns = now_ns - measures->begun_ns;
    uint32_t bucket = ids_bucket(ns);
    ids_measures_answered(measures, (idp_method)(measures->alone - 1), bucket,
                          ns);
    measures->alone = 0;
    if (measures->parked)
        ids_measures_take_out(measures, bucket, ns);
}

static inline void ids_measures_begin_turn(ids_measures *measures) {
    measures->begun_ns = measures->now_ns;
}
void ids_measures_end_turn(ids_measures *measures, uint64_t now_ns);

/* As the clock was read last; it comes round after 71 minutes. */
static inline uint32_t ids_measures_us(const ids_measures *measures) {
    return (uint32_t)(measures->now_ns / 1000);
}

/* Adds what another worker has measured: histograms and refusals. */
void ids_measures_add(ids_measures *sum, const ids_measures *other);

#endif
