/* SPDX-License-Identifier: Apache-2.0 */
/* looks.h -- what an operator looks at, as JSON: list, inspect, clients, slow,
 * events; and kill. See answer.h.
 *
 * Pure. Bytes that need not be UTF-8 stand under a name of their own where they
 * are not: "key" or "key_b64". */
#ifndef IDS_HTTP_LOOKS_H
#define IDS_HTTP_LOOKS_H

#include "proto/bytes.h"
#include "server/http/json.h"

static inline bool ids_http_looks(idp_method method) {
    return (method >= IDP_LIST && method <= IDP_SLOW) || method == IDP_EVENTS;
}

typedef enum ids_http_look {
    IDS_HTTP_LOOK_SHOWN,  /* body has it */
    IDS_HTTP_LOOK_ABSENT, /* there is no such record, or connection */
    IDS_HTTP_LOOK_BROKEN  /* it is no such answer */
} ids_http_look;

/* result: of the line's reply. */
ids_http_look ids_http_put_look(ids_json_out *body, idp_method method,
                                idp_slice result);

#endif
