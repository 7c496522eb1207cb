/* SPDX-License-Identifier: Apache-2.0 */
/* peer_net.c -- the network between the nodes: connections that delay, break
 * in the middle of a frame, fall silent in one direction, and let a piece of
 * an older session slip in. */
#include "tests/sim/peer_world.h"

#include <stdlib.h>
#include <string.h>

typedef struct chunk {
    struct chunk *next;
    uint64_t at;
    bool cut; /* the connection ends behind it */
    size_t len;
    uint8_t bytes[];
} chunk;

struct pw_conn {
    pw_conn *next;
    ids_link *end[PW_NODES]; /* at each node; NULL: gone there */
    int dialler, listener;
    bool closed;
    bool gone[PW_NODES];    /* this end was there, and is no more */
    bool closing[PW_NODES]; /* towards this node: it ends behind its chunks */
    chunk *first[PW_NODES], **last[PW_NODES]; /* towards this node */
    uint64_t reach_at[PW_NODES];
    uint64_t number;
};

static pw_conn *find(pw_world *w, uint64_t number) {
    for (pw_conn *c = w->conns; c != NULL; c = c->next) {
        if (c->number == number) {
            return c;
        }
    }
    return NULL;
}

static int other_end(const pw_conn *c, int node) {
    return node == c->dialler ? c->listener : c->dialler;
}

static void deliver(pw_world *w, int to, uint64_t number);

static void end_at(pw_world *w, pw_conn *c, int node) {
    ids_link *link = c->end[node];
    if (link == NULL) {
        return;
    }
    c->end[node] = NULL;
    c->gone[node] = true;
    link->host = NULL;
    ids_peer_lost(w->node[node].peer, link, pw_clock(&w->node[node]));
}

static uint32_t under_way(const pw_conn *c, int to) {
    uint32_t count = 0;
    for (const chunk *one = c->first[to]; one != NULL; one = one->next) {
        count++;
    }
    return count;
}

static void add(pw_conn *c, int to, chunk *one) {
    *c->last[to] = one;
    c->last[to] = &one->next;
}

/* What was on its way in an older session comes out of this one. */
static void slip_in(pw_world *w, pw_conn *c, int from, uint64_t delay) {
    const pw_stale *stale = &w->stale[from];
    chunk *old = malloc(sizeof *old + stale->len);
    *old = (chunk){.at = w->now + delay, .len = stale->len};
    memcpy(old->bytes, stale->bytes, old->len);
    add(c, other_end(c, from), old);
    pw_say(w, "a piece of an older session slips in to %c",
           pw_name(other_end(c, from)));
}

static void keep(pw_world *w, int from, uint64_t session, const chunk *one) {
    pw_stale *fresh = &w->fresh[from];
    if (fresh->session != session) {
        free(w->stale[from].bytes);
        w->stale[from] = *fresh;
        *fresh = (pw_stale){.session = session};
    }
    free(fresh->bytes);
    fresh->bytes = malloc(one->len);
    memcpy(fresh->bytes, one->bytes, one->len);
    fresh->len = one->len;
}

/* The bytes that this node's end has to say. */
static void flush(pw_world *w, pw_conn *c, int from, ids_link *link) {
    int to = other_end(c, from);
    uint64_t delay = 1 + pw_below(w, w->config.delay_ms);
    if (link->out.len == 0 || c->closed) {
        return;
    }
    if (under_way(c, to) >= w->config.window) {
        return; /* it waits, and so does what is behind it */
    }
    if (w->stale[from].bytes != NULL && link->state == IDS_LINK_OPEN &&
        pw_chance(w, w->config.percent_stale)) {
        slip_in(w, c, from, delay);
    }
    chunk *one = malloc(sizeof *one + link->out.len);
    *one = (chunk){.len = link->out.len,
                   .cut = pw_chance(w, w->config.percent_cut)};
    memcpy(one->bytes, link->out.at, one->len);
    if (link->state == IDS_LINK_OPEN && pw_chance(w, 10)) {
        keep(w, from, link->session, one);
    }
    if (pw_chance(w, w->config.percent_flip)) {
        one->bytes[pw_below(w, (uint32_t)one->len)] ^=
            (uint8_t)(1u << pw_below(w, 8));
        w->flipped++;
    }
    if (one->cut) {
        one->len = pw_below(w, (uint32_t)one->len);
    }
    ids_pbuf_consume(&link->out, link->out.len);
    one->at = w->now + delay;
    if (one->at < c->reach_at[to]) {
        one->at = c->reach_at[to];
    }
    c->reach_at[to] = one->at;
    add(c, to, one);
    pw_later(w, one->at - w->now, deliver, to, c->number);
}

/* What never arrived may still arrive one day. */
static void keep_lost(pw_world *w, int from, const chunk *one) {
    pw_stale *stale = &w->stale[from];
    if (one->len < IDS_PF_HEAD_BYTES || one->cut || pw_chance(w, 50)) {
        return;
    }
    free(stale->bytes);
    *stale = (pw_stale){.bytes = malloc(one->len), .len = one->len};
    memcpy(stale->bytes, one->bytes, one->len);
}

static void reset(pw_world *w, pw_conn *c) {
    if (c->closed) {
        return;
    }
    c->closed = true;
    for (int to = 0; to < PW_NODES; to++) {
        for (const chunk *one = c->first[to]; one; one = one->next) {
            keep_lost(w, other_end(c, to), one);
        }
    }
    for (int i = 0; i < PW_NODES; i++) {
        if (w->node[i].up) {
            end_at(w, c, i);
        }
    }
}

static void see(ids_link *link, int other) {
    const char host[] = {pw_name(other), 0};
    ids_link_set_seen_host(link, host);
}

static void connect_end(pw_world *w, pw_conn *c, int to) {
    if (c->end[to] != NULL || c->closed || c->gone[to] || to == c->dialler) {
        return;
    }
    c->end[to] = ids_peer_accept(w->node[to].peer, pw_clock(&w->node[to]));
    if (c->end[to] == NULL) {
        reset(w, c);
    } else {
        c->end[to]->host = c;
        see(c->end[to], c->dialler);
    }
}

static void deliver(pw_world *w, int to, uint64_t number) {
    pw_conn *c = find(w, number);
    pw_node *n = &w->node[to];
    if (c == NULL || c->closed) {
        return;
    }
    if (w->cut[other_end(c, to)]) {
        pw_later(w, 7, deliver, to, number);
        return;
    }
    if (c->first[to] != NULL) {
        connect_end(w, c, to);
    }
    while (c->first[to] != NULL && c->first[to]->at <= w->now) {
        chunk *one = c->first[to];
        bool cut = one->cut;
        c->first[to] = one->next;
        if (c->first[to] == NULL) {
            c->last[to] = &c->first[to];
        }
        if (c->end[to] != NULL) {
            ids_peer_input(n->peer, c->end[to], one->bytes, one->len,
                           pw_clock(n));
        } else {
            keep_lost(w, other_end(c, to), one);
        }
        free(one);
        if (cut) {
            pw_say(w, "a connection between %c and %c breaks within a frame",
                   pw_name(c->dialler), pw_name(c->listener));
            reset(w, c);
            return;
        }
    }
    if (c->first[to] == NULL && c->closing[to]) {
        end_at(w, c, to);
    }
}

void pw_net_dial(pw_node *n, ids_link *link) {
    pw_world *w = n->w;
    pw_conn *c = calloc(1, sizeof *c);
    c->number = w->event_seq++;
    c->dialler = n->index;
    c->end[n->index] = link;
    c->listener = pw_node_named(w, n->index, link->dialled_to.text);
    for (int i = 0; i < PW_NODES; i++) {
        c->last[i] = &c->first[i];
    }
    c->next = w->conns;
    w->conns = c;
    link->host = c;
    if (strcmp(link->dialled_to.text + 1, ":7117") != 0 || c->listener < 0 ||
        c->listener >= pw_nodes(w) || c->listener == n->index) {
        pw_fail(w, "%c dials %s", pw_name(n->index), link->dialled_to.text);
        c->listener = n->index == 0 ? 1 : 0;
    }
    see(link, c->listener);
    if (link->stream == 0) {
        pw_say(w, "%c dials %c", pw_name(n->index), pw_name(c->listener));
    }
}

/* What it said last still leaves. */
void pw_net_hang_up(pw_node *n, ids_link *link) {
    pw_world *w = n->w;
    pw_conn *c = link->host;
    int other;
    if (c == NULL || c->closed) {
        return;
    }
    other = other_end(c, n->index);
    w->config.window += 1000; /* as if the kernel had taken it already */
    flush(w, c, n->index, link);
    w->config.window -= 1000;
    c->end[n->index] = NULL;
    c->gone[n->index] = true;
    c->closing[other] = true;
    pw_later(w, c->reach_at[other] > w->now ? c->reach_at[other] - w->now : 1,
             deliver, other, c->number);
}

static void free_conn(pw_conn *c) {
    for (int i = 0; i < PW_NODES; i++) {
        while (c->first[i] != NULL) {
            chunk *one = c->first[i];
            c->first[i] = one->next;
            free(one);
        }
    }
    free(c);
}

/* Nobody is at either end, and nobody will be. */
static bool is_over(const pw_conn *c) {
    bool nobody = c->end[c->dialler] == NULL && c->end[c->listener] == NULL;
    return nobody &&
           (c->closed || (c->gone[c->dialler] && c->gone[c->listener]));
}

static void sweep(pw_world *w) {
    for (pw_conn **at = &w->conns; *at != NULL;) {
        pw_conn *c = *at;
        if (is_over(c)) {
            *at = c->next;
            free_conn(c);
        } else {
            at = &c->next;
        }
    }
}

void pw_net_flush(pw_node *n) {
    pw_world *w = n->w;
    sweep(w);
    for (pw_conn *c = w->conns; c != NULL; c = c->next) {
        ids_link *link = c->end[n->index];
        if (link == NULL || c->closed) {
            continue;
        }
        if (!w->node[other_end(c, n->index)].up &&
            link->state == IDS_LINK_DIALLED) {
            c->closed = true; /* nobody listens */
            end_at(w, c, n->index);
            return; /* the rest goes with the next event */
        }
        flush(w, c, n->index, link);
    }
}

/* The node is gone: the other hears of it, or not. */
void pw_net_crash(pw_node *n) {
    pw_world *w = n->w;
    bool heard = pw_chance(w, 60);
    for (pw_conn *c = w->conns; c != NULL; c = c->next) {
        int other = other_end(c, n->index);
        if (n->index != c->dialler && n->index != c->listener) {
            continue;
        }
        c->end[n->index] = NULL;
        c->gone[n->index] = true;
        if (heard && !c->closed && c->end[other] != NULL) {
            c->closing[other] = true;
            pw_later(w, 1, deliver, other, c->number);
        }
    }
}

/* Chunks that waited for a node that was away. */
void pw_net_resume(pw_node *n) {
    for (pw_conn *c = n->w->conns; c != NULL; c = c->next) {
        if (c->first[n->index] != NULL) {
            pw_later(n->w, 1, deliver, n->index, c->number);
        }
    }
}

void pw_net_free(pw_world *w) {
    while (w->conns != NULL) {
        pw_conn *c = w->conns;
        w->conns = c->next;
        free_conn(c);
    }
}
