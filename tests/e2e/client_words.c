/* SPDX-License-Identifier: Apache-2.0 */
/* client_words.c -- what the daemon says as it turns somebody away or goes
 * down is what libidemclient's caller hears. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "client/include/idemclient.h"
#include "tests/e2e/harness.h"

#define WAITERS 6

typedef struct waiter {
    idem_client *client;
    pthread_t thread;
    int32_t code;
    idem_error err;
} waiter;

static idem_client *client_of(const daemon_t *one, const char *options) {
    char uri[128];
    idem_client *client = NULL;
    idem_error err = {.size = sizeof err};
    snprintf(uri, sizeof uri, "idem://127.0.0.1:%u/shop?%s", one->port,
             options);
    CHECK(idem_client_open(uri, &client, &err) == 0, "%s", err.text);
    return client;
}

static idem_args args_of(const char *key) {
    return (idem_args){
        .size = sizeof(idem_args), .key = key, .key_len = strlen(key)};
}

static void *wait_for_it(void *arg) {
    waiter *me = arg;
    idem_args args = args_of("held");
    me->err.size = sizeof me->err;
    args.wait_ms = 1500;
    me->code = idem_acquire(me->client, &args, NULL, &me->err);
    return NULL;
}

/* Waiters share one client, or have one each. */
static void waiters_hear_that_it_goes_down(const char *program, bool shared) {
    daemon_t one;
    waiter waiters[WAITERS] = {0};
    daemon_spec spec = {.program = program, .flags = {"--threads", "2"}};
    daemon_start(&one, &spec);
    idem_client *client = client_of(&one, "timeout_ms=1500");
    idem_args args = args_of("held");
    CHECK(idem_acquire(client, &args, NULL, NULL) == 0, "not acquired");
    for (int i = 0; i < WAITERS; i++) {
        waiters[i].client =
            shared ? client : client_of(&one, "timeout_ms=1500");
        pthread_create(&waiters[i].thread, NULL, wait_for_it, &waiters[i]);
    }
    while (daemon_stat(&one, "waiters") < WAITERS)
        e2e_sleep_ms(5);
    daemon_stop(&one);
    for (int i = 0; i < WAITERS; i++) {
        pthread_join(waiters[i].thread, NULL);
        CHECK(waiters[i].code == IDEM_E_SHUTTING_DOWN, "%s: %s",
              idem_error_name(waiters[i].code), waiters[i].err.text);
        CHECK(waiters[i].err.assume == IDEM_ASSUME_REFUSED, "assume %d",
              waiters[i].err.assume);
        if (!shared)
            idem_client_close(waiters[i].client);
    }
    idem_client_close(client);
}

static void a_full_daemon_says_limit(const char *program) {
    daemon_t one;
    wire in_the_way;
    idem_error err = {.size = sizeof err};
    daemon_spec spec = {.program = program,
                        .flags = {"--threads", "1", "--max-connections", "1"}};
    daemon_start(&one, &spec);
    CHECK(wire_open(&in_the_way, one.port), "not connected");
    wire_hello(&in_the_way, -1, NULL, &(idp_hello){0});
    idem_client *client = client_of(&one, "timeout_ms=400");
    idem_args args = args_of("one too many");
    int32_t code = idem_acquire(client, &args, NULL, &err);
    CHECK(code == IDEM_E_LIMIT, "%s: %s", idem_error_name(code), err.text);
    wire_close(&in_the_way);
    args.timeout_ms = 30000;
    CHECK(idem_acquire(client, &args, NULL, &err) == 0, "%s", err.text);
    idem_client_close(client);
    daemon_stop(&one);
}

int main(int argc, char **argv) {
    CHECK(argc == 2, "usage: client_words IDEMSTORED");
    waiters_hear_that_it_goes_down(argv[1], true);
    waiters_hear_that_it_goes_down(argv[1], false);
    a_full_daemon_says_limit(argv[1]);
    return 0;
}
