/* SPDX-License-Identifier: Apache-2.0 */
/* peer_group.c -- who follows whom, and what peace is: with one replica and
 * another node that is kept out, or with two replicas of one primary. */
#include "tests/sim/peer_world.h"

#include <string.h>

pw_node *pw_primary(pw_world *w) {
    for (int i = 0; i < PW_NODES; i++) {
        if (w->node[i].started && w->node[i].peer->leading) {
            return &w->node[i];
        }
    }
    return NULL;
}

const ids_follower *pw_place_of(const pw_node *primary, const pw_node *n) {
    uint64_t session = n->up ? n->peer->upstream.id : 0;
    for (uint32_t i = 0; i < IDS_FOLLOWERS_MAX && session != 0; i++) {
        const ids_follower *f = &primary->peer->follower[i];
        if (n != primary && f->session.id == session) {
            return f;
        }
    }
    return NULL;
}

uint64_t pw_session_with(const pw_node *primary, uint64_t node) {
    for (uint32_t i = 0; i < IDS_FOLLOWERS_MAX && primary->peer != NULL; i++) {
        const ids_session *s = &primary->peer->follower[i].session;
        if (s->id != 0 && s->other.node == node) {
            return s->id;
        }
    }
    return 0;
}

pw_node *pw_replica_of(pw_world *w, const pw_node *primary) {
    for (int i = 0; i < PW_NODES; i++) {
        if (pw_place_of(primary, &w->node[i]) != NULL) {
            return &w->node[i];
        }
    }
    return NULL;
}

/* Or one has failed already, and what is said of stopping holds for one
 * failure.
 */
bool pw_anyone_can_follow(const pw_node *n) {
    bool all_here = true, anyone = false;
    for (int i = 0; i < pw_nodes(n->w); i++) {
        const pw_node *r = &n->w->node[i];
        ids_peer_status s;
        all_here = all_here && r->started;
        if (r == n || !r->started) {
            continue;
        }
        /* It has gone, and this one has not heard of that yet. */
        if (pw_session_with(n, (uint64_t)i + 1) != 0 &&
            pw_place_of(n, r) == NULL) {
            all_here = false;
        }
        ids_peer_status_get(r->peer, &s);
        anyone = anyone || s.in_sync || r->peer->leading;
    }
    return anyone || !all_here;
}

/* --- peace ---------------------------------------------------------------- */

/* The replica has all that was made. */
static bool is_through(const pw_node *p, const ids_follower *f) {
    for (uint32_t k = 0; k < p->loops; k++) {
        if (f->progress[k].reached != pw_last(p, k)) {
            return false;
        }
    }
    return true;
}

/* Clients of the replica hear where the primary is. */
static bool knows_primary(const pw_node *r, const pw_node *p) {
    ids_endpoint at, http;
    ids_peer_primary_at(r->peer, &at);
    ids_peer_primary_http(r->peer, &http);
    return at.text[0] == pw_name(p->index) &&
           strcmp(at.text + 1, ":7117") == 0 && http.text[0] == at.text[0] &&
           strcmp(http.text + 1, ":7180") == 0;
}

/* R3: whoever else is there is told why it is not let in. */
static bool is_refused(const pw_node *n) {
    return !n->peer->leading && n->peer->refusal.why != IDS_REFUSAL_NONE;
}

static bool follows_well(const pw_node *r, const pw_node *p,
                         const ids_follower *f) {
    ids_peer_status s;
    ids_peer_status_get(r->peer, &s);
    return s.connected && !s.syncing && is_through(p, f) &&
           knows_primary(r, p) && (s.mode != IDS_MODE_SYNC || s.in_sync);
}

bool pw_in_peace(pw_world *w) {
    const pw_node *p = pw_primary(w);
    ids_peer_status s;
    uint32_t replicas = 0;
    if (p == NULL) {
        return false;
    }
    for (int i = 0; i < pw_nodes(w); i++) {
        const pw_node *n = &w->node[i];
        const ids_follower *f = pw_place_of(p, n);
        bool good =
            n == p || (f != NULL ? follows_well(n, p, f)
                                 : w->config.places == 1 && is_refused(n));
        if (!good || n->paused_until > w->now) {
            return false;
        }
        replicas += f != NULL;
    }
    ids_peer_status_get(p->peer, &s);
    return replicas == w->config.places && s.connected && !s.syncing &&
           s.lag.ops == 0 && (s.mode != IDS_MODE_SYNC || s.in_sync);
}

static void say_status(const pw_node *n) {
    ids_peer_status s;
    ids_peer_status_get(n->peer, &s);
    pw_say(n->w,
           "%c is %s in epoch %llu%s%s%s, lag %llu, pending %d, %u links, "
           "%u of %u streams",
           pw_name(n->index), n->peer->leading ? "primary" : "replica",
           (unsigned long long)s.epoch, s.in_sync ? ", in sync" : "",
           s.connected ? ", connected" : "", s.syncing ? ", syncing" : "",
           (unsigned long long)s.lag.ops, n->peer->pending, n->peer->link_count,
           n->peer->upstream.streams_open, n->peer->upstream.streams);
    pw_say(n->w, "  it says: %s", s.state);
}

void pw_say_all(const pw_world *w) {
    for (int i = 0; i < pw_nodes(w); i++) {
        say_status(&w->node[i]);
    }
}

/* --- replies ---------------------------------------------------------------
 */

bool pw_are_enough(pw_world *w, const pw_reply *r) {
    const pw_node *n = &w->node[r->node];
    uint32_t in_sync = 1 + ids_decision_members(&n->cell);
    bool leads = n->cell.role == IDS_ROLE_PRIMARY && n->cell.epoch == r->epoch;
    return in_sync >= w->config.min_in_sync || !r->changed || !leads ||
           pw_fail(w, "I9: %c answers k%u with change %llu, %u in sync",
                   pw_name(r->node), w->op[r->op].key,
                   (unsigned long long)r->number, in_sync);
}

/* --- one name for the primary --------------------------------------------- */

/* With two replicas each node is told a name to replicate from, and somebody
 * keeps that name where the primary is, a little later. */
void pw_point_at_primary(pw_world *w) {
    for (int i = 0; i < pw_nodes(w); i++) {
        const pw_node *n = &w->node[i];
        const pw_node *to = &w->node[w->points_to];
        bool newer = !to->up || !to->peer->leading ||
                     (n->up && n->peer->lead_epoch > to->peer->lead_epoch);
        if (n->up && n->peer->leading && newer) {
            w->points_to = i;
        }
    }
}

/* Whom this name is; of one that is the node's own, some other. */
int pw_node_named(const pw_world *w, int from, const char *name) {
    int to = name[0] == 'P' ? w->points_to : name[0] - 'A';
    return name[0] == 'P' && to == from ? (to + 1) % pw_nodes(w) : to;
}
