/* SPDX-License-Identifier: Apache-2.0 */
/* async_failover.c -- one thread has a hundred calls under way while the
 * primary of a real pair is killed, or stops, and its replica is promoted: each
 * key is executed once, whoever asked twice gets the result of it, a claim that
 * is kept is renewed over there.
 *
 *   async_failover IDEMSTORED */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/include/idemclient_async_poll.h"
#include "tests/e2e/pair.h"

#define KEYS       3000
#define UNDER_WAY  100
#define TIMEOUT_MS 40000
#define GOES_AT    600 /* keys that are done when the primary goes */
#define WORK_MS    5   /* of every tenth */

struct task;

typedef struct scene {
    pair two;
    idem_async *async;
    void (*goes)(pair *);
    pthread_t operator;
    _Atomic int done; /* tasks */
    int asked;
    int lost;
    int executions[KEYS];
    struct task *working; /* until their time has come */
} scene;

/* Each key is asked for by two. */
typedef struct task {
    struct task *next;
    scene *scene;
    int key;
    uint64_t lease;
    uint64_t due_ms;
    idem_token token;
} task;

static void hear(void *ctx, const idem_answer *answer, const idem_error *err);

static void ask(task *t, int32_t method) {
    char key[16], result[32];
    int len = snprintf(key, sizeof key, "key-%d", t->key);
    int result_len = snprintf(result, sizeof result, "of %d", t->key);
    idem_args args = {.size = sizeof args,
                      .timeout_ms = TIMEOUT_MS,
                      .key = key,
                      .key_len = (size_t)len,
                      .lease_ms = 30000,
                      .wait_ms = method == IDEM_ACQUIRE ? 20000 : 0,
                      .token = t->token,
                      .result = result,
                      .result_len = (size_t)result_len};
    int32_t code = idem_async_call(t->scene->async, method, &args,
                                   idem_now_ms(), hear, t, NULL);
    CHECK(code == 0, "%s", idem_error_name(code));
}

static void hear_lost(void *ctx, int32_t outcome) {
    (void)outcome;
    ((scene *)ctx)->lost++;
}

/* The effect. Every tenth takes its time, its claim being kept. */
static void execute(task *t) {
    scene *s = t->scene;
    s->executions[t->key]++;
    if (t->key % 10 != 0) {
        ask(t, IDEM_COMPLETE);
        return;
    }
    CHECK(idem_async_keep(s->async, hear_lost, s, &t->lease) == 0, "not kept");
    t->due_ms = idem_now_ms() + WORK_MS;
    t->next = s->working;
    s->working = t;
}

static void begin_next(scene *s) {
    if (s->asked == 2 * KEYS)
        return;
    task *t = calloc(1, sizeof *t);
    t->scene = s;
    t->key = s->asked++ / 2;
    ask(t, IDEM_ACQUIRE);
}

static void check_replay(const task *t, const idem_answer *answer) {
    char result[32];
    int len = snprintf(result, sizeof result, "of %d", t->key);
    CHECK(answer->result_len == (size_t)len &&
              memcmp(answer->result, result, (size_t)len) == 0,
          "key-%d has another result", t->key);
}

static void hear(void *ctx, const idem_answer *answer, const idem_error *err) {
    task *t = ctx;
    scene *s = t->scene;
    CHECK(err == NULL, "key-%d: %s: %s", t->key, idem_error_name(err->code),
          err->text);
    if (answer->outcome == IDEM_ACQUIRED) {
        t->token = answer->token;
        execute(t);
        return;
    }
    if (answer->outcome == IDEM_REPLAY)
        check_replay(t, answer);
    else
        CHECK(answer->outcome == IDEM_COMPLETED, "key-%d: %s", t->key,
              idem_outcome_name(answer->outcome));
    if (t->lease != 0)
        CHECK(idem_async_let_go(s->async, t->lease), "it was lost");
    free(t);
    atomic_fetch_add(&s->done, 1);
    begin_next(s);
}

/* Those whose work is done complete. */
static void finish_work(scene *s) {
    task **link = &s->working;
    while (*link != NULL) {
        task *t = *link;
        if (t->due_ms > idem_now_ms()) {
            link = &t->next;
            continue;
        }
        *link = t->next;
        ask(t, IDEM_COMPLETE);
    }
}

static void promote(pair *two) {
    char text[IDP_COMMAND_TEXT_BYTES_MAX + 1] = "";
    uint64_t until_ms = e2e_now_ms() + 60000;
    while (pair_command(&two->b, IDP_PROMOTE, false, text, sizeof text) !=
           IDP_COMMAND_PROMOTED) {
        CHECK(e2e_now_ms() < until_ms, "not promoted: %s", text);
        e2e_sleep_ms(10);
    }
}

static void kill_it(pair *two) {
    pair_kill(&two->a);
    promote(two);
}

static void stop_it(pair *two) {
    kill(two->a.daemon.child.pid, SIGSTOP);
    promote(two);
}

static void *operate(void *arg) {
    scene *s = arg;
    while (atomic_load(&s->done) < GOES_AT)
        e2e_sleep_ms(1);
    s->goes(&s->two);
    return NULL;
}

static void play(const char *program, void (*goes)(pair *)) {
    scene *s = calloc(1, sizeof *s);
    char uri[128];
    uint64_t until_ms = e2e_now_ms() + 100000;
    s->goes = goes;
    pair_init(&s->two, program, 2, 2);
    pair_start_both(&s->two);
    snprintf(uri, sizeof uri, "idem://127.0.0.1:%u,127.0.0.1:%u/",
             s->two.a.port, s->two.b.port);
    CHECK(idem_async_open(uri, &s->async, NULL) == 0, "no client");
    CHECK(pthread_create(&s->operator, NULL, operate, s) == 0, "no thread");
    for (int i = 0; i < UNDER_WAY; i++)
        begin_next(s);
    while (atomic_load(&s->done) < 2 * KEYS) {
        CHECK(e2e_now_ms() < until_ms, "%d of %d are done",
              atomic_load(&s->done), 2 * KEYS);
        CHECK(idem_async_poll_turn(s->async, s->working != NULL ? 1 : 100),
              "it is closed");
        finish_work(s);
    }
    pthread_join(s->operator, NULL);
    for (int i = 0; i < KEYS; i++)
        CHECK(s->executions[i] == 1, "key-%d: %d executions", i,
              s->executions[i]);
    CHECK(s->lost == 0, "%d claims were lost", s->lost);
    idem_async_close(s->async);
    if (goes == stop_it)
        kill(s->two.a.daemon.child.pid, SIGCONT);
    pair_end(&s->two);
    free(s);
}

int main(int argc, char **argv) {
    CHECK(argc > 1, "which daemon?");
    puts("the primary is killed");
    play(argv[1], kill_it);
    puts("the primary stops");
    play(argv[1], stop_it);
    return 0;
}
