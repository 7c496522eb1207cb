/* SPDX-License-Identifier: Apache-2.0 */
/* commands.c -- what an operator asks of a server; see commands.h. */
#include "server/worker/commands.h"

#include "server/base/log.h"
#include "server/worker/reply.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const char no_peer[] =
    "this server has no peer; start it with --replication sync (or async), "
    "or as a replica with --replicate-from HOST:PORT";
static const char no_store[] =
    "this server keeps nothing on disk; start it with --data-dir DIR";
static const char no_reload[] = "this server has no settings to read again";
static const char not_here[] =
    "commands need the secret, or where there is none (--secret-file) a "
    "connection from this machine";

/* Asked, on any loop ------------------------------------------------------- */

/* What stands in the message's word. */
#define ACCEPT_LOSS 0x100u
#define DRY_RUN     0x200u
#define FORCE       0x400u
#define METHOD_OF   0xffu

static bool may_command(const ids_worker *worker, const ids_conn *conn) {
    return worker->server->access ? conn->reading.admitted
                                  : conn->reading.local;
}

/* Which node is meant; it may be none. */
static const uint8_t *name_of(const idp_request *request) {
    assert(request->ns.len <= IDP_NS_BYTES_MAX);
    return request->ns.len > 0 ? request->ns.ptr : (const uint8_t *)"";
}

void ids_command_ask(ids_worker *worker, ids_conn *conn,
                     const idp_request *request) {
    const ids_message message = {
        .asker = conn->asker,
        .word = request->method | (request->accept_loss ? ACCEPT_LOSS : 0) |
                (request->dry_run ? DRY_RUN : 0) | (request->force ? FORCE : 0),
        .msgid = request->msgid,
        .body_bytes = (uint32_t)request->ns.len,
        .kind = IDS_MESSAGE_COMMAND,
        .flags = IDS_MESSAGE_WAITS};
    assert(request->method != IDP_REPLICATION); /* an inquiry */
    if (!may_command(worker, conn)) {
        ids_reply_error(worker, conn, request->msgid, IDP_E_DENIED, not_here);
        return;
    }
    if (conn->waiting >= worker->server->pending_max) {
        ids_reply_error(worker, conn, request->msgid, IDP_E_LIMIT,
                        "too many requests of this connection are pending "
                        "(--max-pending)");
        return;
    }
    ids_message_batch *batch =
        worker->index ? ids_worker_batch(worker, 0) : NULL;
    if (worker->index &&
        (!batch || !ids_message_append(batch, &message, name_of(request)))) {
        ids_reply_error(worker, conn, request->msgid, IDP_E_NO_MEMORY, NULL);
        return;
    }
    conn->waiting++;
    if (!worker->index)
        ids_command_take(worker, &message, name_of(request));
}

/* Replies, from loop 0 ----------------------------------------------------- */

/* It shows no record, so that it is not held: an operator must be heard while
 * changes wait for a disk or a replica that may never confirm them. */
static void send_reply(ids_worker *worker, const ids_message *asked,
                       const uint8_t *bytes, size_t len) {
    ids_message message = {.asker = asked->asker,
                           .word = len,
                           .msgid = asked->msgid,
                           .body_bytes = (uint32_t)len,
                           .kind = IDS_MESSAGE_REPLY,
                           .flags = asked->flags};
    uint32_t loop = ids_asker_loop(asked->asker);
    if (loop == worker->index) {
        ids_reply_to_waiter(worker, asked->asker, asked->msgid,
                            (idp_slice){bytes, len});
        return;
    }
    ids_message_batch *batch = ids_worker_batch(worker, loop);
    if (!batch || !ids_message_append(batch, &message, bytes)) {
        worker->counters.of[IDS_REPLIES_LOST_TOTAL]++;
        ids_log(IDS_LOG_ERROR, "reply lost: out of memory", NULL);
    }
}

static void send_error(ids_worker *worker, const ids_message *asked,
                       idp_error error, const char *text) {
    uint8_t bytes[IDP_ERROR_REPLY_BYTES_MAX];
    ids_worker_refuses(worker, error);
    send_reply(worker, asked, bytes,
               idp_error_write(bytes, sizeof bytes, asked->msgid, error, text));
}

/* Carried out, on loop 0 --------------------------------------------------- */

static ids_command_under_way *find_command(ids_worker *worker,
                                           ids_command_id id) {
    for (int i = 0; i < IDS_COMMANDS_MAX; i++)
        if (worker->commands.under_way[i].id == id)
            return &worker->commands.under_way[i];
    return NULL;
}

/* The place is free again; what was asked there. */
static ids_message leave_place(ids_command_under_way *command) {
    const ids_message asked = {.asker = command->asker,
                               .msgid = command->msgid,
                               .flags = IDS_MESSAGE_WAITS};
    command->id = 0;
    return asked;
}

/* Whose command it is; text: what is said where nobody is there. */
static const ids_command_handler *
handler_of(const ids_server *server, idp_method command, const char **text) {
    if (command == IDP_SNAPSHOT) {
        *text = no_store;
        return &server->store;
    }
    if (command == IDP_RELOAD) {
        *text = no_reload;
        return &server->reload;
    }
    *text = no_peer;
    return &server->peer;
}

static void hand_to_handler(ids_worker *worker, uint64_t word, idp_slice node,
                            ids_command_id id) {
    const ids_command_request request = {.command =
                                             (idp_method)(word & METHOD_OF),
                                         .accept_loss = word & ACCEPT_LOSS,
                                         .dry_run = word & DRY_RUN,
                                         .force = word & FORCE,
                                         .node_name = node,
                                         .id = id};
    const char *text;
    const ids_command_handler *handler =
        handler_of(worker->server, request.command, &text);
    ids_log(IDS_LOG_INFO, "command taken",
            "id=%llu command=%s accept_loss=%d dry_run=%d force=%d "
            "node=\"%.*s\"",
            (unsigned long long)id, idp_method_name(request.command),
            request.accept_loss, request.dry_run, request.force, (int)node.len,
            (const char *)node.ptr);
    if (handler->begin)
        handler->begin(handler->ctx, worker, &request);
    else
        ids_command_refuse(worker, id, text);
}

static_assert(IDP_METHOD_COUNT <= METHOD_OF, "a method beside the options");

void ids_command_take(ids_worker *worker, const ids_message *message,
                      const uint8_t *body) {
    assert(worker->index == 0);
    worker->counters.of[IDS_COMMANDS_TOTAL]++;
    ids_command_under_way *place = find_command(worker, 0);
    if (worker->draining) {
        send_error(worker, message, IDP_E_SHUTTING_DOWN, NULL);
    } else if (!place) {
        send_error(worker, message, IDP_E_LIMIT,
                   "too many commands are under way; ask again");
    } else {
        *place = (ids_command_under_way){.id = ++worker->commands.given,
                                         .asker = message->asker,
                                         .msgid = message->msgid};
        hand_to_handler(worker, message->word,
                        (idp_slice){body, message->body_bytes}, place->id);
    }
}

void ids_command_answer(ids_worker *worker, ids_command_id id,
                        const idp_command_answer *answer) {
    ids_command_under_way *command = id ? find_command(worker, id) : NULL;
    bool refused = answer->outcome == IDP_COMMAND_REFUSED;
    uint8_t bytes[IDP_COMMAND_REPLY_BYTES_MAX];
    if (!command)
        return;
    const ids_message asked = leave_place(command);
    worker->counters.of[IDS_COMMANDS_REFUSED_TOTAL] += refused;
    ids_log(IDS_LOG_INFO, refused ? "command refused" : "command carried out",
            "id=%llu outcome=%s reason=\"%.*s\"", (unsigned long long)id,
            idp_command_outcome_name(answer->outcome),
            refused ? (int)answer->text.len : 0,
            refused ? (const char *)answer->text.ptr : "");
    send_reply(worker, &asked, bytes,
               idp_command_write(bytes, sizeof bytes, asked.msgid, answer));
}

void ids_command_refuse(ids_worker *worker, ids_command_id id,
                        const char *text) {
    const idp_command_answer answer = {
        .outcome = IDP_COMMAND_REFUSED,
        .text = {(const uint8_t *)text, strlen(text)}};
    ids_command_answer(worker, id, &answer);
}

void ids_command_drain(ids_worker *worker) {
    for (int i = 0; i < IDS_COMMANDS_MAX; i++) {
        ids_command_under_way *command = &worker->commands.under_way[i];
        if (!command->id)
            continue;
        const ids_message asked = leave_place(command);
        send_error(worker, &asked, IDP_E_SHUTTING_DOWN,
                   "the server is going down; whether the command is carried "
                   "out is unknown");
    }
}

/* How replication stands --------------------------------------------------- */

/* A server without a peer is named for this one run. */
static void name_alone(const ids_server *server, char *to, size_t cap) {
    uint64_t name;
    memcpy(&name, server->hash_key, sizeof name);
    snprintf(to, cap, "%016llx", (unsigned long long)name);
}

size_t ids_command_report(ids_worker *worker,
                          uint8_t bytes[static IDP_REPLICATION_BYTES_MAX]) {
    const ids_server *server = worker->server;
    idp_replication r = {
        .role = "primary",
        .mode = "none",
        .epoch = server->epoch,
        .in_sync_count = 1,
        .state = "This server is alone: what it holds is on no other machine.",
    };
    name_alone(server, r.node, sizeof r.node);
    memcpy(r.in_sync[0], r.node, sizeof r.node);
    if (server->peer.report)
        server->peer.report(server->peer.ctx, worker, &r);
    return idp_replication_write(bytes, IDP_REPLICATION_BYTES_MAX, 0, &r);
}
