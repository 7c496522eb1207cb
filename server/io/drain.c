/* SPDX-License-Identifier: Apache-2.0 */
/* drain.c -- the daemon's orderly end; see drain.h. */
#include "server/io/drain.h"

#include "server/base/log.h"
#include "server/io/notify.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define DRAIN_MS      5000
#define DRAIN_LOOK_MS 10

static void look_whether_drained(uv_timer_t *handle) {
    ids_drain *d = handle->data;
    ids_net *net = &d->loop->net;
    ids_net_wake_up(net);
    size_t left =
        atomic_load_explicit(&net->places->connections, memory_order_relaxed);
    if (left && net->worker->now_ms < d->end_ms)
        return;
    ids_log(IDS_LOG_INFO, "stopped", "connections_cut=%zu", left);
    d->stop(d->ctx);
}

static void close_listeners(uv_timer_t *handle) {
    ids_drain *d = handle->data;
    ids_worker *worker = d->loop->worker;
    ids_net_wake_up(&d->loop->net);
    assert(d->begun && !d->end_ms);
    d->end_ms = worker->now_ms + DRAIN_MS;
    ids_acceptor_close(d->acceptor);
    ids_worker_tell_others(worker, IDS_NOTICE_DRAIN);
    ids_loop_drain(d->loop);
    uv_timer_start(&d->timer, look_whether_drained, 0, DRAIN_LOOK_MS);
}

static void end_at_once(int signal) {
    ids_log(IDS_LOG_WARN, "second signal: stopped at once", "signal=%d",
            signal);
    ids_log_flush();
    _exit(EXIT_FAILURE);
}

int ids_drain_init(ids_drain *drain, ids_loop *loop, ids_acceptor *acceptor,
                   void (*stop)(void *ctx), void *ctx) {
    *drain = (ids_drain){
        .loop = loop, .acceptor = acceptor, .stop = stop, .ctx = ctx};
    drain->timer.data = drain;
    return uv_timer_init(&loop->uv, &drain->timer);
}

void ids_drain_begin(ids_drain *drain, int signal, uint64_t delay_ms) {
    if (drain->begun && signal == SIGXCPU)
        return; /* it comes each second from its limit on */
    if (drain->begun)
        end_at_once(signal);
    drain->begun = true;
    ids_log(IDS_LOG_INFO, "draining", "signal=%d delay_ms=%llu", signal,
            (unsigned long long)delay_ms);
    ids_notify_stopping();
    if (delay_ms)
        uv_timer_start(&drain->timer, close_listeners, delay_ms, 0);
    else
        close_listeners(&drain->timer);
}

void ids_drain_close(ids_drain *drain) {
    uv_close((uv_handle_t *)&drain->timer, NULL);
}
