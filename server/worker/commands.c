/* SPDX-License-Identifier: Apache-2.0 */
/* commands.c -- what an operator asks of a server; see commands.h. */
#include "server/worker/commands.h"

#include "server/base/log.h"
#include "server/worker/reply.h"

#include "server/peer/endpoint.h"

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

/* A failover agent's: its body is what is told. */
static bool method_is_told(idp_method method) {
    return method == IDP_CONFIG || method == IDP_OFFER;
}

/* Of others: which node is meant; it may be none. */
static idp_slice body_of(const idp_request *request) {
    static const uint8_t none[1];
    assert(request->ns.len <= IDP_NS_BYTES_MAX);
    if (method_is_told(request->method))
        return request->result;
    return request->ns.len > 0 ? request->ns : (idp_slice){none, 0};
}

void ids_command_ask(ids_worker *worker, ids_conn *conn,
                     const idp_request *request) {
    idp_slice body = body_of(request);
    const ids_message message = {
        .asker = conn->asker,
        .word = request->method | (request->accept_loss ? ACCEPT_LOSS : 0) |
                (request->dry_run ? DRY_RUN : 0) | (request->force ? FORCE : 0),
        .msgid = request->msgid,
        .body_bytes = (uint32_t)body.len,
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
        (!batch || !ids_message_append(batch, &message, body.ptr))) {
        ids_reply_error(worker, conn, request->msgid, IDP_E_NO_MEMORY, NULL);
        return;
    }
    conn->waiting++;
    ids_audited_command(worker, conn, request);
    if (!worker->index)
        ids_command_take(worker, &message, body.ptr);
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
    if (command == IDP_SNAPSHOT || command == IDP_BACKUP) {
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

static bool take_node(const idp_group_node *from, ids_group_member *to) {
    const uint8_t *name = (const uint8_t *)from->node;
    to->incarnation = from->incarnation;
    return from->incarnation != 0 && from->node[0] &&
           ids_node_name_from(&to->node,
                              (idp_slice){name, strlen(from->node)}) &&
           ids_endpoint_from(&to->at, from->at, strlen(from->at));
}

/* Each name once, and the primary among them. */
static bool take_command_group(const idp_told *told, ids_group *group) {
    bool found = false;
    *group = (ids_group){.epoch = told->epoch, .isr_count = told->node_count};
    static_assert(sizeof group->id.text == sizeof told->id &&
                      IDS_GROUP_NODES_MAX == IDP_GROUP_NODES_MAX,
                  "they mean the same");
    memcpy(group->id.text, told->id, sizeof told->id);
    for (uint32_t i = 0; i < told->node_count; i++) {
        ids_group_member *member = &group->isr[i];
        if (!take_node(&told->nodes[i], member))
            return false;
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(group->isr[k].node.text, member->node.text) == 0)
                return false;
        if (strcmp(member->node.text, told->primary) != 0)
            continue;
        group->primary = *member;
        found = true;
    }
    return found && told->id[0] && told->rev > 0 && told->epoch > 0;
}

static void hand_told(ids_worker *worker, idp_method method, idp_slice body,
                      ids_command_id id) {
    const ids_command_handler *peer = &worker->server->peer;
    ids_command_request request = {.command = method, .id = id};
    idp_told told;
    ids_group group = {.epoch = 0};
    ids_group_member whom;
    bool good = idp_told_read(body, &told);
    if (good && method == IDP_CONFIG)
        good = take_command_group(&told, &group);
    else if (good)
        good = told.node_count == 1 && take_node(&told.nodes[0], &whom);
    if (!good || !peer->begin) {
        ids_command_refuse(worker, id,
                           good ? no_peer
                                : "what is told makes no sense; is the agent "
                                  "of another version?");
        return;
    }
    group.epoch = told.epoch;
    request.rev = told.rev;
    request.group = &group;
    request.whom = method == IDP_OFFER ? &whom : NULL;
    ids_log(IDS_LOG_INFO, "command taken",
            "id=%llu command=%s revision=%llu epoch=%llu primary=%s",
            (unsigned long long)id, idp_method_name(method),
            (unsigned long long)told.rev, (unsigned long long)told.epoch,
            told.primary);
    peer->begin(peer->ctx, worker, &request);
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
    idp_method method = (idp_method)(message->word & METHOD_OF);
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
        idp_slice told = {body, message->body_bytes};
        if (method_is_told(method))
            hand_told(worker, method, told, place->id);
        else
            hand_to_handler(worker, message->word, told, place->id);
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
static void node_name_alone(const ids_server *server, char *to, size_t cap) {
    uint64_t name;
    memcpy(&name, server->hash_key, sizeof name);
    snprintf(to, cap, "%016llx", (unsigned long long)name);
}

void ids_command_node(ids_worker *worker, char *to, size_t cap) {
    const ids_server *server = worker->server;
    idp_replication r = {0};
    node_name_alone(server, r.node, sizeof r.node);
    if (server->peer.report)
        server->peer.report(server->peer.ctx, worker, &r);
    snprintf(to, cap, "%s", r.node);
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
    node_name_alone(server, r.node, sizeof r.node);
    memcpy(r.in_sync[0], r.node, sizeof r.node);
    if (server->peer.report)
        server->peer.report(server->peer.ctx, worker, &r);
    return idp_replication_write(bytes, IDP_REPLICATION_BYTES_MAX, 0, &r);
}
