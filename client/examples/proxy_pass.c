/* SPDX-License-Identifier: Apache-2.0 */
/* proxy_pass.c -- see proxy_pass.h. */
#include "client/examples/proxy_pass.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVICE_MS 60000u /* an answer that takes longer is lost */

struct sockaddr_in pass_service_at;

/* -------------------------------------------------------------- its memory */

bool bytes_add(bytes *to, const void *from, size_t len) {
    if (to->len + len > to->cap) {
        size_t cap = 2 * (to->len + len);
        char *wider = realloc(to->at, cap);
        if (wider == NULL)
            return false;
        to->at = wider;
        to->cap = cap;
    }
    if (len > 0)
        memcpy(to->at + to->len, from, len);
    to->len += len;
    return true;
}

bool bytes_add_text(bytes *to, const char *text) {
    return bytes_add(to, text, strlen(text));
}

bool bytes_add_header(bytes *to, idem_slice name, idem_slice value) {
    return bytes_add(to, name.ptr, name.len) && bytes_add_text(to, ": ") &&
           bytes_add(to, value.ptr, value.len) && bytes_add_text(to, "\r\n");
}

static void lend(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
    static char room[65536];
    (void)handle, (void)suggested;
    *buffer = uv_buf_init(room, sizeof room);
}

/* ------------------------------------------------------------------ its end */

static void on_closed(uv_handle_t *handle) {
    pass *p = handle->data;
    if (--p->handles > 0)
        return;
    free(p->request.at);
    free(p->response.at);
    free(p->answer.at);
    free(p);
}

static void close_handle(uv_handle_t *handle) {
    if (!uv_is_closing(handle))
        uv_close(handle, on_closed);
}

void pass_end(pass *p) {
    if (p->has_back)
        close_handle((uv_handle_t *)&p->back);
    close_handle((uv_handle_t *)&p->patience);
    close_handle((uv_handle_t *)&p->front);
}

static void on_replied(uv_write_t *write, int status) {
    (void)status; /* a client that left asks again, and hears it then */
    pass_end(write->data);
}

/* Sends p->answer, and that is all. */
void pass_reply(pass *p) {
    uv_buf_t out = uv_buf_init(p->answer.at, (unsigned)p->answer.len);
    if (p->is_answered)
        return;
    p->is_answered = true;
    pass_ends(p);
    p->reply.data = p;
    if (uv_write(&p->reply, (uv_stream_t *)&p->front, &out, 1, on_replied) != 0)
        pass_end(p);
}

void pass_reply_status(pass *p, int status, const char *type, const char *body,
                       uint32_t retry_after_s) {
    char head[256];
    snprintf(head, sizeof head,
             "HTTP/1.1 %d -\r\nConnection: close\r\nContent-Length: %zu\r\n",
             status, strlen(body));
    p->answer.len = 0;
    bool is_made = bytes_add_text(&p->answer, head);
    if (retry_after_s > 0) {
        snprintf(head, sizeof head, "Retry-After: %" PRIu32 "\r\n",
                 retry_after_s);
        is_made = is_made && bytes_add_text(&p->answer, head);
    }
    snprintf(head, sizeof head, "Content-Type: %s\r\n\r\n", type);
    if (is_made && bytes_add_text(&p->answer, head) &&
        bytes_add_text(&p->answer, body))
        pass_reply(p);
    else
        pass_end(p);
}

/* The service's own answer, as it came but for the connection's own. */
bool pass_make_answer(pass *p) {
    const proxy_message *said = &p->answered;
    char head[64];
    snprintf(head, sizeof head, "HTTP/1.1 %.3s -\r\n",
             (const char *)said->first[1].ptr);
    bool is_made = bytes_add_text(&p->answer, head);
    for (size_t i = 0; i < said->headers_count && is_made; i++)
        if (!proxy_is(said->headers[i].name, "Connection"))
            is_made = bytes_add_header(&p->answer, said->headers[i].name,
                                       said->headers[i].value);
    return is_made && bytes_add_text(&p->answer, "Connection: close\r\n\r\n") &&
           bytes_add(&p->answer, p->response.at + said->head_bytes,
                     p->response.len - said->head_bytes);
}

/* -------------------------------------------------------------- forwarding */

static void conclude(pass *p, int32_t status, int32_t origin) {
    uv_timer_stop(&p->patience);
    if (!p->is_concluded) {
        p->is_concluded = true;
        pass_concluded(p, status, origin);
    }
}

static void on_late(uv_timer_t *timer) {
    conclude(timer->data, 0, IDEM_HTTP_LOST);
}

static void on_response_end(pass *p) {
    bool is_whole =
        proxy_read_head(p->response.at, p->response.len, &p->answered) ==
            PROXY_WHOLE &&
        (!p->answered.has_length || p->is_head ||
         p->response.len - p->answered.head_bytes == p->answered.body_bytes);
    int32_t status = is_whole && p->answered.first[1].len == 3
                         ? (int32_t)strtol(p->answered.first[1].ptr, NULL, 10)
                         : 0;
    if (status >= 200 && status <= 599)
        conclude(p, status, IDEM_HTTP_HANDLER);
    else
        conclude(p, 0, IDEM_HTTP_LOST);
}

static void on_response(uv_stream_t *stream, ssize_t got,
                        const uv_buf_t *buffer) {
    pass *p = stream->data;
    if (got > 0 && p->response.len < PROXY_HEAD_BYTES + PROXY_BODY_BYTES &&
        bytes_add(&p->response, buffer->base, (size_t)got))
        return;
    if (got == 0)
        return;
    uv_read_stop(stream);
    if (got == UV_EOF)
        on_response_end(p);
    else
        conclude(p, 0, IDEM_HTTP_LOST);
}

static void on_forwarded(uv_write_t *write, int status) {
    if (status != 0 && status != UV_ECANCELED)
        conclude(write->data, 0, IDEM_HTTP_LOST);
}

/* As HTTP/1.0, so that its answer ends with the connection. */
static bool make_forward(pass *p, bytes *to) {
    static const idem_slice fencing = {"X-Fencing-Token", 15};
    char token[2 * IDEM_TOKEN_BYTES + 1];
    const proxy_message *asked = &p->asked;
    bool is_made = bytes_add(to, asked->first[0].ptr, asked->first[0].len) &&
                   bytes_add_text(to, " ") &&
                   bytes_add(to, asked->first[1].ptr, asked->first[1].len) &&
                   bytes_add_text(to, " HTTP/1.0\r\n");
    for (size_t i = 0; i < asked->headers_count && is_made; i++)
        if (!proxy_is(asked->headers[i].name, "Connection") &&
            !proxy_is(asked->headers[i].name, "X-Fencing-Token"))
            is_made = bytes_add_header(to, asked->headers[i].name,
                                       asked->headers[i].value);
    for (size_t i = 0; i < IDEM_TOKEN_BYTES; i++)
        snprintf(token + 2 * i, 3, "%02x", p->token.bytes[i]);
    if (p->lease != 0)
        is_made =
            is_made && bytes_add_header(to, fencing,
                                        (idem_slice){token, sizeof token - 1});
    return is_made && bytes_add_text(to, "\r\n") &&
           bytes_add(to, p->request.at + asked->head_bytes,
                     p->request.len - asked->head_bytes);
}

static void on_connected(uv_connect_t *connect, int status) {
    pass *p = connect->data;
    bytes out = {0};
    if (status != 0) {
        conclude(p, 0, IDEM_HTTP_UNSENT);
        return;
    }
    if (!make_forward(p, &out)) {
        free(out.at);
        conclude(p, 0, IDEM_HTTP_UNSENT);
        return;
    }
    /* The request's bytes are needed no more. */
    free(p->request.at);
    p->request = out;
    uv_buf_t forward = uv_buf_init(out.at, (unsigned)out.len);
    p->forward.data = p;
    uv_timer_start(&p->patience, on_late, SERVICE_MS, 0);
    if (uv_write(&p->forward, (uv_stream_t *)&p->back, &forward, 1,
                 on_forwarded) != 0 ||
        uv_read_start((uv_stream_t *)&p->back, lend, on_response) != 0)
        conclude(p, 0, IDEM_HTTP_LOST);
}

void pass_forward(pass *p) {
    uv_tcp_init(p->front.loop, &p->back);
    p->has_back = true;
    p->handles++;
    p->back.data = p;
    p->connect.data = p;
    if (uv_tcp_connect(&p->connect, &p->back,
                       (const struct sockaddr *)&pass_service_at,
                       on_connected) != 0)
        conclude(p, 0, IDEM_HTTP_UNSENT);
}

/* -------------------------------------------------------------- being asked */

static void on_request(uv_stream_t *stream, ssize_t got,
                       const uv_buf_t *buffer) {
    pass *p = stream->data;
    if (got < 0 ||
        (got > 0 && !bytes_add(&p->request, buffer->base, (size_t)got))) {
        uv_read_stop(stream);
        if (!p->is_asked)
            pass_end(p);
        return;
    }
    switch (proxy_read_head(p->request.at, p->request.len, &p->asked)) {
    case PROXY_PARTIAL:
        return;
    case PROXY_BROKEN:
        uv_read_stop(stream);
        pass_reply_status(p, 400, "text/plain",
                          "no request that is read here\n", 0);
        return;
    case PROXY_WHOLE:
        break;
    }
    size_t whole = p->asked.head_bytes + p->asked.body_bytes;
    if (p->request.len < whole)
        return;
    uv_read_stop(stream);
    p->request.len = whole; /* one per connection */
    p->is_asked = true;
    p->is_head = proxy_is(p->asked.first[0], "HEAD");
    pass_asked(p);
}

void pass_on_client(uv_stream_t *listener, int status) {
    pass *p = status == 0 ? calloc(1, sizeof *p) : NULL;
    if (p == NULL)
        return;
    uv_tcp_init(listener->loop, &p->front);
    uv_timer_init(listener->loop, &p->patience);
    p->front.data = p;
    p->patience.data = p;
    p->handles = 2;
    if (uv_accept(listener, (uv_stream_t *)&p->front) != 0 ||
        uv_read_start((uv_stream_t *)&p->front, lend, on_request) != 0)
        pass_end(p);
}
