/* SPDX-License-Identifier: Apache-2.0 */
/* monotonic.h -- the machine's clock. For what is no record's: those go by
 * os/clock.h, which leaves out the time that we stood still. */
#ifndef IDS_MONOTONIC_H
#define IDS_MONOTONIC_H

#include <stdint.h>
#include <time.h>

/* Milliseconds, and the same in nanoseconds, in one look. */
static inline uint64_t ids_monotonic_read(uint64_t *ns) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    *ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static inline uint64_t ids_monotonic_ns(void) {
    uint64_t ns;
    ids_monotonic_read(&ns);
    return ns;
}

static inline uint64_t ids_monotonic_ms(void) {
    uint64_t ns;
    return ids_monotonic_read(&ns);
}

#endif
