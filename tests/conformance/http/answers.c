/* SPDX-License-Identifier: Apache-2.0 */
/* answers.c -- the cases about what is answered: the draft's statuses, and that
 * a retry hears what the first one heard. */
#include "tests/conformance/http/cases.h"

#include <stdio.h>
#include <string.h>

/* Two answers under one key, the first one's and the other's. */
typedef struct two {
    http_reply first;
    http_reply second;
} two;

static void two_fini(two *of) {
    http_reply_fini(&of->first);
    http_reply_fini(&of->second);
}

static bool ask_twice(http_run *run, const http_ask *second, two *of) {
    *of = (two){.first = {.status = 0}};
    if (!http_run_send(run, &(http_ask){.key = NULL}, &of->first))
        return false;
    if (!http_is_success(&of->first)) {
        http_fail(run, "the first request with a new key is answered with %ld",
                  of->first.status);
        return false;
    }
    return http_run_send(run, second, &of->second);
}

/* ---------------------------------------------------------------- a retry */

http_verdict http_retry_hears_the_same(http_run *run) {
    two of;
    http_verdict verdict = HTTP_FAILED;
    if (ask_twice(run, &(http_ask){.key = NULL}, &of))
        verdict = http_reply_same(&of.first, &of.second)
                      ? HTTP_PASSED
                      : http_fail(run,
                                  "the first one heard %ld with %zu bytes, its "
                                  "retry %ld with %zu bytes: %s",
                                  of.first.status, of.first.body_bytes,
                                  of.second.status, of.second.body_bytes,
                                  of.second.status == 409
                                      ? "nobody is at work, and its answer is "
                                        "never to be had"
                                      : "it is not the same answer");
    two_fini(&of);
    return verdict;
}

http_verdict http_retry_has_its_type(http_run *run) {
    two of;
    char first[128], second[128];
    http_verdict verdict = HTTP_FAILED;
    bool well = ask_twice(run, &(http_ask){.key = NULL}, &of);
    if (well && of.second.status != of.first.status) {
        verdict = http_unjudged(run, "its retry hears %ld, not %ld",
                                of.second.status, of.first.status);
    } else if (well) {
        http_reply_header(&of.first, "Content-Type", first, sizeof first);
        http_reply_header(&of.second, "Content-Type", second, sizeof second);
        verdict = strcmp(first, second) == 0
                      ? HTTP_PASSED
                      : http_fail(run,
                                  "the first answer is \"%s\", its replay "
                                  "\"%s\"",
                                  first, second);
    }
    two_fini(&of);
    return verdict;
}

http_verdict http_replay_says_so(http_run *run) {
    two of;
    char value[128];
    http_verdict verdict = HTTP_FAILED;
    if (ask_twice(run, &(http_ask){.key = NULL}, &of))
        verdict = http_reply_header(&of.second, "Idempotency-Replayed", value,
                                    sizeof value) &&
                          strncmp(value, "true", 4) == 0
                      ? HTTP_PASSED
                      : http_fail(run, "a replay has no Idempotency-Replayed: "
                                       "true; nobody can tell it from the "
                                       "first answer");
    two_fini(&of);
    return verdict;
}

http_verdict http_quoted_and_bare_are_one(http_run *run) {
    char bare[HTTP_KEY_CHARS];
    two of;
    size_t len = strlen(run->key);
    http_verdict verdict = HTTP_FAILED;
    if (len < 2 || run->key[0] != '"' || run->key[len - 1] != '"')
        return http_unjudged(run, "needs quotes in --key-format");
    snprintf(bare, sizeof bare, "%.*s", (int)len - 2, run->key + 1);
    if (ask_twice(run, &(http_ask){.key = bare}, &of))
        verdict = http_reply_same(&of.first, &of.second)
                      ? HTTP_PASSED
                      : http_fail(run,
                                  "the key without its quotes, as most "
                                  "clients send it, is another key or "
                                  "none (%ld)",
                                  of.second.status);
    two_fini(&of);
    return verdict;
}

/* ----------------------------------------------------------------- refusals */

/* Each is to be a 400. */
static http_verdict expect_400(http_run *run, const http_ask *ask,
                               const char *what) {
    http_reply reply;
    if (!http_run_send(run, ask, &reply))
        return HTTP_FAILED;
    long status = reply.status;
    http_reply_fini(&reply);
    if (status == 400)
        return HTTP_PASSED;
    return http_fail(run, "%s is answered with %ld, not 400%s", what, status,
                     status >= 200 && status < 300 ? ": it was executed" : "");
}

http_verdict http_no_key_is_400(http_run *run) {
    return expect_400(run, &(http_ask){.no_key = true},
                      "a request without a key");
}

http_verdict http_bad_key_is_400(http_run *run) {
    static const char *const bad[] = {"",        "\"\"",     "\"open",
                                      "\"a\" b", "\"a\\b\"", "\"\xc3\xa4\""};
    char what[64];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(what, sizeof what, "the key %s",
                 bad[i][0] != '\0' ? bad[i] : "of no characters");
        http_verdict verdict =
            expect_400(run, &(http_ask){.key = bad[i]}, what);
        if (verdict != HTTP_PASSED)
            return verdict;
    }
    return HTTP_PASSED;
}

http_verdict http_two_headers_are_400(http_run *run) {
    char uuid[HTTP_UUID_CHARS], other[HTTP_KEY_CHARS];
    http_uuid(uuid);
    http_fill(other, sizeof other, run->o->key_format,
              &(http_words){.uuid = uuid});
    return expect_400(run, &(http_ask){.key_again = other},
                      "a request with two keys");
}

static bool ask_mismatch(http_run *run, two *of) {
    *of = (two){.first = {.status = 0}};
    if (run->other_body[0] == '\0') {
        http_unjudged(run, "needs {n} in --body, to send another one");
        return false;
    }
    return ask_twice(run, &(http_ask){.body = run->other_body}, of);
}

http_verdict http_other_body_is_422(http_run *run) {
    two of;
    http_verdict verdict;
    if (ask_mismatch(run, &of))
        verdict = of.second.status == 422
                      ? HTTP_PASSED
                      : http_fail(run,
                                  "another body under the same key is answered "
                                  "with %ld, not 422",
                                  of.second.status);
    else
        verdict = run->said;
    two_fini(&of);
    return verdict;
}

static bool is_error(const http_reply *reply) {
    return reply->status >= 400 && reply->status < 500;
}

http_verdict http_errors_say_what_they_are(http_run *run) {
    http_reply none;
    two of = {.first = {.status = 0}};
    http_verdict verdict = HTTP_FAILED;
    if (!http_run_send(run, &(http_ask){.no_key = true}, &none)) {
        http_reply_fini(&none);
        return HTTP_FAILED;
    }
    bool has_other = run->other_body[0] != '\0';
    if (has_other && !ask_mismatch(run, &of))
        verdict = HTTP_FAILED;
    else if (!is_error(&none) && !is_error(&of.second))
        verdict = http_unjudged(run, "there was no error to look at");
    else if ((is_error(&none) && none.body_bytes == 0) ||
             (is_error(&of.second) && of.second.body_bytes == 0))
        verdict = http_fail(run, "an error has an empty body: it does not say "
                                 "what is wrong, nor where that is described");
    else
        verdict = HTTP_PASSED;
    http_reply_fini(&none);
    two_fini(&of);
    return verdict;
}

http_verdict http_errors_are_problems(http_run *run) {
    http_reply none;
    char type[128];
    http_verdict verdict = HTTP_FAILED;
    if (http_run_send(run, &(http_ask){.no_key = true}, &none)) {
        http_reply_header(&none, "Content-Type", type, sizeof type);
        if (!is_error(&none))
            verdict = http_unjudged(run, "there was no error to look at");
        else
            verdict = strncmp(type, "application/problem+json", 24) == 0
                          ? HTTP_PASSED
                          : http_fail(run,
                                      "an error is \"%s\", not "
                                      "application/problem+json",
                                      type);
    }
    http_reply_fini(&none);
    return verdict;
}

/* --------------------------------------------------------------- meanwhile */

/* A request, and another one while it is at work; false when an answer is
 * missing. Which of the two was the first is not known on a busy machine. */
static bool ask_two(http_run *run, uint32_t ms, const char *other_body, two *of,
                    bool *was_meanwhile) {
    char slow[256];
    *of = (two){.first = {.status = 0}};
    if (!http_run_slow(run, ms, slow, sizeof slow))
        return false;
    http_flight *flight = http_flight_start(run, &(http_ask){.header = slow});
    http_sleep_ms(ms / 3);
    bool well = http_run_send(
        run, &(http_ask){.header = slow, .body = other_body}, &of->second);
    *was_meanwhile = !http_flight_over(flight);
    well = http_flight_end(flight, run, &of->first) && well;
    if (!well || of->first.took_ms >= ms || of->second.took_ms >= ms)
        return well;
    http_unjudged(run, "--slow: the handler was to take %u ms and did not", ms);
    return false;
}

/* With a handler that takes longer and longer, until the one was answered while
 * the other was at work. A service that lets it wait never does that: then it
 * is the last attempt that is looked at. */
static bool ask_meanwhile(http_run *run, const char *other_body, two *of) {
    uint32_t ms = run->o->hold_ms < 1200 ? run->o->hold_ms / 2 : 600;
    for (int i = 0;; i++, ms *= 2) {
        bool was_meanwhile = false;
        bool well = ask_two(run, ms, other_body, of, &was_meanwhile);
        if (!well || was_meanwhile || i == 3)
            return well;
        two_fini(of);
        http_uuid(run->uuid);
        http_fill(run->key, sizeof run->key, run->o->key_format,
                  &(http_words){.uuid = run->uuid});
    }
}

/* The one that was refused; NULL when none was. */
static const http_reply *refused(const two *of, long status) {
    if (of->second.status == status)
        return &of->second;
    return of->first.status == status ? &of->first : NULL;
}

/* The one succeeds, and the other hears 409, or the same. */
static bool is_heard(const two *of) {
    const http_reply *success =
        http_is_success(&of->first) ? &of->first : &of->second;
    return http_is_success(success) &&
           (refused(of, 409) != NULL ||
            http_reply_same(&of->first, &of->second));
}

http_verdict http_meanwhile_is_409(http_run *run) {
    two of;
    http_verdict verdict;
    if (!ask_meanwhile(run, NULL, &of))
        verdict = run->said;
    else if (is_heard(&of))
        verdict = HTTP_PASSED; /* it heard so, or it was let wait */
    else
        verdict = http_fail(run,
                            "while the first one was at work a retry heard "
                            "%ld (and the first %ld), not 409",
                            of.second.status, of.first.status);
    two_fini(&of);
    return verdict;
}

http_verdict http_409_says_when(http_run *run) {
    two of;
    char value[32];
    http_verdict verdict;
    if (!ask_meanwhile(run, NULL, &of))
        verdict = run->said;
    else if (refused(&of, 409) == NULL)
        verdict = http_unjudged(run, "there was no 409");
    else
        verdict = http_reply_header(refused(&of, 409), "Retry-After", value,
                                    sizeof value)
                      ? HTTP_PASSED
                      : http_fail(run, "a 409 has no Retry-After: each client "
                                       "asks again as fast as it can");
    two_fini(&of);
    return verdict;
}

http_verdict http_other_body_meanwhile_is_422(http_run *run) {
    two of;
    http_verdict verdict;
    if (run->other_body[0] == '\0')
        return http_unjudged(run, "needs {n} in --body, to send another one");
    if (!ask_meanwhile(run, run->other_body, &of))
        verdict = run->said;
    else
        verdict = refused(&of, 422) != NULL
                      ? HTTP_PASSED
                      : http_fail(run,
                                  "another body under a key that is at work "
                                  "hears %ld: it is told to wait for an "
                                  "answer that it will never get",
                                  of.second.status);
    two_fini(&of);
    return verdict;
}
