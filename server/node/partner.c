/* SPDX-License-Identifier: Apache-2.0 */
/* partner.c -- the monitor around the node's peer, its life, and the steps that
 * only the first loop takes; see partner.h. */
#include "server/node/partner.h"

#include "server/io/store.h"
#include "server/log.h"
#include "server/peer/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS 25

/* The monitor -------------------------------------------------------------- */

ids_peer *ids_partner_enter(ids_seat *seat) {
    ids_partner *partner = seat->partner;
    pthread_mutex_lock(&partner->lock);
    partner->here = seat;
    return partner->peer;
}

void ids_partner_wake(ids_seat *seat) {
    const ids_partner *partner = seat->partner;
    bool was = atomic_exchange(&seat->called, true);
    if (!was && seat != partner->here && !seat->is_quiet)
        ids_loop_wake(seat->loop);
}

void ids_partner_wake_all(ids_partner *partner) {
    for (uint32_t i = 0; i < partner->seats_count; i++)
        ids_partner_wake(&partner->seats[i]);
}

/* Words for links of other loops. */
static void wake_speakers(ids_partner *partner) {
    const ids_peer *peer = partner->peer;
    for (uint32_t i = 0; i < peer->link_count; i++) {
        const ids_link *link = peer->links[i];
        ids_cable *cable = link->host;
        if (cable && cable->seat != partner->here && link->out.len > 0)
            ids_partner_wake(cable->seat);
    }
}

static bool is_seen(const ids_partner *partner) {
    const ids_peer *peer = partner->peer;
    return partner->seen.session == peer->session &&
           partner->seen.version == peer->known.version &&
           partner->seen.switch_epoch == peer->switch_epoch &&
           partner->seen.leading == peer->leading &&
           partner->seen.joining == peer->joining &&
           partner->seen.due == ids_peer_swap_is_due(peer);
}

static void lose_undialled(ids_partner *partner) {
    ids_peer *peer = partner->peer;
    partner->dial_failed = false;
    for (uint32_t i = 0; i < peer->link_count; i++) {
        ids_link *link = peer->links[i];
        if (link->dialled && link->host == NULL) {
            ids_peer_lost(peer, link, peer->now_ms);
            i = UINT32_MAX; /* several may have gone: from the start */
        }
    }
}

void ids_partner_leave(ids_seat *seat) {
    ids_partner *partner = seat->partner;
    const ids_peer *peer = partner->peer;
    if (partner->dial_failed)
        lose_undialled(partner);
    if (!is_seen(partner)) {
        partner->seen.session = peer->session;
        partner->seen.version = peer->known.version;
        partner->seen.switch_epoch = peer->switch_epoch;
        partner->seen.leading = peer->leading;
        partner->seen.joining = peer->joining;
        partner->seen.due = ids_peer_swap_is_due(peer);
        atomic_store(&partner->has_chores, true);
        ids_partner_wake_all(partner);
    }
    if (partner->has_proposal) {
        atomic_store(&partner->has_chores, true);
        ids_partner_wake(&partner->seats[0]);
    }
    wake_speakers(partner);
    partner->here = NULL;
    pthread_mutex_unlock(&partner->lock);
}

/* Decisions, and what needs a standstill ----------------------------------- */

static void propose(void *ctx, const ids_decision *next) {
    ids_partner *partner = ctx;
    partner->proposal = *next;
    partner->has_proposal = true;
}

static void stop_world(ids_partner *partner) {
    ids_standstill_ask(&partner->still);
    pthread_mutex_lock(&partner->lock);
    ids_partner_wake_all(partner);
    pthread_mutex_unlock(&partner->lock);
    for (uint32_t i = 1; i < partner->seats_count; i++)
        if (!partner->seats[i].is_quiet)
            ids_loop_wake(partner->seats[i].loop);
    ids_standstill_reached(&partner->still);
}

_Noreturn static void fail_to_record(const ids_partner *partner) {
    ids_log(IDS_LOG_ERROR, "stopped: a decision can't be recorded",
            "at=\"--peer-state %s\" reason=\"%s\"", partner->file.path,
            partner->write_error == ESTALE
                ? "its lock was replaced, and may be another idemstored's now"
                : strerror(partner->write_error));
    ids_log_flush();
    _exit(EXIT_FAILURE);
}

static void take_up(ids_partner *partner) {
    ids_seat *seat = &partner->seats[0];
    uint64_t now_ms = seat->loop->desk->now_ms;
    ids_peer *peer = ids_partner_enter(seat);
    bool stops = ids_peer_decided_stops_world(peer);
    ids_partner_leave(seat);
    if (stops)
        stop_world(partner);
    peer = ids_partner_enter(seat);
    bool led = peer->leading;
    ids_peer_decided(peer, now_ms);
    for (uint32_t i = 0; !led && peer->leading && i < peer->link_count; i++)
        peer->links[i]->said_ms = 0; /* whoever listens hears of it at once */
    ids_peer_tick(peer, now_ms);
    ids_partner_wake_all(partner);
    ids_partner_leave(seat);
    if (stops)
        ids_standstill_over(&partner->still);
}

static void on_write(uv_work_t *work) {
    ids_partner *partner = work->data;
    partner->write_error = ids_decisions_save(&partner->file, &partner->written,
                                              &partner->still_stands);
}

static bool was_ordered(ids_pending what) {
    return what == IDS_PENDING_PROMOTE || what == IDS_PENDING_DETACH ||
           what == IDS_PENDING_SWITCHOVER;
}

/* Of what is tried again once for each reason, not with each try. A promotion
 * is tried once, also one that the primary handed over with. */
static void say_not_recorded(ids_partner *partner, ids_pending what) {
    if (was_ordered(what) || partner->said_error != partner->write_error)
        ids_log(IDS_LOG_ERROR, "a decision can't be recorded: nothing changes",
                "at=\"--peer-state %s\" reason=\"%s\" todo=\"make room, or "
                "mend it; %s\"",
                partner->file.path, strerror(partner->write_error),
                what == IDS_PENDING_PROMOTE ? "then idemctl promote here"
                : was_ordered(what)         ? "then order it again"
                                            : "it is tried again");
    if (!was_ordered(what))
        partner->said_error = partner->write_error;
}

/* The old decision stands: an order is refused, the rest is tried again. */
static void take_back(ids_partner *partner) {
    ids_seat *seat = &partner->seats[0];
    ids_peer *peer = ids_partner_enter(seat);
    ids_pending what = ids_peer_undecided(peer, seat->loop->desk->now_ms);
    ids_partner_wake_all(partner);
    ids_partner_leave(seat);
    say_not_recorded(partner, what);
    if (was_ordered(what))
        ids_partner_fail_order(partner, partner->write_error);
}

static void on_written(uv_work_t *work, int status) {
    ids_partner *partner = work->data;
    (void)status;
    partner->is_writing = false;
    if (partner->write_error && !partner->still_stands)
        fail_to_record(partner);
    if (partner->seats[0].is_quiet)
        return;
    ids_loop_turn(partner->seats[0].loop);
    if (partner->write_error) {
        take_back(partner);
    } else {
        partner->said_error = 0;
        take_up(partner);
    }
    ids_seat_call(&partner->seats[0]);
}

static void begin_writing(ids_partner *partner) {
    ids_seat *seat = &partner->seats[0];
    ids_partner_enter(seat);
    bool has = partner->has_proposal && !partner->is_writing;
    if (has)
        partner->written = partner->proposal;
    partner->has_proposal = partner->has_proposal && !has;
    ids_partner_leave(seat);
    if (!has)
        return;
    partner->is_writing = true;
    partner->work.data = partner;
    if (uv_queue_work(&seat->loop->uv, &partner->work, on_write, on_written) !=
        0) {
        on_write(&partner->work);
        on_written(&partner->work, 0);
    }
}

/* All desks, or none. */
static bool swap_copies(ids_partner *partner, uint64_t session) {
    uint32_t count = partner->seats_count;
    for (uint32_t i = 0; i < count; i++) {
        ids_partner_show(partner, &partner->seats[i]);
        if (!ids_copy_prepare(partner->seats[i].loop->desk, session))
            return false;
    }
    for (uint32_t i = 0; i < count; i++)
        ids_copy_swap(partner->seats[i].loop->desk);
    return true;
}

static void swap(ids_partner *partner) {
    ids_seat *seat = &partner->seats[0];
    uint64_t now_ms = seat->loop->desk->now_ms;
    stop_world(partner);
    ids_peer *peer = ids_partner_enter(seat);
    if (ids_peer_swap_is_due(peer)) {
        bool swapped = swap_copies(partner, peer->session);
        if (swapped && partner->store)
            ids_store_replaced(partner->store);
        if (swapped)
            ids_peer_swapped(peer, now_ms);
        else
            ids_peer_lost(peer, peer->stream[0], now_ms);
    }
    ids_partner_wake_all(partner);
    ids_partner_leave(seat);
    ids_standstill_over(&partner->still);
}

/* Any loop may be asked for stats, one that sleeps too. */
static void count_lag(ids_partner *partner) {
    ids_peer_status status;
    ids_refusal refusal;
    ids_seat *seat = &partner->seats[0];
    ids_peer *peer = ids_partner_enter(seat);
    const ids_serving was = partner->serving;
    ids_peer_status_get(peer, &status);
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
    uint64_t now_ms = seat->loop->desk->now_ms;
    bool ticks = now_ms >= partner->tick_at_ms;
    bool has = atomic_exchange(&partner->has_chores, false);
    if (!ticks && !has && !partner->order.is_there)
        return;
    if (!partner->is_writing)
        begin_writing(partner);
    ids_peer *peer = ids_partner_enter(seat);
    bool is_due = ids_peer_swap_is_due(peer);
    ids_partner_leave(seat);
    if (is_due)
        swap(partner);
    ids_partner_look_at_order(partner);
    if (ticks)
        partner->tick_at_ms = now_ms + TICK_MS;
    if (ticks || has)
        count_lag(partner);
}

/* Its life ----------------------------------------------------------------- */

static bool refuse_start(const char *which, const char *why) {
    ids_log(IDS_LOG_ERROR, "can't start", "at=\"%s\" reason=\"%s\"", which,
            why);
    return false;
}

static bool read_endpoint(const char *flag, const char *words,
                          ids_endpoint *to) {
    char which[512];
    if (!words || (words[0] && words[0] != ':' &&
                   ids_endpoint_from(to, words, strlen(words))))
        return true;
    snprintf(which, sizeof which, "%s %.400s", flag, words);
    return refuse_start(which, "it is not HOST:PORT");
}

/* Who can reach the port could be the other node, and say anything. */
static bool check_secret(const ids_config *config) {
    return !ids_config_has_peer(config) || config->secret_file ||
           config->peer_insecure ||
           refuse_start("--replication",
                        "another node needs a --secret-file, the same on both "
                        "(or --peer-insecure, if everybody who reaches this "
                        "port may be the other node)");
}

bool ids_partner_read(ids_partner *partner, const ids_config *config) {
    ids_peer_config *peer = &partner->peer_config;
    *partner = (ids_partner){.config = config};
    return read_endpoint("--replicate-from", config->replicate_from,
                         &peer->replicate_from) &&
           read_endpoint("--advertise", config->advertise, &peer->advertise) &&
           check_secret(config);
}

/* Where this node is reached, unless it is told: where it listens; of a
 * wildcard only the port is known, and the other node adds what it sees. */
static bool is_reached_at(const char *listening, ids_endpoint *to) {
    const char *colon = strrchr(listening, ':');
    bool wildcard = strncmp(listening, "0.0.0.0:", 8) == 0 ||
                    strncmp(listening, "[::]:", 5) == 0;
    const char *own = wildcard ? colon : listening;
    return colon && strncmp(listening, "unix:", 5) != 0 &&
           ids_endpoint_from(to, own, strlen(own));
}

bool ids_partner_open(ids_partner *partner, const ids_house *house,
                      const char *listening) {
    char path[IDS_DECISIONS_PATH_BYTES + 64], which[512], why[512];
    const ids_config *config = partner->config;
    partner->house = house;
    if (!config->advertise &&
        !is_reached_at(listening, &partner->peer_config.advertise))
        return refuse_start("--advertise",
                            "give HOST:PORT: the first --listen is "
                            "none that another node could reach");
    ids_partner_state_path(config, listening, path);
    if (!ids_decisions_open(&partner->file, path, &partner->proposal, why,
                            sizeof why)) {
        snprintf(which, sizeof which, "--peer-state %.400s", path);
        return refuse_start(which, why);
    }
    partner->is_open = true;
    return ids_partner_flags_fit(config, &partner->proposal, path);
}

static bool take_seats(ids_partner *partner, ids_loop *loops) {
    uint32_t count = partner->house->loops;
    partner->seats = calloc(count, sizeof *partner->seats);
    if (partner->seats == NULL)
        return false;
    partner->seats_count = count;
    for (uint32_t i = 0; i < count; i++) {
        partner->seats[i] = (ids_seat){
            .partner = partner, .loop = &loops[i], .gate = UINT64_MAX};
        loops[i].seat = &partner->seats[i];
    }
    return true;
}

static void take_as_restored(ids_partner *partner) {
    ids_decision recorded = partner->proposal;
    if (recorded.version == 0)
        return;
    ids_log(IDS_LOG_WARN, "the peer state was copied or restored",
            "at=\"--peer-state %s\" so=\"it does not lead by itself, and "
            "promoting it needs --accept-loss\"",
            partner->file.path);
    ids_decide_restored(&recorded, &partner->proposal);
}

static bool refuse_to_begin(const ids_partner *partner) {
    char which[512], why[256];
    snprintf(which, sizeof which, "--peer-state %.400s", partner->file.path);
    snprintf(why, sizeof why, "%s: its folder needs room for %d bytes%s",
             strerror(partner->write_error), (int)IDS_RECORD_BYTES,
             partner->still_stands ? "; what was recorded stands" : "");
    return refuse_start(which, why);
}

bool ids_partner_begin(ids_partner *partner, ids_loop *loops,
                       uint64_t incarnation) {
    if (partner->file.copied || partner->config->restored)
        take_as_restored(partner);
    ids_decision recorded = partner->proposal;
    uint64_t now_ms = ids_loop_clock_ms();
    pthread_mutex_init(&partner->lock, NULL);
    ids_standstill_init(&partner->still, partner->house->loops - 1);
    ids_partner_fill(partner, incarnation);
    partner->peer_config.decisions = (ids_decisions){partner, propose};
    if (!take_seats(partner, loops))
        return refuse_start("replication", strerror(ENOMEM));
    for (uint32_t i = 0; i < partner->seats_count; i++)
        loops[i].desk->now_ms = now_ms;
    partner->peer = ids_peer_new(&partner->peer_config, &recorded, now_ms);
    if (partner->peer == NULL)
        return refuse_start("--replication-backlog", strerror(ENOMEM));
    partner->has_proposal = false;
    partner->written = partner->proposal;
    partner->write_error = ids_decisions_save(&partner->file, &partner->written,
                                              &partner->still_stands);
    if (partner->write_error)
        return refuse_to_begin(partner);
    ids_peer_decided(partner->peer, now_ms);
    ids_peer_status_get(partner->peer, &partner->said);
    ids_partner_gauge(&partner->serving, &partner->said);
    for (uint32_t i = 0; i < partner->seats_count; i++)
        ids_partner_show(partner, &partner->seats[i]);
    ids_partner_say_start(partner, &recorded);
    return true;
}

void ids_partner_close(ids_partner *partner) {
    if (!partner->is_open)
        return;
    ids_peer_free(partner->peer);
    if (partner->seats) {
        ids_standstill_fini(&partner->still);
        pthread_mutex_destroy(&partner->lock);
    }
    free(partner->seats);
    ids_decisions_close(&partner->file);
}
