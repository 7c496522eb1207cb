/* SPDX-License-Identifier: Apache-2.0 */
/* nonce_test.c -- the nonce that an acquire was asked with can be had, so that
 * its caller can ask again: in the answer, in the error, from each layer. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/lib/conn_turn.h"
#include "tests/unit/client/script.h"

static fake_server *mute(script *s) {
    *s = (script){.replies = {{.action = FAKE_MUTE}}, .replies_count = 1};
    return serve(s);
}

static fake_server *granting(script *s) {
    *s = (script){.replies = {answer_with(fake_acquired(5))},
                  .replies_count = 1};
    return serve(s);
}

Test(nonce, one_that_the_library_drew_comes_back_in_the_answer) {
    script s;
    fake_server *server = granting(&s);
    idem_client *client = open_client(fake_uri(server, ""));
    idem_answer answer = IDEM_ANSWER_INIT;
    idem_args args = args_of("k");
    cr_assert_eq(idem_acquire(client, &args, &answer, NULL), 0);
    cr_assert_eq(answer.nonce_len, 16);
    cr_assert_arr_eq(answer.nonce, s.nonces[0], 16);
    args.nonce = answer.nonce;
    args.nonce_len = answer.nonce_len;
    cr_assert_eq(idem_acquire(client, &args, NULL, NULL), 0);
    cr_assert_arr_eq(s.nonces[1], s.nonces[0], 16);
    args.token = answer.token;
    s.replies[0] = answer_with(fake_completed(true));
    cr_assert_eq(idem_complete(client, &args, &answer, NULL), 0);
    cr_assert_eq(answer.nonce_len, 0, "a complete has none");
    idem_answer_fini(&answer);
    idem_client_close(client);
    fake_stop(server);
}

Test(nonce, one_that_the_library_drew_comes_back_in_the_error) {
    script s;
    fake_server *server = mute(&s);
    idem_client *client = open_client(fake_uri(server, ""));
    idem_error err = IDEM_ERROR_INIT;
    idem_args args = args_of("k");
    args.timeout_ms = 1000; /* the server has heard of it by then */
    cr_assert_eq(idem_acquire(client, &args, NULL, &err), IDEM_E_TIMEOUT);
    cr_assert(strstr(err.text, "same nonce") != NULL, "%s", err.text);
    cr_assert_eq(err.nonce_len, 16);
    cr_assert_arr_eq(err.nonce, s.nonces[0], 16);
    args.nonce = "mine";
    args.nonce_len = 4;
    cr_assert_eq(idem_acquire(client, &args, NULL, &err), IDEM_E_TIMEOUT);
    cr_assert_eq(err.nonce_len, 4);
    cr_assert_arr_eq(err.nonce, "mine", 4);
    idem_error other = IDEM_ERROR_INIT;
    cr_assert_eq(idem_peek(client, &args, NULL, &other), IDEM_E_TIMEOUT);
    cr_assert_eq(other.nonce_len, 0, "a peek has none");
    idem_client_close(client);
    fake_stop(server);
}

typedef struct heard {
    int count;
    int32_t code;
    uint8_t nonce[IDEM_NONCE_BYTES_MAX];
    uint32_t nonce_len;
} heard;

static void hear(void *ctx, const idem_answer *answer, const idem_error *err) {
    heard *h = ctx;
    h->count++;
    h->code = err != NULL ? err->code : 0;
    h->nonce_len = err != NULL ? err->nonce_len : answer->nonce_len;
    memcpy(h->nonce, err != NULL ? err->nonce : answer->nonce, h->nonce_len);
}

static heard ask_conn(fake_server *server, const idem_args *args) {
    idem_conn *conn = NULL;
    heard h = {0};
    cr_assert_eq(
        idem_conn_open(fake_uri(server, ""), idem_now_ms(), &conn, NULL), 0);
    cr_assert_eq(
        idem_conn_call(conn, IDEM_ACQUIRE, args, idem_now_ms(), hear, &h), 0);
    while (h.count == 0)
        idt_conn_turn(conn);
    idem_conn_close(conn);
    return h;
}

Test(nonce, a_connection_of_the_hosts_loop_tells_it_likewise) {
    script s;
    idem_args args = args_of("k");
    args.timeout_ms = 60000;
    fake_server *server = granting(&s);
    heard h = ask_conn(server, &args);
    cr_assert_eq(h.code, 0);
    cr_assert_eq(h.nonce_len, 16);
    cr_assert_arr_eq(h.nonce, s.nonces[0], 16);
    fake_stop(server);
    server = mute(&s);
    args.timeout_ms = 1000;
    h = ask_conn(server, &args);
    cr_assert_eq(h.code, IDEM_E_TIMEOUT);
    cr_assert_eq(h.nonce_len, 16);
    cr_assert_arr_eq(h.nonce, s.nonces[0], 16);
    fake_stop(server);
}

Test(nonce, a_session_tells_the_one_that_it_was_given) {
    idem_session *session = NULL;
    idem_args args = args_of("k");
    heard h = {0};
    args.nonce = "mine";
    args.nonce_len = 4;
    args.timeout_ms = 10;
    cr_assert_eq(idem_session_new(&session), 0);
    cr_assert_eq(idem_session_call(session, IDEM_ACQUIRE, &args, 0, hear, &h),
                 0);
    idem_session_tick(session, 10);
    cr_assert_eq(h.code, IDEM_E_TIMEOUT);
    cr_assert_eq(h.nonce_len, 4);
    cr_assert_arr_eq(h.nonce, "mine", 4);
    idem_session_free(session);
}

static int32_t pay(idem_run *run, void *ctx) {
    (void)ctx;
    return idem_run_set_result(run, "paid", 4, 0) == 0 ? IDEM_RUN_DONE
                                                       : IDEM_RUN_UNSURE;
}

static void complete_with(fake_reply reply, idem_answer *answer,
                          idem_error *err) {
    script s = {.replies = {answer_with(fake_acquired(5)), reply},
                .replies_count = 2};
    fake_server *server = serve(&s);
    bool done = reply.action == FAKE_ANSWER;
    idem_client *client = open_client(
        fake_uri(server, done ? "timeout_ms=60000" : "timeout_ms=1000"));
    idem_args args = args_of("k");
    args.no_renew = 1;
    int32_t code = idem_run_once(client, &args, pay, NULL, answer, err);
    cr_assert_eq(code, done ? 0 : IDEM_E_NOT_RECORDED, "%s", err->text);
    cr_assert_arr_eq(done ? answer->nonce : err->nonce, s.nonces[0], 16);
    cr_assert_eq(done ? answer->nonce_len : err->nonce_len, 16);
    idem_client_close(client);
    fake_stop(server);
}

Test(nonce, a_run_tells_the_one_of_its_acquire) {
    idem_answer answer = IDEM_ANSWER_INIT;
    idem_error err = IDEM_ERROR_INIT;
    complete_with(answer_with(fake_completed(true)), &answer, &err);
    cr_assert_arr_eq(answer.result, "paid", 4);
    complete_with((fake_reply){.action = FAKE_MUTE}, &answer, &err);
    idem_answer_fini(&answer);
}

Test(nonce, a_run_with_a_shorter_answer_fills_what_is_inside) {
    struct {
        idem_answer it;
        uint8_t fence[64];
    } a = {.it = IDEM_ANSWER_INIT};
    idem_error err = IDEM_ERROR_INIT;
    a.it.size = offsetof(idem_answer, nonce);
    memset(a.it.nonce, 0xA5, sizeof a - offsetof(idem_answer, nonce));
    script s = {.replies = {answer_with(fake_acquired(5)),
                            answer_with(fake_completed(true))},
                .replies_count = 2};
    fake_server *server = serve(&s);
    idem_client *client = open_client(fake_uri(server, ""));
    idem_args args = args_of("k");
    cr_assert_eq(idem_run_once(client, &args, pay, NULL, &a.it, &err), 0);
    cr_assert_eq(a.it.outcome, IDEM_COMPLETED);
    cr_assert_arr_eq(a.it.result, "paid", 4);
    for (size_t at = a.it.size; at < sizeof a; at++)
        cr_assert_eq(((uint8_t *)&a)[at], 0xA5);
    idem_answer_fini(&a.it);
    idem_client_close(client);
    fake_stop(server);
}
