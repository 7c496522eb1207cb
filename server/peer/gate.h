/* SPDX-License-Identifier: Apache-2.0 */
/* gate.h -- what the peer keeps of one loop's commit gate: its numbers.
 *
 * Pure. Each loop numbers its changes; a reply that was made when n was the
 * last number leaves when everything up to n is safe. Who holds the replies
 * (server/hold.c) asks here how far that is, and says what has left. */
#ifndef IDS_PEER_GATE_H
#define IDS_PEER_GATE_H

#include "server/peer/decision.h"
#include "server/peer/mutant.h"

#include <stdint.h>

typedef struct ids_gate {
    /* Each a reason to wait, by the replica's place; UINT64_MAX: none. */
    uint64_t member[IDS_FOLLOWERS_MAX];  /* in sync, and has it up to here */
    uint64_t joining[IDS_FOLLOWERS_MAX]; /* so has who is about to be that */
    uint64_t passed; /* the highest number that a reply has left with */
} ids_gate;

static inline void ids_gate_open(ids_gate *gate) {
    for (uint32_t i = 0; i < IDS_FOLLOWERS_MAX; i++)
        gate->member[i] = gate->joining[i] = UINT64_MAX;
}

/* R1: up to here every member has it, and so all is safe, as far as the peer is
 * concerned; UINT64_MAX: there is nobody to wait for. The journal's watermark
 * may be lower. */
static inline uint64_t ids_gate_watermark(const ids_gate *gate) {
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < IDS_FOLLOWERS_MAX; i++) {
        uint64_t has = gate->member[i] < gate->joining[i] ? gate->member[i]
                                                          : gate->joining[i];
        least = has < least ? has : least;
        if (IDS_RULE_OFF(ALL_MEMBERS))
            break;
    }
    return least;
}

/* A reply has left, or is certain to, that was made as this was the loop's
 * last number. Must be said before anyone else looks at the peer. */
static inline void ids_gate_left(ids_gate *gate, uint64_t number) {
    if (number > gate->passed)
        gate->passed = number;
}

#endif
