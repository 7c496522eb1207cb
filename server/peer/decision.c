/* SPDX-License-Identifier: Apache-2.0 */
/* decision.c -- the rules of who may become what. See decision.h. Pure. */
#include "server/peer/decision.h"

#include "server/peer/epoch.h"
#include "server/peer/mutant.h"

#include <assert.h>

const char *ids_deciding_text(ids_deciding verdict) {
    static const char *const texts[] = {
#define X(name, text) text,
        IDS_VERDICTS(X)
#undef X
    };
    assert(verdict < IDS_DECIDING_COUNT);
    return texts[verdict];
}

static bool is_somebody(ids_member a, ids_member b) {
    return a.node != 0 && ids_is_member(a, b);
}

uint32_t ids_decision_members(const ids_decision *decision) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < IDS_FOLLOWERS_MAX; i++)
        count += decision->replica[i].node != 0;
    return count;
}

uint32_t ids_decision_place(const ids_decision *decision, uint64_t node) {
    uint32_t place = 0;
    while (place < IDS_FOLLOWERS_MAX &&
           (node == 0 || decision->replica[place].node != node))
        place++;
    return place;
}

static void forget_members(ids_decision *next) {
    for (uint32_t i = 0; i < IDS_FOLLOWERS_MAX; i++)
        next->replica[i] = (ids_member){0};
}

/* Whatever is decided, it follows what was, and takes no epoch back. */
static void check_decision(const ids_decision *now, const ids_decision *next) {
    assert(next->version == now->version + 1);
    assert(next->epoch >= now->epoch);
    assert(next->led_epoch <= next->epoch);
    assert(next->admitted_epoch <= next->epoch);
    assert(next->origin.epoch <= next->epoch);
    assert(next->role == IDS_ROLE_PRIMARY || ids_decision_members(next) == 0);
}

static ids_decision after(const ids_decision *now) {
    ids_decision next = *now;
    assert(now->version < UINT64_MAX);
    next.version++;
    return next;
}

void ids_decide_start(const ids_decision *now, ids_member self, bool primary,
                      uint64_t epoch_min, ids_decision *next) {
    bool kept = is_somebody(now->self, self);
    assert(self.node != 0 && self.incarnation != 0);
    *next = after(now);
    next->self = self;
    if (now->self.node != self.node)
        next->led_epoch = 0; /* that was somebody else */
    if (kept && now->role == IDS_ROLE_PRIMARY &&
        (ids_decision_members(now) == 0 || IDS_RULE_OFF(KEPT_ALONE))) {
        next->admitted = self;
        next->admitted_epoch = now->epoch;
        next->admitted_version = next->version;
    }
    if (IDS_RULE_OFF(R8) && now->role == IDS_ROLE_PRIMARY)
        return;
    next->role = IDS_ROLE_REPLICA;
    forget_members(next);
    /* Without a history an epoch begins at the wall clock, which only has to
     * be right if the file is lost (R11). */
    if (primary && !now->had_replica) {
        uint64_t epoch = ids_epoch_draw(now->epoch, epoch_min, self.node);
        if (epoch > IDS_EPOCH_MAX)
            return; /* there is none left */
        next->epoch = epoch;
        next->role = IDS_ROLE_PRIMARY;
        next->led_epoch = next->epoch;
        next->origin = (ids_origin){.epoch = epoch};
    }
    assert(!primary || now->had_replica || next->epoch > now->epoch);
    check_decision(now, next);
}

void ids_decide_restored(const ids_decision *now, ids_decision *next) {
    *next = *now;
    if (now->version == 0 || IDS_RULE_OFF(RESTORED))
        return;
    next->role = IDS_ROLE_REPLICA;
    next->self.incarnation = 0;
    forget_members(next);
    next->admitted = (ids_member){0};
    next->admitted_epoch = next->admitted_version = 0;
    next->had_replica = true;
    assert(ids_decision_members(next) == 0);
    assert(next->epoch == now->epoch && next->led_epoch == now->led_epoch);
}

bool ids_decision_is_in_sync(const ids_decision *now, uint64_t has_copy_of) {
    if (IDS_RULE_OFF(R4))
        return true;
    if (IDS_RULE_OFF(R5))
        return now->admitted_epoch == now->epoch;
    return is_somebody(now->admitted, now->self) &&
           now->admitted_epoch == now->epoch && has_copy_of == now->epoch &&
           has_copy_of != 0;
}

ids_deciding ids_decide_promote(const ids_decision *now, uint64_t epoch,
                                uint64_t has_copy_of, bool accept_loss,
                                ids_decision *next) {
    if (now->role == IDS_ROLE_PRIMARY)
        return IDS_DECIDING_IS_PRIMARY;
    if (IDS_RULE_OFF(EPOCH_RISES))
        epoch = now->epoch;
    else if (epoch <= now->epoch)
        return IDS_DECIDING_EPOCH_TOO_LOW;
    if (!accept_loss && !ids_decision_is_in_sync(now, has_copy_of))
        return IDS_DECIDING_NOT_IN_SYNC;
    *next = after(now);
    next->epoch = epoch;
    next->role = IDS_ROLE_PRIMARY;
    forget_members(next);
    next->had_replica = true;
    next->led_epoch = epoch;
    if (next->origin.epoch == 0)
        next->origin = (ids_origin){.epoch = epoch, .by_word = true};
    assert(next->led_epoch == next->epoch);
    check_decision(now, next);
    return IDS_DECIDING_OK;
}

ids_deciding ids_decide_admit(const ids_decision *now, uint32_t place,
                              ids_member replica, ids_decision *next) {
    assert(replica.node != 0 && replica.incarnation != 0);
    assert(place < IDS_FOLLOWERS_MAX);
    if (now->role != IDS_ROLE_PRIMARY)
        return IDS_DECIDING_NOT_PRIMARY;
    *next = after(now);
    next->replica[place] = replica;
    next->had_replica = true;
    check_decision(now, next);
    return IDS_DECIDING_OK;
}

ids_deciding ids_decide_detach(const ids_decision *now, uint64_t node,
                               uint32_t min_in_sync, ids_decision *next) {
    uint32_t members = ids_decision_members(now), place = 0;
    assert(min_in_sync >= 1);
    if (now->role != IDS_ROLE_PRIMARY)
        return IDS_DECIDING_NOT_PRIMARY;
    if (node == 0 && members > 1)
        return IDS_DECIDING_WHICH;
    while (place < IDS_FOLLOWERS_MAX &&
           (now->replica[place].node == 0 ||
            (node != 0 && now->replica[place].node != node)))
        place++;
    if (place == IDS_FOLLOWERS_MAX)
        return IDS_DECIDING_NO_REPLICA;
    if (members < min_in_sync)
        return IDS_DECIDING_MIN_IN_SYNC;
    *next = after(now);
    next->replica[place] = (ids_member){0};
    assert(ids_decision_members(next) == members - 1);
    check_decision(now, next);
    return IDS_DECIDING_OK;
}

void ids_decide_told(const ids_decision *now, const ids_group *group,
                     uint64_t rev, bool leads,
                     const ids_group_member replica[static IDS_FOLLOWERS_MAX],
                     ids_decision *next) {
    assert(group->epoch >= now->epoch || IDS_RULE_OFF(N2_EPOCH));
    assert(group->id.text[0] != '\0' && rev != 0);
    *next = after(now);
    next->group = group->id;
    next->rev = rev;
    if (group->epoch > next->epoch)
        next->epoch = group->epoch;
    next->role = leads ? IDS_ROLE_PRIMARY : IDS_ROLE_REPLICA;
    forget_members(next);
    for (uint32_t i = 0; i < IDS_FOLLOWERS_MAX && leads; i++) {
        if (!replica[i].node.text[0])
            continue;
        next->replica[i] = (ids_member){ids_node_number(&replica[i].node),
                                        replica[i].incarnation};
        next->replica_name[i] = replica[i].node;
        next->had_replica = true;
    }
    next->had_replica = next->had_replica || !leads;
    if (leads)
        next->led_epoch = next->epoch;
    if (leads && next->origin.epoch == 0)
        next->origin = (ids_origin){.epoch = next->epoch, .by_word = true};
    check_decision(now, next);
}

void ids_decide_no_agent(const ids_decision *now, ids_decision *next) {
    *next = *now;
    next->group = (ids_group_id){{0}};
    next->rev = 0;
}

void ids_decide_whereabouts(const ids_decision *now, bool has_replica,
                            ids_decision *next) {
    *next = after(now);
    if (has_replica && !IDS_RULE_OFF(HAD_REPLICA))
        next->had_replica = true;
    check_decision(now, next);
}

void ids_decide_admitted(const ids_decision *now, uint64_t epoch,
                         uint64_t version, ids_origin origin,
                         ids_decision *next) {
    *next = after(now);
    next->origin = origin;
    next->admitted = now->self;
    next->admitted_epoch = epoch;
    next->admitted_version = version;
    next->had_replica = true;
    check_decision(now, next);
}

void ids_decide_disowned(const ids_decision *now, ids_decision *next) {
    *next = after(now);
    next->admitted = (ids_member){0};
    next->admitted_epoch = 0;
    check_decision(now, next);
}

uint64_t ids_decision_kept_epoch(const ids_decision *now, ids_member self) {
    assert(self.node != 0);
    if (!is_somebody(now->self, self))
        return 0;
    if (now->role == IDS_ROLE_PRIMARY)
        return now->epoch;
    return is_somebody(now->admitted, self) ? now->admitted_epoch : 0;
}

void ids_decide_follow(const ids_decision *now, uint64_t epoch,
                       ids_decision *next) {
    *next = after(now);
    next->role = IDS_ROLE_REPLICA;
    forget_members(next);
    next->had_replica = true;
    if (epoch > next->epoch)
        next->epoch = epoch;
    check_decision(now, next);
}
