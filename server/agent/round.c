/* SPDX-License-Identifier: Apache-2.0 */
/* round.c -- one round: ask the node and etcd, if need be the primary, decide,
 * carry it out (A1). Pure. */
#include "server/agent/inner.h"
#include "server/agent/mutant.h"

void ids_agent_begin_round(ids_agent *agent, uint64_t now_ms) {
    assert(agent->stage == IDS_AGENT_RESTS);
    agent->stage = IDS_AGENT_GATHERS;
    agent->round_ms = now_ms;
    agent->has_view = agent->has_primary = agent->refused = false;
    agent->others_epoch = 0;
    agent->others_missing = agent->others_have_history = false;
    ids_agent_call_out(agent, &agent->own_call, IDS_AGENT_ASK, now_ms);
    ids_agent_call_out(agent, &agent->read_call, IDS_AGENT_READ, now_ms);
}

void ids_agent_end_round(ids_agent *agent, uint64_t next_ms) {
    uint64_t soon_ms = agent->round_ms + IDS_AGENT_HURRY_MS;
    assert(!agent->put_call.id && !agent->read_call.id);
    agent->stage = IDS_AGENT_RESTS;
    agent->next_ms = soon_ms < agent->hurries_until_ms && soon_ms < next_ms
                         ? soon_ms
                         : next_ms;
}

/* --- what a decision is made on ------------------------------------------- */

static ids_agent_facts facts_of(const ids_agent *agent, uint64_t now_ms) {
    ids_agent_facts facts = {.node = agent->config.node,
                             .view = &agent->view,
                             .wish = agent->wish,
                             .refused = agent->refused,
                             .new_id = agent->config.new_id,
                             .by_hand = agent->config.by_hand,
                             .clock_epoch = agent->clock_epoch,
                             .others_epoch = agent->others_epoch,
                             .others_missing = agent->others_missing,
                             .others_have_history = agent->others_have_history};
    if (agent->has_own && now_ms - agent->own_ms < IDS_AGENT_REPORT_MS)
        facts.own = &agent->own;
    if (agent->has_primary)
        facts.primary = &agent->primary;
    return facts;
}

static uint64_t since(ids_agent_lag *lag, const ids_agent_lag *before,
                      const ids_report_peer *peer, uint64_t now_ms) {
    *lag = (ids_agent_lag){.node = peer->who.node,
                           .incarnation = peer->who.incarnation,
                           .since_ms = now_ms};
    for (int i = 0; i < IDS_GROUP_SEEN_MAX; i++)
        if (before[i].incarnation == lag->incarnation &&
            ids_group_same_node(&before[i].node, &lag->node))
            lag->since_ms = before[i].since_ms;
    return now_ms - lag->since_ms;
}

/* For how long has each been seen not to be whole? */
static void count_lag(ids_agent *agent, ids_report *report, uint64_t now_ms) {
    ids_agent_lag before[IDS_GROUP_SEEN_MAX];
    uint32_t count = 0;
    for (int i = 0; i < IDS_GROUP_SEEN_MAX; i++) {
        before[i] = agent->lag[i];
        agent->lag[i] = (ids_agent_lag){.incarnation = 0};
    }
    assert(report->peer_count <= IDS_GROUP_SEEN_MAX);
    for (uint32_t i = 0; i < report->peer_count; i++) {
        ids_report_peer *peer = &report->peer[i];
        peer->lagging_ms =
            peer->whole ? 0 : since(&agent->lag[count++], before, peer, now_ms);
    }
}

/* --- what follows from it ------------------------------------------------- */

static void tell_config(ids_agent *agent, const ids_endpoint *to) {
    assert(agent->has_view && agent->view.revision > 0);
    ids_agent_act *act = ids_agent_say(agent, IDS_AGENT_CONFIG);
    act->group = agent->view.group;
    act->rev = agent->view.revision;
    act->to = *to;
}

static void put_intent(ids_agent *agent, const ids_intent *intent,
                       uint64_t now_ms) {
    const ids_group_member *primary = &intent->group.primary;
    ids_agent_act *act =
        ids_agent_call_out(agent, &agent->put_call, IDS_AGENT_PUT, now_ms);
    act->group = agent->putting = intent->group;
    act->compare = agent->put_compare = intent->compare;
    act->blind = (IDS_AGENT_OFF(COMPARE) && intent->compare > 0) ||
                 (IDS_AGENT_OFF(T0_COMPARE) && intent->compare == 0) ||
                 (IDS_AGENT_OFF(T6_COMPARE) &&
                  intent->group.why == IDS_GROUP_ACCEPT_LOSS);
    agent->put_for_primary =
        !ids_group_same_node(&primary->node, &agent->config.node);
    agent->put_primary_at = primary->at;
    agent->stage = IDS_AGENT_PUTS;
    if (IDS_AGENT_OFF(COMMAND_FIRST)) {
        act = ids_agent_say(agent, IDS_AGENT_CONFIG);
        act->group = intent->group;
        act->rev = intent->compare + 1;
        if (agent->put_for_primary)
            act->to = primary->at;
    }
}

static void offer_intent(ids_agent *agent, const ids_intent *intent) {
    const ids_group_member *primary = &agent->view.group.primary;
    assert(agent->view.revision > 0);
    ids_agent_act *act = ids_agent_say(agent, IDS_AGENT_OFFER);
    act->rev = agent->view.revision;
    act->group.epoch = agent->view.group.epoch;
    act->member = intent->offered;
    if (!ids_group_same_node(&primary->node, &agent->config.node))
        act->to = primary->at;
}

static void carry_out_intent(ids_agent *agent, const ids_intent *intent,
                             uint64_t now_ms) {
    const ids_endpoint here = {.text = ""};
    bool again = !IDS_AGENT_OFF(A1_CONFIG);
    agent->trouble = intent->trouble;
    if (intent->tell_own && again)
        tell_config(agent, &here);
    if (intent->tell_primary && again)
        tell_config(agent, &agent->view.group.primary.at);
    if (intent->kind == IDS_INTENT_PUT) {
        put_intent(agent, intent, now_ms);
        return;
    }
    if (intent->kind == IDS_INTENT_OFFER)
        offer_intent(agent, intent);
    ids_agent_end_round(agent, agent->round_ms + IDS_AGENT_ROUND_MS);
}

/* Another cluster's record is another's, however it looks (A6). */
static bool is_same_cluster(ids_agent *agent) {
    if (agent->cluster == 0)
        agent->cluster = agent->view.cluster;
    return agent->cluster == agent->view.cluster || IDS_AGENT_OFF(A6_BACKUP);
}

static void decide_next(ids_agent *agent, uint64_t now_ms) {
    if (agent->has_own)
        count_lag(agent, &agent->own, now_ms);
    if (agent->has_primary)
        count_lag(agent, &agent->primary, now_ms);
    ids_agent_facts facts = facts_of(agent, now_ms);
    ids_intent intent = ids_agent_decide(&facts);
    carry_out_intent(agent, &intent, now_ms);
}

/* --- its steps ------------------------------------------------------------ */

static void probe(ids_agent *agent, uint64_t now_ms) {
    bool creates = agent->view.revision == 0;
    uint32_t count = creates ? agent->config.other_count : 1;
    assert(count > 0 && count <= IDS_GROUP_NODES_MAX);
    assert(agent->stage == IDS_AGENT_GATHERS);
    agent->stage = IDS_AGENT_PROBES;
    for (uint32_t i = 0; i < count; i++)
        ids_agent_call_out(agent, &agent->probe_call[i], IDS_AGENT_ASK, now_ms)
            ->to =
            creates ? agent->config.other[i] : agent->view.group.primary.at;
}

static bool probes(const ids_agent *agent) {
    for (int i = 0; i < IDS_GROUP_NODES_MAX; i++)
        if (agent->probe_call[i].id)
            return true;
    return false;
}

static bool must_probe(const ids_agent *agent, uint64_t now_ms) {
    ids_agent_facts facts = facts_of(agent, now_ms);
    if (agent->view.revision == 0)
        return facts.own && agent->config.other_count > 0 &&
               agent->config.new_id.text[0];
    return ids_agent_must_ask(&facts);
}

static void gathered(ids_agent *agent, uint64_t now_ms) {
    ids_agent_keep_alive(agent, now_ms);
    if (!agent->has_view) {
        agent->trouble = IDS_AGENT_TROUBLE_READ;
        ids_agent_end_round(agent, agent->round_ms + IDS_AGENT_ROUND_MS);
    } else if (!is_same_cluster(agent)) {
        agent->trouble = IDS_AGENT_TROUBLE_CLUSTER;
        ids_agent_end_round(agent, agent->round_ms + IDS_AGENT_ROUND_MS);
    } else if (must_probe(agent, now_ms))
        probe(agent, now_ms);
    else
        decide_next(agent, now_ms);
}

void ids_agent_go_on(ids_agent *agent, uint64_t now_ms) {
    if (agent->stage == IDS_AGENT_GATHERS) {
        if (!agent->own_call.id && !agent->read_call.id)
            gathered(agent, now_ms);
    } else if (agent->stage == IDS_AGENT_PROBES && !probes(agent))
        decide_next(agent, now_ms);
}
