/* SPDX-License-Identifier: Apache-2.0 */
/* web.h -- the HTTP side of the example: libmicrohttpd with a pool of threads.
 *
 * It collects a request, hands it to one function and sends what that
 * answers. Nothing here knows about idempotency. */
#ifndef EXAMPLE_WEB_H
#define EXAMPLE_WEB_H

#include <stddef.h>
#include <stdint.h>

#define WEB_BODY_BYTES_MAX   (16 * 1024)
#define WEB_HEADERS_MAX      6
#define WEB_ANSWER_BYTES_MAX 2048

typedef struct web_request {
    const char *method;
    const char *path;
    const char *body; /* NUL-terminated */
    size_t body_bytes;
    struct MHD_Connection *connection;
} web_request;

/* NULL when the request does not have it. Borrows from the request. */
const char *web_request_header(const web_request *request, const char *name);

typedef struct web_header {
    const char *name; /* static */
    char value[64];
} web_header;

typedef struct web_answer {
    unsigned status;
    const char *content_type; /* static */
    size_t body_bytes;
    char body[WEB_ANSWER_BYTES_MAX];
    size_t header_count;
    web_header headers[WEB_HEADERS_MAX];
} web_answer;

/* printf into the answer's body and a further header; what doesn't fit is cut.
 */
void web_answer_print(web_answer *answer, unsigned status,
                      const char *content_type, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void web_answer_header(web_answer *answer, const char *name, const char *format,
                       ...) __attribute__((format(printf, 3, 4)));

/* Called on many threads at once; it may block. */
typedef void web_handler(void *ctx, const web_request *request,
                         web_answer *answer);

typedef struct web_server web_server;

/* Listens on 127.0.0.1; port 0 takes a free one. NULL when it can't. */
web_server *web_server_open(uint16_t port, unsigned threads,
                            web_handler *handler, void *ctx);
uint16_t web_server_port(const web_server *server);
void web_server_close(web_server *server);

#endif
