/* SPDX-License-Identifier: Apache-2.0 */
/* conn.h -- what an idem_conn is made of: its calls (conn.c) and its link
 * (conn_link.c). */
#ifndef IDEM_CONN_H
#define IDEM_CONN_H

#include "client/src/args.h"
#include "client/src/async_op.h"
#include "client/src/backoff.h"
#include "client/src/fork.h"
#include "client/src/lookup.h"
#include "client/src/seal.h"
#include "client/src/selector.h"
#include "client/src/socket.h"

#define IDEM__CONN_CALLS_MAX 65536u
#define IDEM__CONN_DRAIN_MS  250u

typedef enum idem__conn_state {
    IDEM__CONN_PAUSING,   /* no descriptor until retry_at_ms */
    IDEM__CONN_DIALING,   /* connect is under way */
    IDEM__CONN_HANDSHAKE, /* hello is under way */
    IDEM__CONN_UP
} idem__conn_state;

/* One call with what it asks, to be able to ask again. */
typedef struct idem__queued_call {
    idem__async_op call; /* first: the tables know only this */
    idp_request request; /* its slices point into bytes */
    uint64_t start_ms;
    bool unsure;     /* it was sent once, and its answer is lost */
    bool was_denied; /* by one server: another one is asked once */
    uint8_t bytes[];
} idem__queued_call;

struct idem_conn {
    idem__uri uri;
    uint64_t generation; /* of the process that what follows is of */
    bool busy;           /* in the middle of it */
    idem__selector selector;
    idem__conn_state state;
    int fd;
    idem__seal seal; /* of fd */
    uint64_t fd_serial;
    uint64_t serial; /* the selector's, of this link */
    uint64_t retry_at_ms;
    uint64_t dial_end_ms;  /* DIALING, HANDSHAKE */
    uint64_t drain_end_ms; /* sent_on: what is under way is heard until then */
    idem__addr addrs[IDEM__ADDRS_MAX];
    uint32_t addrs_count, addrs_next;
    idem__lookup lookup;
    idem__backoff backoff;
    idem__endpoint endpoint;
    idp_hello hello;
    bool has_hello;  /* hello is one that was heard */
    bool sent_on;    /* the server wants us elsewhere: no more calls go there */
    bool was_denied; /* the last hello: another server is tried once */
    bool closing;
    idem__op hello_op;   /* hello's call */
    idem__wire wire;     /* calls that were sent */
    idem__calls waiting; /* calls that were not, or must be again */
    uint8_t nonce[IDEM__NONCE_BYTES]; /* the last one drawn */
    idem_error why;
};

/* conn.c */
/* In a child, where it is a copy of the parent's: begins anew. The calls under
 * way are the parent's, and forgotten. False without randomness. */
bool idem__conn_take_over(idem_conn *conn, uint64_t now_ms);
static inline bool idem__conn_be_here(idem_conn *conn, uint64_t now_ms) {
    return !idem__fork_is_copy(conn->generation) ||
           idem__conn_take_over(conn, now_ms);
}
void idem__conn_send_waiting(idem_conn *conn, uint64_t now_ms);
void idem__conn_answer(idem_conn *conn, idem__queued_call *queued,
                       const idp_reply *reply, uint64_t now_ms);
/* The link is lost: what was sent waits again. */
void idem__conn_wait_again(idem_conn *conn);
/* Ends all that waits with conn->why. */
void idem__conn_refuse_waiting(idem_conn *conn);
void idem__conn_tick(idem_conn *conn, uint64_t now_ms);

/* conn_link.c */
void idem__conn_begin(idem_conn *conn, uint64_t now_ms);
void idem__conn_unlink(idem_conn *conn);

#endif
