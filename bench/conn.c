/* SPDX-License-Identifier: Apache-2.0 */
/* conn.c -- one load connection: replies in, requests out.
 *
 * The hot path of the generator. One read, one write and one look at the
 * clock per wake-up of a connection, however many requests are in flight;
 * buffers are the worker's, so that they stay in the cache. */
#include "bench/worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* So often is the dice thrown for a key of the connection's shard; then the
 * next one that is. */
#define PICKS_MAX 1000

bool idb_conn_init(idb_conn *conn, const idb_plan *plan) {
    *conn = (idb_conn){.wire.fd = -1, .idle_count = plan->pipeline};
    conn->slots = calloc(plan->pipeline, sizeof *conn->slots);
    conn->ring = calloc(plan->pipeline, sizeof *conn->ring);
    conn->idle = calloc(plan->pipeline, sizeof *conn->idle);
    if (!conn->slots || !conn->ring || !conn->idle)
        return false;
    for (uint32_t i = 0; i < plan->pipeline; i++)
        conn->idle[i] = plan->pipeline - 1 - i;
    return true;
}

void idb_conn_fini(idb_conn *conn) {
    idb_wire_close(&conn->wire);
    free(conn->slots);
    free(conn->ring);
    free(conn->idle);
    idp_bytes_free(&conn->rest);
    idp_bytes_free(&conn->late);
}

static bool watch_conn(idb_worker *worker, idb_conn *conn, int how,
                       bool write_too) {
    struct epoll_event event = {.events = EPOLLIN | (write_too ? EPOLLOUT : 0u),
                                .data.ptr = conn};
    return epoll_ctl(worker->epoll, how, conn->wire.fd, &event) == 0;
}

const char *idb_conn_open(idb_worker *worker, idb_conn *conn, uint32_t number) {
    const idb_plan *plan = worker->control->plan;
    const idb_codec *codec = worker->control->codec;
    const char *failed = idb_wire_open(&conn->wire, &plan->server);
    conn->shard = number % codec->shards;
    if (!failed && plan->target->handshake)
        failed = plan->target->handshake(codec, &conn->wire, conn->shard);
    if (failed)
        return failed;
    return watch_conn(worker, conn, EPOLL_CTL_ADD, false) ? NULL
                                                          : "epoll_ctl failed";
}

static void lose_conn(idb_worker *worker, idb_conn *conn) {
    if (conn->wire.fd < 0)
        return;
    if (!worker->why[0])
        snprintf(worker->why, sizeof worker->why, "%s",
                 idb_wire_why(&conn->wire, ""));
    idb_wire_close(&conn->wire);
    if (worker->phase != IDB_PHASE_WARM)
        worker->troubles.unanswered += conn->busy;
    conn->busy = 0;
    conn->idle_count = 0;
    worker->troubles.broken++;
}

static bool send_bytes(idb_worker *worker, idb_conn *conn, const uint8_t *bytes,
                       size_t len) {
    if (conn->late.len == 0) {
        ssize_t sent =
            send(conn->wire.fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent == (ssize_t)len)
            return true;
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            lose_conn(worker, conn);
            return false;
        }
        size_t taken = sent > 0 ? (size_t)sent : 0;
        bytes += taken, len -= taken;
        watch_conn(worker, conn, EPOLL_CTL_MOD, true);
    }
    if (!idp_bytes_append(&conn->late, bytes, len)) {
        lose_conn(worker, conn);
        return false;
    }
    return true;
}

/* What is sent at once is sealed at once, with what TLS has to say itself. */
static bool send_sealed(idb_worker *worker, idb_conn *conn, size_t len) {
    idp_slice plain = {worker->out, len};
    size_t sealed =
        idb_tls_seal(&conn->wire, &plain, worker->sealed, worker->sealed_cap);
    if (plain.len > 0) {
        lose_conn(worker, conn);
        return false;
    }
    return send_bytes(worker, conn, worker->sealed, sealed);
}

bool idb_conn_send(idb_worker *worker, idb_conn *conn, size_t len) {
    const idb_target *target = worker->control->plan->target;
    if (target->end)
        len += target->end(worker->out + len);
    return conn->wire.tls ? send_sealed(worker, conn, len)
                          : send_bytes(worker, conn, worker->out, len);
}

static bool send_late(idb_worker *worker, idb_conn *conn) {
    while (conn->late.len > 0) {
        ssize_t sent =
            send(conn->wire.fd, conn->late.ptr + conn->late_at,
                 conn->late.len - conn->late_at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EAGAIN)
            return true;
        if (sent < 0 && errno != EINTR) {
            lose_conn(worker, conn);
            return false;
        }
        if (sent > 0)
            idp_bytes_take(&conn->late, &conn->late_at, (size_t)sent);
    }
    return watch_conn(worker, conn, EPOLL_CTL_MOD, false);
}

static size_t request_write(idb_worker *worker, idb_conn *conn, uint32_t number,
                            uint8_t *to) {
    const idb_control *control = worker->control;
    const idb_target *target = control->plan->target;
    if (target->in_order) {
        uint32_t at = conn->ring_head + conn->ring_count;
        uint32_t cap = control->plan->pipeline;
        conn->ring[at < cap ? at : at - cap] = number;
        conn->ring_count++;
    }
    conn->busy++;
    return target->write(control->codec, &conn->slots[number], number, to);
}

static bool is_of(const idb_control *control, const idb_conn *conn,
                  uint64_t number) {
    const idb_target *target = control->plan->target;
    return !target->belongs || control->codec->shards <= 1 ||
           target->belongs(control->codec, number, conn->shard);
}

/* The next job of this connection's shard; false when none is left. */
static bool slot_fill(idb_worker *worker, const idb_conn *conn,
                      idb_slot *slot) {
    const idb_control *control = worker->control;
    idb_picker *picker = &worker->picker;
    if (!idb_picker_has(picker))
        return false;
    idb_job job = idb_pick_job(picker);
    slot->job = (uint8_t)job;
    slot->step = 0;
    slot->busy = true;
    if (picker->left != UINT64_MAX) {
        picker->left--;
        slot->number = idb_pick_number(picker, job);
        return true;
    }
    slot->number = idb_pick_number(picker, job);
    for (unsigned tries = 1; !is_of(control, conn, slot->number);)
        slot->number = ++tries < PICKS_MAX
                           ? idb_pick_number(picker, job)
                           : idb_next_number(picker, slot->number);
    return true;
}

size_t idb_conn_start(idb_worker *worker, idb_conn *conn, uint64_t since_ns,
                      uint8_t *to) {
    uint32_t number = conn->idle[conn->idle_count - 1];
    idb_slot *slot = &conn->slots[number];
    if (!slot_fill(worker, conn, slot))
        return 0;
    conn->idle_count--;
    slot->since_ns = since_ns;
    return request_write(worker, conn, number, to);
}

/* The reply's first line, if it is text; its bytes are nobody's to read. */
static void line_tell(const uint8_t *reply, size_t len, char *to, size_t cap) {
    size_t at = 0;
    while (at < len && at < 60 && reply[at] >= ' ' && reply[at] <= '~')
        at++;
    bool is_line = at > 0 && (at == 60 || at == len || reply[at] == '\r');
    if (is_line)
        snprintf(to, cap, "%.*s", (int)at, (const char *)reply);
    else
        snprintf(to, cap, "%zu bytes that are no reply to it", len);
}

static void note_unexpected(idb_worker *worker, const idb_slot *slot,
                            const uint8_t *reply, uint32_t len) {
    const idb_target *target = worker->control->plan->target;
    if (worker->troubles.unexpected++ > 0)
        return;
    char *to = worker->troubles.first_unexpected;
    size_t cap = sizeof worker->troubles.first_unexpected;
    size_t at =
        (size_t)snprintf(to, cap, "%s: ", idb_job_name((idb_job)slot->job));
    if (!target->tell || !target->tell(slot, reply, len, to + at, cap - at))
        line_tell(reply, len, to + at, cap - at);
}

/* One reply is here: the job's next step, or the end of it and, in a closed
 * loop, the next job. Returns the bytes of the request written. */
static size_t reply_done(idb_worker *worker, idb_conn *conn, uint32_t number,
                         uint64_t now_ns, uint8_t *to) {
    const idb_plan *plan = worker->control->plan;
    idb_slot *slot = &conn->slots[number];
    conn->busy--;
    if (worker->phase != IDB_PHASE_WARM)
        idb_hist_record(worker->hist,
                        now_ns > slot->since_ns ? now_ns - slot->since_ns : 0);
    bool stop = worker->phase == IDB_PHASE_STOP;
    if (!stop && slot->step + 1 < plan->target->steps[slot->job]) {
        slot->step++;
        slot->since_ns = now_ns;
        return request_write(worker, conn, number, to);
    }
    if (worker->phase == IDB_PHASE_MEASURE)
        worker->jobs++;
    if (slot->job == IDB_FRESH || slot->job == IDB_CLAIM)
        worker->keys_new++;
    if (stop || plan->rate > 0 || !slot_fill(worker, conn, slot)) {
        slot->busy = false;
        conn->idle[conn->idle_count++] = number;
        return 0;
    }
    slot->since_ns = now_ns;
    return request_write(worker, conn, number, to);
}

static void count_ops(idb_worker *worker, uint64_t ops) {
    atomic_store_explicit(
        &worker->ops_all,
        atomic_load_explicit(&worker->ops_all, memory_order_relaxed) + ops,
        memory_order_relaxed);
    if (worker->phase == IDB_PHASE_MEASURE)
        atomic_store_explicit(
            &worker->ops,
            atomic_load_explicit(&worker->ops, memory_order_relaxed) + ops,
            memory_order_relaxed);
}

/* Reads the replies in bytes; returns how many bytes they took, SIZE_MAX when
 * they make no sense. */
static size_t replies_read(idb_worker *worker, idb_conn *conn,
                           const uint8_t *bytes, size_t len, size_t *out_len) {
    const idb_control *control = worker->control;
    const idb_target *target = control->plan->target;
    const uint32_t slots = control->plan->pipeline;
    uint64_t now_ns = idb_now_ns(), ops = 0;
    size_t at = 0;
    while (at < len && conn->busy > 0) {
        idb_reply reply = {0};
        uint32_t front = conn->ring_count ? conn->ring[conn->ring_head] : 0;
        idb_read_status status = target->read(
            control->codec, conn->slots, front, bytes + at, len - at, &reply);
        if (status == IDB_PARTIAL)
            break;
        if (status == IDB_BROKEN || reply.slot >= slots ||
            !conn->slots[reply.slot].busy)
            return SIZE_MAX;
        if (target->in_order) {
            uint32_t next = conn->ring_head + 1;
            conn->ring_head = next < slots ? next : 0;
            conn->ring_count--;
        }
        if (!reply.expected)
            note_unexpected(worker, &conn->slots[reply.slot], bytes + at,
                            reply.bytes);
        at += reply.bytes;
        ops++;
        *out_len += reply_done(worker, conn, reply.slot, now_ns,
                               worker->out + *out_len);
    }
    count_ops(worker, ops);
    return at;
}

/* What TLS took for itself is nothing to us. */
static bool is_nothing_yet(int error) {
    return error == EAGAIN || error == EINTR || error == EINPROGRESS;
}

static void readable(idb_worker *worker, idb_conn *conn) {
    size_t have = conn->rest.len, out_len = 0;
    if (have > 0)
        memcpy(worker->in, conn->rest.ptr, have);
    ssize_t got =
        idb_wire_take(&conn->wire, worker->in + have, worker->in_cap - have);
    if (got < 0 && errno == EINPROGRESS && idb_wire_owes(&conn->wire))
        send_sealed(worker, conn, 0);
    if (got < 0 && is_nothing_yet(errno))
        return;
    if (got <= 0) {
        lose_conn(worker, conn);
        return;
    }
    have += (size_t)got;
    size_t used = replies_read(worker, conn, worker->in, have, &out_len);
    conn->rest.len = 0;
    if (used == SIZE_MAX || have - used > worker->in_cap / 2 ||
        !idp_bytes_append(&conn->rest, worker->in + used, have - used)) {
        note_unexpected(worker, &conn->slots[0], worker->in, (uint32_t)have);
        if (worker->in[0] == IDB_TLS_ALERT && !conn->wire.tls)
            snprintf(worker->why, sizeof worker->why, "%s", IDB_WANTS_TLS);
        lose_conn(worker, conn);
        return;
    }
    if (out_len > 0)
        idb_conn_send(worker, conn, out_len);
}

void idb_conn_ready(idb_worker *worker, idb_conn *conn, uint32_t events) {
    if (conn->wire.fd < 0)
        return;
    if ((events & EPOLLOUT) && !send_late(worker, conn))
        return;
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        readable(worker, conn);
}
