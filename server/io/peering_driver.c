/* SPDX-License-Identifier: Apache-2.0 */
/* peering_driver.c -- what the node asks of the daemon; see
 * server/node/driver.h. */
#include "server/base/log.h"
#include "server/io/peering.h"
#include "server/net/peer_socket.h"
#include "server/net/socket.h"
#include "server/os/clock.h"
#include "server/storage/store.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static ids_loop *first_loop(ids_peering *r) {
    return &r->loops[0];
}

/* The monitor, and turns --------------------------------------------------- */

static void enter(void *ctx) {
    ids_peering *r = ctx;
    pthread_mutex_lock(&r->lock);
}

static void driver_leave(void *ctx) {
    ids_peering *r = ctx;
    pthread_mutex_unlock(&r->lock);
}

static void driver_wake(void *ctx, uint32_t worker) {
    ids_peering *r = ctx;
    ids_loop_wake(&r->loops[worker]);
}

static void driver_flush(void *ctx, uint32_t worker) {
    ids_peering *r = ctx;
    ids_sockets_flush(&r->loops[worker].net);
}

static uint64_t clock_ms(void *ctx) {
    (void)ctx;
    return ids_loop_clock_ms();
}

uint64_t ids_clock_epoch(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec < 0 ? 0
                          : ids_epoch_of((uint64_t)now.tv_sec * 1000 +
                                         (uint64_t)now.tv_nsec / 1000000);
}

static uint64_t clock_epoch(void *ctx) {
    (void)ctx;
    return ids_clock_epoch();
}

static uint64_t peering_clock_ns(void *ctx) {
    (void)ctx;
    return uv_hrtime();
}

static void give_random(void *ctx, void *to, size_t len) {
    (void)ctx;
    randombytes_buf(to, len);
}

/* Decisions: written in libuv's pool, where a sync blocks nobody ------------
 */

/* Says that a decision can be on record or not, and ends the process. */
static _Noreturn void fail_decision(const ids_peering *r) {
    ids_log(IDS_LOG_ERROR, "stopped: a decision can't be recorded",
            "at=\"--peer-state %s\" reason=\"%s\"", r->file.path,
            r->write_error == ESTALE
                ? "its lock was replaced, and may be another idemstored's now"
                : strerror(r->write_error));
    ids_log_flush();
    _exit(EXIT_FAILURE);
}

static void on_write(uv_work_t *work) {
    ids_peering *r = work->data;
    r->write_error =
        ids_decisions_save(&r->file, &r->written, &r->still_stands);
}

static void on_written(uv_work_t *work, int status) {
    ids_peering *r = work->data;
    (void)status;
    assert(r->is_writing);
    r->is_writing = false;
    if (r->write_error && !r->still_stands)
        fail_decision(r);
    ids_net_wake_up(&first_loop(r)->net);
    ids_replicator_recorded(&r->replicator, r->write_error);
}

static void driver_record(void *ctx, const ids_decision *decision) {
    ids_peering *r = ctx;
    assert(!r->is_writing);
    r->is_writing = true;
    r->written = *decision;
    r->work.data = r;
    if (uv_queue_work(&first_loop(r)->uv, &r->work, on_write, on_written) !=
        0) {
        on_write(&r->work);
        on_written(&r->work, 0);
    }
}

/* Steps that all take or none ---------------------------------------------- */

static void quiesce(void *ctx, void (*step)(ids_replicator *replicator)) {
    ids_peering *r = ctx;
    ids_barrier_ask(&r->barrier);
    pthread_mutex_lock(&r->lock);
    for (uint32_t i = 1; i < r->server->loops; i++)
        if (!r->replicator.repls[i].is_quiet)
            ids_loop_wake(&r->loops[i]);
    pthread_mutex_unlock(&r->lock);
    ids_barrier_reached(&r->barrier);
    step(&r->replicator);
    ids_barrier_over(&r->barrier);
}

static bool driver_replace(void *ctx) {
    ids_peering *r = ctx;
    return !r->store || ids_store_replace(r->store);
}

static void replaced(void *ctx) {
    const ids_peering *r = ctx;
    if (r->store)
        ids_store_replaced(r->store);
}

/* Sockets ------------------------------------------------------------------ */

static bool open_socket(void *ctx, ids_peer_conn *conn) {
    ids_peering *r = ctx;
    return ids_peer_socket_open(&r->loops[conn->repl->worker->index].net, conn);
}

static size_t send_bytes(void *ctx, ids_peer_conn *conn, const uint8_t *bytes,
                         size_t len) {
    (void)ctx;
    return ids_peer_socket_send(conn, bytes, len);
}

static bool driver_watch(void *ctx, ids_peer_conn *conn) {
    (void)ctx;
    return ids_peer_socket_watch(conn);
}

static void read_now(void *ctx, ids_peer_conn *conn) {
    (void)ctx;
    if (conn->socket)
        ids_peer_socket_read(conn);
}

static void close_socket(void *ctx, ids_peer_conn *conn) {
    (void)ctx;
    ids_peer_socket_close(conn);
}

static void *driver_part(void *ctx, ids_peer_conn *conn) {
    (void)ctx;
    return ids_peer_socket_part(conn);
}

ids_node_driver ids_peering_driver(ids_peering *r) {
    return (ids_node_driver){.ctx = r,
                             .enter = enter,
                             .leave = driver_leave,
                             .wake = driver_wake,
                             .flush = driver_flush,
                             .clock_ms = clock_ms,
                             .clock_epoch = clock_epoch,
                             .clock_ns = peering_clock_ns,
                             .random = give_random,
                             .record = driver_record,
                             .quiesce = quiesce,
                             .replace = driver_replace,
                             .replaced = replaced,
                             .open = open_socket,
                             .send = send_bytes,
                             .watch = driver_watch,
                             .read = read_now,
                             .close = close_socket,
                             .part = driver_part};
}
