/* SPDX-License-Identifier: Apache-2.0 */
/* http.h -- where people and programs find the agent: HTTP/1.1 at a loopback
 * address. GET /metrics, /healthz, /readyz, /v1/status; POST /v1/switchover,
 * /v1/accept-loss, /v1/pause, /v1/resume. An answer each, and it is closed. */
#ifndef IDA_HTTP_H
#define IDA_HTTP_H

#include "server/idemagent/run.h"

#define IDA_HTTP_CONNS_MAX 8

typedef struct ida_http_conn {
    int fd; /* -1: none */
    uint64_t until_ms;
    size_t len, seen;
    uint8_t bytes[4096];
} ida_http_conn;

typedef struct ida_http {
    int fd; /* -1: it listens nowhere */
    const char *at;
    ida_http_conn conns[IDA_HTTP_CONNS_MAX];
} ida_http;

bool ida_http_open(ida_http *http, const char *at,
                   char why[static IDA_WHY_BYTES]);
void ida_http_close(ida_http *http);
/* What to wait for; how many. */
size_t ida_http_fds(const ida_http *http, int fds[1 + IDA_HTTP_CONNS_MAX]);
void ida_http_turn(ida_http *http, ida_agent *agent);

/* text.c: what is said. To be freed; NULL: no memory. */
char *ida_text_metrics(const ida_agent *agent);
char *ida_text_status(const ida_agent *agent);

#endif
