/* SPDX-License-Identifier: Apache-2.0 */
/* async_call.c -- the calls of an idem_async: their courses, driven by its
 * loop. See async.h. */
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "client/src/answer.h"
#include "client/src/args.h"
#include "client/src/async.h"

/* ------------------------------------------------------------ made and told */

static size_t block_bytes(const idp_request *request) {
    return sizeof(idem__task) + idem__request_bytes(request);
}

static idem__task *make_task(idem_async *async, const idp_request *request) {
    size_t bytes = block_bytes(request);
    idem__task *task = idem__pool_take(&async->pool, bytes);
    if (task == NULL)
        return NULL;
    memset(task, 0, sizeof *task);
    task->bytes_count = (uint32_t)bytes;
    task->alarm.kind = IDEM__ALARM_CALL;
    task->request = *request;
    idem__request_own(&task->request, task->bytes);
    return task;
}

static void free_task(idem_async *async, idem__task *task) {
    idem__course_end(&task->course);
    idem__pool_give(&async->pool, task, task->bytes_count);
}

/* Out of everything that knows it: from now on only its callback is to come. */
static void take_out_task(idem_async *async, idem__task *task) {
    if (task->queued)
        idem__line_dequeue(task->line, task);
    assert(!task->attempt.op.pending);
    idem__alarms_unset(&async->alarms, &task->alarm);
    idem__async_leave(async, task->slot);
    async->tasks_count--;
}

static idp_slice task_nonce_of(const idem__task *task) {
    return task->request.method == IDP_ACQUIRE ? task->request.nonce
                                               : (idp_slice){0};
}

static void tell_task(idem_async *async, idem__task *task,
                      const idem_answer *answer, const idem_error *err) {
    const uint64_t here = async->generation;
    take_out_task(async, task);
    async->telling = task;
    async->told = answer;
    async->tells++;
    task->done(task->ctx, answer, err);
    if (idem__fork_is_copy(here))
        return; /* the child: what it copied is left as it is */
    async->telling = NULL;
    async->told = NULL;
    free_task(async, task);
}

static void tell_failed(idem_async *async, idem__task *task, int32_t code,
                        const idem_error *why) {
    idem_error err = {.size = sizeof err};
    idem__course_conclude(&task->course, code, why, async->now_ms, &err);
    idem__error_nonce(&err, task_nonce_of(task));
    tell_task(async, task, NULL, &err);
}

/* -------------------------------------------------------------- on its way */

/* NULL: no memory. While nobody knows whose the key is, the first line will
 * find out. */
static idem__line *route_task(idem_async *async, const idem__task *task) {
    uint32_t shard = 0;
    (void)idem__selector_route(&async->selector, task->request.ns,
                               task->request.key, &shard);
    idem__line *line = async->lines[shard];
    return line != NULL ? line : idem__line_new(async, shard);
}

/* 0, or what keeps it from being put on the wire. */
static int32_t queue_task(idem_async *async, idem__task *task, idem__line *line,
                          idem_error *err) {
    idp_request request = task->request;
    int32_t code = idem__link_queue(&line->link, &task->attempt, &request,
                                    async->now_ms, err);
    if (code == 0) {
        if (line->link.wire.calls.count == 1)
            line->listened_ms = async->now_ms;
        task->line = line;
        idem__alarms_set(&async->alarms, &task->alarm,
                         task->attempt.op.deadline_ms);
    }
    return code;
}

void idem__task_send(idem_async *async, idem__task *task, idem__line *line) {
    idem__line *its = route_task(async, task);
    idem_error why = {.size = sizeof why};
    int32_t code = 0;
    idem__line_dequeue(line, task);
    if (its == NULL)
        code = idem__fail(&why, IDEM_E_MEMORY, "no memory for a connection");
    else if (its != line)
        idem__line_enqueue(its, task);
    else
        code = queue_task(async, task, line, &why);
    if (code != 0)
        idem__task_failed(async, task, code, &why);
}

/* Its next attempt: on the wire, or in the queue of its line. 0, or a code: it
 * is nowhere. */
static int32_t begin_attempt(idem_async *async, idem__task *task,
                             idem_error *err) {
    idem__course *course = &task->course;
    idem__course_attempt(course, task->request.wait_ms, &task->attempt);
    int32_t code = idem__course_may_go(course, async->now_ms, err);
    if (code != 0)
        return code;
    if (async->now_ms >= course->deadline_ms)
        return idem__fail(err, IDEM_E_TIMEOUT_UNSENT,
                          "the deadline passed before it could be sent");
    idem__line *line = route_task(async, task);
    if (line == NULL)
        return idem__fail(err, IDEM_E_MEMORY, "no memory for a connection");
    task->dials_failed = 0;
    if (line->first == NULL && idem__link_is_open(&line->link))
        return queue_task(async, task, line, err);
    idem__line_enqueue(line, task);
    idem__alarms_set(&async->alarms, &task->alarm, course->deadline_ms);
    return 0;
}

static void go_on(idem_async *async, idem__task *task) {
    idem_error why = {.size = sizeof why};
    int32_t code = begin_attempt(async, task, &why);
    if (code != 0)
        tell_failed(async, task, code, &why);
}

void idem__task_failed(idem_async *async, idem__task *task, int32_t code,
                       const idem_error *why) {
    uint32_t pause_ms = 0;
    task->line = NULL;
    if (task->cancelled ||
        !idem__course_goes_on(&task->course, &task->attempt, code, why,
                              async->now_ms, &pause_ms)) {
        if (task->attempt.sent && task->course.unsure == 0)
            task->course.unsure = IDEM_E_LOST;
        tell_failed(async, task, code, why);
    } else if (pause_ms > 0) {
        idem__alarms_set(&async->alarms, &task->alarm,
                         async->now_ms + pause_ms);
    } else {
        go_on(async, task);
    }
}

void idem__task_answered(idem_async *async, idem__task *task,
                         const idp_reply *reply) {
    idem_error why;
    idem_answer view;
    why.size = sizeof why;
    int32_t code =
        idem__link_read(&task->line->link, &task->attempt, reply, &view, &why);
    if (code != 0) {
        idem__task_failed(async, task, code, &why);
        return;
    }
    idem__course_answered(&task->course, view.outcome);
    idem__answer_nonce(&view, task_nonce_of(task));
    tell_task(async, task, &view, NULL);
}

/* --------------------------------------------------------------- its time */

static void end_cancelled(idem_async *async, idem__task *task) {
    idem_error why = {.size = sizeof why};
    int32_t code;
    if (task->attempt.op.pending)
        code = idem__link_abandon(&task->line->link, &task->attempt,
                                  "the call was cancelled", &why);
    else
        code = idem__fail(&why, IDEM_E_CLOSED,
                          "the call was cancelled; nothing was sent");
    tell_failed(async, task, code, &why);
}

static void time_out_queued(idem_async *async, idem__task *task) {
    idem_error why = {.size = sizeof why};
    const idem__link *link = &task->line->link;
    bool is_full = link->state == IDEM__LINK_UP && idem__link_is_full(link);
    int32_t code = is_full ? idem__link_stayed_full(link, &why)
                           : idem__link_give_up(link, &why);
    idem__line_dequeue(task->line, task);
    idem__task_failed(async, task, code, &why);
}

static void async_time_out_sent(idem_async *async, idem__task *task) {
    idem_error why = {.size = sizeof why};
    idem__line *line = task->line;
    const char *leave =
        idem__link_time_out(&line->link, &task->attempt, async->now_ms, &why);
    tell_failed(async, task, IDEM_E_TIMEOUT, &why);
    if (leave != NULL && !idem__async_is_over(async))
        idem__line_break(async, line, ETIMEDOUT, leave);
}

void idem__task_due(idem_async *async, idem__task *task) {
    if (task->cancelled)
        end_cancelled(async, task);
    else if (task->attempt.op.pending)
        async_time_out_sent(async, task);
    else if (task->queued)
        time_out_queued(async, task);
    else
        go_on(async, task);
}

void idem__task_close(idem_async *async, idem__task *task) {
    idem_error why = {.size = sizeof why};
    if (task->attempt.op.pending) {
        idem__wire *wire = &task->line->link.wire;
        if (idem__wire_was_sent(wire, &task->attempt.op) &&
            task->course.unsure == 0)
            task->course.unsure = IDEM_E_LOST;
        idem__calls_remove(&wire->calls, &task->attempt.op);
    }
    int32_t code =
        idem__fail(&why, IDEM_E_CLOSED, "the client was closed by its owner");
    tell_failed(async, task, code, &why);
}

/* ------------------------------------------------------- what a program asks
 */

static idp_slice async_draw_nonce(idem_async *async) {
    idem__nonce_add(async->nonce, 1);
    return (idp_slice){async->nonce, sizeof async->nonce};
}

static bool has_room(const idem_async *async, const idp_request *request) {
    return async->slots_used < IDEM_ASYNC_CALLS_MAX &&
           async->pool.used_bytes + block_bytes(request) <=
               IDEM_ASYNC_BYTES_MAX;
}

/* What settles a claim that is kept, or keeps it, is not given up early. */
static uint32_t fast_ms_of(const idem_async *async,
                           const idp_request *request) {
    uint32_t fast_ms = async->uri.fail_fast_ms;
    bool settles = fast_ms != 0 && request->method != IDP_ACQUIRE &&
                   idem__kept_has(async, request);
    return settles ? 0 : fast_ms;
}

static int32_t begin_call(idem_async *async, idem__ask *ask, idem_done_fn done,
                          void *ctx, uint64_t *id) {
    if (ask->request.method == IDP_ACQUIRE && ask->request.nonce.len == 0)
        ask->request.nonce = async_draw_nonce(async);
    idem__task *task = make_task(async, &ask->request);
    if (task == NULL)
        return IDEM_E_MEMORY;
    task->done = done;
    task->ctx = ctx;
    async->seed += 0x9e3779b97f4a7c15u;
    idem__course_begin(&task->course, &async->selector, ask->request.method,
                       async->now_ms, ask->timeout_ms,
                       fast_ms_of(async, &ask->request), async->seed);
    if (!idem__async_enter(async, &task->alarm, &task->slot)) {
        free_task(async, task);
        return IDEM_E_MEMORY;
    }
    async->tasks_count++;
    idem__watch_count(&async->watch, IDEM__COUNT_CALLS);
    int32_t code = begin_attempt(async, task, NULL);
    if (code != 0) {
        take_out_task(async, task);
        free_task(async, task);
        return code;
    }
    if (id != NULL)
        *id = idem__async_id(async, task->slot);
    return 0;
}

int32_t idem_async_call(idem_async *async, int32_t method,
                        const idem_args *args, uint64_t now_ms,
                        idem_done_fn done, void *ctx, uint64_t *id) {
    idem__ask ask;
    if (!idem__async_be_here(async))
        return IDEM_E_MEMORY;
    if (async->closing)
        return IDEM_E_CLOSED;
    int32_t code = idem__args_read(method, args, &async->uri, &ask, NULL);
    if (code != 0)
        return code;
    if (!has_room(async, &ask.request))
        return IDEM_E_BUSY;
    async->now_ms = now_ms;
    return begin_call(async, &ask, done, ctx, id);
}

int32_t idem__task_renew(idem_async *async, const idem_args *args,
                         idem_done_fn done, void *ctx) {
    idem__ask ask;
    if (async->closing)
        return IDEM_E_CLOSED;
    int32_t code = idem__args_read(IDEM_RENEW, args, &async->uri, &ask, NULL);
    return code != 0 ? code : begin_call(async, &ask, done, ctx, NULL);
}

int32_t idem_async_cancel(idem_async *async, uint64_t id) {
    if (!idem__async_be_here(async) || async->closing)
        return 0;
    idem__alarm *alarm = idem__async_find(async, id);
    if (alarm == NULL || alarm->kind != IDEM__ALARM_CALL)
        return 0;
    idem__task *task =
        (idem__task *)((uint8_t *)alarm - offsetof(idem__task, alarm));
    task->cancelled = true;
    idem__alarms_set(&async->alarms, alarm, 0);
    return 1;
}
