/* SPDX-License-Identifier: Apache-2.0 */
/* hop.c -- output that waits for what was asked of other loops; see hop.h. */
#include "server/hop.h"

#include <assert.h>

/* So long a connection's output waits for what it asked of other loops. */
#define HELD_MS_MAX 2

void ids_hop_hold(ids_worker *worker, ids_conn *conn) {
    if (conn->hops.awaited || !conn->hops.count)
        return;
    conn->hops.awaited = conn->hops.count;
    conn->hops.since_ms = worker->now_ms;
    ids_list_append(&worker->for_hops, &conn->hops.in_line);
}

void ids_hop_send_on(ids_worker *worker, ids_conn *conn) {
    if (!conn->hops.awaited)
        return;
    conn->hops.awaited = 0;
    ids_list_remove(&worker->for_hops, &conn->hops.in_line);
}

void ids_hop_came(ids_worker *worker, ids_conn *conn) {
    if (conn->hops.awaited > 1)
        conn->hops.awaited--;
    else
        ids_hop_send_on(worker, conn);
}

void ids_hop_went(ids_worker *worker, ids_conn *conn) {
    conn->hops.count++;
    worker->hops++;
}

void ids_hop_returned(ids_worker *worker, ids_conn *conn) {
    assert(conn->hops.count && worker->hops);
    conn->hops.count--;
    worker->hops--;
    ids_hop_came(worker, conn);
}

uint64_t ids_hop_next_ms(const ids_worker *worker) {
    const ids_conn *first =
        IDS_LIST_FIRST(ids_conn, hops.in_line, &worker->for_hops);
    return first ? first->hops.since_ms + HELD_MS_MAX : UINT64_MAX;
}

void ids_hop_tick(ids_worker *worker) {
    while (ids_hop_next_ms(worker) <= worker->now_ms) {
        ids_conn *conn =
            IDS_LISTED(ids_conn, hops.in_line, worker->for_hops.head);
        ids_hop_send_on(worker, conn);
        ids_worker_mark(worker, conn);
    }
}
