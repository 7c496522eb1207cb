/* SPDX-License-Identifier: Apache-2.0 */
/* dispatch.h -- from a decoded request to its answer: here, or at the loop
 * that owns the key. */
#ifndef IDS_DISPATCH_H
#define IDS_DISPATCH_H

#include "server/desk.h"

/* Puts a request into the desk's batch: names its asker, hashes its key. */
void ids_dispatch_prepare(const ids_desk *desk, ids_item *item);

/* Carries out the first count items of the desk's batch, in order, for this
 * connection. Returns how many it did: fewer when the connection has to stop
 * (output or hops over their mark, moved, dead). */
uint32_t ids_dispatch(ids_desk *desk, ids_conn *conn, uint32_t count);

/* Hints the shard at what is about to be called. */
void ids_dispatch_prefetch(const ids_desk *desk, uint32_t count);

/* Whether the method is about a key, and so has an owner. */
static inline bool ids_method_has_key(idp_method method) {
    return method <= IDP_PEEK;
}

#endif
