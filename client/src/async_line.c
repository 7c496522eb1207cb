/* SPDX-License-Identifier: Apache-2.0 */
/* async_line.c -- a link's descriptor on somebody else's loop: its queue,
 * reading and writing without ever waiting, listening. See async.h. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "client/src/async.h"
#include "client/src/mem.h"
#include "client/src/port.h"
#include "client/src/socket.h"

#define READS_MAX 16 /* per turn, so that one line can't hold a loop */

idem__line *idem__line_new(idem_async *async, uint32_t shard) {
    const idem__uri *uri = &async->uri;
    idem__line *line = idem__calloc(sizeof *line);
    if (line == NULL)
        return NULL;
    async->seed += 0x9e3779b97f4a7c15u;
    idem__link_init(&line->link, &async->selector,
                    uri->shard_aware ? (int32_t)shard : uri->shard,
                    async->seed);
    line->fd = -1;
    async->lines[shard] = line;
    if (shard >= async->lines_count)
        async->lines_count = shard + 1;
    return line;
}

void idem__line_free(idem__line *line) {
    if (line->fd >= 0)
        idem__seal_hang_up(&line->seal, line->fd);
    idem__seal_end(&line->seal);
    if (line->hello_op.pending)
        idem__calls_remove(&line->link.wire.calls, &line->hello_op);
    idem__lookup_drop(&line->lookup);
    idem__link_fini(&line->link);
    idem__free(line);
}

/* ---------------------------------------------------------------- its queue */

void idem__line_enqueue(idem__line *line, idem__task *task) {
    assert(!task->queued);
    task->queued = true;
    task->line = line;
    task->prev = line->last;
    task->next = NULL;
    if (line->last != NULL)
        line->last->next = task;
    else
        line->first = task;
    line->last = task;
}

void idem__line_dequeue(idem__line *line, idem__task *task) {
    assert(task->queued && task->line == line);
    if (task->prev != NULL)
        task->prev->next = task->next;
    else
        line->first = task->next;
    if (task->next != NULL)
        task->next->prev = task->prev;
    else
        line->last = task->prev;
    task->queued = false;
    task->line = NULL;
}

/* ------------------------------------------------------- bytes in and out */

void idem__line_hang_up(idem__line *line) {
    if (line->hello_op.pending)
        idem__calls_remove(&line->link.wire.calls, &line->hello_op);
    if (line->fd >= 0)
        idem__seal_hang_up(&line->seal, line->fd);
    line->fd = -1;
    line->full = false;
}

void idem__line_break(idem_async *async, idem__line *line, int os_error,
                      const char *why) {
    idem__link *link = &line->link;
    idem__attempt *attempt;
    idem_error err = {.size = sizeof err};
    char words[IDP_ERROR_TEXT_BYTES_MAX + 1];
    if (link->state != IDEM__LINK_UP)
        return;
    memccpy(words, why, '\0', sizeof words - 1);
    words[sizeof words - 1] = '\0';
    idem__link_break(link, words);
    idem__line_hang_up(line);
    while (!idem__async_is_over(async) &&
           (attempt = idem__link_take_lost(link)) != NULL) {
        idem__link_fail_lost(link, os_error, words, &err);
        idem__task_failed(async, (idem__task *)attempt, IDEM_E_LOST, &err);
    }
    if (!idem__async_is_over(async))
        idem__link_let_go(link, async->now_ms);
}

/* The descriptor is of no use any more. os_error 0: it was closed. */
static void lose_line(idem_async *async, idem__line *line, int os_error) {
    const idem__wire *wire = &line->link.wire;
    const char *name = line->link.endpoint.name;
    idem_error why = {.size = sizeof why};
    if (line->link.state == IDEM__LINK_UP) {
        const char *words = os_error != 0     ? strerror(os_error)
                            : wire->said != 0 ? wire->said_text
                                              : "it was closed";
        idem__line_break(async, line, os_error, words);
    } else if (wire->said != 0) {
        idem__fail_said(&why, name, wire->said, wire->said_text);
        idem__dial_lost(async, line, &why);
    } else {
        idem__dial_failed(async, line, os_error);
    }
}

/* What came is no TLS, or the server refuses ours. */
static void line_lose_tls(idem_async *async, idem__line *line) {
    idem_error why = {.size = sizeof why};
    if (line->link.state == IDEM__LINK_UP) {
        idem__line_break(async, line, 0, idem__seal_why(&line->seal));
        return;
    }
    idem__seal_fail(&line->seal, line->link.endpoint.name, &why);
    idem__dial_lost(async, line, &why);
}

/* Hands out what has arrived. False: nothing more is to be read now. */
static bool deliver_to_calls(idem_async *async, idem__line *line) {
    idem__link *link = &line->link;
    if (line->step == IDEM__DIAL_HANDSHAKE && !idem__dial_hear(async, line))
        return false;
    while (link->state == IDEM__LINK_UP) {
        idem__attempt *attempt = NULL;
        idp_reply reply;
        switch (idem__link_next(link, &attempt, &reply, async->now_ms)) {
        case IDEM__NEXT_NONE:
            return true;
        case IDEM__NEXT_BROKEN:
            idem__line_break(async, line, 0,
                             "it sent what is not the protocol");
            return false;
        case IDEM__NEXT_REPLY:
            idem__task_answered(async, (idem__task *)attempt, &reply);
            if (idem__async_is_over(async))
                return false;
        }
    }
    return line->step == IDEM__DIAL_HANDSHAKE;
}

/* What the last bytes said was handed out; the line may have lived through
 * that, and is at its end now. */
static void line_lose_opened(idem_async *async, idem__line *line,
                             idem__opened opened) {
    if (idem__async_is_over(async) || line->fd < 0)
        return;
    if (opened == IDEM__OPENED_FAILED)
        line_lose_tls(async, line);
    else
        lose_line(async, line, 0);
}

static bool is_line_lost(idem_async *async, idem__line *line, ssize_t got) {
    if (got > 0)
        return false;
    if (got == 0 && !idem__seal_eof(&line->seal))
        line_lose_tls(async, line);
    else
        lose_line(async, line, got < 0 ? errno : 0);
    return true;
}

void idem__line_read(idem_async *async, idem__line *line) {
    idem__link *link = &line->link;
    for (int reads = 0; reads < READS_MAX && line->fd >= 0; reads++) {
        size_t room = 0;
        uint8_t *to = idem__seal_room(&line->seal, &link->wire, &room);
        if (to == NULL) {
            lose_line(async, line, ENOMEM);
            return;
        }
        ssize_t got = recv(line->fd, to, room, 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (is_line_lost(async, line, got))
            return;
        const uint64_t fd_serial = line->fd_serial;
        idem__opened opened =
            idem__seal_came(&line->seal, &link->wire, (size_t)got);
        line->listened_ms = async->now_ms;
        idem__link_heard(link, (size_t)got);
        bool goes_on = deliver_to_calls(async, line);
        if (opened != IDEM__OPENED && line->fd_serial == fd_serial) {
            line_lose_opened(async, line, opened);
            return;
        }
        if (!goes_on || (size_t)got < room)
            return;
    }
}

static void async_write_line(idem_async *async, idem__line *line) {
    idem__wire *wire = &line->link.wire;
    idem__buffer *out = idem__seal_out(&line->seal, wire);
    for (;;) {
        if (!idem__seal_fill(&line->seal, wire)) {
            lose_line(async, line, ENOMEM);
            return;
        }
        if (idem__buffer_len(out) == 0)
            break;
        ssize_t sent = send(line->fd, out->bytes + out->at,
                            idem__buffer_len(out), IDEM__NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno == EAGAIN) {
            line->full = true;
            return;
        }
        if (sent < 0) {
            lose_line(async, line, errno);
            return;
        }
        idem__seal_sent(&line->seal, wire, (size_t)sent);
    }
    line->full = false;
    idem__buffer_reset(out);
}

void idem__line_ready(idem_async *async, idem__line *line, uint32_t events) {
    if (line->fd < 0)
        return;
    if (line->step == IDEM__DIAL_CONNECT) {
        if ((events & IDEM_WRITE) != 0)
            idem__dial_connected(async, line);
        return;
    }
    if ((events & IDEM_WRITE) != 0)
        line->full = false;
    if ((events & IDEM_READ) != 0)
        idem__line_read(async, line);
}

void idem__line_look(idem_async *async, idem__line *line) {
    if (line->fd >= 0 && line->link.state == IDEM__LINK_UP)
        idem__line_read(async, line);
}

void idem__line_flush(idem_async *async, idem__line *line) {
    idem__link *link = &line->link;
    while (line->first != NULL && idem__link_is_open(link) &&
           !idem__async_is_over(async))
        idem__task_send(async, line->first, line);
    bool speaks =
        link->state == IDEM__LINK_UP || line->step == IDEM__DIAL_HANDSHAKE;
    if (speaks && !line->full && !idem__async_is_over(async))
        async_write_line(async, line);
}

/* ------------------------------------------------------------- its time */

static const idem__op *oldest(const idem__line *line) {
    const idem__op *op = line->link.wire.calls.first;
    return op == &line->link.probe.op ? op->next : op;
}

/* Nothing has come for a while. */
static void line_listen_on(idem_async *async, idem__line *line) {
    idem__link *link = &line->link;
    uint64_t heard_nothing_ms = async->now_ms - line->listened_ms;
    idem__line_read(async, line);
    const idem__op *op = oldest(line);
    if (idem__async_is_over(async) || link->state != IDEM__LINK_UP ||
        op == NULL || line->listened_ms == async->now_ms)
        return;
    uint64_t left_ms =
        op->deadline_ms > async->now_ms ? op->deadline_ms - async->now_ms : 0;
    line->listened_ms = async->now_ms;
    const char *why = idem__link_quiet(link, left_ms, heard_nothing_ms);
    if (why != NULL)
        idem__line_break(async, line, ETIMEDOUT, why);
}

static bool is_listening(const idem__line *line) {
    return line->link.state == IDEM__LINK_UP && oldest(line) != NULL;
}

void idem__line_tick(idem_async *async, idem__line *line) {
    idem__link *link = &line->link;
    const char *why = idem__link_why_leave(link, async->now_ms);
    if (why != NULL)
        idem__line_break(async, line, 0, why);
    else if (link->state == IDEM__LINK_DIALING &&
             async->now_ms >= line->step_end_ms)
        idem__dial_step_over(async, line);
    else if (is_listening(line) &&
             async->now_ms >= line->listened_ms + IDEM__LISTEN_MS)
        line_listen_on(async, line);
    if (link->state == IDEM__LINK_DOWN && line->first != NULL &&
        async->now_ms >= link->retry_at_ms && !idem__async_is_over(async))
        idem__dial_begin(async, line);
}

static uint64_t sooner(uint64_t one, uint64_t other) {
    return one < other ? one : other;
}

uint64_t idem__line_next_ms(const idem__line *line) {
    const idem__link *link = &line->link;
    uint64_t next_ms = UINT64_MAX;
    if (link->state == IDEM__LINK_DIALING)
        return line->step_end_ms;
    if (link->state == IDEM__LINK_DOWN)
        return line->first != NULL ? link->retry_at_ms : UINT64_MAX;
    if (link->serial != atomic_load(&link->selector->serial))
        return 0;
    if (is_listening(line))
        next_ms = line->listened_ms + IDEM__LISTEN_MS;
    if (link->drain_end_ms != 0)
        next_ms = sooner(next_ms, link->drain_end_ms);
    if (link->drain_end_ms != 0 && link->wire.calls.count == 0)
        next_ms = 0;
    return next_ms;
}
