/* SPDX-License-Identifier: Apache-2.0 */
/* peer_agents.h -- worlds whose nodes are under failover agents. */
#ifndef SIM_PEER_AGENTS_H
#define SIM_PEER_AGENTS_H

#include "tests/sim/agent_world.h"
#include "tests/sim/peer_world.h"

/* peers->agents is there. */
void pw_agents_begin(pw_world *peers);
void pw_agents_heal(pw_world *peers);
void pw_agents_end(pw_world *peers);

/* peer_reach.c: the latest of this memory, in this epoch (0: in any); NULL:
 * none. */
const pw_reach *pw_reach_of(const pw_world *w, uint64_t incarnation,
                            uint64_t epoch);

/* An operator has accepted loss, and this is who leads since, in this epoch:
 * until the one that was named last does. */
bool pw_agents_take_loss(pw_world *peers, uint64_t epoch);
/* Another leads by etcd's record: what it changes nobody confirms. */
bool pw_agents_deposed(const pw_node *n);
/* Whom a reply of this epoch has to be at, by etcd; NULL: nobody. */
const ids_group *pw_agents_group(const pw_world *peers, uint64_t epoch);

#endif
