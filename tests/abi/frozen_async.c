/* SPDX-License-Identifier: Apache-2.0 */
/* frozen_async.c -- a program of the header that first had idem_async. It knows
 * nothing of later ones, and it is never edited: what it does must work with
 * every later library of the SONAME.
 *
 *   frozen_async PORT      where a daemon listens */
#include <idemclient_async.h>
#include <idemclient_async_poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(int so, const char *what, int line) {
    if (so)
        return;
    fprintf(stderr, "frozen_async.c:%d: not so: %s\n", line, what);
    exit(1);
}
#define CHECK(so) check((so), #so, __LINE__)

static idem_async *async;
static idem_token token;
static uint64_t lease;

typedef struct heard {
    int times;
    int32_t outcome;
    int32_t code;
    char result[16];
} heard;

static void lost(void *ctx, int32_t outcome) {
    (void)ctx;
    (void)outcome;
    CHECK(0);
}

static void hear(void *ctx, const idem_answer *answer, const idem_error *err) {
    heard *h = ctx;
    h->times++;
    if (err != NULL) {
        CHECK(err->size >= sizeof *err && err->nonce_len == 16);
        h->code = err->code;
        return;
    }
    CHECK(answer->size >= sizeof *answer);
    h->outcome = answer->outcome;
    if (answer->outcome == IDEM_ACQUIRED) {
        token = answer->token;
        CHECK(idem_async_keep(async, lost, NULL, &lease) == 0);
    }
    if (answer->has_result && answer->result_len < sizeof h->result)
        memcpy(h->result, answer->result, answer->result_len);
}

static heard ask(int32_t method, uint32_t wait_ms, int cancels) {
    static heard h;
    uint64_t id = 0;
    idem_args args = IDEM_ARGS_INIT;
    args.key = "frozen";
    args.key_len = 6;
    args.token = token;
    args.wait_ms = wait_ms;
    args.result = "done";
    args.result_len = 4;
    memset(&h, 0, sizeof h);
    CHECK(idem_async_call(async, method, &args, idem_now_ms(), hear, &h, &id) ==
          0);
    CHECK(id != 0);
    CHECK(!cancels || idem_async_cancel(async, id) == 1);
    while (h.times == 0)
        CHECK(idem_async_poll_turn(async, -1) == 1);
    CHECK(h.times == 1);
    return h;
}

int main(int argc, char **argv) {
    char uri[96];
    idem_info info = IDEM_INFO_INIT;
    idem_status status = IDEM_STATUS_INIT;
    CHECK(argc > 1);
    snprintf(uri, sizeof uri, "idem://127.0.0.1:%s/abi", argv[1]);
    CHECK(idem_async_open(uri, &async, NULL) == 0);
    CHECK(ask(IDEM_ACQUIRE, 0, 0).outcome == IDEM_ACQUIRED);
    CHECK(idem_async_info(async, &info) == 0 && info.shards >= 1);
    CHECK(idem_async_lines(async) >= 1 && idem_async_fd(async, 0) >= 0);
    CHECK(ask(IDEM_ACQUIRE, 60000, 1).code == IDEM_E_LOST);
    CHECK(ask(IDEM_COMPLETE, 0, 0).outcome == IDEM_COMPLETED);
    CHECK(idem_async_let_go(async, lease) == 1);
    heard replay = ask(IDEM_ACQUIRE, 0, 0);
    CHECK(replay.outcome == IDEM_REPLAY && strcmp(replay.result, "done") == 0);
    CHECK(idem_async_status(async, &status) == 0 && status.calls == 4);
    CHECK(idem_async_timeout_ms(async, idem_now_ms()) == -1);
    idem_async_close(async);
    puts("well");
    return 0;
}
