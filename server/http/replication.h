/* SPDX-License-Identifier: Apache-2.0 */
/* replication.h -- how replication stands, as JSON. Pure. */
#ifndef IDS_HTTP_REPLICATION_H
#define IDS_HTTP_REPLICATION_H

#include "server/http/json.h"

/* An object and a newline. result: what the line's replication answered; what
 * is of use at a glance, streams and parts are idemctl's. False: it is no such
 * answer. */
bool ids_http_put_replication(ids_json_out *out, idp_slice result);

#endif
