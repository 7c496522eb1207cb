/* SPDX-License-Identifier: Apache-2.0 */
/* seat.c -- one loop's part in the peer's monitor; see partner.h. */
#include "server/node/partner.h"

#include "server/hold.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Beside calls a full copy's walk takes a frame a ms, unless so much of the
 * changes meanwhile is not out: then the ring is in danger. */
#define CALM_BYTES (1u << 20)

static ids_desk *desk_of(const ids_seat *seat) {
    return seat->loop->desk;
}

static bool is_first(const ids_seat *seat) {
    return seat == seat->partner->seats;
}

void ids_seat_call(ids_seat *seat) {
    atomic_store_explicit(&seat->called, true, memory_order_release);
}

/* Within the monitor ------------------------------------------------------- */

static void hand_over(ids_seat *seat, ids_peer *peer) {
    ids_tap *tap = &desk_of(seat)->tap;
    ids_tap_at at = {0};
    uint64_t number;
    idp_slice change;
    if (ids_tap_is_empty(tap))
        return;
    while (peer->leading && ids_tap_next(tap, &at, &number, &change))
        ids_peer_take_bytes(peer, seat->loop->desk->index, number, change);
    ids_tap_clear(tap);
}

static void report_applied(ids_seat *seat, ids_peer *peer) {
    ids_applied applied;
    uint64_t kept = ids_loop_kept(seat->loop);
    while (ids_copy_next_applied(desk_of(seat), kept, &applied))
        while (applied.count-- > 0)
            ids_peer_applied(peer, &applied.tag);
    if (ids_copy_take_failure(desk_of(seat)) && peer->session != 0 &&
        peer->stream[0] != NULL)
        ids_peer_lost(peer, peer->stream[0], peer->now_ms);
}

static void begin_link(ids_seat *seat, ids_peer *peer, ids_cable *cable) {
    if (cable->link != NULL || cable->hung_up || cable->dialled)
        return;
    ids_peer_make_room(peer, cable->host);
    cable->link = ids_peer_accept(peer, desk_of(seat)->now_ms);
    cable->patience_until_ms = 0;
    if (cable->link != NULL)
        cable->link->host = cable;
    else
        cable->hung_up = true;
}

static void meet(ids_cable *cable) {
    if (cable->met || cable->connecting || cable->fd < 0)
        return;
    cable->met = true;
    ids_link_set_seen_host(cable->link, cable->host);
}

static bool has_unread(const ids_cable *cable) {
    const ids_link *link = cable->link;
    return link != NULL && link->in.len > link->in_at;
}

static void take_input(ids_seat *seat, ids_peer *peer, ids_cable *cable,
                       idp_slice bytes) {
    uint64_t now_ms = desk_of(seat)->now_ms;
    begin_link(seat, peer, cable);
    if (cable->link == NULL)
        return;
    meet(cable);
    ids_peer_input(peer, cable->link, bytes.ptr, bytes.len, now_ms);
}

/* A link's last words behind what is still to be sent. */
static void take_last(ids_seat *seat, ids_cable *cable) {
    if (!cable->hung_up || cable->over)
        return;
    cable->over = true;
    cable->patience_until_ms = desk_of(seat)->now_ms + IDS_PATIENCE_MS;
    if (cable->last.len > 0 && ids_pbuf_reserve(&cable->out, cable->last.len)) {
        memcpy(cable->out.at + cable->out.len, cable->last.at, cable->last.len);
        cable->out.len += cable->last.len;
    }
}

/* The link's words become the cable's, which gives its empty room back. */
static void take_out(ids_cable *cable) {
    ids_pbuf empty = cable->out;
    empty.len = 0;
    cable->out = cable->link->out;
    cable->out_at = 0;
    cable->link->out = empty;
}

/* A full copy's walk that has kept up with the changes, while calls come. */
static bool walks_calmly(ids_seat *seat, const ids_sender *sender) {
    return ids_ring_lag_bytes(&sender->ring, &sender->at) < CALM_BYTES &&
           ids_desk_is_asked(desk_of(seat));
}

static void pump(ids_seat *seat, ids_peer *peer, ids_cable *cable) {
    ids_desk *desk = desk_of(seat);
    ids_link *link = cable->link;
    bool ours = !link->dialled && link->stream == desk->index;
    const ids_sender *sender = &peer->senders[desk->index];
    bool walks = ours && peer->leading && ids_sender_walks(sender);
    bool calmly = walks && walks_calmly(seat, sender);
    if (!ids_cable_may_take(cable) || cable->connecting)
        return;
    seat->walk_waits |= calmly;
    if (calmly && desk->now_ms < seat->walk_at_ms)
        return;
    if (calmly)
        seat->walk_at_ms = desk->now_ms + 1;
    link->unsent_bytes =
        calmly ? IDS_PF_APPEND_BYTES : peer->config.unsent_bytes;
    if (link->dialled || ours)
        ids_peer_pump(peer, link, ours ? desk->shard : NULL, desk->now_ms);
    if (cable->link == NULL)
        return;
    take_out(cable);
    if (cable->out.len >= peer->config.unsent_bytes || (walks && !calmly))
        seat->is_busy = true;
}

static void tend(ids_seat *seat, ids_peer *peer, ids_cable *cable) {
    uint64_t now_ms = desk_of(seat)->now_ms;
    if (cable->link != NULL && cable->broken)
        ids_peer_lost(peer, cable->link, now_ms);
    if (cable->link != NULL) {
        meet(cable);
        if (cable->met && has_unread(cable))
            ids_peer_input(peer, cable->link, NULL, 0, now_ms);
    }
    if (cable->link != NULL)
        pump(seat, peer, cable);
    if (cable->link != NULL)
        cable->paused = cable->link->paused =
            (cable->dialled && seat->is_full) ||
            cable->link->in.len - cable->link->in_at >
                IDS_PF_HEAD_BYTES + cable->link->body_bytes_max;
    else if (cable->broken || now_ms >= cable->patience_until_ms)
        cable->hung_up = true;
    take_last(seat, cable);
}

/* Up to which change replies may leave now: the peer's word, and only of
 * changes that it was told of. */
static uint64_t look_at_gate(ids_seat *seat, const ids_peer *peer) {
    ids_desk *desk = desk_of(seat);
    uint64_t watermark = ids_loop_kept(seat->loop);
    ids_gate *gate = &peer->gates[desk->index];
    seat->gate = UINT64_MAX;
    if (desk->serving.stance == IDS_FOLLOWS)
        return watermark;
    seat->gate = ids_gate_watermark(gate);
    if (watermark > seat->gate)
        watermark = seat->gate;
    watermark = ids_hold_left(desk, watermark);
    ids_gate_left(gate, watermark);
    return watermark;
}

static ids_cable *take_new(ids_seat *seat) {
    ids_cable *first = seat->to_open;
    seat->to_open = NULL;
    return first;
}

static void drop_copy(ids_seat *seat) {
    const ids_copy *copy = &desk_of(seat)->copy;
    if (seat->drop_session != 0 && copy->aside &&
        copy->aside_session == seat->drop_session)
        ids_copy_drop(desk_of(seat));
    seat->drop_session = 0;
}

/* Outside ------------------------------------------------------------------ */

static void open_new(ids_seat *seat, ids_cable *cable) {
    for (ids_cable *next; cable; cable = next) {
        next = cable->next;
        cable->next = seat->cables;
        seat->cables = cable;
        ids_cable_open(cable);
        if (cable->early.len > 0) {
            ids_pbuf early = cable->early;
            cable->early = (ids_pbuf){0};
            ids_seat_input(seat, cable, early.at, early.len);
            ids_pbuf_fini(&early);
        }
    }
}

static void fail_stalled(ids_seat *seat) {
    ids_desk *desk = desk_of(seat);
    uint64_t wait_ms = seat->partner->commit_wait_ms;
    uint64_t oldest_ms = ids_hold_oldest_ms(desk);
    if (oldest_ms == UINT64_MAX || oldest_ms + wait_ms > desk->now_ms ||
        seat->gate >= desk->changes || desk->serving.stance != IDS_LEADS)
        return;
    ids_hold_fail(desk, desk->now_ms - wait_ms, IDP_E_UNREPLICATED,
                  seat->is_slow
                      ? "slow disk at the replica (see --commit-wait); whether "
                        "this took effect is unknown: ask again"
                      : "the replica did not answer in time; whether this took "
                        "effect is unknown: ask again");
}

static void settle(ids_seat *seat, uint64_t watermark, ids_cable *opening) {
    ids_desk *desk = desk_of(seat);
    for (ids_cable *cable = seat->cables, *next; cable; cable = next) {
        next = cable->next;
        ids_cable_settle(cable);
    }
    ids_hold_release(desk, watermark);
    fail_stalled(seat);
    ids_copy_tidy(desk);
    ids_loop_settle(seat->loop);
    open_new(seat, opening);
}

/* The whole stay: what this loop has, what came, what is to leave. */
static void stay(ids_seat *seat, ids_cable *cable, idp_slice bytes) {
    ids_partner *partner = seat->partner;
    uint64_t now_ms = desk_of(seat)->now_ms;
    ids_peer *peer = ids_partner_enter(seat);
    atomic_store_explicit(&seat->called, false, memory_order_relaxed);
    seat->is_busy = false;
    seat->walk_waits = false;
    seat->is_full = desk_of(seat)->full;
    ids_partner_show(partner, seat);
    hand_over(seat, peer);
    if (cable != NULL)
        take_input(seat, peer, cable, bytes);
    report_applied(seat, peer);
    if (cable != NULL || peer->switch_epoch != 0 ||
        (is_first(seat) && now_ms >= partner->tick_at_ms))
        ids_peer_tick(peer, now_ms);
    for (ids_cable *each = seat->cables; each; each = each->next)
        tend(seat, peer, each);
    drop_copy(seat);
    ids_partner_show(partner, seat);
    uint64_t watermark = look_at_gate(seat, peer);
    ids_cable *opening = take_new(seat);
    seat->is_slow = ids_peer_is_slow(peer);
    ids_partner_leave(seat);
    settle(seat, watermark, opening);
}

/* A loop's calls ----------------------------------------------------------- */

void ids_seat_input(ids_seat *seat, ids_cable *cable, const uint8_t *bytes,
                    size_t len) {
    if (cable->over)
        return;
    if (ids_early_is(cable))
        ids_early_take(seat, cable, (idp_slice){bytes, len});
    else
        stay(seat, cable, (idp_slice){bytes, len});
}

static ids_cable *next_unread(const ids_seat *seat, uint64_t gaps) {
    ids_cable *cable = seat->cables;
    while (cable && cable->gaps == gaps)
        cable = cable->next;
    return cable;
}

void ids_seat_stood_still(ids_seat *seat, uint64_t gaps, uint64_t all_ms) {
    ids_partner *partner = seat->partner;
    if (seat->is_quiet)
        return;
    ids_peer *peer = ids_partner_enter(seat);
    if (all_ms > partner->gaps_ms)
        ids_peer_stood_still(peer, all_ms - partner->gaps_ms);
    partner->gaps_ms = all_ms;
    ids_partner_show(partner, seat);
    ids_partner_leave(seat);
    for (ids_cable *each; (each = next_unread(seat, gaps));) {
        each->gaps = gaps;
        ids_cable_read(each);
    }
}

bool ids_seat_knows_host(ids_seat *seat, const char *host) {
    const ids_peer *peer = ids_partner_enter(seat);
    bool knows = ids_peer_knows_host(peer, host);
    ids_partner_leave(seat);
    return knows;
}

void ids_seat_hand_over(ids_seat *seat) {
    ids_peer *peer = ids_partner_enter(seat);
    hand_over(seat, peer);
    ids_partner_leave(seat);
}

bool ids_seat_is_current(ids_seat *seat, const ids_parcel_tag *tag) {
    const ids_peer *peer = ids_partner_enter(seat);
    bool is = ids_peer_is_current(peer, tag);
    ids_partner_show(seat->partner, seat);
    ids_partner_leave(seat);
    return is;
}

uint64_t ids_seat_next_ms(const ids_seat *seat) {
    uint64_t next_ms = is_first(seat) ? seat->partner->tick_at_ms : UINT64_MAX;
    uint64_t oldest_ms = ids_hold_oldest_ms(desk_of(seat));
    if (seat->walk_waits && seat->walk_at_ms < next_ms)
        next_ms = seat->walk_at_ms;
    for (const ids_cable *each = seat->cables; each; each = each->next)
        if (each->patience_until_ms && each->patience_until_ms < next_ms)
            next_ms = each->patience_until_ms;
    if (oldest_ms != UINT64_MAX && seat->gate < desk_of(seat)->changes &&
        oldest_ms + seat->partner->commit_wait_ms < next_ms)
        next_ms = oldest_ms + seat->partner->commit_wait_ms;
    return next_ms;
}

static bool has_reason(const ids_seat *seat) {
    const ids_desk *desk = desk_of(seat);
    return atomic_load_explicit(&seat->called, memory_order_acquire) ||
           seat->is_busy || seat->is_full != desk->full ||
           !ids_tap_is_empty(&desk->tap) ||
           desk->copy.applied_at < desk->copy.applied.len ||
           desk->copy.failed || ids_hold_is_needed(desk) ||
           ids_hold_has_more(desk) || ids_seat_next_ms(seat) <= desk->now_ms;
}

bool ids_seat_turn(ids_seat *seat) {
    if (seat->is_quiet)
        return false;
    if (has_reason(seat))
        stay(seat, NULL, (idp_slice){NULL, 0});
    if (is_first(seat))
        ids_partner_chores(seat->partner);
    return seat->is_busy ||
           atomic_load_explicit(&seat->called, memory_order_acquire);
}

void ids_seat_forget(ids_seat *seat, ids_cable *cable) {
    ids_cable **at = &seat->cables;
    while (*at != cable)
        at = &(*at)->next;
    *at = cable->next;
}

void ids_seat_quiet(ids_seat *seat) {
    ids_cable *never_opened;
    ids_partner_enter(seat);
    seat->is_quiet = true;
    for (ids_cable *each = seat->cables; each; each = each->next)
        if (each->link != NULL)
            each->link->host = NULL;
    never_opened = take_new(seat);
    for (ids_cable *each = never_opened; each; each = each->next)
        if (each->link != NULL)
            each->link->host = NULL;
    ids_partner_leave(seat);
    while (seat->cables)
        ids_cable_close(seat->cables);
    for (ids_cable *next; never_opened; never_opened = next) {
        next = never_opened->next;
        never_opened->next = seat->cables;
        seat->cables = never_opened;
        ids_cable_close(never_opened);
    }
    if (!is_first(seat))
        ids_standstill_leave(&seat->partner->still);
}
