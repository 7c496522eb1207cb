/* SPDX-License-Identifier: Apache-2.0 */
/* decide.c -- see decide.h: which transaction, and for whom. Pure. */
#include "server/agent/decide.h"

#include "server/agent/mutant.h"
#include "server/agent/speak.h"
#include "server/peer/epoch.h"

#include <assert.h>
#include <string.h>

const char *ids_agent_trouble_text(ids_agent_trouble trouble) {
    static const char *const texts[] = {
#define X(name, text) text,
        IDS_AGENT_TROUBLES(X)
#undef X
    };
    assert(trouble < IDS_AGENT_TROUBLE_COUNT);
    return texts[trouble];
}

static uint64_t higher(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

/* --- T1, T5, T6: this node shall lead ------------------------------------- */

static bool is_own(const ids_agent_facts *facts,
                   const ids_group_member *member) {
    return facts->own && ids_group_same_member(member, &facts->own->self);
}

/* It was primary, knows so, and does not lead: it restarted with all that it
 * had, or stood down. Nobody resumes an epoch (R8): it takes a new one. One
 * that has heard of the epoch alone is still to be told. */
static bool has_stood_down(const ids_agent_facts *facts) {
    const ids_group *group = &facts->view->group;
    const ids_report *own = facts->own;
    return is_own(facts, &group->primary) && !own->leading &&
           (own->lead_epoch >= group->epoch ||
            own->rev >= facts->view->revision) &&
           !IDS_AGENT_OFF(T1_SELF);
}

static bool is_gone(const ids_agent_facts *facts) {
    const ids_group_member *primary = &facts->view->group.primary;
    if (ids_group_same_node(&primary->node, &facts->node) &&
        is_own(facts, primary))
        return has_stood_down(facts);
    /* An etcd that stood still has ended every lease: who is there shows once
     * all had the time to say so. */
    bool missing =
        !ids_group_is_alive(facts->view, primary) &&
        (!facts->own || ids_group_is_alive(facts->view, &facts->own->self));
    return facts->refused || missing || IDS_AGENT_OFF(T1_GONE);
}

static bool is_own_member(const ids_agent_facts *facts) {
    return facts->own &&
           (ids_group_has(&facts->view->group, &facts->own->self) ||
            IDS_AGENT_OFF(T1_MEMBER));
}

/* keeps_primary: it was a member, and may be one again. */
static ids_group taken_over(const ids_agent_facts *facts, bool keeps_primary,
                            ids_group_why why) {
    const ids_group *old = &facts->view->group;
    assert(facts->own && facts->own->self.incarnation);
    ids_group group = {.id = old->id, .why = why, .by = facts->node};
    group.primary = facts->own->self;
    group.epoch = higher(old->epoch, facts->own->epoch) +
                  (IDS_AGENT_OFF(T1_EPOCH) ? 0 : 1);
    ids_group_add(&group, &facts->own->self);
    for (uint32_t i = 0; i < old->isr_count && why != IDS_GROUP_ACCEPT_LOSS;
         i++) {
        const ids_group_member *member = &old->isr[i];
        if (ids_group_same_node(&member->node, &facts->node) ||
            (ids_group_same_member(member, &old->primary) && !keeps_primary))
            continue;
        if (ids_group_is_alive(facts->view, member))
            ids_group_add(&group, member);
    }
    return group;
}

static bool would_lead(const ids_agent_facts *facts, ids_intent *intent) {
    const ids_group_view *view = facts->view;
    bool wants =
        facts->wish == IDS_AGENT_SWITCHOVER &&
        !ids_group_same_member(&view->group.primary, &facts->own->self);
    intent->compare = view->revision;
    intent->kind = IDS_INTENT_PUT;
    if (facts->wish == IDS_AGENT_ACCEPT_LOSS &&
        ids_group_is_alive(view, &facts->own->self))
        intent->group = taken_over(facts, false, IDS_GROUP_ACCEPT_LOSS);
    else if (is_own_member(facts) && is_gone(facts) &&
             (!view->paused || facts->wish == IDS_AGENT_SWITCHOVER))
        intent->group = taken_over(facts, false, IDS_GROUP_TAKEOVER);
    else if (is_own_member(facts) && wants)
        intent->group = taken_over(facts, true, IDS_GROUP_SWITCHOVER);
    else
        intent->kind = IDS_INTENT_NOTHING;
    return intent->kind == IDS_INTENT_PUT;
}

/* --- T0: there is no record ----------------------------------------------- */

static void create(const ids_agent_facts *facts, ids_intent *intent) {
    const ids_report *own = facts->own;
    bool word = facts->wish == IDS_AGENT_ACCEPT_LOSS; /* it has what counts */
    if (!own || own->rev > 0 || own->id.text[0] || !facts->new_id.text[0] ||
        (facts->by_hand && !word))
        return;
    /* Whose records are newer nobody here can know. */
    if ((own->had_replica || facts->others_have_history) && !word &&
        !IDS_AGENT_OFF(T0_HISTORY)) {
        intent->trouble = IDS_AGENT_TROUBLE_HISTORY;
        return;
    }
    if (facts->others_missing && !word && !IDS_AGENT_OFF(T0_OTHERS)) {
        intent->trouble = IDS_AGENT_TROUBLE_OTHERS;
        return;
    }
    ids_group *group = &intent->group;
    assert(facts->view->revision == 0);
    *group = (ids_group){.id = facts->new_id,
                         .why = IDS_GROUP_CREATE,
                         .primary = own->self,
                         .by = facts->node};
    uint64_t known = higher(own->epoch, facts->others_epoch);
    group->epoch = IDS_AGENT_OFF(T0_EPOCH)
                       ? 1
                       : ids_epoch_draw(known, facts->clock_epoch,
                                        ids_node_number(&own->self.node));
    ids_group_add(group, &own->self);
    intent->kind = IDS_INTENT_PUT;
    intent->compare = 0;
}

/* --- all of it ------------------------------------------------------------ */

bool ids_agent_must_ask(const ids_agent_facts *facts) {
    const ids_group_view *view = facts->view;
    const ids_group_member *primary = &view->group.primary;
    if (view->revision == 0 || !ids_endpoint_is_set(&primary->at) ||
        ids_group_same_node(&primary->node, &facts->node))
        return false;
    bool alive = ids_group_is_alive(view, primary);
    /* A member asks whether its port refuses; a key that is missing says
     * enough. */
    return is_own_member(facts) ? alive : !alive;
}

/* An etcd that was restored has sets of before. */
static ids_agent_trouble trouble_of(const ids_agent_facts *facts) {
    const ids_group_view *view = facts->view;
    const ids_report *said[] = {facts->own, facts->primary};
    for (int i = 0; i < 2 && !IDS_AGENT_OFF(A6_BACKUP); i++) {
        if (!said[i])
            continue;
        if (view->revision && said[i]->id.text[0] &&
            strcmp(said[i]->id.text, view->group.id.text) != 0)
            return IDS_AGENT_TROUBLE_GROUP;
        if (view->revision < said[i]->rev)
            return IDS_AGENT_TROUBLE_BEHIND;
    }
    return facts->own ? IDS_AGENT_TROUBLE_NONE : IDS_AGENT_TROUBLE_NODE;
}

static void decide_role(const ids_agent_facts *facts, ids_intent *intent) {
    const ids_group_view *view = facts->view;
    if (view->revision == 0) {
        create(facts, intent);
        return;
    }
    assert(ids_group_is_sound(&view->group));
    intent->tell_own = facts->own && facts->own->rev < view->revision;
    if (facts->own && would_lead(facts, intent))
        return;
    if (view->paused)
        return;
    const ids_report *report = ids_speaks_with(facts);
    if (!report)
        return;
    bool current = report->rev >= view->revision;
    intent->tell_primary =
        report->rev < view->revision && report == facts->primary;
    if (current || IDS_AGENT_OFF(T3_REVISION))
        ids_speak(facts, report, intent);
}

ids_intent ids_agent_decide(const ids_agent_facts *facts) {
    ids_intent intent = {.kind = IDS_INTENT_NOTHING,
                         .trouble = trouble_of(facts)};
    if (intent.trouble == IDS_AGENT_TROUBLE_NONE ||
        intent.trouble == IDS_AGENT_TROUBLE_NODE)
        decide_role(facts, &intent);
    if (intent.kind == IDS_INTENT_PUT && intent.group.epoch > IDS_EPOCH_MAX) {
        intent.kind = IDS_INTENT_NOTHING;
        intent.trouble = IDS_AGENT_TROUBLE_EPOCH;
    }
    assert(intent.kind != IDS_INTENT_PUT || ids_group_is_sound(&intent.group));
    return intent;
}
