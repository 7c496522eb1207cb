/* SPDX-License-Identifier: Apache-2.0 */
/* audited.c -- see audited.h. */
#include "server/worker/audited.h"

#include "proto/clients.h"
#include "proto/commands.h"
#include "proto/reply.h"
#include "proto/request.h"
#include "server/worker/worker.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES 240

static_assert(sizeof((ids_audit_who *)0)->user > IDP_USER_BYTES_MAX &&
                  sizeof((ids_audit_who *)0)->client > IDP_CLIENT_BYTES_MAX,
              "names fit");

void ids_audited_who(const ids_conn *conn, ids_audit_who *who) {
    const char *client = conn->who.client ? conn->who.client : "";
    *who = (ids_audit_who){.user = ""};
    if (conn->reading.verifier)
        snprintf(who->user, sizeof who->user, "%s",
                 conn->reading.verifier->user->name);
    ids_who_from(&conn->who, who->source);
    snprintf(who->client, sizeof who->client, "%.*s",
             (int)sizeof who->client - 1, client);
}

ids_audited_one *ids_audited_new(ids_worker *worker, const ids_conn *conn,
                                 const idp_request *request, idp_slice frame) {
    ids_audited *all = &worker->audited;
    ids_audited_one *one = all->count < IDS_AUDITED_MAX
                               ? calloc(1, sizeof *one + frame.len)
                               : NULL;
    if (!one)
        return NULL;
    one->asker = conn->asker;
    one->msgid = request->msgid;
    one->method = request->method;
    one->frame_bytes = (uint32_t)frame.len;
    if (frame.len > 0)
        memcpy(one->frame, frame.ptr, frame.len);
    ids_audited_who(conn, &one->who);
    ids_list_append(&all->list, &one->in_list);
    all->count++;
    return one;
}

ids_audited_one *ids_audited_find(const ids_worker *worker, ids_asker asker,
                                  uint32_t msgid) {
    for (ids_listed *at = worker->audited.list.head; at; at = at->next) {
        ids_audited_one *one = IDS_LISTED(ids_audited_one, in_list, at);
        if (one->asker == asker && one->msgid == msgid)
            return one;
    }
    return NULL;
}

void ids_audited_drop(ids_worker *worker, ids_audited_one *one) {
    assert(worker->audited.count > 0);
    ids_list_remove(&worker->audited.list, &one->in_list);
    worker->audited.count--;
    free(one);
}

void ids_audited_fini(ids_worker *worker) {
    ids_listed *next;
    for (ids_listed *at = worker->audited.list.head; at; at = next) {
        next = at->next;
        free(IDS_LISTED(ids_audited_one, in_list, at));
    }
    worker->audited = (ids_audited){.count = 0};
}

/* Lines ---------------------------------------------------------------------
 */

static void say_token(ids_audit_line *line, idp_token token) {
    uint8_t bytes[IDP_TOKEN_BYTES];
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(token.epoch >> (56 - 8 * i));
        bytes[8 + i] = (uint8_t)(token.sequence >> (56 - 8 * i));
    }
    ids_audit_hex(line, "token", bytes, sizeof bytes);
}

static void say_audited_decision(ids_audit_line *line,
                                 const idp_request *request) {
    ids_audit_bytes(line, "ns", request->ns.ptr, request->ns.len);
    ids_audit_key(line, request->key.ptr, request->key.len);
    say_token(line, request->token);
    ids_audit_text(line, "verb", idp_verb_name(request->verb));
    if (request->nonce.len > 0)
        ids_audit_hex(line, "nonce", request->nonce.ptr, request->nonce.len);
    ids_audit_bool(line, "force", request->force);
    if (request->result.ptr)
        ids_audit_number(line, "result_bytes", request->result.len);
    ids_audit_bytes(line, "reason", request->reason.ptr, request->reason.len);
}

void ids_audited_line(const ids_worker *worker, const ids_audited_one *one,
                      const idp_request *request, const char *phase,
                      ids_audit_line *line) {
    ids_audit_begin(line, idp_method_name(one->method), phase,
                    worker->role_state.epoch, one->asker, one->msgid,
                    &one->who);
    if (request && one->method == IDP_RESOLVE)
        say_audited_decision(line, request);
    if (request && one->method == IDP_ERASE) {
        ids_audit_bytes(line, "ns", request->ns.ptr, request->ns.len);
        ids_audit_key(line, request->key.ptr, request->key.len);
        ids_audit_bool(line, "dry_run", request->dry_run);
        ids_audit_bytes(line, "reason", request->reason.ptr,
                        request->reason.len);
    }
    if (request && one->method == IDP_KILL)
        ids_audit_bytes(line, "connection", request->cursor.ptr,
                        request->cursor.len);
    if (request && (one->method == IDP_PROMOTE || one->method == IDP_DETACH))
        ids_audit_bool(line, "accept_loss", request->accept_loss);
    if (request && one->method == IDP_BACKUP)
        ids_audit_bytes(line, "name", request->ns.ptr, request->ns.len);
    if (request && one->method == IDP_RELOAD) {
        ids_audit_bool(line, "dry_run", request->dry_run);
        ids_audit_bool(line, "force", request->force);
    }
}

/* What was asked, out of its frame. False: none was kept. */
static bool read_request(const ids_worker *worker, const ids_audited_one *one,
                         idp_request *request) {
    const idp_read_limits limits = {worker->server->result_bytes_max};
    idp_read_fault fault;
    size_t bytes;
    return one->frame_bytes > 0 &&
           idp_request_read(one->frame, one->frame_bytes, &limits, request,
                            &bytes, &fault) == IDP_READ_WHOLE;
}

static void begin_outcome(const ids_worker *worker, const ids_audited_one *one,
                          ids_audit_line *line) {
    idp_request request;
    bool has = read_request(worker, one, &request);
    ids_audited_line(worker, one, has ? &request : NULL, "outcome", line);
}

static void say_error(ids_audit_line *line, idp_error error, const char *text) {
    ids_audit_text(line, "error", idp_error_name(error));
    if (text)
        ids_audit_text(line, "text", text);
    if (error == IDP_E_UNREPLICATED)
        ids_audit_bool(line, "outcome_unknown", true);
}

void ids_audited_end(ids_worker *worker, ids_audited_one *one,
                     const idp_answer *answer, idp_error error,
                     const char *text) {
    ids_audit_line line;
    if (!ids_audit_is_off()) {
        begin_outcome(worker, one, &line);
        if (answer) {
            ids_audit_text(&line, "outcome", idp_outcome_name(answer->outcome));
            if (answer->outcome == IDP_OUTCOME_STALE ||
                answer->outcome == IDP_OUTCOME_REFUSED)
                ids_audit_text(&line, "state", idp_state_name(answer->state));
            if (one->method == IDP_ERASE)
                ids_audit_number(&line, "records", answer->records);
            if (answer->outcome == IDP_OUTCOME_COMPLETED)
                ids_audit_bool(&line, "kept", answer->kept);
        } else {
            say_error(&line, error, text);
        }
        ids_audit_put(&line);
    }
    ids_audited_drop(worker, one);
}

static void say_command(ids_audit_line *line, const idp_command_answer *a) {
    char text[TEXT_BYTES];
    ids_audit_text(line, "outcome", idp_command_outcome_name(a->outcome));
    if (a->epoch)
        ids_audit_number(line, "new_epoch", a->epoch);
    bool refused = a->outcome == IDP_COMMAND_REFUSED;
    if (refused || a->outcome == IDP_COMMAND_BACKUP) {
        snprintf(text, sizeof text, "%.*s", (int)a->text.len,
                 (const char *)a->text.ptr);
        ids_audit_text(line, refused ? "text" : "path", text);
    }
}

/* What stands behind an outcome of a command or a kill is its own to say. */
static void end_in_words(ids_worker *worker, ids_audited_one *one,
                         const idp_command_answer *command, const char *word) {
    ids_audit_line line;
    if (!ids_audit_is_off()) {
        begin_outcome(worker, one, &line);
        if (command)
            say_command(&line, command);
        else
            ids_audit_text(&line, "outcome", word);
        ids_audit_put(&line);
    }
    ids_audited_drop(worker, one);
}

/* Another error than its text's first word stands in no reply. */
static void end_by_reply(ids_worker *worker, ids_audited_one *one,
                         const idp_reply *reply) {
    char text[TEXT_BYTES];
    idp_answer answer;
    idp_command_answer command;
    bool was_there;
    if (reply->is_error) {
        snprintf(text, sizeof text, "%.*s", (int)reply->text.len,
                 (const char *)reply->text.ptr);
        ids_audited_end(worker, one, NULL, reply->error, text);
    } else if (idp_command_read(one->method, reply->result, &command)) {
        end_in_words(worker, one, &command, NULL);
    } else if (one->method == IDP_KILL &&
               idp_killed_read(reply->result, &was_there)) {
        end_in_words(worker, one, NULL, was_there ? "killed" : "unknown");
    } else if (idp_answer_read(one->method, reply->result, &answer)) {
        ids_audited_end(worker, one, &answer, IDP_OK, NULL);
    } else {
        ids_audited_drop(worker, one);
    }
}

void ids_audited_reply(ids_worker *worker, ids_asker asker, uint32_t msgid,
                       idp_slice frame, idp_error failed) {
    ids_audited_one *one = ids_audited_find(worker, asker, msgid);
    idp_reply reply;
    size_t bytes;
    if (!one)
        return;
    if (failed != IDP_OK)
        ids_audited_end(worker, one, NULL, failed, NULL);
    else if (idp_reply_open(frame.ptr, frame.len, frame.len, &reply, &bytes) ==
             IDP_REPLY_WHOLE)
        end_by_reply(worker, one, &reply);
    else
        ids_audited_drop(worker, one);
}

void ids_audited_command(ids_worker *worker, const ids_conn *conn,
                         const idp_request *request) {
    ids_audit_line line;
    ids_audited_one *one;
    if (ids_audit_is_off() || request->method == IDP_SNAPSHOT)
        return;
    one = ids_audited_new(worker, conn, request, (idp_slice){0});
    if (!one)
        return; /* it is carried out all the same */
    ids_audited_line(worker, one, request, "asked", &line);
    ids_audit_put(&line);
}
