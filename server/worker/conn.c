/* SPDX-License-Identifier: Apache-2.0 */
/* conn.c -- one connection's life; see conn.h. */
#include "server/worker/conn.h"

#include "server/worker/worker.h"

#include <assert.h>
#include <stdlib.h>

ids_conn *ids_conn_new(int fd) {
    ids_conn *conn = calloc(1, sizeof *conn);
    if (conn) {
        conn->fd = fd;
        conn->life = IDS_CONN_NEW;
    }
    return conn;
}

void ids_conn_unbind(ids_conn *conn) {
    ids_conn_reading *reading = &conn->reading;
    if (reading->verifier)
        atomic_fetch_sub_explicit(&reading->verifier->admitted, 1,
                                  memory_order_relaxed);
    ids_credentials_drop(reading->version);
    reading->verifier = NULL;
    reading->version = NULL;
    conn->is_named = false;
    reading->admitted = false;
}

void ids_conn_bind(ids_conn *conn, ids_credentials *version,
                   ids_verifier *verifier) {
    ids_credentials_hold(version);
    atomic_fetch_add_explicit(&verifier->admitted, 1, memory_order_relaxed);
    ids_conn_unbind(conn);
    conn->reading.verifier = verifier;
    conn->reading.version = version;
    conn->reading.admitted = true;
}

#define AFTER(name) (1u << IDS_CONN_##name)
#define TO_AN_END   (AFTER(CLOSING) | AFTER(DRAINING) | AFTER(DEAD))

void ids_conn_become(ids_conn *conn, ids_conn_life next) {
    static const unsigned successors[IDS_CONN_LIVES] = {
        [IDS_CONN_NEW] = AFTER(SERVED) | AFTER(PEER) | TO_AN_END,
        [IDS_CONN_SERVED] = AFTER(STALLED) | AFTER(MOVING) | TO_AN_END,
        [IDS_CONN_STALLED] = AFTER(SERVED) | TO_AN_END,
        [IDS_CONN_MOVING] = AFTER(SERVED) | AFTER(DEAD),
        [IDS_CONN_PEER] = AFTER(DEAD),
        [IDS_CONN_CLOSING] = AFTER(DRAINING) | AFTER(DEAD),
        [IDS_CONN_DRAINING] = AFTER(DEAD),
        [IDS_CONN_DEAD] = 0};
    assert(next == conn->life || (successors[conn->life] & 1u << next));
    conn->life = next;
}

void ids_conn_free(ids_conn *conn) {
    if (!conn)
        return;
    assert(!conn->dirty && !conn->out.body);
    idp_bytes_free(&conn->reading.in);
    idp_bytes_free(&conn->out.bytes);
    ids_who_fini(&conn->who);
    ids_conn_unbind(conn);
    free(conn);
}

void ids_conn_condemn(ids_worker *worker, ids_conn *conn, const char *why) {
    ids_log_who(IDS_LOG_WARN, "connection closed", &conn->who, why);
    worker->counters.of[IDS_CLOSED_BY_LIMIT_TOTAL]++;
    ids_conn_become(conn, IDS_CONN_DEAD);
    ids_worker_mark(worker, conn);
}

void ids_conn_finish(ids_worker *worker, ids_conn *conn) {
    ids_conn_life next =
        worker->draining ? IDS_CONN_DRAINING : IDS_CONN_CLOSING;
    bool stays = conn->life == IDS_CONN_MOVING || conn->life == IDS_CONN_PEER ||
                 ids_conn_is_dead(conn);
    if (!stays)
        ids_conn_become(conn, next);
    ids_worker_mark(worker, conn);
}
