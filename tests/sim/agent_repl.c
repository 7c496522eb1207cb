/* SPDX-License-Identifier: Apache-2.0 */
/* agent_repl.c -- the data of the model's nodes: sessions, copies, changes that
 * follow, and replies that wait for everybody who has a place (N4). A copy is
 * put in whole. */
#include "tests/sim/agent_world.h"

#include <assert.h>
#include <string.h>

enum { SLOTS = 2 * AW_NODES_MAX, SILENT_MS = 1000 };

bool aw_is_linked(const aw_world *w, int a, int b) {
    return w->cut_until[a][b] <= w->now;
}

/* As the primary sees it. */
bool aw_has_session(const aw_world *w, int primary, int follower) {
    const aw_node *leads = &w->node[primary];
    const aw_session *session = &w->node[follower].session;
    return leads->up && leads->leading && session->on &&
           session->primary == primary &&
           session->incarnation == leads->incarnation &&
           session->epoch == leads->lead_epoch;
}

static aw_slot *slot_of(aw_node *node, int other, uint64_t incarnation) {
    for (int i = 0; i < SLOTS; i++)
        if (node->slot[i].on && node->slot[i].node == other &&
            node->slot[i].incarnation == incarnation)
            return &node->slot[i];
    return NULL;
}

/* --- a follower ----------------------------------------------------------- */

/* It goes on from where it was, gets what differs, or a full copy. */
static void begin_session(aw_world *w, int at, int primary) {
    aw_node *node = &w->node[at];
    const aw_node *leads = &w->node[primary];
    aw_session before = node->session;
    bool same = before.epoch == leads->lead_epoch && !before.copying &&
                before.incarnation == leads->incarnation &&
                before.primary == primary && aw_chance(w, 80);
    bool knows = before.epoch != 0 && aw_chance(w, w->odds.by_key);
    node->epoch = leads->lead_epoch;
    node->session = (aw_session){.on = true,
                                 .primary = primary,
                                 .incarnation = leads->incarnation,
                                 .epoch = leads->lead_epoch,
                                 .heard_ms = w->now,
                                 .copying = !same,
                                 .by_key = !same && knows,
                                 .at = same ? before.at : 0};
    uint32_t takes = knows ? aw_between(w, 5, 200) : aw_between(w, 100, 2500);
    node->session.copied_at = w->now + takes;
}

static void dial(aw_world *w, int at) {
    aw_node *node = &w->node[at];
    int primary = node->dials;
    if (primary < 0 || primary == at || node->leading ||
        !aw_node_acts(w, primary) || !aw_is_linked(w, at, primary))
        return;
    aw_node *leads = &w->node[primary];
    if (!leads->leading)
        return;
    if (node->epoch > leads->lead_epoch) { /* R6 */
        aw_node_stand_down(w, primary);
        leads->epoch = node->epoch;
        leads->alone = false;
        return;
    }
    begin_session(w, at, primary);
}

static void finish_copy(aw_world *w, int at) {
    aw_node *node = &w->node[at];
    const aw_node *leads = &w->node[node->session.primary];
    memcpy(node->has, leads->has, sizeof node->has);
    node->session.copying = false;
    node->session.at = leads->number;
    node->had_replica = true;
    aw_say(w, "%c has all of %c, up to %llu", 'A' + at,
           'A' + node->session.primary, (unsigned long long)leads->number);
}

static void take_changes(aw_world *w, int at) {
    aw_node *node = &w->node[at];
    const aw_node *leads = &w->node[node->session.primary];
    uint64_t most = aw_chance(w, 80) ? UINT64_MAX : 1;
    while (node->session.at < leads->number && most--) {
        uint32_t key = leads->key_of[++node->session.at];
        node->has[key] = leads->has[key];
    }
}

/* What it has now is heard by the primary at the next step. */
static void acknowledge(aw_world *w, int at) {
    aw_node *node = &w->node[at];
    aw_slot *slot =
        slot_of(&w->node[node->session.primary], at, node->incarnation);
    if (!slot || node->session.copying)
        return;
    slot->was_whole = true;
    if (node->session.at > slot->acked)
        slot->acked = node->session.at;
}

static void tick_session(aw_world *w, int at) {
    aw_node *node = &w->node[at];
    int primary = node->session.primary;
    bool linked =
        aw_is_linked(w, at, primary) && w->node[primary].paused_until <= w->now;
    if (!aw_has_session(w, primary, at) ||
        w->now - node->session.heard_ms > SILENT_MS) {
        node->session.on = false;
        return;
    }
    if (!linked)
        return;
    node->session.heard_ms = w->now;
    acknowledge(w, at);
    if (node->session.copying && node->session.copied_at <= w->now)
        finish_copy(w, at);
    else if (!node->session.copying)
        take_changes(w, at);
}

/* --- a primary ------------------------------------------------------------ */

static bool may_leave(const aw_world *w, const aw_node *node,
                      const aw_held *held) {
    uint32_t members = 1;
    for (int i = 0; i < SLOTS; i++) {
        const aw_slot *slot = &node->slot[i];
        if (!slot->on)
            continue;
        members += slot->offered ? 0 : 1;
        if (held->inherited ? !slot->was_whole : slot->acked < held->number)
            return false;
    }
    return members >= w->min_in_sync;
}

static void let_replies_leave(aw_world *w, int at) {
    aw_node *node = &w->node[at];
    for (int i = 0; i < AW_HELD_MAX && !w->failed; i++) {
        aw_held *held = &node->held[i];
        if (!held->on || !may_leave(w, node, held))
            continue;
        held->on = false;
        if (held->number > node->passed)
            node->passed = held->number;
        aw_check_reply(w, at, held);
    }
}

/* A claim of this key: a grant, or what is known of it. */
void aw_node_call(aw_world *w, int at, int client, uint32_t key) {
    aw_node *node = &w->node[at];
    aw_held *held = NULL;
    for (int i = 0; i < AW_HELD_MAX; i++)
        held = node->held[i].on ? held : &node->held[i];
    if (!node->leading || !held || node->number + 1 >= AW_CHANGES_MAX)
        return;
    bool grant = node->has[key] == 0;
    if (grant) {
        node->has[key] = ++w->changes;
        node->key_of[++node->number] = key;
        node->number_of[key] = node->number;
    }
    *held = (aw_held){.on = true,
                      .grant = grant,
                      .client = client,
                      .key = key,
                      .change = node->has[key],
                      .number = node->number_of[key],
                      .inherited = node->number_of[key] == 0};
}

void aw_repl_tick(aw_world *w, int at) {
    aw_node *node = &w->node[at];
    if (!node->up && node->starts_at <= w->now)
        aw_node_start(w, at);
    if (!aw_node_acts(w, at))
        return;
    if (node->leading)
        let_replies_leave(w, at);
    else if (node->session.on)
        tick_session(w, at);
    else
        dial(w, at);
}
