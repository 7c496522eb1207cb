/* SPDX-License-Identifier: Apache-2.0 */
/* web.h -- the HTTP side of the example: libmicrohttpd with a pool of threads.
 *
 * It collects a request, hands it to one function and sends what that
 * answers. Nothing here knows about idempotency. */
#ifndef EXAMPLE_WEB_H
#define EXAMPLE_WEB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEB_BODY_BYTES_MAX (16 * 1024)
#define WEB_HEADERS_MAX    72

typedef struct web_request {
    const char *method;
    const char *target; /* as it came over the wire: path, and ? and query */
    const char *path;   /* decoded, without the query */
    const char *body;   /* NUL-terminated */
    size_t body_bytes;
    struct MHD_Connection *connection;
} web_request;

/* NULL when the request does not have it. Borrows from the request. */
const char *web_request_header(const web_request *request, const char *name);
/* How often it has it. */
unsigned web_request_header_count(const web_request *request, const char *name);

typedef struct web_header {
    char *name;
    char *value;
} web_header;

/* Without memory for a part of it, 500 is sent instead. */
typedef struct web_answer {
    unsigned status;
    bool is_broken;
    bool is_streamed; /* status and headers have been sent: they are final */
    bool is_cut;      /* streamed, and body has not all of it */
    char *body;
    size_t body_bytes;
    size_t keep_bytes_max; /* of what is streamed, body has so much */
    struct web_stream *stream;
    size_t header_count;
    web_header headers[WEB_HEADERS_MAX];
} web_answer;

/* printf into the answer's body and a further header. What comes after
 * WEB_HEADERS_MAX is left out. */
void web_answer_print(web_answer *answer, unsigned status,
                      const char *content_type, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void web_answer_header(web_answer *answer, const char *name, const char *format,
                       ...) __attribute__((format(printf, 3, 4)));
/* Bytes as they are. */
void web_answer_body(web_answer *answer, unsigned status, const void *bytes,
                     size_t len);
/* Sends status and headers, if that has not been done, and this piece of the
 * body, while the handler goes on. A client that has left is no error. */
void web_answer_piece(web_answer *answer, const void *bytes, size_t len);
/* Takes the body back, and all headers but the first so many. */
void web_answer_undo(web_answer *answer, size_t header_count);
void web_answer_fini(web_answer *answer);

/* Called on many threads at once; it may block. It goes on when its client has
 * left: the answer is for whoever asks again. */
typedef void web_handler(void *ctx, const web_request *request,
                         web_answer *answer);

typedef struct web_server web_server;

/* Listens on 127.0.0.1; port 0 takes a free one. NULL when it can't. */
web_server *web_server_open(uint16_t port, unsigned threads,
                            web_handler *handler, void *ctx);
uint16_t web_server_port(const web_server *server);
void web_server_close(web_server *server);

#endif
