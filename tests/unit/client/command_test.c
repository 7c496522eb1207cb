/* SPDX-License-Identifier: Apache-2.0 */
/* command_test.c -- an operator's commands: one server, one connection, one
 * try. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/client/script.h"

static idem_command_answer answer = IDEM_COMMAND_ANSWER_INIT;
static idem_replication at = IDEM_REPLICATION_INIT;
static idem_error err = IDEM_ERROR_INIT;

static int32_t give(const char *uri, int32_t command, uint32_t timeout_ms) {
    idem_command_args args = IDEM_COMMAND_ARGS_INIT;
    args.command = command;
    args.accept_loss = 1;
    args.timeout_ms = timeout_ms;
    return idem_command(uri, &args, &answer, &err);
}

/* Gives a command to a server that does this with it, and returns what came of
 * it; the server was asked once. */
static int32_t promote(fake_reply reply, uint32_t timeout_ms) {
    script s = {.replies = {reply}, .replies_count = 1};
    fake_server *server = serve(&s);
    int32_t code = give(fake_uri(server, ""), IDEM_COMMAND_PROMOTE, timeout_ms);
    cr_assert_eq(fake_links(server), 1);
    cr_assert_eq(s.requests, 1);
    fake_stop(server);
    return code;
}

Test(command, a_server_that_does_not_answer_leaves_its_fate_unknown) {
    cr_assert_eq(promote((fake_reply){.action = FAKE_MUTE}, 60),
                 IDEM_E_TIMEOUT);
    cr_assert_eq(err.assume, IDEM_ASSUME_UNKNOWN);
    cr_assert_eq(promote((fake_reply){.action = FAKE_HANG_UP}, 0), IDEM_E_LOST);
    cr_assert_eq(err.assume, IDEM_ASSUME_UNKNOWN);
    cr_assert(strstr(err.text, "unknown") != NULL, "%s", err.text);
}

Test(command, not_primary_is_told_and_not_followed) {
    cr_assert_eq(promote(refuse_with(IDP_E_NOT_PRIMARY, "127.0.0.1:1"), 0),
                 IDEM_E_NOT_PRIMARY);
}

Test(command, the_servers_own_words_come_through) {
    cr_assert_eq(promote(refuse_with(IDP_E_DENIED, "not here"), 0),
                 IDEM_E_DENIED);
    cr_assert(strstr(err.text, "not here") != NULL, "%s", err.text);
    cr_assert_eq(promote(refuse_with(IDP_E_UNKNOWN_METHOD, NULL), 0),
                 IDEM_E_UNKNOWN_METHOD);
}

Test(command, an_answer_to_something_else_is_garbled) {
    cr_assert_eq(promote(answer_with(fake_acquired(1)), 0), IDEM_E_GARBLED);
    cr_assert_eq(promote((fake_reply){.action = FAKE_BABBLE}, 0),
                 IDEM_E_GARBLED);
    script s = {.replies = {answer_with(fake_acquired(1))}, .replies_count = 1};
    fake_server *server = serve(&s);
    cr_assert_eq(idem_replication_get(fake_uri(server, ""), 0, &at, &err),
                 IDEM_E_GARBLED);
    fake_stop(server);
}

Test(command, goes_to_exactly_one_server) {
    const char *two = "idem://127.0.0.1:1,127.0.0.1:2/";
    cr_assert_eq(give(two, IDEM_COMMAND_DETACH, 0), IDEM_E_URI);
    cr_assert(strstr(err.text, "names 2") != NULL, "%s", err.text);
    cr_assert_eq(idem_replication_get(two, 0, &at, &err), IDEM_E_URI);
    cr_assert_eq(give("idem://127.0.0.1:1/", IDEM_COMMAND_DETACH, 0),
                 IDEM_E_CONNECT);
}

Test(command, what_is_not_legal_is_never_sent) {
    const char *uri = "idem://127.0.0.1:1/";
    idem_command_args args = IDEM_COMMAND_ARGS_INIT;
    idem_command_answer small = {.size = 4};
    cr_assert_eq(give(uri, 0, 0), IDEM_E_ARGUMENT);
    cr_assert_eq(give(uri, IDEM_COMMAND_BACKUP + 1, 0), IDEM_E_ARGUMENT);
    cr_assert_eq(give(uri, IDEM_ACQUIRE, 0), IDEM_E_ARGUMENT);
    args.command = IDEM_COMMAND_PROMOTE;
    cr_assert_eq(idem_command(uri, &args, &small, &err), IDEM_E_ARGUMENT);
    cr_assert_eq(idem_command(uri, &args, NULL, NULL), IDEM_E_ARGUMENT);
    cr_assert_eq(idem_command(uri, NULL, &answer, &err), IDEM_E_ARGUMENT);
    cr_assert_eq(idem_replication_get(uri, 0, NULL, &err), IDEM_E_ARGUMENT);
}

Test(command, what_a_server_calls_itself_hides_nothing) {
    fake_config config = {.script = follow, .role = "pri\nma\x1bry"};
    script s = {.replies_count = 1};
    config.ctx = &s;
    fake_server *server = fake_start(&config);
    idem_client *client = open_client(fake_uri(server, ""));
    idem_info info = IDEM_INFO_INIT;
    cr_assert_eq(idem_client_info(client, 0, &info, &err), 0, "%s", err.text);
    cr_assert_str_eq(info.role, "pri?ma?ry");
    idem_client_close(client);
    fake_stop(server);
}
