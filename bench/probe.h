/* probe.h -- how long a loop of the daemon is away at most: a ping to each of
 * them, a thousand times a second.
 *
 * A turn of a loop that takes 10 ms lets a ping wait for up to 10 ms; so the
 * slowest ping is an upper bound of the longest turn (plus what the machine
 * itself adds), measured from outside and at no cost to the daemon. */
#ifndef IDB_PROBE_H
#define IDB_PROBE_H

#include "bench/engine.h"

typedef struct idb_probe idb_probe;

/* Connects to every loop and begins. NULL when that fails. */
idb_probe *idb_probe_start(const idb_endpoint *at, const cpu_set_t *cpus);

/* What was seen since the last time, added to a histogram. */
void idb_probe_take(idb_probe *probe, idb_hist *to);

/* NULL is allowed. */
void idb_probe_stop(idb_probe *probe);

#endif
