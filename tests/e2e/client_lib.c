/* SPDX-License-Identifier: Apache-2.0 */
/* client_lib.c -- libidemclient against the real daemon: one execution
 * whatever the number of askers, over two shards and over a unix socket, with
 * waiting, takeover, renewal, results at the limit, and a daemon that goes
 * away and comes back. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/include/idemclient.h"
#include "tests/e2e/harness.h"

#define THREADS 16
#define KEYS    40

static idem_client *open_client(const char *uri) {
    idem_client *client = NULL;
    idem_error err = {.size = sizeof err};
    CHECK(idem_client_open(uri, &client, &err) == 0, "%s", err.text);
    return client;
}

static idem_client *client_of(const daemon_t *one, const char *options) {
    char uri[128];
    snprintf(uri, sizeof uri, "idem://127.0.0.1:%u/shop?%s", one->port,
             options);
    return open_client(uri);
}

static idem_args args_of(const char *key) {
    return (idem_args){
        .size = sizeof(idem_args), .key = key, .key_len = strlen(key)};
}

static int32_t outcome_of(idem_client *client, int32_t method,
                          const idem_args *args, idem_answer *answer) {
    idem_error err = {.size = sizeof err};
    CHECK(idem_call(client, method, args, answer, &err) == 0, "%s", err.text);
    return answer->outcome;
}

/* --- many threads, few keys, one execution each */

static _Atomic int executions[KEYS];
static _Atomic int replays;

typedef struct crowd {
    idem_client *client;
    int number;
} crowd;

static int32_t execute(idem_run *run, void *ctx) {
    int *key = ctx;
    char result[16];
    atomic_fetch_add(&executions[*key], 1);
    int len = snprintf(result, sizeof result, "result %d", *key);
    CHECK(idem_run_set_result(run, result, (size_t)len, IDEM_CLASS_SUCCESS) ==
              0,
          "no memory");
    return IDEM_RUN_DONE;
}

static void *ask_for_all(void *arg) {
    crowd *me = arg;
    idem_answer answer = {.size = sizeof answer};
    for (int i = 0; i < KEYS; i++) {
        int key = (i + me->number) % KEYS;
        char name[16];
        char result[16];
        idem_error err = {.size = sizeof err};
        snprintf(name, sizeof name, "crowd-%d", key);
        snprintf(result, sizeof result, "result %d", key);
        idem_args args = args_of(name);
        args.wait_ms = 20000;
        CHECK(idem_run_once(me->client, &args, execute, &key, &answer, &err) ==
                  0,
              "%s", err.text);
        CHECK(answer.outcome == IDEM_COMPLETED || answer.outcome == IDEM_REPLAY,
              "%s", idem_outcome_name(answer.outcome));
        CHECK(answer.result_len == strlen(result) &&
                  memcmp(answer.result, result, answer.result_len) == 0,
              "another key's result");
        atomic_fetch_add(&replays, answer.outcome == IDEM_REPLAY);
    }
    idem_answer_fini(&answer);
    return NULL;
}

static void one_execution_each(idem_client *client) {
    pthread_t threads[THREADS];
    crowd crowds[THREADS];
    memset(executions, 0, sizeof executions);
    atomic_store(&replays, 0);
    for (int i = 0; i < THREADS; i++) {
        crowds[i] = (crowd){client, i};
        pthread_create(&threads[i], NULL, ask_for_all, &crowds[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < KEYS; i++)
        CHECK(atomic_load(&executions[i]) == 1, "key %d ran %d times", i,
              atomic_load(&executions[i]));
    CHECK(atomic_load(&replays) == (THREADS - 1) * KEYS, "%d replays",
          atomic_load(&replays));
}

/* --- the life of one key */

static void mismatch_stale_and_unknown(idem_client *client) {
    idem_answer answer = {.size = sizeof answer};
    idem_args args = args_of("life");
    args.fingerprint = "one";
    args.fingerprint_len = 3;
    CHECK(outcome_of(client, IDEM_ACQUIRE, &args, &answer) == IDEM_ACQUIRED,
          "not acquired");
    CHECK(answer.attempt == 1 && answer.lease_ms == IDEM_LEASE_MS_DEFAULT,
          "attempt %u", answer.attempt);
    args.token = answer.token;
    args.fingerprint = "two";
    CHECK(outcome_of(client, IDEM_ACQUIRE, &args, &answer) == IDEM_MISMATCH,
          "another body was taken");
    args.fingerprint = "one";
    CHECK(outcome_of(client, IDEM_ACQUIRE, &args, &answer) == IDEM_IN_PROGRESS,
          "given out twice");
    CHECK(answer.lease_left_ms > 0, "no lease is left");
    CHECK(outcome_of(client, IDEM_RENEW, &args, &answer) == IDEM_RENEWED,
          "not renewed");
    args.result = "";
    CHECK(outcome_of(client, IDEM_COMPLETE, &args, &answer) == IDEM_COMPLETED &&
              answer.kept == 1,
          "not completed");
    args.token.bytes[15] ^= 1;
    CHECK(outcome_of(client, IDEM_COMPLETE, &args, &answer) == IDEM_STALE &&
              answer.state == IDEM_STATE_COMPLETED,
          "a wrong token was taken");
    CHECK(outcome_of(client, IDEM_ACQUIRE, &args, &answer) == IDEM_REPLAY &&
              answer.has_result && answer.result_len == 0,
          "zero bytes are a result");
    CHECK(outcome_of(client, IDEM_PEEK, &args, &answer) == IDEM_RECORD &&
              answer.state == IDEM_STATE_COMPLETED,
          "no record");
    args.key = "never";
    args.key_len = 5;
    CHECK(outcome_of(client, IDEM_RELEASE, &args, &answer) == IDEM_NO_RECORD,
          "released nothing");
    idem_answer_fini(&answer);
}

static void a_dead_holder_is_taken_over(idem_client *client) {
    idem_answer first = {.size = sizeof first};
    idem_answer second = {.size = sizeof second};
    idem_args args = args_of("dead");
    args.lease_ms = 100;
    CHECK(outcome_of(client, IDEM_ACQUIRE, &args, &first) == IDEM_ACQUIRED,
          "not acquired");
    args.wait_ms = 20000; /* until its lease is over */
    CHECK(outcome_of(client, IDEM_ACQUIRE, &args, &second) == IDEM_ACQUIRED,
          "not taken over");
    CHECK(second.attempt == 2 && second.previous == IDEM_PREVIOUS_ORPHANED,
          "attempt %u", second.attempt);
    CHECK(memcmp(second.token.bytes, first.token.bytes, IDEM_TOKEN_BYTES) > 0,
          "the token has not grown");
    args.token = first.token;
    CHECK(outcome_of(client, IDEM_COMPLETE, &args, &first) == IDEM_STALE,
          "the first holder came back");
}

static int32_t outlive_the_lease(idem_run *run, void *ctx) {
    const unsigned *ms = ctx;
    e2e_sleep_ms(*ms);
    return idem_run_lost(run) ? IDEM_RUN_UNSURE : IDEM_RUN_DONE;
}

static void renewal_keeps_a_long_run(idem_client *client) {
    unsigned ms = 5000;
    idem_answer answer = {.size = sizeof answer};
    idem_args args = args_of("long");
    args.lease_ms = 2000;
    CHECK(idem_run_once(client, &args, outlive_the_lease, &ms, &answer, NULL) ==
              0,
          "no answer");
    CHECK(answer.outcome == IDEM_COMPLETED, "%s",
          idem_outcome_name(answer.outcome));
}

static void a_result_at_its_limit(idem_client *client) {
    idem_info info = {.size = sizeof info};
    idem_answer answer = {.size = sizeof answer};
    CHECK(idem_client_info(client, 0, &info, NULL) == 0, "no hello");
    CHECK(strcmp(info.server, "idemstored") == 0, "%s", info.server);
    uint8_t *result = malloc(info.result_bytes_max + 1);
    memset(result, 'r', info.result_bytes_max + 1);
    for (size_t over = 0; over < 2; over++) {
        idem_args args = args_of(over == 0 ? "at" : "over");
        outcome_of(client, IDEM_ACQUIRE, &args, &answer);
        args.token = answer.token;
        args.result = result;
        args.result_len = info.result_bytes_max + over;
        CHECK(outcome_of(client, IDEM_COMPLETE, &args, &answer) ==
                  IDEM_COMPLETED,
              "not completed");
        CHECK(answer.kept == (over == 0), "kept %d", answer.kept);
        CHECK(outcome_of(client, IDEM_ACQUIRE, &args, &answer) == IDEM_REPLAY,
              "no replay");
        CHECK(answer.has_result == (over == 0), "a result");
        CHECK(over == 1 ||
                  memcmp(answer.result, result, answer.result_len) == 0,
              "another result");
    }
    idem_answer_fini(&answer);
    free(result);
}

static uint64_t counter(idem_client *client, const char *wanted) {
    idem_answer answer = {.size = sizeof answer};
    const char *name = NULL;
    size_t len = 0;
    size_t at = 0;
    uint64_t value = 0;
    uint64_t found = 0;
    CHECK(outcome_of(client, IDEM_STATS, NULL, &answer) == IDEM_COUNTERS,
          "no counters");
    while (idem_stats_next(&answer, &at, &name, &len, &value))
        if (len == strlen(wanted) && memcmp(name, wanted, len) == 0)
            found = value;
    idem_answer_fini(&answer);
    return found;
}

static void tell_all(idem_client *client) {
    CHECK(idem_ping(client, NULL, NULL, NULL) == 0, "no pong");
    one_execution_each(client);
    mismatch_stale_and_unknown(client);
    a_dead_holder_is_taken_over(client);
    renewal_keeps_a_long_run(client);
    a_result_at_its_limit(client);
}

/* --- the daemon goes away and comes back on its port */

static void it_comes_back(daemon_t *one, const char *program) {
    char listen[32];
    idem_client *client = client_of(one, "timeout_ms=60000");
    idem_answer answer = {.size = sizeof answer};
    idem_args args = args_of("before");
    outcome_of(client, IDEM_ACQUIRE, &args, &answer);
    snprintf(listen, sizeof listen, "127.0.0.1:%u", one->port);
    daemon_stop(one);
    daemon_spec spec = {.program = program,
                        .flags = {"--threads", "1", "--listen", listen},
                        .own_listen = true};
    daemon_start(one, &spec);
    for (int i = 0; i < 20; i++) {
        char key[16];
        snprintf(key, sizeof key, "after-%d", i);
        args = args_of(key);
        CHECK(outcome_of(client, IDEM_ACQUIRE, &args, &answer) == IDEM_ACQUIRED,
              "not acquired");
    }
    args = args_of("before");
    args.token = answer.token;
    CHECK(outcome_of(client, IDEM_COMPLETE, &args, &answer) == IDEM_NO_RECORD,
          "it remembers");
    idem_client_close(client);
    daemon_stop(one);
}

int main(int argc, char **argv) {
    CHECK(argc == 2, "usage: client_lib IDEMSTORED");
    char path[64];
    char flag[80];
    char uri[128];
    snprintf(path, sizeof path, "/tmp/idem_lib_%d.sock", (int)getpid());
    snprintf(flag, sizeof flag, "unix:%s", path);
    daemon_t one;
    daemon_spec spec = {.program = argv[1],
                        .flags = {"--threads", "2", "--listen", flag}};
    daemon_start(&one, &spec);
    idem_client *client = client_of(&one, "client=e2e");
    tell_all(client);
    CHECK(counter(client, "connections") == 2, "%llu connections",
          (unsigned long long)counter(client, "connections"));
    idem_client_close(client);

    snprintf(uri, sizeof uri, "idem+unix://%s?namespace=unix", path);
    client = open_client(uri);
    tell_all(client);
    idem_client_close(client);

    client = client_of(&one, "shard_aware=0&namespace=hops");
    tell_all(client);
    idem_client_close(client);
    it_comes_back(&one, argv[1]);
    unlink(path);
    return 0;
}
