/* SPDX-License-Identifier: Apache-2.0 */
/* async_dial.c -- how a line of an idem_async comes up: looking up, connecting
 * and handshake without ever waiting. See async.h; async_line.c is what it does
 * once it is up. */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "client/src/async.h"
#include "client/src/handshake.h"
#include "client/src/socket.h"
#include "client/src/stranger.h"

#define LOOK_AGAIN_MS 10u /* at a lookup that is under way */

/* Those that wait hear of a dial that failed. code 0: they wait for the next
 * one, as long as the URI says that it is worth it. */
static void tell_queue(idem_async *async, idem__line *line, int32_t code,
                       const idem_error *why) {
    idem__task *last = line->last;
    idem__task *task = line->first;
    while (task != NULL && !idem__async_is_over(async)) {
        bool is_last = task == last;
        bool is_over = code != 0 ||
                       idem__link_is_enough(&line->link, ++task->dials_failed);
        idem__task *next = task->next;
        if (is_over) {
            idem__line_dequeue(line, task);
            idem__task_failed(async, task, code != 0 ? code : why->code, why);
        }
        task = is_last ? NULL : next;
    }
}

static void give_up_dial(idem_async *async, idem__line *line,
                         const idem_error *why) {
    idem__line_hang_up(line);
    line->step = IDEM__DIAL_NONE;
    int32_t code = idem__link_undialed(&line->link, why, async->now_ms);
    tell_queue(async, line, code, why);
}

/* Each address that is left has its share of the time that is left. */
static bool line_dial_next(idem_async *async, idem__line *line) {
    idem__wire_reset(&line->link.wire);
    while (line->addrs_next < line->addrs_count) {
        uint32_t left = line->addrs_count - line->addrs_next;
        line->fd = idem__dial(&line->addrs[line->addrs_next++]);
        if (line->fd < 0)
            continue;
        uint64_t left_ms = line->dial_end_ms > async->now_ms
                               ? line->dial_end_ms - async->now_ms
                               : 0;
        line->fd_serial = ++async->fds_made;
        line->step = IDEM__DIAL_CONNECT;
        line->step_end_ms = async->now_ms + left_ms / left;
        return true;
    }
    return false;
}

void idem__dial_lost(idem_async *async, idem__line *line,
                     const idem_error *why) {
    idem__line_hang_up(line);
    if (why->code != IDEM_E_CONNECT || !line_dial_next(async, line))
        give_up_dial(async, line, why);
}

void idem__dial_failed(idem_async *async, idem__line *line, int os_error) {
    idem_error why = {.size = sizeof why};
    const char *name = line->link.endpoint.name;
    if (line->step == IDEM__DIAL_HANDSHAKE)
        idem__handshake_silent(name, os_error, &why);
    else
        idem__fail_at(&why, IDEM_E_CONNECT, (idem__where){name, os_error},
                      "can't connect to %s: %s", name, strerror(os_error));
    idem__dial_lost(async, line, &why);
}

static void look_up(idem_async *async, idem__line *line) {
    idem__link *link = &line->link;
    const char *words = NULL;
    line->addrs_next = 0;
    line->addrs_count = idem__lookup_addrs(&line->lookup, &link->endpoint, 0,
                                           line->addrs, &words);
    if (line->addrs_count > 0) {
        idem__addr good;
        idem__selector_good(link->selector, &good);
        idem__addrs_prefer(line->addrs, line->addrs_count, &good);
        if (!line_dial_next(async, line))
            idem__dial_failed(async, line, errno);
        return;
    }
    if (line->lookup.job != NULL && async->now_ms < line->dial_end_ms) {
        line->step_end_ms = async->now_ms + LOOK_AGAIN_MS;
        if (line->step_end_ms > line->dial_end_ms)
            line->step_end_ms = line->dial_end_ms;
        return;
    }
    idem_error why = {.size = sizeof why};
    const char *name = link->endpoint.name;
    idem__fail_at(&why, IDEM_E_CONNECT, (idem__where){.endpoint = name},
                  "the host of %s is not known: %s; check the name", name,
                  words);
    give_up_dial(async, line, &why);
}

void idem__dial_begin(idem_async *async, idem__line *line) {
    idem__link_dial(&line->link, line->first->course.deadline_ms);
    line->step = IDEM__DIAL_LOOKUP;
    line->dial_end_ms = idem__link_dial_end_ms(&line->link, async->now_ms);
    look_up(async, line);
}

void idem__dial_connected(idem_async *async, idem__line *line) {
    int error = idem__dial_error(line->fd);
    idem__link *link = &line->link;
    idem__hello_args args = idem__hello_args_of(link->uri, link->shard);
    idem_error why = {.size = sizeof why};
    if (error != 0) {
        idem__dial_failed(async, line, error);
        return;
    }
    line->step = IDEM__DIAL_HANDSHAKE;
    line->hello_op.deadline_ms = UINT64_MAX; /* step_end_ms is it */
    if (idem__seal_begin(&line->seal, link->uri, &link->endpoint) &&
        idem__wire_hello(&link->wire, &line->hello_op, &args) == 0)
        return;
    idem__fail(&why, IDEM_E_MEMORY, "no memory for a connection");
    idem__dial_lost(async, line, &why);
}

static void take_line_hello(idem_async *async, idem__line *line,
                            const idp_reply *reply) {
    idem__link *link = &line->link;
    idem_error why = {.size = sizeof why};
    if (idem__handshake_read(link->endpoint.name, reply, &link->hello, &why) !=
        0) {
        idem__dial_lost(async, line, &why);
        return;
    }
    if (!idem__link_up(link, async->now_ms, &why)) {
        give_up_dial(async, line, &why);
        return;
    }
    line->step = IDEM__DIAL_NONE;
    line->listened_ms = async->now_ms;
    idem__selector_set_good(link->selector, &line->addrs[line->addrs_next - 1]);
    idem__wire_set_hello(&link->wire, &link->hello);
}

/* False: nothing more is to be read now. */
bool idem__dial_hear(idem_async *async, idem__line *line) {
    idem__wire *wire = &line->link.wire;
    idem__op *op = NULL;
    idp_reply reply = {0};
    idem_error why = {.size = sizeof why};
    switch (idem__wire_next(wire, &op, &reply)) {
    case IDEM__NEXT_REPLY:
        take_line_hello(async, line, &reply);
        return line->link.state == IDEM__LINK_UP && !idem__async_is_over(async);
    case IDEM__NEXT_BROKEN:
        idem__handshake_stranger(
            line->link.endpoint.name,
            idem__stranger_kind(wire->in.bytes + wire->in.at,
                                idem__buffer_len(&wire->in)),
            &why);
        idem__dial_lost(async, line, &why);
        return false;
    case IDEM__NEXT_NONE:
        break;
    }
    return true;
}

void idem__dial_step_over(idem_async *async, idem__line *line) {
    if (line->step == IDEM__DIAL_LOOKUP) {
        look_up(async, line);
        return;
    }
    /* A program that comes late finds what has come meanwhile. */
    const idem__dial_step step = line->step;
    const uint64_t fd_serial = line->fd_serial;
    if (step == IDEM__DIAL_CONNECT && idem__poll(line->fd, POLLOUT, 0))
        idem__dial_connected(async, line);
    else if (step == IDEM__DIAL_HANDSHAKE)
        idem__line_read(async, line);
    bool is_there =
        line->step == step && line->fd >= 0 && line->fd_serial == fd_serial;
    if (is_there && !idem__async_is_over(async))
        idem__dial_failed(async, line, ETIMEDOUT);
}
