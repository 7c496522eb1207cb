/* SPDX-License-Identifier: Apache-2.0 */
/* watch_test.c -- what a client tells of itself, and how it fails fast while
 * changes wait for the replica. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/include/idemclient_watch.h"
#include "tests/unit/client/script.h"

#define EVENTS_MAX 64

typedef struct heard {
    int32_t events[EVENTS_MAX];
    int count;
    idem_event last;
} heard;

static void hear(void *ctx, const idem_event *event) {
    heard *h = ctx;
    cr_assert_eq(event->size, sizeof *event);
    cr_assert_neq(event->text[0], '\0');
    h->events[h->count++ % EVENTS_MAX] = event->event;
    h->last = *event;
}

static int count_of(const heard *h, int32_t event) {
    int count = 0;
    for (int i = 0; i < h->count && i < EVENTS_MAX; i++)
        count += h->events[i] == event;
    return count;
}

static idem_status status_of(idem_client *client) {
    idem_status status = IDEM_STATUS_INIT;
    cr_assert_eq(idem_client_status(client, &status), 0);
    return status;
}

static void nap(void) {
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

Test(watch, connected_lost_and_connected_again) {
    script s = {.replies = {answer_with(fake_acquired(1)),
                            {.action = FAKE_HANG_UP},
                            answer_with(fake_acquired(2))},
                .replies_count = 3};
    heard h = {0};
    fake_server *server = serve(&s);
    idem_client *client = open_client(fake_uri(server, ""));
    idem_args args = args_of("k");
    cr_assert_eq(idem_client_watch(client, hear, &h), 0);
    cr_assert_eq(idem_acquire(client, &args, NULL, NULL), 0);
    cr_assert_eq(h.count, 1);
    cr_assert_eq(h.last.event, IDEM_EVENT_CONNECTED);
    cr_assert(strstr(h.last.text, h.last.endpoint) != NULL, "%s", h.last.text);
    cr_assert_eq(status_of(client).connections, 1);
    cr_assert_eq(idem_acquire(client, &args, NULL, NULL), 0);
    cr_assert_eq(h.count, 3);
    cr_assert_eq(h.events[1], IDEM_EVENT_LOST);
    cr_assert_eq(h.events[2], IDEM_EVENT_CONNECTED);
    idem_status status = status_of(client);
    cr_assert_eq(status.calls, 2);
    cr_assert_eq(status.repeats, 1);
    cr_assert_eq(status.connects, 2);
    cr_assert_eq(status.losses, 1);
    cr_assert_eq(status.connections, 1);
    cr_assert_eq(status.follows, 0);
    cr_assert_eq(idem_client_watch(client, NULL, NULL), 0);
    idem_client_close(client);
    fake_stop(server);
}

Test(watch, another_primary_is_told) {
    char at_b[32];
    script second = {.replies = {answer_with(fake_acquired(1))},
                     .replies_count = 1};
    fake_config config = {.script = follow, .ctx = &second, .epoch = 8};
    fake_server *b = fake_start(&config);
    snprintf(at_b, sizeof at_b, "127.0.0.1:%u", fake_port(b));
    script first = {.replies = {answer_with(fake_acquired(1)),
                                refuse_with(IDP_E_NOT_PRIMARY, at_b)},
                    .replies_count = 2};
    config = (fake_config){.script = follow, .ctx = &first, .epoch = 7};
    fake_server *a = fake_start(&config);
    heard h = {0};
    idem_client *client = open_client(fake_uri(a, ""));
    idem_args args = args_of("k");
    idem_client_watch(client, hear, &h);
    cr_assert_eq(idem_acquire(client, &args, NULL, NULL), 0);
    cr_assert_eq(status_of(client).epoch, 7);
    cr_assert_eq(idem_acquire(client, &args, NULL, NULL), 0);
    cr_assert_eq(count_of(&h, IDEM_EVENT_NEW_PRIMARY), 1);
    idem_status status = status_of(client);
    cr_assert_str_eq(status.primary, at_b);
    cr_assert_eq(status.epoch, 8);
    cr_assert_eq(status.follows, 1);
    close_all(client, a, b);
}

/* ------------------------------------------------- while a replica is silent
 */

/* What the server does with changes; pings are answered. */
static _Atomic int confirms;
static _Atomic int asked;
static fake_reply meanwhile;

static void confirm_or_not(void *ctx, uint64_t link, const idp_request *request,
                           fake_reply *reply) {
    (void)ctx;
    (void)link;
    atomic_fetch_add(&asked, 1);
    *reply = meanwhile;
    const idp_answer record = {.outcome = IDP_OUTCOME_RECORD};
    if (request->method == IDP_PEEK)
        *reply = answer_with(record);
    else if (atomic_load(&confirms))
        *reply = answer_with(fake_acquired(1));
}

static idem_client *open_at(fake_server **server, const char *options,
                            fake_reply how) {
    fake_config config = {.script = confirm_or_not};
    meanwhile = how;
    atomic_store(&confirms, 0);
    atomic_store(&asked, 0);
    *server = fake_start(&config);
    return open_client(fake_uri(*server, options));
}

static int32_t acquire(idem_client *client) {
    idem_args args = args_of("k");
    idem_answer answer = IDEM_ANSWER_INIT;
    int32_t code = idem_acquire(client, &args, &answer, NULL);
    idem_answer_fini(&answer);
    return code;
}

/* The first call hears it; from then on most are not even sent, until one finds
 * that changes go on. */
static void fails_fast(fake_reply how, int32_t code) {
    heard h = {0};
    fake_server *server = NULL;
    idem_error err = IDEM_ERROR_INIT;
    idem_args args = args_of("k");
    idem_client *client =
        open_at(&server, "timeout_ms=600000&fail_fast_ms=500", how);
    idem_client_watch(client, hear, &h);
    cr_assert_eq(acquire(client), code);
    cr_assert_eq(status_of(client).changes_wait, 1);
    cr_assert_eq(count_of(&h, IDEM_EVENT_CHANGES_WAIT), 1);
    int32_t said = acquire(client); /* one that finds out, or is not sent */
    while (said != IDEM_E_CHANGES_WAIT) {
        cr_assert_eq(said, code);
        said = acquire(client);
    }
    cr_assert_eq(idem_error_assume(said), IDEM_ASSUME_UNCHANGED);
    cr_assert_geq(status_of(client).failed_fast, 1);
    cr_assert_eq(idem_peek(client, &args, NULL, &err), 0, "%s", err.text);
    atomic_store(&confirms, 1);
    while (acquire(client) != 0)
        nap();
    cr_assert_eq(status_of(client).changes_wait, 0);
    cr_assert_eq(count_of(&h, IDEM_EVENT_CHANGES_GO_ON), 1);
    cr_assert_eq(acquire(client), 0);
    cr_assert_eq(count_of(&h, IDEM_EVENT_LOST), 0);
    idem_client_close(client);
    fake_stop(server);
}

Test(watch, a_change_that_is_not_confirmed_fails_fast) {
    fails_fast(refuse_with(IDP_E_UNREPLICATED, "no replica"),
               IDEM_E_UNREPLICATED);
}

Test(watch, a_change_that_is_held_fails_fast) {
    fails_fast((fake_reply){.action = FAKE_MUTE}, IDEM_E_TIMEOUT);
}

static void *acquire_in_a_thread(void *arg) {
    return (void *)(intptr_t)acquire(arg);
}

/* Who did not ask for it waits on, and can see what for. */
Test(watch, a_change_that_is_held_shows_in_the_status) {
    void *code = NULL;
    pthread_t thread;
    fake_server *server = NULL;
    idem_client *client = open_at(&server, "timeout_ms=600000",
                                  (fake_reply){.action = FAKE_MUTE});
    pthread_create(&thread, NULL, acquire_in_a_thread, client);
    while (!status_of(client).changes_wait)
        nap();
    idem_client_shutdown(client);
    pthread_join(thread, &code);
    cr_assert_eq((intptr_t)code, IDEM_E_LOST);
    idem_client_close(client);
    fake_stop(server);
}

/* A waiter is let wait, and that is no sign of anything. */
Test(watch, an_acquire_that_waits_for_a_holder_is_no_change_that_waits) {
    fake_server *server = NULL;
    idem_args args = args_of("k");
    idem_client *client = open_at(&server, "fail_fast_ms=500&timeout_ms=1",
                                  (fake_reply){.action = FAKE_MUTE});
    args.wait_ms = 900;
    cr_assert_eq(idem_acquire(client, &args, NULL, NULL), IDEM_E_TIMEOUT);
    cr_assert_eq(status_of(client).changes_wait, 0);
    idem_client_close(client);
    fake_stop(server);
}

/* It is gone without a word: another server is asked, not waited for. */
Test(watch, a_silent_server_is_no_silent_replica) {
    script second = {.replies = {answer_with(fake_acquired(1))},
                     .replies_count = 1};
    script first = {.replies = {{.action = FAKE_STOP}}, .replies_count = 1};
    fake_server *a = serve(&first);
    fake_server *b = serve(&second);
    idem_client *client = open_two(a, b, "timeout_ms=600000&fail_fast_ms=2000");
    int32_t code = acquire(client);
    cr_assert(code == 0 || code == IDEM_E_TIMEOUT, "%d", code);
    cr_assert_eq(status_of(client).changes_wait, 0);
    cr_assert_eq(acquire(client), 0);
    close_all(client, a, b);
}
