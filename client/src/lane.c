/* SPDX-License-Identifier: Apache-2.0 */
/* lane.c -- calls on a shared connection: the sender's and the reader's role,
 * sleeping, and handing over. See lane.h. */
#include "client/src/lane.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>

#include "client/src/answer.h"
#include "client/src/futex.h"
#include "client/src/socket.h"

/* What a waiter's word says. */
enum { WAITING = 0, SETTLED = 1, OFFERED = 2 /* a role may be vacant */ };

#define BATCH_MAX     64 /* replies handed out per lock */
#define OUT_BYTES_MAX (64u << 20)

void idem__waiter_settle(idem__waiter *waiter, int32_t code) {
    waiter->code = code;
    if (atomic_exchange_explicit(&waiter->word, SETTLED,
                                 memory_order_release) == WAITING)
        idem__futex_wake(&waiter->word);
}

static bool has_output(const idem__lane *lane) {
    return idem__buffer_len(&lane->flying) > 0 ||
           idem__buffer_len(&lane->wire.out) > 0;
}

/* The lock is held, and this thread leaves or lets a role go: if something is
 * left to be done, one of those who sleep is asked to look. */
static void pass_on(idem__lane *lane) {
    if (lane->full > 0)
        pthread_cond_broadcast(&lane->changed);
    if (lane->state != IDEM__LANE_UP)
        return;
    bool reader_wanted = !lane->reading && lane->wire.calls.count > 0;
    bool sender_wanted = !lane->sending && has_output(lane);
    if (!reader_wanted && !sender_wanted)
        return;
    for (idem__op *op = lane->wire.calls.first; op != NULL; op = op->next) {
        idem__waiter *waiter = (idem__waiter *)op;
        if (!waiter->parked)
            continue; /* awake: it looks by itself */
        waiter->parked = false;
        atomic_store_explicit(&waiter->word, OFFERED, memory_order_relaxed);
        idem__futex_wake(&waiter->word);
        return;
    }
}

/* Sends `flying` whole, without the lock. 0, or errno: ETIMEDOUT leaves the
 * rest to the next sender, EHOSTDOWN is a server that takes no byte. */
static int send_flying(idem__lane *lane, idem__waiter *me) {
    idem__buffer *flying = &lane->flying;
    uint64_t stuck_at_ms = 0;
    while (idem__buffer_len(flying) > 0) {
        ssize_t sent =
            send(lane->fd, flying->bytes + flying->at, idem__buffer_len(flying),
                 MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            flying->at += (size_t)sent;
            stuck_at_ms = 0;
            continue;
        }
        if (errno != EAGAIN && errno != EINTR)
            return errno;
        me->now_ms = idem_now_ms();
        if (me->now_ms >= me->op.deadline_ms ||
            idem__target_stops(lane->target, me->stop_at))
            return ETIMEDOUT;
        uint64_t left_ms = me->op.deadline_ms - me->now_ms;
        if (stuck_at_ms == 0)
            stuck_at_ms = me->now_ms;
        else if (me->now_ms - stuck_at_ms >=
                 IDEM__LISTEN_MS + idem__lane_patience_ms(lane, left_ms))
            return EHOSTDOWN;
        idem__poll(
            lane->fd, POLLOUT,
            (int64_t)(left_ms < IDEM__LISTEN_MS ? left_ms : IDEM__LISTEN_MS));
        me->now_ms = idem_now_ms();
    }
    return 0;
}

/* Threads that were just answered will likely ask again at once: letting them
 * run first makes one send of many. */
static void gather(idem__lane *lane) {
    if (lane->woken == 0)
        return;
    lane->woken = 0;
    pthread_mutex_unlock(&lane->lock);
    sched_yield();
    pthread_mutex_lock(&lane->lock);
}

static void send_round(idem__lane *lane, idem__waiter *me) {
    lane->sending = true;
    gather(lane);
    if (idem__buffer_len(&lane->flying) == 0) {
        idem__buffer_reset(&lane->flying);
        idem__buffer queued = lane->wire.out;
        lane->wire.out = lane->flying;
        lane->flying = queued;
        lane->wire.sent_bytes = lane->wire.queued_bytes;
    }
    pthread_mutex_unlock(&lane->lock);
    int error = send_flying(lane, me);
    pthread_mutex_lock(&lane->lock);
    lane->sending = false;
    if (error == EHOSTDOWN)
        idem__target_failed(lane->target, lane->serial);
    if (error != 0 && error != ETIMEDOUT)
        idem__lane_break(lane, error, strerror(error));
    idem__lane_let_go(lane);
}

/* Without the lock: the answer, or what kept it away, goes to its waiter. */
static int32_t finish(const idem__lane *lane, idem__waiter *waiter,
                      const idp_reply *reply) {
    const char *name = lane->endpoint.name;
    if (reply->is_error)
        return idem__fail_reply(waiter->err, name, reply);
    idem_answer view;
    int32_t code = idem__answer_read(waiter->op.method, reply, &view);
    if (code != 0)
        return idem__fail_at(waiter->err, code, (idem__where){name, 0},
                             "%s sent a reply that is no answer to the call; "
                             "is it of another version?",
                             name);
    if (idem__answer_copy(waiter->answer, &view) != 0)
        return idem__fail(waiter->err, IDEM_E_MEMORY,
                          "no memory for an answer of %zu bytes",
                          view.result_len);
    return 0;
}

typedef struct delivery {
    idem__waiter *waiter;
    idp_reply reply;
} delivery;

/* The reader hands out what has arrived; false when it is not our protocol.
 * The lock is held before and after, not between. */
static bool deliver(idem__lane *lane, idem__waiter *me) {
    delivery batch[BATCH_MAX];
    for (;;) {
        idem__next next = IDEM__NEXT_REPLY;
        uint32_t count = 0;
        bool goes_down = false;
        bool is_alive = false;
        while (count < BATCH_MAX) {
            idem__op *op = NULL;
            next = idem__wire_next(&lane->wire, &op, &batch[count].reply);
            if (next != IDEM__NEXT_REPLY)
                break;
            const idp_reply *reply = &batch[count].reply;
            goes_down |= reply->is_error && reply->error == IDP_E_SHUTTING_DOWN;
            is_alive |= op == &lane->probe.op;
            batch[count++].waiter = (idem__waiter *)op;
        }
        if (count > 0) {
            lane->woken += count;
            lane->backoff.attempts = 0;
            if (is_alive)
                idem__lane_is_alive(lane);
            if (goes_down && lane->drain_end_ms == 0)
                lane->drain_end_ms = idem_now_ms() + IDEM__DRAIN_MS;
            pthread_mutex_unlock(&lane->lock);
            for (uint32_t i = 0; i < count; i++) {
                idem__waiter *waiter = batch[i].waiter;
                int32_t code = finish(lane, waiter, &batch[i].reply);
                if (waiter != me) {
                    idem__waiter_settle(waiter, code);
                    continue;
                }
                me->code = code;
                atomic_store_explicit(&me->word, SETTLED, memory_order_relaxed);
            }
            pthread_mutex_lock(&lane->lock);
        }
        if (next != IDEM__NEXT_REPLY)
            return next != IDEM__NEXT_BROKEN;
    }
}

/* Without the lock. What recv says, with EAGAIN when the time is over. */
static ssize_t receive(const idem__lane *lane, const idem__waiter *me,
                       uint8_t *to, size_t room) {
    if (me->op.deadline_ms >= me->now_ms + IDEM__LISTEN_MS)
        return recv(lane->fd, to, room, 0);
    int64_t left_ms = (int64_t)me->op.deadline_ms - (int64_t)me->now_ms;
    idem__poll(lane->fd, POLLIN, left_ms);
    return recv(lane->fd, to, room, MSG_DONTWAIT);
}

static void read_round(idem__lane *lane, idem__waiter *me) {
    lane->reading = true;
    uint64_t before_ms = me->now_ms;
    size_t room = 0;
    uint8_t *to = idem__wire_room(&lane->wire, &room);
    ssize_t got = -1;
    int error = ENOMEM;
    if (to != NULL) {
        pthread_mutex_unlock(&lane->lock);
        got = receive(lane, me, to, room);
        error = got < 0 ? errno : 0;
        pthread_mutex_lock(&lane->lock);
    }
    if (got > 0) {
        lane->wire.in.end += (size_t)got;
        lane->read_bytes += (uint64_t)got;
        lane->quiet_ms = 0;
        if (!deliver(lane, me))
            idem__lane_break(lane, 0, "it sent what is not the protocol");
    } else if (got == 0) {
        idem__lane_break(lane, 0,
                         lane->wire.said != 0 ? lane->wire.said_text
                                              : "it was closed");
    } else if (error != EAGAIN && error != EINTR) {
        idem__lane_break(lane, error, strerror(error));
    }
    if (me->op.pending)
        me->now_ms = idem_now_ms();
    if (got < 0 && error == EAGAIN && me->op.pending)
        idem__lane_quiet(lane, me, me->now_ms - before_ms);
    lane->reading = false;
    idem__lane_let_go(lane);
}

/* Sleeps until the call is settled (true: without the lock), a role is offered
 * or the deadline has come (false: with it). */
static bool park(idem__lane *lane, idem__waiter *me) {
    me->parked = true;
    pthread_mutex_unlock(&lane->lock);
    while (atomic_load_explicit(&me->word, memory_order_acquire) == WAITING) {
        idem__futex_wait(&me->word, WAITING, me->op.deadline_ms);
        me->now_ms = idem_now_ms();
        if (me->now_ms >= me->op.deadline_ms)
            break;
    }
    if (atomic_load_explicit(&me->word, memory_order_acquire) == SETTLED)
        return true;
    pthread_mutex_lock(&lane->lock);
    me->parked = false;
    uint32_t offered = OFFERED;
    atomic_compare_exchange_strong(&me->word, &offered, WAITING);
    return false;
}

static void time_out(idem__lane *lane, idem__waiter *me) {
    const char *name = lane->endpoint.name;
    idem__calls_remove(&lane->wire.calls, &me->op);
    me->sent = idem__wire_was_sent(&lane->wire, &me->op);
    me->code = idem__fail_at(
        me->err, IDEM_E_TIMEOUT, (idem__where){name, 0},
        "%s has not answered before the deadline; ask again with the same "
        "nonce or token",
        name);
    atomic_store_explicit(&me->word, SETTLED, memory_order_relaxed);
    bool heard = lane->read_bytes != me->read_mark;
    bool early = me->fast_ms != 0;
    if (heard && early)
        idem__watch_changes_wait(lane->target->watch, name);
    if (!heard && early)
        idem__target_failed(lane->target, lane->serial);
    /* Not a word from it all the while: it is likely gone without a close. */
    if (!heard &&
        (early || me->now_ms >= me->queued_ms + lane->uri->connect_timeout_ms))
        idem__lane_break(lane, ETIMEDOUT, "it has gone silent");
}

/* The client is shut down. What was queued is sent with the rest, if it was not
 * sent yet. */
static void stop_call(idem__lane *lane, idem__waiter *me) {
    const char *name = lane->endpoint.name;
    idem__calls_remove(&lane->wire.calls, &me->op);
    me->sent = true;
    me->code = idem__fail_at(
        me->err, IDEM_E_LOST, (idem__where){name, 0},
        "the client was shut down before %s had answered; the call may have "
        "taken effect, ask again with the same nonce or token",
        name);
    atomic_store_explicit(&me->word, SETTLED, memory_order_relaxed);
}

/* Those who sleep hear of a stop from the first one who sees it. */
static bool sees_stop(idem__lane *lane, const idem__waiter *me) {
    if (!idem__target_stops(lane->target, IDEM__STOP_CALLS))
        return false;
    idem__stop stop = (idem__stop)atomic_load(lane->target->stop);
    for (idem__op *op = lane->wire.calls.first;
         op != NULL && lane->stop_told < stop; op = op->next) {
        idem__waiter *waiter = (idem__waiter *)op;
        if (!waiter->parked)
            continue;
        waiter->parked = false;
        atomic_store_explicit(&waiter->word, OFFERED, memory_order_relaxed);
        idem__futex_wake(&waiter->word);
    }
    lane->stop_told = stop;
    return stop >= me->stop_at;
}

/* Until the call is answered, by whatever role is open. Returns whether the
 * lock is still held. */
static bool work(idem__lane *lane, idem__waiter *me) {
    while (me->op.pending) {
        if (me->now_ms >= me->op.deadline_ms)
            time_out(lane, me);
        else if (sees_stop(lane, me))
            stop_call(lane, me);
        else if (!lane->sending && has_output(lane))
            send_round(lane, me);
        else if (!lane->reading)
            read_round(lane, me);
        else if (park(lane, me))
            return false;
    }
    return true;
}

static int32_t queue(idem__lane *lane, idem__waiter *me, idp_request *request) {
    if (idem__buffer_len(&lane->wire.out) > OUT_BYTES_MAX)
        return idem__fail(me->err, IDEM_E_BUSY,
                          "%s takes no bytes, and too many wait to be sent",
                          lane->endpoint.name);
    me->trimmed = idem__wire_trim(&lane->hello, request);
    uint64_t gone_ms = me->now_ms - me->start_ms;
    request->wait_ms =
        gone_ms < request->wait_ms ? request->wait_ms - (uint32_t)gone_ms : 0;
    uint64_t early_ms = me->now_ms + me->fast_ms + request->wait_ms;
    if (me->fast_ms != 0 && early_ms < me->op.deadline_ms)
        me->op.deadline_ms = early_ms;
    else
        me->fast_ms = 0;
    atomic_init(&me->word, WAITING);
    me->read_mark = lane->read_bytes;
    me->queued_ms = me->now_ms;
    me->serial = lane->serial;
    if (lane->woken > 0)
        lane->woken--;
    if (idem__wire_queue(&lane->wire, &me->op, request) == 0)
        return 0;
    return idem__fail(me->err, IDEM_E_MEMORY, "no memory for a request");
}

int32_t idem__lane_call(idem__lane *lane, idem__waiter *waiter,
                        idp_request *request) {
    pthread_mutex_lock(&lane->lock);
    waiter->code = 0;
    if (!idem__lane_is_open(lane)) {
        idem__limit limit = {waiter->op.deadline_ms, waiter->stop_at};
        waiter->code = idem__lane_up(lane, limit, waiter->err);
        waiter->now_ms = idem_now_ms();
    }
    if (waiter->code == 0)
        waiter->code = queue(lane, waiter, request);
    if (waiter->code != 0) {
        pass_on(lane);
        pthread_mutex_unlock(&lane->lock);
        return waiter->code;
    }
    if (work(lane, waiter)) {
        pass_on(lane);
        pthread_mutex_unlock(&lane->lock);
    }
    /* A reader may still be busy with it. Nobody offers roles to it now. */
    while (atomic_load_explicit(&waiter->word, memory_order_acquire) != SETTLED)
        idem__futex_wait(&waiter->word, WAITING, UINT64_MAX);
    return waiter->code;
}
