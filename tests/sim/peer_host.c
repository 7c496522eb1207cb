/* peer_host.c -- what a peer asks of its host, and the mail between a node's
 * loops, which takes its time. */
#include "tests/sim/peer_world.h"

#include "server/change.h"

#include <stdlib.h>

static void host_random(void *ctx, void *to, size_t len) {
    pw_node *n = ctx;
    for (size_t i = 0; i < len; i++) {
        ((uint8_t *)to)[i] = (uint8_t)idt_rng_next(&n->w->rng);
    }
}

static void host_dial(void *ctx, ids_link *link) {
    pw_net_dial(ctx, link);
}

static void host_hang_up(void *ctx, ids_link *link) {
    pw_net_hang_up(ctx, link);
}

static bool host_aside_begin(void *ctx) {
    pw_node *n = ctx;
    pw_say(n->w, "%c begins a full copy of epoch %llu", pw_name(n->index),
           (unsigned long long)n->peer->session_epoch);
    return pw_node_make_shards(n, n->aside);
}

static void host_aside_drop(void *ctx) {
    pw_node *n = ctx;
    pw_say(n->w, "%c gives its unfinished copy up", pw_name(n->index));
    pw_node_free_shards(n, n->aside);
}

static void host_aside_swap(void *ctx) {
    pw_node *n = ctx;
    pw_say(n->w, "%c has a whole copy of epoch %llu", pw_name(n->index),
           (unsigned long long)n->peer->session_epoch);
    n->w->swaps++;
    pw_node_free_shards(n, n->shard);
    memcpy(n->shard, n->aside, sizeof n->shard);
    memset(n->aside, 0, sizeof n->aside);
    memset(n->last, 0, sizeof n->last);
}

static bool host_route(void *ctx, const ids_parcel_tag *tag,
                       const ids_change *change) {
    pw_node *n = ctx;
    uint32_t owner = (uint32_t)(pw_hash(n, change->ns, change->key) % n->loops);
    pw_parcel *p = malloc(sizeof *p + ids_change_write_bound(change));
    *p = (pw_parcel){.tag = *tag};
    p->len = ids_change_write(p->bytes, change);
    *n->parcels_end[owner] = p;
    n->parcels_end[owner] = &p->next;
    if (!n->drain_due[owner]) {
        n->drain_due[owner] = true;
        pw_later(n->w, pw_below(n->w, 3) + n->slow_ms, pw_node_drain_parcels,
                 n->index, owner);
    }
    return true;
}

static uint64_t host_lead(void *ctx, uint32_t loop, uint64_t epoch) {
    pw_node *n = ctx;
    ids_shard_lead(n->shard[loop], epoch, (uint64_t)loop << 40, pw_clock(n));
    if (loop == n->loops - 1) {
        pw_check_lead(n, n->peer->lead_epoch);
    }
    return n->last[loop];
}

static void host_stand_down(void *ctx, bool pending) {
    pw_node *n = ctx;
    pw_say(n->w, pending ? "%c stands down" : "%c drains to hand over",
           pw_name(n->index));
    for (uint32_t k = 0; k < n->loops; k++) {
        n->loop_now = k;
        ids_shard_drain(n->shard[k], IDP_E_NOT_PRIMARY);
        if (pending) {
            ids_peer_prepare_copy(n->shard[k]);
        }
    }
    if (pending) {
        pw_node_release(n); /* nothing, unless a mutant opens the gates */
        pw_node_fail_held(n, UINT64_MAX, IDP_E_NOT_PRIMARY);
    }
}

ids_peer_host pw_host(pw_node *n) {
    return (ids_peer_host){.ctx = n,
                           .random = host_random,
                           .dial = host_dial,
                           .hang_up = host_hang_up,
                           .aside_begin = host_aside_begin,
                           .aside_drop = host_aside_drop,
                           .aside_swap = host_aside_swap,
                           .route = host_route,
                           .lead = host_lead,
                           .stand_down = host_stand_down};
}

/* --- mail between its loops ----------------------------------------------- */

static void put(pw_node *n, uint32_t owner, const pw_parcel *p) {
    ids_shard *shard = n->shard[owner];
    ids_change change;
    if (p->tag.aside && n->aside[owner] != NULL) {
        shard = n->aside[owner];
    }
    ids_change_read(p->bytes, p->len, &change);
    n->loop_now = owner;
    ids_shard_drain(shard, IDP_E_NOT_PRIMARY); /* only a mutant has waiters */
    if (!ids_shard_put(shard, pw_hash(n, change.ns, change.key), &change,
                       pw_clock(n))) {
        pw_fail(n->w, "I15: no memory for a record of a few bytes");
    }
}

void pw_node_drain_parcels(pw_world *w, int node, uint64_t loop) {
    pw_node *n = &w->node[node];
    pw_parcel *p = n->parcels[loop];
    uint32_t some = 1 + pw_below(w, 30);
    n->drain_due[loop] = false;
    for (; p != NULL && some > 0; p = n->parcels[loop], some--) {
        n->parcels[loop] = p->next;
        if (p->next == NULL) {
            n->parcels_end[loop] = &n->parcels[loop];
        }
        if (ids_peer_is_current(n->peer, &p->tag)) {
            put(n, (uint32_t)loop, p);
            ids_peer_applied(n->peer, &p->tag);
        }
        free(p);
    }
    if (p != NULL) {
        n->drain_due[loop] = true;
        pw_later(w, 1 + n->slow_ms, pw_node_drain_parcels, node, loop);
    }
}

void pw_node_lose_parcels(pw_node *n) {
    for (uint32_t k = 0; k < PW_LOOPS_MAX; k++) {
        while (n->parcels[k] != NULL) {
            pw_parcel *p = n->parcels[k];
            n->parcels[k] = p->next;
            free(p);
        }
        n->parcels_end[k] = &n->parcels[k];
        n->drain_due[k] = false;
    }
}
