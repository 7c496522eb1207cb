/* SPDX-License-Identifier: Apache-2.0 */
/* lookup.h -- names to addresses, within a deadline.
 *
 * The system's resolver takes as long as it likes and can't be stopped, so a
 * name is looked up by a thread of its own, which is left behind when the time
 * is over. An address needs neither. */
#ifndef IDEM_LOOKUP_H
#define IDEM_LOOKUP_H

#include "client/src/socket.h"

/* A lookup that was begun and not awaited to its end. One owner, whose calls
 * are not concurrent; zeroed is none. */
typedef struct idem__lookup {
    struct lookup_job *job;
} idem__lookup;

/* Up to IDEM__ADDRS_MAX addresses of the endpoint. Returns how many; 0 when
 * there are none by then, and *why says so (static storage). What goes on when
 * the time is over is kept in *lookup: the next call for the same host waits
 * for it again. */
uint32_t idem__lookup_addrs(idem__lookup *lookup,
                            const idem__endpoint *endpoint,
                            uint64_t deadline_ms,
                            idem__addr addrs[IDEM__ADDRS_MAX],
                            const char **why);

/* Leaves what is kept to itself. */
void idem__lookup_drop(idem__lookup *lookup);

/* Puts one of them, if it is among them, in front. */
void idem__addrs_prefer(idem__addr *addrs, uint32_t count,
                        const idem__addr *good);

#endif
