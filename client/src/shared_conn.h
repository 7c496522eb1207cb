/* SPDX-License-Identifier: Apache-2.0 */
/* shared_conn.h -- one connection that any number of threads share.
 *
 * There is no thread behind it. Two roles are open to whoever waits on a shared
 * connection: the sender sends all that is queued, the reader reads and hands
 * each reply to its waiter. A thread takes what role is vacant; one whose own
 * answer has come leaves and offers what it did to a thread that still waits. A
 * thread that is alone does both, and costs one send and one recv per call. */
#ifndef IDEM_SHARED_CONN_H
#define IDEM_SHARED_CONN_H

#include <pthread.h>
#include <stdatomic.h>

#include "client/src/link.h"
#include "client/src/lookup.h"
#include "client/src/seal.h"

/* What ends a wait. */
typedef struct idem__limit {
    uint64_t deadline_ms;
    idem__stop stop_at;
} idem__limit;

/* One call's wait on a shared connection. */
typedef struct idem__waiter {
    idem__attempt attempt; /* first: the link knows only this */
    _Atomic uint32_t word;
    bool parked;         /* sleeps, and may be offered a role */
    int32_t code;        /* once it has ended */
    uint64_t now_ms;     /* as its thread last read the clock */
    idem__stop stop_at;  /* what ends it early */
    idem_answer *answer; /* filled by the reader; may be NULL */
    idem_error *err;     /* the same; not NULL */
} idem__waiter;

typedef struct idem__shared_conn {
    pthread_mutex_t lock; /* of all that follows, with the exceptions told */
    pthread_cond_t changed;
    idem__link link; /* DIALING: one thread connects, the rest wait for
                      * `changed`; wire.in is the reader's */
    idem__seal seal; /* of fd; seal.in is the reader's. An SSL is not for two
                      * threads: bytes are sealed and opened under the lock */
    int fd;
    bool sending;
    bool reading;
    idem__stop stop_told; /* who sleeps was woken to hear of it */
    uint32_t full;        /* threads that wait for a place under pending_max */
    uint32_t woken;       /* threads that were answered and may be back soon */
    idem__buffer flying;  /* the sender's: what is being sent */
    idem__lookup lookup;  /* of the server's name, while DIALING */
} idem__shared_conn;

/* seed: of the random pauses. */
void idem__shared_conn_init(idem__shared_conn *conn, idem__selector *selector,
                            int32_t shard, uint64_t seed);
void idem__shared_conn_fini(idem__shared_conn *conn);
/* In a child: it is the parent's, whose threads may have been in the middle of
 * it. Frees what surely nobody was changing, and touches no descriptor. */
void idem__shared_conn_leave(idem__shared_conn *conn);

/* Sends the request and waits for its answer, connecting first if need be.
 * Set by the caller: attempt.op.deadline_ms, start_ms, is_change and fast_ms,
 * now_ms, stop_at, answer and err. Returns 0 or a code, with attempt.sent
 * saying what may have happened when it is LOST or TIMEOUT. The request's
 * result is taken out when it is over what the server keeps. */
int32_t idem__shared_conn_call(idem__shared_conn *conn, idem__waiter *waiter,
                               idp_request *request);

/* shared_conn_up.c: connects if need be; the lock is held. 0, or a code with
 * err filled; IDEM_E_LOST: the server has no such shard now, route again. */
int32_t idem__shared_conn_up(idem__shared_conn *conn, idem__limit limit,
                             idem_error *err);

/* shared_conn_up.c: the connection is lost; every call on it hears so. The lock
 * is held. */
void idem__shared_conn_break(idem__shared_conn *conn, int os_error,
                             const char *why);

/* shared_conn_up.c: the sender or the reader has let go; the lock is held. */
void idem__shared_conn_let_go(idem__shared_conn *conn);

/* shared_conn.c: the call is over, its thread may go on; the last touch of it.
 */
void idem__waiter_end(idem__waiter *waiter, int32_t code);

#endif
