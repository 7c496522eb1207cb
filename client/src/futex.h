/* SPDX-License-Identifier: Apache-2.0 */
/* futex.h -- a word that one thread sleeps on and another wakes it by: Linux'
 * futex, or what futex.c makes of pthreads. */
#ifndef IDEM_FUTEX_H
#define IDEM_FUTEX_H

#include <stdatomic.h>
#include <stdint.h>

#include "client/src/port.h"

/* Sleeps while the word has this value, until CLOCK_MONOTONIC shows
 * deadline_ms (UINT64_MAX: for ever); may return early. */
void idem__futex_wait_any(_Atomic uint32_t *word, uint32_t value,
                          uint64_t deadline_ms);
/* The word's memory may be gone by now: whoever sleeps at that address wakes,
 * and every sleeper here looks at its word again. */
void idem__futex_wake_any(_Atomic uint32_t *word);

#if IDEM_LINUX

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client/src/thread.h"

static inline void idem__futex_wait(_Atomic uint32_t *word, uint32_t value,
                                    uint64_t deadline_ms) {
    struct timespec until = idem__timespec(deadline_ms);
    syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, value,
            deadline_ms == UINT64_MAX ? NULL : &until, NULL,
            FUTEX_BITSET_MATCH_ANY);
}

static inline void idem__futex_wake(_Atomic uint32_t *word) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

#else

static inline void idem__futex_wait(_Atomic uint32_t *word, uint32_t value,
                                    uint64_t deadline_ms) {
    idem__futex_wait_any(word, value, deadline_ms);
}

static inline void idem__futex_wake(_Atomic uint32_t *word) {
    idem__futex_wake_any(word);
}

#endif

#endif
