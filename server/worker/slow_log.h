/* SPDX-License-Identifier: Apache-2.0 */
/* slow_log.h -- the last turns of loops that took long, with what they
 * did, and replies that were held for long, with what for.
 *
 * All workers' in one, behind a lock that is taken when there is something to
 * note. Of what was held one turn notes the longest, and how many. */
#ifndef IDS_SLOW_LOG_H
#define IDS_SLOW_LOG_H

#include "proto/clients.h"

typedef struct ids_worker ids_worker;
typedef struct ids_slow_log ids_slow_log;

#define IDS_SLOW_TURN_NS 10000000u
#define IDS_SLOW_HOLD_US 100000u

/* A worker's, of this turn. */
typedef struct ids_slow_notes {
    uint32_t work_of_before[IDP_WORK_KINDS]; /* before the last part began */
    uint32_t tail[IDP_WORK_KINDS]; /* done in the one before, behind that */
    uint32_t held_us[2], held[2];  /* the longest, and how many; by what they
                                    * waited for */
} ids_slow_notes;

/* NULL: no memory. */
ids_slow_log *ids_slow_log_new(void);
void ids_slow_log_free(ids_slow_log *log);

/* The turn is over; it took so long. */
void ids_slow_log_note(ids_worker *worker, uint64_t ns);
static inline bool ids_slow_log_wants(const ids_slow_notes *notes,
                                      uint64_t ns) {
    return ns > IDS_SLOW_TURN_NS || (notes->held[0] | notes->held[1]) != 0;
}

/* A reply was held for so long. */
void ids_slow_log_held(ids_slow_notes *notes, int waited_for, uint32_t us);

/* The newest first. Any thread. */
void ids_slow_log_read(ids_slow_log *log, uint64_t now_ms, idp_slow *slow);

#endif
