/* SPDX-License-Identifier: Apache-2.0 */
/* peer_check.c -- I1 to I13, checked from outside: from what leaves the nodes
 * as replies, and from what their memories would bring to a promotion. It
 * knows nothing of frames, sessions or gates. */
#include "server/core/receipt.h"
#include "tests/sim/peer_agents.h"
#include "tests/sim/peer_decide.h"

#include <stdio.h>
#include <string.h>

static pw_epoch *epoch_of(pw_world *w, uint64_t epoch) {
    for (uint32_t i = w->epoch_count; i-- > 0;) {
        if (w->epochs[i].epoch == epoch) {
            return &w->epochs[i];
        }
    }
    return NULL;
}

/* --- what it says of itself ----------------------------------------------- */

static bool has_passed(const pw_epoch *e, const pw_reach *reach) {
    for (uint32_t k = 0; k < PW_LOOPS_MAX; k++) {
        if (e->passed[k] > (reach != NULL ? reach->at[k] : 0)) {
            return false;
        }
    }
    return true;
}

/* A primary that names a replica as in sync, while it is connected: the memory
 * there has all that was acknowledged. One that says that it may be stopped:
 * the other may be promoted. */
static void check_follower(pw_node *n, const pw_epoch *e,
                           const ids_follower_status *f) {
    pw_world *w = n->w;
    const pw_node *r = &w->node[f->member.node - 1];
    if (r->up && pw_place_of(n, r) != NULL && f->in_sync && f->connected &&
        !has_passed(e, pw_reach_of(w, r->peer->config.incarnation, e->epoch))) {
        pw_fail(w, "I9: %c says that %c is in sync, which lacks something",
                pw_name(n->index), pw_name(r->index));
    }
}

void pw_check_status(pw_node *n) {
    pw_world *w = n->w;
    const pw_epoch *e = epoch_of(w, n->peer->lead_epoch);
    ids_peer_status s;
    if (!n->peer->leading || pw_replica_of(w, n) == NULL || e == NULL ||
        w->clashed || w->replies_only) {
        return;
    }
    ids_peer_status_get(n->peer, &s);
    for (uint32_t i = 0; i < s.follower_count; i++) {
        check_follower(n, e, &s.follower[i]);
    }
    if (s.safe_to_stop && !pw_anyone_can_follow(n)) {
        pw_fail(w, "I10: %c says that it may be stopped, and nobody can follow",
                pw_name(n->index));
    }
}

/* --- a reply leaves ------------------------------------------------------- */

/* I7, I9: this member of the recorded in-sync set has what it shows. */
static bool has_it(pw_world *w, const pw_reply *r, ids_member member) {
    const char *which = r->changed ? "I9" : "I7";
    const pw_reach *reach = pw_reach_of(w, member.incarnation, r->epoch);
    return (reach != NULL && reach->at[r->worker] >= r->number) ||
           pw_fail(w,
                   "%s: %c answers k%u with change %llu, and its replica has "
                   "only %llu",
                   which, pw_name(r->node), w->op[r->op].key,
                   (unsigned long long)r->number,
                   (unsigned long long)(reach ? reach->at[r->worker] : 0));
}

/* Under agents: so has each that etcd has as a member. */
static bool is_at_group(pw_world *w, const pw_reply *r) {
    const ids_group *group =
        w->agents != NULL ? pw_agents_group(w, r->epoch) : NULL;
    for (uint32_t i = 0; group != NULL && i < group->isr_count; i++) {
        ids_member member = {ids_node_number(&group->isr[i].node),
                             group->isr[i].incarnation};
        if (member.node != (uint64_t)r->node + 1 && !has_it(w, r, member)) {
            return false;
        }
    }
    return true;
}

/* And so have all. I8: and nobody has taken over without it. */
static bool is_committed(pw_world *w, const pw_reply *r) {
    const pw_node *n = &w->node[r->node];
    pw_epoch *e = epoch_of(w, r->epoch);
    if (e == NULL || r->number == 0 || w->replies_only) {
        return true;
    }
    for (uint32_t i = 0; i < IDS_FOLLOWERS_MAX; i++) {
        if (w->config.mode == IDS_MODE_SYNC && n->cell.replica[i].node != 0 &&
            !has_it(w, r, n->cell.replica[i])) {
            return false;
        }
    }
    if (!is_at_group(w, r)) {
        return false;
    }
    if (e->over && r->number > e->base[r->worker]) {
        return pw_fail(w,
                       "I8: %c commits in epoch %llu, after another one "
                       "took over",
                       pw_name(r->node), (unsigned long long)r->epoch);
    }
    if (r->number > e->passed[r->worker]) {
        e->passed[r->worker] = r->number;
    }
    w->acknowledged++;
    return pw_are_enough(w, r);
}

static bool check_grant(pw_world *w, const pw_reply *r, const pw_op *op) {
    idp_token token = r->answer.token;
    idp_token *highest = &w->highest[op->key];
    int grows = pw_compare(token, *highest);
    if (grows < 0 && token.epoch < w->loss_before &&
        epoch_of(w, token.epoch) != NULL) {
        return true; /* an old claim, found again where newer ones were lost */
    }
    if (grows < 0) {
        return pw_fail(w,
                       "I4: k%u is granted with token %llu.%llu, below "
                       "%llu.%llu",
                       op->key, (unsigned long long)token.epoch,
                       (unsigned long long)token.sequence,
                       (unsigned long long)highest->epoch,
                       (unsigned long long)highest->sequence);
    }
    *highest = token;
    return true;
}

/* What was acknowledged of this key, against what it says now. */
static bool check_follows(pw_world *w, const pw_reply *r, const pw_op *op,
                          const pw_snap *was, const pw_snap *is) {
    bool ended = pw_compare(w->dropped[op->key], was->token) >= 0;
    bool deleted = pw_compare(w->deleted[op->key], was->token) >= 0;
    bool same =
        is->state != IDP_STATE_ABSENT && pw_compare(is->token, was->token) == 0;
    uint64_t t = r->made_at;
    if (was->state == IDP_STATE_COMPLETED && !deleted) {
        if (is->state == IDP_STATE_ABSENT) {
            return pw_fail(w, "I2: k%u is completed, and forgotten", op->key);
        }
        if (!same) {
            return pw_fail(w, "%s: k%u is completed, and granted again",
                           is->state == IDP_STATE_COMPLETED ? "I1" : "I2",
                           op->key);
        }
        if (is->state != IDP_STATE_COMPLETED ||
            !pw_same_text(&is->result, &was->result)) {
            return pw_fail(w, "I3: k%u has another result", op->key);
        }
        return true;
    }
    if (is->state == IDP_STATE_ABSENT) {
        return ended || pw_fail(w, "I13: k%u is gone before its time", op->key);
    }
    if (pw_compare(is->token, was->token) < 0) {
        return pw_fail(w, "I4: k%u has an older token", op->key);
    }
    if (was->state == IDP_STATE_IN_PROGRESS && t < was->lease_end && !same &&
        !ended && pw_compare(w->released[op->key], was->token) < 0) {
        return pw_fail(w,
                       "I13: k%u is granted again %llu ms before its "
                       "lease's end",
                       op->key, (unsigned long long)(was->lease_end - t));
    }
    return true;
}

/* Its own claim, and it hears that someone else's is in the way. (Two that led
 * in one epoch have given the same tokens out.) */
static bool is_own(const pw_world *w, const pw_op *op, const pw_snap *is) {
    return is->state == IDP_STATE_IN_PROGRESS &&
           pw_compare(op->granted, is->token) == 0 && op->granted.epoch != 0 &&
           op->granted.epoch != w->clash_epoch;
}

static bool check_answer(pw_world *w, const pw_reply *r, const pw_op *op,
                         const pw_snap *is) {
    const idp_answer *a = &r->answer;
    bool gives =
        a->outcome == IDP_OUTCOME_ACQUIRED || a->outcome == IDP_OUTCOME_REPLAY;
    if (gives && op->fingerprint.len > 0 && is->fingerprint.len > 0 &&
        !pw_same_text(&op->fingerprint, &is->fingerprint)) {
        return pw_fail(w, "I6: k%u, another fingerprint, and no mismatch",
                       op->key);
    }
    if ((a->outcome == IDP_OUTCOME_IN_PROGRESS ||
         a->outcome == IDP_OUTCOME_ORPHANED) &&
        is_own(w, op, is)) {
        return pw_fail(w,
                       "I5: k%u, the holder asks again with its nonce and "
                       "is told that someone holds it",
                       op->key);
    }
    if (op->phase == PW_DECIDES) {
        pw_check_decision(w, r, op);
    } else if (a->outcome == IDP_OUTCOME_COMPLETED &&
               (is->state != IDP_STATE_COMPLETED ||
                pw_compare(is->token, op->request.token) != 0)) {
        return pw_fail(w,
                       "I4: k%u is completed with a token that is not "
                       "current",
                       op->key);
    }
    if (a->outcome == IDP_OUTCOME_REPLAY && a->has_result) {
        unsigned from = PW_OPS_MAX;
        char text[PW_TEXT + 1] = {0};
        memcpy(text, r->result.bytes, r->result.len);
        if (sscanf(text, "result %u", &from) != 1 || from >= w->ops ||
            w->op[from].key != op->key || !w->op[from].completes) {
            return pw_fail(w, "I3: k%u replays what nobody completed", op->key);
        }
        if (!pw_same_text(&r->result, &is->result)) {
            return pw_fail(w, "I3: k%u replays another result", op->key);
        }
    }
    return true;
}

/* Nothing holds while two lead in one epoch, and replies of then may still be
 * held. */
static bool is_void(const pw_world *w, const pw_reply *r) {
    return w->clashed || r->epoch < w->void_before ||
           (w->agents != NULL && r->epoch < w->loss_before);
}

void pw_check_reply(pw_world *w, const pw_reply *r, const pw_op *op) {
    pw_snap is = r->snap, *was = &w->acked[op->key];
    bool bound = was->state != IDP_STATE_ABSENT && r->made_at < was->ttl_end;
    if (is_void(w, r) || !is_committed(w, r)) {
        return;
    }
    if (r->epoch < was->epoch) {
        return; /* it reads what was true before the takeover */
    }
    if (r->epoch == was->epoch && is.made < was->made) {
        return; /* one that was made later has left by another worker */
    }
    /* It lives on while the node's clock hides that its time is over. */
    if (is.state != IDP_STATE_ABSENT &&
        r->made_at >= is.ttl_end + 2 * (w->config.clock_step_ms - 1)) {
        is.state = IDP_STATE_ABSENT;
    }
    if ((bound && !check_follows(w, r, op, was, &is)) ||
        !check_answer(w, r, op, &is)) {
        return;
    }
    if (r->answer.outcome == IDP_OUTCOME_ACQUIRED && !check_grant(w, r, op)) {
        return;
    }
    is.epoch = r->epoch;
    is.ttl_end = pw_promised_end(w, op->key, &is);
    *was = is;
}

/* --- someone takes over --------------------------------------------------- */

static void check_loss(pw_world *w) {
    pw_say(w, "(the acknowledged changes are given up)");
    w->losses++;
    for (uint32_t key = 0; key < PW_KEYS_MAX; key++) {
        w->acked[key].state = IDP_STATE_ABSENT;
    }
    for (uint32_t i = 0; i < w->epoch_count; i++) {
        w->epochs[i].lost = true;
    }
}

/* It went down with a promotion on record that accepts loss, and has not led
 * since. If its memory
 * outlives it, the next one has nothing more to accept. */
void pw_check_recorded(pw_node *n) {
    if (n->cell.role == IDS_ROLE_PRIMARY && n->cell.epoch == n->loss_epoch &&
        epoch_of(n->w, n->loss_epoch) == NULL) {
        n->w->loss_before = n->cell.epoch;
        check_loss(n->w);
    }
}

static void learn(void *ctx, const ids_change *c) {
    pw_node *n = ctx;
    if (ids_receipt_is(c->ns)) {
        return;
    }
    pw_snap s = pw_snap_of(n, c);
    pw_snap *acked = &n->w->acked[pw_key_of(c->key)];
    n->truth[pw_key_of(c->key)] = s;
    if (c->state != IDP_STATE_IN_PROGRESS && c->state != IDP_STATE_ORPHANED) {
        return;
    }
    if (!n->w->replies_only &&
        (c->lease_left_ms != c->lease_ms || c->ttl_left_ms != c->ttl_ms)) {
        pw_fail(n->w, "I13: %c takes k%u over with %llu of %u ms left",
                pw_name(n->index), pw_key_of(c->key),
                (unsigned long long)c->lease_left_ms, c->lease_ms);
    }
    /* Under agents who leads may never get to commit, and who follows it then
     * may know better: that its lease was over. */
    if (n->w->agents == NULL && acked->state == IDP_STATE_IN_PROGRESS &&
        pw_compare(acked->token, s.token) == 0) {
        acked->lease_end = n->w->now + c->lease_ms; /* as it should be */
        acked->ttl_end = n->w->now + c->ttl_ms;
        acked->epoch = s.epoch; /* the old one doesn't know of that */
    }
}

static void learn_all(pw_node *n) {
    memset(n->truth, 0, sizeof n->truth);
    for (uint32_t k = 0; k < n->loops; k++) {
        uint64_t cursor = 0;
        while (ids_shard_walk(n->worker[k].ids->shard, pw_clock(n), &cursor, 64,
                              learn, n)) {
        }
        ids_shard_walk_end(n->worker[k].ids->shard);
    }
}

/* I10: nothing acknowledged is missing. */
static void check_heir(pw_node *n) {
    pw_world *w = n->w;
    const pw_reach *reach = pw_reach_of(w, n->peer->config.incarnation, 0);
    for (uint32_t i = w->epoch_count; i-- > 0;) {
        pw_epoch *e = &w->epochs[i];
        if (e->lost || e->over) {
            continue;
        }
        for (uint32_t k = 0; k < PW_LOOPS_MAX; k++) {
            bool has = reach != NULL && reach->epoch == e->epoch;
            uint64_t at = has ? reach->at[k] : 0;
            if (e->passed[k] > at) {
                pw_fail(w,
                        "I10: %c takes over with change %llu of epoch "
                        "%llu, and %llu was acknowledged",
                        pw_name(n->index), (unsigned long long)at,
                        (unsigned long long)e->epoch,
                        (unsigned long long)e->passed[k]);
            }
            e->base[k] = at;
        }
        e->over = true;
    }
    for (uint32_t key = 0; key < PW_KEYS_MAX; key++) {
        const pw_snap *was = &w->acked[key], *is = &n->truth[key];
        if (was->state == IDP_STATE_ABSENT || w->now >= was->ttl_end ||
            pw_compare(w->dropped[key], was->token) >= 0) {
            continue;
        }
        if (is->state == IDP_STATE_ABSENT ||
            pw_compare(is->token, was->token) < 0) {
            pw_fail(w,
                    "I10: %c takes over without what was acknowledged of "
                    "k%u",
                    pw_name(n->index), key);
        }
    }
}

static bool another_has_led(const pw_world *w, int node) {
    for (uint32_t i = 0; i < w->epoch_count; i++) {
        if (w->epochs[i].node != node) {
            return true;
        }
    }
    return false;
}

void pw_check_lead(pw_node *n, uint64_t epoch) {
    pw_world *w = n->w;
    uint64_t incarnation = n->peer->config.incarnation;
    bool late = false; /* another leads by now: it commits nothing any more */
    bool alone = !n->peer->known.had_replica && !another_has_led(w, n->index);
    bool whole = n->disk.is_there && !n->memory_is_old;
    bool loss = (alone && !whole) || n->loss_epoch == epoch ||
                pw_agents_take_loss(w, epoch);
    pw_say(w, "%c is primary in epoch %llu", pw_name(n->index),
           (unsigned long long)epoch);
    w->leads++;
    n->memory_is_old = false;
    if (w->clashed && pw_clash_goes_on(n, epoch)) {
        return;
    }
    loss = loss || epoch == w->void_before;
    for (uint32_t i = 0; i < w->epoch_count; i++) {
        if (w->agents != NULL && w->epochs[i].epoch > epoch) {
            late = true;
        } else if (w->epochs[i].epoch >= epoch && !w->replies_only) {
            pw_fail(w, "I11: %c is primary in epoch %llu, and there was %llu",
                    pw_name(n->index), (unsigned long long)epoch,
                    (unsigned long long)w->epochs[i].epoch);
            return;
        }
    }
    if (loss) {
        w->loss_before = epoch;
        check_loss(w);
    }
    learn_all(n);
    if (!w->replies_only && !late) {
        check_heir(n);
    }
    if (w->epoch_count == PW_EPOCHS_MAX) {
        pw_fail(w, "more epochs than the checker has room for");
        return;
    }
    w->epochs[w->epoch_count++] = (pw_epoch){.epoch = epoch,
                                             .incarnation = incarnation,
                                             .node = n->index,
                                             .over = late};
}
