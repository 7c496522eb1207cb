/* SPDX-License-Identifier: Apache-2.0 */
/* http.h -- a connection that speaks HTTP, between its socket (or its seal) and
 * its line: a request becomes a frame of the line's, the line's reply becomes
 * the response. So the gate, forwarding, waiters, grants and limits hold as for
 * any client.
 *
 * The credential is the request's: the connection is bound to it before the
 * frame is given to the line, and to none again when the response is there. */
#ifndef IDS_NET_HTTP_H
#define IDS_NET_HTTP_H

#include "server/admin/config.h"
#include "server/http/policy.h"
#include "server/http/session.h"
#include "server/net/net.h"
#include "server/worker/output.h"

typedef struct ids_http {
    ids_http_session session;
    idp_bytes reply;  /* half a frame of the line's */
    bool answered;    /* what came behind that request was not looked at yet */
    size_t counted;   /* bytes of it among those of the worker's buffers */
    uint64_t at_ms;   /* since then it does what it does, or moved on */
    uint64_t at_byte; /* received by then */
    uint32_t at_step; /* which that is: what it does changes it */
} ids_http;

void ids_http_policy_read(ids_http_policy *policy, const ids_config *config);

/* NULL: no memory. The connection is a new one. */
ids_http *ids_http_new(const ids_server *server);
/* NULL is fine. */
void ids_http_free(ids_http *http);

/* It has come to this loop; it leaves it. */
void ids_http_open(ids_net *net, ids_conn *conn);
void ids_http_forget(ids_net *net, ids_conn *conn);

/* Bytes have come; whether it has a use for more. */
void ids_http_received(ids_net *net, ids_conn *conn, const uint8_t *bytes,
                       size_t len);
bool ids_http_reads(const ids_conn *conn);

/* What is to be sent next; what was. */
idp_slice ids_http_output(ids_net *net, ids_conn *conn);
void ids_http_sent(ids_net *net, ids_conn *conn, size_t len);

/* Something is to be sent yet, or to be served. */
bool ids_http_waits(const ids_conn *conn);

/* Why it has to go; NULL: it may stay. */
const char *ids_http_overdue(const ids_conn *conn, uint64_t now_ms);

/* What is to be sent next before it is sealed, of the line's or of HTTP's;
 * then, so many bytes of it were. */
static inline idp_slice ids_plain_output(ids_net *net, ids_conn *conn) {
    return conn->http ? ids_http_output(net, conn) : ids_output_sendable(conn);
}

static inline void ids_plain_sent(ids_net *net, ids_conn *conn, size_t len) {
    if (conn->http)
        ids_http_sent(net, conn, len);
    else
        ids_output_sent(net->worker, conn, len);
}

#endif
