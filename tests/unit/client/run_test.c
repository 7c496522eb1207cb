/* SPDX-License-Identifier: Apache-2.0 */
/* run_test.c -- idem_run_once: how each end of the function is settled, and
 * what its caller is told. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/include/idemclient.h"
#include "client/include/idemclient_http.h"
#include "tests/unit/client/fake.h"

/* A server that has one key, and answers each method as it is told. */
typedef struct scene {
    fake_reply acquire, complete, release, renew;
    _Atomic int acquires, completes, releases, renews;
    unsigned acquire_takes_ms;
    idp_class class;
    char result[16];
    size_t result_len;
    bool had_result;
    uint64_t complete_ttl_ms;
} scene;

static void sit(void *ctx, uint64_t link, const idp_request *request,
                fake_reply *reply) {
    scene *d = ctx;
    (void)link;
    switch (request->method) {
    case IDP_ACQUIRE:
        atomic_fetch_add(&d->acquires, 1);
        usleep(d->acquire_takes_ms * 1000);
        *reply = d->acquire;
        break;
    case IDP_COMPLETE:
        d->class = request->class;
        d->had_result = request->result.ptr != NULL;
        d->result_len = request->result.len;
        d->complete_ttl_ms = request->ttl_ms;
        if (d->had_result && d->result_len <= sizeof d->result)
            memcpy(d->result, request->result.ptr, d->result_len);
        atomic_fetch_add(&d->completes, 1);
        *reply = d->complete;
        break;
    case IDP_RELEASE:
        atomic_fetch_add(&d->releases, 1);
        *reply = d->release;
        break;
    default:
        atomic_fetch_add(&d->renews, 1);
        *reply = d->renew;
        break;
    }
}

static fake_reply say(idp_outcome outcome) {
    return (fake_reply){.action = FAKE_ANSWER,
                        .answer = {.outcome = outcome,
                                   .state = IDP_STATE_IN_PROGRESS,
                                   .kept = true,
                                   .lease_ms = 60}};
}

static scene plain_scene(void) {
    scene d = {.acquire = {.action = FAKE_ANSWER, .answer = fake_acquired(3)},
               .complete = say(IDP_OUTCOME_COMPLETED),
               .release = say(IDP_OUTCOME_RELEASED),
               .renew = say(IDP_OUTCOME_RENEWED)};
    d.acquire.answer.attempt = 2;
    d.acquire.answer.previous = IDP_PREVIOUS_ORPHANED;
    return d;
}

/* The function, and what it saw. */
typedef struct job {
    int32_t verdict;
    const char *result; /* NULL: sets none */
    int32_t result_class;
    int32_t called;
    uint32_t attempt;
    int32_t previous;
    idem_token token;
    scene *until_renewed; /* waits for two renewals */
    bool until_lost;
    int32_t lost;
} job;

static void nap(void) {
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static int32_t work(idem_run *run, void *ctx) {
    job *j = ctx;
    j->called++;
    j->attempt = idem_run_attempt(run);
    j->previous = idem_run_previous(run);
    idem_run_token(run, &j->token);
    while (j->until_renewed != NULL &&
           (atomic_load(&j->until_renewed->renews) < 2 || idem_run_lost(run)))
        nap();
    while (j->until_lost && !idem_run_lost(run))
        nap();
    j->lost = idem_run_lost(run);
    if (j->result != NULL) {
        cr_assert_eq(idem_run_set_result(run, "first", 5, IDEM_CLASS_ERROR), 0);
        cr_assert_eq(idem_run_set_result(run, j->result, strlen(j->result),
                                         j->result_class),
                     0);
    }
    return j->verdict;
}

/* Runs the job once against the scene; the code, with answer and err. */
static int32_t run(scene *d, job *j, idem_args args, idem_answer *answer,
                   idem_error *err) {
    fake_config config = {.script = sit, .ctx = d};
    fake_server *server = fake_start(&config);
    idem_client *client = NULL;
    cr_assert_eq(
        idem_client_open(fake_uri(server, "timeout_ms=1000"), &client, NULL),
        0);
    args.size = sizeof args;
    args.key = "k";
    args.key_len = 1;
    int32_t code = idem_run_once(client, &args, work, j, answer, err);
    idem_client_close(client);
    fake_stop(server);
    return code;
}

static idem_answer answer = {.size = sizeof answer};
static idem_error err = {.size = sizeof err};

Test(run_once, done_is_recorded_with_its_result) {
    scene d = plain_scene();
    job j = {.verdict = IDEM_RUN_DONE, .result = "points"};
    cr_assert_eq(run(&d, &j, (idem_args){.ttl_ms = 9000000}, &answer, &err), 0);
    cr_assert_eq(j.called, 1);
    cr_assert_eq(j.attempt, 2);
    cr_assert_eq(j.previous, IDEM_PREVIOUS_ORPHANED);
    cr_assert_eq(j.token.bytes[15], 3);
    cr_assert_eq(answer.outcome, IDEM_COMPLETED);
    cr_assert_eq(answer.kept, 1);
    cr_assert_eq(answer.result_len, 6);
    cr_assert_eq(memcmp(answer.result, "points", 6), 0);
    cr_assert_eq(d.result_len, 6);
    cr_assert_eq(memcmp(d.result, "points", 6), 0);
    cr_assert_eq(d.class, IDP_CLASS_SUCCESS);
    cr_assert_eq(d.complete_ttl_ms, 0, "the acquire's stays");
    idem_answer_fini(&answer);
}

Test(run_once, a_function_that_sets_nothing_leaves_nil) {
    scene d = plain_scene();
    job j = {.verdict = IDEM_RUN_DONE};
    idem_args args = {.result = "left over", .result_len = 9};
    cr_assert_eq(run(&d, &j, args, &answer, &err), 0);
    cr_assert_not(d.had_result);
    cr_assert_eq(answer.has_result, 0);
}

Test(run_once, an_error_is_recorded_as_one) {
    scene d = plain_scene();
    job j = {.verdict = IDEM_RUN_DONE,
             .result = "no",
             .result_class = IDEM_CLASS_ERROR};
    cr_assert_eq(run(&d, &j, (idem_args){0}, &answer, &err), 0);
    cr_assert_eq(d.class, IDP_CLASS_ERROR);
    cr_assert_eq(answer.result_class, IDEM_CLASS_ERROR);
    idem_answer_fini(&answer);
}

Test(run_once, what_someone_else_has_is_not_run) {
    static const struct {
        idp_outcome said;
        int32_t outcome;
    } rows[] = {{IDP_OUTCOME_REPLAY, IDEM_REPLAY},
                {IDP_OUTCOME_IN_PROGRESS, IDEM_IN_PROGRESS},
                {IDP_OUTCOME_MISMATCH, IDEM_MISMATCH},
                {IDP_OUTCOME_ORPHANED, IDEM_ORPHANED}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        scene d = plain_scene();
        job j = {.verdict = IDEM_RUN_DONE};
        d.acquire = say(rows[i].said);
        cr_assert_eq(run(&d, &j, (idem_args){0}, &answer, &err), 0);
        cr_assert_eq(answer.outcome, rows[i].outcome);
        cr_assert_eq(j.called, 0);
        cr_assert_eq(d.completes + d.releases, 0);
    }
}

Test(run_once, failed_cleanly_is_released) {
    scene d = plain_scene();
    job j = {.verdict = IDEM_RUN_FAILED, .result = "not sent"};
    cr_assert_eq(run(&d, &j, (idem_args){0}, &answer, &err), 0);
    cr_assert_eq(answer.outcome, IDEM_RELEASED);
    cr_assert_eq(answer.kept, 1);
    cr_assert_eq(d.releases, 1);
    cr_assert_eq(d.completes, 0);
}

Test(run_once, a_release_that_nobody_confirms_is_no_error) {
    scene d = plain_scene();
    job j = {.verdict = IDEM_RUN_FAILED};
    d.release.action = FAKE_MUTE;
    cr_assert_eq(run(&d, &j, (idem_args){0}, &answer, &err), 0);
    cr_assert_eq(answer.outcome, IDEM_RELEASED);
    cr_assert_eq(answer.kept, 0);
}

Test(run_once, unsure_is_left_alone) {
    scene d = plain_scene();
    job j = {.verdict = IDEM_RUN_UNSURE};
    cr_assert_eq(run(&d, &j, (idem_args){0}, &answer, &err), 0);
    cr_assert_eq(answer.outcome, IDEM_LEFT);
    cr_assert_eq(d.completes + d.releases, 0);
}

Test(run_once, done_that_nobody_confirms_says_just_that) {
    scene d = plain_scene();
    job j = {.verdict = IDEM_RUN_DONE};
    d.complete.action = FAKE_MUTE;
    cr_assert_eq(run(&d, &j, (idem_args){0}, &answer, &err),
                 IDEM_E_NOT_RECORDED);
    cr_assert_eq(err.assume, IDEM_ASSUME_UNKNOWN);
    cr_assert(strstr(err.text, "has run") != NULL, "%s", err.text);
    cr_assert_eq(j.called, 1);
}

Test(run_once, a_claim_that_was_taken_over_is_told) {
    scene d = plain_scene();
    job j = {.verdict = IDEM_RUN_DONE, .result = "x"};
    d.complete = say(IDP_OUTCOME_STALE);
    cr_assert_eq(run(&d, &j, (idem_args){0}, &answer, &err), 0);
    cr_assert_eq(answer.outcome, IDEM_STALE);
    cr_assert_null(answer.result);
}

Test(run_once, a_binding_that_returns_0_for_an_exception_leaves_the_claim) {
    scene d = plain_scene();
    job j = {.verdict = 0, .result = "half done"};
    cr_assert_eq(run(&d, &j, (idem_args){0}, &answer, &err), 0);
    cr_assert_eq(answer.outcome, IDEM_LEFT);
    cr_assert_eq(d.completes + d.releases, 0);
}

Test(run_once, no_value_by_accident_completes_or_releases) {
    static const int32_t verdicts[] = {1, 2, 3, 7, -1, 255, 65536, INT32_MIN};
    for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++) {
        scene d = plain_scene();
        job j = {.verdict = verdicts[i]};
        cr_assert_eq(run(&d, &j, (idem_args){0}, &answer, &err),
                     IDEM_E_ARGUMENT);
        cr_assert_eq(answer.outcome, 0);
        cr_assert_eq(d.completes + d.releases, 0);
    }
}

/* The lease that is ahead is when it pays to come back. */
Test(run_once, a_claim_that_was_left_says_how_long_it_still_stands) {
    idem_http http = IDEM_HTTP_INIT;
    scene d = plain_scene();
    job j = {.verdict = IDEM_RUN_UNSURE};
    cr_assert_eq(run(&d, &j, (idem_args){0}, &answer, &err), 0);
    cr_assert_gt(answer.lease_left_ms, 20000);
    cr_assert_leq(answer.lease_left_ms, 30000);
    cr_assert_eq(idem_http_from_answer(&answer, NULL, 0, &http), 0);
    cr_assert_eq(http.status, 503);
    cr_assert_geq(http.retry_after_s, 20);
    cr_assert_leq(http.retry_after_s, 30);
}

Test(run_once, a_release_that_was_not_heard_says_when_the_lease_frees_it) {
    idem_http http = IDEM_HTTP_INIT;
    scene d = plain_scene();
    job j = {.verdict = IDEM_RUN_FAILED};
    d.release.action = FAKE_MUTE;
    cr_assert_eq(run(&d, &j, (idem_args){0}, &answer, &err), 0);
    cr_assert_eq(idem_http_from_answer(&answer, NULL, 0, &http), 0);
    cr_assert_geq(http.retry_after_s, 10);
    d = plain_scene();
    cr_assert_eq(run(&d, &j, (idem_args){0}, &answer, &err), 0);
    cr_assert_eq(idem_http_from_answer(&answer, NULL, 0, &http), 0);
    cr_assert_eq(http.retry_after_s, 1, "it is free now");
}

/* It waited for another holder, or its server was away for a while. */
Test(run_once, an_acquire_that_took_longer_than_the_lease_is_renewed_at_once) {
    scene d = plain_scene();
    d.acquire.answer.lease_ms = 200;
    d.renew.answer.lease_ms = 200;
    d.acquire_takes_ms = 400;
    job j = {.verdict = IDEM_RUN_DONE, .until_renewed = &d};
    idem_args args = {.lease_ms = 200, .timeout_ms = 30000};
    cr_assert_eq(run(&d, &j, args, &answer, &err), 0);
    cr_assert_eq(j.lost, 0);
    cr_assert_eq(answer.outcome, IDEM_COMPLETED);
}

Test(run_once, a_lease_is_not_renewed_where_that_is_switched_off) {
    scene d = plain_scene();
    d.acquire.answer.lease_ms = 60;
    job j = {.verdict = IDEM_RUN_UNSURE, .until_lost = true};
    idem_args args = {.lease_ms = 60, .no_renew = 1};
    cr_assert_eq(run(&d, &j, args, &answer, &err), 0);
    cr_assert_eq(j.lost, 1, "and the function can see its end");
    cr_assert_eq(d.renews, 0);
}

Test(run_once, the_lease_is_renewed_while_it_runs) {
    scene d = plain_scene();
    d.acquire.answer.lease_ms = 60;
    job j = {.verdict = IDEM_RUN_DONE, .until_renewed = &d};
    idem_args args = {.lease_ms = 60};
    cr_assert_eq(run(&d, &j, args, &answer, &err), 0);
    cr_assert_geq(d.renews, 2);
    cr_assert_eq(answer.outcome, IDEM_COMPLETED);
}

Test(run_once, a_renewal_that_hears_stale_is_seen_by_the_function) {
    scene d = plain_scene();
    d.acquire.answer.lease_ms = 60;
    d.renew = say(IDP_OUTCOME_STALE);
    job j = {.verdict = IDEM_RUN_FAILED, .until_lost = true};
    idem_args args = {.lease_ms = 60};
    cr_assert_eq(run(&d, &j, args, &answer, &err), 0);
    cr_assert_eq(j.lost, 1);
}

Test(run_once, a_lease_that_runs_out_unrenewed_is_seen_too) {
    scene d = plain_scene();
    d.acquire.answer.lease_ms = 60;
    d.renew.action = FAKE_MUTE;
    job j = {.verdict = IDEM_RUN_UNSURE, .until_lost = true};
    idem_args args = {.lease_ms = 60};
    cr_assert_eq(run(&d, &j, args, &answer, &err), 0);
    cr_assert_eq(answer.outcome, IDEM_LEFT);
}

Test(run_once, its_arguments_are_checked) {
    idem_client *client = NULL;
    idem_args args = {.size = sizeof args, .key = "k", .key_len = 1};
    cr_assert_eq(idem_client_open("idem://127.0.0.1:1", &client, NULL), 0);
    cr_assert_eq(idem_run_once(client, &args, NULL, NULL, &answer, &err),
                 IDEM_E_ARGUMENT);
    cr_assert_eq(idem_run_once(client, &args, work, NULL, NULL, &err),
                 IDEM_E_ARGUMENT);
    idem_client_close(client);
}
