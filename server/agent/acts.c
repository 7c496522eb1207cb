/* SPDX-License-Identifier: Apache-2.0 */
/* acts.c -- what the agent has to say, until its host takes it. Pure. */
#include "server/agent/inner.h"

ids_agent_act *ids_agent_say(ids_agent *agent, ids_agent_act_kind kind) {
    /* A round says less than that, and the host takes all of it. */
    assert(agent->act_count < IDS_AGENT_ACTS_MAX);
    ids_agent_act *act = &agent->acts[agent->act_count++];
    *act = (ids_agent_act){.kind = kind};
    return act;
}

ids_agent_act *ids_agent_call_out(ids_agent *agent, ids_agent_call *call,
                                  ids_agent_act_kind kind, uint64_t now_ms) {
    ids_agent_act *act = ids_agent_say(agent, kind);
    *call = (ids_agent_call){.id = ++agent->calls, .sent_ms = now_ms};
    assert(call->id != 0);
    act->call = call->id;
    return act;
}

bool ids_agent_next(ids_agent *agent, ids_agent_act *act) {
    if (agent->act_count == 0)
        return false;
    assert(agent->act_count <= IDS_AGENT_ACTS_MAX);
    *act = agent->acts[0];
    agent->act_count--;
    for (uint32_t i = 0; i < agent->act_count; i++)
        agent->acts[i] = agent->acts[i + 1];
    return true;
}
