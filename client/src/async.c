/* SPDX-License-Identifier: Apache-2.0 */
/* async.c -- idem_async: how it begins and ends, its turns, and what its
 * program asks of it. See async.h. */
#include "client/src/async.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "client/src/handshake.h"
#include "client/src/mem.h"
#include "client/src/sized.h"

/* --------------------------------------------------------------------- ids */

static idem__task *task_of(idem__alarm *alarm) {
    return (idem__task *)((uint8_t *)alarm - offsetof(idem__task, alarm));
}

static idem__kept *kept_of(idem__alarm *alarm) {
    return (idem__kept *)((uint8_t *)alarm - offsetof(idem__kept, alarm));
}

static bool widen_slots(idem_async *async) {
    uint32_t cap = async->slots_cap == 0 ? 64 : async->slots_cap * 2;
    if (!idem__alarms_reserve(&async->alarms, cap))
        return false;
    idem__slot *slots = idem__realloc(async->slots, cap * sizeof *slots);
    if (slots == NULL)
        return false;
    async->slots = slots;
    async->slots_cap = cap;
    return true;
}

bool idem__async_enter(idem_async *async, idem__alarm *what, uint32_t *slot) {
    if (async->free_slot == UINT32_MAX &&
        async->slots_count == async->slots_cap && !widen_slots(async))
        return false;
    if (async->free_slot != UINT32_MAX) {
        *slot = async->free_slot;
        async->free_slot = async->slots[*slot].next_free;
    } else {
        *slot = async->slots_count++;
        async->slots[*slot].used = 0;
    }
    async->slots[*slot].what = what;
    async->slots_used++;
    return true;
}

void idem__async_leave(idem_async *async, uint32_t slot) {
    idem__slot *left = &async->slots[slot];
    assert(left->what != NULL);
    left->what = NULL;
    left->used++;
    left->next_free = async->free_slot;
    async->free_slot = slot;
    async->slots_used--;
}

uint64_t idem__async_id(const idem_async *async, uint32_t slot) {
    return (uint64_t)async->slots[slot].used << 32 | (slot + 1);
}

idem__alarm *idem__async_find(const idem_async *async, uint64_t id) {
    uint32_t slot = (uint32_t)id - 1;
    if ((uint32_t)id == 0 || slot >= async->slots_count ||
        async->slots[slot].used != (uint32_t)(id >> 32))
        return NULL;
    return async->slots[slot].what;
}

/* ------------------------------------------------- how it begins and ends */

/* What is one process's alone. */
static int32_t make_async(idem_async *async, idem_error *err) {
    async->busy = false;
    async->lines_count = 0;
    async->tasks_count = 0;
    async->alarms = (idem__alarms){0};
    async->pool = (idem__pool){0};
    async->slots = NULL;
    async->slots_count = 0;
    async->slots_cap = 0;
    async->slots_used = 0;
    async->free_slot = UINT32_MAX;
    async->kept = NULL;
    async->telling = NULL;
    async->told = NULL;
    memset(async->lines, 0, sizeof async->lines);
    idem__selector_init(&async->selector, &async->uri);
    idem__watch_init(&async->watch);
    async->selector.watch = &async->watch;
    if (!idem__random(&async->seed, sizeof async->seed) ||
        !idem__random(async->nonce, sizeof async->nonce))
        return idem__fail(err, IDEM_E_MEMORY, "the system has no randomness");
    async->generation = idem__fork_here();
    return 0;
}

int32_t idem_async_open(const char *uri, idem_async **async, idem_error *err) {
    *async = NULL;
    idem_async *made = idem__calloc(sizeof *made);
    if (made == NULL)
        return idem__fail(err, IDEM_E_MEMORY, "no memory for a client");
    int32_t code = idem__uri_parse(uri, &made->uri, err);
    if (code == 0 && !idem__fork_watch())
        code = idem__fail(err, IDEM_E_MEMORY, "no memory for a client");
    if (code == 0)
        code = make_async(made, err);
    if (code != 0) {
        idem__uri_fini(&made->uri);
        idem__free(made);
        return code;
    }
    *async = made;
    return 0;
}

/* No call is under way. */
static void free_parts(idem_async *async) {
    for (uint32_t i = 0; i < async->lines_count; i++)
        if (async->lines[i] != NULL)
            idem__line_free(async->lines[i]);
    idem__kept_forget(async);
    idem__alarms_fini(&async->alarms);
    idem__pool_fini(&async->pool);
    idem__free(async->slots);
    idem__selector_fini(&async->selector);
}

/* The calls of another process's handle: nobody here is told of them. */
static void async_forget_calls(idem_async *async) {
    for (uint32_t i = 0; i < async->slots_count; i++) {
        idem__alarm *alarm = async->slots[i].what;
        if (alarm == NULL || alarm->kind != IDEM__ALARM_CALL)
            continue;
        idem__task *task = task_of(alarm);
        if (task->attempt.op.pending)
            idem__calls_remove(&task->line->link.wire.calls, &task->attempt.op);
        idem__course_end(&task->course);
        idem__pool_give(&async->pool, task, task->bytes_count);
    }
    for (uint32_t i = 0; i < async->lines_count; i++)
        if (async->lines[i] != NULL)
            async->lines[i]->fd = -1; /* its copy is closed by now */
}

bool idem__async_take_over(idem_async *async) {
    (void)idem__fork_here(); /* closes the descriptors' copies */
    if (!async->busy) {      /* else it was forked in the middle of a change */
        async_forget_calls(async);
        free_parts(async);
    }
    return make_async(async, NULL) == 0;
}

/* All of it, save for what a fork in a last callback leaves to the parent. */
static void end_async(idem_async *async) {
    const uint64_t here = async->generation;
    async->closing = true;
    async->busy = true;
    for (uint32_t i = 0; i < async->slots_count; i++) {
        idem__alarm *alarm = async->slots[i].what;
        if (alarm != NULL && alarm->kind == IDEM__ALARM_CALL)
            idem__task_close(async, task_of(alarm));
        if (idem__fork_is_copy(here))
            return;
    }
    free_parts(async);
    idem__uri_fini(&async->uri);
    idem__free(async);
}

void idem_async_close(idem_async *async) {
    if (async == NULL)
        return;
    (void)idem__async_be_here(async); /* a child calls nobody back */
    if (async->busy)
        async->closing = true;
    else
        end_async(async);
}

/* ------------------------------------------------------------------ a turn */

static void take_alarms(idem_async *async) {
    idem__alarm *alarm;
    if (idem__alarms_next_ms(&async->alarms) > async->now_ms)
        return;
    for (uint32_t i = 0; i < async->lines_count; i++)
        if (async->lines[i] != NULL && !idem__async_is_over(async))
            idem__line_look(async, async->lines[i]);
    while (!idem__async_is_over(async) &&
           (alarm = idem__alarms_take_due(&async->alarms, async->now_ms)) !=
               NULL) {
        if (alarm->kind == IDEM__ALARM_CALL)
            idem__task_due(async, task_of(alarm));
        else
            idem__kept_due(async, kept_of(alarm));
    }
}

static void for_lines(idem_async *async,
                      void (*does)(idem_async *, idem__line *)) {
    for (uint32_t i = 0; i < async->lines_count; i++)
        if (async->lines[i] != NULL && !idem__async_is_over(async))
            does(async, async->lines[i]);
}

static void take_turn(idem_async *async, const idem_async_ready *ready,
                      size_t ready_count) {
    for (size_t i = 0; i < ready_count && !idem__async_is_over(async); i++) {
        uint32_t at = ready[i].line;
        idem__line *line = at < async->lines_count ? async->lines[at] : NULL;
        if (line != NULL)
            idem__line_ready(async, line, ready[i].events);
    }
    for_lines(async, idem__line_tick);
    take_alarms(async);
    for_lines(async, idem__line_flush);
    if (!idem__fork_is_copy(async->generation))
        idem__watch_tell(&async->watch);
}

int32_t idem_async_process(idem_async *async, const idem_async_ready *ready,
                           size_t ready_count, uint64_t now_ms) {
    const uint64_t before = async->generation;
    if (!idem__async_be_here(async) || async->busy)
        return 1;
    const uint64_t here = async->generation;
    const uint64_t tells = async->tells;
    async->busy = true;
    async->now_ms = now_ms;
    /* In a child, what was ready was the parent's. */
    take_turn(async, ready, before == here ? ready_count : 0);
    if (idem__fork_is_copy(here))
        return 1; /* a callback has forked: the child begins anew */
    async->busy = false;
    if (!async->closing)
        return async->tells != tells ? 2 : 1;
    end_async(async);
    return 0;
}

/* ------------------------------------------------------- what a program asks
 */

static const idem__line *line_at(const idem_async *async, uint32_t line) {
    return line < async->lines_count && !idem__fork_is_copy(async->generation)
               ? async->lines[line]
               : NULL;
}

uint32_t idem_async_lines(const idem_async *async) {
    return async->lines_count;
}

int32_t idem_async_fd(const idem_async *async, uint32_t line) {
    const idem__line *at = line_at(async, line);
    return at != NULL && !async->closing ? at->fd : -1;
}

uint64_t idem_async_fd_serial(const idem_async *async, uint32_t line) {
    const idem__line *at = line_at(async, line);
    return at != NULL ? at->fd_serial : 0;
}

static bool line_has_output(const idem__line *line) {
    return line->fd >= 0 &&
           idem__seal_has_output(&line->seal, &line->link.wire);
}

uint32_t idem_async_wanted(const idem_async *async, uint32_t line) {
    const idem__line *at = line_at(async, line);
    if (at == NULL || at->fd < 0)
        return 0;
    if (at->step == IDEM__DIAL_CONNECT)
        return IDEM_WRITE;
    return line_has_output(at) ? IDEM_READ | IDEM_WRITE : IDEM_READ;
}

int32_t idem_async_has_output(const idem_async *async) {
    for (uint32_t i = 0; i < async->lines_count; i++) {
        const idem__line *line = line_at(async, i);
        if (line != NULL && line_has_output(line) && !line->full)
            return 1;
    }
    return 0;
}

int32_t idem_async_timeout_ms(const idem_async *async, uint64_t now_ms) {
    uint64_t next_ms = idem__alarms_next_ms(&async->alarms);
    if (idem__fork_is_copy(async->generation))
        return 0;
    for (uint32_t i = 0; i < async->lines_count; i++) {
        uint64_t its_ms = async->lines[i] != NULL
                              ? idem__line_next_ms(async->lines[i])
                              : UINT64_MAX;
        next_ms = its_ms < next_ms ? its_ms : next_ms;
    }
    return idem__sleep_ms(next_ms, now_ms);
}

int32_t idem_async_info(const idem_async *async, idem_info *info) {
    const idem__line *line = line_at(async, 0);
    if (idem__sized_check(&idem__info_layout, info, "info", NULL) != 0)
        return IDEM_E_ARGUMENT;
    if (line == NULL || line->link.hello.shards == 0)
        return IDEM_E_CONNECT;
    idem__info_fill(&line->link.hello, line->link.endpoint.name, info);
    return 0;
}

int32_t idem_async_status(idem_async *async, idem_status *status) {
    int32_t code =
        idem__sized_check(&idem__status_layout, status, "status", NULL);
    if (code == 0 && !idem__async_be_here(async))
        code = IDEM_E_MEMORY;
    if (code == 0)
        idem__watch_status(&async->watch, status);
    return code;
}

int32_t idem_async_watch(idem_async *async, idem_event_fn on_event, void *ctx) {
    if (!idem__async_be_here(async))
        return IDEM_E_MEMORY;
    idem__watch_listen(&async->watch, on_event, ctx);
    return 0;
}
