/* SPDX-License-Identifier: Apache-2.0 */
/* http_call.h -- one HTTP/1.1 request over a fresh loopback connection, for
 * tests: what was answered, byte by byte. Blocks, with a time limit. */
#ifndef TEST_HTTP_CALL_H
#define TEST_HTTP_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_CALL_BYTES_MAX 8192
#define HTTP_CALL_TIMEOUT_S 30

typedef struct http_call {
    uint16_t port;
    const char *path;
    const char *headers; /* "Name: value\r\n" each; "" for none */
    const char *body;
    const char *method; /* NULL: POST */
} http_call;

typedef struct http_reply {
    unsigned status; /* 0: no whole answer came */
    size_t body_bytes;
    const char *body; /* within bytes */
    size_t bytes_len;
    char bytes[HTTP_CALL_BYTES_MAX + 1];
} http_reply;

/* False when no whole answer came. */
bool http_post(const http_call *call, http_reply *reply);

/* Copies a header's value; false, and "" in to, when it isn't there. */
bool http_header(const http_reply *reply, const char *name, char *to,
                 size_t cap);

bool http_body_same(const http_reply *one, const http_reply *other);

#endif
