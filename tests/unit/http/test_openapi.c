/* SPDX-License-Identifier: Apache-2.0 */
/* test_openapi.c -- --openapi says what the handlers do, and all of it. */
#include "server/http/openapi.h"

#include "proto/reply.h"
#include "server/http/answer.h"
#include "server/http/json.h"
#include "tests/unit/http/texts.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static idp_bytes text, scratch;

static void begin(void) {
    cr_assert(ids_http_openapi(&text, "9.9.9"));
    cr_assert(idp_bytes_append(&text, "", 1));
}

static void end(void) {
    idp_bytes_free(&text);
    idp_bytes_free(&scratch);
}

TestSuite(openapi, .init = begin, .fini = end);

/* From the path's mark to the next one's. */
static char *section_of(ids_http_route route) {
    char mark[64];
    snprintf(mark, sizeof mark, "\"%s\":{", ids_http_routes[route].path);
    const char *from = strstr((const char *)text.ptr, mark);
    cr_assert(from, "no %s", mark);
    const char *until = strstr(from + strlen(mark), "\"/");
    const char *last = strstr(from, "\"components\"");
    if (!until || until > last)
        until = last;
    return strndup(from, (size_t)(until - from));
}

static bool has(ids_http_route route, const char *what) {
    char *section = section_of(route);
    bool is = strstr(section, what) != NULL;
    free(section);
    return is;
}

Test(openapi, is_json) {
    cr_assert(ids_json_is_text((idp_slice){text.ptr, text.len - 1}));
    cr_assert(strstr((const char *)text.ptr, "\"openapi\":\"3.1.0\""));
    cr_assert(strstr((const char *)text.ptr, "\"version\":\"9.9.9\""));
}

Test(openapi, has_each_path_with_its_method) {
    ids_http_problem problem;
    ids_http_route found;
    for (int i = 0; i < IDS_HTTP_ROUTES; i++) {
        const ids_http_route_row *row = &ids_http_routes[i];
        const ids_http_head head = {.method = row->is_get ? IDS_HTTP_GET
                                                          : IDS_HTTP_POST,
                                    .path = slice_of(row->path),
                                    .content_type = SLICE("application/json")};
        cr_assert(
            has((ids_http_route)i, row->is_get ? "\"get\":{" : "\"post\":{"));
        cr_assert(ids_http_find_route(&head, &found, &problem));
        cr_assert_eq((int)found, i);
    }
}

/* Whether the handler knows the argument: what it says of a wrong value names
 * it, and does not say that it has none. */
static bool is_known(ids_http_route route, const char *name) {
    char body[128], query[128];
    idp_request request;
    bool as_raw;
    ids_http_problem problem = {0};
    bool is_get = ids_http_routes[route].is_get;
    snprintf(body, sizeof body, "{\"%s\":[]}", name);
    snprintf(query, sizeof query, "%s=%%00", name);
    const ids_http_asked asked = {.route = route,
                                  .query =
                                      is_get ? slice_of(query) : (idp_slice){0},
                                  .body = slice_of(body)};
    ids_http_call_read(&asked, 64, &scratch, &request, &as_raw, &problem);
    return !strstr(problem.text, " has no ");
}

Test(openapi, has_each_argument_and_no_other) {
    const ids_http_argument *one;
    char mark[64];
    for (int route = 0; route <= IDS_HTTP_SLOW; route++) {
        bool is_get = ids_http_routes[route].is_get;
        for (size_t i = 0; (one = ids_http_argument_at(i)); i++) {
            snprintf(mark, sizeof mark, is_get ? "\"name\":\"%s\"" : "\"%s\":{",
                     one->name);
            cr_assert_eq(has((ids_http_route)route, mark),
                         is_known((ids_http_route)route, one->name), "%s %s",
                         ids_http_routes[route].path, one->name);
        }
        cr_assert_not(is_known((ids_http_route)route, "nothing"));
    }
}

/* Statuses ----------------------------------------------------------------- */

static bool is_listed(ids_http_route route, int status) {
    const ids_http_statuses all = ids_http_statuses_of(route);
    char mark[16];
    bool is = false;
    for (int i = 0; all.all[i]; i++)
        is |= all.all[i] == status;
    snprintf(mark, sizeof mark, "\"%d\":{", status);
    cr_assert_eq(has(route, mark), is);
    return is;
}

static int status_of(idp_method method, const uint8_t *frame, size_t len) {
    idp_bytes out = {0};
    const ids_http_for to = {
        .method = method, .is_admitted = true, .minor = 1, .scratch = &scratch};
    cr_assert(ids_http_answer_reply(&out, &to, (idp_slice){frame, len}));
    int status = atoi((const char *)out.ptr + 9);
    idp_bytes_free(&out);
    return status;
}

Test(openapi, has_each_status_that_a_reply_becomes) {
    uint8_t frame[512];
    for (int route = 0; route <= IDS_HTTP_SLOW; route++) {
        idp_method method = ids_http_routes[route].method;
        for (int outcome = 0;
             route <= IDS_HTTP_RECORD && outcome < IDP_OUTCOME_COUNT;
             outcome++) {
            const idp_answer answer = {.outcome = (idp_outcome)outcome};
            size_t len = idp_answer_write(frame, sizeof frame, 1, &answer);
            int status = status_of(method, frame, len);
            cr_assert(is_listed((ids_http_route)route, status), "%s: %d",
                      ids_http_routes[route].path, status);
        }
#define X(name, number, words)                                            \
    {                                                                     \
        size_t len =                                                      \
            idp_error_write(frame, sizeof frame, 1, IDP_E_##name, words); \
        int status = status_of(method, frame, len);                       \
        cr_assert(is_listed((ids_http_route)route, status), "%s: %d",     \
                  ids_http_routes[route].path, status);                   \
    }
        IDP_ERRORS(X)
#undef X
        cr_assert(is_listed((ids_http_route)route, 401));
        cr_assert(is_listed((ids_http_route)route, 421));
        cr_assert_eq(is_listed((ids_http_route)route, 415),
                     !ids_http_routes[route].is_get);
        cr_assert_not(is_listed((ids_http_route)route, 418));
    }
}
