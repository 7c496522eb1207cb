/* SPDX-License-Identifier: Apache-2.0 */
/* tls_test.c -- idems://: the client over TLS, and what it says where there is
 * none, or a wrong one. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/include/idemclient_loop.h"
#include "tests/lib/conn_turn.h"
#include "tests/lib/tls_certs.h"
#include "tests/lib/tls_front.h"
#include "tests/unit/client/script.h"

static char folder[32];
static script acquires;
static fake_server *server;

static void begin(void) {
    certs_begin(folder);
    certs_make_usual(folder);
    certs_make(folder, &(cert_spec){.name = "elsewhere",
                                    .issuer = "ca",
                                    .alt = "DNS:db9.example"});
    acquires = (script){.replies = {answer_with(fake_acquired(1))},
                        .replies_count = 1};
    server = serve(&acquires);
}

static void end(void) {
    fake_stop(server);
    certs_end(folder);
}

TestSuite(client_tls, .init = begin, .fini = end);

static tls_front *front_of(const char *cert, const char *ca) {
    return front_start(&(front_config){.folder = folder,
                                       .cert = cert,
                                       .ca = ca,
                                       .upstream = fake_port(server)});
}

/* idems:// to these ports, trusting our authority. */
static const char *uri_of(const tls_front *one, const tls_front *other,
                          const char *options) {
    static char uri[512];
    char second[32] = "";
    if (other != NULL)
        snprintf(second, sizeof second, ",127.0.0.1:%u", front_port(other));
    snprintf(uri, sizeof uri, "idems://127.0.0.1:%u%s/t?ca=%s/ca.pem&%s",
             front_port(one), second, folder, options);
    return uri;
}

static void ask(idem_client *client, int times) {
    idem_error err = {.size = sizeof err};
    idem_args args = args_of("k");
    for (int i = 0; i < times; i++)
        cr_assert_eq(idem_acquire(client, &args, NULL, &err), 0, "%s",
                     err.text);
}

/* A call ends so, at once, and nothing was sent. */
static void refused(const char *uri, const char *words) {
    idem_client *client = open_client(uri);
    idem_error err = {.size = sizeof err};
    idem_args args = args_of("k");
    int before = atomic_load(&acquires.requests);
    cr_assert_eq(idem_acquire(client, &args, NULL, &err), IDEM_E_TLS, "%s",
                 err.text);
    cr_assert_eq(err.assume, IDEM_ASSUME_UNCHANGED);
    cr_assert(strstr(err.text, words) != NULL, "%s", err.text);
    cr_assert(strstr(err.text, "127.0.0.1:") != NULL, "%s", err.text);
    cr_assert_eq(idem_acquire(client, &args, NULL, NULL), IDEM_E_TLS,
                 "it is tried again");
    cr_assert_eq(atomic_load(&acquires.requests), before);
    idem_client_close(client);
}

Test(client_tls, calls_go_over_it) {
    tls_front *front = front_of("server", NULL);
    idem_client *client = open_client(uri_of(front, NULL, ""));
    ask(client, 20);
    cr_assert_eq(atomic_load(&acquires.requests), 20);
    cr_assert_eq(front_handshakes(front), 1);
    idem_client_close(client);
    front_stop(front);
}

Test(client_tls, long_results_come_and_go) {
    enum { LEN = 900000 };
    uint8_t *bytes = malloc(LEN);
    for (size_t i = 0; i < LEN; i++)
        bytes[i] = (uint8_t)(i ^ i >> 8);
    script s = {.replies = {answer_with(fake_replay(bytes, LEN)),
                            answer_with(fake_completed(true))},
                .replies_count = 2};
    fake_server *other = serve(&s);
    tls_front *front = front_start(&(front_config){
        .folder = folder, .cert = "server", .upstream = fake_port(other)});
    idem_client *client = open_client(uri_of(front, NULL, "timeout_ms=60000"));
    idem_args args = args_of("k");
    idem_answer answer = {.size = sizeof answer};
    idem_error err = {.size = sizeof err};
    cr_assert_eq(idem_acquire(client, &args, &answer, &err), 0, "%s", err.text);
    cr_assert_eq(answer.result_len, LEN);
    cr_assert_eq(memcmp(answer.result, bytes, LEN), 0);
    args.result = bytes;
    args.result_len = LEN;
    cr_assert_eq(idem_complete(client, &args, NULL, &err), 0, "%s", err.text);
    cr_assert(s.had_result[1]);
    idem_answer_fini(&answer);
    idem_client_close(client);
    front_stop(front);
    fake_stop(other);
    free(bytes);
}

Test(client_tls, new_keys_in_between_are_no_matter) {
    tls_front *front =
        front_start(&(front_config){.folder = folder,
                                    .cert = "server",
                                    .upstream = fake_port(server),
                                    .keys_each = 3});
    idem_client *client = open_client(uri_of(front, NULL, ""));
    ask(client, 50);
    cr_assert_eq(front_handshakes(front), 1);
    idem_client_close(client);
    front_stop(front);
}

Test(client_tls, a_connection_that_is_cut_is_made_again) {
    tls_front *front = front_of("server", NULL);
    idem_client *client = open_client(uri_of(front, NULL, "timeout_ms=60000"));
    for (int i = 0; i < 5; i++) {
        ask(client, 2);
        front_cut(front);
    }
    ask(client, 1);
    cr_assert(front_handshakes(front) >= 2);
    idem_client_close(client);
    front_stop(front);
}

/* -------------------------------------------------- whose certificate it is */

Test(client_tls, a_wrong_name_is_refused_unless_it_does_not_count) {
    tls_front *front = front_of("elsewhere", NULL);
    refused(uri_of(front, NULL, ""), "is for DNS:db9.example");
    refused(uri_of(front, NULL, "server_name=db8.example"), "db8.example");
    static const char *const good[] = {"server_name=db9.example", "verify=ca",
                                       "verify=none"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        idem_client *client = open_client(uri_of(front, NULL, good[i]));
        ask(client, 1);
        idem_client_close(client);
    }
    front_stop(front);
}

Test(client_tls, an_unknown_issuer_is_refused) {
    char uri[256];
    tls_front *front = front_of("server", NULL);
    snprintf(uri, sizeof uri, "idems://127.0.0.1:%u/t?ca=%s/client.pem",
             front_port(front), folder);
    refused(uri, "whom no authority in");
    snprintf(uri, sizeof uri, "idems://127.0.0.1:%u/t?", front_port(front));
    refused(uri, "whom no authority in this system");
    snprintf(uri, sizeof uri, "idems://127.0.0.1:%u/t?verify=none",
             front_port(front));
    idem_client *client = open_client(uri);
    ask(client, 1);
    idem_client_close(client);
    front_stop(front);
}

Test(client_tls, ones_own_is_shown) {
    char options[256];
    tls_front *front = front_of("server", "ca");
    snprintf(options, sizeof options, "cert=%s/client.pem&key=%s/client.key",
             folder, folder);
    idem_client *client = open_client(uri_of(front, NULL, options));
    ask(client, 3);
    idem_client_close(client);
    cr_assert_eq(front_verified(front), 1);
    client = open_client(uri_of(front, NULL, ""));
    ask(client, 3);
    idem_client_close(client);
    cr_assert_eq(front_handshakes(front), 2);
    cr_assert_eq(front_verified(front), 1);
    front_stop(front);
}

/* --------------------------------------------------------- several servers */

Test(client_tls, not_primary_is_dialled_with_tls) {
    tls_front *primary = front_of("server", NULL);
    char where[32];
    snprintf(where, sizeof where, "127.0.0.1:%u", front_port(primary));
    script s = {.replies = {refuse_with(IDP_E_NOT_PRIMARY, where)},
                .replies_count = 1};
    fake_server *replica = serve(&s);
    tls_front *front = front_start(&(front_config){
        .folder = folder, .cert = "server", .upstream = fake_port(replica)});
    idem_client *client = open_client(uri_of(front, NULL, ""));
    ask(client, 3);
    cr_assert_eq(atomic_load(&s.requests), 1);
    cr_assert_eq(front_handshakes(primary), 1);
    idem_client_close(client);
    front_stop(front);
    fake_stop(replica);
    front_stop(primary);
}

Test(client_tls, not_primary_is_verified_as_the_host_it_names) {
    tls_front *impostor = front_of("elsewhere", NULL);
    char where[32];
    snprintf(where, sizeof where, "127.0.0.1:%u", front_port(impostor));
    script s = {.replies = {refuse_with(IDP_E_NOT_PRIMARY, where)},
                .replies_count = 1};
    fake_server *replica = serve(&s);
    tls_front *front = front_start(&(front_config){
        .folder = folder, .cert = "server", .upstream = fake_port(replica)});
    refused(uri_of(front, NULL, ""), "is for DNS:db9.example");
    front_stop(front);
    fake_stop(replica);
    front_stop(impostor);
}

Test(client_tls, who_closes_in_the_handshake_leaves_the_next_its_turn) {
    tls_front *dying = front_start(
        &(front_config){.folder = folder, .cert = "server", .closes = true});
    tls_front *front = front_of("server", NULL);
    idem_client *client = open_client(uri_of(dying, front, ""));
    ask(client, 3);
    idem_client_close(client);
    char alone[512];
    snprintf(alone, sizeof alone, "%s",
             uri_of(dying, NULL, "connect_rounds=1&timeout_ms=20000"));
    client = open_client(alone);
    idem_error err = {.size = sizeof err};
    idem_args args = args_of("k");
    cr_assert_eq(idem_acquire(client, &args, NULL, &err), IDEM_E_CONNECT);
    cr_assert(strstr(err.text, "it speak") != NULL ||
                  strstr(err.text, "that idemstored") != NULL,
              "%s", err.text);
    idem_client_close(client);
    front_stop(dying);
    front_stop(front);
}

/* ----------------------------------------------- one speaks it, one does not
 */

Test(client_tls, a_plain_server_is_told_and_never_fallen_back_to) {
    static const char *const words[] = {"-ERR what?\r\n",
                                        "HTTP/1.1 400 Bad Request\r\n\r\n",
                                        "\x94\x01\x00\xa8PROTOCOL\xc0"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        tls_front *plain = front_start(&(front_config){.says = words[i]});
        refused(uri_of(plain, NULL, ""), "does not speak TLS");
        front_stop(plain);
    }
}

Test(client_tls, a_server_of_tls_is_told_to_who_speaks_plain) {
    char uri[128];
    tls_front *front = front_of("server", NULL);
    snprintf(uri, sizeof uri,
             "idem://127.0.0.1:%u/t?connect_rounds=1&timeout_ms=20000",
             front_port(front));
    idem_client *client = open_client(uri);
    idem_error err = {.size = sizeof err};
    idem_args args = args_of("k");
    cr_assert_eq(idem_acquire(client, &args, NULL, &err), IDEM_E_CONNECT);
    cr_assert(strstr(err.text, "it speaks TLS: write idems://") != NULL, "%s",
              err.text);
    idem_client_close(client);
    front_stop(front);
}

/* ----------------------------------------------------------------- its files
 */

static void not_opened(const char *options, int32_t code, const char *words) {
    char uri[256];
    idem_client *client;
    idem_error err = {.size = sizeof err};
    snprintf(uri, sizeof uri, "idems://db/t?%s", options);
    cr_assert_eq(idem_client_open(uri, &client, &err), code, "%s", err.text);
    cr_assert(strstr(err.text, words) != NULL, "%s", err.text);
    cr_assert_null(client);
}

Test(client_tls, files_that_are_no_good_are_told_at_once) {
    char options[200];
    not_opened("ca=/nowhere/ca.pem", IDEM_E_TLS, "/nowhere/ca.pem");
    not_opened("key=/nowhere/a.key", IDEM_E_TLS, "no certificate file");
    snprintf(options, sizeof options, "cert=%s/client.pem&key=%s/server.key",
             folder, folder);
    not_opened(options, IDEM_E_TLS, "holds another key");
    not_opened("verify=some", IDEM_E_URI, "verify is full, ca or none");
    not_opened("server_name=a%0ab", IDEM_E_URI, "server_name");
    idem_client *client;
    idem_error err = {.size = sizeof err};
    cr_assert_eq(idem_client_open("idem://db/t?ca=x", &client, &err),
                 IDEM_E_URI);
    cr_assert(strstr(err.text, "ca is of idems:// alone") != NULL, "%s",
              err.text);
}

/* ----------------------------------------------------------------- idem_conn
 */

typedef struct ended {
    int calls;
    int32_t code;
    char text[512];
} ended;

static void note(void *ctx, const idem_answer *answer, const idem_error *err) {
    ended *into = ctx;
    into->calls++;
    into->code = answer != NULL ? 0 : err->code;
    snprintf(into->text, sizeof into->text, "%s",
             answer != NULL ? "" : err->text);
}

static ended conn_asks(const char *uri, int times) {
    ended got = {0};
    idem_conn *conn;
    idem_args args = args_of("k");
    cr_assert_eq(idem_conn_open(uri, idem_now_ms(), &conn, NULL), 0);
    for (int i = 0; i < times; i++) {
        int before = got.calls;
        cr_assert_eq(idem_conn_call(conn, IDEM_ACQUIRE, &args, idem_now_ms(),
                                    note, &got),
                     0);
        while (got.calls == before)
            idt_conn_turn(conn);
    }
    idem_conn_close(conn);
    return got;
}

Test(client_tls, an_idem_conn_goes_over_it_too) {
    tls_front *front =
        front_start(&(front_config){.folder = folder,
                                    .cert = "server",
                                    .upstream = fake_port(server),
                                    .keys_each = 3});
    ended got = conn_asks(uri_of(front, NULL, ""), 20);
    cr_assert_eq(got.code, 0, "%s", got.text);
    cr_assert_eq(front_handshakes(front), 1);
    got = conn_asks(uri_of(front, NULL, "server_name=db1"), 2);
    cr_assert_eq(got.code, IDEM_E_TLS, "%s", got.text);
    cr_assert(strstr(got.text, "DNS:localhost") != NULL, "%s", got.text);
    front_stop(front);
    tls_front *plain = front_start(&(front_config){.says = "-ERR\r\n"});
    got = conn_asks(uri_of(plain, NULL, ""), 1);
    cr_assert_eq(got.code, IDEM_E_TLS, "%s", got.text);
    cr_assert(strstr(got.text, "does not speak TLS") != NULL, "%s", got.text);
    front_stop(plain);
}
