/* SPDX-License-Identifier: Apache-2.0 */
/* turn.c -- the end of a worker's turn, in its order; see turn.h. */
#include "server/node/turn.h"

#include "server/hold.h"
#include "server/node/tend.h"
#include "server/peer/mutant.h"

#include <assert.h>

/* The steps within the monitor --------------------------------------------- */

static uint64_t kept(const ids_seat *seat) {
    if (IDS_RULE_OFF(KEPT_REPLIES))
        return UINT64_MAX;
    return seat->keeper ? ids_keeper_watermark(seat->keeper) : UINT64_MAX;
}

static void report_applied(ids_seat *seat, ids_peer *peer) {
    ids_worker *worker = seat->worker;
    ids_applied applied;
    uint64_t up_to =
        seat->keeper ? ids_keeper_watermark(seat->keeper) : UINT64_MAX;
    while (ids_copy_next_applied(worker, up_to, &applied))
        while (applied.count-- > 0)
            ids_peer_applied(peer, &applied.tag);
    if (ids_copy_take_failure(worker) && peer->upstream.id != 0 &&
        peer->upstream.stream[0] != NULL)
        ids_peer_lost(peer, peer->upstream.stream[0], peer->now_ms);
}

static void tick(ids_seat *seat, ids_peer *peer, bool bytes_came) {
    uint64_t now_ms = seat->worker->now_ms;
    if (bytes_came || peer->switch_epoch != 0 ||
        (ids_seat_is_first(seat) && now_ms >= seat->partner->tick_at_ms))
        ids_peer_tick(peer, now_ms);
}

static void drop_copy(ids_seat *seat) {
    const ids_copy *copy = &seat->worker->copy;
    assert(seat->drop_session == 0 || seat->partner->here == seat);
    if (seat->drop_session != 0 && copy->aside &&
        copy->aside_session == seat->drop_session)
        ids_copy_drop(seat->worker);
    seat->drop_session = 0;
}

/* Up to which change replies may leave now: the peer's word, and only of
 * changes that it was told of. */
static uint64_t look_at_gate(ids_seat *seat, const ids_peer *peer) {
    ids_worker *worker = seat->worker;
    uint64_t watermark = kept(seat);
    ids_gate *gate = &peer->gates[worker->index];
    assert(worker->index < peer->config.loops);
    if (worker->serving.stance == IDS_FOLLOWS) {
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
    watermark = ids_hold_left(&worker->hold, watermark);
    ids_gate_left(gate, watermark);
    return watermark;
}

static ids_peer_conn *take_new(ids_seat *seat) {
    ids_peer_conn *first = seat->to_open;
    seat->to_open = NULL;
    return first;
}

/* The steps outside -------------------------------------------------------- */

static void fail_stalled(ids_seat *seat) {
    ids_worker *worker = seat->worker;
    uint64_t wait_ms = seat->partner->config.commit_wait_ms;
    uint64_t oldest_ms = ids_hold_oldest_ms(&worker->hold);
    if (oldest_ms == UINT64_MAX || oldest_ms + wait_ms > worker->now_ms ||
        seat->gate >= worker->hold.changes ||
        worker->serving.stance != IDS_LEADS)
        return;
    assert(oldest_ms <= worker->now_ms);
    ids_hold_fail(worker, worker->now_ms - wait_ms, IDP_E_UNREPLICATED,
                  seat->is_slow
                      ? "slow disk at the replica (see --commit-wait); whether "
                        "this took effect is unknown: ask again"
                      : "the replica did not answer in time; whether this took "
                        "effect is unknown: ask again");
}

/* Peer connections that the peer wants, or that have come. */
static void open_new(ids_seat *seat, ids_peer_conn *conn) {
    for (ids_peer_conn *next; conn; conn = next) {
        next = conn->next;
        conn->next = seat->conns;
        seat->conns = conn;
        assert(conn->seat == seat);
        ids_peer_conn_open(conn);
        if (conn->early.len > 0) {
            ids_pbuf early = conn->early;
            conn->early = (ids_pbuf){0};
            ids_seat_input(seat, conn, early.at, early.len);
            ids_pbuf_fini(&early);
        }
    }
}

static void settle(ids_seat *seat) {
    const ids_node_host *host = &seat->partner->host;
    host->settle(host->ctx, seat->worker->index);
}

/* The order of a turn's end ------------------------------------------------ */

/* What a stay in the monitor gives the worker to do behind it. */
typedef struct may {
    uint64_t watermark; /* up to which change replies may leave */
    ids_peer_conn *open;
} may;

static may stay(ids_seat *seat, ids_peer_conn *conn, idp_slice bytes) {
    ids_partner *partner = seat->partner;
    ids_worker *worker = seat->worker;
    may behind;

    assert(conn == NULL || conn->seat == seat);
    /* No system call between enter and leave, and nothing that grows with what
     * was changed: all other workers wait. */
    ids_peer *peer = ids_partner_enter(seat);
    atomic_store_explicit(&seat->called, false, memory_order_relaxed);
    seat->is_busy = false;
    seat->walk_waits = false;
    seat->is_full = worker->hold.full;

    /* The role first. A node that leads no more fails what is held, and sends
     * waiters away; behind any step that lets go it would be too late (R6). */
    if (!IDS_RULE_OFF(ROLE_FIRST))
        ids_partner_show(partner, seat);

    /* Then what this turn has changed: frames and the gate speak of changes
     * that the peer was told of, or a reply would leave before its change. */
    if (!IDS_RULE_OFF(TELLS_FIRST))
        ids_peer_took(peer, worker->index);

    /* The other node's bytes behind our own changes: an acknowledgement moves
     * the gate, and a full copy that begins here has them in its walk. */
    if (conn != NULL)
        ids_tend_input(seat, peer, conn, bytes);

    /* Records that came before are in (and kept) by now: the pump below
     * acknowledges them in this turn, not in the next one. */
    report_applied(seat, peer);

    /* Time behind what came: silence is judged by what was not said. */
    tick(seat, peer, conn != NULL);

    /* Acknowledgements, and leave to make frames: of all that was said above.
     */
    ids_tend_all(seat, peer);
    drop_copy(seat);

    /* What came may have changed the role: before the gate is asked, since one
     * that stands down opens nothing any more. */
    if (!IDS_RULE_OFF(ROLE_FIRST))
        ids_partner_show(partner, seat);

    /* The gate, last of all: what is let go is said to it in the same stay, so
     * that who joins has it before he is a member. */
    assert(ids_tap_is_empty(&worker->tap));
    assert(worker->serving.stance == IDS_FOLLOWS || peer->leading);
    behind.watermark = look_at_gate(seat, peer);
    behind.open = take_new(seat);
    ids_intake_look(&seat->intake, peer);
    seat->is_slow = ids_peer_is_slow(peer);
    ids_partner_leave(seat);
    return behind;
}

/* What this worker has, what came (connection, bytes; or NULL), what is to
 * leave. */
static void end_with_peer(ids_seat *seat, ids_peer_conn *conn,
                          idp_slice bytes) {
    ids_worker *worker = seat->worker;

    assert(!seat->is_quiet);
    /* What this turn has changed is put where frames are made of it. */
    if (!IDS_RULE_OFF(TELLS_FIRST))
        ids_seat_keep(seat);

    may behind = stay(seat, conn, bytes);

    /* Of what the peer was told of in this stay, and of nothing else: a frame
     * must not be acknowledged before. Who has ended their session meanwhile
     * has made them another session's. */
    ids_tend_make_frames(seat);

    /* Changes go out before the replies of earlier ones: they are waited for
     * longest. */
    ids_tend_send(seat);

    /* With this stay's watermark and no other: the next stay may be another
     * role's, and an older one's changes were counted in another epoch. */
    ids_hold_release(worker, behind.watermark);

    /* Records that came: no reply waits for them here. Once they are in, the
     * next stay says so. */
    if (ids_intake_put(&seat->intake, worker))
        ids_seat_call(seat);

    /* Behind the release: what may leave is not said to be unknown. */
    fail_stalled(seat);

    /* May take a while, so outside, and behind everything that somebody waits
     * for. */
    ids_copy_tidy(worker);

    settle(seat);
    open_new(seat, behind.open);
}

static bool has_reason(const ids_seat *seat) {
    const ids_worker *worker = seat->worker;
    return atomic_load_explicit(&seat->called, memory_order_acquire) ||
           seat->is_busy || seat->is_full != worker->hold.full ||
           !ids_tap_is_empty(&worker->tap) ||
           worker->copy.applied_at < worker->copy.applied.len ||
           worker->copy.failed || ids_hold_is_needed(&worker->hold) ||
           ids_hold_has_more(&worker->hold) ||
           ids_seat_next_ms(seat) <= worker->now_ms;
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
    assert(turn->keeper == NULL || turn->keeper->worker == turn->worker);
    assert(turn->seat == NULL || turn->seat->worker == turn->worker);
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
    busy |= !ids_worker_post(turn->worker);
    turn->settle(turn->ctx);

    /* What all must stand still for: this worker holds nothing back now. */
    if (seat && ids_seat_is_first(seat))
        busy |= ids_partner_swap_if_due(seat->partner);
    return busy || ids_worker_has_more(turn->worker);
}

void ids_seat_input(ids_seat *seat, ids_peer_conn *conn, const uint8_t *bytes,
                    size_t len) {
    assert(conn->seat == seat);
    if (conn->over)
        return;
    if (ids_early_is(conn))
        ids_early_take(seat, conn, (idp_slice){bytes, len});
    else
        end_with_peer(seat, conn, (idp_slice){bytes, len});
}
