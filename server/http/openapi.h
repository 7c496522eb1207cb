/* SPDX-License-Identifier: Apache-2.0 */
/* openapi.h -- what is served over HTTP, as OpenAPI 3.1, out of the tables that
 * requests are read by. */
#ifndef IDS_HTTP_OPENAPI_H
#define IDS_HTTP_OPENAPI_H

#include "proto/bytes.h"
#include "server/http/call.h"

/* The statuses that a route answers with, besides those of any request; ends
 * with 0. */
#define IDS_HTTP_STATUSES_MAX 16
typedef struct ids_http_statuses {
    uint16_t all[IDS_HTTP_STATUSES_MAX];
} ids_http_statuses;
ids_http_statuses ids_http_statuses_of(ids_http_route route);

/* Behind to's end. False: no memory. */
bool ids_http_openapi(idp_bytes *to, const char *version);

#endif
