/* SPDX-License-Identifier: Apache-2.0 */
/* no_tls_test.c -- a library that was built without TLS says so. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/client/script.h"

Test(client_no_tls, idems_is_refused_when_it_is_opened) {
    idem_client *client;
    idem_error err = {.size = sizeof err};
    cr_assert_eq(idem_client_open("idems://db/t", &client, &err), IDEM_E_TLS);
    cr_assert(strstr(err.text, "was built without TLS") != NULL, "%s",
              err.text);
    cr_assert_eq(err.assume, IDEM_ASSUME_UNCHANGED);
    cr_assert_null(client);
}

Test(client_no_tls, idem_is_as_ever) {
    script s = {.replies = {answer_with(fake_acquired(1))}, .replies_count = 1};
    fake_server *server = serve(&s);
    idem_client *client = open_client(fake_uri(server, ""));
    idem_args args = args_of("k");
    cr_assert_eq(idem_acquire(client, &args, NULL, NULL), 0);
    idem_client_close(client);
    fake_stop(server);
}
