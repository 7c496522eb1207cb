/* SPDX-License-Identifier: Apache-2.0 */
/* follow_test.c -- the blocking client follows the primary: each story has
 * servers that answer by a script, of which some are replaced, cut off or gone
 * without a word. What is asked again must be the same call: its nonce, or its
 * token, byte for byte. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/client/script.h"

static const char *address_of(fake_server *server, char text[static 32]) {
    snprintf(text, 32, "127.0.0.1:%u", fake_port(server));
    return text;
}

/* ------------------------------------------------------ what is asked again */

typedef struct method_row {
    int32_t method;
    idp_answer answer;
} method_row;

static method_row row_of(int32_t method) {
    method_row row = {.method = method};
    row.answer = fake_completed(true);
    if (method == IDEM_ACQUIRE)
        row.answer = fake_acquired(7);
    if (method == IDEM_RELEASE)
        row.answer.outcome = IDP_OUTCOME_RELEASED;
    if (method == IDEM_RENEW)
        row.answer =
            (idp_answer){.outcome = IDP_OUTCOME_RENEWED, .lease_ms = 1000};
    return row;
}

/* The first server does this with the call, the second one answers it. False
 * when this machine was so slow that the first one was given up before it had
 * answered: then the story is another one. */
static bool was_asked_again(int32_t method, fake_reply fate) {
    method_row row = row_of(method);
    fate.answer = row.answer;
    script first = {.replies = {fate}, .replies_count = 1};
    script second = {.replies = {answer_with(row.answer)}, .replies_count = 1};
    fake_server *a = serve(&first);
    fake_server *b = serve(&second);
    idem_client *client = open_two(a, b, "timeout_ms=20000");
    idem_error err = {.size = sizeof err};
    idem_args args = args_of("k");
    memcpy(args.token.bytes, "\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0\11", 16);
    cr_assert_eq(idem_call(client, method, &args, NULL, &err), 0, "%s",
                 err.text);
    if (atomic_load(&first.requests) == 0) {
        close_all(client, a, b);
        return false;
    }
    cr_assert_geq(atomic_load(&second.requests), 1);
    cr_assert_eq(first.methods[0], second.methods[0]);
    cr_assert_eq(second.nonce_lens[0], method == IDEM_ACQUIRE ? 16 : 0);
    cr_assert_eq(
        memcmp(first.nonces[0], second.nonces[0], sizeof first.nonces[0]), 0);
    if (method != IDEM_ACQUIRE) {
        cr_assert_eq(second.tokens[0].epoch, 5);
        cr_assert_eq(second.tokens[0].sequence, 9);
    }
    close_all(client, a, b);
    return true;
}

static void is_asked_again(int32_t method, fake_reply fate) {
    while (!was_asked_again(method, fate))
        ;
}

static void each_is_asked_again(fake_reply fate) {
    static const int32_t methods[] = {IDEM_ACQUIRE, IDEM_COMPLETE, IDEM_RELEASE,
                                      IDEM_RENEW};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        is_asked_again(methods[i], fate);
}

Test(follow, a_replica_that_names_nobody) {
    each_is_asked_again(refuse_with(IDP_E_NOT_PRIMARY, ""));
}

Test(follow, a_primary_that_hands_over) {
    each_is_asked_again(refuse_with(IDP_E_SHUTTING_DOWN, NULL));
}

Test(follow, a_primary_that_is_stopped) {
    each_is_asked_again((fake_reply){.action = FAKE_STOP});
}

Test(follow, a_primary_that_can_confirm_nothing) {
    each_is_asked_again(refuse_with(IDP_E_UNREPLICATED, "no replica"));
}

Test(follow, a_server_that_does_not_know_the_credential_yet) {
    each_is_asked_again(refuse_with(IDP_E_DENIED, "may not"));
}

/* Both deny: it is told, and a client that asks for what it may not does not
 * run from one to the other all the time. */
Test(follow, who_is_denied_by_both_is_told) {
    script first = {.replies = {refuse_with(IDP_E_DENIED, "may not: first")},
                    .replies_count = 1};
    script second = {.replies = {refuse_with(IDP_E_DENIED, "may not: second")},
                     .replies_count = 1};
    fake_server *a = serve(&first);
    fake_server *b = serve(&second);
    idem_client *client = open_two(a, b, "timeout_ms=60000");
    idem_error err = {.size = sizeof err};
    idem_args args = args_of("k");
    cr_assert_eq(idem_acquire(client, &args, NULL, &err), IDEM_E_DENIED);
    cr_assert_eq(err.assume, IDEM_ASSUME_REFUSED);
    for (int i = 0; i < 20; i++)
        cr_assert_eq(idem_acquire(client, &args, NULL, &err), IDEM_E_DENIED);
    int asked = atomic_load(&first.requests) + atomic_load(&second.requests);
    cr_assert_leq(asked, 2 * 21);
    cr_assert_geq(asked, 21);
    close_all(client, a, b);
}

/* With one server there is no other to ask. */
Test(follow, one_server_that_denies_is_asked_once) {
    script one = {.replies = {refuse_with(IDP_E_DENIED, "may not")},
                  .replies_count = 1};
    fake_server *a = serve(&one);
    idem_client *client = open_client(fake_uri(a, "timeout_ms=60000"));
    idem_args args = args_of("k");
    cr_assert_eq(idem_acquire(client, &args, NULL, NULL), IDEM_E_DENIED);
    cr_assert_eq(atomic_load(&one.requests), 1);
    idem_client_close(client);
    fake_stop(a);
}

/* hello itself is denied there. */
Test(follow, a_secret_that_the_first_server_does_not_know) {
    script s = {.replies = {answer_with(fake_acquired(1))}, .replies_count = 1};
    fake_config config = {.script = follow, .ctx = &s, .secret = "hush"};
    fake_server *old = fake_start(&config);
    config.secret = NULL;
    fake_server *new = fake_start(&config);
    idem_client *client = open_two(old, new, "timeout_ms=60000");
    idem_args args = args_of("k");
    idem_error err = {.size = sizeof err};
    cr_assert_eq(idem_acquire(client, &args, NULL, &err), 0, "%s", err.text);
    close_all(client, old, new);
    config.secret = "hush";
    old = fake_start(&config);
    new = fake_start(&config);
    client = open_two(old, new, "timeout_ms=60000");
    cr_assert_eq(idem_acquire(client, &args, NULL, &err), IDEM_E_DENIED);
    close_all(client, old, new);
}

/* One server at whose address nothing listens once it has cut the line. */
static bool died_in_the_middle(int32_t method) {
    method_row row = row_of(method);
    script first = {.replies = {{.action = FAKE_CUT, .answer = row.answer},
                                refuse_with(IDP_E_NOT_PRIMARY, "")},
                    .replies_count = 2};
    script second = {.replies = {answer_with(row.answer)}, .replies_count = 1};
    fake_server *a = serve(&first);
    fake_server *b = serve(&second);
    idem_client *client = open_two(a, b, "");
    idem_args args = args_of("k");
    args.token.bytes[15] = 9;
    cr_assert_eq(idem_call(client, method, &args, NULL, NULL), 0);
    bool was_asked = atomic_load(&first.requests) > 0;
    if (was_asked) {
        cr_assert_eq(
            memcmp(first.nonces[0], second.nonces[0], sizeof first.nonces[0]),
            0);
        cr_assert_eq(first.tokens[0].sequence, second.tokens[0].sequence);
    }
    close_all(client, a, b);
    return was_asked;
}

static void dies_in_the_middle(int32_t method) {
    while (!died_in_the_middle(method))
        ;
}

Test(follow, a_reset_in_the_middle_of_a_reply) {
    dies_in_the_middle(IDEM_ACQUIRE);
    dies_in_the_middle(IDEM_COMPLETE);
    dies_in_the_middle(IDEM_RELEASE);
    dies_in_the_middle(IDEM_RENEW);
}

/* ------------------------------------------------------------ where it goes */

Test(follow, what_is_no_address_is_not_followed) {
    static const char *const texts[] = {
        "",           "localhost",       "127.0.0.1:0",  "127.0.0.1:70000",
        ":7117",      "[::1:7117",       "a b:7117",     "127.0.0.1:7117 too",
        "secret@a:1", "127.0.0.1:7117/", "127.0.0.1:1,2"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        script first = {.replies = {refuse_with(IDP_E_NOT_PRIMARY, texts[i])},
                        .replies_count = 1};
        script second = {.replies = {answer_with(fake_acquired(1))},
                         .replies_count = 1};
        fake_server *a = serve(&first);
        fake_server *b = serve(&second);
        idem_client *client = open_two(a, b, "");
        idem_args args = args_of("k");
        cr_assert_eq(idem_acquire(client, &args, NULL, NULL), 0);
        cr_assert_eq(atomic_load(&first.requests), 1, "%s", texts[i]);
        close_all(client, a, b);
    }
}

Test(follow, two_that_point_at_each_other_end_with_the_call) {
    char at_a[32], at_b[32];
    script first = {.replies_count = 1};
    script second = {.replies_count = 1};
    fake_server *a = serve(&first);
    fake_server *b = serve(&second);
    first.replies[0] = refuse_with(IDP_E_NOT_PRIMARY, address_of(b, at_b));
    second.replies[0] = refuse_with(IDP_E_NOT_PRIMARY, address_of(a, at_a));
    idem_client *client = open_client(fake_uri(a, "timeout_ms=2000"));
    idem_error err = {.size = sizeof err};
    idem_args args = args_of("k");
    int32_t code = 0;
    do /* the deadline may pass in the middle of an attempt */
        code = idem_acquire(client, &args, NULL, &err);
    while (code == IDEM_E_TIMEOUT || code == IDEM_E_CONNECT);
    cr_assert_eq(code, IDEM_E_NOT_PRIMARY);
    cr_assert_eq(err.assume, IDEM_ASSUME_REFUSED);
    cr_assert(strstr(err.text, "no server was the primary") != NULL, "%s",
              err.text);
    cr_assert(strcmp(err.primary, at_a) == 0 || strcmp(err.primary, at_b) == 0,
              "%s", err.primary);
    cr_assert_geq(atomic_load(&second.requests), 1);
    close_all(client, a, b);
}

Test(follow, after_so_many_hops_the_other_endpoints_are_asked) {
    char at_a[32], at_b[32];
    char uri[128];
    script first = {.replies_count = 1};
    script second = {.replies_count = 1};
    script third = {.replies = {answer_with(fake_acquired(1))},
                    .replies_count = 1};
    fake_server *a = serve(&first);
    fake_server *b = serve(&second);
    fake_server *c = serve(&third);
    first.replies[0] = refuse_with(IDP_E_NOT_PRIMARY, address_of(b, at_b));
    second.replies[0] = refuse_with(IDP_E_NOT_PRIMARY, address_of(a, at_a));
    snprintf(uri, sizeof uri, "idem://%s,127.0.0.1:%u/t?timeout_ms=60000", at_a,
             fake_port(c));
    idem_client *client = open_client(uri);
    idem_args args = args_of("k");
    cr_assert_eq(idem_acquire(client, &args, NULL, NULL), 0);
    cr_assert_lt(atomic_load(&first.requests) + atomic_load(&second.requests),
                 20);
    close_all(client, a, b);
    fake_stop(c);
}

Test(follow, a_replica_is_given_one_connection_and_the_primary_its_shards) {
    char at_b[32];
    script second = {.replies = {answer_with(fake_acquired(1))},
                     .replies_count = 1};
    fake_config config = {.script = follow, .ctx = &second, .shards = 3};
    fake_server *b = fake_start(&config);
    script first = {
        .replies = {refuse_with(IDP_E_NOT_PRIMARY, address_of(b, at_b))},
        .replies_count = 1};
    config = (fake_config){
        .script = follow, .ctx = &first, .shards = 7, .role = "replica"};
    fake_server *a = fake_start(&config);
    idem_client *client = open_two(a, b, "");
    for (int i = 0; i < 60; i++) {
        char key[16];
        snprintf(key, sizeof key, "key-%d", i);
        idem_args args = args_of(key);
        cr_assert_eq(idem_acquire(client, &args, NULL, NULL), 0);
    }
    cr_assert_eq(atomic_load(&first.requests), 1);
    cr_assert_eq(fake_links(a), 1);
    cr_assert_eq(fake_links(b), 3);
    close_all(client, a, b);
}

/* ---------------------------------------------------------------- silence */

Test(follow, a_server_that_takes_connections_and_says_nothing) {
    script first = {.replies = {answer_with(fake_acquired(1))},
                    .replies_count = 1};
    script second = first;
    fake_server *a = serve(&first);
    fake_server *b = serve(&second);
    fake_freeze(a);
    idem_client *client = open_two(a, b, "timeout_ms=4000");
    idem_args args = args_of("k");
    cr_assert_eq(idem_acquire(client, &args, NULL, NULL), 0);
    cr_assert_eq(atomic_load(&first.requests), 0);
    close_all(client, a, b);
}

/* A listener whose queue is full: a connect to it hangs. */
static int full_listener(uint16_t *port, int fill[static 4]) {
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&at, len), 0);
    cr_assert_eq(listen(fd, 0), 0);
    getsockname(fd, (struct sockaddr *)&at, &len);
    *port = ntohs(at.sin_port);
    for (int i = 0; i < 4; i++) {
        fill[i] =
            socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)!connect(fill[i], (struct sockaddr *)&at, len);
    }
    return fd;
}

Test(follow, a_server_that_never_accepts) {
    int fill[4];
    uint16_t port = 0;
    char uri[128];
    int full = full_listener(&port, fill);
    script s = {.replies = {answer_with(fake_acquired(1))}, .replies_count = 1};
    fake_server *server = serve(&s);
    snprintf(uri, sizeof uri,
             "idem://127.0.0.1:%u,127.0.0.1:%u/t?timeout_ms=4000", port,
             fake_port(server));
    idem_client *client = open_client(uri);
    idem_args args = args_of("k");
    cr_assert_eq(idem_acquire(client, &args, NULL, NULL), 0);
    idem_client_close(client);
    fake_stop(server);
    for (int i = 0; i < 4; i++)
        close(fill[i]);
    close(full);
}

Test(follow, a_server_that_lets_a_call_wait_is_not_left) {
    script first = {.replies = {{.action = FAKE_MUTE}}, .replies_count = 1};
    script second = {.replies = {answer_with(fake_acquired(1))},
                     .replies_count = 1};
    fake_server *a = serve(&first);
    fake_server *b = serve(&second);
    idem_client *client = open_two(a, b, "connect_timeout_ms=3000");
    idem_error err = {.size = sizeof err};
    idem_args args = args_of("k");
    args.timeout_ms = 500;
    args.wait_ms = 4000;
    cr_assert_eq(idem_acquire(client, &args, NULL, &err), IDEM_E_TIMEOUT, "%s",
                 err.text);
    cr_assert_eq(fake_links(a), 1);
    cr_assert_eq(atomic_load(&second.requests), 0);
    close_all(client, a, b);
}

Test(follow, a_waiter_waits_on_at_the_next_primary_with_what_is_left) {
    script first = {.replies = {{.action = FAKE_STOP}}, .replies_count = 1};
    script second = {.replies = {answer_with(fake_replay("done", 4))},
                     .replies_count = 1};
    fake_server *a = serve(&first);
    fake_server *b = serve(&second);
    idem_client *client = open_two(a, b, "");
    idem_answer answer = {.size = sizeof answer};
    idem_args args = args_of("k");
    args.wait_ms = 60000;
    cr_assert_eq(idem_acquire(client, &args, &answer, NULL), 0);
    cr_assert_eq(answer.outcome, IDEM_REPLAY);
    cr_assert_leq(first.waits[0], 60000);
    cr_assert_lt(second.waits[0], first.waits[0]);
    cr_assert_gt(second.waits[0], 0);
    cr_assert_eq(memcmp(first.nonces[0], second.nonces[0], 16), 0);
    idem_answer_fini(&answer);
    close_all(client, a, b);
}

/* ----------------------------------------------------------- unreplicated */

Test(follow, what_the_replica_never_confirms_is_unknown) {
    script s = {.replies = {refuse_with(IDP_E_UNREPLICATED, "no replica")},
                .replies_count = 1};
    fake_server *server = serve(&s);
    idem_client *client = open_client(fake_uri(server, "timeout_ms=1000"));
    idem_error err = {.size = sizeof err};
    idem_args args = args_of("k");
    int32_t code = 0;
    /* The deadline may pass in the middle of an attempt, or before a second
     * one; what is heard first may be left of the call before. */
    for (int i = 0; i < 60 && (code != IDEM_E_UNREPLICATED ||
                               atomic_load(&s.requests) < 3);
         i++) {
        atomic_store(&s.requests, 0);
        code = idem_acquire(client, &args, NULL, &err);
        cr_assert_neq(code, 0);
    }
    cr_assert_eq(code, IDEM_E_UNREPLICATED);
    cr_assert_eq(err.assume, IDEM_ASSUME_UNKNOWN);
    cr_assert(strstr(err.text, "same nonce") != NULL, "%s", err.text);
    cr_assert_geq(atomic_load(&s.requests), 3);
    cr_assert_eq(memcmp(s.nonces[1], s.nonces[2], 16), 0);
    idem_client_close(client);
    fake_stop(server);
}

Test(follow, confirmed_in_the_end_it_is_an_answer_like_any_other) {
    script s = {.replies = {refuse_with(IDP_E_UNREPLICATED, "no replica"),
                            refuse_with(IDP_E_UNREPLICATED, "no replica"),
                            answer_with(fake_completed(true))},
                .replies_count = 3};
    fake_server *server = serve(&s);
    idem_client *client = open_client(fake_uri(server, ""));
    idem_args args = args_of("k");
    args.token.bytes[15] = 9;
    cr_assert_eq(idem_complete(client, &args, NULL, NULL), 0);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(s.tokens[i].sequence, 9);
    cr_assert_eq(fake_links(server), 1);
    idem_client_close(client);
    fake_stop(server);
}

Test(follow, refused_after_it_was_not_confirmed_is_still_unknown) {
    script s = {.replies = {refuse_with(IDP_E_UNREPLICATED, "no replica"),
                            refuse_with(IDP_E_LIMIT, "too many")},
                .replies_count = 2};
    fake_server *server = serve(&s);
    idem_client *client = open_client(fake_uri(server, ""));
    idem_error err = {.size = sizeof err};
    idem_args args = args_of("k");
    cr_assert_eq(idem_acquire(client, &args, NULL, &err), IDEM_E_UNREPLICATED);
    cr_assert(strstr(err.text, "LIMIT too many") != NULL, "%s", err.text);
    idem_client_close(client);
    fake_stop(server);
}
