/* SPDX-License-Identifier: Apache-2.0 */
/* async_uv_test.c -- the async client's adapter for libuv: answers arrive in
 * the loop, a lost connection comes back, a callback closes it, and closing
 * leaves the loop empty. */
#include <criterion/criterion.h>
#include <string.h>

#include "client/include/idemclient_async_uv.h"
#include "tests/unit/client/fake.h"

#define CALLS 600

typedef struct host {
    idem_async_uv *store;
    int asked, answered, failed, closed;
    int closes_at; /* answers; 0: when all are over */
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

static void note_closed(void *ctx) {
    ((host *)ctx)->closed++;
}

static void told(void *ctx, const idem_answer *answer, const idem_error *err);

static void ask(host *h) {
    char key[16];
    int len = snprintf(key, sizeof key, "k%d", h->asked++);
    idem_args args = {.size = sizeof args, .key = key, .key_len = (size_t)len};
    cr_assert_eq(
        idem_async_uv_call(h->store, IDEM_ACQUIRE, &args, told, h, NULL), 0);
}

static void told(void *ctx, const idem_answer *answer, const idem_error *err) {
    host *h = ctx;
    h->answered += answer != NULL;
    h->failed += err != NULL;
    if (h->closed > 0 || h->store == NULL)
        return;
    if (h->closes_at != 0 ? h->answered == h->closes_at
                          : h->answered + h->failed == CALLS) {
        idem_async_uv *store = h->store;
        h->store = NULL;
        idem_async_uv_close(store, note_closed, h); /* from within a callback */
    } else if (h->asked < CALLS) {
        ask(h);
    }
}

static void play(host *h, fake_server *server, const char *options) {
    uv_loop_t loop;
    idem_error err = {.size = sizeof err};
    uv_loop_init(&loop);
    cr_assert_eq(
        idem_async_uv_open(&loop, fake_uri(server, options), &h->store, &err),
        0, "%s", err.text);
    for (int i = 0; i < 20; i++)
        ask(h);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert_eq(h->closed, 1);
    cr_assert_eq(h->answered + h->failed, h->asked, "each is told once");
    cr_assert_eq(uv_loop_close(&loop), 0, "something is left in the loop");
}

Test(async_uv, calls_are_answered_over_shards_and_a_lost_connection) {
    int requests = 0;
    fake_config config = {.script = script, .ctx = &requests, .shards = 3};
    fake_server *server = fake_start(&config);
    host h = {0};
    play(&h, server, "");
    cr_assert_eq(h.answered, CALLS);
    cr_assert_eq(fake_links(server), 4, "one a shard, and the lost one anew");
    fake_stop(server);
}

Test(async_uv, a_callback_closes_it_with_calls_under_way) {
    int requests = 1000;
    fake_config config = {.script = script, .ctx = &requests};
    fake_server *server = fake_start(&config);
    host h = {.closes_at = 50};
    play(&h, server, "");
    cr_assert_geq(h.answered, 50);
    cr_assert_gt(h.failed, 0);
    fake_stop(server);
}

Test(async_uv, one_that_was_never_used_is_closed) {
    uv_loop_t loop;
    host h = {0};
    idem_async_uv *store = NULL;
    uv_loop_init(&loop);
    cr_assert_eq(idem_async_uv_open(&loop, "idem:", &store, NULL), IDEM_E_URI);
    cr_assert_null(store);
    cr_assert_eq(idem_async_uv_open(&loop, "idem://127.0.0.1:1/", &store, NULL),
                 0);
    idem_async_uv_close(store, note_closed, &h);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert_eq(h.closed, 1);
    cr_assert_eq(uv_loop_close(&loop), 0);
}

static void hear_end(void *ctx, const idem_answer *answer,
                     const idem_error *err) {
    int32_t *code = ctx;
    *code = err != NULL ? err->code : answer->outcome;
}

/* Nobody is there: the loop lives until the call's deadline, by its timer. */
Test(async_uv, a_deadline_comes_without_a_connection) {
    uv_loop_t loop;
    idem_async_uv *store = NULL;
    int32_t code = 0;
    idem_args args = {
        .size = sizeof args, .key = "k", .key_len = 1, .timeout_ms = 150};
    uv_loop_init(&loop);
    cr_assert_eq(idem_async_uv_open(&loop, "idem://127.0.0.1:1/", &store, NULL),
                 0);
    cr_assert_eq(
        idem_async_uv_call(store, IDEM_PEEK, &args, hear_end, &code, NULL), 0);
    int alive = 1;
    while (code == 0 && alive)
        alive = uv_run(&loop, UV_RUN_ONCE);
    cr_assert_eq(code, IDEM_E_CONNECT);
    idem_async_uv_close(store, NULL, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&loop), 0);
}
