/* SPDX-License-Identifier: Apache-2.0 */
/* line.c -- one worker's line and its worker, put together; see line.h. */
#include "server/line/line.h"

#include "server/line/admit.h"
#include "server/line/dispatch.h"
#include "server/line/gather.h"
#include "server/line/incoming.h"
#include "server/line/input.h"
#include "server/line/reader.h"
#include "server/peer/mutant.h"
#include "server/peer/peer.h"
#include "server/worker/commit_gate.h"
#include "server/worker/forward.h"
#include "server/worker/woken.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Of those who wait for room to forward. */
#define LOOKED_AT_A_TURN 256

static uint64_t line_hash_of(void *ctx, idp_slice ns, idp_slice key) {
    const ids_server *server = ctx;
    uint32_t owner;
    return ids_server_hash_record(server, ns, key, &owner);
}

static idp_slice name_of_holder(void *ctx, uint32_t by) {
    return ids_holders_user(ctx, by);
}

static uint32_t number_of_holder(void *ctx, idp_slice name) {
    return ids_holders_name(ctx, name);
}

static void plan_shard(ids_worker *worker, const ids_line_config *config) {
    const ids_server *server = config->server;
    worker->shard_config = (ids_shard_config){
        .epoch = server->epoch,
        .sequence = ids_worker_sequence(config->index),
        .memory_bytes_max = config->memory_bytes_max,
        .result_bytes_max = server->result_bytes_max,
        .waiters_per_key_max = config->waiters_per_key_max,
        .waiters_max = config->waiters_max,
        .clock_cut_ms = IDS_RULE_OFF(WHOLE_MS) ? 0 : config->clock_cut_ms,
        .mem = config->mem,
        .hash = line_hash_of,
        .hash_ctx = (void *)(uintptr_t)server,
        .limits = server->namespaces,
        .ledger = server->ledger,
        .mix_key = server->mix_key,
        .work = &worker->work[IDS_WORK_WAKE],
        .by_name = server->holders ? name_of_holder : NULL,
        .by_number = server->holders ? number_of_holder : NULL,
        .by_ctx = server->holders,
        .on_wake = ids_woken_answer,
        .wake_ctx = worker,
        .on_change = config->is_kept || config->is_replicated
                         ? ids_commit_gate_change
                         : NULL,
        .change_ctx = worker,
    };
}

/* Before it is told anything: where it has a peer it follows, else it leads. */
static void take_first_role(ids_worker *worker, bool is_replicated) {
    worker->role_state = (ids_role_state){
        .lead_epoch = UINT64_MAX, .epoch = worker->server->epoch, .in_sync = 1};
    if (is_replicated) {
        worker->role_state.role = IDS_FOLLOWS;
        ids_peer_prepare_copy(worker->shard);
    }
    worker->epoch_end = ids_role_state_epoch_end(&worker->role_state);
}

static bool init(ids_line *line, const ids_line_config *config) {
    ids_worker *worker = &line->worker;
    line->driver = config->driver;
    if (!ids_worker_init(worker, config->server, config->index,
                         &config->worker_driver) ||
        !ids_scanner_init(&worker->scanner, config->server->scan_interval_ms,
                          IDS_CLOCK_START_MS))
        return false;
    /* Who keeps changes safe has not said anything yet. */
    bool is_gated = config->is_kept || config->is_replicated;
    worker->gate.watermark = is_gated ? 0 : UINT64_MAX;
    plan_shard(worker, config);
    worker->shard =
        ids_pools_new_shard(worker->server->pools, &worker->shard_config, 0);
    if (worker->server->access)
        worker->credentials = ids_access_take(worker->server->access);
    line->input = malloc(IDS_INPUT_HEADROOM + IDS_INPUT_BYTES);
    if (!worker->shard || !line->input || !ids_gather_init(&line->gather))
        return false;
    take_first_role(worker, config->is_replicated);
    return true;
}

ids_line *ids_line_new(const ids_line_config *config) {
    ids_line *line = calloc(1, sizeof *line);
    if (line && !init(line, config)) {
        ids_line_free(line);
        return NULL;
    }
    return line;
}

void ids_line_free(ids_line *line) {
    if (!line)
        return;
    ids_inquiries_fini(&line->inquiries, &line->worker.buffers);
    ids_tally_fini(&line->tally);
    ids_polls_fini(&line->polls);
    ids_erase_fini(&line->erasings);
    ids_input_fini(&line->spare);
    ids_admit_fini(line);
    ids_message_batch_free(line->opened);
    ids_staging_fini(&line->worker);
    ids_key_ring_fini(&line->worker.keys);
    ids_scanner_fini(&line->worker.scanner);
    ids_worker_fini(&line->worker);
    ids_gather_fini(&line->gather);
    free(line->input);
    free(line);
}

/* The next batch, or what is left of one. What others ask begins no earlier
 * than it came: the clock is read after the batch was taken. */
static bool open_message(ids_line *line) {
    const ids_worker *worker = &line->worker;
    const ids_line_driver *driver = &line->driver;
    if (line->opened)
        return true;
    line->opened = ids_mailbox_take(&worker->server->mailboxes[worker->index]);
    line->opened_at = 0;
    if (line->opened && driver->look_at_clock)
        driver->look_at_clock(driver->ctx);
    return line->opened != NULL;
}

void ids_line_take_messages(ids_line *line) {
    ids_worker *worker = &line->worker;
    worker->post.last_bytes = 0;
    while (ids_worker_may(worker, IDS_WORK_MESSAGES) && open_message(line)) {
        ids_worker_worked(worker, IDS_WORK_MESSAGES, 1, 0);
        if (!ids_incoming_open(line, line->opened, &line->opened_at))
            return;
        ids_worker_recycle(worker, line->opened);
        line->opened = NULL;
    }
}

/* Those who find none keep their places. */
static void serve_those_for_room(ids_line *line) {
    ids_worker *worker = &line->worker;
    ids_listed *at = line->for_room.head;
    for (int i = 0; i < LOOKED_AT_A_TURN && at && ids_worker_may_read(worker);
         i++) {
        ids_conn *conn = IDS_LISTED(ids_conn, room.in_line, at);
        at = at->next;
        if (!ids_dispatch_has_room(worker, conn->room.loop, conn->room.bytes))
            continue;
        ids_dispatch_leave_line(line, conn);
        if (ids_dispatch_may_serve(worker, conn))
            ids_reader_resume(line, conn);
        ids_worker_mark(worker, conn);
    }
}

void ids_line_begin_turn(ids_line *line) {
    ids_worker *worker = &line->worker;
    uint32_t work = 0;
    for (int kind = 0; kind < IDS_WORK_KINDS; kind++)
        work += worker->work[kind];
    if (work > worker->counters.of[IDS_TURN_WORK_MAX])
        worker->counters.of[IDS_TURN_WORK_MAX] = work;
    for (int kind = 0; kind < IDS_WORK_KINDS; kind++)
        worker->slow.work_of_before[kind] =
            worker->work[kind] - worker->slow.tail[kind];
    memset(worker->work, 0, sizeof worker->work);
    if (line->for_room.head)
        serve_those_for_room(line);
}

void ids_line_tick(ids_line *line, uint32_t steps_max) {
    ids_worker *worker = &line->worker;
    ids_forward_tick(worker);
    ids_input_tick(&line->spare, worker->now_ms);
    ids_admit_tick(line);
    ids_scanner_tick(worker);
    if (ids_events_is_on(&worker->events))
        ids_events_tick(worker);
    if (line->drains_waiters)
        line->drains_waiters = !ids_shard_drain(
            worker->shard, IDP_E_SHUTTING_DOWN, IDS_TIMERS_A_CALL * 4);
    ids_worker_worked(worker, IDS_WORK_DUE, steps_max, 0);
    ids_shard_tick(worker->shard, worker->now_ms, steps_max);
    ids_woken_end(worker);
}

static uint64_t least_ms(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

uint64_t ids_line_next_ms(const ids_line *line) {
    const ids_worker *worker = &line->worker;
    uint64_t next_ms = ids_shard_next_ms(worker->shard);
    if (line->drains_waiters)
        return worker->now_ms;
    if (line->for_room.head)
        next_ms = least_ms(next_ms, worker->now_ms + 1);
    next_ms = least_ms(next_ms, ids_input_next_ms(&line->spare));
    next_ms = least_ms(next_ms, ids_admit_next_ms(line));
    next_ms = least_ms(next_ms, ids_scanner_next_ms(&worker->scanner));
    if (ids_events_is_on(&worker->events))
        next_ms = least_ms(next_ms, ids_events_next_ms(&worker->events));
    if (line->polls.count)
        next_ms = least_ms(next_ms, ids_polls_next_ms(&line->polls));
    return least_ms(next_ms, ids_forward_next_ms(worker));
}

bool ids_line_end_turn(ids_line *line) {
    ids_worker *worker = &line->worker;
    if (line->inquiries.askers)
        ids_inquiries_turn(&line->inquiries, worker);
    if (line->polls.count)
        ids_polls_turn(&line->polls, worker);
    bool tallies =
        line->tally.asker_count && ids_tally_turn(&line->tally, worker);
    bool erases =
        line->erasings.count && ids_erase_turn(&line->erasings, worker);
    return line->drains_waiters || line->opened || tallies || erases ||
           (line->inquiries.askers &&
            ids_inquiries_have_more(&line->inquiries));
}

void ids_line_drain(ids_line *line) {
    line->worker.draining = line->drains_waiters = true;
    ids_command_drain(&line->worker);
}
