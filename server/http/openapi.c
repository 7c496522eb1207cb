/* SPDX-License-Identifier: Apache-2.0 */
/* openapi.c -- see openapi.h. */
#include "server/http/openapi.h"

#include "server/http/json.h"

#include <string.h>

typedef struct said {
    const char *about;
    ids_http_statuses statuses;
} said;

/* Of the data calls, whatever they ask: refused, not here, not now. */
#define ANY_CALL 400, 401, 403, 413, 421, 429, 500, 503, 504, 507

static const said routes[IDS_HTTP_ROUTES] = {
    [IDS_HTTP_ACQUIRE] = {"Ask for the claim of a key. 201: it is the "
                          "caller's; 200: it was done before, and this is the "
                          "result; 409: somebody else is at it, or his lease "
                          "is over; 422: the key is there with another "
                          "fingerprint.",
                          {{200, 201, 409, 415, 422, ANY_CALL}}},
    [IDS_HTTP_COMPLETE] = {"The claim's work is done, and this is its result. "
                           "With ns, key and token in the query the body is "
                           "the result as it is.",
                           {{200, 404, 409, 415, ANY_CALL}}},
    [IDS_HTTP_RELEASE] = {"The claim's work was not done: the next one may.",
                          {{200, 404, 409, 415, ANY_CALL}}},
    [IDS_HTTP_RENEW] = {"The lease begins anew.",
                        {{200, 404, 409, 415, ANY_CALL}}},
    [IDS_HTTP_PEEK] = {"What there is of a key; nothing is changed.",
                       {{200, 404, 415, ANY_CALL}}},
    [IDS_HTTP_RESOLVE] = {"An operator decides what became of a claim; token "
                          "is the one that was seen. 409: another token, a "
                          "claim that was given up, or force is needed.",
                          {{200, 404, 409, 415, ANY_CALL}}},
    [IDS_HTTP_ERASE] = {"Forget all keys of a namespace that begin so; with "
                        "dry_run: how many they are.",
                        {{200, 415, ANY_CALL}}},
    [IDS_HTTP_RECORD] = {"The same as peek; a query stands in logs on the "
                         "way.",
                         {{200, 404, ANY_CALL}}},
    [IDS_HTTP_LIST] = {"A page of the records that are so, at most 60, and a "
                       "cursor for the next one; null: this was the last. A "
                       "record that is there from the first page to the last "
                       "is in one of them.",
                       {{200, 415, ANY_CALL}}},
    [IDS_HTTP_INSPECT] = {"All that is known of a key: who claimed it, and for "
                          "those who may resolve its token and result.",
                          {{200, 404, 415, ANY_CALL}}},
    [IDS_HTTP_CLIENTS] = {"A page of those who are connected, and a cursor for "
                          "the next one; null: this was the last.",
                          {{200, 415, ANY_CALL}}},
    [IDS_HTTP_KILL] = {"Close a connection: its waiters are forgotten, its "
                       "claims stay.",
                       {{200, 404, 415, ANY_CALL}}},
    [IDS_HTTP_BACKUP] = {"Make a backup of what is kept, in --backup-dir; "
                         "answered when it is whole and was read back. 409: "
                         "the text says what is in the way.",
                         {{200, 409, 415, ANY_CALL}}},
    [IDS_HTTP_EVENTS] = {"What has happened to keys, at most 60 events, and a "
                         "cursor for what comes next; lost: how many before "
                         "these nobody kept. With wait the answer is held back "
                         "until there is one.",
                         {{200, 415, ANY_CALL}}},
    [IDS_HTTP_SLOW] = {"The last turns over 10 ms and what they did, and "
                       "replies held for over 100 ms and what for.",
                       {{200, 415, ANY_CALL}}},
    [IDS_HTTP_REPLICATION] = {"Who is primary, who is in sync, how far behind "
                              "the replica is.",
                              {{200, ANY_CALL}}},
    [IDS_HTTP_METRICS] = {"What it has counted, for Prometheus.",
                          {{200, ANY_CALL}}},
    [IDS_HTTP_HEALTHZ] = {"Whether every worker turns.", {{200, 503}}},
    [IDS_HTTP_READYZ] = {"Whether it serves claims.", {{200, 400, 503}}},
    [IDS_HTTP_CONSOLE] = {"The console: a page for a person's browser. Refused "
                          "beyond this machine where nobody has a secret.",
                          {{200, 403, 421}}},
};

ids_http_statuses ids_http_statuses_of(ids_http_route route) {
    return routes[route].statuses;
}

static void put_api_text(ids_json_out *out, const char *name,
                         const char *text) {
    ids_json_put(out, "\"");
    ids_json_put(out, name);
    ids_json_put(out, "\":");
    ids_json_put_string(out, (idp_slice){(const uint8_t *)text, strlen(text)});
}

static void put_schema(ids_json_out *out, const ids_http_argument *one) {
    ids_json_put(out, "{");
    if (*one->type) {
        put_api_text(out, "type", one->type);
        ids_json_put(out, ",");
    }
    put_api_text(out, "description", one->about);
    ids_json_put(out, "}");
}

static const ids_http_argument *next_argument(ids_http_route route,
                                              size_t *at) {
    const ids_http_argument *one;
    while ((one = ids_http_argument_at((*at)++)))
        if (one->routes & 1u << route)
            return one;
    return NULL;
}

static bool needs(ids_http_route route, const char *name) {
    return strcmp(name, "token") == 0 && route != IDS_HTTP_ACQUIRE;
}

static void put_api_body(ids_json_out *out, ids_http_route route) {
    const ids_http_argument *one;
    size_t at = 0;
    bool first = true, has_token = false;
    ids_json_put(out, "\"requestBody\":{\"required\":true,\"content\":{"
                      "\"application/json\":{\"schema\":{\"type\":\"object\","
                      "\"additionalProperties\":false,\"properties\":{");
    while ((one = next_argument(route, &at))) {
        ids_json_put(out, first ? "\"" : ",\"");
        ids_json_put(out, one->name);
        ids_json_put(out, "\":");
        put_schema(out, one);
        has_token |= needs(route, one->name);
        first = false;
    }
    if (route == IDS_HTTP_ERASE) {
        ids_json_put(out, "},\"oneOf\":[{\"required\":[\"prefix\"]},"
                          "{\"required\":[\"prefix_b64\"]}]"
                          ",\"required\":[\"reason\"]}}}},");
        return;
    }
    ids_json_put(out, "}");
    if (ids_http_has_key(route))
        ids_json_put(out, ",\"oneOf\":[{\"required\":[\"key\"]},"
                          "{\"required\":[\"key_b64\"]}]");
    if (route == IDS_HTTP_KILL)
        ids_json_put(out, ",\"required\":[\"id\"]");
    ids_json_put(out, route == IDS_HTTP_RESOLVE
                          ? ",\"required\":[\"token\",\"verb\",\"reason\"]"
                      : has_token ? ",\"required\":[\"token\"]"
                                  : "");
    ids_json_put(out, "}}}},");
}

static void put_parameter(ids_json_out *out, const ids_http_argument *one,
                          bool first) {
    ids_json_put(out, first ? "{" : ",{");
    put_api_text(out, "name", one->name);
    ids_json_put(out, ",\"in\":\"query\",\"schema\":");
    put_schema(out, one);
    ids_json_put(out, "}");
}

/* What stands in the query: arguments of a GET, and how to answer. */
static void put_parameters(ids_json_out *out, ids_http_route route) {
    static const ids_http_argument as = {"as", 0, "string",
                                         "raw: of a replay the result alone"};
    static const ids_http_argument role = {
        "role", 0, "string",
        "replica: whether it is one in sync; any: whether it serves, or is a "
        "replica in sync or loading"};
    const ids_http_argument *one;
    size_t at = 0;
    bool first = true;
    ids_json_put(out, "\"parameters\":[");
    if (route == IDS_HTTP_ACQUIRE)
        put_parameter(out, &as, true);
    if (route == IDS_HTTP_READYZ)
        put_parameter(out, &role, true);
    while ((route == IDS_HTTP_RECORD || route == IDS_HTTP_COMPLETE) &&
           (one = next_argument(route, &at))) {
        if (strncmp(one->name, "result", strlen("result")) == 0)
            continue; /* with these the result is the body */
        put_parameter(out, one, first);
        first = false;
    }
    ids_json_put(out, "],");
}

static void put_responses(ids_json_out *out, ids_http_route route) {
    const uint16_t *status = routes[route].statuses.all;
    ids_json_put(out, "\"responses\":{");
    for (bool first = true; *status; status++, first = false) {
        ids_json_put(out, first ? "\"" : ",\"");
        ids_json_put_number(out, *status);
        ids_json_put(out, "\":{");
        put_api_text(out, "description", ids_http_status_text(*status));
        if (*status >= 400 && route < IDS_HTTP_HEALTHZ)
            ids_json_put(out, ",\"content\":{\"application/problem+json\":{"
                              "\"schema\":{\"$ref\":"
                              "\"#/components/schemas/problem\"}}}");
        ids_json_put(out, "}");
    }
    ids_json_put(out, "}");
}

static void put_route(ids_json_out *out, ids_http_route route) {
    const ids_http_route_row *row = &ids_http_routes[route];
    ids_json_put(out, route ? ",\"" : "\"");
    ids_json_put(out, row->path);
    ids_json_put(out, row->is_get ? "\":{\"get\":{" : "\":{\"post\":{");
    put_api_text(out, "operationId",
                 route == IDS_HTTP_CONSOLE ? "console"
                                           : strrchr(row->path, '/') + 1);
    ids_json_put(out, ",");
    put_api_text(out, "description", routes[route].about);
    ids_json_put(out, ",");
    if (ids_http_is_probe(route) || route == IDS_HTTP_CONSOLE)
        ids_json_put(out, "\"security\":[],");
    put_parameters(out, route);
    if (!row->is_get)
        put_api_body(out, route);
    put_responses(out, route);
    ids_json_put(out, "}}");
}

bool ids_http_openapi(idp_bytes *to, const char *version) {
    ids_json_out out = {.to = to};
    ids_json_put(&out, "{\"openapi\":\"3.1.0\",\"info\":{\"title\":"
                       "\"idemstore\",");
    put_api_text(&out, "version", version);
    ids_json_put(&out, "},\"security\":[{\"bearer\":[]},{}],\"paths\":{");
    for (int route = 0; route < IDS_HTTP_ROUTES; route++)
        put_route(&out, (ids_http_route)route);
    ids_json_put(&out,
                 "},\"components\":{\"securitySchemes\":{\"bearer\":{"
                 "\"type\":\"http\",\"scheme\":\"bearer\"}},\"schemas\":{"
                 "\"problem\":{\"type\":\"object\",\"required\":[\"type\","
                 "\"title\",\"status\",\"code\"],\"properties\":{\"type\":{"
                 "\"type\":\"string\"},\"title\":{\"type\":\"string\"},"
                 "\"status\":{\"type\":\"integer\"},\"code\":{\"type\":"
                 "\"string\"},\"detail\":{\"type\":\"string\"},\"outcome\":{"
                 "\"type\":\"string\"}}}}}}\n");
    return !out.failed;
}
