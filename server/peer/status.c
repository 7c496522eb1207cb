/* SPDX-License-Identifier: Apache-2.0 */
/* status.c -- what a node tells its operator of itself.
 *
 * Pure. It only looks. */
#include "server/peer/halves.h"

#include <assert.h>

void ids_peer_primary_at(const ids_peer *peer, ids_endpoint *at) {
    bool known = !peer->leading && peer->other_leads;
    *at = known ? peer->other_at : (ids_endpoint){{0}};
}

void ids_peer_primary_http(const ids_peer *peer, ids_endpoint *http) {
    bool known = !peer->leading && peer->other_leads;
    *http = known ? peer->other_http : (ids_endpoint){{0}};
}

static void list_members(const ids_peer *peer, ids_peer_status *s) {
    const ids_endpoint *here = &peer->config.advertise;
    bool self = peer->leading || s->in_sync;
    if (peer->leading)
        ids_peer_name(&s->member[s->member_count++], here, s->self.node);
    else if (s->in_sync || peer->other_leads)
        ids_peer_name(&s->member[s->member_count++], &peer->other_at,
                      s->other.node);
    for (uint32_t i = 0; i < s->follower_count; i++)
        if (s->follower[i].in_sync)
            ids_peer_name(&s->member[s->member_count++], &s->follower[i].at,
                          s->follower[i].member.node);
    assert(s->member_count <= 1 + s->follower_count);
    if (self && !peer->leading)
        ids_peer_name(&s->member[s->member_count++], here, s->self.node);
}

/* A session with all its streams, whose other end is heard. */
static bool is_connected(const ids_peer *peer, const ids_session *session) {
    const ids_link *first = session->id != 0 ? session->stream[0] : NULL;
    assert(session->streams_open <= session->streams);
    return first != NULL && session->streams > 0 &&
           session->streams_open == session->streams &&
           peer->now_ms < first->last_received_ms + peer->config.stall_ms;
}

/* Its links go together. */
static bool is_sealed(const ids_session *session) {
    const ids_link *first = session->id != 0 ? session->stream[0] : NULL;
    return first != NULL && first->way == IDS_LINK_TLS;
}

/* --- a primary's replicas ------------------------------------------------- */

/* Someone of whom it makes sense to say how far behind it is. */
static bool has_someone(const ids_peer *peer, const ids_follower *f) {
    return peer->leading &&
           (ids_primary_member(peer, f).node != 0 || f->had_session);
}

static ids_peer_lag lag_of(const ids_peer *peer, const ids_follower *f,
                           uint32_t stream) {
    const ids_progress *progress = &f->progress[stream];
    const ids_ring_reported *reported = &peer->reported[stream];
    ids_peer_lag lag = {0};
    if (!has_someone(peer, f) || reported->last == progress->reached)
        return lag;
    assert(progress->reached < reported->last);
    uint64_t offset = ids_lag_offset(&progress->lag, reported->head);
    assert(offset <= reported->head && reported->tail <= reported->head);
    lag.ops = reported->last - progress->reached;
    lag.ms = ids_lag_ms(&progress->lag, peer->now_ms);
    lag.bytes =
        reported->head - (offset > reported->tail ? offset : reported->tail);
    return lag;
}

void ids_peer_stream_lag(const ids_peer *peer, uint32_t stream,
                         ids_peer_lag *lag) {
    *lag = (ids_peer_lag){0};
    if (!peer->leading || stream >= peer->config.loops)
        return;
    for (uint32_t i = 0; i < peer->config.places; i++) {
        ids_peer_lag its = lag_of(peer, &peer->follower[i], stream);
        if (its.ops > lag->ops)
            *lag = its;
    }
}

static ids_peer_lag whole_lag(const ids_peer *peer, const ids_follower *f) {
    ids_peer_lag all = {0};
    assert(ids_primary_place(peer, f) < peer->config.places);
    for (uint32_t k = 0; k < peer->config.loops; k++) {
        ids_peer_lag lag = lag_of(peer, f, k);
        all.ops += lag.ops;
        all.bytes += lag.bytes;
        if (lag.ms > all.ms)
            all.ms = lag.ms;
    }
    return all;
}

/* The node on record has come back as another memory: its place is waited
 * for, and empty. */
static bool is_forgetful(const ids_peer *peer, const ids_follower *f) {
    ids_member member = ids_primary_member(peer, f);
    if (IDS_RULE_OFF(STATUS_BY_NAME))
        return false;
    return member.node != 0 && f->session.other.node == member.node &&
           f->session.other.incarnation != member.incarnation;
}

static void get_follower(const ids_peer *peer, const ids_follower *f,
                         ids_follower_status *s) {
    ids_member member = ids_primary_member(peer, f);
    *s = (ids_follower_status){.member = f->session.other,
                               .name = f->session.other_name,
                               .at = ids_endpoint_is_set(&f->at) ||
                                             peer->config.places > 1
                                         ? f->at
                                         : peer->other_at,
                               .waits = member.node != 0,
                               .forgetful = is_forgetful(peer, f),
                               .connected = is_connected(peer, &f->session),
                               .is_sealed = is_sealed(&f->session),
                               .syncing = f->copying.is_on,
                               .settings_differ = f->session.settings_differ,
                               .is_here = ids_primary_has_member(peer, f),
                               .is_silent = ids_primary_misses(peer, f),
                               .slow_disk = ids_primary_is_slow(peer, f),
                               .behind_ms = f->behind_ms,
                               .parting = f->parting,
                               .joined_by_key = f->joined_by_key,
                               .lag = whole_lag(peer, f)};
    s->in_sync = s->waits && !s->forgetful;
    s->knows = s->is_here && s->connected && f->report_is_recorded;
    assert(!s->knows || s->in_sync);
    ids_full_copy_get(peer, f, &s->copying);
    if (s->in_sync) {
        s->member = member;
        s->name = peer->known.replica_name[ids_primary_place(peer, f)];
    }
}

bool ids_peer_is_parting(const ids_peer *peer) {
    for (uint32_t i = 0; i < peer->config.places; i++)
        if (peer->follower[i].parting == IDS_PARTING_REPORTED)
            return true;
    return false;
}

/* What an operator has to bear in mind longest. */
static ids_parting worst_parting(const ids_peer *peer) {
    ids_parting worst = IDS_PARTING_NONE;
    for (uint32_t i = 0; i < peer->config.places; i++) {
        ids_parting each = peer->follower[i].parting;
        if (each == IDS_PARTING_REPORTED)
            return each;
        worst = each > worst ? each : worst;
    }
    return worst;
}

/* Of whom an operator should hear first. */
static int urgency(const ids_follower_status *s) {
    return s->forgetful   ? 5
           : s->is_silent ? 4
           : s->waits     ? (s->slow_disk || s->syncing ? 3 : 2)
                          : s->connected || s->syncing;
}

static void sum_up(ids_peer_status *s) {
    const ids_follower_status *first = &s->follower[0];
    bool all = true, any = false, in_sync = true, is_plain = false;
    for (uint32_t i = 0; i < s->follower_count; i++) {
        const ids_follower_status *f = &s->follower[i];
        first = urgency(f) > urgency(first) ? f : first;
        s->waits |= f->waits;
        s->forgetful |= f->forgetful;
        s->syncing |= f->syncing;
        s->slow_disk |= f->slow_disk;
        all = all && (!f->waits || f->connected);
        any = any || f->connected;
        is_plain = is_plain || (f->connected && !f->is_sealed);
        in_sync = in_sync && (!f->waits || f->in_sync);
        if (f->behind_ms > s->behind_ms)
            s->behind_ms = f->behind_ms;
        if (f->lag.ops > s->lag.ops)
            s->lag = f->lag;
    }
    assert(!s->forgetful || s->waits);
    assert(s->follower_count <= IDS_FOLLOWERS_MAX);
    s->in_sync = s->waits && in_sync;
    s->connected = s->waits ? all : any;
    s->is_sealed = any && !is_plain;
    if (s->follower_count == 0)
        return;
    s->other = first->member;
    s->other_name = first->name;
    s->other_at = first->at;
    s->settings_differ = first->settings_differ;
}

/* Each reply that left has waited for each member: one that goes on is enough.
 */
static bool primary_may_stop(const ids_peer *peer, const ids_peer_status *s) {
    bool has_heir = false;
    assert(peer->leading);
    for (uint32_t i = 0; i < s->follower_count; i++)
        has_heir |= s->follower[i].knows && !s->follower[i].syncing;
    return peer->config.mode == IDS_MODE_SYNC && has_heir &&
           peer->switch_epoch == 0 && !ids_primary_misses_member(peer);
}

static void get_primary(const ids_peer *peer, ids_peer_status *s) {
    s->streams = peer->config.loops;
    s->parting = worst_parting(peer);
    for (uint32_t i = 0; i < peer->config.places; i++)
        if (has_someone(peer, &peer->follower[i]))
            get_follower(peer, &peer->follower[i],
                         &s->follower[s->follower_count++]);
    sum_up(s);
    s->safe_to_stop = primary_may_stop(peer, s);
}

/* --- a replica ------------------------------------------------------------ */

/* Whatever it has, the primary has. */
static bool replica_may_stop(const ids_peer *peer, const ids_peer_status *s) {
    assert(!peer->leading);
    return s->connected && peer->started &&
           peer->upstream.stream[0]->other.primary &&
           peer->upstream.epoch == ids_peer_epoch(peer) &&
           peer->pending != IDS_PENDING_PROMOTE;
}

static void get_replica(const ids_peer *peer, ids_peer_status *s) {
    s->connected = is_connected(peer, &peer->upstream);
    s->is_sealed = s->connected && is_sealed(&peer->upstream);
    s->syncing = peer->copying.is_on;
    s->slow_disk = ids_peer_is_slow(peer);
    s->behind_ms = peer->behind_ms;
    s->in_sync = ids_decision_is_in_sync(&peer->known, ids_peer_copy_of(peer));
    s->parting = worst_parting(peer);
    s->safe_to_stop = replica_may_stop(peer, s);
}

void ids_peer_status_get(const ids_peer *peer, ids_peer_status *s) {
    bool leading = peer->leading;
    *s =
        (ids_peer_status){.role = leading ? IDS_ROLE_PRIMARY : IDS_ROLE_REPLICA,
                          .mode = peer->config.mode,
                          .epoch = ids_peer_epoch(peer),
                          .self = {peer->config.node, peer->config.incarnation},
                          .other = peer->other,
                          .self_name = peer->config.name,
                          .other_name = peer->other_name,
                          .settings_differ = peer->settings_differ,
                          .had_replica = peer->known.had_replica,
                          .disowned = peer->disowned,
                          .pending = peer->pending,
                          .other_at = peer->other_at,
                          .refusal = peer->refusal,
                          .refused_ms = peer->now_ms - peer->refusal.at_ms};
    assert(peer->refusal.at_ms <= peer->now_ms);
    ids_peer_copy_get(peer, &s->copying);
    s->joins_by_key = peer->in_place || peer->gather_due;
    s->joined_by_key = peer->joined_by_key;
    for (uint32_t i = 0; i < peer->config.places; i++)
        s->joined_by_key += peer->follower[i].joined_by_key;
    if (leading)
        get_primary(peer, s);
    else
        get_replica(peer, s);
    list_members(peer, s);
    ids_peer_primary_at(peer, &s->primary_at);
    ids_peer_say_state(peer, s, s->state);
}
