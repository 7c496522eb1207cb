/* SPDX-License-Identifier: Apache-2.0 */
/* peer_hold.c -- a node's replies, and its loops' turns: what a loop has made
 * is handed to the peer at its turn's end, and only then may replies leave.
 *
 * As in the daemon, a loop looks at the peer once per turn. What it saw, it
 * goes by until the next one. */
#include "tests/sim/peer_world.h"

#include "server/change.h"
#include "server/peer/mutant.h"

#include <stdlib.h>

static pw_text text_of(idp_slice slice) {
    pw_text text = {.len = slice.len};
    if (slice.len > 0 && slice.len <= PW_TEXT) {
        memcpy(text.bytes, slice.ptr, slice.len);
    }
    return text;
}

/* What the reply has to wait for. Rules R1 and R2 are the same line: a reply
 * that only shows a record waits like the one that changed it. */
static uint64_t needs(const pw_reply *r) {
    if (IDS_RULE_OFF(R1) && r->changed) {
        return 0;
    }
    if (IDS_RULE_OFF(R2) && !r->changed) {
        return 0;
    }
    return r->number;
}

static void arrive(pw_world *w, int node, uint64_t word) {
    pw_reply *r = (pw_reply *)(uintptr_t)word;
    (void)node;
    pw_client_hears(w, r);
    free(r);
}

void pw_free_event(const pw_event *event) {
    if (event->what == arrive) {
        free((pw_reply *)(uintptr_t)event->word);
    }
}

/* It leaves the node. Whether it gets there is another matter. */
static void leave(pw_node *n, pw_reply *r) {
    pw_world *w = n->w;
    if (r->error == IDP_OK) {
        pw_check_reply(w, r, &w->op[r->op]);
    }
    if (pw_chance(w, w->config.percent_lost)) {
        free(r);
        return;
    }
    pw_later(w, 1 + pw_below(w, w->config.delay_ms), arrive, -1,
             (uint64_t)(uintptr_t)r);
}

void pw_hold(pw_node *n, uint32_t loop, const pw_reply *made) {
    pw_world *w = n->w;
    pw_line *line = &n->line[loop];
    pw_reply *r = malloc(sizeof *r);
    *r = *made;
    r->node = n->index;
    r->number = n->last[loop];
    r->loop = loop;
    r->needs = needs(r);
    r->made_at = w->now;
    r->epoch = n->peer->lead_epoch;
    r->snap = n->truth[w->op[r->op].key];
    r->result =
        text_of(r->answer.has_result && r->answer.outcome == IDP_OUTCOME_REPLAY
                    ? r->answer.result
                    : (idp_slice){NULL, 0});
    if (r->error != IDP_OK) {
        leave(n, r); /* says nothing of any record */
        return;
    }
    r->next = NULL;
    *line->replies_end = r;
    line->replies_end = &r->next;
    line->held++;
}

static pw_reply *pop(pw_line *line) {
    pw_reply *r = line->replies;
    line->replies = r->next;
    line->held--;
    if (r->next == NULL) {
        line->replies_end = &line->replies;
    }
    return r;
}

void pw_hold_release(pw_node *n, uint32_t loop) {
    pw_line *line = &n->line[loop];
    ids_gate *gate = &n->peer->gates[loop];
    uint64_t watermark = ids_gate_watermark(gate);
    if (n->keeps && n->disk.synced[loop] < watermark) {
        watermark = n->disk.synced[loop];
    }
    while (line->replies != NULL && line->replies->needs <= watermark) {
        pw_reply *r = pop(line);
        ids_gate_left(gate, r->needs);
        leave(n, r);
    }
}

void pw_hold_fail(pw_node *n, uint32_t loop, uint64_t since, idp_error error) {
    pw_line *line = &n->line[loop];
    while (line->replies != NULL && line->replies->made_at <= since) {
        pw_reply *r = pop(line);
        r->error = error;
        n->w->unreplicated += error == IDP_E_UNREPLICATED;
        n->w->stood_down += error == IDP_E_NOT_PRIMARY;
        leave(n, r);
    }
}

void pw_hold_forget(pw_node *n) {
    for (uint32_t k = 0; k < PW_LOOPS_MAX; k++) {
        pw_line *line = &n->line[k];
        while (line->replies != NULL) {
            free(pop(line));
        }
        pw_queue_free(&line->made);
        *line = (pw_line){.serves = {IDP_E_NOT_PRIMARY, IDP_E_NOT_PRIMARY}};
        line->replies_end = &line->replies;
    }
}

/* --- a loop's turn -------------------------------------------------------- */

/* Its part of standing down. */
void pw_loop_stands_down(pw_node *n, uint32_t loop) {
    pw_line *line = &n->line[loop];
    if (line->drains) {
        n->loop_now = loop;
        ids_shard_drain(n->shard[loop], IDP_E_NOT_PRIMARY, UINT32_MAX);
    }
    if (line->follows) {
        ids_peer_prepare_copy(n->shard[loop]);
        if (IDS_RULE_OFF(DROPS_PENDING)) {
            pw_hold_release(n, loop);
        }
        pw_hold_fail(n, loop, UINT64_MAX, IDP_E_NOT_PRIMARY);
        pw_queue_free(&line->made);
    }
    line->drains = line->follows = false;
}

static void hand_over(pw_node *n, uint32_t loop) {
    pw_line *line = &n->line[loop];
    for (pw_parcel *p; (p = pw_queue_pop(&line->made)) != NULL;) {
        ids_peer_take_bytes(n->peer, loop, p->number,
                            (idp_slice){p->bytes, p->len});
        free(p);
    }
}

/* Bytes that a full receiver left unread, and what there is to say. */
static void serve_links(pw_node *n, uint32_t loop) {
    ids_peer *peer = n->peer;
    for (uint32_t i = 0; i < peer->link_count; i++) {
        ids_link *link = peer->links[i];
        if (link->stream % n->loops == loop && link->in.len > link->in_at) {
            ids_peer_input(peer, link, NULL, 0, pw_clock(n));
        }
    }
    for (uint32_t i = 0; i < peer->link_count; i++) {
        ids_link *link = peer->links[i];
        if (link->stream % n->loops == loop) {
            ids_peer_pump(peer, link, n->shard[loop], pw_clock(n));
        }
    }
}

static void turn(pw_node *n, uint32_t loop) {
    pw_line *line = &n->line[loop];
    uint64_t stalls = n->peer->config.stall_ms;
    pw_loop_stands_down(n, loop);
    hand_over(n, loop);
    serve_links(n, loop);
    pw_loop_stands_down(n, loop);
    if (n->peer->leading) {
        pw_hold_release(n, loop);
    }
    if (n->w->now >= stalls) {
        pw_hold_fail(n, loop, n->w->now - stalls, IDP_E_UNREPLICATED);
    }
    line->serves[0] = ids_peer_serves(n->peer, false);
    line->serves[1] = ids_peer_serves(n->peer, true);
    line->lead_epoch = n->peer->lead_epoch;
}

static void late_turn(pw_world *w, int node, uint64_t loop) {
    w->node[node].line[loop].turn_due = false;
    turn(&w->node[node], (uint32_t)loop);
}

/* Something has happened: each loop sees it now, or a little later. */
void pw_turns(pw_node *n) {
    for (uint32_t k = 0; k < n->loops; k++) {
        if (pw_chance(n->w, 70)) {
            turn(n, k);
        } else if (!n->line[k].turn_due) {
            n->line[k].turn_due = true;
            pw_later(n->w, 1 + pw_below(n->w, 2), late_turn, n->index, k);
        }
    }
}
