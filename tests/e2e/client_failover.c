/* SPDX-License-Identifier: Apache-2.0 */
/* client_failover.c -- libidemclient while the primary of a real pair is
 * killed, stopped, or hands over: eight threads go on as if nothing had
 * happened, each key is executed once, a waiter waits on, and a function that
 * runs the while is recorded at the new primary. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "client/include/idemclient.h"
#include "tests/e2e/pair.h"

#define THREADS       8
#define KEYS          4000
#define KEYS_BEFORE   200 /* are done before the primary goes */
#define KEYS_AFTER    400 /* more are done after it went */
#define TIMEOUT_MS    30000
#define LEASE_MS      20000
#define RESULT_FORMAT "result of %d"

/* What all threads of a story share. */
typedef struct scene {
    idem_client *client;
    pair two;
    _Atomic int next_key;
    _Atomic int finished;
    _Atomic int last_key; /* threads end behind it */
    _Atomic int executions[KEYS];
} scene;

static idem_args args_of(const char *key) {
    return (idem_args){.size = sizeof(idem_args),
                       .timeout_ms = TIMEOUT_MS,
                       .lease_ms = LEASE_MS,
                       .key = key,
                       .key_len = strlen(key)};
}

static void must(int32_t code, const idem_error *err) {
    CHECK(code == 0, "%s: %s", idem_error_name(code), err->text);
}

/* ------------------------------------------------------------- the crowd */

typedef struct job {
    scene *scene;
    int key;
} job;

static int32_t execute(idem_run *run, void *ctx) {
    job *mine = ctx;
    char result[32];
    atomic_fetch_add(&mine->scene->executions[mine->key], 1);
    int len = snprintf(result, sizeof result, RESULT_FORMAT, mine->key);
    CHECK(idem_run_set_result(run, result, (size_t)len, IDEM_CLASS_SUCCESS) ==
              0,
          "no memory");
    return IDEM_RUN_DONE;
}

/* Each key is somebody's, and two ask for it. */
static void do_key(job *mine, idem_answer *answer) {
    char key[16], result[32];
    idem_error err = {.size = sizeof err};
    snprintf(key, sizeof key, "key-%d", mine->key);
    int len = snprintf(result, sizeof result, RESULT_FORMAT, mine->key);
    idem_args args = args_of(key);
    args.wait_ms = 20000;
    must(idem_run_once(mine->scene->client, &args, execute, mine, answer, &err),
         &err);
    CHECK(answer->outcome == IDEM_COMPLETED || answer->outcome == IDEM_REPLAY,
          "%s: %s", key, idem_outcome_name(answer->outcome));
    CHECK(answer->result_len == (size_t)len &&
              memcmp(answer->result, result, (size_t)len) == 0,
          "%s has another result", key);
}

static void *crowd(void *arg) {
    job mine = {.scene = arg};
    scene *s = arg;
    idem_answer answer = {.size = sizeof answer};
    for (;;) {
        int turn = atomic_fetch_add(&s->next_key, 1);
        mine.key = turn / 2;
        if (mine.key >= atomic_load(&s->last_key))
            break;
        do_key(&mine, &answer);
        atomic_fetch_add(&s->finished, 1);
    }
    idem_answer_fini(&answer);
    return NULL;
}

static void await_finished(scene *s, int count) {
    for (int steps = 0; atomic_load(&s->finished) < count; steps++) {
        CHECK(steps < 60000, "the threads do not go on");
        e2e_sleep_ms(1);
    }
}

/* ------------------------------------- one waits, one works, all the while */

typedef struct waiter {
    scene *scene;
    idem_token token; /* of who holds what it waits for */
    int32_t outcome;
    char result[16];
} waiter;

static void hold(waiter *w) {
    idem_answer answer = {.size = sizeof answer};
    idem_error err = {.size = sizeof err};
    idem_args args = args_of("held");
    must(idem_acquire(w->scene->client, &args, &answer, &err), &err);
    CHECK(answer.outcome == IDEM_ACQUIRED, "%s",
          idem_outcome_name(answer.outcome));
    w->token = answer.token;
    idem_answer_fini(&answer);
}

static void *wait_for_held(void *arg) {
    waiter *w = arg;
    idem_answer answer = {.size = sizeof answer};
    idem_error err = {.size = sizeof err};
    idem_args args = args_of("held");
    args.wait_ms = 60000;
    must(idem_acquire(w->scene->client, &args, &answer, &err), &err);
    w->outcome = answer.outcome;
    if (answer.result_len < sizeof w->result)
        memcpy(w->result, answer.result, answer.result_len);
    idem_answer_fini(&answer);
    return NULL;
}

static void complete_held(const waiter *w) {
    idem_answer answer = {.size = sizeof answer};
    idem_error err = {.size = sizeof err};
    idem_args args = args_of("held");
    args.token = w->token;
    args.result = "held on";
    args.result_len = 7;
    must(idem_complete(w->scene->client, &args, &answer, &err), &err);
    CHECK(answer.outcome == IDEM_COMPLETED, "%s",
          idem_outcome_name(answer.outcome));
    idem_answer_fini(&answer);
}

typedef struct worker {
    scene *scene;
    _Atomic int runs;
    _Atomic bool may_end;
    int32_t outcome;
} worker;

static int32_t work_long(idem_run *run, void *ctx) {
    worker *w = ctx;
    atomic_fetch_add(&w->runs, 1);
    while (!atomic_load(&w->may_end))
        e2e_sleep_ms(1);
    return idem_run_lost(run) ? IDEM_RUN_UNSURE : IDEM_RUN_DONE;
}

static void *run_long(void *arg) {
    worker *w = arg;
    idem_answer answer = {.size = sizeof answer};
    idem_error err = {.size = sizeof err};
    idem_args args = args_of("long");
    args.lease_ms = 6000;
    must(idem_run_once(w->scene->client, &args, work_long, w, &answer, &err),
         &err);
    w->outcome = answer.outcome;
    idem_answer_fini(&answer);
    return NULL;
}

/* ---------------------------------------------------------------- stories */

/* Until it is willing: it may not have noticed yet that the primary is gone. */
static void order(const pair_node *node, idp_method method,
                  idp_command_outcome expected) {
    char text[IDP_COMMAND_TEXT_BYTES_MAX + 1] = "";
    uint64_t until_ms = e2e_now_ms() + 60000;
    while (pair_command(node, method, false, text, sizeof text) != expected) {
        CHECK(e2e_now_ms() < until_ms, "the command is refused: %s", text);
        e2e_sleep_ms(10);
    }
}

static void kill_it(pair *two) {
    pair_kill(&two->a);
    order(&two->b, IDP_PROMOTE, IDP_COMMAND_PROMOTED);
}

static void stop_it(pair *two) {
    kill(two->a.daemon.child.pid, SIGSTOP);
    order(&two->b, IDP_PROMOTE, IDP_COMMAND_PROMOTED);
}

static void hand_over(pair *two) {
    order(&two->a, IDP_SWITCHOVER, IDP_COMMAND_SWITCHED);
}

/* Everything acknowledged before is still so, at whoever leads now. */
static void look_back(scene *s, int keys) {
    job mine = {.scene = s};
    idem_answer answer = {.size = sizeof answer};
    for (mine.key = 0; mine.key < keys; mine.key++) {
        do_key(&mine, &answer);
        CHECK(answer.outcome == IDEM_REPLAY, "key %d was forgotten", mine.key);
        CHECK(atomic_load(&s->executions[mine.key]) == 1, "key %d ran %d times",
              mine.key, atomic_load(&s->executions[mine.key]));
    }
    idem_answer_fini(&answer);
}

static void go_through(scene *s, void (*fate)(pair *)) {
    pthread_t threads[THREADS], waits, works;
    waiter w = {.scene = s};
    worker long_one = {.scene = s};
    atomic_store(&s->last_key, KEYS);
    hold(&w);
    pthread_create(&waits, NULL, wait_for_held, &w);
    pthread_create(&works, NULL, run_long, &long_one);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, crowd, s);
    await_finished(s, KEYS_BEFORE);
    while (atomic_load(&long_one.runs) == 0)
        e2e_sleep_ms(1);
    uint64_t before_ms = e2e_now_ms();
    int before = atomic_load(&s->finished);
    fate(&s->two);
    uint64_t done_ms = e2e_now_ms();
    await_finished(s, before + 2 * THREADS);
    printf("  it took %llu ms, and calls go on %llu ms later\n",
           (unsigned long long)(done_ms - before_ms),
           (unsigned long long)(e2e_now_ms() - done_ms));
    await_finished(s, before + KEYS_AFTER);
    atomic_store(&s->last_key, 0);
    complete_held(&w);
    atomic_store(&long_one.may_end, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_join(waits, NULL);
    pthread_join(works, NULL);
    CHECK(w.outcome == IDEM_REPLAY && strcmp(w.result, "held on") == 0,
          "the waiter heard %s", idem_outcome_name(w.outcome));
    CHECK(atomic_load(&long_one.runs) == 1, "it ran %d times", long_one.runs);
    CHECK(long_one.outcome == IDEM_COMPLETED, "the long one ended as %s",
          idem_outcome_name(long_one.outcome));
}

static void play(const char *program, const char *name, void (*fate)(pair *)) {
    static scene s;
    char uri[128];
    idem_error err = {.size = sizeof err};
    memset(&s, 0, sizeof s);
    puts(name);
    pair_init(&s.two, program, 2, 3);
    pair_start(&s.two, &s.two.a, NULL);
    pair_start(&s.two, &s.two.b, &s.two.a);
    pair_await_in_sync(&s.two.a);
    snprintf(uri, sizeof uri, "idem://127.0.0.1:%u,127.0.0.1:%u/shop",
             s.two.a.port, s.two.b.port);
    must(idem_client_open(uri, &s.client, &err), &err);
    go_through(&s, fate);
    look_back(&s, KEYS_BEFORE / 2 - THREADS);
    idem_client_close(s.client);
    if (fate == stop_it)
        pair_kill(&s.two.a);
    pair_end(&s.two);
}

int main(int argc, char **argv) {
    CHECK(argc == 2, "usage: client_failover IDEMSTORED");
    setvbuf(stdout, NULL, _IOLBF, 0);
    play(argv[1], "the primary is killed", kill_it);
    play(argv[1], "the primary hands over", hand_over);
    play(argv[1], "the primary is stopped, and replaced", stop_it);
    return 0;
}
