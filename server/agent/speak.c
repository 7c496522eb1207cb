/* SPDX-License-Identifier: Apache-2.0 */
/* speak.c -- see speak.h. Pure. */
#include "server/agent/speak.h"

#include "server/agent/mutant.h"

#include <assert.h>

const ids_report *ids_speaks_with(const ids_agent_facts *facts) {
    const ids_group *group = &facts->view->group;
    const ids_report *report = facts->own;
    if (!ids_group_same_node(&group->primary.node, &facts->node)) {
        /* One that restarted empty is none, whatever its name. */
        bool member = facts->own ? ids_group_has(group, &facts->own->self)
                                 : ids_group_find(group, &facts->node) != NULL;
        bool alive = ids_group_is_alive(facts->view, &group->primary);
        if (member || alive || IDS_AGENT_OFF(A3_SPEAKS))
            return NULL;
        report = facts->primary;
    }
    return report && ids_group_same_member(&report->self, &group->primary)
               ? report
               : NULL;
}

static bool is_lost(const ids_report_peer *peer) {
    return !peer->session || peer->silent_ms > IDS_AGENT_SILENT_MS ||
           peer->needs_copy || peer->lagging_ms > IDS_AGENT_LAGGING_MS;
}

static const ids_report_peer *find(const ids_report *report,
                                   const ids_group_member *member) {
    for (uint32_t i = 0; i < report->peer_count; i++)
        if (report->peer[i].as == IDS_REPORT_MEMBER &&
            ids_group_same_member(&report->peer[i].who, member))
            return &report->peer[i];
    return NULL;
}

/* T2. A member that the report does not know is another incarnation. */
static bool detach(const ids_report *report, ids_group *group) {
    uint32_t least = report->min_in_sync;
    assert(ids_group_has(group, &group->primary));
    bool any = false;
    if (IDS_AGENT_OFF(T2_LOST))
        return false;
    for (uint32_t i = group->isr_count; i-- > 0;) {
        const ids_group_member *member = &group->isr[i];
        if (ids_group_same_member(member, &group->primary) ||
            (group->isr_count <= least && !IDS_AGENT_OFF(T2_MIN)))
            continue;
        const ids_report_peer *peer = find(report, member);
        if (peer && !is_lost(peer))
            continue;
        const ids_node_name node = member->node;
        ids_group_remove(group, &node);
        any = true;
    }
    group->why = IDS_GROUP_DETACH;
    return any;
}

/* May it be a member, going by what the primary says of it? */
static bool is_admissible(const ids_report_peer *peer, uint64_t revision) {
    if (peer->as == IDS_REPORT_CANDIDATE)
        return IDS_AGENT_OFF(T3_OFFER);
    return peer->as == IDS_REPORT_OFFERED && !is_lost(peer) &&
           (peer->ready || IDS_AGENT_OFF(T3_READY)) &&
           (peer->rev == revision || IDS_AGENT_OFF(T3_REVISION));
}

/* T3 */
static bool admit(const ids_report *report, uint64_t revision,
                  ids_group *group) {
    bool any = false;
    for (uint32_t i = 0; i < report->peer_count; i++) {
        const ids_report_peer *peer = &report->peer[i];
        if (is_admissible(peer, revision) &&
            !ids_group_same_node(&peer->who.node, &group->primary.node))
            any = ids_group_add(group, &peer->who) || any;
    }
    group->why = IDS_GROUP_ADMIT;
    return any;
}

/* T4: a new revision ends the offer, which holds every reply. */
static bool touch(const ids_report *report, ids_group *group) {
    group->why = IDS_GROUP_TOUCH;
    for (uint32_t i = 0; i < report->peer_count; i++)
        if (report->peer[i].as == IDS_REPORT_OFFERED &&
            is_lost(&report->peer[i]))
            return !IDS_AGENT_OFF(T4_TOUCH);
    return false;
}

static bool is_offered(const ids_report *report) {
    for (uint32_t i = 0; i < report->peer_count; i++)
        if (report->peer[i].as == IDS_REPORT_OFFERED)
            return true;
    return false;
}

static void offer_sentence(const ids_report *report, const ids_group *group,
                           ids_intent *intent) {
    assert(intent->kind == IDS_INTENT_NOTHING);
    bool full = group->isr_count == IDS_GROUP_NODES_MAX;
    if (is_offered(report))
        return;
    for (uint32_t i = 0; i < report->peer_count; i++) {
        const ids_report_peer *peer = &report->peer[i];
        if (peer->as != IDS_REPORT_CANDIDATE || !peer->whole || is_lost(peer))
            continue;
        if (full && !ids_group_find(group, &peer->who.node))
            continue;
        intent->kind = IDS_INTENT_OFFER;
        intent->offered = peer->who;
        return;
    }
}

void ids_speak(const ids_agent_facts *facts, const ids_report *report,
               ids_intent *intent) {
    const ids_group_view *view = facts->view;
    ids_group *group = &intent->group;
    assert(facts->own == report || facts->primary == report);
    assert(view->revision > 0 && ids_group_is_sound(&view->group));
    if (!report->leading || report->lead_epoch != view->group.epoch)
        return;
    *group = view->group;
    group->by = facts->node;
    intent->compare = view->revision;
    if (detach(report, group) || admit(report, view->revision, group) ||
        touch(report, group))
        intent->kind = IDS_INTENT_PUT;
    else
        offer_sentence(report, &view->group, intent);
}
