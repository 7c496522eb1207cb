/* SPDX-License-Identifier: Apache-2.0 */
/* memory.c -- every allocation of a scenario refused in turn: the call fails
 * with a word for it or works all the same, nothing leaks, and the same
 * scenario works once there is memory again. A plain program: it counts. */
#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "client/include/idemclient_async_poll.h"
#include "client/src/mem.h"
#include "tests/unit/client/fake.h"

static long asked;     /* allocations so far */
static long refuse_at; /* the one that is refused; 0: none is */
static bool refuse_on; /* and every one after it */

static bool refuse(void) {
    asked++;
    return refuse_at > 0 &&
           (refuse_on ? asked >= refuse_at : asked == refuse_at);
}

static char stored[70000];

static void script(void *ctx, uint64_t link, const idp_request *request,
                   fake_reply *reply) {
    (void)ctx;
    (void)link;
    reply->action = FAKE_ANSWER;
    if (request->method == IDP_COMPLETE)
        reply->answer = fake_completed(true);
    else if (request->key.len > 1)
        reply->answer = fake_replay(stored, sizeof stored);
    else
        reply->answer = fake_acquired(1);
}

static fake_server *server;

static bool is_told(int32_t code) {
    /* CONNECT: the handshake had no memory, and the deadline came. */
    return code == IDEM_E_MEMORY || code == IDEM_E_LOST ||
           code == IDEM_E_CONNECT || code == IDEM_E_TIMEOUT_UNSENT ||
           code == IDEM_E_TIMEOUT || code == IDEM_E_NOT_RECORDED;
}

/* Each scenario returns 0, or the first error. */
static int32_t blocking(void) {
    idem_client *client = NULL;
    idem_answer answer = {.size = sizeof answer};
    idem_args args = {.size = sizeof args, .key = "k", .key_len = 1};
    int32_t code =
        idem_client_open(fake_uri(server, "timeout_ms=300"), &client, NULL);
    if (code == 0)
        code = idem_acquire(client, &args, &answer, NULL);
    args.token = answer.token;
    args.result = stored;
    args.result_len = sizeof stored;
    if (code == 0)
        code = idem_complete(client, &args, &answer, NULL);
    args.key = "kk";
    args.key_len = 2;
    if (code == 0)
        code = idem_acquire(client, &args, &answer, NULL);
    if (code == 0)
        assert(answer.result_len == sizeof stored);
    idem_answer_fini(&answer);
    idem_client_close(client);
    return code;
}

static int32_t run_function(idem_run *run, void *ctx) {
    (void)ctx;
    if (idem_run_set_result(run, "points", 6, IDEM_CLASS_SUCCESS) != 0)
        return IDEM_RUN_FAILED;
    return IDEM_RUN_DONE;
}

static int32_t run_once(void) {
    idem_client *client = NULL;
    idem_answer answer = {.size = sizeof answer};
    idem_args args = {.size = sizeof args, .key = "k", .key_len = 1};
    int32_t code =
        idem_client_open(fake_uri(server, "timeout_ms=300"), &client, NULL);
    if (code == 0)
        code = idem_run_once(client, &args, run_function, NULL, &answer, NULL);
    if (code == 0 && answer.outcome == IDEM_RELEASED)
        code = IDEM_E_MEMORY; /* the function had no memory, and said so */
    idem_answer_fini(&answer);
    idem_client_close(client);
    return code;
}

static int32_t told_code;

static void told(void *ctx, const idem_answer *answer, const idem_error *err) {
    (void)answer;
    *(int *)ctx -= 1;
    if (err != NULL)
        told_code = err->code;
}

static int32_t in_session(void) {
    idem_session *session = NULL;
    idem_args args = {.size = sizeof args,
                      .key = "k",
                      .key_len = 1,
                      .result = stored,
                      .result_len = sizeof stored};
    int open = 0;
    told_code = 0;
    int32_t code = idem_session_new(&session);
    for (int i = 0; i < 200 && code == 0; i++) {
        code =
            idem_session_call(session, i % 2 == 0 ? IDEM_PEEK : IDEM_COMPLETE,
                              &args, 0, told, &open);
        open += code == 0;
    }
    uint8_t byte = 0x94;
    if (code == 0)
        code = idem_session_input(session, &byte, 1);
    idem_session_free(session);
    assert(open == 0);
    return code;
}

/* The first error of an acquire, a claim that is kept, a complete and a long
 * answer; each call is told once, whatever there is no memory for. */
typedef struct loop_story {
    idem_async *async;
    idem_args args;
    uint64_t lease;
    int open;
    int step;
    int32_t code;
} loop_story;

static void hear_step(void *ctx, const idem_answer *answer,
                      const idem_error *err);

static void take_step(loop_story *story) {
    static const int32_t methods[] = {IDEM_ACQUIRE, IDEM_COMPLETE,
                                      IDEM_ACQUIRE};
    int32_t code =
        idem_async_call(story->async, methods[story->step], &story->args,
                        idem_now_ms(), hear_step, story, NULL);
    story->open += code == 0;
    story->code = code;
}

static void hear_step(void *ctx, const idem_answer *answer,
                      const idem_error *err) {
    loop_story *story = ctx;
    story->open--;
    story->code = err != NULL ? err->code : 0;
    if (err != NULL || ++story->step == 3)
        return;
    if (story->step == 1 &&
        idem_async_keep(story->async, NULL, NULL, &story->lease) != 0)
        story->code = IDEM_E_MEMORY;
    story->args.token = answer->token;
    story->args.result = stored;
    story->args.result_len = sizeof stored;
    if (story->step == 2) {
        story->args.key = "kk";
        story->args.key_len = 2;
    }
    if (story->code == 0)
        take_step(story);
}

static int32_t in_loop(void) {
    loop_story story = {
        .args = {.size = sizeof story.args, .key = "k", .key_len = 1}};
    int32_t code =
        idem_async_open(fake_uri(server, "timeout_ms=300"), &story.async, NULL);
    if (code != 0)
        return code;
    take_step(&story);
    bool is_open = true;
    while (story.open > 0 && is_open)
        is_open = idem_async_poll_turn(story.async, 50);
    assert(is_open);
    idem_async_close(story.async);
    assert(story.open == 0);
    return story.code;
}

static int32_t through(const char *name, int32_t (*scenario)(void)) {
    refuse_at = 0;
    asked = 0;
    int32_t code = scenario();
    if (code != 0)
        printf("%s: %s with all the memory there is\n", name,
               idem_error_name(code));
    assert(code == 0);
    long total = asked;
    long failures = 0;
    for (int on = 0; on < 2; on++) {
        for (long nth = 1; nth <= total; nth++) {
            refuse_on = on == 1;
            refuse_at = nth;
            asked = 0;
            code = scenario();
            if (code != 0 && !is_told(code))
                printf("%s: allocation %ld: %s\n", name, nth,
                       idem_error_name(code));
            assert(code == 0 || is_told(code));
            failures += code != 0;
        }
    }
    refuse_at = 0;
    assert(scenario() == 0);
    printf("%s: %ld allocations, %ld failures told\n", name, total, failures);
    return 0;
}

int main(void) {
    fake_config config = {.script = script};
    server = fake_start(&config);
    idem__mem_refuse = refuse;
    through("blocking", blocking);
    through("run once", run_once);
    through("session", in_session);
    through("loop", in_loop);
    fake_stop(server);
    return 0;
}
