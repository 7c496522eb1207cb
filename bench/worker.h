/* SPDX-License-Identifier: Apache-2.0 */
/* worker.h -- one load thread: its connections, its loop, its counts.
 *
 * Only engine.c uses this. A worker shares the run's control with the main
 * thread and nothing with other workers. */
#ifndef IDB_WORKER_H
#define IDB_WORKER_H

#include "bench/engine.h"
#include "proto/bytes.h"

#include <pthread.h>
#include <stdatomic.h>

typedef enum idb_phase {
    IDB_PHASE_WARM,
    IDB_PHASE_MEASURE,
    IDB_PHASE_STOP
} idb_phase;

/* What the main thread and the workers share. */
typedef struct idb_control {
    const idb_plan *plan;
    const idb_codec *codec;
    uint64_t start_ns;
    _Atomic int phase;
    _Atomic uint32_t ready;    /* workers that are connected, or failed */
    _Atomic uint32_t finished; /* workers whose jobs are used up */
} idb_control;

typedef struct idb_conn {
    idb_wire wire; /* its fd is -1: closed, or not yet opened */
    uint32_t shard;
    uint32_t busy;       /* requests under way */
    uint32_t ring_head;  /* of the slots in the order of their requests */
    uint32_t ring_count; /* in_order targets only */
    uint32_t idle_count;
    idp_bytes rest; /* the beginning of a reply that is not whole */
    idp_bytes late; /* requests (sealed) that did not fit, from late_at on */
    size_t late_at;
    uint32_t *ring;
    uint32_t *idle;
    idb_slot *slots;
} idb_conn;

typedef struct idb_worker {
    idb_control *control;
    uint32_t number;
    pthread_t thread;
    bool started;
    int epoll;
    idb_conn *conns;
    uint32_t conn_count;
    uint32_t conn_first; /* of all the run's connections */
    uint32_t conn_open;  /* opened so far (ramp) */
    uint32_t conn_turn;  /* open loop: whose turn it is */
    uint8_t *in, *out;
    size_t in_cap, out_cap;
    uint8_t *sealed; /* with TLS: what `out` becomes */
    size_t sealed_cap;
    idb_picker picker;
    idb_phase phase;
    uint64_t due_ns; /* open loop: when the next job is planned */
    double gap_ns;   /* open loop: mean time between jobs */
    const char *failed;
    char why[IDP_TLS_WHY_BYTES]; /* of the first that TLS lost; "": none */

    uint64_t jobs;
    uint64_t keys_new;
    idb_troubles troubles;
    idb_hist *hist;
    _Atomic uint64_t ops;     /* measured */
    _Atomic uint64_t ops_all; /* for the progress line */
} idb_worker;

/* Allocates; the thread is not started. False without memory. */
bool idb_worker_init(idb_worker *worker, idb_control *control, uint32_t number);
void idb_worker_fini(idb_worker *worker);

/* The thread's main. */
void *idb_worker_main(void *worker);

/* conn.c: one connection's bytes. All on the worker's own thread. */
bool idb_conn_init(idb_conn *conn, const idb_plan *plan);
void idb_conn_fini(idb_conn *conn);

/* Connects, shakes hands, joins the epoll set. 0 or what failed. */
const char *idb_conn_open(idb_worker *worker, idb_conn *conn, uint32_t number);

/* Takes an idle slot, starts a job on it that was planned for since_ns and
 * writes its first request; returns its bytes, 0 when there is no job left.
 * The caller has seen that idle_count > 0. */
size_t idb_conn_start(idb_worker *worker, idb_conn *conn, uint64_t since_ns,
                      uint8_t *to);

/* Sends what was written at worker->out: now what it can, and keeps the rest.
 * False: the connection is lost. */
bool idb_conn_send(idb_worker *worker, idb_conn *conn, size_t len);

/* The socket is readable or writable. */
void idb_conn_ready(idb_worker *worker, idb_conn *conn, uint32_t events);

#endif
