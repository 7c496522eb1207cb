/* SPDX-License-Identifier: Apache-2.0 */
/* partner.c -- the life of the node's peer, and the steps that only the first
 * worker takes; see partner.h. */
#include "server/node/partner.h"

#include "server/log.h"
#include "server/peer/mutant.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Decisions ---------------------------------------------------------------- */

static uint64_t now_of(const ids_partner *partner) {
    return partner->seats[0].worker->now_ms;
}

static void propose(void *ctx, const ids_decision *next) {
    ids_partner *partner = ctx;
    assert(!partner->has_proposal);
    partner->proposal = *next;
    partner->has_proposal = true;
}

/* Whoever listens hears at once of a new lead, not with the next heartbeat. */
static void speak_at_once(ids_peer *peer) {
    for (uint32_t i = 0; i < peer->link_count; i++)
        peer->links[i]->said_ms = 0;
}

/* It is on record, and in effect from here on. */
static void take_up(ids_partner *partner) {
    uint64_t now_ms = now_of(partner);
    ids_peer *peer = ids_partner_enter(&partner->seats[0]);
    bool led = peer->leading;
    ids_peer_decided(peer, now_ms);
    assert(peer->known.epoch >= peer->lead_epoch &&
           peer->pending != IDS_PENDING_START);
    if (peer->leading && !led)
        speak_at_once(peer);
    ids_peer_tick(peer, now_ms);
    ids_partner_wake_all(partner);
    ids_partner_leave(&partner->seats[0]);
}

static bool was_ordered(ids_pending what) {
    return what == IDS_PENDING_PROMOTE || what == IDS_PENDING_DETACH ||
           what == IDS_PENDING_SWITCHOVER;
}

/* Of what is tried again once for each reason, not with each try. A promotion
 * is tried once, also one that the primary handed over with. */
static void say_not_recorded(ids_partner *partner, ids_pending what,
                             int error) {
    assert(error != 0);
    if (was_ordered(what) || partner->said_error != error)
        ids_log(IDS_LOG_ERROR, "a decision can't be recorded: nothing changes",
                "at=\"--peer-state %s\" reason=\"%s\" todo=\"make room, or "
                "mend it; %s\"",
                partner->config.record_path, strerror(error),
                what == IDS_PENDING_PROMOTE ? "then idemctl promote here"
                : was_ordered(what)         ? "then order it again"
                                            : "it is tried again");
    if (!was_ordered(what))
        partner->said_error = error;
}

/* The old decision stands: an order is refused, the rest is tried again. */
static void take_back(ids_partner *partner, int error) {
    ids_peer *peer = ids_partner_enter(&partner->seats[0]);
    ids_pending what = ids_peer_undecided(peer, now_of(partner));
    assert(error != 0);
    ids_partner_wake_all(partner);
    ids_partner_leave(&partner->seats[0]);
    say_not_recorded(partner, what, error);
    if (was_ordered(what))
        ids_partner_fail_order(partner, error);
}

static void take_up_quiesced(ids_partner *partner) {
    assert(ids_quiesce_is_whole(&partner->quiesce));
    take_up(partner);
}

void ids_partner_recorded(ids_partner *partner, int error) {
    const ids_node_host *host = &partner->host;
    ids_seat *seat = &partner->seats[0];
    assert(partner->is_recording);
    partner->is_recording = false;
    if (seat->is_quiet)
        return;
    ids_seat_call(seat);
    if (error) {
        take_back(partner, error);
        return;
    }
    partner->said_error = 0;
    const ids_peer *peer = ids_partner_enter(seat);
    bool stops = ids_peer_decided_stops_world(peer);
    ids_partner_leave(seat);
    if (stops)
        host->quiesce(host->ctx, take_up_quiesced);
    else
        take_up(partner);
}

static void begin_recording(ids_partner *partner) {
    const ids_node_host *host = &partner->host;
    ids_decision next;
    assert(!partner->is_recording);
    ids_partner_enter(&partner->seats[0]);
    bool has = partner->has_proposal && !partner->is_recording;
    if (has)
        next = partner->proposal;
    partner->has_proposal = partner->has_proposal && !has;
    ids_partner_leave(&partner->seats[0]);
    if (!has)
        return;
    partner->is_recording = true;
    assert(next.version != 0);
    host->record(host->ctx, &next);
}

/* A copy whose place could not be cleared on the medium. */
#define SWAP_AGAIN_MS 1000

/* A copy that is whole ----------------------------------------------------- */

/* Can every worker? */
static bool prepare_copies(ids_partner *partner, uint64_t session) {
    assert(session != 0 && partner->here != NULL);
    for (uint32_t i = 0; i < partner->seats_count; i++) {
        ids_partner_show(partner, &partner->seats[i]);
        if (!ids_copy_prepare(partner->seats[i].worker, session))
            return false;
    }
    return true;
}

/* All workers, or none: the copy stays aside until what was here is closed on
 * the medium. */
static bool swap_copies(ids_partner *partner) {
    const ids_node_host *host = &partner->host;
    uint32_t count = partner->seats_count;
    assert(partner->seats_count >= 1);
    if (host->replace && !host->replace(host->ctx))
        return false;
    count -= IDS_RULE_OFF(SWAPS_ALL) && count > 1;
    for (uint32_t i = 0; i < count; i++)
        ids_copy_swap(partner->seats[i].worker);
    partner->holdings.stand = false;
    host->replaced(host->ctx);
    return true;
}

/* It takes the old one's place now, or later; where some worker can't, its
 * session ends. */
static void take_copy(ids_partner *partner, ids_peer *peer) {
    uint64_t now_ms = now_of(partner);
    assert(peer->upstream.id != 0);
    if (!prepare_copies(partner, peer->upstream.id))
        ids_peer_lost(peer, peer->upstream.stream[0], now_ms);
    else if (!swap_copies(partner))
        partner->swap_from_ms = now_ms + SWAP_AGAIN_MS;
    else
        ids_peer_swapped(peer, now_ms);
}

/* All stand still. The session may have ended since it was asked for. */
static void swap(ids_partner *partner) {
    assert(ids_quiesce_is_whole(&partner->quiesce));
    ids_peer *peer = ids_partner_enter(&partner->seats[0]);
    if (ids_peer_swap_is_due(peer))
        take_copy(partner, peer);
    ids_partner_wake_all(partner);
    ids_partner_leave(&partner->seats[0]);
}

bool ids_partner_swap_if_due(ids_partner *partner) {
    const ids_node_host *host = &partner->host;
    if (!partner->wants_swap || partner->seats[0].is_quiet)
        return false;
    partner->wants_swap = false;
    host->quiesce(host->ctx, swap);
    return true;
}

/* What it holds ------------------------------------------------------------ */

/* Before any worker runs: a node that leads by itself need not be compared. */
static void count_holdings(ids_partner *partner) {
    ids_holdings *h = &partner->holdings;
    *h = (ids_holdings){.stand = !partner->peer->leading};
    for (uint32_t i = 0; h->stand && i < partner->seats_count; i++)
        ids_holdings_count(h, partner->seats[i].worker->shard, now_of(partner));
}

/* Chores ------------------------------------------------------------------- */

/* Any worker may be asked for stats, one that sleeps too. */
static void count_lag(ids_partner *partner) {
    ids_peer_status status;
    ids_refusal refusal;
    ids_seat *seat = &partner->seats[0];
    ids_peer *peer = ids_partner_enter(seat);
    const ids_serving was = partner->serving;
    ids_peer_status_get(peer, &status);
    if (peer->leading)
        partner->holdings.stand = false;
    ids_partner_gauge(&partner->serving, &status);
    bool is_news = ids_peer_next_refusal(peer, &refusal);
    ids_partner_work_out(partner);
    if (!ids_serving_same(&was, &partner->serving))
        ids_partner_wake_all(partner);
    ids_partner_leave(seat);
    ids_partner_say(partner, &status);
    if (is_news)
        ids_partner_say_refusal(&refusal);
}

void ids_partner_chores(ids_partner *partner) {
    ids_seat *seat = &partner->seats[0];
    uint64_t now_ms = now_of(partner);
    bool ticks = now_ms >= partner->tick_at_ms;
    bool has = atomic_exchange(&partner->has_chores, false);
    if (!ticks && !has && !partner->order.is_there)
        return;
    if (!partner->is_recording)
        begin_recording(partner);
    const ids_peer *peer = ids_partner_enter(seat);
    partner->wants_swap =
        now_ms >= partner->swap_from_ms && ids_peer_swap_is_due(peer);
    ids_partner_leave(seat);
    ids_partner_look_at_order(partner);
    if (ticks)
        partner->tick_at_ms = now_ms + partner->config.tick_ms;
    if (ticks || has)
        count_lag(partner);
}

/* Its life ----------------------------------------------------------------- */

static bool take_seats(ids_partner *partner, ids_worker *const *workers,
                       ids_keeper *const *keepers) {
    uint32_t count = partner->config.peer.loops;
    assert(count >= 1 && count <= IDP_SHARDS_MAX);
    partner->seats = calloc(count, sizeof *partner->seats);
    if (partner->seats == NULL)
        return false;
    partner->seats_count = count;
    for (uint32_t i = 0; i < count; i++)
        partner->seats[i] = (ids_seat){.partner = partner,
                                       .worker = workers[i],
                                       .keeper = keepers ? keepers[i] : NULL,
                                       .gate = UINT64_MAX};
    return true;
}

bool ids_partner_begin(ids_partner *partner, const ids_partner_config *config,
                       const ids_node_host *host, const ids_decision *recorded,
                       ids_worker *const *workers, ids_keeper *const *keepers) {
    *partner = (ids_partner){.config = *config, .host = *host};
    assert(host->enter != NULL && host->record != NULL &&
           host->quiesce != NULL);
    partner->config.peer.decisions = (ids_decisions){partner, propose};
    partner->config.peer.host = ids_partner_host(partner);
    ids_quiesce_init(&partner->quiesce, config->peer.loops - 1);
    if (!take_seats(partner, workers, keepers))
        return false;
    uint64_t now_ms = host->clock_ms(host->ctx);
    for (uint32_t i = 0; i < partner->seats_count; i++)
        workers[i]->now_ms = now_ms;
    partner->peer = ids_peer_new(&partner->config.peer, recorded, now_ms);
    return partner->peer != NULL;
}

void ids_partner_start(ids_partner *partner, const ids_decision *recorded) {
    const ids_node_host *host = &partner->host;
    assert(partner->has_proposal && partner->here == NULL);
    partner->has_proposal = false;
    ids_peer_decided(partner->peer, host->clock_ms(host->ctx));
    assert(partner->peer->pending != IDS_PENDING_START);
    ids_peer_status_get(partner->peer, &partner->said);
    ids_partner_gauge(&partner->serving, &partner->said);
    count_holdings(partner);
    for (uint32_t i = 0; i < partner->seats_count; i++)
        ids_partner_show(partner, &partner->seats[i]);
    ids_partner_say_start(partner, recorded);
}

void ids_partner_close(ids_partner *partner) {
    assert(partner->here == NULL);
    ids_peer_free(partner->peer);
    for (uint32_t i = 0; partner->seats && i < partner->seats_count; i++)
        ids_intake_fini(&partner->seats[i].intake);
    free(partner->seats);
    partner->peer = NULL;
    partner->seats = NULL;
}
