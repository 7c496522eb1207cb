/* SPDX-License-Identifier: Apache-2.0 */
/* peer_copy.c -- more of the checker: the replica equals the primary (I12),
 * nothing grows without bound (I15). */
#include "tests/sim/peer_world.h"

typedef struct both {
    pw_node *n;
    pw_snap at[PW_KEYS_MAX];
} both;

static void collect(void *ctx, const ids_change *c) {
    both *b = ctx;
    b->at[pw_key_of(c->key)] = pw_snap_of(b->n, c);
    if (c->state == IDP_STATE_ORPHANED) {
        b->at[pw_key_of(c->key)].state = IDP_STATE_IN_PROGRESS;
    }
}

static void collect_all(pw_node *n, both *b) {
    *b = (both){.n = n};
    for (uint32_t k = 0; k < n->loops; k++) {
        uint64_t cursor = 0;
        while (
            ids_shard_walk(n->shard[k], pw_clock(n), &cursor, 64, collect, b)) {
        }
        ids_shard_walk_end(n->shard[k]);
    }
}

/* The two have the same numbers. */
static bool is_level(const pw_node *p, const pw_node *r) {
    const ids_peer *a = p->peer, *b = r->peer;
    if (!b->started || b->syncing || b->leading || b->upstream.id == 0 ||
        a->follower[0].session.id != b->upstream.id) {
        return false;
    }
    for (uint32_t k = 0; k < a->config.loops; k++) {
        if (b->receivers[k].applied != p->last[k]) {
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

void pw_check_copy(pw_world *w, bool always) {
    pw_node *p, *r;
    /* What begins in a node's clock may last so much longer than it has to. */
    uint64_t more = w->config.clock_step_ms - 1;
    both ours, theirs;
    if (w->replies_only || (!always && !pw_chance(w, 2))) {
        return;
    }
    p = pw_primary(w);
    r = p != NULL ? pw_replica_of(w, p) : NULL;
    if (r == NULL || !is_level(p, r)) {
        if (always) {
            pw_fail(w, "L1: the replica is not level with its primary");
        }
        return;
    }
    collect_all(p, &ours);
    collect_all(r, &theirs);
    w->compared++;
    for (uint32_t key = 0; key < PW_KEYS_MAX; key++) {
        const pw_snap *a = &ours.at[key], *b = &theirs.at[key];
        if (a->state == IDP_STATE_ABSENT || a->ttl_end <= w->now + more) {
            continue; /* either may keep it a little longer */
        }
        if (!same_record(a, b)) {
            pw_fail(w,
                    "I12: %c and %c have the same number, and k%u is not "
                    "the same",
                    pw_name(p->index), pw_name(r->index), key);
            return;
        }
        if (b->ttl_end + more < a->ttl_end ||
            b->lease_end + more < a->lease_end) {
            pw_fail(w, "I13: k%u ends sooner on the replica", key);
            return;
        }
    }
}

void pw_check_limits(pw_world *w) {
    for (int i = 0; i < PW_NODES; i++) {
        const ids_peer *p = w->node[i].up ? w->node[i].peer : NULL;
        if (p == NULL) {
            continue;
        }
        for (uint32_t k = 0; k < p->config.loops; k++) {
            if (w->node[i].line[k].held > 16 + 32) {
                pw_fail(w, "I15: %u replies are held", w->node[i].line[k].held);
            }
        }
        if (p->link_count > 32) {
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
