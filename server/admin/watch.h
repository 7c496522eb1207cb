/* SPDX-License-Identifier: Apache-2.0 */
/* watch.h -- what a worker runs short of: a line as it begins, and one as it
 * ends. */
#ifndef IDS_WATCH_H
#define IDS_WATCH_H

#include "server/worker/worker.h"

/* Something that happens again and again, told as one. */
typedef struct ids_episode {
    uint64_t seen;    /* the counter, when it was looked at */
    uint64_t from;    /* the counter, when it began */
    uint64_t last_ms; /* the counter grew */
    bool on;
} ids_episode;

typedef struct ids_watch {
    ids_episode refused; /* claims, for memory */
    ids_episode dropped; /* results */
    uint64_t looked_ms;
    uint64_t asked; /* ids_worker_asked, when it was looked at */
    bool is_high;   /* memory, over 80 % */
    bool disk_is_full;
} ids_watch;

/* Cheap, once a turn: looks ten times a second at most. */
void ids_watch_look(ids_watch *watch, const ids_worker *worker);

/* When it wants to look next; UINT64_MAX: nothing has happened. */
uint64_t ids_watch_next_ms(const ids_watch *watch, const ids_worker *worker);

#endif
