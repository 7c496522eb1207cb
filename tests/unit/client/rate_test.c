/* SPDX-License-Identifier: Apache-2.0 */
/* rate_test.c -- LIMIT that says when to ask again: a namespace's rate is used
 * up. The call is asked again by then, the same one, as long as its deadline
 * allows; nobody else's LIMIT is. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <string.h>

#include "tests/unit/client/script.h"

typedef struct asked {
    int32_t code;
    int32_t outcome;
    int requests;
} asked;

static asked acquire(script *story, const char *options) {
    fake_server *server = serve(story);
    idem_client *client = open_client(fake_uri(server, options));
    idem_error err = {.size = sizeof err};
    idem_args args = args_of("k");
    idem_answer answer = {.size = sizeof answer};
    asked a = {.code = idem_call(client, IDEM_ACQUIRE, &args, &answer, &err)};
    a.outcome = a.code == 0 ? answer.outcome : 0;
    a.requests = atomic_load(&story->requests);
    idem_answer_fini(&answer);
    idem_client_close(client);
    fake_stop(server);
    return a;
}

Test(rate, a_call_is_asked_again_when_the_server_says) {
    script story = {
        .replies = {refuse_with(IDP_E_LIMIT,
                                "retry_ms=30 namespace shop: rate"),
                    refuse_with(IDP_E_LIMIT, "retry_ms=1 namespace shop: rate"),
                    answer_with(fake_acquired(7))},
        .replies_count = 3};
    asked a = acquire(&story, "timeout_ms=120000");
    cr_assert_eq(a.code, 0);
    cr_assert_eq(a.outcome, IDEM_ACQUIRED);
    cr_assert_eq(a.requests, 3);
    for (int i = 1; i < 3; i++) {
        cr_assert_eq(story.nonce_lens[i], story.nonce_lens[0]);
        cr_assert_gt(story.nonce_lens[0], 0);
        cr_assert_eq(
            memcmp(story.nonces[i], story.nonces[0], story.nonce_lens[0]), 0);
    }
}

/* Nobody waits for a time that the call does not have. */
Test(rate, a_deadline_that_is_nearer_is_told_at_once) {
    script story = {.replies = {refuse_with(
                        IDP_E_LIMIT, "retry_ms=3600000 namespace shop: rate")},
                    .replies_count = 1};
    asked a = acquire(&story, "timeout_ms=120000");
    cr_assert_eq(a.code, IDEM_E_LIMIT);
    cr_assert_eq(a.requests, 1);
}

Test(rate, another_limit_is_told_at_once) {
    static const char *const texts[] = {
        "too many waiters for this key",
        "",
        "retry_ms= soon",
        "retry_ms=x",
        "retry_ms=0 namespace shop: rate",
        "namespace retry_ms=1 shop: rate",
        "retry_ms=99999999999999999999 namespace shop: rate"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        script story = {.replies = {refuse_with(IDP_E_LIMIT, texts[i])},
                        .replies_count = 1};
        asked a = acquire(&story, "timeout_ms=120000");
        cr_assert_eq(a.code, IDEM_E_LIMIT, "%s", texts[i]);
        cr_assert_eq(a.requests, 1, "%s", texts[i]);
    }
}
