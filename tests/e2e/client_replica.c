/* SPDX-License-Identifier: Apache-2.0 */
/* client_replica.c -- a replica of a pair stands still, and the clients of its
 * primary see it: one fails fast and says so, and both go on once it moves.
 *
 *   client_replica IDEMSTORED */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "client/include/idemclient_watch.h"
#include "tests/e2e/pair.h"

static _Atomic int waits;
static _Atomic int goes_on;

static void hear(void *ctx, const idem_event *event) {
    (void)ctx;
    printf("%s\n", event->text);
    waits += event->event == IDEM_EVENT_CHANGES_WAIT;
    goes_on += event->event == IDEM_EVENT_CHANGES_GO_ON;
}

static idem_client *open_client(const pair_node *node) {
    char uri[160];
    idem_client *client = NULL;
    idem_error err = IDEM_ERROR_INIT;
    snprintf(uri, sizeof uri,
             "idem://127.0.0.1:%u/shop?timeout_ms=60000&fail_fast_ms=500",
             node->port);
    CHECK(idem_client_open(uri, &client, &err) == 0, "%s", err.text);
    CHECK(idem_client_watch(client, hear, NULL) == 0, "nobody listens");
    return client;
}

static int32_t acquire(idem_client *client, const char *key, idem_error *err) {
    idem_args args = IDEM_ARGS_INIT;
    idem_answer answer = IDEM_ANSWER_INIT;
    args.key = key;
    args.key_len = strlen(key);
    int32_t code = idem_acquire(client, &args, &answer, err);
    idem_answer_fini(&answer);
    return code;
}

static int32_t changes_wait(idem_client *client) {
    idem_status status = IDEM_STATUS_INIT;
    CHECK(idem_client_status(client, &status) == 0, "no status");
    return status.changes_wait;
}

static void stands_still(pair *p, idem_client *client) {
    idem_error err = IDEM_ERROR_INIT;
    char key[32];
    int32_t code = 0;
    kill(p->b.daemon.child.pid, SIGSTOP);
    for (int i = 0; code != IDEM_E_CHANGES_WAIT; i++) {
        snprintf(key, sizeof key, "still-%d", i);
        code = acquire(client, key, &err);
        /* The signal may take a moment. */
        CHECK(code == 0 || code == IDEM_E_CHANGES_WAIT ||
                  code == IDEM_E_TIMEOUT || code == IDEM_E_UNREPLICATED,
              "%s: %s", idem_error_name(code), err.text);
    }
    CHECK(err.assume == IDEM_ASSUME_UNCHANGED, "assume %d", err.assume);
    CHECK(changes_wait(client), "the status does not say so");
    CHECK(atomic_load(&waits) == 1, "%d events", atomic_load(&waits));
}

static void moves_again(pair *p, idem_client *client) {
    idem_error err = IDEM_ERROR_INIT;
    kill(p->b.daemon.child.pid, SIGCONT);
    while (acquire(client, "moves", &err) != 0)
        e2e_sleep_ms(5);
    CHECK(!changes_wait(client), "the status says that they wait");
    CHECK(atomic_load(&goes_on) == 1, "%d events", atomic_load(&goes_on));
}

/* --- a function that ends while changes wait */

typedef struct job {
    pair *pair;
    idem_client *client;
    pthread_t thread;
} job;

static void *move_later(void *arg) {
    job *j = arg;
    e2e_sleep_ms(1500); /* the complete is under way, and takes its time */
    kill(j->pair->b.daemon.child.pid, SIGCONT);
    return NULL;
}

static int32_t work(idem_run *run, void *ctx) {
    job *j = ctx;
    idem_error err = IDEM_ERROR_INIT;
    CHECK(!idem_run_lost(run), "lost at once");
    kill(j->pair->b.daemon.child.pid, SIGSTOP);
    while (acquire(j->client, "beside", &err) != IDEM_E_CHANGES_WAIT)
        ;
    pthread_create(&j->thread, NULL, move_later, j);
    return IDEM_RUN_DONE;
}

static void what_was_done_is_recorded(pair *p, idem_client *client) {
    job j = {.pair = p, .client = client};
    idem_answer answer = IDEM_ANSWER_INIT;
    idem_error err = IDEM_ERROR_INIT;
    idem_args args = IDEM_ARGS_INIT;
    args.key = "run";
    args.key_len = 3;
    int32_t code = idem_run_once(client, &args, work, &j, &answer, &err);
    CHECK(code == 0 && answer.outcome == IDEM_COMPLETED, "%s: %s",
          idem_error_name(code), err.text);
    pthread_join(j.thread, NULL);
    idem_answer_fini(&answer);
}

int main(int argc, char **argv) {
    pair p;
    CHECK(argc == 2, "usage: client_replica IDEMSTORED");
    pair_init(&p, argv[1], 2, 2);
    pair_start_both(&p);
    idem_client *client = open_client(&p.a);
    CHECK(acquire(client, "before", NULL) == 0, "not acquired");
    stands_still(&p, client);
    moves_again(&p, client);
    what_was_done_is_recorded(&p, client);
    idem_client_close(client);
    pair_end(&p);
    return 0;
}
