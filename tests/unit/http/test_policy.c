/* SPDX-License-Identifier: Apache-2.0 */
/* test_policy.c -- who may ask what, before a credential is looked at. */
#include "server/http/policy.h"

#include "tests/unit/http/texts.h"

#include <criterion/criterion.h>

static const ids_http_policy open_to_all = {0};
static const ids_http_policy named = {.hosts = {"Idem.Example"},
                                      .hosts_count = 1};
static const ids_http_policy guarded = {.demands_secret = true};

typedef struct asked {
    const ids_http_policy *policy;
    bool is_far;
    bool has_cert;
    const char *origin;
    ids_http_site site;
    const char *host;
    const char *authorization;
    ids_http_route route;
} asked;

/* The status it is refused with; 0: it may. */
static int refused(asked a, idp_slice *secret) {
    idp_slice none;
    ids_http_problem problem = {0};
    const ids_http_head head = {
        .host = slice_of(a.host ? a.host : "localhost"),
        .authorization =
            a.authorization ? slice_of(a.authorization) : (idp_slice){0},
        .origin = a.origin ? slice_of(a.origin) : (idp_slice){0},
        .site = a.site};
    const ids_http_from from = {.is_local = !a.is_far, .has_cert = a.has_cert};
    return ids_http_may_ask(a.policy ? a.policy : &open_to_all, from, a.route,
                            &head, secret ? secret : &none, &problem)
               ? 0
               : problem.status;
}

#define ASKED(...) ((asked){__VA_ARGS__})

Test(policy, without_secrets_this_machine_is_served) {
    cr_assert_eq(refused(ASKED(.route = IDS_HTTP_ACQUIRE), NULL), 0);
    cr_assert_eq(refused(ASKED(.is_far = true), NULL), 403);
    cr_assert_eq(
        refused(ASKED(.route = IDS_HTTP_METRICS, .is_far = true), NULL), 403);
}

Test(policy, probes_are_free) {
    cr_assert_eq(refused(ASKED(.route = IDS_HTTP_HEALTHZ, .is_far = true,
                               .host = "evil.example", .origin = "null"),
                         NULL),
                 0);
    cr_assert_eq(
        refused(ASKED(.route = IDS_HTTP_READYZ, .policy = &guarded), NULL), 0);
}

Test(policy, a_name_that_points_here_is_not_ours) {
    const char *const good[] = {"localhost", "LOCALHOST:80",
                                "127.0.0.1", "10.0.0.1:7180",
                                "[::1]",     "[fe80::1]:7180"};
    const char *const bad[] = {
        "evil.example",   "evil.example:80", "127.0.0.1.evil.example",
        "localhost.evil", "1.2.3",           "1.2.3.4.5",
        "1.2.3.a",        "1..2.3",          ""};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        cr_assert_eq(refused(ASKED(.host = good[i]), NULL), 0, "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq(refused(ASKED(.host = bad[i]), NULL), 421, "%s", bad[i]);
    cr_assert_eq(
        refused(ASKED(.policy = &named, .host = "idem.example:1"), NULL), 0);
    cr_assert_eq(
        refused(ASKED(.policy = &named, .host = "idem.example2"), NULL), 421);
}

Test(policy, a_page_is_no_client) {
    const char *const others[] = {"null",
                                  "http://evil.example",
                                  "http://localhost:80",
                                  "http://localhost.evil",
                                  "ftp://localhost",
                                  "http://",
                                  "localhost",
                                  ""};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        cr_assert_eq(refused(ASKED(.origin = others[i]), NULL), 403);
        cr_assert_eq(refused(ASKED(.policy = &guarded, .origin = others[i],
                                   .authorization = "Bearer x"),
                             NULL),
                     403, "%s", others[i]);
    }
    cr_assert_eq(refused(ASKED(.site = IDS_HTTP_SITE_CROSS), NULL), 403);
    cr_assert_eq(refused(ASKED(.policy = &guarded, .site = IDS_HTTP_SITE_CROSS,
                               .origin = "http://localhost",
                               .authorization = "Bearer x"),
                         NULL),
                 403);
}

/* A page of this host that shows a secret: the browser says where it is from,
 * or its origin does. Without a secret it may not change anything. */
Test(policy, the_console_is) {
    const asked by_origin = {.policy = &guarded,
                             .host = "idem.example:7180",
                             .origin = "https://IDEM.example:7180",
                             .authorization = "Bearer x"};
    asked told = by_origin;
    cr_assert_eq(refused(told, NULL), 0);
    told.origin = "http://idem.example:7180";
    cr_assert_eq(refused(told, NULL), 0);
    told.site = IDS_HTTP_SITE_OTHER; /* another port of it */
    cr_assert_eq(refused(told, NULL), 403);
    told.site = IDS_HTTP_SITE_SAME_ORIGIN;
    told.host = "10.0.0.1"; /* a proxy has put its own */
    cr_assert_eq(refused(told, NULL), 0);
    told.authorization = NULL;
    cr_assert_eq(refused(told, NULL), 403);
    cr_assert_eq(refused(ASKED(.origin = "http://localhost",
                               .site = IDS_HTTP_SITE_SAME_ORIGIN),
                         NULL),
                 403);
    cr_assert_eq(refused(ASKED(.route = IDS_HTTP_METRICS,
                               .site = IDS_HTTP_SITE_SAME_ORIGIN),
                         NULL),
                 0);
}

/* The page itself has nothing in it; who is not served has no use for it. */
Test(policy, the_page_is_for_who_could_be_served) {
    const ids_http_route page = IDS_HTTP_CONSOLE;
    cr_assert_eq(refused(ASKED(.route = page), NULL), 0);
    cr_assert_eq(
        refused(ASKED(.route = page, .site = IDS_HTTP_SITE_CROSS), NULL), 0);
    cr_assert_eq(refused(ASKED(.route = page, .is_far = true), NULL), 403);
    cr_assert_eq(refused(ASKED(.route = page, .host = "evil.example"), NULL),
                 421);
    cr_assert_eq(refused(ASKED(.route = page, .policy = &guarded,
                               .is_far = true, .host = "idem.example"),
                         NULL),
                 0);
}

Test(policy, a_secret_is_shown_by_each_request) {
    idp_slice secret;
    cr_assert_eq(refused(ASKED(.policy = &guarded), &secret), 401);
    cr_assert_eq(
        refused(ASKED(.policy = &guarded, .authorization = "Basic x"), &secret),
        401);
    cr_assert_eq(
        refused(ASKED(.policy = &guarded, .authorization = "Bearer "), &secret),
        401);
    cr_assert_eq(
        refused(ASKED(.policy = &guarded, .is_far = true, .host = "any.example",
                      .authorization = "bEARER  idm_a "),
                &secret),
        0);
    cr_assert(same(secret, SLICE("idm_a")));
}

Test(policy, a_secret_that_nobody_asks_for_opens_nothing) {
    idp_slice secret;
    cr_assert_eq(refused(ASKED(.authorization = "Bearer x"), &secret), 0);
    cr_assert_null(secret.ptr);
    cr_assert_eq(
        refused(ASKED(.is_far = true, .authorization = "Bearer x"), &secret),
        403);
}

/* It is no browser's: a page's requests are refused before. */
Test(policy, a_certificate_lets_in_who_shows_no_secret) {
    idp_slice secret;
    const asked far = {.is_far = true,
                       .has_cert = true,
                       .host = "store.example",
                       .route = IDS_HTTP_ACQUIRE};
    asked a = far;
    a.policy = &guarded;
    cr_assert_eq(refused(a, &secret), 0);
    cr_assert_null(secret.ptr);
    a.authorization = "Bearer idm_x";
    cr_assert_eq(refused(a, &secret), 0, "the secret is to decide");
    cr_assert_eq(secret.len, 5);
    a.authorization = "Basic eA==";
    cr_assert_eq(refused(a, NULL), 401);
    a = far;
    cr_assert_eq(refused(a, NULL), 0, "without secrets as well");
    a.authorization = "Bearer idm_x";
    cr_assert_eq(refused(a, NULL), 0);
    a.origin = "http://evil.example";
    cr_assert_eq(refused(a, NULL), 403);
}
