/* SPDX-License-Identifier: Apache-2.0 */
/* test_call.c -- paths and arguments, and the line's request that they are. */
#include "server/http/call.h"

#include "tests/unit/http/texts.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define RESULT_MAX 64
#define TOKEN      "00000000000000010000000000000002"

static idp_bytes scratch;
static idp_request request;
static bool as_raw;
static ids_http_problem problem;

static bool reads(ids_http_route route, const char *query, idp_slice body) {
    const ids_http_asked asked = {.route = route,
                                  .query =
                                      query ? slice_of(query) : (idp_slice){0},
                                  .body = body};
    problem = (ids_http_problem){0};
    return ids_http_call_read(&asked, RESULT_MAX, &scratch, &request, &as_raw,
                              &problem);
}

static void end(void) {
    idp_bytes_free(&scratch);
}

TestSuite(call, .fini = end);

#define GOOD(route, query, body)                                           \
    cr_assert(reads(IDS_HTTP_##route, query, SLICE(body)), "%s: %s", body, \
              problem.text)
#define BAD(route, query, body, words)                                   \
    do {                                                                 \
        cr_assert_not(reads(IDS_HTTP_##route, query, SLICE(body)), "%s", \
                      body);                                             \
        cr_assert_eq(problem.status, 400);                               \
        cr_assert(strstr(problem.text, words), "%s", problem.text);      \
    } while (0)

Test(call, acquire_with_what_it_needs) {
    GOOD(ACQUIRE, NULL, "{\"key\":\"k\"}");
    cr_assert_eq(request.method, IDP_ACQUIRE);
    cr_assert(same(request.key, SLICE("k")) && same(request.ns, SLICE("")));
    cr_assert(request.ns.ptr);
    cr_assert(request.lease_ms == 30000 && request.ttl_ms == 86400000);
    cr_assert(!request.wait_ms && request.on_orphan == IDP_TAKEOVER);
    cr_assert(!request.nonce.len && !request.fingerprint.len && !as_raw);
}

Test(call, acquire_with_everything) {
    GOOD(ACQUIRE, "as=raw",
         "{\"ns\":\"shop\",\"key\":\"order\\u0000\\n7\",\"fingerprint\":\"f\","
         "\"nonce\":\"n\",\"lease\":\"250ms\",\"ttl\":\"2d\",\"wait\":\"1m\","
         "\"on_orphan\":\"report\"}");
    cr_assert(same(request.ns, SLICE("shop")));
    cr_assert(same(request.key, SLICE("order\0\n7")));
    cr_assert(same(request.fingerprint, SLICE("f")));
    cr_assert(same(request.nonce, SLICE("n")));
    cr_assert(request.lease_ms == 250 && request.ttl_ms == 172800000);
    cr_assert(request.wait_ms == 60000 && request.on_orphan == IDP_REPORT);
    cr_assert(as_raw);
    GOOD(ACQUIRE, NULL,
         "{\"ns_b64\":\"AP8=\",\"key_b64\":\"AAECAw\","
         "\"fingerprint_hex\":\"00ff\",\"nonce_b64\":\"_-8\","
         "\"lease_ms\":1,\"ttl_ms\":2,\"wait_ms\":0,"
         "\"on_orphan\":\"takeover\"}");
    cr_assert(same(request.ns, SLICE("\0\xff")));
    cr_assert(same(request.key, SLICE("\0\1\2\3")));
    cr_assert(same(request.fingerprint, SLICE("\0\xff")));
    cr_assert(same(request.nonce, SLICE("\xff\xef")));
    cr_assert(request.lease_ms == 1 && request.ttl_ms == 2);
    GOOD(ACQUIRE, NULL, "{\"key\":\"k\",\"fingerprint_b64\":\"AP8=\"}");
    cr_assert(same(request.fingerprint, SLICE("\0\xff")));
}

Test(call, a_lease_that_was_left_out_is_no_longer_than_the_record) {
    GOOD(ACQUIRE, NULL, "{\"key\":\"k\",\"ttl\":\"5s\"}");
    cr_assert(request.lease_ms == 5000 && request.ttl_ms == 5000);
}

Test(call, acquire_is_refused) {
    BAD(ACQUIRE, NULL, "{}", "\"key\" is missing");
    BAD(ACQUIRE, NULL, "{\"key\":1}", "key must be a string");
    BAD(ACQUIRE, NULL, "{\"key\":null}", "key must be a string");
    BAD(ACQUIRE, NULL, "{\"key\":\"a\",\"key\":\"b\"}", "twice");
    BAD(ACQUIRE, NULL, "{\"key\":\"a\",\"key_b64\":\"YQ==\"}", "twice");
    BAD(ACQUIRE, NULL, "{\"key\":\"a\",\"lease\":\"1s\",\"lease_ms\":1}",
        "twice");
    BAD(ACQUIRE, NULL, "{\"key_b64\":\"Y\"}", "base64");
    BAD(ACQUIRE, NULL, "{\"key\":\"a\",\"fingerprint_hex\":\"0\"}", "hexa");
    BAD(ACQUIRE, NULL, "{\"key\":\"a\",\"lease\":30}", "unit");
    BAD(ACQUIRE, NULL, "{\"key\":\"a\",\"lease\":\"30\"}", "unit");
    BAD(ACQUIRE, NULL, "{\"key\":\"a\",\"lease_ms\":\"30\"}", "whole number");
    BAD(ACQUIRE, NULL, "{\"key\":\"a\",\"lease_ms\":1e400}", "whole number");
    BAD(ACQUIRE, NULL, "{\"key\":\"a\",\"lease_ms\":1.5}", "whole number");
    BAD(ACQUIRE, NULL, "{\"key\":\"a\",\"lease_ms\":-1}", "whole number");
    BAD(ACQUIRE, NULL, "{\"key\":\"a\",\"lease_ms\":9007199254740993}",
        "whole number");
    BAD(ACQUIRE, NULL, "{\"key\":\"a\",\"lease_ms\":4294967296}",
        "whole number");
    BAD(ACQUIRE, NULL, "{\"key\":\"a\",\"ttl_ms\":0}", "ttl_ms");
    BAD(ACQUIRE, NULL, "{\"key\":\"a\",\"on_orphan\":\"x\"}", "takeover");
    BAD(ACQUIRE, NULL, "{\"key\":\"a\",\"token\":\"" TOKEN "\"}",
        "has no \"token\"");
    BAD(ACQUIRE, NULL, "{\"key\":\"a\",\"ttl_sec\":1}", "has no \"ttl_sec\"");
    BAD(ACQUIRE, NULL, "{\"key\":\"a\",\"nonce\":\"\"}", "1 to 32");
    BAD(ACQUIRE, NULL, "[\"key\"]", "object");
    BAD(ACQUIRE, NULL, "", "object");
    BAD(ACQUIRE, "key=a", "{\"key\":\"a\"}", "into the body");
    BAD(ACQUIRE, "as=json", "{\"key\":\"a\"}", "as must be raw");
    BAD(ACQUIRE, "as", "{\"key\":\"a\"}", "query");
    BAD(ACQUIRE, "as=raw&as=raw", "{\"key\":\"a\"}", "twice");
}

Test(call, complete_keeps_the_result_as_it_was_sent) {
    GOOD(COMPLETE, NULL,
         "{\"key\":\"k\",\"token\":\"" TOKEN
         "\",\"result\": [[[[[[[[[1e400, -0 ]]]]]]]]] ,\"class\":\"error\","
         "\"ttl\":\"1h\"}");
    cr_assert_eq(request.method, IDP_COMPLETE);
    cr_assert(request.token.epoch == 1 && request.token.sequence == 2);
    cr_assert(same(request.result, SLICE("[[[[[[[[[1e400, -0 ]]]]]]]]]")));
    cr_assert_eq(request.class, IDP_CLASS_ERROR);
    cr_assert_eq(request.ttl_ms, 3600000);
}

#define COMPLETE_WITH(member) \
    "{\"key\":\"k\",\"token\":\"" TOKEN "\"," member "}"

Test(call, complete_in_each_spelling) {
    GOOD(COMPLETE, NULL, COMPLETE_WITH("\"result\":null"));
    cr_assert(!request.result.ptr && !request.result_too_large);
    cr_assert_eq(request.ttl_ms, 0);
    GOOD(COMPLETE, NULL, COMPLETE_WITH("\"result\":\"a\\u0000\""));
    cr_assert(same(request.result, SLICE("\"a\\u0000\"")));
    GOOD(COMPLETE, NULL, COMPLETE_WITH("\"result_text\":\"a\\u0000\""));
    cr_assert(same(request.result, SLICE("a\0")));
    GOOD(COMPLETE, NULL, COMPLETE_WITH("\"result_text\":\"\""));
    cr_assert(request.result.ptr && !request.result.len);
    GOOD(COMPLETE, NULL, COMPLETE_WITH("\"result_b64\":\"AP8=\""));
    cr_assert(same(request.result, SLICE("\0\xff")));
    GOOD(COMPLETE, NULL, COMPLETE_WITH("\"result\":18446744073709551616"));
    cr_assert(same(request.result, SLICE("18446744073709551616")));
    BAD(COMPLETE, NULL, COMPLETE_WITH("\"result\":1,\"result_text\":\"\""),
        "twice");
    BAD(COMPLETE, NULL, COMPLETE_WITH("\"result\":nul"), "JSON");
    BAD(COMPLETE, NULL, COMPLETE_WITH("\"class\":\"failure\""), "success");
    BAD(COMPLETE, NULL, "{\"key\":\"k\"}", "\"token\" is missing");
    BAD(COMPLETE, NULL, "{\"key\":\"k\",\"token\":\"12\"}", "32 hexadecimal");
}

Test(call, a_result_over_the_limit_completes_all_the_same) {
    char body[512];
    int len =
        sprintf(body, COMPLETE_WITH("\"result\":\"%0*d\""), RESULT_MAX - 2, 0);
    cr_assert(reads(IDS_HTTP_COMPLETE, NULL,
                    (idp_slice){(uint8_t *)body, (size_t)len}));
    cr_assert(request.result.len == RESULT_MAX && !request.result_too_large);
    len =
        sprintf(body, COMPLETE_WITH("\"result\":\"%0*d\""), RESULT_MAX - 1, 0);
    cr_assert(reads(IDS_HTTP_COMPLETE, NULL,
                    (idp_slice){(uint8_t *)body, (size_t)len}));
    cr_assert(!request.result.ptr && request.result_too_large);
}

Test(call, complete_with_the_body_as_it_is) {
    GOOD(COMPLETE, "ns=shop&key=a%2Fb&token=" TOKEN "&class=error&ttl=1h",
         "\xff\0{");
    cr_assert(same(request.ns, SLICE("shop")));
    cr_assert(same(request.key, SLICE("a/b")));
    cr_assert(same(request.result, SLICE("\xff\0{")));
    cr_assert(request.class == IDP_CLASS_ERROR && request.ttl_ms == 3600000);
    GOOD(COMPLETE, "key_b64=YQ%3D%3D&token=" TOKEN "&ttl_ms=5", "");
    cr_assert(same(request.key, SLICE("a")) && request.ttl_ms == 5);
    cr_assert(request.result.ptr && !request.result.len);
    BAD(COMPLETE, "token=" TOKEN, "x", "\"key\" is missing");
    BAD(COMPLETE, "key=a&key=b&token=" TOKEN, "x", "twice");
    BAD(COMPLETE, "key=a+b&token=" TOKEN, "x", "%2B");
    BAD(COMPLETE, "key=a&token=" TOKEN "&result_text=b", "x",
        "the result is the body");
    BAD(COMPLETE, "key=a&token=" TOKEN "&result=1", "x", "JSON, in the body");
}

Test(call, the_others) {
    GOOD(RELEASE, NULL, "{\"key\":\"k\",\"token\":\"" TOKEN "\"}");
    cr_assert(request.method == IDP_RELEASE && !request.unbind);
    GOOD(RELEASE, NULL,
         "{\"key\":\"k\",\"token\":\"" TOKEN "\",\"unbind\":true}");
    cr_assert(request.unbind);
    BAD(RELEASE, NULL, "{\"key\":\"k\",\"token\":\"" TOKEN "\",\"unbind\":1}",
        "true or false");
    GOOD(RENEW, NULL,
         "{\"key\":\"k\",\"token\":\"" TOKEN "\",\"lease\":\"5s\"}");
    cr_assert(request.method == IDP_RENEW && request.lease_ms == 5000);
    GOOD(RENEW, NULL, "{\"key\":\"k\",\"token\":\"" TOKEN "\"}");
    cr_assert_eq(request.lease_ms, 30000);
    GOOD(PEEK, NULL, "{\"key\":\"k\"}");
    cr_assert_eq(request.method, IDP_PEEK);
    GOOD(RECORD, "ns=shop&key=%00", "");
    cr_assert_eq(request.method, IDP_PEEK);
    cr_assert(same(request.key, SLICE("\0")));
    BAD(RECORD, NULL, "", "\"key\" is missing");
    BAD(PEEK, NULL, "{\"key\":\"k\",\"lease\":\"5s\"}", "has no \"lease\"");
}

/* Routes ------------------------------------------------------------------- */

static int status_of(ids_http_head head) {
    ids_http_route route;
    problem = (ids_http_problem){0};
    return ids_http_find_route(&head, &route, &problem) ? 0 : problem.status;
}

static ids_http_head post(const char *path, const char *type) {
    return (ids_http_head){.method = IDS_HTTP_POST,
                           .path = slice_of(path),
                           .content_type =
                               type ? slice_of(type) : (idp_slice){0}};
}

Test(route, demands_json) {
    cr_assert_eq(status_of(post("/v1/acquire", "application/json")), 0);
    cr_assert_eq(
        status_of(post("/v1/acquire", "Application/JSON; charset=utf-8")), 0);
    cr_assert_eq(status_of(post("/v1/acquire", NULL)), 415);
    cr_assert_eq(status_of(post("/v1/acquire", "text/plain")), 415);
    cr_assert_eq(
        status_of(post("/v1/acquire", "application/x-www-form-urlencoded")),
        415);
    cr_assert_eq(status_of(post("/v1/acquire", "application/json5")), 415);
    ids_http_head raw = post("/v1/complete", "text/plain");
    cr_assert_eq(status_of(raw), 415);
    raw.query = SLICE("key=a&token=b");
    cr_assert_eq(status_of(raw), 0);
    raw.is_encoded = true;
    cr_assert_eq(status_of(raw), 415);
}

Test(route, has_no_use_for_a_forwarded_key) {
    for (int i = 0; i <= IDS_HTTP_PEEK; i++) {
        ids_http_head head = post(ids_http_routes[i].path, "application/json");
        cr_assert_eq(status_of(head), 0);
        head.has_idempotency_key = true;
        cr_assert_eq(status_of(head), 400);
        cr_assert(strstr(problem.text, "nonce"));
    }
}

Test(route, knows_its_methods_and_paths) {
    ids_http_head head = post("/v1/acquire", "application/json");
    head.method = IDS_HTTP_GET;
    cr_assert_eq(status_of(head), 405);
    head.method = IDS_HTTP_OTHER;
    cr_assert_eq(status_of(head), 405);
    cr_assert_eq(status_of(post("/v1/record", "application/json")), 405);
    cr_assert_eq(status_of(post("/healthz", "application/json")), 405);
    head.path = SLICE("/v1/record");
    head.method = IDS_HTTP_HEAD;
    cr_assert_eq(status_of(head), 0);
    cr_assert_eq(status_of(post("/v1/acquir", "application/json")), 404);
    cr_assert_eq(status_of(post("/V1/acquire", "application/json")), 404);
    cr_assert_eq(status_of(post("/v2", "application/json")), 404);
    cr_assert_eq(status_of(post("/", "application/json")), 405);
}
