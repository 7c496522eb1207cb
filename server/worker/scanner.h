/* SPDX-License-Identifier: Apache-2.0 */
/* scanner.h -- what a worker finds as it looks through its records, all the
 * time and slowly: how many there are of each state, which claims are
 * stuck, and who has any (holders.h).
 *
 * A pass takes the interval, in steps of some buckets, so that others wait for
 * none of it; what it has found counts from its end on. */
#ifndef IDS_SCANNER_H
#define IDS_SCANNER_H

#include "server/core/scan.h"
#include "server/worker/holders.h"

typedef struct ids_worker ids_worker;

/* Orphans are counted by age: older than 1 min, 10 min, 1 h, 24 h. */
#define IDS_ORPHAN_AGES 4
extern const uint32_t ids_orphan_ages_s[IDS_ORPHAN_AGES];

/* So many of each kind are known, the oldest ones. */
#define IDS_OLDEST_MAX 256u
typedef enum ids_stuck {
    IDS_STUCK_ORPHANED,
    IDS_STUCK_CLAIMED,
    IDS_STUCKS
} ids_stuck;

/* A record, by its hash, and since when it is what it is. */
typedef struct ids_oldest {
    uint64_t since_ms, hash;
} ids_oldest;

typedef struct ids_scanned {
    uint64_t ended_ms; /* 0: there was no pass yet */
    uint64_t records[IDP_STATE_COUNT];
    uint64_t orphans_older[IDS_ORPHAN_AGES];
    uint64_t oldest_orphan_ms; /* its age then; 0: there was none */
    uint32_t oldest_count[IDS_STUCKS];
    ids_oldest oldest[IDS_STUCKS][IDS_OLDEST_MAX]; /* the oldest first, once
                                                    * the pass is over */
} ids_scanned;

typedef struct ids_scanner {
    uint64_t interval_ms; /* 0: it never looks */
    uint64_t position, begun_ms, next_ms;
    ids_scanned *now, *last; /* of the pass under way, and of the last one */
    uint64_t by[IDS_HOLDER_WORDS]; /* that the pass has found */
} ids_scanner;

/* False: no memory. interval_ms 0: it is off, and takes none. */
bool ids_scanner_init(ids_scanner *scanner, uint64_t interval_ms,
                      uint64_t now_ms);
void ids_scanner_fini(ids_scanner *scanner);

/* When there is a step to be taken; UINT64_MAX: never. */
static inline uint64_t ids_scanner_next_ms(const ids_scanner *scanner) {
    return scanner->interval_ms ? scanner->next_ms : UINT64_MAX;
}

/* Takes one, if it is time. */
void ids_scanner_tick(ids_worker *worker);

#endif
