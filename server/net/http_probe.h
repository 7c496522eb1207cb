/* SPDX-License-Identifier: Apache-2.0 */
/* http_probe.h -- what is answered without the line: whether this node is well,
 * and whether it serves. */
#ifndef IDS_NET_HTTP_PROBE_H
#define IDS_NET_HTTP_PROBE_H

#include "server/net/http.h"

/* Answers the request of the session, which asks for one of these. */
void ids_http_probe(ids_net *net, ids_conn *conn);

#endif
