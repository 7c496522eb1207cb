/* SPDX-License-Identifier: Apache-2.0 */
/* agent_post.c -- what an agent asks, on its way to etcd or to a node, and
 * back: lost, late, doubled, applied though nobody hears of it. */
#include "tests/sim/agent_world.h"

#include <assert.h>
#include <stdlib.h>

aw_message *aw_post(aw_world *w, const aw_message *message, uint64_t delay_ms) {
    if (w->message_count == AW_MESSAGES_MAX)
        return NULL; /* the network is full: it is lost */
    aw_message *own = malloc(sizeof *own);
    if (!own)
        return NULL;
    *own = *message;
    own->at = w->now + delay_ms;
    own->seq = w->seq++;
    w->message[w->message_count++] = own;
    return own;
}

void aw_forget_messages(aw_world *w) {
    while (w->message_count)
        free(w->message[--w->message_count]);
}

/* --- out ------------------------------------------------------------------ */

static uint64_t delay(aw_world *w) {
    return aw_chance(w, 5) ? aw_between(w, 5, 60) : aw_between(w, 0, 5);
}

static void to_etcd(aw_world *w, aw_message *m) {
    uint64_t late = delay(w);
    if (w->agent[m->agent].etcd_cut_until > w->now)
        return;
    if (!w->heals && aw_chance(w, w->odds.lost) && aw_chance(w, 50))
        return;
    /* It stands somewhere in between, and is applied in the end. */
    if (!w->heals && aw_chance(w, w->odds.late)) {
        late = aw_between(w, 100, 4000);
        w->tally.late++;
    }
    aw_post(w, m, late);
    if (!w->heals && aw_chance(w, w->odds.doubled)) {
        aw_post(w, m, late + aw_between(w, 1, 2000));
        w->tally.doubled++;
    }
}

static void to_node(aw_world *w, aw_message *m) {
    uint64_t late = delay(w);
    bool command = m->act.kind != IDS_AGENT_ASK;
    int at = w->agent[m->agent].node;
    m->node = m->act.to.text[0] ? aw_node_of(m->act.to.text) : at;
    if (m->node == at && w->agent[m->agent].node_cut_until > w->now)
        return;
    if (m->node != at && !aw_is_linked(w, at, m->node))
        return;
    if (!w->heals && aw_chance(w, command ? w->odds.command_lost : 1))
        return;
    if (!w->heals && command && aw_chance(w, w->odds.command_late))
        late = aw_between(w, 100, 3000);
    aw_post(w, m, late);
    if (!w->heals && command && aw_chance(w, w->odds.command_doubled))
        aw_post(w, m, late + aw_between(w, 1, 4000));
}

void aw_agent_asks(aw_world *w, int agent, const ids_agent_act *act) {
    aw_message m = {.agent = agent, .life = w->agent[agent].life, .act = *act};
    bool node = act->kind == IDS_AGENT_ASK || act->kind == IDS_AGENT_CONFIG ||
                act->kind == IDS_AGENT_OFFER;
    m.where = node ? AW_TO_NODE : AW_TO_ETCD;
    if (act->kind == IDS_AGENT_OFFER)
        w->tally.offers++;
    if (node)
        to_node(w, &m);
    else
        to_etcd(w, &m);
}

/* --- there ---------------------------------------------------------------- */

static void at_etcd(aw_world *w, aw_message *m) {
    bool away = w->etcd.gone_until > w->now;
    if (away)
        return;
    aw_etcd_take(w, m);
    m->where = AW_FROM_ETCD;
    if (w->agent[m->agent].etcd_cut_until > w->now ||
        (!w->heals && aw_chance(w, w->odds.lost)))
        return; /* it is done, and nobody hears of it */
    uint64_t back = delay(w);
    aw_post(w, m, back);
    if (!w->heals && aw_chance(w, w->odds.doubled))
        aw_post(w, m, back + aw_below(w, 300));
}

static void at_node(aw_world *w, aw_message *m) {
    aw_node *node = &w->node[m->node];
    if (node->up && node->paused_until == UINT64_MAX)
        return;
    if (node->up && node->paused_until > w->now) {
        aw_post(w, m, node->paused_until - w->now + aw_below(w, 5));
        return;
    }
    if (node->up)
        aw_node_take(w, m);
    m->refused = !node->up;
    if (m->act.kind != IDS_AGENT_ASK)
        return;
    m->where = AW_FROM_NODE;
    aw_post(w, m, delay(w));
}

static void answer(ids_agent *agent, const aw_message *m, uint64_t now) {
    uint64_t call = m->act.call;
    switch (m->act.kind) {
    case IDS_AGENT_ASK:
        ids_agent_reported(agent, call, m->refused ? NULL : &m->report,
                           m->refused, now);
        break;
    case IDS_AGENT_READ:
        ids_agent_seen(agent, call, &m->view, now);
        break;
    case IDS_AGENT_PUT:
        ids_agent_put(agent, call, m->done, &m->view, now);
        break;
    case IDS_AGENT_GRANT:
    case IDS_AGENT_ALIVE:
    case IDS_AGENT_KEEPALIVE:
        ids_agent_leased(agent, call, true, m->lease, now);
        break;
    case IDS_AGENT_CONFIG:
    case IDS_AGENT_OFFER:
    case IDS_AGENT_PAUSE:
    case IDS_AGENT_RESUME:
        assert(!"nobody waits for that");
    }
}

static void at_agent(aw_world *w, aw_message *m) {
    aw_agent *agent = &w->agent[m->agent];
    if (!agent->agent || agent->life != m->life)
        return;
    if (agent->paused_until > w->now)
        aw_post(w, m, agent->paused_until - w->now);
    else
        answer(agent->agent, m, w->now);
}

static aw_message *take_first(aw_world *w) {
    uint32_t first = UINT32_MAX;
    for (uint32_t i = 0; i < w->message_count; i++) {
        const aw_message *m = w->message[i];
        if (m->at <= w->now &&
            (first == UINT32_MAX || m->at < w->message[first]->at ||
             (m->at == w->message[first]->at &&
              m->seq < w->message[first]->seq)))
            first = i;
    }
    if (first == UINT32_MAX)
        return NULL;
    aw_message *m = w->message[first];
    w->message[first] = w->message[--w->message_count];
    return m;
}

void aw_deliver(aw_world *w) {
    for (aw_message *m; !w->failed && (m = take_first(w)); free(m)) {
        if (m->where == AW_TO_ETCD)
            at_etcd(w, m);
        else if (m->where == AW_TO_NODE)
            at_node(w, m);
        else
            at_agent(w, m);
    }
}
