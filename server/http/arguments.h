/* SPDX-License-Identifier: Apache-2.0 */
/* arguments.h -- what the calls over HTTP take: one table, by which a body or a
 * query is read (call.c) and --openapi is written. Pure. */
#ifndef IDS_HTTP_ARGUMENTS_H
#define IDS_HTTP_ARGUMENTS_H

#include "server/http/call.h"

typedef enum arg_kind {
    TEXT,
    HEX,
    BASE64,
    DURATION,
    MS,
    ON_ORPHAN,
    CLASS,
    VERB,
    BOOLEAN,
    TOKEN,
    ANY_JSON,
    STATE,
    KIND,
    AS
} arg_kind;

/* What of the call it says; two names of one can't both be there. */
typedef enum arg_field {
    NS,
    KEY,
    FINGERPRINT,
    NONCE,
    LEASE,
    TTL,
    WAIT,
    ORPHAN,
    CLAIM,
    RESULT,
    RESULT_CLASS,
    UNBIND,
    OLDER,
    CURSOR,
    OLDEST,
    DECISION,
    REASON,
    FORCE,
    DRY_RUN,
    RAW
} arg_field;

typedef struct arg_row {
    ids_http_argument said;
    arg_kind kind;
    arg_field field;
} arg_row;

#define IDS_HTTP_OF(route) (1u << IDS_HTTP_##route)
/* Those that show a token. */
#define IDS_HTTP_CLAIM_ROUTES                                            \
    (IDS_HTTP_OF(COMPLETE) | IDS_HTTP_OF(RELEASE) | IDS_HTTP_OF(RENEW) | \
     IDS_HTTP_OF(RESOLVE))

/* The route's argument of this name; NULL: it has none. */
const arg_row *ids_http_argument_find(ids_http_route route, idp_slice name);

/* "as" of acquire, which stands in the query only. */
extern const arg_row ids_http_argument_as;

/* What its value must be, in words. */
const char *ids_http_argument_wants(arg_kind kind);

#endif
