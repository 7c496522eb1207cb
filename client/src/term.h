/* SPDX-License-Identifier: Apache-2.0 */
/* term.h -- when a lease ends, and when it is renewed. Pure; proto/README.md,
 * "Renewal". */
#ifndef IDEM_TERM_H
#define IDEM_TERM_H

#include <stdint.h>

/* A renewal that failed is tried again after so long at most. */
#define IDEM__AGAIN_MS_MAX 250u
/* The least that a renewal is given. */
#define IDEM__ASK_MS_MIN   20u

/* When the attempt that was answered was sent, and when its answer came. The
 * server gave the lease some time between the two. */
typedef struct idem__times {
    uint64_t sent_ms;
    uint64_t answered_ms;
} idem__times;

typedef struct idem__term {
    uint64_t end_ms;  /* surely ours until then */
    uint64_t most_ms; /* the server frees it then */
    uint64_t due_ms;  /* to be asked for next */
} idem__term;

/* What an answer tells of the lease's end. Where it was long on its way, or
 * waited there, much of the lease may be left or nothing: that is asked at
 * once, and until it is told the lease counts from the answer. */
static inline idem__term idem__term_of(uint64_t lease_ms, idem__times times) {
    idem__term term = {.end_ms = times.sent_ms + lease_ms,
                       .most_ms = times.answered_ms + lease_ms,
                       .due_ms = times.sent_ms + lease_ms / 3};
    if (times.answered_ms < term.due_ms)
        return term;
    term.end_ms = times.answered_ms + lease_ms;
    term.due_ms = times.answered_ms;
    return term;
}

/* How long after a renewal that failed the next one is asked. */
static inline uint64_t idem__term_again_ms(uint64_t lease_ms) {
    uint64_t again_ms = lease_ms / 20 + 1;
    return again_ms < IDEM__AGAIN_MS_MAX ? again_ms : IDEM__AGAIN_MS_MAX;
}

#endif
