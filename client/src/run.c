/* run.c -- idem_run_once: what an annotation is in other languages. Built on
 * the blocking client's public calls alone. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "client/src/answer.h"
#include "client/src/client.h"
#include "client/src/mem.h"
#include "client/src/sized.h"

struct idem_run {
    idem_client *client;
    idem_args args; /* of the calls under the claim */
    uint32_t attempt;
    int32_t previous;
    void *result; /* ours */
    /* The renewing thread's. */
    _Atomic int32_t lost;
    pthread_mutex_t lock;
    pthread_cond_t stop;
    bool stopping; /* under lock */
    uint64_t lease_end_ms;
};

void idem_run_token(const idem_run *run, idem_token *token) {
    *token = run->args.token;
}

uint32_t idem_run_attempt(const idem_run *run) {
    return run->attempt;
}

int32_t idem_run_previous(const idem_run *run) {
    return run->previous;
}

int32_t idem_run_lost(const idem_run *run) {
    return atomic_load(&run->lost);
}

int32_t idem_run_set_result(idem_run *run, const void *result,
                            size_t result_len, int32_t result_class) {
    if (result_class != 0 && result_class != IDEM_CLASS_SUCCESS &&
        result_class != IDEM_CLASS_ERROR)
        return IDEM_E_ARGUMENT;
    if (result == NULL && result_len != 0)
        return IDEM_E_ARGUMENT;
    void *copy = NULL;
    if (result != NULL && (copy = idem__alloc(result_len + 1)) == NULL)
        return IDEM_E_MEMORY;
    if (result_len > 0)
        memcpy(copy, result, result_len);
    idem__free(run->result);
    run->result = copy;
    run->args.result = copy;
    run->args.result_len = result_len;
    run->args.result_class =
        result_class != 0 ? result_class : IDEM_CLASS_SUCCESS;
    return 0;
}

/* Sleeps until then, or until it is told to stop; the lock is held. */
static void sleep_until(idem_run *run, uint64_t until_ms) {
    struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                             .tv_nsec = (long)(until_ms % 1000) * 1000000};
    int timed_out = 0;
    while (!run->stopping && timed_out == 0)
        timed_out = pthread_cond_timedwait(&run->stop, &run->lock, &until);
}

/* Renews once, without the lock. False when the claim is lost. */
static bool renew(idem_run *run) {
    idem_answer answer = {.size = sizeof answer};
    uint64_t asked_ms = idem_now_ms();
    if (asked_ms >= run->lease_end_ms)
        return false;
    idem_args args = run->args;
    uint64_t left_ms = run->lease_end_ms - asked_ms;
    if (args.timeout_ms == 0 || args.timeout_ms > left_ms)
        args.timeout_ms = (uint32_t)left_ms;
    int32_t code = idem_renew(run->client, &args, &answer, NULL);
    bool renewed = code == 0 && answer.outcome == IDEM_RENEWED;
    if (renewed)
        run->lease_end_ms = asked_ms + args.lease_ms;
    idem_answer_fini(&answer);
    return renewed || (code != 0 && idem_now_ms() < run->lease_end_ms);
}

static void *keep_renewing(void *arg) {
    idem_run *run = arg;
    uint32_t period_ms = run->args.lease_ms / 3 + 1;
    pthread_mutex_lock(&run->lock);
    for (;;) {
        sleep_until(run, idem_now_ms() + period_ms);
        if (run->stopping)
            break;
        pthread_mutex_unlock(&run->lock);
        bool ours = renew(run);
        pthread_mutex_lock(&run->lock);
        if (!ours) {
            atomic_store(&run->lost, 1);
            break;
        }
    }
    pthread_mutex_unlock(&run->lock);
    return NULL;
}

/* Calls fn, with the helper beside it where that is asked for. False when the
 * helper can't be had; fn was not called then. */
static bool call_function(idem_run *run, idem_run_fn fn, void *ctx,
                          int32_t *verdict) {
    if (!run->args.auto_renew) {
        *verdict = fn(run, ctx);
        return true;
    }
    pthread_t helper;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&run->lock, NULL);
    pthread_cond_init(&run->stop, &attr);
    pthread_condattr_destroy(&attr);
    bool helped = pthread_create(&helper, NULL, keep_renewing, run) == 0;
    if (helped) {
        *verdict = fn(run, ctx);
        pthread_mutex_lock(&run->lock);
        run->stopping = true;
        pthread_cond_signal(&run->stop);
        pthread_mutex_unlock(&run->lock);
        pthread_join(helper, NULL);
    }
    pthread_cond_destroy(&run->stop);
    pthread_mutex_destroy(&run->lock);
    return helped;
}

/* The effect has happened: whatever keeps it from being recorded is told as
 * that. */
static int32_t record(idem_run *run, idem_answer *answer, idem_error *err) {
    idem_error why = {.size = sizeof why};
    int32_t code = idem_complete(run->client, &run->args, answer, &why);
    if (code != 0)
        return idem__fail_at(
            err, IDEM_E_NOT_RECORDED, (idem__where){why.endpoint, why.os_error},
            "the function has run, and its completion is not confirmed: "
            "%.250s",
            why.text);
    if (answer->outcome != IDEM_COMPLETED)
        return 0;
    idem_answer view = *answer;
    view.attempt = run->attempt;
    view.token = run->args.token;
    view.has_result = run->args.result != NULL;
    view.result = run->args.result;
    view.result_len = run->args.result_len;
    view.result_class = run->args.result_class;
    if (idem__answer_copy(answer, &view) == 0)
        return 0;
    return idem__fail(err, IDEM_E_MEMORY,
                      "it was done and recorded, but there is no memory to "
                      "hand its result on");
}

static int32_t give_back(idem_run *run, idem_answer *answer) {
    int32_t code = idem_release(run->client, &run->args, answer, NULL);
    if (code != 0) {
        idem__answer_clear(answer);
        answer->outcome = IDEM_RELEASED;
        return 0;
    }
    answer->kept = answer->outcome == IDEM_RELEASED;
    return 0;
}

static int32_t settle(idem_run *run, int32_t verdict, idem_answer *answer,
                      idem_error *err) {
    switch (verdict) {
    case IDEM_RUN_DONE:
        return record(run, answer, err);
    case IDEM_RUN_FAILED:
        return give_back(run, answer);
    case IDEM_RUN_UNSURE:
        answer->outcome = IDEM_LEFT;
        return 0;
    default:
        return idem__fail(err, IDEM_E_ARGUMENT,
                          "the function returned %d, which is no IDEM_RUN_; "
                          "its claim is left",
                          (int)verdict);
    }
}

/* answer is the acquire's. */
static int32_t run_claimed(idem_run *run, idem_run_fn fn, void *ctx,
                           idem_answer *answer, idem_error *err) {
    int32_t verdict = IDEM_RUN_UNSURE;
    run->args.token = answer->token;
    run->args.lease_ms = (uint32_t)answer->lease_ms;
    run->args.ttl_ms = 0; /* the acquire's stays */
    run->args.result = NULL;
    run->args.result_len = 0;
    run->args.result_class = IDEM_CLASS_SUCCESS;
    run->attempt = answer->attempt;
    run->previous = answer->previous;
    run->lease_end_ms += answer->lease_ms;
    if (call_function(run, fn, ctx, &verdict))
        return settle(run, verdict, answer, err);
    give_back(run, answer);
    idem__answer_clear(answer);
    return idem__fail(err, IDEM_E_MEMORY, "no thread to renew the lease");
}

int32_t idem_run_once(idem_client *client, const idem_args *args,
                      idem_run_fn fn, void *ctx, idem_answer *answer,
                      idem_error *err) {
    if (fn == NULL || answer == NULL)
        return idem__fail(err, IDEM_E_ARGUMENT, "fn or answer is NULL");
    /* The lease counts from before the server gave it. */
    idem_run run = {.client = client, .lease_end_ms = idem_now_ms()};
    int32_t code =
        idem__sized_in(&idem__args_layout, &run.args, args, "args", err);
    if (code != 0)
        return code;
    code = idem_acquire(client, &run.args, answer, err);
    if (code != 0 || answer->outcome != IDEM_ACQUIRED)
        return code;
    code = run_claimed(&run, fn, ctx, answer, err);
    idem__free(run.result);
    return code;
}
