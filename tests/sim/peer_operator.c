/* SPDX-License-Identifier: Apache-2.0 */
/* peer_operator.c -- who gives commands, and what goes wrong by itself.
 *
 * The operator is careful but not clever: commands come at the worst moments,
 * and any command may be lost. Two things a careful one does not do, since no
 * pair of nodes could notice: promote a replica that he has detached and that
 * was not admitted again, and detach one that he has promoted. */
#include "tests/sim/peer_world.h"

typedef enum operation { PROMOTE, ACCEPT_LOSS, DETACH, SWITCHOVER } operation;

static uint64_t epoch_of(const pw_node *n) {
    uint64_t epoch = n->cell.epoch;
    if (n->up && n->peer->known.epoch > epoch) {
        epoch = n->peer->known.epoch;
    }
    if (n->writing && n->to_write.epoch > epoch) {
        epoch = n->to_write.epoch;
    }
    return epoch;
}

/* Another has been promoted since, and may not wait for this one. */
static bool is_passed_over(const pw_world *w, const pw_node *n) {
    uint64_t epoch = n->peer->known.admitted_epoch;
    for (int i = 0; i < pw_nodes(w); i++) {
        const pw_node *other = &w->node[i];
        uint64_t led = other->cell.led_epoch;
        if (other->writing && other->to_write.led_epoch > led) {
            led = other->to_write.led_epoch;
        }
        if (other != n && led > epoch) {
            return true;
        }
    }
    return false;
}

/* Or one that has heard from its primary since: it knows what it is. */
static bool may_promote(const pw_world *w, const pw_node *n) {
    const ids_decision *d = &n->peer->known;
    const pw_detached *book = &w->detached[n->index];
    if (w->config.places > 1 && is_passed_over(w, n)) {
        return false;
    }
    return d->admitted_epoch != book->epoch ||
           d->admitted_version > book->version ||
           (n->session_heard != 0 && n->session_heard == book->since);
}

static bool may_detach(const pw_world *w, const pw_node *n) {
    for (int i = 0; i < PW_NODES; i++) {
        if (epoch_of(&w->node[i]) > n->peer->lead_epoch) {
            return false;
        }
    }
    return n->peer->leading;
}

static bool is_promotable(const pw_world *w, const pw_node *n) {
    ids_peer_status s;
    if (!n->up) {
        return false;
    }
    ids_peer_status_get(n->peer, &s);
    return !n->peer->leading && s.in_sync && may_promote(w, n);
}

static bool anyone_is_promotable(const pw_world *w) {
    for (int i = 0; i < PW_NODES; i++) {
        if (is_promotable(w, &w->node[i])) {
            return true;
        }
    }
    return false;
}

/* It was told that it is in sync, and has not recorded it yet. */
static bool will_be_promotable(const ids_peer *peer) {
    return !peer->leading && peer->admit_epoch != 0 &&
           peer->admit_epoch == peer->known.epoch &&
           peer->seen_epoch <= peer->known.epoch;
}

static bool anyone_leads(const pw_world *w) {
    for (int i = 0; i < PW_NODES; i++) {
        const pw_node *n = &w->node[i];
        if (n->up && (n->peer->leading || n->peer->pending != 0 ||
                      will_be_promotable(n->peer))) {
            return true;
        }
    }
    return false;
}

/* It has nothing of the other's, which will lead by itself. */
static bool never_followed(const pw_world *w, const pw_node *n) {
    return n->index > 0 && !w->node[0].cell.had_replica &&
           n->peer->copy_of == 0;
}

static bool is_under_way(const pw_node *n, uint64_t life) {
    return n->life == (uint32_t)life &&
           (n->writing || n->replicator.command.is_there);
}

/* Its outcome is known once what it proposed is on record and in effect, or the
 * node is gone and its disk has been read. */
static void watch(pw_world *w, int node, uint64_t word) {
    (void)node;
    if (is_under_way(&w->node[word >> 32], word)) {
        pw_later(w, 3, watch, -1, word);
        return;
    }
    w->command_under_way = false;
}

static void watch_detach(pw_world *w, int node, uint64_t word) {
    pw_node *n = &w->node[word >> 32];
    (void)node;
    if (is_under_way(n, word)) {
        pw_later(w, 3, watch_detach, -1, word);
        return;
    }
    if (ids_decision_place(&n->cell, w->detaching) == IDS_FOLLOWERS_MAX) {
        pw_node_detached(n, w->detaching);
    }
    w->command_under_way = false;
}

/* As it comes to the first worker. */
static bool give_command(pw_node *n, idp_method method, bool accept_loss,
                         uint64_t whom) {
    const ids_command_handler handler = ids_replicator_handler(&n->replicator);
    const ids_command_request request = {
        .command = method, .accept_loss = accept_loss, .node = whom, .id = 1};
    if (n->replicator.command.is_there) {
        return false;
    }
    n->w->epoch_next += 1u << IDS_EPOCH_BITS;
    handler.begin(handler.ctx, pw_worker_begins(n, 0)->ids, &request);
    return n->replicator.command.is_there && n->replicator.command.is_begun;
}

static bool give(pw_node *n, operation what, uint64_t whom) {
    pw_world *w = n->w;
    switch (what) {
    case PROMOTE:
        return may_promote(w, n) && give_command(n, IDP_PROMOTE, false, 0);
    case ACCEPT_LOSS:
        if (anyone_leads(w) || never_followed(w, n) ||
            anyone_is_promotable(w) || !give_command(n, IDP_PROMOTE, true, 0)) {
            return false;
        }
        n->loss_epoch = n->replicator.command.epoch;
        return true;
    case DETACH:
        if (!may_detach(w, n)) {
            return false;
        }
        w->detaching = whom;
        return give_command(n, IDP_DETACH, false, whom);
    default:
        return give_command(n, IDP_SWITCHOVER, false, whom);
    }
}

static void command_arrives(pw_world *w, int node, uint64_t word) {
    static const char *const names[] = {"promote", "promote --accept-loss",
                                        "detach", "switchover"};
    pw_node *n = &w->node[word >> 8];
    bool taken;
    uint64_t whose = (word >> 8) << 32 | n->life;
    (void)node;
    if (!n->up || n->paused_until > w->now || pw_worker_waits(n, 0) ||
        pw_chance(w, w->config.percent_lost)) {
        w->command_under_way = false; /* it never got there */
        return;
    }
    taken = give(n, (operation)(word & 15), word >> 4 & 15);
    pw_say(w, "the operator tells %c: %s -> %s", pw_name(n->index),
           names[word & 15], taken ? "it is begun" : "no");
    if (taken && (word & 15) == DETACH) {
        watch_detach(w, -1, whose);
    } else {
        watch(w, -1, whose);
    }
    pw_worker_after(&n->worker[0]);
    pw_node_after(n);
}

/* whom: which member, by its number; 0: none is named. */
static void send(pw_world *w, int node, operation what, uint64_t whom) {
    w->command_under_way = true;
    pw_later(w, 1 + pw_below(w, w->config.delay_ms), command_arrives, -1,
             (uint64_t)node << 8 | whom << 4 | what);
}

/* A node that is down, and will have forgotten all. */
static bool may_give_up(pw_world *w, const pw_node *fit) {
    for (int i = 0; i < pw_nodes(w); i++) {
        const pw_node *other = &w->node[i];
        if (other != fit && !other->up && (other->keeps || !pw_chance(w, 30))) {
            return false;
        }
    }
    return true;
}

/* What a pair without a primary needs. */
static bool repair(pw_world *w) {
    int promotable = -1, fit = -1;
    for (int i = 0; i < PW_NODES; i++) {
        const pw_node *n = &w->node[i];
        if (n->up && n->peer->leading) {
            return false;
        }
        if (n->up && (fit < 0 || n->peer->copy_of > 0)) {
            fit = i;
        }
        if (is_promotable(w, n)) {
            promotable = i;
        }
    }
    if (promotable >= 0) {
        send(w, promotable, PROMOTE, 0);
    } else if (fit >= 0 && may_give_up(w, &w->node[fit])) {
        send(w, fit, ACCEPT_LOSS, 0);
    }
    return true;
}

/* One on record that is not here; 0: none, or there is none on record. */
static uint64_t lost_member(const pw_node *n) {
    for (uint32_t i = 0; i < IDS_FOLLOWERS_MAX; i++) {
        uint64_t node = n->peer->known.replica[i].node;
        if (node != 0 && pw_session_with(n, node) == 0) {
            return node;
        }
    }
    return 0;
}

/* Somebody who may be one. */
static uint64_t some_member(pw_world *w, const pw_node *n) {
    uint32_t others = (uint32_t)pw_nodes(w) - 1;
    return ((uint32_t)n->index + 1 + pw_below(w, others)) %
               (uint32_t)pw_nodes(w) +
           1;
}

/* Another operator promotes a member while the primary hands over. */
static void promote_meanwhile(pw_world *w, const pw_node *n) {
    uint64_t other = some_member(w, n) - 1;
    pw_later(w, 5 + pw_below(w, 100), command_arrives, -1,
             other << 8 | PROMOTE);
}

static void meddle(pw_world *w) {
    int node = (int)pw_below(w, (uint32_t)pw_nodes(w));
    const pw_node *n = &w->node[node];
    uint32_t dice = pw_below(w, 100);
    if (!n->up) {
        return;
    }
    /* Of two members one has to yield: that takes more tries. */
    uint32_t switches = w->config.places > 1 ? 36 : 12;
    uint64_t lost = n->peer->leading ? lost_member(n) : 0;
    if (!n->peer->leading) {
        if (dice < 25) {
            send(w, node, PROMOTE, 0);
        }
    } else if (dice < switches) {
        send(w, node, SWITCHOVER, pw_chance(w, 50) ? 0 : some_member(w, n));
        if (w->config.places > 1 && pw_chance(w, 40)) {
            promote_meanwhile(w, n);
        }
    } else if (dice < switches + (lost != 0 ? 33 : 4)) {
        send(w, node, DETACH, lost != 0 ? lost : some_member(w, n));
    }
}

void pw_operator(pw_world *w, int node, uint64_t word) {
    (void)node, (void)word;
    pw_point_at_primary(w);
    if (!w->command_under_way && !w->operator_waits &&
        !((w->quiet || pw_chance(w, 50)) && repair(w)) && !w->quiet) {
        meddle(w);
    }
    pw_later(w, 20 + pw_below(w, w->quiet ? 60 : 150), pw_operator, -1, 0);
}

/* --- the nemesis -----------------------------------------------------------
 */

static void restart(pw_world *w, int node, uint64_t word) {
    pw_node *n = &w->node[word];
    (void)node;
    if (!n->up) {
        pw_node_start(n);
    }
}

static void heal_cut(pw_world *w, int node, uint64_t word) {
    (void)node;
    for (int i = 0; i < PW_NODES; i++) {
        w->cut[i] = w->cut[i] && !(word & (1u << i));
    }
    pw_say(w, "the partition ends");
}

static void cut_some(pw_world *w) {
    uint64_t which = 1 + pw_below(w, (1u << pw_nodes(w)) - 1);
    uint32_t most_ms = w->config.lasts && pw_chance(w, 20) ? 5000 : 400;
    for (int i = 0; i < PW_NODES; i++) {
        w->cut[i] = w->cut[i] || (which & (1u << i));
    }
    pw_say(w, "a partition: nothing gets from%s%s%s%s%s", which & 1 ? " A" : "",
           which & 2 ? " B" : "", which & 4 ? " C" : "", which & 8 ? " D" : "",
           which & 16 ? " E" : "");
    pw_later(w, 20 + pw_below(w, most_ms), heal_cut, -1, which);
}

void pw_crash(pw_world *w, pw_node *n) {
    if (n->up) {
        pw_node_crash(n);
        uint32_t most_ms = w->agents != NULL ? 3000 : 400;
        pw_later(w, 20 + pw_below(w, most_ms), restart, -1, (uint64_t)n->index);
    }
}

/* Often the one that is about to record a decision. */
static pw_node *victim(pw_world *w) {
    int nodes = pw_nodes(w);
    pw_node *n = &w->node[pw_below(w, (uint32_t)nodes)];
    pw_node *other = &w->node[(n->index + 1) % nodes];
    return !n->writing && other->writing && pw_chance(w, 70) ? other : n;
}

void pw_nemesis(pw_world *w, int node, uint64_t word) {
    pw_node *n = victim(w);
    uint32_t dice = pw_below(w, 100);
    (void)node, (void)word;
    if (w->quiet) {
        return;
    }
    if (!n->up) {
        pw_node_start(n);
    } else if (pw_chance(w, w->config.percent_crash * (n->writing ? 3 : 1))) {
        pw_crash(w, n);
    } else if (dice < 50) {
        cut_some(w);
    } else if (dice < 70) {
        uint32_t most_ms = w->config.lasts ? 5000 : w->agents ? 2500 : 250;
        uint64_t until = w->now + 20 + pw_below(w, most_ms);
        bool longer = w->agents == NULL || until > n->paused_until;
        n->paused_until = longer ? until : n->paused_until;
        pw_say(w, "%c is paused", pw_name(n->index));
    } else if (dice < 85) {
        n->slow_ms = pw_chance(w, 50) ? 0 : 5 + pw_below(w, 60);
        pw_say(w, "%c applies %s", pw_name(n->index),
               n->slow_ms ? "slowly" : "fast");
    } else if (dice < 92) {
        pw_stranger(w);
    }
    pw_later(w, 20 + pw_below(w, 350), pw_nemesis, -1, 0);
}
