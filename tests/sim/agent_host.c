/* SPDX-License-Identifier: Apache-2.0 */
/* agent_host.c -- agents as they run in a world: started, ended, asked what
 * they want to be done. */
#include "tests/sim/agent_world.h"

#include "server/peer/epoch.h"

#include <assert.h>
#include <stdio.h>

enum { UNIX_MS = 1740800000 };

void aw_agent_start(aw_world *w, int at) {
    aw_agent *agent = &w->agent[at];
    ids_group_member self;
    ids_agent_config config = {.lease_ms = AW_LEASE_MS};
    aw_node_name(agent->node, &self);
    config.node = self.node;
    snprintf(config.new_id.text, sizeof config.new_id.text,
             "00000000-0000-4000-8000-%012llx",
             (unsigned long long)(idt_rng_next(&w->rng) >> 16));
    for (int i = 0; i < w->nodes; i++) {
        aw_node_name(i, &self);
        if (i != agent->node)
            config.other[config.other_count++] = self.at;
    }
    agent->agent = ids_agent_new(&config, w->now);
    assert(agent->agent);
    agent->life++;
    agent->paused_until = 0;
}

void aw_agent_crash(aw_world *w, int at) {
    ids_agent_free(w->agent[at].agent);
    w->agent[at].agent = NULL;
}

void aw_agent_tick(aw_world *w, int at) {
    aw_agent *agent = &w->agent[at];
    ids_agent_act act;
    if (!agent->agent && agent->starts_at <= w->now)
        aw_agent_start(w, at);
    if (!agent->agent || agent->paused_until > w->now)
        return;
    if (ids_agent_due(agent->agent) <= w->now) {
        ids_agent_tick(agent->agent, ids_epoch_of(UNIX_MS + w->now), w->now);
        w->tally.troubles[ids_agent_last_trouble(agent->agent)]++;
    }
    while (ids_agent_next(agent->agent, &act))
        aw_agent_asks(w, at, &act);
}
