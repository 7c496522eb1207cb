/* SPDX-License-Identifier: Apache-2.0 */
/* replicator.c -- the life of the node's peer, and the steps that only the
 * first worker takes; see replicator.h. */
#include "server/node/replicator.h"

#include "server/base/log.h"
#include "server/peer/mutant.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Decisions ---------------------------------------------------------------- */

static uint64_t now_of(const ids_replicator *replicator) {
    return replicator->repls[0].worker->now_ms;
}

static void propose(void *ctx, const ids_decision *next) {
    ids_replicator *replicator = ctx;
    assert(!replicator->has_proposal);
    replicator->proposal = *next;
    replicator->has_proposal = true;
}

/* All workers stand still: none serves a call before it knows whether it may.
 * Whoever listens hears at once of the lead, not with the next heartbeat. */
static void begin_lead(ids_replicator *replicator, ids_peer *peer) {
    assert(ids_quiesce_is_whole(&replicator->quiesce));
    for (uint32_t i = 0;
         i < replicator->repls_count && !IDS_RULE_OFF(MIN_LEAVES); i++)
        ids_replicator_show(replicator, &replicator->repls[i]);
    for (uint32_t i = 0; i < peer->link_count; i++)
        peer->links[i]->last_sent_ms = 0;
}

/* It is on record, and in effect from here on. */
static void take_up(ids_replicator *replicator) {
    uint64_t now_ms = now_of(replicator);
    ids_peer *peer = ids_replicator_enter(&replicator->repls[0]);
    bool led = peer->leading;
    ids_peer_decided(peer, now_ms);
    assert(peer->known.epoch >= peer->lead_epoch &&
           peer->pending != IDS_PENDING_START);
    if (peer->leading && !led)
        begin_lead(replicator, peer);
    ids_peer_tick(peer, now_ms);
    ids_replicator_wake_all(replicator);
    ids_replicator_leave(&replicator->repls[0]);
}

static bool was_ordered(ids_pending what) {
    return what == IDS_PENDING_PROMOTE || what == IDS_PENDING_DETACH ||
           what == IDS_PENDING_SWITCHOVER || what == IDS_PENDING_TOLD;
}

/* Of what is tried again once for each reason, not with each try. A promotion
 * is tried once, also one that the primary handed over with. */
static void say_not_recorded(ids_replicator *replicator, ids_pending what,
                             int error) {
    assert(error != 0);
    if (was_ordered(what) || replicator->logged_error != error)
        ids_log(IDS_LOG_ERROR, "a decision can't be recorded: nothing changes",
                "at=\"--peer-state %s\" reason=\"%s\" todo=\"make room, or "
                "mend it; %s\"",
                replicator->config.record_path, strerror(error),
                what == IDS_PENDING_PROMOTE ? "then idemctl promote here"
                : was_ordered(what)         ? "then give it again"
                                            : "it is tried again");
    if (!was_ordered(what))
        replicator->logged_error = error;
}

/* The old decision stands: a command is refused, the rest is tried again. */
static void take_back_decision(ids_replicator *replicator, int error) {
    ids_peer *peer = ids_replicator_enter(&replicator->repls[0]);
    ids_pending what = ids_peer_undecided(peer, now_of(replicator));
    assert(error != 0);
    ids_replicator_wake_all(replicator);
    ids_replicator_leave(&replicator->repls[0]);
    say_not_recorded(replicator, what, error);
    if (was_ordered(what))
        ids_replicator_fail_command(replicator, error);
}

static void take_up_quiesced(ids_replicator *replicator) {
    assert(ids_quiesce_is_whole(&replicator->quiesce));
    take_up(replicator);
}

void ids_replicator_recorded(ids_replicator *replicator, int error) {
    const ids_node_driver *driver = &replicator->driver;
    ids_repl *repl = &replicator->repls[0];
    assert(replicator->is_recording);
    replicator->is_recording = false;
    if (repl->is_quiet)
        return;
    ids_repl_call(repl);
    if (error) {
        take_back_decision(replicator, error);
        return;
    }
    replicator->logged_error = 0;
    const ids_peer *peer = ids_replicator_enter(repl);
    bool stops = ids_peer_decided_stops_world(peer);
    ids_replicator_leave(repl);
    if (stops)
        driver->quiesce(driver->ctx, take_up_quiesced);
    else
        take_up(replicator);
}

static void begin_recording(ids_replicator *replicator) {
    const ids_node_driver *driver = &replicator->driver;
    ids_decision next;
    assert(!replicator->is_recording);
    ids_replicator_enter(&replicator->repls[0]);
    bool has = replicator->has_proposal && !replicator->is_recording;
    if (has)
        next = replicator->proposal;
    replicator->has_proposal = replicator->has_proposal && !has;
    ids_replicator_leave(&replicator->repls[0]);
    if (!has)
        return;
    replicator->is_recording = true;
    assert(next.version != 0);
    driver->record(driver->ctx, &next);
}

/* A copy whose place could not be cleared on the medium. */
#define SWAP_AGAIN_MS 1000

/* A copy that is whole ----------------------------------------------------- */

/* Can every worker? */
static bool prepare_copies(ids_replicator *replicator, uint64_t session) {
    assert(session != 0 && replicator->here != NULL);
    for (uint32_t i = 0; i < replicator->repls_count; i++) {
        ids_replicator_show(replicator, &replicator->repls[i]);
        if (!ids_staging_prepare(replicator->repls[i].worker, session))
            return false;
    }
    return true;
}

/* All workers, or none: the staging copy stays until what was here is closed on
 * the medium. */
static bool swap_copies(ids_replicator *replicator) {
    const ids_node_driver *driver = &replicator->driver;
    uint32_t count = replicator->repls_count;
    assert(replicator->repls_count >= 1);
    if (driver->replace && !driver->replace(driver->ctx))
        return false;
    count -= IDS_RULE_OFF(SWAPS_ALL) && count > 1;
    for (uint32_t i = 0; i < count; i++)
        ids_staging_swap(replicator->repls[i].worker);
    replicator->holdings.stand = false;
    driver->replaced(driver->ctx);
    return true;
}

/* It takes the old one's place now, or later; where some worker can't, its
 * session ends. */
static void take_copy(ids_replicator *replicator, ids_peer *peer) {
    uint64_t now_ms = now_of(replicator);
    assert(peer->upstream.id != 0);
    if (!prepare_copies(replicator, peer->upstream.id))
        ids_peer_lost(peer, peer->upstream.stream[0], now_ms);
    else if (!swap_copies(replicator))
        replicator->swap_from_ms = now_ms + SWAP_AGAIN_MS;
    else
        ids_peer_swapped(peer, now_ms);
}

/* All stand still. The session may have ended since it was asked for. */
static void swap(ids_replicator *replicator) {
    assert(ids_quiesce_is_whole(&replicator->quiesce));
    ids_peer *peer = ids_replicator_enter(&replicator->repls[0]);
    if (ids_peer_swap_is_due(peer))
        take_copy(replicator, peer);
    ids_peer_gather(peer, now_of(replicator));
    ids_replicator_wake_all(replicator);
    ids_replicator_leave(&replicator->repls[0]);
}

bool ids_replicator_swap_if_due(ids_replicator *replicator) {
    const ids_node_driver *driver = &replicator->driver;
    if (!replicator->wants_swap || replicator->repls[0].is_quiet)
        return false;
    replicator->wants_swap = false;
    driver->quiesce(driver->ctx, swap);
    return true;
}

/* What it holds ------------------------------------------------------------ */

/* Before any worker runs: a node that leads by itself need not be compared. */
static void count_holdings(ids_replicator *replicator) {
    ids_holdings *h = &replicator->holdings;
    *h = (ids_holdings){.stand = !replicator->peer->leading};
    for (uint32_t i = 0; h->stand && i < replicator->repls_count; i++)
        ids_holdings_count(h, replicator->repls[i].worker->shard,
                           now_of(replicator));
}

/* Chores ------------------------------------------------------------------- */

/* Any worker may be asked for stats, one that sleeps too. */
static void count_lag(ids_replicator *replicator) {
    ids_peer_status status;
    ids_refusal refusal;
    ids_repl *repl = &replicator->repls[0];
    ids_peer *peer = ids_replicator_enter(repl);
    const ids_role_state was = replicator->role_state;
    ids_peer_status_get(peer, &status);
    if (peer->leading)
        replicator->holdings.stand = false;
    ids_replicator_gauge(&replicator->role_state, &status);
    bool is_news = ids_peer_next_refusal(peer, &refusal);
    ids_replicator_work_out(replicator);
    if (!ids_role_state_same(&was, &replicator->role_state))
        ids_replicator_wake_all(replicator);
    ids_replicator_leave(repl);
    ids_replicator_say(replicator, &status);
    if (is_news)
        ids_replicator_say_refusal(&refusal);
}

void ids_replicator_chores(ids_replicator *replicator) {
    ids_repl *repl = &replicator->repls[0];
    uint64_t now_ms = now_of(replicator);
    bool ticks = now_ms >= replicator->tick_at_ms;
    bool has = atomic_exchange(&replicator->has_chores, false);
    if (!ticks && !has && !replicator->command.is_there)
        return;
    if (!replicator->is_recording)
        begin_recording(replicator);
    const ids_peer *peer = ids_replicator_enter(repl);
    replicator->wants_swap =
        (now_ms >= replicator->swap_from_ms && ids_peer_swap_is_due(peer)) ||
        ids_peer_gather_is_due(peer);
    ids_replicator_leave(repl);
    ids_replicator_look_at_command(replicator);
    if (ticks)
        replicator->tick_at_ms = now_ms + replicator->config.tick_ms;
    if (ticks || has)
        count_lag(replicator);
}

/* Its life ----------------------------------------------------------------- */

static bool take_repls(ids_replicator *replicator, ids_worker *const *workers,
                       ids_worker_log *const *worker_logs) {
    uint32_t count = replicator->config.peer.loops;
    assert(count >= 1 && count <= IDP_SHARDS_MAX);
    replicator->repls = calloc(count, sizeof *replicator->repls);
    if (replicator->repls == NULL)
        return false;
    replicator->repls_count = count;
    for (uint32_t i = 0; i < count; i++)
        replicator->repls[i] =
            (ids_repl){.replicator = replicator,
                       .worker = workers[i],
                       .worker_log = worker_logs ? worker_logs[i] : NULL,
                       .commit_index = UINT64_MAX};
    return true;
}

/* Where nobody joins by key nothing is noted. */
static bool make_key_rings(ids_replicator *replicator) {
    size_t bytes = replicator->config.key_rings_bytes;
    for (uint32_t i = 0; bytes > 0 && i < replicator->repls_count; i++)
        if (!ids_key_ring_init(&replicator->repls[i].worker->keys,
                               bytes / replicator->repls_count))
            return false;
    return true;
}

bool ids_replicator_begin(ids_replicator *replicator,
                          const ids_replicator_config *config,
                          const ids_node_driver *driver,
                          const ids_decision *recorded,
                          ids_worker *const *workers,
                          ids_worker_log *const *worker_logs) {
    *replicator = (ids_replicator){.config = *config, .driver = *driver};
    assert(driver->enter != NULL && driver->record != NULL &&
           driver->quiesce != NULL);
    replicator->config.peer.decisions = (ids_decisions){replicator, propose};
    replicator->config.peer.driver = ids_replicator_driver(replicator);
    ids_quiesce_init(&replicator->quiesce, config->peer.loops - 1);
    if (!take_repls(replicator, workers, worker_logs))
        return false;
    if (!make_key_rings(replicator))
        return false;
    uint64_t now_ms = driver->clock_ms(driver->ctx);
    for (uint32_t i = 0; i < replicator->repls_count; i++)
        workers[i]->now_ms = now_ms;
    replicator->peer = ids_peer_new(&replicator->config.peer, recorded, now_ms);
    return replicator->peer != NULL;
}

void ids_replicator_start(ids_replicator *replicator,
                          const ids_decision *recorded) {
    const ids_node_driver *driver = &replicator->driver;
    assert(replicator->has_proposal && replicator->here == NULL);
    replicator->has_proposal = false;
    ids_peer_decided(replicator->peer, driver->clock_ms(driver->ctx));
    assert(replicator->peer->pending != IDS_PENDING_START);
    ids_peer_status_get(replicator->peer, &replicator->logged);
    ids_replicator_gauge(&replicator->role_state, &replicator->logged);
    count_holdings(replicator);
    for (uint32_t i = 0; i < replicator->repls_count; i++)
        ids_replicator_show(replicator, &replicator->repls[i]);
    ids_replicator_say_start(replicator, recorded);
}

void ids_replicator_close(ids_replicator *replicator) {
    assert(replicator->here == NULL);
    ids_peer_free(replicator->peer);
    for (uint32_t i = 0; replicator->repls && i < replicator->repls_count; i++)
        ids_intake_fini(&replicator->repls[i].intake);
    free(replicator->repls);
    replicator->peer = NULL;
    replicator->repls = NULL;
}
