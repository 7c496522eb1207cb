/* SPDX-License-Identifier: Apache-2.0 */
/* lane_up.c -- a lane's connection coming and going. How calls travel on it
 * is in lane.c. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/src/greet.h"
#include "client/src/lane.h"
#include "client/src/mem.h"
#include "client/src/socket.h"
#include "client/src/thread.h"

void idem__lane_init(idem__lane *lane, idem__target *target, int32_t shard,
                     uint64_t seed) {
    memset(lane, 0, sizeof *lane);
    lane->fd = -1;
    pthread_mutex_init(&lane->lock, NULL);
    idem__cond_init(&lane->changed);
    idem__link_init(&lane->link, target, shard, seed);
}

void idem__lane_fini(idem__lane *lane) {
    if (lane->fd >= 0)
        idem__seal_hang_up(&lane->seal, lane->fd);
    idem__seal_end(&lane->seal);
    idem__lookup_drop(&lane->lookup);
    idem__link_fini(&lane->link);
    idem__buffer_fini(&lane->flying);
    pthread_cond_destroy(&lane->changed);
    pthread_mutex_destroy(&lane->lock);
}

void idem__lane_leave(idem__lane *lane) {
    if (pthread_mutex_trylock(&lane->lock) == 0 && !lane->sending &&
        !lane->reading && lane->link.state != IDEM__LINK_DIALING) {
        idem__calls *calls = &lane->link.wire.calls;
        while (calls->first != NULL)
            idem__calls_remove(calls, calls->first);
        idem__link_fini(&lane->link);
        idem__seal_end(&lane->seal);
        idem__buffer_fini(&lane->flying);
    }
    idem__free(lane);
}

/* Returns early, too. */
static void wait_changed(idem__lane *lane, uint64_t until_ms) {
    uint64_t look_up_ms = idem_now_ms() + IDEM__LISTEN_MS;
    if (until_ms > look_up_ms)
        until_ms = look_up_ms;
    idem__cond_wait(&lane->changed, &lane->lock, until_ms);
}

void idem__lane_let_go(idem__lane *lane) {
    if (lane->link.state != IDEM__LINK_BROKEN || lane->sending || lane->reading)
        return;
    idem__seal_hang_up(&lane->seal, lane->fd);
    lane->fd = -1;
    idem__buffer_reset(&lane->flying);
    idem__link_let_go(&lane->link, idem_now_ms());
    pthread_cond_broadcast(&lane->changed);
}

void idem__lane_break(idem__lane *lane, int os_error, const char *why) {
    idem__link *link = &lane->link;
    idem__attempt *attempt;
    if (link->state != IDEM__LINK_UP)
        return;
    idem__link_break(link, why);
    lane->woken = 0;
    shutdown(lane->fd, SHUT_RDWR); /* wakes the sender and the reader */
    while ((attempt = idem__link_take_lost(link)) != NULL) {
        idem__waiter *waiter = (idem__waiter *)attempt;
        idem__link_fail_lost(link, os_error, why, waiter->err);
        idem__waiter_end(waiter, IDEM_E_LOST);
    }
    idem__lane_let_go(lane);
}

/* Without the lock: nobody else touches a lane that is DIALING. */
static int dial(idem__lane *lane, uint64_t deadline_ms, idem_error *err) {
    idem__link *link = &lane->link;
    idem__greet greet = {
        .uri = link->uri,
        .endpoint = &link->endpoint,
        .shard = link->shard,
        .seal = &lane->seal,
        .deadline_ms = idem__link_dial_end_ms(link, deadline_ms, idem_now_ms()),
        .lookup = &lane->lookup};
    idem__addr good;
    greet.good = &good;
    idem__target_good(link->target, &good);
    int fd = idem__greet_server(&greet, &link->wire, &link->hello, err);
    if (fd >= 0)
        idem__target_set_good(link->target, &good);
    if (fd >= 0 && !idem__make_blocking(fd, IDEM__LISTEN_MS)) {
        idem__fail(err, IDEM_E_CONNECT, "can't set up a socket: %s",
                   strerror(errno));
        idem__seal_hang_up(&lane->seal, fd);
        return -1;
    }
    return fd;
}

/* 0, or the code that ends the attempt of whoever has dialled. */
static int32_t dialed(idem__lane *lane, int fd, idem_error *err) {
    int32_t code = 0;
    if (fd >= 0 && idem__link_greeted(&lane->link, idem_now_ms(), err)) {
        lane->fd = fd;
    } else {
        if (fd >= 0)
            idem__seal_hang_up(&lane->seal, fd);
        code = idem__link_undialed(&lane->link, err, idem_now_ms());
    }
    pthread_cond_broadcast(&lane->changed);
    return code;
}

static int32_t attempt(idem__lane *lane, uint64_t deadline_ms,
                       idem_error *err) {
    idem_error why = {.size = sizeof why};
    idem__watch *watch = lane->link.target->watch;
    idem__link_dial(&lane->link);
    pthread_mutex_unlock(&lane->lock);
    if (watch != NULL)
        idem__watch_tell(watch);
    int fd = dial(lane, deadline_ms, &why);
    pthread_mutex_lock(&lane->lock);
    int32_t code = dialed(lane, fd, &why);
    if (code != 0)
        idem__error_copy(err, &why);
    return code;
}

int32_t idem__fail_stopped(idem_error *err) {
    return idem__fail(err, IDEM_E_CLOSED,
                      "the client was shut down; nothing was sent");
}

static int32_t connect_lane(idem__lane *lane, idem__limit limit,
                            idem_error *err) {
    const idem__link *link = &lane->link;
    uint64_t deadline_ms = limit.deadline_ms;
    uint32_t failed = 0;
    while (link->state != IDEM__LINK_UP) {
        uint64_t now_ms = idem_now_ms();
        if (idem__target_stops(link->target, limit.stop_at))
            return idem__fail_stopped(err);
        if (now_ms >= deadline_ms || idem__link_is_enough(link, failed))
            return idem__link_give_up(link, err);
        uint64_t until_ms = deadline_ms;
        if (link->state == IDEM__LINK_DOWN && now_ms >= link->retry_at_ms) {
            int32_t code = attempt(lane, deadline_ms, err);
            if (code != 0)
                return code;
            failed++;
            continue;
        }
        if (link->state == IDEM__LINK_DOWN && link->retry_at_ms < until_ms)
            until_ms = link->retry_at_ms;
        wait_changed(lane, until_ms);
    }
    return 0;
}

/* A server that goes down takes no more, and answers what it has: a connection
 * to it is left when that has happened, or takes too long. */
static void leave_drained(idem__lane *lane, uint64_t deadline_ms) {
    const idem__link *link = &lane->link;
    while (link->state == IDEM__LINK_UP && link->drain_end_ms != 0) {
        uint64_t now_ms = idem_now_ms();
        const char *why = idem__link_why_leave(link, now_ms);
        if (why != NULL)
            idem__lane_break(lane, 0, why);
        else if (now_ms >= deadline_ms)
            return;
        else
            wait_changed(lane, deadline_ms < link->drain_end_ms
                                   ? deadline_ms
                                   : link->drain_end_ms);
    }
}

int32_t idem__lane_up(idem__lane *lane, idem__limit limit, idem_error *err) {
    uint64_t deadline_ms = limit.deadline_ms;
    const char *why = idem__link_why_leave(&lane->link, idem_now_ms());
    if (why != NULL)
        idem__lane_break(lane, 0, why);
    for (;;) {
        leave_drained(lane, deadline_ms);
        int32_t code = connect_lane(lane, limit, err);
        if (code != 0)
            return code;
        if (!idem__link_is_full(&lane->link))
            return 0;
        if (idem__target_stops(lane->link.target, limit.stop_at))
            return idem__fail_stopped(err);
        if (idem_now_ms() >= deadline_ms)
            return idem__link_stayed_full(&lane->link, err);
        lane->full++;
        wait_changed(lane, deadline_ms);
        lane->full--;
    }
}
