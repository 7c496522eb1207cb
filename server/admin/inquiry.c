/* SPDX-License-Identifier: Apache-2.0 */
/* inquiry.c -- what all loops are asked; see inquiry.h. */
#include "server/admin/inquiry.h"

#include "proto/metrics.h"
#include "server/base/log.h"
#include "server/worker/forward.h"
#include "server/worker/reply.h"

#include <assert.h>
#include <string.h>

/* So many askers are answered in one turn. */
#define ANSWERED_A_TURN 512
/* A part that is so late was lost: a loop had no memory for it. */
#define ROUND_MS_MAX    10000
/* Besides the counters: what the whole node knows. */
#define NODE_ROWS       15

static_assert(IDS_COUNTER_COUNT + NODE_ROWS <= IDP_STATS_MAX,
              "the wire has no larger map");

/* Answers ------------------------------------------------------------------ */

static ids_shared *write_stats(ids_worker *worker, const ids_counters *sums) {
    const ids_role_state *role_state = &worker->role_state;
    idp_stat stats[IDS_COUNTER_COUNT + NODE_ROWS] = {
        {"uptime_ms", worker->now_ms - IDS_CLOCK_START_MS},
        {"loops", worker->server->loops},
        {"epoch", role_state->epoch},
        {"primary", role_state->role != IDS_FOLLOWS},
        {"in_sync", role_state->in_sync},
        {"safe_to_stop", role_state->safe_to_stop},
        {"peer_connected", role_state->connected},
        {"peer_tls", role_state->is_sealed},
        {"peer_settings_differ", role_state->settings_differ},
        {"full_copy", role_state->syncing},
        {"replication_lag_ops", role_state->lag_ops},
        {"replication_lag_bytes", role_state->lag_bytes},
        {"replication_lag_ms", role_state->lag_ms},
        {"full_copies_total", role_state->full_copies},
        {"joins_by_key_total", role_state->joins_by_key}};
    size_t count = NODE_ROWS;
    for (int i = 0; i < IDS_COUNTER_COUNT; i++)
        stats[count++] =
            (idp_stat){ids_counter_name((ids_counter)i), sums->of[i]};
    size_t bound = idp_stats_write_bound(count);
    ids_shared *rest = ids_shared_new(&worker->buffers, bound);
    if (rest)
        ids_shared_set_reply(
            rest, idp_stats_write(rest->bytes, bound, 0, stats, count));
    return rest;
}

static ids_shared *write_report(ids_worker *worker, idp_slice reply) {
    ids_shared *rest = ids_shared_new(&worker->buffers, reply.len);
    if (!rest)
        return NULL;
    memcpy(rest->bytes, reply.ptr, reply.len);
    ids_shared_set_reply(rest, reply.len);
    return rest;
}

static ids_shared *write_metrics(ids_worker *worker, ids_metrics *all,
                                 ids_metrics_format format) {
    idp_bytes text = {0};
    ids_shared *rest = NULL;
    if (ids_metrics_write(all, worker->server->version, format, &text)) {
        size_t bound = idp_metrics_write_bound(text.len);
        rest = ids_shared_new(&worker->buffers, bound);
        if (rest)
            ids_shared_set_reply(
                rest, idp_metrics_write(rest->bytes, bound, 0,
                                        (idp_slice){text.ptr, text.len}));
    }
    idp_bytes_free(&text);
    return rest;
}

static ids_shared *write_sums(ids_worker *worker, ids_inquiry *all,
                              ids_inquiry_kind kind) {
    if (kind == IDS_INQUIRY_STATS)
        return write_stats(worker, &all->sums.counters);
    all->sums.namespaces = &all->namespaces;
    return write_metrics(worker, &all->sums,
                         kind == IDS_INQUIRY_METRICS ? IDS_METRICS_PROMETHEUS
                                                     : IDS_METRICS_OPEN);
}

/* One part has come, of so many; with the last one the answer is there. */
static void take_part(ids_inquiry *all, ids_inquiry_kind kind,
                      ids_worker *worker, idp_slice part) {
    if (kind == IDS_INQUIRY_REPLICATION) {
        all->rest = write_report(worker, part);
        all->is_over = true;
        return;
    }
    if (kind == IDS_INQUIRY_STATS) {
        ids_counters counters;
        assert(part.len == sizeof counters);
        memcpy(&counters, part.ptr, sizeof counters);
        ids_counters_add(&all->sums.counters, &counters);
    } else {
        ids_metrics metrics;
        assert(part.len >= sizeof metrics);
        memcpy(&metrics, part.ptr, sizeof metrics);
        ids_metrics_add(&all->sums, &metrics);
        ids_metrics_ns_add(
            &all->namespaces,
            (idp_slice){part.ptr + sizeof metrics, part.len - sizeof metrics});
    }
    if (all->left > 0)
        return;
    all->rest = write_sums(worker, all, kind);
    all->is_over = true;
}

static void answer_one(ids_worker *worker, const ids_inquiry *all,
                       const ids_woken_asker *one) {
    ids_conn *conn = ids_worker_find(worker, one->asker);
    if (!conn)
        return;
    ids_forward_returned(worker, conn);
    if (all->rest)
        ids_output_share(worker, conn, one->msgid, all->rest,
                         IDS_SHOWS_NOTHING);
    else
        ids_reply_error(worker, conn, one->msgid, IDP_E_NO_MEMORY, NULL);
}

static void answer_some(ids_inquiries *of, ids_inquiry *all,
                        ids_worker *worker) {
    for (int i = 0; i < ANSWERED_A_TURN && all->at < all->askers.len; i++) {
        ids_woken_asker one;
        memcpy(&one, all->askers.ptr + all->at, sizeof one);
        all->at += sizeof one;
        worker->buffers.bytes -= sizeof one;
        of->askers--;
        ids_worker_worked(worker, IDS_WORK_WAKE, 1, 0);
        answer_one(worker, all, &one);
    }
    if (all->at < all->askers.len)
        return;
    ids_shared_unref(&worker->buffers, all->rest);
    all->rest = NULL;
    all->at = all->askers.len = 0;
    all->under_way = all->is_over = false;
}

/* Rounds ------------------------------------------------------------------- */

static bool is_asked(const ids_worker *worker, ids_inquiry_kind kind,
                     uint32_t loop) {
    return loop != worker->index &&
           (kind != IDS_INQUIRY_REPLICATION || loop == 0);
}

static bool ask_loop_inquiry(const ids_inquiry *all, ids_inquiry_kind kind,
                             ids_worker *worker, uint32_t loop) {
    const ids_message message = {.asker = ids_worker_asker(worker->index),
                                 .word = all->number,
                                 .msgid = kind,
                                 .kind = IDS_MESSAGE_INQUIRY};
    ids_message_batch *batch = ids_worker_batch(worker, loop);
    return batch && ids_message_append(batch, &message, NULL);
}

/* This loop's part; empty: it has none, or there is no memory for it. */
static void write_part(ids_worker *worker, ids_inquiry_kind kind,
                       idp_bytes *part) {
    if (kind == IDS_INQUIRY_REPLICATION) {
        if (worker->index == 0 &&
            idp_bytes_reserve(part, IDP_REPLICATION_BYTES_MAX))
            part->len = ids_command_report(worker, part->ptr);
    } else if (kind == IDS_INQUIRY_STATS) {
        ids_counters own;
        ids_worker_count(worker, &own);
        idp_bytes_append(part, &own, sizeof own);
    } else {
        ids_metrics own;
        ids_metrics_gather(&own, worker);
        if (!idp_bytes_append(part, &own, sizeof own) ||
            !ids_metrics_ns_gather(worker, part))
            part->len = 0;
    }
}

static void begin_inquiry(ids_inquiry *all, ids_inquiry_kind kind,
                          ids_worker *worker) {
    idp_bytes empty = all->askers;
    idp_bytes part = {0};
    all->askers = all->next;
    all->next = empty;
    all->number++;
    all->begun_ms = worker->now_ms;
    all->under_way = true;
    all->left = 0;
    all->sums = (ids_metrics){0};
    all->namespaces.len = 0;
    for (uint32_t loop = 0; loop < worker->server->loops; loop++)
        if (is_asked(worker, kind, loop) &&
            ask_loop_inquiry(all, kind, worker, loop))
            all->left++;
    write_part(worker, kind, &part);
    if (part.len)
        take_part(all, kind, worker, (idp_slice){part.ptr, part.len});
    else
        all->is_over = all->left == 0;
    idp_bytes_free(&part);
}

static void turn(ids_inquiries *of, ids_inquiry_kind kind, ids_worker *worker) {
    ids_inquiry *all = &of->of[kind];
    if (all->under_way && worker->now_ms > all->begun_ms + ROUND_MS_MAX)
        all->is_over = true;
    if (all->is_over)
        answer_some(of, all, worker);
    if (!all->under_way && all->next.len)
        begin_inquiry(all, kind, worker);
    if (all->is_over)
        answer_some(of, all, worker);
}

void ids_inquiries_turn(ids_inquiries *all, ids_worker *worker) {
    for (int kind = 0; kind < IDS_INQUIRIES; kind++)
        turn(all, (ids_inquiry_kind)kind, worker);
}

bool ids_inquiries_have_more(const ids_inquiries *of) {
    for (int kind = 0; kind < IDS_INQUIRIES; kind++) {
        const ids_inquiry *all = &of->of[kind];
        if (all->is_over || (!all->under_way && all->next.len))
            return true;
    }
    return false;
}

void ids_inquiries_fini(ids_inquiries *of, ids_buffers *buffers) {
    for (int kind = 0; kind < IDS_INQUIRIES; kind++) {
        ids_inquiry *all = &of->of[kind];
        ids_shared_unref(buffers, all->rest);
        idp_bytes_free(&all->askers);
        idp_bytes_free(&all->next);
        idp_bytes_free(&all->namespaces);
    }
}

void ids_inquiry_ask(ids_inquiries *of, ids_inquiry_kind kind,
                     ids_worker *worker, ids_conn *conn, uint32_t msgid) {
    const ids_woken_asker one = {.asker = conn->asker, .msgid = msgid};
    if (!idp_bytes_append(&of->of[kind].next, &one, sizeof one)) {
        ids_reply_error(worker, conn, msgid, IDP_E_NO_MEMORY, NULL);
        return;
    }
    worker->buffers.bytes += sizeof one;
    of->askers++;
    ids_forward_went(worker, conn);
}

/* Other loops -------------------------------------------------------------- */

void ids_inquiry_tell(ids_worker *worker, const ids_message *message) {
    idp_bytes part = {0};
    ids_message reply = *message;
    write_part(worker, (ids_inquiry_kind)message->msgid, &part);
    reply.kind = IDS_MESSAGE_PART;
    reply.body_bytes = (uint32_t)part.len;
    ids_message_batch *batch =
        ids_worker_batch(worker, ids_asker_loop(message->asker));
    if (!part.len || !batch || !ids_message_append(batch, &reply, part.ptr)) {
        worker->counters.of[IDS_REPLIES_LOST_TOTAL]++;
        ids_log(IDS_LOG_ERROR, "stats lost: out of memory", NULL);
    }
    idp_bytes_free(&part);
}

void ids_inquiry_told(ids_inquiries *of, ids_worker *worker,
                      const ids_message *message, const uint8_t *body) {
    ids_inquiry *all = &of->of[message->msgid];
    if (message->word != all->number || !all->under_way || all->is_over)
        return; /* it was given up meanwhile */
    assert(all->left > 0);
    all->left--;
    take_part(all, (ids_inquiry_kind)message->msgid, worker,
              (idp_slice){body, message->body_bytes});
}
