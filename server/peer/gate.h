/* gate.h -- the commit gate of one loop: which replies may leave.
 *
 * Pure. Each loop numbers its changes; a reply that was made when n was the
 * last number leaves when everything up to n is safe, in the order in which
 * replies were made. One thread. What a reply is, its bytes and whose they
 * are, is the caller's: the gate keeps a cookie. */
#ifndef IDS_PEER_GATE_H
#define IDS_PEER_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ids_held {
    uint64_t number; /* leaves when the watermark is here */
    uint64_t since_ms;
    uint64_t cookie; /* the caller's name for it */
} ids_held;

typedef struct ids_gate {
    /* Each a reason to wait; UINT64_MAX: none. */
    uint64_t journal; /* on the medium up to here */
    uint64_t member;  /* the in-sync replica has it up to here */
    uint64_t joining; /* so has one that is about to become a member */
    uint64_t passed;  /* the highest number that a reply has left with */
    ids_held *held;   /* a ring of held_cap, in order of numbers */
    uint32_t held_at, held_count, held_cap, held_max;
} ids_gate;

void ids_gate_init(ids_gate *gate, uint32_t held_max);
void ids_gate_fini(ids_gate *gate);

/* Up to here all is safe. Without journal and peer: UINT64_MAX. */
uint64_t ids_gate_watermark(const ids_gate *gate);

/* False: too many replies wait, carry out no further call (UNREPLICATED). */
static inline bool ids_gate_admits(const ids_gate *gate) {
    return gate->held_count < gate->held_max;
}

typedef enum ids_gate_pass {
    IDS_GATE_GO,   /* it may leave now */
    IDS_GATE_HELD, /* ids_gate_next will name it */
    IDS_GATE_FULL  /* no memory: it can't be sent, now or later */
} ids_gate_pass;

/* A reply was made, when number was the loop's last. changed: by a call that
 * changed a record; the others show one. A caller may hold more than
 * held_max by as many waiters as it lets park. */
ids_gate_pass ids_gate_hold(ids_gate *gate, uint64_t number, bool changed,
                            uint64_t now_ms, uint64_t cookie);

/* For a host that holds replies itself, by the watermark: one has left that
 * was made as this was the last number. */
static inline void ids_gate_left(ids_gate *gate, uint64_t number) {
    if (number > gate->passed)
        gate->passed = number;
}

/* The next reply that may leave now; false: none. */
bool ids_gate_next(ids_gate *gate, uint64_t *cookie);

/* The next reply that has waited since this time or longer, whatever the
 * watermark says: it has to be answered UNREPLICATED. UINT64_MAX: all. */
bool ids_gate_next_stalled(ids_gate *gate, uint64_t since_ms, uint64_t *cookie);

/* When the oldest began to wait; UINT64_MAX: none waits. */
uint64_t ids_gate_oldest_ms(const ids_gate *gate);

#endif
