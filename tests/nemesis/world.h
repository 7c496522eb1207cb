/* SPDX-License-Identifier: Apache-2.0 */
/* world.h -- a run of the nemesis: the network, the pair, its clients, the
 * operator, and what is known of them. */
#ifndef NEM_WORLD_H
#define NEM_WORLD_H

#include "tests/lib/rng.h"
#include "tests/nemesis/client.h"
#include "tests/nemesis/pair.h"

enum { NEM_CLIENTS_RUN = 8 };

typedef struct nem_world {
    uint64_t seed;
    uint64_t start_ns;
    uint64_t seconds;
    idt_rng rng;
    nem_network network;
    nem_pair pair;
    int primary; /* the node that leads, as far as the operator knows */
    uint64_t epoch;
    unsigned failovers;
    unsigned cycles;
    uint64_t heal_ms_max;
    FILE *windows;         /* to the history: when clocks stood, and two led */
    uint64_t two_since_ns; /* an old primary may still answer; 0: none does */
    bool failed;
    pid_t pids[NEM_CLIENTS_RUN];
    unsigned clients; /* ever started */
    bool *over;       /* shared with them */
} nem_world;

/* --- story.c: what is told, and little helpers */

__attribute__((format(printf, 2, 3))) void nem_say(nem_world *w,
                                                   const char *format, ...);
/* The run is over, and this is why. Always false. */
__attribute__((format(printf, 2, 3))) bool nem_fail(nem_world *w,
                                                    const char *format, ...);
void nem_wait_ms(unsigned ms);
unsigned nem_between(nem_world *w, unsigned low, unsigned high);

/* --- clients.c: the clients */

bool nem_clients_start(nem_world *w);
/* One of them is killed, and another comes in its place. */
void nem_clients_replace(nem_world *w, unsigned which);
/* All leave by themselves. False: one could not work. */
bool nem_clients_stop(nem_world *w);
/* Asks for all that must be kept, after all is over. */
bool nem_clients_audit(nem_world *w);
/* All that they wrote. */
bool nem_clients_histories(nem_world *w, nem_history *h);

/* --- operator.c: what the runbook says */

/* All faults are over: waits until there is one primary, and the other is in
 * sync. A node that does not come back by itself is started again. */
bool nem_heal(nem_world *w);
/* The other one is primary from now on. */
bool nem_promote(nem_world *w);
/* The same, if it does not lead already. */
bool nem_take_over(nem_world *w);
bool nem_switchover(nem_world *w);
bool nem_detach(nem_world *w);
/* What was killed is started again, as a replica. */
bool nem_rejoin(nem_world *w, int node);
/* Changes are accepted: one claim is made and completed. */
bool nem_probe(nem_world *w);

/* --- faults.c: one thing goes wrong, and is put right as far as the operator
 * is needed; false: the run has failed */

bool nem_fault(nem_world *w);
/* The primary dies while its replica lags: in mode async that must show. */
bool nem_fault_lag(nem_world *w);
/* The same without a second node: a stands alone, and what goes wrong is what
 * one node stands. With forgets, it is killed, too, and that must show. */
bool nem_fault_alone(nem_world *w, bool forgets);

#endif
