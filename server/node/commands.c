/* SPDX-License-Identifier: Apache-2.0 */
/* commands.c -- the operator's commands to the peer, and the report. On the
 * first worker. */
#include "server/node/replicator.h"

#include "server/base/log.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static ids_repl *first_repl(ids_replicator *replicator) {
    return &replicator->repls[0];
}

static ids_worker *worker_of(ids_replicator *replicator) {
    return first_repl(replicator)->worker;
}

/* Orders ------------------------------------------------------------------- */

static void answer_peer_command(ids_replicator *replicator,
                                idp_command_outcome outcome, uint64_t epoch,
                                const char *primary) {
    const idp_command_answer what = {
        .outcome = outcome,
        .epoch = epoch,
        .primary = {(const uint8_t *)primary, strlen(primary)}};
    assert(replicator->command.is_there);
    replicator->command.is_there = false;
    ids_command_answer(worker_of(replicator), replicator->command.request.id,
                       &what);
}

static void refuse_peer_command(ids_replicator *replicator, const char *text) {
    assert(replicator->command.is_there);
    replicator->command.is_there = false;
    ids_command_refuse(worker_of(replicator), replicator->command.request.id,
                       text);
}

void ids_replicator_fail_command(ids_replicator *replicator, int error) {
    char text[256];
    if (!replicator->command.is_there || !replicator->command.is_begun)
        return;
    snprintf(text, sizeof text,
             "it can't be recorded in %.120s (%s): nothing has changed; make "
             "room there, or mend it, and try again",
             replicator->config.record_path, strerror(error));
    refuse_peer_command(replicator, text);
}

static uint64_t next_epoch(const ids_replicator *replicator) {
    const ids_peer *peer = replicator->peer;
    const ids_node_driver *driver = &replicator->driver;
    uint64_t known = peer->known.epoch > peer->seen_epoch ? peer->known.epoch
                                                          : peer->seen_epoch;
    return ids_epoch_draw(known, driver->clock_epoch(driver->ctx),
                          peer->config.node);
}

static ids_deciding begin_peer_command(ids_replicator *replicator) {
    ids_peer *peer = replicator->peer;
    ids_replicator_command *command = &replicator->command;
    assert(!command->is_begun && replicator->here != NULL);
    idp_method which = command->request.command;
    if (which == IDP_CONFIG) {
        command->epoch = command->group.epoch;
        return ids_peer_told(peer, &command->group, command->request.rev);
    }
    if (which == IDP_OFFER) {
        command->epoch = command->group.epoch;
        return ids_peer_offer(peer, command->request.rev, command->epoch,
                              &command->whom);
    }
    command->epoch =
        which == IDP_DETACH ? peer->lead_epoch : next_epoch(replicator);
    if (which == IDP_PROMOTE)
        return ids_peer_promote(peer, command->epoch,
                                command->request.accept_loss);
    if (which == IDP_DETACH)
        return ids_peer_detach(peer, command->request.node);
    assert(which == IDP_SWITCHOVER);
    return ids_peer_switchover(peer, command->epoch, command->request.node);
}

/* What became of a command that is under way. OK: it is in effect; BUSY: not
 * yet. */
static ids_deciding look_at_outcome(const ids_peer *peer,
                                    const ids_replicator_command *command) {
    bool pending = peer->pending != IDS_PENDING_NONE;
    assert(command->is_there && command->is_begun);
    idp_method which = command->request.command;
    if (which == IDP_OFFER)
        return IDS_DECIDING_OK; /* at once */
    if (which == IDP_CONFIG) {
        if (peer->known.rev >= command->request.rev)
            return IDS_DECIDING_OK;
        return pending ? IDS_DECIDING_BUSY : IDS_DECIDING_OLD;
    }
    if (which == IDP_PROMOTE) {
        if (peer->leading && peer->lead_epoch == command->epoch)
            return IDS_DECIDING_OK;
        return pending ? IDS_DECIDING_BUSY : IDS_DECIDING_EPOCH_TOO_LOW;
    }
    if (which == IDP_DETACH) {
        if (peer->pending == IDS_PENDING_DETACH || ids_peer_is_parting(peer))
            return IDS_DECIDING_BUSY;
        return peer->leading ? IDS_DECIDING_OK : IDS_DECIDING_NOT_PRIMARY;
    }
    assert(which == IDP_SWITCHOVER);
    if (peer->leading)
        return peer->switch_epoch != 0 ? IDS_DECIDING_BUSY
                                       : IDS_DECIDING_NOT_IN_SYNC;
    return peer->other_leads && peer->known.epoch >= command->epoch
               ? IDS_DECIDING_OK
               : IDS_DECIDING_BUSY;
}

static void conclude_peer_command(ids_replicator *replicator,
                                  ids_deciding verdict, const char *primary) {
    const ids_replicator_command *command = &replicator->command;
    static const idp_command_outcome outcomes[IDP_METHOD_COUNT] = {
        [IDP_PROMOTE] = IDP_COMMAND_PROMOTED,
        [IDP_DETACH] = IDP_COMMAND_DETACHED,
        [IDP_SWITCHOVER] = IDP_COMMAND_SWITCHED,
        [IDP_CONFIG] = IDP_COMMAND_TOLD,
        [IDP_OFFER] = IDP_COMMAND_TOLD};
    idp_method which = command->request.command;
    assert(which < IDP_METHOD_COUNT);
    if (verdict == IDS_DECIDING_OK)
        answer_peer_command(replicator, outcomes[which], command->epoch,
                            primary);
    else if (which == IDP_SWITCHOVER && verdict == IDS_DECIDING_NOT_IN_SYNC)
        refuse_peer_command(replicator,
                            "the replica did not catch up in time; this server "
                            "goes on as primary");
    else
        refuse_peer_command(replicator, ids_deciding_text(verdict));
}

static void give_up_peer_command(ids_replicator *replicator) {
    assert(replicator->command.is_there);
    if (replicator->command.request.command != IDP_SWITCHOVER) {
        refuse_peer_command(replicator, ids_deciding_text(IDS_DECIDING_BUSY));
        return;
    }
    ids_log(IDS_LOG_WARN, "handed over, and the other server does not lead yet",
            "todo=\"if it stays a replica: idemctl promote there; if its "
            "memory is lost for good, idemctl promote --accept-loss here\"");
    refuse_peer_command(
        replicator,
        "handed over, but the other server has not said that it is "
        "primary, and this one is none any more: look at idemctl "
        "replication there; if it is a replica, idemctl promote there; if "
        "its memory is lost for good, idemctl promote --accept-loss here");
}

void ids_replicator_look_at_command(ids_replicator *replicator) {
    ids_replicator_command *command = &replicator->command;
    uint64_t now_ms = worker_of(replicator)->now_ms;
    ids_endpoint at = {.text = ""};
    ids_deciding verdict;
    if (!command->is_there)
        return;
    ids_peer *peer = ids_replicator_enter(first_repl(replicator));
    if (now_ms > peer->now_ms) /* another worker may have come later */
        peer->now_ms = now_ms;
    if (command->is_begun) {
        verdict = look_at_outcome(peer, command);
        if (verdict == IDS_DECIDING_OK &&
            !ids_replicator_is_shown(replicator)) {
            verdict = IDS_DECIDING_BUSY; /* some worker would still refuse */
            ids_replicator_wake_all(replicator);
        }
    } else {
        verdict = begin_peer_command(replicator);
        command->is_begun = verdict == IDS_DECIDING_OK;
        if (command->is_begun) {
            command->until_ms = now_ms + replicator->config.effect_ms;
            verdict = IDS_DECIDING_BUSY;
            ids_peer_tick(peer, now_ms);
        }
    }
    ids_peer_primary_at(peer, &at);
    ids_replicator_leave(first_repl(replicator));
    ids_repl_call(first_repl(replicator));
    if (verdict != IDS_DECIDING_BUSY)
        conclude_peer_command(replicator, verdict, at.text);
    else if (now_ms >= command->until_ms)
        give_up_peer_command(replicator);
}

static void take_peer_command(void *ctx, ids_worker *worker,
                              const ids_command_request *request) {
    ids_replicator *replicator = ctx;
    if (replicator->command.is_there) {
        ids_command_refuse(worker, request->id,
                           ids_deciding_text(IDS_DECIDING_BUSY));
        return;
    }
    idp_slice name = request->node_name;
    ids_node_name node;
    if (!ids_node_name_from(&node, name)) {
        ids_command_refuse(worker, request->id,
                           ids_deciding_text(IDS_DECIDING_NO_REPLICA));
        return;
    }
    assert(!replicator->command.is_begun || !replicator->command.is_there);
    replicator->command = (ids_replicator_command){
        .request = *request,
        .is_there = true,
        .until_ms = worker->now_ms + replicator->config.busy_ms};
    replicator->command.request.node_name = (idp_slice){NULL, 0};
    if (name.len > 0)
        replicator->command.request.node = ids_node_number(&node);
    if (request->group)
        replicator->command.group = *request->group;
    if (request->whom)
        replicator->command.whom = *request->whom;
    ids_replicator_look_at_command(replicator);
}

/* The report --------------------------------------------------------------- */

static void copy_text(char *to, size_t cap, const char *from) {
    snprintf(to, cap, "%s", from);
}

static void report_replicas(const ids_peer_status *status,
                            idp_replication *to) {
    _Static_assert(IDS_FOLLOWERS_MAX <= IDP_REPLICAS_MAX, "each has its place");
    to->replicas_count = status->follower_count;
    for (uint32_t i = 0; i < status->follower_count; i++) {
        const ids_follower_status *f = &status->follower[i];
        idp_replica *one = &to->replicas[i];
        *one = (idp_replica){.member = f->waits,
                             .in_sync = f->in_sync,
                             .connected = f->connected,
                             .syncing = f->syncing,
                             .copy_records = f->copying.records,
                             .copy_total = f->copying.total,
                             .lag = {f->lag.ops, f->lag.bytes, f->lag.ms}};
        copy_text(one->node, sizeof one->node, f->name.text);
        copy_text(one->at, sizeof one->at, f->at.text);
    }
}

static void fill_node(idp_group_node *to, const ids_group_member *from) {
    copy_text(to->node, sizeof to->node, from->node.text);
    copy_text(to->at, sizeof to->at, from->at.text);
    to->incarnation = from->incarnation;
}

/* N1: what the agents decide on. */
static void report_group(const ids_report *report, idp_group_standing *to) {
    static const char *const as[] = {"member", "offered", "candidate"};
    copy_text(to->id, sizeof to->id, report->id.text);
    fill_node(&to->self, &report->self);
    to->rev = report->rev;
    to->epoch = report->epoch;
    to->lead_epoch = report->lead_epoch;
    to->min_in_sync = report->min_in_sync;
    to->leading = report->leading;
    to->had_replica = report->had_replica;
    to->seen_count = report->peer_count;
    assert(to->seen_count <= IDP_GROUP_SEEN_MAX);
    for (uint32_t i = 0; i < report->peer_count; i++) {
        const ids_report_peer *peer = &report->peer[i];
        idp_group_seen *seen = &to->seen[i];
        fill_node(&seen->who, &peer->who);
        copy_text(seen->as, sizeof seen->as, as[peer->as]);
        seen->rev = peer->rev;
        seen->silent_ms = peer->silent_ms;
        seen->session = peer->session;
        seen->whole = peer->whole;
        seen->ready = peer->ready;
        seen->needs_copy = peer->needs_copy;
    }
}

static void report_replication(void *ctx, ids_worker *worker,
                               idp_replication *to) {
    ids_replicator *replicator = ctx;
    static const char *const modes[] = {"none", "async", "sync"};
    ids_peer_status status;
    ids_report report;
    (void)worker;
    ids_peer *peer = ids_replicator_enter(first_repl(replicator));
    ids_peer_status_get(peer, &status);
    bool is_grouped = peer->config.under_agent;
    if (is_grouped)
        ids_peer_report(peer, &report);
    assert(status.member_count <= 1 + IDS_FOLLOWERS_MAX);
    for (uint32_t k = 0; k < status.streams && k < IDP_STREAMS_MAX; k++) {
        ids_peer_lag lag;
        ids_peer_stream_lag(peer, k, &lag);
        to->streams[k] = (idp_lag){lag.ops, lag.bytes, lag.ms};
        to->streams_count = k + 1;
    }
    ids_replicator_leave(first_repl(replicator));
    if (is_grouped)
        report_group(&report, &to->group);
    copy_text(to->role, sizeof to->role,
              status.role == IDS_ROLE_PRIMARY ? "primary" : "replica");
    copy_text(to->mode, sizeof to->mode, modes[status.mode]);
    to->epoch = status.epoch;
    copy_text(to->node, sizeof to->node, status.self_name.text);
    to->in_sync_count = status.member_count < IDP_IN_SYNC_MAX
                            ? status.member_count
                            : IDP_IN_SYNC_MAX;
    for (uint32_t i = 0; i < to->in_sync_count; i++)
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
    report_replicas(&status, to);
    if (status.role == IDS_ROLE_REPLICA)
        ids_holdings_report(&replicator->holdings, to);
}

ids_command_handler ids_replicator_handler(ids_replicator *replicator) {
    return (ids_command_handler){.ctx = replicator,
                                 .begin = take_peer_command,
                                 .report = report_replication};
}
