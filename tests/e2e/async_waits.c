/* SPDX-License-Identifier: Apache-2.0 */
/* async_waits.c -- ten thousand acquires wait on one thread: each is told what
 * the holder came to, with a thousand of them cancelled and told that, while
 * renewals and other calls pass by behind them.
 *
 *   async_waits IDEMSTORED */
#include <stdio.h>
#include <string.h>

#include "client/include/idemclient_async_poll.h"
#include "tests/e2e/harness.h"

#define KEYS      10
#define WAITERS   10000
#define CANCELLED 1000
#define WAIT_MS   60000

typedef struct scene {
    idem_async *async;
    idem_token tokens[KEYS];
    int acquired, completed, replayed, cancelled, peeked;
    uint64_t ids[WAITERS];
} scene;

static void hear(void *ctx, const idem_answer *answer, const idem_error *err) {
    scene *s = ctx;
    if (err != NULL) {
        CHECK(err->code == IDEM_E_LOST || err->code == IDEM_E_CLOSED, "%s: %s",
              idem_error_name(err->code), err->text);
        s->cancelled++;
        return;
    }
    s->completed += answer->outcome == IDEM_COMPLETED;
    s->peeked += answer->outcome == IDEM_RECORD;
    if (answer->outcome == IDEM_ACQUIRED)
        s->tokens[s->acquired++] = answer->token;
    if (answer->outcome == IDEM_REPLAY) {
        CHECK(answer->result_len == 4 && memcmp(answer->result, "done", 4) == 0,
              "another result");
        s->replayed++;
    }
}

static uint64_t ask(scene *s, int32_t method, int key, uint32_t wait_ms) {
    char name[16];
    uint64_t id = 0;
    int len = snprintf(name, sizeof name, "key-%d", key);
    idem_args args = {.size = sizeof args,
                      .timeout_ms = 60000,
                      .key = name,
                      .key_len = (size_t)len,
                      .lease_ms = 600000,
                      .wait_ms = wait_ms,
                      .result = "done",
                      .result_len = 4,
                      .token = s->tokens[key]};
    int32_t code =
        idem_async_call(s->async, method, &args, idem_now_ms(), hear, s, &id);
    CHECK(code == 0, "%s", idem_error_name(code));
    return id;
}

static void turn_until(scene *s, const int *what, int count) {
    uint64_t until_ms = e2e_now_ms() + 100000;
    while (*what < count) {
        CHECK(e2e_now_ms() < until_ms, "%d of %d came", *what, count);
        CHECK(idem_async_poll_turn(s->async, 100), "it is closed");
    }
    CHECK(*what == count, "%d are too many", *what);
}

int main(int argc, char **argv) {
    static scene s;
    daemon_t store;
    char uri[96];
    CHECK(argc > 1, "which daemon?");
    daemon_start(&store,
                 &(daemon_spec){.program = argv[1],
                                .flags = {"--threads", "2", "--max-pending",
                                          "20000", NULL}});
    snprintf(uri, sizeof uri, "idem://127.0.0.1:%u/", store.port);
    CHECK(idem_async_open(uri, &s.async, NULL) == 0, "no client");
    for (int key = 0; key < KEYS; key++) {
        ask(&s, IDEM_ACQUIRE, key, 0);
        turn_until(&s, &s.acquired, key + 1);
    }
    for (int i = 0; i < WAITERS; i++)
        s.ids[i] = ask(&s, IDEM_ACQUIRE, i % KEYS, WAIT_MS);
    ask(&s, IDEM_PEEK, 0, 0); /* passes by behind all that wait */
    turn_until(&s, &s.peeked, 1);
    CHECK(s.replayed == 0 && s.cancelled == 0, "somebody did not wait");
    for (int i = 0; i < CANCELLED; i++)
        CHECK(idem_async_cancel(s.async, s.ids[i * (WAITERS / CANCELLED)]),
              "no such call");
    turn_until(&s, &s.cancelled, CANCELLED);
    for (int key = 0; key < KEYS; key++)
        ask(&s, IDEM_COMPLETE, key, 0);
    turn_until(&s, &s.replayed, WAITERS - CANCELLED);
    turn_until(&s, &s.completed, KEYS);
    CHECK(s.acquired == KEYS, "a key was claimed twice");
    idem_async_close(s.async);
    daemon_stop(&store);
    return 0;
}
