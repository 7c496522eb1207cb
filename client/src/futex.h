/* SPDX-License-Identifier: Apache-2.0 */
/* futex.h -- a word that one thread sleeps on and another wakes it by. */
#ifndef IDEM_FUTEX_H
#define IDEM_FUTEX_H

#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client/src/thread.h"

/* Sleeps while the word has this value, until CLOCK_MONOTONIC shows
 * deadline_ms (UINT64_MAX: for ever); may return early. */
static inline void idem__futex_wait(_Atomic uint32_t *word, uint32_t value,
                                    uint64_t deadline_ms) {
    struct timespec until = idem__timespec(deadline_ms);
    syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, value,
            deadline_ms == UINT64_MAX ? NULL : &until, NULL,
            FUTEX_BITSET_MATCH_ANY);
}

/* The word's memory may be gone by now: the kernel wakes whoever sleeps at that
 * address, and every sleeper here looks at its word again. */
static inline void idem__futex_wake(_Atomic uint32_t *word) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

#endif
