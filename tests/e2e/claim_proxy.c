/* SPDX-License-Identifier: Apache-2.0 */
/* claim_proxy.c -- the double click through the example proxy: a service that
 * knows nothing of keys has its effect once per key, whoever sends it again
 * hears the same, and what did not happen may be tried again.
 *
 *   claim_proxy IDEMSTORED CLAIM_PROXY */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/e2e/harness.h"
#include "tests/e2e/http_call.h"

#define BODY "{\"cost\":10}"

/* The service behind it: each POST is an effect. */
static struct service {
    int listener;
    uint16_t port;
    atomic_int effects;
    atomic_int slow_ms;
    atomic_bool dies; /* after the effect, before its answer */
    pthread_t thread;
} service;

static void answer_one(int fd) {
    char request[8192], answer[512], body[64];
    size_t len = 0;
    ssize_t got;
    while (len < sizeof request - 1 &&
           (got = recv(fd, request + len, sizeof request - 1 - len, 0)) > 0) {
        len += (size_t)got;
        request[len] = '\0';
        const char *end = strstr(request, "\r\n\r\n");
        if (end != NULL && (strstr(end, BODY) != NULL || request[0] == 'G'))
            break;
    }
    int effect = atomic_load(&service.effects);
    if (request[0] == 'P') {
        CHECK(strcasestr(request, "\r\nX-Fencing-Token: 00") != NULL,
              "no fencing token in %s", request);
        effect = atomic_fetch_add(&service.effects, 1) + 1;
    }
    e2e_sleep_ms((unsigned)atomic_load(&service.slow_ms));
    if (!atomic_load(&service.dies)) {
        int body_len = snprintf(body, sizeof body, "{\"effects\":%d}", effect);
        int answer_len = snprintf(answer, sizeof answer,
                                  "HTTP/1.0 201 Created\r\nContent-Type: "
                                  "application/json\r\nContent-Length: "
                                  "%d\r\n\r\n%s",
                                  body_len, body);
        (void)send(fd, answer, (size_t)answer_len, MSG_NOSIGNAL);
    }
    close(fd);
}

static void *answer_fd(void *arg) {
    answer_one((int)(intptr_t)arg);
    return NULL;
}

static void *serve(void *arg) {
    int fd;
    while ((fd = accept(service.listener, NULL, NULL)) >= 0) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, answer_fd, (void *)(intptr_t)fd) ==
                  0,
              "no thread");
        pthread_detach(thread);
    }
    return arg;
}

/* A port that nobody listens at, until service_start. */
static void service_bind(void) {
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    service.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(service.listener, (const struct sockaddr *)&at, sizeof at) == 0,
          "no port");
    getsockname(service.listener, (struct sockaddr *)&at, &len);
    service.port = ntohs(at.sin_port);
}

static void service_start(void) {
    CHECK(listen(service.listener, 64) == 0, "it does not listen");
    CHECK(pthread_create(&service.thread, NULL, serve, NULL) == 0, "no thread");
}

typedef struct click {
    uint16_t port;
    const char *key;
    const char *body;
    http_reply reply;
    pthread_t thread;
} click;

static void *post(void *arg) {
    click *c = arg;
    char headers[256] = "Content-Type: application/json\r\n";
    if (c->key != NULL)
        snprintf(headers, sizeof headers,
                 "Content-Type: application/json\r\nIdempotency-Key: %s\r\n",
                 c->key);
    http_post(&(http_call){c->port, "/pay", headers, c->body, NULL}, &c->reply);
    return NULL;
}

/* The status; the answer is in last. */
static click last;

static unsigned send_it(uint16_t port, const char *key, const char *body) {
    last = (click){.port = port, .key = key, .body = body};
    post(&last);
    return last.reply.status;
}

static bool is_replay(const http_reply *reply) {
    char text[32];
    return http_header(reply, "Idempotency-Replayed", text, sizeof text);
}

/* ---------------------------------------------------------------- stories */

static void story_double_click(uint16_t port) {
    click two[2] = {{.port = port, .key = "order-1", .body = BODY},
                    {.port = port, .key = "order-1", .body = BODY}};
    atomic_store(&service.slow_ms, 300);
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&two[i].thread, NULL, post, &two[i]) == 0,
              "no thread");
    for (int i = 0; i < 2; i++)
        pthread_join(two[i].thread, NULL);
    atomic_store(&service.slow_ms, 0);
    CHECK(atomic_load(&service.effects) == 1, "%d effects",
          atomic_load(&service.effects));
    int done = 0;
    for (int i = 0; i < 2; i++) {
        unsigned status = two[i].reply.status;
        CHECK(status == 201 || status == 409, "%u", status);
        done += status == 201;
    }
    CHECK(done >= 1, "nobody heard of it");
    CHECK(send_it(port, "order-1", BODY) == 201 && is_replay(&last.reply), "%s",
          last.reply.bytes);
    CHECK(strcmp(last.reply.body, "{\"effects\":1}") == 0, "another answer: %s",
          last.reply.body);
    CHECK(atomic_load(&service.effects) == 1, "done again");
}

static void story_refusals(uint16_t port) {
    int before = atomic_load(&service.effects);
    CHECK(send_it(port, "order-1", "{\"c\":1," BODY "}") == 422,
          "another body under the key");
    CHECK(send_it(port, NULL, BODY) == 400, "without a key");
    CHECK(send_it(port, "\"half", BODY) == 400, "a malformed key");
    CHECK(atomic_load(&service.effects) == before, "it was done");
}

static void story_service_down(uint16_t port) {
    CHECK(send_it(port, "early", BODY) == 503, "%u", last.reply.status);
    service_start();
    CHECK(send_it(port, "early", BODY) == 201 && !is_replay(&last.reply), "%s",
          last.reply.bytes);
    CHECK(atomic_load(&service.effects) == 1, "not once");
    atomic_store(&service.effects, 0);
}

/* The effect is there and nobody knows: it is not done again by a retry. */
static void story_lost_answer(uint16_t port) {
    int before = atomic_load(&service.effects);
    atomic_store(&service.dies, true);
    CHECK(send_it(port, "lost", BODY) == 502, "it was answered");
    atomic_store(&service.dies, false);
    CHECK(send_it(port, "lost", BODY) == 409, "%u", last.reply.status);
    CHECK(atomic_load(&service.effects) == before + 1, "done again");
}

static uint16_t port_of(const child *proxy) {
    uint16_t port = child_port(proxy);
    CHECK(port != 0, "the proxy says no port");
    return port;
}

int main(int argc, char **argv) {
    daemon_t store;
    child proxy = {0};
    char uri[96], service_port[8], folder[] = "/tmp/claim_proxy-XXXXXX";
    CHECK(argc > 2, "which daemon, which proxy?");
    daemon_start(&store, &(daemon_spec){.program = argv[1],
                                        .flags = {"--threads", "2", NULL}});
    snprintf(uri, sizeof uri, "idem://127.0.0.1:%u/proxy", store.port);
    CHECK(mkdtemp(folder) != NULL, "no folder");
    service_bind();
    snprintf(service_port, sizeof service_port, "%u", service.port);
    CHECK(child_start(&proxy, "claim_proxy", folder,
                      (char *[]){argv[2], "0", service_port, uri, NULL}),
          "the proxy does not start");
    uint16_t port = port_of(&proxy);
    story_service_down(port);
    story_double_click(port);
    story_refusals(port);
    story_lost_answer(port);
    http_post(&(http_call){port, "/", "", "", "GET"}, &last.reply);
    CHECK(last.reply.status == 201, "a GET passes: %u", last.reply.status);
    child_stop(&proxy);
    unlink(proxy.log_path);
    rmdir(folder);
    daemon_stop(&store);
    return 0;
}
