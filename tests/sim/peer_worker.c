/* SPDX-License-Identifier: Apache-2.0 */
/* peer_worker.c -- a node's workers, virtual: what would wake a thread is an
 * event, and its turn ends now or a little later. */
#include "tests/sim/peer_world.h"

#include "server/line/dispatch.h"
#include "server/worker/commit_gate.h"
#include "server/worker/output.h"

#include <stdlib.h>

enum { BATCHES = 64, WAITERS_MAX = 200, DUE_STEPS = 64, MESSAGES_AT_ONCE = 4 };

/* --- what a worker asks --------------------------------------------------- */

static void adopt(void *ctx, ids_conn *conn) {
    (void)ctx, (void)conn;
}

static void refuse(void *ctx, ids_conn *conn) {
    const pw_worker *worker = ctx;
    (void)conn;
    pw_fail(worker->n->w, "I15: no memory for a connection");
}

static void notice(void *ctx, ids_notice what) {
    (void)ctx, (void)what;
}

static void change_buffer_is_high(void *ctx) {
    const pw_worker *worker = ctx;
    ids_repl_hand_over(worker->turn.repl);
}

static bool is_current(void *ctx, const ids_batch_tag *tag) {
    const pw_worker *worker = ctx;
    return ids_repl_is_current(worker->turn.repl, tag);
}

static void wake(void *ctx, uint32_t loop) {
    pw_worker_wake(ctx, loop);
}

static void flush(void *ctx) {
    pw_worker_flush(ctx);
}

/* A thread could wait in the middle of its turn's end; here it parks at the
 * next event. */
static void park(void *ctx) {
    (void)ctx;
}

/* --- a turn --------------------------------------------------------------- */

bool pw_worker_waits(const pw_node *n, uint32_t worker) {
    return !n->started || n->worker[worker].parked ||
           (worker == 0 && n->step != NULL);
}

pw_worker *pw_worker_begins(pw_node *n, uint32_t worker) {
    ids_worker *ids = n->worker[worker].ids;
    uint64_t now_ms = pw_clock(n);
    ids_mailbox_awake(&n->boxes[worker]);
    if (now_ms > ids->now_ms) {
        ids->now_ms = now_ms;
    }
    return &n->worker[worker];
}

static void flush_one(pw_worker *worker, ids_conn *conn) {
    ids_worker *ids = worker->ids;
    pw_end *end = conn->link;
    idp_slice out;
    ids_output_fill(ids, conn);
    while (!ids_conn_is_dead(conn) &&
           (out = ids_output_sendable(conn)).len > 0) {
        if (end->is_link) {
            pw_net_send_early(worker->n, end->link, out);
        } else {
            pw_wire_out(worker, end->wire, out);
        }
        ids_output_sent(ids, conn, out.len);
        ids_output_fill(ids, conn);
    }
    if (conn->life == IDS_CONN_PEER && !ids_conn_is_dead(conn)) {
        pw_net_take(worker, conn);
    } else if (ids_conn_is_done(conn)) {
        ids_reader_drop(worker->line, conn);
        ids_conn_free(conn);
        if (end->is_link) {
            pw_net_closed_early(worker->n, end->link);
        } else {
            pw_wire_closed(end->wire);
        }
    } else if (ids_conn_is_stalled(conn) && ids_dispatch_may_serve(ids, conn)) {
        ids_reader_resume(worker->line, conn);
        ids_worker_mark(ids, conn);
    }
}

void pw_worker_flush(pw_worker *worker) {
    ids_conn *conn;
    while ((conn = ids_worker_next_dirty(worker->ids)) != NULL) {
        flush_one(worker, conn);
    }
}

static void end_turn(pw_worker *worker) {
    pw_node *n = worker->n;
    uint32_t index = worker->ids->index;
    bool more = ids_line_end_turn(worker->line);
    more |= ids_turn_end(&worker->turn, false);
    pw_note_lead(n);
    if (!ids_mailbox_sleep(&n->boxes[index]) || more) {
        pw_worker_wake(n, index);
    }
}

/* As few of the messages as may be, so that much can happen in between. */
static void take_messages(pw_worker *worker) {
    ids_worker *ids = worker->ids;
    pw_world *w = worker->n->w;
    ids_line_begin_turn(worker->line);
    if (pw_chance(w, 50)) {
        ids->work[IDS_WORK_MESSAGES] =
            IDS_WORK_A_TURN - 2 * (1 + pw_below(w, MESSAGES_AT_ONCE));
    }
    ids_line_take_messages(worker->line);
    ids->work[IDS_WORK_MESSAGES] = 0;
    pw_worker_flush(worker);
}

static void look_around(pw_node *n, uint32_t index);

static void turn(pw_world *w, int node, uint64_t index) {
    pw_node *n = &w->node[node];
    pw_worker *worker = &n->worker[index];
    ids_worker *ids = worker->ids;
    worker->turn_due = false;
    if (!pw_worker_waits(n, (uint32_t)index)) {
        look_around(n, (uint32_t)index);
    }
    if (pw_worker_waits(n, (uint32_t)index)) {
        pw_worker_wake(n, (uint32_t)index);
        return;
    }
    pw_worker_begins(n, (uint32_t)index);
    take_messages(worker);
    if (ids_line_next_ms(worker->line) <= ids->now_ms) {
        ids_line_tick(worker->line, DUE_STEPS);
    }
    end_turn(worker);
}

void pw_worker_wake(pw_node *n, uint32_t index) {
    pw_world *w = n->w;
    pw_worker *worker = &n->worker[index];
    if (worker->turn_due || n->crashing) {
        return;
    }
    worker->turn_due = true;
    uint64_t ms = pw_chance(w, 50) ? 0 : 1 + pw_below(w, 2);
    ms += pw_worker_waits(n, index);
    pw_later(w, ms + n->slow_ms, turn, n->index, index);
}

/* Something has happened: its turn ends now, or has more in it. */
void pw_worker_after(pw_worker *worker) {
    uint32_t index = worker->ids->index;
    if (pw_chance(worker->n->w, 70) && !pw_worker_waits(worker->n, index)) {
        end_turn(worker);
    } else {
        pw_worker_wake(worker->n, index);
    }
}

/* --- steps that all take at once ------------------------------------------ */

static void over(pw_node *n) {
    if (ids_quiesce_is_over(&n->replicator.quiesce)) {
        n->step = NULL;
        pw_worker_wake(n, 0);
    }
}

static void go_on(pw_world *w, int node, uint64_t index) {
    pw_node *n = &w->node[node];
    n->worker[index].parked = false;
    ids_quiesce_go_on(&n->replicator.quiesce);
    pw_worker_wake(n, (uint32_t)index);
    over(n);
}

static void maybe_step(pw_node *n) {
    ids_quiesce *q = &n->replicator.quiesce;
    if (!ids_quiesce_is_asked(q) || !ids_quiesce_is_reached(q)) {
        return;
    }
    n->w->quiesced++;
    pw_worker_begins(n, 0);
    n->step(&n->replicator);
    ids_quiesce_end(q);
    pw_note_lead(n);
    for (uint32_t k = 1; k < n->loops; k++) {
        if (n->worker[k].parked) {
            pw_later(n->w, pw_below(n->w, 3), go_on, n->index, k);
        }
    }
    over(n);
}

static void park_one(pw_node *n, uint32_t index) {
    n->worker[index].parked = true;
    ids_quiesce_park(&n->replicator.quiesce);
}

static void look_around(pw_node *n, uint32_t index) {
    if (index > 0 && ids_quiesce_is_asked(&n->replicator.quiesce)) {
        park_one(n, index);
        maybe_step(n);
    }
}

void pw_quiesce(pw_node *n, void (*step)(ids_replicator *replicator)) {
    bool at_once = pw_chance(n->w, 50);
    n->step = step;
    ids_quiesce_ask(&n->replicator.quiesce);
    for (uint32_t k = 1; k < n->loops; k++) {
        if (at_once) {
            park_one(n, k);
        } else {
            pw_worker_wake(n, k);
        }
    }
    maybe_step(n);
}

/* --- their life ----------------------------------------------------------- */

bool pw_workers_make(pw_node *n) {
    for (uint32_t k = 0; k < n->loops; k++) {
        pw_worker *worker = &n->worker[k];
        const ids_line_config config = {
            .server = &n->server,
            .index = k,
            .driver = {.ctx = worker,
                       .adopt = adopt,
                       .refuse = refuse,
                       .notice = notice},
            .worker_driver = {.ctx = worker,
                              .change_buffer_is_high = change_buffer_is_high,
                              .is_current = is_current},
            .memory_bytes_max = 8u << 20,
            .waiters_max = WAITERS_MAX,
            .waiters_per_key_max = WAITERS_MAX,
            .clock_cut_ms = pw_clock_cut_ms(n),
            .is_kept = n->keeps,
            .is_replicated = true,
            .mem = pw_mem()};
        *worker = (pw_worker){.n = n};
        n->server.wake = wake;
        n->server.wake_ctx = n;
        if (!ids_mailbox_init(&n->boxes[k], BATCHES)) {
            return false;
        }
        worker->line = ids_line_new(&config);
        if (worker->line == NULL) {
            return false;
        }
        worker->ids = &worker->line->worker;
        worker->ids->now_ms = pw_clock(n);
        worker->turn = (ids_turn){
            .worker = worker->ids, .ctx = worker, .flush = flush, .park = park};
    }
    return true;
}

static void drop_all(ids_line *line) {
    const ids_worker *ids = &line->worker;
    for (uint32_t i = 0; i < ids->slots.used; i++) {
        ids_conn *conn = ids->slots.all[i].conn;
        if (conn != NULL) {
            ids_reader_drop(line, conn);
            ids_conn_free(conn);
        }
    }
}

void pw_workers_free(pw_node *n) {
    for (uint32_t k = 0; k < n->loops; k++) {
        drop_all(n->worker[k].line);
    }
    for (uint32_t k = 0; k < n->loops; k++) {
        if (n->keeps) {
            ids_worker_log_give_up(&n->worker[k].worker_log);
            ids_snapshot_walk_clear(&n->worker[k].worker_log.walk);
            ids_worker_log_fini(&n->worker[k].worker_log);
        }
        ids_line_free(n->worker[k].line);
        n->worker[k] = (pw_worker){.n = n};
    }
    for (uint32_t k = 0; k < n->loops; k++) {
        ids_mailbox_fini(&n->boxes[k]);
    }
    ids_access_free(n->server.access);
    n->server.access = NULL;
}
