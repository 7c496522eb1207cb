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

/* Where there is another server to try, the first attempts to connect get so
 * much each, and twice as much in every further round. */
#define DIAL_MS_FIRST 250u

void idem__lane_init(idem__lane *lane, idem__target *target, int32_t shard,
                     uint64_t seed) {
    memset(lane, 0, sizeof *lane);
    lane->target = target;
    lane->uri = target->uri;
    lane->shard = shard;
    lane->fd = -1;
    lane->state = IDEM__LANE_DOWN;
    pthread_mutex_init(&lane->lock, NULL);
    idem__cond_init(&lane->changed);
    idem__wire_init(&lane->wire);
    idem__backoff_init(&lane->backoff, seed);
}

void idem__lane_fini(idem__lane *lane) {
    if (lane->fd >= 0)
        idem__hang_up(lane->fd);
    if (lane->probe.op.pending)
        idem__calls_remove(&lane->wire.calls, &lane->probe.op);
    idem__lookup_drop(&lane->lookup);
    idem__wire_fini(&lane->wire);
    idem__buffer_fini(&lane->flying);
    pthread_cond_destroy(&lane->changed);
    pthread_mutex_destroy(&lane->lock);
}

void idem__lane_leave(idem__lane *lane) {
    if (pthread_mutex_trylock(&lane->lock) == 0 && !lane->sending &&
        !lane->reading && lane->state != IDEM__LANE_DIALING) {
        while (lane->wire.calls.first != NULL)
            idem__calls_remove(&lane->wire.calls, lane->wire.calls.first);
        idem__wire_fini(&lane->wire);
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
    if (lane->state != IDEM__LANE_BROKEN || lane->sending || lane->reading)
        return;
    idem__hang_up(lane->fd);
    lane->fd = -1;
    idem__wire_reset(&lane->wire);
    idem__buffer_reset(&lane->flying);
    lane->state = IDEM__LANE_DOWN;
    lane->retry_at_ms =
        idem_now_ms() +
        idem__backoff_pause_ms(&lane->backoff, lane->uri->endpoints_count);
    pthread_cond_broadcast(&lane->changed);
}

static idem__seen seen(const idem__lane *lane) {
    return (idem__seen){lane->endpoint.name, lane->shard, lane->hello.epoch};
}

void idem__lane_break(idem__lane *lane, int os_error, const char *why) {
    if (lane->state != IDEM__LANE_UP)
        return;
    lane->state = IDEM__LANE_BROKEN;
    idem__watch_lost(lane->target->watch, seen(lane), why);
    lane->woken = 0;
    shutdown(lane->fd, SHUT_RDWR); /* wakes the sender and the reader */
    while (lane->wire.calls.first != NULL) {
        idem__op *op = lane->wire.calls.first;
        idem__waiter *waiter = (idem__waiter *)op;
        idem__calls_remove(&lane->wire.calls, op);
        waiter->sent = idem__wire_was_sent(&lane->wire, op);
        idem__fail_at(waiter->err, IDEM_E_LOST,
                      (idem__where){lane->endpoint.name, os_error},
                      "the connection to %s was lost before the answer: %s",
                      lane->endpoint.name, why);
        idem__waiter_settle(waiter, IDEM_E_LOST);
    }
    idem__lane_let_go(lane);
}

/* When an attempt that begins now is given up. A server that takes the
 * connection and says nothing may not eat the whole deadline where there is
 * another one: each that is still to come in this round has its share. */
static uint64_t dial_end_ms(const idem__lane *lane, uint64_t deadline_ms) {
    uint64_t now_ms = idem_now_ms();
    uint64_t left_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
    uint64_t dial_ms = lane->uri->connect_timeout_ms;
    uint32_t count = lane->uri->endpoints_count;
    if (count > 1) {
        uint32_t rounds = (lane->backoff.attempts - 1) / count;
        uint32_t to_come = count - (lane->backoff.attempts - 1) % count;
        uint64_t patient_ms = DIAL_MS_FIRST << (rounds < 8 ? rounds : 8);
        dial_ms = dial_ms < patient_ms ? dial_ms : patient_ms;
        left_ms = left_ms / (to_come > 2 ? to_come : 2);
    }
    return now_ms + (dial_ms < left_ms ? dial_ms : left_ms);
}

/* Without the lock: nobody else touches a lane that is DIALING. */
static int dial(idem__lane *lane, uint64_t deadline_ms, idem_error *err) {
    idem__greet greet = {.uri = lane->uri,
                         .endpoint = &lane->endpoint,
                         .shard = lane->shard,
                         .deadline_ms = dial_end_ms(lane, deadline_ms),
                         .lookup = &lane->lookup};
    idem__addr good;
    greet.good = &good;
    idem__target_good(lane->target, &good);
    int fd = idem__greet_server(&greet, &lane->wire, &lane->hello, err);
    if (fd >= 0)
        idem__target_set_good(lane->target, &good);
    if (fd >= 0 && !idem__make_blocking(fd, IDEM__LISTEN_MS)) {
        idem__fail(err, IDEM_E_CONNECT, "can't set up a socket: %s",
                   strerror(errno));
        idem__hang_up(fd);
        return -1;
    }
    return fd;
}

/* A server with fewer threads than there were refuses the higher shards. */
static bool is_shard_gone(const idem__lane *lane, const idem_error *why) {
    return why->code == IDEM_E_BAD_REQUEST && lane->shard > 0;
}

/* Whether the server that fd leads to is one to ask; closes it if not. */
static bool is_accepted(idem__lane *lane, int fd, idem_error *err) {
    idem__greeted greeted = {.serial = lane->serial,
                             .endpoint = &lane->endpoint,
                             .hello = &lane->hello,
                             .now_ms = idem_now_ms()};
    if (fd < 0)
        return false;
    if (idem__target_learn(lane->target, &greeted, err))
        return true;
    idem__hang_up(fd);
    return false;
}

static void dialed(idem__lane *lane, int fd, idem_error *err) {
    if (is_accepted(lane, fd, err)) {
        lane->fd = fd;
        lane->state = IDEM__LANE_UP;
        idem__watch_connected(lane->target->watch, seen(lane));
        lane->quiet_ms = 0;
        lane->drain_end_ms = 0;
        lane->why.code = 0;
    } else {
        idem__wire_reset(&lane->wire);
        lane->state = IDEM__LANE_DOWN;
        lane->why = *err;
        lane->retry_at_ms =
            idem_now_ms() +
            idem__backoff_pause_ms(&lane->backoff, lane->uri->endpoints_count);
        if (is_shard_gone(lane, err))
            idem__target_unlearn(lane->target, lane->serial);
        else
            idem__target_failed(lane->target, lane->serial);
    }
    pthread_cond_broadcast(&lane->changed);
}

static int32_t attempt(idem__lane *lane, uint64_t deadline_ms,
                       idem_error *err) {
    idem_error why = {.size = sizeof why};
    lane->state = IDEM__LANE_DIALING;
    lane->backoff.attempts++;
    lane->serial = idem__target_get(lane->target, &lane->endpoint);
    pthread_mutex_unlock(&lane->lock);
    if (lane->target->watch != NULL)
        idem__watch_tell(lane->target->watch);
    int fd = dial(lane, deadline_ms, &why);
    pthread_mutex_lock(&lane->lock);
    dialed(lane, fd, &why);
    if (!idem__is_final(why.code))
        return 0;
    idem__error_copy(err, &why);
    return is_shard_gone(lane, &why) ? IDEM_E_LOST : why.code;
}

static int32_t give_up(const idem__lane *lane, idem_error *err) {
    if (lane->why.code == 0)
        return idem__fail(err, IDEM_E_TIMEOUT_UNSENT,
                          "the deadline passed before a connection to %s was "
                          "there; nothing was sent",
                          lane->endpoint.name);
    idem__error_copy(err, &lane->why);
    return lane->why.code;
}

/* Each server was asked as often as the URI says that it is worth. */
static bool is_enough(const idem__lane *lane, uint32_t failed) {
    uint32_t rounds = lane->uri->connect_rounds;
    return rounds > 0 && failed >= rounds * lane->uri->endpoints_count;
}

int32_t idem__fail_stopped(idem_error *err) {
    return idem__fail(err, IDEM_E_CLOSED,
                      "the client was shut down; nothing was sent");
}

static int32_t connect_lane(idem__lane *lane, idem__limit limit,
                            idem_error *err) {
    uint64_t deadline_ms = limit.deadline_ms;
    uint32_t failed = 0;
    while (lane->state != IDEM__LANE_UP) {
        uint64_t now_ms = idem_now_ms();
        if (idem__target_stops(lane->target, limit.stop_at))
            return idem__fail_stopped(err);
        if (now_ms >= deadline_ms || is_enough(lane, failed))
            return give_up(lane, err);
        uint64_t until_ms = deadline_ms;
        if (lane->state == IDEM__LANE_DOWN && now_ms >= lane->retry_at_ms) {
            int32_t code = attempt(lane, deadline_ms, err);
            if (code != 0)
                return code;
            failed++;
            continue;
        }
        if (lane->state == IDEM__LANE_DOWN && lane->retry_at_ms < until_ms)
            until_ms = lane->retry_at_ms;
        wait_changed(lane, until_ms);
    }
    return 0;
}

static bool is_full(const idem__lane *lane) {
    return lane->hello.pending_max > 0 &&
           lane->wire.calls.count >= lane->hello.pending_max;
}

bool idem__lane_is_open(const idem__lane *lane) {
    return lane->state == IDEM__LANE_UP &&
           lane->serial == atomic_load(&lane->target->serial) &&
           lane->drain_end_ms == 0 && !is_full(lane);
}

/* A server that goes down takes no more, and answers what it has: a connection
 * to it is left when that has happened, or takes too long. */
static void leave_drained(idem__lane *lane, uint64_t deadline_ms) {
    while (lane->state == IDEM__LANE_UP && lane->drain_end_ms != 0) {
        uint64_t now_ms = idem_now_ms();
        if (lane->wire.calls.count == 0 || now_ms >= lane->drain_end_ms)
            idem__lane_break(lane, 0, "it is shutting down");
        else if (now_ms >= deadline_ms)
            return;
        else
            wait_changed(lane, deadline_ms < lane->drain_end_ms
                                   ? deadline_ms
                                   : lane->drain_end_ms);
    }
}

int32_t idem__lane_up(idem__lane *lane, idem__limit limit, idem_error *err) {
    uint64_t deadline_ms = limit.deadline_ms;
    uint64_t serial = atomic_load(&lane->target->serial);
    if (lane->state == IDEM__LANE_UP && lane->serial != serial)
        idem__lane_break(lane, 0, "the client has moved to another server");
    for (;;) {
        leave_drained(lane, deadline_ms);
        int32_t code = connect_lane(lane, limit, err);
        if (code != 0)
            return code;
        if (!is_full(lane))
            return 0;
        if (idem__target_stops(lane->target, limit.stop_at))
            return idem__fail_stopped(err);
        if (idem_now_ms() >= deadline_ms)
            return idem__fail(err, IDEM_E_TIMEOUT_UNSENT,
                              "the deadline passed while other calls filled "
                              "the connection to %s; nothing was sent",
                              lane->endpoint.name);
        lane->full++;
        wait_changed(lane, deadline_ms);
        lane->full--;
    }
}
