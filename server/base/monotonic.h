/* SPDX-License-Identifier: Apache-2.0 */
/* monotonic.h -- the machine's clock, in milliseconds. For what is no record's:
 * those go by os/clock.h, which leaves out the time that we stood still. */
#ifndef IDS_MONOTONIC_H
#define IDS_MONOTONIC_H

#include <stdint.h>
#include <time.h>

static inline uint64_t ids_monotonic_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

#endif
