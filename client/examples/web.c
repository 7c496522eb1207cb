/* SPDX-License-Identifier: Apache-2.0 */
/* web.c -- see the header. */
#include "client/examples/web.h"

#include "client/examples/web_stream.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct web_server {
    struct MHD_Daemon *daemon;
    web_handler *handler;
    void *ctx;
};

/* A request as it arrives, kept by libmicrohttpd between its calls. */
typedef struct arrival {
    web_stream *stream; /* once it is handled */
    char *target;
    size_t body_bytes;
    bool has_head;
    bool too_large;
    char body[WEB_BODY_BYTES_MAX + 1];
} arrival;

const char *web_request_header(const web_request *request, const char *name) {
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND,
                                       name);
}

typedef struct header_search {
    const char *name;
    unsigned count;
} header_search;

static enum MHD_Result count_header(void *ctx, enum MHD_ValueKind kind,
                                    const char *name, const char *value) {
    (void)kind, (void)value;
    header_search *of = ctx;
    of->count += strcasecmp(name, of->name) == 0;
    return MHD_YES;
}

unsigned web_request_header_count(const web_request *request,
                                  const char *name) {
    header_search of = {name, 0};
    MHD_get_connection_values(request->connection, MHD_HEADER_KIND,
                              count_header, &of);
    return of.count;
}

void web_answer_body(web_answer *answer, unsigned status, const void *bytes,
                     size_t len) {
    free(answer->body);
    answer->status = status;
    answer->body_bytes = len;
    answer->body = malloc(len > 0 ? len : 1);
    if (answer->body == NULL)
        answer->is_broken = true;
    else if (len > 0)
        memcpy(answer->body, bytes, len);
}

void web_answer_header(web_answer *answer, const char *name, const char *format,
                       ...) {
    if (answer->header_count == WEB_HEADERS_MAX)
        return;
    web_header *header = &answer->headers[answer->header_count];
    va_list args;
    va_start(args, format);
    int len = vasprintf(&header->value, format, args);
    va_end(args);
    header->name = len < 0 ? NULL : strdup(name);
    if (header->name != NULL) {
        answer->header_count++;
        return;
    }
    if (len >= 0)
        free(header->value);
    answer->is_broken = true;
}

void web_answer_print(web_answer *answer, unsigned status,
                      const char *content_type, const char *format, ...) {
    va_list args;
    char *text;
    va_start(args, format);
    int len = vasprintf(&text, format, args);
    va_end(args);
    if (len < 0) {
        answer->is_broken = true;
        return;
    }
    free(answer->body);
    answer->body = text;
    answer->body_bytes = (size_t)len;
    answer->status = status;
    web_answer_header(answer, "Content-Type", "%s", content_type);
}

void web_answer_undo(web_answer *answer, size_t header_count) {
    free(answer->body);
    answer->body = NULL;
    answer->body_bytes = 0;
    answer->status = 0;
    while (answer->header_count > header_count) {
        web_header *last = &answer->headers[--answer->header_count];
        free(last->name);
        free(last->value);
    }
}

void web_answer_fini(web_answer *answer) {
    web_answer_undo(answer, 0);
}

static ssize_t read_piece(void *ctx, uint64_t at, char *to, size_t max) {
    (void)at;
    ssize_t len = web_stream_read(ctx, to, max);
    if (len < 0)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    return len == 0 ? MHD_CONTENT_READER_END_OF_STREAM : len;
}

/* Whole, piece by piece, or none at all. */
static struct MHD_Response *
response_of(web_stream *stream, const web_answer *answer, bool is_there) {
    if (is_there && answer->is_streamed)
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096,
                                                 read_piece, stream, NULL);
    return MHD_create_response_from_buffer(is_there ? answer->body_bytes : 0,
                                           is_there ? answer->body : NULL,
                                           MHD_RESPMEM_MUST_COPY);
}

static enum MHD_Result send_answer(struct MHD_Connection *connection,
                                   web_stream *stream) {
    const web_answer *answer = web_stream_answer(stream);
    bool is_there =
        answer->status != 0 && (answer->is_streamed || !answer->is_broken);
    struct MHD_Response *response = response_of(stream, answer, is_there);
    if (response == NULL)
        return MHD_NO;
    for (size_t i = 0; is_there && i < answer->header_count; i++)
        MHD_add_response_header(response, answer->headers[i].name,
                                answer->headers[i].value);
    enum MHD_Result sent = MHD_queue_response(
        connection, is_there ? answer->status : 500, response);
    MHD_destroy_response(response);
    return sent;
}

/* The handler would be none for it. */
static void answer_too_large(void *ctx, const web_request *request,
                             web_answer *answer) {
    (void)ctx, (void)request;
    web_answer_print(answer, 413, "text/plain", "the body is too large\n");
}

static void take_body(arrival *in, const char *data, size_t bytes) {
    if (bytes > WEB_BODY_BYTES_MAX - in->body_bytes) {
        in->too_large = true;
        return;
    }
    memcpy(in->body + in->body_bytes, data, bytes);
    in->body_bytes += bytes;
}

/* Called first, with the target as it stands in the request's first line: what
 * it returns is the request's state. */
static void *on_target(void *ctx, const char *target,
                       struct MHD_Connection *connection) {
    (void)ctx, (void)connection;
    arrival *in = calloc(1, sizeof(arrival));
    if (in != NULL && (in->target = strdup(target)) == NULL) {
        free(in);
        in = NULL;
    }
    return in;
}

/* libmicrohttpd calls it once for the head, then for each piece of the body,
 * then once more with none left. Its parameters are that library's. */
/* NOLINTNEXTLINE(readability-function-size) */
static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection,
                                  const char *path, const char *method,
                                  const char *version, const char *data,
                                  size_t *data_bytes, void **state) {
    (void)version;
    arrival *in = *state;
    if (in == NULL)
        return MHD_NO;
    if (*data_bytes > 0) {
        take_body(in, data, *data_bytes);
        *data_bytes = 0;
        return MHD_YES;
    }
    if (!in->has_head) {
        in->has_head = true;
        return MHD_YES;
    }
    const web_server *server = ctx;
    in->stream = web_stream_start(
        in->too_large ? answer_too_large : server->handler, server->ctx,
        &(web_request){.method = method,
                       .target = in->target,
                       .path = path,
                       .body = in->body,
                       .body_bytes = in->body_bytes,
                       .connection = connection});
    return in->stream == NULL ? MHD_NO : send_answer(connection, in->stream);
}

static void on_request_end(void *ctx, struct MHD_Connection *connection,
                           void **state, enum MHD_RequestTerminationCode why) {
    (void)ctx, (void)connection, (void)why;
    arrival *in = *state;
    if (in != NULL) {
        web_stream_end(in->stream);
        free(in->target);
    }
    free(in);
    *state = NULL;
}

web_server *web_server_open(uint16_t port, unsigned threads,
                            web_handler *handler, void *ctx) {
    web_server *server = malloc(sizeof *server);
    if (server == NULL)
        return NULL;
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    *server = (web_server){.handler = handler, .ctx = ctx};
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG, port, NULL, NULL,
        on_request, server, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&at,
        MHD_OPTION_THREAD_POOL_SIZE, threads, MHD_OPTION_URI_LOG_CALLBACK,
        on_target, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_request_end, NULL,
        MHD_OPTION_END);
    if (server->daemon == NULL) {
        free(server);
        return NULL;
    }
    return server;
}

uint16_t web_server_port(const web_server *server) {
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info == NULL ? 0 : info->port;
}

void web_server_close(web_server *server) {
    MHD_stop_daemon(server->daemon);
    free(server);
}
