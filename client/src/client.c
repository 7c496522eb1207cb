/* SPDX-License-Identifier: Apache-2.0 */
/* client.c -- the blocking client: which shared connection a call takes, and
 * its course driven by the thread that makes it. */
#include "client/src/client.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/src/answer.h"
#include "client/src/args.h"
#include "client/src/course.h"
#include "client/src/mem.h"
#include "client/src/sized.h"
#include "client/src/thread.h"

static idem__shared_conn *make_conn(idem_client *client, uint32_t shard) {
    int32_t asked =
        client->uri.shard_aware ? (int32_t)shard : client->uri.shard;
    pthread_mutex_lock(&client->lock);
    idem__shared_conn *conn = atomic_load(&client->conns[shard]);
    if (conn == NULL && (conn = idem__alloc(sizeof *conn)) != NULL) {
        idem__shared_conn_init(
            conn, &client->selector, asked,
            atomic_fetch_add(&client->seed, 0x9e3779b97f4a7c15u));
        atomic_store(&client->conns[shard], conn);
    }
    pthread_mutex_unlock(&client->lock);
    return conn;
}

/* NULL: no memory. */
static idem__shared_conn *conn_of(idem_client *client, uint32_t shard) {
    idem__shared_conn *conn =
        atomic_load_explicit(&client->conns[shard], memory_order_acquire);
    return conn != NULL ? conn : make_conn(client, shard);
}

static void client_draw_nonce(idem_client *client,
                              uint8_t nonce[IDEM__NONCE_BYTES]) {
    memcpy(nonce, client->nonce_base, IDEM__NONCE_BYTES);
    idem__nonce_add(nonce, atomic_fetch_add_explicit(&client->nonces_drawn, 1,
                                                     memory_order_relaxed));
}

/* One call: its course, driven by the thread that makes it. */
typedef struct queued {
    idem_client *client;
    idem__course course;
    idp_request request; /* as it was asked */
    uint64_t sent_ms;    /* of the attempt that was answered */
    idem_answer *answer;
    idem_error why; /* of the last attempt */
} queued;

/* Makes the first connection, which tells how many shards there are. */
static int32_t learn_shards(queued *call) {
    idem__shared_conn *conn = conn_of(call->client, 0);
    if (conn == NULL)
        return idem__fail(&call->why, IDEM_E_MEMORY,
                          "no memory for a connection");
    pthread_mutex_lock(&conn->lock);
    idem__limit limit = {call->course.deadline_ms, call->course.stop_at};
    int32_t code = idem__shared_conn_up(conn, limit, &call->why);
    pthread_mutex_unlock(&conn->lock);
    return code;
}

static int32_t route_call(queued *call, idem__waiter *waiter,
                          idem__shared_conn **conn) {
    const idp_request *request = &call->request;
    uint32_t shard = 0;
    while (!idem__selector_route(&call->client->selector, request->ns,
                                 request->key, &shard)) {
        int32_t code = learn_shards(call);
        waiter->now_ms = idem_now_ms();
        if (code != 0)
            return code;
    }
    *conn = conn_of(call->client, shard);
    if (*conn == NULL)
        return idem__fail(&call->why, IDEM_E_MEMORY,
                          "no memory for a connection");
    return 0;
}

static int32_t attempt_call(queued *call, idem__waiter *waiter) {
    idem__shared_conn *conn = NULL;
    int32_t code = route_call(call, waiter, &conn);
    if (code != 0)
        return code;
    idp_request request = call->request;
    return idem__shared_conn_call(conn, waiter, &request);
}

static void sleep_ms(uint32_t pause_ms) {
    struct timespec pause = idem__timespec(pause_ms);
    if (pause_ms > 0)
        nanosleep(&pause, NULL);
}

static int32_t carry_out_call(queued *call, idem_error *err) {
    idem__course *course = &call->course;
    uint64_t now_ms = course->start_ms;
    for (;;) {
        idem__waiter waiter; /* the shared connection sets the rest */
        idem__course_attempt(course, call->request.wait_ms, &waiter.attempt);
        waiter.parked = false;
        waiter.now_ms = now_ms;
        waiter.stop_at = course->stop_at;
        waiter.answer = call->answer;
        waiter.err = &call->why;
        int32_t code = idem__course_may_go(course, now_ms, &call->why);
        if (code == 0)
            code = attempt_call(call, &waiter);
        if (code == 0) {
            call->sent_ms = waiter.attempt.queued_ms;
            idem__course_answered(
                course, call->answer != NULL ? call->answer->outcome : 0);
            return 0;
        }
        uint32_t pause_ms = 0;
        now_ms = idem_now_ms();
        if (!idem__course_goes_on(course, &waiter.attempt, code, &call->why,
                                  now_ms, &pause_ms)) {
            idem__answer_clear(call->answer);
            return idem__course_conclude(course, code, &call->why, now_ms, err);
        }
        sleep_ms(pause_ms);
        now_ms = idem_now_ms();
        idem__watch_tell(&call->client->watch);
    }
}

static void start_call(queued *call, idem_client *client, idp_method method,
                       uint64_t timeout_ms, uint32_t fast_ms) {
    uint64_t now_ms = idem_now_ms();
    uint64_t seed = atomic_load_explicit(&client->seed, memory_order_relaxed);
    call->client = client;
    idem__course_begin(&call->course, &client->selector, method, now_ms,
                       timeout_ms, fast_ms, seed ^ now_ms ^ (uintptr_t)call);
    call->sent_ms = now_ms;
    call->why.size = sizeof call->why;
    call->why.code = 0;
    call->why.text[0] = '\0';
    call->why.endpoint[0] = '\0';
    call->why.primary[0] = '\0';
    call->why.os_error = 0;
}

int32_t idem_call(idem_client *client, int32_t method, const idem_args *args,
                  idem_answer *answer, idem_error *err) {
    return idem__client_call(client, method, args, answer, err, NULL);
}

int32_t idem__client_call(idem_client *client, int32_t method,
                          const idem_args *args, idem_answer *answer,
                          idem_error *err, idem__times *times) {
    uint8_t nonce[IDEM__NONCE_BYTES];
    idem__ask ask;
    int32_t code = idem__answer_check(answer, err);
    if (code == 0)
        code = idem__client_be_here(client, err);
    if (code != 0)
        return code;
    idem__answer_clear(answer);
    code = idem__args_read(method, args, &client->uri, &ask, err);
    if (code != 0)
        return code;
    if (method == IDEM_ACQUIRE && ask.request.nonce.len == 0) {
        client_draw_nonce(client, nonce);
        ask.request.nonce = (idp_slice){nonce, sizeof nonce};
    }
    queued call;
    /* What settles what a function did is neither stopped nor given up. */
    const bool settles = times != NULL && method != IDEM_ACQUIRE;
    start_call(&call, client, ask.request.method, ask.timeout_ms,
               settles ? 0 : client->uri.fail_fast_ms);
    if (settles)
        call.course.stop_at = IDEM__STOP_ALL;
    call.request = ask.request;
    call.answer = answer;
    idem__watch_count(&client->watch, IDEM__COUNT_CALLS);
    int cancel = 0; /* a thread may not end while others wait for its role */
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    code = carry_out_call(&call, err);
    idem__course_end(&call.course);
    idem__watch_tell(&client->watch);
    pthread_setcancelstate(cancel, NULL);
    if (code == 0)
        idem__answer_nonce(answer, ask.request.nonce);
    else
        idem__error_nonce(err, ask.request.nonce);
    if (times != NULL)
        *times = (idem__times){call.sent_ms, idem_now_ms()};
    return code;
}

int32_t idem_client_info(idem_client *client, uint32_t timeout_ms,
                         idem_info *info, idem_error *err) {
    queued call;
    int32_t code = idem__sized_check(&idem__info_layout, info, "info", err);
    if (code == 0)
        code = idem__client_be_here(client, err);
    if (code != 0)
        return code;
    start_call(&call, client, IDP_HELLO,
               timeout_ms != 0 ? timeout_ms : client->uri.timeout_ms, 0);
    int cancel = 0;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    code = learn_shards(&call);
    pthread_setcancelstate(cancel, NULL);
    if (code != 0) {
        idem__error_copy(err, &call.why);
        return code;
    }
    idem__shared_conn *conn = conn_of(client, 0);
    pthread_mutex_lock(&conn->lock);
    idem__info_fill(&conn->link.hello, conn->link.endpoint.name, info);
    pthread_mutex_unlock(&conn->lock);
    return 0;
}
