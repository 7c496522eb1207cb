/* SPDX-License-Identifier: Apache-2.0 */
/* claim_proxy.c -- a proxy on libuv that claims before it forwards, with no
 * thread: a request with an Idempotency-Key reaches the service behind it once,
 * and whoever sends it again hears what that one was answered.
 *
 *   claim_proxy PORT SERVICE_PORT [URI]
 *
 * Loopback, one request per connection, bodies up to 1 MiB; nothing more than
 * shows idem_async in a program: the claim is kept while the service works, and
 * settled before its answer is passed on. docs/http.md is what it follows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/examples/proxy_pass.h"
#include "client/include/idemclient_async_uv.h"

#define LEASE_MS 10000u

static idem_async_uv *store;

/* ------------------------------------------------------------ what is said */

static void reply_http(pass *p, const idem_http *http, const char *body) {
    pass_reply_status(p, http->status, "application/problem+json", body,
                      http->retry_after_s);
}

static void reply_error(pass *p, int32_t code) {
    char body[IDEM_HTTP_BODY_BYTES] = "";
    idem_http http = IDEM_HTTP_INIT;
    idem_http_from_error(code, body, sizeof body, &http);
    reply_http(p, &http, body);
}

static void reply_outcome(pass *p, const idem_answer *said) {
    char body[IDEM_HTTP_BODY_BYTES] = "";
    idem_http http = IDEM_HTTP_INIT;
    idem_http_from_answer(said, body, sizeof body, &http);
    reply_http(p, &http, body);
}

/* What another one of its kind was answered, here or elsewhere. */
static void replay(pass *p, const idem_answer *said) {
    idem_http_header headers[IDEM_HTTP_HEADERS_MAX];
    idem_http_answer stored = IDEM_HTTP_ANSWER_INIT;
    char head[128];
    int32_t code = idem_http_unpack(said->result, said->result_len, headers,
                                    IDEM_HTTP_HEADERS_MAX, &stored);
    if (code != IDEM_OK) {
        reply_error(p, code);
        return;
    }
    snprintf(head, sizeof head,
             "HTTP/1.1 %d -\r\nConnection: close\r\nContent-Length: %zu\r\n"
             "Idempotency-Replayed: true%s\r\n",
             stored.status, stored.body_len,
             stored.body != NULL ? "" : "; body=dropped");
    bool is_made = bytes_add_text(&p->answer, head);
    for (size_t i = 0; i < stored.headers_count && is_made; i++)
        is_made =
            bytes_add_header(&p->answer, headers[i].name, headers[i].value);
    if (is_made && bytes_add_text(&p->answer, "\r\n") &&
        bytes_add(&p->answer, stored.body, stored.body_len))
        pass_reply(p);
    else
        pass_end(p);
}

/* ----------------------------------------------------------- settling it */

static void pass_on(pass *p) {
    if (pass_make_answer(p))
        pass_reply(p);
    else
        pass_end(p);
}

static void hear_settled(void *ctx, const idem_answer *answer,
                         const idem_error *err) {
    pass *p = ctx;
    if (err != NULL)
        fprintf(stderr, "store: %s\n", err->text);
    if (p->is_released) /* the answer is there already */
        pass_reply(p);
    else if (err != NULL)
        reply_error(p, IDEM_E_NOT_RECORDED);
    else if (answer->outcome == IDEM_COMPLETED)
        pass_on(p);
    else
        reply_outcome(p, answer); /* its claim was lost */
}

static void settle(pass *p, int32_t method, const uint8_t *result, size_t len) {
    idem_args args = IDEM_ARGS_INIT;
    args.key = p->key;
    args.key_len = p->key_len;
    args.token = p->token;
    args.unbind = 1;
    args.result = result;
    args.result_len = len;
    int32_t code =
        idem_async_uv_call(store, method, &args, hear_settled, p, NULL);
    if (code != IDEM_OK) {
        idem_error err = IDEM_ERROR_INIT;
        snprintf(err.text, sizeof err.text, "%s", idem_error_text(code));
        hear_settled(p, NULL, &err);
    }
}

static void complete(pass *p, int32_t status) {
    idem_http_answer own = IDEM_HTTP_ANSWER_INIT;
    size_t len = 0;
    own.status = status;
    own.headers = p->answered.headers;
    own.headers_count = p->answered.headers_count;
    own.body = p->response.at + p->answered.head_bytes;
    own.body_len = p->response.len - p->answered.head_bytes;
    idem_http_pack(&own, NULL, 0, &len);
    uint8_t *result = malloc(len + 1);
    if (result == NULL || idem_http_pack(&own, result, len, &len) != IDEM_OK)
        len = 0; /* it is completed all the same: it was done */
    settle(p, IDEM_COMPLETE, len > 0 ? result : NULL, len);
    free(result);
}

/* The service has answered with status, or has not (0). */
void pass_concluded(pass *p, int32_t status, int32_t origin) {
    if (p->lease == 0) {
        if (status != 0)
            pass_on(p);
        else
            pass_reply_status(p, 502, "text/plain", "no answer\n", 0);
        return;
    }
    switch (idem_http_fate(status, origin, 0)) {
    case IDEM_HTTP_STORE:
        complete(p, status);
        return;
    case IDEM_HTTP_RELEASE:
        p->is_released = true;
        if (status == 0)
            bytes_add_text(&p->answer,
                           "HTTP/1.1 503 -\r\nConnection: close\r\n"
                           "Retry-After: 1\r\nContent-Length: 0\r\n\r\n");
        else
            pass_make_answer(p);
        settle(p, IDEM_RELEASE, NULL, 0);
        return;
    default: /* nobody knows: the lease ends it */
        pass_reply_status(p, 502, "text/plain",
                          "the service was asked and has not answered\n", 0);
    }
}

void pass_ends(const pass *p) {
    if (p->lease != 0 && store->async != NULL)
        idem_async_let_go(store->async, p->lease);
}

/* ---------------------------------------------------------------- claiming */

static void hear_lost(void *ctx, int32_t outcome) {
    (void)ctx, (void)outcome; /* complete will say so */
    fputs("store: a claim was lost while the service worked\n", stderr);
}

static void hear_claim(void *ctx, const idem_answer *answer,
                       const idem_error *err) {
    pass *p = ctx;
    if (err != NULL) {
        fprintf(stderr, "store: %s\n", err->text);
        reply_error(p, err->code);
    } else if (answer->outcome == IDEM_REPLAY) {
        replay(p, answer);
    } else if (answer->outcome != IDEM_ACQUIRED) {
        reply_outcome(p, answer);
    } else if (idem_async_keep(store->async, hear_lost, p, &p->lease) != 0) {
        reply_error(p, IDEM_E_MEMORY);
    } else {
        p->token = answer->token;
        pass_forward(p);
    }
}

static bool must_be_claimed(const proxy_message *asked) {
    return !proxy_is(asked->first[0], "GET") &&
           !proxy_is(asked->first[0], "HEAD");
}

static void claim(pass *p) {
    char header[IDEM_HTTP_KEY_BYTES_MAX];
    uint8_t fingerprint[IDEM_FINGERPRINT_BYTES];
    size_t header_len = 0, count = 0, types = 0;
    idem_slice value = proxy_header(&p->asked, "Idempotency-Key", &count);
    idem_http_request about = IDEM_HTTP_REQUEST_INIT;
    idem_args args = IDEM_ARGS_INIT;
    about.method = p->asked.first[0];
    about.target = p->asked.first[1];
    about.content_type = proxy_header(&p->asked, "Content-Type", &types);
    about.body = (idem_slice){p->request.at + p->asked.head_bytes,
                              p->request.len - p->asked.head_bytes};
    about.for_anyone = 1;
    int32_t code = count > 1 ? IDEM_E_KEY_MALFORMED
                             : idem_http_key(value.ptr, value.len, header,
                                             sizeof header, &header_len);
    if (code == IDEM_OK)
        code = idem_http_store_key(&about, header, header_len, p->key,
                                   sizeof p->key, &p->key_len);
    if (code == IDEM_OK)
        code = idem_http_fingerprint(&about, fingerprint);
    args.key = p->key;
    args.key_len = p->key_len;
    args.fingerprint = fingerprint;
    args.fingerprint_len = sizeof fingerprint;
    args.lease_ms = LEASE_MS;
    if (code == IDEM_OK)
        code =
            idem_async_uv_call(store, IDEM_ACQUIRE, &args, hear_claim, p, NULL);
    if (code != IDEM_OK)
        reply_error(p, code);
}

void pass_asked(pass *p) {
    if (must_be_claimed(&p->asked))
        claim(p);
    else
        pass_forward(p);
}

/* ------------------------------------------------------------------ serving */

static void on_signal(uv_signal_t *signal, int number) {
    (void)number;
    idem_async_uv_close(store, NULL, NULL);
    uv_stop(signal->loop);
}

/* What is none is 0: a free one to listen on, and nobody's behind it. */
static int port_of(const char *text) {
    char *end;
    long port = strtol(text, &end, 10);
    return *end == '\0' && port > 0 && port < 65536 ? (int)port : 0;
}

int main(int argc, char **argv) {
    uv_loop_t *loop = uv_default_loop();
    uv_tcp_t listener;
    uv_signal_t term;
    struct sockaddr_in at;
    int at_len = sizeof at;
    idem_error err = IDEM_ERROR_INIT;
    if (argc < 3) {
        fputs("claim_proxy PORT SERVICE_PORT [URI]\n", stderr);
        return 64;
    }
    const char *uri = argc > 3 ? argv[3] : "idem://127.0.0.1:7117/proxy";
    uv_ip4_addr("127.0.0.1", port_of(argv[2]), &pass_service_at);
    uv_ip4_addr("127.0.0.1", port_of(argv[1]), &at);
    if (idem_async_uv_open(loop, uri, &store, &err) != IDEM_OK)
        return fprintf(stderr, "claim_proxy: %s\n", err.text), 1;
    uv_tcp_init(loop, &listener);
    int code = uv_tcp_bind(&listener, (const struct sockaddr *)&at, 0);
    if (code == 0)
        code = uv_listen((uv_stream_t *)&listener, 128, pass_on_client);
    if (code != 0)
        return fprintf(stderr, "claim_proxy: port %s: %s\n", argv[1],
                       uv_strerror(code)),
               1;
    uv_tcp_getsockname(&listener, (struct sockaddr *)&at, &at_len);
    printf("claim_proxy: listening on 127.0.0.1:%u\n", ntohs(at.sin_port));
    fflush(stdout);
    uv_signal_init(loop, &term);
    uv_signal_start(&term, on_signal, SIGTERM);
    uv_run(loop, UV_RUN_DEFAULT);
    return 0;
}
