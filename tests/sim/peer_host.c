/* SPDX-License-Identifier: Apache-2.0 */
/* peer_host.c -- what a peer asks of its host, and the mail between a node's
 * loops, which takes its time. */
#include "tests/sim/peer_world.h"

#include "server/peer/mutant.h"

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
           (unsigned long long)n->peer->upstream.epoch);
    return pw_node_make_shards(n, n->aside);
}

static void host_aside_drop(void *ctx) {
    pw_node *n = ctx;
    pw_say(n->w, "%c gives its unfinished copy up", pw_name(n->index));
    pw_node_free_shards(n, n->aside);
}

/* The world stands still. */
static void swap(pw_world *w, int node, uint64_t word) {
    pw_node *n = &w->node[node];
    (void)word;
    n->swap_asked = false;
    if (!ids_peer_swap_is_due(n->peer)) {
        return; /* the session has ended meanwhile */
    }
    pw_say(w, "%c has a whole copy of epoch %llu", pw_name(n->index),
           (unsigned long long)n->peer->upstream.epoch);
    w->swaps++;
    for (uint32_t k = 0; k < n->loops; k++) {
        pw_loop_stands_down(n, k);
    }
    pw_node_free_shards(n, n->shard);
    memcpy(n->shard, n->aside, sizeof n->shard);
    memset(n->aside, 0, sizeof n->aside);
    memset(n->last, 0, sizeof n->last);
    pw_disk_snapshot(n);
    n->memory_is_old = false;
    ids_peer_swapped(n->peer, pw_clock(n));
}

void pw_node_maybe_swap(pw_node *n) {
    if (!ids_peer_swap_is_due(n->peer) || n->swap_asked) {
        return;
    }
    n->swap_asked = true;
    if (pw_chance(n->w, 50)) {
        swap(n->w, n->index, 0);
    } else {
        pw_later(n->w, pw_below(n->w, 8), swap, n->index, 0);
    }
}

static void route_one(pw_node *n, const ids_parcel_tag *tag,
                      const ids_change *change) {
    uint32_t owner = (uint32_t)(pw_hash(n, change->ns, change->key) % n->loops);
    pw_parcel *p = pw_parcel_of(change);
    p->tag = *tag;
    pw_queue_put(&n->parcels[owner], p);
    if (!n->drain_due[owner]) {
        n->drain_due[owner] = true;
        pw_later(n->w, pw_below(n->w, 3) + n->slow_ms, pw_node_drain_parcels,
                 n->index, owner);
    }
}

static bool host_route(void *ctx, const ids_parcel_tag *tag,
                       const ids_change *changes, uint32_t count) {
    pw_note_routed(ctx, tag);
    for (uint32_t i = 0; i < count; i++) {
        route_one(ctx, tag, &changes[i]);
    }
    return true;
}

static uint64_t host_lead(void *ctx, uint32_t loop, uint64_t epoch) {
    pw_node *n = ctx;
    if (!n->standing_still) {
        pw_fail(n->w, "a promotion while the world turns");
    }
    pw_loop_stands_down(n, loop);
    ids_shard_lead(n->shard[loop], epoch, (uint64_t)loop << 40, pw_clock(n));
    if (loop == n->loops - 1) {
        pw_disk_snapshot(n);
        pw_check_lead(n, n->peer->lead_epoch);
    }
    return n->last[loop];
}

/* Each loop does its part with its next turn. */
static void host_stand_down(void *ctx, bool pending) {
    pw_node *n = ctx;
    pw_say(n->w, pending ? "%c stands down" : "%c drains to hand over",
           pw_name(n->index));
    for (uint32_t k = 0; k < n->loops; k++) {
        n->line[k].drains = true;
        n->line[k].follows = n->line[k].follows || pending;
    }
}

static uint64_t host_clock_epoch(void *ctx) {
    pw_node *n = ctx;
    return n->w->epoch_next;
}

ids_peer_host pw_host(pw_node *n) {
    return (ids_peer_host){.ctx = n,
                           .random = host_random,
                           .dial = host_dial,
                           .hang_up = host_hang_up,
                           .aside_begin = host_aside_begin,
                           .aside_drop = host_aside_drop,
                           .route = host_route,
                           .lead = host_lead,
                           .stand_down = host_stand_down,
                           .clock_epoch = host_clock_epoch};
}

/* --- mail between its loops ----------------------------------------------- */

/* Into the copy that it is for. It is applied once it is on the medium, if
 * that is to be kept; a copy that is loaded aside is so as a whole. */
static void put(pw_node *n, uint32_t owner, pw_parcel *p) {
    bool aside = p->tag.aside && n->aside[owner] != NULL;
    ids_parcel_tag tag = p->tag;
    n->loop_now = owner;
    pw_loop_stands_down(n, owner);
    pw_put(n, aside ? n->aside[owner] : n->shard[owner], p);
    if (aside || !n->keeps || IDS_RULE_OFF(KEPT_ACKS)) {
        ids_peer_applied(n->peer, &tag);
    }
    if (aside || !n->keeps) {
        free(p);
    } else {
        pw_disk_write(n, owner, p);
    }
}

void pw_node_drain_parcels(pw_world *w, int node, uint64_t loop) {
    pw_node *n = &w->node[node];
    uint32_t some = 1 + pw_below(w, 30);
    n->drain_due[loop] = false;
    for (; n->parcels[loop].first != NULL && some > 0; some--) {
        pw_parcel *p = pw_queue_pop(&n->parcels[loop]);
        if (ids_peer_is_current(n->peer, &p->tag)) {
            put(n, (uint32_t)loop, p);
        } else {
            free(p);
        }
    }
    if (n->parcels[loop].first != NULL) {
        n->drain_due[loop] = true;
        pw_later(w, 1 + n->slow_ms, pw_node_drain_parcels, node, loop);
    }
}

void pw_node_lose_parcels(pw_node *n) {
    for (uint32_t k = 0; k < PW_LOOPS_MAX; k++) {
        pw_queue_free(&n->parcels[k]);
        n->drain_due[k] = false;
    }
}
