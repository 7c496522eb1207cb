/* SPDX-License-Identifier: Apache-2.0 */
/* early.c -- who has come as another node and has not said for which stream:
 * no link yet, and on the worker that took the connection. See replicator.h. */
#include "server/node/replicator.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Those of them that have not said whose they are: of all workers, and of one.
 */
#define EARLY_MAX 16u
#define EARLY_MIN 2u

/* To the worker that its stream belongs to. */
static void pass_on_conn(ids_repl *repl, ids_peer_conn *conn) {
    ids_replicator *replicator = repl->replicator;
    const ids_node_driver *driver = &replicator->driver;
    uint32_t to = ids_pf_peek_stream(conn->early.ptr) % replicator->repls_count;
    assert(to < replicator->repls_count);
    assert(ids_early_is(conn) && conn->early.len >= IDS_PF_PEEK_BYTES);
    assert(conn->link == NULL && conn->out.len == 0);
    ids_peer_conn_forget(conn);
    conn->socket = driver->part(driver->ctx, conn);
    conn->broken = conn->broken || conn->socket == NULL;
    ids_replicator_enter(repl);
    conn->repl = &replicator->repls[to];
    conn->next = conn->repl->to_open;
    conn->repl->to_open = conn;
    ids_replicator_wake(conn->repl);
    ids_replicator_leave(repl);
}

/* An accepted one that is no link yet. */
bool ids_early_is(const ids_peer_conn *conn) {
    return !conn->dialled && conn->early.cap > 0;
}

void ids_early_take(ids_repl *repl, ids_peer_conn *conn, idp_slice bytes) {
    assert(ids_early_is(conn));
    assert(conn->early.len < IDS_PF_PEEK_BYTES);
    if (!idp_bytes_reserve(&conn->early, bytes.len)) {
        conn->broken = true;
    } else {
        memcpy(conn->early.ptr + conn->early.len, bytes.ptr, bytes.len);
        conn->early.len += bytes.len;
        if (conn->early.len >= IDS_PF_PEEK_BYTES)
            pass_on_conn(repl, conn);
    }
    ids_repl_call(repl);
}

/* Such as have said less than a frame's head: a few, and the oldest goes. */
static void drop_oldest_early(ids_repl *repl) {
    uint32_t count = 0, max = EARLY_MAX / repl->replicator->repls_count;
    ids_peer_conn *oldest = NULL;
    for (ids_peer_conn *each = repl->conns; each; each = each->next) {
        if (!ids_early_is(each) || each->broken)
            continue;
        count++;
        oldest = each; /* newer ones stand before it */
    }
    if (count <= (max > EARLY_MIN ? max : EARLY_MIN))
        return;
    assert(oldest != NULL && oldest->link == NULL);
    oldest->broken = true;
    ids_repl_call(repl);
}

void ids_repl_accept(ids_repl *repl, void *socket, idp_slice read) {
    const ids_node_driver *driver = &repl->replicator->driver;
    ids_peer_conn *conn = ids_peer_conn_new();
    assert(socket != NULL);
    if (conn == NULL || !idp_bytes_reserve(&conn->early, 64)) {
        ids_peer_conn nobody = {.repl = repl, .socket = socket};
        free(conn);
        driver->close(driver->ctx, &nobody);
        return;
    }
    conn->repl = repl;
    conn->socket = socket;
    conn->patience_until_ms = repl->worker->now_ms + IDS_PATIENCE_MS;
    conn->next = repl->conns;
    repl->conns = conn;
    if (read.len < IDS_PF_PEEK_BYTES)
        ids_peer_conn_open(conn);
    if (read.len > 0)
        ids_early_take(repl, conn, read);
    drop_oldest_early(repl);
}
