/* SPDX-License-Identifier: Apache-2.0 */
/* dispatch.c -- from a decoded request to its answer. */
#include "server/dispatch.h"

#include "proto/owner.h"
#include "server/hold.h"
#include "server/hop.h"
#include "server/reply.h"

#include <assert.h>

#define DENIALS_MAX 3

static_assert(IDP_ACQUIRE == 0 && IDP_PEEK == 4 && IDP_HELLO == 5,
              "the methods that are about a key come first");

void ids_dispatch_prepare(const ids_desk *desk, ids_item *item) {
    const ids_house *house = desk->house;
    const idp_request *request = &item->request;
    item->owner = desk->index;
    if (!ids_method_has_key(request->method))
        return;
    item->hash = ids_house_hash(house, request->ns, request->key, &item->owner);
}

static bool is_for_the_shard(const ids_desk *desk, const ids_item *item) {
    return item->owner == desk->index &&
           ids_method_has_key(item->request.method);
}

void ids_dispatch_prefetch(const ids_desk *desk, uint32_t count) {
    if (count < 2)
        return;
    for (uint32_t i = 0; i < count; i++)
        if (is_for_the_shard(desk, &desk->batch[i]))
            ids_shard_prefetch_bucket(desk->shard, desk->batch[i].hash);
    for (uint32_t i = 0; i < count; i++)
        if (is_for_the_shard(desk, &desk->batch[i]))
            ids_shard_prefetch_record(desk->shard, desk->batch[i].hash);
}

static void call_shard(ids_desk *desk, ids_conn *conn, const ids_item *item) {
    const idp_request *request = &item->request;
    const ids_call call = {.request = request,
                           .hash = item->hash,
                           .now_ms = desk->now_ms,
                           .asker = conn->asker};
    idp_answer answer;
    idp_error error;
    const char *text;
    switch (ids_hold_call(desk, &call, &answer, &error, &text)) {
    case IDS_ANSWERED:
        ids_reply_answer(desk, conn, request->msgid, &answer);
        break;
    case IDS_PARKED:
        conn->waiting++;
        break;
    case IDS_REFUSED:
        ids_reply_error(desk, conn, request->msgid, error, text);
        break;
    }
}

static void serve_key(ids_desk *desk, ids_conn *conn, const ids_item *item) {
    const idp_request *request = &item->request;
    if (request->method == IDP_ACQUIRE && request->wait_ms &&
        conn->waiting >= desk->house->pending_max)
        ids_reply_error(desk, conn, request->msgid, IDP_E_LIMIT,
                        "too many requests of this connection are pending "
                        "(--max-pending)");
    else if (item->owner == desk->index)
        call_shard(desk, conn, item);
    else
        ids_hop_ask(desk, conn, item);
}

static void deny(ids_desk *desk, ids_conn *conn, uint32_t msgid,
                 const char *text) {
    ids_log_conn(IDS_LOG_WARN, "refused: no secret, or a wrong one", conn,
                 text);
    ids_reply_error(desk, conn, msgid, IDP_E_DENIED, text);
}

/* False: it was refused, and answered. */
static bool check_secret(ids_desk *desk, ids_conn *conn,
                         const idp_request *request) {
    const ids_secret *secret = &desk->house->secret;
    if (!secret->len || (conn->admitted && !request->secret.ptr))
        return true;
    if (!request->secret.ptr) {
        deny(desk, conn, request->msgid, "hello must carry the secret");
        return false;
    }
    if (ids_secret_matches(secret, request->secret)) {
        conn->admitted = true;
        return true;
    }
    deny(desk, conn, request->msgid, "the secret is wrong");
    if (++conn->denials >= DENIALS_MAX)
        ids_conn_become(conn, IDS_CONN_CLOSING);
    return false;
}

static void serve_hello(ids_desk *desk, ids_conn *conn,
                        const idp_request *request) {
    ids_who_name(&conn->who, request->client);
    if (!check_secret(desk, conn, request))
        return;
    bool fresh = !conn->served && !conn->waiting && !conn->hopped;
    if (!request->has_shard || request->shard == desk->index) {
        conn->served = true;
        ids_reply_hello(desk, conn, request->msgid);
    } else if (request->shard >= desk->house->loops) {
        ids_reply_error(desk, conn, request->msgid, IDP_E_BAD_REQUEST,
                        "shard: there is no such shard");
    } else if (!fresh) {
        ids_reply_error(desk, conn, request->msgid, IDP_E_BAD_REQUEST,
                        "shard: only a fresh connection can be moved");
    } else {
        conn->served = true;
        ids_conn_become(conn, IDS_CONN_MOVING);
        conn->move_to = request->shard;
        conn->move_msgid = request->msgid;
        ids_desk_mark(desk, conn);
    }
}

/* Whoever runs the server is heard when clients have taken every place. */
static bool is_operators(const ids_conn *conn, idp_method method) {
    return conn->local && (method == IDP_HELLO || method == IDP_STATS ||
                           ids_method_is_order(method));
}

static bool is_admitted(const ids_desk *desk, const ids_conn *conn) {
    return conn->admitted || !desk->house->secret.len;
}

static void serve(ids_desk *desk, ids_conn *conn, const ids_item *item) {
    const idp_request *request = &item->request;
    desk->counters.of[IDS_REQUESTS_TOTAL]++;
    ids_desk_worked(desk, IDS_WORK_SERVE, 1, item->frame_bytes);
    if (conn->surplus && !is_operators(conn, request->method)) {
        ids_reply_error(desk, conn, request->msgid, IDP_E_LIMIT,
                        IDS_TOO_MANY_CONNECTIONS);
        ids_conn_finish(desk, conn);
        return;
    }
    if (desk->draining) {
        ids_reply_error(desk, conn, request->msgid, IDP_E_SHUTTING_DOWN, NULL);
        return;
    }
    if (request->method == IDP_HELLO) {
        serve_hello(desk, conn, request);
        return;
    }
    if (!is_admitted(desk, conn)) {
        deny(desk, conn, request->msgid, "say hello with the secret first");
        return;
    }
    conn->served = true;
    if (ids_method_has_key(request->method))
        serve_key(desk, conn, item);
    else if (request->method == IDP_PING)
        ids_reply_pong(desk, conn, request->msgid);
    else if (ids_method_is_order(request->method))
        ids_orders_ask(desk, conn, request);
    else
        ids_inquiry_ask(desk, IDS_INQUIRY_STATS, conn, request->msgid);
}

static bool finds_room(ids_desk *desk, ids_conn *conn, const ids_item *item) {
    if (item->owner == desk->index ||
        ids_hop_has_room(desk, item->owner, item->frame_bytes))
        return true;
    ids_hop_stand_in_line(desk, conn, item);
    return false;
}

uint32_t ids_dispatch(ids_desk *desk, ids_conn *conn, uint32_t count) {
    uint32_t done = 0;
    ids_dispatch_prefetch(desk, count);
    while (done < count && ids_conn_may_serve(desk, conn) &&
           ids_desk_serves(desk) && finds_room(desk, conn, &desk->batch[done]))
        serve(desk, conn, &desk->batch[done++]);
    return done;
}
