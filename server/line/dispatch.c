/* SPDX-License-Identifier: Apache-2.0 */
/* dispatch.c -- from a decoded request to its answer. */
#include "server/line/dispatch.h"

#include "proto/owner.h"
#include "proto/request.h"
#include "server/admin/looks.h"
#include "server/line/admit.h"
#include "server/line/decide.h"
#include "server/worker/commit_gate.h"
#include "server/worker/forward.h"
#include "server/worker/reply.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static_assert(IDP_ACQUIRE == 0 && IDP_PEEK == 4 && IDP_HELLO == 5,
              "the methods that are about a key come first");

/* On every request's way; written apart to be read. */
#define HOT inline __attribute__((always_inline))

void ids_dispatch_prepare(const ids_worker *worker, ids_item *item) {
    const ids_server *server = worker->server;
    const idp_request *request = &item->request;
    item->owner = worker->index;
    item->flags = 0; /* it may have been another loop's */
    if (!ids_method_has_key(request->method))
        return;
    item->hash =
        ids_server_hash(server, request->ns, request->key, &item->owner);
}

static bool is_for_the_shard(const ids_worker *worker, const ids_item *item) {
    return item->owner == worker->index &&
           ids_method_has_key(item->request.method);
}

void ids_dispatch_expect(const ids_line *line, const ids_item *item) {
    if (is_for_the_shard(&line->worker, item))
        ids_shard_prefetch_bucket(line->worker.shard, item->hash);
}

void ids_dispatch_prefetch_expected(const ids_line *line, const ids_item *items,
                                    uint32_t count) {
    const ids_worker *worker = &line->worker;
    for (uint32_t i = 0; i < count && count > 1; i++)
        if (is_for_the_shard(worker, &items[i]))
            ids_shard_prefetch_record(worker->shard, items[i].hash);
}

void ids_dispatch_prefetch(const ids_line *line, const ids_item *items,
                           uint32_t count) {
    if (count < 2)
        return;
    for (uint32_t i = 0; i < count; i++)
        ids_dispatch_expect(line, &items[i]);
    ids_dispatch_prefetch_expected(line, items, count);
}

static HOT void call_shard(ids_worker *worker, ids_conn *conn,
                           const ids_item *item) {
    const idp_request *request = &item->request;
    const ids_call call = {.request = request,
                           .hash = item->hash,
                           .now_ms = worker->now_ms,
                           .asker = conn->asker,
                           .by = conn->by};
    idp_answer answer;
    idp_error error;
    const char *text;
    switch (ids_commit_gate_call(worker, &call, &answer, &error, &text)) {
    case IDS_ANSWERED:
        ids_reply_answer(worker, conn, request->msgid, &answer);
        break;
    case IDS_PARKED:
        worker->measures.parked++;
        conn->waiting++;
        break;
    case IDS_REFUSED:
        ids_reply_error(worker, conn, request->msgid, error, text);
        break;
    }
}

static void ask_owner(ids_worker *worker, ids_conn *conn,
                      const ids_item *item) {
    const idp_request *request = &item->request;
    bool waits = request->method == IDP_ACQUIRE && request->wait_ms;
    ids_message message = {.asker = conn->asker,
                           .word = item->hash,
                           .msgid = request->msgid,
                           .asked_bytes = conn->by,
                           .body_bytes = item->frame_bytes,
                           .kind = IDS_MESSAGE_ASK,
                           .flags = item->flags};
    if (waits)
        message.flags |= IDS_MESSAGE_WAITS;
    if (request->result_too_large)
        message.flags |= IDS_MESSAGE_RESULT_TOO_LARGE;
    ids_message_batch *batch = ids_worker_batch(worker, item->owner);
    if (!batch || !ids_message_append(batch, &message, item->frame)) {
        ids_reply_error(worker, conn, request->msgid, IDP_E_NO_MEMORY, NULL);
        return;
    }
    worker->counters.of[IDS_FORWARDED_TOTAL]++;
    if (waits) {
        conn->waiting++;
        return;
    }
    ids_forward_went(worker, conn);
    conn->forwarded.bytes += item->frame_bytes + IDS_FORWARD_REPLY_BYTES;
    worker->buffers.bytes += item->frame_bytes + IDS_FORWARD_REPLY_BYTES;
}

/* Its first acquire, or the first since it is another's. */
static __attribute__((noinline)) void name_holder(ids_worker *worker,
                                                  ids_conn *conn) {
    const ids_server *server = worker->server;
    const ids_verifier *verifier = conn->reading.verifier;
    conn->is_named = true;
    if (!server->holders)
        return;
    uint32_t before = conn->by;
    conn->by =
        ids_holders_enter(server->holders, verifier ? verifier->user->name : "",
                          &conn->who, worker->now_ms);
    ids_holders_leave(server->holders, before, worker->now_ms);
    assert(conn->by <= IDS_BY_MAX);
}

static HOT void serve_key(ids_worker *worker, ids_conn *conn,
                          const ids_item *item) {
    const idp_request *request = &item->request;
    if (request->method == IDP_ACQUIRE && !conn->is_named)
        name_holder(worker, conn);
    if (request->method == IDP_ACQUIRE && request->wait_ms &&
        conn->waiting >= worker->server->pending_max)
        ids_reply_error(worker, conn, request->msgid, IDP_E_LIMIT,
                        "too many requests of this connection are pending "
                        "(--max-pending)");
    else if (item->owner == worker->index)
        call_shard(worker, conn, item);
    else
        ask_owner(worker, conn, item);
}

/* Who it is ---------------------------------------------------------------- */

void ids_dispatch_hello(ids_worker *worker, ids_conn *conn, uint32_t msgid) {
    const ids_server *server = worker->server;
    idp_hello hello = {
        .server = "idemstored",
        .protocol = IDP_PROTOCOL_VERSION,
        .epoch = worker->role_state.epoch,
        .shards = server->loops,
        .shard = worker->index,
        .result_bytes_max = server->result_bytes_max,
        .frame_bytes_max = idp_request_bytes_max(server->result_bytes_max),
        .pending_max = server->pending_max,
    };
    snprintf(hello.role, sizeof hello.role, "%s",
             worker->role_state.role == IDS_FOLLOWS ? "replica" : "primary");
    snprintf(hello.version, sizeof hello.version, "%s", server->version);
    memcpy(hello.hash_key, server->hash_key, sizeof hello.hash_key);
    if (conn->reading.verifier)
        snprintf(hello.user, sizeof hello.user, "%s",
                 conn->reading.verifier->user->name);
    uint8_t *to =
        ids_output_room(worker, conn, IDP_HELLO_BYTES_MAX, IDS_SHOWS_NOTHING);
    if (to)
        ids_output_put(worker, conn, msgid,
                       idp_hello_write(to, IDP_HELLO_BYTES_MAX, msgid, &hello),
                       IDS_SHOWS_NOTHING);
}

static void serve_hello(ids_line *line, ids_conn *conn,
                        const idp_request *request) {
    ids_worker *worker = &line->worker;
    ids_who_name(&conn->who, request->client);
    conn->is_named = false;
    if (!ids_admit_hello(line, conn, request))
        return;
    bool fresh =
        !conn->reading.served && !conn->waiting && !conn->forwarded.count;
    if (!request->has_shard || request->shard == worker->index) {
        conn->reading.served = true;
        ids_dispatch_hello(worker, conn, request->msgid);
    } else if (request->shard >= worker->server->loops) {
        ids_reply_error(worker, conn, request->msgid, IDP_E_BAD_REQUEST,
                        "shard: there is no such shard");
    } else if (!fresh) {
        ids_reply_error(worker, conn, request->msgid, IDP_E_BAD_REQUEST,
                        "shard: only a fresh connection can be moved");
    } else {
        conn->reading.served = true;
        ids_conn_become(conn, IDS_CONN_MOVING);
        conn->reading.move_to = request->shard;
        conn->reading.move_msgid = request->msgid;
        ids_worker_mark(worker, conn);
    }
}

/* Whoever runs the server is heard when clients have taken every place. */
static bool is_operators(const ids_conn *conn, idp_method method) {
    return conn->reading.local &&
           (method == IDP_HELLO || method == IDP_STATS ||
            method == IDP_METRICS || method == IDP_NAMESPACES ||
            ids_method_is_command(method));
}

static bool is_admitted(const ids_worker *worker, const ids_conn *conn) {
    return conn->reading.admitted || !worker->server->access;
}

/* It is no client of ours, and hears why. */
static void refuse_to_answer(ids_worker *worker, ids_conn *conn,
                             uint32_t msgid) {
    ids_log_who(IDS_LOG_WARN, "refused: it comes in the wrong way", &conn->who,
                conn->reading.refusal);
    ids_reply_error(worker, conn, msgid, IDP_E_DENIED, conn->reading.refusal);
    ids_conn_finish(worker, conn);
}

/* What an operator looks at ------------------------------------------------ */

static void make_look(ids_worker *worker, ids_conn *conn,
                      const ids_look *look) {
    idp_bytes frame = {0};
    ids_showing shows;
    if (ids_looks_make(worker, look, &frame, &shows))
        ids_reply_made(worker, conn, look->request->msgid,
                       (idp_slice){frame.ptr, frame.len}, shows);
    else
        ids_reply_error(worker, conn, look->request->msgid, IDP_E_NO_MEMORY,
                        NULL);
    idp_bytes_free(&frame);
}

static void serve_look(ids_worker *worker, ids_conn *conn,
                       const ids_item *item) {
    ids_look look = {.request = &item->request};
    const char *text;
    idp_error error = ids_looks_plan(worker, conn, &look, &text);
    if (error != IDP_OK) {
        ids_reply_error(worker, conn, item->request.msgid, error, text);
    } else if (look.owner == worker->index) {
        make_look(worker, conn, &look);
    } else {
        ids_item forwarded = *item;
        forwarded.owner = look.owner;
        forwarded.hash = look.word;
        forwarded.flags = look.flags;
        ask_owner(worker, conn, &forwarded);
    }
}

static bool is_inquiry(idp_method method) {
    return method == IDP_STATS || method == IDP_METRICS ||
           method == IDP_REPLICATION;
}

static ids_inquiry_kind inquiry_of(const idp_request *request) {
    if (request->method == IDP_REPLICATION)
        return IDS_INQUIRY_REPLICATION;
    if (request->method == IDP_STATS)
        return IDS_INQUIRY_STATS;
    return request->open_metrics ? IDS_INQUIRY_OPEN_METRICS
                                 : IDS_INQUIRY_METRICS;
}

static HOT void serve_request(ids_line *line, ids_conn *conn,
                              const ids_item *item) {
    ids_worker *worker = &line->worker;
    const idp_request *request = &item->request;
    worker->counters.of[IDS_REQUESTS_TOTAL]++;
    ids_worker_worked(worker, IDS_WORK_SERVE, 1, item->frame_bytes);
    if (conn->reading.refusal) {
        refuse_to_answer(worker, conn, request->msgid);
        return;
    }
    if (conn->reading.surplus && !is_operators(conn, request->method)) {
        ids_reply_error(worker, conn, request->msgid, IDP_E_LIMIT,
                        IDS_TOO_MANY_CONNECTIONS);
        ids_conn_finish(worker, conn);
        return;
    }
    if (worker->draining) {
        ids_reply_error(worker, conn, request->msgid, IDP_E_SHUTTING_DOWN,
                        NULL);
        return;
    }
    if (request->method == IDP_HELLO) {
        serve_hello(line, conn, request);
        return;
    }
    if (!is_admitted(worker, conn)) {
        ids_admit_refuse_stranger(worker, conn, request->msgid,
                                  "say hello with the secret first");
        return;
    }
    if (!ids_admit_may(conn, request)) {
        ids_admit_denied(worker, conn, request);
        return;
    }
    conn->reading.served = true;
    if (request->method <= IDP_PEEK)
        serve_key(worker, conn, item);
    else if (ids_method_decides(request->method))
        ids_decide_ask(worker, conn, item);
    else if (request->method == IDP_PING)
        ids_reply_pong(worker, conn, request->msgid);
    else if (is_inquiry(request->method))
        ids_inquiry_ask(&line->inquiries, inquiry_of(request), worker, conn,
                        request->msgid);
    else if (ids_method_looks(request->method))
        serve_look(worker, conn, item);
    else if (request->method == IDP_EVENTS)
        ids_polls_ask(&line->polls, worker, conn, request);
    else if (request->method == IDP_NAMESPACES)
        ids_tally_ask(&line->tally, worker, conn, request);
    else
        ids_command_ask(worker, conn, request);
}

/* Room to forward ---------------------------------------------------------- */

bool ids_dispatch_has_room(const ids_worker *worker, uint32_t loop,
                           size_t frame_bytes) {
    size_t share = worker->buffers.bytes_max;
    const ids_message_batch *batch = worker->post.to[loop];
    size_t message = batch ? batch->message.len : 0;
    size_t bytes = frame_bytes + IDS_FORWARD_REPLY_BYTES;
    message += ids_mailbox_bytes(&worker->server->mailboxes[loop]);
    if (message && message + bytes > share / 2)
        return false;
    return !worker->forwarded || worker->buffers.bytes + bytes <= share / 4 * 3;
}

static void stand_in_line(ids_line *line, ids_conn *conn,
                          const ids_item *item) {
    assert(!conn->room.is_wanted);
    conn->room.is_wanted = true;
    conn->room.loop = item->owner;
    conn->room.bytes = item->frame_bytes;
    ids_list_append(&line->for_room, &conn->room.in_line);
}

void ids_dispatch_leave_line(ids_line *line, ids_conn *conn) {
    if (!conn->room.is_wanted)
        return;
    conn->room.is_wanted = false;
    ids_list_remove(&line->for_room, &conn->room.in_line);
}

/* What is at other loops now comes back all at once, and has to be kept when
 * the socket takes none of it: large results are forwarded few at a time. */
static bool may_forward(const ids_server *server, const ids_conn *conn) {
    return conn->forwarded.count < server->pending_max &&
           conn->forwarded.bytes < IDS_FORWARDED_BYTES_HIGH &&
           (uint64_t)conn->forwarded.count * conn->forwarded.reply_bytes <
               server->unsent_bytes_max / 2;
}

bool ids_dispatch_may_serve(const ids_worker *worker, const ids_conn *conn) {
    return ids_conn_is_open(conn) && !conn->room.is_wanted &&
           !worker->gate.full && may_forward(worker->server, conn) &&
           ids_conn_unsent(conn) < IDS_UNSENT_BYTES_HIGH;
}

static bool finds_room(ids_line *line, ids_conn *conn, const ids_item *item) {
    if (item->owner == line->worker.index ||
        ids_dispatch_has_room(&line->worker, item->owner, item->frame_bytes))
        return true;
    stand_in_line(line, conn, item);
    return false;
}

/* Apart, so that a request alone pays for none of it. */
static __attribute__((noinline)) void
measure_many(ids_line *line, const ids_item *items, uint32_t count) {
    ids_measures *measures = &line->worker.measures;
    uint64_t now_ns =
        line->driver.clock_ns ? line->driver.clock_ns() : measures->now_ns;
    uint64_t ns = now_ns - measures->begun_ns;
    uint32_t bucket = ids_bucket(ns);
    for (uint32_t i = 0; i < count; i++)
        if (items[i].owner == line->worker.index)
            ids_measures_answered(measures, items[i].request.method, bucket,
                                  ns);
    ids_measures_read(measures, now_ns); /* takes out those of the batch, too */
    if (measures->parked)
        ids_measures_take_out(measures, bucket, ns);
}

void ids_dispatch_end_batch(ids_line *line, const ids_item *items,
                            uint32_t count) {
    ids_measures *measures = &line->worker.measures;
    measures->asked = IDS_ASKED_NOTHING;
    if (count > 1 || measures->alone)
        measure_many(line, items, count);
    else if (items[0].owner == line->worker.index)
        measures->alone = items[0].request.method + 1;
}

/* For one and for many, so that what serves a request is there once. */
static __attribute__((noinline)) uint32_t carry_out(ids_line *line,
                                                    ids_conn *conn,
                                                    const ids_item *items,
                                                    uint32_t count) {
    uint32_t done = 0;
    while (done < count && ids_dispatch_may_serve(&line->worker, conn) &&
           ids_line_serves(line) && finds_room(line, conn, &items[done])) {
        const ids_item *item = &items[done++];
        line->worker.measures.asked = item->request.method;
        serve_request(line, conn, item);
    }
    return done;
}

bool ids_dispatch_one(ids_line *line, ids_conn *conn, const ids_item *item) {
    return carry_out(line, conn, item, 1) == 1;
}

uint32_t ids_dispatch(ids_line *line, ids_conn *conn, uint32_t count) {
    ids_dispatch_prefetch(line, line->batch, count);
    uint32_t done = carry_out(line, conn, line->batch, count);
    if (done)
        ids_dispatch_end_batch(line, line->batch, done);
    return done;
}
