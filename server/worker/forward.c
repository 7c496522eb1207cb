/* SPDX-License-Identifier: Apache-2.0 */
/* forward.c -- output that waits for what was asked of other loops; see
 * forward.h. */
#include "server/worker/forward.h"

#include <assert.h>

/* So long a connection's output waits for what it asked of other loops. */
#define HELD_MS_MAX 2

void ids_forward_hold(ids_worker *worker, ids_conn *conn) {
    if (conn->forwarded.awaited || !conn->forwarded.count)
        return;
    conn->forwarded.awaited = conn->forwarded.count;
    conn->forwarded.since_ms = worker->now_ms;
    ids_list_append(&worker->for_forwarded, &conn->forwarded.in_line);
}

void ids_forward_send_on(ids_worker *worker, ids_conn *conn) {
    if (!conn->forwarded.awaited)
        return;
    conn->forwarded.awaited = 0;
    ids_list_remove(&worker->for_forwarded, &conn->forwarded.in_line);
}

static void one_returned(ids_worker *worker, ids_conn *conn) {
    if (conn->forwarded.awaited > 1)
        conn->forwarded.awaited--;
    else
        ids_forward_send_on(worker, conn);
}

void ids_forward_went(ids_worker *worker, ids_conn *conn) {
    conn->forwarded.count++;
    worker->forwarded++;
}

void ids_forward_returned(ids_worker *worker, ids_conn *conn) {
    assert(conn->forwarded.count && worker->forwarded);
    conn->forwarded.count--;
    worker->forwarded--;
    one_returned(worker, conn);
}

uint64_t ids_forward_next_ms(const ids_worker *worker) {
    const ids_conn *first =
        IDS_LIST_FIRST(ids_conn, forwarded.in_line, &worker->for_forwarded);
    return first ? first->forwarded.since_ms + HELD_MS_MAX : UINT64_MAX;
}

void ids_forward_tick(ids_worker *worker) {
    while (ids_forward_next_ms(worker) <= worker->now_ms) {
        ids_conn *conn =
            IDS_LISTED(ids_conn, forwarded.in_line, worker->for_forwarded.head);
        ids_forward_send_on(worker, conn);
        ids_worker_mark(worker, conn);
    }
}
