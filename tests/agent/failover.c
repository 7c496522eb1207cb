/* SPDX-License-Identifier: Apache-2.0 */
/* failover.c -- a group that nobody looks after: its primary is killed, stands
 * still, hands over; agents die; etcd is away. Threads go on as if nothing had
 * happened, no call fails, each key is executed once.
 *
 *   failover IDEMSTORED IDEMAGENT NODES */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/include/idemclient.h"
#include "tests/agent/group.h"
#include "tests/e2e/harness.h"

enum {
    THREADS = 4,
    KEYS_MAX = 1 << 20,
    TIMEOUT_MS = 120000,
    LEASE_MS = 120000,
    WITHOUT_ETCD_MS = 5000
};
#define RESULT_FORMAT "result of %d"

typedef struct scene {
    test_group *group;
    idem_client *client;
    pthread_t threads[THREADS];
    _Atomic int next_key, finished;
    _Atomic bool ends;
    _Atomic unsigned char executions[KEYS_MAX];
} scene;

typedef struct job {
    scene *scene;
    int key;
} job;

/* --- the crowd ------------------------------------------------------------ */

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

static void do_key(job *mine, idem_answer *answer, int32_t expected) {
    char key[16], result[32];
    idem_error err = {.size = sizeof err};
    snprintf(key, sizeof key, "key-%d", mine->key);
    int len = snprintf(result, sizeof result, RESULT_FORMAT, mine->key);
    idem_args args = {.size = sizeof args,
                      .timeout_ms = TIMEOUT_MS,
                      .lease_ms = LEASE_MS,
                      .key = key,
                      .key_len = strlen(key)};
    int32_t code =
        idem_run_once(mine->scene->client, &args, execute, mine, answer, &err);
    CHECK(code == 0, "%s: %s: %s", key, idem_error_name(code), err.text);
    CHECK(answer->outcome == expected || answer->outcome == IDEM_REPLAY,
          "%s: %s", key, idem_outcome_name(answer->outcome));
    CHECK(answer->result_len == (size_t)len &&
              memcmp(answer->result, result, (size_t)len) == 0,
          "%s has another result", key);
}

static void *crowd(void *arg) {
    scene *s = arg;
    job mine = {.scene = s};
    idem_answer answer = {.size = sizeof answer};
    while (!atomic_load(&s->ends)) {
        mine.key = atomic_fetch_add(&s->next_key, 1);
        CHECK(mine.key < KEYS_MAX, "no keys left");
        do_key(&mine, &answer, IDEM_COMPLETED);
        atomic_fetch_add(&s->finished, 1);
        e2e_sleep_ms(2); /* the store is what is tried, not the machine */
    }
    idem_answer_fini(&answer);
    return NULL;
}

/* So many more, from here on. */
static void goes_on(scene *s, const char *after) {
    int from = atomic_load(&s->finished);
    for (int steps = 0; atomic_load(&s->finished) < from + 100; steps++) {
        CHECK(steps < 240000, "nothing is done any more after: %s", after);
        e2e_sleep_ms(1);
    }
    printf("  and all goes on: %s\n", after);
    fflush(stdout);
}

/* --- what happens --------------------------------------------------------- */

/* The primary stands still, at a moment when others are in sync: a busy machine
 * may have lost one just then, and what is left alone nobody may replace. */
static int stop_primary(scene *s) {
    for (;;) {
        group_await_whole(s->group);
        int was = group_primary(s->group);
        pid_t pid = group_node(s->group, was)->node.pid;
        kill(pid, SIGSTOP);
        if (group_is_whole(s->group) && group_primary(s->group) == was)
            return was;
        kill(pid, SIGCONT);
    }
}

static void its_primary_is_killed(scene *s) {
    int was = stop_primary(s);
    group_kill(&group_node(s->group, was)->node);
    int is = group_await_another(s->group, was);
    printf("%c is killed, %c leads\n", 'a' + was, 'a' + is);
    goes_on(s, "its primary is killed");
    group_restart_node(s->group, was);
    group_await_whole(s->group);
    goes_on(s, "it is back, and in sync");
}

static void its_primary_stands_still(scene *s) {
    int was = stop_primary(s);
    pid_t pid = group_node(s->group, was)->node.pid;
    int is = group_await_another(s->group, was);
    printf("%c stands still, %c leads\n", 'a' + was, 'a' + is);
    goes_on(s, "its primary stands still");
    kill(pid, SIGCONT);
    group_await_whole(s->group);
    goes_on(s, "it goes on, and is in sync");
}

static void etcd_is_away(scene *s) {
    group_etcd_stands(s->group, true);
    puts("etcd stands still");
    uint64_t until_ms = e2e_now_ms() + WITHOUT_ETCD_MS;
    while (e2e_now_ms() < until_ms)
        e2e_sleep_ms(100);
    goes_on(s, "etcd is away");
    group_etcd_stands(s->group, false);
    group_await_whole(s->group);
    goes_on(s, "etcd is back");
}

static void an_agent_dies(scene *s) {
    int at = group_primary(s->group);
    group_kill(&group_node(s->group, at)->agent);
    printf("the agent of %c dies\n", 'a' + at);
    goes_on(s, "the primary's agent is killed");
    group_restart_agent(s->group, at);
    group_await_whole(s->group);
    goes_on(s, "its agent is back");
}

static void it_hands_over(scene *s) {
    int was = group_primary(s->group), to = was == 0 ? 1 : 0;
    int is = was;
    /* The order holds for some seconds: it is given again. */
    for (int tries = 0; is == was && tries < 10; tries++) {
        group_order(s->group, to, "switchover");
        for (int steps = 0; is == was && steps < 100; steps++) {
            e2e_sleep_ms(100);
            is = group_primary(s->group);
        }
    }
    CHECK(is != was, "%c did not take over as it was told", 'a' + to);
    printf("%c hands over, %c leads\n", 'a' + was, 'a' + is);
    goes_on(s, "it was told to hand over");
    group_await_whole(s->group);
}

/* Everything that was done is there, and is nobody's any more. */
static void nothing_is_lost(scene *s) {
    idem_answer answer = {.size = sizeof answer};
    int count = atomic_load(&s->next_key);
    for (int key = 0; key < count; key++) {
        job mine = {.scene = s, .key = key};
        do_key(&mine, &answer, IDEM_REPLAY);
        CHECK(atomic_load(&s->executions[key]) == 1,
              "key-%d was executed %d times", key,
              atomic_load(&s->executions[key]));
    }
    idem_answer_fini(&answer);
    printf("%d keys, each executed once, each replayed\n", count);
}

int main(int argc, char **argv) {
    static scene s;
    idem_error err = {.size = sizeof err};
    if (argc < 4)
        return 64;
    s.group = group_start(&(test_group_spec){
        .idemstored = argv[1], .idemagent = argv[2], .nodes = atoi(argv[3])});
    int32_t code = idem_client_open(group_uri(s.group), &s.client, &err);
    CHECK(code == 0, "%s", err.text);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&s.threads[i], NULL, crowd, &s) == 0, "no thread");
    goes_on(&s, "nothing has happened yet");
    its_primary_is_killed(&s);
    etcd_is_away(&s);
    its_primary_stands_still(&s);
    an_agent_dies(&s);
    it_hands_over(&s);
    its_primary_is_killed(&s);
    atomic_store(&s.ends, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(s.threads[i], NULL);
    nothing_is_lost(&s);
    idem_client_close(s.client);
    group_stop(s.group);
    return 0;
}
