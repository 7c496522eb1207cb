/* SPDX-License-Identifier: Apache-2.0 */
/* agent_check.c -- the clients, and what must hold: what was answered is at
 * every member (I9), in every node that is promoted, granted once (I1), and
 * one node leads in an epoch (I11). */
#include "tests/sim/agent_world.h"

#include <string.h>

/* --- clients -------------------------------------------------------------- */

/* Mostly whoever leads in the highest epoch, now and then anybody who does. */
static int choose(aw_world *w) {
    int best = -1;
    for (int i = 0; i < w->nodes; i++) {
        const aw_node *node = &w->node[i];
        if (!node->leading || !aw_node_acts(w, i))
            continue;
        if (best < 0 || node->lead_epoch > w->node[best].lead_epoch ||
            aw_chance(w, 25))
            best = i;
    }
    return best;
}

void aw_clients_tick(aw_world *w) {
    for (int i = 0; i < AW_CLIENTS; i++) {
        aw_client *client = &w->client[i];
        if (client->next > w->now || (client->calls && client->until > w->now))
            continue;
        if (!client->calls)
            client->key = aw_below(w, AW_KEYS);
        int node = choose(w);
        client->calls = true;
        client->until = w->now + 400;
        if (node >= 0) {
            w->tally.calls++;
            aw_node_call(w, node, i, client->key);
        }
    }
}

/* --- replies -------------------------------------------------------------- */

static bool has_slot(const aw_node *node, const ids_group_member *member) {
    for (int i = 0; i < 2 * AW_NODES_MAX; i++)
        if (node->slot[i].on &&
            node->slot[i].node == aw_node_of(member->node.text) &&
            node->slot[i].incarnation == member->incarnation)
            return true;
    return false;
}

/* An etcd that was restored has a set of before: that is nobody's. */
static void check_members(aw_world *w, int at, const aw_held *held) {
    const ids_group *group = &w->etcd.now.group;
    if (w->restored)
        return;
    for (uint32_t i = 0; i < group->isr_count; i++) {
        const ids_group_member *member = &group->isr[i];
        int node = aw_node_of(member->node.text);
        if (node == at || w->node[node].incarnation != member->incarnation)
            continue;
        if (w->node[node].has[held->key] != held->change)
            aw_fail(w, "I9: %c answers k%u, and %c, a member in etcd, lacks it",
                    'A' + at, held->key, 'A' + node);
        else if (w->node[at].lead_epoch == group->epoch &&
                 !has_slot(&w->node[at], member))
            aw_fail(w,
                    "I9: %c answers k%u and does not wait for %c, a member "
                    "in etcd",
                    'A' + at, held->key, 'A' + node);
    }
}

void aw_check_reply(aw_world *w, int at, const aw_held *held) {
    uint32_t *known = &w->acknowledged[held->key];
    aw_client *client = &w->client[held->client];
    /* Who led before loss was accepted, and has not heard of it yet. */
    if (w->node[at].lead_epoch < w->loss_epoch)
        return;
    check_members(w, at, held);
    if (held->grant && *known && *known != held->change)
        aw_fail(w, "I1: k%u is granted twice, last by %c", held->key, 'A' + at);
    else if (*known && *known != held->change)
        aw_fail(w, "I3: %c replays another grant of k%u", 'A' + at, held->key);
    *known = held->change;
    if (w->node[at].lead_epoch > w->answered_in[held->key])
        w->answered_in[held->key] = w->node[at].lead_epoch;
    w->served_ms = w->now;
    w->tally.grants += held->grant;
    w->tally.replays += !held->grant;
    if (client->key == held->key && client->calls) {
        client->calls = false;
        client->next = w->now + aw_between(w, 5, 60);
    }
}

/* --- promotions ----------------------------------------------------------- */

static void accept_loss(aw_world *w, int at) {
    w->tally.loss_accepted++;
    w->loss_is_due = false;
    memcpy(w->acknowledged, w->node[at].has, sizeof w->acknowledged);
    aw_say(w, "the operator accepts what %c lacks", 'A' + at);
}

/* A command that comes late makes it lead where others have led since; then
 * nobody waits for it, and it answers nothing. */
void aw_check_promotion(aw_world *w, int at) {
    const aw_node *node = &w->node[at];
    w->tally.promotions++;
    /* What it has as it hears of it is what counts from now on. */
    if (node->lead_epoch < w->loss_epoch)
        return;
    if (w->loss_is_due)
        accept_loss(w, at);
    for (uint32_t i = 0; i < w->led_count; i++)
        if (w->led[i] == node->lead_epoch)
            aw_fail(w, "I11: %c leads in epoch %llu, and somebody has",
                    'A' + at, (unsigned long long)node->lead_epoch);
    if (w->led_count < AW_EPOCHS_MAX)
        w->led[w->led_count++] = node->lead_epoch;
    for (uint32_t key = 0; key < AW_KEYS; key++)
        if (w->acknowledged[key] && node->has[key] != w->acknowledged[key] &&
            w->answered_in[key] < node->lead_epoch)
            aw_fail(w, "I10: %c takes over without what was answered of k%u",
                    'A' + at, key);
}

/* A record is written. seen: whoever wrote it had read the one before. */
void aw_check_put(aw_world *w, const ids_group *was, const ids_group *group,
                  bool seen) {
    bool leads_anew = group->epoch != was->epoch;
    if (!leads_anew && group->isr_count < was->isr_count &&
        group->isr_count < w->min_in_sync)
        aw_fail(w, "the set shrinks to %u, and min_in_sync is %u",
                group->isr_count, w->min_in_sync);
    if (group->why != IDS_GROUP_ACCEPT_LOSS || !seen)
        return;
    w->loss_epoch = group->epoch;
    w->loss_is_due = true;
}

/* --- when all has healed -------------------------------------------------- */

static void check_served(aw_world *w) {
    if (w->now - w->served_ms > AW_CALM_MS)
        aw_fail(w, "L1: nobody has served for %llu ms, though all has healed",
                (unsigned long long)(w->now - w->served_ms));
}

/* Whose agent does not come back nobody tells whom to follow. */
static void check_copies(aw_world *w) {
    for (int i = 0; i < w->nodes; i++) {
        ids_group_member member;
        aw_node_name(i, &member);
        member.incarnation = w->node[i].incarnation;
        const ids_group_member *found =
            ids_group_find(&w->etcd.now.group, &member.node);
        if (aw_node_acts(w, i) && aw_has_agent(w, i) &&
            (!found || found->incarnation != member.incarnation))
            aw_fail(w, "L2: %c is there, and no member", 'A' + i);
    }
}

void aw_check_end(aw_world *w) {
    if (w->restored || w->failed)
        return;
    check_served(w);
    check_copies(w);
    if (w->calm_revision != w->etcd.now.mod)
        aw_fail(w, "L3: records are written, though nothing has happened");
}
