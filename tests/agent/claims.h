/* SPDX-License-Identifier: Apache-2.0 */
/* claims.h -- threads that claim fresh keys without end, through one client,
 * and when the first claim of a new epoch was answered. */
#ifndef TEST_AGENT_CLAIMS_H
#define TEST_AGENT_CLAIMS_H

#include <stdbool.h>
#include <stdint.h>

#define CLAIM_THREADS_MAX 64

typedef struct claims claims;

/* Each waits for 2 ms between two. A claim that fails ends the program. */
claims *claims_start(const char *uri, unsigned threads);
void claims_stop(claims *all);

/* What was answered last. Times are of CLOCK_MONOTONIC. */
typedef struct claims_seen {
    uint64_t epoch;       /* the highest, by its tokens */
    uint64_t first_us;    /* the first answer of that epoch */
    uint64_t previous_us; /* the last answer before it */
    uint64_t count;       /* in all */
} claims_seen;
claims_seen claims_look(claims *all);

uint64_t claims_now_us(void);

#endif
