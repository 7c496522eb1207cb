/* SPDX-License-Identifier: Apache-2.0 */
/* executions.c -- the cases that must hold: how often a request is executed.
 * Each sentence says what the one who pays for it would see. */
#include "tests/conformance/http/cases.h"

#include <stdio.h>
#include <string.h>

#define TWICE "the customer is charged twice"

/* Longer than a service may believe that a handler is at work. */
static uint32_t past_hold_ms(const http_run *run) {
    return run->o->hold_ms + run->o->hold_ms / 2 + 100;
}

static http_verdict no_success(http_run *run, long status) {
    return http_fail(
        run, "the first request with a new key is answered with %ld", status);
}

/* The request that each case begins with. */
static bool first_succeeds(http_run *run, const http_ask *ask) {
    http_reply reply;
    bool well = http_run_send(run, ask, &reply);
    if (well && !http_is_success(&reply)) {
        no_success(run, reply.status);
        well = false;
    }
    http_reply_fini(&reply);
    return well;
}

/* Asks again while it is told to wait. */
static bool send_until_free(http_run *run, http_reply *reply) {
    uint64_t until_ms = http_now_ms() + 2ull * run->o->hold_ms + 10000;
    for (;;) {
        if (!http_run_send(run, &(http_ask){.key = NULL}, reply))
            return false;
        if (reply->status != 409 || http_now_ms() > until_ms)
            return true;
        http_reply_fini(reply);
        http_sleep_ms(100);
    }
}

/* -------------------------------------------------------- one at a time */

http_verdict http_first_is_executed(http_run *run) {
    if (!first_succeeds(run, &(http_ask){.key = NULL}))
        return HTTP_FAILED;
    long executions = http_run_executions(run);
    if (executions == 1)
        return HTTP_PASSED;
    return executions < 0 ? HTTP_NOT_JUDGED
                          : http_fail(run, "one request was executed %ld times",
                                      executions);
}

http_verdict http_two_keys_are_two(http_run *run) {
    char uuid[HTTP_UUID_CHARS], key[HTTP_KEY_CHARS];
    http_uuid(uuid);
    http_fill(key, sizeof key, run->o->key_format, &(http_words){.uuid = uuid});
    if (!first_succeeds(run, &(http_ask){.key = NULL}) ||
        !first_succeeds(run, &(http_ask){.key = key}))
        return HTTP_FAILED;
    long executions = http_run_executions(run);
    if (executions < 0 || executions == 2)
        return executions < 0 ? HTTP_NOT_JUDGED : HTTP_PASSED;
    return http_fail(run,
                     "two requests with two keys were executed %ld times, not "
                     "twice: the second order never happens",
                     executions);
}

static http_verdict retry_after(http_run *run, uint32_t ms, const char *when) {
    http_reply reply;
    if (!first_succeeds(run, &(http_ask){.key = NULL}))
        return HTTP_FAILED;
    http_sleep_ms(ms);
    bool well = http_run_send(run, &(http_ask){.key = NULL}, &reply);
    http_reply_fini(&reply);
    if (!well)
        return HTTP_FAILED;
    return http_run_at_most(
        run, 1,
        "the request had succeeded, and its retry %s was executed: " TWICE,
        when);
}

http_verdict http_retry_is_not_executed(http_run *run) {
    return retry_after(run, 0, "right after that");
}

http_verdict http_late_retry_is_not_executed(http_run *run) {
    char when[96];
    snprintf(when, sizeof when,
             "after %u ms, past the %u ms that a handler may take,",
             past_hold_ms(run), run->o->hold_ms);
    return retry_after(run, past_hold_ms(run), when);
}

http_verdict http_other_body_is_not_executed(http_run *run) {
    http_reply reply;
    if (run->other_body[0] == '\0')
        return http_unjudged(run, "needs {n} in --body, to send another one");
    if (!first_succeeds(run, &(http_ask){.key = NULL}))
        return HTTP_FAILED;
    bool well =
        http_run_send(run, &(http_ask){.body = run->other_body}, &reply);
    http_reply_fini(&reply);
    if (!well)
        return HTTP_FAILED;
    return http_run_at_most(run, 1,
                            "another body under the key of a request that had "
                            "succeeded was executed: a key stands for one "
                            "request");
}

http_verdict http_other_body_changes_nothing(http_run *run) {
    http_reply first, other, again;
    if (run->other_body[0] == '\0')
        return http_unjudged(run, "needs {n} in --body, to send another one");
    bool well = http_run_send(run, &(http_ask){.key = NULL}, &first);
    if (!well || !http_is_success(&first)) {
        long status = first.status;
        http_reply_fini(&first);
        return well ? no_success(run, status) : HTTP_FAILED;
    }
    well = http_run_send(run, &(http_ask){.body = run->other_body}, &other);
    http_reply_fini(&other);
    well = well && http_run_send(run, &(http_ask){.key = NULL}, &again);
    bool is_replaced =
        well && http_is_success(&again) && !http_reply_same(&first, &again);
    http_reply_fini(&first);
    if (well)
        http_reply_fini(&again);
    if (!well || is_replaced)
        return well ? http_fail(run, "after another body came under its key a "
                                     "retry hears another answer")
                    : HTTP_FAILED;
    return http_run_at_most(
        run, 1,
        "after another body came under its key the retry of "
        "a request that had succeeded was executed: " TWICE);
}

/* Two that differ in their last character only. */
http_verdict http_long_keys_are_kept_whole(http_run *run) {
    char text[256], key[HTTP_KEY_CHARS];
    http_reply reply;
    long status = 0;
    for (int i = 0; i < 2; i++) {
        memset(text, 'k', sizeof text);
        memcpy(text, run->uuid, strlen(run->uuid));
        text[254] = i == 0 ? 'a' : 'b';
        text[255] = '\0';
        http_fill(key, sizeof key, run->o->key_format,
                  &(http_words){.uuid = text});
        if (!http_run_send(run, &(http_ask){.key = key}, &reply))
            return HTTP_FAILED;
        status = reply.status;
        http_reply_fini(&reply);
        if (status == 400) /* refused, in so many words */
            return HTTP_PASSED;
        if (status < 200 || status > 299)
            return http_fail(
                run, "a key of 255 characters is answered with %ld", status);
    }
    long executions = http_run_executions(run);
    if (executions < 0 || executions == 2)
        return executions < 0 ? HTTP_NOT_JUDGED : HTTP_PASSED;
    return http_fail(run, "two keys of 255 characters that differ in the last "
                          "one are one key: the second order never happens");
}

http_verdict http_other_user_sees_nothing(http_run *run) {
    http_reply mine, theirs;
    if (run->o->other_user == NULL)
        return http_unjudged(run, "needs --other-user, another user's header");
    bool well = http_run_send(run, &(http_ask){.key = NULL}, &mine);
    if (!well || !http_is_success(&mine)) {
        long status = mine.status;
        http_reply_fini(&mine);
        return well ? no_success(run, status) : HTTP_FAILED;
    }
    well = http_run_send(run, &(http_ask){.is_other_user = true}, &theirs);
    bool is_shown = well && http_reply_same(&mine, &theirs);
    http_reply_fini(&mine);
    http_reply_fini(&theirs);
    if (!well || !is_shown)
        return well ? HTTP_PASSED : HTTP_FAILED;
    return http_fail(run, "another user who sends the same key is shown the "
                          "first one's answer");
}

/* -------------------------------------------------------------- meanwhile */

http_verdict http_many_at_once_are_one(http_run *run) {
    http_flight *flights[HTTP_AT_ONCE];
    http_reply reply;
    char slow[256];
    unsigned successes = 0;
    bool well = true;
    bool is_slow = run->o->slow != NULL &&
                   http_run_slow(run, run->o->hold_ms / 2, slow, sizeof slow);
    for (size_t i = 0; i < HTTP_AT_ONCE; i++)
        flights[i] = http_flight_start(
            run, &(http_ask){.header = is_slow ? slow : NULL});
    for (size_t i = 0; i < HTTP_AT_ONCE; i++) {
        well = http_flight_end(flights[i], run, &reply) && well;
        successes += http_is_success(&reply);
        http_reply_fini(&reply);
    }
    if (!well || successes == 0)
        return well ? http_fail(run, "of %d requests at once none succeeded",
                                HTTP_AT_ONCE)
                    : HTTP_FAILED;
    return http_run_at_most(run, 1,
                            "of %d requests at once with one key more than one "
                            "was executed: " TWICE,
                            HTTP_AT_ONCE);
}

typedef struct tally {
    unsigned successes;
    uint32_t longest_ms; /* of them */
    long status;         /* of the last one */
} tally;

static void count_in(tally *of, http_reply *reply) {
    of->status = reply->status;
    if (http_is_success(reply)) {
        of->successes++;
        if (reply->took_ms > of->longest_ms)
            of->longest_ms = reply->took_ms;
    }
    http_reply_fini(reply);
}

/* One after the other, until the first one has its answer: on a busy machine
 * nobody knows when that one began. */
static bool ask_all_along(http_run *run, const http_ask *ask,
                          http_flight *flight, tally *of) {
    bool well = true;
    for (int i = 0; well && i < HTTP_ANSWERS_MAX && !http_flight_over(flight);
         i++) {
        http_reply reply;
        well = http_run_send(run, ask, &reply);
        count_in(of, &reply);
        http_sleep_ms(run->o->hold_ms / 10);
    }
    return well;
}

http_verdict http_long_handler_is_alone(http_run *run) {
    char slow[256];
    http_reply first;
    uint32_t hold_ms = run->o->hold_ms, slow_ms = 2 * hold_ms + 500;
    tally of = {.successes = 0};
    if (!http_run_slow(run, slow_ms, slow, sizeof slow))
        return HTTP_NOT_JUDGED;
    http_flight *flight = http_flight_start(run, &(http_ask){.header = slow});
    http_sleep_ms(hold_ms + hold_ms / 4);
    bool well = ask_all_along(run, &(http_ask){.header = slow}, flight, &of);
    well = http_flight_end(flight, run, &first) && well;
    count_in(&of, &first);
    if (!well || of.successes == 0)
        return well ? no_success(run, of.status) : HTTP_FAILED;
    if (of.longest_ms < slow_ms)
        return http_unjudged(run,
                             "--slow: the handler was to take %u ms, and took "
                             "%u",
                             slow_ms, of.longest_ms);
    return http_run_at_most(
        run, 1,
        "the handler took %u ms, longer than the %u ms that it is held for, "
        "and "
        "a retry that came while it was still at work was executed as "
        "well: " TWICE,
        slow_ms, hold_ms);
}

/* Sends one and leaves; waits until it would have been answered. False, and
 * text says why, when it was not executed. A busy machine may not have sent it
 * by then: it gets more time. */
static bool leave_one(http_run *run) {
    char slow[256];
    for (uint32_t stay_ms = 300; stay_ms <= 2400; stay_ms *= 2) {
        http_reply reply;
        http_ask ask = {.key = run->key,
                        .body = run->body,
                        .header = slow,
                        .timeout_ms = stay_ms};
        if (!http_run_slow(run, 3 * stay_ms, slow, sizeof slow))
            return false;
        http_send(run->o, &ask, &reply);
        bool left = reply.status == 0;
        http_reply_fini(&reply);
        http_sleep_ms(3 * stay_ms + past_hold_ms(run));
        long executions = http_run_executions(run);
        if (executions != 0 || !left)
            return executions > 0 && left;
    }
    http_unjudged(run, "a handler whose client leaves does not end");
    return false;
}

http_verdict http_lost_reply_is_not_executed_again(http_run *run) {
    http_reply reply;
    if (run->o->count_url == NULL)
        return http_unjudged(run, "needs --count: the first answer is lost");
    http_unjudged(run, "the handler answered before its client could leave; "
                       "see --slow");
    if (!leave_one(run))
        return HTTP_NOT_JUDGED;
    bool well = send_until_free(run, &reply);
    long status = reply.status;
    http_reply_fini(&reply);
    if (!well || status < 200 || status > 299)
        return well ? http_fail(run,
                                "the client whose reply was lost asks again "
                                "and hears %ld",
                                status)
                    : HTTP_FAILED;
    return http_run_at_most(run, 1,
                            "the client left before the answer and asked again "
                            "with its key, and was executed again: " TWICE);
}

/* ---------------------------------------------------------------- failures */

/* Sends the failing one; false when it is none. */
static bool first_fails(http_run *run, const char *header, const char *flag) {
    http_reply reply;
    bool well = http_run_send(run, &(http_ask){.header = header}, &reply);
    if (well && reply.status < 500) {
        http_unjudged(run, "%s %s: the handler answers %ld, and does not fail",
                      flag, header, reply.status);
        well = false;
    }
    http_reply_fini(&reply);
    return well;
}

http_verdict http_crashed_one_is_not_executed_again(http_run *run) {
    static const char again[] =
        "the handler had its effect and then failed; %u ms later its retry was "
        "executed: " TWICE;
    http_reply reply;
    if (run->o->crash == NULL)
        return http_unjudged(run, "needs --crash, a header that makes the "
                                  "handler fail after its effect");
    if (!first_fails(run, run->o->crash, "--crash"))
        return run->said;
    if (http_run_executions(run) == 0 && run->o->count_url != NULL)
        return http_unjudged(run, "--crash: the handler had no effect that is "
                                  "counted");
    http_sleep_ms(past_hold_ms(run));
    bool well = send_until_free(run, &reply);
    bool is_new = well && http_is_success(&reply);
    http_reply_fini(&reply);
    if (!well || is_new) /* what had failed now succeeds: it ran */
        return well ? http_fail(run, again, past_hold_ms(run)) : HTTP_FAILED;
    if (run->o->count_url == NULL)
        return http_unjudged(run, "needs --count: a failure has no id");
    return http_run_at_most(run, 1, again, past_hold_ms(run));
}

http_verdict http_failed_one_is_not_locked_out(http_run *run) {
    http_reply reply;
    if (run->o->fail == NULL)
        return http_unjudged(run, "needs --fail, a header that makes the "
                                  "handler fail");
    if (!first_fails(run, run->o->fail, "--fail"))
        return run->said;
    bool well = http_run_send(run, &(http_ask){.key = NULL}, &reply);
    long status = reply.status;
    http_reply_fini(&reply);
    if (!well || status != 409)
        return well ? HTTP_PASSED : HTTP_FAILED;
    return http_fail(run, "the handler has failed and nobody is at work, and "
                          "its retry hears 409: its user is locked out");
}
