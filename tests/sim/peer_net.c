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
    int dialler;
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

/* The bytes that this node's end has to say. */
static void flush(pw_world *w, pw_conn *c, int from, ids_link *link) {
    int to = 1 - from;
    uint64_t delay = 1 + pw_below(w, w->config.delay_ms);
    if (link->out.len == 0 || c->closed) {
        return;
    }
    if (w->stale[from] != NULL && pw_chance(w, w->config.percent_stale) &&
        link->state == IDS_LINK_OPEN) {
        chunk *old = malloc(sizeof *old + w->stale_len[from]);
        *old = (chunk){.at = w->now + delay, .len = w->stale_len[from]};
        memcpy(old->bytes, w->stale[from], old->len);
        *c->last[to] = old;
        c->last[to] = &old->next;
        pw_say(w, "a piece of an older session slips in to %c", pw_name(to));
    }
    chunk *one = malloc(sizeof *one + link->out.len);
    *one = (chunk){.len = link->out.len,
                   .cut = pw_chance(w, w->config.percent_cut)};
    memcpy(one->bytes, link->out.at, one->len);
    if (link->state == IDS_LINK_OPEN && pw_chance(w, 10) &&
        one->len > IDS_PF_HEAD_BYTES) {
        free(w->stale[from]);
        w->stale[from] = malloc(one->len);
        memcpy(w->stale[from], one->bytes, one->len);
        w->stale_len[from] = one->len;
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
    *c->last[to] = one;
    c->last[to] = &one->next;
    pw_later(w, one->at - w->now, deliver, to, c->number);
}

static void reset(pw_world *w, pw_conn *c) {
    if (c->closed) {
        return;
    }
    c->closed = true;
    for (int i = 0; i < PW_NODES; i++) {
        if (w->node[i].up) {
            end_at(w, c, i);
        }
    }
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
    }
}

static void deliver(pw_world *w, int to, uint64_t number) {
    pw_conn *c = find(w, number);
    pw_node *n = &w->node[to];
    if (c == NULL || c->closed) {
        return;
    }
    if (w->cut[1 - to]) {
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
        }
        free(one);
        if (cut) {
            pw_say(w, "a connection between A and B breaks within a frame");
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
    c->last[0] = &c->first[0];
    c->last[1] = &c->first[1];
    c->next = w->conns;
    w->conns = c;
    link->host = c;
    if (link->stream == 0) {
        pw_say(w, "%c dials %c", pw_name(n->index), pw_name(1 - n->index));
    }
}

/* What it said last still leaves. */
void pw_net_hang_up(pw_node *n, ids_link *link) {
    pw_world *w = n->w;
    pw_conn *c = link->host;
    int other = 1 - n->index;
    if (c == NULL || c->closed) {
        return;
    }
    flush(w, c, n->index, link);
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
    bool nobody = c->end[0] == NULL && c->end[1] == NULL;
    return nobody && (c->closed || (c->gone[0] && c->gone[1]));
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
        if (!w->node[1 - n->index].up && link->state == IDS_LINK_DIALLED) {
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
        c->end[n->index] = NULL;
        c->gone[n->index] = true;
        if (heard && !c->closed && c->end[1 - n->index] != NULL) {
            c->closing[1 - n->index] = true;
            pw_later(w, 1, deliver, 1 - n->index, c->number);
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
