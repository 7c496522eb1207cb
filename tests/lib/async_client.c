/* SPDX-License-Identifier: Apache-2.0 */
/* async_client.c -- see async_client.h. Threads hand their calls to the one
 * that turns the loop, and sleep until it has their answer. */
#include "tests/lib/async_client.h"

#include "client/include/idemclient.h"
#include "client/include/idemclient_async_poll.h"

#include <assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/src/answer.h"
#include "client/src/args.h"
#include "client/src/error.h"

typedef enum job_kind {
    JOB_CALL,
    JOB_INFO,
    JOB_STATUS,
    JOB_WATCH,
    JOB_LET_GO,
    JOB_CANCEL_ALL
} job_kind;

struct idem_run {
    idem_client *client;
    idem_args args;
    idem_answer acquired;
    uint64_t lease; /* 0: none is kept */
    atomic_int lost;
    void *result;
};

/* What a thread wants of the loop's. */
typedef struct job {
    struct job *next;
    struct job *next_under_way;
    idem_client *client;
    job_kind kind;
    int32_t method;
    const idem_args *args;
    idem_answer *answer;
    idem_error *err;
    idem_run *keep; /* acquire: to be renewed from its answer on */
    void *what;     /* info, status; watch: the function */
    void *ctx;
    uint64_t id;
    int32_t code;
    bool over;
    pthread_cond_t ended;
} job;

struct idem_client {
    idem_async *async;
    idem__uri uri;
    pthread_t thread;
    pthread_mutex_t lock;
    job *first, *last;
    job *under_way; /* the loop's */
    int bell[2];
    bool closing;
    bool stopped; /* the loop's: shut down */
};

/* ------------------------------------------------------- the loop's thread */

static void must(int32_t code) {
    assert(code == 0);
}

static void finish(job *done, int32_t code) {
    idem_client *client = done->client;
    job **link = &client->under_way;
    while (*link != NULL && *link != done)
        link = &(*link)->next_under_way;
    if (*link == done)
        *link = done->next_under_way;
    pthread_mutex_lock(&client->lock);
    done->code = code;
    done->over = true;
    pthread_cond_signal(&done->ended);
    pthread_mutex_unlock(&client->lock);
}

static void hear_lost(void *ctx, int32_t outcome) {
    idem_run *run = ctx;
    (void)outcome;
    atomic_store(&run->lost, 1);
}

static void hear(void *ctx, const idem_answer *answer, const idem_error *err) {
    job *asked = ctx;
    if (err != NULL) {
        idem__error_copy(asked->err, err);
        finish(asked, err->code);
        return;
    }
    if (asked->keep != NULL && answer->outcome == IDEM_ACQUIRED)
        must(idem_async_keep(asked->client->async, hear_lost, asked->keep,
                             &asked->keep->lease));
    must(idem__answer_copy(asked->answer, answer));
    idem__answer_nonce(asked->answer,
                       (idp_slice){answer->nonce_len > 0 ? answer->nonce : NULL,
                                   answer->nonce_len});
    finish(asked, 0);
}

static void begin_call(idem_client *client, job *asked) {
    int32_t code = IDEM_E_CLOSED;
    asked->next_under_way = client->under_way;
    client->under_way = asked;
    if (!client->stopped)
        code = idem_async_call(client->async, asked->method, asked->args,
                               idem_now_ms(), hear, asked, &asked->id);
    if (code == 0)
        return;
    idem__fail(asked->err, code, "%s", idem_error_text(code));
    finish(asked, code);
}

static void cancel_all(idem_client *client) {
    client->stopped = true;
    for (job *at = client->under_way; at != NULL; at = at->next_under_way)
        idem_async_cancel(client->async, at->id);
}

static void do_job(idem_client *client, job *asked) {
    int32_t code = 0;
    switch (asked->kind) {
    case JOB_CALL:
        begin_call(client, asked);
        return;
    case JOB_INFO:
        code = idem_async_info(client->async, asked->what);
        break;
    case JOB_STATUS:
        code = idem_async_status(client->async, asked->what);
        break;
    case JOB_WATCH:
        code = idem_async_watch(client->async, *(idem_event_fn *)asked->what,
                                asked->ctx);
        break;
    case JOB_LET_GO:
        (void)idem_async_let_go(client->async, asked->id);
        break;
    case JOB_CANCEL_ALL:
        cancel_all(client);
        free(asked);
        return;
    }
    finish(asked, code);
}

static job *take_job(idem_client *client) {
    pthread_mutex_lock(&client->lock);
    job *asked = client->first;
    if (asked != NULL)
        client->first = asked->next;
    pthread_mutex_unlock(&client->lock);
    return asked;
}

static void *turn_loop(void *arg) {
    idem_client *client = arg;
    bool closing = false;
    while (!closing) {
        struct pollfd fds[65] = {{.fd = client->bell[0], .events = POLLIN}};
        int timeout_ms = -1;
        char rings[64];
        job *asked;
        int its = idem_async_poll_fill(client->async, fds + 1, 64, &timeout_ms);
        assert(its >= 0);
        poll(fds, (nfds_t)its + 1, timeout_ms);
        while (read(client->bell[0], rings, sizeof rings) > 0)
            ;
        while ((asked = take_job(client)) != NULL)
            do_job(client, asked);
        int32_t is_open = idem_async_poll_process(client->async, fds + 1, its);
        assert(is_open);
        pthread_mutex_lock(&client->lock);
        closing = client->closing;
        pthread_mutex_unlock(&client->lock);
    }
    return NULL;
}

/* ------------------------------------------------------------- its callers */

/* The lock is held. */
static void submit(idem_client *client, job *asked) {
    asked->next = NULL;
    if (client->first == NULL)
        client->first = asked;
    else
        client->last->next = asked;
    client->last = asked;
    assert(write(client->bell[1], "", 1) == 1);
}

static int32_t do_and_wait(idem_client *client, job *asked) {
    asked->client = client;
    pthread_cond_init(&asked->ended, NULL);
    pthread_mutex_lock(&client->lock);
    submit(client, asked);
    while (!asked->over)
        pthread_cond_wait(&asked->ended, &client->lock);
    pthread_mutex_unlock(&client->lock);
    pthread_cond_destroy(&asked->ended);
    return asked->code;
}

int32_t idem_client_open(const char *uri, idem_client **client,
                         idem_error *err) {
    *client = NULL;
    idem_async *async = NULL;
    int32_t code = idem_async_open(uri, &async, err);
    if (code != 0)
        return code;
    idem_client *made = calloc(1, sizeof *made);
    made->async = async;
    idem__uri_parse(uri, &made->uri, NULL);
    pthread_mutex_init(&made->lock, NULL);
    assert(pipe2(made->bell, O_CLOEXEC | O_NONBLOCK) == 0);
    assert(pthread_create(&made->thread, NULL, turn_loop, made) == 0);
    *client = made;
    return 0;
}

void idem_client_close(idem_client *client) {
    if (client == NULL)
        return;
    pthread_mutex_lock(&client->lock);
    client->closing = true;
    assert(write(client->bell[1], "", 1) == 1);
    pthread_mutex_unlock(&client->lock);
    pthread_join(client->thread, NULL);
    idem_async_close(client->async);
    close(client->bell[0]);
    close(client->bell[1]);
    pthread_mutex_destroy(&client->lock);
    idem__uri_fini(&client->uri);
    free(client);
}

void idem_client_shutdown(idem_client *client) {
    job *asked = calloc(1, sizeof *asked);
    asked->kind = JOB_CANCEL_ALL;
    pthread_mutex_lock(&client->lock);
    submit(client, asked);
    pthread_mutex_unlock(&client->lock);
}

static int32_t call(idem_client *client, int32_t method, const idem_args *args,
                    idem_answer *answer, idem_error *err, idem_run *keep) {
    idem__ask ask;
    int32_t code = idem__answer_check(answer, err);
    if (code == 0)
        code = idem__args_read(method, args, &client->uri, &ask, err);
    idem__answer_clear(answer);
    if (code != 0)
        return code;
    job asked = {.kind = JOB_CALL,
                 .method = method,
                 .args = args,
                 .answer = answer,
                 .err = err,
                 .keep = keep};
    return do_and_wait(client, &asked);
}

int32_t idem_call(idem_client *client, int32_t method, const idem_args *args,
                  idem_answer *answer, idem_error *err) {
    return call(client, method, args, answer, err, NULL);
}

int32_t idem_client_info(idem_client *client, uint32_t timeout_ms,
                         idem_info *info, idem_error *err) {
    idem_args args = {.size = sizeof args, .timeout_ms = timeout_ms};
    int32_t code = idem_ping(client, &args, NULL, err);
    job asked = {.kind = JOB_INFO, .what = info};
    return code != 0 ? code : do_and_wait(client, &asked);
}

int32_t idem_client_status(idem_client *client, idem_status *status) {
    job asked = {.kind = JOB_STATUS, .what = status};
    return do_and_wait(client, &asked);
}

int32_t idem_client_watch(idem_client *client, idem_event_fn on_event,
                          void *ctx) {
    job asked = {.kind = JOB_WATCH, .what = &on_event, .ctx = ctx};
    return do_and_wait(client, &asked);
}

/* ---------------------------------------------------------------- run once */

void idem_run_token(const idem_run *run, idem_token *token) {
    *token = run->args.token;
}

uint32_t idem_run_attempt(const idem_run *run) {
    return run->acquired.attempt;
}

int32_t idem_run_previous(const idem_run *run) {
    return run->acquired.previous;
}

int32_t idem_run_lost(const idem_run *run) {
    return atomic_load(&((idem_run *)run)->lost);
}

int32_t idem_run_set_result(idem_run *run, const void *result,
                            size_t result_len, int32_t result_class) {
    free(run->result);
    run->result = malloc(result_len + 1);
    if (result_len > 0)
        memcpy(run->result, result, result_len);
    run->args.result = result != NULL ? run->result : NULL;
    run->args.result_len = result_len;
    run->args.result_class = result_class;
    return 0;
}

static int32_t settle(idem_run *run, int32_t end, idem_answer *answer,
                      idem_error *err) {
    int32_t code = 0;
    if (end == IDEM_RUN_DONE)
        code = idem_complete(run->client, &run->args, answer, err);
    else if (end == IDEM_RUN_FAILED)
        code = idem_release(run->client, &run->args, answer, err);
    else
        answer->outcome = IDEM_LEFT;
    if (code == 0 && answer->outcome == IDEM_COMPLETED) {
        idem_answer view = *answer; /* with what the function has set */
        view.result = run->args.result;
        view.result_len = run->args.result_len;
        view.has_result = view.result != NULL;
        code = idem__answer_copy(answer, &view);
    }
    if (code == 0 || end != IDEM_RUN_DONE)
        return 0;
    return idem__fail(err, IDEM_E_NOT_RECORDED, "%s",
                      idem_error_text(IDEM_E_NOT_RECORDED));
}

int32_t idem_run_once(idem_client *client, const idem_args *args,
                      idem_run_fn fn, void *ctx, idem_answer *answer,
                      idem_error *err) {
    idem_run run = {.client = client, .args = *args};
    run.acquired.size = sizeof run.acquired;
    int32_t code = call(client, IDEM_ACQUIRE, args, answer, err, &run);
    if (code != 0 || answer->outcome != IDEM_ACQUIRED)
        return code;
    run.acquired.attempt = answer->attempt;
    run.acquired.previous = answer->previous;
    run.args.token = answer->token;
    run.args.ttl_ms = 0;
    code = settle(&run, fn(&run, ctx), answer, err);
    job let_go = {.kind = JOB_LET_GO, .id = run.lease};
    do_and_wait(client, &let_go);
    free(run.result);
    return code;
}
