/* SPDX-License-Identifier: Apache-2.0 */
/* test_readme.c -- the examples of proto/README.md, byte for byte.
 *
 * C: a request; it is read, and written again as the same bytes. c: a
 * request in another form; it is read. R: a request that is refused or
 * broken. S: the answer; read as what was asked, and written again as the
 * same bytes. Lines that begin with a blank go on. */
#include "proto/clients.h"
#include "proto/commands.h"
#include "proto/events.h"
#include "proto/list.h"
#include "proto/metrics.h"
#include "proto/namespaces.h"
#include "proto/reply.h"
#include "proto/request.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const idp_read_limits limits = {.result_bytes_max = 1 << 20};

typedef struct message {
    char kind;
    size_t line;
    uint8_t bytes[4096];
    size_t len;
} message;

/* What the last request was, for the reply that follows. */
typedef struct asked {
    idp_method method;
    uint32_t msgid;
    idp_read is;
    idp_read_fault fault;
} asked;

static void check_request(const message *m, asked *last) {
    idp_request request;
    size_t frame_bytes;
    last->is = idp_request_read(m->bytes, m->len, &limits, &request,
                                &frame_bytes, &last->fault);
    last->method = request.method;
    last->msgid = request.msgid;
    if (m->kind == 'R') {
        cr_assert(last->is == IDP_READ_REFUSED || last->is == IDP_READ_BROKEN,
                  "line %zu", m->line);
        last->msgid = last->fault.msgid;
        return;
    }
    cr_assert_eq(last->is, IDP_READ_WHOLE, "line %zu: %s", m->line,
                 last->fault.text);
    cr_assert_eq(frame_bytes, m->len, "line %zu", m->line);
    if (m->kind == 'C') {
        uint8_t again[4096];
        size_t len = idp_request_write(again, sizeof again, &request);
        cr_assert_eq(len, m->len, "line %zu", m->line);
        cr_assert(!memcmp(again, m->bytes, len), "line %zu", m->line);
    }
}

static size_t error_again(const idp_reply *reply, const asked *last,
                          uint8_t *to, size_t cap) {
    char text[256] = {0};
    size_t text_at;
    memcpy(text, reply->text.ptr, reply->text.len);
    idp_error error = idp_error_parse(text, reply->text.len, &text_at);
    if (last->is != IDP_READ_WHOLE) {
        cr_assert_eq(error, last->fault.error, "%s", text);
        cr_assert_str_eq(text + text_at, last->fault.text);
    }
    return idp_error_write(to, cap, reply->msgid, error, text + text_at);
}

static size_t stats_again(const idp_reply *reply, uint8_t *to, size_t cap) {
    static char names[IDP_STATS_MAX + 1][IDP_STAT_NAME_BYTES_MAX + 1];
    idp_stat stats[IDP_STATS_MAX + 1];
    idp_slice name;
    size_t count = 0;
    for (size_t at = 0;
         idp_stats_next(reply->result, &at, &name, &stats[count].value);
         count++) {
        memcpy(names[count], name.ptr, name.len);
        stats[count].name = names[count];
    }
    return idp_stats_write(to, cap, reply->msgid, stats, count);
}

static size_t result_again(const idp_reply *reply, idp_method method,
                           uint8_t *to, size_t cap) {
    idp_hello hello;
    idp_answer answer;
    idp_replication report;
    idp_ns_page page;
    idp_list_page list;
    idp_inspected one;
    idp_clients_page clients;
    idp_slow slow;
    bool was_there;
    idp_command_answer command;
    idp_events_page events;
    idp_slice text;
    switch (method) {
    case IDP_PING:
        cr_assert(idp_pong_read(reply->result));
        return idp_pong_write(to, cap, reply->msgid);
    case IDP_HELLO:
        cr_assert(idp_hello_read(reply->result, &hello));
        return idp_hello_write(to, cap, reply->msgid, &hello);
    case IDP_STATS:
        return stats_again(reply, to, cap);
    case IDP_REPLICATION:
        cr_assert(idp_replication_read(reply->result, &report));
        return idp_replication_write(to, cap, reply->msgid, &report);
    case IDP_NAMESPACES:
        cr_assert(idp_ns_page_read(reply->result, &page));
        return idp_ns_page_write(to, cap, reply->msgid, &page);
    case IDP_LIST:
        cr_assert(idp_list_page_read(reply->result, &list));
        return idp_list_page_write(to, cap, reply->msgid, &list);
    case IDP_INSPECT:
        cr_assert(idp_inspected_read(reply->result, &one));
        return idp_inspected_write(to, cap, reply->msgid, &one);
    case IDP_CLIENTS:
        cr_assert(idp_clients_page_read(reply->result, &clients));
        return idp_clients_page_write(to, cap, reply->msgid, &clients);
    case IDP_KILL:
        cr_assert(idp_killed_read(reply->result, &was_there));
        return idp_killed_write(to, cap, reply->msgid, was_there);
    case IDP_EVENTS:
        cr_assert(idp_events_page_read(reply->result, &events));
        return idp_events_page_write(to, cap, reply->msgid, &events);
    case IDP_SLOW:
        cr_assert(idp_slow_read(reply->result, &slow));
        return idp_slow_write(to, cap, reply->msgid, &slow);
    case IDP_METRICS:
        cr_assert(idp_metrics_read(reply->result, &text));
        return idp_metrics_write(to, cap, reply->msgid, text);
    case IDP_PROMOTE:
    case IDP_DETACH:
    case IDP_SWITCHOVER:
    case IDP_SNAPSHOT:
    case IDP_BACKUP:
    case IDP_RELOAD:
    case IDP_CONFIG:
    case IDP_OFFER:
        cr_assert(idp_command_read(method, reply->result, &command));
        return idp_command_write(to, cap, reply->msgid, &command);
    default:
        cr_assert(idp_answer_read(method, reply->result, &answer));
        return idp_answer_write(to, cap, reply->msgid, &answer);
    }
}

static void check_reply(const message *m, const asked *last) {
    uint8_t again[1 << 16];
    idp_reply reply;
    size_t frame_bytes;
    cr_assert_eq(
        idp_reply_open(m->bytes, m->len, sizeof m->bytes, &reply, &frame_bytes),
        IDP_REPLY_WHOLE, "line %zu", m->line);
    cr_assert_eq(frame_bytes, m->len, "line %zu", m->line);
    size_t len = reply.is_error
                     ? error_again(&reply, last, again, sizeof again)
                     : result_again(&reply, last->method, again, sizeof again);
    cr_assert(reply.is_error || reply.msgid == last->msgid, "line %zu",
              m->line);
    cr_assert_eq(len, m->len, "line %zu", m->line);
    cr_assert(!memcmp(again, m->bytes, len), "line %zu", m->line);
}

static void check_message(const message *m, asked *last, size_t counts[2]) {
    if (m->len == 0) {
        return;
    }
    if (m->kind == 'S') {
        check_reply(m, last);
        *last = (asked){0};
    } else {
        check_request(m, last);
    }
    counts[m->kind == 'S']++;
}

static void line_add(message *m, const char *line) {
    for (const char *at = line; *at && *at != '#' && *at != '\n'; at++) {
        if (*at != ' ') {
            char pair[3] = {at[0], at[1], '\0'};
            char *end;
            unsigned long v = strtoul(pair, &end, 16);
            cr_assert_eq(end, pair + 2, "line %zu", m->line);
            cr_assert_lt(m->len, sizeof m->bytes);
            m->bytes[m->len++] = (uint8_t)v;
            at++;
        }
    }
}

Test(readme, its_examples_are_the_bytes) {
    static message m;
    asked last = {0};
    size_t counts[2] = {0}, number = 0;
    char line[512];
    bool inside = false;
    FILE *file = fopen(README, "r");
    cr_assert_not_null(file, "%s", README);
    while (fgets(line, sizeof line, file)) {
        number++;
        if (!strncmp(line, "```", 3)) {
            check_message(&m, &last, counts);
            m.len = 0;
            inside = !strcmp(line, "```wire\n");
        } else if (inside) {
            if (line[0] != ' ') {
                check_message(&m, &last, counts);
                cr_assert(strchr("CcRS", line[0]), "line %zu", number);
                m.kind = line[0];
                m.len = 0;
                m.line = number;
            }
            line_add(&m, line + 1);
        }
    }
    fclose(file);
    cr_assert_geq(counts[0], 20);
    cr_assert_geq(counts[1], 20);
}
