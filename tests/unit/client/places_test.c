/* SPDX-License-Identifier: Apache-2.0 */
/* places_test.c -- where the blocking client connects to: endpoints, shards,
 * redirects, secrets, sockets, strangers. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/client/script.h"

Test(client, no_server_at_all_leaves_the_claim_unchanged) {
    idem_client *client = open_client("idem://127.0.0.1:1/t?timeout_ms=60");
    idem_error err = {.size = sizeof err};
    idem_args args = args_of("k");
    cr_assert_eq(idem_acquire(client, &args, NULL, &err), IDEM_E_CONNECT);
    cr_assert_eq(err.assume, IDEM_ASSUME_UNCHANGED);
    cr_assert_str_eq(err.endpoint, "127.0.0.1:1");
    cr_assert(strstr(err.text, "refused") != NULL, "%s", err.text);
    idem_client_close(client);
}

Test(client, a_stranger_at_the_port_is_named) {
    script s = {
        .replies = {{.action = FAKE_BABBLE}, answer_with(fake_acquired(1))},
        .replies_count = 2};
    fake_server *server = serve(&s);
    idem_client *client = open_client(fake_uri(server, ""));
    idem_args args = args_of("k");
    cr_assert_eq(idem_acquire(client, &args, NULL, NULL), 0);
    cr_assert_eq(fake_links(server), 2, "babble costs the connection");
    idem_client_close(client);
    fake_stop(server);
}

Test(client, the_next_endpoint_is_tried_and_kept) {
    script s = {.replies = {answer_with(fake_acquired(1))}, .replies_count = 1};
    fake_server *server = serve(&s);
    char uri[128];
    snprintf(uri, sizeof uri, "idem://127.0.0.1:1,127.0.0.1:2,127.0.0.1:%u/t",
             fake_port(server));
    idem_client *client = open_client(uri);
    idem_args args = args_of("k");
    for (int i = 0; i < 3; i++)
        cr_assert_eq(idem_acquire(client, &args, NULL, NULL), 0);
    cr_assert_eq(fake_links(server), 1);
    idem_client_close(client);
    fake_stop(server);
}

Test(client, not_primary_is_obeyed) {
    script primary = {.replies = {answer_with(fake_acquired(1))},
                      .replies_count = 1};
    fake_server *there = serve(&primary);
    char where[32];
    snprintf(where, sizeof where, "127.0.0.1:%u", fake_port(there));
    script replica = {.replies = {refuse_with(IDP_E_NOT_PRIMARY, where)},
                      .replies_count = 1};
    fake_server *here = serve(&replica);
    idem_client *client = open_client(fake_uri(here, ""));
    idem_args args = args_of("k");
    for (int i = 0; i < 3; i++)
        cr_assert_eq(idem_acquire(client, &args, NULL, NULL), 0);
    cr_assert_eq(atomic_load(&replica.requests), 1);
    cr_assert_eq(atomic_load(&primary.requests), 3);
    idem_info info = {.size = sizeof info};
    cr_assert_eq(idem_client_info(client, 0, &info, NULL), 0);
    cr_assert_str_eq(info.endpoint, where);
    idem_client_close(client);
    fake_stop(here);
    fake_stop(there);
}

Test(client, shutting_down_is_asked_again_until_the_deadline) {
    script s = {.replies = {refuse_with(IDP_E_SHUTTING_DOWN, NULL),
                            answer_with(fake_acquired(1)),
                            refuse_with(IDP_E_SHUTTING_DOWN, NULL)},
                .replies_count = 3};
    fake_server *server = serve(&s);
    idem_client *client = open_client(fake_uri(server, "timeout_ms=400"));
    idem_args args = args_of("k");
    args.timeout_ms = 60000;
    cr_assert_eq(idem_acquire(client, &args, NULL, NULL), 0);
    args.timeout_ms = 0;
    int32_t told =
        IDEM_E_TIMEOUT; /* a slow machine answers the last too late */
    for (int i = 0; i < 5 && told == IDEM_E_TIMEOUT; i++)
        told = idem_acquire(client, &args, NULL, NULL);
    cr_assert_eq(told, IDEM_E_SHUTTING_DOWN);
    idem_client_close(client);
    fake_stop(server);
}

Test(client, a_wrong_secret_is_told_at_once) {
    script s = {.replies = {answer_with(fake_acquired(1))}, .replies_count = 1};
    fake_config config = {.script = follow, .ctx = &s, .secret = "hush"};
    fake_server *server = fake_start(&config);
    char uri[128];
    idem_args args = args_of("k");
    idem_error err = {.size = sizeof err};
    idem_client *client = open_client(fake_uri(server, "timeout_ms=60000"));
    cr_assert_eq(idem_acquire(client, &args, NULL, &err), IDEM_E_DENIED);
    idem_client_close(client);
    snprintf(uri, sizeof uri, "idem://:hush@127.0.0.1:%u", fake_port(server));
    client = open_client(uri);
    cr_assert_eq(idem_acquire(client, &args, NULL, &err), 0);
    idem_client_close(client);
    fake_stop(server);
}

/* Which link each request came over. */
static _Atomic uint64_t links_seen;

static void note_link(void *ctx, uint64_t link, const idp_request *request,
                      fake_reply *reply) {
    (void)ctx;
    (void)request;
    atomic_fetch_or(&links_seen, 1u << link);
    *reply = answer_with(fake_acquired(1));
}

static uint64_t links_of_100_keys(const char *options) {
    fake_config config = {.script = note_link, .shards = 4};
    fake_server *server = fake_start(&config);
    idem_client *client = open_client(fake_uri(server, options));
    atomic_store(&links_seen, 0);
    for (int i = 0; i < 100; i++) {
        char key[16];
        snprintf(key, sizeof key, "key-%d", i);
        idem_args args = args_of(key);
        cr_assert_eq(idem_acquire(client, &args, NULL, NULL), 0);
    }
    uint64_t links = fake_links(server);
    cr_assert_eq(atomic_load(&links_seen), ((1u << links) - 1) << 1);
    idem_client_close(client);
    fake_stop(server);
    return links;
}

Test(client, each_shard_has_its_connection) {
    cr_assert_eq(links_of_100_keys(""), 4);
    cr_assert_eq(links_of_100_keys("shard_aware=0"), 1);
}

Test(client, a_server_that_comes_back_with_fewer_shards_is_learned_anew) {
    fake_config config = {.script = note_link, .shards = 4};
    fake_server *server = fake_start(&config);
    config.port = fake_port(server);
    config.shards = 1;
    idem_client *client = open_client(fake_uri(server, ""));
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 40; i++) {
            char key[16];
            snprintf(key, sizeof key, "key-%d", i);
            idem_args args = args_of(key);
            idem_error err = {.size = sizeof err};
            cr_assert_eq(idem_acquire(client, &args, NULL, &err), 0, "%s",
                         err.text);
        }
        if (round == 0) {
            fake_stop(server);
            server = fake_start(&config);
        }
    }
    idem_client_close(client);
    fake_stop(server);
}

Test(client, a_unix_socket_works_as_well) {
    char path[64];
    char uri[128];
    snprintf(path, sizeof path, "/tmp/idem_client_%d.sock", (int)getpid());
    script s = {.replies = {answer_with(fake_acquired(1))}, .replies_count = 1};
    fake_config config = {.script = follow, .ctx = &s, .path = path};
    fake_server *server = fake_start(&config);
    snprintf(uri, sizeof uri, "idem+unix://%s?namespace=t", path);
    idem_client *client = open_client(uri);
    idem_args args = args_of("k");
    cr_assert_eq(idem_acquire(client, &args, NULL, NULL), 0);
    cr_assert_eq(idem_ping(client, NULL, NULL, NULL), 0);
    idem_client_close(client);
    fake_stop(server);
}
