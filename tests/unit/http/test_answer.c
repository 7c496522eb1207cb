/* SPDX-License-Identifier: Apache-2.0 */
/* test_answer.c -- each outcome and each error, as HTTP says it. */
#include "server/http/answer.h"

#include "proto/commands.h"
#include "proto/reply.h"
#include "server/http/json.h"
#include "tests/unit/http/texts.h"

#include <criterion/criterion.h>
#include <stdio.h>

static idp_bytes out, scratch;
static char text[8192];

static void end(void) {
    idp_bytes_free(&out);
    idp_bytes_free(&scratch);
}

TestSuite(answer, .fini = end);

static ids_http_for to_whom(idp_method method) {
    return (ids_http_for){
        .method = method, .is_admitted = true, .minor = 1, .scratch = &scratch};
}

static const char *frame_of(const ids_http_for *to, const uint8_t *frame,
                            size_t len) {
    out.len = 0;
    cr_assert(ids_http_answer_reply(&out, to, (idp_slice){frame, len}));
    cr_assert(out.len < sizeof text);
    memcpy(text, out.ptr, out.len);
    text[out.len] = '\0';
    return text;
}

static const char *answered_to(const ids_http_for *to, idp_answer answer) {
    uint8_t frame[4096];
    return frame_of(to, frame,
                    idp_answer_write(frame, sizeof frame, 7, &answer));
}

static const char *answered(idp_method method, idp_answer answer) {
    const ids_http_for to = to_whom(method);
    return answered_to(&to, answer);
}

static const char *failed_to(const ids_http_for *to, idp_error error,
                             const char *words) {
    uint8_t frame[IDP_ERROR_REPLY_BYTES_MAX];
    return frame_of(to, frame,
                    idp_error_write(frame, sizeof frame, 7, error, words));
}

static const char *failed(idp_error error, const char *words) {
    const ids_http_for to = to_whom(IDP_ACQUIRE);
    return failed_to(&to, error, words);
}

static bool begins(const char *whole, int status) {
    char line[32];
    snprintf(line, sizeof line, "HTTP/1.1 %d ", status);
    return strncmp(whole, line, strlen(line)) == 0;
}

static const char *body_of(const char *whole) {
    return strstr(whole, "\r\n\r\n") + 4;
}

#define HAS(what)   cr_assert(strstr(got, what), "%s", got)
#define LACKS(what) cr_assert_not(strstr(got, what), "%s", got)

Test(answer, acquired) {
    const char *got =
        answered(IDP_ACQUIRE, (idp_answer){.outcome = IDP_OUTCOME_ACQUIRED,
                                           .token = {0x1234, 0xabcdef},
                                           .attempt = 2,
                                           .previous = IDP_PREVIOUS_ORPHANED,
                                           .lease_ms = 30000});
    cr_assert(begins(got, 201), "%s", got);
    HAS("Content-Type: application/json\r\n");
    HAS("Cache-Control: no-store\r\n");
    HAS("X-Content-Type-Options: nosniff\r\n");
    LACKS("Connection:");
    LACKS("Retry-After");
    cr_assert_str_eq(body_of(got),
                     "{\"outcome\":\"acquired\",\"token\":"
                     "\"00000000000012340000000000abcdef\",\"attempt\":2,"
                     "\"previous\":\"orphaned\",\"lease_ms\":30000}\n");
    char length[64];
    snprintf(length, sizeof length, "Content-Length: %zu\r\n",
             strlen(body_of(got)));
    HAS(length);
}

static idp_answer replay_of(idp_slice result) {
    return (idp_answer){.outcome = IDP_OUTCOME_REPLAY,
                        .has_result = result.ptr != NULL,
                        .result = result,
                        .age_ms = 5,
                        .ttl_left_ms = 6};
}

Test(answer, replay_in_each_spelling) {
    const char *got = answered(IDP_ACQUIRE, replay_of(SLICE("[1e400,-0]")));
    cr_assert(begins(got, 200));
    HAS("Idempotency-Replayed: true\r\n");
    cr_assert_str_eq(body_of(got),
                     "{\"outcome\":\"replay\",\"class\":\"success\","
                     "\"age_ms\":5,\"ttl_left_ms\":6,\"kept\":true,"
                     "\"result\":[1e400,-0]}\n");
    got = answered(IDP_ACQUIRE, replay_of(SLICE("say \"hi\"\n")));
    HAS("\"result_text\":\"say \\\"hi\\\"\\n\"}");
    got = answered(IDP_ACQUIRE, replay_of(SLICE("")));
    HAS("\"kept\":true,\"result_text\":\"\"}");
    got = answered(IDP_ACQUIRE, replay_of(SLICE("\xff\0")));
    HAS("\"result_b64\":\"/wA=\"}");
    got = answered(IDP_ACQUIRE, replay_of((idp_slice){0}));
    HAS("\"kept\":false}");
    LACKS("result");
    idp_answer error = replay_of(SLICE("1"));
    error.class = IDP_CLASS_ERROR;
    got = answered(IDP_ACQUIRE, error);
    HAS("\"class\":\"error\"");
}

Test(answer, replay_as_raw_is_the_bytes_alone) {
    ids_http_for to = to_whom(IDP_ACQUIRE);
    to.as_raw = true;
    const char *got = answered_to(&to, replay_of(SLICE("paid")));
    cr_assert(begins(got, 200));
    HAS("Content-Type: text/plain; charset=utf-8\r\n");
    HAS("Idempotency-Replayed: true\r\n");
    HAS("Content-Length: 4\r\n");
    cr_assert_str_eq(body_of(got), "paid");
    got = answered_to(&to, replay_of(SLICE("{}")));
    HAS("Content-Type: application/json\r\n");
    got = answered_to(&to, replay_of(SLICE("\xff")));
    HAS("Content-Type: application/octet-stream\r\n");
    got = answered_to(&to, replay_of((idp_slice){0}));
    HAS("Content-Length: 0\r\n");
    got = answered_to(&to, (idp_answer){.outcome = IDP_OUTCOME_ACQUIRED});
    HAS("\"outcome\":\"acquired\"");
}

static const char *in_progress(uint64_t left_ms, uint64_t age_ms) {
    return answered(IDP_ACQUIRE,
                    (idp_answer){.outcome = IDP_OUTCOME_IN_PROGRESS,
                                 .lease_left_ms = left_ms,
                                 .age_ms = age_ms,
                                 .attempt = 1});
}

Test(answer, in_progress_says_when_to_come_back) {
    const char *got = in_progress(29000, 1200);
    cr_assert(begins(got, 409));
    HAS("Content-Type: application/problem+json\r\n");
    HAS("Retry-After: 2\r\n");
    HAS("\"type\":\"urn:idemstore:in_progress\"");
    HAS("\"status\":409");
    HAS("\"code\":\"in_progress\"");
    HAS("\"outcome\":\"in_progress\",\"lease_left_ms\":29000,\"attempt\":1,"
        "\"age_ms\":1200}");
    got = in_progress(1500, 60000);
    HAS("Retry-After: 2\r\n");
    got = in_progress(500000, 400000);
    HAS("Retry-After: 30\r\n");
    got = in_progress(0, 0);
    HAS("Retry-After: 1\r\n");
}

Test(answer, problem_types_are_apart) {
    const char *got =
        answered(IDP_ACQUIRE, (idp_answer){.outcome = IDP_OUTCOME_ORPHANED,
                                           .age_ms = 3,
                                           .attempt = 4});
    cr_assert(begins(got, 409));
    HAS("urn:idemstore:orphaned");
    HAS("\"age_ms\":3,\"attempt\":4}");
    LACKS("Retry-After");
    got = answered(IDP_COMPLETE, (idp_answer){.outcome = IDP_OUTCOME_STALE,
                                              .state = IDP_STATE_RELEASED});
    cr_assert(begins(got, 409));
    HAS("urn:idemstore:stale");
    HAS("\"state\":\"released\"");
    got = answered(IDP_ACQUIRE, (idp_answer){.outcome = IDP_OUTCOME_MISMATCH,
                                             .state = IDP_STATE_COMPLETED});
    cr_assert(begins(got, 422));
    HAS("\"state\":\"completed\"");
    got = answered(IDP_RENEW, (idp_answer){.outcome = IDP_OUTCOME_UNKNOWN});
    cr_assert(begins(got, 404));
    HAS("\"code\":\"unknown\"");
    got = answered(IDP_PEEK, (idp_answer){.outcome = IDP_OUTCOME_RECORD,
                                          .state = IDP_STATE_ABSENT});
    cr_assert(begins(got, 404));
    HAS("\"code\":\"absent\"");
}

Test(answer, the_holder_s_calls) {
    const char *got =
        answered(IDP_COMPLETE,
                 (idp_answer){.outcome = IDP_OUTCOME_COMPLETED, .kept = true});
    cr_assert(begins(got, 200));
    cr_assert_str_eq(body_of(got),
                     "{\"outcome\":\"completed\",\"kept\":true}\n");
    got = answered(IDP_COMPLETE, (idp_answer){.outcome = IDP_OUTCOME_COMPLETED,
                                              .ttl_ms = 60000});
    HAS("\"kept\":false,\"ttl_ms\":60000}");
    got = answered(IDP_RELEASE, (idp_answer){.outcome = IDP_OUTCOME_RELEASED});
    cr_assert(begins(got, 200));
    cr_assert_str_eq(body_of(got), "{\"outcome\":\"released\"}\n");
    got = answered(IDP_RENEW,
                   (idp_answer){.outcome = IDP_OUTCOME_RENEWED, .lease_ms = 9});
    cr_assert(begins(got, 200));
    HAS("\"lease_ms\":9}");
}

Test(answer, a_record) {
    const char *got =
        answered(IDP_PEEK, (idp_answer){.outcome = IDP_OUTCOME_RECORD,
                                        .state = IDP_STATE_IN_PROGRESS,
                                        .age_ms = 1,
                                        .attempt = 2,
                                        .lease_left_ms = 3,
                                        .ttl_left_ms = 4});
    cr_assert(begins(got, 200));
    cr_assert_str_eq(body_of(got),
                     "{\"outcome\":\"record\",\"state\":\"in_progress\","
                     "\"age_ms\":1,\"attempt\":2,\"lease_left_ms\":3,"
                     "\"ttl_left_ms\":4}\n");
    got = answered(IDP_PEEK, (idp_answer){.outcome = IDP_OUTCOME_RECORD,
                                          .state = IDP_STATE_COMPLETED,
                                          .has_result = true,
                                          .result_bytes = 5,
                                          .class = IDP_CLASS_ERROR});
    HAS("\"kept\":true,\"result_bytes\":5,\"class\":\"error\"}");
}

Test(answer, errors) {
    const char *got = failed(IDP_E_BAD_REQUEST, "lease_ms is over ttl_ms");
    cr_assert(begins(got, 400));
    HAS("\"code\":\"BAD_REQUEST\",\"detail\":\"lease_ms is over ttl_ms\"}");
    HAS("\"type\":\"urn:idemstore:bad_request\"");
    cr_assert(begins(failed(IDP_E_TOO_LARGE, NULL), 413));
    cr_assert(begins(failed(IDP_E_NO_MEMORY, NULL), 507));
    got = failed(IDP_E_LIMIT, "too many waiters");
    cr_assert(begins(got, 429));
    HAS("Retry-After: 1\r\n");
    got = failed(IDP_E_LIMIT, "retry_ms=2400 namespace shop: rate");
    HAS("Retry-After: 3\r\n");
    got = failed(IDP_E_NOT_PRIMARY, "10.0.0.2:7117");
    cr_assert(begins(got, 503));
    HAS("Retry-After: 1\r\n");
    HAS("\"primary\":\"10.0.0.2:7117\"}");
    ids_http_for to = to_whom(IDP_ACQUIRE);
    to.primary_http = "10.0.0.2:7180";
    got = failed_to(&to, IDP_E_NOT_PRIMARY, "10.0.0.2:7117");
    HAS("\"primary\":\"10.0.0.2:7117\",\"http\":\"10.0.0.2:7180\"}");
    got = failed_to(&to, IDP_E_LIMIT, "too many waiters");
    LACKS("\"http\"");
    got = failed(IDP_E_SHUTTING_DOWN, NULL);
    cr_assert(begins(got, 503));
    HAS("Retry-After: 1\r\n");
    got = failed(IDP_E_UNREPLICATED, NULL);
    cr_assert(begins(got, 504));
    HAS("\"outcome_unknown\":true");
}

Test(answer, denied_without_a_credential_or_without_the_grant) {
    ids_http_for to = to_whom(IDP_ACQUIRE);
    const char *got = failed_to(&to, IDP_E_DENIED, "namespace shop: \"x\"");
    cr_assert(begins(got, 403));
    LACKS("WWW-Authenticate");
    to.is_admitted = false;
    got = failed_to(&to, IDP_E_DENIED, "the secret is wrong");
    cr_assert(begins(got, 401));
    HAS("WWW-Authenticate: Bearer\r\n");
}

Test(answer, the_last_one_says_so) {
    ids_http_for to = to_whom(IDP_ACQUIRE);
    to.closes = true;
    const char *got = failed_to(&to, IDP_E_BAD_REQUEST, NULL);
    HAS("Connection: close\r\n");
    to.closes = false;
    to.minor = 0;
    got = failed_to(&to, IDP_E_BAD_REQUEST, NULL);
    HAS("Connection: keep-alive\r\n");
    to.is_head = true;
    got = failed_to(&to, IDP_E_BAD_REQUEST, NULL);
    cr_assert_str_eq(body_of(got), "");
    LACKS("Content-Length: 0");
}

Test(answer, what_is_no_reply_is_a_500) {
    const ids_http_for to = to_whom(IDP_ACQUIRE);
    static const uint8_t odd[] = {0x94, 0x01, 0x07, 0xc0, 0x01};
    cr_assert(begins(frame_of(&to, odd, sizeof odd), 500));
    cr_assert(begins(frame_of(&to, odd, 2), 500));
    static const uint8_t other[] = {0x94, 0x01, 0x07, 0xa3,
                                    'N',  'E',  'W',  0xc0};
    const char *got = frame_of(&to, other, sizeof other);
    cr_assert(begins(got, 500));
    HAS("\"code\":\"UNKNOWN\"");
}

Test(answer, replication) {
    uint8_t frame[IDP_REPLICATION_BYTES_MAX];
    idp_replication at = {.role = "primary",
                          .mode = "sync",
                          .node = "a\xff",
                          .in_sync_count = 1,
                          .connected = true,
                          .lag = {.ops = 1, .bytes = 20, .ms = 300},
                          .epoch = 7};
    strcpy(at.in_sync[0], "10.0.0.1:7117");
    at.replicas_count = 1;
    at.replicas[0].member = true;
    strcpy(at.replicas[0].node, "b");
    strcpy(at.replicas[0].at, "10.0.0.2:7117");
    strcpy(at.state, "All \"is\" well.");
    size_t len = idp_replication_write(frame, sizeof frame, 1, &at);
    const ids_http_for to = to_whom(IDP_REPLICATION);
    const char *said = frame_of(&to, frame, len);
    cr_assert(strstr(said, "HTTP/1.1 200 ") == said);
    const char *body = strstr(said, "\r\n\r\n") + 4;
    cr_assert(
        ids_json_is_text((idp_slice){(const uint8_t *)body, strlen(body)}));
    cr_assert(strstr(body, "{\"epoch\":7,\"role\":\"primary\",\"mode\":"
                           "\"sync\",\"node\":null,\"state\":\"All "
                           "\\\"is\\\" well.\",\"primary\":null"));
    cr_assert(strstr(body, "\"in_sync\":[\"10.0.0.1:7117\"],\"lag_ops\":1,"
                           "\"lag_bytes\":20,\"lag_ms\":300"),
              "%s", body);
    cr_assert(strstr(body, "\"replicas\":[{\"node\":\"b\",\"at\":"
                           "\"10.0.0.2:7117\",\"member\":true,"
                           "\"in_sync\":false,"),
              "%s", body);
}
