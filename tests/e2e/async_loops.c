/* SPDX-License-Identifier: Apache-2.0 */
/* async_loops.c -- two threads, each with a loop and two clients of its own,
 * and calls of all kinds on the same keys: what they share is the server, and
 * nothing of the library's.
 *
 *   async_loops IDEMSTORED */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "client/include/idemclient_async_poll.h"
#include "tests/e2e/harness.h"

#define LOOPS   2
#define CLIENTS 2
#define KEYS    1500
#define AT_ONCE 20

typedef struct loop {
    const char *uri;
    idem_async *clients[CLIENTS];
    int asked, over, executed, replayed, cancelled;
    pthread_t thread;
} loop;

typedef struct visit {
    loop *loop;
    idem_async *client;
    int key;
    uint64_t lease;
    idem_token token;
} visit;

static void hear(void *ctx, const idem_answer *answer, const idem_error *err);

static uint64_t ask(visit *v, int32_t method) {
    char key[16];
    uint64_t id = 0;
    int len = snprintf(key, sizeof key, "key-%d", v->key);
    idem_args args = {.size = sizeof args,
                      .timeout_ms = 60000,
                      .key = key,
                      .key_len = (size_t)len,
                      .lease_ms = 60000,
                      .wait_ms = method == IDEM_ACQUIRE ? 30000 : 0,
                      .token = v->token,
                      .result = "done",
                      .result_len = 4};
    CHECK(idem_async_call(v->client, method, &args, idem_now_ms(), hear, v,
                          &id) == 0,
          "not asked");
    return id;
}

static void begin(visit *v, idem_async *client) {
    loop *l = v->loop;
    *v = (visit){.loop = l, .client = client, .key = l->asked++};
    uint64_t id = ask(v, IDEM_ACQUIRE);
    if (v->key % 50 == 49)
        CHECK(idem_async_cancel(client, id), "no such call");
}

static void hear(void *ctx, const idem_answer *answer, const idem_error *err) {
    visit *v = ctx;
    loop *l = v->loop;
    if (answer != NULL && answer->outcome == IDEM_ACQUIRED) {
        l->executed++;
        v->token = answer->token;
        CHECK(idem_async_keep(v->client, NULL, NULL, &v->lease) == 0,
              "not kept");
        ask(v, IDEM_COMPLETE);
        return;
    }
    if (err != NULL) {
        CHECK(v->key % 50 == 49 &&
                  (err->code == IDEM_E_LOST || err->code == IDEM_E_CLOSED),
              "%s", err->text);
        l->cancelled++;
    }
    if (v->lease != 0)
        idem_async_let_go(v->client, v->lease);
    l->replayed += answer != NULL && answer->outcome == IDEM_REPLAY;
    l->over++;
    if (l->asked < KEYS)
        begin(v, l->clients[l->asked % CLIENTS]);
}

static void *turn(void *arg) {
    loop *l = arg;
    visit visits[AT_ONCE];
    for (int i = 0; i < CLIENTS; i++)
        CHECK(idem_async_open(l->uri, &l->clients[i], NULL) == 0, "no client");
    for (int i = 0; i < AT_ONCE; i++) {
        visits[i].loop = l;
        begin(&visits[i], l->clients[i % CLIENTS]);
    }
    while (l->over < KEYS) {
        struct pollfd fds[CLIENTS * 8];
        int its[CLIENTS], count = 0, timeout_ms = 1000;
        for (int i = 0; i < CLIENTS; i++) {
            its[i] = idem_async_poll_fill(l->clients[i], fds + count, 8,
                                          &timeout_ms);
            count += its[i];
        }
        (void)poll(fds, (nfds_t)count, timeout_ms);
        for (int i = 0, at = 0; i < CLIENTS; at += its[i++])
            CHECK(idem_async_poll_process(l->clients[i], fds + at, its[i]),
                  "it is closed");
    }
    for (int i = 0; i < CLIENTS; i++)
        idem_async_close(l->clients[i]);
    return NULL;
}

int main(int argc, char **argv) {
    static loop loops[LOOPS];
    daemon_t store;
    char uri[96];
    int executed = 0, cancelled = 0;
    CHECK(argc > 1, "which daemon?");
    daemon_start(&store, &(daemon_spec){.program = argv[1],
                                        .flags = {"--threads", "2", NULL}});
    snprintf(uri, sizeof uri, "idem://127.0.0.1:%u/", store.port);
    for (int i = 0; i < LOOPS; i++) {
        loops[i].uri = uri;
        CHECK(pthread_create(&loops[i].thread, NULL, turn, &loops[i]) == 0,
              "no thread");
    }
    for (int i = 0; i < LOOPS; i++) {
        pthread_join(loops[i].thread, NULL);
        executed += loops[i].executed;
        cancelled += loops[i].cancelled;
    }
    /* A cancelled acquire may have claimed its key all the same. */
    CHECK(executed <= KEYS && executed >= KEYS - cancelled,
          "%d executions of %d keys, %d cancelled", executed, KEYS, cancelled);
    daemon_stop(&store);
    return 0;
}
