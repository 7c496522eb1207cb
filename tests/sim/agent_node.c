/* SPDX-License-Identifier: Apache-2.0 */
/* agent_node.c -- a model of a node under agents: its three commands (N1 to
 * N3), and its life. It does nothing by itself. */
#include "tests/sim/agent_world.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { SLOTS = 2 * AW_NODES_MAX, GRACE_MS = 400 };

void aw_node_name(int node, ids_group_member *member) {
    *member = (ids_group_member){.incarnation = 0};
    member->node.text[0] = (char)('A' + node);
    snprintf(member->at.text, sizeof member->at.text, "%c:1", 'A' + node);
}

int aw_node_of(const char *name) {
    assert(name[0] >= 'A' && name[0] < 'A' + AW_NODES_MAX);
    return name[0] - 'A';
}

static bool is_self(const aw_world *w, int at, const ids_group_member *member) {
    return aw_node_of(member->node.text) == at &&
           member->incarnation == w->node[at].incarnation;
}

/* --- its life ------------------------------------------------------------- */

void aw_node_start(aw_world *w, int at) {
    aw_node *node = &w->node[at];
    if (node->keeps != AW_ALWAYS || node->incarnation == 0)
        node->incarnation = idt_rng_next(&w->rng) | 1;
    if (node->keeps == AW_MEMORY)
        memset(node->has, 0, sizeof node->has);
    node->up = true;
    node->session = (aw_session){.on = false};
    if (node->alone && !node->id.text[0]) {
        node->leading = true;
        node->lead_epoch = ++node->epoch;
        w->led[w->led_count++] = node->lead_epoch;
    }
    aw_say(w, "%c starts%s", 'A' + at,
           node->keeps == AW_ALWAYS ? ", with all that it had" : "");
}

/* What it has not answered is never answered. */
void aw_node_stand_down(aw_world *w, int at) {
    aw_node *node = &w->node[at];
    if (node->leading)
        aw_say(w, "%c stands down", 'A' + at);
    node->leading = false;
    for (int i = 0; i < SLOTS; i++)
        node->slot[i].on = false;
    for (int i = 0; i < AW_HELD_MAX; i++)
        node->held[i].on = false;
}

void aw_node_crash(aw_world *w, int at) {
    aw_node_stand_down(w, at);
    w->node[at].up = false;
    w->node[at].session.on = false;
    w->node[at].paused_until = 0;
    aw_say(w, "%c dies", 'A' + at);
}

/* --- N2 ------------------------------------------------------------------- */

static aw_slot *slot_of(aw_node *node, const ids_group_member *member) {
    for (int i = 0; i < SLOTS; i++)
        if (node->slot[i].on &&
            node->slot[i].node == aw_node_of(member->node.text) &&
            node->slot[i].incarnation == member->incarnation)
            return &node->slot[i];
    return NULL;
}

static aw_slot *new_slot(aw_world *w, aw_node *node,
                         const ids_group_member *member) {
    for (int i = 0; i < SLOTS; i++) {
        if (node->slot[i].on)
            continue;
        node->slot[i] = (aw_slot){.on = true,
                                  .node = aw_node_of(member->node.text),
                                  .incarnation = member->incarnation,
                                  .put_ms = w->now};
        return &node->slot[i];
    }
    assert(!"no place for a slot");
    return NULL;
}

/* The set is who etcd names; all offers end. One that had none is at nothing.
 */
static void take_set(aw_world *w, int at, const ids_group *group) {
    aw_node *node = &w->node[at];
    aw_slot before[SLOTS];
    memcpy(before, node->slot, sizeof before);
    for (int i = 0; i < SLOTS; i++)
        node->slot[i].on = false;
    for (uint32_t i = 0; i < group->isr_count; i++) {
        const ids_group_member *member = &group->isr[i];
        if (is_self(w, at, member))
            continue;
        aw_slot *slot = new_slot(w, node, member);
        for (int k = 0; k < SLOTS; k++)
            if (before[k].on && before[k].node == slot->node &&
                before[k].incarnation == slot->incarnation)
                *slot = before[k];
        slot->offered = false;
        node->had_replica = true;
    }
}

static void lead(aw_world *w, int at, const ids_group *group) {
    aw_node *node = &w->node[at];
    aw_node_stand_down(w, at);
    node->epoch = node->lead_epoch = group->epoch;
    node->leading = true;
    node->number = node->passed = 0;
    node->session.on = false;
    memset(node->number_of, 0, sizeof node->number_of);
    take_set(w, at, group);
    aw_say(w, "%c leads in epoch %llu", 'A' + at,
           (unsigned long long)group->epoch);
    aw_check_promotion(w, at);
}

static void follow(aw_world *w, int at, const ids_group *group) {
    aw_node *node = &w->node[at];
    if (group->epoch > node->epoch) {
        aw_node_stand_down(w, at);
        node->epoch = group->epoch;
    }
    node->dials = aw_node_of(group->primary.node.text);
    if (node->session.on && (node->session.primary != node->dials ||
                             node->session.epoch < group->epoch))
        node->session.on = false;
}

static void take_config(aw_world *w, int at, const ids_group *group,
                        uint64_t rev) {
    aw_node *node = &w->node[at];
    if ((node->id.text[0] && strcmp(node->id.text, group->id.text) != 0) ||
        rev <= node->rev || group->epoch < node->epoch)
        return;
    bool self = is_self(w, at, &group->primary);
    if (self && group->epoch <= node->lead_epoch &&
        !(node->leading && node->lead_epoch == group->epoch))
        return; /* nobody resumes an epoch */
    node->id = group->id;
    node->rev = rev;
    if (self && group->epoch > node->lead_epoch)
        lead(w, at, group);
    else if (self)
        take_set(w, at, group);
    else
        follow(w, at, group);
}

/* --- N3 ------------------------------------------------------------------- */

static void take_offer(aw_world *w, int at, const ids_agent_act *act) {
    aw_node *node = &w->node[at];
    int other = aw_node_of(act->member.node.text);
    const aw_session *session = &w->node[other].session;
    if (!node->leading || node->lead_epoch != act->group.epoch ||
        node->rev != act->rev || slot_of(node, &act->member) ||
        !aw_has_session(w, at, other) || session->copying ||
        w->node[other].incarnation != act->member.incarnation)
        return;
    aw_slot *slot = new_slot(w, node, &act->member);
    slot->offered = slot->was_whole = true;
    slot->rev = act->rev;
    slot->acked = session->at;
    node->had_replica = true;
    aw_say(w, "%c takes the offer of %c at R %llu", 'A' + at, 'A' + other,
           (unsigned long long)act->rev);
}

/* --- N1 ------------------------------------------------------------------- */

static uint64_t silence(const aw_world *w, const aw_slot *slot) {
    const aw_session *session = &w->node[slot->node].session;
    uint64_t heard = session->heard_ms;
    if (w->node[slot->node].incarnation != slot->incarnation ||
        heard < slot->put_ms)
        heard = slot->put_ms;
    return w->now - heard;
}

static void report_slot(const aw_world *w, int at, const aw_slot *slot,
                        ids_report_peer *peer) {
    const aw_node *node = &w->node[at];
    const aw_node *other = &w->node[slot->node];
    bool same = other->incarnation == slot->incarnation;
    bool has = same && aw_has_session(w, at, slot->node);
    *peer = (ids_report_peer){.as = slot->offered ? IDS_REPORT_OFFERED
                                                  : IDS_REPORT_MEMBER,
                              .rev = slot->rev,
                              .silent_ms = silence(w, slot)};
    aw_node_name(slot->node, &peer->who);
    peer->who.incarnation = slot->incarnation;
    peer->session = has || w->now - slot->put_ms < GRACE_MS;
    peer->whole = has && !other->session.copying && slot->was_whole;
    peer->needs_copy = has && other->session.copying && !other->session.by_key;
    peer->ready = slot->was_whole && slot->acked >= node->passed;
}

static void report_candidates(const aw_world *w, int at, ids_report *report) {
    for (int i = 0; i < w->nodes; i++) {
        const aw_node *other = &w->node[i];
        ids_report_peer peer = {.as = IDS_REPORT_CANDIDATE, .session = true};
        aw_node_name(i, &peer.who);
        peer.who.incarnation = other->incarnation;
        if (!aw_has_session(w, at, i) || other->session.copying ||
            slot_of((aw_node *)&w->node[at], &peer.who) ||
            report->peer_count == IDS_GROUP_SEEN_MAX)
            continue;
        peer.whole = true;
        peer.silent_ms = w->now - other->session.heard_ms;
        report->peer[report->peer_count++] = peer;
    }
}

static void report(const aw_world *w, int at, ids_report *report) {
    const aw_node *node = &w->node[at];
    *report = (ids_report){.id = node->id,
                           .epoch = node->epoch,
                           .rev = node->rev,
                           .leading = node->leading,
                           .lead_epoch = node->lead_epoch,
                           .min_in_sync = w->min_in_sync,
                           .had_replica = node->had_replica};
    aw_node_name(at, &report->self);
    report->self.incarnation = node->incarnation;
    if (!node->leading)
        return;
    for (int i = 0; i < SLOTS; i++)
        if (node->slot[i].on)
            report_slot(w, at, &node->slot[i],
                        &report->peer[report->peer_count++]);
    report_candidates(w, at, report);
}

void aw_node_take(aw_world *w, aw_message *m) {
    if (m->act.kind == IDS_AGENT_ASK)
        report(w, m->node, &m->report);
    else if (m->act.kind == IDS_AGENT_CONFIG)
        take_config(w, m->node, &m->act.group, m->act.rev);
    else if (m->act.kind == IDS_AGENT_OFFER)
        take_offer(w, m->node, &m->act);
}
