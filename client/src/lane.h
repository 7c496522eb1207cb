/* SPDX-License-Identifier: Apache-2.0 */
/* lane.h -- one connection that any number of threads share.
 *
 * There is no thread behind it. Two roles are open to whoever waits on a lane:
 * the sender sends all that is queued, the reader reads and hands each reply to
 * its waiter. A thread takes what role is vacant; one whose own answer has come
 * leaves and offers what it did to a thread that still waits. A thread that is
 * alone does both, and costs one send and one recv per call. */
#ifndef IDEM_LANE_H
#define IDEM_LANE_H

#include <pthread.h>
#include <stdatomic.h>

#include "client/src/backoff.h"
#include "client/src/error.h"
#include "client/src/lookup.h"
#include "client/src/target.h"
#include "client/src/wire.h"

/* What ends a wait. */
typedef struct idem__limit {
    uint64_t deadline_ms;
    idem__stop stop_at;
} idem__limit;

typedef enum idem__lane_state {
    IDEM__LANE_DOWN,    /* no descriptor */
    IDEM__LANE_DIALING, /* one thread connects, the rest wait for `changed` */
    IDEM__LANE_UP,
    IDEM__LANE_BROKEN /* until sender and reader have let go of it */
} idem__lane_state;

/* One call's wait on a lane. */
typedef struct idem__waiter {
    idem__op op; /* first: the wire knows only this */
    _Atomic uint32_t word;
    bool parked;       /* sleeps, and may be offered a role */
    bool sent;         /* failed: the server may have seen it */
    bool is_change;    /* it is answered once the change is safe */
    uint32_t fast_ms;  /* so long when it was sent; 0: until its deadline */
    bool trimmed;      /* its result was over the server's limit */
    int32_t code;      /* once it is settled */
    uint64_t now_ms;   /* as its thread last read the clock */
    uint64_t start_ms; /* its call's: what an acquire may wait counts from it */
    idem__stop stop_at; /* what ends it early */
    uint64_t read_mark; /* lane->read_bytes when it was queued */
    uint64_t queued_ms;
    uint64_t serial;     /* of the server that it was asked of */
    idem_answer *answer; /* filled by the reader; may be NULL */
    idem_error *err;     /* the same; not NULL */
} idem__waiter;

typedef struct idem__lane {
    idem__target *target;
    const idem__uri *uri;
    int32_t shard;        /* -1: any */
    pthread_mutex_t lock; /* of all that follows, with the exceptions told */
    pthread_cond_t changed;
    idem__lane_state state;
    int fd;
    bool sending;
    bool reading;
    idem__stop stop_told; /* who sleeps was woken to hear of it */
    uint32_t full;        /* threads that wait for a place under pending_max */
    uint32_t woken;       /* threads that were answered and may be back soon */
    uint64_t serial;      /* the target's, when it was connected */
    uint64_t read_bytes;  /* ever */
    uint64_t retry_at_ms; /* DOWN: no attempt before */
    idem__backoff backoff;
    idem__wire wire;     /* wire.in is the reader's */
    idem__buffer flying; /* the sender's: what is being sent */
    idp_hello hello;
    idem__endpoint endpoint; /* that it is or was connected to */
    idem__lookup lookup;     /* of its name, while DIALING */
    idem_error why;          /* DOWN: the last attempt's failure */
    uint64_t drain_end_ms;   /* 0, or the server goes down: it gets no more
                              * calls, and until then to answer what it has */
    uint64_t quiet_ms;  /* how long a reader has listened and heard nothing */
    uint64_t probed_ms; /* quiet_ms when the probe was queued */
    idem__waiter probe; /* a ping that nobody waits for, see lane_quiet.c */
    idem_error probe_why;
} idem__lane;

/* seed: of the random pauses. */
void idem__lane_init(idem__lane *lane, idem__target *target, int32_t shard,
                     uint64_t seed);
void idem__lane_fini(idem__lane *lane);
/* In a child: it is the parent's, whose threads may have been in the middle of
 * it. Frees what surely nobody was changing, and touches no descriptor. */
void idem__lane_leave(idem__lane *lane);

/* Sends the request and waits for its answer, connecting first if need be.
 * waiter.op.deadline_ms, now_ms, answer and err are set by the caller. Returns
 * 0 or a code, with waiter.sent saying what may have happened when it is
 * LOST or TIMEOUT. The request's result is taken out when it is over what the
 * server keeps. */
int32_t idem__lane_call(idem__lane *lane, idem__waiter *waiter,
                        idp_request *request);

/* lane_up.c: whether a call may be queued at once; the lock is held. */
bool idem__lane_is_open(const idem__lane *lane);

/* lane_up.c: connects if need be; the lock is held. 0, or a code with err
 * filled; IDEM_E_LOST: the server has no such shard now, route again. */
int32_t idem__lane_up(idem__lane *lane, idem__limit limit, idem_error *err);

/* IDEM_E_CLOSED, with err filled: it was stopped before it was sent. */
int32_t idem__fail_stopped(idem_error *err);

/* lane_up.c: the connection is lost; every call on it hears so. The lock is
 * held. */
void idem__lane_break(idem__lane *lane, int os_error, const char *why);

/* lane_up.c: the sender or the reader has let go; the lock is held. */
void idem__lane_let_go(idem__lane *lane);

/* A server that goes down answers what it has within such a time. */
#define IDEM__DRAIN_MS 250u

/* Who waits on a lane looks up at least so often, and sees a stop. */
#define IDEM__LISTEN_MS 250u

/* lane_quiet.c: the reader has heard nothing for so long; the lock is held. A
 * server that has not a word to say for too long is left. */
void idem__lane_quiet(idem__lane *lane, const idem__waiter *me,
                      uint64_t heard_nothing_ms);

/* lane_quiet.c: the server has answered a ping, so that changes that it was
 * asked for before are what it lets wait; the lock is held. */
void idem__lane_is_alive(const idem__lane *lane);

/* lane_quiet.c: how long the server may keep a call of that much time left
 * from knowing whether it is alive. */
uint64_t idem__lane_patience_ms(const idem__lane *lane, uint64_t left_ms);

/* lane.c: the call is over, its thread may go on; the last touch of it. */
void idem__waiter_settle(idem__waiter *waiter, int32_t code);

#endif
