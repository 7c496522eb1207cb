/* SPDX-License-Identifier: Apache-2.0 */
/* dispatch.h -- from a decoded request to its answer: here, or at the loop
 * that owns the key. */
#ifndef IDS_DISPATCH_H
#define IDS_DISPATCH_H

#include "server/line/line.h"

/* For a request in the line's batch: names its asker, hashes its key. */
void ids_dispatch_prepare(const ids_worker *worker, ids_item *item);

/* Carries out the first count items of the line's batch, in order, for this
 * connection. Returns how many it did: fewer when the connection has to stop
 * (output or forwarded requests over their mark, moved, dead). */
uint32_t ids_dispatch(ids_line *line, ids_conn *conn, uint32_t count);

/* The same of one item, which may be of no batch: it was hinted at before, and
 * the end of those that it is one of comes later. */
bool ids_dispatch_one(ids_line *line, ids_conn *conn, const ids_item *item);

/* Whether its next request may be served: of one that stalled, too. */
bool ids_dispatch_may_serve(const ids_worker *worker, const ids_conn *conn);

/* These items were answered, wait, or went to the loops that have their keys:
 * how long that took. count > 0. */
void ids_dispatch_end_batch(ids_line *line, const ids_item *items,
                            uint32_t count);

/* Hints the shard at what is about to be called: at all of them; or first, as
 * each of them is known (expect), then at all. */
void ids_dispatch_prefetch(const ids_line *line, const ids_item *items,
                           uint32_t count);
void ids_dispatch_expect(const ids_line *line, const ids_item *item);
void ids_dispatch_prefetch_expected(const ids_line *line, const ids_item *items,
                                    uint32_t count);

/* The answer to hello. */
void ids_dispatch_hello(ids_worker *worker, ids_conn *conn, uint32_t msgid);

/* A request is counted before it is taken: its frame, and a small reply, which
 * then finds its room. A connection whose next request has none is read no
 * further; it stands in a line, and is served on when it is its turn and there
 * is room again (line.c). A loop that has nothing at others always has room for
 * one. */
#define IDS_FORWARD_REPLY_BYTES 320u
bool ids_dispatch_has_room(const ids_worker *worker, uint32_t loop,
                           size_t frame_bytes);
void ids_dispatch_leave_line(ids_line *line, ids_conn *conn);

/* Whether the method is about a key, and so has an owner. */
static inline bool ids_method_has_key(idp_method method) {
    return method <= IDP_PEEK || method == IDP_RESOLVE;
}

#endif
