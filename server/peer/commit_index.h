/* SPDX-License-Identifier: Apache-2.0 */
/* commit_index.h -- one worker's commit index, by member.
 *
 * Pure. Each loop numbers its changes; a reply that was made when n was the
 * last number leaves when everything up to n is safe. Who holds the replies
 * (server/worker/commit_gate.c) asks here how far that is, and says what has
 * left. */
#ifndef IDS_PEER_COMMIT_INDEX_H
#define IDS_PEER_COMMIT_INDEX_H

#include "server/peer/decision.h"
#include "server/peer/mutant.h"

#include <stdint.h>

typedef struct ids_commit_index {
    /* Each a reason to wait, by the replica's place; UINT64_MAX: none. */
    uint64_t member[IDS_FOLLOWERS_MAX];  /* in sync, and has it up to here */
    uint64_t joining[IDS_FOLLOWERS_MAX]; /* so has who is about to be that */
    uint64_t passed; /* the highest number that a reply has left with */
} ids_commit_index;

static inline void ids_commit_index_open(ids_commit_index *commit_index) {
    for (uint32_t i = 0; i < IDS_FOLLOWERS_MAX; i++)
        commit_index->member[i] = commit_index->joining[i] = UINT64_MAX;
}

/* R1: up to here every member has it, and so all is safe, as far as the peer is
 * concerned; UINT64_MAX: there is nobody to wait for. The journal's watermark
 * may be lower. */
static inline uint64_t
ids_commit_index_watermark(const ids_commit_index *commit_index) {
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < IDS_FOLLOWERS_MAX; i++) {
        uint64_t has = commit_index->member[i] < commit_index->joining[i]
                           ? commit_index->member[i]
                           : commit_index->joining[i];
        least = has < least ? has : least;
        if (IDS_RULE_OFF(ALL_MEMBERS))
            break;
    }
    return least;
}

/* A reply has left, or is certain to, that was made as this was the loop's
 * last number. Must be said before anyone else looks at the peer. */
static inline void ids_commit_index_left(ids_commit_index *commit_index,
                                         uint64_t number) {
    if (number > commit_index->passed)
        commit_index->passed = number;
}

#endif
