/* SPDX-License-Identifier: Apache-2.0 */
/* peer_net.c -- the network between the nodes: connections that delay, break
 * in the middle of a frame, fall silent in one direction, and let a piece of
 * an older session slip in. */
#include "tests/sim/peer_net.h"

#include <stdlib.h>
#include <string.h>

enum { DROPS_MAX = 100 };

static pw_link *find(pw_world *w, uint64_t number) {
    for (pw_link *c = w->links; c != NULL; c = c->next) {
        if (c->number == number) {
            return c;
        }
    }
    return NULL;
}

/* The other end is gone, or nothing gets through any more. */
static void end_at(pw_world *w, pw_link *c, int node) {
    side *s = &c->side[node];
    pw_node *n = &w->node[node];
    s->gone = true;
    if (s->conn != NULL) {
        ids_peer_conn_break(s->conn);
        pw_worker_wake(n, s->conn->repl->worker->index);
    } else if (s->early != NULL) {
        ids_conn_become(s->early, IDS_CONN_DEAD);
        ids_worker_mark(n->worker[s->early_worker].ids, s->early);
        pw_worker_wake(n, s->early_worker);
    }
}

uint32_t pw_link_under_way(const pw_link *c, int to) {
    uint32_t count = 0;
    for (const chunk *one = c->side[to].first; one; one = one->next) {
        count += !one->is_drop;
    }
    return count;
}

static void add(pw_link *c, int to, chunk *one) {
    chunk **at = &c->side[to].first;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = one;
}

/* Its beginning comes a byte at a time, before it. */
static void drip(pw_world *w, pw_link *c, int to, chunk *one) {
    size_t drops = one->len < DROPS_MAX ? one->len : DROPS_MAX;
    for (size_t i = 0; i < drops; i++) {
        chunk *drop = malloc(sizeof *drop + 1);
        *drop = (chunk){.at = one->at, .is_drop = true, .len = 1};
        drop->bytes[0] = one->bytes[i];
        add(c, to, drop);
        pw_later(w, one->at - w->now, pw_link_deliver, to, c->number);
    }
    one->len -= drops;
    memmove(one->bytes, one->bytes + drops, one->len);
}

/* --- what is sent --------------------------------------------------------- */

/* What was on its way in an older session comes out of this one. */
static void slip_in(pw_world *w, pw_link *c, int from, uint64_t delay) {
    const pw_stale *stale = &w->stale[from];
    chunk *old = malloc(sizeof *old + stale->len);
    *old = (chunk){.at = w->now + delay, .len = stale->len};
    memcpy(old->bytes, stale->bytes, old->len);
    add(c, pw_other_end(c, from), old);
    pw_say(w, "a piece of an older session slips in to %c",
           pw_name(pw_other_end(c, from)));
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

/* session 0: the two have none yet. */
void pw_link_push(pw_world *w, pw_link *c, int from, idp_slice bytes,
                  uint64_t session) {
    int to = pw_other_end(c, from);
    uint64_t slow_ms = w->node[to].slow_ms;
    uint64_t delay = 1 + pw_below(w, w->config.delay_ms) +
                     pw_below(w, (uint32_t)slow_ms + 1);
    if (w->stale[from].bytes != NULL && session != 0 &&
        pw_chance(w, w->config.percent_stale)) {
        slip_in(w, c, from, delay);
    }
    chunk *one = malloc(sizeof *one + bytes.len);
    *one =
        (chunk){.len = bytes.len, .cut = pw_chance(w, w->config.percent_cut)};
    memcpy(one->bytes, bytes.ptr, one->len);
    if (session != 0 && pw_chance(w, 10)) {
        keep(w, from, session, one);
    }
    if (pw_chance(w, w->config.percent_flip)) {
        one->bytes[pw_below(w, (uint32_t)one->len)] ^=
            (uint8_t)(1u << pw_below(w, 8));
        w->flipped++;
    }
    if (one->cut) {
        one->len = pw_below(w, (uint32_t)one->len);
    }
    one->at = w->now + delay;
    if (one->at < c->side[to].reach_at) {
        one->at = c->side[to].reach_at;
    }
    c->side[to].reach_at = one->at;
    if (w->drips) {
        drip(w, c, to, one);
    }
    add(c, to, one);
    pw_later(w, one->at - w->now, pw_link_deliver, to, c->number);
}

/* --- what arrives --------------------------------------------------------- */

static void reset(pw_world *w, pw_link *c) {
    if (c->closed) {
        return;
    }
    c->closed = true;
    for (int to = 0; to < PW_NODES; to++) {
        for (const chunk *one = c->side[to].first; one; one = one->next) {
            keep_lost(w, pw_other_end(c, to), one);
        }
    }
    for (int i = 0; i < PW_NODES; i++) {
        if (w->node[i].up) {
            end_at(w, c, i);
        }
    }
}

/* Someone connects: it is not known yet that it is another node. */
static void accept_early(pw_node *n, pw_link *c) {
    side *s = &c->side[n->index];
    s->early_worker = pw_below(n->w, n->loops);
    s->early = ids_conn_new(-1);
    c->end = (pw_end){.is_link = true, .link = c};
    s->early->link = &c->end;
    if (n->w->seals) {
        pw_seal_accept(c, n->index);
    }
    ids_reader_adopt(pw_worker_begins(n, s->early_worker)->line, s->early);
}

/* The worker that has this side; -1: nobody, for now. */
static int worker_of(const side *s) {
    if (s->conn != NULL) {
        return (int)s->conn->repl->worker->index;
    }
    return s->early != NULL ? (int)s->early_worker : -1;
}

static void feed(pw_node *n, side *s, const uint8_t *bytes, size_t len) {
    pw_worker *worker = pw_worker_begins(n, (uint32_t)worker_of(s));
    ids_line_begin_turn(worker->line);
    if (s->conn != NULL) {
        ids_repl_input(s->conn->repl, s->conn, bytes, len);
    } else {
        memcpy(ids_line_input_room(worker->line), bytes, len);
        ids_reader_input(worker->line, s->early, len);
        pw_worker_flush(worker);
    }
    pw_note_lead(n);
    pw_worker_after(worker);
}

/* Hands are shaken, or were not, at the end that has dialled. */
static void dialled(pw_node *n, pw_link *c, pw_sealed now) {
    side *s = &c->side[n->index];
    const char host[] = {pw_name(c->listener), 0};
    if (!s->shakes || now == PW_SEAL_SHAKES) {
        return;
    }
    s->shakes = false;
    if (now == PW_SEAL_UP) {
        ids_peer_conn_connected(s->conn, host, IDS_LINK_TLS);
    } else if (now == PW_SEAL_BAD_CERT) {
        ids_peer_conn_give_up(s->conn, IDS_LINK_BAD_CERT);
    }
    pw_worker_wake(n, s->conn->repl->worker->index);
}

static void feed_sealed(pw_node *n, pw_link *c, const chunk *one) {
    side *s = &c->side[n->index];
    uint8_t *room = malloc(one->len + PW_SEAL_ROOM);
    size_t len = 0;
    pw_sealed now = pw_seal_hear(n->w, c, n->index, one, room, &len);
    dialled(n, c, now);
    if (len > 0) {
        feed(n, s, room, len);
    }
    free(room);
    if (now > PW_SEAL_UP && !s->gone) {
        n->w->unsealed++;
        end_at(n->w, c, n->index);
    }
}

static void unblock(pw_world *w, int node, uint64_t number) {
    pw_node *n = &w->node[node];
    pw_link *c = find(w, number);
    ids_peer_conn *conn = c != NULL ? c->side[node].conn : NULL;
    if (conn == NULL || !conn->blocked) {
        return;
    }
    uint32_t index = conn->repl->worker->index;
    if (pw_worker_waits(n, index)) {
        pw_later(w, 1, unblock, node, number);
        return;
    }
    pw_worker *worker = pw_worker_begins(n, index);
    ids_peer_conn_unblock(conn);
    pw_worker_after(worker);
}

/* Not now: the worker is busy, the connection on its way to another, or not
 * read from. */
static bool must_wait(pw_world *w, int to, const side *s) {
    const pw_node *n = &w->node[to];
    int index = worker_of(s);
    return !n->started || s->moves ||
           (index >= 0 && pw_worker_waits(n, (uint32_t)index)) ||
           (s->conn != NULL && !s->gone && !s->shakes &&
            !ids_peer_conn_is_read(s->conn));
}

static void take_first(pw_world *w, pw_link *c, int to) {
    side *s = &c->side[to];
    chunk *one = s->first;
    bool cut = one->cut;
    int from = pw_other_end(c, to);
    s->first = one->next;
    if (s->conn == NULL && s->early == NULL && !s->gone) {
        accept_early(&w->node[to], c);
    }
    if (s->gone) {
        keep_lost(w, from, one);
    } else if (one->len > 0 && s->tls != NULL) {
        feed_sealed(&w->node[to], c, one);
    } else if (one->len > 0) {
        feed(&w->node[to], s, one->bytes, one->len);
    }
    free(one);
    if (c->side[from].conn != NULL && c->side[from].conn->blocked) {
        pw_later(w, pw_below(w, 2), unblock, from, c->number);
    }
    if (cut) {
        pw_say(w, "a connection between %c and %c breaks within a frame",
               pw_name(c->dialler), pw_name(c->listener));
        reset(w, c);
    }
}

void pw_link_deliver(pw_world *w, int to, uint64_t number) {
    pw_link *c = find(w, number);
    if (c == NULL || c->closed) {
        return;
    }
    side *s = &c->side[to];
    if (w->cut[pw_other_end(c, to)]) {
        pw_later(w, 7, pw_link_deliver, to, number);
        return;
    }
    if ((s->first != NULL || s->closing) && must_wait(w, to, s)) {
        pw_later(w, 2, pw_link_deliver, to, number);
        return;
    }
    if (s->first != NULL && s->first->at <= w->now) {
        take_first(w, c, to);
        if (s->first != NULL && s->first->at <= w->now) {
            pw_later(w, 0, pw_link_deliver, to, number);
        }
    }
    if (!c->closed && s->first == NULL && s->closing && !s->gone) {
        end_at(w, c, to);
    }
}

/* --- the whole ------------------------------------------------------------ */

static void free_link(pw_link *c) {
    for (int i = 0; i < PW_NODES; i++) {
        while (c->side[i].first != NULL) {
            chunk *one = c->side[i].first;
            c->side[i].first = one->next;
            free(one);
        }
        pw_seal_free(&c->side[i]);
    }
    free(c);
}

/* Nobody is at either end, and nobody will be. */
static bool is_over(const pw_link *c) {
    const side *a = &c->side[c->dialler], *b = &c->side[c->listener];
    bool nobody = a->conn == NULL && b->conn == NULL && b->early == NULL &&
                  !b->moves && !a->moves;
    return nobody && (c->closed || (a->gone && b->gone));
}

void pw_net_after(pw_world *w) {
    for (pw_link **at = &w->links; *at != NULL;) {
        pw_link *c = *at;
        if (is_over(c)) {
            *at = c->next;
            free_link(c);
        } else {
            at = &c->next;
        }
    }
}

/* The node is gone: the other hears of it, or not. */
void pw_net_crash(pw_node *n) {
    pw_world *w = n->w;
    bool heard = pw_chance(w, 60);
    for (pw_link *c = w->links; c != NULL; c = c->next) {
        int other = pw_other_end(c, n->index);
        if (n->index != c->dialler && n->index != c->listener) {
            continue;
        }
        side *s = &c->side[n->index];
        s->conn = NULL;
        s->early = NULL;
        s->moves = false;
        s->gone = true;
        if (heard && !c->closed && !c->side[other].gone) {
            c->side[other].closing = true;
            pw_later(w, 1, pw_link_deliver, other, c->number);
        }
    }
}

/* Chunks that waited for a node that was away. */
void pw_net_resume(pw_node *n) {
    for (pw_link *c = n->w->links; c != NULL; c = c->next) {
        if (c->side[n->index].first != NULL) {
            pw_later(n->w, 1, pw_link_deliver, n->index, c->number);
        }
    }
}

void pw_net_free(pw_world *w) {
    while (w->links != NULL) {
        pw_link *c = w->links;
        w->links = c->next;
        free_link(c);
    }
}
