/* SPDX-License-Identifier: Apache-2.0 */
/* once.c -- the key from the header, a fingerprint of the request, the handler
 * under a claim, its answer stored or given back, and replayed to whoever asks
 * again.
 *
 * This is the file to read for what a service does with libidemclient; the
 * handler itself is in match.c. */
#include "client/examples/once.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PROBLEM_JSON "application/problem+json"

/* One request on its way. */
typedef struct call {
    once *of;
    once_handler *handler;
    void *ctx;
    web_answer *answer;
    size_t headers_before; /* the handler: answer's own */
    once_claim claim;
    char key[IDEM_HTTP_STORE_KEY_BYTES_MAX + 1];
    size_t key_len;
    uint8_t fingerprint[IDEM_FINGERPRINT_BYTES];
} call;

/* ------------------------------------------------------------ what is said */

static void send_http(web_answer *answer, const idem_http *http,
                      const char *body) {
    if (http->retry_after_s > 0)
        web_answer_header(answer, "Retry-After", "%" PRIu32,
                          http->retry_after_s);
    web_answer_print(answer, (unsigned)http->status, PROBLEM_JSON, "%.*s",
                     (int)http->body_len, body);
}

static void send_error(web_answer *answer, int32_t code) {
    char body[IDEM_HTTP_BODY_BYTES];
    idem_http http = IDEM_HTTP_INIT;
    if (idem_http_from_error(code, body, sizeof body, &http) == IDEM_OK)
        send_http(answer, &http, body);
}

static void send_outcome(web_answer *answer, const idem_answer *said) {
    char body[IDEM_HTTP_BODY_BYTES];
    idem_http http = IDEM_HTTP_INIT;
    if (idem_http_from_answer(said, body, sizeof body, &http) == IDEM_OK)
        send_http(answer, &http, body);
}

/* What another instance stored, maybe in another language. */
static void send_stored(web_answer *answer, const idem_answer *said) {
    idem_http_header headers[IDEM_HTTP_HEADERS_MAX];
    idem_http_answer stored = IDEM_HTTP_ANSWER_INIT;
    int32_t code = idem_http_unpack(said->result, said->result_len, headers,
                                    IDEM_HTTP_HEADERS_MAX, &stored);
    if (code != IDEM_OK) {
        send_error(answer, code);
        return;
    }
    char name[IDEM_HTTP_NAME_BYTES_MAX + 1];
    for (size_t i = 0; i < stored.headers_count; i++) {
        const idem_http_header *header = &headers[i];
        snprintf(name, sizeof name, "%.*s", (int)header->name.len,
                 (const char *)header->name.ptr);
        web_answer_header(answer, name, "%.*s", (int)header->value.len,
                          (const char *)header->value.ptr);
    }
    web_answer_header(answer, "Idempotency-Replayed", "%s",
                      stored.body != NULL ? "true" : "true; body=dropped");
    web_answer_body(answer, (unsigned)stored.status, stored.body,
                    stored.body_len);
}

/* -------------------------------------------------------- under the claim */

/* Events are for whoever listens now. */
static bool is_captured(const web_answer *answer) {
    static const char events[] = "text/event-stream";
    for (size_t i = 0; i < answer->header_count; i++)
        if (strcasecmp(answer->headers[i].name, "Content-Type") == 0 &&
            strncasecmp(answer->headers[i].value, events, sizeof events - 1) ==
                0)
            return false;
    return !answer->is_cut;
}

/* Without memory for it the key is completed all the same: it was done. */
static void store_answer(idem_run *run, const call *c) {
    idem_http_header headers[WEB_HEADERS_MAX];
    const web_answer *answer = c->answer;
    idem_http_answer own = IDEM_HTTP_ANSWER_INIT;
    size_t len;
    for (size_t i = 0; i < answer->header_count; i++) {
        const web_header *header = &answer->headers[i];
        headers[i] = (idem_http_header){{header->name, strlen(header->name)},
                                        {header->value, strlen(header->value)}};
    }
    own.status = (int32_t)answer->status;
    own.headers = headers;
    own.headers_count = answer->header_count;
    if (is_captured(answer)) {
        own.body = answer->body != NULL ? answer->body : "";
        own.body_len = answer->body_bytes;
    }
    own.result_bytes_max = c->of->answer_bytes;
    if (idem_http_pack(&own, NULL, 0, &len) != IDEM_OK)
        return;
    uint8_t *bytes = malloc(len);
    if (bytes != NULL && idem_http_pack(&own, bytes, len, &len) == IDEM_OK)
        idem_run_set_result(run, bytes, len,
                            answer->status < 400 ? IDEM_CLASS_SUCCESS
                                                 : IDEM_CLASS_ERROR);
    free(bytes);
}

static void tell_claim(const idem_run *run, once_claim *claim) {
    idem_token token;
    idem_run_token(run, &token);
    for (size_t i = 0; i < sizeof token.bytes; i++)
        snprintf(claim->token + 2 * i, 3, "%02x", token.bytes[i]);
    claim->attempt = idem_run_attempt(run);
    claim->previous = idem_run_previous(run);
}

/* The answer without what the handler has put into it. One whose beginning was
 * sent can't be another one: its end never comes. */
static bool may_replace(const call *c) {
    if (c->answer->is_streamed)
        c->answer->is_broken = true;
    else
        web_answer_undo(c->answer, c->headers_before);
    return !c->answer->is_streamed;
}

static int32_t run_handler(idem_run *run, void *ctx) {
    call *c = ctx;
    tell_claim(run, &c->claim);
    if (c->of->answer_bytes > 0)
        c->answer->keep_bytes_max = c->of->answer_bytes;
    if (c->claim.attempt > 1)
        web_answer_header(c->answer, "X-Attempt", "%" PRIu32 ", previous %s",
                          c->claim.attempt,
                          idem_previous_name(c->claim.previous));
    int32_t origin = c->handler(c->ctx, &c->claim, c->answer);
    switch (idem_http_fate((int32_t)c->answer->status, origin, 0)) {
    case IDEM_HTTP_STORE:
        store_answer(run, c);
        return IDEM_RUN_DONE;
    case IDEM_HTTP_RELEASE: /* with args.unbind */
        return IDEM_RUN_FAILED;
    default:
        return IDEM_RUN_UNSURE;
    }
}

static void answer_outcome(const call *c, const idem_answer *said) {
    switch (said->outcome) {
    case IDEM_REPLAY:
        send_stored(c->answer, said);
        return;
    case IDEM_COMPLETED:
    case IDEM_RELEASED:
    case IDEM_LEFT: /* the handler's own answer, if it has come to one */
        if (c->answer->status == 0)
            send_outcome(c->answer, said);
        return;
    default: /* someone else holds it, it stands for something else, ... */
        if (may_replace(c))
            send_outcome(c->answer, said);
    }
}

/* It ran, and its answer is not what later askers get. */
static void answer_lost(const call *c, const idem_error *err) {
    fprintf(stderr, "store: %s\n", err->text);
    if (may_replace(c))
        send_error(c->answer, err->code);
}

/* ----------------------------------------------------- the store is away */

/* Once a second, however many there are. */
static void log_let_through(once *o, const idem_error *err) {
    uint64_t now_ms = idem_now_ms();
    uint_fast64_t told_ms = atomic_load(&o->told_ms);
    if (told_ms != 0 && now_ms - told_ms < 1000)
        return;
    if (atomic_compare_exchange_strong(&o->told_ms, &told_ms, now_ms))
        fprintf(stderr, "store: %s; %u requests let through without a claim\n",
                err->text, atomic_load(&o->let_through));
}

static void answer_unasked(call *c, const idem_error *err) {
    once *o = c->of;
    if (!o->open || !idem_http_may_pass(err->code)) {
        fprintf(stderr, "store: %s\n", err->text);
        send_error(c->answer, err->code);
        return;
    }
    atomic_fetch_add(&o->let_through, 1);
    log_let_through(o, err);
    c->handler(c->ctx, &c->claim, c->answer);
    if (c->answer->status == 0)
        send_outcome(c->answer, &(idem_answer){.size = sizeof(idem_answer),
                                               .outcome = IDEM_LEFT});
}

void once_health(once *o, web_answer *answer) {
    idem_status status = IDEM_STATUS_INIT;
    idem_client_status(o->client, &status);
    web_answer_print(answer, 200, "application/json",
                     "{\"on_unavailable\":\"%s\",\"let_through\":%u,"
                     "\"store_connections\":%" PRIu32 "}\n",
                     o->open ? "open" : "closed", atomic_load(&o->let_through),
                     status.connections);
}

/* -------------------------------------------------------- the request */

static idem_slice slice_of(const char *text) {
    return (idem_slice){text, text == NULL ? 0 : strlen(text)};
}

/* What it is about; false when the answer is there already. */
static bool read_request(const web_request *request, call *c) {
    char header[IDEM_HTTP_KEY_BYTES_MAX];
    size_t header_len;
    idem_slice value = slice_of(web_request_header(request, "Idempotency-Key"));
    const char *principal = NULL;
    int32_t code =
        idem_http_key(value.ptr, value.len, header, sizeof header, &header_len);
    if (web_request_header_count(request, "Idempotency-Key") > 1)
        code = IDEM_E_KEY_MALFORMED; /* which of them? */
    if (c->of->principal != NULL)
        principal = c->of->principal(c->of->principal_ctx, request);
    if (code == IDEM_OK && c->of->principal != NULL && principal == NULL) {
        web_answer_print(c->answer, 401, "text/plain", "who are you?\n");
        return false;
    }
    idem_http_request asked = IDEM_HTTP_REQUEST_INIT;
    asked.method = slice_of(request->method);
    asked.target = slice_of(request->target);
    asked.content_type = slice_of(web_request_header(request, "Content-Type"));
    asked.body = (idem_slice){request->body, request->body_bytes};
    asked.principal = slice_of(principal);
    asked.for_anyone = c->of->for_anyone;
    if (code == IDEM_OK)
        code = idem_http_store_key(&asked, header, header_len, c->key,
                                   sizeof c->key - 1, &c->key_len);
    if (code == IDEM_OK)
        code = idem_http_fingerprint(&asked, c->fingerprint);
    if (code != IDEM_OK)
        send_error(c->answer, code);
    return code == IDEM_OK;
}

void once_handle(once *o, const web_request *request, once_handler *handler,
                 void *ctx, web_answer *answer) {
    call c = {.of = o,
              .handler = handler,
              .ctx = ctx,
              .answer = answer,
              .headers_before = answer->header_count};
    idem_answer said = IDEM_ANSWER_INIT;
    idem_error err = IDEM_ERROR_INIT;
    idem_args args = IDEM_ARGS_INIT;
    c.claim.key = c.key;
    if (!read_request(request, &c))
        return;
    args.key = c.key;
    args.key_len = c.key_len;
    args.fingerprint = c.fingerprint;
    args.fingerprint_len = sizeof c.fingerprint;
    args.lease_ms = o->lease_ms;
    args.ttl_ms = o->ttl_ms;
    args.wait_ms = o->wait_ms;
    args.unbind = 1; /* what is given back begins anew */
    if (idem_run_once(o->client, &args, run_handler, &c, &said, &err) ==
        IDEM_OK)
        answer_outcome(&c, &said);
    else if (c.claim.attempt > 0)
        answer_lost(&c, &err);
    else
        answer_unasked(&c, &err);
    idem_answer_fini(&said);
}
