/* SPDX-License-Identifier: Apache-2.0 */
/* probe.h -- how long a loop of the daemon is away at most: a ping to each of
 * them, a thousand times a second.
 *
 * A turn of a loop that takes 10 ms lets a ping wait for up to 10 ms; so the
 * slowest ping is an upper bound of the longest turn (plus what the machine
 * itself adds), measured from outside and at no cost to the daemon. On a
 * machine that stands still now and then, how often one is slow says more. */
#ifndef IDB_PROBE_H
#define IDB_PROBE_H

#include "bench/engine.h"

/* No turn should take so long. */
#define IDB_PROBE_LONG_NS (10 * IDB_NS_PER_MS)

typedef struct idb_probe idb_probe;

typedef struct idb_pings {
    uint64_t count;
    uint64_t slowest_ns;
    uint64_t slow; /* took IDB_PROBE_LONG_NS or more */
} idb_pings;

/* Connects to every loop and begins. NULL when that fails. */
idb_probe *idb_probe_start(const idb_endpoint *at, const cpu_set_t *cpus);

/* What was seen since the last time. */
idb_pings idb_probe_take(idb_probe *probe);

/* Whether that is anything, or nothing will come any more. */
bool idb_probe_has_seen(idb_probe *probe);

/* NULL is allowed. */
void idb_probe_stop(idb_probe *probe);

#endif
