/* SPDX-License-Identifier: Apache-2.0 */
/* words_test.c -- an error has the code that the server said, and its sentence
 * says one thing. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/conn_turn.h"
#include "tests/unit/client/script.h"

static idem_error err = {.size = sizeof err};

/* A server that turns every connection away, with a word. */
static fake_server *turn_away(idp_error last_word) {
    fake_config config = {.refuse_hello = true, .last_word = last_word};
    return fake_start(&config);
}

static int32_t acquire(idem_client *client) {
    idem_args args = args_of("k");
    err.code = 0;
    return idem_acquire(client, &args, NULL, &err);
}

/* Its time may be over in the middle of an attempt: that is another story, and
 * this one is told again. */
static int32_t acquire_until(idem_client *client, int32_t code) {
    int32_t said = acquire(client);
    for (int i = 0; i < 30 && said != code; i++)
        said = acquire(client);
    return said;
}

Test(words, a_full_servers_limit_is_not_an_unreachable_server) {
    fake_server *server = turn_away(IDP_E_LIMIT);
    idem_client *client = open_client(fake_uri(server, "timeout_ms=300"));
    cr_assert_eq(acquire_until(client, IDEM_E_LIMIT), IDEM_E_LIMIT, "%s",
                 err.text);
    cr_assert_eq(err.assume, IDEM_ASSUME_REFUSED);
    cr_assert(strstr(err.text, "too many connections") != NULL, "%s", err.text);
    idem_client_close(client);
    fake_stop(server);
}

Test(words, a_server_that_goes_down_says_so_at_the_door_too) {
    fake_server *server = turn_away(IDP_E_SHUTTING_DOWN);
    idem_client *client = open_client(fake_uri(server, "timeout_ms=300"));
    cr_assert_eq(acquire_until(client, IDEM_E_SHUTTING_DOWN),
                 IDEM_E_SHUTTING_DOWN, "%s", err.text);
    idem_client_close(client);
    fake_stop(server);
}

Test(words, one_that_says_nothing_can_t_be_reached) {
    fake_server *server = turn_away(0);
    idem_client *client = open_client(fake_uri(server, "timeout_ms=300"));
    cr_assert_eq(acquire_until(client, IDEM_E_CONNECT), IDEM_E_CONNECT, "%s",
                 err.text);
    idem_client_close(client);
    fake_stop(server);
}

static void *freeze_at_the_second_link(void *arg) {
    fake_server *server = arg;
    while (fake_links(server) < 2)
        usleep(1000);
    fake_freeze(server);
    return NULL;
}

Test(words, what_the_calls_end_cut_short_says_less_than_what_was_heard) {
    pthread_t freezer;
    fake_server *server = turn_away(IDP_E_LIMIT);
    idem_client *client = open_client(
        fake_uri(server, "timeout_ms=5000&connect_timeout_ms=60000"));
    pthread_create(&freezer, NULL, freeze_at_the_second_link, server);
    cr_assert_eq(acquire(client), IDEM_E_LIMIT, "%s", err.text);
    pthread_join(freezer, NULL);
    idem_client_close(client);
    fake_stop(server);
}

static void hear(void *ctx, const idem_answer *answer, const idem_error *said) {
    int32_t *code = ctx;
    (void)answer;
    *code = said != NULL ? said->code : 0;
}

Test(words, an_event_loop_hears_the_same_limit) {
    fake_server *server = turn_away(IDP_E_LIMIT);
    idem_conn *conn = NULL;
    int32_t code = 1;
    idem_args args = args_of("k");
    args.timeout_ms = 3000;
    cr_assert_eq(
        idem_conn_open(fake_uri(server, ""), idem_now_ms(), &conn, NULL), 0);
    idem_conn_call(conn, IDEM_ACQUIRE, &args, idem_now_ms(), hear, &code);
    while (code == 1)
        idt_conn_turn(conn);
    cr_assert_eq(code, IDEM_E_LIMIT);
    idem_conn_close(conn);
    fake_stop(server);
}

/* Either nothing was changed, or it may have been. */
Test(words, no_sentence_says_two_things) {
    for (int error = 1; error <= (int)-IDEM_E_SHUTTING_DOWN; error++) {
        script s = {.replies = {refuse_with((idp_error)-error, "because")},
                    .replies_count = 1};
        fake_server *server = serve(&s);
        idem_client *client = open_client(fake_uri(server, "timeout_ms=300"));
        int32_t code = acquire_until(client, -error);
        cr_assert_eq(code, -error, "%s", err.text);
        bool maybe = strstr(err.text, "may have taken effect") != NULL;
        cr_assert_eq(maybe, err.assume == IDEM_ASSUME_UNKNOWN, "%s", err.text);
        cr_assert_null(strstr(err.text, "refused"), "%s", err.text);
        idem_client_close(client);
        fake_stop(server);
    }
}

Test(words, a_refusal_after_a_lost_attempt_says_what_holds) {
    script s = {.replies = {{.action = FAKE_HANG_UP},
                            refuse_with(IDP_E_LIMIT, "too many")},
                .replies_count = 2};
    fake_server *server = serve(&s);
    idem_client *client = open_client(fake_uri(server, ""));
    cr_assert_eq(acquire(client), IDEM_E_LOST);
    cr_assert(strstr(err.text, "may have taken effect") != NULL, "%s",
              err.text);
    cr_assert_null(strstr(err.text, "refused"), "%s", err.text);
    idem_client_close(client);
    fake_stop(server);
}
