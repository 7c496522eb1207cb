/* SPDX-License-Identifier: Apache-2.0 */
/* shutdown.c -- idem_client_shutdown while threads are in calls of every kind:
 * each ends, and what it says is true. Unchanged: the server never saw it. */
#include <arpa/inet.h>
#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "client/include/idemclient.h"
#include "tests/unit/client/fake.h"

#define THREADS     8
#define KEYS_MAX    (1u << 20)
/* Calls would go on for so long; the test ends by its timeout before that. */
#define FOR_EVER_MS 600000u

/* Which keys the server has seen. */
static _Atomic bool seen[KEYS_MAX];
static _Atomic uint32_t requests;

static uint32_t number_of(const idp_request *request) {
    char text[16] = "";
    memcpy(text, request->key.ptr,
           request->key.len < sizeof text ? request->key.len : 0);
    return (uint32_t)strtoul(text, NULL, 10) % KEYS_MAX;
}

static void note(const idp_request *request) {
    atomic_store(&seen[number_of(request)], true);
    atomic_fetch_add(&requests, 1);
}

static void say_nothing(void *ctx, uint64_t link, const idp_request *request,
                        fake_reply *reply) {
    (void)ctx;
    (void)link;
    note(request);
    reply->action = FAKE_MUTE;
}

static void say_yes(void *ctx, uint64_t link, const idp_request *request,
                    fake_reply *reply) {
    (void)ctx;
    (void)link;
    note(request);
    reply->action = FAKE_ANSWER;
    reply->answer = fake_acquired(number_of(request));
    if (request->method == IDP_COMPLETE)
        reply->answer.outcome = IDP_OUTCOME_COMPLETED;
    if (request->method == IDP_RENEW)
        reply->answer.outcome = IDP_OUTCOME_RENEWED;
}

/* --- threads in calls */

typedef struct caller {
    idem_client *client;
    pthread_t thread;
    uint32_t number;
    bool again; /* until it hears of the shutdown */
    uint32_t answered;
    int32_t code;
} caller;

static int32_t ask(idem_client *client, uint32_t number, idem_error *err) {
    char key[16];
    idem_args args = IDEM_ARGS_INIT;
    args.key = key;
    args.key_len = (size_t)snprintf(key, sizeof key, "%u", number);
    args.timeout_ms = FOR_EVER_MS;
    return idem_acquire(client, &args, NULL, err);
}

static void *call(void *arg) {
    caller *me = arg;
    idem_error err = IDEM_ERROR_INIT;
    do {
        uint32_t key = me->number + THREADS * me->answered;
        me->code = ask(me->client, key % KEYS_MAX, &err);
        if (me->code == IDEM_E_CLOSED)
            assert(!atomic_load(&seen[key % KEYS_MAX]));
        me->answered += me->code == 0;
    } while (me->again && me->code == 0);
    if (me->code != 0)
        assert(err.assume == (me->code == IDEM_E_CLOSED ? IDEM_ASSUME_UNCHANGED
                                                        : IDEM_ASSUME_UNKNOWN));
    return NULL;
}

static void start(caller *callers, idem_client *client, bool again) {
    for (uint32_t i = 0; i < THREADS; i++) {
        callers[i] = (caller){.client = client, .number = i, .again = again};
        assert(pthread_create(&callers[i].thread, NULL, call, &callers[i]) ==
               0);
    }
}

/* How many ended with this code; the rest ended with the other one. */
static uint32_t join(caller *callers, int32_t code, int32_t other) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < THREADS; i++) {
        pthread_join(callers[i].thread, NULL);
        int32_t said = callers[i].code;
        assert(said == code || said == other);
        count += said == code;
    }
    return count;
}

static void await_requests(uint32_t count) {
    while (atomic_load(&requests) < count)
        usleep(1000);
}

static fake_server *serve(fake_script *script, uint32_t shards,
                          uint64_t pending_max) {
    fake_config config = {
        .script = script, .shards = shards, .pending_max = pending_max};
    memset(seen, 0, sizeof seen);
    atomic_store(&requests, 0);
    return fake_start(&config);
}

static idem_client *open_client(const char *uri) {
    idem_client *client = NULL;
    assert(idem_client_open(uri, &client, NULL) == 0);
    return client;
}

/* --- stories */

static void calls_that_wait_for_an_answer(uint32_t shards) {
    caller callers[THREADS];
    fake_server *server = serve(say_nothing, shards, 0);
    idem_client *client = open_client(fake_uri(server, ""));
    start(callers, client, false);
    await_requests(THREADS);
    idem_client_shutdown(client);
    assert(join(callers, IDEM_E_LOST, IDEM_E_LOST) == THREADS);
    int32_t code = ask(client, 99, NULL);
    assert(code == IDEM_E_CLOSED);
    idem_client_close(client);
    fake_stop(server);
}

/* One is under way, seven wait for its place. */
static void calls_that_wait_for_a_place(void) {
    caller callers[THREADS];
    fake_server *server = serve(say_nothing, 1, 1);
    idem_client *client = open_client(fake_uri(server, ""));
    start(callers, client, false);
    await_requests(1);
    idem_client_shutdown(client);
    /* The next in the queue may get the place and be stopped on it: its call
     * is told as what the server may have seen, too. */
    uint32_t lost = join(callers, IDEM_E_LOST, IDEM_E_CLOSED);
    assert(lost >= 1 && lost >= atomic_load(&requests));
    idem_client_close(client);
    fake_stop(server);
}

static void calls_that_find_no_server(void) {
    caller callers[THREADS];
    memset(seen, 0, sizeof seen);
    idem_client *client = open_client("idem://127.0.0.1:1");
    start(callers, client, false);
    usleep(20000);
    idem_client_shutdown(client);
    assert(join(callers, IDEM_E_CLOSED, IDEM_E_CLOSED) == THREADS);
    idem_client_close(client);
}

/* It takes connections, and says nothing. */
static void calls_that_wait_for_a_hello(void) {
    caller callers[THREADS];
    fake_server *server = serve(say_nothing, 1, 0);
    fake_freeze(server);
    idem_client *client = open_client(fake_uri(server, ""));
    start(callers, client, false);
    usleep(20000);
    idem_client_shutdown(client);
    assert(join(callers, IDEM_E_CLOSED, IDEM_E_CLOSED) == THREADS);
    idem_client_close(client);
    fake_stop(server);
}

static void calls_without_end(uint32_t shards) {
    caller callers[THREADS];
    fake_server *server = serve(say_yes, shards, 0);
    idem_client *client = open_client(fake_uri(server, ""));
    start(callers, client, true);
    await_requests(1000);
    idem_client_shutdown(client);
    join(callers, IDEM_E_LOST, IDEM_E_CLOSED);
    idem_client_close(client);
    fake_stop(server);
}

/* --- from a signal handler, and what a function has done */

static idem_client *of_handler;

static void on_signal(int number) {
    (void)number;
    idem_client_shutdown(of_handler);
}

static void from_a_signal_handler(void) {
    struct sigaction action = {.sa_handler = on_signal};
    struct sigaction before;
    caller callers[THREADS];
    fake_server *server = serve(say_nothing, 1, 0);
    of_handler = open_client(fake_uri(server, ""));
    sigaction(SIGTERM, &action, &before);
    start(callers, of_handler, false);
    await_requests(THREADS);
    /* In the middle of a call; it has a handler.
     * NOLINTNEXTLINE(bugprone-bad-signal-to-kill-thread,cert-pos44-c) */
    pthread_kill(callers[0].thread, SIGTERM);
    assert(join(callers, IDEM_E_LOST, IDEM_E_LOST) == THREADS);
    sigaction(SIGTERM, &before, NULL);
    idem_client_close(of_handler);
    fake_stop(server);
}

static int32_t shut_down_within(idem_run *run, void *ctx) {
    (void)run;
    idem_client_shutdown(ctx);
    return IDEM_RUN_DONE;
}

static void what_a_function_did_is_still_recorded(void) {
    fake_server *server = serve(say_yes, 1, 0);
    idem_client *client = open_client(fake_uri(server, ""));
    idem_answer answer = IDEM_ANSWER_INIT;
    idem_args args = IDEM_ARGS_INIT;
    args.key = "1";
    args.key_len = 1;
    assert(idem_run_once(client, &args, shut_down_within, client, &answer,
                         NULL) == 0);
    assert(answer.outcome == IDEM_COMPLETED);
    assert(idem_run_once(client, &args, shut_down_within, client, &answer,
                         NULL) == IDEM_E_CLOSED);
    idem_answer_fini(&answer);
    idem_client_close(client);
    fake_stop(server);
}

int main(void) {
    calls_that_wait_for_an_answer(1);
    calls_that_wait_for_an_answer(3);
    calls_that_wait_for_a_place();
    calls_that_find_no_server();
    calls_that_wait_for_a_hello();
    calls_without_end(1);
    calls_without_end(3);
    from_a_signal_handler();
    what_a_function_did_is_still_recorded();
    idem_client_shutdown(NULL);
    return 0;
}
