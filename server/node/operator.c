/* SPDX-License-Identifier: Apache-2.0 */
/* operator.c -- what the operator orders of the peer, and what the log says of
 * it. On the first loop. */
#include "server/node/partner.h"

#include "server/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* For so long an order is tried, and its effect waited for. */
#define BUSY_MS       2000
#define EFFECT_MS     5000
/* A slow disk is told of again when it was none for so long. */
#define SLOW_EVERY_MS 60000

static ids_seat *first(ids_partner *partner) {
    return &partner->seats[0];
}

static ids_desk *desk_of(ids_partner *partner) {
    return first(partner)->loop->desk;
}

/* Orders ------------------------------------------------------------------- */

static void answer(ids_partner *partner, idp_ordered outcome, uint64_t epoch,
                   const char *primary) {
    const idp_order_answer what = {
        .outcome = outcome,
        .epoch = epoch,
        .primary = {(const uint8_t *)primary, strlen(primary)}};
    partner->order.is_there = false;
    ids_orders_answer(desk_of(partner), partner->order.request.ticket, &what);
}

static void refuse(ids_partner *partner, const char *text) {
    partner->order.is_there = false;
    ids_orders_refuse(desk_of(partner), partner->order.request.ticket, text);
}

void ids_partner_fail_order(ids_partner *partner, int error) {
    char text[256];
    if (!partner->order.is_there || !partner->order.is_begun)
        return;
    snprintf(text, sizeof text,
             "it can't be recorded in %.120s (%s): nothing has changed; make "
             "room there, or mend it, and try again",
             partner->file.path, strerror(error));
    refuse(partner, text);
}

static uint64_t next_epoch(const ids_peer *peer) {
    uint64_t known = peer->known.epoch > peer->seen_epoch ? peer->known.epoch
                                                          : peer->seen_epoch;
    return ids_epoch_draw(known, ids_partner_clock_epoch(NULL),
                          peer->config.node);
}

static ids_deciding begin(ids_peer *peer, ids_partner_order *order) {
    order->epoch = next_epoch(peer);
    switch (order->request.order) {
    case IDP_PROMOTE:
        return ids_peer_promote(peer, order->epoch, order->request.accept_loss);
    case IDP_DETACH:
        order->epoch = peer->lead_epoch;
        return ids_peer_detach(peer);
    default:
        return ids_peer_switchover(peer, order->epoch);
    }
}

/* What became of an order that is under way. OK: it is in effect; BUSY: not
 * yet. */
static ids_deciding look(const ids_peer *peer, const ids_partner_order *order) {
    bool pending = peer->pending != IDS_PENDING_NONE;
    switch (order->request.order) {
    case IDP_PROMOTE:
        if (peer->leading && peer->lead_epoch == order->epoch)
            return IDS_DECIDING_OK;
        return pending ? IDS_DECIDING_BUSY : IDS_DECIDING_EPOCH_TOO_LOW;
    case IDP_DETACH:
        if (peer->pending == IDS_PENDING_DETACH ||
            peer->parting == IDS_PARTING_TOLD)
            return IDS_DECIDING_BUSY;
        return peer->leading ? IDS_DECIDING_OK : IDS_DECIDING_NOT_PRIMARY;
    default:
        if (peer->leading)
            return peer->switch_epoch != 0 ? IDS_DECIDING_BUSY
                                           : IDS_DECIDING_NOT_IN_SYNC;
        return peer->other_leads && peer->known.epoch >= order->epoch
                   ? IDS_DECIDING_OK
                   : IDS_DECIDING_BUSY;
    }
}

static void conclude(ids_partner *partner, ids_deciding verdict,
                     const char *primary) {
    const ids_partner_order *order = &partner->order;
    static const idp_ordered outcomes[] = {
        IDP_ORDERED_PROMOTED, IDP_ORDERED_DETACHED, IDP_ORDERED_SWITCHED};
    idp_method which = order->request.order;
    if (verdict == IDS_DECIDING_OK)
        answer(partner, outcomes[which - IDP_PROMOTE], order->epoch, primary);
    else if (which == IDP_SWITCHOVER && verdict == IDS_DECIDING_NOT_IN_SYNC)
        refuse(partner, "the replica did not catch up in time; this server "
                        "goes on as primary");
    else
        refuse(partner, ids_deciding_text(verdict));
}

static void give_up(ids_partner *partner) {
    if (partner->order.request.order == IDP_SWITCHOVER)
        refuse(partner, "handed over, but the other server has not said that "
                        "it is primary: ask it, and promote it if it is not");
    else
        refuse(partner, ids_deciding_text(IDS_DECIDING_BUSY));
}

void ids_partner_look_at_order(ids_partner *partner) {
    ids_partner_order *order = &partner->order;
    uint64_t now_ms = desk_of(partner)->now_ms;
    ids_endpoint at = {.text = ""};
    ids_deciding verdict;
    if (!order->is_there)
        return;
    ids_peer *peer = ids_partner_enter(first(partner));
    peer->now_ms = now_ms;
    if (order->is_begun) {
        verdict = look(peer, order);
        if (verdict == IDS_DECIDING_OK && !ids_partner_is_shown(partner)) {
            verdict = IDS_DECIDING_BUSY; /* some loop would still refuse */
            ids_partner_wake_all(partner);
        }
    } else {
        verdict = begin(peer, order);
        order->is_begun = verdict == IDS_DECIDING_OK;
        if (order->is_begun) {
            order->until_ms = now_ms + EFFECT_MS;
            verdict = IDS_DECIDING_BUSY;
            ids_peer_tick(peer, now_ms);
        }
    }
    ids_peer_primary_at(peer, &at);
    ids_partner_leave(first(partner));
    ids_seat_call(first(partner));
    if (verdict != IDS_DECIDING_BUSY)
        conclude(partner, verdict, at.text);
    else if (now_ms >= order->until_ms)
        give_up(partner);
}

static void take(void *ctx, ids_desk *desk, const ids_order_request *request) {
    ids_partner *partner = ctx;
    if (partner->order.is_there) {
        ids_orders_refuse(desk, request->ticket,
                          ids_deciding_text(IDS_DECIDING_BUSY));
        return;
    }
    partner->order = (ids_partner_order){.request = *request,
                                         .is_there = true,
                                         .until_ms = desk->now_ms + BUSY_MS};
    ids_partner_look_at_order(partner);
}

/* The report --------------------------------------------------------------- */

static void copy_text(char *to, size_t cap, const char *from) {
    snprintf(to, cap, "%s", from);
}

static void report(void *ctx, ids_desk *desk, idp_replication *to) {
    ids_partner *partner = ctx;
    static const char *const modes[] = {"none", "async", "sync"};
    ids_peer_status status;
    (void)desk;
    ids_peer *peer = ids_partner_enter(first(partner));
    ids_peer_status_get(peer, &status);
    for (uint32_t k = 0; k < status.streams && k < IDP_STREAMS_MAX; k++) {
        ids_peer_lag lag;
        ids_peer_stream_lag(peer, k, &lag);
        to->streams[k] = (idp_lag){lag.ops, lag.bytes, lag.ms};
        to->streams_count = k + 1;
    }
    ids_partner_leave(first(partner));
    copy_text(to->role, sizeof to->role,
              status.role == IDS_ROLE_PRIMARY ? "primary" : "replica");
    copy_text(to->mode, sizeof to->mode, modes[status.mode]);
    to->epoch = status.epoch;
    copy_text(to->node, sizeof to->node, status.self_name.text);
    to->in_sync_count = status.member_count;
    for (uint32_t i = 0; i < status.member_count; i++)
        copy_text(to->in_sync[i], sizeof to->in_sync[i], status.member[i].text);
    to->connected = status.connected;
    to->syncing = status.syncing;
    to->safe_to_stop = status.safe_to_stop;
    to->copy_records = status.copying.records;
    to->copy_total = status.copying.total;
    copy_text(to->primary, sizeof to->primary, status.primary_at.text);
    copy_text(to->peer, sizeof to->peer, status.other_at.text);
    to->lag = (idp_lag){status.lag.ops, status.lag.bytes, status.lag.ms};
    snprintf(to->state, sizeof to->state, "%.*s", (int)sizeof to->state - 1,
             status.state);
}

ids_order_taker ids_partner_taker(ids_partner *partner) {
    return (ids_order_taker){.ctx = partner, .begin = take, .report = report};
}

/* The log ------------------------------------------------------------------ */

static const char *address(const ids_endpoint *at) {
    return at->text[0] ? at->text : "unknown";
}

void ids_partner_say_start(ids_partner *partner, const ids_decision *recorded) {
    const ids_peer_status status = partner->said;
    if (status.role == IDS_ROLE_PRIMARY)
        ids_log(IDS_LOG_INFO,
                partner->config->min_in_sync > 1
                    ? "primary; serves once a replica is in sync"
                    : "primary, and alone: no replica has joined yet",
                "epoch=%" PRIu64 " see=--replicate-from", status.epoch);
    else if (partner->config->replicate_from || recorded->self.node == 0)
        ids_log(IDS_LOG_INFO, "replica", "follows=%s epoch=%" PRIu64,
                address(&partner->peer_config.replicate_from), status.epoch);
    else
        ids_log(IDS_LOG_WARN,
                "started as a replica: the other node may know more",
                "other=%s epoch=%" PRIu64
                " todo=\"if it is lost, idemctl promote here\"",
                address(&recorded->other_at), status.epoch);
}

/* The same on both sides, and what to do. */
void ids_partner_say_refusal(const ids_refusal *refusal) {
    static const char *const words[] = {"another node is refused",
                                        "another node refuses this one"};
    ids_log_level level =
        refusal->why == IDS_REFUSAL_NOT_PRIMARY ? IDS_LOG_INFO : IDS_LOG_WARN;
    if (refusal->why == IDS_REFUSAL_TWO_PRIMARIES)
        level = IDS_LOG_ERROR;
    ids_log(level, words[refusal->by_other], "at=%s node=%s reason=\"%s\"",
            address(&refusal->at),
            refusal->name.text[0] ? refusal->name.text : "unknown",
            ids_refusal_text(refusal->why));
}

static void say_role(const ids_peer_status *now) {
    if (now->role == IDS_ROLE_PRIMARY)
        ids_log(IDS_LOG_INFO, "primary now", "epoch=%" PRIu64, now->epoch);
    else
        ids_log(IDS_LOG_WARN, "no longer the primary",
                "epoch=%" PRIu64 " primary=%s", now->epoch,
                address(&now->primary_at));
}

static void say_connection(const ids_peer_status *now) {
    bool primary = now->role == IDS_ROLE_PRIMARY;
    if (now->connected)
        ids_log(IDS_LOG_INFO,
                primary ? "a replica is connected" : "the primary is connected",
                "at=%s node=%s syncing=%s%s", address(&now->other_at),
                now->other_name.text, now->syncing ? "yes" : "no",
                now->settings_differ ? " settings=differ" : "");
    else if (!primary)
        ids_log(IDS_LOG_WARN, "the primary is lost",
                "at=%s in_sync=%s todo=\"idemctl promote, if it stays so\"",
                address(&now->other_at), now->in_sync ? "yes" : "no");
    else if (now->waits)
        ids_log(IDS_LOG_WARN, "the replica is lost, changes wait for it",
                "at=%s todo=\"start it again, or idemctl detach\"",
                address(&now->other_at));
    else
        ids_log(IDS_LOG_WARN, "the replica is lost", "at=%s",
                address(&now->other_at));
}

/* Since the log was told last; a small copy may have begun and ended. */
static void say_copies(const ids_peer_status *was, const ids_peer_status *now) {
    const ids_copying *copy = &now->copying;
    bool sent = copy->is_sent;
    if (copy->begun != was->copying.begun)
        ids_log(IDS_LOG_INFO,
                sent ? "a full copy to the replica begins"
                     : "a full copy from the primary begins",
                "at=%s", address(&now->other_at));
    if (copy->done != was->copying.done)
        ids_log(IDS_LOG_INFO,
                sent ? "the replica has the full copy"
                     : "the full copy took the old one's place",
                "at=%s records=%" PRIu64 " ms=%" PRIu64,
                address(&now->other_at), copy->records, copy->took_ms);
    if (copy->given_up != was->copying.given_up)
        ids_log(IDS_LOG_WARN, "a full copy was given up",
                "at=%s records=%" PRIu64 " of=%" PRIu64 " ms=%" PRIu64,
                address(&now->other_at), copy->records, copy->total,
                copy->took_ms);
}

static void say_in_sync(const ids_peer_status *now) {
    bool primary = now->role == IDS_ROLE_PRIMARY;
    if (now->forgetful)
        ids_log(IDS_LOG_WARN,
                "the replica restarted without its memory, changes wait",
                "at=%s todo=\"do not stop this node\"",
                address(&now->other_at));
    else if (now->in_sync)
        ids_log(IDS_LOG_INFO,
                primary ? "the replica is in sync" : "in sync with the primary",
                "at=%s epoch=%" PRIu64, address(&now->other_at), now->epoch);
    else if (primary)
        ids_log(IDS_LOG_WARN, "serves alone: no replica is in sync", NULL);
    else
        ids_log(IDS_LOG_WARN, "not in sync any more", NULL);
}

/* Once, and not with each sync that is. */
static void say_slow_disk(ids_partner *partner, const ids_peer_status *now) {
    uint64_t now_ms = desk_of(partner)->now_ms;
    if (!now->slow_disk)
        return;
    if (partner->slow_said_ms == 0 ||
        now_ms >= partner->slow_said_ms + SLOW_EVERY_MS)
        ids_log(IDS_LOG_WARN,
                now->role == IDS_ROLE_PRIMARY
                    ? "slow disk at the replica"
                    : "slow disk: the primary's changes wait for it",
                "at=%s behind_ms=%" PRIu64 " see=--commit-wait",
                address(&now->other_at), now->behind_ms);
    partner->slow_said_ms = now_ms;
}

void ids_partner_say(ids_partner *partner, const ids_peer_status *now) {
    const ids_peer_status *was = &partner->said;
    say_slow_disk(partner, now);
    if (now->role != was->role)
        say_role(now);
    /* A session of the last role is none of this one's. */
    if (now->connected != (was->connected && now->role == was->role))
        say_connection(now);
    say_copies(was, now);
    if (now->in_sync != was->in_sync)
        say_in_sync(now);
    partner->said = *now;
}
