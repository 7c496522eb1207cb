/* SPDX-License-Identifier: Apache-2.0 */
/* loop.c -- one thread's turn: libuv's loop around a desk. */
#include "server/io/loop.h"

#include "server/io/log_writer.h"
#include "server/io/socket.h"
#include "server/io/standstill.h"
#include "server/io/store.h"
#include "server/log.h"

#include <assert.h>
#include <stdlib.h>

/* Ended records reclaimed per turn, which takes some 50 us: whoever asks
 * meanwhile waits no longer than for a batch of other requests. */
#define TICK_STEPS         128
/* Connections closed in one turn because their time is up. */
#define CLOSED_A_TURN      64
#define LINGER_MS          1000
#define LINGER_DRAINING_MS 200
/* A loop that was away for so long looks at its sockets before what is due. */
#define AWAY_MS            50
#define NEVER              UINT64_MAX
/* The clock is cut down to whole milliseconds. */
#define CLOCK_CUT_MS       1

/* The process stood still: what the other node has said meanwhile is read
 * before anything is judged by its silence. */
static void look_for_gap(ids_loop *loop) {
    uint64_t all_ms, gaps = ids_loop_clock_gaps(&all_ms);
    if (gaps == loop->gaps)
        return;
    loop->gaps = gaps;
    if (loop->desk->index == 0)
        ids_log(IDS_LOG_WARN,
                "this process stood still; deadlines wait for what came",
                "gaps=%llu all_ms=%llu", (unsigned long long)gaps,
                (unsigned long long)all_ms);
    if (loop->turn.seat)
        ids_seat_stood_still(loop->turn.seat, gaps, all_ms);
}

void ids_loop_turn(ids_loop *loop) {
    if (loop->awake)
        return;
    loop->awake = true;
    ids_mailbox_awake(loop->mailbox);
    uint64_t now_ms = ids_loop_clock_ms();
    if (now_ms > loop->desk->now_ms)
        loop->desk->now_ms = now_ms;
    look_for_gap(loop);
}

void ids_loop_look(ids_loop *loop) {
    uint64_t now_ms = ids_loop_clock_ms();
    if (now_ms > loop->desk->now_ms)
        loop->desk->now_ms = now_ms;
}

void ids_loop_wake(ids_loop *loop) {
    uv_async_send(&loop->wake);
}

void ids_loop_settle(ids_loop *loop) {
    ids_conn *conn;
    while ((conn = ids_desk_next_dirty(loop->desk)))
        ids_socket_settle(loop, conn);
}

static void on_wake(uv_async_t *handle) {
    ids_loop_turn(handle->data);
}

static void on_timer(uv_timer_t *handle) {
    ids_loop *loop = handle->data;
    loop->armed_ms = NEVER;
    ids_loop_turn(loop);
}

static void on_busy(uv_idle_t *handle) {
    ids_loop_turn(handle->data);
}

/* A loop parks here while another takes a step for all. */
static void look_around(void *ctx) {
    const ids_loop *loop = ctx;
    if (loop->still && loop->desk->index > 0)
        ids_standstill_look(loop->still);
}

static void on_check(uv_check_t *handle) {
    ids_loop *loop = handle->data;
    ids_loop_turn(loop);
    look_around(loop);
    ids_desk_take_mail(loop->desk);
    ids_loop_settle(loop);
}

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static ids_socket *first_of(const ids_list *list) {
    return IDS_LIST_FIRST(ids_socket, in_list, list);
}

static uint64_t due_of(const ids_list *list, uint64_t patience_ms) {
    const ids_socket *first = first_of(list);
    return first ? first->since_ms + patience_ms : NEVER;
}

static uint64_t next_due(const ids_loop *loop) {
    uint64_t due = ids_desk_next_ms(loop->desk);
    due = least(due, due_of(&loop->stalled, IDS_TAKEN_MS));
    if (loop->turn.keeper)
        due = least(due, ids_keeper_next_ms(loop->turn.keeper));
    if (loop->store)
        due = least(due, ids_store_next_ms(loop->store));
    if (loop->turn.seat)
        due = least(due, ids_seat_next_ms(loop->turn.seat));
    if (loop->desk->index == 0)
        due = least(due, loop->desk->now_ms + IDS_CLOCK_PULSE_MS);
    due = least(due, ids_deadline_next_ms(loop));
    due = least(due, ids_pages_next_ms(loop->pages));
    due = least(due, ids_watch_next_ms(loop->desk));
    due = least(due, due_of(&loop->surplus, IDS_SURPLUS_MS));
    return least(due, due_of(&loop->lingering, loop->linger_ms));
}

static void do_due(ids_loop *loop) {
    ids_desk *desk = loop->desk;
    if (ids_desk_next_ms(desk) <= desk->now_ms)
        ids_desk_tick(desk, TICK_STEPS);
    uint32_t left = CLOSED_A_TURN;
    for (; left && due_of(&loop->stalled, IDS_TAKEN_MS) <= desk->now_ms; left--)
        ids_socket_close(first_of(&loop->stalled), "the peer takes nothing");
    for (; left && due_of(&loop->surplus, IDS_SURPLUS_MS) <= desk->now_ms;
         left--)
        ids_socket_refuse(first_of(&loop->surplus));
    for (; left && due_of(&loop->lingering, loop->linger_ms) <= desk->now_ms;
         left--)
        ids_socket_close(first_of(&loop->lingering), "the peer does not close");
    if (ids_deadline_next_ms(loop) <= desk->now_ms)
        ids_deadline_look(loop);
    ids_pages_age(loop->pages, desk->now_ms);
    if (ids_watch_next_ms(desk) <= desk->now_ms)
        ids_watch_look(desk);
}

/* The timer may fire early and for nothing; it is only ever moved forward,
 * because what comes first changes with every request. */
static void arm(ids_loop *loop, uint64_t due) {
    if (due >= loop->armed_ms)
        return;
    loop->armed_ms = due;
    uint64_t now = loop->desk->now_ms;
    uv_timer_start(&loop->timer, on_timer, due > now ? due - now : 1, 0);
}

/* It was away between its last look at the sockets and now: what has come in
 * that time is read first. Once, not as long as the loop is slow. */
static bool looks_again(ids_loop *loop) {
    bool was_away = loop->desk->now_ms > loop->polled_ms + AWAY_MS;
    loop->looks_again = was_away && !loop->looks_again;
    return loop->looks_again;
}

/* The end of a turn. What is due is what was so at the last one's end: what has
 * become due since makes this one's end busy, and the next turn comes at once.
 */
static void on_prepare(uv_prepare_t *handle) {
    ids_loop *loop = handle->data;
    ids_loop_turn(loop);
    bool again = looks_again(loop);
    bool busy = again;
    ids_desk_begin_turn(loop->desk);
    if (loop->postponed.head)
        ids_socket_serve_postponed(loop);
    if (!again && loop->due_ms <= loop->desk->now_ms)
        do_due(loop);
    if (loop->store)
        ids_store_answer(loop->store, loop->desk);
    busy |= ids_turn_end(&loop->turn, again);
    loop->polled_ms = loop->desk->now_ms;
    loop->due_ms = next_due(loop);
    busy |= loop->postponed.head != NULL;
    if (loop->due_ms <= loop->desk->now_ms)
        busy = true;
    else if (loop->due_ms != NEVER)
        arm(loop, loop->due_ms);
    loop->awake = false;
    if (!ids_mailbox_sleep(loop->mailbox))
        busy = true;
    if (busy != (bool)uv_is_active((uv_handle_t *)&loop->busy)) {
        if (busy)
            uv_idle_start(&loop->busy, on_busy);
        else
            uv_idle_stop(&loop->busy);
    }
}

static void settle(void *ctx) {
    ids_loop_settle(ctx);
}

static void adopt(void *ctx, ids_conn *conn) {
    ids_socket_open(ctx, conn);
}

static void refuse(void *ctx, ids_conn *conn) {
    ids_socket_discard(ctx, conn);
}

static void notice(void *ctx, ids_notice what) {
    if (what == IDS_NOTICE_DRAIN)
        ids_loop_drain(ctx);
    else
        ids_loop_stop(ctx);
}

static void tap_is_high(void *ctx) {
    ids_loop *loop = ctx;
    ids_seat_hand_over(loop->turn.seat);
}

static void look_at_clock(void *ctx) {
    ids_loop_look(ctx);
}

static bool is_current(void *ctx, const ids_parcel_tag *tag) {
    ids_loop *loop = ctx;
    return ids_seat_is_current(loop->turn.seat, tag);
}

void ids_loop_drain(ids_loop *loop) {
    ids_desk *desk = loop->desk;
    loop->linger_ms = LINGER_DRAINING_MS;
    ids_desk_drain(desk);
    for (uint32_t i = 0; i < desk->slots_used; i++)
        if (desk->slots[i].conn)
            ids_socket_drain(desk->slots[i].conn->link);
    ids_loop_settle(loop);
}

void ids_loop_stop(ids_loop *loop) {
    ids_desk *desk = loop->desk;
    if (loop->log_writer)
        ids_log_writer_quiet(loop->log_writer);
    if (loop->turn.seat)
        ids_seat_quiet(loop->turn.seat);
    if (loop->still && desk->index > 0)
        ids_standstill_leave(loop->still);
    for (uint32_t i = 0; i < desk->slots_used; i++)
        if (desk->slots[i].conn)
            ids_conn_become(desk->slots[i].conn, IDS_CONN_DEAD);
    for (uint32_t i = 0; i < desk->slots_used; i++)
        if (desk->slots[i].conn)
            ids_socket_settle(loop, desk->slots[i].conn);
    uv_close((uv_handle_t *)&loop->prepare, NULL);
    uv_close((uv_handle_t *)&loop->check, NULL);
    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_close((uv_handle_t *)&loop->timer, NULL);
    uv_close((uv_handle_t *)&loop->busy, NULL);
}

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

static int init_desk(ids_loop *loop, const ids_loop_config *config) {
    loop->pages = ids_pages_new(
        &(ids_pages_config){.huge = config->huge_pages,
                            .idle_bytes_max = config->idle_bytes_max,
                            .prefault = config->prefault,
                            .worker = config->index});
    if (!loop->pages)
        return UV_ENOMEM;
    const ids_desk_config desk = {
        .house = config->house,
        .index = config->index,
        .host = {.ctx = loop,
                 .adopt = adopt,
                 .refuse = refuse,
                 .notice = notice,
                 .tap_is_high = tap_is_high,
                 .is_current = is_current,
                 .look_at_clock = look_at_clock},
        .memory_bytes_max = config->memory_bytes_max,
        .waiters_max = config->waiters_max,
        .waiters_per_key_max = config->waiters_per_key_max,
        .clock_cut_ms = CLOCK_CUT_MS,
        .is_kept = config->is_kept,
        .is_replicated = config->is_replicated,
        .mem = ids_pages_mem(loop->pages),
    };
    loop->desk = ids_desk_new(&desk);
    loop->turn = (ids_turn){
        .desk = loop->desk, .ctx = loop, .settle = settle, .park = look_around};
    return loop->desk ? 0 : UV_ENOMEM;
}

int ids_loop_init(ids_loop *loop, const ids_loop_config *config) {
    *loop = (ids_loop){.places = config->places,
                       .deadlines = {.idle_ms = config->idle_ms},
                       .mailbox = &config->house->mailboxes[config->index],
                       .armed_ms = NEVER,
                       .linger_ms = LINGER_MS};
    int error = init_desk(loop, config);
    if (!error)
        error = uv_loop_init(&loop->uv);
    if (!error)
        error = init_handles(loop);
    return error;
}

void ids_loop_run(ids_loop *loop) {
    if (loop->desk->index == 0)
        ids_loop_clock_watch();
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void ids_loop_fini(ids_loop *loop) {
    uv_loop_close(&loop->uv);
    ids_desk_free(loop->desk);
    ids_pages_free(loop->pages);
}
