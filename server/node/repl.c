/* SPDX-License-Identifier: Apache-2.0 */
/* repl.c -- one worker's part in the peer's monitor, besides its turn's end
 * (turn.c); see replicator.h. */
#include "server/node/replicator.h"

#include "server/worker/commit_gate.h"

#include <assert.h>
#include <stdlib.h>

/* A worker's change buffer is on while it leads; the ring begins where that
 * began, or has begun anew with all workers. */
void ids_repl_keep(ids_repl *repl) {
    ids_worker *worker = repl->worker;
    ids_change_buffer_at at = {0};
    uint64_t number;
    idp_slice change;
    if (ids_change_buffer_is_empty(&worker->change_buffer))
        return;
    assert(worker->role_state.role != IDS_FOLLOWS);
    while (
        ids_change_buffer_next(&worker->change_buffer, &at, &number, &change))
        ids_peer_keep(repl->replicator->peer, worker->index, number, change);
    ids_change_buffer_clear(&worker->change_buffer);
    assert(ids_change_buffer_is_empty(&worker->change_buffer));
}

/* A worker's calls --------------------------------------------------------- */

static ids_peer_conn *next_unread(const ids_repl *repl, uint64_t gaps) {
    ids_peer_conn *conn = repl->conns;
    while (conn && conn->gaps == gaps)
        conn = conn->next;
    return conn;
}

void ids_repl_stood_still(ids_repl *repl, uint64_t gaps, uint64_t all_ms) {
    ids_replicator *replicator = repl->replicator;
    if (repl->is_quiet)
        return;
    ids_peer *peer = ids_replicator_enter(repl);
    if (all_ms > replicator->gaps_ms)
        ids_peer_stood_still(peer, all_ms - replicator->gaps_ms);
    replicator->gaps_ms = all_ms;
    ids_replicator_show(replicator, repl);
    ids_replicator_leave(repl);
    for (ids_peer_conn *each; (each = next_unread(repl, gaps));) {
        each->gaps = gaps;
        assert(each->repl == repl);
        replicator->driver.read(replicator->driver.ctx, each);
    }
}

bool ids_repl_knows_host(ids_repl *repl, const char *host) {
    const ids_peer *peer = ids_replicator_enter(repl);
    bool knows = ids_peer_knows_host(peer, host);
    ids_replicator_leave(repl);
    return knows;
}

void ids_repl_hand_over(ids_repl *repl) {
    ids_repl_keep(repl);
    ids_peer *peer = ids_replicator_enter(repl);
    ids_peer_took(peer, repl->worker->index);
    ids_replicator_leave(repl);
}

bool ids_repl_is_current(ids_repl *repl, const ids_batch_tag *tag) {
    const ids_peer *peer = ids_replicator_enter(repl);
    bool is = ids_peer_is_current(peer, tag);
    assert(tag->session != 0);
    ids_replicator_show(repl->replicator, repl);
    ids_replicator_leave(repl);
    return is;
}

uint64_t ids_repl_next_ms(const ids_repl *repl) {
    uint64_t next_ms =
        ids_repl_is_first(repl) ? repl->replicator->tick_at_ms : UINT64_MAX;
    uint64_t oldest_ms = ids_commit_gate_oldest_ms(&repl->worker->gate);
    if (repl->walk_waits && repl->walked.at_ms + 1 < next_ms)
        next_ms = repl->walked.at_ms + 1;
    for (const ids_peer_conn *each = repl->conns; each; each = each->next)
        if (each->patience_until_ms && each->patience_until_ms < next_ms)
            next_ms = each->patience_until_ms;
    if (oldest_ms != UINT64_MAX &&
        repl->commit_index < repl->worker->gate.changes &&
        oldest_ms + repl->replicator->config.commit_wait_ms < next_ms)
        next_ms = oldest_ms + repl->replicator->config.commit_wait_ms;
    return next_ms;
}

static void unlink_all(ids_peer_conn *first) {
    for (ids_peer_conn *each = first; each; each = each->next) {
        assert(each->link == NULL || each->link->driver == each);
        if (each->link != NULL)
            each->link->driver = NULL;
        each->link = NULL;
    }
}

void ids_repl_quiet(ids_repl *repl) {
    ids_peer_conn *never_opened;
    ids_replicator_enter(repl);
    assert(!repl->is_quiet);
    repl->is_quiet = true;
    never_opened = repl->to_open;
    repl->to_open = NULL;
    unlink_all(repl->conns);
    unlink_all(never_opened);
    ids_replicator_leave(repl);
    while (repl->conns)
        ids_peer_conn_close(repl->conns);
    for (ids_peer_conn *next; never_opened; never_opened = next) {
        next = never_opened->next;
        never_opened->next = repl->conns;
        repl->conns = never_opened;
        ids_peer_conn_close(never_opened);
    }
    assert(repl->conns == NULL && repl->to_open == NULL);
}
