/* SPDX-License-Identifier: Apache-2.0 */
/* cases.h -- the functions behind http_cases; what each promises stands in
 * cases.c. */
#ifndef CONFORM_HTTP_CASES_H
#define CONFORM_HTTP_CASES_H

#include "tests/conformance/http/http.h"

#define HTTP_CASES(X)                                                          \
    X(1, MUST, "2.6", first_is_executed,                                       \
      "the first request with a key is executed, once")                        \
    X(2, MUST, "2.6", two_keys_are_two, "two keys are two requests")           \
    X(3, MUST, "2.6", retry_is_not_executed,                                   \
      "a retry after success is not executed")                                 \
    X(4, MUST, "2.3", late_retry_is_not_executed,                              \
      "nor is one that comes later than a handler may take")                   \
    X(5, MUST, "2.6", many_at_once_are_one,                                    \
      "of many requests at once under one key one is executed")                \
    X(6, MUST, "2.6", long_handler_is_alone,                                   \
      "while a long handler is at work no retry is executed")                  \
    X(7, MUST, "2.6", lost_reply_is_not_executed_again,                        \
      "a retry whose first reply was lost is not executed")                    \
    X(8, MUST, "2.6", crashed_one_is_not_executed_again,                       \
      "a handler that failed after its effect does not run again")             \
    X(9, MUST, "2.2", other_body_is_not_executed,                              \
      "another body under the same key is not executed")                       \
    X(10, MUST, "2.2", long_keys_are_kept_whole,                               \
      "a long key is kept whole, or refused")                                  \
    X(11, MUST, "5", other_user_sees_nothing,                                  \
      "another user's key shows nobody's answer")                              \
    X(12, SHOULD, "2.6", retry_hears_the_same,                                 \
      "a retry hears the first one's status and body")                         \
    X(13, SHOULD, "2.6", retry_has_its_type,                                   \
      "a retry's answer has the first one's content type")                     \
    X(14, SHOULD, "2.6", failed_one_is_not_locked_out,                         \
      "a handler that failed locks nobody out")                                \
    X(15, SHOULD, "2.7", no_key_is_400, "no key: 400")                         \
    X(16, SHOULD, "2.1", bad_key_is_400,                                       \
      "a key that is no string (RFC 8941): 400")                               \
    X(17, SHOULD, "2.1", two_headers_are_400, "two keys on a request: 400")    \
    X(18, SHOULD, "2.7", meanwhile_is_409,                                     \
      "a retry while the first is at work: 409, or the answer once it is "     \
      "there")                                                                 \
    X(19, SHOULD, "2.7", other_body_is_422,                                    \
      "another body under the same key: 422")                                  \
    X(20, SHOULD, "2.7", errors_say_what_they_are, "an error says what it is") \
    X(21, MAY, "2.7", errors_are_problems,                                     \
      "an error is application/problem+json (RFC 9457)")                       \
    X(22, MAY, "2.7", 409_says_when, "a 409 has Retry-After")                  \
    X(23, MAY, "2.7", other_body_meanwhile_is_422,                             \
      "another body while the first is at work: 422")                          \
    X(24, MAY, "2.6", replay_says_so,                                          \
      "a replay has Idempotency-Replayed: true")                               \
    X(25, MAY, "2.1", quoted_and_bare_are_one,                                 \
      "a key with and without its quotes is one key")                          \
    X(26, MUST, "2.2", other_body_changes_nothing,                             \
      "another body changes nothing for the one that had the key")

#define HTTP_DECLARE(number, level, section, name, what) \
    http_verdict http_##name(http_run *run);
HTTP_CASES(HTTP_DECLARE)
#undef HTTP_DECLARE

#endif
