/* SPDX-License-Identifier: Apache-2.0 */
/* tls_threads.c -- many threads on one client over TLS, whose connections are
 * cut and whose keys change meanwhile. A plain program, so that it runs under
 * the thread sanitizer: an SSL is not for two threads.
 *
 * Every call has one answer, its own.
 *
 *   client_tls_threads [CALLS]     so many by each thread, instead of 200 */
#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/include/idemclient.h"
#include "tests/lib/tls_certs.h"
#include "tests/lib/tls_front.h"
#include "tests/unit/client/fake.h"

#define THREADS 32

static uint32_t calls = 200; /* by each */
static _Atomic uint32_t answered;

/* The answer says which key was asked: its number is the token. */
static void answer(void *ctx, uint64_t link, const idp_request *request,
                   fake_reply *reply) {
    char text[24] = {0};
    (void)ctx;
    (void)link;
    memcpy(text, request->key.ptr,
           request->key.len < 23 ? request->key.len : 23);
    *reply = (fake_reply){.action = FAKE_ANSWER,
                          .answer = fake_acquired(strtoull(text, NULL, 10))};
}

typedef struct worker {
    idem_client *client;
    uint32_t number;
} worker;

static void *work(void *arg) {
    const worker *me = arg;
    idem_answer got = {.size = sizeof got};
    for (uint32_t i = 0; i < calls; i++) {
        char key[24];
        idem_error err = {.size = sizeof err};
        uint64_t number = (uint64_t)me->number * calls + i + 1;
        uint64_t told = 0;
        int len = snprintf(key, sizeof key, "%llu", (unsigned long long)number);
        idem_args args = {
            .size = sizeof args, .key = key, .key_len = (size_t)len};
        if (idem_acquire(me->client, &args, &got, &err) != 0) {
            fprintf(stderr, "%s\n", err.text);
            abort();
        }
        for (int at = 8; at < IDEM_TOKEN_BYTES; at++)
            told = told << 8 | got.token.bytes[at];
        assert(told == number);
        atomic_fetch_add(&answered, 1);
    }
    idem_answer_fini(&got);
    return NULL;
}

static void tell(const char *folder, uint32_t shards, bool cuts) {
    static worker workers[THREADS];
    static pthread_t threads[THREADS];
    fake_server *server =
        fake_start(&(fake_config){.script = answer, .shards = shards});
    tls_front *front =
        front_start(&(front_config){.folder = folder,
                                    .cert = "server",
                                    .upstream = fake_port(server),
                                    .keys_each = 20});
    char uri[160];
    snprintf(uri, sizeof uri,
             "idems://127.0.0.1:%u/t?ca=%s/ca.pem&timeout_ms=60000",
             front_port(front), folder);
    idem_client *client = NULL;
    int32_t opened = idem_client_open(uri, &client, NULL);
    assert(opened == 0);
    atomic_store(&answered, 0);
    for (uint32_t i = 0; i < THREADS; i++) {
        workers[i] = (worker){client, i};
        pthread_create(&threads[i], NULL, work, &workers[i]);
    }
    uint32_t next = 500;
    while (cuts && atomic_load(&answered) < THREADS * calls / 2) {
        if (atomic_load(&answered) >= next) {
            front_cut(front);
            next += 500;
        }
        sched_yield();
    }
    for (uint32_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("%u shards%s: %u answered, %u connections\n", shards,
           cuts ? ", cut" : "", atomic_load(&answered),
           front_handshakes(front));
    assert(atomic_load(&answered) == THREADS * calls);
    idem_client_close(client);
    front_stop(front);
    fake_stop(server);
}

int main(int argc, char **argv) {
    char folder[32];
    if (argc > 1)
        calls = (uint32_t)strtoul(argv[1], NULL, 10);
    certs_begin(folder);
    certs_make_usual(folder);
    tell(folder, 1, false);
    tell(folder, 3, false);
    tell(folder, 2, true);
    certs_end(folder);
    return 0;
}
