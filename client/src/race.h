/* SPDX-License-Identifier: Apache-2.0 */
/* race.h -- connecting to one of several addresses (RFC 8305): each is tried a
 * little after the one before it, and none waits for another's time to end. */
#ifndef IDEM_RACE_H
#define IDEM_RACE_H

#include <poll.h>

#include "client/src/socket.h"

/* How long the next address waits for the one before it. */
#define IDEM__RACE_STEP_MS 250u

typedef struct idem__race {
    const idem__addr *addrs; /* the caller's */
    uint32_t count;
    uint32_t next; /* the first that was not tried yet */
    uint64_t step_ms;
    uint64_t next_ms; /* when its turn comes */
    uint64_t deadline_ms;
    struct pollfd open[IDEM__ADDRS_MAX]; /* connects under way */
    uint32_t at[IDEM__ADDRS_MAX];        /* whose each is */
    uint32_t open_count;
    int error; /* of the last that failed */
} idem__race;

/* Where the deadline is near, the steps are short enough that each address
 * gets its share of it. */
void idem__race_begin(idem__race *race, const idem__addr *addrs, uint32_t count,
                      uint64_t deadline_ms);

/* Waits for the next one that connects: its descriptor, non-blocking and the
 * caller's, and *at says which it is. -1: none does; race->error says why not
 * the last one. May be called again for another. */
int idem__race_next(idem__race *race, uint32_t *at);

/* Addresses that may still connect. */
uint32_t idem__race_left(const idem__race *race);

/* Closes what is under way. */
void idem__race_end(idem__race *race);

#endif
