/* SPDX-License-Identifier: Apache-2.0 */
/* route.c -- the paths, and what each asks of a request's head; see call.h. */
#include "server/http/call.h"
#include "server/http/chars.h"

#define BODY_BYTES (16u << 10)
#define BAD        "BAD_REQUEST"

const ids_http_route_row ids_http_routes[IDS_HTTP_ROUTES] = {
    [IDS_HTTP_ACQUIRE] = {"/v1/acquire", false, IDP_ACQUIRE},
    [IDS_HTTP_COMPLETE] = {"/v1/complete", false, IDP_COMPLETE},
    [IDS_HTTP_RELEASE] = {"/v1/release", false, IDP_RELEASE},
    [IDS_HTTP_RENEW] = {"/v1/renew", false, IDP_RENEW},
    [IDS_HTTP_PEEK] = {"/v1/peek", false, IDP_PEEK},
    [IDS_HTTP_RESOLVE] = {"/v1/resolve", false, IDP_RESOLVE},
    [IDS_HTTP_ERASE] = {"/v1/erase", false, IDP_ERASE},
    [IDS_HTTP_RECORD] = {"/v1/record", true, IDP_PEEK},
    [IDS_HTTP_LIST] = {"/v1/list", false, IDP_LIST},
    [IDS_HTTP_INSPECT] = {"/v1/inspect", false, IDP_INSPECT},
    [IDS_HTTP_CLIENTS] = {"/v1/clients", false, IDP_CLIENTS},
    [IDS_HTTP_KILL] = {"/v1/kill", false, IDP_KILL},
    [IDS_HTTP_BACKUP] = {"/v1/backup", false, IDP_BACKUP},
    [IDS_HTTP_EVENTS] = {"/v1/events", false, IDP_EVENTS},
    [IDS_HTTP_SLOW] = {"/v1/slow", false, IDP_SLOW},
    [IDS_HTTP_REPLICATION] = {"/v1/replication", true, IDP_REPLICATION},
    [IDS_HTTP_HEALTHZ] = {"/healthz", true, IDP_PING},
    [IDS_HTTP_READYZ] = {"/readyz", true, IDP_PING},
    [IDS_HTTP_METRICS] = {"/metrics", true, IDP_METRICS},
    [IDS_HTTP_CONSOLE] = {"/", true, IDP_PING},
};

bool ids_http_is_raw_form(ids_http_route route, idp_slice query) {
    idp_slice rest = query, part;
    if (route == IDS_HTTP_RECORD)
        return true;
    while (route == IDS_HTTP_COMPLETE && slice_split(&rest, '&', &part))
        if (part.len >= 6 && memcmp(part.ptr, "token=", 6) == 0)
            return true;
    return false;
}

/* application/json, with parameters or without. */
static bool is_json(idp_slice type) {
    idp_slice rest = type, part;
    return slice_split(&rest, ';', &part) &&
           ids_http_is(slice_trim(part), "application/json");
}

static bool check_post(const ids_http_head *head, ids_http_route route,
                       ids_http_problem *problem) {
    if (head->has_idempotency_key)
        return ids_http_refuse(
            problem, 400, BAD,
            "the header Idempotency-Key has no meaning here: the business key "
            "belongs into key, a nonce for retries into nonce");
    if (head->is_encoded)
        return ids_http_refuse(problem, 415, "UNSUPPORTED_MEDIA_TYPE",
                               "a body with a Content-Encoding");
    if (!ids_http_is_raw_form(route, head->query) &&
        !is_json(head->content_type))
        return ids_http_refuse(problem, 415, "UNSUPPORTED_MEDIA_TYPE",
                               "the body must be application/json, and say so "
                               "in Content-Type");
    return true;
}

bool ids_http_find_route(const ids_http_head *head, ids_http_route *route,
                         ids_http_problem *problem) {
    bool is_post = head->method == IDS_HTTP_POST;
    bool is_get = head->method == IDS_HTTP_GET || head->method == IDS_HTTP_HEAD;
    for (int i = 0; i < IDS_HTTP_ROUTES; i++) {
        if (!slice_equals(head->path, ids_http_routes[i].path))
            continue;
        *route = (ids_http_route)i;
        if (ids_http_routes[i].is_get ? !is_get : !is_post)
            return ids_http_refuse(problem, 405, "METHOD_NOT_ALLOWED",
                                   "%s is asked by %s", ids_http_routes[i].path,
                                   ids_http_routes[i].is_get ? "GET" : "POST");
        return is_get || check_post(head, *route, problem);
    }
    return ids_http_refuse(problem, 404, "NOT_FOUND",
                           "there is no such path here; idemstored --openapi "
                           "lists them");
}

size_t ids_http_body_bytes_max(ids_http_route route, size_t result_bytes_max) {
    return route == IDS_HTTP_COMPLETE || route == IDS_HTTP_RESOLVE
               ? result_bytes_max / 3 * 4 + BODY_BYTES
               : BODY_BYTES;
}
