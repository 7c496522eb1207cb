/* order_test.c -- an operator's orders: one server, one connection, one try. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/client/script.h"

static idem_ordered ordered = {.size = sizeof ordered};
static idem_replication at = {.size = sizeof at};
static idem_error err = {.size = sizeof err};

/* Gives an order to a server that does this with it, and returns what came of
 * it; the server was asked once. */
static int32_t promote(fake_reply reply, uint32_t timeout_ms) {
    script s = {.replies = {reply}, .replies_count = 1};
    fake_server *server = serve(&s);
    int32_t code = idem_order(fake_uri(server, ""), IDEM_PROMOTE, 1, timeout_ms,
                              &ordered, &err);
    cr_assert_eq(fake_links(server), 1);
    cr_assert_eq(s.requests, 1);
    fake_stop(server);
    return code;
}

Test(order, a_server_that_does_not_answer_leaves_its_fate_unknown) {
    cr_assert_eq(promote((fake_reply){.action = FAKE_MUTE}, 60),
                 IDEM_E_TIMEOUT);
    cr_assert_eq(err.assume, IDEM_ASSUME_UNKNOWN);
    cr_assert_eq(promote((fake_reply){.action = FAKE_HANG_UP}, 0), IDEM_E_LOST);
    cr_assert_eq(err.assume, IDEM_ASSUME_UNKNOWN);
    cr_assert(strstr(err.text, "unknown") != NULL, "%s", err.text);
}

Test(order, not_primary_is_told_and_not_followed) {
    cr_assert_eq(promote(refuse_with(IDP_E_NOT_PRIMARY, "127.0.0.1:1"), 0),
                 IDEM_E_NOT_PRIMARY);
}

Test(order, the_servers_own_words_come_through) {
    cr_assert_eq(promote(refuse_with(IDP_E_DENIED, "not here"), 0),
                 IDEM_E_DENIED);
    cr_assert(strstr(err.text, "not here") != NULL, "%s", err.text);
    cr_assert_eq(promote(refuse_with(IDP_E_UNKNOWN_METHOD, NULL), 0),
                 IDEM_E_UNKNOWN_METHOD);
}

Test(order, an_answer_to_something_else_is_garbled) {
    cr_assert_eq(promote(answer_with(fake_acquired(1)), 0), IDEM_E_GARBLED);
    cr_assert_eq(promote((fake_reply){.action = FAKE_BABBLE}, 0),
                 IDEM_E_GARBLED);
    script s = {.replies = {answer_with(fake_acquired(1))}, .replies_count = 1};
    fake_server *server = serve(&s);
    cr_assert_eq(idem_replication_get(fake_uri(server, ""), 0, &at, &err),
                 IDEM_E_GARBLED);
    fake_stop(server);
}

Test(order, goes_to_exactly_one_server) {
    const char *two = "idem://127.0.0.1:1,127.0.0.1:2/";
    cr_assert_eq(idem_order(two, IDEM_DETACH, 0, 0, &ordered, &err),
                 IDEM_E_URI);
    cr_assert(strstr(err.text, "names 2") != NULL, "%s", err.text);
    cr_assert_eq(idem_replication_get(two, 0, &at, &err), IDEM_E_URI);
    cr_assert_eq(
        idem_order("idem://127.0.0.1:1/", IDEM_DETACH, 0, 0, &ordered, &err),
        IDEM_E_CONNECT);
}

Test(order, what_is_not_legal_is_never_sent) {
    const char *uri = "idem://127.0.0.1:1/";
    idem_ordered small = {.size = 4};
    cr_assert_eq(idem_order(uri, 0, 0, 0, &ordered, &err), IDEM_E_ARGUMENT);
    cr_assert_eq(idem_order(uri, 5, 0, 0, &ordered, &err), IDEM_E_ARGUMENT);
    cr_assert_eq(idem_order(uri, IDEM_PROMOTE, 0, 0, &small, &err),
                 IDEM_E_ARGUMENT);
    cr_assert_eq(idem_order(uri, IDEM_PROMOTE, 0, 0, NULL, NULL),
                 IDEM_E_ARGUMENT);
    cr_assert_eq(idem_replication_get(uri, 0, NULL, &err), IDEM_E_ARGUMENT);
}
