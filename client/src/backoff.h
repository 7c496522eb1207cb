/* SPDX-License-Identifier: Apache-2.0 */
/* backoff.h -- how long to pause before the next attempt: a random time below
 * a bound that doubles ("full jitter"), so that many clients of one server that
 * comes back don't come back together. */
#ifndef IDEM_BACKOFF_H
#define IDEM_BACKOFF_H

#include <stdint.h>

#define IDEM__PAUSE_MS_FIRST 20u
#define IDEM__PAUSE_MS_MAX   250u

typedef struct idem__backoff {
    uint32_t attempts; /* since the last success */
    uint64_t random;   /* never 0 */
} idem__backoff;

static inline void idem__backoff_init(idem__backoff *backoff, uint64_t seed) {
    *backoff = (idem__backoff){.random = seed | 1u};
}

static inline uint64_t idem__backoff_random(idem__backoff *backoff) {
    uint64_t x = backoff->random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return backoff->random = x;
}

/* free_attempts: how many may follow each other at once, one per endpoint. */
static inline uint32_t idem__backoff_pause_ms(idem__backoff *backoff,
                                              uint32_t free_attempts) {
    if (backoff->attempts < free_attempts)
        return 0;
    uint32_t doublings = backoff->attempts / free_attempts - 1;
    uint32_t bound =
        doublings < 4 ? IDEM__PAUSE_MS_FIRST << doublings : IDEM__PAUSE_MS_MAX;
    if (bound > IDEM__PAUSE_MS_MAX)
        bound = IDEM__PAUSE_MS_MAX;
    return (uint32_t)(idem__backoff_random(backoff) >> 16) % bound + 1;
}

#endif
