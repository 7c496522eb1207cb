/* SPDX-License-Identifier: Apache-2.0 */
/* peer_copy.c -- more of the checker: the replica equals the primary (I12),
 * nothing grows without bound (I15). */
#include "server/core/receipt.h"
#include "tests/sim/peer_agents.h"
#include "tests/sim/peer_world.h"

enum { HELD_MAX = 64 };

typedef struct both {
    pw_node *n;
    pw_snap at[PW_KEYS_MAX];
} both;

static void collect(void *ctx, const ids_change *c) {
    both *b = ctx;
    if (ids_receipt_is(c->ns)) {
        return;
    }
    b->at[pw_key_of(c->key)] = pw_snap_of(b->n, c);
    if (c->state == IDP_STATE_ORPHANED) {
        b->at[pw_key_of(c->key)].state = IDP_STATE_IN_PROGRESS;
    }
}

static void collect_all(pw_node *n, both *b) {
    *b = (both){.n = n};
    for (uint32_t k = 0; k < n->loops; k++) {
        uint64_t cursor = 0;
        while (ids_shard_walk(n->worker[k].ids->shard, pw_clock(n), &cursor, 64,
                              collect, b)) {
        }
        ids_shard_walk_end(n->worker[k].ids->shard);
    }
}

/* It has what p had up to the numbers that it has applied. */
static bool is_behind(const pw_node *p, const pw_node *r) {
    const ids_peer *b = r->peer;
    return pw_place_of(p, r) != NULL && b->started && !b->syncing &&
           !b->leading && b->upstream.epoch == p->peer->lead_epoch;
}

/* It has applied the last change of this key. */
static bool has_last(const pw_node *p, const pw_node *r, uint32_t key) {
    const pw_changed *c = &p->changed[key];
    return c->epoch != p->peer->lead_epoch ||
           r->peer->receivers[c->loop].applied >= c->number;
}

/* The two have the same numbers. */
static bool is_level(const pw_node *p, const pw_node *r) {
    const ids_peer *b = r->peer;
    if (!is_behind(p, r)) {
        return false;
    }
    for (uint32_t k = 0; k < p->loops; k++) {
        if (b->receivers[k].applied != pw_last(p, k)) {
            return false;
        }
    }
    return true;
}

void pw_note_routed(pw_node *n, const ids_batch_tag *tag) {
    uint64_t routed = n->peer->receivers[tag->stream].routed;
    if (n->came_epoch != tag->epoch) {
        memset(n->came, 0, sizeof n->came);
        n->came_epoch = tag->epoch;
    }
    if (routed > n->came[tag->stream]) {
        n->came[tag->stream] = routed;
    }
}

/* Two replicas of one primary have, and neither has got more than that, nor
 * had in a session before. */
static bool are_level(const pw_node *p, const pw_node *r, const pw_node *q) {
    const ids_peer *a = r->peer, *b = q->peer;
    if (pw_place_of(p, r) == NULL || pw_place_of(p, q) == NULL || !a->started ||
        !b->started || a->syncing || b->syncing || a->leading || b->leading) {
        return false;
    }
    for (uint32_t k = 0; k < p->loops; k++) {
        const ids_receiver *x = &a->receivers[k], *y = &b->receivers[k];
        if (x->applied != y->applied || r->came[k] > x->applied ||
            q->came[k] > y->applied) {
            return false;
        }
    }
    return true;
}

static bool same_record(const pw_snap *a, const pw_snap *b) {
    return a->state == b->state && pw_compare(a->token, b->token) == 0 &&
           pw_same_text(&a->fingerprint, &b->fingerprint) &&
           pw_same_text(&a->result, &b->result) &&
           pw_same_text(&a->nonce, &b->nonce) && a->lease_ms == b->lease_ms &&
           a->ttl_ms == b->ttl_ms;
}

static void differ(pw_world *w, const pw_node *p, const pw_node *r,
                   uint32_t key) {
    pw_fail(
        w,
        "I12: %c and %c have the same changes of k%u, and not the same record",
        pw_name(p->index), pw_name(r->index), key);
}

/* What the primary has not, and nobody said that it ends by now; one that was
 * deposed has not heard what is said. Where an operator leads there is no list
 * of it. */
static bool is_left_over(const pw_world *w, const pw_node *p, const pw_node *r,
                         uint32_t key, const pw_snap *theirs) {
    uint64_t more = w->config.clock_step_ms - 1;
    return w->agents != NULL && !pw_agents_deposed(p) &&
           theirs->state != IDP_STATE_ABSENT &&
           pw_promised_end(w, key, theirs) > w->now + more &&
           has_last(p, r, key);
}

static void compare(pw_world *w, pw_node *p, pw_node *r) {
    /* What begins in a node's clock may last so much longer than it has to. */
    uint64_t more = w->config.clock_step_ms - 1;
    both ours, theirs;
    collect_all(p, &ours);
    collect_all(r, &theirs);
    w->compared++;
    for (uint32_t key = 0; key < PW_KEYS_MAX && !w->failed; key++) {
        const pw_snap *a = &ours.at[key], *b = &theirs.at[key];
        if (a->state == IDP_STATE_ABSENT && is_left_over(w, p, r, key, b)) {
            differ(w, p, r, key);
        }
        if (a->state == IDP_STATE_ABSENT ||
            pw_promised_end(w, key, a) <= w->now + more) {
            continue; /* either may keep it a little longer */
        }
        if (!has_last(p, r, key)) {
            continue;
        }
        if (!same_record(a, b)) {
            differ(w, p, r, key);
        } else if (b->ttl_end + more < pw_promised_end(w, key, a) ||
                   b->lease_end + more < a->lease_end) {
            pw_fail(w, "I13: k%u ends sooner on the replica", key);
        }
    }
}

/* Of what the primary still has: what is over there may be over at either. */
static void compare_replicas(pw_world *w, pw_node *p, pw_node *r, pw_node *q) {
    uint64_t more = w->config.clock_step_ms - 1;
    both ours, one, other;
    collect_all(p, &ours);
    collect_all(r, &one);
    collect_all(q, &other);
    w->level++;
    for (uint32_t key = 0; key < PW_KEYS_MAX && !w->failed; key++) {
        const pw_snap *a = &one.at[key], *b = &other.at[key];
        const pw_snap *now = &ours.at[key];
        bool is_there = now->state != IDP_STATE_ABSENT &&
                        pw_promised_end(w, key, now) > w->now + more &&
                        (pw_compare(now->token, a->token) == 0 ||
                         pw_compare(now->token, b->token) == 0);
        if (is_there && !same_record(a, b)) {
            differ(w, r, q, key);
        }
    }
}

static void check_replica(pw_world *w, pw_node *p, pw_node *r, bool always) {
    if (is_behind(p, r)) {
        compare(w, p, r);
    }
    if (always && !is_level(p, r)) {
        pw_fail(w, "L1: %c is not level with its primary", pw_name(r->index));
    }
    for (int i = r->index + 1; i < pw_nodes(w) && !w->failed; i++) {
        if (are_level(p, r, &w->node[i])) {
            compare_replicas(w, p, r, &w->node[i]);
        }
    }
}

void pw_check_copy(pw_world *w, bool always) {
    pw_node *p;
    if (w->replies_only || (!always && !pw_chance(w, 2))) {
        return;
    }
    p = pw_primary(w);
    if (p == NULL || pw_replica_of(w, p) == NULL) {
        if (always) {
            pw_fail(w, "L1: there is no replica");
        }
        return;
    }
    for (int i = 0; i < pw_nodes(w) && !w->failed; i++) {
        if (pw_place_of(p, &w->node[i]) != NULL) {
            check_replica(w, p, &w->node[i], always);
        }
    }
}

/* A join by key is over: what p has not changed since is the same. */
void pw_check_joined(pw_node *r) {
    pw_world *w = r->w;
    pw_node *p = pw_primary(w);
    if (!w->replies_only && p != NULL && is_behind(p, r)) {
        compare(w, p, r);
    }
}

void pw_check_limits(pw_world *w) {
    for (int i = 0; i < PW_NODES; i++) {
        const ids_peer *p = w->node[i].up ? w->node[i].peer : NULL;
        if (p == NULL) {
            continue;
        }
        for (uint32_t k = 0; k < p->config.loops; k++) {
            uint32_t held = w->node[i].worker[k].ids->gate.replies;
            /* Under agents nodes stand still for longer. */
            if (held > (w->agents != NULL ? 8 * HELD_MAX : HELD_MAX)) {
                pw_fail(w, "I15: %u replies are held", held);
            }
        }
        if (p->link_count > 32 + 8 * w->config.places) {
            pw_fail(w, "I15: %u links", p->link_count);
        }
        for (uint32_t j = 0; j < p->link_count; j++) {
            if (p->links[j]->out.len > p->config.unsent_bytes + 16384) {
                pw_fail(w, "I15: %zu bytes wait on a link",
                        p->links[j]->out.len);
            }
        }
    }
}
