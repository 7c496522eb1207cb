/* SPDX-License-Identifier: Apache-2.0 */
/* proxy.c -- see proxy.h. One thread, poll(), plain sockets. */
#include "tests/nemesis/proxy.h"

#include "tests/lib/rng.h"
#include "tests/nemesis/lane.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAIRS_MAX = 200, BUSY_MS = 2, IDLE_MS = 15 };

/* Someone, and the node that he wanted to reach. */
typedef struct pair {
    nem_wire *wire; /* NULL: free */
    unsigned resets;
    bool connecting;
    nem_lane to;   /* from him to the node */
    nem_lane from; /* and back */
} pair;

typedef struct proxy {
    nem_wires *wires;
    int listeners[NEM_WIRES];
    pair pairs[PAIRS_MAX];
    idt_rng rng;
} proxy;

static void let_go(pair *p, bool reset) {
    nem_socket_close(p->to.in, reset);
    nem_socket_close(p->to.out, reset);
    free(p->to.bytes);
    free(p->from.bytes);
    *p = (pair){0};
}

static void welcome(proxy *x, int which) {
    nem_wire *wire = &x->wires->wire[which];
    int him = nem_socket_accept(x->listeners[which]);
    pair *p = NULL;
    if (him < 0)
        return;
    for (int i = 0; i < PAIRS_MAX && p == NULL; i++)
        if (x->pairs[i].wire == NULL)
            p = &x->pairs[i];
    int node = p == NULL ? -1 : nem_socket_connect(wire->source, wire->target);
    if (node < 0) {
        nem_socket_close(him, true);
        return;
    }
    atomic_fetch_add(&wire->connections, 1);
    *p = (pair){.wire = wire,
                .resets = atomic_load(&wire->resets),
                .connecting = true,
                .to = {.in = him, .out = node},
                .from = {.in = node, .out = him}};
    p->to.bytes = malloc(NEM_LANE_BYTES);
    p->from.bytes = malloc(NEM_LANE_BYTES);
    if (p->to.bytes == NULL || p->from.bytes == NULL)
        let_go(p, true);
}

static nem_harm harm_of(nem_wire *w, bool to) {
    return (nem_harm){.delay_ms = atomic_load(&w->delay_ms),
                      .drip_bytes = atomic_load(&w->drip_bytes),
                      .flip_1_in = atomic_load(&w->flip_1_in),
                      .cut_1_in = atomic_load(&w->cut_1_in),
                      .hole = atomic_load(to ? &w->hole_to : &w->hole_from),
                      .flips = &w->flips};
}

/* One direction of a pair: what may be read is, what is due leaves. */
static bool run_lane(proxy *x, nem_lane *lane, const nem_harm *harm,
                     uint64_t now_ms) {
    if (harm->hole != 0)
        return true;
    return nem_lane_read(lane, harm, now_ms, &x->rng) &&
           nem_lane_write(lane, harm, now_ms);
}

static void run_pair(proxy *x, pair *p, uint64_t now_ms) {
    nem_harm to = harm_of(p->wire, true), from = harm_of(p->wire, false);
    if (p->resets != atomic_load(&p->wire->resets)) {
        let_go(p, true);
        return;
    }
    if (p->connecting) {
        int state = nem_socket_connected(p->to.out);
        if (state < 0)
            let_go(p, true);
        if (state <= 0)
            return;
        p->connecting = false;
    }
    if (!run_lane(x, &p->to, &to, now_ms) ||
        !run_lane(x, &p->from, &from, now_ms))
        let_go(p, true);
    else if (p->to.ended && p->from.ended)
        let_go(p, false);
}

/* What poll() has to watch; *busy: something is held back. */
static nfds_t watch(proxy *x, struct pollfd *fds, bool *busy) {
    nfds_t count = 0;
    for (int i = 0; i < NEM_WIRES; i++)
        fds[count++] = (struct pollfd){x->listeners[i], POLLIN, 0};
    for (int i = 0; i < PAIRS_MAX; i++) {
        pair *p = &x->pairs[i];
        if (p->wire == NULL)
            continue;
        nem_harm to = harm_of(p->wire, true), from = harm_of(p->wire, false);
        if (p->connecting) {
            fds[count++] = (struct pollfd){p->to.out, POLLOUT, 0};
            continue;
        }
        if (to.hole == 0 && nem_lane_wants(&p->to))
            fds[count++] = (struct pollfd){p->to.in, POLLIN, 0};
        if (from.hole == 0 && nem_lane_wants(&p->from))
            fds[count++] = (struct pollfd){p->from.in, POLLIN, 0};
        *busy |= (p->to.len > 0 && to.hole == 0) ||
                 (p->from.len > 0 && from.hole == 0);
    }
    return count;
}

static void turn(proxy *x) {
    struct pollfd fds[NEM_WIRES + 2 * PAIRS_MAX];
    bool busy = false;
    nfds_t count = watch(x, fds, &busy);
    poll(fds, count, busy ? BUSY_MS : IDLE_MS);
    uint64_t now_ms = nem_socket_now_ms();
    for (int i = 0; i < NEM_WIRES; i++)
        if (fds[i].revents != 0)
            welcome(x, i);
    for (int i = 0; i < PAIRS_MAX; i++)
        if (x->pairs[i].wire != NULL)
            run_pair(x, &x->pairs[i], now_ms);
}

int nem_proxy_run(nem_wires *wires, uint64_t seed) {
    proxy *x = calloc(1, sizeof *x);
    if (x == NULL)
        return -1;
    x->wires = wires;
    idt_rng_seed(&x->rng, seed);
    for (int i = 0; i < NEM_WIRES; i++) {
        x->listeners[i] = nem_socket_listen(wires->wire[i].listen);
        if (x->listeners[i] < 0)
            return -1;
    }
    atomic_store(&wires->ready, 1);
    for (;;)
        turn(x);
}

void nem_wire_calm(nem_wire *wire) {
    atomic_store(&wire->delay_ms, 0);
    atomic_store(&wire->drip_bytes, 0);
    atomic_store(&wire->flip_1_in, 0);
    atomic_store(&wire->cut_1_in, 0);
    atomic_store(&wire->hole_to, 0);
    atomic_store(&wire->hole_from, 0);
}
