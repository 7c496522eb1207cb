/* SPDX-License-Identifier: Apache-2.0 */
/* group.c -- see group.h. Pure. */
#include "server/agent/group.h"

#include "server/agent/mutant.h"
#include "server/peer/epoch.h"

#include <assert.h>
#include <string.h>

const char *ids_group_why_text(ids_group_why why) {
    static const char *const texts[] = {
#define X(name, text) text,
        IDS_GROUP_WHYS(X)
#undef X
    };
    assert(why < IDS_GROUP_WHY_COUNT);
    return texts[why];
}

bool ids_group_same_node(const ids_node_name *a, const ids_node_name *b) {
    return strcmp(a->text, b->text) == 0;
}

bool ids_group_same_member(const ids_group_member *a,
                           const ids_group_member *b) {
    return ids_group_same_node(&a->node, &b->node) &&
           (a->incarnation == b->incarnation || IDS_AGENT_OFF(INCARNATION));
}

const ids_group_member *ids_group_find(const ids_group *group,
                                       const ids_node_name *node) {
    assert(group->isr_count <= IDS_GROUP_NODES_MAX);
    for (uint32_t i = 0; i < group->isr_count; i++)
        if (ids_group_same_node(&group->isr[i].node, node))
            return &group->isr[i];
    return NULL;
}

bool ids_group_has(const ids_group *group, const ids_group_member *member) {
    const ids_group_member *found = ids_group_find(group, &member->node);
    return found && ids_group_same_member(found, member);
}

bool ids_group_add(ids_group *group, const ids_group_member *member) {
    assert(member->node.text[0] && member->incarnation);
    ids_group_remove(group, &member->node);
    if (group->isr_count == IDS_GROUP_NODES_MAX)
        return false;
    group->isr[group->isr_count++] = *member;
    return true;
}

void ids_group_remove(ids_group *group, const ids_node_name *node) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < group->isr_count; i++)
        if (!ids_group_same_node(&group->isr[i].node, node))
            group->isr[kept++] = group->isr[i];
    assert(kept + 1 >= group->isr_count);
    group->isr_count = kept;
}

bool ids_group_is_sound(const ids_group *group) {
    if (!group->id.text[0] || group->isr_count == 0 ||
        group->isr_count > IDS_GROUP_NODES_MAX || group->epoch == 0 ||
        group->epoch > IDS_EPOCH_MAX)
        return false;
    for (uint32_t i = 0; i < group->isr_count; i++) {
        const ids_group_member *member = &group->isr[i];
        if (!member->node.text[0] || !member->incarnation ||
            ids_group_find(group, &member->node) != member)
            return false;
    }
    const ids_group_member *primary =
        ids_group_find(group, &group->primary.node);
    return primary && primary->incarnation == group->primary.incarnation;
}

uint64_t ids_group_alive_as(const ids_group_view *view,
                            const ids_node_name *node) {
    assert(view->alive_count <= IDS_GROUP_ALIVE_MAX);
    for (uint32_t i = 0; i < view->alive_count; i++)
        if (ids_group_same_node(&view->alive[i].node, node))
            return view->alive[i].incarnation;
    return 0;
}

bool ids_group_is_alive(const ids_group_view *view,
                        const ids_group_member *member) {
    uint64_t as = ids_group_alive_as(view, &member->node);
    if (IDS_AGENT_OFF(INCARNATION) || IDS_AGENT_OFF(A2_INCARNATION))
        return as != 0;
    return as == member->incarnation;
}
