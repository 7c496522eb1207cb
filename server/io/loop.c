/* SPDX-License-Identifier: Apache-2.0 */
/* loop.c -- one thread's turn: libuv's loop around a line. */
#include "server/io/loop.h"

#include "server/base/log.h"
#include "server/base/monotonic.h"
#include "server/io/barrier.h"
#include "server/net/due.h"
#include "server/net/receive.h"
#include "server/net/seal.h"
#include "server/os/clock.h"
#include "server/storage/store.h"
#include "server/worker/namespaces.h"

#include <assert.h>
#include <string.h>

/* Ended records reclaimed per turn, which takes some 50 us: whoever asks
 * meanwhile waits no longer than for a batch of other requests. */
#define TICK_STEPS         128
#define LINGER_MS          1000
#define LINGER_DRAINING_MS 200
/* A loop that was away for so long looks at its sockets before what is due. */
#define AWAY_MS            50
#define NEVER              UINT64_MAX
/* A loop that has nothing to do says so often that it is there (health.h). */
#define IDLE_TURN_MS       500
/* The clock is cut down to whole milliseconds. */
#define CLOCK_CUT_MS       1

/* A turn's beginning: whatever libuv calls first --------------------------- */

static void on_wake(uv_async_t *handle) {
    ids_loop *loop = handle->data;
    ids_net_wake_up(&loop->net);
}

static void on_timer(uv_timer_t *handle) {
    ids_loop *loop = handle->data;
    loop->armed_ms = NEVER;
    ids_net_wake_up(&loop->net);
}

static void on_busy(uv_idle_t *handle) {
    ids_loop *loop = handle->data;
    ids_net_wake_up(&loop->net);
}

/* A loop parks here while another takes a step for all. */
static void look_around(void *ctx) {
    const ids_loop *loop = ctx;
    if (loop->barrier && loop->worker->index > 0)
        ids_barrier_look(loop->barrier);
}

/* Its middle: the sockets were served, the messages come. */
static void on_check(uv_check_t *handle) {
    ids_loop *loop = handle->data;
    ids_net_wake_up(&loop->net);
    ids_sockets_serve_gathered(&loop->net);
    look_around(loop);
    ids_line_take_messages(loop->line);
    ids_sockets_flush(&loop->net);
}

/* Its end ------------------------------------------------------------------ */

static uint64_t earlier_ms(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static uint64_t next_due(const ids_loop *loop) {
    uint64_t due = ids_line_next_ms(loop->line);
    if (loop->turn.worker_log)
        due = earlier_ms(due, ids_worker_log_next_ms(loop->turn.worker_log));
    if (loop->snapshots)
        due = earlier_ms(due, ids_snapshots_next_ms(loop->snapshots));
    if (loop->turn.repl)
        due = earlier_ms(due, ids_repl_next_ms(loop->turn.repl));
    uint64_t turn_ms =
        loop->worker->index == 0 ? IDS_CLOCK_PULSE_MS : IDLE_TURN_MS;
    due = earlier_ms(due, loop->worker->now_ms + turn_ms);
    due = earlier_ms(due, ids_pages_next_ms(loop->pages));
    due = earlier_ms(due, ids_watch_next_ms(&loop->line->watch, loop->worker));
    return earlier_ms(due, ids_due_next_ms(&loop->net));
}

static void do_due(ids_loop *loop) {
    ids_worker *worker = loop->worker;
    if (ids_line_next_ms(loop->line) <= worker->now_ms)
        ids_line_tick(loop->line, TICK_STEPS);
    ids_due_do(&loop->net);
    ids_pages_age(loop->pages, worker->now_ms);
    if (ids_watch_next_ms(&loop->line->watch, worker) <= worker->now_ms)
        ids_watch_look(&loop->line->watch, worker);
}

/* The timer may fire early and for nothing; it is only ever moved forward,
 * because what comes first changes with every request. */
static void arm(ids_loop *loop, uint64_t due) {
    if (due >= loop->armed_ms)
        return;
    assert(due > loop->worker->now_ms);
    loop->armed_ms = due;
    uv_timer_start(&loop->timer, on_timer, due - loop->worker->now_ms, 0);
}

/* It was away between its last look at the sockets and now: what has come in
 * that time is read first. Once, not as long as the loop is slow. */
static bool looks_again(ids_loop *loop) {
    bool was_away = loop->worker->now_ms > loop->polled_ms + AWAY_MS;
    loop->looks_again = was_away && !loop->looks_again;
    return loop->looks_again;
}

static void be_busy(ids_loop *loop, bool busy) {
    if (busy == (bool)uv_is_active((uv_handle_t *)&loop->busy))
        return;
    if (busy)
        uv_idle_start(&loop->busy, on_busy);
    else
        uv_idle_stop(&loop->busy);
}

static void end_turn(ids_worker *worker, uint64_t now_ns) {
    uint64_t ns = now_ns - worker->measures.begun_ns;
    ids_measures_end_turn(&worker->measures, now_ns);
    if (ids_slow_log_wants(&worker->slow, ns))
        ids_slow_log_note(worker, ns);
    memcpy(worker->slow.tail, worker->work, sizeof worker->slow.tail);
}

/* What is due is what was so at the last turn's end: what has become due since
 * makes this one's end busy, and the next turn comes at once. */
static void on_prepare(uv_prepare_t *handle) {
    ids_loop *loop = handle->data;
    ids_net_wake_up(&loop->net);
    bool again = looks_again(loop);
    bool busy = again;
    ids_line_begin_turn(loop->line);
    if (loop->net.postponed.head)
        ids_sockets_serve_postponed(&loop->net);
    if (!again && loop->due_ms <= loop->worker->now_ms)
        do_due(loop);
    if (loop->snapshots)
        ids_snapshots_look(loop->snapshots, loop->worker);
    busy |= ids_line_end_turn(loop->line);
    busy |= ids_turn_end(&loop->turn, again);
    loop->polled_ms = loop->worker->now_ms;
    loop->due_ms = next_due(loop);
    busy |= loop->net.postponed.head != NULL;
    if (loop->due_ms <= loop->worker->now_ms)
        busy = true;
    else if (loop->due_ms != NEVER)
        arm(loop, loop->due_ms);
    if (!ids_net_sleep(&loop->net))
        busy = true;
    be_busy(loop, busy);
    end_turn(loop->worker, ids_monotonic_ns());
}

/* What its line and its turn ask of it ------------------------------------- */

static void flush_loop(void *ctx) {
    ids_loop *loop = ctx;
    ids_sockets_flush(&loop->net);
}

static void adopt(void *ctx, ids_conn *conn) {
    ids_loop *loop = ctx;
    ids_socket_open(&loop->net, conn);
}

static void refuse_conn(void *ctx, ids_conn *conn) {
    ids_loop *loop = ctx;
    ids_socket_discard(&loop->net, conn);
}

static void take_notice(void *ctx, ids_notice what) {
    if (what == IDS_NOTICE_DRAIN)
        ids_loop_drain(ctx);
    else
        ids_loop_stop(ctx);
}

static void loop_take_limits(void *ctx, ids_loop_limits *limits) {
    ids_loop_take_limits(ctx, limits);
}

static void look_at_clock(void *ctx) {
    ids_loop *loop = ctx;
    ids_net_read_clock(&loop->net);
}

static uint64_t loop_clock_ns(void) {
    return ids_monotonic_ns();
}

static void change_buffer_is_high(void *ctx) {
    ids_loop *loop = ctx;
    ids_repl_hand_over(loop->turn.repl);
}

static bool is_current(void *ctx, const ids_batch_tag *tag) {
    ids_loop *loop = ctx;
    return ids_repl_is_current(loop->turn.repl, tag);
}

/* Its life ----------------------------------------------------------------- */

static int init_handles(ids_loop *loop) {
    int error = uv_async_init(&loop->uv, &loop->wake, on_wake);
    if (error)
        return error;
    uv_prepare_init(&loop->uv, &loop->prepare);
    uv_check_init(&loop->uv, &loop->check);
    uv_timer_init(&loop->uv, &loop->timer);
    uv_idle_init(&loop->uv, &loop->busy);
    uv_prepare_start(&loop->prepare, on_prepare);
    uv_check_start(&loop->check, on_check);
    loop->wake.data = loop->prepare.data = loop->check.data = loop;
    loop->timer.data = loop->busy.data = loop;
    return 0;
}

static bool conn_cert_holds(void *ctx, const ids_conn *conn) {
    const ids_loop *loop = ctx;
    return ids_seal_cert_holds(loop->net.tls, conn);
}

static int init_line(ids_loop *loop, const ids_loop_config *config) {
    loop->pages = ids_pages_new(
        &(ids_pages_config){.huge = config->huge_pages,
                            .idle_bytes_max = config->idle_bytes_max,
                            .prefault = config->prefault,
                            .worker = config->index});
    if (!loop->pages)
        return UV_ENOMEM;
    const ids_line_config line = {
        .server = config->server,
        .index = config->index,
        .driver = {.ctx = loop,
                   .adopt = adopt,
                   .refuse = refuse_conn,
                   .notice = take_notice,
                   .limits = loop_take_limits,
                   .look_at_clock = look_at_clock,
                   .clock_ns = loop_clock_ns,
                   .cert_holds = conn_cert_holds},
        .worker_driver = {.ctx = loop,
                          .change_buffer_is_high = change_buffer_is_high,
                          .is_current = is_current},
        .memory_bytes_max = config->memory_bytes_max,
        .waiters_max = config->waiters_max,
        .waiters_per_key_max = config->waiters_per_key_max,
        .clock_cut_ms = CLOCK_CUT_MS,
        .is_kept = config->is_kept,
        .is_replicated = config->is_replicated,
        .mem = ids_pages_mem(loop->pages),
    };
    loop->line = ids_line_new(&line);
    if (!loop->line)
        return UV_ENOMEM;
    loop->worker = &loop->line->worker;
    return 0;
}

int ids_loop_init(ids_loop *loop, const ids_loop_config *config) {
    *loop = (ids_loop){.armed_ms = NEVER};
    int error = init_line(loop, config);
    if (error)
        return error;
    loop->net = (ids_net){.uv = &loop->uv,
                          .line = loop->line,
                          .worker = loop->worker,
                          .mailbox = &config->server->mailboxes[config->index],
                          .places = config->places,
                          .tls = config->tls,
                          .http = config->http,
                          .proxies = config->proxies,
                          .on_ready = ids_socket_on_ready,
                          .linger_ms = LINGER_MS};
    loop->turn = (ids_turn){.worker = loop->worker,
                            .ctx = loop,
                            .flush = flush_loop,
                            .park = look_around};
    error = uv_loop_init(&loop->uv);
    return error ? error : init_handles(loop);
}

void ids_loop_take_limits(ids_loop *loop, ids_loop_limits *limits) {
    ids_loop_limits *before = loop->limits;
    if (before && limits->ledger &&
        !ids_worker_set_namespaces(loop->worker, limits->namespaces,
                                   limits->ledger)) {
        ids_log(IDS_LOG_ERROR, "a loop keeps its old limits: out of memory",
                "loop=%u", loop->worker->index);
        return;
    }
    loop->limits = limits;
    loop->net.deadlines.idle_ms = limits->idle_ms;
    loop->worker->buffers.bytes_max = limits->buffer_bytes_max;
    if (before)
        atomic_fetch_sub_explicit(&before->users, 1, memory_order_release);
}

void ids_loop_keeps(ids_loop *loop, ids_store *store) {
    uint32_t index = loop->worker->index;
    assert(!loop->log_writer && index < store->log_writers_count);
    loop->log_writer = store->log_writers[index];
    loop->turn.worker_log = ids_log_writer_log(loop->log_writer);
    loop->snapshots = index == 0 ? &store->snapshots : NULL;
}

void ids_loop_sits(ids_loop *loop, ids_repl *repl, ids_barrier *barrier) {
    assert(repl->worker == loop->worker);
    loop->net.repl = loop->turn.repl = repl;
    loop->barrier = barrier;
}

void ids_loop_run(ids_loop *loop) {
    assert(!loop->turn.repl == !loop->barrier);
    if (loop->worker->index == 0)
        ids_loop_clock_watch();
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void ids_loop_wake(ids_loop *loop) {
    uv_async_send(&loop->wake);
}

void ids_loop_drain(ids_loop *loop) {
    loop->net.linger_ms = LINGER_DRAINING_MS;
    ids_line_drain(loop->line);
    ids_sockets_drain(&loop->net);
}

/* Nobody wakes it any more, nor waits for it, before its handles are closed. */
void ids_loop_stop(ids_loop *loop) {
    if (loop->log_writer)
        ids_log_writer_quiet(loop->log_writer);
    if (loop->turn.repl)
        ids_repl_quiet(loop->turn.repl);
    if (loop->barrier && loop->worker->index > 0)
        ids_barrier_leave(loop->barrier);
    ids_sockets_close(&loop->net);
    uv_close((uv_handle_t *)&loop->prepare, NULL);
    uv_close((uv_handle_t *)&loop->check, NULL);
    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_close((uv_handle_t *)&loop->timer, NULL);
    uv_close((uv_handle_t *)&loop->busy, NULL);
}

void ids_loop_fini(ids_loop *loop) {
    uv_loop_close(&loop->uv);
    ids_net_fini(&loop->net);
    ids_line_free(loop->line);
    ids_pages_free(loop->pages);
}
