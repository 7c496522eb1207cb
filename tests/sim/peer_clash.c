/* SPDX-License-Identifier: Apache-2.0 */
/* peer_clash.c -- two nodes that lead in one epoch, and strangers that speak of
 * epochs that can't be.
 *
 * A clash comes after all has healed: a primary that is cut off restarts, and a
 * script promotes both nodes, with the same epoch and whatever it costs. From
 * then on nothing holds, but that both stop once they meet, and that nobody
 * takes either for whole. */
#include "tests/sim/peer_world.h"

#include "server/peer/halves.h"

enum { MEET_MS = 1500, TRIES = 20, STRANGER = 77 };

static bool leads_in(const pw_node *n, uint64_t epoch) {
    return n->up && n->peer->leading && n->peer->lead_epoch == epoch;
}

static void cut_all(pw_world *w, bool cut) {
    for (int i = 0; i < PW_NODES; i++) {
        w->cut[i] = cut;
    }
}

/* By a script, and not as a command. */
bool pw_promote(pw_node *n, uint64_t epoch, bool accept_loss) {
    if (pw_worker_waits(n, 0)) {
        return false;
    }
    ids_peer *peer = ids_replicator_enter(&n->replicator.repls[0]);
    ids_deciding verdict = ids_peer_promote(peer, epoch, accept_loss);
    ids_replicator_leave(&n->replicator.repls[0]);
    pw_worker_wake(n, 0);
    pw_node_after(n);
    return verdict == IDS_DECIDING_OK;
}

static bool promote(pw_node *n, uint64_t epoch) {
    for (int i = 0; i < TRIES && !n->w->failed; i++) {
        if (pw_promote(n, epoch, true)) {
            return true;
        }
        pw_run_until(n->w, n->w->now + 50);
    }
    return false;
}

static bool both_lead(pw_world *w, pw_node *a, pw_node *b) {
    w->clash_epoch = pw_draw_epoch(a);
    if (!promote(a, w->clash_epoch) || !promote(b, w->clash_epoch)) {
        return false;
    }
    for (int i = 0; i < TRIES && !w->failed; i++) {
        if (leads_in(a, w->clash_epoch) && leads_in(b, w->clash_epoch)) {
            return true;
        }
        pw_run_until(w, w->now + 20);
    }
    return false;
}

static bool both_stop(pw_world *w, const pw_node *a, const pw_node *b) {
    uint64_t until = w->now + MEET_MS;
    while (!w->failed && w->now < until &&
           (leads_in(a, w->clash_epoch) || leads_in(b, w->clash_epoch))) {
        pw_run_until(w, w->now + 20);
    }
    return !leads_in(a, w->clash_epoch) && !leads_in(b, w->clash_epoch);
}

/* What is acknowledged at one of them is not at the other. */
static void is_not_whole(const pw_node *n) {
    ids_peer_status s;
    ids_peer_status_get(n->peer, &s);
    if (!n->peer->leading && s.in_sync && s.epoch == n->w->clash_epoch) {
        pw_fail(n->w, "I10: %c has led beside another, and may be promoted",
                pw_name(n->index));
    }
}

bool pw_clash(pw_world *w) {
    pw_node *a, *b;
    w->operator_waits = true;
    for (int i = 0; i < TRIES && !w->failed && w->command_under_way; i++) {
        pw_run_until(w, w->now + 100);
    }
    a = pw_primary(w);
    b = a != NULL ? pw_replica_of(w, a) : NULL;
    if (w->failed || b == NULL) {
        w->operator_waits = false;
        return !w->failed;
    }
    pw_say(w, "--- two are told to lead in one epoch");
    w->clashed = true;
    cut_all(w, true);
    pw_node_crash(a);
    pw_node_start(a);
    pw_run_until(w, w->now + 400);
    if (both_lead(w, a, b)) {
        w->clashes++;
        cut_all(w, false);
        if (!both_stop(w, a, b) && !w->failed) {
            pw_fail(w, "I11: %c and %c lead in epoch %llu, and go on",
                    pw_name(a->index), pw_name(b->index),
                    (unsigned long long)w->clash_epoch);
        }
        is_not_whole(a);
        is_not_whole(b);
    }
    cut_all(w, false);
    w->operator_waits = false;
    return !w->failed;
}

/* True: it is one of the two, and nothing is to be checked. Else this is the
 * one that was chosen: what was before is void. */
bool pw_clash_goes_on(pw_node *n, uint64_t epoch) {
    pw_world *w = n->w;
    if (epoch <= w->clash_epoch) {
        return true;
    }
    w->clashed = false;
    w->void_before = epoch;
    return false;
}

/* --- strangers ------------------------------------------------------------ */

static uint64_t odd_epoch(pw_world *w) {
    const uint64_t odd[] = {UINT64_MAX, IDS_EPOCH_MAX + 1, IDS_EPOCH_MAX,
                            2 * w->epoch_next + IDS_EPOCH_AHEAD_MAX};
    return odd[pw_below(w, 4)];
}

static void hand_in(pw_node *n, ids_link *link, ids_link *stranger) {
    if (ids_peer_has_link(n->peer, link)) {
        ids_peer_input(n->peer, link, stranger->out.ptr, stranger->out.len,
                       pw_clock(n));
    }
    stranger->out.len = 0;
}

static void speak(pw_node *n, ids_link *link, const ids_link_self *self) {
    ids_link stranger = {.body_bytes_max = IDS_PF_BODY_BYTES_LOW};
    ids_link_key none = {.set = false};
    ids_pf frame;
    ids_link_dial(&stranger, self, 0, 0, &none);
    hand_in(n, link, &stranger);
    if (ids_peer_has_link(n->peer, link) && link->out.len > 0 &&
        ids_link_take(&stranger, link->out.ptr, link->out.len) &&
        ids_link_next(&stranger, &frame) == IDS_PF_WHOLE &&
        ids_link_welcomed(&stranger, &frame, &none) == IDS_REFUSAL_NONE) {
        hand_in(n, link, &stranger);
    }
    ids_link_fini(&stranger);
}

void pw_stranger(pw_world *w) {
    pw_node *n = &w->node[pw_below(w, (uint32_t)pw_nodes(w))];
    bool of_led = pw_chance(w, 30);
    ids_link_self self = {.member = {STRANGER, STRANGER},
                          .epoch = of_led ? 0 : odd_epoch(w),
                          .led = of_led ? odd_epoch(w) : 0,
                          .primary = pw_chance(w, 50),
                          .life = STRANGER,
                          .result_bytes_max = PW_TEXT,
                          .nonce = "of a stranger"};
    ids_link *link;
    if (!n->started || n->paused_until > w->now || n->step != NULL) {
        return;
    }
    ids_replicator_enter(&n->replicator.repls[0]);
    link = ids_peer_accept(n->peer, pw_clock(n));
    if (link == NULL) {
        ids_replicator_leave(&n->replicator.repls[0]);
        return;
    }
    w->strangers++;
    pw_say(w, "a stranger tells %c of epoch %llu", pw_name(n->index),
           (unsigned long long)(of_led ? self.led : self.epoch));
    speak(n, link, &self);
    if (ids_peer_has_link(n->peer, link)) {
        ids_peer_lost(n->peer, link, pw_clock(n));
    }
    ids_replicator_leave(&n->replicator.repls[0]);
    pw_worker_wake(n, 0);
    pw_node_after(n);
}
