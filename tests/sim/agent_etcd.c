/* SPDX-License-Identifier: Apache-2.0 */
/* agent_etcd.c -- a small model of etcd: one record, a key for each node that
 * is alive, leases. What it is told it does at once, and only once the compare
 * holds; whether anybody hears of it is agent_post.c's. */
#include "tests/sim/agent_world.h"

#include <assert.h>
#include <string.h>

enum { LEASES = 64 };

void aw_etcd_begin(aw_world *w) {
    w->etcd.cluster = 7000 + aw_below(w, 1000);
    w->etcd.now.revision = 1 + aw_below(w, 5);
}

/* A change: what was there may still be read. */
static void next_revision(aw_world *w) {
    aw_etcd *etcd = &w->etcd;
    etcd->old[etcd->versions++ % AW_OLD_MAX] = etcd->now;
    etcd->now.revision++;
}

static void end_lease(aw_world *w, uint64_t lease) {
    w->etcd.lease_ends[lease % LEASES] = 0;
    for (int i = 0; i < w->nodes; i++) {
        if (w->etcd.now.alive[i].lease != lease)
            continue;
        next_revision(w);
        w->etcd.now.alive[i] = (aw_alive){.lease = 0};
        aw_say(w, "etcd: alive/%c is gone", 'A' + i);
    }
}

void aw_etcd_end_lease(aw_world *w, int node) {
    uint64_t lease = w->etcd.now.alive[node].lease;
    if (lease) {
        w->tally.leases_ended++;
        end_lease(w, lease);
    }
}

/* Away, it ends no lease either. */
void aw_etcd_tick(aw_world *w) {
    aw_etcd *etcd = &w->etcd;
    if (etcd->gone_until > w->now)
        return;
    for (int i = 0; i < w->nodes; i++) {
        uint64_t lease = etcd->now.alive[i].lease;
        if (lease && etcd->lease_ends[lease % LEASES] <= w->now)
            end_lease(w, lease);
    }
}

static void view_of(const aw_world *w, const aw_etcd_state *state,
                    ids_group_view *view) {
    *view = (ids_group_view){.cluster = w->etcd.cluster,
                             .revision = state->mod,
                             .group = state->group};
    for (int i = 0; i < w->nodes; i++) {
        ids_group_member member;
        if (!state->alive[i].lease)
            continue;
        aw_node_name(i, &member);
        view->alive[view->alive_count++] =
            (ids_group_alive){member.node, state->alive[i].incarnation};
    }
}

bool aw_etcd_put(aw_world *w, const ids_group *group, uint64_t compare,
                 bool blind) {
    aw_etcd_state *now = &w->etcd.now;
    bool seen = now->mod == compare;
    if (!seen && !blind)
        return false;
    ids_group was = now->group;
    next_revision(w);
    now->mod = now->revision;
    now->group = *group;
    w->tally.whys[group->why]++;
    char isr[IDS_GROUP_NODES_MAX + 1] = "";
    for (uint32_t i = 0; i < group->isr_count; i++)
        isr[i] = (char)('A' + aw_node_of(group->isr[i].node.text));
    aw_say(w, "etcd: R %llu: %s by %s: %c leads [%s] in epoch %llu",
           (unsigned long long)now->mod, ids_group_why_text(group->why),
           group->by.text, 'A' + aw_node_of(group->primary.node.text), isr,
           (unsigned long long)group->epoch);
    aw_check_put(w, &was, group, seen);
    return true;
}

static void put(aw_world *w, aw_message *m) {
    m->done = aw_etcd_put(w, &m->act.group, m->act.compare, m->act.blind);
    view_of(w, &w->etcd.now, &m->view);
    if (!m->done)
        aw_say(w, "etcd: agent %d's %s fails: R is %llu, not %llu", m->agent,
               ids_group_why_text(m->act.group.why),
               (unsigned long long)w->etcd.now.mod,
               (unsigned long long)m->act.compare);
}

static void grant(aw_world *w, aw_message *m) {
    m->lease = ++w->etcd.leases;
    w->etcd.lease_ends[m->lease % LEASES] = w->now + AW_LEASE_MS;
}

static bool has_lease(const aw_world *w, uint64_t lease) {
    return lease + LEASES > w->etcd.leases && lease &&
           w->etcd.lease_ends[lease % LEASES] > w->now;
}

static void put_alive(aw_world *w, aw_message *m) {
    int node = w->agent[m->agent].node;
    m->lease = has_lease(w, m->act.lease) ? m->act.lease : 0;
    if (!m->lease)
        return;
    next_revision(w);
    w->etcd.now.alive[node] =
        (aw_alive){.lease = m->lease, .incarnation = m->act.incarnation};
}

static void keep_alive(aw_world *w, aw_message *m) {
    m->lease = has_lease(w, m->act.lease) ? m->act.lease : 0;
    if (m->lease)
        w->etcd.lease_ends[m->lease % LEASES] =
            w->now + AW_LEASE_MS + aw_below(w, 400);
}

/* Versions old, now and then. */
static void read(aw_world *w, aw_message *m) {
    const aw_etcd *etcd = &w->etcd;
    const aw_etcd_state *state = &etcd->now;
    uint64_t back = 1 + aw_below(w, 3);
    if (!w->heals && aw_chance(w, w->odds.old) && etcd->versions >= back) {
        state = &etcd->old[(etcd->versions - back) % AW_OLD_MAX];
        w->tally.old_reads++;
    }
    view_of(w, state, &m->view);
}

void aw_etcd_take(aw_world *w, aw_message *m) {
    m->answered = true;
    switch (m->act.kind) {
    case IDS_AGENT_READ:
        read(w, m);
        break;
    case IDS_AGENT_PUT:
        put(w, m);
        break;
    case IDS_AGENT_GRANT:
        grant(w, m);
        break;
    case IDS_AGENT_ALIVE:
        put_alive(w, m);
        break;
    case IDS_AGENT_KEEPALIVE:
        keep_alive(w, m);
        break;
    case IDS_AGENT_ASK:
    case IDS_AGENT_CONFIG:
    case IDS_AGENT_OFFER:
    case IDS_AGENT_PAUSE:
    case IDS_AGENT_RESUME:
        assert(!"that is for a node");
    }
}
