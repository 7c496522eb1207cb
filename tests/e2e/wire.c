/* SPDX-License-Identifier: Apache-2.0 */
/* wire.c -- the client's side of harness.h: one blocking socket, and the
 * bystander that works while others misbehave. */
#include "tests/e2e/harness.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_S      30
#define REPLY_BYTES_MAX ((size_t)4 << 20)

static bool wire_connect(wire *w, int domain, const struct sockaddr *to,
                         socklen_t to_len) {
    struct timeval patience = {.tv_sec = PATIENCE_S};
    *w = (wire){.fd = socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    CHECK(w->fd >= 0, "no descriptor for a socket");
    setsockopt(w->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(w->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (domain == AF_INET)
        setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (connect(w->fd, to, to_len) == 0)
        return true;
    wire_close(w);
    return false;
}

bool wire_open(wire *w, uint16_t port) {
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return wire_connect(w, AF_INET, (struct sockaddr *)&to, sizeof to);
}

bool wire_try_unix(wire *w, const char *path) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
    return wire_connect(w, AF_UNIX, (struct sockaddr *)&to, sizeof to);
}

void wire_open_unix(wire *w, const char *path) {
    CHECK(wire_try_unix(w, path), "nobody listens at %s", path);
}

void wire_close(wire *w) {
    if (w->fd >= 0)
        close(w->fd);
    free(w->in);
    *w = (wire){.fd = -1};
}

bool wire_send(wire *w, const void *bytes, size_t len) {
    for (size_t at = 0; at < len;) {
        ssize_t n =
            send(w->fd, (const char *)bytes + at, len - at, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    return true;
}

bool wire_send_request(wire *w, idp_request *request) {
    request->msgid = w->msgid++;
    size_t cap = idp_request_write_bound(request);
    uint8_t *frame = malloc(cap);
    CHECK(frame != NULL, "no memory");
    size_t len = idp_request_write(frame, cap, request);
    CHECK(len > 0 && len <= cap, "proto wrote %zu of %zu bytes", len, cap);
    bool sent = wire_send(w, frame, len);
    free(frame);
    return sent;
}

/* Reads once more; false at the end. */
static bool wire_fill(wire *w) {
    if (w->in_cap - w->in_len < 65536) {
        w->in_cap = w->in_cap * 2 + 65536 * 2;
        w->in = realloc(w->in, w->in_cap);
        CHECK(w->in != NULL, "no memory");
    }
    ssize_t n = recv(w->fd, w->in + w->in_len, w->in_cap - w->in_len, 0);
    if (n > 0)
        w->in_len += (size_t)n;
    return n > 0;
}

bool wire_reply(wire *w, idp_reply *reply) {
    w->in_len -= w->frame;
    if (w->in_len > 0)
        memmove(w->in, w->in + w->frame, w->in_len);
    w->frame = 0;
    for (;;) {
        size_t frame = 0;
        idp_reply_read_status status =
            w->in_len == 0 ? IDP_REPLY_PARTIAL
                           : idp_reply_open(w->in, w->in_len, REPLY_BYTES_MAX,
                                            reply, &frame);
        CHECK(status != IDP_REPLY_BROKEN,
              "the daemon sent no reply but "
              "%zu other bytes",
              w->in_len);
        if (status == IDP_REPLY_WHOLE) {
            w->frame = frame;
            return true;
        }
        if (!wire_fill(w))
            return false;
    }
}

bool wire_ask(wire *w, idp_request *request, idp_reply *reply) {
    if (!wire_send_request(w, request))
        return false;
    do {
        if (!wire_reply(w, reply))
            return false;
    } while (reply->msgid != request->msgid);
    return true;
}

int wire_call(wire *w, idp_request *request, idp_answer *answer) {
    idp_reply reply;
    if (!wire_ask(w, request, &reply))
        return WIRE_LOST;
    if (reply.is_error) {
        CHECK(reply.error != IDP_OK, "an error that is none: %.*s",
              (int)reply.text.len, (const char *)reply.text.ptr);
        return reply.error;
    }
    CHECK(idp_answer_read(request->method, reply.result, answer),
          "no answer to method %d", (int)request->method);
    return IDP_OK;
}

int wire_hello(wire *w, int32_t shard, const char *secret, idp_hello *hello) {
    idp_request ask = {.method = IDP_HELLO,
                       .has_shard = shard >= 0,
                       .shard = shard >= 0 ? (uint32_t)shard : 0};
    idp_reply reply;
    if (secret != NULL)
        ask.secret = text_slice(secret);
    if (!wire_ask(w, &ask, &reply))
        return WIRE_LOST;
    if (reply.is_error)
        return reply.error;
    CHECK(idp_hello_read(reply.result, hello), "hello says something else");
    return IDP_OK;
}

size_t wire_text(wire *w, char *text, size_t cap) {
    size_t len = 0;
    for (ssize_t n; len < cap - 1; len += (size_t)n)
        if ((n = recv(w->fd, text + len, cap - 1 - len, 0)) <= 0)
            break;
    text[len] = 0;
    return len;
}

idp_slice text_slice(const char *text) {
    return (idp_slice){(const uint8_t *)text, strlen(text)};
}

idp_request ask_acquire(const char *key, uint32_t lease_ms, uint64_t ttl_ms) {
    return (idp_request){.method = IDP_ACQUIRE,
                         .ns = text_slice("e2e"),
                         .key = text_slice(key),
                         .lease_ms = lease_ms,
                         .ttl_ms = ttl_ms};
}

idp_request ask_complete(const char *key, idp_token token, const char *result) {
    return (idp_request){.method = IDP_COMPLETE,
                         .ns = text_slice("e2e"),
                         .key = text_slice(key),
                         .token = token,
                         .result = text_slice(result)};
}

idp_request ask_release(const char *key, idp_token token) {
    return (idp_request){.method = IDP_RELEASE,
                         .ns = text_slice("e2e"),
                         .key = text_slice(key),
                         .token = token};
}

int wire_call_confirmed(wire *w, idp_request *request, idp_answer *answer) {
    int code = IDP_E_UNREPLICATED;
    if (request->method == IDP_ACQUIRE && request->nonce.ptr == NULL)
        request->nonce = text_slice("until confirmed");
    for (int tries = 0; code == IDP_E_UNREPLICATED && tries < 24; tries++)
        code = wire_call(w, request, answer);
    return code;
}

void e2e_do_once(wire *w, const char *key, const char *result) {
    idp_request acquire = ask_acquire(key, 600000, 600000);
    idp_answer answer = {0};
    int code = wire_call_confirmed(w, &acquire, &answer);
    CHECK(code == 0 && answer.outcome == IDP_OUTCOME_ACQUIRED,
          "acquire %s: code %d, outcome %d", key, code, (int)answer.outcome);
    idp_request complete = ask_complete(key, answer.token, result);
    code = wire_call_confirmed(w, &complete, &answer);
    CHECK(code == 0 && answer.outcome == IDP_OUTCOME_COMPLETED,
          "complete %s: code %d, outcome %d", key, code, (int)answer.outcome);
}

void e2e_is_replayed(wire *w, const char *key) {
    idp_answer answer;
    idp_request ask = ask_acquire(key, 1000, 600000);
    CHECK(wire_call(w, &ask, &answer) == 0, "%s can't be asked for", key);
    CHECK(answer.outcome == IDP_OUTCOME_REPLAY, "%s is granted again", key);
}

struct bystander {
    pthread_t thread;
    uint16_t port;
    atomic_bool stop;
    atomic_uint done;
};

static void *bystander_work(void *arg) {
    bystander *by = arg;
    wire w;
    CHECK(wire_open(&w, by->port), "the bystander can't connect");
    for (unsigned i = 0; !atomic_load(&by->stop); i++) {
        char key[32];
        snprintf(key, sizeof key, "bystander-%u", i);
        e2e_do_once(&w, key, "well");
        atomic_fetch_add(&by->done, 1);
        e2e_sleep_ms(1);
    }
    wire_close(&w);
    return NULL;
}

bystander *bystander_start(uint16_t port) {
    bystander *by = calloc(1, sizeof *by);
    CHECK(by != NULL, "no memory");
    by->port = port;
    CHECK(pthread_create(&by->thread, NULL, bystander_work, by) == 0,
          "no thread");
    return by;
}

void bystander_is_well(bystander *by, const char *after) {
    unsigned before = atomic_load(&by->done);
    uint64_t until = e2e_now_ms() + PATIENCE_S * 1000;
    while (atomic_load(&by->done) < before + 3 && e2e_now_ms() < until)
        e2e_sleep_ms(5);
    CHECK(atomic_load(&by->done) >= before + 3,
          "another client was kept waiting after: %s", after);
    printf("  %-44s others unharmed\n", after);
    fflush(stdout);
}

void bystander_stop(bystander *by) {
    atomic_store(&by->stop, true);
    pthread_join(by->thread, NULL);
    free(by);
}
