/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h -- the one clock of the bench, and the one source of randomness.
 *
 * Both are inlined into the load loop. Nothing here may block. */
#ifndef IDB_CLOCK_H
#define IDB_CLOCK_H

#include <stdint.h>
#include <time.h>

#define IDB_NS_PER_MS 1000000ull
#define IDB_NS_PER_S  1000000000ull

static inline uint64_t idb_clock_ns_of(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * IDB_NS_PER_S + (uint64_t)t.tv_nsec;
}

static inline uint64_t idb_now_ns(void) {
    return idb_clock_ns_of(CLOCK_MONOTONIC);
}

static inline void idb_sleep_until_ns(uint64_t ns) {
    struct timespec t = {.tv_sec = (time_t)(ns / IDB_NS_PER_S),
                         .tv_nsec = (long)(ns % IDB_NS_PER_S)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) != 0) {
    }
}

/* splitmix64's finalizer: a bijection, so different numbers stay different. */
static inline uint64_t idb_mix(uint64_t x) {
    x += 0x9e3779b97f4a7c15ull;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

/* A seeded stream: counter and finalizer. */
typedef struct idb_rng {
    uint64_t state;
} idb_rng;

static inline uint64_t idb_rng_next(idb_rng *rng) {
    uint64_t x = rng->state;
    rng->state += 0x9e3779b97f4a7c15ull;
    return idb_mix(x);
}

/* Uniform in [0, below), below >= 1. */
static inline uint64_t idb_rng_below(idb_rng *rng, uint64_t below) {
    return (uint64_t)(((unsigned __int128)idb_rng_next(rng) * below) >> 64);
}

/* Uniform in [0, 1). */
static inline double idb_rng_unit(idb_rng *rng) {
    return (double)(idb_rng_next(rng) >> 11) * 0x1.0p-53;
}

#endif
