/* SPDX-License-Identifier: Apache-2.0 */
/* turn.c -- the end of a worker's turn, in its order; see turn.h. */
#include "server/node/turn.h"

#include "server/hold.h"
#include "server/peer/mutant.h"

#include <assert.h>
#include <string.h>

/* Beside calls a full copy's walk takes a frame a ms, unless so much of the
 * changes meanwhile is not out: then the ring is in danger. */
#define CALM_BYTES (1u << 20)

/* The steps within the monitor --------------------------------------------- */

static void begin_link(ids_seat *seat, ids_peer *peer, ids_cable *cable) {
    if (cable->link != NULL || cable->hung_up || cable->dialled)
        return;
    ids_peer_make_room(peer, cable->host);
    cable->link = ids_peer_accept(peer, seat->desk->now_ms);
    cable->patience_until_ms = 0;
    if (cable->link != NULL)
        cable->link->host = cable;
    else
        cable->hung_up = true;
}

static void meet(ids_cable *cable) {
    if (cable->met || cable->connecting || !cable->socket)
        return;
    cable->met = true;
    ids_link_set_seen_host(cable->link, cable->host);
}

static void take_input(ids_seat *seat, ids_peer *peer, ids_cable *cable,
                       idp_slice bytes) {
    uint64_t now_ms = seat->desk->now_ms;
    begin_link(seat, peer, cable);
    if (cable->link == NULL)
        return;
    meet(cable);
    ids_intake_read(&seat->intake, peer, &cable->link, bytes, now_ms);
}

static uint64_t kept(const ids_seat *seat) {
    if (IDS_RULE_OFF(KEPT_REPLIES))
        return UINT64_MAX;
    return seat->keeper ? ids_keeper_watermark(seat->keeper) : UINT64_MAX;
}

static void report_applied(ids_seat *seat, ids_peer *peer) {
    ids_desk *desk = seat->desk;
    ids_applied applied;
    uint64_t up_to =
        seat->keeper ? ids_keeper_watermark(seat->keeper) : UINT64_MAX;
    while (ids_copy_next_applied(desk, up_to, &applied))
        while (applied.count-- > 0)
            ids_peer_applied(peer, &applied.tag);
    if (ids_copy_take_failure(desk) && peer->upstream.id != 0 &&
        peer->upstream.stream[0] != NULL)
        ids_peer_lost(peer, peer->upstream.stream[0], peer->now_ms);
}

static bool has_unread(const ids_cable *cable) {
    const ids_link *link = cable->link;
    return link != NULL && link->in.len > link->in_at;
}

/* A link's last words behind what is still to be sent. */
static void take_last(ids_seat *seat, ids_cable *cable) {
    if (!cable->hung_up || cable->over)
        return;
    cable->over = true;
    cable->patience_until_ms = seat->desk->now_ms + IDS_PATIENCE_MS;
    if (cable->last.len > 0 && ids_pbuf_reserve(&cable->out, cable->last.len)) {
        memcpy(cable->out.at + cable->out.len, cable->last.at, cable->last.len);
        cable->out.len += cable->last.len;
    }
}

/* The link's words become the cable's, which gives its empty room back. */
static void take_out(ids_cable *cable) {
    assert(ids_cable_may_take(cable));
    ids_pbuf empty = cable->out;
    empty.len = 0;
    cable->out_at = 0;
    cable->out = cable->link->out.len > 0 ? cable->link->out : empty;
    if (cable->link->out.len > 0)
        cable->link->out = empty;
}

/* Words are taken out, and whose frames may follow them: those are made outside
 * of the monitor. */
static void pump(ids_seat *seat, ids_peer *peer, ids_cable *cable) {
    const ids_desk *desk = seat->desk;
    ids_link *link = cable->link;
    ids_sender *sender = NULL;
    if (!ids_cable_may_take(cable) || cable->connecting)
        return;
    if (link->dialled || link->stream == desk->index)
        sender = ids_peer_pump(peer, link, desk->now_ms);
    if (cable->link == NULL)
        return;
    take_out(cable);
    cable->sender = sender;
}

static void tend(ids_seat *seat, ids_peer *peer, ids_cable *cable) {
    uint64_t now_ms = seat->desk->now_ms;
    if (cable->link != NULL && cable->broken)
        ids_peer_lost(peer, cable->link, now_ms);
    if (cable->link != NULL) {
        meet(cable);
        if (cable->met && has_unread(cable))
            ids_intake_read(&seat->intake, peer, &cable->link,
                            (idp_slice){NULL, 0}, now_ms);
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

static void tend_all(ids_seat *seat, ids_peer *peer) {
    for (ids_cable *each = seat->cables; each; each = each->next) {
        each->sender = NULL;
        tend(seat, peer, each);
    }
}

static void tick(ids_seat *seat, ids_peer *peer, bool bytes_came) {
    uint64_t now_ms = seat->desk->now_ms;
    if (bytes_came || peer->switch_epoch != 0 ||
        (ids_seat_is_first(seat) && now_ms >= seat->partner->tick_at_ms))
        ids_peer_tick(peer, now_ms);
}

static void drop_copy(ids_seat *seat) {
    const ids_copy *copy = &seat->desk->copy;
    if (seat->drop_session != 0 && copy->aside &&
        copy->aside_session == seat->drop_session)
        ids_copy_drop(seat->desk);
    seat->drop_session = 0;
}

/* Up to which change replies may leave now: the peer's word, and only of
 * changes that it was told of. */
static uint64_t look_at_gate(ids_seat *seat, const ids_peer *peer) {
    ids_desk *desk = seat->desk;
    uint64_t watermark = kept(seat);
    ids_gate *gate = &peer->gates[desk->index];
    if (desk->serving.stance == IDS_FOLLOWS) {
        seat->gate = UINT64_MAX;
        return watermark;
    }
    if (IDS_RULE_OFF(WATERMARK_NOW)) {
        uint64_t last_turns = seat->gate;
        seat->gate = ids_gate_watermark(gate);
        return watermark < last_turns ? watermark : last_turns;
    }
    seat->gate = ids_gate_watermark(gate);
    if (watermark > seat->gate)
        watermark = seat->gate;
    watermark = ids_hold_left(&desk->hold, watermark);
    ids_gate_left(gate, watermark);
    return watermark;
}

static ids_cable *take_new(ids_seat *seat) {
    ids_cable *first = seat->to_open;
    seat->to_open = NULL;
    return first;
}

/* The steps outside -------------------------------------------------------- */

/* A full copy's walk that has kept up with the changes, while calls come. */
static bool walks_calmly(ids_seat *seat, const ids_sender *sender) {
    return ids_ring_lag_bytes(sender->ring, &sender->at) < CALM_BYTES &&
           ids_desk_is_asked(seat->desk);
}

static void make_frames_of(ids_seat *seat, ids_cable *cable) {
    const ids_desk *desk = seat->desk;
    ids_sender *sender = cable->sender;
    size_t bytes_max = seat->partner->config.peer.unsent_bytes;
    bool walks = ids_sender_walks(sender);
    bool calmly = walks && walks_calmly(seat, sender);
    assert(sender->stream == desk->index && cable->out_at == 0);
    seat->walk_waits |= calmly;
    if (calmly && desk->now_ms < seat->walk_at_ms)
        return;
    if (calmly)
        seat->walk_at_ms = desk->now_ms + 1;
    size_t up_to = calmly ? IDS_PF_APPEND_BYTES : bytes_max;
    while (cable->out.len < up_to &&
           ids_sender_next(sender, desk->shard, desk->now_ms, &cable->out))
        ;
    if (cable->out.len >= bytes_max || (walks && !calmly))
        seat->is_busy = true;
    if (sender->state == IDS_SENDING_LOST)
        ids_seat_call(seat); /* the next stay ends its session */
}

static void make_frames(ids_seat *seat) {
    for (ids_cable *each = seat->cables; each; each = each->next)
        if (each->sender)
            make_frames_of(seat, each);
}

static void send_frames(ids_seat *seat) {
    for (ids_cable *cable = seat->cables, *next; cable; cable = next) {
        next = cable->next;
        ids_cable_settle(cable);
    }
}

static void fail_stalled(ids_seat *seat) {
    ids_desk *desk = seat->desk;
    uint64_t wait_ms = seat->partner->config.commit_wait_ms;
    uint64_t oldest_ms = ids_hold_oldest_ms(&desk->hold);
    if (oldest_ms == UINT64_MAX || oldest_ms + wait_ms > desk->now_ms ||
        seat->gate >= desk->hold.changes || desk->serving.stance != IDS_LEADS)
        return;
    ids_hold_fail(desk, desk->now_ms - wait_ms, IDP_E_UNREPLICATED,
                  seat->is_slow
                      ? "slow disk at the replica (see --commit-wait); whether "
                        "this took effect is unknown: ask again"
                      : "the replica did not answer in time; whether this took "
                        "effect is unknown: ask again");
}

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

static void settle(ids_seat *seat) {
    const ids_node_host *host = &seat->partner->host;
    host->settle(host->ctx, seat->desk->index);
}

/* The order of a turn's end ------------------------------------------------ */

/* What a stay in the monitor gives the worker to do behind it. */
typedef struct may {
    uint64_t watermark; /* up to which change replies may leave */
    ids_cable *open;
} may;

static may stay(ids_seat *seat, ids_cable *cable, idp_slice bytes) {
    ids_partner *partner = seat->partner;
    ids_desk *desk = seat->desk;
    may behind;

    /* No system call between enter and leave, and nothing that grows with what
     * was changed: all other workers wait. */
    ids_peer *peer = ids_partner_enter(seat);
    atomic_store_explicit(&seat->called, false, memory_order_relaxed);
    seat->is_busy = false;
    seat->walk_waits = false;
    seat->is_full = desk->hold.full;

    /* The role first. A node that leads no more fails what is held, and sends
     * waiters away; behind any step that lets go it would be too late (R6). */
    if (!IDS_RULE_OFF(ROLE_FIRST))
        ids_partner_show(partner, seat);

    /* Then what this turn has changed: frames and the gate speak of changes
     * that the peer was told of, or a reply would leave before its change. */
    if (!IDS_RULE_OFF(TELLS_FIRST))
        ids_peer_took(peer, desk->index);

    /* The other node's bytes behind our own changes: an acknowledgement moves
     * the gate, and a full copy that begins here has them in its walk. */
    if (cable != NULL)
        take_input(seat, peer, cable, bytes);

    /* Records that came before are in (and kept) by now: the pump below
     * acknowledges them in this turn, not in the next one. */
    report_applied(seat, peer);

    /* Time behind what came: silence is judged by what was not said. */
    tick(seat, peer, cable != NULL);

    /* Acknowledgements, and leave to make frames: of all that was said above.
     */
    tend_all(seat, peer);
    drop_copy(seat);

    /* What came may have changed the role: before the gate is asked, since one
     * that stands down opens nothing any more. */
    if (!IDS_RULE_OFF(ROLE_FIRST))
        ids_partner_show(partner, seat);

    /* The gate, last of all: what is let go is said to it in the same stay, so
     * that who joins has it before he is a member. */
    assert(ids_tap_is_empty(&desk->tap));
    assert(desk->serving.stance == IDS_FOLLOWS || peer->leading);
    behind.watermark = look_at_gate(seat, peer);
    behind.open = take_new(seat);
    ids_intake_look(&seat->intake, peer);
    seat->is_slow = ids_peer_is_slow(peer);
    ids_partner_leave(seat);
    return behind;
}

/* What this worker has, what came (cable, bytes; or NULL), what is to leave. */
static void end_with_peer(ids_seat *seat, ids_cable *cable, idp_slice bytes) {
    ids_desk *desk = seat->desk;

    /* What this turn has changed is put where frames are made of it. */
    if (!IDS_RULE_OFF(TELLS_FIRST))
        ids_seat_keep(seat);

    may behind = stay(seat, cable, bytes);

    /* Of what the peer was told of in this stay, and of nothing else: a frame
     * must not be acknowledged before. Who has ended their session meanwhile
     * has made them another session's. */
    make_frames(seat);

    /* Changes go out before the replies of earlier ones: they are waited for
     * longest. */
    send_frames(seat);

    /* With this stay's watermark and no other: the next stay may be another
     * role's, and an older one's changes were counted in another epoch. */
    ids_hold_release(desk, behind.watermark);

    /* Records that came: no reply waits for them here. Once they are in, the
     * next stay says so. */
    if (ids_intake_put(&seat->intake, desk))
        ids_seat_call(seat);

    /* Behind the release: what may leave is not said to be unknown. */
    fail_stalled(seat);

    /* May take a while, so outside, and behind everything that somebody waits
     * for. */
    ids_copy_tidy(desk);

    settle(seat);
    open_new(seat, behind.open);
}

static bool has_reason(const ids_seat *seat) {
    const ids_desk *desk = seat->desk;
    return atomic_load_explicit(&seat->called, memory_order_acquire) ||
           seat->is_busy || seat->is_full != desk->hold.full ||
           !ids_tap_is_empty(&desk->tap) ||
           desk->copy.applied_at < desk->copy.applied.len ||
           desk->copy.failed || ids_hold_is_needed(&desk->hold) ||
           ids_hold_has_more(&desk->hold) ||
           ids_seat_next_ms(seat) <= desk->now_ms;
}

static bool seat_turn(ids_seat *seat) {
    if (seat->is_quiet)
        return false;
    if (has_reason(seat))
        end_with_peer(seat, NULL, (idp_slice){NULL, 0});
    if (ids_seat_is_first(seat))
        ids_partner_chores(seat->partner);
    return seat->is_busy ||
           atomic_load_explicit(&seat->called, memory_order_acquire);
}

bool ids_turn_end(ids_turn *turn, bool again) {
    bool busy = false;
    ids_seat *seat = again ? NULL : turn->seat;
    turn->settle(turn->ctx);

    /* The log before the peer: the watermark is the lower of the two, and the
     * log's is this turn's. */
    if (turn->keeper) {
        busy |= ids_keeper_turn(turn->keeper);
        turn->settle(turn->ctx);
    }

    /* Between the two: nothing is half done. */
    if (turn->seat)
        turn->park(turn->ctx);
    if (seat)
        busy |= seat_turn(seat);

    /* Mail last: replies to other workers' clients that were let go above are
     * among it. */
    busy |= !ids_desk_post(turn->desk);
    turn->settle(turn->ctx);

    /* What all must stand still for: this worker holds nothing back now. */
    if (seat && ids_seat_is_first(seat))
        busy |= ids_partner_swap_if_due(seat->partner);
    return busy || ids_desk_has_more(turn->desk);
}

void ids_seat_input(ids_seat *seat, ids_cable *cable, const uint8_t *bytes,
                    size_t len) {
    if (cable->over)
        return;
    if (ids_early_is(cable))
        ids_early_take(seat, cable, (idp_slice){bytes, len});
    else
        end_with_peer(seat, cable, (idp_slice){bytes, len});
}
