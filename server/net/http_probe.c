/* SPDX-License-Identifier: Apache-2.0 */
/* http_probe.c -- see http_probe.h. */
#include "server/net/http_probe.h"

#include <string.h>

static void say_text(ids_net *net, ids_conn *conn, uint16_t status,
                     const char *text) {
    if (!ids_http_session_say(&conn->http->session, status,
                              "text/plain; charset=utf-8",
                              (idp_slice){(const uint8_t *)text, strlen(text)}))
        ids_conn_condemn(net->worker, conn, "out of memory");
}

void ids_http_probe(ids_net *net, ids_conn *conn) {
    say_text(net, conn, 200, "ok\n");
}
