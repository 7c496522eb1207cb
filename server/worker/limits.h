/* SPDX-License-Identifier: Apache-2.0 */
/* limits.h -- the settings of a loop that change while it runs: one version of
 * them. It never changes itself; a loop takes the next one by message. */
#ifndef IDS_LIMITS_H
#define IDS_LIMITS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ids_limits {
    uint64_t idle_ms;        /* 0: a connection may be silent for ever */
    size_t buffer_bytes_max; /* of one loop: partial input, unsent output */
    atomic_uint users;       /* loops that go by it, or will soon */
} ids_limits;

#endif
