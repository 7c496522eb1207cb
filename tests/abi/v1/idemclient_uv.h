/* SPDX-License-Identifier: Apache-2.0 */
/* idemclient_uv.h, frozen: see README.md. */
#ifndef IDEMCLIENT_UV_H
#define IDEMCLIENT_UV_H
#include "idemclient.h"
#include <stdlib.h>
#include <uv.h>
#ifdef __cplusplus
extern "C" {
#endif
typedef void (*idem_uv_closed_fn)(void *ctx);
typedef struct idem_uv {
    uv_loop_t *loop;
    idem_conn *conn;
    uv_timer_t timer;
    uv_prepare_t flush;
    uv_poll_t *poll;
    uint64_t fd_serial;
    int events;
    int handles;
    idem_uv_closed_fn closed;
    void *closed_ctx;
} idem_uv;
static inline void idem_uv__update(idem_uv *uv);
static inline void idem_uv__process(idem_uv *uv, uint32_t ready) {
    idem_conn_process(uv->conn, ready, idem_now_ms());
    idem_uv__update(uv);
}
static inline void idem_uv__on_poll(uv_poll_t *poll, int status, int events) {
    idem_uv *uv = (idem_uv *)poll->data;
    uint32_t ready = 0;
    if (status < 0 || (events & UV_READABLE) != 0)
        ready |= IDEM_READ;
    if (status < 0 || (events & UV_WRITABLE) != 0)
        ready |= IDEM_WRITE;
    idem_uv__process(uv, ready);
}
static inline void idem_uv__on_timer(uv_timer_t *timer) {
    idem_uv__process((idem_uv *)timer->data, 0);
}
static inline void idem_uv__on_flush(uv_prepare_t *flush) {
    idem_uv *uv = (idem_uv *)flush->data;
    if ((idem_conn_wanted(uv->conn) & IDEM_WRITE) != 0 &&
        (uv->events & UV_WRITABLE) == 0)
        idem_uv__process(uv, 0);
    else
        idem_uv__update(uv);
}
static inline void idem_uv__on_poll_closed(uv_handle_t *handle) {
    free(handle);
}
static inline void idem_uv__drop_poll(idem_uv *uv) {
    if (uv->poll == NULL)
        return;
    uv_poll_stop(uv->poll);
    uv_close((uv_handle_t *)uv->poll, idem_uv__on_poll_closed);
    uv->poll = NULL;
    uv->events = 0;
}
static inline void idem_uv__watch(idem_uv *uv, int fd) {
    if (uv->poll == NULL && fd >= 0) {
        uv->poll = (uv_poll_t *)malloc(sizeof *uv->poll);
        if (uv->poll == NULL)
            return;
        if (uv_poll_init(uv->loop, uv->poll, fd) != 0) {
            free(uv->poll);
            uv->poll = NULL;
            return;
        }
        uv->poll->data = uv;
        uv->fd_serial = idem_conn_fd_serial(uv->conn);
    }
    uint32_t wanted = idem_conn_wanted(uv->conn);
    int events = ((wanted & IDEM_READ) != 0 ? UV_READABLE : 0) |
                 ((wanted & IDEM_WRITE) != 0 ? UV_WRITABLE : 0);
    if (uv->poll != NULL && events != uv->events) {
        uv->events = events;
        uv_poll_start(uv->poll, events, idem_uv__on_poll);
    }
}
static inline void idem_uv__update(idem_uv *uv) {
    int fd = idem_conn_fd(uv->conn);
    if (fd < 0 || uv->fd_serial != idem_conn_fd_serial(uv->conn))
        idem_uv__drop_poll(uv);
    idem_uv__watch(uv, fd);
    int32_t timeout_ms = idem_conn_timeout_ms(uv->conn, idem_now_ms());
    if (timeout_ms < 0) {
        uv_timer_stop(&uv->timer);
        return;
    }
    uv_update_time(uv->loop);
    uv_timer_start(&uv->timer, idem_uv__on_timer, (uint64_t)timeout_ms, 0);
}
static inline int32_t idem_uv_open(uv_loop_t *loop, const char *uri,
                                   idem_uv **opened, idem_error *err) {
    *opened = NULL;
    idem_uv *uv = (idem_uv *)calloc(1, sizeof *uv);
    if (uv == NULL)
        return IDEM_E_MEMORY;
    uv->loop = loop;
    int32_t code = idem_conn_open(uri, idem_now_ms(), &uv->conn, err);
    if (code != 0) {
        free(uv);
        return code;
    }
    uv_timer_init(loop, &uv->timer);
    uv_prepare_init(loop, &uv->flush);
    uv->timer.data = uv;
    uv->flush.data = uv;
    uv->handles = 2;
    uv_prepare_start(&uv->flush, idem_uv__on_flush);
    uv_unref((uv_handle_t *)&uv->flush);
    idem_uv__update(uv);
    *opened = uv;
    return 0;
}
static inline int32_t idem_uv_call(idem_uv *uv, int32_t method,
                                   const idem_args *args, idem_done_fn done,
                                   void *ctx) {
    return idem_conn_call(uv->conn, method, args, idem_now_ms(), done, ctx);
}
static inline void idem_uv__on_closed(uv_handle_t *handle) {
    idem_uv *uv = (idem_uv *)handle->data;
    if (--uv->handles > 0)
        return;
    idem_uv_closed_fn closed = uv->closed;
    void *ctx = uv->closed_ctx;
    free(uv);
    if (closed != NULL)
        closed(ctx);
}
static inline void idem_uv_close(idem_uv *uv, idem_uv_closed_fn closed,
                                 void *ctx) {
    uv->closed = closed;
    uv->closed_ctx = ctx;
    idem_uv__drop_poll(uv);
    idem_conn_close(uv->conn);
    uv->conn = NULL;
    uv_close((uv_handle_t *)&uv->timer, idem_uv__on_closed);
    uv_close((uv_handle_t *)&uv->flush, idem_uv__on_closed);
}
#ifdef __cplusplus
}
#endif
#endif
