/* SPDX-License-Identifier: Apache-2.0 */
/* peer_driver.c -- what a node asks of its driver: virtual time, the medium of
 * its decisions, and connections (peer_net.c). */
#include "tests/sim/peer_world.h"

#include <errno.h>

#define UNRECORDED_PERCENT 5

static void enter(void *ctx) {
    (void)ctx;
}

static void leave(void *ctx) {
    (void)ctx;
}

static void wake(void *ctx, uint32_t worker) {
    pw_worker_wake(ctx, worker);
}

static void flush(void *ctx, uint32_t worker) {
    pw_node *n = ctx;
    pw_worker_flush(&n->worker[worker]);
}

static uint64_t clock_ms(void *ctx) {
    return pw_clock(ctx);
}

static uint64_t clock_epoch(void *ctx) {
    const pw_node *n = ctx;
    return n->w->epoch_next;
}

static void give_random(void *ctx, void *to, size_t len) {
    pw_node *n = ctx;
    for (size_t i = 0; i < len; i++) {
        ((uint8_t *)to)[i] = (uint8_t)idt_rng_next(&n->w->rng);
    }
}

/* --- decisions ------------------------------------------------------------ */

/* In one world of four a disk is full: of some writes nothing comes. */
static bool is_not_recorded(pw_world *w) {
    bool is_full = w->seed % 4 == 3 && !w->quiet;
    return is_full && pw_below(w, 100) < UNRECORDED_PERCENT;
}

static void recorded(pw_world *w, int node, uint64_t word) {
    pw_node *n = &w->node[node];
    (void)word;
    if (pw_worker_waits(n, 0)) {
        pw_later(w, 1, recorded, node, 0);
        return;
    }
    pw_worker_begins(n, 0);
    n->writing = false;
    if (is_not_recorded(w)) {
        ids_replicator_recorded(&n->replicator, ENOSPC);
    } else {
        n->cell = n->to_write;
        if (n->peer->pending == IDS_PENDING_SWITCHOVER) {
            w->switched++;
            w->chosen += ids_decision_members(&n->peer->known) > 1;
        }
        if (n->peer->pending == IDS_PENDING_DETACH) {
            pw_node_detached(n, n->peer->detached.node);
        }
        ids_replicator_recorded(&n->replicator, 0);
        pw_note_lead(n);
    }
    pw_worker_after(&n->worker[0]);
}

static void record(void *ctx, const ids_decision *decision) {
    pw_node *n = ctx;
    n->to_write = *decision;
    n->writing = true;
    pw_later(n->w, 1 + pw_below(n->w, (uint32_t)n->w->config.wait_record_ms),
             recorded, n->index, 0);
}

static void quiesce(void *ctx, void (*step)(ids_replicator *replicator)) {
    pw_quiesce(ctx, step);
}

static void replaced(void *ctx) {
    pw_node *n = ctx;
    pw_say(n->w, "%c has a whole copy of epoch %llu", pw_name(n->index),
           (unsigned long long)n->peer->upstream.epoch);
    n->w->swaps++;
    pw_disk_replaced(n);
}

/* --- connections ---------------------------------------------------------- */

static bool open_it(void *ctx, ids_peer_conn *conn) {
    return pw_net_open(ctx, conn);
}

static size_t send_it(void *ctx, ids_peer_conn *conn, const uint8_t *bytes,
                      size_t len) {
    return pw_net_send(ctx, conn, bytes, len);
}

static bool watch(void *ctx, ids_peer_conn *conn) {
    (void)ctx, (void)conn;
    return true;
}

static void read_it(void *ctx, ids_peer_conn *conn) {
    (void)ctx, (void)conn;
}

static void close_it(void *ctx, ids_peer_conn *conn) {
    pw_net_close(ctx, conn);
}

static void *part(void *ctx, ids_peer_conn *conn) {
    (void)ctx;
    return pw_net_part(conn);
}

ids_node_driver pw_driver(pw_node *n) {
    return (ids_node_driver){.ctx = n,
                             .enter = enter,
                             .leave = leave,
                             .wake = wake,
                             .flush = flush,
                             .clock_ms = clock_ms,
                             .clock_epoch = clock_epoch,
                             .random = give_random,
                             .record = record,
                             .quiesce = quiesce,
                             .replaced = replaced,
                             .open = open_it,
                             .send = send_it,
                             .watch = watch,
                             .read = read_it,
                             .close = close_it,
                             .part = part};
}
