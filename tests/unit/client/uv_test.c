/* SPDX-License-Identifier: Apache-2.0 */
/* uv_test.c -- the libuv adapter: answers arrive in the loop, a lost
 * connection comes back, and closing leaves the loop empty. */
#include <criterion/criterion.h>
#include <string.h>

#include "client/include/idemclient_uv.h"
#include "tests/unit/client/fake.h"

#define CALLS 500

typedef struct host {
    idem_uv *store;
    int asked;
    int answered;
    int failed;
    bool closed;
} host;

static void script(void *ctx, uint64_t link, const idp_request *request,
                   fake_reply *reply) {
    int *requests = ctx;
    (void)link;
    (void)request;
    *reply = (fake_reply){.action = FAKE_ANSWER, .answer = fake_acquired(1)};
    if (++*requests == 200)
        reply->action = FAKE_HANG_UP;
}

static void closed(void *ctx) {
    ((host *)ctx)->closed = true;
}

/* Not from within the callback: on the loop's next turn. */
static void close_store(uv_timer_t *timer) {
    host *h = timer->data;
    idem_uv_close(h->store, closed, h);
    uv_close((uv_handle_t *)timer, NULL);
}

static uv_timer_t farewell;

static void told(void *ctx, const idem_answer *answer, const idem_error *err);

static void ask(host *h) {
    idem_args args = {.size = sizeof args, .key = "k", .key_len = 1};
    h->asked++;
    cr_assert_eq(idem_uv_call(h->store, IDEM_ACQUIRE, &args, told, h), 0);
}

static void told(void *ctx, const idem_answer *answer, const idem_error *err) {
    host *h = ctx;
    h->answered += answer != NULL;
    h->failed += err != NULL;
    if (h->asked < CALLS)
        ask(h);
    else if (h->answered + h->failed == CALLS)
        uv_timer_start(&farewell, close_store, 0, 0);
}

Test(uv, calls_are_answered_across_a_lost_connection) {
    int requests = 0;
    fake_config config = {.script = script, .ctx = &requests};
    fake_server *server = fake_start(&config);
    uv_loop_t loop;
    host h = {0};
    idem_error err = {.size = sizeof err};
    uv_loop_init(&loop);
    uv_timer_init(&loop, &farewell);
    farewell.data = &h;
    cr_assert_eq(idem_uv_open(&loop, fake_uri(server, ""), &h.store, &err), 0,
                 "%s", err.text);
    for (int i = 0; i < 20; i++)
        ask(&h);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert_eq(h.answered, CALLS);
    cr_assert_eq(h.failed, 0);
    cr_assert(h.closed);
    cr_assert_eq(uv_loop_close(&loop), 0);
    cr_assert_eq(fake_links(server), 2);
    fake_stop(server);
}

Test(uv, a_uri_that_is_none_opens_nothing) {
    uv_loop_t loop;
    idem_uv *store = NULL;
    uv_loop_init(&loop);
    cr_assert_eq(idem_uv_open(&loop, "idem:", &store, NULL), IDEM_E_URI);
    cr_assert_null(store);
    cr_assert_eq(uv_loop_close(&loop), 0);
}

/* --- a handler that takes longer than a call may */

#define SLOW_MS    1500
#define TIMEOUT_MS 1000

typedef struct sleeper {
    idem_uv *store;
    int handlers;
    int answered;
    int32_t code;
    uv_timer_t timer;
} sleeper;

static void hear_late(void *ctx, const idem_answer *answer,
                      const idem_error *err) {
    sleeper *s = ctx;
    s->answered += answer != NULL;
    s->code = err != NULL ? err->code : s->code;
}

static void close_sleeper(uv_timer_t *timer) {
    idem_uv_close(((sleeper *)timer->data)->store, NULL, NULL);
    uv_close((uv_handle_t *)timer, NULL);
}

/* Slow, and then it asks; and once more without being slow. */
static void handle(uv_timer_t *timer) {
    sleeper *s = timer->data;
    idem_args args = {.size = sizeof args,
                      .key = "k",
                      .key_len = 1,
                      .timeout_ms = TIMEOUT_MS};
    if (s->handlers++ == 0)
        uv_sleep(SLOW_MS);
    idem_uv_call(s->store, IDEM_PEEK, &args, hear_late, s);
    uv_timer_start(timer, s->handlers == 2 ? close_sleeper : handle,
                   s->handlers == 2 ? 3 * TIMEOUT_MS : 300, 0);
}

static void answer_all(void *ctx, uint64_t link, const idp_request *request,
                       fake_reply *reply) {
    (void)ctx;
    (void)link;
    (void)request;
    *reply = (fake_reply){.action = FAKE_ANSWER,
                          .answer = {.outcome = IDP_OUTCOME_RECORD}};
}

Test(uv, a_call_after_a_slow_handler_has_its_whole_time) {
    fake_config config = {.script = answer_all};
    fake_server *server = fake_start(&config);
    uv_loop_t loop;
    sleeper s = {0};
    uv_loop_init(&loop);
    uv_timer_init(&loop, &s.timer);
    s.timer.data = &s;
    cr_assert_eq(idem_uv_open(&loop, fake_uri(server, ""), &s.store, NULL), 0);
    uv_timer_start(&s.timer, handle, 100, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert_eq(s.code, 0, "%s", idem_error_name(s.code));
    cr_assert_eq(s.answered, 2);
    cr_assert_eq(uv_loop_close(&loop), 0);
    fake_stop(server);
}
