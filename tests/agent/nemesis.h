/* SPDX-License-Identifier: Apache-2.0 */
/* nemesis.h -- a run of the nemesis over three machines with agents: who puts
 * things right is nobody. */
#ifndef TEST_AGENT_NEMESIS_H
#define TEST_AGENT_NEMESIS_H

#include "tests/agent/machines.h"
#include "tests/lib/rng.h"
#include "tests/nemesis/client.h"

#include <stdio.h>

enum { CLIENTS_LEAST = 8, CLIENTS_MOST = 256 };

typedef struct agents_world {
    uint64_t seed, start_ns, seconds, heal_ms_max;
    const char *only;     /* what goes wrong; NULL: all that can */
    unsigned etcd_away_s; /* all of it, once in a run */
    idt_rng rng;
    machines m;
    ids_group_view view; /* as all was well last */
    int primary;
    uint64_t same_ns; /* when the record last named that primary */
    unsigned failovers, failovers_least, cycles;
    uint64_t slowest_ms; /* to be whole again */
    FILE *windows;       /* to the history */
    bool failed;
    pid_t pids[CLIENTS_MOST];
    unsigned clients_run; /* side by side */
    unsigned pause_ms;    /* at most, between two calls of one; 0: as ever */
    unsigned clients;     /* ever started */
    bool *over;           /* shared with them */
} agents_world;

__attribute__((format(printf, 2, 3))) void aw_say(agents_world *w,
                                                  const char *format, ...);
/* The run is over, and this is why. Always false. */
__attribute__((format(printf, 2, 3))) bool aw_fail(agents_world *w,
                                                   const char *format, ...);
void aw_rest_ms(unsigned ms);
unsigned aw_some(agents_world *w, unsigned low, unsigned high);

/* --- nemesis_clients.c */

bool aw_clients_start(agents_world *w);
void aw_clients_replace(agents_world *w, unsigned which);
bool aw_clients_stop(agents_world *w);
bool aw_clients_audit(agents_world *w);
bool aw_clients_histories(agents_world *w, nem_history *h);
/* Changes are accepted: one claim is made and completed. */
bool aw_clients_probe(agents_world *w);

/* --- nemesis_faults.c */

bool aw_knows_fault(const char *name);
/* One thing goes wrong; false: the run has failed. */
bool aw_fault(agents_world *w);
/* All of etcd is away; claims go on. */
bool aw_etcd_away(agents_world *w, unsigned seconds);
/* --- nemesis_heal.c */

enum { AW_LOOK_MS = 40 };

/* All faults are over: waits until all nodes are in sync. */
bool aw_heal(agents_world *w);
/* What etcd has; false: no answer for a while. */
bool aw_look(agents_world *w, ids_group_view *view);
/* Until another leads, by the record; false: not in time, which is said. */
bool aw_another_leads(agents_world *w);
/* All are in sync, as the record says, and their agents say that they live. */
bool aw_is_well(agents_world *w, ids_group_view *view);
/* SIGCONT; the judge hears for how long a node stood still. */
void aw_go_on(agents_world *w, int at, part what);
/* -1: none that is known. */
int aw_primary_of(const ids_group_view *view);
uint64_t aw_ms_since(uint64_t ns);

#endif
