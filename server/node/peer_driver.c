/* SPDX-License-Identifier: Apache-2.0 */
/* peer_driver.c -- what the peer asks of its driver. All of it within the
 * monitor: no file, no socket, but peer connections that are to be opened or
 * closed later. */
#include "server/node/replicator.h"

#include "server/peer/magic.h"
#include "server/worker/take_role.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void peer_random(void *ctx, void *to, size_t len) {
    const ids_replicator *replicator = ctx;
    replicator->driver.random(replicator->driver.ctx, to, len);
}

static void dial_peer(void *ctx, ids_link *link) {
    ids_replicator *replicator = ctx;
    ids_repl *repl = &replicator->repls[link->stream % replicator->repls_count];
    ids_peer_conn *conn = ids_peer_conn_new();
    assert(replicator->here != NULL && link->driver == NULL);
    if (conn == NULL || !idp_bytes_reserve(&conn->out, IDS_MAGIC_BYTES)) {
        free(conn);
        replicator->dial_failed = true;
        return;
    }
    memcpy(conn->out.ptr, IDS_MAGIC, IDS_MAGIC_BYTES);
    conn->out.len = IDS_MAGIC_BYTES;
    conn->repl = repl;
    conn->dialled = true;
    conn->is_first = link->stream == 0;
    conn->to = link->dialled_to;
    conn->link = link;
    link->driver = conn;
    conn->next = repl->to_open;
    repl->to_open = conn;
    ids_replicator_wake(repl);
}

static void hang_up_peer(void *ctx, ids_link *link) {
    ids_peer_conn *conn = link->driver;
    (void)ctx;
    if (conn == NULL)
        return;
    assert(conn->link == link && !conn->hung_up && conn->last.len == 0);
    conn->link = NULL;
    conn->hung_up = true;
    conn->last = link->out;
    link->out = (idp_bytes){0};
    ids_replicator_wake(conn->repl);
}

static bool staged_begin(void *ctx) {
    (void)ctx; /* each worker makes its own with the first record */
    return true;
}

static void staged_drop(void *ctx) {
    ids_replicator *replicator = ctx;
    assert(replicator->peer->upstream.id != 0);
    for (uint32_t i = 0; i < replicator->repls_count; i++) {
        replicator->repls[i].drop_session = replicator->peer->upstream.id;
        ids_replicator_wake(&replicator->repls[i]);
    }
}

static const ids_key_ring *keys_of_worker(void *ctx, uint32_t loop) {
    const ids_replicator *replicator = ctx;
    assert(loop < replicator->repls_count);
    return &replicator->repls[loop].worker->keys;
}

static bool route_records(void *ctx, const ids_body *body) {
    ids_replicator *replicator = ctx;
    assert(replicator->here != NULL && body->tag.session != 0);
    if (!body->tag.staged && replicator->holdings.stand)
        replicator->holdings.stand = false;
    return ids_intake_add(&replicator->here->intake, body);
}

static uint64_t lead_worker(void *ctx, uint32_t loop, uint64_t epoch) {
    const ids_replicator *replicator = ctx;
    ids_worker *worker = replicator->repls[loop].worker;
    assert(loop < replicator->repls_count && epoch != 0);
    /* As a follower it let all go; what it changes from here on waits for the
     * end of its turn. */
    worker->gate.watermark = 0;
    /* Not the time that this turn began with: claims have come since. */
    return ids_worker_lead(worker, epoch,
                           replicator->driver.clock_ms(replicator->driver.ctx));
}

static void stand_down_worker(void *ctx, bool pending) {
    ids_replicator *replicator = ctx;
    (void)pending;
    if (replicator->here)
        ids_replicator_show(replicator, replicator->here);
    ids_replicator_wake_all(replicator);
}

static uint64_t peer_clock_epoch(void *ctx) {
    const ids_replicator *replicator = ctx;
    return replicator->driver.clock_epoch(replicator->driver.ctx);
}

ids_peer_driver ids_replicator_driver(ids_replicator *replicator) {
    return (ids_peer_driver){.ctx = replicator,
                             .random = peer_random,
                             .dial = dial_peer,
                             .hang_up = hang_up_peer,
                             .staged_begin = staged_begin,
                             .staged_drop = staged_drop,
                             .keys = keys_of_worker,
                             .route = route_records,
                             .lead = lead_worker,
                             .stand_down = stand_down_worker,
                             .clock_epoch = peer_clock_epoch};
}
