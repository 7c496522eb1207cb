/* SPDX-License-Identifier: Apache-2.0 */
/* turn.c -- the end of a worker's turn, in its order; see turn.h. */
#include "server/node/turn.h"

#include "server/node/tend.h"
#include "server/peer/mutant.h"
#include "server/worker/commit_gate.h"

#include <assert.h>

/* The steps within the monitor --------------------------------------------- */

static uint64_t kept_replies_mark(const ids_repl *repl) {
    if (IDS_RULE_OFF(KEPT_REPLIES))
        return UINT64_MAX;
    return repl->worker_log ? ids_worker_log_watermark(repl->worker_log)
                            : UINT64_MAX;
}

static void report_applied(ids_repl *repl, ids_peer *peer) {
    ids_worker *worker = repl->worker;
    ids_applied applied;
    uint64_t up_to = repl->worker_log
                         ? ids_worker_log_watermark(repl->worker_log)
                         : UINT64_MAX;
    while (ids_staging_next_applied(worker, up_to, &applied))
        while (applied.count-- > 0)
            ids_peer_applied(peer, &applied.tag);
    if (ids_staging_take_failure(worker) && peer->upstream.id != 0 &&
        peer->upstream.stream[0] != NULL)
        ids_peer_lost(peer, peer->upstream.stream[0], peer->now_ms);
}

static void tick(ids_repl *repl, ids_peer *peer, bool bytes_came) {
    uint64_t now_ms = repl->worker->now_ms;
    if (bytes_came || peer->switch_epoch != 0 ||
        (ids_repl_is_first(repl) && now_ms >= repl->replicator->tick_at_ms))
        ids_peer_tick(peer, now_ms);
}

static void drop_copy(ids_repl *repl) {
    const ids_staging *copy = &repl->worker->staging;
    assert(repl->drop_session == 0 || repl->replicator->here == repl);
    if (repl->drop_session != 0 && copy->staged &&
        copy->staged_session == repl->drop_session)
        ids_staging_drop(repl->worker);
    repl->drop_session = 0;
}

/* Up to which change replies may leave now: the peer's word, and only of
 * changes that it was told of. */
static uint64_t look_at_commit_index(ids_repl *repl, const ids_peer *peer) {
    ids_worker *worker = repl->worker;
    uint64_t watermark = kept_replies_mark(repl);
    ids_commit_index *commit_index = &peer->commit_indexes[worker->index];
    assert(worker->index < peer->config.loops);
    if (worker->role_state.role == IDS_FOLLOWS) {
        repl->commit_index = UINT64_MAX;
        return watermark;
    }
    if (IDS_RULE_OFF(WATERMARK_NOW)) {
        uint64_t last_turns = repl->commit_index;
        repl->commit_index = ids_peer_watermark(peer, worker->index);
        return watermark < last_turns ? watermark : last_turns;
    }
    repl->commit_index = ids_peer_watermark(peer, worker->index);
    if (watermark > repl->commit_index)
        watermark = repl->commit_index;
    watermark = ids_commit_gate_left(&worker->gate, watermark);
    ids_commit_index_left(commit_index, watermark);
    return watermark;
}

/* The steps outside -------------------------------------------------------- */

static void fail_stalled(ids_repl *repl) {
    ids_worker *worker = repl->worker;
    uint64_t wait_ms = repl->replicator->config.commit_wait_ms;
    uint64_t oldest_ms = ids_commit_gate_oldest_ms(&worker->gate);
    if (oldest_ms == UINT64_MAX || oldest_ms + wait_ms > worker->now_ms ||
        repl->commit_index >= worker->gate.changes ||
        worker->role_state.role != IDS_LEADS)
        return;
    assert(oldest_ms <= worker->now_ms);
    ids_commit_gate_fail(
        worker, worker->now_ms - wait_ms, IDP_E_UNREPLICATED,
        repl->is_slow ? "slow disk at the replica (see --commit-wait); whether "
                        "this took effect is unknown: ask again"
                      : "the replica did not answer in time; whether this took "
                        "effect is unknown: ask again");
}

/* Peer connections that the peer wants, or that have come. */
static void open_new(ids_repl *repl, ids_peer_conn *conn) {
    for (ids_peer_conn *next; conn; conn = next) {
        next = conn->next;
        conn->next = repl->conns;
        repl->conns = conn;
        assert(conn->repl == repl);
        ids_peer_conn_open(conn);
        if (conn->early.len > 0) {
            idp_bytes early = conn->early;
            conn->early = (idp_bytes){0};
            ids_repl_input(repl, conn, early.ptr, early.len);
            idp_bytes_free(&early);
        }
    }
}

/* The order of a turn's end ------------------------------------------------ */

/* What a stay in the monitor gives the worker to do behind it. */
typedef struct may {
    uint64_t watermark; /* up to which change replies may leave */
    ids_peer_conn *open;
} may;

static may stay(ids_repl *repl, ids_peer_conn *conn, idp_slice bytes) {
    ids_replicator *replicator = repl->replicator;
    ids_worker *worker = repl->worker;
    may behind;

    assert(conn == NULL || conn->repl == repl);
    /* No system call between enter and leave, and nothing that grows with what
     * was changed: all other workers wait. */
    ids_peer *peer = ids_replicator_enter(repl);
    atomic_store_explicit(&repl->called, false, memory_order_relaxed);
    repl->is_busy = false;
    repl->walk_waits = false;
    repl->is_full = worker->gate.full;

    /* The role first. A node that leads no more fails what is held, and sends
     * waiters away; behind any step that lets go it would be too late (R6). */
    if (!IDS_RULE_OFF(ROLE_FIRST))
        ids_replicator_show(replicator, repl);

    /* Then what this turn has changed: frames and the gate speak of changes
     * that the peer was told of, or a reply would leave before its change. */
    if (!IDS_RULE_OFF(TELLS_FIRST))
        ids_peer_took(peer, worker->index);

    /* The other node's bytes behind our own changes: an acknowledgement moves
     * the gate, and a full copy that begins here has them in its walk. */
    if (conn != NULL)
        ids_tend_input(repl, peer, conn, bytes);

    /* Records that came before are in (and kept) by now: the pump below
     * acknowledges them in this turn, not in the next one. */
    report_applied(repl, peer);

    /* Time behind what came: silence is judged by what was not said. */
    tick(repl, peer, conn != NULL);

    /* Acknowledgements, and leave to make frames: of all that was said above.
     */
    ids_tend_all(repl, peer);
    drop_copy(repl);

    /* What came may have changed the role: before the gate is asked, since one
     * that stands down opens nothing any more. */
    if (!IDS_RULE_OFF(ROLE_FIRST))
        ids_replicator_show(replicator, repl);

    /* The gate, last of all: what is let go is said to it in the same stay, so
     * that who joins has it before he is a member. */
    assert(ids_change_buffer_is_empty(&worker->change_buffer));
    assert(worker->role_state.role == IDS_FOLLOWS || peer->leading);
    behind.watermark = look_at_commit_index(repl, peer);
    behind.open = repl->to_open;
    repl->to_open = NULL;
    ids_intake_look(&repl->intake, peer);
    repl->is_slow = ids_peer_is_slow(peer);
    ids_replicator_leave(repl);
    return behind;
}

/* What this worker has, what came (connection, bytes; or NULL), what is to
 * leave. */
static void end_with_peer(ids_repl *repl, ids_peer_conn *conn,
                          idp_slice bytes) {
    const ids_node_driver *driver = &repl->replicator->driver;
    ids_worker *worker = repl->worker;

    assert(!repl->is_quiet);
    /* What this turn has changed is put where frames are made of it. */
    if (!IDS_RULE_OFF(TELLS_FIRST))
        ids_repl_keep(repl);

    may behind = stay(repl, conn, bytes);

    /* Of what the peer was told of in this stay, and of nothing else: a frame
     * must not be acknowledged before. Who has ended their session meanwhile
     * has made them another session's. */
    ids_tend_make_frames(repl);

    /* Changes go out before the replies of earlier ones: they are waited for
     * longest. */
    ids_tend_send(repl);

    /* With this stay's watermark and no other: the next stay may be another
     * role's, and an older one's changes were counted in another epoch. */
    ids_commit_gate_release(worker, behind.watermark);
    worker->gate.kept = kept_replies_mark(repl);

    /* Records that came: no reply waits for them here. Once they are in, the
     * next stay says so. */
    if (ids_intake_put(&repl->intake, worker))
        ids_repl_call(repl);

    /* Behind the release: what may leave is not said to be unknown. */
    fail_stalled(repl);

    /* May take a while, so outside, and behind everything that somebody waits
     * for. */
    ids_staging_tidy(worker);

    driver->flush(driver->ctx, worker->index);
    open_new(repl, behind.open);
}

static bool has_reason(const ids_repl *repl) {
    const ids_worker *worker = repl->worker;
    return atomic_load_explicit(&repl->called, memory_order_acquire) ||
           repl->is_busy || repl->is_full != worker->gate.full ||
           !ids_change_buffer_is_empty(&worker->change_buffer) ||
           worker->staging.applied_at < worker->staging.applied.len ||
           worker->staging.failed || ids_commit_gate_is_needed(&worker->gate) ||
           ids_commit_gate_has_more(&worker->gate) ||
           ids_repl_next_ms(repl) <= worker->now_ms;
}

static bool repl_turn(ids_repl *repl) {
    if (repl->is_quiet)
        return false;
    if (has_reason(repl))
        end_with_peer(repl, NULL, (idp_slice){NULL, 0});
    if (ids_repl_is_first(repl))
        ids_replicator_chores(repl->replicator);
    return repl->is_busy ||
           atomic_load_explicit(&repl->called, memory_order_acquire);
}

bool ids_turn_end(ids_turn *turn, bool again) {
    bool busy = false;
    ids_repl *repl = again ? NULL : turn->repl;
    assert(turn->worker_log == NULL ||
           turn->worker_log->worker == turn->worker);
    assert(turn->repl == NULL || turn->repl->worker == turn->worker);
    turn->flush(turn->ctx);

    /* The log before the peer: the watermark is the lower of the two, and the
     * log's is this turn's. */
    if (turn->worker_log) {
        busy |= ids_worker_log_turn(turn->worker_log);
        turn->flush(turn->ctx);
    }

    /* Between the two: nothing is half done. */
    if (turn->repl)
        turn->park(turn->ctx);
    if (repl)
        busy |= repl_turn(repl);

    /* Messages last: replies to other workers' clients that were let go above
     * are among it. */
    busy |= !ids_worker_post(turn->worker);
    turn->flush(turn->ctx);

    /* What all must stand still for: this worker holds nothing back now. */
    if (repl && ids_repl_is_first(repl))
        busy |= ids_replicator_swap_if_due(repl->replicator);
    return busy || ids_worker_has_more(turn->worker);
}

void ids_repl_input(ids_repl *repl, ids_peer_conn *conn, const uint8_t *bytes,
                    size_t len) {
    assert(conn->repl == repl);
    if (conn->over)
        return;
    if (ids_early_is(conn))
        ids_early_take(repl, conn, (idp_slice){bytes, len});
    else
        end_with_peer(repl, conn, (idp_slice){bytes, len});
}
