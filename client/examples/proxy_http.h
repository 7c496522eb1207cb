/* SPDX-License-Identifier: Apache-2.0 */
/* proxy_http.h -- as much of HTTP/1 as claim_proxy reads: one message per
 * connection, its head in front, its body after Content-Length or until the
 * end. Pure. */
#ifndef EXAMPLE_PROXY_HTTP_H
#define EXAMPLE_PROXY_HTTP_H

#include "client/include/idemclient_http.h"

#include <stdbool.h>

#define PROXY_HEADERS_MAX 64
#define PROXY_HEAD_BYTES  16384u
#define PROXY_BODY_BYTES  1048576u

/* Borrows from the bytes it was read from. */
typedef struct proxy_message {
    idem_slice first[3]; /* POST /pay HTTP/1.1, HTTP/1.1 200 OK */
    idem_http_header headers[PROXY_HEADERS_MAX];
    size_t headers_count;
    size_t head_bytes;
    bool has_length;
    size_t body_bytes; /* with has_length */
} proxy_message;

typedef enum proxy_read {
    PROXY_PARTIAL,
    PROXY_WHOLE, /* the head; how much of the body is there is the caller's */
    PROXY_BROKEN /* none that this proxy reads */
} proxy_read;

proxy_read proxy_read_head(const char *bytes, size_t len, proxy_message *to);

/* ptr NULL: there is none. *count: how often it is there. */
idem_slice proxy_header(const proxy_message *message, const char *name,
                        size_t *count);
bool proxy_is(idem_slice slice, const char *word);

#endif
