/* SPDX-License-Identifier: Apache-2.0 */
/* alive.c -- the key that says that a node is there: under a lease, with the
 * incarnation of its last answer, renewed while it answers (A2). Pure. */
#include "server/agent/inner.h"
#include "server/agent/mutant.h"

static ids_agent_act *ask(ids_agent *agent, ids_agent_act_kind kind,
                          uint64_t now_ms) {
    assert(agent->lease.call.id == 0);
    assert(kind == IDS_AGENT_GRANT || agent->lease.id != 0);
    agent->lease.asks = kind;
    ids_agent_act *act =
        ids_agent_call_out(agent, &agent->lease.call, kind, now_ms);
    act->lease = agent->lease.id;
    return act;
}

static void put_key(ids_agent *agent, uint64_t now_ms) {
    ids_agent_act *act = ask(agent, IDS_AGENT_ALIVE, now_ms);
    act->incarnation = agent->own.self.incarnation;
    assert(act->incarnation != 0);
    agent->lease.incarnation = act->incarnation;
}

static bool key_is_right(const ids_agent *agent) {
    uint64_t is = agent->own.self.incarnation;
    if (agent->lease.incarnation != is)
        return false;
    return !agent->has_view ||
           ids_group_alive_as(&agent->view, &agent->config.node) == is;
}

void ids_agent_keep_alive(ids_agent *agent, uint64_t now_ms) {
    ids_agent_lease *lease = &agent->lease;
    uint64_t fresh_ms = agent->config.lease_ms / 4;
    bool answers = agent->has_own && now_ms - agent->own_ms <= fresh_ms;
    if (lease->call.id ||
        !(answers || (IDS_AGENT_OFF(A2_SILENT) && agent->has_own)))
        return;
    if (lease->id == 0)
        ask(agent, IDS_AGENT_GRANT, now_ms);
    else if (!key_is_right(agent))
        put_key(agent, now_ms);
    else if (now_ms - lease->renewed_ms >= agent->config.lease_ms / 3)
        ask(agent, IDS_AGENT_KEEPALIVE, now_ms);
}

void ids_agent_leased(ids_agent *agent, uint64_t call, bool answered,
                      uint64_t id, uint64_t now_ms) {
    ids_agent_lease *lease = &agent->lease;
    uint64_t sent_ms = lease->call.sent_ms;
    if (!ids_agent_is_answer(&lease->call, call))
        return;
    if (!answered) {
        lease->incarnation = 0; /* what the key says is not known */
        return;
    }
    lease->id = id;
    if (id == 0)
        lease->incarnation = 0;
    else if (lease->asks != IDS_AGENT_ALIVE)
        lease->renewed_ms = sent_ms;
    if (lease->asks == IDS_AGENT_GRANT)
        ids_agent_keep_alive(agent, now_ms);
}
