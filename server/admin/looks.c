/* SPDX-License-Identifier: Apache-2.0 */
/* looks.c -- see looks.h. */
#include "server/admin/looks.h"

#include "proto/list.h"
#include "proto/reply.h"
#include "server/admin/listing.h"
#include "server/admin/people.h"
#include "server/admin/walks.h"
#include "server/admin/watchers.h"

#include <assert.h>

static bool has_grant(const ids_conn *conn, ids_grant grant, idp_slice ns) {
    const ids_verifier *verifier = conn->reading.verifier;
    return !verifier || ids_user_has(verifier->user, grant, ns);
}

static idp_error plan_list(const ids_worker *worker, const ids_conn *conn,
                           ids_look *look, const char **text) {
    const ids_verifier *verifier = conn->reading.verifier;
    const ids_viewer viewer = {.version = conn->reading.version,
                               .user = verifier ? verifier->user : NULL,
                               .now_ms = worker->now_ms};
    if (!worker->server->walks) {
        *text = "this server keeps no walks";
        return IDP_E_LIMIT;
    }
    idp_error error =
        ids_role_state_refuses(&worker->role_state, look->request, text);
    if (error != IDP_OK)
        return error;
    return ids_walks_ask(worker->server->walks, look->request, &viewer,
                         &look->word, &look->owner, text);
}

idp_error ids_looks_plan(ids_worker *worker, const ids_conn *conn,
                         ids_look *look, const char **text) {
    const idp_request *request = look->request;
    *text = NULL;
    look->asker = conn->asker;
    look->owner = worker->index;
    if (has_grant(conn, IDS_GRANT_RESOLVE, request->ns))
        look->flags |= IDS_MESSAGE_MAY_RESOLVE;
    if (has_grant(conn, IDS_GRANT_ADMIN, request->ns))
        look->flags |= IDS_MESSAGE_MAY_ADMIN;
    if (request->method == IDP_LIST)
        return plan_list(worker, conn, look, text);
    if (request->method == IDP_CLIENTS)
        return ids_people_plan(worker, look, text);
    if (request->method == IDP_KILL)
        return ids_people_plan_kill(worker, look, text);
    if (request->method == IDP_INSPECT)
        look->word = ids_server_hash(worker->server, request->ns, request->key,
                                     &look->owner);
    return IDP_OK;
}

static bool write_error(ids_worker *worker, uint32_t msgid, idp_error error,
                        const char *text, idp_bytes *frame) {
    if (!idp_bytes_reserve(frame, IDP_ERROR_REPLY_BYTES_MAX))
        return false;
    frame->len = idp_error_write(frame->ptr, frame->cap, msgid, error, text);
    ids_worker_refuses(worker, error);
    return true;
}

static bool write_slow(const ids_worker *worker, uint32_t msgid,
                       idp_bytes *frame) {
    idp_slow slow;
    if (!idp_bytes_reserve(frame, IDP_SLOW_BYTES_MAX))
        return false;
    ids_slow_log_read(worker->server->slow, worker->now_ms, &slow);
    frame->len = idp_slow_write(frame->ptr, frame->cap, msgid, &slow);
    return true;
}

/* A replica has the records of another one, and tells none. */
static idp_error may_show(const ids_worker *worker, const idp_request *request,
                          const char **text) {
    *text = NULL;
    if (request->method != IDP_LIST && request->method != IDP_INSPECT)
        return IDP_OK;
    return ids_role_state_refuses(&worker->role_state, request, text);
}

bool ids_looks_make(ids_worker *worker, const ids_look *look, idp_bytes *frame,
                    ids_showing *shows) {
    const idp_request *request = look->request;
    const char *text;
    idp_error error = may_show(worker, request, &text);
    *shows = IDS_SHOWS_NOTHING;
    assert(look->owner == worker->index);
    if (error != IDP_OK) {
        if (request->method == IDP_LIST)
            ids_walks_failed(worker->server->walks, look->word);
        return write_error(worker, request->msgid, error, text, frame);
    }
    if (request->method == IDP_CLIENTS)
        return ids_people_page(worker, look, frame);
    if (request->method == IDP_KILL)
        return ids_people_kill(worker, look, frame);
    if (request->method == IDP_SLOW)
        return write_slow(worker, request->msgid, frame);
    *shows = IDS_SHOWS_RECORD;
    return request->method == IDP_LIST
               ? ids_listing_page(worker, look, frame)
               : ids_listing_inspect(worker, look, frame);
}

bool ids_looks_open(ids_server *server) {
    server->holders = ids_holders_new(server->loops);
    server->walks = ids_walks_new(server->loops);
    server->watchers = ids_watchers_new(server->loops);
    server->slow = ids_slow_log_new();
    return server->holders && server->walks && server->watchers && server->slow;
}

void ids_looks_close(ids_server *server) {
    ids_holders_free(server->holders);
    ids_walks_free(server->walks);
    ids_watchers_free(server->watchers);
    ids_slow_log_free(server->slow);
    server->holders = NULL;
    server->walks = NULL;
    server->watchers = NULL;
    server->slow = NULL;
}
