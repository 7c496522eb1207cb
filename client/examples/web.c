/* SPDX-License-Identifier: Apache-2.0 */
/* web.c -- see the header. */
#include "client/examples/web.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct web_server {
    struct MHD_Daemon *daemon;
    web_handler *handler;
    void *ctx;
};

/* A request as it arrives, kept by libmicrohttpd between its calls. */
typedef struct arrival {
    size_t body_bytes;
    bool too_large;
    char body[WEB_BODY_BYTES_MAX + 1];
} arrival;

const char *web_request_header(const web_request *request, const char *name) {
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND,
                                       name);
}

void web_answer_print(web_answer *answer, unsigned status,
                      const char *content_type, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(answer->body, sizeof answer->body, format, args);
    va_end(args);
    answer->status = status;
    answer->content_type = content_type;
    answer->body_bytes = strlen(answer->body);
}

void web_answer_header(web_answer *answer, const char *name, const char *format,
                       ...) {
    if (answer->header_count == WEB_HEADERS_MAX)
        return;
    web_header *header = &answer->headers[answer->header_count++];
    va_list args;
    va_start(args, format);
    vsnprintf(header->value, sizeof header->value, format, args);
    va_end(args);
    header->name = name;
}

static enum MHD_Result send_answer(struct MHD_Connection *connection,
                                   web_answer *answer) {
    struct MHD_Response *response = MHD_create_response_from_buffer(
        answer->body_bytes, answer->body, MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        return MHD_NO;
    MHD_add_response_header(response, "Content-Type", answer->content_type);
    for (size_t i = 0; i < answer->header_count; i++)
        MHD_add_response_header(response, answer->headers[i].name,
                                answer->headers[i].value);
    enum MHD_Result sent =
        MHD_queue_response(connection, answer->status, response);
    MHD_destroy_response(response);
    return sent;
}

static void take_body(arrival *in, const char *data, size_t bytes) {
    if (bytes > WEB_BODY_BYTES_MAX - in->body_bytes) {
        in->too_large = true;
        return;
    }
    memcpy(in->body + in->body_bytes, data, bytes);
    in->body_bytes += bytes;
}

/* libmicrohttpd calls it once for the head, then for each piece of the body,
 * then once more with none left. */
static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection,
                                  const char *path, const char *method,
                                  const char *version, const char *data,
                                  size_t *data_bytes, void **state) {
    (void)version;
    web_server *server = ctx;
    if (*state == NULL)
        return (*state = calloc(1, sizeof(arrival))) ? MHD_YES : MHD_NO;
    arrival *in = *state;
    if (*data_bytes > 0) {
        take_body(in, data, *data_bytes);
        *data_bytes = 0;
        return MHD_YES;
    }
    web_answer answer = {.header_count = 0};
    if (in->too_large)
        web_answer_print(&answer, 413, "text/plain", "the body is too large\n");
    else
        server->handler(
            server->ctx,
            &(web_request){method, path, in->body, in->body_bytes, connection},
            &answer);
    return send_answer(connection, &answer);
}

static void on_request_end(void *ctx, struct MHD_Connection *connection,
                           void **state, enum MHD_RequestTerminationCode why) {
    (void)ctx, (void)connection, (void)why;
    free(*state);
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
        MHD_OPTION_THREAD_POOL_SIZE, threads, MHD_OPTION_NOTIFY_COMPLETED,
        on_request_end, NULL, MHD_OPTION_END);
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
