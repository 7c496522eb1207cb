/* SPDX-License-Identifier: Apache-2.0 */
/* agent.c -- see agent.h: what goes out, what comes back, what is late. Pure.
 */
#include "server/agent/inner.h"
#include "server/agent/mutant.h"

#include <stdlib.h>

ids_agent *ids_agent_new(const ids_agent_config *config, uint64_t now_ms) {
    assert(config->lease_ms >= IDS_AGENT_LEASE_MIN);
    assert(config->lease_ms <= IDS_AGENT_LEASE_MAX);
    assert(config->node.text[0]);
    ids_agent *agent = calloc(1, sizeof *agent);
    if (!agent)
        return NULL;
    agent->config = *config;
    agent->next_ms = now_ms;
    return agent;
}

void ids_agent_free(ids_agent *agent) {
    free(agent);
}

/* --- back ----------------------------------------------------------------- */

static void take_other(ids_agent *agent, const ids_report *report,
                       bool refused) {
    assert(agent->stage == IDS_AGENT_PROBES && agent->has_view);
    if (agent->view.revision > 0) {
        agent->has_primary = report != NULL;
        agent->refused = !report && refused;
        if (report)
            agent->primary = *report;
        return;
    }
    if (!report) {
        agent->others_missing = true;
        return;
    }
    if (report->epoch > agent->others_epoch)
        agent->others_epoch = report->epoch;
    if (report->leading || report->had_replica || report->rev)
        agent->others_have_history = true;
}

void ids_agent_reported(ids_agent *agent, uint64_t call,
                        const ids_report *report, bool refused,
                        uint64_t now_ms) {
    uint64_t sent_ms = agent->own_call.sent_ms;
    bool own = ids_agent_is_answer(&agent->own_call, call), other = false;
    for (int i = 0; i < IDS_GROUP_NODES_MAX && !own; i++)
        other = ids_agent_is_answer(&agent->probe_call[i], call) || other;
    if (other)
        take_other(agent, report, refused);
    /* Who answers at the node's port under another name is not the node. */
    if (own && report &&
        ids_group_same_node(&report->self.node, &agent->config.node)) {
        agent->own = *report;
        agent->own_ms = sent_ms;
        agent->has_own = true;
    }
    if (own || other)
        ids_agent_go_on(agent, now_ms);
}

void ids_agent_seen(ids_agent *agent, uint64_t call, const ids_group_view *view,
                    uint64_t now_ms) {
    if (!ids_agent_is_answer(&agent->read_call, call))
        return;
    agent->has_view = view != NULL;
    if (view)
        agent->view = *view;
    ids_agent_go_on(agent, now_ms);
}

/* The command after the transaction (T7). */
static void tell_own(ids_agent *agent, const ids_group *group,
                     uint64_t revision) {
    ids_agent_act *act = ids_agent_say(agent, IDS_AGENT_CONFIG);
    act->group = *group;
    act->rev = revision;
}

static void tell_at(ids_agent *agent, const ids_group *group, uint64_t revision,
                    const ids_endpoint *to) {
    if (!ids_endpoint_is_set(to))
        return;
    ids_agent_act *act = ids_agent_say(agent, IDS_AGENT_CONFIG);
    act->group = *group;
    act->rev = revision;
    act->to = *to;
}

/* Who is to follow another from now on would hear of it in its own agent's next
 * round, and the new primary waits for each of them meanwhile. */
static void tell_followers(ids_agent *agent, const ids_group *group,
                           uint64_t revision) {
    const ids_group_member *old = &agent->view.group.primary;
    if (group->epoch == agent->view.group.epoch)
        return;
    assert(group->isr_count <= IDS_GROUP_NODES_MAX);
    for (uint32_t i = 0; i < group->isr_count; i++)
        if (!ids_group_same_node(&group->isr[i].node, &group->primary.node))
            tell_at(agent, group, revision, &group->isr[i].at);
    if (!ids_group_find(group, &old->node))
        tell_at(agent, group, revision, &old->at);
}

static void tell_group(ids_agent *agent, const ids_group *group,
                       uint64_t revision) {
    tell_own(agent, group, revision);
    if (agent->put_for_primary)
        tell_at(agent, group, revision, &agent->put_primary_at);
    else
        tell_followers(agent, group, revision);
}

/* Agents that get into each other's way do not ask etcd all the time. */
static uint64_t later(const ids_agent *agent) {
    return agent->round_ms + IDS_AGENT_ROUND_MS;
}

static bool put_again(ids_agent *agent, uint64_t revision, uint64_t now_ms) {
    if (!IDS_AGENT_OFF(COMPARE_FRESH) || agent->put_compare == 0 ||
        revision == agent->put_compare)
        return false;
    ids_agent_act *act =
        ids_agent_call_out(agent, &agent->put_call, IDS_AGENT_PUT, now_ms);
    act->group = agent->putting;
    act->compare = agent->put_compare = revision;
    return true;
}

void ids_agent_put(ids_agent *agent, uint64_t call, bool done,
                   const ids_group_view *view, uint64_t now_ms) {
    if (!ids_agent_is_answer(&agent->put_call, call))
        return;
    assert(agent->stage == IDS_AGENT_PUTS);
    if (!view) {
        ids_agent_end_round(agent, later(agent));
        return;
    }
    if (!done && put_again(agent, view->revision, now_ms))
        return;
    if (done || IDS_AGENT_OFF(T7_FAILURE))
        tell_group(agent, &agent->putting, view->revision);
    else if (view->revision > 0)
        tell_own(agent, &view->group, view->revision);
    agent->wish = IDS_AGENT_NO_WISH;
    ids_agent_end_round(agent, done ? now_ms : later(agent));
}

/* --- time ----------------------------------------------------------------- */

static void give_up(ids_agent_call *call, uint64_t patience_ms, uint64_t now_ms,
                    bool *any) {
    if (call->id == 0 || now_ms - call->sent_ms < patience_ms)
        return;
    call->id = 0;
    *any = true;
}

static void drop_late(ids_agent *agent, uint64_t now_ms) {
    bool any = false, probe = false, put = false;
    give_up(&agent->own_call, IDS_AGENT_CALL_MS, now_ms, &any);
    give_up(&agent->read_call, IDS_AGENT_CALL_MS, now_ms, &any);
    for (int i = 0; i < IDS_GROUP_NODES_MAX; i++)
        give_up(&agent->probe_call[i], IDS_AGENT_PROBE_MS, now_ms, &probe);
    agent->others_missing = agent->others_missing || probe;
    give_up(&agent->lease.call, IDS_AGENT_CALL_MS, now_ms, &any);
    give_up(&agent->put_call, IDS_AGENT_CALL_MS, now_ms, &put);
    if (put) {
        /* No answer: nothing is known (T7). The next round reads. */
        if (IDS_AGENT_OFF(T7_SILENCE))
            tell_group(agent, &agent->putting, agent->put_compare + 1);
        ids_agent_end_round(agent, now_ms);
    } else if (any || probe)
        ids_agent_go_on(agent, now_ms);
}

void ids_agent_tick(ids_agent *agent, uint64_t clock_epoch, uint64_t now_ms) {
    agent->clock_epoch = clock_epoch;
    if (agent->wish != IDS_AGENT_NO_WISH && now_ms >= agent->wish_until_ms)
        agent->wish = IDS_AGENT_NO_WISH;
    drop_late(agent, now_ms);
    if (agent->stage == IDS_AGENT_RESTS && now_ms >= agent->next_ms)
        ids_agent_begin_round(agent, now_ms);
}

static void sooner(uint64_t *due, const ids_agent_call *call,
                   uint64_t patience_ms) {
    if (call->id && call->sent_ms + patience_ms < *due)
        *due = call->sent_ms + patience_ms;
}

uint64_t ids_agent_due(const ids_agent *agent) {
    uint64_t due =
        agent->stage == IDS_AGENT_RESTS ? agent->next_ms : UINT64_MAX;
    sooner(&due, &agent->own_call, IDS_AGENT_CALL_MS);
    sooner(&due, &agent->read_call, IDS_AGENT_CALL_MS);
    sooner(&due, &agent->put_call, IDS_AGENT_CALL_MS);
    sooner(&due, &agent->lease.call, IDS_AGENT_CALL_MS);
    for (int i = 0; i < IDS_GROUP_NODES_MAX; i++)
        sooner(&due, &agent->probe_call[i], IDS_AGENT_PROBE_MS);
    assert(due != UINT64_MAX);
    return due;
}

static void begin_soon(ids_agent *agent, uint64_t now_ms) {
    if (agent->stage == IDS_AGENT_RESTS && agent->next_ms > now_ms)
        agent->next_ms = now_ms;
}

void ids_agent_hurry(ids_agent *agent, uint64_t now_ms) {
    if (now_ms < agent->may_hurry_ms)
        return;
    agent->may_hurry_ms = now_ms + IDS_AGENT_HURRIES_MS;
    agent->hurries_until_ms = now_ms + 2 * IDS_AGENT_HURRY_MS;
    begin_soon(agent, now_ms);
}

void ids_agent_wish_for(ids_agent *agent, ids_agent_wish wish,
                        uint64_t now_ms) {
    begin_soon(agent, now_ms);
    agent->wish = wish;
    agent->wish_until_ms = now_ms + IDS_AGENT_WISH_MS;
}

ids_agent_wish ids_agent_wishes(const ids_agent *agent) {
    return agent->wish;
}

ids_agent_trouble ids_agent_last_trouble(const ids_agent *agent) {
    return agent->trouble;
}
