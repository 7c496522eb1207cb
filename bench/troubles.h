/* SPDX-License-Identifier: Apache-2.0 */
/* troubles.h -- what a run should not have: counted by the workers, summed
 * over threads and rounds, and told with its figures.
 *
 * Pure. A figure of a run with troubles is a figure of the troubles. */
#ifndef IDB_TROUBLES_H
#define IDB_TROUBLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* From here on the machine counts as disturbed: a part of the time. */
#define IDB_WAITED_MUCH 0.05
#define IDB_BUSY_MUCH   0.98
#define IDB_STOLEN_MUCH 0.01

typedef struct idb_troubles {
    uint64_t unexpected;    /* answers that the job must not get */
    uint64_t broken;        /* connections lost */
    uint64_t unanswered;    /* requests that never got an answer */
    uint64_t waited_max_ns; /* how long one of them waited, at the most */
    uint64_t overdue;       /* open loop: jobs planned and never sent */
    uint64_t missed; /* open loop: jobs sent over 1 ms after their time */
    uint64_t late_max_ns;
    uint64_t due; /* open loop: jobs planned in the time measured */
    /* Parts of the time, of the worst round. */
    bool server_seen;     /* it runs here, and we know which process it is */
    double server_waited; /* its threads, ready to run, for a CPU, in all */
    double client_waited; /* the same of the load generator */
    double client_busy;   /* one of its threads, on the average */
    double stolen;        /* of all cores', while a hypervisor had them */
    char first_unexpected[128];
} idb_troubles;

void idb_troubles_add(idb_troubles *to, const idb_troubles *more);

/* All that is not 0, as a line for people; "" where nothing is. */
void idb_troubles_tell(const idb_troubles *troubles, char *to, size_t cap);

#endif
