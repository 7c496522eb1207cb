/* SPDX-License-Identifier: Apache-2.0 */
/* http_conn.h -- a connection to the daemon over HTTP, for tests: bytes as they
 * stand, responses one by one. Blocks, with a time limit. */
#ifndef TEST_HTTP_CONN_H
#define TEST_HTTP_CONN_H

#include "tests/e2e/harness.h"

typedef struct http_conn {
    int fd;
    char *in; /* NUL-terminated */
    size_t len, cap;
    size_t taken; /* of the response that was read last */
} http_conn;

typedef struct http_response {
    int status; /* 0: the connection ended */
    const char *head;
    const char *body; /* both borrow until the next read */
    size_t body_len;
} http_response;

/* Where the daemon speaks HTTP, by what it printed. */
uint16_t http_port_of(const daemon_t *daemon);

void http_open(http_conn *conn, uint16_t port);
void http_close(http_conn *conn);

void http_send(http_conn *conn, const char *bytes, size_t len);
/* POST PATH, with JSON in it; headers: "Name: value\r\n" each, or "". */
void http_post_json(http_conn *conn, const char *path, const char *headers,
                    const char *json);

http_response http_read(http_conn *conn);
/* The same, of a status that must come. */
http_response http_answers(http_conn *conn, int status);
/* The other side ends it, and nothing more comes before that. */
void http_ends(http_conn *conn);

/* A member of the body, as text; "" where it has none. Static storage. */
const char *http_member(const http_response *response, const char *name);

#endif
