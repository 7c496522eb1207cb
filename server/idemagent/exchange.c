/* SPDX-License-Identifier: Apache-2.0 */
/* exchange.c -- see exchange.h: libidemclient's wire, behind its headers. */
#include "server/idemagent/exchange.h"

#include "client/src/error.h"
#include "client/src/handshake.h"
#include "client/src/socket.h"
#include "proto/commands.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ida_line {
    char *text;
    idem__uri uri;
    bool is_parsed;
    idem__wire wire;
    idem__seal seal;
    idem__lookup lookup;
    idem__addr good;
    int fd; /* -1: not connected */
};

ida_line *ida_line_new(const char *uri) {
    ida_line *line = calloc(1, sizeof *line);
    if (!line)
        return NULL;
    line->fd = -1;
    line->text = strdup(uri);
    idem__wire_init(&line->wire);
    return line;
}

static void hang_up_line(ida_line *line) {
    if (line->fd >= 0)
        idem__seal_hang_up(&line->seal, line->fd);
    idem__seal_end(&line->seal);
    line->fd = -1;
    idem__wire_fini(&line->wire);
    idem__wire_init(&line->wire);
}

void ida_line_free(ida_line *line) {
    if (!line)
        return;
    hang_up_line(line);
    idem__wire_fini(&line->wire);
    idem__lookup_drop(&line->lookup);
    if (line->is_parsed)
        idem__uri_fini(&line->uri);
    free(line->text);
    free(line);
}

int ida_line_fd(const ida_line *line) {
    return line->fd;
}

/* --- a request, and its answer -------------------------------------------- */

static bool fail(ida_line *line, ida_called *called, const char *why) {
    snprintf(called->why, sizeof called->why, "%.255s", why);
    hang_up_line(line);
    return false;
}

/* The files that the URI names are read anew with each connection. */
static bool connect_line(ida_line *line, ida_called *called,
                         uint64_t deadline_ms) {
    idem_error err = {.size = sizeof err};
    idp_hello hello;
    if (line->fd >= 0)
        return true;
    if (line->is_parsed)
        idem__uri_fini(&line->uri);
    line->is_parsed = true;
    if (!line->text || idem__uri_parse(line->text, &line->uri, &err) != 0)
        return fail(line, called, line->text ? err.text : "no memory");
    idem__handshake handshake = {.uri = &line->uri,
                                 .endpoint = &line->uri.endpoints[0],
                                 .shard = -1,
                                 .seal = &line->seal,
                                 .deadline_ms = deadline_ms,
                                 .lookup = &line->lookup,
                                 .good = &line->good};
    line->fd = idem__handshake_server(&handshake, &line->wire, &hello, &err);
    if (line->fd >= 0)
        return true;
    called->refused =
        err.code == IDEM_E_CONNECT && err.os_error == ECONNREFUSED;
    return fail(line, called, err.text);
}

static bool exchange(ida_line *line, const idp_request *request,
                     ida_called *called, uint32_t wait_ms, idp_reply *reply) {
    uint64_t deadline_ms = idem_now_ms() + wait_ms;
    bool was_open = line->fd >= 0;
    if (!connect_line(line, called, deadline_ms))
        return false;
    idem__op op = {.deadline_ms = UINT64_MAX};
    if (idem__wire_queue(&line->wire, &op, request) != 0)
        return fail(line, called, "no memory for a request");
    idem__heard heard = idem__handshake_exchange(
        line->fd, &line->wire, &line->seal, deadline_ms, reply);
    bool closed = heard == IDEM__HEARD_FAILED && errno != ETIMEDOUT;
    if (op.pending)
        idem__calls_remove(&line->wire.calls, &op);
    if (heard != IDEM__HEARD_REPLY)
        hang_up_line(line);
    /* It went while nobody looked: once more, anew. */
    if (closed && was_open && idem_now_ms() < deadline_ms)
        return exchange(line, request, called, wait_ms, reply);
    if (heard != IDEM__HEARD_REPLY)
        return fail(line, called,
                    closed ? "it closed the connection" : "no answer in time");
    if (!reply->is_error)
        return true;
    snprintf(called->why, sizeof called->why, "%.*s",
             (int)(reply->text.len < 200 ? reply->text.len : 200),
             (const char *)reply->text.ptr);
    return false;
}

/* --- N1 ------------------------------------------------------------------- */

static bool take_node(const idp_group_node *from, ids_group_member *to) {
    to->incarnation = from->incarnation;
    return ids_node_name_from(
               &to->node,
               (idp_slice){(const uint8_t *)from->node, strlen(from->node)}) &&
           ids_endpoint_from(&to->at, from->at, strlen(from->at));
}

static bool take_seen(const idp_group_seen *from, ids_report_peer *to) {
    *to = (ids_report_peer){
        .as = strcmp(from->as, "member") == 0    ? IDS_REPORT_MEMBER
              : strcmp(from->as, "offered") == 0 ? IDS_REPORT_OFFERED
                                                 : IDS_REPORT_CANDIDATE,
        .rev = from->rev,
        .silent_ms = from->silent_ms,
        .session = from->session,
        .whole = from->whole,
        .ready = from->ready,
        .needs_copy = from->needs_copy};
    return take_node(&from->who, &to->who);
}

static bool take_report(const idp_group_standing *from, ids_report *to) {
    *to = (ids_report){.epoch = from->epoch,
                       .rev = from->rev,
                       .lead_epoch = from->lead_epoch,
                       .min_in_sync = (uint32_t)from->min_in_sync,
                       .leading = from->leading,
                       .had_replica = from->had_replica};
    static_assert(sizeof to->id.text == sizeof from->id, "they mean the same");
    memcpy(to->id.text, from->id, sizeof to->id.text);
    if (!take_node(&from->self, &to->self))
        return false;
    for (uint32_t i = 0; i < from->seen_count; i++)
        if (take_seen(&from->seen[i], &to->peer[to->peer_count]))
            to->peer_count++;
    return true;
}

void ida_line_ask(ida_line *line, ida_called *called, uint32_t wait_ms) {
    const idp_request request = {.method = IDP_REPLICATION};
    idp_replication said;
    idp_reply reply;
    if (!exchange(line, &request, called, wait_ms, &reply))
        return;
    if (!idp_replication_read(reply.result, &said))
        snprintf(called->why, sizeof called->why, "an answer of no sense");
    else if (!said.group.self.node[0])
        snprintf(called->why, sizeof called->why,
                 "it is under no agent: start it with --agent");
    else
        called->answered = take_report(&said.group, &called->report);
}

/* --- N2, N3 --------------------------------------------------------------- */

static void put_node(idp_group_node *to, const ids_group_member *from) {
    to->incarnation = from->incarnation;
    memcpy(to->node, from->node.text, sizeof to->node);
    memcpy(to->at, from->at.text, sizeof to->at);
}

static idp_told told_of(const ids_agent_act *act) {
    idp_told told = {.rev = act->rev, .epoch = act->group.epoch};
    static_assert(sizeof told.nodes[0].node == IDS_NODE_NAME_BYTES &&
                      sizeof told.nodes[0].at == IDS_ENDPOINT_BYTES,
                  "they mean the same");
    if (act->kind == IDS_AGENT_OFFER) {
        told.node_count = 1;
        put_node(&told.nodes[0], &act->member);
        return told;
    }
    memcpy(told.id, act->group.id.text, sizeof told.id);
    memcpy(told.primary, act->group.primary.node.text, sizeof told.primary);
    told.node_count = act->group.isr_count;
    for (uint32_t i = 0; i < told.node_count; i++)
        put_node(&told.nodes[i], &act->group.isr[i]);
    return told;
}

void ida_line_tell(ida_line *line, const ids_agent_act *act, ida_called *called,
                   uint32_t wait_ms) {
    const idp_told told = told_of(act);
    uint8_t bytes[IDP_TOLD_BYTES_MAX];
    size_t len = idp_told_write(bytes, sizeof bytes, &told);
    idp_method method = act->kind == IDS_AGENT_OFFER ? IDP_OFFER : IDP_CONFIG;
    const idp_request request = {.method = method, .result = {bytes, len}};
    idp_command_answer said;
    idp_reply reply;
    if (!exchange(line, &request, called, wait_ms, &reply))
        return;
    if (!idp_command_read(method, reply.result, &said))
        snprintf(called->why, sizeof called->why, "an answer of no sense");
    else if (said.outcome == IDP_COMMAND_REFUSED)
        snprintf(called->why, sizeof called->why, "%.*s",
                 (int)(said.text.len < 200 ? said.text.len : 200),
                 (const char *)said.text.ptr);
    else
        called->answered = true;
}
