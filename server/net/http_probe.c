/* SPDX-License-Identifier: Apache-2.0 */
/* http_probe.c -- see http_probe.h. */
#include "server/net/http_probe.h"

#include "server/admin/health.h"

#include <stdio.h>
#include <string.h>

static void say_text(ids_net *net, ids_conn *conn, uint16_t status,
                     const char *words) {
    char text[IDS_HEALTH_WHY_BYTES + 2];
    int len = snprintf(text, sizeof text, "%s\n", words);
    if (!ids_http_session_say(&conn->http->session, status,
                              "text/plain; charset=utf-8",
                              (idp_slice){(const uint8_t *)text, (size_t)len}))
        ids_conn_condemn(net->worker, conn, "out of memory");
}

/* role=WORD, and nothing else. */
static bool read_role(idp_slice query, ids_ready_role *role) {
    static const char name[] = "role=";
    size_t len = sizeof name - 1;
    if (!query.len)
        return ids_ready_role_parse(query, role);
    return query.len >= len && memcmp(query.ptr, name, len) == 0 &&
           ids_ready_role_parse((idp_slice){query.ptr + len, query.len - len},
                                role);
}

static void say_ready(ids_net *net, ids_conn *conn) {
    const idp_bytes *query = &conn->http->session.query;
    ids_ready_role role;
    if (!read_role((idp_slice){query->ptr, query->len}, &role)) {
        say_text(net, conn, 400,
                 "The query may be role=primary, role=replica "
                 "or role=any.");
        return;
    }
    ids_health health = ids_ready(net->worker, role);
    say_text(net, conn, health.is_good ? 200 : 503, health.why);
}

void ids_http_probe(ids_net *net, ids_conn *conn) {
    if (conn->http->session.route == IDS_HTTP_READYZ) {
        say_ready(net, conn);
        return;
    }
    ids_health health = ids_health_of(net->worker->server, net->worker->now_ms);
    say_text(net, conn, health.is_good ? 200 : 503, health.why);
}
