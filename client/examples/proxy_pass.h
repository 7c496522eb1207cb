/* SPDX-License-Identifier: Apache-2.0 */
/* proxy_pass.h -- one request on its way through claim_proxy: a client's
 * connection and the service's, and what stands in them. Knows nothing of
 * claims. */
#ifndef EXAMPLE_PROXY_PASS_H
#define EXAMPLE_PROXY_PASS_H

#include <uv.h>

#include "client/examples/proxy_http.h"

typedef struct bytes {
    char *at;
    size_t len;
    size_t cap;
} bytes;

/* One request, from its first byte to its answer's last one. */
typedef struct pass {
    uv_tcp_t front; /* the client */
    uv_tcp_t back;  /* the service */
    uv_timer_t patience;
    uv_connect_t connect;
    uv_write_t forward, reply;
    int handles; /* not closed yet */
    bool is_asked, is_head, has_back, is_concluded, is_released, is_answered;
    bytes request, response;
    bytes answer; /* what the client is sent */
    proxy_message asked, answered;
    char key[IDEM_HTTP_STORE_KEY_BYTES_MAX];
    size_t key_len;
    idem_token token;
    uint64_t lease; /* 0: it passes without a claim */
} pass;

/* Where the service listens. */
extern struct sockaddr_in pass_service_at;

/* The listener's callback: each client becomes a pass. */
void pass_on_client(uv_stream_t *listener, int status);

/* claim_proxy.c: the request is there, p->asked is it. */
void pass_asked(pass *p);
/* claim_proxy.c: the service has answered with p->answered, or has not (status
 * 0). origin: IDEM_HTTP_HANDLER, IDEM_HTTP_UNSENT, IDEM_HTTP_LOST. Once. */
void pass_concluded(pass *p, int32_t status, int32_t origin);
/* claim_proxy.c: it is over, however it went. */
void pass_ends(const pass *p);

void pass_forward(pass *p);
/* Writes the service's answer into p->answer; false: no memory. */
bool pass_make_answer(pass *p);
/* Sends p->answer, and that is all. */
void pass_reply(pass *p);
void pass_reply_status(pass *p, int status, const char *type, const char *body,
                       uint32_t retry_after_s);
/* Without a word. */
void pass_end(pass *p);

bool bytes_add(bytes *to, const void *from, size_t len);
bool bytes_add_text(bytes *to, const char *text);
bool bytes_add_header(bytes *to, idem_slice name, idem_slice value);

#endif
