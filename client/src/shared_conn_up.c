/* SPDX-License-Identifier: Apache-2.0 */
/* shared_conn_up.c -- a shared connection's connection coming and going. How
 * calls travel on it is in shared_conn.c. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/src/handshake.h"
#include "client/src/mem.h"
#include "client/src/shared_conn.h"
#include "client/src/socket.h"
#include "client/src/thread.h"

void idem__shared_conn_init(idem__shared_conn *conn, idem__selector *selector,
                            int32_t shard, uint64_t seed) {
    memset(conn, 0, sizeof *conn);
    conn->fd = -1;
    pthread_mutex_init(&conn->lock, NULL);
    idem__cond_init(&conn->changed);
    idem__link_init(&conn->link, selector, shard, seed);
}

void idem__shared_conn_fini(idem__shared_conn *conn) {
    if (conn->fd >= 0)
        idem__seal_hang_up(&conn->seal, conn->fd);
    idem__seal_end(&conn->seal);
    idem__lookup_drop(&conn->lookup);
    idem__link_fini(&conn->link);
    idem__buffer_fini(&conn->flying);
    pthread_cond_destroy(&conn->changed);
    pthread_mutex_destroy(&conn->lock);
}

void idem__shared_conn_leave(idem__shared_conn *conn) {
    if (pthread_mutex_trylock(&conn->lock) == 0 && !conn->sending &&
        !conn->reading && conn->link.state != IDEM__LINK_DIALING) {
        idem__calls *calls = &conn->link.wire.calls;
        while (calls->first != NULL)
            idem__calls_remove(calls, calls->first);
        idem__link_fini(&conn->link);
        idem__seal_end(&conn->seal);
        idem__buffer_fini(&conn->flying);
    }
    idem__free(conn);
}

/* Returns early, too. */
static void wait_changed(idem__shared_conn *conn, uint64_t until_ms) {
    uint64_t look_up_ms = idem_now_ms() + IDEM__LISTEN_MS;
    if (until_ms > look_up_ms)
        until_ms = look_up_ms;
    idem__cond_wait(&conn->changed, &conn->lock, until_ms);
}

void idem__shared_conn_let_go(idem__shared_conn *conn) {
    if (conn->link.state != IDEM__LINK_BROKEN || conn->sending || conn->reading)
        return;
    idem__seal_hang_up(&conn->seal, conn->fd);
    conn->fd = -1;
    idem__buffer_reset(&conn->flying);
    idem__link_let_go(&conn->link, idem_now_ms());
    pthread_cond_broadcast(&conn->changed);
}

void idem__shared_conn_break(idem__shared_conn *conn, int os_error,
                             const char *why) {
    idem__link *link = &conn->link;
    idem__attempt *attempt;
    if (link->state != IDEM__LINK_UP)
        return;
    idem__link_break(link, why);
    conn->woken = 0;
    shutdown(conn->fd, SHUT_RDWR); /* wakes the sender and the reader */
    while ((attempt = idem__link_take_lost(link)) != NULL) {
        idem__waiter *waiter = (idem__waiter *)attempt;
        idem__link_fail_lost(link, os_error, why, waiter->err);
        idem__waiter_end(waiter, IDEM_E_LOST);
    }
    idem__shared_conn_let_go(conn);
}

/* Without the lock: nobody else touches a shared connection that is DIALING. */
static int dial_server(idem__shared_conn *conn, idem_error *err) {
    idem__link *link = &conn->link;
    idem__handshake handshake = {
        .uri = link->uri,
        .endpoint = &link->endpoint,
        .shard = link->shard,
        .seal = &conn->seal,
        .deadline_ms = idem__link_dial_end_ms(link, idem_now_ms()),
        .lookup = &conn->lookup};
    idem__addr good;
    handshake.good = &good;
    idem__selector_good(link->selector, &good);
    int fd = idem__handshake_server(&handshake, &link->wire, &link->hello, err);
    if (fd >= 0)
        idem__selector_set_good(link->selector, &good);
    if (fd >= 0 && !idem__make_blocking(fd, IDEM__LISTEN_MS)) {
        idem__fail(err, IDEM_E_CONNECT, "can't set up a socket: %s",
                   strerror(errno));
        idem__seal_hang_up(&conn->seal, fd);
        return -1;
    }
    return fd;
}

/* 0, or the code that ends the attempt of whoever has dialled. */
static int32_t take_dialed(idem__shared_conn *conn, int fd, idem_error *err) {
    int32_t code = 0;
    if (fd >= 0 && idem__link_up(&conn->link, idem_now_ms(), err)) {
        conn->fd = fd;
    } else {
        if (fd >= 0)
            idem__seal_hang_up(&conn->seal, fd);
        code = idem__link_undialed(&conn->link, err, idem_now_ms());
    }
    pthread_cond_broadcast(&conn->changed);
    return code;
}

static int32_t attempt_connect(idem__shared_conn *conn, uint64_t deadline_ms,
                               idem_error *err) {
    idem_error why = {.size = sizeof why};
    idem__watch *watch = conn->link.selector->watch;
    idem__link_dial(&conn->link, deadline_ms);
    pthread_mutex_unlock(&conn->lock);
    if (watch != NULL)
        idem__watch_tell(watch);
    int fd = dial_server(conn, &why);
    pthread_mutex_lock(&conn->lock);
    int32_t code = take_dialed(conn, fd, &why);
    if (code != 0)
        idem__error_copy(err, &why);
    return code;
}

/* IDEM_E_CLOSED, with err filled: it was stopped before it was sent. */
static int32_t fail_stopped(idem_error *err) {
    return idem__fail(err, IDEM_E_CLOSED,
                      "the client was shut down; nothing was sent");
}

static int32_t connect_conn(idem__shared_conn *conn, idem__limit limit,
                            idem_error *err) {
    const idem__link *link = &conn->link;
    uint64_t deadline_ms = limit.deadline_ms;
    uint32_t failed = 0;
    while (link->state != IDEM__LINK_UP) {
        uint64_t now_ms = idem_now_ms();
        if (idem__selector_stops(link->selector, limit.stop_at))
            return fail_stopped(err);
        if (now_ms >= deadline_ms || idem__link_is_enough(link, failed))
            return idem__link_give_up(link, err);
        uint64_t until_ms = deadline_ms;
        if (link->state == IDEM__LINK_DOWN && now_ms >= link->retry_at_ms) {
            int32_t code = attempt_connect(conn, deadline_ms, err);
            if (code != 0)
                return code;
            failed++;
            continue;
        }
        if (link->state == IDEM__LINK_DOWN && link->retry_at_ms < until_ms)
            until_ms = link->retry_at_ms;
        wait_changed(conn, until_ms);
    }
    return 0;
}

/* A server that goes down takes no more, and answers what it has: a connection
 * to it is left when that has happened, or takes too long. */
static void leave_drained(idem__shared_conn *conn, uint64_t deadline_ms) {
    const idem__link *link = &conn->link;
    while (link->state == IDEM__LINK_UP && link->drain_end_ms != 0) {
        uint64_t now_ms = idem_now_ms();
        const char *why = idem__link_why_leave(link, now_ms);
        if (why != NULL)
            idem__shared_conn_break(conn, 0, why);
        else if (now_ms >= deadline_ms)
            return;
        else
            wait_changed(conn, deadline_ms < link->drain_end_ms
                                   ? deadline_ms
                                   : link->drain_end_ms);
    }
}

int32_t idem__shared_conn_up(idem__shared_conn *conn, idem__limit limit,
                             idem_error *err) {
    uint64_t deadline_ms = limit.deadline_ms;
    const char *why = idem__link_why_leave(&conn->link, idem_now_ms());
    if (why != NULL)
        idem__shared_conn_break(conn, 0, why);
    for (;;) {
        leave_drained(conn, deadline_ms);
        int32_t code = connect_conn(conn, limit, err);
        if (code != 0)
            return code;
        if (!idem__link_is_full(&conn->link))
            return 0;
        if (idem__selector_stops(conn->link.selector, limit.stop_at))
            return fail_stopped(err);
        if (idem_now_ms() >= deadline_ms)
            return idem__link_stayed_full(&conn->link, err);
        conn->full++;
        wait_changed(conn, deadline_ms);
        conn->full--;
    }
}
