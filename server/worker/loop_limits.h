/* SPDX-License-Identifier: Apache-2.0 */
/* loop_limits.h -- the settings of a loop that change while it runs: one
 * version of them. It never changes itself; a loop takes the next one by
 * message. */
#ifndef IDS_LOOP_LIMITS_H
#define IDS_LOOP_LIMITS_H

#include "server/core/ledger.h"

#include <stdatomic.h>

typedef struct ids_loop_limits {
    uint64_t idle_ms;        /* 0: a connection may be silent for ever */
    size_t buffer_bytes_max; /* of one loop: partial input, unsent output */
    /* What namespaces may have, and who counts; NULL, both: nobody does. */
    const ids_ns_limits_table *namespaces;
    ids_ledger *ledger;
    atomic_uint users; /* loops that go by it, or will soon */
} ids_loop_limits;

#endif
