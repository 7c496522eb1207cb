/* SPDX-License-Identifier: Apache-2.0 */
/* shared_conn.c -- calls on a shared connection: the sender's and the reader's
 * role, sleeping, and handing over. See shared_conn.h. */
#include "client/src/shared_conn.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>

#include "client/src/answer.h"
#include "client/src/futex.h"
#include "client/src/port.h"
#include "client/src/socket.h"

/* What a waiter's word says. */
enum { WAITING = 0, SETTLED = 1, OFFERED = 2 /* a role may be vacant */ };

#define BATCH_MAX 64 /* replies handed out per lock */

void idem__waiter_end(idem__waiter *waiter, int32_t code) {
    waiter->code = code;
    if (atomic_exchange_explicit(&waiter->word, SETTLED,
                                 memory_order_release) == WAITING)
        idem__futex_wake(&waiter->word);
}

static bool shared_has_output(const idem__shared_conn *conn) {
    return idem__buffer_len(&conn->flying) > 0 ||
           idem__seal_has_output(&conn->seal, &conn->link.wire);
}

/* Wakes one who sleeps, to look what there is to do; false: none does. Those
 * who are awake look by themselves. */
static bool offer_one(idem__shared_conn *conn) {
    const idem__op *probe = &conn->link.probe.op; /* nobody's */
    idem__op *op = conn->link.wire.calls.first;
    while (op != NULL && (op == probe || !((idem__waiter *)op)->parked))
        op = op->next;
    if (op == NULL)
        return false;
    idem__waiter *waiter = (idem__waiter *)op;
    waiter->parked = false;
    atomic_store_explicit(&waiter->word, OFFERED, memory_order_relaxed);
    idem__futex_wake(&waiter->word);
    return true;
}

/* The lock is held, and this thread leaves or lets a role go: if something is
 * left to be done, one of those who sleep is asked to look. */
static void pass_on_roles(idem__shared_conn *conn) {
    if (conn->full > 0)
        pthread_cond_broadcast(&conn->changed);
    if (conn->link.state != IDEM__LINK_UP)
        return;
    bool reader_wanted = !conn->reading && conn->link.wire.calls.count > 0;
    bool sender_wanted = !conn->sending && shared_has_output(conn);
    if (reader_wanted || sender_wanted)
        (void)offer_one(conn);
}

/* Sends `flying` whole, without the lock. 0, or errno: ETIMEDOUT leaves the
 * rest to the next sender, EHOSTDOWN is a server that takes no byte. */
static int send_flying(idem__shared_conn *conn, idem__waiter *me) {
    idem__buffer *flying = &conn->flying;
    uint64_t stuck_at_ms = 0;
    while (idem__buffer_len(flying) > 0) {
        ssize_t sent =
            send(conn->fd, flying->bytes + flying->at, idem__buffer_len(flying),
                 IDEM__NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            flying->at += (size_t)sent;
            stuck_at_ms = 0;
            continue;
        }
        if (errno != EAGAIN && errno != EINTR)
            return errno;
        me->now_ms = idem_now_ms();
        if (me->now_ms >= me->attempt.op.deadline_ms ||
            idem__selector_stops(conn->link.selector, me->stop_at))
            return ETIMEDOUT;
        uint64_t left_ms = me->attempt.op.deadline_ms - me->now_ms;
        if (stuck_at_ms == 0)
            stuck_at_ms = me->now_ms;
        else if (me->now_ms - stuck_at_ms >=
                 IDEM__LISTEN_MS + idem__link_patience_ms(&conn->link, left_ms))
            return EHOSTDOWN;
        idem__poll(
            conn->fd, POLLOUT,
            (int64_t)(left_ms < IDEM__LISTEN_MS ? left_ms : IDEM__LISTEN_MS));
        me->now_ms = idem_now_ms();
    }
    return 0;
}

/* Threads that were just answered will likely ask again at once: letting them
 * run first makes one send of many. */
static void gather(idem__shared_conn *conn) {
    if (conn->woken == 0)
        return;
    conn->woken = 0;
    pthread_mutex_unlock(&conn->lock);
    sched_yield();
    pthread_mutex_lock(&conn->lock);
}

/* What is queued, sealed where there is TLS, becomes what is sent; false: no
 * memory. */
static bool load_flying(idem__shared_conn *conn) {
    idem__wire *wire = &conn->link.wire;
    if (!idem__seal_fill(&conn->seal, wire))
        return false;
    idem__buffer *out = idem__seal_out(&conn->seal, wire);
    idem__buffer queued = *out;
    idem__buffer_reset(&conn->flying);
    *out = conn->flying;
    conn->flying = queued;
    if (!idem__seal_is_on(&conn->seal))
        wire->sent_bytes = wire->queued_bytes;
    return true;
}

static void send_round(idem__shared_conn *conn, idem__waiter *me) {
    conn->sending = true;
    gather(conn);
    bool loaded = idem__buffer_len(&conn->flying) > 0 || load_flying(conn);
    pthread_mutex_unlock(&conn->lock);
    int error = loaded ? send_flying(conn, me) : ENOMEM;
    pthread_mutex_lock(&conn->lock);
    conn->sending = false;
    if (error == EHOSTDOWN)
        idem__selector_failed(conn->link.selector, conn->link.serial);
    if (error != 0 && error != ETIMEDOUT)
        idem__shared_conn_break(conn, error, strerror(error));
    idem__shared_conn_let_go(conn);
}

/* Without the lock: the answer, or what kept it away, goes to its waiter. */
static int32_t finish_waiter(const idem__shared_conn *conn,
                             idem__waiter *waiter, const idp_reply *reply) {
    idem_answer view;
    int32_t code = idem__link_read(&conn->link, &waiter->attempt, reply, &view,
                                   waiter->err);
    if (code != 0 || idem__answer_copy(waiter->answer, &view) == 0)
        return code;
    return idem__fail(waiter->err, IDEM_E_MEMORY,
                      "no memory for an answer of %zu bytes", view.result_len);
}

typedef struct delivery {
    idem__waiter *waiter;
    idp_reply reply;
} delivery;

/* Without the lock. */
static void hand_out_batch(const idem__shared_conn *conn,
                           const idem__waiter *me, const delivery *batch,
                           uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        idem__waiter *waiter = batch[i].waiter;
        int32_t code = finish_waiter(conn, waiter, &batch[i].reply);
        if (waiter != me) {
            idem__waiter_end(waiter, code);
            continue;
        }
        waiter->code = code;
        atomic_store_explicit(&waiter->word, SETTLED, memory_order_relaxed);
    }
}

/* The reader hands out what has arrived; false when it is not our protocol.
 * The lock is held before and after, not between. */
static bool deliver_batches(idem__shared_conn *conn, const idem__waiter *me) {
    delivery batch[BATCH_MAX];
    const uint64_t now_ms = idem_now_ms();
    for (;;) {
        idem__next next = IDEM__NEXT_REPLY;
        uint32_t count = 0;
        while (count < BATCH_MAX) {
            idem__attempt *attempt = NULL;
            next = idem__link_next(&conn->link, &attempt, &batch[count].reply,
                                   now_ms);
            if (next != IDEM__NEXT_REPLY)
                break;
            batch[count++].waiter = (idem__waiter *)attempt;
        }
        if (count > 0) {
            conn->woken += count;
            pthread_mutex_unlock(&conn->lock);
            hand_out_batch(conn, me, batch, count);
            pthread_mutex_lock(&conn->lock);
        }
        if (next != IDEM__NEXT_REPLY)
            return next != IDEM__NEXT_BROKEN;
    }
}

/* Without the lock. What recv says, with EAGAIN when the time is over. */
static ssize_t receive(const idem__shared_conn *conn, const idem__waiter *me,
                       uint8_t *to, size_t room) {
    if (me->attempt.op.deadline_ms >= me->now_ms + IDEM__LISTEN_MS)
        return recv(conn->fd, to, room, 0);
    int64_t left_ms = (int64_t)me->attempt.op.deadline_ms - (int64_t)me->now_ms;
    idem__poll(conn->fd, POLLIN, left_ms);
    return recv(conn->fd, to, room, MSG_DONTWAIT);
}

/* The reader has heard nothing for so long. */
static void shared_listen_on(idem__shared_conn *conn, const idem__waiter *me,
                             uint64_t heard_nothing_ms) {
    uint64_t deadline_ms = me->attempt.op.deadline_ms;
    uint64_t left_ms = deadline_ms > me->now_ms ? deadline_ms - me->now_ms : 0;
    const char *why = idem__link_quiet(&conn->link, left_ms, heard_nothing_ms);
    if (why != NULL)
        idem__shared_conn_break(conn, ETIMEDOUT, why);
}

/* So much has come. */
static void hear_shared(idem__shared_conn *conn, const idem__waiter *me,
                        size_t len) {
    idem__link *link = &conn->link;
    idem__opened opened = idem__seal_came(&conn->seal, &link->wire, len);
    idem__link_heard(link, len);
    if (!deliver_batches(conn, me))
        idem__shared_conn_break(conn, 0, "it sent what is not the protocol");
    else if (opened == IDEM__OPENED_FAILED)
        idem__shared_conn_break(conn, 0, idem__seal_why(&conn->seal));
    else if (opened == IDEM__OPENED_ENDED)
        idem__shared_conn_break(conn, 0, "it was closed");
}

static void read_round(idem__shared_conn *conn, idem__waiter *me) {
    conn->reading = true;
    uint64_t before_ms = me->now_ms;
    size_t room = 0;
    uint8_t *to = idem__seal_room(&conn->seal, &conn->link.wire, &room);
    ssize_t got = -1;
    int error = ENOMEM;
    if (to != NULL) {
        pthread_mutex_unlock(&conn->lock);
        got = receive(conn, me, to, room);
        error = got < 0 ? errno : 0;
        pthread_mutex_lock(&conn->lock);
    }
    if (got > 0) {
        hear_shared(conn, me, (size_t)got);
    } else if (got == 0) {
        const idem__wire *wire = &conn->link.wire;
        idem__shared_conn_break(
            conn, 0, wire->said != 0 ? wire->said_text : "it was closed");
    } else if (error != EAGAIN && error != EINTR) {
        idem__shared_conn_break(conn, error, strerror(error));
    }
    if (me->attempt.op.pending)
        me->now_ms = idem_now_ms();
    if (got < 0 && error == EAGAIN && me->attempt.op.pending)
        shared_listen_on(conn, me, me->now_ms - before_ms);
    conn->reading = false;
    idem__shared_conn_let_go(conn);
}

/* Sleeps until the call has ended (true: without the lock), a role is offered
 * or the deadline has come (false: with it). */
static bool park_thread(idem__shared_conn *conn, idem__waiter *me) {
    me->parked = true;
    pthread_mutex_unlock(&conn->lock);
    while (atomic_load_explicit(&me->word, memory_order_acquire) == WAITING) {
        idem__futex_wait(&me->word, WAITING, me->attempt.op.deadline_ms);
        me->now_ms = idem_now_ms();
        if (me->now_ms >= me->attempt.op.deadline_ms)
            break;
    }
    if (atomic_load_explicit(&me->word, memory_order_acquire) == SETTLED)
        return true;
    pthread_mutex_lock(&conn->lock);
    me->parked = false;
    uint32_t offered = OFFERED;
    atomic_compare_exchange_strong(&me->word, &offered, WAITING);
    return false;
}

static void time_out(idem__shared_conn *conn, idem__waiter *me) {
    const char *why =
        idem__link_time_out(&conn->link, &me->attempt, me->now_ms, me->err);
    me->code = IDEM_E_TIMEOUT;
    atomic_store_explicit(&me->word, SETTLED, memory_order_relaxed);
    if (why != NULL)
        idem__shared_conn_break(conn, ETIMEDOUT, why);
}

/* The client is shut down. */
static void stop_call(idem__shared_conn *conn, idem__waiter *me) {
    me->code = idem__link_abandon(&conn->link, &me->attempt,
                                  "the client was shut down", me->err);
    atomic_store_explicit(&me->word, SETTLED, memory_order_relaxed);
}

/* Those who sleep hear of a stop from the first one who sees it. */
static bool sees_stop(idem__shared_conn *conn, const idem__waiter *me) {
    const idem__selector *selector = conn->link.selector;
    if (!idem__selector_stops(selector, IDEM__STOP_CALLS))
        return false;
    idem__stop stop = (idem__stop)atomic_load(selector->stop);
    while (conn->stop_told < stop && offer_one(conn))
        ;
    conn->stop_told = stop;
    return stop >= me->stop_at;
}

/* Until the call is answered, by whatever role is open. Returns whether the
 * lock is still held. */
static bool work(idem__shared_conn *conn, idem__waiter *me) {
    while (me->attempt.op.pending) {
        if (me->now_ms >= me->attempt.op.deadline_ms)
            time_out(conn, me);
        else if (sees_stop(conn, me))
            stop_call(conn, me);
        else if (!conn->sending && shared_has_output(conn))
            send_round(conn, me);
        else if (!conn->reading)
            read_round(conn, me);
        else if (park_thread(conn, me))
            return false;
    }
    return true;
}

static int32_t queue_request(idem__shared_conn *conn, idem__waiter *me,
                             idp_request *request) {
    atomic_init(&me->word, WAITING);
    int32_t code = idem__link_queue(&conn->link, &me->attempt, request,
                                    me->now_ms, me->err);
    if (code == 0 && conn->woken > 0)
        conn->woken--;
    return code;
}

int32_t idem__shared_conn_call(idem__shared_conn *conn, idem__waiter *waiter,
                               idp_request *request) {
    pthread_mutex_lock(&conn->lock);
    waiter->code = 0;
    if (!idem__link_is_open(&conn->link)) {
        idem__limit limit = {waiter->attempt.op.deadline_ms, waiter->stop_at};
        waiter->code = idem__shared_conn_up(conn, limit, waiter->err);
        waiter->now_ms = idem_now_ms();
    }
    if (waiter->code == 0)
        waiter->code = queue_request(conn, waiter, request);
    if (waiter->code != 0) {
        pass_on_roles(conn);
        pthread_mutex_unlock(&conn->lock);
        return waiter->code;
    }
    if (work(conn, waiter)) {
        pass_on_roles(conn);
        pthread_mutex_unlock(&conn->lock);
    }
    /* A reader may still be busy with it. Nobody offers roles to it now. */
    while (atomic_load_explicit(&waiter->word, memory_order_acquire) != SETTLED)
        idem__futex_wait(&waiter->word, WAITING, UINT64_MAX);
    return waiter->code;
}
