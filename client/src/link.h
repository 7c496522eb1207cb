/* SPDX-License-Identifier: Apache-2.0 */
/* link.h -- one connection of a client, without its descriptor: which server
 * it leads to, what is under way on it, when it is given up and why.
 *
 * Pure: bytes are its driver's, and so is the clock; time is an argument. A
 * driver connects, moves bytes and tells how calls ended; what is to be done
 * is decided here, once for all of them: threads that share a shared connection
 * (shared_conn.h), and one thread's loop (async.h). Who shares it between
 * threads locks it. */
#ifndef IDEM_LINK_H
#define IDEM_LINK_H

#include "client/src/backoff.h"
#include "client/src/error.h"
#include "client/src/selector.h"
#include "client/src/wire.h"

/* A server that goes down answers what it has within such a time. */
#define IDEM__DRAIN_MS 250u

/* So long nothing is heard before a server is asked whether it is alive. */
#define IDEM__LISTEN_MS 250u

typedef enum idem__link_state {
    IDEM__LINK_DOWN,    /* no descriptor */
    IDEM__LINK_DIALING, /* its driver shakes hands */
    IDEM__LINK_UP,
    IDEM__LINK_BROKEN /* until its driver has let go of the descriptor */
} idem__link_state;

/* One call's way over a link, of which it may need several. */
typedef struct idem__attempt {
    idem__op op;       /* first: the wire knows only this */
    bool sent;         /* failed: the server may have seen it */
    bool is_change;    /* it is answered once the change is safe */
    bool trimmed;      /* its result was over the server's limit */
    uint32_t fast_ms;  /* so long when it was sent; 0: until its deadline */
    uint64_t start_ms; /* its call's: what an acquire may wait counts from it */
    uint64_t read_mark; /* link->read_bytes when it was queued */
    uint64_t queued_ms;
    uint64_t serial; /* of the server that it was asked of */
} idem__attempt;

typedef struct idem__link {
    idem__selector *selector;
    const idem__uri *uri;
    int32_t shard; /* -1: any */
    idem__link_state state;
    uint64_t serial;      /* the selector's, when it was dialled */
    uint64_t read_bytes;  /* ever */
    uint64_t retry_at_ms; /* DOWN: no attempt before */
    uint64_t call_end_ms; /* DIALING: when the call ends that it is for */
    idem__backoff backoff;
    idem__wire wire;
    idp_hello hello;
    idem__endpoint endpoint; /* that it is or was connected to */
    idem_error why;          /* DOWN: the last dial's failure, where it was
                              * not cut short by the end of its call */
    uint64_t drain_end_ms;   /* 0, or the server goes down: it gets no more
                              * calls, and until then to answer what it has */
    uint64_t quiet_ms;       /* how long was listened and nothing heard */
    uint64_t probed_ms;      /* quiet_ms when the probe was queued */
    idem__attempt probe;     /* a ping or hello that nobody waits for */
    bool is_alive; /* it was answered, and that is to be thought over */
} idem__link;

/* seed: of the random pauses. */
void idem__link_init(idem__link *link, idem__selector *selector, int32_t shard,
                     uint64_t seed);
/* No call is under way. */
void idem__link_fini(idem__link *link);

/* ------------------------------------------------------------- connecting */

/* DOWN to DIALING, for a call that ends then: link->endpoint is where to. */
void idem__link_dial(idem__link *link, uint64_t call_end_ms);
/* When it is given up. */
uint64_t idem__link_dial_end_ms(const idem__link *link, uint64_t now_ms);
/* The server has said link->hello: UP, or false with err filled where
 * it is not to be believed: that is a failed dial. */
bool idem__link_up(idem__link *link, uint64_t now_ms, idem_error *err);
/* UP, and a change was answered: what was a replica was promoted, and is asked
 * in which epoch, and how many shards it has. */
void idem__link_handshake_again(idem__link *link);
void idem__link_hello_came(idem__link *link, const idp_reply *reply,
                           uint64_t now_ms);
/* DIALING to DOWN, the next server's turn. 0: the call may wait for another
 * dial; else the code that ends its attempt (IDEM_E_LOST: route it again). */
int32_t idem__link_undialed(idem__link *link, const idem_error *why,
                            uint64_t now_ms);
/* So many dials have failed while a call waited for them: is that enough? */
bool idem__link_is_enough(const idem__link *link, uint32_t failed);
/* What a call is told that waited for a connection until its end. */
int32_t idem__link_give_up(const idem__link *link, idem_error *err);
/* The same where the connection was there, and full. */
int32_t idem__link_stayed_full(const idem__link *link, idem_error *err);

/* ------------------------------------------------------------------ calls */

/* The server takes no more requests until some are answered. */
bool idem__link_is_full(const idem__link *link);
/* Whether a call may be queued at once. */
bool idem__link_is_open(const idem__link *link);

/* Puts the request on the wire, its wait less the time gone, its result out
 * when it is over what the server keeps. In the attempt its driver has set
 * op.deadline_ms (which comes earlier where fast_ms says so), is_change,
 * fast_ms, start_ms. Errors: BUSY, MEMORY. */
int32_t idem__link_queue(idem__link *link, idem__attempt *attempt,
                         idp_request *request, uint64_t now_ms,
                         idem_error *err);

/* The next reply of those that have arrived, with the attempt that it ends;
 * the driver has added to wire.in and told that so many bytes have come. */
void idem__link_heard(idem__link *link, size_t bytes);
idem__next idem__link_next(idem__link *link, idem__attempt **attempt,
                           idp_reply *reply, uint64_t now_ms);
/* What the reply says: 0 and the view, or the code with err filled. The view
 * borrows from the reply. */
int32_t idem__link_read(const idem__link *link, const idem__attempt *attempt,
                        const idp_reply *reply, idem_answer *view,
                        idem_error *err);

/* Its deadline has come: TIMEOUT. Returns why the link is to be broken, or
 * NULL. */
const char *idem__link_time_out(idem__link *link, idem__attempt *attempt,
                                uint64_t now_ms, idem_error *err);
/* It is ended by its owner; what was queued is sent with the rest. */
int32_t idem__link_abandon(idem__link *link, idem__attempt *attempt,
                           const char *by, idem_error *err);

/* ----------------------------------------------------------------- leaving */

/* Nothing was heard for so long, and a call that is under way has so much time
 * left. Asks the server whether it is alive; returns why the link is to be
 * broken (with ETIMEDOUT), or NULL. */
const char *idem__link_quiet(idem__link *link, uint64_t left_ms,
                             uint64_t heard_nothing_ms);
/* How long the server may keep a call of that much time left from knowing
 * whether it is alive. */
uint64_t idem__link_patience_ms(const idem__link *link, uint64_t left_ms);

/* Why an UP link is to be left, or NULL: the client has moved on, or the server
 * goes down and has answered what it had. */
const char *idem__link_why_leave(const idem__link *link, uint64_t now_ms);

/* UP to BROKEN. Then take each call that was under way, and let go. */
void idem__link_break(idem__link *link, const char *why);
/* NULL: there is none left. err: LOST, and why. */
idem__attempt *idem__link_take_lost(idem__link *link);
int32_t idem__link_fail_lost(const idem__link *link, int os_error,
                             const char *why, idem_error *err);
/* BROKEN to DOWN: the descriptor is closed. */
void idem__link_let_go(idem__link *link, uint64_t now_ms);

#endif
