/* SPDX-License-Identifier: Apache-2.0 */
/* run.c -- idem_run_once: what an annotation is in other languages. Its
 * function may end in any way there is: by returning, by an exception of
 * another language, by the end of its thread, by a jump over it. */
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "client/src/answer.h"
#include "client/src/client.h"
#include "client/src/mem.h"
#include "client/src/port.h"
#include "client/src/sized.h"

#if IDEM_LINUX && defined(__GLIBC__)
#define IDEM__SEES_JUMPS 1
#else
#define IDEM__SEES_JUMPS 0
#endif

struct idem_run {
    idem_client *client;
    idem_args args;      /* of the calls under the claim */
    uint64_t generation; /* of the process that holds the claim */
    uint32_t attempt;
    int32_t previous;
    uint8_t nonce[IDEM_NONCE_BYTES_MAX]; /* of the acquire */
    uint32_t nonce_len;
    void *result;       /* ours */
    idem__lease *lease; /* ours; NULL once the claim is let go of */
#if IDEM__SEES_JUMPS
    struct _pthread_cleanup_buffer jump;
#endif
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
    return idem__fork_is_copy(run->generation) ||
           idem__lease_is_lost(run->lease);
}

int32_t idem_run_set_result(idem_run *run, const void *result,
                            size_t result_len, int32_t result_class) {
    if (result_class != 0 && result_class != IDEM_CLASS_SUCCESS &&
        result_class != IDEM_CLASS_ERROR)
        return IDEM_E_ARGUMENT;
    if (result == NULL && result_len != 0)
        return IDEM_E_ARGUMENT;
    if (idem__fork_is_copy(run->generation))
        return IDEM_E_CLOSED;
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

/* ------------------------------------------------------- ways out of it
 *
 * An exception or the end of the thread unwinds through idem_run_once, which
 * is compiled for that, and leaves the claim by the cleanup of its variable. A
 * longjmp unwinds nothing; glibc calls what was pushed here (the C library's
 * own pthread_cleanup_push does not take part in that). */

#if IDEM__SEES_JUMPS
/* The names are glibc's. NOLINTBEGIN(cert-dcl37-c,bugprone-reserved-identifier)
 */
extern void _pthread_cleanup_push(struct _pthread_cleanup_buffer *buffer,
                                  void (*routine)(void *), void *arg)
    __attribute__((weak));
extern void _pthread_cleanup_pop(struct _pthread_cleanup_buffer *buffer,
                                 int execute) __attribute__((weak));
/* NOLINTEND(cert-dcl37-c,bugprone-reserved-identifier) */
#endif

/* Whatever else happens, nobody renews it any more. */
static void let_go_of_lease(void *arg) {
    idem_run *run = arg;
    if (run->lease != NULL && idem__fork_is_copy(run->generation))
        idem__free(run->lease); /* the parent's thread renews its own */
    else if (run->lease != NULL)
        idem__lease_end(&run->client->renewer, run->lease);
    run->lease = NULL;
    idem__free(run->result);
    run->result = NULL;
}

static void watch_jumps(idem_run *run) {
#if IDEM__SEES_JUMPS
    if (_pthread_cleanup_push != NULL)
        _pthread_cleanup_push(&run->jump, let_go_of_lease, run);
#else
    (void)run; /* a jump over it is not seen: the lease is renewed on */
#endif
}

static void leave_run(idem_run *run) {
#if IDEM__SEES_JUMPS
    if (run->jump.__routine != NULL && _pthread_cleanup_pop != NULL)
        _pthread_cleanup_pop(&run->jump, 0);
#endif
    let_go_of_lease(run);
}

/* ------------------------------------------------------- what it came to */

static void tell_left(const idem_run *run, idem_answer *answer) {
    answer->outcome = IDEM_LEFT;
    answer->lease_left_ms = idem__lease_left_ms(run->lease);
}

/* The effect has happened: whatever keeps it from being recorded is told as
 * that. */
static int32_t record_effect(idem_run *run, idem_answer *answer,
                             idem_error *err) {
    idem_error why = {.size = sizeof why};
    idem__times times;
    int32_t code = idem__client_call(run->client, IDEM_COMPLETE, &run->args,
                                     answer, &why, &times);
    if (code != 0)
        return idem__fail_at(
            err, IDEM_E_NOT_RECORDED, (idem__where){why.endpoint, why.os_error},
            "the function has run, and its completion is not confirmed: "
            "%.250s",
            why.text);
    if (answer->outcome != IDEM_COMPLETED)
        return 0;
    idem_answer view = idem__answer_own(answer);
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

static int32_t give_back_claim(idem_run *run, idem_answer *answer) {
    idem__times times;
    int32_t code = idem__client_call(run->client, IDEM_RELEASE, &run->args,
                                     answer, NULL, &times);
    if (code != 0) {
        idem__answer_clear(answer);
        answer->outcome = IDEM_RELEASED;
        answer->lease_left_ms = idem__lease_left_ms(run->lease);
        return 0;
    }
    answer->kept = answer->outcome == IDEM_RELEASED;
    return 0;
}

static int32_t end_run(idem_run *run, int32_t verdict, idem_answer *answer,
                       idem_error *err) {
    if (idem__fork_is_copy(run->generation)) {
        idem__answer_clear(answer);
        return idem__fail(err, IDEM_E_CLOSED,
                          "the function returned in a child of the process "
                          "that holds the claim; the parent settles it");
    }
    switch (verdict) {
    case IDEM_RUN_DONE:
        return record_effect(run, answer, err);
    case IDEM_RUN_FAILED:
        return give_back_claim(run, answer);
    case IDEM_RUN_UNSURE:
        tell_left(run, answer);
        return 0;
    default:
        idem__answer_clear(answer);
        return idem__fail(err, IDEM_E_ARGUMENT,
                          "the function returned %d, which is no IDEM_RUN_; "
                          "its claim is left",
                          (int)verdict);
    }
}

/* ------------------------------------------------------------- the run */

/* theirs is the acquire's. */
static void claim(idem_run *run, const idem_answer *theirs) {
    const idem_answer own = idem__answer_own(theirs);
    const idem_answer *answer = &own;
    memcpy(run->nonce, own.nonce, sizeof run->nonce);
    run->nonce_len = own.nonce_len;
    uint64_t lease_ms = answer->lease_ms;
    run->args.token = answer->token;
    run->args.lease_ms =
        lease_ms < IDP_LEASE_MS_MAX ? (uint32_t)lease_ms : IDP_LEASE_MS_MAX;
    run->args.ttl_ms = 0; /* the acquire's stays */
    run->args.result = NULL;
    run->args.result_len = 0;
    run->args.result_class = IDEM_CLASS_SUCCESS;
    run->attempt = answer->attempt;
    run->previous = answer->previous;
}

static int32_t give_up_claim(idem_run *run, idem_answer *answer,
                             idem_error *err, const char *why) {
    idem__times times;
    idem__client_call(run->client, IDEM_RELEASE, &run->args, NULL, NULL,
                      &times);
    idem__answer_clear(answer);
    return idem__fail(err, IDEM_E_MEMORY, "%s; the claim was given back", why);
}

static int32_t run_claimed(idem_run *run, const idem__times *times,
                           idem_run_fn fn, void *ctx, idem_answer *answer,
                           idem_error *err) {
    run->lease = idem__lease_new(&run->args, times);
    if (run->lease == NULL)
        return give_up_claim(run, answer, err, "no memory for a lease");
    if (!run->args.no_renew &&
        !idem__lease_keep(&run->client->renewer, run->lease))
        return give_up_claim(run, answer, err, "no thread to renew the lease");
    tell_left(run, answer); /* unless more is heard of the function */
    watch_jumps(run);
    int32_t verdict = fn(run, ctx);
    return end_run(run, verdict, answer, err);
}

int32_t idem_run_once(idem_client *client, const idem_args *args,
                      idem_run_fn fn, void *ctx, idem_answer *answer,
                      idem_error *err) {
    if (fn == NULL || answer == NULL)
        return idem__fail(err, IDEM_E_ARGUMENT, "fn or answer is NULL");
    idem__times times;
    idem_run run __attribute__((cleanup(leave_run))) = {.client = client};
    int32_t code =
        idem__sized_in(&idem__args_layout, &run.args, args, "args", err);
    if (code == 0)
        code = idem__client_call(client, IDEM_ACQUIRE, &run.args, answer, err,
                                 &times);
    if (code != 0 || answer->outcome != IDEM_ACQUIRED)
        return code;
    claim(&run, answer);
    run.generation = atomic_load(&client->generation);
    code = run_claimed(&run, &times, fn, ctx, answer, err);
    idp_slice nonce = {run.nonce_len > 0 ? run.nonce : NULL, run.nonce_len};
    if (code == 0)
        idem__answer_nonce(answer, nonce);
    else
        idem__error_nonce(err, nonce);
    return code;
}
