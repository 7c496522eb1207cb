/* SPDX-License-Identifier: Apache-2.0 */
/* orders.h -- what an operator asks of a server: promote, detach, switchover,
 * snapshot, and how replication stands.
 *
 * An order may come on any loop. It is carried out on loop 0, by whoever the
 * server says (the peer, the store), which answers now or later. A few are
 * under way at a time; an asker that goes away takes nothing back. */
#ifndef IDS_ORDERS_H
#define IDS_ORDERS_H

#include "proto/orders.h"
#include "server/message.h"

/* So many orders are under way at most, of all askers; one more is LIMIT. */
#define IDS_ORDERS_MAX 4

typedef struct ids_worker ids_worker;
typedef struct ids_conn ids_conn;

/* Names an order that is under way. Never used twice. */
typedef uint64_t ids_ticket;

typedef struct ids_order_request {
    idp_method order;  /* IDP_PROMOTE, DETACH, SWITCHOVER or SNAPSHOT */
    bool accept_loss;  /* PROMOTE, DETACH */
    uint64_t node;     /* DETACH, SWITCHOVER: which member; 0: the only one, or
                        * any one */
    ids_ticket ticket; /* to answer with, once */
} ids_order_request;

/* Who carries orders out. Called on loop 0's thread, with its worker. */
typedef struct ids_order_taker {
    void *ctx;
    /* Does it, or begins to; ids_orders_answer says what became of it, from
     * in here or later. NULL: nobody is there, and every order is refused. */
    void (*begin)(void *ctx, ids_worker *worker,
                  const ids_order_request *request);
    /* The peer's only: fills in how replication stands; at once, without
     * waiting for anybody. report is as without a peer before: role primary,
     * mode none, this server's epoch, alone in sync. NULL: it stays so. */
    void (*report)(void *ctx, ids_worker *worker, idp_replication *report);
} ids_order_taker;

/* Loop 0's thread: the answer to an order under way. Text and address are
 * copied. A ticket that is not under way any more is left alone. */
void ids_orders_answer(ids_worker *worker, ids_ticket ticket,
                       const idp_order_answer *answer);

/* The same for a refusal: NUL-terminated, what would be lost, and the flag
 * that accepts it. */
void ids_orders_refuse(ids_worker *worker, ids_ticket ticket, const char *text);

/* The rest is the worker's own --------------------------------------------- */

typedef struct ids_order_under_way {
    ids_ticket ticket; /* 0: the place is free */
    ids_asker asker;
    uint32_t msgid;
} ids_order_under_way;

typedef struct ids_orders {
    ids_ticket given; /* the last one */
    ids_order_under_way under_way[IDS_ORDERS_MAX];
} ids_orders;

static inline bool ids_method_is_order(idp_method method) {
    return method >= IDP_REPLICATION && method <= IDP_SNAPSHOT;
}

/* A connection asks: it is sent to loop 0, or refused. */
void ids_orders_ask(ids_worker *worker, ids_conn *conn,
                    const idp_request *request);

/* Loop 0: how replication stands, as a whole reply to msgid 0. Its size. */
size_t ids_orders_report(ids_worker *worker,
                         uint8_t bytes[static IDP_REPLICATION_BYTES_MAX]);

/* Loop 0: an order came by message. */
void ids_orders_take(ids_worker *worker, const ids_message *message);

/* Who waits hears SHUTTING_DOWN: nobody knows whether it was carried out. */
void ids_orders_drain(ids_worker *worker);

#endif
