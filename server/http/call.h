/* SPDX-License-Identifier: Apache-2.0 */
/* call.h -- from a request over HTTP to one of the line: its path, and its
 * arguments in JSON or in a query.
 *
 * Pure but for jansson's memory. What the line checks (lengths, ranges) is left
 * to it. */
#ifndef IDS_HTTP_CALL_H
#define IDS_HTTP_CALL_H

#include "proto/bytes.h"
#include "server/http/problem.h"

typedef enum ids_http_route {
    IDS_HTTP_ACQUIRE,
    IDS_HTTP_COMPLETE,
    IDS_HTTP_RELEASE,
    IDS_HTTP_RENEW,
    IDS_HTTP_PEEK,
    IDS_HTTP_RESOLVE, /* its credential has the grant resolve */
    IDS_HTTP_ERASE,   /* the same */
    IDS_HTTP_RECORD,  /* peek, by GET and with a query */
    IDS_HTTP_LIST,    /* what an operator looks at */
    IDS_HTTP_INSPECT,
    IDS_HTTP_CLIENTS,
    IDS_HTTP_KILL,
    IDS_HTTP_BACKUP, /* a command: its credential has the grant admin */
    IDS_HTTP_EVENTS,
    IDS_HTTP_SLOW,
    IDS_HTTP_REPLICATION, /* its credential has the grant stats */
    IDS_HTTP_METRICS,     /* the same */
    IDS_HTTP_HEALTHZ,     /* probes: without a credential */
    IDS_HTTP_READYZ,
    IDS_HTTP_CONSOLE, /* a page: static, and nothing in it */
    IDS_HTTP_ROUTES
} ids_http_route;

typedef struct ids_http_route_row {
    const char *path;
    bool is_get;       /* and HEAD; else POST */
    idp_method method; /* of the line's; what it takes is granted */
} ids_http_route_row;

extern const ids_http_route_row ids_http_routes[IDS_HTTP_ROUTES];

/* Where the path leads to, and whether with this method and these fields.
 * False: problem says why not. */
bool ids_http_find_route(const ids_http_head *head, ids_http_route *route,
                         ids_http_problem *problem);

/* About one key. */
static inline bool ids_http_has_key(ids_http_route route) {
    return route <= IDS_HTTP_RECORD || route == IDS_HTTP_INSPECT;
}

static inline bool ids_http_is_probe(ids_http_route route) {
    return route == IDS_HTTP_HEALTHZ || route == IDS_HTTP_READYZ;
}

/* It needs a credential always: with none configured only who runs the server
 * may ask it. */
static inline bool ids_http_is_operators(ids_http_route route) {
    return route == IDS_HTTP_RESOLVE || route == IDS_HTTP_ERASE;
}

/* One with a query of its arguments; complete then takes the body as it is. */
bool ids_http_is_raw_form(ids_http_route route, idp_slice query);

/* How large a body it takes; what a raw form gets beyond result_bytes_max is
 * skipped. */
size_t ids_http_body_bytes_max(ids_http_route route, size_t result_bytes_max);

/* Reads the call. scratch is emptied, and the request borrows from it and from
 * query and body. as_raw: the answer shall be the result alone. False: problem
 * says why not, or (500) that there is no memory. */
typedef struct ids_http_asked {
    ids_http_route route;
    idp_slice query; /* ptr NULL: none */
    idp_slice body;
    bool body_was_skipped; /* of a raw form: it is over the limit */
} ids_http_asked;

bool ids_http_call_read(const ids_http_asked *asked, size_t result_bytes_max,
                        idp_bytes *scratch, idp_request *request, bool *as_raw,
                        ids_http_problem *problem);

/* --openapi: what is said of each argument. NULL at the end. */
typedef struct ids_http_argument {
    const char *name;
    unsigned routes;  /* bits, 1u << ids_http_route */
    const char *type; /* of JSON: "string", "integer", "boolean", "" (any) */
    const char *about;
} ids_http_argument;
const ids_http_argument *ids_http_argument_at(size_t i);

#endif
