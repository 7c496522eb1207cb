/* SPDX-License-Identifier: Apache-2.0 */
/* flood.c -- many connections in one thread; see flood.h. */
#include "tests/e2e/flood.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPLY_BYTES_MAX (2u << 20)

void flood_open(flood *f, uint16_t port, uint32_t count) {
    CHECK(count <= FLOOD_MAX, "too many");
    memset(f, 0, sizeof *f);
    f->count = count;
    for (uint32_t i = 0; i < count; i++) {
        wire *w = &f->clients[i].w;
        CHECK(wire_open(w, port), "no connection");
        fcntl(w->fd, F_SETFL, fcntl(w->fd, F_GETFL) | O_NONBLOCK);
    }
}

void flood_close(flood *f) {
    for (uint32_t i = 0; i < f->count; i++) {
        free(f->clients[i].out);
        wire_close(&f->clients[i].w);
    }
}

void flood_put(flood_client *c, idp_request *request) {
    size_t room = idp_request_bytes_max(request->result.len) + 64;
    if (c->out_len + room > c->out_cap) {
        c->out_cap = (c->out_len + room) * 2;
        c->out = realloc(c->out, c->out_cap);
        CHECK(c->out != NULL, "out of memory");
    }
    request->msgid = ++c->w.msgid;
    size_t len = idp_request_write(c->out + c->out_len, c->out_cap - c->out_len,
                                   request);
    CHECK(len > 0, "a request that can't be written");
    c->out_len += len;
    c->sent++;
}

static void write_some(flood_client *c) {
    ssize_t sent =
        send(c->w.fd, c->out + c->out_at, c->out_len - c->out_at, MSG_NOSIGNAL);
    if (sent > 0)
        c->out_at += (size_t)sent;
    else if (sent < 0 && errno != EAGAIN && errno != EINTR)
        c->lost = true;
    if (c->out_at == c->out_len)
        c->out_at = c->out_len = 0;
}

static void count_replies(flood_client *c) {
    wire *w = &c->w;
    size_t at = 0, size = 0;
    idp_reply reply;
    while (idp_reply_open(w->in + at, w->in_len - at, REPLY_BYTES_MAX, &reply,
                          &size) == IDP_REPLY_WHOLE) {
        c->replies++;
        at += size;
    }
    memmove(w->in, w->in + at, w->in_len - at);
    w->in_len -= at;
}

static void read_some(flood_client *c) {
    wire *w = &c->w;
    if (w->in_cap - w->in_len < 65536) {
        w->in_cap = w->in_cap * 2 + 65536;
        w->in = realloc(w->in, w->in_cap);
        CHECK(w->in != NULL, "out of memory");
    }
    ssize_t got = recv(w->fd, w->in + w->in_len, w->in_cap - w->in_len, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
        c->lost = true;
    if (got <= 0)
        return;
    w->in_len += (size_t)got;
    count_replies(c);
}

static short wants(const flood_client *c, bool all) {
    short events = 0;
    if (c->lost)
        return 0;
    if (c->out_len)
        events |= POLLOUT;
    if (all && !c->blind && c->replies < c->sent)
        events |= POLLIN;
    return events;
}

/* One look at all of them. Returns how many want something. */
static uint32_t step(flood *f, bool all, int ms) {
    struct pollfd fds[FLOOD_MAX];
    uint32_t busy = 0;
    for (uint32_t i = 0; i < f->count; i++) {
        short events = wants(&f->clients[i], all);
        fds[i] = (struct pollfd){.fd = events ? f->clients[i].w.fd : -1,
                                 .events = events};
        busy += events != 0;
    }
    if (!busy || poll(fds, f->count, ms) <= 0)
        return busy;
    for (uint32_t i = 0; i < f->count; i++) {
        if (fds[i].revents & (POLLOUT | POLLERR))
            write_some(&f->clients[i]);
        if (fds[i].revents & (POLLIN | POLLHUP))
            read_some(&f->clients[i]);
    }
    return busy;
}

bool flood_run(flood *f, unsigned seconds_max) {
    uint64_t end_ms = e2e_now_ms() + seconds_max * 1000u;
    while (step(f, true, 100) > 0)
        if (e2e_now_ms() > end_ms)
            return false;
    return true;
}

void flood_send(flood *f, unsigned ms) {
    uint64_t end_ms = e2e_now_ms() + ms;
    while (e2e_now_ms() < end_ms && step(f, false, 20) > 0)
        ;
}

uint32_t flood_lost(const flood *f) {
    uint32_t lost = 0;
    for (uint32_t i = 0; i < f->count; i++)
        lost += f->clients[i].lost;
    return lost;
}
