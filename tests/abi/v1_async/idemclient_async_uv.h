/* SPDX-License-Identifier: Apache-2.0 */
/* idemclient_async_uv.h, frozen: see README.md. */
#ifndef IDEMCLIENT_ASYNC_UV_H
#define IDEMCLIENT_ASYNC_UV_H
#include "idemclient_async.h"
#include <stdlib.h>
#include <uv.h>
#ifdef __cplusplus
extern "C" {
#endif
typedef void (*idem_async_uv_closed_fn)(void *ctx);
struct idem_async_uv;
typedef struct idem_async_uv_line {
    struct idem_async_uv *uv;
    uv_poll_t *poll;
    uint64_t fd_serial;
    uint32_t line;
    int events;
} idem_async_uv_line;
typedef struct idem_async_uv {
    uv_loop_t *loop;
    idem_async *async;
    uv_timer_t timer;
    uint64_t timer_ms;
    uv_prepare_t flush;
    idem_async_uv_line **lines;
    uint32_t lines_count;
    int handles;
    idem_async_uv_closed_fn closed;
    void *closed_ctx;
} idem_async_uv;
static inline void idem_async_uv__watch(idem_async_uv *uv);
static inline void idem_async_uv__process(idem_async_uv *uv,
                                          const idem_async_ready *ready,
                                          size_t ready_count) {
    idem_async_process(uv->async, ready, ready_count, idem_now_ms());
    if (uv->async != NULL)
        idem_async_uv__watch(uv);
}
static inline void idem_async_uv__on_poll(uv_poll_t *poll, int status,
                                          int events) {
    idem_async_uv_line *line = (idem_async_uv_line *)poll->data;
    idem_async_ready ready = {line->line, 0};
    if (status < 0 || (events & UV_READABLE) != 0)
        ready.events |= IDEM_READ;
    if (status < 0 || (events & UV_WRITABLE) != 0)
        ready.events |= IDEM_WRITE;
    idem_async_uv__process(line->uv, &ready, 1);
}
static inline void idem_async_uv__on_poll_closed(uv_handle_t *handle) {
    free(handle);
}
static inline void idem_async_uv__drop(idem_async_uv_line *line) {
    if (line->poll == NULL)
        return;
    uv_poll_stop(line->poll);
    uv_close((uv_handle_t *)line->poll, idem_async_uv__on_poll_closed);
    line->poll = NULL;
    line->events = 0;
}
static inline void idem_async_uv__begin(idem_async_uv_line *line, int fd,
                                        uint64_t fd_serial) {
    uv_poll_t *poll = (uv_poll_t *)malloc(sizeof *poll);
    if (poll == NULL)
        return;
    if (uv_poll_init(line->uv->loop, poll, fd) != 0) {
        free(poll);
        return;
    }
    poll->data = line;
    line->poll = poll;
    line->fd_serial = fd_serial;
}
static inline void idem_async_uv__watch_line(idem_async_uv *uv,
                                             idem_async_uv_line *line) {
    int fd = idem_async_fd(uv->async, line->line);
    uint64_t fd_serial = idem_async_fd_serial(uv->async, line->line);
    uint32_t wanted = idem_async_wanted(uv->async, line->line);
    if (fd < 0 || line->fd_serial != fd_serial)
        idem_async_uv__drop(line);
    if (fd >= 0 && line->poll == NULL)
        idem_async_uv__begin(line, fd, fd_serial);
    int events = ((wanted & IDEM_READ) != 0 ? UV_READABLE : 0) |
                 ((wanted & IDEM_WRITE) != 0 ? UV_WRITABLE : 0);
    if (line->poll != NULL && events != line->events) {
        line->events = events;
        uv_poll_start(line->poll, events, idem_async_uv__on_poll);
    }
}
static inline int idem_async_uv__widen(idem_async_uv *uv, uint32_t count) {
    idem_async_uv_line **lines =
        (idem_async_uv_line **)realloc(uv->lines, count * sizeof *lines);
    if (lines == NULL)
        return 0;
    uv->lines = lines;
    while (uv->lines_count < count) {
        idem_async_uv_line *line =
            (idem_async_uv_line *)calloc(1, sizeof *line);
        if (line == NULL)
            return 0;
        line->uv = uv;
        line->line = uv->lines_count;
        lines[uv->lines_count++] = line;
    }
    return 1;
}
static inline void idem_async_uv__watch(idem_async_uv *uv) {
    uint32_t count = idem_async_lines(uv->async);
    if (count > uv->lines_count)
        (void)idem_async_uv__widen(uv, count);
    for (uint32_t i = 0; i < uv->lines_count; i++)
        idem_async_uv__watch_line(uv, uv->lines[i]);
}
static inline void idem_async_uv__on_timer(uv_timer_t *timer);
static inline void idem_async_uv__set_timer(idem_async_uv *uv) {
    uint64_t now_ms = idem_now_ms();
    int32_t timeout_ms = idem_async_timeout_ms(uv->async, now_ms);
    if (timeout_ms < 0) {
        uv_timer_stop(&uv->timer);
        return;
    }
    uint64_t at_ms = now_ms + (uint64_t)timeout_ms;
    if (uv_is_active((uv_handle_t *)&uv->timer) && uv->timer_ms <= at_ms)
        return;
    uv->timer_ms = at_ms;
    uv_update_time(uv->loop);
    uv_timer_start(&uv->timer, idem_async_uv__on_timer, (uint64_t)timeout_ms,
                   0);
}
static inline void idem_async_uv__on_timer(uv_timer_t *timer) {
    idem_async_uv__process((idem_async_uv *)timer->data, NULL, 0);
}
static inline void idem_async_uv__on_flush(uv_prepare_t *flush) {
    idem_async_uv *uv = (idem_async_uv *)flush->data;
    if (idem_async_has_output(uv->async))
        idem_async_uv__process(uv, NULL, 0);
    if (uv->async != NULL)
        idem_async_uv__set_timer(uv);
}
static inline int32_t idem_async_uv_open(uv_loop_t *loop, const char *uri,
                                         idem_async_uv **opened,
                                         idem_error *err) {
    *opened = NULL;
    idem_async_uv *uv = (idem_async_uv *)calloc(1, sizeof *uv);
    if (uv == NULL)
        return IDEM_E_MEMORY;
    uv->loop = loop;
    int32_t code = idem_async_open(uri, &uv->async, err);
    if (code != 0) {
        free(uv);
        return code;
    }
    uv_timer_init(loop, &uv->timer);
    uv_prepare_init(loop, &uv->flush);
    uv->timer.data = uv;
    uv->flush.data = uv;
    uv->handles = 2;
    uv_prepare_start(&uv->flush, idem_async_uv__on_flush);
    uv_unref((uv_handle_t *)&uv->flush);
    *opened = uv;
    return 0;
}
static inline int32_t idem_async_uv_call(idem_async_uv *uv, int32_t method,
                                         const idem_args *args,
                                         idem_done_fn done, void *ctx,
                                         uint64_t *id) {
    if (uv->async == NULL)
        return IDEM_E_CLOSED;
    int32_t code =
        idem_async_call(uv->async, method, args, idem_now_ms(), done, ctx, id);
    if (code == 0 && !uv_is_active((uv_handle_t *)&uv->timer))
        idem_async_uv__set_timer(uv);
    return code;
}
static inline void idem_async_uv__on_closed(uv_handle_t *handle) {
    idem_async_uv *uv = (idem_async_uv *)handle->data;
    if (--uv->handles > 0)
        return;
    idem_async_uv_closed_fn closed = uv->closed;
    void *ctx = uv->closed_ctx;
    for (uint32_t i = 0; i < uv->lines_count; i++)
        free(uv->lines[i]);
    free(uv->lines);
    free(uv);
    if (closed != NULL)
        closed(ctx);
}
static inline void idem_async_uv_close(idem_async_uv *uv,
                                       idem_async_uv_closed_fn closed,
                                       void *ctx) {
    idem_async *async = uv->async;
    uv->closed = closed;
    uv->closed_ctx = ctx;
    uv->async = NULL;
    for (uint32_t i = 0; i < uv->lines_count; i++)
        idem_async_uv__drop(uv->lines[i]);
    uv_close((uv_handle_t *)&uv->timer, idem_async_uv__on_closed);
    uv_close((uv_handle_t *)&uv->flush, idem_async_uv__on_closed);
    idem_async_close(async);
}
#ifdef __cplusplus
}
#endif
#endif
