/* SPDX-License-Identifier: Apache-2.0 */
/* threads.c -- many threads on one client, against a server in this process.
 * A plain program, so that it runs under the thread sanitizer too.
 *
 * Each story counts: every call has one answer, its own, and every thread
 * comes to its end. */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/include/idemclient.h"
#include "tests/unit/client/fake.h"

#define THREADS 64
#define CALLS   300

typedef struct story {
    const char *name;
    const char *options;
    fake_script *script;
    uint32_t shards;
    uint64_t pending_max;
    bool may_time_out;
    uint32_t threads, calls;
} story;

typedef struct worker {
    const story *story;
    idem_client *client;
    uint32_t number;
    uint32_t answered;
    uint32_t timed_out;
} worker;

static _Atomic uint32_t served;

/* The answer says which key was asked: its number is the token. */
static uint64_t number_of(const idp_request *request) {
    char text[24] = {0};
    memcpy(text, request->key.ptr,
           request->key.len < 23 ? request->key.len : 23);
    return strtoull(text, NULL, 10);
}

static void answer(void *ctx, uint64_t link, const idp_request *request,
                   fake_reply *reply) {
    (void)ctx;
    (void)link;
    atomic_fetch_add(&served, 1);
    *reply = (fake_reply){.action = FAKE_ANSWER,
                          .answer = fake_acquired(number_of(request))};
}

/* Answers come in another order than they were asked in. */
static void shuffle(void *ctx, uint64_t link, const idp_request *request,
                    fake_reply *reply) {
    answer(ctx, link, request, reply);
    /* All threads wait for a call each, so that four are always there until
     * the last few threads are left; those hurry it along by their deadline. */
    reply->action = FAKE_HOLD;
    reply->hold = 4;
}

/* One answer at a time, the first asker's first: whoever reads has its own
 * long before the others have theirs, and must hand on. */
static void drip(void *ctx, uint64_t link, const idp_request *request,
                 fake_reply *reply) {
    answer(ctx, link, request, reply);
    reply->action = FAKE_DRIP;
    reply->hold = 8;
}

static void hang_up_often(void *ctx, uint64_t link, const idp_request *request,
                          fake_reply *reply) {
    answer(ctx, link, request, reply);
    if (atomic_load(&served) % 97 == 0)
        reply->action = FAKE_HANG_UP;
}

static void forget_some(void *ctx, uint64_t link, const idp_request *request,
                        fake_reply *reply) {
    answer(ctx, link, request, reply);
    if (atomic_load(&served) % 50 == 0)
        reply->action = FAKE_MUTE;
}

static uint64_t token_number(const idem_answer *answer_of) {
    uint64_t number = 0;
    for (int i = 8; i < IDEM_TOKEN_BYTES; i++)
        number = number << 8 | answer_of->token.bytes[i];
    return number;
}

static void *work(void *arg) {
    worker *me = arg;
    idem_answer got = {.size = sizeof got};
    for (uint32_t i = 0; i < me->story->calls; i++) {
        char key[24];
        idem_error err = {.size = sizeof err};
        uint64_t number = (uint64_t)me->number * CALLS + i + 1;
        int len = snprintf(key, sizeof key, "%llu", (unsigned long long)number);
        idem_args args = {
            .size = sizeof args, .key = key, .key_len = (size_t)len};
        int32_t code = idem_acquire(me->client, &args, &got, &err);
        if (code == IDEM_E_TIMEOUT && me->story->may_time_out) {
            me->timed_out++;
            continue;
        }
        if (code != 0) {
            fprintf(stderr, "%s: %s\n", me->story->name, err.text);
            abort();
        }
        assert(got.outcome == IDEM_ACQUIRED);
        assert(token_number(&got) == number);
        me->answered++;
    }
    idem_answer_fini(&got);
    return NULL;
}

static void tell(const story *story_of) {
    static worker workers[THREADS];
    static pthread_t threads[THREADS];
    fake_config config = {.script = story_of->script,
                          .shards = story_of->shards,
                          .pending_max = story_of->pending_max};
    fake_server *server = fake_start(&config);
    idem_client *client = NULL;
    uint32_t answered = 0;
    uint32_t timed_out = 0;
    atomic_store(&served, 0);
    assert(idem_client_open(fake_uri(server, story_of->options), &client,
                            NULL) == 0);
    for (uint32_t i = 0; i < story_of->threads; i++) {
        workers[i] = (worker){.story = story_of, .client = client, .number = i};
        pthread_create(&threads[i], NULL, work, &workers[i]);
    }
    for (uint32_t i = 0; i < story_of->threads; i++) {
        pthread_join(threads[i], NULL);
        answered += workers[i].answered;
        timed_out += workers[i].timed_out;
    }
    printf("%-28s %u answered, %u timed out, %llu connections\n",
           story_of->name, answered, timed_out,
           (unsigned long long)fake_links(server));
    assert(answered + timed_out == story_of->threads * story_of->calls);
    assert(answered > timed_out);
    idem_client_close(client);
    fake_stop(server);
}

static const story stories[] = {
    {"one shard", "", answer, 1, 0, false, THREADS, CALLS},
    {"three shards", "", answer, 3, 0, false, THREADS, CALLS},
    {"one answer at a time", "timeout_ms=20000", drip, 1, 0, false, 8, 3},
    {"replies out of order", "timeout_ms=2000", shuffle, 1, 0, true, THREADS,
     CALLS},
    {"at most five in flight", "", answer, 1, 5, false, THREADS, CALLS},
    {"connections that are cut", "timeout_ms=60000", hang_up_often, 2, 0, false,
     THREADS, CALLS},
    {"replies that never come", "timeout_ms=2000", forget_some, 1, 0, true,
     THREADS, 60},
};

/* ------------------------------------------- a primary that is replaced */

/* What the first of two servers does from its thousandth call on. */
static fake_reply fate;

static void answer_a_thousand(void *ctx, uint64_t link,
                              const idp_request *request, fake_reply *reply) {
    answer(ctx, link, request, reply);
    if (atomic_load(&served) > 1000)
        *reply = fate;
}

static uint32_t join_workers(worker *workers, pthread_t *threads) {
    uint32_t answered = 0;
    for (uint32_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        answered += workers[i].answered;
    }
    return answered;
}

/* All threads go on at the other server, and none of their calls fails. */
static void tell_failover(const char *name, fake_reply fate_of) {
    static const story failover = {
        .name = "failover", .threads = THREADS, .calls = 100};
    static worker workers[THREADS];
    static pthread_t threads[THREADS];
    fake_config config = {.script = answer_a_thousand, .shards = 3};
    fate = fate_of;
    atomic_store(&served, 0);
    fake_server *first = fake_start(&config);
    config = (fake_config){.script = answer, .shards = 2};
    fake_server *second = fake_start(&config);
    char uri[128];
    snprintf(uri, sizeof uri,
             "idem://127.0.0.1:%u,127.0.0.1:%u/t?timeout_ms=20000",
             fake_port(first), fake_port(second));
    idem_client *client = NULL;
    assert(idem_client_open(uri, &client, NULL) == 0);
    for (uint32_t i = 0; i < THREADS; i++) {
        workers[i] =
            (worker){.story = &failover, .client = client, .number = i};
        pthread_create(&threads[i], NULL, work, &workers[i]);
    }
    uint32_t answered = join_workers(workers, threads);
    printf("%-28s %u answered, %llu + %llu connections\n", name, answered,
           (unsigned long long)fake_links(first),
           (unsigned long long)fake_links(second));
    assert(answered == THREADS * failover.calls);
    idem_client_close(client);
    fake_stop(first);
    fake_stop(second);
}

int main(void) {
    for (size_t i = 0; i < sizeof stories / sizeof *stories; i++)
        tell(&stories[i]);
    tell_failover("a primary that hands over",
                  (fake_reply){.action = FAKE_REFUSE,
                               .error = IDP_E_NOT_PRIMARY,
                               .text = ""});
    tell_failover("a primary that is stopped",
                  (fake_reply){.action = FAKE_STOP});
    tell_failover(
        "a primary that confirms no more",
        (fake_reply){.action = FAKE_REFUSE, .error = IDP_E_UNREPLICATED});
    return 0;
}
