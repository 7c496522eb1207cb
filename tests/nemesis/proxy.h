/* SPDX-License-Identifier: Apache-2.0 */
/* proxy.h -- a hostile wire: a process that passes bytes on between whoever
 * connects and a node, late, in drips, damaged, not to the end, or not at
 * all. It is told what to do through memory that it shares with its parent. */
#ifndef NEM_PROXY_H
#define NEM_PROXY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define NEM_PORT 7117

typedef struct nem_wire {
    char listen[40]; /* addresses; the port is NEM_PORT */
    char target[40];
    char source[40]; /* it connects from here */
    /* Told at any time: */
    atomic_uint delay_ms;    /* each piece comes this much later, at most */
    atomic_uint drip_bytes;  /* not 0: pieces of this size, one every 2 ms */
    atomic_uint flip_1_in;   /* not 0: a bit flips in 1 of so many pieces */
    atomic_uint cut_1_in;    /* not 0: half a piece, then a reset */
    atomic_uint hole_to;     /* nothing passes towards the node */
    atomic_uint hole_from;   /* nothing comes back */
    atomic_uint resets;      /* one more: all connections are reset */
    atomic_uint connections; /* it counts what it has accepted */
    atomic_uint flips;       /* and the bits that it has flipped */
} nem_wire;

enum { NEM_WIRES = 4 };

typedef struct nem_wires {
    nem_wire wire[NEM_WIRES];
    atomic_uint ready; /* it listens */
} nem_wires;

/* Runs until it is killed. Returns only when it can't: errno says why. */
int nem_proxy_run(nem_wires *wires, uint64_t seed);

/* Does no harm from now on. What it holds back leaves. */
void nem_wire_calm(nem_wire *wire);

#endif
