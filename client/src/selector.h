/* SPDX-License-Identifier: Apache-2.0 */
/* selector.h -- which server a client's shared connections talk to, and what it
 * said of itself. Shared by all threads of a client; it locks itself. */
#ifndef IDEM_SELECTOR_H
#define IDEM_SELECTOR_H

#include <pthread.h>
#include <stdatomic.h>

#include "client/src/socket.h"
#include "client/src/uri.h"
#include "client/src/watch.h"
#include "proto/reply.h"

/* How long a primary of a lower epoch than another one had is not believed. It
 * is longer than a failover takes; for ever would refuse service where an
 * operator did go back to the older one. */
#define IDEM__DOUBT_MS 10000u

typedef struct idem__selector {
    const idem__uri *uri;
    const _Atomic uint32_t *stop; /* an idem__stop; NULL: never */
    idem__watch *watch;           /* NULL: nobody's */
    /* Grows whenever the server changes: a shared connection that was connected
     * under another serial belongs to another server. */
    _Atomic uint64_t serial;
    pthread_mutex_t lock; /* of what follows */
    uint32_t index;       /* into uri->endpoints */
    bool has_redirect;
    idem__endpoint redirect; /* where NOT_PRIMARY sent us, when it is none of
                              * the URI's */
    uint32_t shards;         /* 0: not known yet */
    uint8_t hash_key[IDP_HASH_KEY_BYTES];
    uint64_t epoch;          /* the highest that a primary told */
    idem__endpoint epoch_at; /* and which one that was */
    uint64_t doubt_end_ms;   /* 0: nobody is doubted */
    uint64_t denied_end_ms; /* until then none is left since it denied a call */
    idem__addr good;        /* that answered last; len 0: none */
} idem__selector;

/* How far a client is on its way out. */
typedef enum idem__stop {
    IDEM__GO_ON,
    IDEM__STOP_CALLS, /* save for those that settle what a function has done */
    IDEM__STOP_ALL
} idem__stop;

/* Whether a call that is ended at that level is to end now. */
static inline bool idem__selector_stops(const idem__selector *selector,
                                        idem__stop at) {
    return selector->stop != NULL &&
           atomic_load_explicit(selector->stop, memory_order_relaxed) >=
               (uint32_t)at;
}

void idem__selector_init(idem__selector *selector, const idem__uri *uri);
void idem__selector_fini(idem__selector *selector);

/* The server to connect to now; returns the serial that goes with it. */
uint64_t idem__selector_get(idem__selector *selector, idem__endpoint *endpoint);

/* The one with this serial can't be reached, or wants no more calls: the next
 * one's turn. Nothing happens when another thread was first. */
void idem__selector_failed(idem__selector *selector, uint64_t serial);

/* How long a server that denies calls is kept all the same, after one was left
 * for that: else a program that asks for what it may not would keep all its
 * connections on the move. */
#define IDEM__DENIED_MS 10000u

/* It denied a call, or a connection. Others may have other credentials: true
 * where one of them is to be asked. */
bool idem__selector_denied(idem__selector *selector, uint64_t serial,
                           uint64_t now_ms);

/* It named the primary ("host:port"); what is no endpoint counts as failed. */
void idem__selector_redirect(idem__selector *selector, uint64_t serial,
                             const char *primary);

/* Whether hello says that it takes changes: a replica names the primary. */
bool idem__leads(const idp_hello *hello);

/* What one connection was told. */
typedef struct idem__heard_hello {
    uint64_t serial; /* the selector's, as it was dialled */
    const idem__endpoint *endpoint;
    const idp_hello *hello;
    uint64_t now_ms;
} idem__heard_hello;

/* What hello told; all but the epoch is forgotten when the client has moved on
 * since. False, with err filled, when it calls itself the primary in an epoch
 * that is over: another server has told of a higher one, and it is to be
 * looked for first. */
bool idem__selector_learn(idem__selector *selector,
                          const idem__heard_hello *heard, idem_error *err);
/* The address that answered last: a name with several may be several servers,
 * and the shared connections of a client belong to one. */
void idem__selector_good(idem__selector *selector, idem__addr *good);
void idem__selector_set_good(idem__selector *selector, const idem__addr *good);

/* It no longer is what it told: every shared connection asks it anew. */
void idem__selector_unlearn(idem__selector *selector, uint64_t serial);

/* The shard that owns the key; 0 without a key. False while it is not known
 * how many there are. */
bool idem__selector_route(idem__selector *selector, idp_slice ns, idp_slice key,
                          uint32_t *shard);

#endif
