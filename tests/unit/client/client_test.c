/* SPDX-License-Identifier: Apache-2.0 */
/* client_test.c -- the blocking client against a server that misbehaves on
 * purpose: what it tries again, with what, and what it says in the end. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/client/script.h"

/* What follows has all its time for itself. */
static void be_connected(idem_client *client) {
    idem_args args = IDEM_ARGS_INIT;
    args.timeout_ms = 60000;
    cr_assert_eq(idem_ping(client, &args, NULL, NULL), 0);
}

Test(client, acquires_completes_and_hears_the_replay) {
    script s = {.replies = {answer_with(fake_acquired(5)),
                            answer_with(fake_completed(true)),
                            answer_with(fake_replay("points", 6))},
                .replies_count = 3};
    fake_server *server = serve(&s);
    idem_client *client = open_client(fake_uri(server, ""));
    idem_answer answer = {.size = sizeof answer};
    idem_args args = args_of("k");
    cr_assert_eq(idem_acquire(client, &args, &answer, NULL), 0);
    cr_assert_eq(answer.outcome, IDEM_ACQUIRED);
    args.token = answer.token;
    args.result = "points";
    args.result_len = 6;
    cr_assert_eq(idem_complete(client, &args, &answer, NULL), 0);
    cr_assert_eq(answer.outcome, IDEM_COMPLETED);
    cr_assert_eq(answer.kept, 1);
    cr_assert_eq(s.tokens[1].sequence, 5);
    cr_assert_eq(idem_acquire(client, &args, &answer, NULL), 0);
    cr_assert_eq(answer.outcome, IDEM_REPLAY);
    cr_assert_eq(answer.result_len, 6);
    cr_assert_eq(memcmp(answer.result, "points", 6), 0);
    cr_assert_eq(fake_links(server), 1);
    idem_answer_fini(&answer);
    idem_client_close(client);
    fake_stop(server);
}

Test(client, a_lost_acquire_is_asked_again_with_its_nonce_and_what_is_left) {
    script s = {.replies = {{.action = FAKE_HANG_UP},
                            {.action = FAKE_HANG_UP},
                            answer_with(fake_acquired(5))},
                .replies_count = 3};
    fake_server *server = serve(&s);
    idem_client *client = open_client(fake_uri(server, ""));
    idem_answer answer = {.size = sizeof answer};
    idem_args args = args_of("k");
    args.wait_ms = 60000;
    cr_assert_eq(idem_acquire(client, &args, &answer, NULL), 0);
    cr_assert_eq(answer.outcome, IDEM_ACQUIRED);
    cr_assert_eq(fake_links(server), 3);
    cr_assert_eq(s.nonce_lens[0], 16);
    for (int i = 1; i < 3; i++) {
        cr_assert_eq(s.nonce_lens[i], 16);
        cr_assert_eq(memcmp(s.nonces[i], s.nonces[0], 16), 0);
        cr_assert_leq(s.waits[i], s.waits[i - 1]);
    }
    cr_assert_eq(idem_acquire(client, &args, &answer, NULL), 0);
    cr_assert(memcmp(s.nonces[3], s.nonces[0], 16) != 0, "a call of its own");
    idem_client_close(client);
    fake_stop(server);
}

Test(client, the_callers_own_nonce_is_used) {
    script s = {
        .replies = {{.action = FAKE_HANG_UP}, answer_with(fake_acquired(5))},
        .replies_count = 2};
    fake_server *server = serve(&s);
    idem_client *client = open_client(fake_uri(server, ""));
    idem_args args = args_of("k");
    args.nonce = "mine";
    args.nonce_len = 4;
    cr_assert_eq(idem_acquire(client, &args, NULL, NULL), 0);
    cr_assert_eq(s.nonce_lens[1], 4);
    cr_assert_eq(memcmp(s.nonces[1], "mine", 4), 0);
    idem_client_close(client);
    fake_stop(server);
}

Test(client, a_lost_complete_is_sent_again_with_its_token) {
    script s = {.replies = {{.action = FAKE_HANG_UP},
                            answer_with(fake_completed(true))},
                .replies_count = 2};
    fake_server *server = serve(&s);
    idem_client *client = open_client(fake_uri(server, ""));
    idem_args args = args_of("k");
    args.token.bytes[15] = 9;
    args.result = "";
    cr_assert_eq(idem_complete(client, &args, NULL, NULL), 0);
    cr_assert_eq(s.tokens[0].sequence, 9);
    cr_assert_eq(s.tokens[1].sequence, 9);
    cr_assert(s.had_result[1], "zero bytes are a result");
    idem_client_close(client);
    fake_stop(server);
}

Test(client, silence_until_the_deadline_is_an_unknown_outcome) {
    script s = {.replies = {{.action = FAKE_MUTE}}, .replies_count = 1};
    fake_server *server = serve(&s);
    idem_client *client = open_client(fake_uri(server, "timeout_ms=50"));
    idem_error err = {.size = sizeof err};
    idem_answer answer = {.size = sizeof answer};
    idem_args args = args_of("k");
    be_connected(client);
    uint64_t before = idem_now_ms();
    cr_assert_eq(idem_acquire(client, &args, &answer, &err), IDEM_E_TIMEOUT);
    cr_assert_geq(idem_now_ms() - before, 49);
    cr_assert_eq(err.assume, IDEM_ASSUME_UNKNOWN);
    cr_assert_eq(answer.outcome, 0);
    cr_assert(strstr(err.text, "127.0.0.1") != NULL, "%s", err.text);
    idem_client_close(client);
    fake_stop(server);
}

Test(client, a_late_reply_is_nobodys) {
    /* The first answer is held until the second is asked for, and comes
     * after it. */
    script s = {
        .replies =
            {{.action = FAKE_HOLD, .answer = fake_acquired(1), .hold = 2},
             {.action = FAKE_HOLD, .answer = fake_acquired(2), .hold = 2},
             answer_with(fake_acquired(3))},
        .replies_count = 3};
    fake_server *server = serve(&s);
    idem_client *client = open_client(fake_uri(server, ""));
    idem_answer answer = {.size = sizeof answer};
    idem_args args = args_of("k");
    be_connected(client);
    args.timeout_ms = 40;
    cr_assert_eq(idem_acquire(client, &args, &answer, NULL), IDEM_E_TIMEOUT);
    args.timeout_ms = 0;
    cr_assert_eq(idem_acquire(client, &args, &answer, NULL), 0);
    cr_assert_eq(answer.token.bytes[15], 2);
    cr_assert_eq(idem_acquire(client, &args, &answer, NULL), 0);
    cr_assert_eq(answer.token.bytes[15], 3);
    cr_assert_eq(fake_links(server), 1);
    idem_client_close(client);
    fake_stop(server);
}

Test(client, lost_and_never_back_is_unknown) {
    script s = {.replies = {{.action = FAKE_HANG_UP}, {.action = FAKE_GONE}},
                .replies_count = 2};
    fake_server *server = serve(&s);
    const char *uri = fake_uri(server, "connect_rounds=1&timeout_ms=60000");
    idem_client *client = open_client(uri);
    idem_error err = {.size = sizeof err};
    idem_args args = args_of("k");
    cr_assert_eq(idem_acquire(client, &args, NULL, &err), IDEM_E_LOST);
    cr_assert_eq(err.assume, IDEM_ASSUME_UNKNOWN);
    cr_assert_eq(atomic_load(&s.requests), 2);
    idem_client_close(client);
    fake_stop(server);
}

Test(client, a_refusal_after_a_lost_attempt_is_still_unknown) {
    script s = {.replies = {{.action = FAKE_HANG_UP},
                            refuse_with(IDP_E_LIMIT, "too many")},
                .replies_count = 2};
    fake_server *server = serve(&s);
    idem_client *client = open_client(fake_uri(server, ""));
    idem_error err = {.size = sizeof err};
    idem_args args = args_of("k");
    cr_assert_eq(idem_acquire(client, &args, NULL, &err), IDEM_E_LOST);
    cr_assert(strstr(err.text, "LIMIT too many") != NULL, "%s", err.text);
    cr_assert_eq(idem_acquire(client, &args, NULL, &err), IDEM_E_LIMIT);
    cr_assert_eq(err.assume, IDEM_ASSUME_REFUSED);
    idem_client_close(client);
    fake_stop(server);
}

Test(client, the_servers_words_come_through_without_control_characters) {
    script s = {.replies = {refuse_with(IDP_E_BAD_REQUEST, "a\x1b[2Jb\n")},
                .replies_count = 1};
    fake_server *server = serve(&s);
    idem_client *client = open_client(fake_uri(server, ""));
    idem_error err = {.size = sizeof err};
    idem_args args = args_of("k");
    cr_assert_eq(idem_acquire(client, &args, NULL, &err), IDEM_E_BAD_REQUEST);
    cr_assert(strstr(err.text, "BAD_REQUEST a?[2Jb?") != NULL, "%s", err.text);
    idem_client_close(client);
    fake_stop(server);
}

Test(client, a_result_over_the_limit_is_not_sent_and_not_kept) {
    script s = {.replies = {answer_with(fake_completed(true))},
                .replies_count = 1};
    fake_config config = {
        .script = follow, .ctx = &s, .result_bytes_max = 1000};
    fake_server *server = fake_start(&config);
    idem_client *client = open_client(fake_uri(server, ""));
    static char big[1001];
    idem_answer answer = {.size = sizeof answer};
    idem_args args = args_of("k");
    args.result = big;
    args.result_len = 1000;
    cr_assert_eq(idem_complete(client, &args, &answer, NULL), 0);
    cr_assert_eq(answer.kept, 1);
    args.result_len = 1001;
    cr_assert_eq(idem_complete(client, &args, &answer, NULL), 0);
    cr_assert_eq(answer.kept, 0);
    cr_assert(s.had_result[0]);
    cr_assert_not(s.had_result[1]);
    idem_client_close(client);
    fake_stop(server);
}

Test(client, large_results_go_both_ways) {
    static char big[1 << 20];
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)(i * 7);
    script s = {.replies = {answer_with(fake_completed(true)),
                            answer_with(fake_replay(big, sizeof big))},
                .replies_count = 2};
    fake_server *server = serve(&s);
    idem_client *client = open_client(fake_uri(server, ""));
    idem_answer answer = {.size = sizeof answer};
    idem_args args = args_of("k");
    args.result = big;
    args.result_len = sizeof big;
    cr_assert_eq(idem_complete(client, &args, &answer, NULL), 0);
    cr_assert_eq(idem_acquire(client, &args, &answer, NULL), 0);
    cr_assert_eq(answer.result_len, sizeof big);
    cr_assert_eq(memcmp(answer.result, big, sizeof big), 0);
    idem_answer_fini(&answer);
    idem_client_close(client);
    fake_stop(server);
}

Test(client, an_argument_is_told_by_its_name_and_sends_nothing) {
    idem_client *client = open_client("idem://127.0.0.1:1");
    idem_error err = {.size = sizeof err};
    idem_args args = args_of("");
    idem_answer unsized = {0};
    cr_assert_eq(idem_acquire(client, &args, NULL, &err), IDEM_E_ARGUMENT);
    cr_assert(strstr(err.text, "key") != NULL);
    cr_assert_eq(idem_acquire(client, NULL, NULL, &err), IDEM_E_ARGUMENT);
    args = args_of("k");
    cr_assert_eq(idem_acquire(client, &args, &unsized, &err), IDEM_E_ARGUMENT);
    cr_assert(strstr(err.text, "answer.size") != NULL);
    idem_client_close(client);
    idem_client_close(NULL);
}

Test(client, a_shorter_error_struct_of_an_older_program_is_respected) {
    struct {
        uint32_t size;
        int32_t code;
        int32_t assume;
        int32_t untouched;
    } err = {.size = 12, .untouched = 77};
    idem_client *client = NULL;
    cr_assert_eq(idem_client_open("x", &client, (idem_error *)&err),
                 IDEM_E_URI);
    cr_assert_eq(err.code, IDEM_E_URI);
    cr_assert_eq(err.assume, IDEM_ASSUME_UNCHANGED);
    cr_assert_eq(err.size, 12);
    cr_assert_eq(err.untouched, 77);
}
