/* SPDX-License-Identifier: Apache-2.0 */
/* peer_agents.c -- failover agents as they ship beside nodes as they ship, with
 * the model of etcd and of what is under way (agent_etcd.c, agent_post.c).
 *
 * Here is what those ask of a world (agent_world.h): nodes are the peer's
 * simulation's, and what an agent asks of one comes to its first worker as a
 * command. No rule is kept here. */
#include "tests/sim/peer_agents.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEADERLESS_MS = 3000 };

/* --- what agent_etcd and agent_post ask ----------------------------------- */

uint32_t aw_below(aw_world *w, uint32_t bound) {
    return idt_rng_below(&w->rng, bound);
}

bool aw_chance(aw_world *w, uint32_t percent) {
    return idt_rng_chance(&w->rng, percent);
}

uint32_t aw_between(aw_world *w, uint32_t low, uint32_t high) {
    return idt_rng_between(&w->rng, low, high);
}

void aw_say(aw_world *w, const char *format, ...) {
    char text[PW_TRACE_COLUMNS];
    va_list args;
    if (!w->peers->tracing)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    pw_say(w->peers, "%s", text);
}

/* Its name is its number, as the checker has it. */
void aw_node_name(int node, ids_group_member *member) {
    *member = (ids_group_member){.incarnation = 0};
    snprintf(member->node.text, sizeof member->node.text, "%016x", node + 1);
    snprintf(member->at.text, sizeof member->at.text, "%c:7117", pw_name(node));
}

int aw_node_of(const char *name) {
    char *end;
    unsigned long number = strtoul(name, &end, 16);
    return *end == '\0' ? (int)number - 1 : name[0] - 'A';
}

bool aw_is_linked(const aw_world *w, int a, int b) {
    return !w->peers->cut[a] && !w->peers->cut[b];
}

/* Whoever leads with this may lack what others acknowledged. */
void aw_check_put(aw_world *w, const ids_group *was, const ids_group *group,
                  bool seen) {
    (void)seen;
    w->group_was = *was;
    if (group->why == IDS_GROUP_ACCEPT_LOSS) {
        w->loss_is_due = true;
        w->loss_epoch = group->epoch;
        w->tally.loss_accepted++;
    }
}

/* --- N1 to N3 ------------------------------------------------------------- */

static void report(const pw_node *n, ids_report *to) {
    ids_group_member self;
    aw_node_name(n->index, &self);
    ids_peer_report(n->peer, to);
    to->self.at = self.at;
    for (uint32_t i = 0; i < to->peer_count; i++) {
        ids_group_member who;
        aw_node_name(aw_node_of(to->peer[i].who.node.text), &who);
        to->peer[i].who.at = who.at;
    }
}

/* N3: an offer is of the revision that the node has, and none outlives it. N5:
 * at etcd's own revision the members are etcd's. */
static void check_report(const aw_world *w, const pw_node *n,
                         const ids_report *is) {
    const aw_etcd_state *now = &w->etcd.now;
    bool is_level = is->rev == now->mod && is->lead_epoch == now->group.epoch;
    uint32_t members = 1;
    for (uint32_t i = 0; is->leading && i < is->peer_count; i++) {
        const ids_report_peer *peer = &is->peer[i];
        bool is_member = peer->as == IDS_REPORT_MEMBER;
        members += is_member;
        if (peer->as == IDS_REPORT_OFFERED && peer->rev != is->rev)
            pw_fail(n->w, "N3: %c has an offer of revision %llu at %llu",
                    pw_name(n->index), (unsigned long long)peer->rev,
                    (unsigned long long)is->rev);
        if (is_level && is_member && !ids_group_has(&now->group, &peer->who))
            pw_fail(n->w, "N5: %c has a member that etcd has not",
                    pw_name(n->index));
    }
    if (is->leading && is_level && members < now->group.isr_count)
        pw_fail(n->w, "N5: %c has %u members, etcd %u", pw_name(n->index),
                members, now->group.isr_count);
}

/* As it comes to the first worker. */
static void command(pw_node *n, const ids_agent_act *act) {
    const ids_command_handler handler = ids_replicator_handler(&n->replicator);
    bool offers = act->kind == IDS_AGENT_OFFER;
    const ids_command_request request = {.command =
                                             offers ? IDP_OFFER : IDP_CONFIG,
                                         .rev = act->rev,
                                         .group = &act->group,
                                         .whom = offers ? &act->member : NULL,
                                         .id = 1};
    const ids_peer *peer = n->peer;
    bool is_older = !offers && act->group.epoch < peer->known.epoch &&
                    act->rev > peer->known.rev;
    handler.begin(handler.ctx, pw_worker_begins(n, 0)->ids, &request);
    if (is_older &&
        (peer->known.rev == act->rev ||
         (peer->pending != IDS_PENDING_NONE && peer->proposed.rev == act->rev)))
        pw_fail(n->w, "N2: %c takes a record of epoch %llu, and knows of %llu",
                pw_name(n->index), (unsigned long long)act->group.epoch,
                (unsigned long long)peer->known.epoch);
    pw_worker_after(&n->worker[0]);
    pw_node_after(n);
}

void aw_node_take(aw_world *w, aw_message *m) {
    pw_node *n = &w->peers->node[m->node];
    if (m->act.kind == IDS_AGENT_ASK) {
        report(n, &m->report);
        check_report(w, n, &m->report);
    } else if (pw_worker_waits(n, 0))
        aw_post(w, m, 1);
    else
        command(n, &m->act);
}

/* --- faults --------------------------------------------------------------- */

static aw_agent *some_agent(aw_world *w) {
    return &w->agent[aw_below(w, (uint32_t)w->agents)];
}

static void pause_agent(aw_world *w) {
    some_agent(w)->paused_until = w->now + aw_between(w, 100, 6000);
}

static void crash_agent(aw_world *w) {
    int at = (int)aw_below(w, (uint32_t)w->agents);
    aw_agent_crash(w, at);
    w->agent[at].starts_at = w->now + aw_between(w, 0, 4000);
    aw_say(w, "agent %d dies", at);
}

static void cut_agent(aw_world *w) {
    aw_agent *agent = some_agent(w);
    uint64_t until = w->now + aw_between(w, 100, 5000);
    *(aw_chance(w, 50) ? &agent->etcd_cut_until : &agent->node_cut_until) =
        until;
}

static void lose_etcd(aw_world *w) {
    w->etcd.gone_until = w->now + aw_between(w, 200, 4000);
    aw_say(w, "etcd is away");
}

static void end_lease(aw_world *w) {
    aw_etcd_end_lease(w, (int)aw_below(w, (uint32_t)w->nodes));
}

static void switch_over(aw_world *w) {
    aw_agent *agent = some_agent(w);
    if (agent->agent)
        ids_agent_wish_for(agent->agent, IDS_AGENT_SWITCHOVER, w->now);
}

static void harm(aw_world *w) {
    static void (*const faults[])(aw_world *) = {
        pause_agent, crash_agent, crash_agent, cut_agent,
        lose_etcd,   end_lease,   end_lease,   switch_over};
    if (w->heals || w->now < w->next_fault)
        return;
    w->next_fault = w->now + aw_between(w, 100, 2100);
    w->tally.faults++;
    faults[aw_below(w, sizeof faults / sizeof *faults)](w);
}

/* --- the operator, who accepts loss where nobody else can lead ------------ */

static bool can_lead(const aw_world *w, const ids_group_member *member) {
    const pw_node *n = &w->peers->node[aw_node_of(member->node.text)];
    return n->started && n->peer->config.incarnation == member->incarnation;
}

static bool anyone_can_lead(const aw_world *w) {
    const ids_group *group = &w->etcd.now.group;
    for (uint32_t i = 0; i < group->isr_count; i++)
        if (can_lead(w, &group->isr[i]))
            return true;
    return false;
}

static void operator_looks(aw_world *w) {
    if (w->etcd.now.mod == 0 || anyone_can_lead(w))
        w->leaderless_ms = w->now;
    if (w->now - w->leaderless_ms < LEADERLESS_MS)
        return;
    aw_agent *agent = some_agent(w);
    if (!agent->agent || !w->peers->node[agent->node].started)
        return;
    w->leaderless_ms = w->now;
    ids_agent_wish_for(agent->agent, IDS_AGENT_ACCEPT_LOSS, w->now);
}

/* --- its course ----------------------------------------------------------- */

static void look_at_nodes(aw_world *w) {
    for (int i = 0; i < w->nodes; i++) {
        const pw_node *n = &w->peers->node[i];
        w->node[i].up = n->up && n->started;
        w->node[i].paused_until = n->paused_until > w->peers->now
                                      ? w->now + n->paused_until - w->peers->now
                                      : 0;
    }
}

static void step(pw_world *peers, int node, uint64_t word) {
    aw_world *w = peers->agents;
    (void)node, (void)word;
    w->now += AW_STEP_MS;
    look_at_nodes(w);
    aw_etcd_tick(w);
    harm(w);
    aw_deliver(w);
    for (int i = 0; i < w->agents && !peers->failed; i++)
        aw_agent_tick(w, i);
    operator_looks(w);
    pw_later(peers, AW_STEP_MS, step, -1, 0);
}

void pw_agents_begin(pw_world *peers) {
    aw_world *w = peers->agents;
    memset(w, 0, sizeof *w);
    w->peers = peers;
    idt_rng_seed(&w->rng, peers->seed ^ 0x5eed);
    w->nodes = pw_nodes(peers);
    w->agents = aw_chance(w, 20) ? 2 * w->nodes : w->nodes;
    w->odds = (aw_odds){.lost = aw_below(w, 13),
                        .late = aw_below(w, 11),
                        .doubled = aw_below(w, 8),
                        .old = aw_below(w, 13),
                        .command_lost = aw_below(w, 11),
                        .command_late = aw_below(w, 11),
                        .command_doubled = aw_below(w, 11)};
    w->next_fault = 1500;
    aw_etcd_begin(w);
    for (int i = 0; i < w->agents; i++) {
        w->agent[i].node = i % w->nodes;
        w->agent[i].starts_at = aw_below(w, 300);
    }
    pw_later(peers, AW_STEP_MS, step, -1, 0);
}

void pw_agents_heal(pw_world *peers) {
    aw_world *w = peers->agents;
    w->heals = true;
    w->etcd.gone_until = 0;
    for (int i = 0; i < w->agents; i++) {
        aw_agent *agent = &w->agent[i];
        agent->paused_until = agent->etcd_cut_until = agent->node_cut_until = 0;
        if (agent->starts_at > w->now)
            agent->starts_at = w->now;
    }
}

void pw_agents_end(pw_world *peers) {
    aw_world *w = peers->agents;
    aw_forget_messages(w);
    for (int i = 0; i < w->agents; i++)
        aw_agent_crash(w, i);
}

/* --- the checker ---------------------------------------------------------- */

bool pw_agents_take_loss(pw_world *peers, uint64_t epoch) {
    bool is_due = peers->agents != NULL && peers->agents->loss_is_due;
    if (is_due && epoch >= peers->agents->loss_epoch)
        peers->agents->loss_is_due = false;
    return is_due;
}

bool pw_agents_deposed(const pw_node *n) {
    const aw_world *w = n->w->agents;
    return w != NULL && n->peer->lead_epoch < w->etcd.now.group.epoch;
}

/* The set in etcd that a reply of this epoch has to be at: in the record of
 * this epoch, or in the one that ended it. */
const ids_group *pw_agents_group(const pw_world *peers, uint64_t epoch) {
    const ids_group *now = &peers->agents->etcd.now.group;
    if (now->epoch == epoch)
        return now;
    return peers->agents->group_was.epoch == epoch &&
                   now->why != IDS_GROUP_ACCEPT_LOSS
               ? now
               : NULL;
}
