/* SPDX-License-Identifier: Apache-2.0 */
/* peer_disk.c -- a memory that outlives its process: what a journal that is
 * synced before anything is answered brings back.
 *
 * Each loop's changes and records come to its medium a little later, in
 * order; what a reply leaves with, and what is reported as applied, is there.
 * A crash keeps that, and perhaps some more. */
#include "tests/sim/peer_world.h"

#include "server/change.h"
#include "server/peer/mutant.h"

#include <stdlib.h>

pw_parcel *pw_parcel_of(const ids_change *change) {
    pw_parcel *p = malloc(sizeof *p + ids_change_write_bound(change));
    *p = (pw_parcel){.number = change->number};
    p->len = ids_change_write(p->bytes, change);
    return p;
}

void pw_queue_put(pw_queue *q, pw_parcel *p) {
    p->next = NULL;
    if (q->first == NULL) {
        q->first = p;
    } else {
        q->last->next = p;
    }
    q->last = p;
}

pw_parcel *pw_queue_pop(pw_queue *q) {
    pw_parcel *p = q->first;
    if (p != NULL) {
        q->first = p->next;
    }
    return p;
}

void pw_queue_free(pw_queue *q) {
    for (pw_parcel *p; (p = pw_queue_pop(q)) != NULL;) {
        free(p);
    }
}

void pw_put(pw_node *n, ids_shard *shard, const pw_parcel *p) {
    ids_change change;
    ids_change_read(p->bytes, p->len, &change);
    if (!ids_shard_put(shard, pw_hash(n, change.ns, change.key), &change,
                       pw_clock(n))) {
        pw_fail(n->w, "I15: no memory for a record of a few bytes");
    }
}

/* --- what is written ------------------------------------------------------ */

static void write_one(pw_node *n, uint32_t loop, const pw_parcel *p) {
    pw_put(n, n->disk.shard[loop], p);
    if (p->number > 0) {
        n->disk.synced[loop] = p->number;
    }
}

static void synced(pw_world *w, int node, uint64_t loop) {
    pw_node *n = &w->node[node];
    n->disk.sync_due[loop] = false;
    for (pw_parcel *p; (p = pw_queue_pop(&n->disk.unsynced[loop])) != NULL;) {
        write_one(n, (uint32_t)loop, p);
        if (p->number == 0 && !IDS_RULE_OFF(KEPT_ACKS)) {
            ids_peer_applied(n->peer, &p->tag);
        }
        free(p);
    }
}

void pw_disk_write(pw_node *n, uint32_t loop, pw_parcel *p) {
    pw_queue_put(&n->disk.unsynced[loop], p);
    if (!n->disk.sync_due[loop]) {
        n->disk.sync_due[loop] = true;
        pw_later(n->w, 1 + pw_below(n->w, n->disk.wait_ms), synced, n->index,
                 loop);
    }
}

typedef struct copying {
    pw_node *n;
    ids_shard *to;
    uint64_t now_ms;
} copying;

static void copy_one(void *ctx, const ids_change *change) {
    copying *c = ctx;
    ids_shard_put(c->to, pw_hash(c->n, change->ns, change->key), change,
                  c->now_ms);
}

static void copy_all(pw_node *n, ids_shard *from, uint64_t then, ids_shard *to,
                     uint64_t now_ms) {
    copying c = {n, to, now_ms};
    uint64_t cursor = 0;
    while (ids_shard_walk(from, then, &cursor, 64, copy_one, &c)) {
    }
    ids_shard_walk_end(from);
}

/* then_ms: the clock of the one that is copied; the other's is that of now. */
void pw_disk_copy(pw_node *n, ids_shard *const *from, uint64_t then_ms,
                  ids_shard **to) {
    pw_node_free_shards(n, to);
    pw_node_make_shards(n, to);
    for (uint32_t k = 0; k < n->loops; k++) {
        copy_all(n, from[k], then_ms, to[k], pw_clock(n));
    }
}

/* Another copy has taken this one's place, or it leads from now on. */
void pw_disk_snapshot(pw_node *n) {
    if (!n->keeps) {
        return;
    }
    pw_node_free_shards(n, n->disk.shard);
    pw_node_make_shards(n, n->disk.shard);
    for (uint32_t k = 0; k < n->loops; k++) {
        copy_all(n, n->shard[k], pw_clock(n), n->disk.shard[k], pw_clock(n));
        pw_queue_free(&n->disk.unsynced[k]);
        n->disk.synced[k] = n->last[k];
    }
}

/* --- a crash, and what comes back ----------------------------------------- */

void pw_disk_crash(pw_node *n) {
    for (uint32_t k = 0; k < n->loops && n->keeps; k++) {
        uint32_t tail = pw_chance(n->w, 50) ? 0 : pw_below(n->w, 8);
        for (pw_parcel *p; (p = pw_queue_pop(&n->disk.unsynced[k])) != NULL;) {
            if (tail > 0) {
                write_one(n, k, p);
                tail--;
            }
            free(p);
        }
        n->disk.sync_due[k] = false;
    }
    n->disk.then_ms = pw_clock(n);
    n->disk.is_there = n->keeps;
}

void pw_disk_recover(pw_node *n) {
    n->w->kept += n->disk.is_there;
    for (uint32_t k = 0; k < n->loops && n->disk.is_there; k++) {
        copy_all(n, n->disk.shard[k], n->disk.then_ms, n->shard[k],
                 pw_clock(n));
    }
    pw_disk_snapshot(n);
}

void pw_disk_free(pw_node *n) {
    pw_node_free_shards(n, n->disk.shard);
    for (uint32_t k = 0; k < PW_LOOPS_MAX; k++) {
        pw_queue_free(&n->disk.unsynced[k]);
    }
}
