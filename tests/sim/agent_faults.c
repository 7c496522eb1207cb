/* SPDX-License-Identifier: Apache-2.0 */
/* agent_faults.c -- what goes wrong, and the operator, who looks, thinks, and
 * writes. */
#include "tests/sim/agent_world.h"

#include "server/peer/epoch.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* --- faults --------------------------------------------------------------- */

static void crash_node(aw_world *w) {
    int at = (int)aw_below(w, (uint32_t)w->nodes);
    if (!w->node[at].up)
        return;
    aw_node_crash(w, at);
    w->node[at].starts_at = w->now + aw_between(w, 50, 3000);
}

static void crash_several(aw_world *w) {
    for (int i = 0; i < w->nodes; i++)
        crash_node(w);
}

static void pause_node(aw_world *w) {
    aw_node *node = &w->node[aw_below(w, (uint32_t)w->nodes)];
    node->paused_until = w->now + aw_between(w, 100, 6000);
    aw_say(w, "%c stands still for %llu ms", (int)('A' + (node - w->node)),
           (unsigned long long)(node->paused_until - w->now));
}

static void pause_agent(aw_world *w) {
    aw_agent *agent = &w->agent[aw_below(w, (uint32_t)w->agents)];
    agent->paused_until = w->now + aw_between(w, 100, 6000);
}

static void crash_agent(aw_world *w) {
    int at = (int)aw_below(w, (uint32_t)w->agents);
    if (w->restored)
        return; /* it would not remember which cluster it was */
    aw_agent_crash(w, at);
    w->agent[at].starts_at = w->now + aw_between(w, 0, 4000);
    aw_say(w, "agent %d dies", at);
}

static void cut_nodes(aw_world *w) {
    uint32_t a = aw_below(w, (uint32_t)w->nodes);
    uint32_t b = aw_below(w, (uint32_t)w->nodes);
    if (a == b)
        return;
    w->cut_until[a][b] = w->cut_until[b][a] = w->now + aw_between(w, 100, 4000);
    aw_say(w, "%c and %c are cut", (int)('A' + a), (int)('A' + b));
}

static void cut_agent(aw_world *w) {
    aw_agent *agent = &w->agent[aw_below(w, (uint32_t)w->agents)];
    uint64_t until = w->now + aw_between(w, 100, 5000);
    if (aw_chance(w, 50))
        agent->etcd_cut_until = until;
    else
        agent->node_cut_until = until;
}

/* A whole machine. */
static void cut_host(aw_world *w) {
    uint32_t at = aw_below(w, (uint32_t)w->nodes);
    uint64_t until = w->now + aw_between(w, 200, 6000);
    for (int i = 0; i < w->nodes; i++)
        w->cut_until[at][i] = w->cut_until[i][at] = until;
    w->cut_until[at][at] = 0;
    for (int i = 0; i < w->agents; i++)
        if (w->agent[i].node == (int)at)
            w->agent[i].etcd_cut_until = until;
    aw_say(w, "the host of %c is cut off", (int)('A' + at));
}

static void lose_etcd(aw_world *w) {
    uint32_t most = aw_chance(w, 10) ? 60000 : 4000;
    w->etcd.gone_until = w->now + aw_between(w, 200, most);
    aw_say(w, "etcd is away");
}

static void end_lease(aw_world *w) {
    aw_etcd_end_lease(w, (int)aw_below(w, (uint32_t)w->nodes));
}

static void switch_over(aw_world *w) {
    aw_agent *agent = &w->agent[aw_below(w, (uint32_t)w->agents)];
    if (agent->agent)
        ids_agent_wish_for(agent->agent, IDS_AGENT_SWITCHOVER, w->now);
}

/* From a backup: another cluster by its name, a record of before. */
static void restore_etcd(aw_world *w) {
    aw_etcd *etcd = &w->etcd;
    if (w->seed % 16 != 5 || w->restored || etcd->backup.mod == 0)
        return;
    etcd->now = etcd->backup;
    etcd->cluster++;
    etcd->versions = 0;
    for (int i = 0; i < w->nodes; i++)
        etcd->now.alive[i].lease = 0;
    w->restored = true;
    for (int i = 0; i < w->agents; i++)
        if (!w->agent[i].agent)
            w->agent[i].starts_at = UINT64_MAX;
    aw_say(w, "etcd is restored, as it was at R %llu",
           (unsigned long long)etcd->now.mod);
}

static void backup_etcd(aw_world *w) {
    if (aw_chance(w, 30))
        w->etcd.backup = w->etcd.now;
    else
        restore_etcd(w);
}

void aw_faults_tick(aw_world *w) {
    static void (*const faults[])(aw_world *) = {
        crash_node,  crash_node, crash_node,  crash_several, pause_node,
        pause_agent, cut_nodes,  cut_agent,   cut_host,      lose_etcd,
        end_lease,   end_lease,  switch_over, crash_agent,   crash_agent,
        cut_nodes,   backup_etcd};
    enum { FAULTS = sizeof faults / sizeof *faults };
    if (w->heals || w->now < w->next_fault ||
        (w->quiet && w->now > AW_QUIET_MS))
        return;
    w->next_fault = w->now + aw_between(w, 100, 2100);
    w->tally.faults++;
    if (w->seed % 16 == 5 && aw_chance(w, 15))
        backup_etcd(w);
    else
        faults[aw_below(w, FAULTS)](w);
}

/* So many that work are left as are wanted in sync. */
static void heal_agents(aw_world *w, uint32_t node_lost) {
    uint32_t lost = aw_chance(w, 20) ? aw_below(w, (uint32_t)w->nodes) : 99;
    if (w->nodes - 2 < (int)w->min_in_sync && node_lost != 99)
        lost = node_lost;
    for (int i = 0; i < w->agents; i++) {
        aw_agent *agent = &w->agent[i];
        agent->paused_until = agent->etcd_cut_until = agent->node_cut_until = 0;
        if (agent->starts_at > w->now && agent->starts_at != UINT64_MAX)
            agent->starts_at = w->now;
        if (agent->node != (int)lost)
            continue;
        aw_agent_crash(w, i);
        agent->starts_at = UINT64_MAX;
        agent->never = true;
    }
}

/* It is gone, or it hangs: then its port does not refuse. */
static void lose_node(aw_world *w, int at) {
    aw_node *node = &w->node[at];
    if (node->up && aw_chance(w, 40)) {
        node->paused_until = UINT64_MAX;
        aw_say(w, "%c hangs for ever", 'A' + at);
        return;
    }
    aw_node_crash(w, at);
    node->starts_at = UINT64_MAX;
}

void aw_heal(aw_world *w) {
    uint32_t lost = aw_chance(w, 30) ? aw_below(w, (uint32_t)w->nodes) : 99;
    w->heals = true;
    w->etcd.gone_until = 0;
    memset(w->cut_until, 0, sizeof w->cut_until);
    for (int i = 0; i < w->nodes; i++) {
        aw_node *node = &w->node[i];
        node->paused_until = 0;
        if (node->starts_at > w->now)
            node->starts_at = w->now;
        if (i != (int)lost || w->nodes <= (int)w->min_in_sync)
            continue;
        lose_node(w, i);
    }
    heal_agents(w, lost);
    aw_say(w, "all heals");
}

/* --- the operator --------------------------------------------------------- */

bool aw_has_agent(const aw_world *w, int node) {
    for (int i = 0; i < w->agents; i++)
        if (w->agent[i].node == node && w->agent[i].agent)
            return true;
    return false;
}

/* A member that may take over, or that leads. */
static bool has_member(const aw_world *w) {
    const ids_group *group = &w->etcd.now.group;
    for (uint32_t i = 0; i < group->isr_count; i++) {
        int at = aw_node_of(group->isr[i].node.text);
        const aw_node *node = &w->node[at];
        if (node->up && node->paused_until != UINT64_MAX &&
            node->incarnation == group->isr[i].incarnation &&
            (aw_has_agent(w, at) ||
             (node->leading && node->lead_epoch == group->epoch)))
            return true;
    }
    return false;
}

static int any_node(aw_world *w) {
    for (int tries = 0; tries < 20; tries++) {
        int at = (int)aw_below(w, (uint32_t)w->nodes);
        if (aw_node_acts(w, at) && aw_has_agent(w, at))
            return at;
    }
    return -1;
}

/* A third goes by the agent, the others by hand, which takes two seconds. */
static void accept_loss(aw_world *w) {
    int at = any_node(w);
    if (at < 0)
        return;
    w->leaderless_ms = w->now;
    for (int i = 0; i < w->agents; i++)
        if (w->agent[i].node == at && w->agent[i].agent && aw_chance(w, 33)) {
            ids_agent_wish_for(w->agent[i].agent, IDS_AGENT_ACCEPT_LOSS,
                               w->now);
            return;
        }
    w->thinks = true;
    w->thought_ms = w->now + 2000;
    w->thought_mod = w->etcd.now.mod;
    w->thought_of = at;
}

static void write_by_hand(aw_world *w, int at, ids_group_why why,
                          uint64_t compare) {
    const aw_node *node = &w->node[at];
    ids_group group = w->etcd.now.group;
    if (!node->up)
        return;
    if (!group.id.text[0])
        strcpy(group.id.text, "00000000-0000-4000-8000-0000000000ff");
    aw_node_name(at, &group.primary);
    group.primary.incarnation = node->incarnation;
    for (int i = 0; i < w->nodes; i++)
        if (w->node[i].epoch > group.epoch)
            group.epoch = w->node[i].epoch;
    group.epoch++;
    group.isr_count = 0;
    group.why = why;
    ids_group_add(&group, &group.primary);
    strcpy(group.by.text, "operator");
    aw_etcd_put(w, &group, compare, IDS_AGENT_OFF(T6_COMPARE));
}

/* The pair of before: who is newest only the operator knows. */
static void create_by_hand(aw_world *w) {
    if (!w->from_pair || w->by_hand || w->now < 7000 || !w->node[0].up)
        return;
    w->by_hand = true;
    if (w->etcd.now.mod == 0)
        write_by_hand(w, 0, IDS_GROUP_CREATE, 0);
}

void aw_operator_tick(aw_world *w) {
    create_by_hand(w);
    if (w->restored || w->etcd.now.mod == 0)
        return;
    if (w->thinks && w->now >= w->thought_ms) {
        w->thinks = false;
        if (w->etcd.gone_until <= w->now)
            write_by_hand(w, w->thought_of, IDS_GROUP_ACCEPT_LOSS,
                          w->thought_mod);
    }
    if (has_member(w))
        w->leaderless_ms = w->now;
    else if (!w->thinks && w->now - w->leaderless_ms > 1500)
        accept_loss(w);
}
