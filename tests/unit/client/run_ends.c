/* SPDX-License-Identifier: Apache-2.0 */
/* run_ends.c -- a function under a claim that never returns: its thread ends,
 * is cancelled, or jumps away. The claim is left, nobody renews it any more,
 * and the other runs of the client go on. */
#include <assert.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/include/idemclient.h"
#include "tests/unit/client/ends.h"

static ends_server *server;
static idem_client *client;

static idem_args args_of(const char *key) {
    return (idem_args){.size = sizeof(idem_args), .key = key, .key_len = 1};
}

/* --- one that goes on all the while: key 'z' */

static _Atomic bool enough;

static int32_t go_on(idem_run *run, void *ctx) {
    (void)run;
    (void)ctx;
    while (!atomic_load(&enough))
        usleep(1000);
    return IDEM_RUN_DONE;
}

static void *long_run(void *arg) {
    idem_answer answer = IDEM_ANSWER_INIT;
    idem_args args = args_of("z");
    (void)arg;
    assert(idem_run_once(client, &args, go_on, NULL, &answer, NULL) == 0);
    assert(answer.outcome == IDEM_COMPLETED);
    idem_answer_fini(&answer);
    return NULL;
}

/* --- those that end in their own way */

static _Thread_local jmp_buf out;

static void once_renewed(char key) {
    while (ends_renewals(server, key) == 0)
        usleep(1000);
}

static int32_t jump(idem_run *run, void *ctx) {
    assert(idem_run_set_result(run, "half", 4, IDEM_CLASS_SUCCESS) == 0);
    once_renewed(*(const char *)ctx);
    longjmp(out, 1);
}

static int32_t end_thread(idem_run *run, void *ctx) {
    assert(idem_run_set_result(run, "half", 4, IDEM_CLASS_SUCCESS) == 0);
    once_renewed(*(const char *)ctx);
    pthread_exit(NULL);
}

static int32_t be_cancelled(idem_run *run, void *ctx) {
    assert(idem_run_set_result(run, "half", 4, IDEM_CLASS_SUCCESS) == 0);
    once_renewed(*(const char *)ctx);
    pthread_cancel(pthread_self());
    for (;;)
        pthread_testcancel();
}

typedef struct ending {
    const char *name;
    const char *key;
    idem_run_fn fn;
    idem_answer answer;
} ending;

static void *run_it(void *arg) {
    ending *e = arg;
    idem_args args = args_of(e->key);
    idem_answer_init(&e->answer, sizeof e->answer);
    if (setjmp(out) == 0) {
        idem_run_once(client, &args, e->fn, (void *)e->key, &e->answer, NULL);
        assert(false); /* it returned */
    }
    return NULL;
}

static void tell(ending *e) {
    pthread_t thread;
    assert(pthread_create(&thread, NULL, run_it, e) == 0);
    assert(pthread_join(thread, NULL) == 0);
    assert(e->answer.outcome == IDEM_LEFT);
    assert(ends_settled(server, *e->key) == 0);
    /* One renewal may have been under way. */
    ends_await_renewals(server, 'z', 2);
    int renewals = ends_renewals(server, *e->key);
    ends_await_renewals(server, 'z', 5);
    assert(ends_renewals(server, *e->key) == renewals);
    printf("%-24s renewed %d times, then left\n", e->name, renewals);
}

/* --- many runs, one thread */

static int threads_of_this_process(void) {
    char line[128];
    int threads = 0;
    FILE *status = fopen("/proc/self/status", "r");
    assert(status != NULL);
    while (fgets(line, sizeof line, status) != NULL)
        if (strncmp(line, "Threads:", 8) == 0)
            threads = (int)strtol(line + 8, NULL, 10);
    fclose(status);
    return threads;
}

static int32_t count_threads(idem_run *run, void *ctx) {
    idem_args args = args_of("y");
    idem_answer answer = IDEM_ANSWER_INIT;
    int *depth = ctx;
    (void)run;
    if (--*depth == 0) {
        *depth = threads_of_this_process();
        return IDEM_RUN_DONE;
    }
    assert(idem_run_once(client, &args, count_threads, depth, &answer, NULL) ==
           0);
    return IDEM_RUN_DONE;
}

static void one_thread_renews_them_all(void) {
    int before = threads_of_this_process();
    int depth = 20;
    idem_args args = args_of("x");
    idem_answer answer = IDEM_ANSWER_INIT;
    assert(idem_run_once(client, &args, count_threads, &depth, &answer, NULL) ==
           0);
    assert(depth == before + 1);
    idem_answer_fini(&answer);
}

int main(void) {
    ending endings[] = {
        {.name = "a longjmp", .key = "j", .fn = jump},
        {.name = "the thread's end", .key = "e", .fn = end_thread},
        {.name = "a cancellation", .key = "c", .fn = be_cancelled}};
    pthread_t thread;
    server = ends_start();
    assert(idem_client_open(ends_uri(server), &client, NULL) == 0);
    one_thread_renews_them_all();
    assert(pthread_create(&thread, NULL, long_run, NULL) == 0);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        tell(&endings[i]);
    atomic_store(&enough, true);
    pthread_join(thread, NULL);
    idem_client_close(client);
    ends_stop(server);
    return 0;
}
