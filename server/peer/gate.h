/* SPDX-License-Identifier: Apache-2.0 */
/* gate.h -- what the peer keeps of one loop's commit gate: its numbers.
 *
 * Pure. Each loop numbers its changes; a reply that was made when n was the
 * last number leaves when everything up to n is safe. Who holds the replies
 * (server/hold.c) asks here how far that is, and says what has left. */
#ifndef IDS_PEER_GATE_H
#define IDS_PEER_GATE_H

#include <stdint.h>

typedef struct ids_gate {
    /* Each a reason to wait; UINT64_MAX: none. */
    uint64_t member;  /* the in-sync replica has it up to here */
    uint64_t joining; /* so has one that is about to become a member */
    uint64_t passed;  /* the highest number that a reply has left with */
} ids_gate;

/* Up to here all is safe, as far as the peer is concerned; UINT64_MAX: there
 * is nobody to wait for. The journal's watermark may be lower. */
static inline uint64_t ids_gate_watermark(const ids_gate *gate) {
    return gate->member < gate->joining ? gate->member : gate->joining;
}

/* A reply has left, or is certain to, that was made as this was the loop's
 * last number. Must be said before anyone else looks at the peer. */
static inline void ids_gate_left(ids_gate *gate, uint64_t number) {
    if (number > gate->passed)
        gate->passed = number;
}

#endif
