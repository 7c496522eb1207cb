/* SPDX-License-Identifier: Apache-2.0 */
/* client.c -- the blocking client: which lane a call takes, and what is done
 * again after a lost connection. Never sends twice what could count twice: a
 * repeated acquire has its first nonce, all else a token. */
#include "client/src/client.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/src/answer.h"
#include "client/src/args.h"
#include "client/src/mem.h"
#include "client/src/sized.h"
#include "client/src/thread.h"

/* So often does one call go where NOT_PRIMARY sends it. Servers that still send
 * it on then don't know: the other endpoints are asked. */
#define HOPS_MAX 8u

static idem__lane *make_lane(idem_client *client, uint32_t shard) {
    int32_t asked =
        client->uri.shard_aware ? (int32_t)shard : client->uri.shard;
    pthread_mutex_lock(&client->lock);
    idem__lane *lane = atomic_load(&client->lanes[shard]);
    if (lane == NULL && (lane = idem__alloc(sizeof *lane)) != NULL) {
        idem__lane_init(lane, &client->target, asked,
                        atomic_fetch_add(&client->seed, 0x9e3779b97f4a7c15u));
        atomic_store(&client->lanes[shard], lane);
    }
    pthread_mutex_unlock(&client->lock);
    return lane;
}

/* NULL: no memory. */
static idem__lane *lane_of(idem_client *client, uint32_t shard) {
    idem__lane *lane =
        atomic_load_explicit(&client->lanes[shard], memory_order_acquire);
    return lane != NULL ? lane : make_lane(client, shard);
}

/* A nonce is this client's random base plus a count, so that drawing one is no
 * system call. */
static void draw_nonce(idem_client *client, uint8_t nonce[IDEM__NONCE_BYTES]) {
    uint64_t half = 0;
    memcpy(nonce, client->nonce_base, IDEM__NONCE_BYTES);
    memcpy(&half, nonce + 8, sizeof half);
    half += atomic_fetch_add_explicit(&client->nonces_drawn, 1,
                                      memory_order_relaxed);
    memcpy(nonce + 8, &half, sizeof half);
}

/* One call with all its attempts. */
typedef struct errand {
    idem_client *client;
    idp_request request; /* as it was asked */
    uint64_t start_ms;
    uint64_t deadline_ms;
    uint64_t sent_ms; /* of the attempt that was answered */
    idem__stop stop_at;
    bool is_change;
    uint32_t fast_ms; /* 0: it waits for the replica until its deadline */
    idem_answer *answer;
    int32_t unsure; /* LOST or UNREPLICATED: an attempt may have taken effect */
    uint32_t hops;  /* where NOT_PRIMARY sent it on */
    uint32_t unreplicated; /* attempts that ended so */
    bool went_down;        /* the last server that answered is shutting down, */
    idem_error down;       /* and said so */
    idem__backoff backoff; /* between refusals that are tried again */
    idem_error why;        /* of the last attempt */
} errand;

/* Makes the first connection, which tells how many shards there are. */
static int32_t learn(errand *call) {
    idem__lane *lane = lane_of(call->client, 0);
    if (lane == NULL)
        return idem__fail(&call->why, IDEM_E_MEMORY, "no memory for a lane");
    pthread_mutex_lock(&lane->lock);
    idem__limit limit = {call->deadline_ms, call->stop_at};
    int32_t code = idem__lane_up(lane, limit, &call->why);
    pthread_mutex_unlock(&lane->lock);
    return code;
}

static int32_t route(errand *call, idem__waiter *waiter, idem__lane **lane) {
    const idp_request *request = &call->request;
    uint32_t shard = 0;
    while (!idem__target_route(&call->client->target, request->ns, request->key,
                               &shard)) {
        int32_t code = learn(call);
        waiter->now_ms = idem_now_ms();
        if (code != 0)
            return code;
    }
    *lane = lane_of(call->client, shard);
    if (*lane == NULL)
        return idem__fail(&call->why, IDEM_E_MEMORY, "no memory for a lane");
    return 0;
}

static int32_t attempt(errand *call, idem__waiter *waiter) {
    idem__lane *lane = NULL;
    int32_t code = route(call, waiter, &lane);
    if (code != 0)
        return code;
    idp_request request = call->request;
    code = idem__lane_call(lane, waiter, &request);
    if (code == 0 && waiter->trimmed && call->answer != NULL)
        call->answer->kept = 0;
    return code;
}

/* Between two attempts; false when the deadline is too near for another. */
static bool pause_before_next(errand *call) {
    uint64_t now_ms = idem_now_ms();
    uint64_t pause_ms = idem__backoff_pause_ms(&call->backoff, 1);
    call->backoff.attempts++;
    if (now_ms >= call->deadline_ms)
        return false;
    uint64_t left_ms = call->deadline_ms - now_ms;
    if (pause_ms >= left_ms && left_ms < IDEM__PAUSE_MS_FIRST)
        return false;
    if (pause_ms >= left_ms)
        pause_ms = left_ms / 2;
    struct timespec pause = idem__timespec(pause_ms);
    if (pause_ms > 0)
        nanosleep(&pause, NULL);
    return true;
}

/* The primary can't confirm it. It may be about to, or be cut off and replaced
 * by now: it and the others are asked in turns. */
static void note_unreplicated(errand *call, uint64_t serial) {
    idem__watch *watch = &call->client->watch;
    call->unsure = IDEM_E_UNREPLICATED;
    idem__watch_count(watch, IDEM__COUNT_UNREPLICATED);
    idem__watch_changes_wait(watch, call->why.endpoint);
    if (++call->unreplicated % 2 == 0)
        idem__target_failed(&call->client->target, serial);
}

/* Whether another server, or this one a little later, may answer. */
static bool is_worth_another(errand *call, const idem__waiter *waiter,
                             int32_t code) {
    idem__target *target = &call->client->target;
    switch (code) {
    case IDEM_E_LOST:
        if (waiter->sent && call->unsure == 0)
            call->unsure = IDEM_E_LOST;
        /* The lane pauses before it connects again. */
        return !idem__target_stops(target, call->stop_at);
    case IDEM_E_NOT_PRIMARY:
        if (call->hops++ < HOPS_MAX)
            idem__target_redirect(target, waiter->serial, call->why.primary);
        else
            idem__target_failed(target, waiter->serial);
        break;
    case IDEM_E_SHUTTING_DOWN:
        call->went_down = true;
        idem__error_copy(&call->down, &call->why);
        idem__target_failed(target, waiter->serial);
        break;
    case IDEM_E_UNREPLICATED:
        note_unreplicated(call, waiter->serial);
        if (call->fast_ms != 0)
            return false;
        break;
    default:
        return false;
    }
    return pause_before_next(call);
}

/* An attempt that may have taken effect outweighs what a later one says. */
static int32_t conclude(const errand *call, int32_t code, idem_error *err) {
    idem__where where = {call->why.endpoint, call->why.os_error};
    if (call->unsure != 0 && idem_error_assume(code) != IDEM_ASSUME_UNKNOWN)
        return idem__fail_at(err, call->unsure, where,
                             "an attempt of this call may have taken effect "
                             "(%s); ask again with the same nonce or token; "
                             "the last attempt: %.200s",
                             idem_error_text(call->unsure), call->why.text);
    if (call->went_down && idem_error_assume(code) == IDEM_ASSUME_UNCHANGED) {
        idem__error_copy(err, &call->down);
        return IDEM_E_SHUTTING_DOWN;
    }
    if (code == IDEM_E_NOT_PRIMARY) {
        char primary[sizeof call->why.primary];
        memcpy(primary, call->why.primary, sizeof primary);
        idem__fail_at(err, code, where,
                      "no server was the primary before the deadline, and "
                      "the last one that was asked, %s, names %s; see "
                      "idemctl replication",
                      call->why.endpoint, *primary ? primary : "none");
        idem__error_primary(err, primary);
        return code;
    }
    idem__error_copy(err, &call->why);
    return code;
}

/* Whether an attempt may be made at all. */
static int32_t may_go(errand *call, uint64_t now_ms) {
    idem__watch *watch = &call->client->watch;
    if (idem__target_stops(&call->client->target, call->stop_at))
        return idem__fail_stopped(&call->why);
    if (call->fast_ms == 0 ||
        !atomic_load_explicit(&watch->changes_wait, memory_order_relaxed) ||
        idem__watch_may_try(watch, now_ms, call->fast_ms))
        return 0;
    idem__watch_count(watch, IDEM__COUNT_FAILED_FAST);
    return idem__fail(&call->why, IDEM_E_CHANGES_WAIT,
                      "changes wait for the replica; nothing was sent. Ask "
                      "again later, or see idemctl replication");
}

/* Only what was changed tells that changes are confirmed. */
static void note_confirmed(const errand *call) {
    int32_t outcome = call->answer != NULL ? call->answer->outcome : 0;
    if (call->is_change &&
        (outcome == 0 || outcome == IDEM_ACQUIRED ||
         outcome == IDEM_COMPLETED || outcome == IDEM_RELEASED ||
         outcome == IDEM_RENEWED))
        idem__watch_changes_go_on(&call->client->watch);
}

static int32_t carry_out(errand *call, idem_error *err) {
    uint64_t now_ms = call->start_ms;
    for (;;) {
        idem__waiter waiter; /* the lane sets the rest */
        waiter.op.pending = false;
        waiter.op.deadline_ms = call->deadline_ms;
        waiter.parked = false;
        waiter.sent = false;
        waiter.trimmed = false;
        waiter.now_ms = now_ms;
        waiter.start_ms = call->start_ms;
        waiter.stop_at = call->stop_at;
        waiter.is_change = call->is_change && call->request.wait_ms == 0;
        waiter.fast_ms = call->fast_ms;
        waiter.serial = 0;
        waiter.answer = call->answer;
        waiter.err = &call->why;
        int32_t code = may_go(call, now_ms);
        if (code == 0)
            code = attempt(call, &waiter);
        if (code == 0) {
            call->sent_ms = waiter.queued_ms;
            note_confirmed(call);
            return 0;
        }
        if (!is_worth_another(call, &waiter, code)) {
            idem__answer_clear(call->answer);
            return conclude(call, code, err);
        }
        now_ms = idem_now_ms();
        idem__watch_count(&call->client->watch, IDEM__COUNT_REPEATS);
        idem__watch_tell(&call->client->watch);
    }
}

static void begin(errand *call, idem_client *client, uint64_t timeout_ms) {
    call->client = client;
    call->start_ms = idem_now_ms();
    call->deadline_ms = call->start_ms + timeout_ms;
    call->unsure = 0;
    call->stop_at = IDEM__STOP_CALLS;
    call->is_change = false;
    call->fast_ms = 0;
    call->sent_ms = call->start_ms;
    call->hops = 0;
    call->unreplicated = 0;
    call->went_down = false;
    call->down.size = sizeof call->down;
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
        draw_nonce(client, nonce);
        ask.request.nonce = (idp_slice){nonce, sizeof nonce};
    }
    errand call;
    begin(&call, client, ask.timeout_ms);
    call.request = ask.request;
    call.answer = answer;
    if (times != NULL && method != IDEM_ACQUIRE)
        call.stop_at = IDEM__STOP_ALL; /* it settles what a function did */
    call.is_change = method == IDEM_ACQUIRE || method == IDEM_COMPLETE ||
                     method == IDEM_RELEASE || method == IDEM_RENEW;
    if (call.is_change && call.stop_at == IDEM__STOP_CALLS)
        call.fast_ms = client->uri.fail_fast_ms;
    idem__watch_count(&client->watch, IDEM__COUNT_CALLS);
    idem__backoff_init(&call.backoff, atomic_load_explicit(
                                          &client->seed, memory_order_relaxed) ^
                                          call.start_ms ^ (uintptr_t)&call);
    int cancel = 0; /* a thread may not end while others wait for its role */
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    code = carry_out(&call, err);
    if (call.fast_ms != 0 &&
        (code == IDEM_E_TIMEOUT || code == IDEM_E_UNREPLICATED))
        idem__watch_try_later(&client->watch, idem_now_ms() + call.fast_ms);
    if (code == IDEM_E_TIMEOUT)
        idem__watch_count(&client->watch, IDEM__COUNT_TIMEOUTS);
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
    errand call;
    int32_t code = idem__sized_check(&idem__info_layout, info, "info", err);
    if (code == 0)
        code = idem__client_be_here(client, err);
    if (code != 0)
        return code;
    begin(&call, client, timeout_ms != 0 ? timeout_ms : client->uri.timeout_ms);
    int cancel = 0;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    code = learn(&call);
    pthread_setcancelstate(cancel, NULL);
    if (code != 0) {
        idem__error_copy(err, &call.why);
        return code;
    }
    idem__lane *lane = lane_of(client, 0);
    pthread_mutex_lock(&lane->lock);
    idem__info_fill(&lane->hello, lane->endpoint.name, info);
    pthread_mutex_unlock(&lane->lock);
    return 0;
}

int32_t idem_acquire(idem_client *client, const idem_args *args,
                     idem_answer *answer, idem_error *err) {
    return idem_call(client, IDEM_ACQUIRE, args, answer, err);
}

int32_t idem_complete(idem_client *client, const idem_args *args,
                      idem_answer *answer, idem_error *err) {
    return idem_call(client, IDEM_COMPLETE, args, answer, err);
}

int32_t idem_release(idem_client *client, const idem_args *args,
                     idem_answer *answer, idem_error *err) {
    return idem_call(client, IDEM_RELEASE, args, answer, err);
}

int32_t idem_renew(idem_client *client, const idem_args *args,
                   idem_answer *answer, idem_error *err) {
    return idem_call(client, IDEM_RENEW, args, answer, err);
}

int32_t idem_peek(idem_client *client, const idem_args *args,
                  idem_answer *answer, idem_error *err) {
    return idem_call(client, IDEM_PEEK, args, answer, err);
}

int32_t idem_ping(idem_client *client, const idem_args *args,
                  idem_answer *answer, idem_error *err) {
    return idem_call(client, IDEM_PING, args, answer, err);
}

int32_t idem_stats(idem_client *client, const idem_args *args,
                   idem_answer *answer, idem_error *err) {
    return idem_call(client, IDEM_STATS, args, answer, err);
}
