/* SPDX-License-Identifier: Apache-2.0 */
/* hop.c -- output that waits for what was asked of other loops; see hop.h. */
#include "server/hop.h"

#include <assert.h>

/* So long a connection's output waits for what it asked of other loops. */
#define HELD_MS_MAX 2

void ids_hop_hold(ids_desk *desk, ids_conn *conn) {
    if (conn->hops.awaited || !conn->hops.count)
        return;
    conn->hops.awaited = conn->hops.count;
    conn->hops.since_ms = desk->now_ms;
    ids_list_append(&desk->for_hops, &conn->hops.in_line);
}

void ids_hop_send_on(ids_desk *desk, ids_conn *conn) {
    if (!conn->hops.awaited)
        return;
    conn->hops.awaited = 0;
    ids_list_remove(&desk->for_hops, &conn->hops.in_line);
}

void ids_hop_came(ids_desk *desk, ids_conn *conn) {
    if (conn->hops.awaited > 1)
        conn->hops.awaited--;
    else
        ids_hop_send_on(desk, conn);
}

void ids_hop_went(ids_desk *desk, ids_conn *conn) {
    conn->hops.count++;
    desk->hops++;
}

void ids_hop_returned(ids_desk *desk, ids_conn *conn) {
    assert(conn->hops.count && desk->hops);
    conn->hops.count--;
    desk->hops--;
    ids_hop_came(desk, conn);
}

uint64_t ids_hop_next_ms(const ids_desk *desk) {
    const ids_conn *first =
        IDS_LIST_FIRST(ids_conn, hops.in_line, &desk->for_hops);
    return first ? first->hops.since_ms + HELD_MS_MAX : UINT64_MAX;
}

void ids_hop_tick(ids_desk *desk) {
    while (ids_hop_next_ms(desk) <= desk->now_ms) {
        ids_conn *conn =
            IDS_LISTED(ids_conn, hops.in_line, desk->for_hops.head);
        ids_hop_send_on(desk, conn);
        ids_desk_mark(desk, conn);
    }
}
